"""Store to :class:`~lab.report.values.Contents`. Reads, and changes nothing.

What a protocol's analysis knows better than a report is taken from ``Observation.details`` where it is there:

=================================  ===================================================================================
``degrees_of_freedom``             of the standard error; else the replicates less one
``reference_value``                the target's value of the reference candidate in the same run, in the target's unit;
``reference_standard_error``       without it the report compares nothing with the reference
``reference_degrees_of_freedom``   of that; else as many as the observation itself has
``wells``                          records with ``labware``, ``well`` and ``flags``; a well with a flag was left out
``pooled``                         records of the results that one of replicates was made of, written by the store
=================================  ===================================================================================
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lab.interfaces import Document
from lab.report import statistics
from lab.report.audit import amendments, barred_wells, bars
from lab.report.digest import content_sha256
from lab.report.naming import made_of
from lab.report.plates import plate_readings, versions_of
from lab.report.sequence import single_substitutions
from lab.report.values import (
    Calibration,
    Contents,
    Curve,
    Estimate,
    PlateReading,
    Prediction,
    Result,
    RunSpan,
    StepSpan,
    Variant,
)
from lab.store import RunOutcome, Store
from lab.types import (
    Campaign,
    ExperimentStatus,
    Observation,
    Run,
    RunStatus,
    Step,
    StepStatus,
)

__all__ = ["read_contents"]

_WAITING = (ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING)


def read_contents(store: Store, campaign_id: str) -> Contents:
    """Everything that a report of this campaign says.

    Args:
        campaign_id: its identifier, or the name of the newest campaign of that name.

    Raises:
        BadInput: no such campaign.
    """
    record = store.campaign(campaign_id)
    campaign = record.campaign
    results = _results(store, campaign)
    reference, reference_runs = _reference(results)
    variants = _variants(results, reference, campaign)
    outcomes = store.runs(campaign.id)
    steps = {outcome.run.id: store.steps(outcome.run.id) for outcome in outcomes}
    documents = {outcome.run.id: _documents(store, outcome.run) for outcome in outcomes}
    left_out = _left_out(results) | barred_wells(store, outcomes)
    plates = tuple(
        plate for outcome in outcomes for plate in _plates(outcome, documents[outcome.run.id], left_out)
    )
    drawn, not_drawn = single_substitutions(
        campaign.candidates,
        campaign.reference.sequence,
        {v.candidate_id: v.estimate.value for v in variants},
        frozenset(r.experiment.candidate.id for r in results),
        frozenset(r.experiment.candidate.id for r in results if r.experiment.status in _WAITING),
    )
    versions: dict[str, str] = {}
    for outcome in outcomes:
        versions |= versions_of(documents[outcome.run.id])
    return Contents(
        campaign=campaign,
        status=record.status.value,
        status_sentence=record.sentence,
        twin=store.bench(record.bench_id).twin,
        started_utc=record.created_utc.isoformat(timespec="seconds"),
        origins=tuple(sorted({r.observation.origin.value for r in results if r.observation is not None})),
        results=results,
        variants=variants,
        reference=reference,
        reference_runs=reference_runs,
        curve=_curve(campaign, results),
        baseline=_baseline(store, campaign),
        calibration=_calibration(results),
        substitutions=drawn,
        not_drawn=not_drawn,
        plates=plates,
        runs=tuple(_run_span(outcome, steps[outcome.run.id]) for outcome in outcomes),
        steps=tuple(span for outcome in outcomes for span in _step_spans(outcome, steps[outcome.run.id])),
        methods=tuple(dict.fromkeys(r.observation.method for r in results if r.observation is not None)),
        settings=dict(campaign.protocol.parameters),
        versions=versions,
        files=dict(record.files),
        files_hash=record.content_hash,
        amendments=amendments(store, campaign),
        bars=bars(store, record.bench_id, outcomes),
        content_sha256=content_sha256(campaign, results, plates),
    )


def _results(store: Store, campaign: Campaign) -> tuple[Result, ...]:
    history = store.history(campaign.id)
    last = {o.experiment_id: o for o in history.observations if o.target == campaign.goal.target}
    batch_of = {e.id: batch.number for batch in store.batches(campaign.id) for e in batch.experiments}
    return tuple(
        Result(
            number=number,
            batch=batch_of.get(experiment.id, 0),
            experiment=experiment,
            observation=last.get(experiment.id),
            estimate=_estimate(last[experiment.id]) if experiment.id in last else None,
        )
        for number, experiment in enumerate(history.experiments, start=1)
    )


def _estimate(observation: Observation) -> Estimate | None:
    if not math.isfinite(observation.value):
        return None
    return statistics.estimate(observation.value, observation.standard_error, _freedom(observation))


def _freedom(observation: Observation) -> int:
    return int(observation.details.get("degrees_of_freedom", observation.replicates - 1))


def _reference(results: Sequence[Result]) -> tuple[Estimate | None, int]:
    """The reference over all runs that tell of it, and how many those are. Every run counts once."""
    by_run: dict[str, Estimate] = {}
    for result in results:
        told = None if result.observation is None else _told_reference(result.observation)
        if result.observation is not None and told is not None:
            # One that rests on no well of its own does not know how sure the reference is.
            known = by_run.setdefault(result.observation.run_id, told)
            if told.degrees_of_freedom > known.degrees_of_freedom:
                by_run[result.observation.run_id] = told
    if not by_run:
        return None, 0
    combined, _ = statistics.combine(list(by_run.values()), [1] * len(by_run))
    return combined, len(by_run)


def _told_reference(observation: Observation) -> Estimate | None:
    details = observation.details
    value = details.get("reference_value")
    if value is None or not math.isfinite(value):
        return None
    freedom = details.get("reference_degrees_of_freedom", _freedom(observation))
    error = details.get("reference_standard_error")
    return statistics.estimate(float(value), math.inf if error is None else float(error), int(freedom))


def _left_out(results: Sequence[Result]) -> frozenset[tuple[str, str, str]]:
    """(run, labware, well) of the wells that the analysis did not use."""
    return frozenset(
        (result.observation.run_id, str(well["labware"]), str(well["well"]))
        for result in results
        if result.observation is not None
        for well in result.observation.details.get("wells", ())
        if well.get("flags")
    )


def _variants(
    results: Sequence[Result], reference: Estimate | None, campaign: Campaign
) -> tuple[Variant, ...]:
    """Usable results by candidate, best first."""
    measured: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.usable and result.experiment.status is ExperimentStatus.MEASURED:
            measured[result.experiment.candidate.id].append(result)
    parts = {name: [p for r in found for p in _parts(r)] for name, found in measured.items()}
    combined = {
        name: statistics.combine([p.estimate for p in found], [max(1, p.wells) for p in found])
        for name, found in parts.items()
    }
    differences = {
        name: None if reference is None else statistics.difference(estimate, reference)
        for name, (estimate, _) in combined.items()
    }
    sign = campaign.goal.sign
    p_values = [1.0 if d is None else statistics.p_better(d, sign) for d in differences.values()]
    differs = dict(zip(differences, statistics.benjamini_hochberg(p_values), strict=True))
    variants = [
        Variant(
            candidate_id=name,
            estimate=estimate,
            wells=sum(part.wells for part in parts[name]),
            runs=len({part.run_id for part in parts[name]}),
            difference=differences[name],
            differs=differs[name],
            agree=agree,
            made_of=made_of(measured[name][0].experiment.candidate),
            remarks=" ".join(
                r.observation.quality.sentence
                for r in measured[name]
                if r.observation is not None and r.observation.quality.sentence
            ),
        )
        for name, (estimate, agree) in combined.items()
    ]
    return tuple(sorted(variants, key=lambda v: (-sign * v.estimate.value, v.candidate_id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One run's word on a candidate."""

    estimate: Estimate
    wells: int
    run_id: str


def _parts(result: Result) -> list[_Part]:
    """What a result says: one part, or, where replicates are pooled in it, one for each of them."""
    observation = result.observation
    if observation is None or result.estimate is None:
        return []
    pooled = observation.details.get("pooled")
    if not pooled:
        return [_Part(estimate=result.estimate, wells=observation.replicates, run_id=observation.run_id)]
    return [
        _Part(
            estimate=statistics.estimate(
                float(one["value"]), float(one["standard_error"]), int(one["replicates"]) - 1
            ),
            wells=int(one["replicates"]),
            run_id=str(one["run"]),
        )
        for one in pooled
    ]


def _curve(campaign: Campaign, results: Sequence[Result]) -> Curve:
    sign = campaign.goal.sign
    measured: list[tuple[int, float]] = []
    best: list[tuple[int, float]] = []
    for result in results:
        if result.estimate is not None and result.usable:
            value = result.estimate.value
            measured.append((result.number, value))
            if not best or sign * value > sign * best[-1][1]:
                best.append((result.number, value))
                continue
        if best and result.observation is not None:
            best.append((result.number, best[-1][1]))
    return Curve(planner=campaign.planner.name, measured=tuple(measured), best=tuple(best))


def _baseline(store: Store, campaign: Campaign) -> Curve | None:
    """The newest campaign that says it is a baseline for this one."""
    baselines = [r.campaign for r in store.campaigns() if r.campaign.baseline_of == campaign.id]
    if not baselines:
        return None
    return _curve(baselines[-1], _results(store, baselines[-1]))


def _calibration(results: Sequence[Result]) -> Calibration | None:
    found: list[Prediction] = []
    for result in results:
        reason, estimate = result.experiment.reason, result.estimate
        if not result.usable or estimate is None or reason.predicted_mean is None or not reason.predicted_sd:
            continue
        error = estimate.standard_error if math.isfinite(estimate.standard_error) else 0.0
        found.append(
            Prediction(
                candidate_id=result.experiment.candidate.id,
                batch=result.batch,
                mean=reason.predicted_mean,
                sd=reason.predicted_sd,
                measured=estimate.value,
                z=(estimate.value - reason.predicted_mean) / math.hypot(reason.predicted_sd, error),
            )
        )
    if not found:
        return None
    covered = sum(abs(p.z) <= 2 for p in found)
    return Calibration(
        predictions=tuple(found),
        covered=covered,
        coverage=statistics.wilson(covered, len(found)),
        rank_correlation=statistics.spearman([p.mean for p in found], [p.measured for p in found]),
    )


def _documents(store: Store, run: Run) -> tuple[Document, ...]:
    """Of the last stretch, which is complete when the run is done; else of the stretch that got furthest."""
    if run.status is RunStatus.DONE or run.stretch == 1:
        return store.documents(run.id)
    stretches = [store.documents(run.id, stretch) for stretch in range(1, run.stretch + 1)]
    return max(stretches, key=lambda documents: sum(name == "event" for name, _ in documents))


def _plates(
    outcome: RunOutcome, documents: Sequence[Document], left_out: frozenset[tuple[str, str, str]]
) -> tuple[PlateReading, ...]:
    run = outcome.run
    here = frozenset((labware, well) for run_id, labware, well in left_out if run_id == run.id)
    return plate_readings(run.id, outcome.batch_number, run.layout, documents, here)


def _run_span(outcome: RunOutcome, steps: Sequence[Step]) -> RunSpan:
    begun = [s.begun_lab_s for s in steps if s.begun_lab_s is not None]
    ended = [s.ended_lab_s for s in steps if s.ended_lab_s is not None]
    return RunSpan(
        run_id=outcome.run.id,
        batch=outcome.batch_number,
        attempt=outcome.run.attempt,
        stretches=outcome.run.stretch,
        status=outcome.run.status.value,
        begun_s=min(begun, default=None),
        ended_s=max(ended, default=None),
        steps=sum(s.status is StepStatus.DONE for s in steps),
        sentence=outcome.error or outcome.reason,
    )


def _step_spans(outcome: RunOutcome, steps: Sequence[Step]) -> list[StepSpan]:
    return [
        StepSpan(
            device=step.device,
            action=step.action,
            batch=outcome.batch_number,
            begun_s=step.begun_lab_s,
            ended_s=step.ended_lab_s,
            failed=step.status in (StepStatus.FAILED, StepStatus.UNKNOWN),
        )
        for step in steps
        if step.begun_lab_s is not None and step.ended_lab_s is not None
    ]
