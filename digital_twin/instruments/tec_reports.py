"""Reports of eight bytes, as the far end of an Inheco control box's USB line reads and writes them.

Made here, apart from what the driver makes them with: seven bytes of a message and ``#`` where more follows, or a zero; a
message that fits into eight bytes is one report. A message ends in a checksum: that of Maxim's one-wire bus (polynomial
x^8 + x^5 + x^4 + 1, reflected) begun at 0xA1, over all characters but ``#``, and ``w`` in place of a zero or a ``#``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from devices.transport import Framing, LineInstrument

__all__ = ["ReportFraming", "TecRack", "TwinReports", "pack", "unpack"]

_MORE, _INSTEAD = ord("#"), ord("w")
_SLOT_IS_EMPTY = "7"
_DAMAGED = "1"


def _sum(message: bytes) -> int:
    crc = 0xA1
    for byte in message.replace(b"#", b""):
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x8C if crc & 1 else 0)
    return _INSTEAD if crc in (0, _MORE) else crc


def pack(message: str) -> list[bytes]:
    """The reports of a message; answers never use a report's last byte for text."""
    body = message.encode("latin-1")
    body += bytes([_sum(body)])
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    return [part + b"#" for part in parts[:-1]] + [parts[-1].ljust(8, b"\x00")]


def unpack(reports: list[bytes]) -> str | None:
    """The message in all of its reports; None where its checksum is wrong."""
    body = b"".join(part[:-1] for part in reports[:-1]) + reports[-1].rstrip(b"\x00")
    return body[:-1].decode("latin-1") if body and body[-1] == _sum(body[:-1]) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFraming(Framing):
    """Reports one after the other on a stream, for a twin on a loopback port."""

    async def read_request(self, incoming: asyncio.StreamReader) -> str:
        """One message; empty where it came damaged."""
        reports = [await incoming.readexactly(8)]
        while reports[-1][-1] == _MORE:
            reports.append(await incoming.readexactly(8))
        return unpack(reports) or ""

    def pack_reply(self, reply: str) -> bytes:
        """The reports of a message."""
        return b"".join(pack(reply))


class TecRack:
    """A control box: the slot's digit in front of a line says who answers it. Implements :class:`LineInstrument`.

    Args:
        slots: the devices that are plugged in.
    """

    def __init__(self, slots: Mapping[int, LineInstrument]) -> None:
        self._slots = dict(slots)

    async def reply(self, line: str) -> str:
        """The answer, with the digit."""
        digit, word = line[:1] or "0", line[1:4].lower()
        device = self._slots.get(int(digit)) if digit.isascii() and digit.isdecimal() else None
        if device is None:
            return f"{digit}{word}{_SLOT_IS_EMPTY if line else _DAMAGED}"
        return digit + await device.reply(line[1:])


class TwinReports:
    """The box's USB port, as PyLabRobot's ``io.hid.HID`` is to its driver, over a model that answers lines.

    The model goes on with what it was told when nobody reads. What it says then is read later, as from a real port.

    Args:
        model: answers lines with the slot's digit.
    """

    def __init__(self, model: LineInstrument) -> None:
        self._model = model
        self._in: list[bytes] = []
        self._out: list[bytes] = []
        self._said = asyncio.Event()
        self._open = False
        self._working: set[asyncio.Task[None]] = set()

    async def setup(self) -> None:
        """Open the port; what was not read before is gone."""
        self._open = True
        self._in.clear()
        self._out.clear()

    async def stop(self) -> None:
        """Close the port, and end what the model still does."""
        self._open = False
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def write(self, data: bytes, report_id: bytes = b"\x00") -> int:
        """Take one report; each whole message reaches the model.

        Raises:
            OSError: the cable is out.
        """
        self._require_open()
        self._in.append(data)
        if data[-1] != _MORE:
            message, self._in = unpack(self._in), []
            task = asyncio.get_running_loop().create_task(self._answer(message or ""))
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        return len(data)

    async def read(self, size: int, timeout: int) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        """One report; empty when none comes within ``timeout`` ms.

        Raises:
            OSError: the cable is out.
        """
        self._require_open()
        if not self._out:
            self._said.clear()
            try:
                async with asyncio.timeout(timeout / 1000.0):
                    await self._said.wait()
            except TimeoutError:
                return b""
            self._require_open()
        return self._out.pop(0)[:size] if self._out else b""

    def _require_open(self) -> None:
        if not self._open:
            raise OSError("the box is gone")

    async def _answer(self, message: str) -> None:
        try:
            reply = await self._model.reply(message)
        except ConnectionError:
            self.pull()
            return
        await self._say(b"".join(pack(reply)))

    async def _say(self, raw: bytes) -> None:
        """Bytes of the reports of one answer come in."""
        self._out += [raw[at : at + 8] for at in range(0, len(raw), 8)]
        self._said.set()

    def pull(self) -> None:
        """The cable is out, until the port is opened again."""
        self._open = False
        self._said.set()
