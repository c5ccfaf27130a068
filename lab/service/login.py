"""Logging in and out with a password, sessions, and one's own password."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from lab.people import Person, Token, TokenKind
from lab.service.caller import Caller, Seen, SignedIn, address_of
from lab.service.commands import CommandRoute, refuse_unaudited
from lab.service.errors import Refusal
from lab.service.login_rules import LoginRules
from lab.service.parts import StorePart
from lab.service.passwords import LONGEST, Passwords, refuse_weak
from lab.service.people_shapes import Me, Session
from lab.service.throttle import Attempt, Throttle
from lab.service.tokens import hashed, make_secret
from lab.store import Store

__all__ = ["NO_ADMIN", "Login", "LoginPart", "audited_login", "commands", "router"]

NO_ADMIN = "On its machine, as the user it runs as: drywet users add NAME --role admin"
"""How the first admin is made."""

_KEEP_SESSIONS = timedelta(days=30)

_MOST_AT_ONCE = 8
"""Logins that are checked or wait for it; a fifth of the threads in which a service answers."""


class Login:
    """What logging in needs to remember: who failed, and how passwords are checked. One for an application.

    Args:
        rules: of this lab.
        passwords: by default with the parameters of RFC 9106.
    """

    def __init__(
        self, rules: LoginRules, passwords: Passwords | None = None, throttle: Throttle | None = None
    ) -> None:
        self.rules = rules
        self.passwords = passwords or Passwords()
        self.throttle = throttle or Throttle()
        self.seen = Seen()
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def admit(self, store: Store, name: str, address: str) -> Attempt:
        """Let somebody try to log in.

        Raises:
            Refusal: 429 after too many that failed; 403 where nobody can log in so.
        """
        if not self.rules.passwords:
            raise Refusal(
                403, "no_passwords", "Nobody logs in here with a password.", way_out="Use the other way."
            )
        attempt = self.throttle.attempt(name, address)
        if attempt.wait_s > 0.0:
            raise _too_many(attempt.wait_s)
        if not store.has_admin():
            raise Refusal(403, "no_admin", "Nobody can log in yet, as there is no admin.", way_out=NO_ADMIN)
        return attempt

    def by_password(
        self, store: Store, name: str, password: str, attempt: Attempt
    ) -> tuple[Person, str, Token]:
        """Log somebody in who was admitted.

        Returns:
            Who it is, the secret of the session, and the session.

        Raises:
            Refusal: 401 for a wrong name or password, without saying which.
        """
        found = store.credentials(name)
        kept = found[1] if found is not None else ""
        with self._at_once():
            verdict = self.passwords.check(kept, password)
        if found is None or not verdict.right or not found[0].active or found[0].program:
            refusal = Refusal(401, "wrong_password", "Name or password is wrong.", way_out="Try again.")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            raise refusal
        person = found[0]
        self.throttle.succeeded(attempt)
        if verdict.renewed:
            store.renew_hash(person.id, kept, verdict.renewed)
        return (person, *self.begin_session(store, person))

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Passwords take time to check; those who wait for it must not take all threads of the service, which a stop needs.

        Raises:
            Refusal: 503, too many log in at this moment.
        """
        if not self._room.acquire(blocking=False):
            refusal = Refusal(503, "busy", "Many people log in at this moment.", way_out="Try again.")
            refusal.headers["Retry-After"] = "1"
            raise refusal
        try:
            yield
        finally:
            self._room.release()

    def begin_session(self, store: Store, person: Person, name: str = "") -> tuple[str, Token]:
        """A session of somebody who was found to be who they say; its secret, and what is kept of it."""
        moment = datetime.now(UTC)
        store.forget_sessions(moment - _KEEP_SESSIONS)
        secret = make_secret(TokenKind.SESSION)
        token = store.add_token(
            person.id,
            kind=TokenKind.SESSION,
            hashed=hashed(secret),
            expires_utc=moment + timedelta(seconds=self.rules.session_s),
            name=name,
        )
        return secret, token

    def confirm(self, store: Store, caller: Caller, password: str) -> None:
        """See that whoever is logged in knows their password.

        Raises:
            Refusal: 403, they don't; 429 after too many.
        """
        attempt = self.throttle.attempt(caller.name, caller.address)
        if attempt.wait_s > 0.0:
            raise _too_many(attempt.wait_s)
        found = store.credentials(caller.name)
        with self._at_once():
            right = found is not None and self.passwords.check(found[1], password).right
        if not right:
            raise Refusal(403, "wrong_password", "The present password is wrong.", field="old_password")
        self.throttle.succeeded(attempt)


def _too_many(wait_s: float) -> Refusal:
    seconds = math.ceil(wait_s)
    refusal = Refusal(
        429,
        "too_many_logins",
        f"Too many logins failed. The next one is possible in {seconds} s.",
        way_out="Wait; an admin can set a new password.",
    )
    refusal.headers["Retry-After"] = str(seconds)
    return refusal


def _login(request: Request) -> Login:
    return cast(Login, request.app.state.login)


LoginPart = Annotated[Login, Depends(_login)]

router = APIRouter(tags=["login"])
"""Routes that take no token."""

commands = APIRouter(tags=["login"], route_class=CommandRoute)
"""Routes for whoever is logged in."""


class Credentials(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(max_length=200)
    password: str = Field(max_length=4 * LONGEST)


class NewPassword(BaseModel):
    """A change of one's own password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    old_password: str = Field(max_length=4 * LONGEST)
    new_password: str = Field(max_length=4 * LONGEST)


class Ways(BaseModel):
    """How people log in here."""

    passwords: bool
    provider: str | None = Field(
        description="What the button for logging in elsewhere says; null for no such way."
    )
    sentence: str = Field(description="What has to be done before anybody can log in; empty when they can.")


@router.get("/login", summary="How people log in here")
def ways(store: StorePart, login: LoginPart) -> Ways:
    """Asks for no token."""
    provider = login.rules.provider
    return Ways(
        passwords=login.rules.passwords,
        provider=None if provider is None else provider.label,
        sentence="" if store.has_admin() else f"Nobody can log in yet, as there is no admin. {NO_ADMIN}",
    )


@router.post("/login", summary="Log in with a password")
def log_in(credentials: Credentials, request: Request, store: StorePart, login: LoginPart) -> Session:
    """Gives a token for the requests that follow, as `Authorization: Bearer TOKEN`."""
    name = credentials.name.strip().lower()
    attempt = login.admit(store, name, address_of(request))  # who is held off by it fills no disk either
    person, secret, token = audited_login(
        store,
        name,
        request,
        lambda: login.by_password(store, name, credentials.password, attempt),
    )
    return Session.of(secret, token, person)


def audited_login(
    store: Store,
    name: str,
    request: Request,
    log_in: Callable[[], tuple[Person, str, Token]],
    action: str = "POST /login",
) -> tuple[Person, str, Token]:
    """Log somebody in, and write that down with what came of it, before and after.

    Raises:
        Refusal: they can't, or it can't be written down.
    """
    shown = name if name.isascii() and name.isprintable() and len(name) <= 64 else "(no name)"
    act = refuse_unaudited(
        lambda: store.audit_begin(who=shown, action=action, subject=shown, source=address_of(request))
    )
    try:
        found = log_in()
    except Refusal as refusal:
        store.audit_end(act, f"refused: {refusal.sentence}")
        raise
    store.audit_end(act, "done", {"person": found[0].name})
    return found


@commands.post("/logout", status_code=204, summary="End this session")
def log_out(caller: SignedIn, store: StorePart, login: LoginPart) -> None:
    """Its token is good for nothing any more."""
    if caller.token.kind is not TokenKind.SESSION:
        raise Refusal(
            409,
            "no_session",
            "This is no session but an API token.",
            way_out="Revoke it: DELETE /api/tokens/ID",
        )
    store.revoke_token(caller.token.id)
    login.seen.forget(token_id=caller.token.id)


@commands.get("/me", summary="Who is logged in, and what they may do")
def me(caller: SignedIn) -> Me:
    """By this token."""
    return Me.of(caller)


@commands.put("/me/password", status_code=204, summary="Change one's own password")
def change_password(change: NewPassword, caller: SignedIn, store: StorePart, login: LoginPart) -> None:
    """All other sessions end."""
    if caller.token.kind is not TokenKind.SESSION:
        raise Refusal(
            403, "session_only", "A password is changed by who is logged in, not with an API token."
        )
    if not caller.person.has_password:
        raise Refusal(
            409, "no_password", f"{caller.name} has no password here.", way_out="Ask an admin for one."
        )
    login.confirm(store, caller, change.old_password)
    refuse_weak(change.new_password, caller.name, caller.person.full_name, caller.person.email)
    store.set_password(caller.person.id, login.passwords.hash(change.new_password), keep=caller.token.id)
    login.seen.forget(person_id=caller.person.id)
