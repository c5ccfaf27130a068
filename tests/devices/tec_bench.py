"""Heater and heater shaker in slots of an Inheco box, for the contract of all line devices; over a socket, its reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from devices.climate_chamber import Keep
from devices.incubator import Incubate
from devices.incubator.inheco import ThermoShake
from devices.incubator.tec_box import REPORT_BYTES, TecBox, TecSlot
from devices.temperature_module import Deactivate, SetTemperature
from devices.temperature_module.inheco_cpac import CPAC
from devices.transport import LineInstrument, Transport
from digital_twin.instruments.inheco import CPACTwin, ThermoShakeTwin
from digital_twin.instruments.tec_reports import ReportFraming, TecRack
from digital_twin.ledger import Action
from digital_twin.serve import serve
from digital_twin.world import World
from tests.devices.line_bench import Case
from tests.devices.line_trials import Trial, incubated, never, warmed

SLOT = 2


class TcpReports:
    """A box's port whose reports go over a loopback connection; stands for PyLabRobot's ``io.hid.HID``."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def setup(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def stop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def write(self, data: bytes, report_id: bytes = b"\x00") -> int:
        if self._writer is None:
            raise OSError("closed")
        assert len(data) == REPORT_BYTES
        self._writer.write(data)
        await self._writer.drain()
        return len(data)

    async def read(self, size: int, timeout: int) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        assert self._reader is not None
        try:
            async with asyncio.timeout(timeout / 1000.0):
                return await self._reader.readexactly(REPORT_BYTES)
        except TimeoutError:
            return b""
        except asyncio.IncompleteReadError as gone:
            raise OSError("the other side hung up") from gone


@asynccontextmanager
async def over_reports(model: LineInstrument) -> AsyncIterator[Transport]:
    async with serve(TecRack({SLOT: model}), framing=ReportFraming()) as port:
        yield TecSlot(TecBox(TcpReports(port)), SLOT)


THERMOSHAKE = Case(
    name="thermoshake",
    plate_at="thermoshake",
    framing=ThermoShake.framing,
    device=lambda wire, bench: ThermoShake("thermoshake", wire, limits={"temperature_c": (20.0, 70.0)}),
    twin=lambda world: ThermoShakeTwin(world, name="thermoshake", position="thermoshake"),
    harmless=("incubate", Incubate(plate="assay_1", temperature_c=22.0, hold_s=3.0, shaking_rpm=300.0)),
    past_limit=("incubate", Incubate(plate="assay_1", temperature_c=71.0, hold_s=1.0, shaking_rpm=None)),
    complaint="stt5",
    over_socket=over_reports,
)

COLD_PLATE = Case(
    name="cpac",
    plate_at="cpac",
    framing=CPAC.framing,
    device=lambda wire, bench: CPAC("cpac", wire, limits={"temperature_c": (4.0, 60.0)}),
    twin=lambda world: CPACTwin(world, name="cpac", position="cpac"),
    harmless=("incubate", Incubate(plate="assay_1", temperature_c=22.0, hold_s=3.0, shaking_rpm=None)),
    past_limit=("incubate", Incubate(plate="assay_1", temperature_c=22.0, hold_s=1.0, shaking_rpm=300.0)),
    complaint="stt9",
    over_socket=over_reports,
)

TEC_CASES = (THERMOSHAKE, COLD_PLATE)

_QUESTIONS = ("R", "SS")


def told_to_hold(temperature_c: float | None) -> Callable[[World, Sequence[Action]], bool]:
    """What its regulation was told last; None for off."""
    return lambda world, actions: world.state.climates["cpac"].set_c == temperature_c


TEC_TRIALS = (
    Trial(
        case=THERMOSHAKE,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=1200.0),
        parts={"warm": "STT370", "shake": "ASE1", "off": "ATE0"},
        # Without a clamp nothing shows that the heater was never turned on.
        answers="done unknown",
        happened=incubated(1200.0, 20.0, position="thermoshake"),
        begun=warmed,
        questions=_QUESTIONS,
    ),
    Trial(
        case=COLD_PLATE,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=None),
        parts={"warm": "STT370", "off": "ATE0"},
        # Nothing is asked of it after the heater was told to go off, and it stays warm for longer than anybody waits here.
        answers="unknown",
        happened=incubated(None, 20.0, position="cpac"),
        begun=warmed,
        questions=_QUESTIONS,
    ),
    Trial(
        case=COLD_PLATE,
        command=Incubate(plate="assay_1", temperature_c=23.0, hold_s=20.0, shaking_rpm=None),
        parts={"warm": "STT230", "off": "ATE0"},
        answers="done not_done unknown",
        happened=incubated(None, 20.0, position="cpac"),
        begun=warmed,
        questions=_QUESTIONS,
    ),
    Trial(
        case=COLD_PLATE,
        command=Keep(plate="assay_1", temperature_c=23.0, hold_s=20.0),
        parts={"warm": "STT230", "off": "ATE0"},
        answers="done not_done unknown",
        happened=incubated(None, 20.0, position="cpac"),
        begun=warmed,
        questions=_QUESTIONS,
    ),
    Trial(
        case=COLD_PLATE,
        command=SetTemperature(temperature_c=30.0),
        parts={"set_temperature": "STT300"},
        # It does not show what it was told, and may be told again.
        answers="not_done",
        happened=told_to_hold(30.0),
        begun=never,
        questions=_QUESTIONS,
    ),
    Trial(
        case=COLD_PLATE,
        command=Deactivate(),
        first=(SetTemperature(temperature_c=30.0),),
        parts={"deactivate": "ATE0"},
        answers="not_done",
        happened=told_to_hold(None),
        begun=never,
        questions=_QUESTIONS,
    ),
)
