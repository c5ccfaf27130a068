"""Every fault that a climate chamber's twin can have is found by its driver, as what it is, and nothing is left on."""

from __future__ import annotations

import asyncio

import pytest

from devices.climate_chamber import CloseDoor, Keep, OpenDoor
from devices.transport import InProcess
from digital_twin.faults import FaultRule, FaultScript
from digital_twin.instruments.chamber_faults import IOC_FAULTS, LADS_FAULTS, SILA_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import DeviceFault, FaultKind, InstrumentError
from lab.interfaces import Answer, Command
from lab.types import JsonValue, Mark
from tests.devices.chamber_bench import CHAMBERS
from tests.devices.line_bench import SEATS, Water, Wire, make_bench

FAULTS = {"lads": LADS_FAULTS, "epics": IOC_FAULTS, "sila": SILA_FAULTS}
COMMANDS: dict[str, Command] = {
    "keep": Keep(plate="assay_1", temperature_c=37.0, hold_s=30.0),
    "open_door": OpenDoor(),
    "close_door": CloseDoor(),
}
EVERY = [
    (protocol, verb, kind)
    for protocol, faults in FAULTS.items()
    for verb, kinds in faults.repertoire.verbs.items()
    for kind in sorted(kinds)
]


@pytest.mark.parametrize(("protocol", "verb", "kind"), EVERY)
def test_a_fault_is_found_as_what_it_is_and_no_heater_stays_on(
    protocol: str, verb: str, kind: FaultKind
) -> None:
    case = CHAMBERS[protocol]
    rule = FaultRule(instrument="chamber", kind=kind, where=verb, at=(1,))

    async def body() -> None:
        bench = make_bench(plate_at="chamber")
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        model = FaultyLine(
            case.twin(world), FAULTS[protocol], world=world, name="chamber", script=FaultScript(0, (rule,))
        )
        device = case.device(InProcess(model), bench)
        await device.connect()
        if verb == "open_door":
            await device.close_door.set(CloseDoor())
        with pytest.raises(DeviceFault) as caught:
            await getattr(device, verb).set(COMMANDS[verb])
        assert caught.value.kind is kind
        assert str(caught.value).startswith("chamber: ")
        assert [action.action for action in world.ledger.actions].count("fault") == 1
        # Rest is that of the room, or none at all.
        assert world.state.climates["chamber"].set_c in (None, pytest.approx(22.0))
        await getattr(device, verb).set(COMMANDS[verb])
        await device.disconnect()

    with LabClock(virtual=True) as clock:
        clock.run(body())


def test_one_control_that_does_not_stop_does_not_keep_the_others_from_it() -> None:
    case = CHAMBERS["lads"]

    async def body() -> None:
        bench = make_bench(plate_at="chamber")
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        wire = Wire(case.twin(world))
        device = case.device(InProcess(wire), bench)
        await device.connect()

        async def answer(line: str) -> str:
            stuck = line == "call CO2/ControlFunctionState/Stop []"
            return "bad BadInternalError" if stuck else await wire.model.reply(line)

        keeping = device.keep.set(
            Keep(plate="assay_1", temperature_c=37.0, hold_s=3600.0, co2_percent=5.0, humidity_percent=80.0)
        )
        await asyncio.sleep(1000.0)
        air = world.state.atmospheres["chamber"]
        assert (air.co2_percent, air.humidity_percent) == (5.0, 80.0)
        wire.instead = answer
        keeping.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        with pytest.raises(InstrumentError, match="CO2"):
            await device.safe()
        air = world.state.atmospheres["chamber"]
        assert (air.co2_percent, air.humidity_percent) == (5.0, None)
        assert world.state.climates["chamber"].set_c is None
        await device.disconnect()

    with LabClock(virtual=True) as clock:
        clock.run(body())


def test_a_chamber_that_lost_power_on_its_way_is_not_said_to_have_done_nothing() -> None:
    case, command = CHAMBERS["epics"], COMMANDS["keep"]

    async def body() -> None:
        bench = make_bench(plate_at="chamber")
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        wire = Wire(case.twin(world))
        device = case.device(InProcess(wire), bench)
        await device.connect()
        marks: list[Mark] = []

        async def mark(name: str, details: JsonValue) -> None:
            marks.append(Mark(name=name, details=details, lab_time_s=clock.now()))

        device.keep.engage(token=1, limit_s=1e6, mark=mark)
        keeping = device.keep.set(command)
        await asyncio.sleep(5.0)
        # As its controller comes back: at its resting temperature, and the chamber hardly warmer than the room.
        await wire.model.reply("set setpoint double 22.0")
        with pytest.raises(DeviceFault):
            await keeping
        assert [one.name for one in marks] == ["reach"]
        assert abs(world.temperature_c("chamber") - 22.0) < 3.0
        assert (await device.keep.reconcile(command, marks)).answer is Answer.UNKNOWN
        await device.disconnect()

    with LabClock(virtual=True) as clock:
        clock.run(body())
