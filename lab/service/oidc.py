"""Logging in at the institute's OpenID Connect provider.

The console makes a *verifier*, keeps it with the browser that began, and sends its SHA-256 along; what comes back to that
browser in the end is a code that is good once, for a minute, and only together with the verifier. So a link that somebody
else began leads nowhere, and no token of ours or of the provider's is ever in an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from lab.errors import BadInput
from lab.people import Person, Role, Token
from lab.service.caller import address_of
from lab.service.commands import refuse_unaudited
from lab.service.errors import Refusal
from lab.service.login import Login, LoginPart, audited_login
from lab.service.parts import StandingPart, StorePart
from lab.service.people_shapes import Session
from lab.service.provider import ProviderClient, Visitor
from lab.service.settings import Standing
from lab.store import Store

__all__ = ["Elsewhere", "router"]

log = logging.getLogger("drywet.service")

_LOGIN_S = 600
"""That somebody has to log in at the provider."""
_CODE_S = 60.0
_MOST_CODES = 1000

_Challenge = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """Somebody who logged in elsewhere, and has not come for their session yet."""

    person_id: str
    challenge: str
    until_s: float


class Elsewhere:
    """Logins at a provider, between their steps. What is under way is in the address that the browser carries, encrypted
    with a key of this process; only codes that are ready are remembered.

    Args:
        client: of the provider.
        clock: seconds, monotonic.
    """

    def __init__(self, client: ProviderClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._clock = clock
        self._box = Fernet(Fernet.generate_key())
        self._turn = threading.Lock()
        self._ready: OrderedDict[str, _Ready] = OrderedDict()

    def begin(self, challenge: str, back: str) -> str:
        """The address at the provider to which a browser is sent."""
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        inside = json.dumps({"challenge": challenge, "back": back, "nonce": nonce, "verifier": verifier})
        state = self._box.encrypt(inside.encode()).decode()
        return self.client.address(state, nonce, verifier)

    def opened(self, state: str) -> dict[str, str]:
        """What was begun.

        Raises:
            Refusal: 400; nothing of ours, or too long ago.
        """
        try:
            inside: dict[str, str] = json.loads(self._box.decrypt(state.encode(), ttl=_LOGIN_S))
        except (InvalidToken, ValueError) as error:
            raise Refusal(
                400, "not_begun", "No login was begun here that this belongs to, or it took too long.",
                way_out="Begin again in the console.",
            ) from error  # fmt: skip
        return inside

    def make_ready(self, person: Person, challenge: str) -> str:
        """A code for the session of somebody who did log in; good once."""
        code = secrets.token_urlsafe(32)
        with self._turn:
            self._ready[_hash(code)] = _Ready(
                person_id=person.id, challenge=challenge, until_s=self._clock() + _CODE_S
            )
            while len(self._ready) > _MOST_CODES:
                self._ready.popitem(last=False)
        return code

    def redeem(self, code: str, verifier: str) -> str:
        """Whose code it is; it is used up, whatever comes of it.

        Raises:
            Refusal: 401.
        """
        with self._turn:
            ready = self._ready.pop(_hash(code), None)
        if (
            ready is None
            or self._clock() >= ready.until_s
            or not hmac.compare_digest(_challenge(verifier), ready.challenge)
        ):
            raise Refusal(401, "bad_code", "This code is not good, or not any more.", way_out="Log in again.")
        return ready.person_id


def welcome(store: Store, elsewhere: Elsewhere, visitor: Visitor) -> Person:
    """Who somebody from the provider is here; with the roles that their groups give them, where groups give any.

    Raises:
        Refusal: 403, they are nobody here, or may do nothing.
    """
    provider = elsewhere.client.provider
    given = frozenset[Role]().union(
        *(provider.group_roles.get(group, frozenset()) for group in visitor.groups)
    )
    person = store.person_of_subject(visitor.subject)
    if provider.group_roles and not given:
        raise _nobody(visitor, "None of their groups may use this lab.")
    if person is None:
        if not (provider.add_people and given):
            raise _nobody(visitor, "They were not added to this lab.")
        return _added(store, visitor, given)
    if not person.active or person.program:
        raise _nobody(visitor, "They may not do anything any more.")
    if provider.group_roles and person.roles != given:
        try:
            return store.change_person(person.id, roles=given)
        except BadInput as refused:  # the last admin
            log.warning("The groups of %s were not followed: %s", person.name, refused)
    return person


def _audited_welcome(store: Store, elsewhere: Elsewhere, visitor: Visitor, source: str) -> Person:
    """It may add somebody, or change what they may do, in nobody's name but the provider's."""
    act = refuse_unaudited(
        lambda: store.audit_begin(
            who="provider of logins",
            action="GET /oidc/callback",
            subject=visitor.subject,
            source=source,
            details={"name": visitor.name, "groups": list(visitor.groups)[:100]},
        )
    )
    try:
        person = welcome(store, elsewhere, visitor)
    except Refusal as refusal:
        store.audit_end(act, f"refused: {refusal.sentence}")
        raise
    store.audit_end(act, "done", {"person": person.name, "roles": sorted(person.roles)})
    return person


def _added(store: Store, visitor: Visitor, roles: frozenset[Role]) -> Person:
    """A name that is taken is somebody else's, whatever the provider says."""
    try:
        return store.add_person(
            visitor.name,
            roles=roles,
            full_name=visitor.full_name,
            email=visitor.email,
            subject=visitor.subject,
        )
    except BadInput as refused:
        raise _nobody(visitor, refused.reason) from refused


def _nobody(visitor: Visitor, why: str) -> Refusal:
    return Refusal(
        403,
        "not_here",
        f"{visitor.name or visitor.subject} can't log in. {why}",
        way_out=f"Ask an admin, who needs this: {visitor.subject}",
    )


router = APIRouter(tags=["login"], prefix="/oidc")


def _elsewhere(request: Request, login: LoginPart) -> Elsewhere:
    """Made when the first asks for it; one for an application."""
    if login.rules.provider is None:
        raise Refusal(404, "no_provider", "Nobody logs in elsewhere here.", way_out="Use a password.")
    state = request.app.state
    if not hasattr(state, "elsewhere"):
        state.elsewhere = Elsewhere(ProviderClient(login.rules.provider))
    found: Elsewhere = state.elsewhere
    return found


ElsewherePart = Annotated[Elsewhere, Depends(_elsewhere)]


class Begin(BaseModel):
    """A login that is to begin."""

    model_config = ConfigDict(extra="forbid")

    challenge: _Challenge = Field(description="SHA-256 of the verifier, base64url without padding.")
    back: str = Field(max_length=500, description="Page of the console that gets the code.")


class Begun(BaseModel):
    """Where to send the browser."""

    address: str


class Redeemed(BaseModel):
    """A code that came back, and what it is good with."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    code: str = Field(max_length=200)
    verifier: str = Field(min_length=43, max_length=200)


@router.post("/begin", summary="Begin a login at the provider")
def begin(asked: Begin, elsewhere: ElsewherePart, standing: StandingPart) -> Begun:
    """Send the browser to the address; it comes back to `back` with `code`, or with `error`."""
    _refuse_other_places(asked.back, standing)
    return Begun(address=elsewhere.begin(asked.challenge, asked.back))


@router.get("/callback", summary="Where the provider sends the browser back to", include_in_schema=False)
def callback(
    request: Request,
    elsewhere: ElsewherePart,
    store: StorePart,
    state: Annotated[str, Query(max_length=4000)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """On to the console, with a code for a session or with what went wrong."""
    inside = elsewhere.opened(state)
    try:
        if error or not code:
            raise Refusal(403, "not_vouched", "The provider did not let them in.")
        visitor = elsewhere.client.visitor(code, inside["nonce"], inside["verifier"])
        person = _audited_welcome(store, elsewhere, visitor, address_of(request))
        answer = {"code": elsewhere.make_ready(person, inside["challenge"])}
    except Refusal as refusal:
        log.info("A login elsewhere was refused: %s", refusal.sentence)
        answer = {"error": f"{refusal.sentence} {refusal.way_out}".strip()}
    joint = "&" if urlsplit(inside["back"]).query else "?"
    return RedirectResponse(f"{inside['back']}{joint}{urlencode(answer)}", status_code=303)


@router.post("/session", summary="The session of who logged in elsewhere")
def session(
    redeemed: Redeemed, request: Request, elsewhere: ElsewherePart, store: StorePart, login: LoginPart
) -> Session:
    """As after a login with a password."""
    person = store.person(elsewhere.redeem(redeemed.code, redeemed.verifier))

    def log_in() -> tuple[Person, str, Token]:
        return (person, *_begin_session(login, store, person))

    person, secret, token = audited_login(store, person.name, request, log_in, action="POST /oidc/session")
    return Session.of(secret, token, person)


def _begin_session(login: Login, store: Store, person: Person) -> tuple[str, Token]:
    try:
        return login.begin_session(store, person, "logged in elsewhere")
    except BadInput as refused:  # disabled within this minute
        raise Refusal(403, "not_here", refused.reason) from refused


def _refuse_other_places(back: str, standing: Standing) -> None:
    """A code goes to the console and nowhere else.

    Raises:
        Refusal: 422.
    """
    wanted, ours = urlsplit(back), urlsplit(standing.console)
    plain = back.isascii() and back.isprintable() and "\\" not in back and not wanted.fragment
    if not plain or (wanted.scheme, wanted.netloc) != (ours.scheme, ours.netloc):
        raise Refusal(
            422, "bad_input", f"That is no page of the console at {standing.console}.", field="back"
        )


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
