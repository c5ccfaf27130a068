"""Lines over TCP and serial lines: turns, framing, time limits, and getting in step again after something went wrong.

A reply that came late or twice must never be taken for the reply to the next request. What came before a request is thrown
away; after a failure the stream is opened anew, and a serial line listened to until it is quiet.
"""

from __future__ import annotations

import asyncio
import logging
import os
from abc import ABC, abstractmethod
from typing import Any

from devices.transport import LONGEST_LINE, OPEN_TIMEOUT_S, Framing
from lab.errors import CommandTimeout, ConnectionLost, DeviceFault, NonsenseReply

__all__ = ["Serial", "Tcp"]

log = logging.getLogger(__name__)

QUIET_S = 0.25
"""A serial line on which something went wrong is listened to until nothing has come for so long."""

NOISY_S = 5.0
"""A line that is not quiet by then is given up for this time."""


class _Stream(ABC):
    """What TCP and serial lines share: turns, framing, timeouts, and the fresh start after a timeout."""

    goes_on_talking: bool
    """Whether what the instrument says late is heard after the line was opened anew."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._turn = asyncio.Lock()
        self._wanted = False
        self._in_doubt = False

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

    async def renew(self) -> None:
        """Begin a fresh stream before the next request."""
        async with self._turn:
            await self._drop()
            self._in_doubt = True

    async def _reach(self) -> None:
        if self._connected():
            return
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self._connect()
                if self._in_doubt and self.goes_on_talking:
                    await self._quiet()
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
                await self._settle(request, reply)
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
                self._in_doubt = not whole
                if not whole:
                    await self._drop()

    async def _quiet(self) -> None:
        """Wait until nothing comes any more, and throw away what came.

        Raises:
            TimeoutError: it does not end.
        """
        async with asyncio.timeout(NOISY_S):
            while await self._come(QUIET_S):
                pass

    async def _come(self, within_s: float) -> bytes:
        """What comes within a time, at its first piece; empty for nothing, and where the other side hung up."""
        try:
            async with asyncio.timeout(within_s):
                return await self._stream().read(LONGEST_LINE)
        except TimeoutError:
            return b""

    async def _settle(self, request: str, reply: str) -> None:
        """Listen on after a reply. The same once more is thrown away; anything else shows that they are out of step.

        Raises:
            NonsenseReply: another answer came.
        """
        if self._framing.settle_s <= 0.0:
            return
        more = b""
        while piece := await self._come(self._framing.settle_s):
            more += piece
            if len(more) > LONGEST_LINE:
                break
        if more and more != self._framing.pack_reply(reply):
            raise NonsenseReply(
                f"{self.where}: {reply[:40]!r} came in answer to {request!r}, and then {more[:40]!r}."
            )
        if more:
            log.warning("%s: the answer to %r came twice.", self.where, request)

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

    goes_on_talking = False

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

    goes_on_talking = True

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
