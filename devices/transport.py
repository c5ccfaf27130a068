"""How one line gets to an instrument and its answer back: over bytes (:mod:`devices.streams`), or into a twin's model.

A transport carries strings and knows nothing of what they mean. Every failure it can have is one of two
faults: :class:`CommandTimeout` (no answer in time) and :class:`ConnectionLost` (no wire). After a timeout the
answer may still come; it must never be taken for the answer to the next request, so the stream is dropped and
opened anew.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lab.errors import CommandTimeout, ConnectionLost

__all__ = [
    "LONGEST_LINE",
    "Framing",
    "InProcess",
    "LineInstrument",
    "Renewable",
    "Transport",
]


OPEN_TIMEOUT_S = 10.0
LONGEST_LINE = 64 * 1024
"""Bytes of a reply without its end after which it is no reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How a protocol ends its lines.

    Args:
        request_end: what is written after each request.
        reply_end: what ends each reply.
        baud: of the serial line; no meaning on others.
        greeting: what is said over each new TCP connection and what must come back, as a login; others have none.
        settle_s: how long to listen on after each reply, where a reply does not say what it is a reply to. A second one that
            comes by then shows that the first was another's.
    """

    request_end: str = "\n"
    reply_end: str = "\n"
    baud: int = 9600
    greeting: tuple[tuple[str, str], ...] = ()
    settle_s: float = 0.0

    def pack_request(self, request: str) -> bytes:
        """What is written for a request."""
        return (request + self.request_end).encode("ascii")

    async def read_reply(self, incoming: asyncio.StreamReader) -> bytes:
        """One whole reply, without what frames it.

        Raises:
            NonsenseReply: what came can be no reply of this protocol.
            asyncio.LimitOverrunError: it has no end.
            asyncio.IncompleteReadError: the other side hung up in its midst.
        """
        end = self.reply_end.encode("ascii")
        return (await incoming.readuntil(end)).removesuffix(end)

    async def read_request(self, incoming: asyncio.StreamReader) -> str:
        """One request, as the far end of the wire reads it."""
        end = self.request_end.encode("ascii")
        return (await incoming.readuntil(end)).removesuffix(end).decode("ascii")

    def pack_reply(self, reply: str) -> bytes:
        """What the far end of the wire writes for a reply."""
        return (reply + self.reply_end).encode("utf-8")


@runtime_checkable
class LineInstrument(Protocol):
    """A model of an instrument that answers lines; what stands behind the seam on a twin."""

    async def reply(self, line: str) -> str:
        """The answer to one request, both without line ends, after the time the instrument takes to give it."""
        ...


@runtime_checkable
class Transport(Protocol):
    """The wire to one instrument. Carries one exchange at a time; callers take turns."""

    @property
    def where(self) -> str:
        """For messages: ``tcp 192.168.0.1:10100``."""
        ...

    async def open(self) -> None:
        """Make the connection; harmless when it is made.

        Raises:
            ConnectionLost: nobody is there.
        """
        ...

    async def close(self) -> None:
        """Give the connection up; harmless when there is none."""
        ...

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one line and wait for the reply, both without line ends.

        Args:
            timeout_s: lab time, from sending to the end of the reply.

        Raises:
            CommandTimeout: no whole reply in time; whether the instrument acts on the request is not known.
            ConnectionLost: not open, or the wire went away.
            NonsenseReply: what came is no text.
        """
        ...


@runtime_checkable
class Renewable(Protocol):
    """A transport on which replies can get out of step with requests."""

    async def renew(self) -> None:
        """Get in step again before the next request: what was read last is no reply to what was asked."""
        ...


class InProcess:
    """A model in this process. The exchange costs no wall time beyond the model's own.

    Like an instrument, the model goes on with what it was told when the caller stops waiting for the answer.

    Args:
        model: what answers.
        where: for messages.
    """

    def __init__(self, model: LineInstrument, *, where: str = "") -> None:
        self._model = model
        self._where = where or f"in process, {type(model).__name__}"
        self._open = False
        self._working: set[asyncio.Task[str]] = set()
        self._turn = asyncio.Lock()

    @property
    def where(self) -> str:
        """For messages."""
        return self._where

    async def open(self) -> None:
        """Make the model reachable."""
        self._open = True

    async def close(self) -> None:
        """Make the model unreachable, and end what it still does."""
        self._open = False
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Ask the model."""
        async with self._turn:
            if not self._open:
                raise ConnectionLost(f"{self._where}: not connected.")
            task = asyncio.ensure_future(self._model.reply(request))
            self._working.add(task)
            task.add_done_callback(self._working.discard)
            task.add_done_callback(_retrieve)
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
            if not done:
                raise CommandTimeout(f"{self._where}: no answer to {request!r} within {timeout_s:g} s.")
            if task.cancelled():
                raise ConnectionLost(f"{self._where}: closed while waiting for the answer to {request!r}.")
            try:
                return task.result()
            except ConnectionError as gone:
                # As over a wire, the next exchange reaches it when it is there again.
                raise ConnectionLost(f"{self._where}: {gone}") from gone


def _retrieve(task: asyncio.Task[str]) -> None:
    """Look at an answer that may be unwanted by now, so that asyncio does not report it as forgotten."""
    if not task.cancelled():
        task.exception()
