"""Schedules, and what was done at each moment that was due. A moment is decided in the transaction that acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, and_, col, or_, select

from lab.approvals import ApprovalReason
from lab.errors import BadInput
from lab.schedules import Firing, OnMissed, OnOverlap, Outcome, Schedule
from lab.store.approvals import add_start_request
from lab.store.database import Part
from lab.store.saying import refuse_silence
from lab.store.service_tables import FiringTable, ScheduleTable, SubmissionTable
from lab.store.submissions import add_submission
from lab.store.tables import CampaignTable, now
from lab.submissions import CampaignText, Submission, SubmissionStatus
from lab.timetable import Moment, moments_due, read_timetable, timetable_of
from lab.types import CampaignStatus, JsonValue, new_id

__all__ = ["MOST_WAITING", "Checkup", "Schedules"]

MOST_WAITING = 10
"""Submissions of one schedule that may wait for each other; what comes on top begins nothing."""

_OVER = (CampaignStatus.FINISHED.value, CampaignStatus.ABORTED.value)
_OPEN = tuple(status.value for status in SubmissionStatus if not status.over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What was found when the campaign of a schedule was looked at, ahead of a moment.

    Args:
        problem: why it can't be begun; empty when it can.
        rehearsal: kept with what is handed in.
        ask: why a person must agree before it starts; it waits for them then. Empty where nobody needs to.
    """

    problem: str = ""
    rehearsal: Mapping[str, JsonValue] = field(default_factory=dict)
    ask: tuple[ApprovalReason, ...] = ()


class Schedules(Part):
    """The part of :class:`lab.store.Store` that keeps schedules and firings. Any thread."""

    def add_schedule(
        self,
        name: str,
        *,
        campaign: str,
        document: CampaignText,
        cron: str,
        timezone: str,
        who: str,
        priority: int = 0,
        on_missed: OnMissed = OnMissed.RUN_ONCE,
        on_overlap: OnOverlap = OnOverlap.SKIP,
        at: datetime | None = None,
    ) -> Schedule:
        """Keep a new schedule; its first moment is the next after now.

        Args:
            campaign: name of what it begins, which the caller has read and tried out.
            at: the time on the wall; the computer's, when left out.

        Raises:
            BadInput: a wrong expression or time zone, a name that is taken or empty, or nobody says so.
        """
        refuse_silence(who)
        table = read_timetable(cron, timezone)
        named = name.strip()
        if not named or not named.isprintable():
            raise BadInput("A schedule has a name, in one line.", way_out="Give one.", field="name")
        with self._database.write_session() as session:
            taken = select(ScheduleTable).where(
                ScheduleTable.name == named, col(ScheduleTable.removed_utc).is_(None)
            )
            if session.exec(taken).first() is not None:
                raise BadInput(
                    f"There is a schedule {named} already.",
                    way_out="Remove that one, or choose another name.",
                    field="name",
                )
            moment = at or now()
            row = ScheduleTable(
                id=new_id("sch"),
                name=named,
                campaign=campaign,
                cron=table.cron,
                timezone=timezone,
                document=document.to_json(),
                priority=priority,
                on_missed=on_missed.value,
                on_overlap=on_overlap.value,
                who=who,
                created_utc=moment,
                considered_utc=moment,
            )
            session.add(row)
            session.flush()
            return _schedule(row)

    def schedules(self, *, removed: bool = False) -> tuple[Schedule, ...]:
        """Those that stand, or also those that were removed, in the order in which they were made."""
        query = select(ScheduleTable).order_by(col(ScheduleTable.number))
        if not removed:
            query = query.where(col(ScheduleTable.removed_utc).is_(None))
        with self._database.read_session() as session:
            return tuple(_schedule(row) for row in session.exec(query))

    def schedule(self, id_or_name: str) -> Schedule:
        """A schedule by its id, or one that stands by its name.

        Raises:
            BadInput: there is none.
        """
        with self._database.read_session() as session:
            return _schedule(_find(session, id_or_name))

    def pause_schedule(
        self,
        id_or_name: str,
        *,
        paused: bool,
        expected_version: int | None = None,
        at: datetime | None = None,
    ) -> Schedule:
        """Have it begin nothing, or go on. What passes while it is paused is not missed. Safe to repeat.

        Raises:
            BadInput: there is none, it was removed (its ``field`` is then ``status``), or changed since (``version``).
        """
        with self._database.write_session() as session:
            row = _find(session, id_or_name, expected_version)
            if row.removed_utc is not None:
                raise BadInput(
                    f"The schedule {row.name} was removed.", way_out="Make a new one.", field="status"
                )
            if row.active is paused:
                row.active = not paused
                row.version += 1
                row.considered_utc = at or now()
                session.add(row)
                session.flush()
            return _schedule(row)

    def remove_schedule(
        self, id_or_name: str, *, expected_version: int | None = None, at: datetime | None = None
    ) -> Schedule:
        """Have it begin nothing any more. What it began goes on, and stays known. Safe to repeat.

        Raises:
            BadInput: there is none, or it was changed since; its ``field`` is then ``version``.
        """
        with self._database.write_session() as session:
            row = _find(session, id_or_name, expected_version)
            if row.removed_utc is None:
                row.active = False
                row.removed_utc = at or now()
                row.version += 1
                session.add(row)
                session.flush()
            return _schedule(row)

    def fires_now(self, schedule_id: str, at: datetime) -> bool:
        """Whether a moment is due at which it would begin something. Changes nothing."""
        with self._database.read_session() as session:
            row = _find(session, schedule_id)
            return row.active and any(moment.fires for moment in _due(session, row, at))

    def decide(self, schedule_id: str, at: datetime, checkup: Checkup | None) -> tuple[Firing, ...]:
        """Decide all moments of a schedule up to one, and hand in what is to begin: all of it or nothing.

        A clock that was set back makes no moment fire twice. What it had counted as missed, and is to come after all, is
        decided anew when it comes.

        Args:
            at: the time on the wall.
            checkup: what was found of the campaign. None where :meth:`fires_now` said that nothing begins; nothing is
                decided then, should that have changed.

        Returns:
            What was decided now, in order of time; of much that was missed only the first part, and the next call goes on.
        """
        with self._database.write_session() as session:
            row = _find(session, schedule_id)
            if not row.active:
                return ()
            if at < row.considered_utc:
                _forget_missed(session, row, at)
            due = _due(session, row, at)
            if checkup is None and any(moment.fires for moment in due):
                return ()
            decided = [_decided(session, row, moment, at, checkup or Checkup()) for moment in due]
            if decided or at < row.considered_utc:
                # Not the moment one looks at: a clock that jumps ahead for a minute would swallow what lies between.
                row.considered_utc = decided[-1].due_utc if decided else at
                session.add(row)
            session.flush()
            return tuple(_firing(one, "") for one in decided)

    def firings(
        self,
        first: datetime | None = None,
        last: datetime | None = None,
        *,
        schedule_id: str | None = None,
        most: int = 1000,
    ) -> tuple[Firing, ...]:
        """Moments that were decided, in order of time; the newest of them, where there are more than ``most``."""
        query = (
            select(FiringTable, SubmissionTable.campaign_id)
            .join(SubmissionTable, col(SubmissionTable.id) == FiringTable.submission_id, isouter=True)
            .order_by(col(FiringTable.due_utc).desc(), col(FiringTable.number).desc())
            .limit(most)
        )
        if first is not None:
            query = query.where(col(FiringTable.due_utc) >= first)
        if last is not None:
            query = query.where(col(FiringTable.due_utc) < last)
        if schedule_id is not None:
            query = query.where(FiringTable.schedule_id == schedule_id)
        with self._database.read_session() as session:
            found = [_firing(row, campaign_id or "") for row, campaign_id in session.exec(query)]
        return tuple(reversed(found))

    def waits_for_its_schedule(self, submission: Submission) -> bool:
        """Whether a submission of a schedule has to wait until one that the schedule handed in before is over."""
        if not submission.schedule_id:
            return False
        with self._database.read_session() as session:
            return bool(_unfinished(session, submission.schedule_id, before=submission.number))


def _decided(
    session: Session, row: ScheduleTable, moment: Moment, at: datetime, checkup: Checkup
) -> FiringTable:
    """Keep what is done at one moment, with the submission that it makes."""
    firing = FiringTable(
        schedule_id=row.id,
        due_utc=moment.due_utc,
        outcome=Outcome.MISSED.value,
        sentence=moment.sentence,
        decided_utc=at,
    )
    if moment.fires:
        _fire(session, row, firing, checkup)
    session.add(firing)
    session.flush()
    return firing


def _fire(session: Session, row: ScheduleTable, firing: FiringTable, checkup: Checkup) -> None:
    """Say in a firing what comes of it, and hand in what begins."""
    open_ones = _unfinished(session, row.id)
    said = [firing.sentence] if firing.sentence else []
    if open_ones and row.on_overlap == OnOverlap.SKIP:
        firing.outcome = Outcome.OVERLAPPED.value
        said.append(f"{open_ones[-1]}, begun by this schedule before, was not over.")
    elif len(open_ones) > MOST_WAITING:
        firing.outcome = Outcome.OVERLAPPED.value
        said.append(f"{len(open_ones)} of this schedule were not over; no more than {MOST_WAITING} may wait.")
    elif checkup.problem:
        firing.outcome = Outcome.FAILED.value
        said.append(checkup.problem)
    else:
        firing.outcome = Outcome.FIRED.value
        submission = add_submission(
            session,
            row.campaign,
            CampaignText(**row.document),
            who=row.who,
            status=SubmissionStatus.WAITING if checkup.ask else SubmissionStatus.QUEUED,
            rehearsal=checkup.rehearsal or None,
            priority=row.priority,
            schedule_id=row.id,
        )
        if checkup.ask:
            add_start_request(session, submission, checkup.ask)
        firing.submission_id = submission.id
    firing.sentence = " ".join(said)


def _due(session: Session, row: ScheduleTable, at: datetime) -> tuple[Moment, ...]:
    considered = min(row.considered_utc, at)
    query = select(FiringTable.due_utc).where(
        FiringTable.schedule_id == row.id, col(FiringTable.due_utc) > considered
    )
    decided = set(session.exec(query))
    return moments_due(timetable_of(row.cron, row.timezone), OnMissed(row.on_missed), considered, at, decided)


def _forget_missed(session: Session, row: ScheduleTable, at: datetime) -> None:
    """The clock was set back: what a wrong clock counted as missed is to come."""
    query = select(FiringTable).where(
        FiringTable.schedule_id == row.id,
        FiringTable.outcome == Outcome.MISSED.value,
        col(FiringTable.due_utc) > at,
    )
    for firing in session.exec(query).all():
        session.delete(firing)
    session.flush()


def _unfinished(session: Session, schedule_id: str, before: int | None = None) -> list[str]:
    """Names of what a schedule handed in and is not over, oldest first; of what came before a number, if one is given."""
    query = (
        select(SubmissionTable.name)
        .join(CampaignTable, col(CampaignTable.id) == SubmissionTable.campaign_id, isouter=True)
        .where(
            SubmissionTable.schedule_id == schedule_id,
            or_(
                col(SubmissionTable.status).in_(_OPEN),
                and_(
                    SubmissionTable.status == SubmissionStatus.STARTED.value,
                    col(CampaignTable.status).not_in(_OVER),
                ),
            ),
        )
        .order_by(col(SubmissionTable.number))
    )
    if before is not None:
        query = query.where(col(SubmissionTable.number) < before)
    return list(session.exec(query))


def _find(session: Session, id_or_name: str, expected_version: int | None = None) -> ScheduleTable:
    row = session.exec(select(ScheduleTable).where(ScheduleTable.id == id_or_name)).first()
    if row is None:
        query = select(ScheduleTable).where(
            ScheduleTable.name == id_or_name, col(ScheduleTable.removed_utc).is_(None)
        )
        row = session.exec(query).first()
    if row is None:
        raise BadInput(f"There is no schedule {id_or_name}.", way_out="See them with: drywet schedule list")
    if expected_version is not None and row.version != expected_version:
        raise BadInput(f"{row.name} was changed meanwhile.", way_out="Look at it again.", field="version")
    return row


def _schedule(row: ScheduleTable) -> Schedule:
    assert row.number is not None  # it is in the database
    return Schedule(
        id=row.id,
        number=row.number,
        name=row.name,
        campaign=row.campaign,
        cron=row.cron,
        timezone=row.timezone,
        document=CampaignText(**row.document),
        priority=row.priority,
        on_missed=OnMissed(row.on_missed),
        on_overlap=OnOverlap(row.on_overlap),
        active=row.active,
        who=row.who,
        created_utc=row.created_utc,
        considered_utc=row.considered_utc,
        removed_utc=row.removed_utc,
        version=row.version,
    )


def _firing(row: FiringTable, campaign_id: str) -> Firing:
    assert row.number is not None  # it is in the database
    return Firing(
        number=row.number,
        schedule_id=row.schedule_id,
        due_utc=row.due_utc,
        outcome=Outcome(row.outcome),
        sentence=row.sentence,
        submission_id=row.submission_id or "",
        campaign_id=campaign_id,
        decided_utc=row.decided_utc,
    )
