"""The climate chamber over OPC UA, against asyncua's own server on loopback."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from devices.climate_chamber import CloseDoor, Keep, OpenDoor
from devices.climate_chamber.lads import FUNCTIONS, LadsChamber
from devices.services import get, put
from digital_twin.instruments.lads_chamber import LadsChamberTwin
from digital_twin.instruments.opcua_server import serve_opcua
from digital_twin.instruments.service_twin import Refused
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    NonsenseReply,
)
from lab.interfaces import Answer
from lab.types import JsonValue, Mark
from tests.devices.line_bench import SEATS, Water, make_bench
from tests.devices.tcp_proxy import Proxy, free_port, proxied

if os.environ.get("CI") != "true":
    pytest.importorskip("asyncua", reason="asyncua is not installed; pip install 'drywet[buses]'")

from devices.opcua import OpcUa

PLACES = {
    name: f"FunctionalUnitSet/Chamber/FunctionSet/{'CO2Controller' if name == 'CO2' else name}"
    for name in FUNCTIONS
}
"""One of the functions has a name of its own."""

ERROR_MESSAGE = b"ERRF\x10\x00\x00\x00\x00\x00\x80\x80\x00\x00\x00\x00"
"""Of the layer beneath: the message is too large (OPC 10000-6, 7.1.2.5)."""

PACE = 10.0
"""Lab seconds per wall second; a driver's 5 s for an answer are then half a second."""


@dataclass(slots=True)
class Served:
    """A twin behind asyncua's server.

    Args:
        shown: values in place of the twin's, by name; an exception is raised.
    """

    clock: LabClock
    world: World
    twin: LadsChamberTwin
    port: int
    shown: dict[str, Any]

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """On the server's loop."""
        self.clock.run(work)

    @asynccontextmanager
    async def chamber(self) -> AsyncIterator[tuple[LadsChamber, Proxy]]:
        """A connected device, with a proxy before the server."""
        async with proxied(self.port) as proxy:
            device = LadsChamber("chamber", client(proxy.port))
            try:
                await device.connect()
                yield device, proxy
            finally:
                await device.disconnect()


def client(port: int, device: str = "Incubator") -> OpcUa:
    return OpcUa(f"opc.tcp://127.0.0.1:{port}/", device=device, names=PLACES)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with LabClock(virtual=True, pace=PACE) as clock:
        stack = AsyncExitStack()

        async def start() -> Served:
            bench = make_bench(plate_at="chamber")
            world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
            twin = LadsChamberTwin(world, name="chamber", position="chamber")
            shown: dict[str, Any] = {}
            for name, (type_, value) in list(twin.offer.values.items()):
                twin.offer.values[name] = (type_, _overridden(shown, name, value))  # type: ignore[index]
            port = free_port()
            await stack.enter_async_context(serve_opcua(twin, port=port, device="Incubator", names=PLACES))
            return Served(clock, world, twin, port, shown)

        made = clock.run(start())
        yield made
        clock.run(stack.aclose())


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    server.shown.clear()
    yield server
    server.shown.clear()


def _overridden(shown: dict[str, Any], name: str, value: Callable[[], Any]) -> Callable[[], Any]:
    def read() -> Any:
        instead = shown.get(name)
        if isinstance(instead, Exception):
            raise instead
        return value() if instead is None else instead

    return read


async def _fault(work: Awaitable[Any]) -> DeviceFault:
    with pytest.raises(DeviceFault) as caught:
        await work
    assert str(caught.value).startswith("chamber: ")
    return caught.value


def test_a_plate_is_kept_at_a_climate_by_the_chambers_own_timer(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            before = len(served.world.ledger.actions)
            await device.keep.set(
                Keep(plate="assay_1", temperature_c=22.3, hold_s=5.0, humidity_percent=42.0)
            )
            done = [(a.action, a.arguments) for a in served.world.ledger.actions[before:]]
            assert [name for name, _ in done if name != "remember"] == [
                "move_door",
                "set_temperature",
                "set_atmosphere",
                "control",
                "set_atmosphere",
                "move_door",
            ]
            assert not served.world.is_shut("chamber")
            result = device.keep.result()
            assert result["temperature_c"] == pytest.approx(22.3, abs=0.3)
            assert result["humidity_percent"] == pytest.approx(42.0, abs=3.0)

    served.run(body())


def test_readings_carry_what_the_chamber_shows_and_who_it_is(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            readings = await device.read()
            assert set(readings) == set(await device.describe())
            assert readings["chamber-door"]["value"] == "opened"
            assert readings["chamber-co2_percent"]["value"] == pytest.approx(
                served.twin.chamber.co2_percent()
            )
            configuration = await device.read_configuration()
            assert configuration["chamber-serial_number"]["value"] == "TWIN-CC-0001"
            assert configuration["chamber-origin"]["value"] == "twin"

    served.run(body())


def test_doors_move_and_may_be_told_twice(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            for command in (CloseDoor(), CloseDoor(), OpenDoor(), OpenDoor()):
                await getattr(device, command.verb).set(command)
                assert served.world.is_shut("chamber") is (command.verb == "close_door")

    served.run(body())


@pytest.mark.parametrize(
    ("shown", "fault"),
    [
        (Refused("BadSensorFailure"), InstrumentError),
        (Refused("UncertainSensorNotAccurate"), InstrumentError),
        (Refused("BadWaitingForInitialData"), InstrumentError),
        (Refused("BadInvalidState"), InstrumentBusy),
        (Refused("BadTimeout"), CommandTimeout),
        (math.nan, NonsenseReply),
        (math.inf, NonsenseReply),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_never_a_reading(
    shown: object, fault: type[DeviceFault], served: Served
) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            served.shown["Temperature/CurrentValue"] = shown
            assert type(await _fault(device.temperature_c.get_value(cached=False))) is fault
            served.shown.clear()
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


@pytest.mark.parametrize(
    "word", ["läuft", "", "RUNNING\n", "Opened" * 1000], ids=["locale", "empty", "end", "flood"]
)
def test_a_state_that_the_specification_does_not_have_is_nonsense(word: str, served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            served.shown["Door/CoverState/CurrentState"] = word
            assert isinstance(await _fault(device.door.get_value(cached=False)), NonsenseReply)

    served.run(body())


def test_a_door_that_is_in_error_is_told_as_such_and_all_control_is_off(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            served.shown["Door/CoverState/CurrentState"] = "Error"
            fault = await _fault(device.keep.set(Keep(plate="assay_1", temperature_c=30.0, hold_s=1.0)))
            assert str(fault.kind) == "lid"
            assert served.twin.chamber.set_c() is None

    served.run(body())


def test_a_chamber_in_fahrenheit_is_refused_when_it_is_connected_to(served: Served) -> None:
    async def body() -> None:
        served.shown["Temperature/CurrentValue/EngineeringUnits"] = 4604232
        device = LadsChamber("chamber", client(served.port))
        with pytest.raises(NonsenseReply, match="unit 4604232"):
            await device.connect()
        await device.disconnect()

    served.run(body())


@pytest.mark.parametrize("function", ["Timer", "Door"])
def test_a_chamber_without_one_of_its_functions_is_refused_when_it_is_connected_to(
    function: str, served: Served
) -> None:
    async def body() -> None:
        places = {**PLACES, function: "FunctionalUnitSet/Chamber/FunctionSet/Missing"}
        wire = OpcUa(f"opc.tcp://127.0.0.1:{served.port}/", device="Incubator", names=places)
        device = LadsChamber("chamber", wire)
        with pytest.raises(InstrumentError, match="BadNoMatch"):
            await device.connect()
        await device.disconnect()

    served.run(body())


def test_a_device_that_the_server_does_not_have_is_told_by_its_code(served: Served) -> None:
    async def body() -> None:
        device = LadsChamber("chamber", client(served.port, "Autoclave"))
        with pytest.raises(InstrumentError, match="BadNoMatch"):
            await device.connect()
        await device.disconnect()

    served.run(body())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (put("Timer/TargetValue", "String", "soon"), "BadTypeMismatch"),
        (put("Timer/TargetValue", "Double", -1.0), "BadOutOfRange"),
        (put("Temperature/CurrentValue", "Double", 20.0), "Bad"),
        (get("Temperature/Setpoint"), "BadNoMatch"),
        ("call Temperature/ControlFunctionState/StartWithTargetValue [9000.0]", "BadOutOfRange"),
        ('call Temperature/ControlFunctionState/StartWithTargetValue ["hot"]', "Bad"),
        ("call Temperature/ControlFunctionState/StartWithTargetValue []", "Bad"),
        ("call Temperature/ControlFunctionState/Stop []", "BadInvalidState"),
    ],
)
def test_what_the_server_refuses_is_told_by_its_code_and_changes_nothing(
    request_: str, code: str, served: Served
) -> None:
    async def body() -> None:
        wire = client(served.port)
        await wire.open()
        before = len(served.world.ledger.actions)
        reply = await wire.exchange(request_, timeout_s=5.0)
        assert reply.startswith(f"bad {code}")
        assert len(served.world.ledger.actions) == before
        await wire.close()

    served.run(body())


def test_a_cut_wire_is_a_lost_connection_and_the_next_request_makes_a_new_one(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, proxy):
            reading = asyncio.ensure_future(_fault(device.temperature_c.get_value(cached=False)))
            proxy.held_back = True
            await asyncio.sleep(1.0)
            proxy.cut()
            assert isinstance(await reading, ConnectionLost)
            proxy.held_back = False
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


def test_silence_is_a_timeout_and_what_was_asked_then_is_never_taken_for_a_later_answer(
    served: Served,
) -> None:
    async def body() -> None:
        async with served.chamber() as (device, proxy):
            proxy.held_back = True
            assert isinstance(await _fault(device.temperature_c.get_value(cached=False)), CommandTimeout)
            proxy.held_back = False
            assert await device.door.get_value(cached=False) == "opened"
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


@pytest.mark.parametrize(
    "junk",
    [
        b"\x15?\x7f#" * 4,
        b"MSGF\x08\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\n\r\n",
        ERROR_MESSAGE,
        bytes(1 << 20),
    ],
    ids=["noise", "truncated", "http", "error_message", "flood"],
)
def test_an_answer_that_is_none_is_a_fault_and_the_next_one_is_read(junk: bytes, served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, proxy):
            proxy.instead = junk
            fault = await _fault(device.temperature_c.get_value(cached=False))
            assert isinstance(fault, ConnectionLost | CommandTimeout | NonsenseReply)
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(600.0):
        while not condition():  # noqa: ASYNC110  (a twin's timer has no event)
            await asyncio.sleep(0.5)


def test_a_chamber_that_was_left_alone_ends_the_time_itself_and_says_so_to_whoever_comes(
    served: Served,
) -> None:
    command = Keep(plate="assay_1", temperature_c=22.8, hold_s=10.0)
    marks: list[Mark] = []

    async def note(name: str, details: JsonValue) -> None:
        marks.append(Mark(name=name, details=details, lab_time_s=served.clock.now()))

    async def body() -> None:
        chamber = served.twin.chamber
        async with served.chamber() as (device, proxy):
            device.keep.engage(token=1, limit_s=3600.0, mark=note)
            keeping = device.keep.set(command)
            await _until(chamber.timer_runs)
            proxy.refuses = True
            proxy.cut()
            with pytest.raises(ConnectionLost) as lost:
                await keeping
            assert any("safe state was not reached" in note for note in lost.value.__notes__)
            assert [mark.name for mark in marks] == ["close_door", "reach", "keep"]
        await _until(lambda: not chamber.timer_runs())
        assert chamber.set_c() is None
        assert chamber.door() == "closed"
        async with served.chamber() as (heir, _):
            await heir.look()
            await heir.safe()
            answer = await heir.keep.reconcile(command, marks)
            assert answer.answer is Answer.DONE, answer.sentence
            assert chamber.door() == "opened"

    served.run(body())


def test_a_server_that_hangs_up_on_everybody_is_a_lost_connection(served: Served) -> None:
    async def body() -> None:
        async with proxied(served.port) as proxy:
            proxy.refuses = True
            device = LadsChamber("chamber", client(proxy.port))
            with pytest.raises(ConnectionLost):
                await device.connect()
            await device.disconnect()

    served.run(body())


@pytest.mark.parametrize(
    "address", ["tcp:127.0.0.1:4840", "opc.tcp://", "opc.tcp://admin:secret@host:4840", "opc.tcp"]
)
def test_what_is_no_address_of_a_server_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match=r"no address of an OPC UA server.*opc\.tcp://192"):
        OpcUa(address, device="Incubator")
