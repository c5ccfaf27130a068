"""One HTTP request to a robot and its answer, over the network or straight into a twin in this process.

Everything that can go wrong below HTTP is one of three faults: :class:`CommandTimeout` (no whole answer in time),
:class:`ConnectionLost` (no wire; with ``nothing_done`` where the request certainly was not sent) and
:class:`NonsenseReply` (what came can't be read). Time limits are lab time, so that they hold on a twin too.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from devices.fence import check_lease
from devices.opentrons_robot.faults import refusal
from lab.errors import BadInput, CommandTimeout, ConnectionLost, MissingData, NonsenseReply
from lab.types import JsonValue

if TYPE_CHECKING:
    import httpx

__all__ = ["API_VERSION", "LARGEST_ANSWER", "REPLY_S", "AsgiApp", "Wire", "robot_url"]

AsgiApp = Callable[..., Awaitable[None]]
"""A twin's server: an ASGI 3 application."""

API_VERSION = "4"
"""Of the HTTP API, sent with each request; robots of software 7 and 8 speak it."""

REPLY_S = 10.0
"""Lab time for what a robot answers at once."""

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes after which an answer is none. The analysis of a long protocol has some megabytes."""

_RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
"""A connection that is given up is reset, and what a held-up network has not delivered of it never arrives: by then the
same command may have been sent again over another connection."""

_ENDED = ("disconnected", "peer closed")
"""Of httpx's words for a protocol error: those that say that the other side hung up."""

WAY_OUT = "Write http://HOST:31950, with the robot's address from the Opentrons App."


def robot_url(address: str) -> str:
    """The base of a robot's URLs.

    Args:
        address: as a workcell file has it, ``http://192.168.0.20:31950``; the port is 31950 where none is given.

    Raises:
        BadInput: the text is no such address.
    """
    try:
        parts = urlsplit(address)
        port = parts.port or 31950
    except ValueError as wrong:
        raise BadInput(f"{address!r} is no address of a robot.", way_out=WAY_OUT, field="address") from wrong
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise BadInput(f"{address!r} is no address of a robot.", way_out=WAY_OUT, field="address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"http://{host}:{port}"


class Wire:
    """The way to one robot. Requests may overlap.

    Args:
        url: of :func:`robot_url`.
        app: a twin in this process, asked in the robot's place.
    """

    def __init__(self, url: str, *, app: AsgiApp | None = None) -> None:
        self._url = url
        self._app = app
        self._client: httpx.AsyncClient | None = None

    @property
    def where(self) -> str:
        """For messages."""
        return self._url if self._app is None else f"in process, {type(self._app).__name__}"

    async def open(self) -> None:
        """Make requests possible; harmless when they are. Nothing is sent.

        Raises:
            MissingData: httpx is not installed.
        """
        if self._client is not None:
            return
        try:
            import httpx
        except ImportError as missing:
            raise MissingData(
                "Opentrons robots are spoken to with httpx, which is not installed.",
                way_out="Install it with: pip install 'drywet[opentrons]'",
            ) from missing
        self._client = httpx.AsyncClient(
            base_url=self._url,
            transport=(
                httpx.AsyncHTTPTransport(trust_env=False, socket_options=[_RESET_ON_CLOSE])
                if self._app is None
                else httpx.ASGITransport(app=self._app)
            ),
            headers={"opentrons-version": API_VERSION},
            timeout=None,
            trust_env=False,
        )

    async def close(self) -> None:
        """Give the connections up; harmless when there are none."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: JsonValue = None,
        params: Mapping[str, str] | None = None,
        files: list[tuple[str, tuple[str, bytes, str]]] | None = None,
        timeout_s: float = REPLY_S,
    ) -> Any:
        """Send a request and give back the JSON of its answer.

        Args:
            files: sent as a form, in place of ``body``.

        Raises:
            StaleLease: of a command whose lease has run out; nothing was sent.
            DeviceFault: the three of this module, and :func:`devices.opentrons_robot.faults.refusal`.
        """
        check_lease()
        asked = f"{method} {path}"
        if self._client is None:
            raise ConnectionLost(f"{self.where}: not connected.", nothing_done=True)
        import httpx

        try:
            async with asyncio.timeout(timeout_s):
                status, raw = await self._talk(method, path, body, params, files)
        except TimeoutError as late:
            raise CommandTimeout(f"{self.where}: no answer to {asked} within {timeout_s:g} s.") from late
        except (httpx.ConnectError, httpx.ConnectTimeout) as nobody:
            raise ConnectionLost(
                f"{self.where}: nobody answers ({_said(nobody)}).", nothing_done=True
            ) from nobody
        except (httpx.DecodingError, httpx.RemoteProtocolError) as bad:
            if isinstance(bad, httpx.RemoteProtocolError) and any(word in str(bad) for word in _ENDED):
                raise ConnectionLost(
                    f"{self.where}: the connection ended during {asked} ({_said(bad)})."
                ) from bad
            raise NonsenseReply(f"{self.where}: the answer to {asked} is no HTTP ({_said(bad)}).") from bad
        except (httpx.TransportError, OSError) as gone:
            raise ConnectionLost(
                f"{self.where}: the connection ended during {asked} ({_said(gone)})."
            ) from gone
        answer = self._read(raw, asked, status)
        if not 200 <= status < 300:
            raise refusal(status, answer, asked)
        return answer

    async def _talk(
        self,
        method: str,
        path: str,
        body: JsonValue,
        params: Mapping[str, str] | None,
        files: list[tuple[str, tuple[str, bytes, str]]] | None,
    ) -> tuple[int, bytes]:
        assert self._client is not None
        request = self._client.build_request(method, path, json=body, params=params, files=files)
        response = await self._client.send(request, stream=True)
        try:
            raw = bytearray()
            async for chunk in response.aiter_bytes():
                raw += chunk
                if len(raw) > LARGEST_ANSWER:
                    raise NonsenseReply(f"{self.where}: the answer to {method} {path} has no end.")
            return response.status_code, bytes(raw)
        finally:
            await response.aclose()

    def _read(self, raw: bytes, asked: str, status: int) -> Any:
        try:
            return json.loads(raw.decode("utf-8"), parse_constant=_no_number)
        except (ValueError, RecursionError) as bad:
            if status >= 400:
                return None  # a proxy's page; the status says enough
            raise NonsenseReply(f"{self.where}: the answer to {asked} is no JSON: {raw[:60]!r}.") from bad


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
