"""Submissions: what was handed in, in the order in which it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from lab.approvals import ApprovalReason
from lab.errors import BadInput
from lab.store.approvals import add_start_request
from lab.store.database import Part
from lab.store.service_tables import SubmissionTable
from lab.submissions import CampaignText, Submission, SubmissionStatus
from lab.types import JsonValue, new_id

__all__ = ["Submissions", "add_submission", "start_submission"]


class Submissions(Part):
    """The part of :class:`lab.store.Store` that keeps submissions. Any thread."""

    def submit(
        self,
        name: str,
        document: CampaignText,
        *,
        who: str,
        status: SubmissionStatus = SubmissionStatus.QUEUED,
        rehearsal: Mapping[str, JsonValue] | None = None,
        priority: int = 0,
        not_before_utc: datetime | None = None,
        held: bool = False,
        ask: Sequence[ApprovalReason] = (),
    ) -> Submission:
        """Keep what somebody handed in.

        Args:
            ask: why a person must agree before it starts; it waits for them then. Empty where nobody needs to.
        """
        status = SubmissionStatus.WAITING if ask else status
        with self._database.write_session() as session:
            row = add_submission(
                session,
                name,
                document,
                who=who,
                status=status,
                rehearsal=rehearsal,
                priority=priority,
                not_before_utc=not_before_utc,
                held=held,
            )
            if ask:
                add_start_request(session, row, ask)
            return _submission(row)

    def submission(self, submission_id: str) -> Submission:
        """A submission by its identifier.

        Raises:
            BadInput: there is none.
        """
        with self._database.read_session() as session:
            return _submission(_find(session, submission_id))

    def submissions(self, *, open_only: bool = False) -> tuple[Submission, ...]:
        """All submissions, or those that wait, in the order in which they may start: priority first, then who came first."""
        query = select(SubmissionTable).order_by(
            col(SubmissionTable.priority).desc(), col(SubmissionTable.number)
        )
        if open_only:
            waiting = [status.value for status in SubmissionStatus if not status.over]
            query = query.where(col(SubmissionTable.status).in_(waiting))
        with self._database.read_session() as session:
            return tuple(_submission(row) for row in session.exec(query))

    def submission_of(self, campaign_id: str) -> Submission | None:
        """What a campaign was handed in as; None where it was started otherwise."""
        query = select(SubmissionTable).where(SubmissionTable.campaign_id == campaign_id)
        with self._database.read_session() as session:
            row = session.exec(query).first()
            return None if row is None else _submission(row)

    def change_submission(
        self,
        submission_id: str,
        *,
        expected_version: int | None = None,
        open_only: bool = True,
        **changes: Any,
    ) -> Submission:
        """Change a submission that waits.

        Args:
            expected_version: that whoever changes it saw; None for any.
            open_only: refuse to change what is started or given back.
            changes: fields of :class:`Submission`.

        Raises:
            BadInput: there is none, it is over, or it was changed since; its ``field`` is then ``version`` or ``status``.
        """
        with self._database.write_session() as session:
            row = _find(session, submission_id)
            if expected_version is not None and row.version != expected_version:
                raise BadInput(
                    f"{row.name} was changed meanwhile.", way_out="Look at it again.", field="version"
                )
            if open_only and SubmissionStatus(row.status).over:
                raise BadInput(
                    f"{row.name} is {row.status} and can't be changed.",
                    way_out="Hand it in once more.",
                    field="status",
                )
            for name, value in changes.items():
                setattr(row, name, value.to_json() if isinstance(value, CampaignText) else value)
            row.version += 1
            session.add(row)
            session.flush()
            return _submission(row)


def add_submission(
    session: Session,
    name: str,
    document: CampaignText,
    *,
    who: str,
    status: SubmissionStatus = SubmissionStatus.QUEUED,
    rehearsal: Mapping[str, JsonValue] | None = None,
    priority: int = 0,
    not_before_utc: datetime | None = None,
    held: bool = False,
    schedule_id: str | None = None,
    sentence: str = "",
) -> SubmissionTable:
    """Add a submission within a transaction that does more: a schedule that fires keeps both or neither."""
    row = SubmissionTable(
        id=new_id("sub"),
        name=name,
        status=status.value,
        sentence=sentence,
        document=document.to_json(),
        rehearsal=None if rehearsal is None else dict(rehearsal),
        priority=priority,
        not_before_utc=not_before_utc,
        held=held,
        schedule_id=schedule_id,
        who=who,
    )
    session.add(row)
    session.flush()
    return row


def start_submission(session: Session, submission_id: str, campaign_id: str) -> None:
    """Note what a submission became, in the transaction that makes the campaign: nothing starts twice.

    Raises:
        BadInput: it does not wait to be started.
    """
    row = _find(session, submission_id)
    if row.status != SubmissionStatus.QUEUED:
        raise BadInput(f"{row.name} is {row.status}; it can't be started.", field="status")
    row.status, row.sentence, row.campaign_id = SubmissionStatus.STARTED.value, "", campaign_id
    row.version += 1
    session.add(row)


def _find(session: Session, submission_id: str) -> SubmissionTable:
    row = session.exec(select(SubmissionTable).where(SubmissionTable.id == submission_id)).first()
    if row is None:
        raise BadInput(
            f"There is no submission {submission_id}.", way_out="See which there are in the queue."
        )
    return row


def _submission(row: SubmissionTable) -> Submission:
    assert row.number is not None  # it is in the database
    return Submission(
        id=row.id,
        number=row.number,
        name=row.name,
        status=SubmissionStatus(row.status),
        document=CampaignText(**row.document),
        who=row.who,
        created_utc=row.created_utc,
        sentence=row.sentence,
        rehearsal=row.rehearsal or {},
        priority=row.priority,
        held=row.held,
        not_before_utc=row.not_before_utc,
        campaign_id=row.campaign_id or "",
        schedule_id=row.schedule_id or "",
        version=row.version,
    )
