"""People, programs, their tokens, and who did what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from lab.people import ALLOWS, Permission, Person, Role, TokenKind, read_scope
from lab.service.caller import Caller, SignedIn, needs
from lab.service.commands import CommandRoute
from lab.service.errors import Refusal, found
from lab.service.login import LoginPart
from lab.service.moments import Moment
from lab.service.parts import StorePart
from lab.service.passwords import LONGEST, refuse_weak
from lab.service.people_shapes import ActShape, PersonShape, RoleShape, TokenMade, TokenShape
from lab.service.tokens import hashed, make_secret
from lab.store import Store

__all__ = ["router"]

router = APIRouter(tags=["people"], route_class=CommandRoute)

Admin = Annotated[Caller, Depends(needs(Permission.ADMINISTER))]
Viewer = Annotated[Caller, Depends(needs(Permission.SEE))]

Short = Annotated[str, Field(max_length=200)]
RoleName = Annotated[str, Field(max_length=200, json_schema_extra={"enum": list(Role)})]
PermissionName = Annotated[str, Field(max_length=200, json_schema_extra={"enum": list(Permission)})]
NewName = Annotated[
    str, Field(max_length=200, json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"})
]
"""The document says what there is; a sentence of ours says it to whoever wrote something else."""
Grants = dict[str, dict[str, list[RoleName]]]
Secret = Annotated[str, Field(max_length=4 * LONGEST)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewPerson(_Body):
    """Somebody, or a program, that is to act through the service."""

    name: NewName = Field(description="That they log in with; kept with all they do, and never changed.")
    roles: list[RoleName] = Field(min_length=1, max_length=20)
    full_name: Short = ""
    email: Short = ""
    grants: Grants = Field(
        default_factory=dict,
        description='Roles that count with some devices and protocols: `{"devices": {"furnace*": ["operator"]}}`.',
    )
    subject: str = Field(
        default="", max_length=1000, description="Who they are at the provider: `ISSUER#SUBJECT`."
    )
    password: Secret | None = Field(
        default=None, description="Without one they log in elsewhere, or not yet."
    )
    program: bool = False


class ChangedPerson(_Body):
    """What is to be different about somebody; what is left out stays."""

    expected: int = Field(ge=1, le=2**31, description="Their version, as seen.")
    roles: list[RoleName] | None = Field(default=None, min_length=1, max_length=20)
    grants: Grants | None = None
    full_name: Short | None = None
    email: Short | None = None
    subject: str | None = Field(default=None, max_length=1000)
    active: bool | None = None


class GivenPassword(_Body):
    """A password that an admin gives somebody."""

    password: Secret


class NewToken(_Body):
    """A token for a program or a script."""

    name: str = Field(min_length=1, max_length=200, description="What it is for.")
    days: int = Field(ge=1, le=3660, description="How long it is good.")
    scope: list[PermissionName] = Field(
        min_length=1, max_length=20, description="Of what its owner may, what may be done with it."
    )
    person: Short | None = Field(default=None, description="A program; yourself without it.")


@router.get("/roles", summary="Which roles there are")
def roles(caller: SignedIn) -> list[RoleShape]:
    """And what each may do."""
    return [RoleShape(role=role, permissions=sorted(ALLOWS[role])) for role in Role]


@router.get("/people", summary="Who may act here")
def people(caller: Admin, store: StorePart) -> list[PersonShape]:
    """Or might once; nobody is ever deleted."""
    return [PersonShape.of(person) for person in store.people()]


@router.get("/people/{name}")
def person(name: str, caller: Admin, store: StorePart) -> PersonShape:
    """Somebody, by name or identifier."""
    return PersonShape.of(_somebody(store, name))


@router.post("/people", status_code=201, summary="Add somebody")
def add(new: NewPerson, caller: Admin, store: StorePart, login: LoginPart) -> PersonShape:
    """A person or a program."""
    if new.password is not None:
        refuse_weak(new.password, new.name, new.full_name, new.email)
    added = store.add_person(
        new.name,
        roles=new.roles,
        full_name=new.full_name,
        email=new.email,
        grants=new.grants,
        password_hash="" if new.password is None else login.passwords.hash(new.password),
        subject=new.subject,
        program=new.program,
    )
    return PersonShape.of(added)


@router.put("/people/{name}", summary="Change somebody, or what they may do")
def change(
    name: str, changed: ChangedPerson, caller: Admin, store: StorePart, login: LoginPart
) -> PersonShape:
    """Who is not active any more loses their sessions and tokens for good."""
    somebody = _somebody(store, name)
    touched = any(one is not None for one in (changed.roles, changed.grants, changed.active))
    if touched and somebody.id == caller.person.id:
        raise Refusal(
            403,
            "own_roles",
            "Nobody changes what they may do themselves.",
            way_out="Ask another admin, or do it on the machine of the service while that is stopped.",
        )
    after = store.change_person(
        somebody.id,
        expected_version=changed.expected,
        roles=changed.roles,
        grants=changed.grants,
        full_name=changed.full_name,
        email=changed.email,
        subject=changed.subject,
        active=changed.active,
    )
    login.seen.forget(person_id=somebody.id)
    return PersonShape.of(after)


@router.put("/people/{name}/password", status_code=204, summary="Give somebody a new password")
def set_password(name: str, given: GivenPassword, caller: Admin, store: StorePart, login: LoginPart) -> None:
    """Their sessions end."""
    somebody = _somebody(store, name)
    if somebody.id == caller.person.id:
        raise Refusal(
            403,
            "own_password",
            "One's own password is changed by whoever knows it.",
            way_out="PUT /api/me/password, with the present one.",
        )
    refuse_weak(given.password, somebody.name, somebody.full_name, somebody.email)
    store.set_password(somebody.id, login.passwords.hash(given.password))
    login.seen.forget(person_id=somebody.id)


@router.get("/tokens", summary="Sessions and API tokens")
def tokens(
    caller: SignedIn,
    store: StorePart,
    person: Annotated[
        str | None, Query(max_length=200, description="Whose; `*` is everybody's. One's own without it.")
    ] = None,
) -> list[TokenShape]:
    """One's own; an admin sees anybody's."""
    if person is None:
        return [TokenShape.of(token, caller.name) for token in store.tokens(caller.person.id)]
    caller.require(Permission.ADMINISTER)
    if person != "*":
        somebody = _somebody(store, person)
        return [TokenShape.of(token, somebody.name) for token in store.tokens(somebody.id)]
    names = {one.id: one.name for one in store.people()}
    return [TokenShape.of(token, names[token.person_id]) for token in store.tokens()]


@router.post("/tokens", status_code=201, summary="Make an API token")
def make_token(new: NewToken, caller: SignedIn, store: StorePart, login: LoginPart) -> TokenMade:
    """For oneself, or, as an admin, for a program. Its secret is in this answer and nowhere else."""
    owner = caller.person if new.person is None else _token_owner(store, caller, new.person)
    scope = read_scope(new.scope)
    expires_utc = datetime.now(UTC) + timedelta(days=new.days)
    if new.days > login.rules.longest_token_days:
        raise Refusal(
            422,
            "bad_input",
            f"A token is good for {login.rules.longest_token_days} days at most.",
            way_out="Make a new one then.",
            field="days",
        )
    _refuse_more_than_own(caller, owner, scope, expires_utc)
    secret = make_secret(TokenKind.API)
    made = store.add_token(
        owner.id,
        kind=TokenKind.API,
        hashed=hashed(secret),
        expires_utc=expires_utc,
        name=new.name,
        scope=scope,
    )
    return TokenMade(token=secret, **TokenShape.of(made, owner.name).model_dump())


@router.delete("/tokens/{token_id}", status_code=204, summary="End a session or an API token")
def revoke(token_id: str, caller: SignedIn, store: StorePart, login: LoginPart) -> None:
    """One's own; an admin anybody's."""
    token = found(lambda: store.token(token_id), "token")
    if token.person_id != caller.person.id and not caller.may(Permission.ADMINISTER):
        raise Refusal(404, "not_found", "There is no such token.", way_out="See which there are.")
    store.revoke_token(token.id)
    login.seen.forget(token_id=token.id)


@router.get("/audit", summary="Who did what")
def audit(
    caller: Viewer,
    store: StorePart,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="The last number of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    who: Annotated[str, Query(max_length=200)] = "",
    action: Annotated[str, Query(max_length=200, description="Has this in it.")] = "",
    subject: Annotated[str, Query(max_length=200, description="Has this in it.")] = "",
    since: Moment | None = None,
    until: Moment | None = None,
    unfinished: Annotated[bool, Query(description="Only those whose end was not written.")] = False,
) -> list[ActShape]:
    """The newest first. Where it came from and what came with it is for admins."""
    acts = store.acts(
        before=before,
        limit=limit,
        who=who,
        action=action,
        subject=subject,
        since=since,
        until=until,
        unfinished=unfinished,
    )
    full = caller.may(Permission.ADMINISTER)
    return [ActShape.of(act, full=full) for act in acts]


def _somebody(store: Store, name: str) -> Person:
    return found(lambda: store.person(name), "person")


def _token_owner(store: Store, caller: Caller, name: str) -> Person:
    """For whom a token may be made: a token of another person would be acting in their name.

    Raises:
        Refusal: 403 or 404.
    """
    if name.strip().lower() == caller.name:
        return caller.person
    caller.require(Permission.ADMINISTER)
    owner = _somebody(store, name)
    if owner.id != caller.person.id and not owner.program:
        raise Refusal(
            403, "not_a_program", f"{owner.name} is a person.", way_out="They make their tokens themselves."
        )
    return owner


def _refuse_more_than_own(
    caller: Caller, owner: Person, scope: frozenset[Permission], expires_utc: datetime
) -> None:
    """A token that leaked must not make another that can do more, or lives longer.

    Raises:
        Refusal: 403.
    """
    if caller.token.kind is TokenKind.SESSION or owner.id != caller.person.id:
        return
    if not scope <= caller.token.scope or expires_utc > caller.token.expires_utc:
        raise Refusal(
            403,
            "out_of_scope",
            "A token can't make one that is good for more, or for longer, than itself.",
            way_out="Log in and make it then.",
        )
