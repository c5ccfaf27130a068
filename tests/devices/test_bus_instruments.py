"""Furnace, syringe pump and spectrometer on their twins: what they do to the world, and what they say when it goes wrong."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest

from devices.furnace import Anneal
from devices.furnace.eurotherm import Register, long_at, program_words
from devices.modbus import read_registers, write_register, write_registers
from devices.scpi import numbers
from devices.spectrometer import TakeSpectrum, Zero
from devices.spectrometer.aq6370 import AQ6370
from devices.spectrometer.light_path import StagePath, xy_mm
from devices.syringe_pump import Dispense
from devices.syringe_pump.ne1000 import NE1000, Syringe, number
from devices.transport import InProcess
from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, Moment
from digital_twin.instruments.aq6370 import AQ6370Twin, MS2000Twin
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandBrokenOff,
    ConnectionLost,
    DeviceFault,
    FaultKind,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
    ShortVolume,
    TemperatureNotReached,
)
from lab.interfaces import Answer
from tests.devices.bus_bench import BUS_CASES, FURNACE, PUMP, SPECTROMETER
from tests.devices.bus_rig import FAULTS, BusRig, bus_rig
from tests.devices.line_bench import SEATS, Water, make_bench

ANNEAL = Anneal(plate="assay_1", temperature_c=120.0, hold_s=600.0, ramp_c_per_min=20.0, cool_to_c=60.0)
DISPENSE = Dispense(syringe="syringe", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=300.0)
SPECTRUM = TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=500.0, points=101)
COMMANDS = {"furnace": ANNEAL, "pump": DISPENSE, "spectrometer": SPECTRUM}

Body = Callable[[], Awaitable[None]]


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


# ------------------------------------------------------------------------------------------------------------ furnace


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


# --------------------------------------------------------------------------------------------------------------- pump


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
        Syringe(**{"diameter_mm": 14.43, "volume_ul": 10_000.0, **syringe})


def test_limits_follow_from_the_syringe() -> None:
    pump = NE1000("pump", InProcess(Parrot()), syringe=Syringe(diameter_mm=4.7, volume_ul=1000.0))
    assert pump.dispense.limits["volume_ul"][1] == 1000.0
    assert pump.dispense.limits["rate_ul_per_min"][1] == pytest.approx(885.0, abs=5.0)


class Parrot:
    async def reply(self, line: str) -> str:
        return line


# ------------------------------------------------------------------------------------------------------- spectrometer


class Ink(Water):
    """Absorbs in a band about 600 nm, the more the further right the well."""

    def absorbance(self, wells: object, *, wavelength_nm: float) -> np.ndarray:
        band = math.exp(-(((wavelength_nm - 600.0) / 50.0) ** 2))
        return np.array([0.1 * (n % 12) * band for n in range(96)])


def staged(world: World) -> tuple[MS2000Twin, AQ6370Twin]:
    stage = MS2000Twin(world, name="spectrometer_stage", a1_mm=(12.0, 8.0))
    return stage, AQ6370Twin(world, name="spectrometer", position="spectrometer", well=stage.well_in_light)


def test_a_stage_drives_each_well_into_the_light_and_its_absorbance_is_that_of_the_world(
    clock: LabClock,
) -> None:
    command = TakeSpectrum(
        plate="assay_1",
        wells=("A7", "H12", "C2"),
        blank="A1",
        from_nm=450.0,
        to_nm=750.0,
        points=101,
        averages=4,
        sensitivity="HIGH1",
    )

    async def body() -> None:
        bench = make_bench(plate_at="spectrometer")
        world = World(clock=clock, seed=2, ledger=None, bench=bench, chemistry=Ink(), seats=SEATS)
        stage, model = staged(world)
        device = AQ6370("spectrometer", InProcess(model), path=StagePath(InProcess(stage), a1_mm=(12.0, 8.0)))
        await device.connect()
        await device.spectrum.set(command)
        result = device.spectrum.result()
        looked = [a.arguments["well"] for a in world.ledger.actions if a.action == "take_spectrum"]
        assert looked == ["A1", "A7", "H12", "C2"]
        at = int(np.argmin(np.abs(np.array(result["wavelength_nm"]) - 600.0)))
        assert [row[at] for row in result["absorbance"]] == pytest.approx([0.6, 1.1, 0.1], abs=0.03)
        assert [row[0] for row in result["absorbance"]] == pytest.approx([0.0, 0.0, 0.0], abs=0.03)
        assert device.spectrum.remark() is None
        assert (await device.read())["spectrometer-wells"]["value"] == ["A7", "H12", "C2"]
        took_s, expected_s = clock.now(), device.spectrum.duration_s(command, bench)
        assert 0.5 * expected_s < took_s < 2.0 * expected_s
        await device.disconnect()

    clock.run(body())


def test_a_restored_spectrum_is_shown_as_it_was(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(SPECTROMETER, clock) as rig:
            result = await rig.do(SPECTRUM)
            shown = await rig.device.power_w.get_value()
            other = await rig.do(TakeSpectrum(**{**SPECTRUM.to_json(), "wells": ("A1", "A1")}))
            assert len(other["power_w"]) == 2
            await rig.device.spectrum.restore(result)
            assert np.array_equal(await rig.device.power_w.get_value(), shown)

    clock.run(body())


def test_the_dark_signal_takes_its_time(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(SPECTROMETER, clock) as rig:
            await rig.do(Zero())
            assert clock.now() > 15.0

    clock.run(body())


def test_wells_that_give_too_much_light_or_none_are_a_remark(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(SPECTROMETER, clock) as rig:
            model = rig.wire.model
            level = "+1.0E-01"

            async def answer(line: str) -> str:
                if line.startswith(":TRACe:DATA:Y?"):
                    return ",".join([level] * 101)
                return await model.reply(line)

            rig.wire.instead = answer
            await rig.do(TakeSpectrum(**{**SPECTRUM.to_json(), "wells": ("A1",)}))
            assert "A1 gave more light than can be told" in str(rig.device.spectrum.remark())
            level = "-1.0E-12"
            await rig.do(TakeSpectrum(**{**SPECTRUM.to_json(), "wells": ("A1",), "blank": "A1"}))
            assert "A1 gave none" in str(rig.device.spectrum.remark())
            assert rig.device.spectrum.result()["absorbance"] == [[None] * 101]

    clock.run(body())


@pytest.mark.parametrize(
    "answer",
    [
        "1,2",
        "1,2,3,4",
        "1,2,x",
        "1,2,nan",
        "1,2,inf",
        "1,2,9.91E+37",
        "1,2,",
        "1;2;3",
        "１,2,3",
        "1,2,1e9999",
        "1_0,2,3",
    ],
)
def test_a_trace_that_is_not_what_was_asked_for_is_nonsense(answer: str) -> None:
    assert numbers("1, -2.5E-9,+3", 3) == [1.0, -2.5e-9, 3.0]
    with pytest.raises(NonsenseReply):
        numbers(answer, 3)


@pytest.mark.parametrize("identity", ["ACME,AQ6374,1", "ACME,SCOPE,1,2", "", "YOKOGAWA,,1,2"])
def test_who_is_no_analyzer_of_the_series_is_not_connected_to(identity: str, clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(SPECTROMETER, clock) as rig:
            rig.wire.says(identity)
            with pytest.raises(NonsenseReply):
                await rig.device.connect(force_reconnect=True)

    clock.run(body())


def test_an_error_in_the_queue_is_told_with_the_setting_that_made_it(clock: LabClock) -> None:
    async def body() -> None:
        async with bus_rig(SPECTROMETER, clock) as rig:
            rig.device.spectrum._limits = {}
            with pytest.raises(InstrumentError, match="error -222 to :SENSe:WAVelength:STOP 9000.000NM"):
                await rig.do(TakeSpectrum(**{**SPECTRUM.to_json(), "wells": ("A1",), "to_nm": 9000.0}))

    clock.run(body())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wells": ()}, "no well"),
        ({"wells": ("Z9",)}, "has no well Z9"),
        ({"to_nm": 400.0}, "there is nothing"),
        ({"sensitivity": "BEST"}, "no sensitivity 'BEST'"),
    ],
)
def test_a_spectrum_that_makes_no_sense_is_refused_before(change: dict[str, object], said: str) -> None:
    command = TakeSpectrum(**{**SPECTRUM.to_json(), **change})
    assert any(said in problem for problem in command.problems(make_bench(plate_at="spectrometer")))


@pytest.mark.parametrize("reply", [":N-4", ":A 1", ":A 1 2 3", "B", "", ":Aµ"])
def test_a_stage_that_answers_badly_is_a_fault_of_the_spectrometer(reply: str, clock: LabClock) -> None:
    async def body() -> None:
        bench = make_bench(plate_at="spectrometer")
        world = World(clock=clock, seed=2, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        stage, model = staged(world)

        class Odd:
            async def reply(self, line: str) -> str:
                return reply if line.startswith(("W", "M")) else await stage.reply(line)

        device = AQ6370("spectrometer", InProcess(model), path=StagePath(InProcess(Odd())))
        await device.connect()
        with pytest.raises((InstrumentError, NonsenseReply)) as caught:
            await device.spectrum.set(SPECTRUM)
        assert caught.value.device == "spectrometer"
        await device.disconnect()

    clock.run(body())


def test_a_stage_is_asked_for_a_place_nine_millimetres_a_well_away() -> None:
    assert xy_mm("A1", a1_mm=(1.0, 2.0)) == (1.0, 2.0)
    assert xy_mm("C5", a1_mm=(1.0, 2.0)) == (37.0, 20.0)


# -------------------------------------------------------------------------------------------------------- all of them

SCRIPTED = [
    (case, FaultRule(instrument=case.name, kind=kind, where=where, at=(1,), moment=moment))
    for case in BUS_CASES
    for where, kinds in (
        *FAULTS[case.name].repertoire.verbs.items(),
        *FAULTS[case.name].repertoire.parts.items(),
    )
    for kind in sorted(kinds)
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("case", "rule"), SCRIPTED, ids=lambda value: getattr(value, "key", "") or value.name
)
def test_each_fault_of_a_twin_is_told_by_its_kind_and_leaves_nothing_going(
    case: object, rule: FaultRule, clock: LabClock
) -> None:
    async def body() -> None:
        async with bus_rig(case, clock, rule) as rig:  # type: ignore[arg-type]
            met = await _fault(rig)
            assert met.kind is rule.kind
            struck = [a for a in rig.world.ledger.actions if a.action == "fault"]
            assert [a.arguments["rule"] for a in struck] == [rule.key]
            # A silent wire may have kept the first safe state from being reached.
            await rig.device.safe()
            assert rig.world.state.climates["furnace"].set_c is None
            assert rig.world.state.memory.get("pump", {}).get("run") is None

    clock.run(body())


async def _fault(rig: BusRig) -> DeviceFault:
    command = COMMANDS[rig.device.name]
    with pytest.raises(DeviceFault) as caught:
        # What strikes when it is stopped or turned off strikes at the end of a second one at the latest.
        for _ in range(2):
            await rig.do(command)
    return caught.value


def test_a_bench_that_holds_none_of_it_is_told_so() -> None:
    empty = Bench([], [])
    for command in COMMANDS.values():
        assert command.problems(empty)
