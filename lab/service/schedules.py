"""Schedules: campaigns that begin by the clock on the wall, and the calendar of what was, what comes and what waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from lab.errors import BadInput
from lab.people import Permission
from lab.schedules import Firing, OnMissed, OnOverlap, Schedule
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal, found
from lab.service.hub import Hub
from lab.service.moments import Moment
from lab.service.parts import HousePart, HubPart, StorePart
from lab.service.schedule_shapes import MomentShape, ScheduleShape, moments_after_now, schedule_shape
from lab.service.submissions import Handed
from lab.store import Store
from lab.submissions import Submission, SubmissionStatus
from lab.timetable import read_timetable, timetable_of

__all__ = ["calendar_of", "router", "tell_of_firings"]

router = APIRouter(tags=["schedules"], route_class=CommandRoute)

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"

Planner = Annotated[Caller, Depends(needs(Permission.PLAN, somewhere=True))]
Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]
Expected = Annotated[int | None, Query(ge=1, le=2**31, description="Its version, as seen.")]
ScheduleId = Annotated[
    str,
    Path(max_length=200, pattern=ONE_LINE, description="Its id, or the name of one that stands."),
]

Cron = Annotated[str, Field(min_length=1, max_length=200, examples=["0 2 * * 1-5"])]
Zone = Annotated[str, Field(min_length=1, max_length=100, examples=["Europe/Berlin"])]

LONGEST = timedelta(days=400)
"""That a calendar may show at once."""

MOST = 2000
"""Moments of one schedule, and firings of all, that a calendar shows."""


class Scheduled(Handed):
    """A campaign file, and when it is to begin."""

    name: str = Field(
        default="",
        max_length=200,
        pattern=ONE_LINE,
        description="Of the schedule; the campaign's, if left out.",
    )
    cron: Cron
    timezone: Zone
    priority: int = Field(default=0, ge=-9, le=9, description="Of what is handed in; more is sooner.")
    on_missed: OnMissed = OnMissed.RUN_ONCE
    on_overlap: OnOverlap = OnOverlap.SKIP


class FiringShape(BaseModel):
    """What was done at a moment."""

    number: int
    schedule_id: str
    due_utc: datetime
    outcome: Literal["fired", "missed", "overlapped", "failed"]
    sentence: str
    submission_id: str
    campaign_id: str
    decided_utc: datetime


class EntryShape(BaseModel):
    """One line of the calendar: a moment that was decided, one that comes, or something that waits for a moment."""

    utc: datetime
    kind: Literal["fired", "missed", "overlapped", "failed", "due", "waiting"]
    name: str
    campaign: str
    sentence: str
    schedule_id: str
    submission_id: str
    campaign_id: str


class CalendarShape(BaseModel):
    """What was, what comes and what waits, in order of time. ``more`` says that not all of it is here."""

    first_utc: datetime
    last_utc: datetime
    entries: list[EntryShape]
    more: bool


@router.get("/schedules", summary="Schedules")
def schedules(
    caller: Viewer,
    store: StorePart,
    removed: Annotated[bool, Query(description="Also removed ones.")] = False,
) -> list[ScheduleShape]:
    """In the order in which they were made, each with its next moment."""
    return [schedule_shape(one, 1) for one in store.schedules(removed=removed)]


@router.post("/schedules", status_code=201, summary="Make a schedule")
def add(
    scheduled: Scheduled, caller: Planner, house: HousePart, store: StorePart, hub: HubPart
) -> ScheduleShape:
    """Keep a campaign and begin it at each of the moments. Refused when it could not be started as things are."""
    read_timetable(scheduled.cron, scheduled.timezone)
    checked = house.check(scheduled.document)
    if checked.problems:
        raise Refusal(
            422, "infeasible", " ".join(checked.problems), way_out="Change what it names.", field="text"
        )
    caller.require(Permission.PLAN, protocol=checked.campaign.protocol.name, devices=checked.devices)
    made = store.add_schedule(
        scheduled.name.strip() or checked.campaign.name,
        campaign=checked.campaign.name,
        document=scheduled.document,
        cron=scheduled.cron,
        timezone=scheduled.timezone,
        who=caller.name,
        priority=scheduled.priority,
        on_missed=scheduled.on_missed,
        on_overlap=scheduled.on_overlap,
    )
    return _told(hub, made, "made")


@router.get("/schedules/moments", summary="What a cron expression means")
def moments(
    caller: Viewer,
    cron: Annotated[str, Query(min_length=1, max_length=200, examples=["0 2 * * 1-5"])],
    timezone: Annotated[str, Query(min_length=1, max_length=100, examples=["Europe/Berlin"])],
    count: Annotated[int, Query(ge=1, le=100)] = 10,
) -> list[MomentShape]:
    """Its next moments, by the clock there and in UTC."""
    return moments_after_now(read_timetable(cron, timezone), count)


@router.get("/schedules/calendar", summary="The calendar")
def calendar(
    caller: Viewer,
    store: StorePart,
    first: Annotated[
        Moment | None,
        Query(alias="from", description="A week ago, if left out; or 38 days before the other."),
    ] = None,
    last: Annotated[Moment | None, Query(alias="to", description="A month after that.")] = None,
) -> CalendarShape:
    """Moments that were decided and what came of them, those that come, and what waits for a moment of its own."""
    return calendar_of(store, first, last)


@router.get(
    "/schedules/calendar.ics",
    summary="The calendar, for other programs",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}},
)
def icalendar(
    caller: Viewer,
    store: StorePart,
    first: Annotated[Moment | None, Query(alias="from")] = None,
    last: Annotated[Moment | None, Query(alias="to")] = None,
) -> Response:
    """The same as an iCalendar file."""
    from lab.service.icalendar_text import calendar_text

    text = calendar_text(calendar_of(store, first, last).entries)
    return Response(
        text,
        media_type="text/calendar",
        headers={"Content-Disposition": 'attachment; filename="drywet.ics"'},
    )


@router.get("/schedules/{schedule_id}", summary="A schedule")
def schedule(schedule_id: ScheduleId, caller: Viewer, store: StorePart) -> ScheduleShape:
    """One of them, with its next ten moments."""
    return schedule_shape(found(lambda: store.schedule(schedule_id), "schedule"), 10)


@router.get("/schedules/{schedule_id}/firings", summary="What was done at its moments")
def firings(
    schedule_id: ScheduleId,
    caller: Viewer,
    store: StorePart,
    most: Annotated[int, Query(ge=1, le=MOST)] = 200,
) -> list[FiringShape]:
    """In order of time; the newest, where there are more."""
    one = found(lambda: store.schedule(schedule_id), "schedule")
    return [_fired(firing) for firing in store.firings(schedule_id=one.id, most=most)]


@router.post("/schedules/{schedule_id}/pause", summary="Begin nothing for now")
def pause(
    schedule_id: ScheduleId,
    caller: Planner,
    store: StorePart,
    house: HousePart,
    hub: HubPart,
    expected: Expected = None,
) -> ScheduleShape:
    """What passes while it is paused is not missed."""
    one = _to_change(store, house, schedule_id, caller)
    return _told(hub, store.pause_schedule(one.id, paused=True, expected_version=expected), "paused")


@router.post("/schedules/{schedule_id}/resume", summary="Begin again")
def resume(
    schedule_id: ScheduleId,
    caller: Planner,
    store: StorePart,
    house: HousePart,
    hub: HubPart,
    expected: Expected = None,
) -> ScheduleShape:
    """Its next moment is the next after now."""
    one = _to_change(store, house, schedule_id, caller)
    return _told(hub, store.pause_schedule(one.id, paused=False, expected_version=expected), "resumed")


@router.post("/schedules/{schedule_id}/remove", summary="Remove a schedule")
def remove(
    schedule_id: ScheduleId,
    caller: Planner,
    store: StorePart,
    house: HousePart,
    hub: HubPart,
    expected: Expected = None,
) -> ScheduleShape:
    """What it began goes on, and stays known."""
    one = _to_change(store, house, schedule_id, caller)
    return _told(hub, store.remove_schedule(one.id, expected_version=expected), "removed")


def _to_change(store: Store, house: HousePart, schedule_id: str, caller: Caller) -> Schedule:
    """A schedule that somebody wants to change, who made it or might have made it.

    Raises:
        Refusal: 404; 403 for its protocol or its devices.
    """
    one = found(lambda: store.schedule(schedule_id), "schedule")
    if one.who == caller.name:
        return one
    try:
        checked = house.check(one.document)
    except BadInput:  # its files are not what they were; it begins nothing, and may be paused and removed
        caller.require(Permission.PLAN)
        return one
    caller.require(Permission.PLAN, protocol=checked.campaign.protocol.name, devices=checked.devices)
    return one


def _told(hub: Hub, schedule: Schedule, what: str) -> ScheduleShape:
    """A schedule that was changed, of which everybody who listens hears."""
    hub.tell("schedule", schedule_id=schedule.id, name=schedule.name, status=what)
    return schedule_shape(schedule, 10)


def tell_of_firings(hub: Hub) -> Callable[[Schedule, Firing], None]:
    """What tells everybody who listens what was done at a moment of a schedule."""

    def told(schedule: Schedule, firing: Firing) -> None:
        hub.tell("schedule", schedule_id=schedule.id, name=schedule.name, status=str(firing.outcome))

    return told


def _fired(firing: Firing) -> FiringShape:
    return FiringShape(
        number=firing.number,
        schedule_id=firing.schedule_id,
        due_utc=firing.due_utc,
        outcome=firing.outcome.value,
        sentence=firing.sentence,
        submission_id=firing.submission_id,
        campaign_id=firing.campaign_id,
        decided_utc=firing.decided_utc,
    )


def calendar_of(store: Store, first: datetime | None = None, last: datetime | None = None) -> CalendarShape:
    """What was, what comes and what waits between two moments; a week back and a month ahead without them.

    Raises:
        Refusal: 422; the two are too far from each other.
    """
    now = datetime.now(UTC)
    begin = first or (now if last is None else last - timedelta(days=31)) - timedelta(days=7)
    end = last or begin + timedelta(days=38)
    if not timedelta() < end - begin <= LONGEST:
        raise _span(f"A calendar shows up to {LONGEST.days} days, from an earlier moment to a later.")
    named = {one.id: one for one in store.schedules(removed=True)}
    past = store.firings(begin, end, most=MOST + 1)
    entries = [_past(firing, named[firing.schedule_id]) for firing in past[-MOST:]]
    more = len(past) > MOST
    decided = {
        (firing.schedule_id, firing.due_utc) for firing in past
    }  # some ahead of now, by a clock that was wrong
    for one in named.values():
        if one.active:
            to_come = (
                entry for entry in _coming(one, max(begin, now), end) if (one.id, entry.utc) not in decided
            )
            coming = list(islice(to_come, MOST + 1))
            more = more or len(coming) > MOST
            entries += coming[:MOST]
    entries += [
        _waiting(one, one.not_before_utc)
        for one in store.submissions(open_only=True)
        if one.not_before_utc is not None and begin <= one.not_before_utc < end
    ]
    entries.sort(key=lambda entry: entry.utc)
    return CalendarShape(first_utc=begin, last_utc=end, entries=entries, more=more)


def _span(sentence: str) -> Refusal:
    return Refusal(422, "bad_input", sentence, way_out="Ask for less, or for another time.", field="from")


def _past(firing: Firing, schedule: Schedule) -> EntryShape:
    return EntryShape(
        utc=firing.due_utc,
        kind=firing.outcome.value,
        name=schedule.name,
        campaign=schedule.campaign,
        sentence=firing.sentence,
        schedule_id=schedule.id,
        submission_id=firing.submission_id,
        campaign_id=firing.campaign_id,
    )


def _coming(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[EntryShape]:
    table = timetable_of(schedule.cron, schedule.timezone)
    for moment in takewhile(lambda moment: moment < end, table.after(max(begin, schedule.considered_utc))):
        yield EntryShape(
            utc=moment,
            kind="due",
            name=schedule.name,
            campaign=schedule.campaign,
            sentence="",
            schedule_id=schedule.id,
            submission_id="",
            campaign_id="",
        )


def _waiting(submission: Submission, moment: datetime) -> EntryShape:
    said = "It waits for an approval first." if submission.status is SubmissionStatus.WAITING else ""
    return EntryShape(
        utc=moment,
        kind="waiting",
        name=submission.name,
        campaign=submission.name,
        sentence="A person keeps it from starting." if submission.held else said,
        schedule_id=submission.schedule_id,
        submission_id=submission.id,
        campaign_id="",
    )
