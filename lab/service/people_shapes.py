"""What the API says of people, tokens and acts. Nothing secret is in it but a token that was made this moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lab.audit import Act
from lab.people import Permission, Person, Token
from lab.service.caller import Caller

__all__ = ["ActShape", "Me", "PersonShape", "RoleShape", "Session", "TokenMade", "TokenShape"]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class PersonShape(_Shape):
    """Somebody, or a program, that may act through the service."""

    id: str
    name: str
    full_name: str
    email: str
    roles: list[str]
    grants: dict[str, dict[str, list[str]]] = Field(
        description="Devices and protocols with which other roles count than the person's own."
    )
    subject: str = Field(description="Who they are at the provider that logs them in; empty for nowhere.")
    has_password: bool
    program: bool
    active: bool
    told_by_mail: bool = Field(description="Whether they want mails about what waits for them.")
    has_calendar: bool = Field(description="Whether they have an address of the calendar of their own.")
    version: int
    created_utc: datetime

    @classmethod
    def of(cls, person: Person) -> PersonShape:
        """From the store's."""
        return cls(
            id=person.id,
            name=person.name,
            full_name=person.full_name,
            email=person.email,
            roles=sorted(person.roles),
            grants=person.grants,
            subject=person.subject,
            has_password=person.has_password,
            program=person.program,
            active=person.active,
            told_by_mail=person.told_by_mail,
            has_calendar=person.has_calendar,
            version=person.version,
            created_utc=person.created_utc,
        )


class RoleShape(_Shape):
    """A role, and what it may do."""

    role: str
    permissions: list[str]


class Me(_Shape):
    """Who is logged in, and what they may do by this token where no grant says otherwise."""

    person: PersonShape
    permissions: list[str]
    somewhere: list[str] = Field(description="What they may do with some device or protocol at least.")
    token: TokenShape

    @classmethod
    def of(cls, caller: Caller) -> Me:
        """From who calls."""
        return cls(
            person=PersonShape.of(caller.person),
            permissions=[one for one in Permission if caller.may(one)],
            somewhere=[one for one in Permission if caller.may_somewhere(one)],
            token=TokenShape.of(caller.token, caller.name),
        )


class TokenShape(_Shape):
    """A token, without its secret."""

    id: str
    person: str
    kind: str
    name: str
    scope: list[str]
    created_utc: datetime
    expires_utc: datetime
    used_utc: datetime | None
    revoked_utc: datetime | None

    @classmethod
    def of(cls, token: Token, person: str) -> TokenShape:
        """From the store's."""
        return cls(
            id=token.id,
            person=person,
            kind=str(token.kind),
            name=token.name,
            scope=sorted(token.scope),
            created_utc=token.created_utc,
            expires_utc=token.expires_utc,
            used_utc=token.used_utc,
            revoked_utc=token.revoked_utc,
        )


class TokenMade(TokenShape):
    """A fresh token."""

    token: str | None = Field(description="The secret, shown this once; null when the request is sent again.")


class Session(_Shape):
    """A login."""

    token: str = Field(description="Send it as `Authorization: Bearer TOKEN`.")
    expires_utc: datetime = Field(description="It ends then, or when nothing was done for long.")
    person: PersonShape

    @classmethod
    def of(cls, secret: str, token: Token, person: Person) -> Session:
        """From what was made."""
        return cls(token=secret, expires_utc=token.expires_utc, person=PersonShape.of(person))


class ActShape(_Shape):
    """Something that somebody did, or tried to do."""

    number: int
    id: str
    who: str
    action: str
    subject: str
    begun_utc: datetime
    ended_utc: datetime | None
    outcome: str = Field(description="Empty while it is under way, and where the service ended in its midst.")
    source: str | None = Field(description="Where it came from; for admins only.")
    details: dict[str, Any] | None = Field(description="What came with it; for admins only.")

    @classmethod
    def of(cls, act: Act, *, full: bool) -> ActShape:
        """From the store's."""
        return cls(
            number=act.number,
            id=act.id,
            who=act.who,
            action=act.action,
            subject=act.subject,
            begun_utc=act.begun_utc,
            ended_utc=act.ended_utc,
            outcome=act.outcome,
            source=act.source if full else None,
            details=dict(act.details) if full else None,
        )


Me.model_rebuild()
