from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from digital_twin.instruments.thermocycler import ThermocyclerTwin
from tests.digital_twin.instruments.lines import Talk, before_and_after, talking


@pytest.fixture
def talk() -> Iterator[Talk]:
    with talking(
        lambda world: ThermocyclerTwin(world, name="thermocycler", position="thermocycler"),
        plate_at="thermocycler",
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("M999", "ERR003:unhandled gcode OK"),
        ("M104", "ERR003:unhandled gcode OK"),
        ("M104 S120.00", "ERR407:thermal:Invalid target temperature OK"),
        ("M104 S-3.00", "ERR407:thermal:Invalid target temperature OK"),
        ("M140 S120", "ERR407:thermal:Invalid target temperature OK"),
        ("M104 S95.00 H10.00 V25", "M104 OK"),
        ("M140", "M140 OK"),
        ("M18", "M18 OK"),
        ("M14", "M14 OK"),
        ("M108", "M108 OK"),
        ("M119", "M119 Lid:open Seal:retracted OK"),
        ("M105", "M105 T:none C:22.00 H:none Total_H:none At_target?:0 OK"),
        ("M141", "M141 T:none C:22.00 OK"),
    ],
)
def test_answers_as_the_firmware_does(talk: Talk, line: str, answer: str) -> None:
    assert talk.clock.run(talk(line)) == answer


def test_the_serial_number_begins_with_twin(talk: Talk) -> None:
    assert re.fullmatch(r"M115 FW:\S+ HW:\S+ SerialNo:TWIN\S* OK", talk.clock.run(talk("M115")))


def test_the_hold_counts_down_only_once_the_block_has_arrived(talk: Talk) -> None:
    async def body() -> None:
        await talk("M104 S82.00 H60.00")
        await asyncio.sleep(5.0)
        assert "H:60.00 Total_H:60.00 At_target?:0" in await talk("M105")
        await asyncio.sleep(45.0)
        there = await talk("M105")
        assert "At_target?:1" in there
        left_s = re.search(r" H:([\d.]+)", there)
        assert left_s is not None
        assert 20.0 < float(left_s[1]) < 45.0
        await asyncio.sleep(60.0)
        assert "H:0.00" in await talk("M105")

    talk.clock.run(body())


def test_the_lid_answers_when_it_has_moved_and_refuses_a_second_command_meanwhile(talk: Talk) -> None:
    async def body() -> None:
        began_s = talk.clock.now()
        closing = asyncio.create_task(talk("M127"))
        await asyncio.sleep(3.0)
        assert "Lid:in_between" in await talk("M119")
        assert await talk("M126") == "ERR501:lid:Lid motor busy OK"
        assert await closing == "M127 OK"
        assert talk.clock.now() - began_s > 5.0
        assert "Lid:closed" in await talk("M119")

    talk.clock.run(body())


def test_the_heated_lid_warms_and_cools_in_time(talk: Talk) -> None:
    async def lid_c() -> float:
        found = re.search(r"C:([\d.]+)", await talk("M141"))
        assert found is not None
        return float(found[1])

    async def body() -> None:
        await talk("M140 S105")
        await asyncio.sleep(60.0)
        assert 45.0 < await lid_c() < 60.0
        await asyncio.sleep(600.0)
        assert await lid_c() == 105.0
        await talk("M108")
        await asyncio.sleep(600.0)
        assert 45.0 < await lid_c() < 60.0

    talk.clock.run(body())


def test_lid_hold_and_lid_heater_are_as_they_were_in_a_world_rebuilt_from_its_ledger(tmp_path: Path) -> None:
    async def before(talk: Talk) -> None:
        await talk("M127", "M140 S105.00", "M104 S82.00 H60.00")

    async def after(talk: Talk) -> None:
        assert "Lid:closed" in await talk("M119")
        assert (await talk("M141")).startswith("M141 T:105.00 C:22.")
        assert "T:82.00" in await talk("M105")
        await asyncio.sleep(40.0)
        left_s = re.search(r" H:([\d.]+) Total_H:60.00 At_target\?:1", await talk("M105"))
        assert left_s is not None
        assert 30.0 < float(left_s[1]) < 45.0

    before_and_after(
        lambda world: ThermocyclerTwin(world, name="thermocycler", position="thermocycler"),
        tmp_path / "ledger.jsonl",
        plate_at="thermocycler",
        before=before,
        after=after,
    )
