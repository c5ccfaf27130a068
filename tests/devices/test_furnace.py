"""A furnace on its twin: what it does to the world, and what it says when it goes wrong."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Iterator

import pytest

from devices.furnace import Anneal
from devices.furnace.eurotherm import Register, long_at, program_words
from devices.modbus import read_registers, write_register, write_registers
from devices.transport import InProcess
from digital_twin.faults import FaultRule
from lab.clock import LabClock
from lab.errors import (
    CommandBrokenOff,
    ConnectionLost,
    FaultKind,
    InstrumentError,
    NonsenseReply,
    TemperatureNotReached,
)
from lab.interfaces import Answer
from tests.devices.bus_bench import FURNACE
from tests.devices.bus_rig import bus_rig
from tests.devices.line_bench import make_bench

ANNEAL = Anneal(plate="assay_1", temperature_c=120.0, hold_s=600.0, ramp_c_per_min=20.0, cool_to_c=60.0)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def test_an_anneal_heats_the_plate_for_as_long_as_it_says_and_dries_it(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            before_ul = rig.world.volume_ul("assay_1", "D6")
            result = await rig.do(ANNEAL)
            assert result["held_c"] == pytest.approx(120.0, abs=0.5)
            told = [a for a in rig.world.ledger.actions if a.action == "control"]
            assert [a.arguments["temperature_c"] for a in told] == [120.0, None]
            assert told[1].lab_time_s - told[0].lab_time_s == pytest.approx(
                98.0 / 20.0 * 60.0 + 600.0, abs=1.0
            )
            assert rig.world.temperature_c("furnace") <= 60.0
            rig.world.act("nobody", "set_temperature", position="furnace", temperature_c=None)
            assert rig.world.volume_ul("assay_1", "D6") < before_ul - 10.0

    clock.run(body())


def test_a_furnace_whose_driver_is_gone_turns_itself_off(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            doing = asyncio.ensure_future(rig.do(ANNEAL))
            await asyncio.sleep(60.0)
            rig.wire.hangs_up()
            with pytest.raises(ConnectionLost):
                await doing
            await asyncio.sleep(4000.0)
            assert rig.world.state.climates["furnace"].set_c is None
            assert rig.world.temperature_c("furnace") < 60.0

    clock.run(body())


def test_a_furnace_that_cooled_after_a_power_cut_is_not_said_to_have_done_nothing(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            await rig.do(ANNEAL)
            marks = [mark for mark in rig.marks if mark.name in ("program", "heat")]
            # As its controller comes back: reset, in the mode that it keeps, and cold.
            await rig.wire.model.reply(write_register(Register.MODE, 0))
            await rig.wire.model.reply(write_register(Register.PROGRAM_STATUS, 0))
            resuming = FURNACE.device(InProcess(rig.wire), rig.bench)
            await resuming.connect()
            said = await resuming.anneal.reconcile(ANNEAL, marks)
            assert said.answer is Answer.UNKNOWN
            await resuming.disconnect()

    clock.run(body())


def test_a_furnace_whose_program_a_power_cut_ended_is_not_said_to_have_done_nothing(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            doing = asyncio.ensure_future(rig.do(ANNEAL))
            await asyncio.sleep(2.0)
            assert rig.marks[-1].name == "heat"
            # As its controller comes back: reset, in the mode that it keeps, and not warm yet.
            await rig.wire.model.reply(write_register(Register.PROGRAM_STATUS, 0))
            with pytest.raises(InstrumentError):
                await doing
            assert rig.world.temperature_c("furnace") < ANNEAL.cool_to_c
            assert (await rig.said(ANNEAL)).answer is Answer.UNKNOWN

    clock.run(body())


def test_a_furnace_that_clips_its_program_is_not_started(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            rig.device.anneal._limits = {}
            with pytest.raises(InstrumentError, match="did not keep the program"):
                await rig.do(Anneal(plate="assay_1", temperature_c=700.0, hold_s=1.0, ramp_c_per_min=20.0))
            assert all(a.action == "remember" for a in rig.world.ledger.actions)
            assert (await rig.said(ANNEAL)).answer is Answer.NOT_DONE

    clock.run(body())


def test_a_furnace_that_stays_cold_is_found_out_and_turned_off(clock: LabClock) -> None:
    rule = FaultRule(instrument="furnace", kind=FaultKind.TEMPERATURE, where="anneal", at=(1,))

    async def body() -> None:
        async with bus_rig(FURNACE, clock, rule) as rig:
            with pytest.raises(TemperatureNotReached, match="in its hold at 120 C"):
                await rig.do(ANNEAL)
            assert rig.world.state.climates["furnace"].set_c is None
            assert (await rig.said(ANNEAL)).answer is Answer.UNKNOWN

    clock.run(body())


@pytest.mark.parametrize(
    ("bits", "said"), [(0x20, "sensor is broken"), (0x80, "heater has failed"), (0x440, "loop is open")]
)
def test_what_its_status_says_is_broken_ends_the_anneal(bits: int, said: str, clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            model, status = rig.wire.model, read_registers(Register.STATUS)

            async def answer(line: str) -> str:
                return f"0302{bits:04x}" if line == status else await model.reply(line)

            rig.wire.instead = answer
            with pytest.raises(InstrumentError, match=said):
                await rig.do(ANNEAL)
            assert rig.world.state.climates["furnace"].set_c is None

    clock.run(body())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_temperature_that_is_no_number_is_nonsense(value: float, clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            rig.wire.says("0304" + struct.pack(">f", value).hex())
            with pytest.raises(NonsenseReply, match="no measured number"):
                await rig.device.temperature_c.get_value(cached=False)

    clock.run(body())


def test_a_person_who_resets_the_program_at_the_panel_ends_the_anneal(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            doing = asyncio.ensure_future(rig.do(ANNEAL))
            await asyncio.sleep(60.0)
            assert await rig.wire.model.reply(write_register(Register.PROGRAM_STATUS, 0))
            with pytest.raises(InstrumentError, match="in reset before its end"):
                await doing

    clock.run(body())


def test_an_anneal_that_is_broken_off_leaves_nothing_hot(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(FURNACE, clock) as rig:
            doing = asyncio.ensure_future(rig.do(ANNEAL))
            await asyncio.sleep(400.0)
            rig.device.anneal.break_off("a person asked for it")
            with pytest.raises(CommandBrokenOff):
                await doing
            assert rig.world.state.climates["furnace"].set_c is None
            assert await rig.device.output_percent.get_value(cached=False) == 0.0

    clock.run(body())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cool_to_c": 23.0}, "does not cool to 23 C by itself"),
        ({"ramp_c_per_min": 0.0}, "leads nowhere"),
        ({"plate": "nowhere"}, "no nowhere on this bench"),
    ],
)
def test_an_anneal_that_makes_no_sense_is_refused_before(change: dict[str, object], said: str) -> None:
    command = Anneal(**{**ANNEAL.to_json(), **change})
    assert any(said in problem for problem in command.problems(make_bench(plate_at="furnace")))


def test_a_program_is_written_as_the_registers_are_laid_out() -> None:
    words = program_words(ANNEAL)
    raw = struct.pack(f">{len(words)}H", *words)
    assert struct.unpack(">Iff", raw[:12]) == (600_000, 120.0, 20.0)
    assert [struct.unpack(">Iff", raw[n : n + 12]) for n in (12, 24, 36)] == [(0, 120.0, 0.0)] * 3
    assert write_registers(long_at(Register.SEGMENT_1), words).startswith("108a00001830")
