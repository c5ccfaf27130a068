"""Inheco's control boxes for heaters and heater shakers (MTC, STC; up to six slots) on USB, through PyLabRobot's driver.

A command is the slot's digit, three letters and a value; the answer begins with the same four characters in small letters,
then one character that says what came of it (``0``: done), then the value. Both end in a checksum and are cut into reports
of eight bytes: seven of text, and ``#`` where more follows or a zero.

PyLabRobot (temperature_controlling/inheco/control_box.py) knows the reports and the checksum, and finds the box on USB.
Three things are done otherwise here. Its reports of a command that needs more than one are all the same object, so that the
last one goes out twice and the first never: a set speed of 1000 rpm can't be sent with it. It waits on the wall clock. And
it passes over the checksum of answers, whose making nobody has written down: here the first answer whose checksum is made
like that of commands shows that it is made so, and from then on none with a wrong one is believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from pylabrobot.io import hid
from pylabrobot.temperature_controlling.inheco.control_box import InhecoTECControlBox

from devices.machine import require_module
from devices.transport import LONGEST_LINE
from lab.errors import BadInput, CommandTimeout, ConnectionLost, NonsenseReply

__all__ = ["MORE", "REPORT_BYTES", "SLOTS", "ReportPort", "TecBox", "TecSlot", "real_tec_box"]

T = TypeVar("T")

SLOTS = range(1, 7)

REPORT_BYTES = 8
MORE = ord("#")
"""Last byte of a report that is not the last of its message; no checksum is this, nor zero."""

READ_MS = 50
"""For how long a read of the port may block its thread."""

_INSTEAD = ord("w")
"""In place of a checksum that would be read as an end (PyLabRobot)."""

_GONE: tuple[type[Exception], ...] = (OSError, RuntimeError, getattr(hid, "HIDException", OSError))
"""What a port raises: the last of the USB library, where it is installed; RuntimeError of PyLabRobot, for no box found."""

log = logging.getLogger(__name__)


class ReportPort(Protocol):
    """What the box asks of its port: PyLabRobot's ``io.hid.HID``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes, report_id: bytes = b"\x00") -> Any: ...
    async def read(self, size: int, timeout: int) -> bytes: ...  # noqa: ASYNC109  (PyLabRobot's)


class TecBox(InhecoTECControlBox):
    """One box, shared by the devices in its slots. Carries one exchange at a time; callers take turns.

    Args:
        io: its port; None for the one on USB.
        serial_number: which box on USB, where there are several; None where there is one.
    """

    def __init__(self, io: ReportPort | None = None, *, serial_number: str | None = None) -> None:
        super().__init__(serial_number=serial_number)
        self._real = io is None
        if io is not None:
            self.io = io
        self.where = f"Inheco control box {serial_number or ''}".rstrip()
        self._turn = asyncio.Lock()
        self._users = 0
        self._stale = False
        self._sums_known = False

    async def join(self) -> None:
        """Open the port for one more device.

        Raises:
            ConnectionLost: no such box is there.
            MissingData: what talks to USB is not installed.
        """
        if self._real:
            require_module("hid")
        async with self._turn:
            if self._users == 0:
                await self._reopen()
            self._users += 1

    async def leave(self) -> None:
        """Close the port when the last device goes."""
        async with self._turn:
            self._users = max(0, self._users - 1)
            if self._users == 0:
                await self._guarded(self.io.stop())

    async def exchange(self, command: str, *, timeout_s: float) -> str:
        """Send a command; the answer, without its checksum.

        Raises:
            CommandTimeout: none came in time.
            ConnectionLost: the box is gone; it is looked for again before the next command.
            NonsenseReply: what came is no answer to it.
        """
        async with self._turn:
            if not self._users:
                raise ConnectionLost(f"{self.where}: not connected.")
            if self._stale:
                await self._reopen()
            whole = False
            try:
                await self._discard()
                for report in self.reports(command):
                    # Without an identifier of its own, as PyLabRobot writes them.
                    await self._guarded(self.io.write(report, report_id=b""))
                reply = await self._answer(command, timeout_s)
                whole = True
                return reply
            finally:
                self._stale = not whole

    async def renew(self) -> None:
        """Open the port anew before the next command: what was read last is no answer to what was asked."""
        async with self._turn:
            self._stale = True

    def reports(self, command: str) -> list[bytes]:
        """A command with its checksum, as the box takes it."""
        message = command.upper().encode("ascii")
        message += bytes([self.checksum(message)])
        if len(message) <= REPORT_BYTES:
            return [message.ljust(REPORT_BYTES, b"\x00")]
        parts = [message[at : at + REPORT_BYTES - 1] for at in range(0, len(message), REPORT_BYTES - 1)]
        return [part + bytes([MORE]) for part in parts[:-1]] + [parts[-1].ljust(REPORT_BYTES, b"\x00")]

    def checksum(self, message: bytes) -> int:
        """Of a message, by PyLabRobot's function."""
        crc = 0xA1
        for byte in message:
            if byte != MORE:
                crc = self._crc8(byte, crc)
        return _INSTEAD if crc in (MORE, 0) else crc

    async def _answer(self, command: str, timeout_s: float) -> str:
        """The answer to a command; answers to others are passed over."""
        loop = asyncio.get_running_loop()
        due_s, heard = loop.time() + timeout_s, 0
        last = b""
        while raw := await self._message(due_s):
            last, heard = raw, heard + len(raw)
            if raw[:4] == command[:4].lower().encode("ascii"):
                return self._checked(raw)
            if heard > LONGEST_LINE:
                break
        if last:
            raise NonsenseReply(f"{self.where}: {last[:40]!r} is no answer to {command!r}.")
        raise CommandTimeout(f"{self.where}: no answer to {command!r} within {timeout_s:g} s.")

    def _checked(self, raw: bytes) -> str:
        """The text of an answer, once its checksum is as it should be.

        Raises:
            NonsenseReply: it is not, or the rest is no text.
        """
        body, tail = raw[:-1], raw[-1]
        if tail == self.checksum(body):
            self._sums_known = True
        elif self._sums_known:
            raise NonsenseReply(f"{self.where}: the checksum of {raw[:40]!r} is wrong.")
        try:
            text = body.decode("ascii")
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{self.where}: {raw[:40]!r} is no text.") from bad
        if len(text) < 5 or not text.isprintable():
            raise NonsenseReply(f"{self.where}: {raw[:40]!r} is no answer.")
        return text

    async def _message(self, due_s: float) -> bytes:
        """One message out of its reports; empty when none is whole in time.

        Raises:
            NonsenseReply: a report that ends in neither a zero nor more, or one after the other without end.
        """
        message, heard = b"", 0
        while report := await self._report(due_s):
            heard += len(report)
            message += report[:-1] if report[-1] == MORE else report.rstrip(b"\x00")
            if report[-1] == 0:
                if message:
                    return message
            elif report[-1] != MORE:
                raise NonsenseReply(f"{self.where}: {report[:40]!r} is no report of it.")
            if heard > LONGEST_LINE:
                raise NonsenseReply(f"{self.where}: an answer has no end ({heard} bytes so far).")
        if message:
            raise NonsenseReply(f"{self.where}: {message[:40]!r} is cut off.")
        return b""

    async def _report(self, due_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            if report := await self._guarded(self.io.read(64, timeout=READ_MS)):
                return bytes(report)
            if loop.time() >= due_s:
                return b""

    async def _discard(self) -> None:
        """Throw away what came unasked, so that an answer that is late is never taken for the next one.

        Raises:
            NonsenseReply: there is no end of it.
        """
        thrown = 0
        while report := await self._guarded(self.io.read(64, timeout=1)):
            thrown += len(report)
            if thrown > LONGEST_LINE:
                raise NonsenseReply(f"{self.where}: it never stops talking.")
        if thrown:
            log.warning("%s: %d bytes came unasked and were thrown away.", self.where, thrown)

    async def _reopen(self) -> None:
        await self._guarded(self.io.stop())
        await self._guarded(self.io.setup())
        self._stale = False

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        """Something done with the port, to its end: a thread may be at it, and the port must not be closed under it.

        Raises:
            ConnectionLost: the port is gone.
        """
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise
        except _GONE as gone:
            raise ConnectionLost(f"{self.where}: {gone}") from gone


class TecSlot:
    """One slot of a box. Implements :class:`devices.transport.Transport`; its lines go without the slot's digit.

    Args:
        box: that it belongs to.
        slot: 1 to 6, as printed on the box.

    Raises:
        BadInput: no box has such a slot.
    """

    def __init__(self, box: TecBox, slot: int) -> None:
        if slot not in SLOTS:
            raise BadInput(
                f"A control box has no slot {slot}.", way_out="Write 1 to 6.", field="settings.slot"
            )
        self._box = box
        self._slot = slot
        self._joined = False

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self._box.where}, slot {self._slot}"

    async def open(self) -> None:
        """Make the connection; harmless when it is made."""
        if not self._joined:
            await self._box.join()
            self._joined = True

    async def close(self) -> None:
        """Give the connection up; harmless when there is none."""
        if self._joined:
            self._joined = False
            await self._box.leave()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one line and wait for the reply. See :meth:`TecBox.exchange` for what it raises."""
        if not self._joined:
            raise ConnectionLost(f"{self.where}: not connected.")
        return (await self._box.exchange(f"{self._slot}{request}", timeout_s=timeout_s))[1:]

    async def renew(self) -> None:
        """See :meth:`TecBox.renew`."""
        await self._box.renew()


def real_tec_box(serial_number: str | None = None) -> TecBox:
    """The box on USB; its serial number where there are several."""
    return TecBox(serial_number=serial_number)
