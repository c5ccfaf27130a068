"""What came of a step that did not simply end, and what is done about it.

The same for an instrument that fails while a run goes on and for a step that a crash cut off: the instrument is asked, what
it says is written down, and only then the campaign's policy decides.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from lab.bench import Bench
from lab.errors import DeviceFault, FaultKind
from lab.interfaces import Answer, Command, Place, Reconciliation, Verb
from lab.recovery import Recovery, RecoveryPolicy
from lab.types import JsonValue, Layout, Mark, StepStatus

__all__ = ["ASK_S", "STATUS", "decide", "doubtful", "look", "of_a_bug", "sent_again", "what_came_of"]

ASK_S = 60.0
"""Lab time that an instrument has to say what came of a step; past it nobody knows."""

STATUS = {
    Answer.DONE: StepStatus.DONE,
    Answer.NOT_DONE: StepStatus.FAILED,
    Answer.UNKNOWN: StepStatus.UNKNOWN,
}
"""What an answer makes of a step."""

_AGAIN = (Recovery.RETRY, Recovery.RETRY_NEW_TIP)

_PAUSES_S = {FaultKind.BUSY: 20.0, FaultKind.CONNECTION_LOST: 10.0, FaultKind.TIMEOUT: 5.0}
"""Lab time to wait before a command is sent again, doubled with each try; other faults do not pass by waiting."""


async def look(device: Any) -> str:
    """Keep what an instrument shows, before anything changes it.

    Returns:
        Why it could not be seen; empty when it was.
    """
    try:
        async with asyncio.timeout(ASK_S):
            await device.look()
    except (DeviceFault, TimeoutError) as fault:
        return str(fault) or f"{device.name} did not answer within {ASK_S:.0f} s."
    return ""


async def what_came_of(verb: Verb, command: Command, marks: Sequence[Mark]) -> Reconciliation:
    """Ask the instrument what came of a command. Its silence is an answer too: nobody knows."""
    try:
        async with asyncio.timeout(ASK_S):
            return await verb.reconcile(command, marks)
    except (DeviceFault, TimeoutError) as fault:
        why = str(fault) or f"{verb.device} did not answer within {ASK_S:.0f} s."
        return Reconciliation(
            answer=Answer.UNKNOWN, sentence=f"{verb.device} can't say what came of it: {why}"
        )


def doubtful(command: Command, outcome: Reconciliation) -> tuple[Place, ...]:
    """Wells whose material nobody may use after a step of unknown outcome."""
    if outcome.answer is not Answer.UNKNOWN:
        return ()
    return command.touches if outcome.doubtful is None else outcome.doubtful


def decide(
    policy: RecoveryPolicy,
    fault: FaultKind,
    attempt: int,
    command: Command,
    bench: Bench,
    *,
    places: Collection[Place],
    layout: Layout,
) -> Recovery:
    """What the policy wants, as far as it makes sense.

    Samples can be left out, a plate that was not moved can't: a person must look. And a plate without a control gives no
    result at all, so where leaving out would take the last of them the batch is done again instead.

    Args:
        places: wells that would be left out.
        layout: of the run.
    """
    wanted = policy(fault, attempt)
    if wanted is not Recovery.SKIP_SAMPLE:
        return wanted
    if not _can_be_left_out(command, bench):
        return Recovery.HOLD
    return Recovery.REDO_BATCH if _takes_the_last_control(places, layout) else wanted


def _takes_the_last_control(places: Collection[Place], layout: Layout) -> bool:
    controls: dict[tuple[str, str], list[str]] = defaultdict(list)
    for use in layout.wells:
        if use.kind != "variant":
            controls[use.labware, use.kind].append(use.well)
    return any(
        all((labware, well) in places or (labware, "*") in places for well in wells)
        for (labware, _), wells in controls.items()
    )


def _can_be_left_out(command: Command, bench: Bench) -> bool:
    if not command.touches:
        return False  # A reading, or a lid: what follows builds on it.
    after = bench.copy()
    command.believe(after)
    places = {item.id: (item.position, item.lid) for item in bench.labware.values()}
    return places == {item.id: (item.position, item.lid) for item in after.labware.values()}


def sent_again(recovery: Recovery) -> bool:
    """Whether a decision is to try the step once more."""
    return recovery in _AGAIN


def pause_s(fault: FaultKind, attempt: int) -> float:
    """Lab time to wait before the next try."""
    return _PAUSES_S.get(fault, 0.0) * 2.0 ** (attempt - 1)


def sentence_of(
    action: str, device: str, step_id: str, why: str, recovery: Recovery | None, *, done: bool = False
) -> str:
    """What happened to a step and what is done about it, for a person.

    Args:
        done: the step is done, and this is a remark on it: nothing is barred for it.
    """
    left_out = " The wells concerned do not count." if done else " The samples it touches are left out."
    done_about_it = {
        None: "",
        Recovery.RETRY: " It is tried once more.",
        Recovery.RETRY_NEW_TIP: " It is tried once more with fresh tips.",
        Recovery.SKIP_SAMPLE: left_out,
        Recovery.REDO_BATCH: " The batch is done again on fresh material.",
        Recovery.HOLD: " The run waits for a person.",
        Recovery.ABORT: " The campaign is given up.",
    }[recovery]
    return f"{action} on {device} ({step_id}): {why.rstrip('.')}.{done_about_it}"


def in_full(fault: DeviceFault, outcome: Reconciliation) -> str:
    """What an instrument failed with, and what it said when it was asked."""
    return f"{str(fault).rstrip('.')}. {outcome.sentence}"


def part_of(outcome: Reconciliation) -> JsonValue:
    """What the journal keeps beside the status of a step that is not done."""
    return None if outcome.answer is Answer.DONE else outcome.part


def of_a_bug(error: BaseException) -> Reconciliation:
    """What came of a step whose driver failed itself: that says nothing about the instrument."""
    return Reconciliation(
        answer=Answer.UNKNOWN, sentence=f"The driver failed: {type(error).__name__}: {error}"
    )
