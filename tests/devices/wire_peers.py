"""Far ends of wires that answer byte for byte what a test wants: over TCP, and for RTU over a pseudo terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import struct
import tty
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from devices.modbus import ModbusTcp, read_registers
from devices.spectrometer.aq6370 import FRAMING as SCPI
from devices.streams import Tcp
from devices.syringe_pump.ne1000 import FRAMING as PACKETS
from devices.syringe_pump.safe_mode import packet
from devices.transport import Framing, Transport

HANG_UP = None

Step = bytes | float | None | Callable[[bytes], bytes]
"""Bytes to send, seconds to wait, hanging up, or bytes made from the request."""

LINES = Framing(request_end=SCPI.request_end, reply_end=SCPI.reply_end)


async def _line(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\n")


async def _packet(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1] - 1)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(6)
    return head + await reader.readexactly(struct.unpack(">H", head[4:])[0])


def frame(request: bytes, unit: bytes, *, address: int | None = None) -> bytes:
    """A Modbus TCP answer to a request."""
    return request[:2] + b"\0\0" + struct.pack(">HB", len(unit) + 1, address or request[6]) + unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One protocol over TCP.

    Args:
        connect: makes the transport to a port.
        read: one request off the wire.
        ask: two requests and the replies that the transport gives for ``answers``.
        answers: what a good instrument writes for the two.
        bad: what it may write for the first one, by name.
    """

    name: str
    connect: Callable[[int], Transport]
    read: Callable[[asyncio.StreamReader], object]
    ask: tuple[tuple[str, str], tuple[str, str]]
    answers: tuple[Step, Step]
    bad: dict[str, Sequence[Step]]


SCPI_LINES = Protocol(
    name="scpi",
    connect=lambda port: Tcp("127.0.0.1", port, framing=LINES),
    read=_line,
    ask=((":ONE?", "1"), (":TWO?", "2")),
    answers=(b"1\r\n", b"2\r\n"),
    bad={
        "truncated, then gone": [b"1", HANG_UP],
        "truncated": [b"1"],
        "nothing, then gone": [HANG_UP],
        "late": [0.4, b"1\r\n"],
        "latin letters": ["1µ\r\n".encode("latin-1")],
        "unicode": ["１\r\n".encode()],
        "flood": [b"9" * 200_000],
    },
)

PUMP_PACKETS = Protocol(
    name="packets",
    connect=lambda port: Tcp("127.0.0.1", port, framing=PACKETS),
    read=_packet,
    ask=(("DIS", "00SI1.000W0.000UL"), ("VOL", "00S2.000UL")),
    answers=(packet(b"00SI1.000W0.000UL"), packet(b"00S2.000UL")),
    bad={
        "truncated, then gone": [packet(b"00SI1.000W0.000UL")[:6], HANG_UP],
        "truncated": [packet(b"00SI1.000W0.000UL")[:-1]],
        "nothing, then gone": [HANG_UP],
        "late": [0.4, packet(b"00SI1.000W0.000UL")],
        "one bit wrong": [packet(b"00SI1.000W0.000UL").replace(b"I1", b"I3")],
        "wrong checksum": [packet(b"00SI1.000W0.000UL")[:-2] + b"\xee\x03"],
        "too short a length": [b"\x02\x05" + packet(b"00SI1.000W0.000UL")[2:]],
        "no length": [b"\x02\x01"],
        "no end": [packet(b"00SI1.000W0.000UL")[:-1] + b"\x04"],
        "basic mode": [b"\x0200SI1.000W0.000UL\x03"],
        "no packet": [b"00S\r\n"],
        "latin letters": [packet(b"00SI\xb51.0W0.0UL")],
        "unicode": [packet("00SI１.000W0.000UL".encode())],
        "flood": [b"\x02\xff" + b"9" * 200_000],
    },
)

MODBUS_FRAMES = Protocol(
    name="modbus",
    connect=lambda port: ModbusTcp("127.0.0.1", port),
    read=_frame,
    ask=((read_registers(1), "03020001"), (read_registers(2), "03020002")),
    answers=(lambda q: frame(q, b"\x03\x02\x00\x01"), lambda q: frame(q, b"\x03\x02\x00\x02")),
    bad={
        "truncated, then gone": [lambda q: frame(q, b"\x03\x02\x00\x01")[:9], HANG_UP],
        "truncated": [lambda q: frame(q, b"\x03\x02\x00\x01")[:9]],
        "nothing, then gone": [HANG_UP],
        "late": [0.4, lambda q: frame(q, b"\x03\x02\x00\x01")],
        "another transaction": [lambda q: b"\x77" + frame(q, b"\x03\x02\x00\x01")[1:]],
        "another protocol": [lambda q: q[:2] + b"\0\1" + frame(q, b"\x03\x02\x00\x01")[4:]],
        "another unit": [lambda q: frame(q, b"\x03\x02\x00\x01", address=9)],
        "empty": [lambda q: frame(q, b"")],
        "no such function": [lambda q: frame(q, b"\x6f\x02\x00\x01")],
        "unicode": [lambda q: frame(q, "３２".encode())],
        "flood": [b"9" * 200_000],
    },
)

PROTOCOLS = (SCPI_LINES, PUMP_PACKETS, MODBUS_FRAMES)


@dataclass(slots=True)
class Peer:
    """Answers the scripts in turn, then as a good instrument does."""

    protocol: Protocol
    scripts: deque[Sequence[Step]] = field(default_factory=deque)
    heard: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await self.protocol.read(reader)  # type: ignore[misc]
                self.heard += 1
                good = [self.protocol.answers[_which(self.protocol, request)]]
                for step in self.scripts.popleft() if self.scripts else good:
                    if step is HANG_UP:
                        return
                    if isinstance(step, float):
                        await asyncio.sleep(step)
                        continue
                    writer.write(step(request) if callable(step) else step)
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


def _which(protocol: Protocol, request: bytes) -> int:
    """Which of the two requests of a protocol this is."""
    second = protocol.ask[1][0]
    told = bytes.fromhex(second) if protocol is MODBUS_FRAMES else second.encode("ascii")
    return int(told in request)


@asynccontextmanager
async def peer(protocol: Protocol, *scripts: Sequence[Step]) -> AsyncIterator[tuple[Peer, Transport]]:
    """A peer on a free port, and an open transport to it."""
    made = Peer(protocol, deque(scripts))
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    transport = protocol.connect(server.sockets[0].getsockname()[1])
    try:
        await transport.open()
        yield made, transport
    finally:
        await transport.close()
        server.close()
        await server.wait_closed()


def crc16(data: bytes) -> bytes:
    """Checksum of Modbus RTU, low byte first (Modbus over Serial Line V1.02, section 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return struct.pack("<H", crc)


@contextmanager
def rtu_peer(answers: deque[bytes]) -> Iterator[str]:
    """An instrument on a pseudo terminal that writes one of the answers for each request; gives the path of the port.

    Must be entered on a loop.
    """
    master, slave = pty.openpty()
    tty.setraw(master)
    tty.setraw(slave)
    loop = asyncio.get_running_loop()

    def take() -> None:
        # Requests of eight bytes come in one piece here.
        if len(os.read(master, 4096)) >= 8 and answers:
            os.write(master, answers.popleft())

    loop.add_reader(master, take)
    try:
        yield os.ttyname(slave)
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)
