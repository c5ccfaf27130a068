"""Notices: what people are to be told, until they are. What was noted of an event, and how far events were read, is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlmodel import Session, col, func, select

from lab.errors import BadInput
from lab.notices import Channel, News, Notice, NoticeKind, NoticeStatus
from lab.store.database import Part
from lab.store.news import SOURCES, Heard
from lab.store.service_tables import BookmarkTable, NoticeTable

__all__ = ["GATHERED", "Notices"]

GATHERED = timedelta(minutes=10)
"""Faults of one campaign that follow each other within this are told together."""

_MOST_LINES = 30
"""Of one notice."""


class Notices(Part):
    """The part of :class:`lab.store.Store` that keeps notices. Any thread; one of them listens."""

    def begin_to_listen(self) -> None:
        """Have what happens from now on told. Where somebody listened before, it goes on from there. Safe to repeat."""
        with self._database.write_session() as session:
            for name, (table, _) in SOURCES.items():
                if session.get(BookmarkTable, name) is None:
                    newest: Any = session.exec(select(func.coalesce(func.max(table.number), 0))).one()
                    session.add(BookmarkTable(name=name, number=int(newest)))

    def news(self) -> tuple[Heard, ...]:
        """What came up since it was noted last, of each table that has anything new. Changes nothing."""
        with self._database.read_session() as session:
            marks = {row.name: row.number for row in session.exec(select(BookmarkTable))}
            found = [read(session, marks[name]) for name, (_, read) in SOURCES.items() if name in marks]
        return tuple(one for one in found if one.news or one.number > marks[one.bookmark])

    def note_news(
        self,
        heard: Heard,
        channels: Sequence[Channel],
        at: datetime,
        personal: Mapping[str, Sequence[Channel]] = MappingProxyType({}),
    ) -> int:
        """Keep a notice of each piece of news for each channel that takes it, and how far was read; how many are new.

        Args:
            personal: key of news -> more channels, to those whom only this concerns.
        """
        with self._database.write_session() as session:
            new = sum(
                _keep(session, one, channel.name, at)
                for one in heard.news
                for channel in (*channels, *personal.get(one.key, ()))
                if channel.takes(one.kind, one.campaign)
            )
            mark = session.get(BookmarkTable, heard.bookmark)
            if mark is None:
                raise BadInput("Nobody listens yet.", way_out="Call begin_to_listen first.")
            mark.number = max(mark.number, heard.number)
            session.add(mark)
        return new

    def notices_due(self, channel: str, at: datetime, most: int = 20) -> tuple[Notice, ...]:
        """What is to be sent over a channel now, oldest first."""
        query = (
            select(NoticeTable)
            .where(
                NoticeTable.channel == channel,
                NoticeTable.status == NoticeStatus.WAITING.value,
                col(NoticeTable.next_utc) <= at,
            )
            .order_by(col(NoticeTable.number))
            .limit(most)
        )
        with self._database.read_session() as session:
            return tuple(_notice(row) for row in session.exec(query))

    def channels_waiting(self, prefix: str) -> tuple[str, ...]:
        """Names of channels that begin so and have something to be sent, now or later."""
        query = (
            select(NoticeTable.channel)
            .where(
                NoticeTable.status == NoticeStatus.WAITING.value,
                col(NoticeTable.channel).startswith(prefix, autoescape=True),
            )
            .distinct()
        )
        with self._database.read_session() as session:
            return tuple(sorted(session.exec(query)))

    def notice_tried(
        self, number: int, *, error: str = "", next_utc: datetime | None = None, at: datetime
    ) -> Notice:
        """Note what came of a try.

        Args:
            error: why it was not sent; empty when it was.
            next_utc: when it is tried again; None where it was sent or is given up.

        Raises:
            KeyError: there is no such notice.
        """
        with self._database.write_session() as session:
            row = session.get(NoticeTable, number)
            if row is None:
                raise KeyError(number)
            row.tries += 1
            row.error = error
            if not error:
                row.status, row.sent_utc = NoticeStatus.SENT.value, at
            elif next_utc is None:
                row.status = NoticeStatus.GIVEN_UP.value
            else:
                row.next_utc = next_utc
            session.add(row)
            session.flush()
            return _notice(row)

    def notices(
        self, *, status: NoticeStatus | None = None, campaign_id: str | None = None, most: int = 200
    ) -> tuple[Notice, ...]:
        """The newest notices, newest first."""
        query = select(NoticeTable).order_by(col(NoticeTable.number).desc()).limit(most)
        if status is not None:
            query = query.where(NoticeTable.status == status.value)
        if campaign_id is not None:
            query = query.where(NoticeTable.campaign_id == campaign_id)
        with self._database.read_session() as session:
            return tuple(_notice(row) for row in session.exec(query))

    def note_test(self, key: str, channels: Sequence[Channel], who: str, at: datetime) -> tuple[Notice, ...]:
        """Keep a notice for each channel by which somebody sees whether it works."""
        news = News(
            key=key,
            kind=NoticeKind.TEST,
            campaign_id="",
            campaign="",
            subject="A test of drywet's notices",
            sentence=f"{who} tries whether notices arrive. This one did.",
            path="",
            utc=at,
        )
        with self._database.write_session() as session:
            for channel in channels:
                _keep(session, news, channel.name, at)
            keys = [f"{key}@{channel.name}" for channel in channels]
            rows = session.exec(select(NoticeTable).where(col(NoticeTable.key).in_(keys)))
            return tuple(_notice(row) for row in rows)


def _keep(session: Session, news: News, channel: str, at: datetime) -> bool:
    """Keep one notice, unless it is there; whether it is a new one. Faults that follow each other are gathered."""
    key = f"{news.key}@{channel}"
    if session.exec(select(NoticeTable).where(NoticeTable.key == key)).first() is not None:
        return False
    next_utc = at
    if news.kind is NoticeKind.FAULT:
        query = (
            select(NoticeTable)
            .where(
                NoticeTable.kind == news.kind.value,
                NoticeTable.channel == channel,
                NoticeTable.campaign_id == news.campaign_id,
            )
            .order_by(col(NoticeTable.number).desc())
        )
        last = session.exec(query.limit(1)).first()
        if last is not None and last.status == NoticeStatus.WAITING and not last.tries and last.next_utc > at:
            _gather(last, news)
            session.add(last)
            return False
        if last is not None and at < last.next_utc + GATHERED:
            next_utc = min(last.next_utc, at) + GATHERED
    session.add(
        NoticeTable(
            key=key,
            kind=news.kind.value,
            campaign_id=news.campaign_id or None,
            subject=news.subject,
            sentence=f"{news.utc:%Y-%m-%d %H:%M} UTC: {news.sentence}",
            path=news.path,
            channel=channel,
            status=NoticeStatus.WAITING.value,
            next_utc=next_utc,
            created_utc=at,
        )
    )
    session.flush()
    return True


def _gather(row: NoticeTable, news: News) -> None:
    """Tell one more fault in a notice that is yet to go out."""
    lines = row.sentence.splitlines()
    if len(lines) < _MOST_LINES:
        lines.append(f"{news.utc:%Y-%m-%d %H:%M} UTC: {news.sentence}")
    elif lines[-1] != "There are more.":
        lines.append("There are more.")
    row.sentence = "\n".join(lines)


def _notice(row: NoticeTable) -> Notice:
    assert row.number is not None  # it is in the database
    return Notice(
        number=row.number,
        key=row.key,
        kind=NoticeKind(row.kind),
        campaign_id=row.campaign_id or "",
        subject=row.subject,
        sentence=row.sentence,
        path=row.path,
        channel=row.channel,
        status=NoticeStatus(row.status),
        tries=row.tries,
        error=row.error,
        next_utc=row.next_utc,
        created_utc=row.created_utc,
        sent_utc=row.sent_utc,
    )
