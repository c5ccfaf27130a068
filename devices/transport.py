"""How one line gets to an instrument and its answer back: over TCP, over a serial line, or straight into a
twin's model.

A transport carries strings and knows nothing of what they mean. Every failure it can have is one of two
faults: :class:`CommandTimeout` (no answer in time) and :class:`ConnectionLost` (no wire). After a timeout the
answer may still come; it must never be taken for the answer to the next request, so the stream is dropped and
opened anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from lab.errors import CommandTimeout, ConnectionLost, DeviceFault, NonsenseReply

__all__ = ["LONGEST_LINE", "Framing", "InProcess", "LineInstrument", "Serial", "Tcp", "Transport"]

log = logging.getLogger(__name__)

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
    """

    request_end: str = "\n"
    reply_end: str = "\n"
    baud: int = 9600
    greeting: tuple[tuple[str, str], ...] = ()

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


class _Stream(ABC):
    """What TCP and serial lines share: turns, framing, timeouts, and the fresh start after a timeout."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._turn = asyncio.Lock()
        self._wanted = False

    @property
    @abstractmethod
    def where(self) -> str: ...

    @abstractmethod
    def _connected(self) -> bool: ...

    @abstractmethod
    async def _connect(self) -> None: ...

    @abstractmethod
    async def _drop(self) -> None: ...

    @abstractmethod
    async def _write(self, data: bytes) -> None: ...

    @abstractmethod
    def _stream(self) -> asyncio.StreamReader:
        """What has come in and was not read yet."""

    async def open(self) -> None:
        """Make the connection."""
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Give the connection up."""
        self._wanted = False
        await self._drop()

    async def _reach(self) -> None:
        if self._connected():
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self._connect()
                await self._greet()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as reason:
            await self._drop()
            raise ConnectionLost(f"{self.where}: cannot connect ({reason!r}).") from reason
        except DeviceFault:
            await self._drop()
            raise

    async def _greet(self) -> None:  # noqa: B027  (a line that is only plugged in needs no login)
        """Log in where the protocol asks for it."""

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one line and wait for the reply."""
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            await self._discard()
            whole = False
            try:
                async with asyncio.timeout(timeout_s):
                    reply = await self._talk(request)
                whole = True
                return reply
            except TimeoutError as late:
                raise CommandTimeout(
                    f"{self.where}: no answer to {request!r} within {timeout_s:g} s."
                ) from late
            except (OSError, asyncio.IncompleteReadError) as gone:
                raise ConnectionLost(
                    f"{self.where}: the connection ended during {request!r} ({gone})."
                ) from gone
            finally:
                if not whole:
                    await self._drop()

    async def _discard(self) -> None:
        """Throw away what came unasked, so that a reply that came twice is never taken for the next one.

        Where the other side has hung up meanwhile, it is called anew: nothing was sent yet.
        """
        while True:
            try:
                async with asyncio.timeout(0.0):
                    unasked = await self._stream().read(LONGEST_LINE)
            except TimeoutError:
                return
            except OSError:
                unasked = b""
            if not unasked:
                await self._drop()
                await self._reach()
                return
            log.warning("%s: %d bytes came unasked and were thrown away.", self.where, len(unasked))

    async def _talk(self, request: str) -> str:
        await self._write(self._framing.pack_request(request))
        try:
            raw = await self._framing.read_reply(self._stream())
        except asyncio.LimitOverrunError as endless:
            raise NonsenseReply(
                f"{self.where}: the answer to {request!r} has no end ({endless.consumed} bytes so far)."
            ) from endless
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{self.where}: the answer to {request!r} is no text: {raw[:40]!r}.") from bad


class Tcp(_Stream):
    """A TCP connection.

    Args:
        host, port: of the instrument.
        framing: of its protocol.
    """

    def __init__(self, host: str, port: int, *, framing: Framing) -> None:
        super().__init__(framing)
        self._host = host
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def where(self) -> str:
        """For messages."""
        return f"tcp {self._host}:{self._port}"

    def _connected(self) -> bool:
        return self._writer is not None and not self._writer.is_closing()

    async def _connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=LONGEST_LINE)

    async def _drop(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.transport.abort()
            # The other side may be gone already; that is what is wanted here.
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def _greet(self) -> None:
        for said, expected in self._framing.greeting:
            if (answer := await self._talk(said)).lower() != expected.lower():
                raise ConnectionLost(f"{self.where}: it answers {said!r} with {answer[:40]!r}.")

    async def _write(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    def _stream(self) -> asyncio.StreamReader:
        assert self._reader is not None
        return self._reader


class Serial(_Stream):
    """A serial line of a POSIX machine, read by the loop itself (8 data bits, no parity, 1 stop bit).

    Args:
        path: of the port (``/dev/ttyUSB0``); stable names are under ``/dev/serial/by-id``.
        framing: of the protocol, with the line's speed.
    """

    def __init__(self, path: str, *, framing: Framing) -> None:
        super().__init__(framing)
        self._path = path
        self._line: Any = None
        self._incoming: asyncio.StreamReader | None = None

    @property
    def where(self) -> str:
        """For messages."""
        return f"serial {self._path}"

    def _connected(self) -> bool:
        return self._line is not None

    async def _connect(self) -> None:
        import serial

        self._line = serial.Serial(self._path, baudrate=self._framing.baud, timeout=0, exclusive=True)
        self._line.reset_input_buffer()
        self._incoming = asyncio.StreamReader(limit=LONGEST_LINE)
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._take)

    def _take(self) -> None:
        """Bytes have come in, or the port went away."""
        assert self._incoming is not None
        try:
            data = os.read(self._line.fileno(), 4096)
        except BlockingIOError:
            return
        except OSError as gone:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._incoming.set_exception(gone)
            return
        if data:
            self._incoming.feed_data(data)
        else:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._incoming.feed_eof()

    async def _drop(self) -> None:
        line, self._line, self._incoming = self._line, None, None
        if line is not None:
            asyncio.get_running_loop().remove_reader(line.fileno())
            line.close()

    async def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._line.fileno(), left) :]
            except BlockingIOError:
                # The port's buffer is full; at 9600 baud 10 ms empty about ten bytes of it.
                await asyncio.sleep(0.01)

    def _stream(self) -> asyncio.StreamReader:
        assert self._incoming is not None
        return self._incoming
