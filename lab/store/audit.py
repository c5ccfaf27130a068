"""The audit, and the answers to commands that may come twice.

An act is a row when it begins and a second one when it ends; rows are only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, delete, select

from lab.audit import Act, Begun, Once, Replied
from lab.store.database import Part
from lab.store.service_tables import AuditTable, RepliedTable
from lab.store.tables import now
from lab.types import JsonValue, new_id

__all__ = ["KEPT", "Audit"]

KEPT = timedelta(days=7)
"""How long the answer to a command is kept for whoever sends it again."""

_BEGUN = ""
"""Outcome of the row that begins an act."""


class Audit(Part):
    """The part of :class:`lab.store.Store` that keeps who did what. Any thread."""

    def audit_begin(
        self,
        *,
        who: str,
        action: str,
        subject: str = "",
        source: str = "",
        details: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Write down what somebody is about to do; whoever can't must not do it.

        Returns:
            The act, for :meth:`audit_end`.
        """
        with self._database.write_session() as session:
            return _begin(session, who, source, action, subject, details)

    def audit_end(self, act: str, outcome: str, result: Mapping[str, JsonValue] | None = None) -> None:
        """Write down what came of it; once.

        Args:
            outcome: ``done``, or a sentence.

        Raises:
            KeyError: there is no such act.
            ValueError: its end was written before, or the outcome is empty.
        """
        with self._database.write_session() as session:
            _end(session, act, outcome, result)

    def command_begin(
        self,
        once: Once,
        *,
        who: str,
        action: str,
        subject: str = "",
        source: str = "",
        details: Mapping[str, JsonValue] | None = None,
    ) -> Begun:
        """As :meth:`audit_begin`, for a command that is to be done once: both are written, or neither.

        Returns:
            The act; or what is known of the command where it was sent within the last week. Then nothing is written.
        """
        with self._database.write_session() as session:
            _forget_old(session)
            row = _replied(session, once)
            if row is not None:
                return Begun(
                    act="",
                    earlier=Replied(
                        command=row.command, utc=row.utc, status_code=row.status_code, body=row.body
                    ),
                )
            act = _begin(session, who, source, action, subject, details)
            session.add(
                RepliedTable(person_id=once.person_id, key=once.key, command=once.command, body={"act": act})
            )
            return Begun(act=act)

    def command_end(
        self,
        once: Once,
        act: str,
        outcome: str,
        *,
        status_code: int | None,
        body: JsonValue = None,
        result: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """As :meth:`audit_end`, and keep the answer for whoever sends the command again.

        Args:
            status_code: None where it is not known how far it was done: then it can't be sent again under its key.
        """
        with self._database.write_session() as session:
            _end(session, act, outcome, result)
            row = _replied(session, once)
            if row is not None and status_code is not None:
                row.status_code, row.body = status_code, body
                session.add(row)

    def command_refused(
        self, once: Once, act: str, outcome: str, result: Mapping[str, JsonValue] | None = None
    ) -> None:
        """As :meth:`audit_end`, where nothing was done: the command may be sent again, and is judged anew."""
        with self._database.write_session() as session:
            _end(session, act, outcome, result)
            row = _replied(session, once)
            if row is not None:
                session.delete(row)

    def act(self, act: str) -> Act:
        """An act by its identifier.

        Raises:
            KeyError: there is none.
        """
        begun, ended = AuditTable, aliased(AuditTable)
        query = (
            select(begun, ended)
            .outerjoin(ended, _is_end(begun, ended))
            .where(begun.act == act, begun.outcome == _BEGUN)
        )
        with self._database.read_session() as session:
            found = session.exec(query).first()
            if found is None:
                raise KeyError(act)
            return _act(*found)

    def acts(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        who: str = "",
        action: str = "",
        subject: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        unfinished: bool = False,
    ) -> tuple[Act, ...]:
        """Who did what, the newest first.

        Args:
            before: only acts with smaller numbers: the last number of the page before.
            who: exactly this name.
            action: has this in it.
            subject: has this in it.
            since: begun at this moment or later.
            until: begun before this moment.
            unfinished: only those whose end was not written.
        """
        if not (who + action).isprintable():
            return ()  # neither ever is otherwise, and not every database takes such a question
        begun, ended = AuditTable, aliased(AuditTable)
        query = (
            select(begun, ended)
            .outerjoin(ended, _is_end(begun, ended))
            .where(begun.outcome == _BEGUN)
            .order_by(col(begun.number).desc())
            .limit(limit)
        )
        for column, text in ((begun.action, action), (begun.subject, subject)):
            if text:
                query = query.where(col(column).contains(text, autoescape=True))
        if who:
            query = query.where(begun.who == who)
        if before is not None:
            query = query.where(col(begun.number) < before)
        if since is not None:
            query = query.where(col(begun.utc) >= since)
        if until is not None:
            query = query.where(col(begun.utc) < until)
        if unfinished:
            query = query.where(col(ended.number).is_(None))
        with self._database.read_session() as session:
            return tuple(_act(*pair) for pair in session.exec(query))


def _is_end(begun: Any, ended: Any) -> Any:
    return and_(ended.act == begun.act, ended.outcome != _BEGUN)


def _begin(
    session: Session,
    who: str,
    source: str,
    action: str,
    subject: str,
    details: Mapping[str, JsonValue] | None,
) -> str:
    act = new_id("act")
    session.add(
        AuditTable(
            act=act,
            who=who,
            source=source,
            action=action,
            subject=subject,
            details=dict(details or {}),
            outcome=_BEGUN,
        )
    )
    session.flush()
    return act


def _end(session: Session, act: str, outcome: str, result: Mapping[str, JsonValue] | None) -> None:
    if not outcome:
        raise ValueError("an act that ends has an outcome")
    rows = session.exec(select(AuditTable).where(AuditTable.act == act)).all()
    if not rows:
        raise KeyError(act)
    if len(rows) > 1:
        raise ValueError(f"the end of {act} was written before")
    first = rows[0]
    session.add(
        AuditTable(
            act=act,
            who=first.who,
            source=first.source,
            action=first.action,
            subject=first.subject,
            details=dict(result or {}),
            outcome=outcome,
        )
    )
    session.flush()


def _replied(session: Session, once: Once) -> RepliedTable | None:
    query = select(RepliedTable).where(RepliedTable.person_id == once.person_id, RepliedTable.key == once.key)
    return session.exec(query).first()


def _forget_old(session: Session) -> None:
    """The oldest row has the smallest number: nearly always a look at one row is all there is to it."""
    oldest = session.exec(select(RepliedTable).order_by(col(RepliedTable.number)).limit(1)).first()
    before = now() - KEPT
    if oldest is not None and oldest.utc < before:
        session.exec(delete(RepliedTable).where(col(RepliedTable.utc) < before))


def _act(begun: AuditTable, ended: AuditTable | None) -> Act:
    assert begun.number is not None  # it is in the database
    return Act(
        number=begun.number,
        id=begun.act,
        who=begun.who,
        source=begun.source,
        action=begun.action,
        subject=begun.subject,
        begun_utc=begun.utc,
        ended_utc=None if ended is None else ended.utc,
        outcome="" if ended is None else ended.outcome,
        details=begun.details,
        result={} if ended is None else ended.details,
    )
