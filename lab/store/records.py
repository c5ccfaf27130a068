"""What the store gives back beyond the values of ``lab.types``. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lab.types import Campaign, CampaignStatus, JsonValue, Run

__all__ = ["BenchRecord", "CampaignRecord", "EventRecord", "Fact", "RunOutcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRecord:
    """A bench and what is believed of it.

    Args:
        seed: of a twin's world.
        ledger: path of a twin's ledger; empty on hardware.
        first_snapshot: of the belief, as the workcell file describes it.
        snapshot: the latest; it holds every step whose completion is at most ``sequence``.
        sequence: 0 for the first snapshot.
    """

    id: str
    workcell: str
    twin: bool
    seed: int
    ledger: str
    first_snapshot: JsonValue
    snapshot: JsonValue
    sequence: int
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign and how it stands.

    Args:
        sentence: why it stands there; empty while it simply runs.
        content_hash: of the files it was read from.
        files: name -> text of them, as they were when it started.
    """

    campaign: Campaign
    status: CampaignStatus
    sentence: str
    bench_id: str
    content_hash: str
    files: Mapping[str, str]
    created_utc: datetime


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
