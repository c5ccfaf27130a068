"""``drywet approve``: what waits for a person, and their word."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from lab.cli.options import JsonOption, StoreOption, err, out

if TYPE_CHECKING:
    from lab.approvals import Approval
    from lab.client import Client
    from lab.service.deciding import Decider, Edit
    from lab.store import Store

__all__ = ["approve"]


class _DecidesByDefault(TyperGroup):
    """``drywet approve my_campaign`` decides; without a name it lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command that is meant before what is none."""
        if not args or all(arg.startswith("-") and arg not in ctx.help_option_names for arg in args):
            args = ["list", *args]
        elif args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["decide", *args]
        rest: list[Any] = super().parse_args(ctx, args)
        return rest


approve = typer.Typer(
    cls=_DecidesByDefault,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Wanted = Annotated[
    str,
    typer.Argument(help="Name of a campaign that waits, or the number of the request.", show_default=False),
]


@approve.callback()
def _approve() -> None:
    """Show what waits for a person, and say yes or no to it.

    Says yes to what a campaign waits for: [bold]drywet approve my_campaign[/bold]. Then: [bold]drywet resume[/bold]
    """


@approve.command("list")
def list_waiting(
    everything: Annotated[bool, typer.Option("--all", help="Also what was decided.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits for a person. Works beside a process that runs campaigns."""
    from lab.approvals import ApprovalStatus
    from lab.service.request_view import picture

    with _to_read(store) as opened:
        found = opened.approvals(status=None if everything else ApprovalStatus.WAITING)
        shown = [picture(opened, one) for one in found]
    if as_json:
        from lab.cli.text import print_json

        print_json({"approvals": shown})
    elif not shown:
        out.print("Nothing waits for a person.", highlight=False)
    else:
        out.print(_listed(shown))


@approve.command()
def show(wanted: Wanted, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show why a person is asked, what it would take, and each candidate beside the nearest that was tested."""
    from lab.app.approving import find_waiting
    from lab.service.request_view import picture

    with _to_read(store) as opened:
        shown = picture(opened, find_waiting(opened, wanted))
    if as_json:
        from lab.cli.text import print_json

        print_json(shown)
    else:
        _show(shown)


@approve.command()
def decide(
    wanted: Wanted,
    reject: Annotated[bool, typer.Option("--reject", help="Say no; takes --why.")] = False,
    edit: Annotated[
        str | None,
        typer.Option(
            "--edit",
            help="OLD=NEW: candidate NEW of the pool in the place of OLD; it waits on. In a space: OLD, and --value.",
            show_default=False,
        ),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option("--value", help="NAME=VALUE of an edited candidate in a space.", show_default=False),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", help="A candidate that the yes does not hold for.", show_default=False),
    ] = None,
    why: Annotated[str, typer.Option("--why", help="The reason, in a sentence.", show_default=False)] = "",
    by: Annotated[
        str | None,
        typer.Option("--as", help="An approver, whose password is asked for.", show_default=False),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Say yes to what waits; or no, or put another candidate in the place of one.

    Nobody approves what they handed in themselves. Where a service has the store, it is said to that, as whoever logged in.

    Example: [bold]drywet approve my_campaign --edit T16I=T16V --why "T16I aggregates." --as ada[/bold]
    """
    from lab.app import Settings
    from lab.app.approving import find_waiting
    from lab.cli.remote import open_to_write

    settings = Settings() if store is None else Settings(store=store)
    word = Word(reject=reject, edit=edit, values=tuple(value or ()), left_out=tuple(leave_out or ()), why=why)
    word.refuse_contradictions()
    with open_to_write(settings) as session:
        approval = find_waiting(session.store, wanted)
        if session.service is not None:
            status = _through(session.service, session.store, approval, word, by)
        else:
            status = _here(session.store, approval, word, by, password_stdin)
    out.print(_said(approval, status, word), markup=False, highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a person says, as it stands on the command line."""

    reject: bool
    edit: str | None
    values: tuple[str, ...]
    left_out: tuple[str, ...]
    why: str

    def refuse_contradictions(self) -> None:
        """See that it means one thing.

        Raises:
            BadInput: it does not.
        """
        from lab.errors import BadInput

        if sum((self.reject, self.edit is not None, bool(self.left_out))) > 1:
            raise BadInput(
                "--reject, --edit and --leave-out say different things.", way_out="Give one of them."
            )
        if self.values and self.edit is None:
            raise BadInput(
                "--value is of an edited candidate.", way_out="Say which: --edit OLD", field="--value"
            )


def _here(store: Store, approval: Approval, word: Word, by: str | None, password_stdin: bool) -> str:
    """Say it in the store itself."""
    from lab.app.approving import who_decides
    from lab.app.at_the_computer import act

    decider = who_decides(store, approval, by, lambda: _password(by or "", password_stdin))
    details = {"reject": word.reject, "edit": word.edit, "leave_out": list(word.left_out), "why": word.why}
    with act(store, "drywet approve", approval.id, details, who=decider.name):
        after = _decide(store, approval, decider, word)
    return str(after.status)


def _through(service: Client, store: Store, approval: Approval, word: Word, by: str | None) -> str:
    """Say it to the service that has the store, as whoever is logged in there."""
    from lab.errors import BadInput

    if by is not None:
        raise BadInput(
            "A lab service has this store, and notes who logged in.",
            way_out=f"Leave --as out, and log in as {by}: drywet login",
            field="--as",
        )
    if word.reject:
        answer = service.reject(approval.id, approval.version, why=word.why)
    elif word.edit is not None:
        change = _edit(store, approval, word)
        answer = service.edit_batch(
            approval.id,
            approval.version,
            change.experiment_id,
            why=word.why,
            candidate=change.candidate,
            values=change.values,
        )
        return str(answer["status"])
    else:
        ids = [_experiment(store, approval, one) for one in word.left_out]
        answer = service.approve(approval.id, approval.version, why=word.why, left_out=ids)
    return str(answer["approval"]["status"])


def _decide(store: Store, approval: Approval, decider: Decider, word: Word) -> Approval:
    from lab.service import deciding

    if word.reject:
        return deciding.reject(store, approval.id, decider, why=word.why)
    if word.edit is not None:
        return deciding.edit(store, approval.id, _edit(store, approval, word), decider, why=word.why)
    ids = [_experiment(store, approval, one) for one in word.left_out]
    return deciding.approve(store, approval.id, decider, why=word.why, left_out=ids)


def _edit(store: Store, approval: Approval, word: Word) -> Edit:
    from lab.service.deciding import Edit

    old, _, new = (word.edit or "").partition("=")
    given: dict[str, float | str] = {}
    for one in word.values:
        name, _, text = one.partition("=")
        given[name.strip()] = _number(text.strip())
    return Edit(
        experiment_id=_experiment(store, approval, old.strip()),
        candidate=new.strip(),
        values=given or None,
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _experiment(store: Store, approval: Approval, name: str) -> str:
    """The experiment of a batch by its candidate, or by its own id.

    Raises:
        BadInput: there is none.
    """
    from lab.errors import BadInput

    standing = (
        [one for one in store.whole_batch(approval.batch_id).experiments if not one.waived]
        if approval.batch_id
        else []
    )
    for one in standing:
        if name in (one.candidate.id, one.id):
            return one.id
    names = ", ".join(one.candidate.id for one in standing)
    raise BadInput(f"{name!r} is none of this batch.", way_out=f"They are: {names}." if names else "")


def _password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt(f"Password of {name}", hide_input=True, err=True))


def _said(approval: Approval, status: str, word: Word) -> str:
    if word.edit is not None:
        return f"Changed; it goes on waiting for a yes. See it with: drywet approve show {approval.id}"
    more = (
        " Its campaign goes on by drywet resume, or by itself where a service has it."
        if approval.batch_id
        else ""
    )
    return f"{status.capitalize()}.{more}"


def _to_read(store: str | None) -> Store:
    from lab.app import Settings
    from lab.cli.choosing import open_to_read

    settings = Settings() if store is None else Settings(store=store)
    opened: Store = open_to_read(settings.store)
    return opened


def _listed(shown: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "campaign", "what", "status", "asked by", "why"):
        table.add_column(heading, no_wrap=heading == "")
    for one in shown:
        what = "its start" if one["batch"] is None else f"batch {one['batch']}"
        whys = ", ".join(reason["cause"].replace("_", " ") for reason in one["reasons"])
        cells = (one["id"], one["name"], what, one["status"], one["asked_by"], whys)
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _show(shown: dict[str, Any]) -> None:
    what = "its start" if shown["batch"] is None else f"batch {shown['batch']}"
    out.print(
        f"[bold]{escape(shown['name'])}[/], {what}: {shown['status']}  [dim]{shown['id']}[/]", highlight=False
    )
    for reason in shown["reasons"]:
        out.print(f"  {reason['sentence']}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"Asked by {shown['asked_by']}.", markup=False, highlight=False)
    rehearsed = shown["dry_run"] or {}
    if "hours" in rehearsed:
        tips = sum(one["used"] for one in rehearsed["tips"])
        out.print(
            f"It takes {rehearsed['steps']} steps, {rehearsed['hours']:.1f} h, {len(rehearsed['plates'])} plates and "
            f"{tips} tips.",
            highlight=False,
        )
    if shown["cost"] is not None:
        out.print(f"It costs {shown['cost']:,.2f} {shown['currency']}.", markup=False, highlight=False)
    if shown["experiments"]:
        out.print(_candidates(shown["experiments"]))
    if shown["status"] == "waiting":
        out.print(f"Say yes with: drywet approve {shown['name']}", markup=False, highlight=False)
    if shown["decided_by"]:
        out.print(f"{shown['decided_by']}: {shown['why'] or shown['status']}", markup=False, highlight=False)
    elif not rehearsed and shown["batch"] is not None:
        err.print("It was not tried out: its material has to come first.", highlight=False)


def _candidates(experiments: list[dict[str, Any]]) -> Table:
    from lab.cli.text import count

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("candidate", "predicted", "95 %", "nearest tested", "its value", "why"):
        table.add_column(heading)
    for one in experiments:
        near = one["nearest"] or {}
        apart = [count(near["letters"], "letter")] if near.get("letters") else []
        apart += [f"{near['fraction']:.0%}"] if near.get("fraction") else []
        beside = f"{near.get('candidate_id', '-')} ({', '.join(apart) or 'the same'})"
        interval = one["interval"]
        cells = (
            f"{one['candidate_id']}{' (taken back)' if one['taken_back'] else ''}",
            "-" if one["predicted_mean"] is None else f"{one['predicted_mean']:.3g}",
            "-" if interval is None else f"{interval[0]:.3g} to {interval[1]:.3g}",
            beside,
            "-" if near.get("value") is None else f"{near['value']:.3g}",
            one["why"],
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table
