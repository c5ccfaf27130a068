"""The MicroSpin's driver against PyLabRobot's own server of the instrument's protocol, over loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pylabrobot.centrifuge.highres.mock_server import MicroSpinMockServer

from devices.centrifuge import Present, Spin
from devices.centrifuge.centrifuge import PlateCentrifuge
from devices.centrifuge.microspin import microspin, real_microspin
from lab.clock import LabClock
from lab.errors import ConnectionLost, DeviceFault
from lab.types import Origin
from tests.devices.centrifuge.test_centrifuge import SPIN
from tests.devices.machine_fault_benches import bucket_bench

Body = Callable[[PlateCentrifuge, MicroSpinMockServer], Coroutine[Any, Any, None]]


def run(body: Body) -> None:
    async def whole() -> None:
        async with MicroSpinMockServer() as server:
            device = microspin("centrifuge", real_microspin(server.host, server.port), bench=bucket_bench())
            await device.connect()
            try:
                await body(device, server)
            finally:
                await device.disconnect()

    with LabClock(virtual=False) as clock:
        clock.run(whole())


def test_it_is_found_homed_and_says_who_it_is_and_that_nobody_has_met_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        identity = await device.identify()
        assert (identity.serial, identity.firmware) == ("HRB-MOCK-0000001", "MS-1.3.3-mock")
        assert identity.origin is Origin.REAL
        assert server.state.homed

    with caplog.at_level(logging.WARNING, logger="drywet.devices"):
        run(body)
    assert "nobody has run it" in caplog.text


def test_buckets_are_presented_and_a_spin_is_done_with_the_door_shut() -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        await device.present.set(Present(bucket=2))
        assert server.state.at_bucket == 2
        assert server.state.door_position > 0
        await device.spin.set(SPIN)
        assert server.state.at_bucket is None
        assert server.state.door_position < 0
        assert not server.state.spinning

    run(body)


def test_a_spin_under_way_is_stopped_over_a_second_connection() -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        server.motion_dwell["spin_seconds_per_real_second"] = 10.0
        status = device.spin.set(SPIN)
        while not server.state.spinning:  # noqa: ASYNC110  (the peer has no event for it)
            await asyncio.sleep(0.01)
        await device.safe()
        assert not server.state.spinning
        assert not server.state.abort_latched
        with pytest.raises(DeviceFault, match="ABORTED"):
            await status
        server.motion_dwell["spin_seconds_per_real_second"] = 0.001
        await device.spin.set(SPIN)

    run(body)


def test_what_the_firmware_refuses_is_its_own_error_and_it_works_again() -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        backend: Any = device._front.backend
        with pytest.raises(DeviceFault, match="not recognized"), device.as_faults():
            await backend.send_command("lockdoor")
        await device.present.set(Present(bucket=1))

    run(body)


def test_a_rotor_that_forgot_where_it_is_is_homed_before_it_spins() -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        server.state.homed = False
        await device.spin.set(Spin(plate="plate_1", counterweight="plate_2", rcf_g=300.0, hold_s=2.0))
        assert server.state.homed

    run(body)


def test_a_server_that_is_gone_is_a_lost_connection_and_found_when_it_is_back() -> None:
    async def body(device: PlateCentrifuge, server: MicroSpinMockServer) -> None:
        port = server.port
        await server.stop()
        with pytest.raises(ConnectionLost):
            await device.present.set(Present(bucket=1))
        server.port = port
        await server.start()
        await device.present.set(Present(bucket=1))
        assert server.state.at_bucket == 1

    run(body)
