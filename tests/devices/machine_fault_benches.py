"""Machines that PyLabRobot drives, for cases of bad answers: bytes of their ports, in lab time."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from devices.balance import Weigh, Zero
from devices.balance.mettler_toledo import MtSics, mettler_toledo, mettler_toledo_driver
from devices.centrifuge import Present, Spin
from devices.centrifuge.microspin import microspin, microspin_driver
from devices.labware import labware_type, make_labware
from devices.plate_hotel.cytomat import Cytomat, cytomat, cytomat_driver
from devices.plate_hotel.store_commands import Fetch, Store
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.synergy import Synergy, synergy, synergy_driver
from digital_twin.chemistry import chemistry
from digital_twin.faults import FaultScript
from digital_twin.instruments.balance import METTLER_TOLEDO, BalanceTwin
from digital_twin.instruments.cytomat import CYTOMAT, CytomatTwin
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.microspin import MICROSPIN_FAULTS, MicroSpinLine, MicroSpinTwin
from digital_twin.instruments.plate_reader import READER_FAULTS
from digital_twin.instruments.synergy import SynergyPort
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.bench import Bench, Position
from lab.clock import LabClock
from tests.devices.fault_cases import CONNECT, DriverBench, Job, Setup
from tests.devices.line_bench import Water
from tests.devices.taps import Tap, TappedPort
from tests.devices.wire_kinds import HANG_UP, LINE, Bad, Shape
from tests.twin_bench import SEATS, small_bench

__all__ = ["MACHINE_BENCHES", "PLACES", "balance_bench", "bucket_bench", "store_bench"]

NO_SUM: Mapping[Bad, str] = {Bad.CHECKSUM: "the protocol has no checksum"}

# ------------------------------------------------------------------------------------------------------------- balance


def balance_bench(*, plate_at: str = "pan") -> Bench:
    """A plate on the pan, or on the deck; liquid and tips for a handler."""
    positions = [
        Position(name="pan", device="balance"),
        *(Position(name=name, device="handler") for name in ("deck", "deck_tips", "deck_source")),
    ]
    plate = labware_type("pcr_plate_96")
    return Bench(
        positions,
        [
            make_labware("plate_1", plate, plate_at),
            make_labware("source", plate, "deck_source", contents={"A1": ("water", 150.0)}),
            make_labware("tips_1", labware_type("tips_50ul"), "deck_tips"),
        ],
    )


def _did(action: str) -> Callable[[World, Sequence[Action]], bool]:
    return lambda world, actions: any(one.action == action for one in actions)


BALANCE_JOBS = (
    CONNECT,
    Job(name="weigh", command=Weigh(labware="plate_1"), happened=_did("weigh"), near=(0.0, 0.002)),
    Job(name="zero", command=Zero(), happened=_did("zero_balance")),
)


@asynccontextmanager
async def _balance(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench = balance_bench(plate_at="deck" if job.name == "zero" else "pan")
    world = World(clock=clock, seed=7, ledger=None, bench=bench, chemistry=Water(), seats={"pan": "bench"})
    model = BalanceTwin(world, name="balance", position="pan")
    faulty = FaultyLine(model, METTLER_TOLEDO, world=world, name="balance", script=script)
    port = TappedPort(faulty)
    device = mettler_toledo("balance", mettler_toledo_driver(MtSics(port)), bench=bench)
    yield Setup(device, bench, world, port.tap)
    await port.stop()


# ------------------------------------------------------------------------------------------------------------- Cytomat

PLACES = ("slot_1", "slot_2", "slot_3")


def store_bench(*, at_gate: bool = False) -> Bench:
    """A store with two plates, one of which may stand at its transfer station."""
    plate = labware_type("pcr_plate_96")
    return Bench(
        [
            Position(name="gate", device="incubator"),
            *(Position(name=name, device="incubator", home=True) for name in PLACES),
            Position(name="deck", device="handler"),
        ],
        [
            make_labware("plate_1", plate, "slot_2"),
            make_labware("plate_2", plate, "gate" if at_gate else "slot_1"),
        ],
    )


def _carried(plate: str, to: str) -> Callable[[World, Sequence[Action]], bool]:
    def check(world: World, actions: Sequence[Action]) -> bool:
        moves = [one.action for one in actions if one.action in ("pick", "place")]
        return world.at(to) == plate and moves == ["pick", "place"]

    return check


CYTOMAT_JOBS = (
    CONNECT,
    Job(
        name="fetch",
        command=Fetch(labware="plate_1", destination="gate"),
        happened=_carried("plate_1", "gate"),
        begun=_carried("plate_1", "gate"),
    ),
    Job(
        name="store",
        command=Store(labware="plate_2", destination="slot_3"),
        happened=_carried("plate_2", "slot_3"),
        begun=_carried("plate_2", "slot_3"),
    ),
)


@asynccontextmanager
async def _cytomat(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench = store_bench(at_gate=job.name == "store")
    seats = dict.fromkeys(["gate", *PLACES], "storage")
    world = World(clock=clock, seed=7, ledger=None, bench=bench, chemistry=Water(), seats=seats)
    twin = CytomatTwin(world, name="incubator", places=PLACES, station="gate", nominal_c=37.0)
    port = TappedPort(FaultyLine(twin, CYTOMAT, world=world, name="incubator", script=script))
    device = cytomat(
        "incubator",
        cytomat_driver(Cytomat("C6002", port), serial="TWIN-CYTOMAT-7"),
        bench=bench,
        station="gate",
        expected_c=37.0,
    )
    yield Setup(device, bench, world, port.tap)
    await port.stop()


# ----------------------------------------------------------------------------------------------------------- MicroSpin


def bucket_bench() -> Bench:
    """Two plates of about the same weight in the buckets, and others that do not balance them."""
    plate = labware_type("pcr_plate_96")
    return Bench(
        [
            Position(name="bucket_1", device="centrifuge"),
            Position(name="bucket_2", device="centrifuge"),
            Position(name="hotel_1", device="arm", home=True),
            Position(name="hotel_2", device="arm", home=True),
        ],
        [
            make_labware("plate_1", plate, "bucket_1", contents={"A1": ("water", 100.0)}),
            make_labware("plate_2", plate, "bucket_2", contents={"H12": ("water", 110.0)}),
            make_labware("flat_1", labware_type("flat_plate_96"), "hotel_1"),
            make_labware("full_1", plate, "hotel_2", contents=dict.fromkeys(plate.wells, ("water", 150.0))),
        ],
    )


class _SpinLine(MicroSpinLine):
    """One connection with a tap in it, read as PyLabRobot reads a socket: by lines, each with its limit."""

    def __init__(self, machine: MicroSpinTwin, tap: Tap) -> None:
        super().__init__(machine)
        self._tap = tap
        self._bytes = asyncio.StreamReader()
        self._ended = False

    async def setup(self) -> None:
        await super().setup()
        self._bytes = asyncio.StreamReader()
        self._ended = False

    async def readline(self, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        async with asyncio.timeout(timeout):
            return await self._bytes.readline()

    async def stop(self) -> None:
        await super().stop()
        self._end()

    async def _serve(self, line: str, before: asyncio.Task[None] | None) -> None:
        await super()._serve(line, before)
        while not self._out.empty():
            said = self._out.get_nowait()
            if said is None:
                self._end()
                return
            await self._give(self._tap.instead_of(said))

    async def _give(self, steps: Sequence[bytes | float | None]) -> None:
        for step in steps:
            if step is HANG_UP:
                self._open = False
                self._end()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif not self._ended:
                self._bytes.feed_data(step)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._bytes.feed_eof()


def _spun(world: World, actions: Sequence[Action]) -> bool:
    return [one.action for one in actions if one.action.startswith("spin")] == ["spin_up", "spin_down"]


def _presented(world: World, actions: Sequence[Action]) -> bool:
    return not world.is_shut("bucket_1") and world.is_shut("bucket_2")


CENTRIFUGE_JOBS = (
    CONNECT,
    Job(
        name="spin",
        command=Spin(plate="plate_1", counterweight="plate_2", rcf_g=1000.0, hold_s=120.0),
        happened=_spun,
        begun=_did("spin_up"),
    ),
    Job(name="present", command=Present(bucket=1), happened=_presented),
)


@asynccontextmanager
async def _centrifuge(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench, tap = bucket_bench(), Tap()
    world = World(clock=clock, seed=7, ledger=None, bench=bench, chemistry=Water())
    machine = MicroSpinTwin(world, name="centrifuge", positions=["bucket_1", "bucket_2"], script=script)
    device = microspin("centrifuge", microspin_driver(lambda: _SpinLine(machine, tap)), bench=bench)
    yield Setup(device, bench, world, tap)


# ------------------------------------------------------------------------------------------------------------- Synergy

_ROWS = re.compile(rb"(?<=\r)(.*\x1a)(\d{3})(?=\x1a)", re.DOTALL)
_UNITS = re.compile(rb"(?<=,\d\d,\d\d,)(\d{7}|[+-]\d\.\d{4})")


def _summed(text: bytes, raw: bytes) -> bytes:
    """A reading with the sum that belongs to it; other answers have none."""
    found = _ROWS.search(text)
    if found is None:
        return text
    return text[: found.start(2)] + b"%03d" % (sum(found[1]) % 256) + text[found.end(2) :]


def _summed_over(raw: bytes) -> tuple[int, int] | None:
    found = _ROWS.search(raw)
    return None if found is None else found.span(1)


def _past_the_scale(text: bytes, rng: random.Random) -> bytes | None:
    """A reading is of so many signs a well; past its scale is what they still hold, and what they don't."""
    found = list(_UNITS.finditer(text))
    if not found:
        return None
    at = rng.choice(found)
    whole = len(at[0]) == 7 and b"." not in at[0]
    others = (b"9999999", b"-999999", b"nan") if whole else (b"+9.9999", b"-9.9999", b"+inf")
    return text[: at.start()] + rng.choice(others) + text[at.end() :]


BIOTEK = Shape(
    unwrap=lambda raw: raw,
    wrap=_summed,
    guarded=_summed_over,
    impossible=_past_the_scale,
)


class _Synergy(SynergyPort):
    """The chip with a tap in it."""

    tap: Tap

    def _say(self, data: bytes) -> None:
        self._give(list(self.tap.instead_of(data)))

    def _give(self, steps: list[bytes | float | None]) -> None:
        while steps:
            step = steps.pop(0)
            if step is HANG_UP:
                self._gone = True
                self._said.set()
                return
            if isinstance(step, float):
                asyncio.get_running_loop().call_later(step, self._give, steps)
                return
            super()._say(step)


SYNERGY_JOBS = (
    CONNECT,
    Job(
        name="absorbance",
        command=ReadAbsorbance(plate="assay_2", wavelength_nm=580.0),
        happened=_did("read_absorbance"),
        near=(0.3, 0.02),
    ),
    Job(
        name="fluorescence",
        command=ReadFluorescence(plate="assay_2", excitation_nm=485.0, emission_nm=528.0, gain=100.0),
        happened=_did("read_fluorescence"),
        near=(0.3, 30.0),
    ),
)


def reader_world(clock: LabClock) -> tuple[Bench, World]:
    """A plate of reporter in a reader."""
    bench = small_bench()
    bench.move("assay_2", "reader")
    bench.fill("assay_2", "A1", {"reporter": 50.0})
    return bench, World(
        clock=clock, seed=7, ledger=None, bench=bench, chemistry=chemistry("protein_g"), seats=SEATS
    )


@asynccontextmanager
async def _synergy(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench, world = reader_world(clock)
    port = _Synergy(world, name="reader", position="reader", script=script)
    port.tap = Tap(BIOTEK)
    device = synergy("reader", synergy_driver(Synergy(port)), bench=bench)
    yield Setup(device, bench, world, port.tap)
    await port.stop()


def _bench(
    driver: str,
    name: str,
    jobs: tuple[Job, ...],
    setup: Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]],
    repertoire: Any,
    seam: str,
    shape: Shape = LINE,
    without: Mapping[Bad, str] = NO_SUM,
) -> DriverBench:
    return DriverBench(
        driver=driver,
        name=name,
        jobs=jobs,
        setup=setup,
        repertoire=repertoire,
        seam=seam,
        shape=shape,
        without=without,
    )


MACHINE_BENCHES = (
    _bench(
        "plate_reader/synergy",
        "reader",
        SYNERGY_JOBS,
        _synergy,
        READER_FAULTS,
        "bytes of its FTDI chip",
        BIOTEK,
        {Bad.OTHER_DIGIT: "its checksum shows it"},
    ),
    _bench(
        "plate_hotel/cytomat",
        "incubator",
        CYTOMAT_JOBS,
        _cytomat,
        CYTOMAT.repertoire,
        "bytes of its serial line",
    ),
    _bench(
        "centrifuge/microspin",
        "centrifuge",
        CENTRIFUGE_JOBS,
        _centrifuge,
        MICROSPIN_FAULTS,
        "bytes of its TCP connection",
    ),
    _bench(
        "balance/mettler_toledo",
        "balance",
        BALANCE_JOBS,
        _balance,
        METTLER_TOLEDO.repertoire,
        "bytes of its serial line",
    ),
)
