"""The serial line of a Masterflex drive, over PyLabRobot's backend: its frames in, its answers out, in lab time.

PyLabRobot (pumps/cole_parmer) opens the port with the drive's settings (4800 baud, 7 data bits, odd parity) and frames
commands for drive 2. It does not wait for answers, so it can't tell whether a command was taken; that is done here.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from pylabrobot.pumps.backend import PumpBackend
from pylabrobot.pumps.cole_parmer.masterflex_backend import MasterflexBackend

from devices.transport import Framing
from lab.errors import BadInput, CommandTimeout, ConnectionLost, NonsenseReply

__all__ = ["ACK", "DRIVES", "ENQUIRY", "NAK", "MasterflexFraming", "MasterflexLine", "SerialPort", "packed"]

STX, ENQUIRY, ACK, NAK, CR = "\x02", "\x05", "\x06", "\x15", "\r"

DRIVES = range(1, 90)
"""Numbers that a drive can have on its line."""

LONGEST = 64
"""Bytes of an answer without its end after which it is none; the longest has a dozen."""

POLL_S = 0.02

log = logging.getLogger(__name__)


class SerialPort(Protocol):
    """What is asked of the port: PyLabRobot's ``io.serial.Serial``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes) -> Any: ...
    async def read(self, num_bytes: int = 1) -> bytes: ...
    async def reset_input_buffer(self) -> None: ...


def packed(request: str, drive: int) -> bytes:
    """What is written for a request: a frame, or the enquiry as it is."""
    if request == ENQUIRY:
        return ENQUIRY.encode("ascii")
    return f"{STX}P{drive:02d}{request}{CR}".encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterflexFraming(Framing):
    """Frames of the drive, as both ends of the wire write and read them.

    Args:
        drive: its number on the line.
    """

    baud: int = 4800
    drive: int = 2

    def pack_request(self, request: str) -> bytes:
        """What is written for a request."""
        return packed(request, self.drive)

    async def read_reply(self, incoming: asyncio.StreamReader) -> bytes:
        """One whole answer, without what frames it.

        Raises:
            NonsenseReply: it begins like none.
        """
        first = await incoming.readexactly(1)
        if first in (ACK.encode(), NAK.encode()):
            return first
        if first != STX.encode():
            raise NonsenseReply(f"an answer of the drive does not begin with {first!r}.")
        return (await incoming.readuntil(CR.encode())).removesuffix(CR.encode())

    async def read_request(self, incoming: asyncio.StreamReader) -> str:
        """One request, as the drive reads it; what is for other drives is passed over."""
        mine = f"{STX}P{self.drive:02d}"
        while True:
            first = (await incoming.readexactly(1)).decode("latin-1")
            if first == ENQUIRY:
                return ENQUIRY
            frame = first + (await incoming.readuntil(CR.encode())).decode("latin-1")
            if frame.startswith(mine):
                return frame[len(mine) : -1]

    def pack_reply(self, reply: str) -> bytes:
        """What the drive writes."""
        return reply.encode("utf-8") if reply in (ACK, NAK) else f"{STX}{reply}{CR}".encode()


class MasterflexLine(MasterflexBackend):
    """PyLabRobot's backend as a wire. Implements :class:`devices.transport.Transport`.

    Args:
        port: path of the serial port, or what stands for it.
        drive: the drive's number on its line.

    Raises:
        BadInput: no drive has this number.
    """

    def __init__(self, port: str | SerialPort, *, drive: int = 2) -> None:
        if drive not in DRIVES:
            raise BadInput(
                f"A drive has no number {drive}.", way_out="Write 1 to 89.", field="settings.drive"
            )
        if isinstance(port, str):
            super().__init__(com_port=port)
        else:
            # As PyLabRobot's, but that it opens no serial port.
            PumpBackend.__init__(self)
            self.com_port, self.io = "twin", port
        self._drive = drive
        self._turn = asyncio.Lock()
        self._wanted = self._open = False

    @property
    def where(self) -> str:
        """For messages."""
        return f"serial {self.com_port}, drive {self._drive}"

    async def open(self) -> None:
        """Open the port; harmless when it is open.

        Raises:
            ConnectionLost: there is no such port.
        """
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Close the port; harmless when it is closed."""
        self._wanted = False
        async with self._turn:
            await self._drop()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send a request and wait for the answer, both without what frames them.

        Raises:
            CommandTimeout: no whole answer in time.
            ConnectionLost: not open, or the port is gone.
            NonsenseReply: what came is no answer.
        """
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            whole = False
            try:
                await self.io.reset_input_buffer()
                await self.io.write(packed(request, self._drive))
                reply = await self._answer(request, timeout_s)
                whole = True
                return reply
            except (OSError, RuntimeError) as gone:
                raise ConnectionLost(f"{self.where}: {gone}") from gone
            finally:
                if not whole:
                    await self._drop()

    async def renew(self) -> None:
        """Open the port anew before the next request: what was read last is no answer to what was asked."""
        async with self._turn:
            await self._drop()

    async def _answer(self, request: str, timeout_s: float) -> str:
        loop = asyncio.get_running_loop()
        due_s, raw = loop.time() + timeout_s, b""
        while loop.time() < due_s:
            if not (part := await self._read(due_s)):
                await asyncio.sleep(POLL_S)
                continue
            raw += part
            if raw in (ACK.encode(), NAK.encode()):
                return raw.decode("ascii")
            if raw[:1] != STX.encode() or len(raw) > LONGEST:
                raise NonsenseReply(f"{self.where}: {raw!r} is no answer to {request!r}.")
            if raw.endswith(CR.encode()):
                try:
                    return raw[1:-1].decode("ascii")
                except UnicodeDecodeError as bad:
                    raise NonsenseReply(f"{self.where}: {raw!r} is no text.") from bad
        if raw:
            raise NonsenseReply(f"{self.where}: {raw!r} is cut off.")
        raise CommandTimeout(f"{self.where}: no answer to {request!r} within {timeout_s:g} s.")

    async def _read(self, due_s: float) -> bytes:
        """One byte, or none where the port has waited long enough."""
        try:
            async with asyncio.timeout_at(due_s):
                return bytes(await self.io.read(1))
        except TimeoutError:
            return b""

    async def _reach(self) -> None:
        if self._open:
            return
        try:
            await self.io.setup()
        except (OSError, RuntimeError) as absent:
            raise ConnectionLost(f"{self.where}: cannot connect ({absent}).") from absent
        self._open = True

    async def _drop(self) -> None:
        if self._open:
            self._open = False
            await self.io.stop()
