"""Drivers behind a protocol's own client library, for cases of bad answers: Modbus on loopback, and service calls."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from devices.modbus import ModbusTcp
from devices.transport import InProcess, LineInstrument
from digital_twin.faults import FaultScript
from digital_twin.instruments.bus_faults import EUROTHERM_FAULTS
from digital_twin.instruments.chamber_faults import IOC_FAULTS, LADS_FAULTS, SILA_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine, LineFaults
from digital_twin.serve_modbus import Mbap
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.bus_trials import BUS_TRIALS, anneal
from tests.devices.chamber_bench import CHAMBERS
from tests.devices.fault_cases import DriverBench, Job, Setup
from tests.devices.line_bench import SEATS, Case, Water, make_bench
from tests.devices.line_fault_benches import NO_SUM, jobs_of
from tests.devices.line_trials import TRIALS
from tests.devices.taps import Tap
from tests.devices.wire_kinds import HANG_UP, Bad, Shape

__all__ = ["NETWORK_BENCHES"]

Making = Callable[[LabClock, FaultScript, Job], AbstractAsyncContextManager[Setup]]

# -------------------------------------------------------------------------------------------------------------- Modbus


def _another_word(text: bytes, rng: random.Random) -> bytes | None:
    """Registers of an answer as no measured number: all ones, or a float that is none."""
    data = text[2:]
    if text[:1] != b"\x03" or not data:
        return None
    if len(data) >= 4:
        value = rng.choice((struct.pack(">f", 1e30), struct.pack(">f", -1e30), b"\x7f\xc0\x00\x00"))
        return text[:2] + value + data[4:]
    return text[:2] + b"\xff\xff" + data[2:]


MODBUS = Shape(
    unwrap=lambda raw: raw[7:],
    wrap=lambda text, raw: raw[:4] + struct.pack(">H", len(text) + 1) + raw[6:7] + text,
    impossible=_another_word,
)


@asynccontextmanager
async def _modbus(model: LineInstrument, tap: Tap) -> AsyncIterator[int]:
    """The model behind Modbus TCP on a loopback port, with a tap in its answers."""
    serving: set[asyncio.Task[Any]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framing = Mbap()
        while True:
            reply = await model.reply(await framing.read_request(reader))
            for step in tap.instead_of(framing.pack_reply(reply)):
                if step is HANG_UP:
                    return
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    writer.write(step)
                    await writer.drain()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await converse(reader, writer)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            return
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


def _world(clock: LabClock, case: Case) -> tuple[Any, World]:
    bench = make_bench(plate_at=case.plate_at)
    world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
    return bench, world


FURNACE = next(trial.case for trial in BUS_TRIALS if trial.case.name == "furnace")


@asynccontextmanager
async def _furnace(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
    bench, world = _world(clock, FURNACE)
    model: LineInstrument = FURNACE.twin(world)
    if script.rules:
        model = FaultyLine(model, EUROTHERM_FAULTS, world=world, name=FURNACE.name, script=script)
    tap = Tap(MODBUS)
    async with _modbus(model, tap) as port:
        device = FURNACE.device(ModbusTcp("127.0.0.1", port), bench)
        try:
            yield Setup(device, bench, world, tap)
        finally:
            await device.disconnect()


# ------------------------------------------------------------------------------------------------------- service calls

_MATCHED = "the protocol's own library matches answers with requests, by number or by connection"


_WHOLE = (
    "the protocol's own library gives whole values or none; a cut or garbled connection is tested below it"
)


class _Tapped:
    """A model whose answers pass a tap, one for each request. Implements :class:`devices.transport.LineInstrument`."""

    def __init__(self, model: LineInstrument, tap: Tap) -> None:
        self._model = model
        self._tap = tap

    async def reply(self, line: str) -> str:
        said = b""
        for step in self._tap.instead_of((await self._model.reply(line)).encode() + b"\n"):
            if step is HANG_UP:
                raise ConnectionResetError("the server hung up")
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                said += step
        if not said:
            await asyncio.get_running_loop().create_future()
        return said.rstrip(b"\r\n").decode("utf-8", "replace")


def _chamber(case: Case, faults: LineFaults) -> Making:
    @asynccontextmanager
    async def made(clock: LabClock, script: FaultScript, job: Job) -> AsyncIterator[Setup]:
        bench, world = _world(clock, case)
        model: LineInstrument = case.twin(world)
        if script.rules:
            model = FaultyLine(model, faults, world=world, name=case.name, script=script)
        tap = Tap()
        device = case.device(InProcess(_Tapped(model, tap)), bench)
        try:
            yield Setup(device, bench, world, tap)
        finally:
            await device.disconnect()

    return made


def _chamber_bench(driver: str, protocol: str, faults: LineFaults, library: str) -> DriverBench:
    case = CHAMBERS[protocol]
    return DriverBench(
        driver=driver,
        name=case.name,
        jobs=jobs_of(TRIALS, case),
        setup=_chamber(case, faults),
        repertoire=faults.repertoire,
        seam=f"what {library} makes of an answer",
        names_in_unicode=True,
        without={
            Bad.CHECKSUM: NO_SUM,
            Bad.DUPLICATE: _MATCHED,
            Bad.TRUNCATED: _WHOLE,
            Bad.OTHER_DIGIT: _WHOLE,
        },
    )


NETWORK_BENCHES = (
    _chamber_bench("climate_chamber/lads", "lads", LADS_FAULTS, "asyncua (OPC UA)"),
    _chamber_bench("climate_chamber/epics", "epics", IOC_FAULTS, "ophyd-async (Channel Access)"),
    _chamber_bench("climate_chamber/sila", "sila", SILA_FAULTS, "sila2 (gRPC)"),
    DriverBench(
        driver="furnace/eurotherm",
        name="furnace",
        jobs=jobs_of([anneal(120.0, 600.0, 20.0)], FURNACE),
        setup=_furnace,
        repertoire=EUROTHERM_FAULTS.repertoire,
        seam="bytes of Modbus TCP on loopback, below pymodbus",
        shape=MODBUS,
        without={
            Bad.CHECKSUM: "Modbus has a checksum on serial lines only, where pymodbus checks it",
            Bad.UNICODE: "the protocol has no text",
            Bad.OTHER_DIGIT: "the protocol has no text",
        },
    ),
)
