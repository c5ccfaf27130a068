"""A Masterflex drive for the contract of all line devices; over a socket, its bytes through PyLabRobot's backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devices.pump import Deliver
from devices.pump.masterflex import Masterflex, Tubing
from devices.pump.masterflex_line import MasterflexFraming, MasterflexLine
from devices.transport import LineInstrument, Transport
from digital_twin.instruments.masterflex import MasterflexTwin
from digital_twin.serve import serve
from tests.devices.bus_trials import infused, pushed
from tests.devices.line_bench import Case
from tests.devices.line_trials import Trial

TUBING = Tubing(ul_per_turn=10.0)


class TcpSerial:
    """A serial port whose bytes go over a loopback connection; stands for PyLabRobot's ``io.serial.Serial``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def setup(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def stop(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def write(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, num_bytes: int = 1) -> bytes:
        assert self._reader is not None
        if not (data := await self._reader.read(num_bytes)):
            raise OSError("the other side hung up")
        return data

    async def reset_input_buffer(self) -> None:
        """What a socket has not delivered yet can't be thrown away; the tests of bytes do this on a port of their own."""


@asynccontextmanager
async def over_bytes(model: LineInstrument) -> AsyncIterator[Transport]:
    async with serve(model, framing=MasterflexFraming()) as port:
        yield MasterflexLine(TcpSerial(port))


MASTERFLEX = Case(
    name="masterflex",
    plate_at="masterflex_outlet",
    framing=Masterflex.framing,
    device=lambda wire, bench: Masterflex(
        "masterflex", wire, tubing=TUBING, limits={"volume_ul": (1.0, 500.0)}
    ),
    twin=lambda world: MasterflexTwin(
        world,
        name="masterflex",
        source_at="bottle_place",
        outlet_at="masterflex_outlet",
        tubing=TUBING,
    ),
    harmless=(
        "deliver",
        Deliver(source="bottle", labware="assay_1", well="A1", volume_ul=5.0, rate_ul_per_min=600.0),
    ),
    past_limit=(
        "deliver",
        Deliver(source="bottle", labware="assay_1", well="A1", volume_ul=501.0, rate_ul_per_min=600.0),
    ),
    complaint="\x15",
    over_socket=over_bytes,
)

MASTERFLEX_CASES = (MASTERFLEX,)

MASTERFLEX_TRIALS = (
    Trial(
        case=MASTERFLEX,
        command=Deliver(
            source="bottle", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=300.0
        ),
        parts={"set": "H", "give": "V10.0G"},
        answers="done not_done unknown",
        happened=infused(100.0),
        begun=pushed,
        questions=("C", "E", "I", "R"),
    ),
)
