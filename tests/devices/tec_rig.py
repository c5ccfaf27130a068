"""Both kinds of devices in one Inheco box, on twins in one world, with their port tapped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devices.incubator import Incubate
from devices.incubator.inheco import ThermoShake
from devices.incubator.tec_box import TecBox, TecSlot
from devices.temperature_module.inheco_cpac import CPAC
from devices.transport import LineInstrument
from digital_twin.faults import FaultRule, FaultScript
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.inheco import CPACTwin, ThermoShakeTwin
from digital_twin.instruments.tec_faults import CPAC_FAULTS, THERMOSHAKE_FAULTS
from digital_twin.instruments.tec_reports import TecRack, TwinReports
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from tests.devices.line_bench import SEATS, Water, Wire, make_bench

WARM = Incubate(plate="assay_1", temperature_c=37.0, hold_s=60.0, shaking_rpm=1200.0)
STILL = Incubate(plate="assay_1", temperature_c=30.0, hold_s=60.0, shaking_rpm=None)


class TappedReports(TwinReports):
    """A port that keeps what was written, and says other bytes in place of the model when told to."""

    def __init__(self, model: LineInstrument) -> None:
        super().__init__(model)
        self.written: list[bytes] = []
        self.opened = 0
        self.instead: list[bytes] | None = None

    async def setup(self) -> None:
        self.opened += 1
        await super().setup()

    async def write(self, data: bytes, report_id: bytes = b"\x00") -> int:
        self.written.append(data)
        if self.instead is None:
            return await super().write(data, report_id)
        if data[-1] != ord("#"):
            self._out += self.instead
            self._said.set()
        return len(data)


@dataclass
class Rig:
    """Both devices in one box, on twins in one world."""

    world: World
    port: TappedReports
    box: TecBox
    shaker: ThermoShake
    heater: CPAC
    shaker_wire: Wire
    bench: Bench


@asynccontextmanager
async def on_box(clock: LabClock, *rules: FaultRule) -> AsyncIterator[Rig]:
    bench = make_bench(plate_at="thermoshake")
    world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
    script = FaultScript(rules=rules)
    shaker: LineInstrument = ThermoShakeTwin(world, name="thermoshake", position="thermoshake")
    heater: LineInstrument = CPACTwin(world, name="cpac", position="cpac")
    if rules:
        shaker = FaultyLine(shaker, THERMOSHAKE_FAULTS, world=world, name="thermoshake", script=script)
        heater = FaultyLine(heater, CPAC_FAULTS, world=world, name="cpac", script=script)
    wire = Wire(shaker)
    port = TappedReports(TecRack({1: heater, 3: wire}))
    box = TecBox(port)
    made = Rig(
        world=world,
        port=port,
        box=box,
        shaker=ThermoShake("thermoshake", TecSlot(box, 3)),
        heater=CPAC("cpac", TecSlot(box, 1)),
        shaker_wire=wire,
        bench=bench,
    )
    await made.shaker.connect()
    await made.heater.connect()
    try:
        yield made
    finally:
        await made.shaker.disconnect()
        await made.heater.disconnect()
