"""Pipetting robots and readers whose bytes PyLabRobot reads, for cases of what goes wrong with them.

The EVO's arm is there twice: as firmware behind the USB port, whose answers are spoilt, and as a twin over a world, whose
instrument fails. Of the STAR and of two readers PyLabRobot's own backend stands between the driver and the bytes, and the
twin in its place: what it raises is what can go wrong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from pylabrobot.liquid_handling.backends.tecan.EVO_backend import EVOArm

from devices.identity import Identity
from devices.labware import labware_type, make_labware
from devices.liquid_handler import Distribute
from devices.liquid_handler.evo import evo, real_evo
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.clariostar import clariostar
from devices.plate_reader.infinite import infinite
from digital_twin.faults import FaultScript
from digital_twin.instruments.handler_makes import EVO_FAULTS
from digital_twin.instruments.plate_reader import READER_FAULTS, clariostar_twin, infinite_twin
from digital_twin.instruments.star_faults import STAR_FAULTS
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.interfaces import Place
from lab.types import Origin
from tests.devices.fault_cases import CONNECT, DriverBench, Job, Setup
from tests.devices.liquid_handler.evo_firmware import EvoFirmware
from tests.devices.machine_fault_benches import reader_world
from tests.devices.pipetting_bench import COMMANDS, MAKES, Rig, Truth
from tests.devices.taps import Tap
from tests.devices.wire_kinds import HANG_UP, Bad, Shape
from tests.twin_bench import small_bench

__all__ = ["HANDLER_BENCHES", "TappedFirmware", "tecan_bench"]

_ABOVE = "PyLabRobot's own backend reads its bytes, and the twin stands in that backend's place"
ABOVE: Mapping[Bad, str] = dict.fromkeys(Bad, _ABOVE)

# ------------------------------------------------------------------------------------------------- pipetting in a world


def _portions(command: Any) -> Callable[[World, Sequence[Action]], bool]:
    """Whether every portion was given, once, and nothing else."""
    wanted: dict[Place, list[float]] = {}
    for _, place, volume_ul in command.transfers:
        wanted.setdefault(place, []).append(volume_ul)

    def check(world: World, actions: Sequence[Action]) -> bool:
        if isinstance(world, _FirmwareWorld):
            since = world.since(actions)
            return since[-len(world.expected) :] == world.expected and _gives(since) == _gives(world.expected)
        return dict(Truth.of(world, len(world.ledger.actions) - len(actions)).given) == wanted

    return check


def _given(world: World, actions: Sequence[Action]) -> bool:
    if isinstance(world, _FirmwareWorld):
        return bool(_gives(world.since(actions)))
    return bool(Truth.of(world, len(world.ledger.actions) - len(actions)).given)


def _jobs(commands: Sequence[Any]) -> tuple[Job, ...]:
    return tuple(
        Job(name=command.verb, command=command, happened=_portions(command), begun=_given, values=False)
        for command in commands
    )


@asynccontextmanager
async def _in_world(clock: LabClock, script: FaultScript, make: str) -> AsyncIterator[Setup]:
    rig = Rig(clock, make)
    device_of, twin_of = MAKES[make]
    device = device_of("handler", twin_of(rig.world, name="handler", script=script), bench=rig.bench)
    yield Setup(device, rig.bench, rig.world, Tap())


@asynccontextmanager
async def _star(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    async with _in_world(clock, script, "star") as made:
        yield made


# ---------------------------------------------------------------------------------------------------- EVO's own firmware

READ_S = 30.0
"""After which PyLabRobot's USB port gives up."""

EVO_FRAMES = Shape(
    unwrap=lambda raw: raw[1:-1],
    wrap=lambda text, raw: raw[:1] + text + raw[-1:],
)


@dataclass
class TappedFirmware(EvoFirmware):
    """The arm behind a USB port that keeps what nobody has read, until it is opened anew."""

    tap: Tap = field(default_factory=lambda: Tap(EVO_FRAMES))
    coming: deque[bytes | None] = field(default_factory=deque)
    _steps: deque[bytes | float | None] = field(default_factory=deque)
    _late: bool = False
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def setup(self) -> None:
        await super().setup()
        # PyLabRobot empties the read buffer of a port that it opens.
        self.coming.clear()

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
        await super().write(data, timeout)
        self._steps += self.tap.instead_of(self._answer)
        if not self._late:
            self._give()

    async def read(self, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        async with asyncio.timeout(READ_S):
            while not self.coming:
                self._came.clear()
                await self._came.wait()
        said = self.coming.popleft()
        if said is None:
            raise OSError("the USB device is gone")
        return said

    def _give(self) -> None:
        """The arm answers one command after the other: behind an answer that is late the others wait."""
        self._late = False
        while self._steps:
            step = self._steps.popleft()
            if isinstance(step, float):
                self._late = True
                asyncio.get_running_loop().call_later(step, self._give)
                return
            self.coming.append(None if step is HANG_UP else step)
            self._came.set()


class _FirmwareWorld(World):
    """What the firmware did, in place of a world's ledger."""

    def __init__(self, firmware: EvoFirmware, expected: Sequence[tuple[int, ...]]) -> None:
        self.firmware = firmware
        self.expected = list(expected)

    @property
    def ledger(self) -> Any:
        """One line for each stroke."""
        return SimpleNamespace(actions=[SimpleNamespace(action="stroke") for _ in self.firmware.strokes])

    @ledger.setter
    def ledger(self, value: Any) -> None:
        raise AttributeError("firmware keeps its own record")

    def since(self, actions: Sequence[Any]) -> list[tuple[int, ...]]:
        """Steps of the plungers, one stroke after the other, of the lines of the record."""
        return [stroke.steps for stroke in self.firmware.strokes[len(self.firmware.strokes) - len(actions) :]]


def _gives(strokes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [steps for steps in strokes if min(steps) < 0]


def tecan_bench() -> Bench:
    """The small bench with Tecan's tips."""
    bench = small_bench()
    for rack, position in (("tips_1", "deck_tips_1"), ("tips_2", "deck_tips_2")):
        bench.labware[rack] = make_labware(rack, labware_type("tecan_tips_50ul"), position)
    return bench


DISTRIBUTE = Distribute(
    source_labware="library",
    source_well="B1",
    targets=(("assay_1", "A1", 5.0), ("assay_2", "C3", 4.0)),
    tip_volume_ul=50.0,
    mix_cycles=2,
)
_STROKES: list[tuple[int, ...]] = []


async def _introduce() -> Identity:
    return Identity(vendor="Tecan", model="EVO", serial="TWIN-0", firmware="0", origin=Origin.TWIN)


def _over_firmware(firmware: EvoFirmware) -> tuple[Any, Bench]:
    """The real driver, but that its port is the firmware and that no USB library has to be there."""
    EVOArm._pos_cache.clear()
    bench = tecan_bench()
    driver = replace(real_evo(), introduce=_introduce, needs=())
    backend: Any = driver.backend
    backend.io = firmware
    return evo("handler", driver, bench=bench), bench


async def _strokes_left_alone() -> list[tuple[int, ...]]:
    if not _STROKES:
        firmware = EvoFirmware()
        device, _ = _over_firmware(firmware)
        await device.connect()
        firmware.strokes.clear()
        await device.distribute.set(DISTRIBUTE)
        _STROKES.extend(stroke.steps for stroke in firmware.strokes)
    return _STROKES


@asynccontextmanager
async def _evo(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    if script.rules:
        async with _in_world(clock, script, "evo") as made:
            yield made
        return
    firmware = TappedFirmware()
    world = _FirmwareWorld(firmware, await _strokes_left_alone())
    device, bench = _over_firmware(firmware)
    yield Setup(device, bench, world, firmware.tap)


# ------------------------------------------------------------------------------------------------------------- readers


def _read(action: str) -> Callable[[World, Sequence[Action]], bool]:
    return lambda world, actions: any(one.action == action for one in actions)


READER_JOBS = (
    Job(
        name="absorbance",
        command=ReadAbsorbance(plate="assay_2", wavelength_nm=580.0),
        happened=_read("read_absorbance"),
        near=(0.3, 0.02),
    ),
    Job(
        name="fluorescence",
        command=ReadFluorescence(plate="assay_2", excitation_nm=485.0, emission_nm=528.0, gain=100.0),
        happened=_read("read_fluorescence"),
        near=(0.3, 30.0),
    ),
)

READERS = {"infinite": (infinite, infinite_twin), "clariostar": (clariostar, clariostar_twin)}


def _reader_bench(make: str) -> DriverBench:
    device_of, twin_of = READERS[make]

    @asynccontextmanager
    async def made(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
        bench, world = reader_world(clock)
        driver = twin_of(world, name="reader", position="reader", script=script)
        yield Setup(device_of("reader", driver, bench=bench), bench, world, Tap())

    return DriverBench(
        driver=f"plate_reader/{make}",
        name="reader",
        jobs=READER_JOBS,
        setup=made,
        repertoire=READER_FAULTS,
        seam="calls of PyLabRobot's backend",
        without=ABOVE,
    )


HANDLER_BENCHES = (
    DriverBench(
        driver="liquid_handler/star",
        name="handler",
        jobs=_jobs(COMMANDS),
        setup=_star,
        repertoire=STAR_FAULTS,
        seam="calls of PyLabRobot's backend",
        without=ABOVE,
    ),
    DriverBench(
        driver="liquid_handler/evo",
        name="handler",
        jobs=(CONNECT, *_jobs([DISTRIBUTE])),
        setup=_evo,
        repertoire=EVO_FAULTS,
        seam="frames of its USB port; faults of the instrument as calls of PyLabRobot's backend",
        shape=EVO_FRAMES,
        without={Bad.CHECKSUM: "the protocol has no checksum"},
    ),
    _reader_bench("infinite"),
    _reader_bench("clariostar"),
)
