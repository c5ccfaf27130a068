"""Tables of the lab service: people, what they submitted, schedules, approvals, notices, and who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Double, UniqueConstraint
from sqlmodel import Field

from lab.store.columns import Json, Sentence, Utc
from lab.store.tables import _one_of, _Table, now

__all__ = [
    "ApprovalTable",
    "AuditTable",
    "BookmarkTable",
    "FiringTable",
    "NoticeTable",
    "PersonTable",
    "RepliedTable",
    "ScheduleTable",
    "SubmissionTable",
    "TokenTable",
]


class PersonTable(_Table, table=True):
    """Somebody, or a program, that may act through the service. Never deleted: ``active`` says whether they still may.

    ``roles`` is a list of role names; ``grants`` narrows or widens them for devices and protocols. ``password_hash`` is
    empty for those who log in elsewhere (``subject`` says as whom) and for programs; ``calendar_hash`` is of the secret in
    their own address of the calendar. ``version`` counts changes by admins.
    """

    __tablename__ = "person"

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    name: str = Field(unique=True)
    full_name: str = Field(default="", sa_type=Sentence)
    email: str = Field(default="", sa_type=Sentence)
    roles: Any = Field(sa_type=Json, nullable=False)
    grants: Any = Field(sa_type=Json, nullable=False)
    password_hash: str = ""
    subject: str | None = Field(default=None, unique=True)
    program: bool = False
    active: bool = True
    told_by_mail: bool = False
    calendar_hash: str | None = Field(default=None, unique=True)
    version: int = 1
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)


class TokenTable(_Table, table=True):
    """What a request shows in place of a password: a session of a person, or an API token. Only a hash of it is kept."""

    __tablename__ = "token"
    __table_args__: ClassVar[Any] = (_one_of("kind", "session", "api"),)

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True)
    kind: str
    name: str = Field(default="", sa_type=Sentence)
    hashed: str = Field(unique=True)
    scope: Any = Field(sa_type=Json, nullable=False)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)
    expires_utc: datetime = Field(sa_type=Utc)
    used_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)
    revoked_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)


class ScheduleTable(_Table, table=True):
    """Campaigns that begin by the clock on the wall.

    Every moment up to ``considered_utc`` was decided. ``campaign`` is the name of what it begins. A schedule that was
    removed stays, for what it began; its name is free again. ``version`` counts its changes.
    """

    __tablename__ = "schedule"
    __table_args__: ClassVar[Any] = (
        _one_of("on_missed", "run_once", "skip"),
        _one_of("on_overlap", "queue", "skip"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    name: str = Field(index=True)
    campaign: str
    cron: str
    timezone: str
    document: Any = Field(sa_type=Json, nullable=False)
    priority: int = 0
    on_missed: str
    on_overlap: str
    active: bool = True
    who: str = Field(sa_type=Sentence)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)
    considered_utc: datetime = Field(sa_type=Utc)
    removed_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)
    version: int = 1


class SubmissionTable(_Table, table=True):
    """A campaign that somebody handed in, from then until it is started or given back; ``number`` is the order.

    ``document`` holds the texts of its files. ``version`` counts its changes, for whoever changes it by an old page.
    """

    __tablename__ = "submission"
    __table_args__: ClassVar[Any] = (
        _one_of("status", "waiting", "queued", "started", "rejected", "withdrawn", "failed"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    name: str = Field(index=True)
    status: str
    sentence: str = Field(default="", sa_type=Sentence)
    document: Any = Field(sa_type=Json, nullable=False)
    rehearsal: Any = Field(default=None, sa_type=Json, nullable=True)
    priority: int = 0
    held: bool = False
    not_before_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)
    campaign_id: str | None = Field(default=None, foreign_key="campaign.id", index=True)
    schedule_id: str | None = Field(default=None, foreign_key="schedule.id")
    who: str = Field(sa_type=Sentence)
    version: int = 1
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)


class FiringTable(_Table, table=True):
    """One moment at which a schedule was due, and what was done about it. A moment is decided once."""

    __tablename__ = "firing"
    __table_args__: ClassVar[Any] = (
        _one_of("outcome", "fired", "missed", "overlapped", "failed"),
        UniqueConstraint("schedule_id", "due_utc"),
    )

    number: int | None = Field(default=None, primary_key=True)
    schedule_id: str = Field(foreign_key="schedule.id")
    due_utc: datetime = Field(sa_type=Utc)
    outcome: str
    sentence: str = Field(default="", sa_type=Sentence)
    submission_id: str | None = Field(default=None, foreign_key="submission.id")
    decided_utc: datetime = Field(sa_type=Utc, default_factory=now)


class ApprovalTable(_Table, table=True):
    """Something that waits, or waited, for a person: the start of a campaign (a submission), or one of its batches."""

    __tablename__ = "approval"
    __table_args__: ClassVar[Any] = (
        _one_of("kind", "start", "batch"),
        _one_of("status", "waiting", "approved", "rejected", "withdrawn"),
        CheckConstraint("(submission_id IS NULL) <> (batch_id IS NULL)", name="of_one_thing"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    kind: str
    submission_id: str | None = Field(default=None, foreign_key="submission.id", unique=True)
    campaign_id: str | None = Field(default=None, foreign_key="campaign.id", index=True)
    batch_id: str | None = Field(default=None, foreign_key="batch.id", unique=True)
    reasons: Any = Field(sa_type=Json, nullable=False)
    details: Any = Field(sa_type=Json, nullable=False)
    cost: float | None = Field(default=None, sa_type=Double, nullable=True)
    status: str
    asked_by: str = Field(sa_type=Sentence)
    asked_utc: datetime = Field(sa_type=Utc, default_factory=now)
    decided_by: str = Field(default="", sa_type=Sentence)
    why: str = Field(default="", sa_type=Sentence)
    decided_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)


class AuditTable(_Table, table=True):
    """Who did what, when, from where, and what came of it. Append-only; the second row of an act says how it ended."""

    __tablename__ = "audit"

    number: int | None = Field(default=None, primary_key=True)
    act: str = Field(index=True)
    who: str = Field(index=True)
    source: str = Field(sa_type=Sentence)
    action: str
    subject: str = Field(sa_type=Sentence)
    details: Any = Field(sa_type=Json, nullable=False)
    outcome: str = Field(sa_type=Sentence)
    utc: datetime = Field(sa_type=Utc, default_factory=now)


class NoticeTable(_Table, table=True):
    """Something that people are to be told, until they are; ``key`` keeps one thing from being told twice."""

    __tablename__ = "notice"
    __table_args__: ClassVar[Any] = (_one_of("status", "waiting", "sent", "given_up"),)

    number: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: str
    campaign_id: str | None = Field(default=None, foreign_key="campaign.id")
    subject: str = Field(sa_type=Sentence)
    sentence: str = Field(sa_type=Sentence)
    path: str = Field(default="", sa_type=Sentence)
    channel: str = Field(sa_type=Sentence)
    status: str
    tries: int = 0
    error: str = Field(default="", sa_type=Sentence)
    next_utc: datetime = Field(sa_type=Utc, default_factory=now)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)
    sent_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)


class BookmarkTable(_Table, table=True):
    """How far somebody who reads another table has come: up to row ``number`` all is dealt with."""

    __tablename__ = "bookmark"

    name: str = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)


class RepliedTable(_Table, table=True):
    """The reply to a command that was given an idempotency key, for whoever sends it once more."""

    __tablename__ = "replied"
    __table_args__: ClassVar[Any] = (UniqueConstraint("person_id", "key"),)

    number: int | None = Field(default=None, primary_key=True)
    person_id: str
    key: str
    command: str = Field(sa_type=Sentence)
    status_code: int | None = None
    body: Any = Field(default=None, sa_type=Json, nullable=True)
    utc: datetime = Field(sa_type=Utc, default_factory=now)
