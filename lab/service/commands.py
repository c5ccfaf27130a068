"""The class of routes that change something: audit first, and a command that is sent twice is done once.

``Idempotency-Key`` is a word of the sender's own, good for a week. Sent once more with the same words, the same answer
comes back, also when the first is still at work. With other words it is refused. A command that was refused was not done,
and is judged anew. Of one that broke off nobody knows how far it came: it is not done again under its key.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import anyio
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from lab.audit import Begun, Once, Replied
from lab.errors import BadInput, DeviceFault, DrywetError, StoreUnusable
from lab.service.bodies import read_json
from lab.service.caller import Caller, caller_of, demands
from lab.service.errors import Refusal
from lab.service.redaction import details_of, without_secrets
from lab.store import Store
from lab.types import JsonValue

__all__ = ["CommandRoute", "refuse_unaudited"]

log = logging.getLogger("drywet.service")

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

_LONGEST_KEY = 200

_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A word of the sender's own, good for a week. What is sent once more under it is done once.",
    "schema": {"type": "string", "maxLength": _LONGEST_KEY, "pattern": "^[!-~]+$"},
}
"""For the document of the API."""

_WAIT_S = 120.0
"""How long a command that came twice waits for the first of the two."""

T = TypeVar("T")

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command as it arrived.

    Args:
        refused: why it can't be carried out, as far as that is known before anything is looked up.
    """

    caller: Caller
    action: str
    subject: str
    details: Mapping[str, JsonValue]
    once: Once | None
    refused: Refusal | None


class CommandRoute(APIRoute):
    """A route; where it changes something, what it does is written down before and after.

    Who is not logged in is refused ahead of all else; then who may not do this; then what can't be read. What can't be
    written down is refused, and nothing is done.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        if set(more.get("methods") or ()) - _READING:
            extra = dict(more.get("openapi_extra") or {})
            more["openapi_extra"] = {**extra, "parameters": [*extra.get("parameters", ()), dict(_KEY)]}
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Handle:
        """The handler, within all that."""
        handle = super().get_route_handler()
        template = self.path_format
        asked = tuple(demands(self.dependant))

        async def carry_out(request: Request) -> Response:
            if request.method in _READING:
                return await handle(request)
            command = await _read(request, template, asked)
            async with _turn(request, command.once):
                return await _carry_out(request, command, handle)

        return carry_out


async def _read(request: Request, template: str, asked: tuple[Callable[[Caller], None], ...]) -> _Command:
    """What is asked for, and by whom.

    Raises:
        Refusal: 401 for nobody, 422 for a key that is none.
    """
    caller = await run_in_threadpool(caller_of, request)
    body = await request.body()
    key = request.headers.get("idempotency-key", "")
    once = None
    if key:
        if len(key) > _LONGEST_KEY or not (key.isascii() and key.isprintable()):
            raise Refusal(
                422,
                "bad_key",
                f"An idempotency key has up to {_LONGEST_KEY} plain characters.",
                field="Idempotency-Key",
            )
        said = hashlib.sha256(body).hexdigest()
        words = f"{request.method} {request.url.path}?{request.url.query} {said}"
        once = Once(person_id=caller.person.id, key=key, command=words)
    details, unreadable = await run_in_threadpool(_said, request, body)
    return _Command(
        caller=caller,
        action=f"{request.method} {template}",
        subject=_subject(request, details),
        details=details,
        once=once,
        refused=_not_allowed(caller, asked) or unreadable,
    )


def _said(request: Request, body: bytes) -> tuple[dict[str, JsonValue], Refusal | None]:
    """What came with a command, for the audit; and why it can't be read, where it can't."""
    query = dict(request.query_params)
    try:
        return details_of(read_json(body) if body else {}, query), None
    except Refusal as unreadable:
        return details_of(body, query), unreadable if _is_json(request) else None


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


def _not_allowed(caller: Caller, asked: tuple[Callable[[Caller], None], ...]) -> Refusal | None:
    for demand in asked:
        try:
            demand(caller)
        except Refusal as refusal:
            return refusal
    return None


def _subject(request: Request, details: Mapping[str, JsonValue]) -> str:
    """What it is about: what the path names, or else the name in the body."""
    named = ", ".join(str(value) for value in request.path_params.values())
    return (named or str(details.get("name") or ""))[:200]


@asynccontextmanager
async def _turn(request: Request, once: Once | None) -> AsyncIterator[None]:
    """Of commands with one key, one at a time.

    Raises:
        Refusal: 409; the first one takes long.
    """
    if once is None:
        yield
        return
    state = request.app.state
    if not hasattr(state, "commands_under_way"):
        state.commands_under_way = {}
    under_way = cast(dict[tuple[str, str], asyncio.Event], state.commands_under_way)
    key = (once.person_id, once.key)
    with anyio.move_on_after(_WAIT_S) as waiting:
        while key in under_way:
            await under_way[key].wait()
    if waiting.cancelled_caught:
        raise Refusal(409, "under_way", "This was sent before and is under way.", way_out="Wait for it.")
    ended = under_way[key] = asyncio.Event()
    try:
        yield
    finally:
        del under_way[key]
        ended.set()


async def _carry_out(request: Request, command: _Command, handle: Handle) -> Response:
    store = cast(Store, request.app.state.store)
    begun = await _begin(store, command)
    if begun.earlier is not None:
        if command.refused is not None:
            raise command.refused
        return await _again(store, begun.earlier, command)
    try:
        if command.refused is not None:
            raise command.refused
        response = await handle(request)
    except BaseException as error:
        with anyio.CancelScope(shield=True):
            await _end(command, begun.act, partial(_broken_off, store, command, begun.act, error))
        raise
    with anyio.CancelScope(shield=True):
        await _end(command, begun.act, partial(_done, store, command, begun.act, response))
    return response


async def _begin(store: Store, command: _Command) -> Begun:
    def write() -> Begun:
        told: dict[str, Any] = {
            "who": command.caller.name,
            "action": command.action,
            "subject": command.subject,
            "source": command.caller.address,
            "details": command.details,
        }
        if command.once is not None:
            return store.command_begin(command.once, **told)
        return Begun(act=store.audit_begin(**told))

    return await run_in_threadpool(refuse_unaudited, write)


def refuse_unaudited(write: Callable[[], T]) -> T:
    """Write the beginning of an act.

    Raises:
        Refusal: 503; it can't be written, so nothing may be done.
    """
    try:
        return write()
    except StoreUnusable as error:
        log.error("An action was refused, as it can't be written down: %s", error)
        raise Refusal(
            503,
            "not_audited",
            f"Nothing was done, as it can't be written down who did it: {error.reason}",
            way_out=error.way_out,
        ) from error


async def _end(command: _Command, act: str, write: Callable[[], None]) -> None:
    """Write the end of an act. What was done is done, and is answered, also when this fails."""
    try:
        await run_in_threadpool(write)
    except StoreUnusable as error:
        log.error(
            "The end of %s (%s by %s) can't be written: %s", act, command.action, command.caller.name, error
        )


def _done(store: Store, command: _Command, act: str, response: Response) -> None:
    status = response.status_code
    outcome = "done" if status < 400 else f"refused: {status}"
    result: dict[str, JsonValue] = {"status": status}
    if command.once is None:
        store.audit_end(act, outcome, result)
    else:
        store.command_end(
            command.once, act, outcome, status_code=status, body=_kept_body(response), result=result
        )


def _kept_body(response: Response) -> JsonValue:
    """The answer for whoever asks again, without what is shown only once."""
    body = getattr(response, "body", b"")  # what is streamed has none
    if not body or not response.headers.get("content-type", "").startswith("application/json"):
        return None
    return without_secrets(json.loads(bytes(body)))


def _broken_off(store: Store, command: _Command, act: str, error: BaseException) -> None:
    why, nothing_done = _why(error)
    if command.once is None:
        store.audit_end(act, why)
    elif nothing_done:
        store.command_refused(command.once, act, why)
    else:
        store.command_end(command.once, act, why, status_code=None)


def _why(error: BaseException) -> tuple[str, bool]:
    """What came of a command, and whether it is certain that nothing of it was done."""
    match error:
        case Refusal():
            return f"refused: {error.sentence}", error.status < 500
        case RequestValidationError():
            return "refused: it can't be read", True
        case HTTPException():
            return f"refused: {error.detail}", error.status_code < 500
        case StoreUnusable():
            return f"failed: {error.reason}", False
        case BadInput():
            return f"refused: {error.reason}", True
        case DeviceFault():
            return f"failed: {error}", error.nothing_done
        case DrywetError():
            return f"failed: {error}", False
        case Exception():
            return f"failed: {type(error).__name__}, see the log of the service", False
        case _:
            return "broken off", False


async def _again(store: Store, earlier: Replied, command: _Command) -> Response:
    """The answer to a command that was sent before.

    Raises:
        Refusal: 422, it was another command; 409, nobody knows what came of it.
    """
    assert command.once is not None  # or nothing would be known of an earlier one
    sent = f"{earlier.utc:%Y-%m-%d %H:%M:%S} UTC"
    if earlier.command != command.once.command:
        raise Refusal(
            422,
            "key_reused",
            f"Another command came with this key, at {sent}.",
            way_out="Use a fresh key for each command.",
            field="Idempotency-Key",
        )
    if earlier.status_code is None:
        raise await run_in_threadpool(_not_known, store, earlier, sent)
    replay = {"Idempotent-Replay": "true"}
    if earlier.body is None:
        return Response(status_code=earlier.status_code, headers=replay)
    return JSONResponse(earlier.body, status_code=earlier.status_code, headers=replay)


def _not_known(store: Store, earlier: Replied, sent: str) -> Refusal:
    act_id = str(cast(dict[str, Any], earlier.body)["act"])
    outcome = store.act(act_id).outcome
    known = f"It {outcome}." if outcome.startswith("failed") else "The service ended in its midst."
    return Refusal(
        409,
        "not_known",
        f"This was begun at {sent}, and how far it came is not known. {known}",
        way_out=f"Look how things stand. If it is still wanted, send it with a fresh key. It is {act_id} in the audit.",
    )
