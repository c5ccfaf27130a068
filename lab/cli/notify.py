"""``drywet notify``: over which channels people are told, whether they work, and what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import JsonOption, StoreOption, out

if TYPE_CHECKING:
    from lab.app import Settings
    from lab.notices import Channel, Notice

__all__ = ["notify"]

notify = typer.Typer(
    no_args_is_help=True,
    help="How people are told of a hold, a fault, an approval or an end: notify.yaml beside the store.",
)


@notify.command("test")
def try_out(
    channel: Annotated[
        str | None, typer.Argument(help="Only this one; all, if left out.", show_default=False)
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a notice over each channel now, and say what came of it. Needs no service and no store."""
    from lab.errors import BadInput, MissingData

    channels = [one for one in _channels(store) if channel in (None, one.name)]
    if not channels:
        named = f"There is no channel {channel}." if channel else "There is no channel."
        raise BadInput(named, way_out=f"Write one into {_file(store)}; see docs/notifications.md.")
    try:
        from lab.service.senders import NotSent, send
    except ModuleNotFoundError as missing:
        raise MissingData(
            f"Notices need {missing.name}, which is not installed.", way_out="pip install 'drywet[service]'"
        ) from missing
    came: list[dict[str, str]] = []
    for one in channels:
        error = ""
        try:
            send(one, _trial(one), "")
        except NotSent as failed:
            error = str(failed)
        came.append({"channel": one.name, "way": one.way.where, "error": error})
        if not as_json:
            _say(f"{one.name} ({one.way.where}): {error or 'sent.'}")
    if as_json:
        from lab.cli.text import print_json

        print_json({"channels": came})
    raise typer.Exit(int(any(one["error"] for one in came)))


@notify.command("list")
def list_all(
    unsent: Annotated[bool, typer.Option("--unsent", help="Only what waits or was given up.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what people were told, newest first. Works beside a service."""
    from lab.cli.choosing import open_to_read
    from lab.notices import NoticeStatus

    with open_to_read(_settings(store).store) as opened:
        found = [one for one in opened.notices() if not unsent or one.status is not NoticeStatus.SENT]
    if as_json:
        from lab.cli.text import print_json

        print_json({"notices": [_to_json(one) for one in found]})
        return
    if not found:
        _say("Nothing was told." if not unsent else "Nothing is left to tell.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("UTC", "", "channel", "status", "error"):
        table.add_column(heading)
    for one in found:
        moment = f"{one.created_utc:%Y-%m-%d %H:%M}"
        cells = (moment, one.subject, one.channel, one.status.replace("_", " "), one.error)
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


def _settings(store: str | None) -> Settings:
    from lab.app import Settings

    return Settings() if store is None else Settings(store=store)


def _channels(store: str | None) -> tuple[Channel, ...]:
    from lab.app.notifying import channels_of

    return channels_of(_settings(store))


def _file(store: str | None) -> str:
    from lab.app.notifying import notify_file

    return str(notify_file(_settings(store)))


def _trial(channel: Channel) -> Notice:
    """A notice that is kept nowhere."""
    import getpass
    import socket
    from datetime import UTC, datetime

    from lab.notices import Notice, NoticeKind, NoticeStatus

    now = datetime.now(UTC)
    return Notice(
        number=0,
        key=f"test:{now.isoformat()}@{channel.name}",
        kind=NoticeKind.TEST,
        campaign_id="",
        subject="A test of drywet's notices",
        sentence=f"{getpass.getuser()} on {socket.gethostname()} tries whether notices arrive. This one did.",
        path="",
        channel=channel.name,
        status=NoticeStatus.WAITING,
        tries=0,
        error="",
        next_utc=now,
        created_utc=now,
    )


def _to_json(one: Notice) -> dict[str, object]:
    from dataclasses import asdict

    moments = {
        name: None if (moment := getattr(one, name)) is None else moment.isoformat()
        for name in ("next_utc", "created_utc", "sent_utc")
    }
    return {**asdict(one), "kind": str(one.kind), "status": str(one.status), **moments}


def _say(sentence: str) -> None:
    out.print(sentence, markup=False, highlight=False, soft_wrap=True)
