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
from collections.abc import Sequence

from lab.interfaces import Document
from lab.report import statistics
from lab.report.audit import amendments, barred_wells, bars
from lab.report.digest import content_sha256
from lab.report.findings import reference_of, results_of, targets_of, variants_of
from lab.report.plates import plate_readings, versions_of
from lab.report.sequence import single_substitutions, substitution_means
from lab.report.values import (
    Calibration,
    Contents,
    Curve,
    PlateReading,
    Prediction,
    Result,
    RunSpan,
    StepSpan,
)
from lab.report.volume import volume_curves
from lab.store import RunOutcome, Store
from lab.types import (
    Campaign,
    ExperimentStatus,
    History,
    Run,
    RunStatus,
    Step,
    StepStatus,
)

__all__ = ["read_contents"]

_FEW_SINGLE = 9
"""Candidates with several substitutions for each with one, from which on a map of single ones would be all but empty."""

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
    history = store.history(campaign.id)
    results = results_of(store, campaign, history, campaign.goal.target)
    reference, reference_runs = reference_of(results)
    targets = targets_of(store, campaign, history, results)
    variants = variants_of(results, reference, campaign.goal, targets)
    outcomes = store.runs(campaign.id)
    beside = _baseline(store, campaign)
    steps = {outcome.run.id: store.steps(outcome.run.id) for outcome in outcomes}
    documents = {outcome.run.id: _documents(store, outcome.run) for outcome in outcomes}
    left_out = _left_out(results) | barred_wells(store, outcomes)
    plates = tuple(
        plate for outcome in outcomes for plate in _plates(outcome, documents[outcome.run.id], left_out)
    )
    values = {v.candidate_id: v.estimate.value for v in variants}
    # Where there is no pool, what was chosen stands for it.
    chosen = {r.experiment.candidate.id: r.experiment.candidate for r in results}
    pool = campaign.candidates or tuple(chosen.values())
    drawn, not_drawn = single_substitutions(
        pool,
        campaign.reference.sequence,
        values,
        frozenset(chosen),
        frozenset(r.experiment.candidate.id for r in results if r.experiment.status in _WAITING),
    )
    means = not_drawn > _FEW_SINGLE * len(drawn)
    if means:
        drawn = substitution_means(pool, campaign.reference.sequence, values)
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
        targets=targets,
        curve=_curve(campaign, history, results),
        baseline=None if beside is None else _baseline_curve(store, *beside),
        volumes=volume_curves((campaign, history), *(() if beside is None else (beside,))),
        calibration=_calibration(results),
        substitutions=drawn,
        not_drawn=0 if means else not_drawn,
        substitutions_are_means=means,
        plates=plates,
        runs=tuple(_run_span(outcome, steps[outcome.run.id]) for outcome in outcomes),
        steps=tuple(span for outcome in outcomes for span in _step_spans(outcome, steps[outcome.run.id])),
        methods=tuple(dict.fromkeys(r.observation.method for r in results if r.observation is not None)),
        settings=dict(campaign.protocol.parameters),
        versions=versions,
        files={name: text for name, text in record.files.items() if name != "workcell_folder"},
        files_hash=record.content_hash,
        amendments=amendments(store, campaign),
        bars=bars(store, record.bench_id, outcomes),
        content_sha256=content_sha256(campaign, results, plates, targets),
    )


def _left_out(results: Sequence[Result]) -> frozenset[tuple[str, str, str]]:
    """(run, labware, well) of the wells that the analysis did not use."""
    return frozenset(
        (result.observation.run_id, str(well["labware"]), str(well["well"]))
        for result in results
        if result.observation is not None
        for well in result.observation.details.get("wells", ())
        if well.get("flags")
    )


def _curve(campaign: Campaign, history: History, results: Sequence[Result]) -> Curve:
    """Of the first objective; what breaks a limit is measured, and never the best."""
    goal = campaign.goal
    kept = {experiment.id for experiment, _ in history.serving(goal)}
    measured: list[tuple[int, float]] = []
    best: list[tuple[int, float]] = []
    for result in results:
        if result.estimate is not None and result.usable:
            value = result.estimate.value
            measured.append((result.number, value))
            better = not best or goal.merit(value) > goal.merit(best[-1][1])
            if better and (result.experiment.id in kept or not goal.limits):
                best.append((result.number, value))
                continue
        if best and result.observation is not None:
            best.append((result.number, best[-1][1]))
    return Curve(planner=campaign.planner.name, measured=tuple(measured), best=tuple(best))


def _baseline(store: Store, campaign: Campaign) -> tuple[Campaign, History] | None:
    """The newest campaign that says it is a baseline for this one."""
    baselines = [r.campaign for r in store.campaigns() if r.campaign.baseline_of == campaign.id]
    return (baselines[-1], store.history(baselines[-1].id)) if baselines else None


def _baseline_curve(store: Store, campaign: Campaign, history: History) -> Curve:
    return _curve(campaign, history, results_of(store, campaign, history, campaign.goal.target))


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
