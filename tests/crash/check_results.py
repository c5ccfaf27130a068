"""Experiments are asked for once, and results are what the reader showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lab.types import CampaignStatus, ExperimentStatus, Observation, RunStatus, Step, StepStatus
from tests.crash.check_steps import named
from tests.crash.evidence import READINGS, Evidence

__all__ = ["experiments_are_asked_for_once", "results_are_what_was_read", "short_of", "spoilt"]

EXACT_UL = 1e-6
COLUMNS = 12
"""Of the plates that are read."""


def experiments_are_asked_for_once(seen: Evidence) -> Iterator[str]:
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
        if note["what"] == "proposed" and note["campaign"] == campaign.id:
            if note["number"] in proposed:
                yield f"Batch {note['number']} was proposed twice."
            proposed.add(note["number"])
            spent = sum(len(b.experiments) for b in seen.batches if b.number <= note["number"])
    if seen.record.status is CampaignStatus.FINISHED:
        for experiment in experiments:
            if experiment.status not in (ExperimentStatus.MEASURED, ExperimentStatus.FAILED):
                yield f"The campaign finished, and {experiment.candidate.id} is {experiment.status}."


def results_are_what_was_read(seen: Evidence) -> Iterator[str]:
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
    for (experiment_id, target), times in seen_for.items():
        if times > 1:
            yield f"{experiment_id} has {times} results for {target}."
    with_result = {observation.experiment_id for observation in seen.history.observations}
    for experiment in seen.history.experiments:
        if experiment.status is ExperimentStatus.MEASURED and experiment.id not in with_result:
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
                yield f"{named(step)} keeps numbers that the reader did not show last."


def _wells_are_as_read(seen: Evidence, observation: Observation) -> Iterator[str]:
    """Each well of a result is as the reader showed it, and none counts that a step has spoilt."""
    by_plate: dict[str, Sequence[float]] = {}
    for step in seen.steps[observation.run_id]:
        if step.action == "fluorescence" and step.status is StepStatus.DONE:
            by_plate[step.arguments["plate"]] = step.result["cycles"][-1]
    for well in observation.details["wells"]:
        name, labware = str(well["well"]), str(well["labware"])
        place = (ord(name[0]) - ord("A")) * COLUMNS + int(name[1:]) - 1
        if labware not in by_plate:
            yield f"{observation.id} rests on {labware}, which was not read in {observation.run_id}."
        elif well["raw"] is not None and well["raw"] != by_plate[labware][place]:
            yield f"{observation.id} has {well['raw']} for {name} of {labware}, and {by_plate[labware][place]} was read."
        if (labware, name) in spoilt(seen, observation.run_id) and not well["flags"]:
            yield f"{observation.id} counts {name} of {labware}, which a step that was not done has spoilt."


def spoilt(seen: Evidence, run_id: str) -> set[tuple[str, str]]:
    """Wells that a step of the run should have given to, and that the ledger does not show to have got it all."""
    return {
        place
        for tries in seen.tries(run_id)
        if tries[-1].status is not StepStatus.DONE
        for place in short_of(tries[-1], seen.deed(tries).portions)
    }


def short_of(step: Step, given: Mapping[tuple[str, str], float]) -> set[tuple[str, str]]:
    """Wells that a step should have given to, and that did not get just that.

    Args:
        given: (labware, well) -> nominal microlitres that they got.
    """
    wanted: Mapping[tuple[str, str], float] = {}
    if step.action == "distribute":
        wanted = {(labware, well): ul for labware, well, ul in step.arguments["targets"]}
    elif step.action == "add_reagent":
        wanted = dict.fromkeys(
            ((step.arguments["labware"], well) for well in step.arguments["wells"]),
            step.arguments["volume_ul"],
        )
    return {place for place, ul in wanted.items() if abs(given.get(place, 0.0) - ul) > EXACT_UL}
