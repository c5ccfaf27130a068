"""How schedules are told: over HTTP, and on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from lab.schedules import OnMissed, OnOverlap, Schedule
from lab.timetable import Timetable, timetable_of

__all__ = ["MomentShape", "ScheduleShape", "moments_after_now", "schedule_shape"]


class MomentShape(BaseModel):
    """A moment at which a schedule is due."""

    utc: datetime
    local: datetime


class ScheduleShape(BaseModel):
    """A schedule; ``next`` is empty while it is paused."""

    id: str
    name: str
    campaign: str
    cron: str
    timezone: str
    priority: int
    on_missed: OnMissed
    on_overlap: OnOverlap
    active: bool
    who: str
    created_utc: datetime
    removed_utc: datetime | None
    version: int
    next: list[MomentShape]
    text: str
    path: str


def schedule_shape(one: Schedule, count: int) -> ScheduleShape:
    """A schedule with its next moments."""
    table = timetable_of(one.cron, one.timezone)
    return ScheduleShape(
        id=one.id,
        name=one.name,
        campaign=one.campaign,
        cron=one.cron,
        timezone=one.timezone,
        priority=one.priority,
        on_missed=one.on_missed,
        on_overlap=one.on_overlap,
        active=one.active,
        who=one.who,
        created_utc=one.created_utc,
        removed_utc=one.removed_utc,
        version=one.version,
        next=moments_after_now(table, count) if one.active else [],
        text=one.document.text,
        path=one.document.path,
    )


def moments_after_now(table: Timetable, count: int) -> list[MomentShape]:
    """Its next moments, by its own clock and in UTC."""
    found = table.next(datetime.now(UTC), count)
    return [MomentShape(utc=moment, local=moment.astimezone(table.zone)) for moment in found]
