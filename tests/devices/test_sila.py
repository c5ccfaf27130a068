"""The chamber over SiLA 2, against a server of the package sila2 on loopback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from devices.climate_chamber import Keep
from devices.climate_chamber.resting import Resting
from devices.climate_chamber.sila import CONTROL, CURRENT, SilaChamber
from devices.services import call, get, put
from devices.sila import DIALECT, Sila
from digital_twin.instruments.sila_chamber import SilaChamberTwin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import BadInput, CommandTimeout, ConnectionLost, DeviceFault, InstrumentError, OutOfRange
from tests.devices.line_bench import SEATS, Water, make_bench
from tests.devices.tcp_proxy import Proxy, free_port, proxied

if os.environ.get("CI") != "true":
    pytest.importorskip("sila2", reason="sila2 is not installed; pip install 'drywet[buses]'")

from digital_twin.instruments.sila_server import serve_sila

RESTING = Resting(steady_s=0.2, rate_c_per_s=100.0, arrived_c=1.0)


THREADS_OF_THE_CLIENT = ("sila", "ExecutionInfoSubscriptionThread")


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test after which the client works on; the server's threads are there for the module."""
    yield
    deadline = time.monotonic() + 5.0
    while (left := _threads_of_the_client()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def _threads_of_the_client() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith(THREADS_OF_THE_CLIENT)]


@dataclass(slots=True)
class Served:
    """A twin behind the package's server."""

    clock: LabClock
    world: World
    port: int

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """On the twin's loop."""
        self.clock.run(work)

    @asynccontextmanager
    async def chamber(self) -> AsyncIterator[tuple[SilaChamber, Proxy]]:
        """A connected device, with a proxy before the server."""
        async with proxied(self.port) as proxy:
            device = SilaChamber("chamber", Sila(f"sila:127.0.0.1:{proxy.port}"), resting=RESTING)
            try:
                await device.connect()
                yield device, proxy
            finally:
                await device.disconnect()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with LabClock(virtual=False) as clock:
        bench = make_bench(plate_at="chamber")
        world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
        twin = SilaChamberTwin(world, name="chamber", position="chamber")
        port = free_port()
        with serve_sila(twin, loop=clock.loop, port=port):
            yield Served(clock, world, port)


def test_a_plate_is_kept_and_the_controller_rests_after_it(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            await device.keep.set(Keep(plate="assay_1", temperature_c=22.5, hold_s=0.5))
            assert device.keep.result()["temperature_c"] == pytest.approx(22.5, abs=1.0)
            told = [a.arguments["temperature_c"] for a in served.world.ledger.actions[-2:]]
            assert told == [pytest.approx(22.5), pytest.approx(22.0)]

    served.run(body())


def test_readings_are_in_celsius_and_carry_who_the_server_says_it_is(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            readings = await device.read()
            assert set(readings) == set(await device.describe())
            assert 20.0 < readings["chamber-temperature_c"]["value"] < 25.0
            configuration = await device.read_configuration()
            assert configuration["chamber-serial_number"]["value"] == "TWIN-TC-0002"
            assert configuration["chamber-origin"]["value"] == "twin"

    served.run(body())


def test_a_temperature_that_the_feature_does_not_allow_is_not_sent(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            before = len(served.world.ledger.actions)
            with pytest.raises(OutOfRange):
                await device.keep.set(Keep(plate="assay_1", temperature_c=95.0, hold_s=0.0))
            assert len(served.world.ledger.actions) == before

    served.run(body())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (call(CONTROL, 400.0), "ValidationError"),
        (call(CONTROL, 277.0), "ValidationError"),
        (call(CONTROL, "warm"), "MistypedArgument"),
        (call(CONTROL), "MistypedArgument"),
        (call(CONTROL, 300.0, 301.0), "MistypedArgument"),
        (call("TemperatureController/Explode"), "UnknownName"),
        (call(CURRENT), "UnknownName"),
        (get("Lid/State"), "UnknownName"),
        (get(f"{CONTROL}/no-such-execution"), "UnknownName"),
        (put(CURRENT, "Real", 1.0), "UnknownName"),
    ],
)
def test_what_is_refused_is_told_by_its_kind_and_changes_nothing(
    request_: str, code: str, served: Served
) -> None:
    async def body() -> None:
        wire = Sila(f"sila:127.0.0.1:{served.port}")
        await wire.open()
        before = len(served.world.ledger.actions)
        assert (await wire.exchange(request_, timeout_s=10.0)).startswith(f"bad {code}")
        assert len(served.world.ledger.actions) == before
        await wire.close()

    served.run(body())


def test_a_command_that_another_one_interrupts_fails_by_the_features_own_error(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, _):
            keeping = device.keep.set(Keep(plate="assay_1", temperature_c=60.0, hold_s=1.0))
            await asyncio.sleep(1.0)
            other = Sila(f"sila:127.0.0.1:{served.port}")
            await other.open()
            await other.exchange(call(CONTROL, 300.0), timeout_s=10.0)
            with pytest.raises(InstrumentError, match="ControlInterrupted"):
                await keeping
            await other.close()
            assert served.world.state.climates["chamber"].set_c == pytest.approx(22.0)

    served.run(body())


def test_a_command_that_is_over_says_so_and_has_a_result_to_fetch(served: Served) -> None:
    async def body() -> None:
        wire = Sila(f"sila:127.0.0.1:{served.port}")
        await wire.open()
        reply = await wire.exchange(call(CONTROL, 295.15), timeout_s=10.0)
        name = f"{CONTROL}/{DIALECT.pick(reply, 'Execution')}"
        async with asyncio.timeout(20.0):
            while "finishedSuccessfully" not in (reply := await wire.exchange(get(name), timeout_s=10.0)):
                assert reply in ('String "waiting"', 'String "running"')
        assert await wire.exchange(get(f"{name}/Result"), timeout_s=10.0) == "Nothing null"
        await wire.close()

    served.run(body())


async def _fault(device: SilaChamber) -> DeviceFault:
    with pytest.raises(DeviceFault) as caught:
        await device.temperature_c.get_value(cached=False)
    assert str(caught.value).startswith("chamber: ")
    return caught.value


def test_a_cut_wire_is_a_lost_connection_and_the_next_request_makes_a_new_one(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, proxy):
            proxy.held_back = True
            fault = asyncio.ensure_future(_fault(device))
            await asyncio.sleep(0.5)
            proxy.refuses = True
            proxy.cut()
            assert isinstance(await fault, ConnectionLost | CommandTimeout)
            proxy.held_back = proxy.refuses = False
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


def test_silence_is_a_timeout_and_its_answer_is_never_taken_for_a_later_one(served: Served) -> None:
    async def body() -> None:
        async with served.chamber() as (device, proxy):
            proxy.held_back = True
            assert isinstance(await _fault(device), CommandTimeout)
            proxy.held_back = False
            assert await device.temperature_c.get_value(cached=False) > 0.0

    served.run(body())


def test_where_nobody_listens_there_is_no_connection() -> None:
    async def body() -> None:
        with pytest.raises(ConnectionLost):
            await Sila(f"sila:127.0.0.1:{free_port()}").open()

    with LabClock(virtual=False) as clock:
        clock.run(body())


@pytest.mark.parametrize(
    "address", ["tcp:127.0.0.1:50052", "sila:", "sila:host", "sila:host:0", "sila:höst:50052", "sila:a:65536"]
)
def test_what_is_no_address_of_a_server_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="no address of a SiLA server"):
        Sila(address)


@pytest.mark.parametrize("before", ["google.protobuf.descriptor_pb2", "streamlit", "grpc", "sys"])
def test_the_package_can_be_imported_whatever_else_a_program_has_imported(before: str) -> None:
    program = f"import {before}; from devices.sila import load_sila2; load_sila2(); load_sila2(); import sila2.client"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
