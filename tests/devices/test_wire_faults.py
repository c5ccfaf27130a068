"""What bad bytes come to: a typed fault, never a wrong value, never a hang; and the next answer is right again."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator

import pytest

from devices.modbus import ModbusRtu, read_registers
from devices.syringe_pump.safe_mode import packet
from lab.clock import LabClock
from lab.errors import CommandTimeout, ConnectionLost, DeviceFault, NonsenseReply
from tests.devices.wire_peers import PROTOCOLS, Protocol, crc16, peer, rtu_peer

TIMEOUT_S = 0.15
"""Wall time; a peer that is late is so by twice as much."""

GENEROUS_S = 10.0

BAD = [(protocol, name) for protocol in PROTOCOLS for name in protocol.bad]
EXPECTED: dict[str, tuple[type[DeviceFault], ...]] = {
    "nothing, then gone": (ConnectionLost,),
    "truncated, then gone": (ConnectionLost, NonsenseReply),
    "truncated": (CommandTimeout, NonsenseReply),
    "late": (CommandTimeout,),
    # The first digit of its address is a length to whoever expects packets, and the rest never comes.
    "basic mode": (CommandTimeout,),
    # pymodbus throws away what is longer than any answer, and says nothing.
    "flood": (NonsenseReply, CommandTimeout),
}
"""Whatever is not here is nonsense."""

protocols = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


@pytest.fixture
def wall(caplog: pytest.LogCaptureFixture) -> Iterator[LabClock]:
    # pymodbus writes down each frame that it can't read.
    caplog.set_level(logging.CRITICAL, logger="pymodbus.logging")
    with LabClock(virtual=False) as made:
        yield made


@pytest.mark.parametrize(("protocol", "name"), BAD, ids=lambda value: getattr(value, "name", value))
def test_bad_bytes_are_a_typed_fault_and_the_next_answer_is_right(
    protocol: Protocol, name: str, wall: LabClock
) -> None:
    async def body() -> None:
        async with peer(protocol, protocol.bad[name]) as (_, transport):
            (first, _), (second, right) = protocol.ask
            async with asyncio.timeout(GENEROUS_S):
                with pytest.raises(EXPECTED.get(name, (NonsenseReply,))):
                    await transport.exchange(first, timeout_s=TIMEOUT_S)
                if name == "late":
                    # By then it has come, if it still can.
                    await asyncio.sleep(0.4)
                assert await transport.exchange(second, timeout_s=GENEROUS_S) == right

    wall.run(body())


@protocols
def test_an_answer_that_comes_twice_is_not_taken_for_the_next(protocol: Protocol, wall: LabClock) -> None:
    async def body() -> None:
        (first, one), (second, two) = protocol.ask
        async with peer(protocol, [protocol.answers[0], protocol.answers[0]]) as (_, transport):
            assert await transport.exchange(first, timeout_s=GENEROUS_S) == one
            await asyncio.sleep(0.05)
            assert await transport.exchange(second, timeout_s=GENEROUS_S) == two

    wall.run(body())


@protocols
def test_what_comes_unasked_before_a_request_is_thrown_away(protocol: Protocol, wall: LabClock) -> None:
    async def body() -> None:
        (first, one), (second, two) = protocol.ask
        script = [protocol.answers[0], 0.02, b"?" * 5000]
        async with peer(protocol, script) as (_, transport):
            assert await transport.exchange(first, timeout_s=GENEROUS_S) == one
            await asyncio.sleep(0.1)
            assert await transport.exchange(second, timeout_s=GENEROUS_S) == two

    wall.run(body())


@protocols
def test_an_instrument_that_hung_up_between_requests_is_called_anew(
    protocol: Protocol, wall: LabClock
) -> None:
    async def body() -> None:
        (first, one), (second, two) = protocol.ask
        async with peer(protocol, [protocol.answers[0], None]) as (far, transport):
            assert await transport.exchange(first, timeout_s=GENEROUS_S) == one
            await asyncio.sleep(0.05)
            assert await transport.exchange(second, timeout_s=GENEROUS_S) == two
            assert far.heard == 2

    wall.run(body())


UNIT = b"\x01\x03\x02\x00\x07"
RTU = {
    "wrong checksum": UNIT + b"\x00\x00",
    "truncated": UNIT[:4],
    "another unit": b"\x09" + UNIT[1:] + crc16(b"\x09" + UNIT[1:]),
    "unicode": "７".encode() * 3,
    "flood": b"\xff" * 2000,
}


@pytest.mark.parametrize("name", RTU)
def test_bad_bytes_on_a_serial_line_of_registers_are_a_typed_fault_and_the_next_answer_is_right(
    name: str, wall: LabClock
) -> None:
    async def body() -> None:
        good = UNIT + crc16(UNIT)
        with rtu_peer(deque([RTU[name], good])) as path:
            transport = ModbusRtu(path)
            await transport.open()
            async with asyncio.timeout(GENEROUS_S):
                with pytest.raises((NonsenseReply, CommandTimeout)):
                    await transport.exchange(read_registers(1), timeout_s=TIMEOUT_S)
                assert await transport.exchange(read_registers(1), timeout_s=GENEROUS_S) == "03020007"
            await transport.close()

    wall.run(body())


def test_the_packet_of_the_pumps_manual_is_made_byte_for_byte() -> None:
    assert packet(b"SAF0") == bytes([0x02, 0x08]) + b"SAF0" + bytes([0x55, 0x43, 0x03])


def test_the_checksum_of_rtu_here_is_that_of_the_specification() -> None:
    # Reading register 0x6B to 0x6D of unit 0x11, from section 6.1 of the application protocol, as widely printed.
    assert crc16(bytes.fromhex("1103006B0003")) == bytes.fromhex("7687")
