"""Every fault that a climate chamber's twin can have is found by its driver, as what it is, and nothing is left on."""

from __future__ import annotations

import pytest

from devices.climate_chamber import CloseDoor, Keep, OpenDoor
from devices.transport import InProcess
from digital_twin.faults import FaultRule, FaultScript
from digital_twin.instruments.chamber_faults import IOC_FAULTS, LADS_FAULTS, SILA_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import DeviceFault, FaultKind
from lab.interfaces import Command
from tests.devices.chamber_bench import CHAMBERS
from tests.devices.line_bench import SEATS, Water, make_bench

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
