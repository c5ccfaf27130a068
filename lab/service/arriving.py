"""What stands before every route: by which name the service was asked for, and how large and how slow a request may be."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.service.errors import malformed, refusal_json

__all__ = ["MOST_BYTES", "KnownNames", "SizeLimit"]

MOST_BYTES = 8 * 1024 * 1024
"""Of one request; the largest that anybody needs to send is a table of candidates."""

BODY_S = 60.0
"""Wall time in which the body of a request must be here."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class KnownNames:
    """Refuses requests for a host that the service is not called.

    A page of another origin may have its own name lead to this machine; what the browser then says is that name.

    Args:
        names: host names and addresses without a port; those of IPv6 with or without brackets.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower().strip("[]").rstrip(".") for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the server says no to whoever wants to speak otherwise
            await send({"type": "websocket.close", "code": 1008})
            return
        body = refusal_json(
            "unknown_host",
            "This service has no such name.",
            "Use the address that it says when it begins, or have the name added to DRYWET_SERVICE_NAMES.",
            "Host",
        )
        await JSONResponse(body, status_code=400)(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return False
        matched = _HOST.fullmatch(hosts[0])
        return matched is not None and matched[1].lower().strip("[]").rstrip(".") in self._names


class SizeLimit:
    """Refuses bodies over :data:`MOST_BYTES`, whatever their header says of them, those that don't arrive in time, and
    addresses with characters in them that no name has.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _strange(scope.get("raw_path") or scope["path"].encode()):
            body = refusal_json("not_found", "There is nothing at this address.")
            await JSONResponse(body, status_code=404)(scope, receive, send)
            return
        if _strange(scope["query_string"]):
            unread = malformed("query", "A text has a character in it that can't be kept.")
            body = refusal_json(unread.code, unread.sentence, unread.way_out, unread.field)
            await JSONResponse(body, status_code=422)(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"] if name == b"content-length"}
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > MOST_BYTES:
            await _too_large(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_S):
                whole = await _read(receive)
        except TimeoutError:
            await _too_slow(scope, receive, send)
            return
        if whole is None:
            return
        if len(whole) > MOST_BYTES:
            await _too_large(scope, receive, send)
            return
        told = False

        async def replay() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": bytes(whole), "more_body": False}

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytearray | None:
    """The body, or enough of it to see that it is too large; None for whoever went away."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) > MOST_BYTES:
            return body


def _strange(asked: bytes) -> bool:
    return b"%" in asked and _CONTROL.search(unquote_to_bytes(asked)) is not None


async def _too_large(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = f"A request may have {MOST_BYTES // 1024 // 1024} MiB at most."
    await _refuse(413, "too_large", sentence, "Send less at once.", scope, receive, send)


async def _too_slow(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = f"The request was not here within {BODY_S:g} s."
    await _refuse(408, "too_slow", sentence, "Send it once more.", scope, receive, send)


async def _refuse(
    status: int, code: str, sentence: str, way_out: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """What else is sent is not read, so there is nothing to go on with."""
    body = refusal_json(code, sentence, way_out)
    await JSONResponse(body, status_code=status, headers={"Connection": "close"})(scope, receive, send)
