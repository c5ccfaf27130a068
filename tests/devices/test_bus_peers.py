"""Our wires and drivers against servers that others wrote: pymodbus's, over TCP and a serial line, and PyVISA-sim's."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import pty
import struct
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.furnace.eurotherm import TWIN_TYPE, Eurotherm3216, Register, long_at
from devices.modbus import ModbusRtu, ModbusTcp, read_registers, write_register, write_registers
from devices.spectrometer import TakeSpectrum
from devices.spectrometer.aq6370 import AQ6370, LOGIN
from devices.transport import Framing
from devices.visa import Visa
from digital_twin.instruments.aq6370 import AQ6370Twin
from digital_twin.serve import serve
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import BadInput, CommandTimeout, ConnectionLost, InstrumentError, NonsenseReply
from lab.types import Origin
from tests.devices.line_bench import SEATS, Water, make_bench

pytestmark = pytest.mark.timeout(60)

GENEROUS_S = 20.0


def needed(*modules: str) -> None:
    """Skip where a peer is not installed; with CI, fail."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} is not installed: pip install 'drywet[buses,dev]'")
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: pip install 'drywet[buses,dev]'")


@pytest.fixture
def wall(caplog: pytest.LogCaptureFixture) -> Iterator[LabClock]:
    caplog.set_level(logging.CRITICAL, logger="pymodbus.logging")
    with LabClock(virtual=False) as made:
        yield made


@pytest.fixture
def clock_at_speed() -> Iterator[LabClock]:
    with LabClock(virtual=True, pace=5.0) as made:
        yield made


# ------------------------------------------------------------------------------------------------------------- Modbus


def _words(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def _furnace_registers() -> Any:
    """A furnace as somebody else's server keeps it: registers, and nothing behind them."""
    from pymodbus.simulator import DataType, SimData, SimDevice

    def block(address: int, values: list[int]) -> Any:
        return SimData(address, values=values, datatype=DataType.REGISTERS)

    return SimDevice(
        1,
        [
            block(Register.PROGRAM_STATUS, [1]),
            block(Register.STATUS, [0]),
            block(Register.VERSION, [0x0204]),
            block(Register.TYPE, [0xE280]),
            block(Register.MODE, [0]),
            block(Register.CUSTOMER_ID, [77]),
            block(long_at(Register.PROCESS_VALUE), _words(81.5)),
            block(long_at(Register.MANUAL_OUTPUT), _words(40.0)),
            block(long_at(Register.WORKING_OUTPUT), _words(0.0)),
            block(long_at(Register.WORKING_SETPOINT), _words(120.0)),
            block(long_at(Register.SETPOINT_1), _words(120.0)),
        ],
    )


@asynccontextmanager
async def pymodbus_tcp() -> AsyncIterator[int]:
    from pymodbus.server import ModbusTcpServer

    server = ModbusTcpServer(_furnace_registers(), address=("127.0.0.1", 0))
    await server.listen()
    assert server.transport is not None
    try:
        yield server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


def test_a_furnace_that_pymodbus_serves_is_read_and_made_safe(
    wall: LabClock, caplog: pytest.LogCaptureFixture
) -> None:
    needed("pymodbus")

    async def body() -> None:
        async with pymodbus_tcp() as port:
            wire = ModbusTcp("127.0.0.1", port)
            furnace = Eurotherm3216("furnace", wire)
            await furnace.connect()
            identity = await furnace.identify()
            assert identity.origin is Origin.REAL
            assert (identity.model, identity.serial) == ("type E280", "customer ID 77")
            read = await furnace.read()
            assert read["furnace-temperature_c"]["value"] == 81.5
            assert read["furnace-program"]["value"] == "run"
            await furnace.safe()
            kept = [
                await wire.exchange(read_registers(address, count), timeout_s=GENEROUS_S)
                for address, count in (
                    (Register.PROGRAM_STATUS, 1),
                    (Register.MODE, 1),
                    (long_at(Register.MANUAL_OUTPUT), 2),
                    (long_at(Register.SETPOINT_1), 2),
                )
            ]
            assert kept == ["03020000", "03020001", "030400000000", "030441a00000"]
            await furnace.disconnect()

    wall.run(body())


def test_what_pymodbus_refuses_is_told_in_its_words(wall: LabClock) -> None:
    needed("pymodbus")

    async def body() -> None:
        async with pymodbus_tcp() as port:
            furnace = Eurotherm3216("furnace", ModbusTcp("127.0.0.1", port))
            await furnace.connect()
            with pytest.raises(InstrumentError, match="exception 2 to reading register 9999: it has no such"):
                await furnace._link.ask(read_registers(9999))
            await furnace.disconnect()

    wall.run(body())


def test_a_twin_has_a_type_that_no_eurotherm_has() -> None:
    assert int.from_bytes(b"TW", "big") == TWIN_TYPE


@asynccontextmanager
async def pymodbus_rtu() -> AsyncIterator[str]:
    """pymodbus's server at one end of a pair of pseudo terminals; gives the path of the other end."""
    from pymodbus.framer import FramerType
    from pymodbus.server import ModbusSerialServer

    (near, near_slave), (far, far_slave) = pty.openpty(), pty.openpty()
    for end in (near, near_slave, far, far_slave):
        tty.setraw(end)
    loop = asyncio.get_running_loop()
    loop.add_reader(near, lambda: os.write(far, os.read(near, 4096)))
    loop.add_reader(far, lambda: os.write(near, os.read(far, 4096)))
    server = ModbusSerialServer(
        _furnace_registers(), framer=FramerType.RTU, port=os.ttyname(far_slave), baudrate=9600
    )
    try:
        await server.listen()
        yield os.ttyname(near_slave)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]
        for end in (near, far):
            loop.remove_reader(end)
        for end in (near, near_slave, far, far_slave):
            os.close(end)


def test_registers_are_read_and_written_over_a_serial_line(wall: LabClock) -> None:
    needed("pymodbus")

    async def body() -> None:
        async with pymodbus_rtu() as path:
            wire = ModbusRtu(path)
            await wire.open()
            ask = [
                read_registers(Register.TYPE),
                write_register(Register.MODE, 1),
                read_registers(Register.MODE),
                write_registers(long_at(Register.SETPOINT_1), _words(20.0)),
                read_registers(long_at(Register.SETPOINT_1), 2),
            ]
            said = [await wire.exchange(one, timeout_s=GENEROUS_S) for one in ask]
            assert said == ["0302e280", "0601110001", "03020001", "1080300002", "030441a00000"]
            await wire.close()

    wall.run(body())


def test_nobody_at_the_port_of_registers_is_a_lost_connection(wall: LabClock, tmp_path: Path) -> None:
    needed("pymodbus")

    async def body() -> None:
        async with pymodbus_tcp() as port:
            pass
        for wire in (ModbusTcp("127.0.0.1", port), ModbusRtu(str(tmp_path / "no_port"))):
            with pytest.raises(ConnectionLost, match="cannot connect"):
                await wire.open()
            with pytest.raises(ConnectionLost, match="not connected"):
                await wire.exchange(read_registers(1), timeout_s=1.0)

    wall.run(body())


# --------------------------------------------------------------------------------------------------------------- VISA

SIMULATED = """
spec: "1.1"
devices:
  analyzer:
    eom:
      TCPIP SOCKET: {q: "\\n", r: "\\r\\n"}
      ASRL INSTR: {q: "\\n", r: "\\r\\n"}
    error: '-113,"Undefined header"'
    dialogues:
      - {q: "*IDN?", r: "YOKOGAWA,AQ6373B,91R000001,02.00"}
      - {q: 'open "anonymous"', r: "AUTHENTICATE CRAM-MD5."}
      - {q: ":ABORt"}
      - {q: ":SYSTem:ERRor?", r: '0,"No error"'}
      - {q: ":SENSe:SENSe?", r: "2"}
      - {q: "WORDS?", r: "größe"}
resources:
  TCPIP0::analyzer::10001::SOCKET: {device: analyzer}
  ASRL1::INSTR: {device: analyzer}
"""


@pytest.fixture
def simulated(tmp_path: Path) -> str:
    needed("pyvisa", "pyvisa_sim")
    file = tmp_path / "bench.yaml"
    file.write_text(SIMULATED, encoding="utf-8")
    return f"{file}@sim"


@pytest.mark.parametrize("resource", ["TCPIP0::analyzer::10001::SOCKET", "ASRL1::INSTR"])
def test_an_analyzer_that_pyvisa_sim_plays_is_identified_and_made_safe(
    resource: str, simulated: str, wall: LabClock
) -> None:
    async def body() -> None:
        # PyVISA-sim can't be told an answer to the space that the login ends with.
        framing = replace(AQ6370.framing, greeting=LOGIN[:1])
        wire = Visa(resource, framing=framing, library=simulated)
        analyzer = AQ6370("spectrometer", wire)
        await analyzer.connect()
        identity = await analyzer.identify()
        assert (identity.model, identity.origin) == ("AQ6373B", Origin.REAL)
        await analyzer.safe()
        assert await analyzer.sensitivity.get_value() == "MID"
        await analyzer.disconnect()

    wall.run(body())


def test_an_instrument_of_pyvisa_sims_own_answers_over_our_wire(wall: LabClock) -> None:
    needed("pyvisa", "pyvisa_sim")

    async def body() -> None:
        # Device 1 of the file that comes with PyVISA-sim.
        wire = Visa("ASRL1::INSTR", framing=Framing(request_end="\r\n", reply_end="\n"), library="@sim")
        await wire.open()
        assert await wire.exchange("?IDN", timeout_s=GENEROUS_S) == "LSG Serial #1234"
        assert await wire.exchange("?FREQ", timeout_s=GENEROUS_S) == "100.00"
        assert await wire.exchange("no such thing", timeout_s=GENEROUS_S) == "ERROR"
        await wire.close()
        with pytest.raises(ConnectionLost, match="not connected"):
            await wire.exchange("?IDN", timeout_s=1.0)

    wall.run(body())


def test_silence_over_visa_is_a_timeout_and_the_next_answer_is_right(simulated: str, wall: LabClock) -> None:
    async def body() -> None:
        framing = Framing(request_end="\n", reply_end="!")
        wire = Visa("ASRL1::INSTR", framing=framing, library=simulated)
        await wire.open()
        with pytest.raises(CommandTimeout):
            await wire.exchange("*IDN?", timeout_s=0.1)
        wire._framing = AQ6370.framing
        assert (await wire.exchange("*IDN?", timeout_s=GENEROUS_S)).startswith("YOKOGAWA")
        await wire.close()

    wall.run(body())


def test_what_is_no_text_over_visa_is_nonsense(simulated: str, wall: LabClock) -> None:
    async def body() -> None:
        wire = Visa("ASRL1::INSTR", framing=AQ6370.framing, library=simulated)
        await wire.open()
        with pytest.raises(NonsenseReply, match="no text"):
            await wire.exchange("WORDS?", timeout_s=GENEROUS_S)
        await wire.close()

    wall.run(body())


@pytest.mark.parametrize("name", ["TCPIP0::", "nobody", "GPIB0::::INSTR"])
def test_what_is_no_resource_is_refused(name: str) -> None:
    needed("pyvisa")
    with pytest.raises(BadInput, match="no name of a VISA resource"):
        Visa(name, framing=AQ6370.framing)


def test_packets_do_not_go_over_visa() -> None:
    needed("pyvisa")
    from devices.syringe_pump.ne1000 import NE1000

    with pytest.raises(BadInput, match="not over VISA"):
        Visa("ASRL1::INSTR", framing=NE1000.framing)


def test_a_resource_that_is_not_there_is_a_lost_connection(simulated: str, wall: LabClock) -> None:
    async def body() -> None:
        wire = Visa("TCPIP0::nobody::10001::SOCKET", framing=AQ6370.framing, library=simulated)
        with pytest.raises(ConnectionLost, match="cannot connect"):
            await wire.open()
        await wire.close()

    wall.run(body())


def test_a_spectrum_of_the_twin_comes_over_visa_from_a_socket(clock_at_speed: LabClock) -> None:
    needed("pyvisa", "pyvisa_py")
    command = TakeSpectrum(plate="assay_1", wells=("A1",), to_nm=500.0, points=1001, sensitivity="NORM")

    async def body() -> None:
        bench = make_bench(plate_at="spectrometer")
        world = World(clock=clock_at_speed, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        model = AQ6370Twin(world, name="spectrometer", position="spectrometer", well=lambda: "A1")
        async with serve(model, framing=AQ6370.framing) as port:
            wire = Visa(f"TCPIP0::127.0.0.1::{port}::SOCKET", framing=AQ6370.framing, library="@py")
            analyzer = AQ6370("spectrometer", wire)
            await analyzer.connect()
            assert (await analyzer.identify()).origin is Origin.TWIN
            await analyzer.spectrum.set(command)
            powers = analyzer.spectrum.result()["power_w"]
            seen = [a for a in world.ledger.actions if a.action == "take_spectrum"]
            assert len(seen) == 1
            assert [len(row) for row in powers] == [1001]
            assert min(powers[0]) > 1e-9
            await analyzer.disconnect()

    clock_at_speed.run(body())
