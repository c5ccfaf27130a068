"""A syringe pump on its twin: what it does to the world, and what it says when it goes wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devices.syringe_pump import Dispense
from devices.syringe_pump.ne1000 import NE1000, Syringe, number
from devices.transport import InProcess
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    ConnectionLost,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
    ShortVolume,
)
from lab.interfaces import Answer
from tests.devices.bus_bench import PUMP
from tests.devices.bus_rig import bus_rig
from tests.devices.line_bench import make_bench

DISPENSE = Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=300.0)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def test_a_dispense_brings_about_its_volume_from_the_syringe_into_the_well(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            well, syringe = rig.world.volume_ul("assay_1", "A1"), rig.world.volume_ul("syringe", "A1")
            assert (await rig.do(DISPENSE))["given_ul"] == 100.0
            given_ul = rig.world.volume_ul("assay_1", "A1") - well
            assert given_ul == pytest.approx(100.0, abs=2.0)
            assert syringe - rig.world.volume_ul("syringe", "A1") == pytest.approx(given_ul, abs=0.5)
            DISPENSE.believe(rig.bench)
            assert rig.bench.labware["assay_1"].wells["A1"].volume_ul == 150.0
            assert rig.bench.labware["syringe"].wells["A1"].volume_ul == 8900.0

    clock.run(body())


def test_a_pump_that_hears_nothing_stops_and_knows_how_much_it_gave(clock: LabClock) -> None:
    slow = Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=60.0)

    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            doing = asyncio.ensure_future(rig.do(slow))
            await asyncio.sleep(12.0)
            rig.wire.hangs_up()
            with pytest.raises(ConnectionLost):
                await doing
            await asyncio.sleep(60.0)
            infused = [a.arguments["volume_ul"] for a in rig.world.ledger.actions if a.action == "infuse"]
            assert len(infused) == 1
            assert 35.0 <= infused[0] <= 45.0
            rig.wire.instead = None
            await rig.device.safe()
            said = await rig.said(slow)
            assert said.answer is Answer.UNKNOWN
            assert said.part["given_ul"] == pytest.approx(infused[0], abs=0.06)
            slow.believe_part(rig.bench, said.part)
            assert rig.bench.labware["assay_1"].wells["A1"].volume_ul == pytest.approx(
                50.0 + infused[0], abs=0.1
            )

    clock.run(body())


def test_a_pump_that_lost_power_has_forgotten_and_nobody_claims_to_know(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            model, asked = rig.wire.model, 0

            async def answer(line: str) -> str:
                nonlocal asked
                asked += line == "DIS"
                return "00A?R" if line == "DIS" and asked == 3 else await model.reply(line)

            rig.wire.instead = answer
            with pytest.raises(InstrumentError, match="power was interrupted"):
                await rig.do(DISPENSE)
            said = await rig.said(DISPENSE)
            assert (said.answer, said.part) == (Answer.UNKNOWN, None)
            assert "lost power" in said.sentence

    clock.run(body())


def test_a_loss_of_power_that_another_program_was_told_of_is_no_count_of_nothing(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            await rig.do(DISPENSE)
            told = False

            async def answer(line: str) -> str:
                # As after a power cut: an alarm, once, and no count.
                nonlocal told
                if not told:
                    told = True
                    return "00A?R"
                return "00SI0.000W0.000UL" if line == "DIS" else await rig.wire.model.reply(line)

            rig.wire.instead = answer
            checking, resuming = (PUMP.device(InProcess(rig.wire), rig.bench) for _ in range(2))
            await checking.connect()
            await checking.disconnect()
            await resuming.connect()
            await resuming.safe()
            marks = [mark for mark in rig.marks if mark.name in ("set", "give")]
            said = await resuming.dispense.reconcile(DISPENSE, marks)
            assert told
            assert said.answer is Answer.UNKNOWN
            await resuming.disconnect()

    clock.run(body())


@pytest.mark.parametrize(("letter", "said"), [("R", "power was interrupted"), ("S", "stalled")])
def test_an_alarm_that_somebody_else_who_reads_is_told_is_known_to_the_command(
    clock: LabClock, letter: str, said: str
) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            doing = asyncio.ensure_future(rig.do(DISPENSE))
            await asyncio.sleep(10.0)
            alarms = [f"00A?{letter}"]

            async def answer(line: str) -> str:
                # It stands still, and power takes its count with it.
                if alarms:
                    return alarms.pop()
                return "00SI0.000W0.000UL" if line == "DIS" else "00S"

            rig.wire.instead = answer
            with pytest.raises(InstrumentError, match=said):
                await rig.device.state.get_value(cached=False)
            with pytest.raises(InstrumentError, match=said):
                await doing
            if letter == "R":
                assert (await rig.said(DISPENSE)).answer is Answer.UNKNOWN

    clock.run(body())


def test_a_pump_that_stops_short_without_a_word_is_found_out(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            doing = asyncio.ensure_future(rig.do(DISPENSE))
            await asyncio.sleep(10.0)
            # As a person does with the key at the pump.
            for _ in range(2):
                await rig.wire.model.reply("STP")
            with pytest.raises(ShortVolume, match="of 100 uL"):
                await doing
            assert (await rig.said(DISPENSE)).answer is Answer.UNKNOWN

    clock.run(body())


@pytest.mark.parametrize(
    "reply", ["07S", "00S?WHAT", "00SI-1.0W0.0UL", "00SI1.0W0.0", "00QI1.0W0.0UL", "S", ""]
)
def test_an_answer_that_no_such_pump_gives_is_nonsense(reply: str, clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            rig.wire.says(reply)
            with pytest.raises(NonsenseReply):
                await rig.device.given_ul.get_value(cached=False)

    clock.run(body())


def test_a_damaged_packet_is_refused_by_the_pump_and_nothing_moves(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            assert await rig.wire.model.reply("\x18") == "00S?COM"
            assert not rig.world.ledger.actions

    clock.run(body())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"volume_ul": 9500.0}, "holds 9000 uL"),
        ({"volume_ul": 160.0}, "can't take 160 uL more"),
        ({"well": "Z9"}, "has no well Z9"),
        ({"syringe": "assay_1"}, "is no syringe"),
        ({"labware": "nowhere"}, "no nowhere on this bench"),
        ({"rate_ul_per_min": 0.0}, "make no sense"),
    ],
)
def test_a_dispense_that_makes_no_sense_is_refused_before(change: dict[str, object], said: str) -> None:
    command = Dispense(**{**DISPENSE.to_json(), **change})
    assert any(said in problem for problem in command.problems(make_bench(plate_at="pump_outlet")))


def test_a_well_that_the_tube_does_not_end_over_is_refused(clock: LabClock) -> None:
    elsewhere = Dispense(**{**DISPENSE.to_json(), "well": "B2"})

    async def body() -> None:
        async with bus_rig(PUMP, clock) as rig:
            assert any("ends over A1" in p for p in rig.device.dispense.problems(elsewhere, rig.bench))
            with pytest.raises(OutOfRange, match="ends over A1"):
                await rig.do(elsewhere)

    clock.run(body())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.500"), (14.43, "14.43"), (100.0, "100.0"), (9999.0, "9999"), (1234.5, "1234")],
)
def test_numbers_have_the_four_digits_that_the_pump_takes(value: float, text: str) -> None:
    assert number(value) == text


def test_a_number_of_five_digits_is_no_number_for_the_pump() -> None:
    with pytest.raises(ValueError, match="four digits"):
        number(10_000.0)


@pytest.mark.parametrize("syringe", [{"diameter_mm": 0.0}, {"diameter_mm": math.nan}, {"volume_ul": 1e9}])
def test_a_syringe_that_does_not_fit_the_pump_is_refused(syringe: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="No syringe for this pump"):
        replace(Syringe(diameter_mm=14.43, volume_ul=10_000.0), **syringe)  # type: ignore[arg-type]


def test_limits_follow_from_the_syringe() -> None:
    pump = NE1000("pump", InProcess(Parrot()), syringe=Syringe(diameter_mm=4.7, volume_ul=1000.0))
    assert pump.dispense.limits["volume_ul"][1] == 1000.0
    assert pump.dispense.limits["rate_ul_per_min"][1] == pytest.approx(885.0, abs=5.0)


class Parrot:
    async def reply(self, line: str) -> str:
        return line
