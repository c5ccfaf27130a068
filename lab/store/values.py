"""Rows to the values of ``lab.types``, and back."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row

from lab.approvals import Approval, ApprovalKind, ApprovalReason, ApprovalStatus, Cause
from lab.store.records import AmendmentKind, AmendmentRecord, BenchRecord, CampaignRecord, EventRecord
from lab.store.service_tables import ApprovalTable
from lab.store.tables import (
    AmendmentTable,
    BatchTable,
    BenchTable,
    CampaignTable,
    EventTable,
    ExperimentTable,
    ObservationTable,
    RunTable,
    SampleTable,
)
from lab.types import (
    Batch,
    Campaign,
    CampaignStatus,
    Candidate,
    Experiment,
    ExperimentStatus,
    Layout,
    Observation,
    Origin,
    Quality,
    Reason,
    Run,
    RunStatus,
    Sample,
    Step,
    StepStatus,
)

__all__ = [
    "amendment",
    "approval",
    "batch",
    "bench",
    "campaign",
    "event",
    "experiment",
    "experiment_row",
    "observation",
    "observation_row",
    "run",
    "sample",
    "step",
]

_CAMPAIGN = TypeAdapter(Campaign)
_CANDIDATE = TypeAdapter(Candidate)
_KIND: TypeAdapter[AmendmentKind] = TypeAdapter(AmendmentKind)
_LAYOUT = TypeAdapter(Layout)
_QUALITY = TypeAdapter(Quality)
_REASON = TypeAdapter(Reason)


def bench(row: BenchTable) -> BenchRecord:
    """A bench from its row."""
    return BenchRecord(
        id=row.id,
        workcell=row.workcell,
        twin=row.twin,
        seed=row.seed,
        ledger=row.ledger,
        first_snapshot=row.first_snapshot,
        created_utc=row.created_utc,
    )


def campaign(row: CampaignTable) -> CampaignRecord:
    """A campaign from its row."""
    return CampaignRecord(
        campaign=_CAMPAIGN.validate_python(row.frozen),
        status=CampaignStatus(row.status),
        sentence=row.sentence,
        bench_id=row.bench_id,
        content_hash=row.content_hash,
        files=row.files,
        needs=row.needs,
        created_utc=row.created_utc,
    )


def batch(row: BatchTable, experiments: tuple[Experiment, ...]) -> Batch:
    """A batch from its row and its experiments."""
    return Batch(id=row.id, campaign_id=row.campaign_id, number=row.number, experiments=experiments)


def experiment(row: ExperimentTable | Row[Any]) -> Experiment:
    """An experiment from its row."""
    return Experiment(
        id=row.id,
        candidate=_CANDIDATE.validate_python(row.candidate),
        reason=_REASON.validate_python(row.reason),
        status=ExperimentStatus(row.status),
        repeat_of=row.repeat_of,
        waived=row.waived,
    )


def experiment_row(value: Experiment, batch: BatchTable, number: int) -> ExperimentTable:
    """The row of an experiment that is just proposed.

    Args:
        number: counted from 1 within the campaign.
    """
    return ExperimentTable(
        id=value.id,
        campaign_id=batch.campaign_id,
        batch_id=batch.id,
        number=number,
        candidate_id=value.candidate.id,
        candidate=value.candidate,
        reason=value.reason,
        status=ExperimentStatus.PROPOSED.value,
        repeat_of=value.repeat_of,
    )


def run(row: RunTable) -> Run:
    """A run from its row."""
    return Run(
        id=row.id,
        batch_id=row.batch_id,
        campaign_id=row.campaign_id,
        attempt=row.attempt,
        layout=_LAYOUT.validate_python(row.layout),
        status=RunStatus(row.status),
        stretch=row.stretch,
    )


def step(row: Any) -> Step:
    """A step from a row of a Core statement."""
    return Step(
        id=row.id,
        run_id=row.run_id,
        key=row.key,
        branch=row.branch,
        ordinal=row.ordinal,
        action=row.action,
        device=row.device,
        arguments=row.arguments,
        status=StepStatus(row.status),
        attempt_number=row.attempt_number,
        result=row.result,
        error=row.error,
        begun_lab_s=row.begun_lab_s,
        ended_lab_s=row.ended_lab_s,
        fault=row.fault,
        recovery=row.recovery,
        part=row.part,
        token=row.token,
    )


def sample(row: SampleTable | Row[Any]) -> Sample:
    """A sample from its row."""
    return Sample(
        id=row.id,
        labware=row.labware,
        well=row.well,
        content=row.content,
        run_id=row.run_id or "",
    )


def observation(row: ObservationTable | Row[Any]) -> Observation:
    """An observation from its row."""
    return Observation(
        id=row.id,
        experiment_id=row.experiment_id,
        target=row.target,
        sample_id=row.sample_id,
        run_id=row.run_id,
        value=row.value,
        standard_error=row.standard_error,
        unit=row.unit,
        quality=_QUALITY.validate_python(row.quality),
        method=row.method,
        origin=Origin(row.origin),
        replicates=row.replicates,
        lab_time_s=row.lab_time_s,
        details=row.details,
    )


def observation_row(value: Observation) -> ObservationTable:
    """The row of an observation."""
    return ObservationTable(
        id=value.id,
        experiment_id=value.experiment_id,
        run_id=value.run_id,
        target=value.target,
        sample_id=value.sample_id,
        value=value.value,
        standard_error=value.standard_error,
        unit=value.unit,
        ok=bool(value.quality.ok),
        quality=value.quality,
        method=value.method,
        origin=value.origin.value,
        replicates=int(value.replicates),
        lab_time_s=value.lab_time_s,
        details=value.details,
    )


def amendment(row: AmendmentTable) -> AmendmentRecord:
    """An amendment from its row."""
    return AmendmentRecord(
        id=row.id,
        campaign_id=row.campaign_id,
        kind=_KIND.validate_python(row.kind),
        experiment_id=row.experiment_id,
        observation_id=row.observation_id or "",
        replacement_id=row.replacement_id or "",
        of_experiment_id=row.of_experiment_id or "",
        who=row.who,
        why=row.why,
        utc=row.utc,
    )


def event(row: EventTable) -> EventRecord:
    """An event from its row."""
    return EventRecord(
        number=row.number or 0,
        campaign_id=row.campaign_id,
        kind=row.kind,
        sentence=row.sentence,
        lab_time_s=row.lab_time_s,
        utc=row.utc,
        details=row.details,
    )


def approval(row: ApprovalTable) -> Approval:
    """A request for a person's word."""
    return Approval(
        id=row.id,
        kind=ApprovalKind(row.kind),
        status=ApprovalStatus(row.status),
        reasons=tuple(
            ApprovalReason(
                cause=Cause(one["cause"]), sentence=one["sentence"], experiments=tuple(one["experiments"])
            )
            for one in row.reasons
        ),
        details=row.details,
        asked_by=row.asked_by,
        asked_utc=row.asked_utc,
        cost=row.cost,
        submission_id=row.submission_id or "",
        campaign_id=row.campaign_id or "",
        batch_id=row.batch_id or "",
        decided_by=row.decided_by,
        why=row.why,
        decided_utc=row.decided_utc,
    )
