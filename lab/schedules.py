"""Schedules: campaigns that begin by the clock on the wall, and what was done at each moment that was due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lab.submissions import CampaignText

__all__ = ["Firing", "OnMissed", "OnOverlap", "Outcome", "Schedule"]


class OnMissed(StrEnum):
    """What is done about moments that passed while nobody looked: the service was down, or the computer slept."""

    RUN_ONCE = "run_once"
    """One campaign begins for all of them."""
    SKIP = "skip"
    """Nothing begins; the next moment is the next."""


class OnOverlap(StrEnum):
    """What is done at a moment at which what the schedule began before is not over yet."""

    QUEUE = "queue"
    """It waits until that is over."""
    SKIP = "skip"
    """Nothing begins."""


class Outcome(StrEnum):
    """What was done at a moment."""

    FIRED = "fired"
    """A submission was made."""
    MISSED = "missed"
    """It passed while nobody looked, and nothing began for it."""
    OVERLAPPED = "overlapped"
    """What began before was not over."""
    FAILED = "failed"
    """What the schedule begins can't be begun; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a campaign begins, over and over.

    Args:
        id: ``sch_...``.
        name: of one schedule only, among those that were not removed.
        campaign: name of what it begins.
        cron: five fields; see :mod:`lab.timetable`.
        timezone: of the fields, as the IANA names it (``Europe/Berlin``).
        document: what is handed in each time.
        priority: of what is handed in.
        active: False while it is paused.
        who: made it; what it hands in is theirs.
        considered_utc: every moment up to here was decided.
        removed_utc: None while it stands.
        version: counts its changes.
    """

    id: str
    number: int
    name: str
    campaign: str
    cron: str
    timezone: str
    document: CampaignText
    priority: int
    on_missed: OnMissed
    on_overlap: OnOverlap
    active: bool
    who: str
    created_utc: datetime
    considered_utc: datetime
    removed_utc: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One moment of a schedule, and what was done. A moment is decided once.

    Args:
        sentence: why, where that needs a word.
        submission_id: what was handed in; empty where nothing was.
        campaign_id: what that became; empty before it starts.
        decided_utc: by the clock of the service.
    """

    number: int
    schedule_id: str
    due_utc: datetime
    outcome: Outcome
    sentence: str
    submission_id: str
    campaign_id: str
    decided_utc: datetime
