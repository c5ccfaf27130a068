"""Who calls, and what they may do. Every route but login, health and stop declares what it asks for with :func:`needs`."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer

from lab.errors import StoreUnusable
from lab.people import Permission, Person, Token, TokenKind, who_may
from lab.service.errors import Refusal
from lab.service.login_rules import LoginRules
from lab.service.tokens import hashed
from lab.store import Store

__all__ = [
    "Caller",
    "Seen",
    "SignedIn",
    "address_of",
    "caller_of",
    "demands",
    "named_caller",
    "needs",
    "still_may",
]

log = logging.getLogger("drywet.service")

_NOTE_EVERY = timedelta(seconds=60)
"""A token's last use is written to the store this often at most."""

_MOST_SEEN = 10_000

_ASK_STORE_S = 2.0
"""How long a stop waits to learn from the store who asks for it."""

_bearer = HTTPBearer(auto_error=False, description="A session's token, or one that was made for a program.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, by the token that came with the request.

    Args:
        address: that the request came from.
    """

    person: Person
    token: Token
    address: str

    @property
    def name(self) -> str:
        """What is kept with all they do."""
        return self.person.name

    def may(self, permission: Permission, *, device: str = "", protocol: str = "") -> bool:
        """Whether they may do something, with this device and this protocol where it has any, by this token."""
        return permission in self.token.scope and self.person.may(
            permission, device=device, protocol=protocol
        )

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether there may be a device or a protocol with which they may do it."""
        return permission in self.token.scope and self.person.may_somewhere(permission)

    def require(self, permission: Permission, *, devices: Iterable[str] = (), protocol: str = "") -> None:
        """See that they may do something with all of these devices and this protocol.

        Raises:
            Refusal: 403; it says who may.
        """
        for device in tuple(devices) or ("",):
            if not self.may(permission, device=device, protocol=protocol):
                raise self._refusal(permission, device, protocol)

    def require_somewhere(self, permission: Permission) -> None:
        """See that there may be a device or a protocol with which they may do it.

        Raises:
            Refusal: 403.
        """
        if not self.may_somewhere(permission):
            raise self._refusal(permission)

    def _refusal(self, permission: Permission, device: str = "", protocol: str = "") -> Refusal:
        if permission not in self.token.scope:
            scope = ", ".join(sorted(self.token.scope))
            return Refusal(
                403,
                "out_of_scope",
                f"This token is good for: {scope}. This takes: {permission}.",
                way_out="Use a token that is good for it.",
            )
        things = " and ".join(thing for thing in (device, protocol) if thing)
        return Refusal(
            403,
            "not_allowed",
            f"{self.name} may not do this{f' with {things}' if things else ''}. It takes {who_may(permission)}.",
            way_out="Ask one, or ask an admin for the role.",
        )


class Seen:
    """Tokens that were good a moment ago, in memory.

    By it a stop knows who asks for it when the store is gone, and the store is spared a write with every request.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._found: OrderedDict[str, tuple[Person, Token]] = OrderedDict()

    def note(self, hash_: str, person: Person, token: Token, moment: datetime) -> bool:
        """Note a use; says whether the store is to be told of it as well."""
        with self._turn:
            self._found.pop(hash_, None)
            self._found[hash_] = (person, replace(token, used_utc=moment))
            while len(self._found) > _MOST_SEEN:
                self._found.popitem(last=False)
        kept = token.used_utc
        return kept is None or moment - kept >= _NOTE_EVERY

    def last_use(self, hash_: str) -> datetime | None:
        """When it was seen last; None where that is not known."""
        with self._turn:
            found = self._found.get(hash_)
            return None if found is None else found[1].used_utc

    def get(self, hash_: str) -> tuple[Person, Token] | None:
        """Whose it was, when it was seen last."""
        with self._turn:
            return self._found.get(hash_)

    def forget(self, *, person_id: str = "", token_id: str = "") -> None:
        """Of tokens that are ended, or whose owner was changed."""
        with self._turn:
            for hash_, (person, token) in list(self._found.items()):
                if person.id == person_id or token.id == token_id:
                    del self._found[hash_]


def needs(permission: Permission, *, somewhere: bool = False) -> Callable[..., Caller]:
    """A dependency that gives the caller, who may do this.

    Args:
        permission: asked for.
        somewhere: also let in whom only a grant for a device or protocol allows it: the route itself must then call
            :meth:`Caller.require` with those that it is about. So must every route that is about any, as a grant may also
            take something away.
    """

    def demand(caller: Caller) -> None:
        if somewhere:
            caller.require_somewhere(permission)
        else:
            caller.require(permission)

    def allowed(request: Request, shown: Annotated[Any, Security(_bearer)]) -> Caller:
        caller = caller_of(request)
        demand(caller)
        return caller

    allowed.permission = permission  # type: ignore[attr-defined]  # what tests hold the routes to
    allowed.demand = demand  # type: ignore[attr-defined]  # what is asked before a body is read
    return allowed


def demands(dependant: Dependant) -> Iterator[Callable[[Caller], None]]:
    """What a route asks of whoever calls; each raises a Refusal."""
    demand = getattr(dependant.call, "demand", None)
    if demand is not None:
        yield demand
    for below in dependant.dependencies:
        yield from demands(below)


def _anybody(request: Request, shown: Annotated[Any, Security(_bearer)]) -> Caller:
    return caller_of(request)


SignedIn = Annotated[Caller, Depends(_anybody)]
"""Whoever is logged in, whatever they may do."""


def caller_of(request: Request) -> Caller:
    """Who calls. Reads the store, so not for the event loop.

    Raises:
        Refusal: 401; nobody, or a token that is over.
        StoreUnusable: the store can't be read.
    """
    known = getattr(request.state, "caller", None)
    if known is not None:
        return cast(Caller, known)
    hash_, person, token, moment = _holder(request)
    if _seen(request).note(hash_, person, token, moment):
        _note_use(cast(Store, request.app.state.store), token, moment)
    request.state.caller = Caller(person=person, token=token, address=address_of(request))
    return request.state.caller


def still_may(request: Request, permission: Permission) -> bool:
    """Whether who began a request that goes on and on may still do it; does not keep their session from ending."""
    try:
        _, person, token, _ = _holder(request)
    except Refusal:
        return False
    return Caller(person=person, token=token, address=address_of(request)).may(permission)


def _holder(request: Request) -> tuple[str, Person, Token, datetime]:
    """Whose token came with a request, with its hash and this moment.

    Raises:
        Refusal: 401.
    """
    secret = _secret(request)
    if not secret:
        raise _not_logged_in("not_logged_in", "Nobody is logged in.")
    hash_ = hashed(secret)
    found = cast(Store, request.app.state.store).holder(hash_)
    if found is None:
        raise _not_logged_in("not_logged_in", "This token is not known.")
    person, token = found
    seen, moment = _seen(request), datetime.now(UTC)
    why = _over(person, token, seen.last_use(hash_), _rules(request), moment)
    if why:
        seen.forget(token_id=token.id)
        raise _not_logged_in("session_over", why)
    return hash_, person, token, moment


def named_caller(request: Request) -> str | None:
    """Who calls, for a stop: never raises, never waits for long, and needs no store for whoever called before."""
    secret = _secret(request)
    if not secret:
        return None
    hash_ = hashed(secret)
    found = _seen(request).get(hash_) or _asked_in_time(cast(Store, request.app.state.store), hash_)
    if found is None:
        return None
    person, token = found
    why = _over(person, token, None, _rules(request), datetime.now(UTC))
    return None if why else person.name


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def _secret(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _over(
    person: Person, token: Token, last_use: datetime | None, rules: LoginRules, moment: datetime
) -> str:
    """Why a token is not good any more; empty when it is."""
    if not person.active:
        return f"{person.name} may not do anything any more."
    if token.revoked_utc is not None:
        return "This session was ended." if token.kind is TokenKind.SESSION else "This token was revoked."
    if moment >= token.expires_utc:
        return "This session is over." if token.kind is TokenKind.SESSION else "This token has expired."
    used = max(use for use in (last_use, token.used_utc, token.created_utc) if use is not None)
    if token.kind is TokenKind.SESSION and moment - used >= timedelta(seconds=rules.idle_s):
        return "This session ended, as nothing was done in it for long."
    return ""


def _note_use(store: Store, token: Token, moment: datetime) -> None:
    """Who only looks on may do so while the disk is full."""
    try:
        store.note_use(token.id, moment)
    except StoreUnusable as error:
        log.warning("The last use of %s could not be noted: %s", token.id, error)


def _asked_in_time(store: Store, hash_: str) -> tuple[Person, Token] | None:
    """Ask the store, in a thread of its own: it may hang."""
    answers: queue.SimpleQueue[tuple[Person, Token] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(store.holder(hash_))
        except Exception as error:  # noqa: BLE001  a stop asks nothing of the store, in whatever state it is
            log.warning("Who asked for the stop is not known: %s", error)
            answers.put(None)

    threading.Thread(target=ask, name="who stops", daemon=True).start()
    try:
        return answers.get(timeout=_ASK_STORE_S)
    except queue.Empty:
        return None


def _not_logged_in(code: str, sentence: str) -> Refusal:
    refusal = Refusal(401, code, sentence, way_out="Log in.")
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal


def _seen(request: Request) -> Seen:
    return cast(Seen, request.app.state.login.seen)


def _rules(request: Request) -> LoginRules:
    return cast(LoginRules, request.app.state.login.rules)
