"""The temperature controller over EPICS, against caproto's own example server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.climate_chamber import Keep
from devices.climate_chamber.ioc import READBACK, SERIAL, SETPOINT, IocChamber, IocSettings
from devices.climate_chamber.resting import Resting
from devices.epics import Epics
from devices.services import get, put
from lab.clock import LabClock
from lab.errors import BadInput, ConnectionLost, InstrumentError, NonsenseReply, OutOfRange
from tests.devices.tcp_proxy import free_port

if os.environ.get("CI") != "true":
    pytest.importorskip("aioca", reason="aioca is not installed; pip install 'drywet[epics]'")
    pytest.importorskip("caproto", reason="caproto is not installed; pip install 'drywet[dev]'")

PREFIX = "drywet:thermo:"
VARIABLES: dict[str, tuple[str, type]] = {READBACK: ("I", float), SETPOINT: ("SP", float)}
SETTINGS = IocSettings(vendor="caproto", model="thermo_sim", serial="TWIN-THERMO-SIM")
RESTING = Resting(steady_s=0.5, rate_c_per_s=100.0)
START_S = 20.0


class Ioc:
    """caproto's ``thermo_sim`` on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "EPICS_CA_SERVER_PORT": str(self._port),
            "EPICS_CAS_SERVER_PORT": str(self._port),
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        command = [sys.executable, "-m", "caproto.ioc_examples.thermo_sim", "--prefix", PREFIX]
        self._process = subprocess.Popen(
            [*command, "--interfaces", "127.0.0.1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def loop() -> Iterator[LabClock]:
    with LabClock(virtual=False) as clock:
        yield clock


@pytest.fixture(scope="module")
def ioc(loop: LabClock) -> Iterator[Ioc]:
    """A server, and this process's Channel Access told where to look for it, and nowhere else."""
    port = free_port()
    where = {
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CA_REPEATER_PORT": str(free_port()),
    }
    before = {name: os.environ.get(name) for name in where}
    os.environ.update(where)
    made = Ioc(port)
    made.start()

    async def wait() -> None:
        async with asyncio.timeout(START_S):
            while True:
                wire = Epics(PREFIX, VARIABLES)
                try:
                    await wire.open()
                except ConnectionLost:
                    continue
                # It swings for ten seconds after each new set point; a tenth of a second is enough here.
                await wire.close()
                swing = Epics(PREFIX, {"tvar": ("Tvar", float)})
                await swing.open()
                await swing.exchange(put("tvar", "double", 0.0), timeout_s=5.0)
                await swing.close()
                return

    try:
        loop.run(wait())
        yield made
    finally:
        made.kill()
        loop.run(_forget())
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


async def _forget() -> None:
    from aioca import purge_channel_caches

    purge_channel_caches()


@asynccontextmanager
async def chamber(settings: IocSettings = SETTINGS, **more: tuple[str, type]) -> AsyncIterator[IocChamber]:
    device = IocChamber(
        "chamber",
        Epics(PREFIX, {**VARIABLES, **more}),
        settings=settings,
        resting=RESTING,
        limits={"temperature_c": (4.0, 60.0)},
    )
    try:
        await device.connect()
        yield device
    finally:
        await device.disconnect()


def run(loop: LabClock, work: Coroutine[Any, Any, None]) -> None:
    loop.run(work)


def test_a_plate_is_kept_at_a_temperature_and_the_controller_rests_after_it(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        async with chamber() as device:
            await device.keep.set(Keep(plate="assay_1", temperature_c=37.0, hold_s=0.5))
            assert device.keep.result()["temperature_c"] == pytest.approx(37.0, abs=0.5)
            assert await device.setpoint_c.get_value(cached=False) == 22.0

    run(loop, body())


def test_readings_say_who_the_workcell_file_says_it_is(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        async with chamber() as device:
            await device.safe()
            assert set(await device.read()) == set(await device.describe())
            configuration = await device.read_configuration()
            assert configuration["chamber-serial_number"]["value"] == "TWIN-THERMO-SIM"
            assert configuration["chamber-origin"]["value"] == "twin"

    run(loop, body())


def test_a_controller_is_real_unless_its_serial_says_that_it_is_a_twin(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        async with chamber(IocSettings(vendor="Lake", model="336", serial="LSA1234")) as device:
            configuration = await device.read_configuration()
            assert configuration["chamber-origin"]["value"] == "real"

    run(loop, body())


def test_a_value_past_a_limit_of_the_workcell_file_is_not_sent(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        async with chamber() as device:
            await device.safe()
            with pytest.raises(OutOfRange):
                await device.keep.set(Keep(plate="assay_1", temperature_c=61.0, hold_s=0.0))
            assert await device.setpoint_c.get_value(cached=False) == 22.0

    run(loop, body())


def test_a_variable_that_nobody_serves_is_a_lost_connection_with_its_name(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        wire = Epics(PREFIX, {READBACK: ("Temperature", float)})
        with pytest.raises(ConnectionLost, match="nobody serves drywet:thermo:Temperature"):
            await wire.open()

    run(loop, body())


def test_a_variable_of_another_type_is_never_read_as_the_one_that_is_wanted(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        settings = IocSettings(vendor="caproto", model="thermo_sim", serial="1", shows_serial=True)
        with pytest.raises(ConnectionLost, match="cannot be coerced"):
            async with chamber(settings, **{SERIAL: ("K", str)}):
                raise AssertionError("connected")

    run(loop, body())


def test_a_controller_that_is_another_one_than_the_file_says_is_refused(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        settings = IocSettings(vendor="caproto", model="thermo_sim", serial="TWIN-2", shows_serial=True)
        with pytest.raises(InstrumentError, match="the workcell file says 'TWIN-2'"):
            async with chamber(settings, **{SERIAL: ("I.DESC", str)}):
                raise AssertionError("connected")

    run(loop, body())


def test_what_is_no_number_is_not_set(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        wire = Epics(PREFIX, VARIABLES)
        await wire.open()
        assert (await wire.exchange(put(SETPOINT, "string", "hot"), timeout_s=5.0)).startswith(
            "bad ECA_BADTYPE"
        )
        assert (await wire.exchange(put(READBACK, "double", 5.0), timeout_s=5.0)).startswith("bad ECA")
        assert (await wire.exchange(get("omega"), timeout_s=5.0)).startswith("bad ECA_UNKNOWN")
        await wire.close()

    run(loop, body())


def test_a_temperature_that_is_none_is_never_a_reading(loop: LabClock, ioc: Ioc) -> None:
    async def body() -> None:
        async with chamber() as device:
            wire = Epics(PREFIX, VARIABLES)
            await wire.open()
            await wire.exchange(f"set {SETPOINT} double NaN", timeout_s=5.0)
            with pytest.raises(NonsenseReply):
                await device.setpoint_c.get_value(cached=False)
            await wire.close()
            await device.safe()
            assert await device.setpoint_c.get_value(cached=False) == 22.0

    run(loop, body())


def test_a_server_that_dies_is_a_lost_connection_and_is_found_again_when_it_is_back(
    loop: LabClock, ioc: Ioc
) -> None:
    async def body() -> None:
        async with chamber() as device:
            ioc.kill()
            with pytest.raises(ConnectionLost):
                await _read_on(device)
            ioc.start()
            async with asyncio.timeout(30.0):
                while True:
                    try:
                        await device.safe()
                    except ConnectionLost:
                        continue
                    break
            assert await device.setpoint_c.get_value(cached=False) == 22.0

    run(loop, body())


async def _read_on(device: IocChamber) -> None:
    """Read until it fails; the kernel tells of a dead socket within moments."""
    async with asyncio.timeout(10.0):
        while True:
            await device.setpoint_c.get_value(cached=False)


@pytest.mark.parametrize("prefix", ["", "lab 3:", "käse:", "x" * 51])
def test_what_can_be_no_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(BadInput, match="no prefix of process variables"):
        Epics(prefix, VARIABLES)


def test_a_controller_whose_limits_nobody_wrote_is_refused() -> None:
    with pytest.raises(BadInput, match="What chamber may be heated to is not said"):
        IocChamber("chamber", Epics(PREFIX, VARIABLES), settings=SETTINGS, resting=RESTING)
