"""People and programs that may act through the lab service: what they are, and what they may do.

A person has a set of roles, and a role is a set of permissions; :data:`ALLOWS` is the whole table. Grants say for some
devices and protocols what counts there in place of the person's roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from lab.errors import BadInput

__all__ = [
    "ALLOWS",
    "PROGRAM_ROLES",
    "Grant",
    "Permission",
    "Person",
    "Role",
    "Token",
    "TokenKind",
    "is_name",
    "read_grants",
    "read_name",
    "read_roles",
    "read_scope",
    "who_may",
]


class Role(StrEnum):
    """What somebody is in the lab."""

    VIEWER = "viewer"
    """Looks on."""
    OPERATOR = "operator"
    """Stands at the bench."""
    SCIENTIST = "scientist"
    """Says what is to be found out."""
    APPROVER = "approver"
    """Answers for what is done."""
    ADMIN = "admin"
    """Looks after the service and who may use it."""


class Permission(StrEnum):
    """What a command of the service asks for."""

    SEE = "see"
    """Look at campaigns, benches, samples, results and who did what."""
    OPERATE = "operate"
    """Start what is approved, pause, resume, settle faults and steps, receive orders, move devices by hand."""
    PLAN = "plan"
    """Hand in, schedule and edit campaigns, retract results."""
    APPROVE = "approve"
    """Approve, edit or reject what waits for a person."""
    ADMINISTER = "administer"
    """People, tokens of programs, backups and settings."""


ALLOWS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Permission.SEE}),
        Role.OPERATOR: frozenset({Permission.SEE, Permission.OPERATE}),
        Role.SCIENTIST: frozenset({Permission.SEE, Permission.PLAN}),
        Role.APPROVER: frozenset({Permission.SEE, Permission.APPROVE}),
        Role.ADMIN: frozenset({Permission.SEE, Permission.ADMINISTER}),
    }
)
"""Role -> what it may do. An admin neither approves nor starts, unless they are an approver or operator as well."""

PROGRAM_ROLES = frozenset({Role.VIEWER, Role.SCIENTIST})
"""What a program may be: it may propose; only a person starts, approves or administers."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_PATTERN = re.compile(r"[\w.*?\[\]!-]{1,64}", re.ASCII)
_MOST_PATTERNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What somebody is where a device or protocol is concerned, in place of their roles.

    Args:
        pattern: of names, as a shell has it: ``furnace*``.
        roles: what they are there; empty for no access to it.
    """

    pattern: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody, or a program, that may act through the service.

    Args:
        id: ``per_...``.
        name: that they log in with, and that is kept with all they do; never changes.
        devices: grants by the name of a device.
        protocols: grants by the name of a protocol.
        subject: who they are at the provider that logs them in, ``ISSUER#SUBJECT``; empty where that is nowhere.
        has_password: whether they log in here.
        program: it is none of us.
        active: whether they may still do anything.
        told_by_mail: whether they want mails about what waits for them.
        has_calendar: whether they have an address of the calendar of their own.
        version: counts changes.
    """

    id: str
    name: str
    created_utc: datetime
    full_name: str = ""
    email: str = ""
    roles: frozenset[Role] = frozenset()
    devices: tuple[Grant, ...] = ()
    protocols: tuple[Grant, ...] = ()
    subject: str = ""
    has_password: bool = False
    program: bool = False
    active: bool = True
    told_by_mail: bool = False
    has_calendar: bool = False
    version: int = 1

    def permissions(self) -> frozenset[Permission]:
        """What they may do where no grant says otherwise."""
        return _allowed(self.roles)

    def may(self, permission: Permission, *, device: str = "", protocol: str = "") -> bool:
        """Whether they may do something, with this device and this protocol where it has any.

        A matching grant counts in place of the roles. Where one matches the device and one the protocol, both must allow it.
        """
        if not self.active:
            return False
        matching = [
            found
            for found in (_granted(self.devices, device), _granted(self.protocols, protocol))
            if found is not None
        ]
        return all(permission in _allowed(roles) for roles in matching or [self.roles])

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether there may be a device or protocol with which they may do it."""
        granted = (grant.roles for grant in (*self.devices, *self.protocols))
        return self.active and any(permission in _allowed(roles) for roles in (self.roles, *granted))

    @property
    def grants(self) -> dict[str, dict[str, list[str]]]:
        """Their grants as a person writes them."""
        return {
            kind: {grant.pattern: sorted(grant.roles) for grant in grants}
            for kind, grants in (("devices", self.devices), ("protocols", self.protocols))
            if grants
        }


class TokenKind(StrEnum):
    """What a token was made for."""

    SESSION = "session"
    """One login of a person."""
    API = "api"
    """A program or script, until a stated day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a request shows in place of a password; never the secret itself.

    Args:
        id: ``tok_...``.
        name: what it is for, in its owner's words.
        scope: of what its owner may, what may be done with it.
        used_utc: when it was last seen, to the minute or so; None for never.
        revoked_utc: when it was ended before its time; None where it was not.
    """

    id: str
    person_id: str
    kind: TokenKind
    created_utc: datetime
    expires_utc: datetime
    name: str = ""
    scope: frozenset[Permission] = field(default_factory=lambda: frozenset(Permission))
    used_utc: datetime | None = None
    revoked_utc: datetime | None = None


def who_may(permission: Permission) -> str:
    """Who may do something, for a sentence: ``an operator``."""
    roles = [role for role in Role if permission in ALLOWS[role]]
    if len(roles) == len(Role):
        return "anybody with a role"
    named = [f"{'an' if role[0] in 'aeiou' else 'a'} {role}" for role in roles]
    return " or ".join(named)


def is_name(text: str) -> bool:
    """Whether somebody may be called so."""
    return _NAME.fullmatch(text) is not None


def read_name(written: str) -> str:
    """The name of somebody, as it is kept.

    Raises:
        BadInput: it is none.
    """
    name = written.strip().lower()
    if not is_name(name):
        raise BadInput(
            f"{written[:80]!r} can't be a name.",
            way_out="Write up to 64 letters from a to z, digits, dots, dashes, underscores or @, a letter or digit first.",
            field="name",
        )
    return name


def read_roles(written: Iterable[str], *, program: bool = False) -> frozenset[Role]:
    """Roles by their names.

    Raises:
        BadInput: an unknown one, or one that a program can't have.
    """
    roles = frozenset(_role(name) for name in written)
    if program and not roles <= PROGRAM_ROLES:
        raise BadInput(
            f"A program can't be {_listed(roles - PROGRAM_ROLES)}.",
            way_out=f"It may be {_listed(PROGRAM_ROLES)}: it may propose, and a person starts and approves.",
            field="roles",
        )
    return roles


def read_scope(written: Iterable[str]) -> frozenset[Permission]:
    """Permissions by their names.

    Raises:
        BadInput: an unknown one, or none.
    """
    known = {str(one): one for one in Permission}
    names = list(written)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise BadInput(
            f"There is no permission {unknown[0][:80]!r}."
            if unknown
            else "A token must be good for something.",
            way_out=f"They are: {', '.join(known)}.",
            field="scope",
        )
    return frozenset(known[name] for name in names)


def read_grants(
    written: Mapping[str, Any], *, program: bool = False
) -> tuple[tuple[Grant, ...], tuple[Grant, ...]]:
    """Grants for devices and for protocols, from ``{"devices": {"furnace*": ["operator"]}}``.

    Raises:
        BadInput: they can't be read.
    """
    unknown = [key for key in written if key not in ("devices", "protocols")]
    if unknown:
        raise BadInput(
            f"Grants can't be for {str(unknown[0])[:80]!r}.", way_out="They are for devices and for protocols.",
            field="grants",
        )  # fmt: skip
    devices, protocols = (
        _read_grants(kind, written.get(kind, {}), program) for kind in ("devices", "protocols")
    )
    return devices, protocols


def _read_grants(kind: str, written: Any, program: bool) -> tuple[Grant, ...]:
    place = f"grants.{kind}"
    if not isinstance(written, Mapping) or len(written) > _MOST_PATTERNS:
        raise BadInput(
            f"Grants for {kind} are up to {_MOST_PATTERNS} patterns of names, each with roles.",
            way_out='Write them as {"furnace*": ["operator"]}.',
            field=place,
        )
    grants = []
    for pattern, roles in written.items():
        if not isinstance(pattern, str) or _PATTERN.fullmatch(pattern) is None:
            raise BadInput(
                f"{str(pattern)[:80]!r} is no pattern of a name.",
                way_out="Write a name; * stands for anything, and ? for one character.",
                field=place,
            )
        if not isinstance(roles, list | tuple) or not all(isinstance(role, str) for role in roles):
            raise BadInput(
                f"{pattern} needs a list of roles.", way_out=f"They are: {', '.join(Role)}.", field=place
            )
        grants.append(Grant(pattern=pattern, roles=read_roles(roles, program=program)))
    return tuple(sorted(grants, key=lambda grant: grant.pattern))


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise BadInput(
            f"There is no role {name[:80]!r}.", way_out=f"They are: {', '.join(Role)}.", field="roles"
        ) from None


def _allowed(roles: frozenset[Role]) -> frozenset[Permission]:
    return frozenset().union(*(ALLOWS[role] for role in roles))


def _granted(grants: tuple[Grant, ...], name: str) -> frozenset[Role] | None:
    """The roles of the longest pattern that matches; None where none does. Of equally long ones, what all of them give."""
    found = [grant for grant in grants if name and fnmatchcase(name, grant.pattern)]
    if not found:
        return None
    longest = max(len(grant.pattern) for grant in found)
    return frozenset.intersection(*(grant.roles for grant in found if len(grant.pattern) == longest))


def _listed(roles: Iterable[Role]) -> str:
    return " or ".join(sorted(roles))
