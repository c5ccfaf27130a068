"""No action twice, and none lost: the steps of the journal against the lines of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.types import CampaignStatus, RunStatus, Step, StepStatus
from tests.crash.deeds import Extent, starts_something
from tests.crash.evidence import Evidence

__all__ = [
    "OVER",
    "named",
    "no_action_twice_and_none_lost",
    "nothing_outside_steps",
    "runs_are_whole",
]

IN_THE_AIR = (StepStatus.INTENT, StepStatus.DISPATCHED)
OVER = (CampaignStatus.FINISHED, CampaignStatus.ABORTED)

GIVEN_UP = "skip_sample"

HARMLESS_AGAIN = frozenset(
    {"fluorescence", "absorbance", "open_lid", "close_lid", "move", "put_lid", "take_lid", "mix"}
)
"""Verbs whose first try may be seen on the ledger and whose second is no harm: light and stirring change nothing that was
not changed already, a lid is where it is, and a piece that the arm holds is only put down."""


def named(step: Step) -> str:
    """A step, as sentences name it."""
    return f"step {step.ordinal} ({step.action}, {step.id}, try {step.attempt_number})"


def nothing_outside_steps(seen: Evidence) -> Iterator[str]:
    known = {step.id for steps in seen.steps.values() for step in steps}
    for act in seen.acts:
        step = seen.step_of_line.get(act.index)
        if step is None:
            yield f"Line {act.index} of the ledger ({act.action}) is there, and no controller was seen to do it."
        elif starts_something(act) and step not in known:
            yield f"{act.instrument} did {act.action} (line {act.index}) while no step of it was under way."


def no_action_twice_and_none_lost(seen: Evidence) -> Iterator[str]:
    over = seen.record.status in OVER
    for one in seen.runs:
        for tries in seen.tries(one.run.id):
            last, together = tries[-1], seen.deed(tries)
            yield from (f"{named(last)}: {wrong}" for wrong in together.wrong)
            for step in tries:
                if step.status is StepStatus.INTENT and seen.acts_of[step.id]:
                    yield f"{named(step)} stands at INTENT, and the ledger shows its actions."
            for earlier in tries[:-1]:
                yield from _refuse_careless_retry(seen, earlier)
            if last.status is StepStatus.DONE and together.extent is not Extent.ALL:
                yield f"{named(last)} is DONE, and the ledger shows {together.extent.name} of it."
            if last.status is StepStatus.FAILED and together.extent is Extent.ALL:
                yield f"{named(last)} FAILED, and the ledger shows all of it."
            if over and last.status in IN_THE_AIR and one.run.status is not RunStatus.ABANDONED:
                yield f"{named(last)} is still {last.status}, and the campaign is over."


def _refuse_careless_retry(seen: Evidence, step: Step) -> Iterator[str]:
    """A step may be sent again only where what it is about was not begun."""
    if step.status is not StepStatus.FAILED:
        yield f"{named(step)} is {step.status}, and it was sent once more."
    extent = seen.deed([step]).extent
    if extent > Extent.USED_UP and step.action not in HARMLESS_AGAIN:
        yield f"{named(step)} was sent once more, though the ledger shows {extent.name} of it."


def runs_are_whole(seen: Evidence) -> Iterator[str]:
    """A run is DONE when each of its steps is done, or was given up with the samples it touches."""
    for one in seen.runs:
        if one.run.status is not RunStatus.DONE:
            continue
        places = [tries[-1] for tries in seen.tries(one.run.id) if tries[-1].branch == "main"]
        if [step.ordinal for step in places] != list(range(1, len(places) + 1)):
            yield f"{one.run.id} is DONE, and its steps are not numbered from 1 to {len(places)}."
        given_up = [step for step in places if step.recovery == GIVEN_UP]
        for step in places:
            if step.status is not StepStatus.DONE and step not in given_up:
                yield f"{one.run.id} is DONE, and its {named(step)} is {step.status}."
        yield from _documents_are_whole(seen, one.run.id, places)


def _documents_are_whole(seen: Evidence, run_id: str, places: Sequence[Step]) -> Iterator[str]:
    """The last stretch stands alone: a start, one event for each reading that was made, and a stop that says success."""
    names = [name for name, _ in seen.documents[run_id]]
    readings = [
        s for s in places if s.action in ("fluorescence", "absorbance") and s.status is StepStatus.DONE
    ]
    events = names.count("event") + sum(
        len(body["seq_num"]) for name, body in seen.documents[run_id] if name == "event_page"
    )
    if names[:1] != ["start"] or names[-1:] != ["stop"]:
        yield f"The documents of {run_id} go from {names[:1]} to {names[-1:]}."
    elif seen.documents[run_id][-1][1]["exit_status"] != "success":
        yield f"The documents of {run_id} say that it ended with {seen.documents[run_id][-1][1]['exit_status']}."
    if events != len(readings) and run_id not in seen.by_hand:
        yield f"{run_id} made {len(readings)} readings, and its documents hold {events}."
