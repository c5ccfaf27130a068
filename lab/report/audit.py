"""What people and policies said about results and material after the fact: amendments, bars, and batches done again."""

from __future__ import annotations

from collections.abc import Sequence

from lab.report.values import Amendment, Bar, RunSpan
from lab.report.wording import number
from lab.store import AmendmentRecord, BarRecord, RunOutcome, Store
from lab.types import Campaign, Observation

__all__ = ["amendments", "barred_wells", "bars", "redone"]

_WELLS_SHOWN = 8
_WHEN = "%Y-%m-%d %H:%M"


def amendments(store: Store, campaign: Campaign) -> tuple[Amendment, ...]:
    """What was said about a campaign's results, in the order of saying."""
    experiments = store.history(campaign.id).experiments
    numbers = {e.id: (n, e.candidate.id) for n, e in enumerate(experiments, start=1)}
    observations = {one.observation.id: one.observation for one in store.all_observations(campaign.id)}
    return tuple(
        Amendment(
            utc=said.utc.strftime(_WHEN),
            who=said.who,
            why=said.why,
            experiment_id=said.experiment_id,
            what=_what(said, numbers, observations),
            note=f"{_note(said, numbers)} by {said.who}: {said.why}",
        )
        for said in store.amendments(campaign.id)
    )


def bars(store: Store, bench_id: str, outcomes: Sequence[RunOutcome]) -> tuple[Bar, ...]:
    """What was barred and lifted on a campaign's bench, in that order, wells of one reason together.

    Plates that other campaigns filled are theirs to tell of.
    """
    own = {outcome.run.id for outcome in outcomes}
    filled_by = {sample.labware: sample.run_id for sample in store.samples_of_bench(bench_id)}
    records = [bar for bar in store.bars(bench_id) if filled_by.get(bar.labware, "") in own | {""}]
    lifted = {bar.lifts for bar in records}
    groups: dict[tuple[object, ...], list[BarRecord]] = {}
    for bar in records:
        minute = bar.utc.strftime(_WHEN)
        groups.setdefault((minute, bar.who, bar.why, bar.lifts is None, bar.number in lifted), []).append(bar)
    return tuple(
        Bar(
            utc=alike[0].utc.strftime(_WHEN),
            who=alike[0].who,
            why=alike[0].why,
            material=_material(alike),
            what="barred" if alike[0].lifts is None else "may be used again",
            in_force=alike[0].lifts is None and alike[0].number not in lifted,
        )
        for alike in groups.values()
    )


def barred_wells(store: Store, outcomes: Sequence[RunOutcome]) -> frozenset[tuple[str, str, str]]:
    """(run, labware, well) of what a campaign's runs filled and must not be used now, controls among them."""
    return frozenset(
        (outcome.run.id, use.labware, use.well)
        for outcome in outcomes
        for barred in [store.barred_samples(outcome.run.id)]
        for use in outcome.run.layout.wells
        if use.sample_id in barred
    )


def redone(runs: Sequence[RunSpan]) -> tuple[str, ...]:
    """A sentence for each attempt that was given up and its batch done again."""
    attempts: dict[int, int] = {}
    for run in runs:
        attempts[run.batch] = max(run.attempt, attempts.get(run.batch, 0))
    return tuple(
        f"Attempt {run.attempt} at batch {run.batch} was given up, and the batch done again on fresh material"
        f"{f': {run.sentence}' if run.sentence else '.'}"
        for run in runs
        if run.attempt < attempts[run.batch]
    )


def _what(
    said: AmendmentRecord, numbers: dict[str, tuple[int, str]], observations: dict[str, Observation]
) -> str:
    place, candidate = numbers[said.experiment_id]
    result = f"the result of no. {place}, {candidate}"
    if said.kind == "retract":
        return f"Retracted {result} ({_value(observations[said.observation_id])})."
    if said.kind == "supersede":
        old, new = observations[said.observation_id], observations[said.replacement_id]
        return f"Put {_value(new)} in the place of {_value(old)} as {result}."
    first, _ = numbers[said.of_experiment_id]
    return f"Pooled {result}, with that of no. {first}: one measured once more what the other did."


def _note(said: AmendmentRecord, numbers: dict[str, tuple[int, str]]) -> str:
    """The same in few words, where the experiment is named already."""
    if said.kind == "replicate":
        return f"Pooled with no. {numbers[said.of_experiment_id][0]}"
    return {"retract": "Retracted", "supersede": "Corrected"}[said.kind]


def _value(observation: Observation) -> str:
    error = observation.standard_error
    return f"{number(observation.value, error)} ± {number(error, error)}"


def _material(records: Sequence[BarRecord]) -> str:
    """``assay_1: C6, E7; library_1: all of it``."""
    wells: dict[str, list[str]] = {}
    for bar in records:
        wells.setdefault(bar.labware, []).append(bar.well)
    return "; ".join(f"{labware}: {_wells(found)}" for labware, found in wells.items())


def _wells(wells: Sequence[str]) -> str:
    if "*" in wells:
        return "all of it"
    in_order = sorted(wells, key=lambda well: (int(well[1:]), well[0]))
    more = len(in_order) - _WELLS_SHOWN
    return ", ".join(in_order[:_WELLS_SHOWN]) + (f" and {more} more wells" if more > 0 else "")
