"""What is worth telling people, read out of the tables in which it comes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from lab.approvals import ApprovalStatus
from lab.notices import News, NoticeKind, page
from lab.schedules import Outcome
from lab.store.service_tables import ApprovalTable, FiringTable, NoticeTable, ScheduleTable, SubmissionTable
from lab.store.tables import BatchTable, CampaignTable, EventTable
from lab.submissions import SubmissionStatus
from lab.types import CampaignStatus

__all__ = ["SOURCES", "Heard"]

_MOST_ROWS = 500
"""That are read in one go."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came up in one table, and how far it is read with that."""

    bookmark: str
    number: int
    news: tuple[News, ...]


def _of_events(session: Session, after: int) -> Heard:
    query = (
        select(EventTable, CampaignTable)
        .join(CampaignTable, col(CampaignTable.id) == EventTable.campaign_id)
        .where(col(EventTable.number) > after)
        .order_by(col(EventTable.number))
        .limit(_MOST_ROWS)
    )
    rows = session.exec(query).all()
    found = [_of_event(session, event, campaign) for event, campaign in rows]
    last = rows[-1][0].number if rows else after
    return Heard("notices:event", last or after, tuple(news for news in found if news is not None))


def _of_event(session: Session, event: EventTable, campaign: CampaignTable) -> News | None:
    status = event.details.get("status") if event.kind == "status" else None
    where = "live_run"
    if event.kind == "fault":
        kind, subject = NoticeKind.FAULT, f"{campaign.name}: a fault"
    elif status == CampaignStatus.HELD and not _asks(session, campaign.id):
        kind, subject = NoticeKind.HOLD, f"{campaign.name} is held and waits for you"
    elif status in (CampaignStatus.FINISHED, CampaignStatus.ABORTED) and not _is_baseline(campaign):
        given_up = status == CampaignStatus.ABORTED
        kind, where = NoticeKind.FINISHED, "results"
        subject = f"{campaign.name} {'was given up' if given_up else 'has finished'}"
    else:
        return None
    return News(
        key=f"event:{event.number}",
        kind=kind,
        campaign_id=campaign.id,
        campaign=campaign.name,
        subject=subject,
        sentence=event.sentence,
        path=page(where, campaign=campaign.id),
        utc=event.utc,
    )


def _asks(session: Session, campaign_id: str) -> bool:
    """Whether a campaign is held because a person's approval is waited for, of which people are told as such."""
    query = select(ApprovalTable).where(
        ApprovalTable.campaign_id == campaign_id, ApprovalTable.status == ApprovalStatus.WAITING.value
    )
    return session.exec(query).first() is not None


def _is_baseline(campaign: CampaignTable) -> bool:
    return bool(campaign.frozen.get("baseline_of"))


def _of_approvals(session: Session, after: int) -> Heard:
    query = (
        select(ApprovalTable)
        .where(col(ApprovalTable.number) > after)
        .order_by(col(ApprovalTable.number))
        .limit(_MOST_ROWS)
    )
    rows = session.exec(query).all()
    news = [_of_approval(session, row) for row in rows if row.status == ApprovalStatus.WAITING]
    return Heard("notices:approval", (rows[-1].number if rows else after) or after, tuple(news))


def _of_approval(session: Session, row: ApprovalTable) -> News:
    name, campaign_id, what = "", row.campaign_id or "", "its start"
    if row.batch_id is not None:
        batch = session.get(BatchTable, row.batch_id)
        assert batch is not None  # a foreign key
        campaign = session.get(CampaignTable, batch.campaign_id)
        assert campaign is not None
        name, campaign_id, what = campaign.name, campaign.id, f"batch {batch.number}"
    else:
        submission = session.exec(
            select(SubmissionTable).where(SubmissionTable.id == row.submission_id)
        ).first()
        assert submission is not None  # a foreign key
        name = submission.name
    reasons = " ".join(str(reason["sentence"]) for reason in row.reasons)
    return News(
        key=f"approval:{row.id}",
        kind=NoticeKind.APPROVAL,
        campaign_id=campaign_id,
        campaign=name,
        subject=f"{name}: {what} waits for an approval",
        sentence=f"Asked for by {row.asked_by}. {reasons}".rstrip(),
        path=page("approve", approval=row.id),
        utc=row.asked_utc,
    )


def _of_firings(session: Session, after: int) -> Heard:
    query = (
        select(FiringTable, ScheduleTable)
        .join(ScheduleTable, col(ScheduleTable.id) == FiringTable.schedule_id)
        .where(col(FiringTable.number) > after)
        .order_by(col(FiringTable.number))
        .limit(_MOST_ROWS)
    )
    rows = session.exec(query).all()
    news = [
        News(
            key=f"firing:{schedule.id}:{firing.due_utc.isoformat()}",
            kind=NoticeKind.NOT_STARTED,
            campaign_id="",
            campaign=schedule.campaign,
            subject=f"{schedule.campaign} did not begin as scheduled",
            sentence=f"The schedule {schedule.name} was due. {firing.sentence}",
            path=page("schedule", schedule=schedule.id),
            utc=firing.due_utc,
        )
        for firing, schedule in rows
        if firing.outcome == Outcome.FAILED
    ]
    return Heard("notices:firing", (rows[-1][0].number if rows else after) or after, tuple(news))


def _of_submissions(session: Session, after: int) -> Heard:
    """Submissions that failed. One that is open may fail yet, so it is read up to the first of those."""
    query = (
        select(SubmissionTable)
        .options(defer(SubmissionTable.document), defer(SubmissionTable.rehearsal))  # texts, and long
        .where(col(SubmissionTable.number) > after)
        .order_by(col(SubmissionTable.number))
    )
    news, upto, still_open = [], after, False
    for row in session.exec(query):
        still_open = still_open or not SubmissionStatus(row.status).over
        if not still_open:
            upto = row.number or upto
        if row.status == SubmissionStatus.FAILED and not _told(session, f"submission:{row.id}"):
            news.append(
                News(
                    key=f"submission:{row.id}",
                    kind=NoticeKind.NOT_STARTED,
                    campaign_id="",
                    campaign=row.name,
                    subject=f"{row.name} could not be started",
                    sentence=row.sentence,
                    path=page("queue", submission=row.id),
                    utc=row.created_utc,
                )
            )
    return Heard("notices:submission", upto, tuple(news))


def _told(session: Session, key: str) -> bool:
    query = select(NoticeTable).where(col(NoticeTable.key).startswith(f"{key}@", autoescape=True))
    return session.exec(query.limit(1)).first() is not None


SOURCES: Mapping[str, tuple[Any, Callable[[Session, int], Heard]]] = {
    "notices:event": (EventTable, _of_events),
    "notices:approval": (ApprovalTable, _of_approvals),
    "notices:firing": (FiringTable, _of_firings),
    "notices:submission": (SubmissionTable, _of_submissions),
}
"""Bookmark -> table that is read, and what reads in it what came after a row."""
