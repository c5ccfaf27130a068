"""A person's answer to what no instrument could say: was this step done?"""

from __future__ import annotations

from enum import StrEnum

from lab.errors import BadInput
from lab.recovery import Recovery
from lab.store import Store
from lab.types import CampaignStatus, RunStatus, Step, StepStatus

__all__ = ["Verdict", "resolve", "unresolved"]


class Verdict(StrEnum):
    """What a person found on the bench."""

    DONE = "done"
    """The whole step was done; nothing of it is left to do."""
    NOT_DONE = "not-done"
    """Nothing of it was done that matters; it may be sent again."""
    DISCARD = "discard"
    """Something in between, or nobody can tell: the material is thrown away and the batch done again."""


_MOVES = ("move", "put_lid", "take_lid")
"""Actions of an arm, after which a piece may be at two places."""

_SAID = {
    Verdict.DONE: "was done",
    Verdict.NOT_DONE: "was not done",
    Verdict.DISCARD: "left material that is to be thrown away",
}


def unresolved(store: Store, bench_id: str) -> tuple[Step, ...]:
    """Steps of a bench that wait for a person; among them moves of runs that can't be given up while a piece is lost."""
    waiting = [step for step in store.open_steps(bench_id) if step.status is StepStatus.UNKNOWN]
    lost = [
        step
        for run in store.open_runs(bench_id)
        for step in store.steps(run.id)
        if _leaves_a_piece_lost(step)
    ]
    return (*waiting, *lost)


def resolve(store: Store, step_id: str, verdict: Verdict, *, who: str, why: str = "") -> str:
    """Settle a step of unknown outcome; its campaign can be resumed afterwards.

    Args:
        step_id: or enough of its end to tell it from the others.
        who: says so.
        why: how they know.

    Returns:
        What follows from it, in a sentence.

    Raises:
        BadInput: no such step, or one that is settled, or that can't be settled so.
    """
    step = store.step(step_id)
    run = store.run(step.run_id)
    campaign = store.campaign(run.campaign_id)
    if step.status is StepStatus.DISPATCHED:
        raise BadInput(
            f"{_name(step)} was sent when the program was cut off, and its instrument has not been asked yet.",
            way_out=f"Let it be asked first: drywet resume {campaign.campaign.name}",
        )
    given_up = step.recovery != "" and run.status is not RunStatus.ABANDONED and _leaves_a_piece_lost(step)
    if run.status is RunStatus.ABANDONED and verdict is Verdict.DISCARD:
        raise BadInput(
            f"The run of {_name(step)} was given up before, with all that it made.",
            way_out="See: drywet status",
        )
    if given_up and verdict is Verdict.DISCARD:
        raise BadInput(
            f"The run of {_name(step)} is given up already, and what was moved must be found before it can be cleared away.",
            way_out="Put it where it was before, or where it should have come to, and say which: --as not-done|done",
        )
    if step.status is not StepStatus.UNKNOWN or (step.recovery and not given_up):
        settled = f"was given up ({step.recovery})" if step.recovery else f"is {step.status}"
        raise BadInput(f"{_name(step)} {settled}; there is nothing to resolve.", way_out="See: drywet status")
    if verdict is Verdict.DONE and _is_reading(step):
        raise BadInput(
            f"{_name(step)} is a reading, and what it read is not known.",
            way_out="Reading harms nothing, so let it be read again: --as not-done",
        )
    because = f" ({why.rstrip('.')})" if why else ""
    said = f"{who} says that {_name(step)} {_SAID[verdict]}{because}."
    if verdict is not Verdict.DISCARD:
        # Before the step is settled: who is cut off between the two says it again, and no bar is left for good.
        _lift_bars(store, step, campaign.bench_id, who, said)
    _settle(store, step, verdict, said)
    store.log(
        run.campaign_id,
        "resolve",
        said,
        None,
        {"step": step.id, "verdict": str(verdict), "who": who, "why": why},
    )
    if campaign.status is CampaignStatus.HELD:
        store.set_campaign_status(run.campaign_id, CampaignStatus.HELD, f"{said} It waits to be resumed.")
    follows = {
        Verdict.DONE: "It is not sent again.",
        Verdict.NOT_DONE: "It is sent again.",
        Verdict.DISCARD: "Its run is given up, and the batch done again on fresh material.",
    }[verdict]
    if run.status is RunStatus.ABANDONED:
        follows = (
            "Its run was given up before, so nothing is sent; it only changes what is believed of the bench."
        )
    elif given_up:
        follows = f"Its run is given up all the same ({step.recovery}), and can be cleared away now."
    elif verdict is Verdict.DISCARD and step.action in _MOVES:
        follows += (
            " Before that can be cleared away, put what was moved where it was, or where it should have come to, and say "
            "which: --as not-done|done."
        )
    return f"{said} {follows}"


def _settle(store: Store, step: Step, verdict: Verdict, said: str) -> None:
    ended = step.ended_lab_s or 0.0
    match verdict:
        case Verdict.DONE:
            store.end_step(step.id, StepStatus.DONE, None, "", ended)
        case Verdict.NOT_DONE:
            store.end_step(step.id, StepStatus.FAILED, None, said, ended, fault=step.fault, part=step.part)
        case Verdict.DISCARD:
            store.decide_step(step.id, str(Recovery.REDO_BATCH))


def _lift_bars(store: Store, step: Step, bench_id: str, who: str, why: str) -> None:
    """What nobody knew of is known now."""
    bars = store.bars(bench_id)
    lifted = {bar.lifts for bar in bars}
    for bar in bars:
        if bar.step_id == step.id and bar.number not in lifted:
            store.lift_bar(bench_id, (bar.labware, bar.well), who=who, why=why, step_id=step.id)


def _leaves_a_piece_lost(step: Step) -> bool:
    """Whether its run was given up though nobody knows whether a piece of labware was moved."""
    decided = step.recovery in (Recovery.REDO_BATCH, Recovery.ABORT)
    return step.status is StepStatus.UNKNOWN and decided and step.action in _MOVES


def _is_reading(step: Step) -> bool:
    from devices.balance.commands import Weigh
    from devices.person.commands import MeasureByHand
    from devices.plate_reader.commands import ReadAbsorbance, ReadFluorescence
    from devices.spectrometer.commands import TakeSpectrum

    readings = (ReadAbsorbance, ReadFluorescence, TakeSpectrum, Weigh, MeasureByHand)
    return step.action in {command.verb for command in readings}


def _name(step: Step) -> str:
    return f"{step.action} on {step.device} ({step.id})"
