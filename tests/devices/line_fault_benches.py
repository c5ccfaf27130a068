"""Drivers that speak in lines and packets, for cases of bad answers: their own stream of bytes, in lab time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from devices.syringe_pump.safe_mode import packet
from devices.transport import LineInstrument
from digital_twin.faults import FaultScript
from digital_twin.instruments.bus_faults import AQ6370_FAULTS, NE1000_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine, LineFaults
from digital_twin.instruments.line_faults import BIOSHAKE, THERMOCYCLER, preciseflex_faults
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.bus_trials import BUS_TRIALS
from tests.devices.fault_cases import CONNECT, READ, DriverBench, Job, Setup
from tests.devices.line_bench import SEATS, STATIONS, Case, Water, make_bench
from tests.devices.line_trials import TRIALS, Trial
from tests.devices.taps import MemoryLine, Tap
from tests.devices.wire_kinds import LINE, Bad, Shape

__all__ = ["LINE_BENCHES"]

NO_SUM = "the protocol has no checksum"

PACKETS = Shape(
    unwrap=lambda raw: raw[2:-3],
    wrap=lambda text, raw: packet(text),
    guarded=lambda raw: (2, len(raw) - 1),
)
"""Of the syringe pump in safe mode."""


def jobs_of(trials: Sequence[Trial], case: Case) -> tuple[Job, ...]:
    """Connecting, reading, and the commands that are broken off elsewhere."""
    found = [trial for trial in trials if trial.case is case]
    return (
        CONNECT,
        READ,
        *(
            Job(
                name=f"{trial.command.verb} {number}" if number else trial.command.verb,
                command=trial.command,
                first=trial.first,
                happened=trial.happened,
                begun=trial.begun,
            )
            for trial in found
            for number in [sum(t.command.verb == trial.command.verb for t in found[: found.index(trial)])]
        ),
    )


def _setup(
    case: Case, faults: LineFaults, *, shape: Shape, serial: bool
) -> Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]]:
    @asynccontextmanager
    async def made(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
        bench = make_bench(plate_at=case.plate_at)
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        model: LineInstrument = case.twin(world)
        if script.rules:
            model = FaultyLine(model, faults, world=world, name=case.name, script=script)
        tap = Tap(shape)
        line = MemoryLine(model, framing=case.framing, tap=tap, serial=serial)
        device = case.device(line, bench)
        try:
            yield Setup(device, bench, world, tap)
        finally:
            await device.disconnect()
            await line.end()

    return made


def _bench(
    driver: str,
    trials: Sequence[Trial],
    case: Case,
    faults: LineFaults,
    *,
    serial: bool,
    shape: Shape = LINE,
    seam: str,
) -> DriverBench:
    guarded = shape is not LINE
    return DriverBench(
        driver=driver,
        name=case.name,
        jobs=jobs_of(trials, case),
        setup=_setup(case, faults, shape=shape, serial=serial),
        repertoire=faults.repertoire,
        seam=seam,
        shape=shape,
        without={Bad.OTHER_DIGIT: "its checksum shows it"} if guarded else {Bad.CHECKSUM: NO_SUM},
    )


def _case(name: str) -> Case:
    return next(trial.case for trial in (*TRIALS, *BUS_TRIALS) if trial.case.name == name)


_SERIAL = "bytes of its serial line"

LINE_BENCHES = (
    _bench("thermocycler/opentrons", TRIALS, _case("thermocycler"), THERMOCYCLER, serial=True, seam=_SERIAL),
    _bench("incubator/bioshake", TRIALS, _case("shaker"), BIOSHAKE, serial=True, seam=_SERIAL),
    _bench(
        "plate_hotel/preciseflex",
        TRIALS,
        _case("arm"),
        preciseflex_faults("arm", STATIONS),
        serial=False,
        seam="bytes of its TCP connection",
    ),
    _bench(
        "syringe_pump/ne1000",
        BUS_TRIALS,
        _case("pump"),
        NE1000_FAULTS,
        serial=True,
        shape=PACKETS,
        seam=f"{_SERIAL}, in packets",
    ),
    _bench(
        "spectrometer/aq6370",
        BUS_TRIALS,
        _case("spectrometer"),
        AQ6370_FAULTS,
        serial=False,
        seam="bytes of its TCP connection",
    ),
)
