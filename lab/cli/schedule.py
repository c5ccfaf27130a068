"""``drywet schedule``: campaigns that begin by the clock on the wall."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import JsonOption, StoreOption, out

if TYPE_CHECKING:
    from lab.app.schedules import Schedules

__all__ = ["schedule"]

schedule = typer.Typer(
    no_args_is_help=True,
    help="Campaigns that begin by the clock on the wall, over and over, while `drywet serve` runs.",
)

Name = Annotated[str, typer.Argument(help="Of a schedule, or its id.", show_default=False)]
FolderOption = Annotated[
    Path,
    typer.Option(
        "--folder",
        envvar="DRYWET_SERVICE_FOLDER",
        show_envvar=False,
        help="The lab's folder, in which campaigns and what they name lie; as drywet serve has it.",
    ),
]


@schedule.command()
def add(
    campaign: Annotated[Path, typer.Argument(help="Campaign file (YAML).", show_default=False)],
    cron: Annotated[
        str,
        typer.Option(
            "--cron",
            help="Minute, hour, day, month, day of the week: '0 2 * * 1-5' is at 02:00 from Monday to Friday.",
            show_default=False,
        ),
    ],
    timezone: Annotated[
        str,
        typer.Option("--timezone", help="Whose clock is meant, such as Europe/Berlin.", show_default=False),
    ],
    name: Annotated[
        str, typer.Option("--name", help="Of the schedule; the campaign's, if left out.", show_default=False)
    ] = "",
    priority: Annotated[int, typer.Option("--priority", min=-9, max=9, help="More is sooner.")] = 0,
    on_missed: Annotated[
        str,
        typer.Option(
            "--on-missed",
            help="When nobody looked at that time: run_once begins one for all that were missed; or skip.",
        ),
    ] = "run_once",
    on_overlap: Annotated[
        str,
        typer.Option("--on-overlap", help="While the one before is not over: skip, or queue behind it."),
    ] = "skip",
    folder: FolderOption = Path(),
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a campaign begin at certain times. What the file says now is what begins, whatever becomes of the file.

    Example: [bold]drywet schedule add campaigns/nightly.yaml --cron "0 2 * * *" --timezone Europe/Berlin[/bold]
    """
    from lab.schedules import OnMissed, OnOverlap

    wanted = {
        "name": name,
        "cron": cron,
        "timezone": timezone,
        "priority": priority,
        "on_missed": _one_of(on_missed, OnMissed, "--on-missed"),
        "on_overlap": _one_of(on_overlap, OnOverlap, "--on-overlap"),
    }
    document = _document(campaign, folder)
    with _schedules(store, folder, makes=True) as schedules:
        added = schedules.add(document, wanted)
    if as_json:
        _print(added)
        return
    _say(
        f"{added['name']} begins {added['campaign']} next at {_moment(added['next'][0], added['timezone'])}."
    )
    _say("It does so while drywet serve runs.")


@schedule.command("list")
def list_all(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the schedules. Works beside a service."""
    with _schedules(store, Path(), writes=False) as schedules:
        found = schedules.all()
    if as_json:
        _print({"schedules": found})
        return
    if not found:
        _say("Nothing is scheduled.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "campaign", "cron", "of", "next", "missed", "overlap"):
        table.add_column(heading, no_wrap=heading in ("cron", "next"))
    for one in found:
        following = one["next"]
        next_one = _moment(following[0]) if following else "paused"
        cells = (
            one["name"],
            one["campaign"],
            one["cron"],
            one["timezone"],
            next_one,
            one["on_missed"],
            one["on_overlap"],
        )
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


@schedule.command("next")
def next_moments(name: Name, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show the next ten times of a schedule, by its own clock and in UTC."""
    with _schedules(store, Path(), writes=False) as schedules:
        found = schedules.one(name)
    if as_json:
        _print(found)
        return
    if not found["next"]:
        _say(f"{found['name']} is paused." if not found["removed_utc"] else f"{found['name']} was removed.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(escape(found["timezone"]))
    table.add_column("UTC")
    for moment in found["next"]:
        utc = datetime.fromisoformat(moment["utc"])
        table.add_row(_moment(moment), f"{utc:%Y-%m-%d %H:%M}")
    out.print(table)


@schedule.command()
def pause(name: Name, store: StoreOption = None) -> None:
    """Begin nothing for now. What passes meanwhile is not missed."""
    with _schedules(store, Path()) as schedules:
        found = schedules.pause(name)
    _say(f"{found['name']} is paused.")


@schedule.command()
def resume(name: Name, store: StoreOption = None) -> None:
    """Begin again, at the next time after now."""
    with _schedules(store, Path()) as schedules:
        found = schedules.resume(name)
    _say(
        f"{found['name']} begins {found['campaign']} next at {_moment(found['next'][0], found['timezone'])}."
    )


@schedule.command()
def remove(name: Name, store: StoreOption = None) -> None:
    """Remove a schedule. What it began goes on, and stays known."""
    with _schedules(store, Path()) as schedules:
        found = schedules.remove(name)
    _say(f"{found['name']} is removed.")


@contextmanager
def _schedules(
    store: str | None, folder: Path, *, writes: bool = True, makes: bool = False
) -> Iterator[Schedules]:
    """The schedules of the store that is meant.

    Args:
        writes: whether anything is to be changed.
        makes: whether a store that is not there is made.
    """
    from lab.app import Settings
    from lab.cli.choosing import refuse_missing
    from lab.cli.remote import service_of
    from lab.errors import MissingData

    try:
        import cronsim  # noqa: F401  # what is missing is said ahead of all else

        from lab.app.schedules import open_schedules
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"Schedules need {missing.name}, which is not installed.", way_out="pip install 'drywet[service]'"
        ) from missing
    settings = Settings() if store is None else Settings(store=store)
    if not makes:
        refuse_missing(settings.store)
    service = service_of(settings) if writes else None
    with (
        service or nullcontext(),
        open_schedules(settings.store, folder, writes=writes, service=service) as schedules,
    ):
        yield schedules


def _document(campaign: Path, folder: Path) -> Any:
    """The text of a campaign file, and where it stands in the lab's folder.

    Raises:
        BadInput: it is not there, or not in the folder.
    """
    from lab.errors import BadInput
    from lab.submissions import CampaignText

    try:
        path = campaign.resolve(strict=True)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise BadInput(
            f"It can't be read: {reason}.", way_out="Name a campaign file.", file=campaign
        ) from error
    if not path.is_relative_to(folder.resolve()):
        raise BadInput(
            f"{campaign} does not lie in {folder.resolve()}.",
            way_out="Name the lab's folder, which drywet serve is started with: --folder FOLDER",
            field="--folder",
        )
    return CampaignText(text=text, path=path.relative_to(folder.resolve()).as_posix())


def _one_of(given: str, known: Any, field: str) -> str:
    from lab.errors import BadInput

    try:
        return str(known(given))
    except ValueError:
        choices = " or ".join(str(one) for one in known)
        raise BadInput(
            f"{given!r} is none of its choices.", way_out=f"Give {choices}.", field=field
        ) from None


def _moment(moment: dict[str, str], timezone: str = "") -> str:
    local = datetime.fromisoformat(moment["local"])
    return f"{local:%a %Y-%m-%d %H:%M}{f' ({timezone})' if timezone else ''}"


def _say(sentence: str) -> None:
    out.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _print(found: Any) -> None:
    from lab.cli.text import print_json

    print_json(found)
