"""Was anything lost, or done twice? Store and ledger, which know nothing of each other, held against one another.

Every check gives a sentence for each thing that must not be; none of them takes the store's word for what was done, nor the
ledger's for what was meant.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.types import CampaignStatus, ExperimentStatus, Observation, RunStatus, Step, StepStatus
from tests.crash.deeds import Extent, starts_something
from tests.crash.evidence import READINGS, Evidence

__all__ = ["DRYING_SHARE", "Row", "judge", "table_of"]

DRYING_SHARE = 0.002
"""What a value may differ by because plates stood a while longer until the instruments were there again."""

NOISE_SD = 6.0
"""Where an instrument's actions are counted otherwise (a tip more, a drawer put out), its noise is another draw: this many
standard errors, those of both values taken together."""

NOISE_FLOOR = 0.02
"""Of a value, beside that: with two replicates a standard error is itself no more than a guess."""

EXACT_UL = 1e-6
STROKE_SHARE = 0.1
STROKE_UL = 2.0
DRIED_UL = 6.0
"""What the true volume of a well may be short of the belief: error of the strokes, film on the tips, and what dried."""

IN_THE_AIR = (StepStatus.INTENT, StepStatus.DISPATCHED)
OVER = (CampaignStatus.FINISHED, CampaignStatus.ABORTED)

GIVEN_UP = "skip_sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment in the final table.

    Args:
        value, standard_error: None where it has none.
        run_attempt: of the run that it was measured in; 0 where it was not.
        spoilt: whether one of its wells, or of its controls, is barred.
    """

    candidate: str
    batch: int
    sentence: str
    status: str
    value: float | None
    standard_error: float | None
    ok: bool
    run_attempt: int
    spoilt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """What the campaign comes to when it is left alone.

    Args:
        table: its rows, in the order of asking.
        actions: batch number -> verbs of the run's steps, in order.
        strokes: what handler and reader did, in order; their noise hangs on it.
    """

    table: list[dict[str, Any]]
    actions: dict[str, list[str]]
    strokes: list[Any]


def undisturbed(seen: Evidence) -> dict[str, Any]:
    """What :func:`judge` compares other cases of the same campaign with."""
    return asdict(
        Undisturbed(
            table=[asdict(row) for row in table_of(seen)],
            actions={str(one.batch_number): [s.action for s in seen.steps[one.run.id]] for one in seen.runs},
            strokes=_strokes(seen),
        )
    )


def judge(seen: Evidence, reference: Mapping[str, Any] | None) -> list[str]:
    """All that must not be, a sentence each.

    Args:
        reference: what :func:`undisturbed` gave for the same campaign; None for that campaign itself.
    """
    checks = [
        _nothing_outside_steps(seen),
        _no_action_twice_and_none_lost(seen),
        _runs_are_whole(seen),
        _experiments_are_asked_for_once(seen),
        _results_are_what_was_read(seen),
        _unknowns_are_told(seen),
        _belief_is_not_optimistic(seen),
        _at_rest(seen),
    ]
    if reference is not None:
        checks.append(_as_undisturbed(seen, Undisturbed(**reference)))
    return [sentence for check in checks for sentence in check]


def table_of(seen: Evidence) -> list[Row]:
    """The final table, in the order of asking."""
    number = {e.id: batch.number for batch in seen.batches for e in batch.experiments}
    attempt = {one.run.id: one.run.attempt for one in seen.runs}
    wells = _wells_of_experiments(seen)
    found = {o.experiment_id: o for o in seen.history.observations}
    rows = []
    for experiment in seen.history.experiments:
        observation = found.get(experiment.id)
        run_id = "" if observation is None else observation.run_id
        controls = wells.get((run_id, ""), [])
        mine = [*wells.get((run_id, experiment.id), []), *controls]
        rows.append(
            Row(
                candidate=experiment.candidate.id,
                batch=number[experiment.id],
                sentence=experiment.reason.sentence,
                status=str(experiment.status),
                value=_or_none(observation and observation.value),
                standard_error=_or_none(observation and observation.standard_error),
                ok=observation is not None and observation.quality.ok,
                run_attempt=attempt.get(run_id, 0),
                spoilt=any(seen.is_barred(*place) for place in mine),
            )
        )
    return rows


def _or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _wells_of_experiments(seen: Evidence) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(run, experiment) -> wells; those of controls under an empty experiment."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in seen.runs:
        for use in one.run.layout.wells:
            found.setdefault((one.run.id, use.experiment_id), []).append((use.labware, use.well))
    return found


def _named(step: Step) -> str:
    return f"step {step.ordinal} ({step.action}, {step.id}, try {step.attempt_number})"


# -------------------------------------------------------------------------------------------- what was done, and how often


def _nothing_outside_steps(seen: Evidence) -> Iterator[str]:
    known = {step.id for steps in seen.steps.values() for step in steps}
    for act in seen.acts:
        step = seen.step_of_line.get(act.index)
        if step is None:
            yield f"Line {act.index} of the ledger ({act.action}) is there, and no controller was seen to do it."
        elif starts_something(act) and step not in known:
            yield f"{act.instrument} did {act.action} (line {act.index}) while no step of it was under way."


def _no_action_twice_and_none_lost(seen: Evidence) -> Iterator[str]:
    over = seen.record.status in OVER
    for one in seen.runs:
        for tries in seen.tries(one.run.id):
            last, together = tries[-1], seen.deed(tries)
            yield from (f"{_named(last)}: {wrong}" for wrong in together.wrong)
            for step in tries:
                if step.status is StepStatus.INTENT and seen.acts_of[step.id]:
                    yield f"{_named(step)} stands at INTENT, and the ledger shows its actions."
            for earlier in tries[:-1]:
                yield from _refuse_careless_retry(seen, earlier)
            if last.status is StepStatus.DONE and together.extent is not Extent.ALL:
                yield f"{_named(last)} is DONE, and the ledger shows {together.extent.name} of it."
            if last.status is StepStatus.FAILED and together.extent is Extent.ALL:
                yield f"{_named(last)} FAILED, and the ledger shows all of it."
            if over and last.status in IN_THE_AIR and one.run.status is not RunStatus.ABANDONED:
                yield f"{_named(last)} is still {last.status}, and the campaign is over."


def _refuse_careless_retry(seen: Evidence, step: Step) -> Iterator[str]:
    """A step may be sent again only where what it is about was not begun."""
    if step.status is not StepStatus.FAILED:
        yield f"{_named(step)} is {step.status}, and it was sent once more."
    extent = seen.deed([step]).extent
    harmless = step.action in (
        "fluorescence",
        "absorbance",
        "open_lid",
        "close_lid",
        "move",
        "put_lid",
        "take_lid",
    )
    if extent > Extent.USED_UP and not harmless:
        yield f"{_named(step)} was sent once more, though the ledger shows {extent.name} of it."


def _runs_are_whole(seen: Evidence) -> Iterator[str]:
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
                yield f"{one.run.id} is DONE, and its {_named(step)} is {step.status}."
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
    if events != len(readings):
        yield f"{run_id} made {len(readings)} readings, and its documents hold {events}."


# ----------------------------------------------------------------------------------------------------- results and choices


def _experiments_are_asked_for_once(seen: Evidence) -> Iterator[str]:
    campaign, experiments = seen.record.campaign, seen.history.experiments
    if seen.record.status is CampaignStatus.FINISHED and len(experiments) != campaign.budget:
        yield f"The campaign finished with {len(experiments)} of {campaign.budget} experiments."
    for candidate, times in Counter(e.candidate.id for e in experiments).items():
        if times > 1:
            yield f"{candidate} was proposed {times} times, and no result of it had failed a check before."
    if [batch.number for batch in seen.batches] != list(range(1, len(seen.batches) + 1)):
        yield f"Batches are numbered {[batch.number for batch in seen.batches]}."
    proposed: set[int] = set()
    spent = 0
    for note in seen.diary:
        if note["what"] == "ask" and note["campaign"] == campaign.id and note["spent"] < spent:
            yield f"The planner was asked for a batch after {note['spent']} experiments that it had given already."
        if note["what"] == "proposed":
            if note["number"] in proposed:
                yield f"Batch {note['number']} was proposed twice."
            proposed.add(note["number"])
            spent = sum(len(b.experiments) for b in seen.batches if b.number <= note["number"])
    if seen.record.status is CampaignStatus.FINISHED:
        for experiment in experiments:
            if experiment.status not in (ExperimentStatus.MEASURED, ExperimentStatus.FAILED):
                yield f"The campaign finished, and {experiment.candidate.id} is {experiment.status}."


def _results_are_what_was_read(seen: Evidence) -> Iterator[str]:
    runs = {one.run.id: one for one in seen.runs}
    of_batch = {e.id: batch for batch in seen.batches for e in batch.experiments}
    seen_for: Counter[tuple[str, str]] = Counter()
    for observation in seen.history.observations:
        seen_for[observation.experiment_id, observation.target] += 1
        run = runs.get(observation.run_id)
        if run is None or run.run.status is not RunStatus.DONE:
            yield f"{observation.id} was observed in {observation.run_id}, which is not DONE."
        elif run.batch_number != of_batch[observation.experiment_id].number:
            yield f"{observation.id} was observed in a run of batch {run.batch_number}, which is not its own."
        else:
            yield from _wells_are_as_read(seen, observation)
    for (experiment, target), times in seen_for.items():
        if times > 1:
            yield f"{experiment} has {times} results for {target}."
    for experiment in seen.history.experiments:
        if experiment.status is ExperimentStatus.MEASURED and not any(
            e == experiment.id for e, _ in seen_for
        ):
            yield f"{experiment.candidate.id} is measured, and has no result."
    yield from _readings_are_the_instruments(seen)


def _readings_are_the_instruments(seen: Evidence) -> Iterator[str]:
    """What the journal keeps of a reading is what the reader showed, of that plate, during that step."""
    for one in seen.runs:
        for tries in seen.tries(one.run.id):
            step = tries[-1]
            if step.action not in ("fluorescence", "absorbance") or step.status is not StepStatus.DONE:
                continue
            shown = [
                seen.readings[act.index]
                for t in tries
                for act in seen.acts_of[t.id]
                if act.action in READINGS
            ]
            kept = step.result["cycles"]
            if shown[-len(kept) :] != [list(cycle) for cycle in kept]:
                yield f"{_named(step)} keeps numbers that the reader did not show last."


def _wells_are_as_read(seen: Evidence, observation: Observation) -> Iterator[str]:
    """Each well of a result is as the reader showed it, and none counts that a step has spoilt."""
    columns = 12
    by_plate: dict[str, Sequence[float]] = {}
    for step in seen.steps[observation.run_id]:
        if step.action == "fluorescence" and step.status is StepStatus.DONE:
            by_plate[step.arguments["plate"]] = step.result["cycles"][-1]
    for well in observation.details["wells"]:
        name, labware = str(well["well"]), str(well["labware"])
        place = (ord(name[0]) - ord("A")) * columns + int(name[1:]) - 1
        if labware not in by_plate:
            yield f"{observation.id} rests on {labware}, which was not read in {observation.run_id}."
        elif well["raw"] is not None and well["raw"] != by_plate[labware][place]:
            yield f"{observation.id} has {well['raw']} for {name} of {labware}; the reader showed {by_plate[labware][place]}."
        if (labware, name) in _spoilt(seen, observation.run_id) and not well["flags"]:
            yield f"{observation.id} counts {name} of {labware}, which a step that was not done has spoilt."


def _spoilt(seen: Evidence, run_id: str) -> set[tuple[str, str]]:
    """Wells that a step of the run should have given to, and that the ledger does not show to have got it all."""
    spoilt: set[tuple[str, str]] = set()
    for tries in seen.tries(run_id):
        step = tries[-1]
        if step.status is StepStatus.DONE:
            continue
        given = seen.deed(tries).portions
        if step.action == "distribute":
            wanted = {(labware, well): ul for labware, well, ul in step.arguments["targets"]}
        elif step.action == "add_reagent":
            wanted = {
                (step.arguments["labware"], w): step.arguments["volume_ul"] for w in step.arguments["wells"]
            }
        else:
            continue
        spoilt |= {place for place, ul in wanted.items() if abs(given.get(place, 0.0) - ul) > EXACT_UL}
    return spoilt


# ---------------------------------------------------------------------------------------------------------------- unknowns


def _unknowns_are_told(seen: Evidence) -> Iterator[str]:
    unknown = [note["step"] for note in seen.diary if note["what"] == "end" and note["status"] == "unknown"]
    told = [f"{event.sentence} {event.details}" for event in seen.events]
    steps = {step.id: step for steps in seen.steps.values() for step in steps}
    for step_id in dict.fromkeys(unknown):
        if not any(step_id in words for words in told):
            yield f"{_named(steps[step_id])} was of unknown outcome, and no event names it."
    for kill in seen.kills:
        flying = [steps[step] for step in kill["flying"].values() if step in steps]
        for step in flying:
            ends = [note for note in seen.diary if note["what"] == "end" and note["step"] == step.id]
            yield from _a_pipettor_cannot_know(step, kill, ends)
    for one in seen.runs:
        for tries in seen.tries(one.run.id):
            yield from _what_is_in_doubt_is_barred(
                seen, tries, abandoned=one.run.status is RunStatus.ABANDONED
            )


def _a_pipettor_cannot_know(
    step: Step, kill: Mapping[str, Any], ends: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Killed at a dispense, before or after its effect: the two look alike to whoever comes back, so it must be unknown."""
    if kill.get("action") == "dispense" and kill.get("step") == step.id and ends:
        first = ends[0]["status"]
        if first != "unknown":
            yield f"{_named(step)} was cut off at a dispense, and was said to be {first}; nobody can know that."


def _what_is_in_doubt_is_barred(seen: Evidence, tries: Sequence[Step], *, abandoned: bool) -> Iterator[str]:
    """Wells that got part of what they should, and plates that were part of the time in the heat."""
    step = tries[-1]
    if step.status is StepStatus.DONE or abandoned:
        return
    deed = seen.deed(tries)
    if deed.extent is not Extent.PART and step.status is not StepStatus.UNKNOWN:
        return
    if step.action in ("heat", "incubate"):
        doubtful = {(step.arguments["plate"], "*")}
    else:
        doubtful = set(deed.portions)
    for place in sorted(doubtful):
        if not seen.is_barred(*place):
            yield f"{_named(step)} left {place[1]} of {place[0]} in doubt, and nothing bars it."


# ------------------------------------------------------------------------------------------------------------------ belief


def _belief_is_not_optimistic(seen: Evidence) -> Iterator[str]:
    belief, truth = seen.belief, seen.last
    over = seen.record.status in OVER
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
            yield from _volume(seen, item.id, well, contents.volume_ul, contents.unknown_ul)


def _volume(seen: Evidence, labware: str, well: str, believed_ul: float, unknown_ul: float) -> Iterator[str]:
    nominal_ul = max(0.0, seen.last.volume_ul[labware, well])
    where = f"{well} of {labware}"
    if believed_ul > nominal_ul + EXACT_UL:
        yield f"{where} is believed to hold {believed_ul:g} ul, and the ledger adds up to {nominal_ul:g} ul."
    elif nominal_ul > believed_ul + unknown_ul + EXACT_UL and labware in seen.last.filled:
        # Drawn less than believed from a source is safe; a well that got more than believed is not what it is taken for.
        if not seen.is_barred(labware, well):
            yield (
                f"{where} is believed to hold {believed_ul:g} ul and at most {unknown_ul:g} ul more; the ledger adds up "
                f"to {nominal_ul:g} ul, and nothing bars it."
            )
    elif unknown_ul > EXACT_UL and labware in seen.last.filled and not seen.is_barred(labware, well):
        yield f"{where} holds {unknown_ul:g} ul that nobody is sure of, and nothing bars it."
    short_ul = believed_ul - seen.world_ul[labware, well]
    if short_ul > STROKE_SHARE * believed_ul + STROKE_UL + DRIED_UL:
        yield f"{where} is believed to hold {believed_ul:g} ul, and {seen.world_ul[labware, well]:g} ul are there."


# -------------------------------------------------------------------------------------------------------------------- rest


def _at_rest(seen: Evidence) -> Iterator[str]:
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


# ----------------------------------------------------------------------------------------------------------- as undisturbed


def _strokes(seen: Evidence) -> list[Any]:
    return [
        [act.instrument, act.action, act.arguments]
        for act in seen.acts
        if act.instrument in ("handler", "reader")
    ]


def _as_undisturbed(seen: Evidence, reference: Undisturbed) -> Iterator[str]:
    if seen.record.status is not CampaignStatus.FINISHED:
        return
    alike = _strokes(seen) == reference.strokes
    for row, other in zip(table_of(seen), (Row(**one) for one in reference.table), strict=False):
        if (row.candidate, row.batch, row.sentence) != (other.candidate, other.batch, other.sentence):
            yield f"{row.candidate} was chosen where {other.candidate} would have been, had nobody disturbed it."
        elif not row.spoilt:
            yield from _same_value(row, other, alike=alike)
    for one in seen.runs:
        mine = [tries[-1].action for tries in seen.tries(one.run.id) if tries[-1].branch == "main"]
        if one.run.status is RunStatus.DONE and mine != reference.actions[str(one.batch_number)]:
            yield f"{one.run.id} is DONE with other steps than an undisturbed run of its batch."


def _same_value(row: Row, other: Row, *, alike: bool) -> Iterator[str]:
    if row.value is None or other.value is None:
        if row.value != other.value:
            yield f"{row.candidate} came to {row.value}, and undisturbed to {other.value}."
        return
    if alike:
        allowed = DRYING_SHARE * abs(other.value)
    else:
        errors = [error or 0.0 for error in (row.standard_error, other.standard_error)]
        allowed = NOISE_SD * math.hypot(*errors) + NOISE_FLOOR
    if abs(row.value - other.value) > allowed:
        yield (
            f"{row.candidate} came to {row.value:.5f}, and undisturbed to {other.value:.5f}; {allowed:.5f} are allowed"
            f"{' for drying' if alike else ' for noise'}."
        )
