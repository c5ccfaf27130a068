"""Requests as drivers send them, to twins with one fault in their script; nothing of ours stands above the seam."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pylabrobot.liquid_handling import LiquidHandler
from pylabrobot.liquid_handling.standard import Mix
from pylabrobot.plate_reading import PlateReader

from devices.labware import make_resource
from devices.liquid_handler.deck import DeckMirror
from devices.liquid_handler.star import star_deck
from devices.liquid_handler.tracking import tracking
from devices.plate_reader.clariostar import CLARIOSTAR
from devices.transport import LineInstrument
from digital_twin.chemistry import chemistry
from digital_twin.faults import FaultRule, FaultScript
from digital_twin.instruments.bioshake import BioShakeTwin
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.line_faults import BIOSHAKE, THERMOCYCLER, preciseflex_faults
from digital_twin.instruments.liquid_handler import HandlerTwin
from digital_twin.instruments.plate_reader import ReaderTwin
from digital_twin.instruments.preciseflex import PreciseFlexTwin
from digital_twin.instruments.thermocycler import ThermocyclerTwin
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from tests.twin_bench import SEATS, small_bench

PATIENCE_S = 3600.0
"""Of lab time: what has not answered by then never will."""

STATIONS = {
    "cycler": 4,
    "shaker": 5,
    "reader": 6,
    "hotel_1": 11,
    "hotel_2": 12,
    "deck_plate_1": 2,
    "lids_1": 81,
}

NAMES = {
    "liquid_handler/star": "handler",
    "plate_reader/infinite": "reader",
    "plate_reader/clariostar": "reader",
    "thermocycler/opentrons": "thermocycler",
    "incubator/bioshake": "shaker",
    "plate_hotel/preciseflex": "arm",
}


@dataclass
class Silence:
    """No answer within :data:`PATIENCE_S`."""


@dataclass
class Met:
    """What came of some requests.

    Args:
        answers: what each gave back, raised, or Silence; the last one is the one with the fault.
        world: as it is then.
    """

    answers: list[Any]
    world: World

    @property
    def last(self) -> Any:
        return self.answers[-1]


def a_world(clock: LabClock, *, bench: Bench | None = None, ledger: Path | None = None) -> World:
    return World(
        clock=clock,
        seed=7,
        ledger=ledger,
        bench=bench or small_bench(),
        chemistry=chemistry("protein_g"),
        seats=SEATS,
    )


def script(*rules: FaultRule, seed: int = 1) -> FaultScript:
    return FaultScript(seed, rules)


def faults_of(world: World) -> list[str]:
    """Rules that struck, in their order."""
    return [one.arguments["rule"] for one in world.ledger.actions if one.action == "fault"]


def a_line(world: World, driver: str, rules: FaultScript) -> LineInstrument:
    """An instrument that answers lines, with faults."""
    match driver:
        case "thermocycler/opentrons":
            model: LineInstrument = ThermocyclerTwin(world, name="thermocycler", position="cycler")
            return FaultyLine(model, THERMOCYCLER, world=world, name="thermocycler", script=rules)
        case "incubator/bioshake":
            model = BioShakeTwin(world, name="shaker", position="shaker")
            return FaultyLine(model, BIOSHAKE, world=world, name="shaker", script=rules)
        case "plate_hotel/preciseflex":
            model = PreciseFlexTwin(world, name="arm", stations=STATIONS)
            faults = preciseflex_faults("arm", STATIONS)
            return FaultyLine(model, faults, world=world, name="arm", script=rules)
    raise AssertionError(driver)


READY_ARM = ("mode 0", "attach 0", "HomeAll_IfNoPlate", "attach 1")
LINES: dict[tuple[str, str], tuple[str, ...]] = {
    ("thermocycler/opentrons", "open_lid"): ("M126",),
    ("thermocycler/opentrons", "close_lid"): ("M127",),
    ("thermocycler/opentrons", "heat"): ("M127", "M140 S105.00", "M141", "M104 S75.00 H60.00", "M105"),
    ("incubator/bioshake", "incubate"): (
        "setElmLockPos",
        "setTempTarget500",
        "tempOn",
        "getTempActual",
        "shakeOnWithRuntime60",
    ),
    ("plate_hotel/preciseflex", "move"): (*READY_ARM, "PickPlate 2 0 0", "PlacePlate 11 0 0"),
    ("plate_hotel/preciseflex", "put_lid"): (*READY_ARM, "PickPlate 81 0 0", "PlacePlate 202 0 0"),
    ("plate_hotel/preciseflex", "take_lid"): (*READY_ARM, "PickPlate 202 0 0", "PlacePlate 81 0 0"),
}
"""What a driver sends for a verb."""


async def told(request: Callable[[], Awaitable[Any]]) -> Any:
    """The answer to a request, the exception it raised, or Silence."""
    task = asyncio.ensure_future(request())
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
    if not done:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return Silence()
    return task.exception() or task.result()


class Pipettor:
    """PyLabRobot's front end over a STAR's twin."""

    def __init__(self, world: World, bench: Bench, rules: FaultScript) -> None:
        deck, sites = star_deck("handler", bench)
        self.front = LiquidHandler(backend=HandlerTwin(world, "handler", rules), deck=deck, name="handler")
        self._mirror = DeckMirror(sites, bench)
        self._mirror.load(["buffer", "library", "assay_1"])

    async def fetch(self, *channels: int) -> None:
        spots = [self._mirror.tip_spot("tips_1", f"{'ABCDEFGH'[channel]}1") for channel in channels]
        await self.front.pick_up_tips(spots, use_channels=list(channels))

    async def draw(self, *channels: int, volume_ul: float = 20.0) -> None:
        trough = self._mirror.container("buffer", "A1")
        await self.front.aspirate(
            [trough] * len(channels), vols=[volume_ul] * len(channels), use_channels=list(channels)
        )

    async def stir(self, *channels: int) -> None:
        wells = [self._mirror.container("library", f"{'ABCDEFGH'[channel]}1") for channel in channels]
        strokes = [Mix(volume=20.0, repetitions=3, flow_rate=100.0)] * len(channels)
        await self.front.aspirate(wells, vols=[0.0] * len(channels), use_channels=list(channels), mix=strokes)

    async def give(self, *channels: int, volume_ul: float = 10.0, above: bool = False) -> None:
        wells = [self._mirror.container("assay_1", f"{'ABCDEFGH'[channel]}1") for channel in channels]
        heights = [well.get_absolute_size_z() + 1.0 if above else 1.0 for well in wells]
        await self.front.dispense(
            wells, vols=[volume_ul] * len(wells), use_channels=list(channels), liquid_height=heights
        )

    async def drop(self, *channels: int) -> None:
        await self.front.discard_tips(use_channels=list(channels))

    def work_of(self, verb: str) -> Sequence[Callable[[], Awaitable[None]]]:
        """What a driver asks for for a verb, call by call."""
        match verb:
            case "distribute":
                return (
                    lambda: self.fetch(0),
                    lambda: self.draw(0),
                    lambda: self.give(0),
                    lambda: self.drop(0),
                )
            case "add_reagent":
                return (
                    lambda: self.fetch(0, 1),
                    lambda: self.draw(0, 1),
                    lambda: self.give(0, 1, above=True),
                    lambda: self.drop(0, 1),
                )
            case "mix":
                return (lambda: self.fetch(0, 1), lambda: self.stir(0, 1), lambda: self.drop(0, 1))
        raise AssertionError(verb)


class ReadingDesk:
    """PyLabRobot's front end over a reader's twin, with a plate in it."""

    def __init__(self, world: World, rules: FaultScript) -> None:
        self.backend = ReaderTwin(
            world,
            instrument="reader",
            position="reader",
            detector="clariostar",
            model=CLARIOSTAR,
            script=rules,
        )
        self.front = PlateReader("reader", 127.76, 85.48, 20.0, backend=self.backend)
        piece = world.state.pieces["assay_1"]
        self.front.assign_child_resource(make_resource(piece.kind, "assay_1"))

    async def fluorescence(self) -> Any:
        return await self.front.read_fluorescence(
            excitation_wavelength=480,
            emission_wavelength=540,
            focal_height=10.0,
            gain=1000,
            use_new_return_type=True,
        )

    async def absorbance(self) -> Any:
        return await self.front.read_absorbance(wavelength=480, use_new_return_type=True)

    def work_of(self, verb: str) -> Sequence[Callable[[], Awaitable[Any]]]:
        """What a driver asks for for a verb, call by call."""
        return (self.front.close, getattr(self, verb), self.front.open)


def reader_bench() -> Bench:
    bench = small_bench()
    bench.move("assay_1", "reader")
    for well in ("A1", "A2", "H12"):
        bench.fill("assay_1", well, {"reporter": 50.0, "assay_buffer": 45.0})
    return bench


async def provoke(clock: LabClock, driver: str, verb: str, rule: FaultRule) -> Met:
    """Send a verb's requests until the rule has struck."""
    rules = script(rule)
    if driver.startswith("plate_reader"):
        world = a_world(clock, bench=reader_bench())
        desk = ReadingDesk(world, rules)
        await desk.front.setup()
        return await _until_struck(world, desk.work_of(verb))
    bench = small_bench()
    world = a_world(clock, bench=bench)
    if driver == "liquid_handler/star":
        pipettor = Pipettor(world, bench, rules)
        await pipettor.front.setup()
        with tracking():
            return await _until_struck(world, pipettor.work_of(verb))
    if verb == "take_lid":
        world.act("hand", "pick", position="lids_1")
        world.act("hand", "place", position="deck_plate_1", lid=True)
    if verb == "open_lid":
        world.act("thermocycler", "shut", position="cycler", shut=True)
    model = a_line(world, driver, rules)
    calls = [lambda line=line: model.reply(line) for line in LINES[driver, verb]]
    return await _until_struck(world, calls)


async def _until_struck(world: World, calls: Sequence[Callable[[], Awaitable[Any]]]) -> Met:
    met = Met([], world)
    for call in calls:
        met.answers.append(await told(call))
        if faults_of(world):
            return met
        assert not isinstance(met.last, Exception | Silence), met.last
    raise AssertionError("nothing struck")
