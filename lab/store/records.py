"""What the store gives back beyond the values of ``lab.types``. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lab.types import Campaign, CampaignStatus, JsonValue, Observation, Run

__all__ = [
    "AmendmentKind",
    "AmendmentRecord",
    "AuditedObservation",
    "BarRecord",
    "BenchRecord",
    "CampaignRecord",
    "EventRecord",
    "Fact",
    "RunOutcome",
]


AmendmentKind = Literal["retract", "supersede", "replicate"]
"""What can be said about a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRecord:
    """A bench, and what was believed of it before its first step.

    Args:
        seed: of a twin's world.
        ledger: path of a twin's ledger; empty on hardware.
        first_snapshot: of the belief, as the workcell file describes it.
    """

    id: str
    workcell: str
    twin: bool
    seed: int
    ledger: str
    first_snapshot: JsonValue
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign and how it stands.

    Args:
        sentence: why it stands there; empty while it simply runs.
        content_hash: of the files it was read from.
        files: name -> text of them, as they were when it started.
        needs: what one batch of it takes of the bench's inventory, name (``tips:50``, ``content:assay_buffer``, ``plates``)
            -> tips, microlitres or plates.
    """

    campaign: Campaign
    status: CampaignStatus
    sentence: str
    bench_id: str
    content_hash: str
    files: Mapping[str, str]
    created_utc: datetime
    needs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run and how it went.

    Args:
        batch_number: of the batch it carried out.
        reason: why it was stopped; empty otherwise.
        error: what it failed with; empty otherwise.
        uid: of the Bluesky run of its last stretch; empty until that ended well.
        ended_utc: when its last stretch ended; None while it runs.
    """

    run: Run
    batch_number: int
    reason: str
    error: str
    uid: str
    begun_utc: datetime
    ended_utc: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarRecord:
    """A place that was barred, or a bar that was lifted.

    Args:
        number: ever increasing.
        run_id: on whose account; empty where there was none. So with ``step_id`` and ``sample_id``.
        lifts: number of the bar that this one lifts; None where it bars.
        lab_time_s: None where the lab's clock was not running.
    """

    number: int
    bench_id: str
    labware: str
    well: str
    run_id: str
    step_id: str
    sample_id: str
    why: str
    who: str
    lifts: int | None
    lab_time_s: float | None
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AmendmentRecord:
    """What a person said about a result after it was recorded.

    Args:
        kind: ``retract``, ``supersede`` or ``replicate``.
        experiment_id: whose result it is about; of a replicate, the one that measured once more.
        observation_id: that no longer counts; empty for a replicate.
        replacement_id: that counts in its place; empty unless superseded.
        of_experiment_id: the first experiment that the replicate belongs to; empty otherwise.
    """

    id: str
    campaign_id: str
    kind: AmendmentKind
    experiment_id: str
    observation_id: str
    replacement_id: str
    of_experiment_id: str
    who: str
    why: str
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedObservation:
    """An observation as it was recorded, and what was said about it since.

    Args:
        counts: whether it is neither retracted nor superseded.
        amendments: that it is about: those that took it out, the one that it replaces another by, and those that pool it.
    """

    observation: Observation
    recorded_utc: datetime
    counts: bool
    amendments: tuple[AmendmentRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened to a campaign.

    Args:
        number: ever increasing; ask for what came after it.
        kind: a short word (``status``, ``batch``, ``result``).
        lab_time_s: None where the lab's clock was not running.
    """

    number: int
    campaign_id: str
    kind: str
    sentence: str
    lab_time_s: float | None
    utc: datetime
    details: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that ``drywet doctor`` says.

    Args:
        name: what was looked at (``journal mode``).
        value: what was found.
        way_out: what to do about it where it is not well.
    """

    name: str
    value: str
    ok: bool = True
    way_out: str = ""
