"""One bus instrument on its twin in process, with the faults that a test asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from devices.transport import InProcess, LineInstrument
from digital_twin.chemistry import Chemistry
from digital_twin.faults import FaultRule, FaultScript
from digital_twin.instruments.bus_faults import AQ6370_FAULTS, EUROTHERM_FAULTS, NE1000_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.types import JsonValue, Mark
from tests.devices.line_bench import SEATS, Case, Water, Wire, make_bench

FAULTS = {"furnace": EUROTHERM_FAULTS, "pump": NE1000_FAULTS, "spectrometer": AQ6370_FAULTS}


@dataclass(slots=True, kw_only=True)
class BusRig:
    """A connected device and what is behind it."""

    clock: LabClock
    bench: Bench
    world: World
    wire: Wire
    device: Any
    marks: list[Mark]

    async def do(self, command: Any) -> Any:
        """Carry a command out with marks, as the engine does, without believing it."""
        verb = getattr(self.device, command.verb)

        async def mark(name: str, details: JsonValue) -> None:
            self.marks.append(Mark(name=name, details=details, lab_time_s=self.clock.now()))

        verb.engage(token=1, limit_s=1e6, mark=mark)
        await verb.set(command)
        return verb.result()

    async def said(self, command: Any) -> Any:
        """What the device says of a command that was broken off."""
        return await getattr(self.device, command.verb).reconcile(command, self.marks)


@asynccontextmanager
async def bus_rig(
    case: Case,
    clock: LabClock,
    *rules: FaultRule,
    chemistry: Chemistry | None = None,
    bench: Bench | None = None,
) -> AsyncIterator[BusRig]:
    """A device of a case, connected."""
    bench = bench or make_bench(plate_at=case.plate_at)
    world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=chemistry or Water(), seats=SEATS)
    model: LineInstrument = case.twin(world)
    if rules:
        model = FaultyLine(
            model, FAULTS[case.name], world=world, name=case.name, script=FaultScript(rules=rules)
        )
    wire = Wire(model)
    device = case.device(InProcess(wire), bench)
    await device.connect()
    try:
        yield BusRig(clock=clock, bench=bench, world=world, wire=wire, device=device, marks=[])
    finally:
        await device.disconnect()
