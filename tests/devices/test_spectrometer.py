"""A spectrometer and its stage on their twins: what they see of the world, and what they say when it goes wrong."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import numpy as np
import pytest

from devices.scpi import numbers
from devices.spectrometer import TakeSpectrum, Zero
from devices.spectrometer.aq6370 import AQ6370
from devices.spectrometer.light_path import StagePath, xy_mm
from devices.transport import InProcess
from digital_twin.instruments.aq6370 import AQ6370Twin, MS2000Twin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    CommandBrokenOff,
    InstrumentError,
    NonsenseReply,
)
from tests.devices.bus_bench import SPECTROMETER
from tests.devices.bus_rig import bus_rig
from tests.devices.line_bench import SEATS, Water, make_bench

SPECTRUM = TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=500.0, points=101)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


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
        device = AQ6370(
            "spectrometer",
            InProcess(model),
            path=StagePath(InProcess(stage), a1_mm=(12.0, 8.0), load_mm=(70.0, 5.0)),
        )
        await device.connect()
        await device.spectrum.set(command)
        result = device.spectrum.result()
        looked = [a.arguments["well"] for a in world.ledger.actions if a.action == "take_spectrum"]
        assert looked == ["A1", "A7", "H12", "C2"]
        at = int(np.argmin(np.abs(np.array(result["wavelength_nm"]) - 600.0)))
        assert [row[at] for row in result["absorbance"]] == pytest.approx([0.6, 1.1, 0.1], abs=0.03)
        assert [row[0] for row in result["absorbance"]] == pytest.approx([0.0, 0.0, 0.0], abs=0.03)
        assert device.spectrum.remark() is None
        memory = world.state.memory["spectrometer_stage"]
        assert (memory["x_mm"], memory["y_mm"]) == (70.0, 5.0)
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
            with pytest.raises(InstrumentError, match=r"error -222 to :SENSe:WAVelength:STOP 9000\.000NM"):
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


def test_a_stage_that_is_stopped_on_its_way_still_brings_the_plate_to_where_an_arm_can_take_it(
    clock: LabClock,
) -> None:
    far = TakeSpectrum(**{**SPECTRUM.to_json(), "wells": ("H12",)})

    async def body() -> None:
        bench = make_bench(plate_at="spectrometer")
        world = World(clock=clock, seed=2, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        stage, model = staged(world)
        path = StagePath(InProcess(stage), a1_mm=(12.0, 8.0), load_mm=(70.0, 5.0))
        device = AQ6370("spectrometer", InProcess(model), path=path)
        await device.connect()
        status = device.spectrum.set(far)
        await asyncio.sleep(5.0)
        assert await stage.reply("/") == "B"
        device.spectrum.break_off("a person asked for it")
        with pytest.raises(CommandBrokenOff):
            await status
        memory = world.state.memory["spectrometer_stage"]
        assert (memory["x_mm"], memory["y_mm"]) == (70.0, 5.0)
        assert not any(a.action == "take_spectrum" for a in world.ledger.actions)
        await device.disconnect()

    clock.run(body())
