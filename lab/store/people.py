"""People: who they are, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session, col, select, update

from lab.errors import BadInput
from lab.people import (
    Person,
    Role,
    TokenKind,
    is_name,
    read_grants,
    read_name,
    read_roles,
)
from lab.store.database import Part
from lab.store.service_tables import PersonTable, TokenTable
from lab.store.tables import now
from lab.types import new_id

__all__ = ["People", "find_person", "person_of"]


class People(Part):
    """The part of :class:`lab.store.Store` that keeps people. Any thread.

    Passwords come as hashes; nothing here could be used by whoever reads the file.
    """

    def add_person(
        self,
        name: str,
        *,
        roles: Iterable[str],
        full_name: str = "",
        email: str = "",
        grants: Mapping[str, Any] | None = None,
        password_hash: str = "",
        subject: str = "",
        program: bool = False,
    ) -> Person:
        """Let somebody act through the service.

        Raises:
            BadInput: the name is taken or can't be one, no role is given, or there is no such role, grant or subject.
        """
        name = read_name(name)
        wanted = _roles(roles, program)
        read_grants(grants or {}, program=program)
        if program and password_hash:
            raise BadInput(
                "A program does not log in with a password.", way_out="Make a token for it.", field="password"
            )
        with self._database.write_session() as session:
            if _by_name(session, name) is not None:
                raise BadInput(
                    f"There is somebody called {name}.", way_out="Choose another name.", field="name"
                )
            _refuse_taken(session, subject)
            row = PersonTable(
                id=new_id("per"),
                name=name,
                full_name=full_name,
                email=email,
                roles=wanted,
                grants=dict(grants or {}),
                password_hash=password_hash,
                subject=subject or None,
                program=program,
            )
            session.add(row)
            session.flush()
            return person_of(row)

    def person(self, name: str) -> Person:
        """Somebody by name or identifier.

        Raises:
            BadInput: there is nobody of that name.
        """
        with self._database.read_session() as session:
            return person_of(find_person(session, name))

    def people(self) -> tuple[Person, ...]:
        """All who may act or might once, in the order in which they came."""
        with self._database.read_session() as session:
            return tuple(person_of(row) for row in session.exec(_all_people()))

    def has_admin(self) -> bool:
        """Whether there is an admin who can log in."""
        with self._database.read_session() as session:
            return any(_is_admin(row) for row in session.exec(_all_people()))

    def person_of_subject(self, subject: str) -> Person | None:
        """Whoever is known by this subject at the provider that logs people in; None where nobody is."""
        with self._database.read_session() as session:
            row = session.exec(select(PersonTable).where(PersonTable.subject == subject)).first()
            return None if row is None else person_of(row)

    def credentials(self, name: str) -> tuple[Person, str] | None:
        """Somebody by name, and the hash of their password, which may be empty; None where there is nobody."""
        with self._database.read_session() as session:
            row = _by_name(session, name)
            return None if row is None else (person_of(row), row.password_hash)

    def change_person(
        self,
        name: str,
        *,
        expected_version: int | None = None,
        roles: Iterable[str] | None = None,
        grants: Mapping[str, Any] | None = None,
        full_name: str | None = None,
        email: str | None = None,
        subject: str | None = None,
        active: bool | None = None,
    ) -> Person:
        """Change what is known of somebody, or what they may do; None leaves it as it is.

        Whoever is not active any more loses their sessions and tokens for good.

        Raises:
            BadInput: there is nobody, a role or grant is unknown, it was changed since (its ``field`` is then
                ``version``), or no admin would be left.
        """
        with self._database.write_session() as session:
            row = find_person(session, name)
            if expected_version is not None and row.version != expected_version:
                raise BadInput(
                    f"{row.name} was changed meanwhile.", way_out="Look at them again.", field="version"
                )
            was_admin = _is_admin(row)
            if roles is not None:
                row.roles = _roles(roles, row.program)
            if grants is not None:
                read_grants(grants, program=row.program)
                row.grants = dict(grants)
            if subject is not None:
                _refuse_taken(session, subject, row)
                row.subject = subject or None
            row.full_name = row.full_name if full_name is None else full_name
            row.email = row.email if email is None else email
            row.active = row.active if active is None else active
            row.version += 1
            session.add(row)
            session.flush()
            if was_admin and not any(_is_admin(one) for one in session.exec(_all_people())):
                raise BadInput(
                    f"{row.name} is the last admin.",
                    way_out="Make somebody else an admin first.",
                    field="roles",
                )
            if not row.active:
                _revoke(session, row.id)
                row.calendar_hash = None
            return person_of(row)

    def set_password(self, name: str, password_hash: str, *, keep: str = "") -> Person:
        """Give somebody a password, and end their sessions but one.

        Args:
            keep: identifier of the session that goes on.

        Raises:
            BadInput: there is nobody, or it is a program.
        """
        with self._database.write_session() as session:
            row = find_person(session, name)
            if row.program:
                raise BadInput(
                    f"{row.name} is a program and has no password.", way_out="Make a token for it."
                )
            row.password_hash = password_hash
            row.version += 1
            session.add(row)
            _revoke(session, row.id, kind=TokenKind.SESSION, keep=keep)
            session.flush()
            return person_of(row)

    def renew_hash(self, person_id: str, old: str, new: str) -> None:
        """Keep a stronger hash of the same password, unless the password was changed since."""
        changed = (
            update(PersonTable)
            .where(col(PersonTable.id) == person_id, col(PersonTable.password_hash) == old)
            .values(password_hash=new)
        )
        with self._database.write_session() as session:
            session.exec(changed)

    def tell_by_mail(self, person_id: str, wanted: bool) -> Person:
        """Note whether somebody wants mails about what waits for them.

        Raises:
            BadInput: there is nobody.
        """
        with self._database.write_session() as session:
            row = find_person(session, person_id)
            row.told_by_mail = wanted
            session.add(row)
            session.flush()
            return person_of(row)

    def set_calendar(self, person_id: str, hashed: str | None) -> Person:
        """Keep the hash of the secret in somebody's own address of the calendar; None ends it.

        Raises:
            BadInput: there is nobody.
        """
        with self._database.write_session() as session:
            row = find_person(session, person_id)
            row.calendar_hash = hashed
            session.add(row)
            session.flush()
            return person_of(row)

    def person_of_calendar(self, hashed: str) -> Person | None:
        """Whose address of the calendar has this secret; None where it is nobody's."""
        with self._database.read_session() as session:
            row = session.exec(select(PersonTable).where(PersonTable.calendar_hash == hashed)).first()
            return None if row is None else person_of(row)


def _roles(written: Iterable[str], program: bool) -> list[str]:
    roles = sorted(read_roles(written, program=program))
    if not roles:
        raise BadInput(
            "Somebody without a role could do nothing.",
            way_out=f"Give one or more of: {', '.join(Role)}.",
            field="roles",
        )
    return [str(role) for role in roles]


def _all_people() -> Any:
    return select(PersonTable).order_by(col(PersonTable.number))


def _by_name(session: Session, name: str) -> PersonTable | None:
    """What can't be a name is nobody's, and a database may not even take it."""
    wanted = name.strip().lower()
    if not is_name(wanted):
        return None
    return session.exec(select(PersonTable).where(PersonTable.name == wanted)).first()


def find_person(session: Session, name: str) -> PersonTable:
    """Somebody by name or identifier.

    Raises:
        BadInput: there is nobody of that name.
    """
    row = None
    if name.isascii() and name.isprintable():
        # First: nobody gets at somebody's by being called as they are numbered.
        row = session.exec(select(PersonTable).where(PersonTable.id == name)).first()
    row = row or _by_name(session, name)
    if row is None:
        raise BadInput(
            f"There is nobody called {name[:80]!r}.",
            way_out="See who there is with: drywet users list",
            field="name",
        )
    return row


def _refuse_taken(session: Session, subject: str, row: PersonTable | None = None) -> None:
    if not subject:
        return
    if len(subject) > 1000 or not subject.isprintable() or "#" not in subject:
        raise BadInput(
            "That is no subject of a provider.",
            way_out="It is the address of the provider, a # and what the provider calls them.",
            field="subject",
        )
    holder = session.exec(select(PersonTable).where(PersonTable.subject == subject)).first()
    if holder is not None and (row is None or holder.id != row.id):
        raise BadInput(
            f"{holder.name} logs in as {subject}.", way_out="Take it from them first.", field="subject"
        )


def _is_admin(row: PersonTable) -> bool:
    """Whether they can be logged in and administer."""
    return row.active and Role.ADMIN.value in row.roles and bool(row.password_hash or row.subject)


def _revoke(session: Session, person_id: str, *, kind: TokenKind | None = None, keep: str = "") -> None:
    ended = (
        update(TokenTable)
        .where(
            col(TokenTable.person_id) == person_id,
            col(TokenTable.revoked_utc).is_(None),
            col(TokenTable.id) != keep,
        )
        .values(revoked_utc=now())
    )
    session.exec(ended if kind is None else ended.where(col(TokenTable.kind) == kind.value))


def person_of(row: PersonTable) -> Person:
    """Somebody from their row."""
    devices, protocols = read_grants(row.grants, program=row.program)
    return Person(
        id=row.id,
        name=row.name,
        created_utc=row.created_utc,
        full_name=row.full_name,
        email=row.email,
        roles=frozenset(Role(role) for role in row.roles),
        devices=devices,
        protocols=protocols,
        subject=row.subject or "",
        has_password=bool(row.password_hash),
        program=row.program,
        active=row.active,
        told_by_mail=row.told_by_mail,
        has_calendar=row.calendar_hash is not None,
        version=row.version,
    )
