"""A small bench with instruments that speak in lines, its twins, and wires that misbehave on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from devices.declarative import LineDevice
from devices.incubator import Incubate
from devices.incubator.bioshake import BioShake
from devices.plate_hotel import Move
from devices.plate_hotel.preciseflex import PreciseFlexArm
from devices.streams import Tcp
from devices.thermocycler import Heat, OpenLid
from devices.thermocycler.opentrons import OpentronsThermocycler
from devices.transport import Framing, InProcess, LineInstrument, Transport
from digital_twin.instruments.bioshake import BioShakeTwin
from digital_twin.instruments.preciseflex import PreciseFlexTwin
from digital_twin.instruments.thermocycler import ThermocyclerTwin
from digital_twin.serve import serve
from digital_twin.thermal import History
from digital_twin.wells import Wells
from digital_twin.world import World
from lab.bench import Bench, Labware, LabwareType, Position, WellContents, well_names
from lab.clock import LabClock
from lab.interfaces import Command

STATIONS = {"thermocycler": 4, "shaker": 5, "hotel_1": 11, "hotel_2": 12, "hotel_3": 13, "lids_1": 81}
SEATS = {
    "thermocycler": "cycler",
    "shaker": "shaker",
    "block": "temperature_module",
    "thermoshake": "shaker",
    "cpac": "shaker",
    "chamber": "chamber",
    "furnace": "furnace",
}

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200.0)
LID = LabwareType(name="lid", kind="lid")
SYRINGE = LabwareType(name="syringe_10ml", kind="trough", max_volume_ul=10_000.0)


class Water:
    """A chemistry in which nothing happens."""

    def stock(self, content: str, rng: np.random.Generator) -> Mapping[str, float]:
        return {}

    def expose(self, wells: Wells, history: History) -> None:
        """Water stays water."""

    def fluorescence_rfu(self, wells: Wells, **optics: Any) -> np.ndarray:
        return np.zeros(len(wells.names))

    def absorbance(self, wells: Wells, *, wavelength_nm: float) -> np.ndarray:
        return np.zeros(len(wells.names))


def make_bench(*, plate_at: str = "hotel_1") -> Bench:
    """One plate of water, one lid, and a syringe of water."""
    positions = [
        Position(name="thermocycler", device="thermocycler"),
        Position(name="shaker", device="shaker"),
        Position(name="thermoshake", device="thermoshake"),
        Position(name="cpac", device="cpac"),
        Position(name="chamber", device="chamber"),
        Position(name="block", device="block"),
        Position(name="magnet", device="magnet"),
        *(Position(name=f"hotel_{n}", device="arm", home=True) for n in (1, 2, 3)),
        Position(name="lids_1", device="arm", home=True),
        Position(name="deck_tips_1", device="handler"),
        Position(name="furnace", device="furnace"),
        Position(name="pump_syringe", device="pump"),
        Position(name="pump_outlet", device="pump"),
        Position(name="bottle_place", device="masterflex"),
        Position(name="masterflex_outlet", device="masterflex"),
        Position(name="spectrometer", device="spectrometer"),
    ]
    wells = {name: WellContents(volume_ul=50.0, parts={"water": 50.0}) for name in well_names(8, 12)}
    return Bench(
        positions,
        [
            Labware(id="assay_1", type=PLATE, position=plate_at, home="hotel_1", wells=wells),
            Labware(id="lid_1", type=LID, position="lids_1", home="lids_1"),
            Labware(
                id="syringe",
                type=SYRINGE,
                position="pump_syringe",
                home="pump_syringe",
                wells={"A1": WellContents(volume_ul=9000.0, parts={"water": 9000.0})},
            ),
            Labware(
                id="bottle",
                type=SYRINGE,
                position="bottle_place",
                home="bottle_place",
                wells={"A1": WellContents(volume_ul=9000.0, parts={"water": 9000.0})},
            ),
        ],
    )


@dataclass(slots=True)
class Wire:
    """Stands before a model, keeps a record of what was sent, and answers in its place when told to."""

    model: LineInstrument
    instead: Callable[[str], Awaitable[str]] | None = None
    sent: list[str] = field(default_factory=list)

    async def reply(self, line: str) -> str:
        self.sent.append(line)
        return await (self.model.reply(line) if self.instead is None else self.instead(line))

    def says(self, reply: str) -> None:
        """Every question has this answer from now on."""

        async def answer(line: str) -> str:
            return reply

        self.instead = answer

    def falls_silent(self) -> None:
        """Nothing is answered any more."""

        async def wait(line: str) -> str:
            await asyncio.sleep(1e9)
            return ""

        self.instead = wait

    def hangs_up(self) -> None:
        """The next question ends the connection."""

        async def gone(line: str) -> str:
            raise ConnectionResetError("reset by peer")

        self.instead = gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line device for the family contract.

    Args:
        plate_at: where the plate stands at the beginning.
        device: builds the driver.
        twin: builds its far end.
        harmless: verb and command that may be given twice.
        past_limit: verb and command that the driver must refuse.
        complaint: an error in the instrument's own words.
        over_socket: the wire to a model over a real socket; None: over lines, as the framing says.
    """

    name: str
    plate_at: str
    framing: Framing
    device: Callable[[Transport, Bench], Any]
    twin: Callable[[World], LineInstrument]
    harmless: tuple[str, Command]
    past_limit: tuple[str, Command]
    complaint: str
    over_socket: Callable[[LineInstrument], AbstractAsyncContextManager[Transport]] | None = None

    @asynccontextmanager
    async def socket(self, model: LineInstrument) -> AsyncIterator[Transport]:
        """A wire to a model that is served on a loopback port."""
        if self.over_socket is not None:
            async with self.over_socket(model) as transport:
                yield transport
            return
        async with serve(model, framing=self.framing) as port:
            yield Tcp("127.0.0.1", port, framing=self.framing)


CASES = (
    Case(
        name="thermocycler",
        plate_at="thermocycler",
        framing=OpentronsThermocycler.framing,
        device=lambda wire, bench: OpentronsThermocycler(
            "thermocycler", wire, limits={"temperature_c": (4.0, 90.0)}
        ),
        twin=lambda world: ThermocyclerTwin(world, name="thermocycler", position="thermocycler"),
        harmless=("open_lid", OpenLid()),
        past_limit=("heat", Heat(plate="assay_1", temperature_c=95.0, hold_s=1.0)),
        complaint="ERR502:lid:Lid motor fault OK",
    ),
    Case(
        name="shaker",
        plate_at="shaker",
        framing=BioShake.framing,
        device=lambda wire, bench: BioShake("shaker", wire, limits={"temperature_c": (20.0, 70.0)}),
        twin=lambda world: BioShakeTwin(world, name="shaker", position="shaker"),
        harmless=("incubate", Incubate(plate="assay_1", temperature_c=22.0, hold_s=3.0, shaking_rpm=300.0)),
        past_limit=("incubate", Incubate(plate="assay_1", temperature_c=71.0, hold_s=1.0, shaking_rpm=None)),
        complaint="e",
    ),
    Case(
        name="arm",
        plate_at="hotel_1",
        framing=PreciseFlexArm.framing,
        device=lambda wire, bench: PreciseFlexArm("arm", wire, bench=bench, stations=STATIONS),
        twin=lambda world: PreciseFlexTwin(world, name="arm", stations=STATIONS),
        harmless=("move", Move(labware="assay_1", destination="hotel_2")),
        past_limit=("move", Move(labware="assay_1", destination="deck_tips_1")),
        complaint="-3100 *Hard envelope error*",
    ),
)


@dataclass(slots=True, kw_only=True)
class Rig:
    """A connected device, its wire, and the world behind it."""

    case: Case
    clock: LabClock
    bench: Bench
    world: World
    wire: Wire
    device: Any

    async def do(self, verb: str, command: Command) -> Any:
        """Carry a command out and believe it, as the engine does."""
        status = getattr(self.device, verb).set(command)
        await status
        command.believe(self.bench)
        return getattr(self.device, verb).result()


@asynccontextmanager
async def rig(case: Case, clock: LabClock, *, socket: bool = False) -> AsyncIterator[Rig]:
    """A device on its twin, over the chosen seam, connected."""
    bench = make_bench(plate_at=case.plate_at)
    world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
    wire = Wire(case.twin(world))
    if socket:
        async with (
            case.socket(wire) as transport,
            _connected(case, clock, bench, world, wire, transport) as made,
        ):
            yield made
    else:
        async with _connected(case, clock, bench, world, wire, InProcess(wire)) as made:
            yield made


@asynccontextmanager
async def _connected(
    case: Case, clock: LabClock, bench: Bench, world: World, wire: Wire, transport: Transport
) -> AsyncIterator[Rig]:
    device: LineDevice = case.device(transport, bench)
    try:
        await device.connect()
        yield Rig(case=case, clock=clock, bench=bench, world=world, wire=wire, device=device)
    finally:
        await device.disconnect()
