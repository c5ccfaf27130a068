"""The Synergy's driver byte for byte: what it sends, and what it makes of answers, good and bad."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.biotek_wire import BioTekRefuses, answered, plate_of, reading
from devices.plate_reader.reader import Reader
from devices.plate_reader.synergy import Synergy, synergy, synergy_driver
from digital_twin.chemistry import chemistry
from digital_twin.instruments.synergy import SynergyPort
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    CommandBrokenOff,
    CommandTimeout,
    DeviceFault,
    FaultKind,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
)
from tests.twin_bench import SEATS, small_bench

ABSORBANCE = ReadAbsorbance(plate="assay_2", wavelength_nm=580.0)
FLUORESCENCE = ReadFluorescence(plate="assay_2", excitation_nm=485.0, emission_nm=528.0, gain=100.0)

QUOTED = b"01,1,\r000:00:00.0,237,04,04,0000018\r\n,05,04,0000017\r\n,06,04,0000014\r\n237\x1a210\x1a0000\x03"
"""A reading of a Cytation 5, as PyLabRobot's tests quote it."""


class Listener(SynergyPort):
    """The twin, with a note of what it was sent and, where asked for, another answer than its own."""

    def __init__(self, world: World) -> None:
        super().__init__(world, name="reader", position="reader")
        self.sent: list[bytes] = []
        self.instead: Callable[[bytes], bytes] = lambda said: said

    async def write(self, data: bytes) -> int:
        self.sent.append(data)
        return await super().write(data)

    def _say(self, data: bytes) -> None:
        super()._say(self.instead(data))


def run(body: Callable[[Reader, Listener, World], Coroutine[Any, Any, None]]) -> None:
    with LabClock(virtual=True) as clock:
        bench = small_bench()
        bench.move("assay_2", "reader")
        bench.fill("assay_2", "A1", {"reporter": 50.0})
        world = World(
            clock=clock, seed=7, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=SEATS
        )

        async def whole() -> None:
            port = Listener(world)
            device = synergy("reader", synergy_driver(Synergy(port)), bench=bench)
            await device.connect()
            port.sent.clear()
            await body(device, port, world)

        clock.run(whole())


def test_the_protocols_are_those_that_pylabrobot_was_tried_with_on_an_instrument() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        await device.absorbance.set(ABSORBANCE)
        assert b"004701010108120001200100001100100000106000080580113\x03" in port.sent
        await device.fluorescence.set(FLUORESCENCE)
        expected = (
            b"0084010101081200012001000011001000001350001002002000485000052800000000000000000021001119\x03"
        )
        assert expected in port.sent
        assert b"621220\x03" in port.sent

    run(body)


def test_it_says_who_it_is_as_the_instrument_does() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        identity = await device.identify()
        assert (identity.serial, identity.firmware) == ("TWIN-SYNERGY-7", "1.04")
        assert identity.origin == "twin"

    run(body)


def test_readings_of_an_instrument_are_understood_row_by_row_there_and_back() -> None:
    assert reading(QUOTED) == {(3, 3): 18.0, (4, 3): 17.0, (5, 3): 14.0}


def test_a_well_at_the_end_of_the_scale_is_no_number() -> None:
    changed = QUOTED.replace(b"0000018", b"*******")
    begin, end = changed.index(b"\r") + 1, changed.index(b"\x1a") + 1
    summed = changed.replace(b"\x1a210", b"\x1a%03d" % (sum(changed[begin:end]) % 256))
    assert math.isnan(reading(summed)[3, 3])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x03",
        QUOTED[:40],
        QUOTED[:-1],
        QUOTED.replace(b"0000018", b"0000019"),
        QUOTED.replace(b"\x1a210", b"\x1a211"),
        QUOTED.replace(b"05,04", b"04,04").replace(b"\x1a210", b"\x1a209"),
        QUOTED.replace(b"0000018", "００18".encode()),
        QUOTED.replace(b",", b";"),
        QUOTED + QUOTED,
        b"\xff" * 200,
    ],
    ids=[
        "nothing",
        "only an end",
        "truncated",
        "without its end",
        "another number",
        "another sum",
        "a well twice",
        "other digits",
        "other commas",
        "twice",
        "noise",
    ],
)
def test_a_reading_that_is_not_as_it_was_sent_is_nonsense(body: bytes) -> None:
    with pytest.raises(NonsenseReply):
        reading(body)


def test_a_reading_that_was_given_up_is_the_instruments_error() -> None:
    with pytest.raises(BioTekRefuses, match="0900"):
        reading(b"\x060900\x03")
    with pytest.raises(BioTekRefuses, match="0900"):
        reading(QUOTED.replace(b"0000\x03", b"0900\x03"))


def test_a_reading_of_another_plate_is_nonsense() -> None:
    with pytest.raises(NonsenseReply, match="3 numbers for 96"):
        plate_of(reading(QUOTED), 8, 12)
    with pytest.raises(NonsenseReply, match="on no plate"):
        plate_of(reading(QUOTED), 1, 3)


@pytest.mark.parametrize(
    "reply", [b"\x06\x03", b"\x06000\x03", b"\x06\xc2\xb000000\x03", b"0000", b"\x06....\x03"]
)
def test_an_answer_without_a_status_is_nonsense(reply: bytes) -> None:
    with pytest.raises(NonsenseReply):
        answered("J", reply)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", CommandTimeout),
        (b"\x06", CommandTimeout),
        (b"\x06\xff\xff\x03", NonsenseReply),
        (b"\x06" + b"0" * 300_000, NonsenseReply),
        (b"\x060400\x03", DeviceFault),
        (b"0000\x03" * 3, NonsenseReply),
    ],
    ids=["silence", "half", "noise", "flood", "an error", "a reading that is none"],
)
def test_bad_answers_are_typed_faults_and_the_reader_works_again_after_them(
    said: bytes, fault: type[DeviceFault]
) -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        # The acknowledgement that a command waits for comes; what is bad is what follows it.
        port.instead = lambda data: data if data == b"\x06" else said
        with pytest.raises(fault):
            await device.absorbance.set(ABSORBANCE)
        port.instead = lambda data: data
        await device.absorbance.set(ABSORBANCE)
        assert not world.is_shut("reader")

    run(body)


def test_a_reading_that_is_broken_off_is_given_up_by_the_instrument_and_leaves_nothing_for_the_next() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        status = device.absorbance.set(ABSORBANCE)
        await asyncio.sleep(20.0)
        assert world.is_shut("reader")
        device.absorbance.break_off("stop")
        with pytest.raises(CommandBrokenOff):
            await status
        await device.safe()
        assert b"x" in port.sent
        assert not world.is_shut("reader")
        assert not any(one.action.startswith("read") for one in world.ledger.actions)
        await device.fluorescence.set(FLUORESCENCE)
        assert (await device.mode.get_value()) == "fluorescence"

    run(body)


def test_an_instrument_that_is_there_again_is_found_again() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        port._fall_silent(FaultKind.CONNECTION_LOST)
        with pytest.raises(DeviceFault):
            await device.absorbance.set(ABSORBANCE)
        await device.absorbance.set(ABSORBANCE)

    run(body)


def test_a_gain_that_pylabrobot_does_not_ask_for_is_refused_before_anything_is_sent() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        command = ReadFluorescence(plate="assay_2", excitation_nm=485.0, emission_nm=528.0, gain=80.0)
        with pytest.raises(OutOfRange, match="gain 80"):
            await device.fluorescence.set(command)
        assert port.sent == []

    run(body)


def test_a_protocol_with_a_wrong_sum_is_refused_by_the_twin() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        backend: Any = device._front.backend
        with pytest.raises(BioTekRefuses):
            await backend.send_command("D", "004701010108120001200100001100100000106000080580114\x03")

    run(body)


def test_an_error_of_the_lamp_is_one_of_the_instrument() -> None:
    async def body(device: Reader, port: Listener, world: World) -> None:
        port.instead = lambda data: b"\x060900\x03" if data.startswith(b"01,1") else data
        with pytest.raises(InstrumentError, match="0900"):
            await device.absorbance.set(ABSORBANCE)

    run(body)
