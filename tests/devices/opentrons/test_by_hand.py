"""What a person can ask and tell a robot from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.opentrons_robot.__main__ import lines, main
from digital_twin.faults import NO_FAULTS
from digital_twin.http_server import serve_http
from lab.clock import LabClock
from lab.errors import BadInput, FaultKind, InstrumentError
from tests.devices.opentrons import test_recovery as recovery
from tests.devices.opentrons.robot_bench import Rig


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


async def said(made: Rig, what: str, file: Path | None = None) -> list[str]:
    return [line async for line in lines(made.device.client, what, file)]


async def until(made: Rig, status: str) -> None:
    while True:
        run = await made.device.client.current_run()
        if run is not None and run.status == status:
            return
        await asyncio.sleep(1.0)


def test_a_files_run_is_paused_and_goes_on(clock: LabClock) -> None:
    async def body() -> None:
        async with recovery.rig(clock, NO_FAULTS) as made:
            trying = asyncio.ensure_future(recovery.run(made))
            await until(made, "running")
            await said(made, "pause")
            await asyncio.sleep(20.0)
            given = recovery.given_ul(made)
            await asyncio.sleep(40.0)
            assert recovery.given_ul(made) == given
            assert (await said(made, "status"))[-1].endswith(": paused")
            await said(made, "play")
            assert (await trying).fault is None
            assert recovery.given_ul(made) == pytest.approx((10.0, 10.0), rel=0.3)

    clock.run(body())


def test_a_run_that_waits_is_shown_with_what_failed_and_answered(clock: LabClock) -> None:
    async def body() -> None:
        script = recovery.goes_wrong(FaultKind.FAILED_ASPIRATE, 1)
        async with recovery.rig(clock, script, {"failed_aspirate": "ask"}) as made:
            trying = asyncio.ensure_future(recovery.run(made))
            await until(made, "awaiting-recovery")
            failed, told = (await said(made, "status"))[-2:]
            assert failed.startswith("failed: aspirate: liquidNotFound")
            assert told == "it can be told: stop, resume, false-positive"
            await said(made, "false-positive")
            assert (await trying).fault is None

    clock.run(body())


def test_a_robot_without_a_run_and_an_action_out_of_place_are_told(clock: LabClock) -> None:
    async def body() -> None:
        async with recovery.rig(clock, NO_FAULTS) as made:
            assert (await said(made, "status"))[-1] == "no run"
            with pytest.raises(InstrumentError, match="has no run"):
                await said(made, "pause")
            await made.device.client.create_run()
            with pytest.raises(InstrumentError, match="RunActionNotAllowed"):
                await said(made, "pause")

    clock.run(body())


def test_a_file_is_uploaded_and_analysed_by_the_robot(clock: LabClock, tmp_path: Path) -> None:
    file = tmp_path / "two.py"
    file.write_text("# two transfers\n", encoding="utf-8")

    async def body() -> None:
        async with recovery.rig(clock, NO_FAULTS) as made:
            assert (await said(made, "upload", file))[0].startswith("protocol ")
            last = (await said(made, "analyse", file))[-1]
            assert last == f"{len(recovery.ANALYSIS['commands'])} commands, 0 errors"
            with pytest.raises(BadInput, match="can't be read"):
                await said(made, "analyse", tmp_path / "none.py")
            with pytest.raises(BadInput, match="needs a file"):
                await said(made, "upload")

    clock.run(body())


def test_from_the_command_line_a_robot_says_who_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with LabClock(virtual=False) as wall:

        async def body() -> int:
            async with recovery.rig(wall, NO_FAULTS) as made, serve_http(made.tap) as port:
                return await asyncio.to_thread(main, [f"http://127.0.0.1:{port}", "status"])

        assert wall.run(body()) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("OT-3 Standard robot, serial TWIN")
    assert shown[1].startswith("left: p50_single_flex")


@pytest.mark.parametrize("address", ["tcp:192.168.0.20", "http://127.0.0.1:1"])
def test_an_address_where_no_robot_is_ends_with_2_and_a_sentence(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([address, "status"]) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0
