"""Plate readers, end to end on their twins in virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
import pytest
from bluesky.run_engine import RunEngine, _ensure_event_loop_running
from pylabrobot.plate_reading.backend import PlateReaderBackend
from pylabrobot.plate_reading.bmg_labtech.clario_star_backend import CLARIOstarBackend

from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader import clariostar as clariostar_module
from devices.plate_reader.clariostar import CLARIOSTAR, clariostar, real_clariostar
from devices.plate_reader.infinite import infinite, real_infinite
from devices.plate_reader.reader import Reader, ReaderDriver
from digital_twin.chemistry import chemistry
from digital_twin.instruments.plate_reader import ReaderTwin, clariostar_twin, infinite_twin
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    InstrumentError,
    MissingData,
    NonsenseReply,
    OutOfRange,
    ReaderSaturated,
    StaleLease,
)
from lab.interfaces import Command
from lab.types import Origin
from tests.devices.broken_off import Breaker, try_once
from tests.twin_bench import SEATS, small_bench

FLUORESCENCE = ReadFluorescence(plate="assay_1", excitation_nm=480.0, emission_nm=540.0, gain=1000.0)
ABSORBANCE = ReadAbsorbance(plate="assay_1", wavelength_nm=480.0)
KINETIC = replace(ABSORBANCE, cycles=3, interval_s=120.0)


@dataclass
class Rig:
    """A reader on its twin with a plate of reporter in it."""

    clock: LabClock
    bench: Bench
    world: World
    reader: Reader

    def do(self, verb: Any, command: Any) -> float:
        """Carry a command out; gives back the lab time it took."""

        async def carry_out() -> float:
            begun = self.clock.now()
            await verb.set(command)
            return self.clock.now() - begun

        return self.clock.run(carry_out())

    def shown(self) -> dict[str, Any]:
        """What the device's signals say."""
        readings = self.clock.run(self.reader.read())
        return {name.removeprefix("reader-"): reading["value"] for name, reading in readings.items()}


def plate_in_reader() -> Bench:
    bench = small_bench()
    bench.move("assay_1", "reader")
    for well in ("A1", "A2", "H12"):
        bench.fill("assay_1", well, {"reporter": 50.0, "assay_buffer": 45.0})
    bench.fill("assay_1", "A2", {"T16I": 5.0})
    return bench


def a_rig(clock: LabClock, seed: int = 7) -> Rig:
    bench = plate_in_reader()
    world = World(
        clock=clock, seed=seed, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=SEATS
    )
    reader = clariostar("reader", clariostar_twin(world, name="reader", position="reader"), bench=bench)
    clock.run(reader.connect())
    return Rig(clock, bench, world, reader)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with LabClock(virtual=True) as clock:
        made = a_rig(clock)
        yield made
        clock.run(made.reader.disconnect())


def test_a_reading_shows_every_well_row_by_row(rig: Rig) -> None:
    rig.do(rig.reader.fluorescence, FLUORESCENCE)
    shown = rig.shown()
    assert shown["value"].shape == shown["saturated"].shape == (96,)
    blank, variant, last = shown["value"][[0, 1, 95]]
    assert variant > 2.0 * blank
    assert last == pytest.approx(blank, rel=0.1)
    assert (shown["plate"], shown["mode"], shown["origin"]) == ("assay_1", "fluorescence", "twin")
    assert (shown["excitation_nm"], shown["emission_nm"], shown["gain"]) == (480.0, 540.0, 1000.0)
    assert not shown["saturated"].any()


def test_the_layout_of_the_plate_is_configuration(rig: Rig) -> None:
    rig.do(rig.reader.absorbance, ABSORBANCE)
    configuration = rig.clock.run(rig.reader.read_configuration())
    assert configuration["reader-rows"]["value"] == 8
    assert configuration["reader-columns"]["value"] == 12
    assert configuration["reader-serial_number"]["value"].startswith("TWIN")


def test_an_overflow_is_flagged_and_shown_as_the_ceiling(rig: Rig) -> None:
    rig.do(rig.reader.fluorescence, replace(FLUORESCENCE, gain=2500.0))
    shown = rig.shown()
    assert shown["value"][1] == CLARIOSTAR.fluorescence_ceiling
    assert np.flatnonzero(shown["saturated"]).tolist() == [0, 1, 95]


def test_a_kinetic_reading_keeps_its_interval_and_every_cycle(rig: Rig) -> None:
    took_s = rig.do(rig.reader.absorbance, KINETIC)
    shown = rig.shown()
    assert took_s == pytest.approx(2 * 120.0 + CLARIOSTAR.absorbance_pass_s + 2 * CLARIOSTAR.door_s)
    assert shown["cycles"].shape == (288,)
    assert np.array_equal(shown["cycles"][192:], shown["value"])
    assert not np.array_equal(shown["cycles"][:96], shown["cycles"][96:192])


def test_an_interval_that_is_too_short_is_the_reader_s_own_pace(rig: Rig) -> None:
    took_s = rig.do(rig.reader.absorbance, replace(KINETIC, interval_s=1.0))
    assert took_s == pytest.approx(3 * CLARIOSTAR.absorbance_pass_s + 2 * CLARIOSTAR.door_s)


@pytest.mark.parametrize("command", [FLUORESCENCE, ABSORBANCE, KINETIC])
def test_a_reading_takes_as_long_as_expected(rig: Rig, command: Any) -> None:
    verb = getattr(rig.reader, command.verb)
    assert rig.do(verb, command) == pytest.approx(verb.duration_s(command, rig.bench), abs=1.0)


def test_the_drawer_is_out_before_and_after_and_in_during_a_reading(rig: Rig) -> None:
    assert not rig.world.is_shut("reader")
    during = []
    original = rig.world.act

    def noted(instrument: str, action: str, **arguments: Any) -> Any:
        if action.startswith("read"):
            during.append(rig.world.is_shut("reader"))
        return original(instrument, action, **arguments)

    rig.world.act = noted  # type: ignore[method-assign]
    rig.do(rig.reader.absorbance, KINETIC)
    assert during == [True, True, True]
    assert not rig.world.is_shut("reader")


def test_a_reading_from_the_journal_shows_again_as_it_was(rig: Rig) -> None:
    rig.do(rig.reader.fluorescence, FLUORESCENCE)
    before = rig.shown()
    result = json.loads(json.dumps(rig.reader.fluorescence.result()))
    rig.do(rig.reader.absorbance, ABSORBANCE)
    rig.clock.run(rig.reader.fluorescence.restore(result))
    after = rig.shown()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_two_readers_of_one_seed_read_the_same_and_of_another_seed_not() -> None:
    values = []
    for seed in (7, 7, 8):
        with LabClock(virtual=True) as clock:
            made = a_rig(clock, seed)
            made.do(made.reader.fluorescence, FLUORESCENCE)
            values.append(made.shown()["value"])
            clock.run(made.reader.disconnect())
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_an_event_of_a_run_holds_the_whole_plate(rig: Rig) -> None:
    _ensure_event_loop_running.loop_to_thread[rig.clock.loop] = rig.clock.thread  # type: ignore[attr-defined]
    engine = RunEngine({}, loop=rig.clock.loop, context_managers=[])
    documents: list[tuple[str, Any]] = []
    engine.subscribe(lambda name, document: documents.append((name, document)))

    @bpp.run_decorator()
    def plan() -> Any:
        for command in (FLUORESCENCE, ABSORBANCE):
            yield from bps.abs_set(getattr(rig.reader, command.verb), command, wait=True)
            yield from bps.create(name=command.verb)
            yield from bps.read(rig.reader)
            yield from bps.save()

    engine(plan())
    events = [document["data"] for name, document in documents if name == "event"]
    assert [event["reader-mode"] for event in events] == ["fluorescence", "absorbance"]
    assert [np.shape(event["reader-value"]) for event in events] == [(96,), (96,)]
    assert events[0]["reader-lab_time_s"] < events[1]["reader-lab_time_s"]
    descriptors = [document for name, document in documents if name == "descriptor"]
    assert descriptors[0]["configuration"]["reader"]["data"]["reader-rows"] == 8


def test_no_plate_is_a_fault_and_the_drawer_comes_out_again(rig: Rig) -> None:
    rig.world.act("arm", "pick", position="reader")
    with pytest.raises(InstrumentError, match="reader: ReaderRefuses: no plate stands at reader"):
        rig.do(rig.reader.fluorescence, FLUORESCENCE)
    assert not rig.world.is_shut("reader")


def test_the_next_plate_takes_the_place_of_the_last(rig: Rig) -> None:
    rig.do(rig.reader.absorbance, ABSORBANCE)
    for position in ("reader", "deck_plate_2"):
        rig.world.act("arm", "pick", position=position)
        rig.world.act("arm", "place", position="hotel_1" if position == "reader" else "reader")
    rig.bench.move("assay_1", "hotel_1")
    rig.bench.move("assay_2", "reader")
    rig.do(rig.reader.absorbance, replace(ABSORBANCE, plate="assay_2"))
    assert rig.shown()["plate"] == "assay_2"


@pytest.mark.parametrize("command", [FLUORESCENCE, ABSORBANCE, KINETIC])
def test_a_command_survives_the_journal(command: Command) -> None:
    assert type(command).from_json(json.loads(json.dumps(command.to_json()))) == command


PROBLEMS: dict[str, tuple[Command, str]] = {
    "no such plate": (replace(FLUORESCENCE, plate="assay_9"), "There is no assay_9"),
    "no plate": (replace(FLUORESCENCE, plate="tips_1"), "tips_1 is a tip rack, not a plate"),
    "a plate elsewhere": (replace(ABSORBANCE, plate="assay_2"), "assay_2 does not stand on reader"),
    "no cycles": (replace(ABSORBANCE, cycles=0), "0 readings make no sense"),
    "cycles without interval": (replace(ABSORBANCE, cycles=2), "need an interval"),
    "emission below excitation": (replace(FLUORESCENCE, emission_nm=470.0), "not emitted"),
    "a wavelength past the monochromator": (replace(ABSORBANCE, wavelength_nm=1200.0), "outside 220 to 1000"),
    "gain past the detector": (replace(FLUORESCENCE, gain=9000.0), "gain 9000 is outside 1 to 4095"),
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_what_cannot_work_is_said_in_one_sentence(rig: Rig, what: str) -> None:
    command, sentence = PROBLEMS[what]
    problems = getattr(rig.reader, command.verb).problems(command, rig.bench)
    assert any(sentence in problem for problem in problems), problems


def test_a_lid_is_in_the_way_of_the_light(rig: Rig) -> None:
    rig.bench.put_lid("lid_1", "assay_1")
    assert any("lid lid_1" in problem for problem in rig.reader.absorbance.problems(ABSORBANCE, rig.bench))


def test_what_is_past_a_limit_is_never_sent(rig: Rig) -> None:
    with pytest.raises(OutOfRange, match="gain 9000"):
        rig.do(rig.reader.fluorescence, replace(FLUORESCENCE, gain=9000.0))
    assert not [action for action in rig.world.ledger.actions if action.action.startswith("read")]


def test_a_limit_that_a_reader_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match="volume_ul"):
        infinite("reader", real_infinite(), bench=small_bench(), limits={"volume_ul": (1.0, 2.0)})


def test_a_driver_that_cannot_read_fluorescence_gives_a_device_without_the_verb(rig: Rig) -> None:
    twin = clariostar_twin(rig.world, name="reader", position="reader")
    reader = clariostar("reader", replace(twin, reads_fluorescence=False), bench=rig.bench)
    assert not hasattr(reader, "fluorescence")
    assert reader.absorbance.command_type is ReadAbsorbance


@pytest.mark.parametrize("installed", [True, False])
def test_a_real_clariostar_reads_no_fluorescence_and_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    found = object() if installed else None
    monkeypatch.setattr("devices.machine.importlib.util.find_spec", lambda name: found)
    monkeypatch.setattr(
        "devices.plate_reader.clariostar.CLARIOstarBackend", lambda device_id: ChatterboxOfBmg(device_id)
    )
    if installed:
        assert not real_clariostar(device_id="A1").reads_fluorescence
    else:
        with pytest.raises(MissingData, match="pylibftdi") as missing:
            real_clariostar()
        assert "pip install 'pylabrobot[ftdi]'" in missing.value.way_out


@dataclass
class ChatterboxOfBmg:
    """Stands where the backend is made, which needs a driver library that hardware has."""

    device_id: str | None


def test_hardware_without_its_usb_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.machine.importlib.util.find_spec", lambda name: None)
    reader = infinite("reader", real_infinite(), bench=small_bench())
    with LabClock(virtual=True) as clock, pytest.raises(MissingData, match=r"pylabrobot\[usb\]"):
        clock.run(reader.connect())


def test_a_real_infinite_has_both() -> None:
    reader = infinite("reader", real_infinite(), bench=small_bench())
    assert reader.fluorescence.limits["gain"] == (1.0, 255.0)
    assert reader.absorbance.command_type is ReadAbsorbance


def test_an_infinite_shows_the_same_light_on_its_own_scale() -> None:
    with LabClock(virtual=True) as clock:
        bench = plate_in_reader()
        world = World(
            clock=clock, seed=7, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=SEATS
        )
        reader = infinite("reader", infinite_twin(world, name="reader", position="reader"), bench=bench)
        clock.run(reader.connect())
        made = Rig(clock, bench, world, reader)
        made.do(reader.fluorescence, replace(FLUORESCENCE, gain=100.0))
        values = made.shown()["value"]
        assert 10_000.0 < values[1] < 60_000.0
        assert values[1] > 2.0 * values[0]
        assert clock.run(reader.identify()).origin is Origin.TWIN
        clock.run(reader.disconnect())


class Babbling(ReaderTwin):
    """A reader that loses the last row."""

    async def read_absorbance(self, plate: Any, wells: Any, wavelength: int) -> Any:
        answer = await super().read_absorbance(plate, wells, wavelength)
        return [{**answer[0], "data": answer[0]["data"][:-1]}]


class Blind(ReaderTwin):
    """A reader whose light did not get through one well."""

    async def read_absorbance(self, plate: Any, wells: Any, wavelength: int) -> Any:
        answer = await super().read_absorbance(plate, wells, wavelength)
        answer[0]["data"][0][3] = None
        return answer


def other_backend(rig: Rig, backend: type[ReaderTwin]) -> Reader:
    made = backend(rig.world, instrument="reader", position="reader", detector="clariostar", model=CLARIOSTAR)
    twin = clariostar_twin(rig.world, name="reader", position="reader")
    reader = clariostar("reader", ReaderDriver(backend=made, introduce=twin.introduce), bench=rig.bench)
    rig.clock.run(reader.connect())
    return reader


def test_an_answer_with_missing_wells_is_nonsense_and_not_a_reading(rig: Rig) -> None:
    reader = other_backend(rig, Babbling)
    with pytest.raises(NonsenseReply, match="84 numbers for 96 wells"):
        rig.do(reader.absorbance, ABSORBANCE)
    rig.clock.run(reader.disconnect())


def test_a_well_without_a_number_is_not_a_number_and_flagged(rig: Rig) -> None:
    reader = other_backend(rig, Blind)
    rig.do(reader.absorbance, ABSORBANCE)
    json.dumps(reader.absorbance.result(), allow_nan=False)
    shown = rig.clock.run(reader.read())
    assert np.isnan(shown["reader-value"]["value"][3])
    assert np.flatnonzero(shown["reader-saturated"]["value"]).tolist() == [3]
    rig.clock.run(reader.disconnect())


def test_wells_past_the_detector_s_scale_are_remarked_on_by_name(rig: Rig) -> None:
    rig.do(rig.reader.fluorescence, FLUORESCENCE)
    assert rig.reader.fluorescence.remark() is None
    rig.do(rig.reader.fluorescence, replace(FLUORESCENCE, gain=2500.0))
    remark = rig.reader.fluorescence.remark()
    assert isinstance(remark, ReaderSaturated)
    assert "3 wells of assay_1 (A1, A2, H12)" in str(remark)


def test_a_reader_whose_lease_ran_out_is_not_moved_any_more(rig: Rig) -> None:
    original = rig.world.act

    def act(instrument: str, action: str, **arguments: Any) -> Any:
        if action == "read_absorbance":
            rig.reader.fence.admit(2)
        return original(instrument, action, **arguments)

    rig.world.act = act  # type: ignore[method-assign]
    tried = rig.clock.run(try_once(rig.clock, rig.reader.absorbance, KINETIC, Breaker(at=None), token=1))
    assert isinstance(tried.fault, StaleLease)
    assert not tried.fault.nothing_done
    assert rig.world.is_shut("reader")
    rig.clock.run(rig.reader.safe())
    assert not rig.world.is_shut("reader")


def test_a_real_infinite_is_not_asked_for_a_reading_that_pylabrobot_can_t_ask_for() -> None:
    assert real_infinite().last_reading is None


MEASUREMENTS = {
    "nothing": b"",
    "truncated": b"\x00" * 6 + b"\x01" * 100,
    "without a calibration": b"\x00" * 6 + b"\x00\x00\x10\x00" * 192 + b"\x00" * 16,
}


@pytest.mark.parametrize("said", MEASUREMENTS.values(), ids=MEASUREMENTS)
def test_a_measurement_that_pylabrobot_cannot_read_is_nonsense(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyLabRobot's own backend takes it apart; what it does to get it is left out."""
    backend: Any = CLARIOstarBackend.__new__(CLARIOstarBackend)
    PlateReaderBackend.__init__(backend)

    async def nothing(*given: Any, **named: Any) -> None:
        """It is as it should be."""

    async def measured() -> bytes:
        return said

    for step in ("_mp_and_focus_height_value", "_run_absorbance", "_read_order_values", "_status_hw"):
        setattr(backend, step, nothing)
    for move in ("setup", "stop", "open", "close"):
        setattr(backend, move, nothing)
    backend._get_measurement_values = measured
    monkeypatch.setattr(clariostar_module, "require_module", lambda module: None)
    monkeypatch.setattr(clariostar_module, "CLARIOstarBackend", lambda device_id: backend)

    async def body() -> None:
        reader = clariostar("reader", real_clariostar(device_id="A1"), bench=plate_in_reader())
        await reader.connect()
        with pytest.raises(NonsenseReply, match="can't be read"):
            await reader.absorbance.set(ABSORBANCE)

    with LabClock(virtual=True) as clock:
        clock.run(body())
