"""Every unknown is told, belief is never more optimistic than the truth, and devices are at rest where they should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.bench import WellContents
from lab.interfaces import Place
from lab.types import RunStatus, Step, StepStatus
from tests.crash.check_results import short_of, spoilt
from tests.crash.check_steps import OVER, named
from tests.crash.deeds import Extent
from tests.crash.evidence import Evidence

__all__ = ["at_rest", "belief_is_not_optimistic", "unknowns_are_told"]

EXACT_UL = 1e-6
STROKE_SHARE = 0.1
STROKE_UL = 2.0
DRIED_UL = 6.0
"""What the true volume of a well may be short of the belief: error of the strokes, film on the tips, and what dried."""


def unknowns_are_told(seen: Evidence) -> Iterator[str]:
    unknown = [note["step"] for note in seen.diary if note["what"] == "end" and note["status"] == "unknown"]
    told = [f"{event.sentence} {event.details}" for event in seen.events]
    steps = {step.id: step for steps in seen.steps.values() for step in steps}
    for step_id in dict.fromkeys(unknown):
        if step_id in steps and not any(step_id in words for words in told):
            yield f"{named(steps[step_id])} was of unknown outcome, and no event names it."
    for kill in seen.kills:
        flying = [steps[step] for step in kill["flying"].values() if step in steps]
        for step in flying:
            ends = [note for note in seen.diary if note["what"] == "end" and note["step"] == step.id]
            yield from _a_pipettor_cannot_know(step, kill, ends)
            yield from _what_was_in_the_air_is_barred(seen, step, kill)
    for step in steps.values():
        if step.status is StepStatus.DONE and seen.kept_barred.get(step.id):
            wells = ", ".join(f"{well} of {labware}" for labware, well in seen.kept_barred[step.id])
            yield f"{named(step)} is DONE, and {wells} is still barred on its account."
    for one in seen.runs:
        for tries in seen.tries(one.run.id):
            yield from _what_is_in_doubt_is_barred(
                seen, tries, abandoned=one.run.status is RunStatus.ABANDONED
            )
        if one.run.status is RunStatus.DONE:
            for labware, well in sorted(spoilt(seen, one.run.id)):
                if not seen.is_barred(labware, well):
                    yield f"{well} of {labware} did not get what {one.run.id} meant for it, and nothing bars it."


def _a_pipettor_cannot_know(
    step: Step, kill: Mapping[str, Any], ends: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Killed at a dispense, before or after its effect: the two look alike to whoever comes back, so it must be unknown."""
    if kill.get("action") == "dispense" and kill.get("step") == step.id and ends:
        first = ends[0]["status"]
        if first != "unknown":
            yield f"{named(step)} was cut off at a dispense, and was said to be {first}; nobody can know that."


def _what_was_in_the_air_is_barred(seen: Evidence, step: Step, kill: Mapping[str, Any]) -> Iterator[str]:
    """Wells that got all of a dispense just before the kill: the ledger knows, and whoever comes back can't."""
    abandoned = {one.run.id for one in seen.runs if one.run.status is RunStatus.ABANDONED}
    if kill["at"] != "action-after" or kill.get("action") != "dispense" or kill.get("step") != step.id:
        return
    if step.status is not StepStatus.UNKNOWN or step.run_id in abandoned:
        return
    before = [act for act in seen.acts_of[step.id] if act.action == "dispense" and act.index < kill["index"]]
    for labware, well, _ in before[-1].portions:
        if not seen.is_barred(labware, well):
            yield f"{named(step)} had {well} of {labware} in the air, and nothing bars it."


def _what_is_in_doubt_is_barred(seen: Evidence, tries: Sequence[Step], *, abandoned: bool) -> Iterator[str]:
    """Wells that did not get what they should, and plates that were part of the time in the heat."""
    step = tries[-1]
    if step.status is StepStatus.DONE or abandoned:
        return
    deed = seen.deed(tries)
    if deed.extent is not Extent.PART and step.status is not StepStatus.UNKNOWN:
        return
    if step.action in ("heat", "incubate"):
        doubtful = {(step.arguments["plate"], "*")}
    else:
        doubtful = short_of(step, deed.portions)
    for place in sorted(doubtful):
        if not seen.is_barred(*place):
            yield f"{named(step)} left {place[1]} of {place[0]} in doubt, and nothing bars it."


def belief_is_not_optimistic(seen: Evidence) -> Iterator[str]:
    belief, truth = seen.belief, seen.last
    over, undone = seen.record.status in OVER, _undone(seen)
    for item in belief.labware.values():
        place = truth.position[item.id]
        if place != item.position and (over or place != item.maybe):
            yield f"{item.id} is believed at {item.position}, and stands at {place}."
        if over and item.maybe is not None:
            yield f"The campaign is over, and {item.id} may be at {item.position} or at {item.maybe}."
        if truth.lid.get(item.id) != item.lid:
            yield f"{item.id} is believed to have the lid {item.lid}, and has {truth.lid.get(item.id)}."
        gone = set(item.tips) - truth.tips[item.id]
        if gone:
            yield f"{item.id} is believed to have tips at {', '.join(sorted(gone))}, which are gone."
        if item.clean and item.id in truth.filled:
            yield f"{item.id} is believed to be clean, and was filled."
        for well, contents in item.wells.items():
            yield from _volume(seen, (item.id, well), contents, undone[item.id, well])


def _volume(seen: Evidence, place: Place, contents: WellContents, undone: Sequence[Step]) -> Iterator[str]:
    """One well: what is believed of it against what the ledger adds up to, and what is truly there.

    Args:
        undone: tries of steps that were not done, and that were about this well.
    """
    labware, well = place
    where = f"{well} of {labware}"
    nominal_ul = max(0.0, seen.last.volume_ul[place])
    believed_ul, unknown_ul = contents.volume_ul, contents.unknown_ul
    if believed_ul > nominal_ul + EXACT_UL:
        yield f"{where} is believed to hold {believed_ul:g} ul, and the ledger adds up to {nominal_ul:g} ul."
    elif not undone and believed_ul < nominal_ul - EXACT_UL:
        yield f"{where} is believed to hold {believed_ul:g} ul, and {nominal_ul:g} ul were certainly given to it."
    elif labware in seen.last.filled and not seen.is_barred(*place):
        # Less than believed in a source is safe. A well of an assay that may hold more is not what it is taken for.
        if nominal_ul > believed_ul + unknown_ul + EXACT_UL:
            yield f"{where} holds more than the {believed_ul + unknown_ul:g} ul that are thought possible; nothing bars it."
        stirred_ul = sum(s.arguments["volume_ul"] for s in undone if s.action == "mix")
        if unknown_ul > stirred_ul + EXACT_UL:
            yield f"{where} holds {unknown_ul:g} ul that nobody is sure of, and nothing bars it."
    short_ul = believed_ul - seen.world_ul[place]
    if short_ul > STROKE_SHARE * believed_ul + STROKE_UL + DRIED_UL:
        yield f"{where} is believed to hold {believed_ul:g} ul, and {seen.world_ul[place]:g} ul are there."


def _undone(seen: Evidence) -> dict[Place, list[Step]]:
    """Well -> tries of steps that were not done and named it."""
    found: dict[Place, list[Step]] = defaultdict(list)
    for steps in seen.steps.values():
        for step in steps:
            if step.status is not StepStatus.DONE:
                for place in _named_wells(step.arguments):
                    found[place].append(step)
    return found


def _named_wells(arguments: Mapping[str, Any]) -> set[Place]:
    places = {(labware, well) for labware, well, _ in arguments.get("targets", ())}
    places |= {(arguments["labware"], well) for well in arguments.get("wells", ())}
    if "source_well" in arguments:
        places.add((arguments["source_labware"], arguments["source_well"]))
    return places


def at_rest(seen: Evidence) -> Iterator[str]:
    over = seen.record.status in OVER
    if over:
        yield from (f"The campaign is over, and {phrase}." for phrase in seen.last.at_work)
    first_of_stage: set[int] = set()
    for note in seen.diary:
        truth = seen.past.truths[min(note.get("index", 0), len(seen.acts))]
        hot = [phrase for phrase in truth.at_work if " holds " not in phrase]
        if note["what"] == "dispatch" and note["stage"] not in first_of_stage:
            first_of_stage.add(note["stage"])
            yield from (f"A controller sent its first step, and {phrase} still." for phrase in hot)
        if note["what"] == "ended":
            yield from (f"A controller ended ({note['status']}), and {phrase}." for phrase in hot)
