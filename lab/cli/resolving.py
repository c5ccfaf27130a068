"""``drywet resolve``: a person says what came of a step that no instrument could tell."""

from __future__ import annotations

import getpass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.app import Settings
from lab.app.resolving import Verdict, resolve, unresolved
from lab.cli.choosing import chosen, open_to_read, refuse_missing
from lab.cli.remote import open_to_write, refuse_other
from lab.errors import BadInput
from lab.store import Store
from lab.types import Step

__all__ = ["resolve_step", "show_unresolved", "waiting_steps"]


def resolve_step(
    step_id: str | None, verdict: str | None, *, by: str | None, why: str, store: str | None, out: Console
) -> None:
    """Settle a step; without one, show those that wait.

    Raises:
        BadInput: it can't be settled so, with the way out.
    """
    settings = Settings() if store is None else Settings(store=store)
    refuse_missing(settings.store)
    if step_id is None:
        with open_to_read(settings.store) as opened:
            show_unresolved(waiting_steps(opened), out)
        return
    if verdict not in tuple(Verdict):
        raise BadInput(
            "Say what you found on the bench.",
            way_out="Add --as done (all of it was done), --as not-done (none of it was, so it may be sent again) or --as "
            "discard (something in between: the material is thrown away and the batch done again).",
            field="--as",
        )
    with open_to_write(settings) as session:
        opened, who = session.store, by or getpass.getuser()
        if session.service is None:
            sentence = resolve(opened, step_id, Verdict(verdict), who=who, why=why)
        else:
            refuse_other(who)
            sentence = session.service.resolve(opened.step(step_id).id, verdict, why=why)["sentence"]
        name = chosen(opened, opened.run(opened.step(step_id).run_id).campaign_id).campaign.name
        waiting = waiting_steps(opened)
    out.print(sentence, markup=False, highlight=False)
    if waiting:
        out.print()
        show_unresolved(waiting, out)
    else:
        option = f" --store {store}" if store else ""
        out.print(f"Go on with: drywet resume {name}{option}", markup=False, highlight=False)


def waiting_steps(store: Store) -> tuple[Step, ...]:
    """Steps of a store that wait for a person, oldest first."""
    return tuple(step for bench in store.benches() for step in unresolved(store, bench.id))


def show_unresolved(steps: tuple[Step, ...], out: Console) -> None:
    """List steps that wait for a person, with what is known of them."""
    if not steps:
        out.print("No step waits for a person.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("step", "what", "on", "of what", "what is known"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "step")
    for step in steps:
        table.add_row(
            step.id,
            step.action.replace("_", " "),
            step.device,
            escape(_of_what(step)),
            escape(step.error),
        )
    out.print(table)
    out.print(
        "\nLook at the bench, then: drywet resolve STEP --as done|not-done|discard",
        markup=False,
        highlight=False,
    )


def _of_what(step: Step) -> str:
    """The labware and wells that its arguments name, short."""
    arguments = step.arguments
    named = [str(arguments[key]) for key in ("plate", "labware", "lid", "destination") if arguments.get(key)]
    targets = [f"{labware} {well}" for labware, well, _ in arguments.get("targets", ())]
    return ", ".join(named or targets)
