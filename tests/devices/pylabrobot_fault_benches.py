"""Lines that go through PyLabRobot's drivers, for cases of bad answers: bytes of their ports, in lab time."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from pylabrobot.thermocycling.thermo_fisher.atc import ATCBackend

from devices.incubator.tec_box import TecBox, TecSlot
from devices.pump.masterflex_line import MasterflexFraming, MasterflexLine
from devices.thermocycler.atc_session import ATCSession
from devices.transport import LineInstrument, Transport
from digital_twin.faults import FaultScript
from digital_twin.instruments.atc import GuardedCycler, TwinSocket
from digital_twin.instruments.atc_faults import ATC_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine, LineFaults
from digital_twin.instruments.masterflex import TwinSerial
from digital_twin.instruments.masterflex_faults import MASTERFLEX_FAULTS
from digital_twin.instruments.tec_faults import CPAC_FAULTS, THERMOSHAKE_FAULTS
from digital_twin.instruments.tec_reports import TecRack, TwinReports, pack, unpack
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.atc_bench import ATC_CASE, ATC_TRIALS
from tests.devices.fault_cases import DriverBench, Job, Setup
from tests.devices.line_bench import SEATS, Case, Water, make_bench
from tests.devices.line_fault_benches import NO_SUM, jobs_of
from tests.devices.line_trials import Trial
from tests.devices.masterflex_bench import MASTERFLEX, MASTERFLEX_TRIALS
from tests.devices.taps import Tap
from tests.devices.tec_bench import COLD_PLATE, SLOT, TEC_TRIALS, THERMOSHAKE
from tests.devices.wire_kinds import HANG_UP, LINE, Bad, Shape

__all__ = ["PYLABROBOT_LINE_BENCHES"]


def _message(raw: bytes) -> bytes:
    said = unpack([raw[at : at + 8] for at in range(0, len(raw), 8)])
    assert said is not None, "what the twin says has the right sum"
    return said.encode("latin-1")


_VALUE = re.compile(rb"(\d(?:rat|rsr)0)\d+")


def _impossible(text: bytes, rng: random.Random) -> bytes | None:
    """Colder, hotter or faster than anything of theirs; a value stands right behind the letters."""
    found = _VALUE.fullmatch(text)
    return None if found is None else found[1] + rng.choice((b"9999", b"-9999", b"32767", b"9" * 25))


REPORTS = Shape(
    unwrap=_message,
    wrap=lambda text, raw: b"".join(pack(text.decode("latin-1"))),
    guarded=lambda raw: (0, min(7, len(_message(raw)))),
    impossible=_impossible,
)
"""Of Inheco's control box."""


class _Reports(TwinReports):
    def __init__(self, model: LineInstrument, tap: Tap) -> None:
        super().__init__(model)
        self._tap = tap

    async def _say(self, raw: bytes) -> None:
        for step in self._tap.instead_of(raw):
            if step is HANG_UP:
                self.pull()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                await super()._say(step)


class _Serial(TwinSerial):
    def __init__(self, model: LineInstrument, tap: Tap) -> None:
        super().__init__(model, MasterflexFraming())
        self._tap = tap

    async def _say(self, raw: bytes) -> None:
        for step in self._tap.instead_of(raw):
            if step is HANG_UP:
                self.pull()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                await super()._say(step)


class _Socket(TwinSocket):
    """Bytes are put together to lines, as by the reader of a connection."""

    def __init__(self, model: LineInstrument, tap: Tap) -> None:
        super().__init__(model)
        self._tap = tap
        self._part = b""

    async def setup(self) -> None:
        self._part = b""
        await super().setup()

    async def _say(self, raw: bytes, lines: asyncio.Queue[bytes]) -> None:
        for step in self._tap.instead_of(raw):
            if step is HANG_UP:
                self.pull(lines)
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                *whole, self._part = (self._part + step).split(b"\n")
                for line in whole:
                    await super()._say(line + b"\n", lines)


Line = Callable[[LineInstrument, Tap], Transport]


def _setup(
    case: Case, faults: LineFaults, line: Line, shape: Shape
) -> Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]]:
    @asynccontextmanager
    async def made(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
        bench = make_bench(plate_at=case.plate_at)
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        model: LineInstrument = case.twin(world)
        if script.rules:
            model = FaultyLine(model, faults, world=world, name=case.name, script=script)
        tap = Tap(shape)
        device = case.device(line(model, tap), bench)
        try:
            yield Setup(device, bench, world, tap)
        finally:
            await device.disconnect()

    return made


def _bench(
    driver: str,
    trials: Sequence[Trial],
    case: Case,
    faults: LineFaults,
    *,
    line: Line,
    shape: Shape = LINE,
    seam: str,
) -> DriverBench:
    guarded = shape is not LINE
    return DriverBench(
        driver=driver,
        name=case.name,
        jobs=jobs_of(trials, case),
        setup=_setup(case, faults, line, shape),
        repertoire=faults.repertoire,
        seam=seam,
        shape=shape,
        without={Bad.OTHER_DIGIT: "its checksum shows it"} if guarded else {Bad.CHECKSUM: NO_SUM},
    )


def _in_slot(model: LineInstrument, tap: Tap) -> Transport:
    return TecSlot(TecBox(_Reports(TecRack({SLOT: model}), tap)), SLOT)


PYLABROBOT_LINE_BENCHES = (
    _bench(
        "incubator/inheco_thermoshake",
        TEC_TRIALS,
        THERMOSHAKE,
        THERMOSHAKE_FAULTS,
        line=_in_slot,
        shape=REPORTS,
        seam="reports of its USB line, below PyLabRobot",
    ),
    _bench(
        "temperature_module/inheco_cpac",
        TEC_TRIALS,
        COLD_PLATE,
        CPAC_FAULTS,
        line=_in_slot,
        shape=REPORTS,
        seam="reports of its USB line, below PyLabRobot",
    ),
    _bench(
        "pump/masterflex",
        MASTERFLEX_TRIALS,
        MASTERFLEX,
        MASTERFLEX_FAULTS,
        line=lambda model, tap: MasterflexLine(_Serial(model, tap)),
        seam="bytes of its serial line, below PyLabRobot",
    ),
    _bench(
        "thermocycler/atc",
        ATC_TRIALS,
        ATC_CASE,
        ATC_FAULTS,
        line=lambda model, tap: ATCSession(ATCBackend(ip="twin"), _Socket(GuardedCycler(model), tap)),
        seam="bytes of its TCP connection, below PyLabRobot",
    ),
)
