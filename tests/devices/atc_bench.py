"""An Applied Biosystems ATC for the contract of all line devices; over a socket, PyLabRobot's own connection logs in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pylabrobot.io import Socket
from pylabrobot.thermocycling.thermo_fisher.atc import ATCBackend

from devices.thermocycler import CloseLid, Heat, OpenLid
from devices.thermocycler.atc import ATC
from devices.thermocycler.atc_session import ATC_FRAMING, ATCSession
from devices.transport import LineInstrument, Transport
from digital_twin.instruments.atc import ATCTwin, GuardedCycler
from digital_twin.serve import serve
from tests.devices.line_bench import Case
from tests.devices.line_trials import Trial, block_told, heated, never


@asynccontextmanager
async def over_tcp(model: LineInstrument) -> AsyncIterator[Transport]:
    async with serve(GuardedCycler(model), framing=ATC_FRAMING) as port:
        io = Socket(human_readable_device_name="ATC", host="127.0.0.1", port=port)
        yield ATCSession(ATCBackend(ip="127.0.0.1"), io)


ATC_CASE = Case(
    name="thermocycler",
    plate_at="thermocycler",
    framing=ATC_FRAMING,
    device=lambda wire, bench: ATC("thermocycler", wire, limits={"temperature_c": (4.0, 90.0)}),
    twin=lambda world: ATCTwin(world, name="thermocycler", position="thermocycler"),
    harmless=("open_lid", OpenLid()),
    past_limit=("heat", Heat(plate="assay_1", temperature_c=95.0, hold_s=1.0)),
    complaint="ERRor lidopen it is blocked",
    over_socket=over_tcp,
)

ATC_CASES = (ATC_CASE,)

_QUESTIONS = ("TBC:", "TBC1:TBC", "TBC1:ERROR", "SYST", "POWER")

ATC_TRIALS = (
    Trial(
        case=ATC_CASE,
        command=Heat(plate="assay_1", temperature_c=80.0, hold_s=30.0, lid_temperature_c=85.0),
        parts={
            "close_lid": "lidclose",
            "heat_lid": "TBC1:CoverRAMP 85.0",
            "hold": "TBC1:RAMP -rate=100 80.0 80.0 80.0",
            "cool": "TBC1:RAMP -rate=100 25.0 25.0 25.0",
            "off": "TBC1:BLOCK 0",
        },
        answers="done not_done unknown",
        happened=heated(80.0, 30.0),
        begun=block_told,
        questions=_QUESTIONS,
    ),
    Trial(
        case=ATC_CASE,
        command=CloseLid(),
        parts={"close_lid": "lidclose"},
        # It does not say where its lid is.
        answers="not_done",
        happened=lambda world, actions: world.is_shut("thermocycler"),
        begun=never,
        questions=_QUESTIONS,
    ),
)
