"""What the API answers with. Numbers that are not known are null, never NaN; moments are UTC."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lab.service.house import Live
from lab.store import CampaignRecord, EventRecord, RunOutcome, Store, Tally
from lab.types import Experiment, Observation, Step

__all__ = [
    "CampaignFull",
    "CampaignShort",
    "EventShape",
    "ExperimentShape",
    "LiveShape",
    "ObservationShape",
    "Page",
    "RefusalShape",
    "RunShape",
    "StepShape",
    "Told",
    "campaign_full",
    "campaigns_short",
    "finite",
    "plain",
]


def finite(value: float | None) -> float | None:
    """A number, or None where it is none that JSON has."""
    return None if value is None or not math.isfinite(value) else value


def plain(value: Any) -> Any:
    """JSON without the numbers that JSON does not have: they become null."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class RefusalShape(_Shape):
    """Why a request was refused."""

    code: str
    sentence: str
    way_out: str = ""
    field: str = ""


class Told(_Shape):
    """What came of a command."""

    sentence: str


class LiveShape(_Shape):
    """How a campaign under way stands this moment."""

    campaign_id: str
    name: str
    bench_id: str
    twin: bool
    at_work: bool
    pausing: bool
    paused: bool
    stopping: bool
    run_id: str
    batch: int
    step: int
    steps: int
    doing: str
    left_s: float | None
    lab_time_s: float
    pace: float | None

    @classmethod
    def of(cls, live: Live) -> LiveShape:
        """From the house's."""
        return cls(**{name: getattr(live, name) for name in cls.model_fields})


class ObservationShape(_Shape):
    """One measured value."""

    id: str
    experiment_id: str
    run_id: str
    sample_id: str
    target: str
    value: float | None
    standard_error: float | None
    unit: str
    ok: bool
    quality: str
    flags: list[str]
    method: str
    origin: str
    replicates: int
    lab_time_s: float | None

    @classmethod
    def of(cls, one: Observation) -> ObservationShape:
        """From the store's."""
        return cls(
            id=one.id,
            experiment_id=one.experiment_id,
            run_id=one.run_id,
            sample_id=one.sample_id,
            target=one.target,
            value=finite(one.value),
            standard_error=finite(one.standard_error),
            unit=one.unit,
            ok=one.usable,
            quality=one.quality.sentence,
            flags=list(one.quality.flags),
            method=one.method,
            origin=str(one.origin),
            replicates=one.replicates,
            lab_time_s=finite(one.lab_time_s),
        )


class ExperimentShape(_Shape):
    """One chosen candidate, with why it was chosen."""

    id: str
    number: int = Field(description="In the order of asking, from 1.")
    batch: int
    candidate_id: str
    sequence: str
    values: dict[str, Any]
    status: str
    repeat_of: str | None
    planner: str
    why: str
    acquisition: str
    acquisition_value: float | None
    predicted_mean: float | None
    predicted_sd: float | None
    interval: list[float] | None
    model_cards: list[str]

    @classmethod
    def of(cls, one: Experiment, number: int, batch: int) -> ExperimentShape:
        """From the store's."""
        reason = one.reason
        return cls(
            id=one.id,
            number=number,
            batch=batch,
            candidate_id=one.candidate.id,
            sequence=one.candidate.sequence,
            values=plain(dict(one.candidate.values)),
            status=str(one.status),
            repeat_of=one.repeat_of,
            planner=reason.planner,
            why=reason.sentence,
            acquisition=reason.acquisition,
            acquisition_value=finite(reason.acquisition_value),
            predicted_mean=finite(reason.predicted_mean),
            predicted_sd=finite(reason.predicted_sd),
            interval=None if reason.interval is None else list(reason.interval),
            model_cards=list(reason.model_cards),
        )


class CampaignShort(_Shape):
    """A campaign in a list."""

    id: str
    name: str
    status: str
    sentence: str
    workcell: str
    bench_id: str
    twin: bool
    budget: int
    spent: int
    measured: int
    baseline_of: str
    goal: dict[str, Any]
    best: dict[str, Any] | None = Field(
        description="Candidate, value, standard error and unit of the best result."
    )
    created_utc: datetime
    live: LiveShape | None


class CampaignFull(CampaignShort):
    """A campaign with all that it was frozen with."""

    planner: dict[str, Any]
    protocol: dict[str, Any]
    policies: dict[str, Any]
    batch_size: int
    seed: int
    reference: str
    candidates: int
    files: dict[str, str]
    baselines: list[str]
    submitted_by: str


class RunShape(_Shape):
    """One attempt to carry out a batch."""

    id: str
    campaign_id: str
    batch: int
    attempt: int
    stretch: int
    status: str
    reason: str
    error: str
    begun_utc: datetime
    ended_utc: datetime | None

    @classmethod
    def of(cls, one: RunOutcome) -> RunShape:
        """From the store's."""
        return cls(
            id=one.run.id,
            campaign_id=one.run.campaign_id,
            batch=one.batch_number,
            attempt=one.run.attempt,
            stretch=one.run.stretch,
            status=str(one.run.status),
            reason=one.reason,
            error=one.error,
            begun_utc=one.begun_utc,
            ended_utc=one.ended_utc,
        )


class StepShape(_Shape):
    """One physical action, as the journal holds it."""

    id: str
    run_id: str
    ordinal: int
    branch: str
    attempt_number: int
    device: str
    action: str
    arguments: Any
    status: str
    result: Any
    error: str
    fault: str
    recovery: str
    begun_lab_s: float | None
    ended_lab_s: float | None

    @classmethod
    def of(cls, one: Step) -> StepShape:
        """From the store's."""
        return cls(
            id=one.id,
            run_id=one.run_id,
            ordinal=one.ordinal,
            branch=one.branch,
            attempt_number=one.attempt_number,
            device=one.device,
            action=one.action,
            arguments=plain(one.arguments),
            status=str(one.status),
            result=plain(one.result),
            error=one.error,
            fault=one.fault,
            recovery=one.recovery,
            begun_lab_s=one.begun_lab_s,
            ended_lab_s=one.ended_lab_s,
        )


class EventShape(_Shape):
    """Something that happened to a campaign."""

    number: int
    campaign_id: str
    kind: str
    sentence: str
    lab_time_s: float | None
    utc: datetime
    details: dict[str, Any]

    @classmethod
    def of(cls, one: EventRecord, campaign_id: str) -> EventShape:
        """From the store's."""
        return cls(
            number=one.number,
            campaign_id=campaign_id,
            kind=one.kind,
            sentence=one.sentence,
            lab_time_s=finite(one.lab_time_s),
            utc=one.utc,
            details=plain(dict(one.details)),
        )


class Page(_Shape):
    """Part of a list that may be long."""

    total: int
    items: list[Any]


def campaigns_short(
    store: Store, records: Sequence[CampaignRecord], lives: Iterable[Live]
) -> list[CampaignShort]:
    """Campaigns as a list shows them."""
    tallies, twins = store.tallies(records), store.twin_benches()
    by_campaign = {live.campaign_id: live for live in lives if live.at_work}
    return [
        CampaignShort(
            **_short(
                record,
                tallies[record.campaign.id],
                twin=record.bench_id in twins,
                live=by_campaign.get(record.campaign.id),
            )
        )
        for record in records
    ]


def campaign_full(store: Store, record: CampaignRecord, lives: Iterable[Live]) -> CampaignFull:
    """A campaign with all that it was frozen with."""
    campaign = record.campaign
    submitted = store.submission_of(campaign.id)
    (short,) = campaigns_short(store, [record], lives)
    return CampaignFull(
        **short.model_dump(),
        planner={"name": campaign.planner.name, "settings": plain(dict(campaign.planner.settings))},
        protocol={"name": campaign.protocol.name, "parameters": plain(dict(campaign.protocol.parameters))},
        policies={
            "repeat_failed": campaign.policies.repeat_failed,
            "stop_when_advised": campaign.policies.stop_when_advised,
            "max_redos": campaign.policies.max_redos,
            "priority": campaign.policies.priority,
        },
        batch_size=campaign.batch_size,
        seed=campaign.seed,
        reference=campaign.reference.id,
        candidates=len(campaign.candidates),
        files={name: text for name, text in record.files.items() if name != "workcell_folder"},
        baselines=[r.campaign.id for r in store.campaigns() if r.campaign.baseline_of == campaign.id],
        submitted_by="" if submitted is None else submitted.who,
    )


def _short(record: CampaignRecord, tally: Tally, *, twin: bool, live: Live | None) -> dict[str, Any]:
    campaign, best = record.campaign, tally.best
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": str(record.status),
        "sentence": record.sentence,
        "workcell": campaign.workcell,
        "bench_id": record.bench_id,
        "twin": twin,
        "budget": campaign.budget,
        "spent": tally.spent,
        "measured": tally.measured,
        "baseline_of": campaign.baseline_of,
        "goal": {
            "target": campaign.goal.target,
            "objectives": [
                {"target": o.target, "direction": str(o.direction)} for o in campaign.goal.objectives
            ],
        },
        "best": None
        if best is None
        else {
            "candidate_id": best[0].candidate.id,
            "value": finite(best[1].value),
            "standard_error": finite(best[1].standard_error),
            "unit": best[1].unit,
        },
        "created_utc": record.created_utc,
        "live": None if live is None else LiveShape.of(live),
    }
