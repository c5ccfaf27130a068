"""What a driver costs: one question through drywet's device against the bare client, and loopback against in process.

The far end answers at once, in a process of its own, so that what is measured is the client and the loopback. Each figure is
the median over rounds that alternate between the ways, since the machine is not always equally busy.

Run: python -m benchmarks.driver_overhead
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.machine import RESULTS, machine
from devices.declarative import LineDevice
from devices.furnace.eurotherm import Eurotherm3216, Register, long_at
from devices.modbus import ModbusTcp, read_registers
from devices.spectrometer.aq6370 import AQ6370
from devices.streams import Tcp
from devices.syringe_pump.ne1000 import NE1000, Syringe
from devices.syringe_pump.safe_mode import packet
from devices.transport import InProcess, LineInstrument, Transport
from devices.visa import Visa
from digital_twin.instruments.aq6370 import AQ6370Twin
from digital_twin.instruments.eurotherm import EurothermTwin
from digital_twin.instruments.ne1000 import NE1000Twin
from digital_twin.serve import serve
from digital_twin.serve_modbus import Mbap
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.line_bench import SEATS, Water, make_bench

ROUNDS = 15
QUESTIONS = 60
"""In a round, of each way."""

TIMEOUT_S = 10.0
SYRINGE = Syringe(diameter_mm=14.43, volume_ul=10_000.0)

Asked = Callable[[], Awaitable[object]]


class Prompt:
    """Answers what it knows at once."""

    def __init__(self, answers: dict[str, str]) -> None:
        self._answers = answers

    async def reply(self, line: str) -> str:
        return self._answers[line]


SENSITIVITY = ":SENSe:SENSe?"
TEMPERATURE = read_registers(long_at(Register.PROCESS_VALUE), 2)
ANALYZER = {
    "*IDN?": "YOKOGAWA,AQ6374,TWIN-1,03.00",
    SENSITIVITY: "2",
    'open "anonymous"': "AUTHENTICATE CRAM-MD5.",
    " ": "ready",
}
PUMP = {"VER": "00SNE1000V0.1", "DIS": "00SI5.000W0.000UL"}
FURNACE = {
    read_registers(Register.TYPE): "03025457",
    read_registers(Register.VERSION): "03020301",
    read_registers(Register.CUSTOMER_ID): "03020001",
    TEMPERATURE: "030442f00000",
}


FAR_ENDS = {
    "spectrometer": (ANALYZER, AQ6370.framing),
    "pump": (PUMP, NE1000.framing),
    "furnace": (FURNACE, Mbap()),
}


def serve_alone(name: str) -> None:
    """Be a far end: say the port, and answer until the other side closes the pipe."""
    answers, framing = FAR_ENDS[name]

    async def stay() -> None:
        async with serve(Prompt(answers), framing=framing) as port:
            print(port, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(stay())


@contextmanager
def served(name: str) -> Iterator[int]:
    """A far end in a process of its own; gives the port."""
    command = [sys.executable, "-m", "benchmarks.driver_overhead", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(TIMEOUT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Microseconds a question by each way."""

    protocol: str
    client: str
    bare: float
    wire: float
    device: float
    in_process: float


def _socket(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _raw(port: int, request: bytes, end: bytes) -> Asked:
    """A socket, and nothing else."""
    wire = _socket(port)

    async def ask() -> bytes:
        wire.sendall(request)
        answer = b""
        while not answer.endswith(end):
            answer += wire.recv(4096)
        return answer

    return ask


async def _pymodbus(port: int) -> Asked:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def ask() -> object:
        return await client.read_holding_registers(long_at(Register.PROCESS_VALUE), count=2)

    return ask


def _pyvisa(port: int) -> Asked:
    import pyvisa

    resource = pyvisa.ResourceManager("@py").open_resource(f"TCPIP0::127.0.0.1::{port}::SOCKET")
    assert isinstance(resource, pyvisa.resources.MessageBasedResource)
    resource.read_termination, resource.write_termination = "\r\n", "\n"

    async def ask() -> str:
        return resource.query(SENSITIVITY)

    return ask


def _device(name: str, wire: Transport) -> LineDevice:
    if name == "furnace":
        return Eurotherm3216("furnace", wire)
    if name == "pump":
        return NE1000("pump", wire, syringe=SYRINGE)
    return AQ6370("spectrometer", wire)


def _question(device: LineDevice) -> Asked:
    """The same question as a signal of a device is read."""
    signal = {"furnace": "temperature_c", "pump": "given_ul", "spectrometer": "sensitivity"}[device.name]
    return lambda: getattr(device, signal).get_value(cached=False)


async def _medians(ways: dict[str, Asked]) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        await way()
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            for _ in range(QUESTIONS):
                await way()
            took[name].append((time.perf_counter() - began) / QUESTIONS * 1e6)
    return {name: statistics.median(times) for name, times in took.items()}


async def measure(
    protocol: str, name: str, client: str, bare: Asked, wire: Transport, request: str
) -> Measured:
    """One protocol: the bare client, our wire, our device over it, and the device in process."""
    device, inside = _device(name, wire), _device(name, InProcess(Prompt(FAR_ENDS[name][0])))
    await device.connect()
    await inside.connect()
    medians = await _medians(
        {
            "bare": bare,
            "wire": lambda: wire.exchange(request, timeout_s=TIMEOUT_S),
            "device": _question(device),
            "in_process": _question(inside),
        }
    )
    await device.disconnect()
    await inside.disconnect()
    return Measured(protocol=protocol, client=client, **medians)


def over_wires() -> list[Measured]:
    """All protocols over loopback."""
    with served("spectrometer") as lines, served("pump") as packets, served("furnace") as registers:

        async def body() -> list[Measured]:
            asked = packet(b"DIS")
            visa = f"TCPIP0::127.0.0.1::{lines}::SOCKET"
            return [
                await measure(
                    "SCPI lines over TCP",
                    "spectrometer",
                    "socket",
                    _raw(lines, SENSITIVITY.encode() + b"\n", b"\r\n"),
                    Tcp("127.0.0.1", lines, framing=AQ6370.framing),
                    SENSITIVITY,
                ),
                await measure(
                    "SCPI lines over VISA",
                    "spectrometer",
                    "pyvisa with pyvisa-py",
                    _pyvisa(lines),
                    Visa(visa, framing=AQ6370.framing, library="@py"),
                    SENSITIVITY,
                ),
                await measure(
                    "checksummed packets over TCP",
                    "pump",
                    "socket",
                    _raw(packets, asked, b"\x03"),
                    Tcp("127.0.0.1", packets, framing=NE1000.framing),
                    "DIS",
                ),
                await measure(
                    "Modbus TCP",
                    "furnace",
                    "pymodbus",
                    await _pymodbus(registers),
                    ModbusTcp("127.0.0.1", registers),
                    TEMPERATURE,
                ),
            ]

        with LabClock(virtual=False) as clock:
            return clock.run(body())


def on_virtual_time() -> list[tuple[str, float]]:
    """Wall time of one question to each twin in process, whose own answering time costs none."""

    def model(name: str, world: World) -> LineInstrument:
        if name == "furnace":
            return EurothermTwin(world, name=name, position=name)
        if name == "pump":
            return NE1000Twin(world, name=name, syringe_at="pump_syringe", outlet_at="pump_outlet")
        return AQ6370Twin(world, name=name, position=name, well=lambda: "A1")

    async def one(name: str, clock: LabClock) -> float:
        bench = make_bench(plate_at="furnace")
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        device = _device(name, InProcess(model(name, world)))
        await device.connect()
        median = (await _medians({"twin": _question(device)}))["twin"]
        await device.disconnect()
        return median

    found = []
    for name in ("spectrometer", "pump", "furnace"):
        with LabClock(virtual=True) as clock:
            found.append((name, clock.run(one(name, clock))))
    return found


def main() -> None:
    """Measure and keep the page."""
    rows, twins = over_wires(), on_virtual_time()
    text = [
        "# What a driver costs a question",
        "",
        machine(),
        "",
        "Made with `python -m benchmarks.driver_overhead`. Wall time of one question and its answer, in microseconds:",
        f"the median of {ROUNDS} rounds of {QUESTIONS}, taken in turns. The far end, a process of its own, answers at once.",
        "A real instrument takes 5 to 50 ms to answer. *Bare*: the client named, and nothing of drywet. *Wire*: drywet's",
        "transport, with turns, time limits, and what came unasked thrown away. *Device*: a signal of the device over this",
        "wire, checked and parsed. *In process*: the same signal on the same answers without a socket. Over VISA, looking",
        "for what came unasked costs the shortest wait that PyVISA-py has, 1 ms, and each call is made in a thread.",
        "",
        "| protocol | bare client | bare | wire | device | device over bare | in process | loopback over in process |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {row.protocol} | {row.client} | {row.bare:.0f} | {row.wire:.0f} | {row.device:.0f} "
            f"| {row.device / row.bare:.1f}x | {row.in_process:.0f} | {row.device / row.in_process:.1f}x |"
            for row in rows
        ),
        "",
        "A question to a whole twin in process on virtual time, with its world, its own answering time costing none:",
        ", ".join(f"{name} {took:.0f}" for name, took in twins) + " microseconds.",
    ]
    page = "\n".join(text) + "\n"
    print(page)
    (RESULTS / "driver_overhead.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_alone(sys.argv[1])
    else:
        main()
