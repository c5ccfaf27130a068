"""Tokens that stand for people: sessions, and those of programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, delete, select, update

from lab.errors import BadInput
from lab.people import Permission, Person, Token, TokenKind
from lab.store.database import Part
from lab.store.people import find_person, person_of
from lab.store.service_tables import PersonTable, TokenTable
from lab.store.tables import now
from lab.types import new_id

__all__ = ["Tokens"]


class Tokens(Part):
    """The part of :class:`lab.store.Store` that keeps tokens. Any thread.

    They come as hashes; nothing here could be used by whoever reads the file.
    """

    def add_token(
        self,
        person_id: str,
        *,
        kind: TokenKind,
        hashed: str,
        expires_utc: datetime,
        name: str = "",
        scope: Iterable[Permission] = Permission,
    ) -> Token:
        """Keep a token of somebody, by the hash of it.

        Raises:
            BadInput: there is nobody, or they are not active.
        """
        with self._database.write_session() as session:
            owner = find_person(session, person_id)
            if not owner.active:
                raise BadInput(f"{owner.name} may not do anything any more.", field="person")
            row = TokenTable(
                id=new_id("tok"),
                person_id=owner.id,
                kind=kind.value,
                name=name,
                hashed=hashed,
                scope=sorted(scope),
                expires_utc=expires_utc,
            )
            session.add(row)
            session.flush()
            return _token(row)

    def holder(self, hashed: str) -> tuple[Person, Token] | None:
        """Whose token has this hash, also when it is over or revoked; None where there is none."""
        query = (
            select(PersonTable, TokenTable)
            .where(PersonTable.id == TokenTable.person_id)
            .where(TokenTable.hashed == hashed)
        )
        with self._database.read_session() as session:
            found = session.exec(query).first()
            return None if found is None else (person_of(found[0]), _token(found[1]))

    def note_use(self, token_id: str, used_utc: datetime) -> None:
        """Note when a token was last seen."""
        with self._database.write_session() as session:
            session.exec(update(TokenTable).where(col(TokenTable.id) == token_id).values(used_utc=used_utc))

    def token(self, token_id: str) -> Token:
        """A token by its identifier.

        Raises:
            BadInput: there is none.
        """
        with self._database.read_session() as session:
            return _token(_find_token(session, token_id))

    def tokens(self, person_id: str | None = None, *, kind: TokenKind | None = None) -> tuple[Token, ...]:
        """The tokens of somebody, or of all, in the order in which they were made."""
        query = select(TokenTable).order_by(col(TokenTable.id))
        if person_id is not None:
            query = query.where(TokenTable.person_id == person_id)
        if kind is not None:
            query = query.where(TokenTable.kind == kind.value)
        with self._database.read_session() as session:
            return tuple(_token(row) for row in session.exec(query))

    def revoke_token(self, token_id: str, moment: datetime | None = None) -> Token:
        """End a token for good; safe to repeat.

        Raises:
            BadInput: there is none.
        """
        with self._database.write_session() as session:
            row = _find_token(session, token_id)
            if row.revoked_utc is None:
                row.revoked_utc = moment or now()
                session.add(row)
                session.flush()
            return _token(row)

    def forget_sessions(self, over_since: datetime) -> int:
        """Forget sessions that were over at that moment; how many."""
        over = delete(TokenTable).where(
            col(TokenTable.kind) == TokenKind.SESSION.value, col(TokenTable.expires_utc) < over_since
        )
        with self._database.write_session() as session:
            return session.exec(over).rowcount


def _find_token(session: Session, token_id: str) -> TokenTable:
    row = session.get(TokenTable, token_id) if token_id.isascii() and token_id.isprintable() else None
    if row is None:
        raise BadInput(f"There is no token {token_id[:80]!r}.", way_out="See which there are.", field="token")
    return row


def _token(row: TokenTable) -> Token:
    return Token(
        id=row.id,
        person_id=row.person_id,
        kind=TokenKind(row.kind),
        created_utc=row.created_utc,
        expires_utc=row.expires_utc,
        name=row.name,
        scope=frozenset(Permission(one) for one in row.scope),
        used_utc=row.used_utc,
        revoked_utc=row.revoked_utc,
    )
