from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from digital_twin.instruments.preciseflex import PreciseFlexTwin
from tests.devices.line_bench import STATIONS
from tests.digital_twin.instruments.lines import Talk, before_and_after, talking

READY = ("HomeAll_IfNoPlate", "attach 1")


@pytest.fixture
def talk() -> Iterator[Talk]:
    with talking(
        lambda world: PreciseFlexTwin(world, name="arm", stations=STATIONS), plate_at="hotel_1"
    ) as made:
        yield made


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (("dance",), "-2805 *Unknown command*"),
        (("",), "-2805 *Unknown command*"),
        (("PickPlate one",), "-2800 *Warning Parameter Mismatch*"),
        (("mode 0",), "0"),
        (("hp",), "0 0"),
        (("attach",), "0 0"),
        (("attach 1",), "-1046 *Power not enabled*"),
        (("hp 1", "hp"), "0 1"),
        (("PickPlate 11 0 0",), "-1046 *Power not enabled*"),
        (("hp 1", "PickPlate 11 0 0"), "-1009 *No robot attached*"),
        (("hp 1", "attach 1", "PickPlate 11 0 0"), "-1021 *Robot not homed*"),
        (("hp 1", "attach 1", "home", "PickPlate 11 0 0"), "0 -1"),
        ((*READY, "HomeAll_IfNoPlate"), "-1006 *Robot already attached*"),
        ((*READY, "PickPlate 0 0 0"), "-2820 *Invalid station index*"),
        ((*READY, "PickPlate 14 0 0"), "-2821 *Undefined station*"),
        ((*READY, "PickPlate 12 0 0"), "0 0"),
        ((*READY, "PickPlate 211 0 0"), "0 0"),
        ((*READY, "PickPlate 11 0 0"), "0 -1"),
        ((*READY, "PlacePlate 12 0 0"), "-3100 *Hard envelope error*"),
        ((*READY, "PickPlate 11 0 0", "PlacePlate 81 0 0"), "-3100 *Hard envelope error*"),
        ((*READY, "PickPlate 11 0 0", "attach 0", "HomeAll_IfNoPlate"), "0 0"),
        (("halt",), "0"),
        (("waitForEom",), "0"),
        (("locXyz 14",), "-2821 *Undefined station*"),
        (("StationType 0",), "-2820 *Invalid station index*"),
        (("StationType 4",), "0 4 1 0 50.0 0.0 10.0"),
        (("StationType 11",), "0 11 0 0 150.0 20.0 10.0"),
    ],
    ids=str,
)
def test_answers_as_the_command_server_does(talk: Talk, lines: tuple[str, ...], answer: str) -> None:
    assert talk.clock.run(talk(*lines)) == answer


def test_the_serial_number_begins_with_twin(talk: Talk) -> None:
    assert talk.clock.run(talk("pd 16000")).startswith("0 TWIN")


def test_a_lid_is_put_down_and_picked_at_its_own_level(talk: Talk) -> None:
    async def body() -> None:
        await talk(*READY, "PickPlate 81 0 0", "PlacePlate 211 0 0")
        assert talk.world.lid_of("assay_1") == "lid_1"
        assert await talk("PickPlate 211 0 0") == "0 -1"
        assert talk.world.held("arm") == "lid_1"

    talk.clock.run(body())


def test_a_motion_is_answered_when_it_is_over_and_no_second_one_is_begun(talk: Talk) -> None:
    async def body() -> None:
        await talk(*READY)
        began_s = talk.clock.now()
        picking = asyncio.create_task(talk("PickPlate 11 0 0"))
        await asyncio.sleep(1.0)
        assert await talk("PickPlate 11 0 0") == "-2852 *Invalid robot state to execute command*"
        assert await picking == "0 -1"
        assert talk.clock.now() - began_s > 5.0

    talk.clock.run(body())


def test_halting_ends_a_motion_before_it_takes_effect(talk: Talk) -> None:
    async def body() -> None:
        await talk(*READY)
        picking = asyncio.create_task(talk("PickPlate 11 0 0"))
        await asyncio.sleep(1.0)
        assert await talk("halt") == "0"
        assert await picking == "-214 *Cancelled*"
        assert talk.world.at("hotel_1") == "assay_1"

    talk.clock.run(body())


async def numbers(talk: Talk, line: str) -> list[float]:
    return [float(word) for word in (await talk(line)).split()[1:]]


def test_the_fingers_are_as_wide_as_what_they_hold(talk: Talk) -> None:
    async def body() -> None:
        await talk(*READY)
        assert (await numbers(talk, "wherej"))[4] > 100.0
        await talk("PickPlate 12 0 0")
        assert (await numbers(talk, "wherej"))[4] < 83.0
        await talk("PickPlate 11 0 0")
        assert (await numbers(talk, "wherej"))[4] == pytest.approx(85.5)
        await talk("PlacePlate 12 0 0")
        assert (await numbers(talk, "wherej"))[4] > 100.0

    talk.clock.run(body())


@pytest.mark.parametrize(("station", "sideways"), [(12, True), (5, False)])
def test_after_a_place_the_arm_stands_clear_of_its_station(talk: Talk, station: int, sideways: bool) -> None:
    async def body() -> None:
        await talk(*READY, "PickPlate 11 0 0", f"PlacePlate {station} 0 0")
        here = (await numbers(talk, "wherec"))[:3]
        there = (await numbers(talk, f"locXyz {station}"))[2:5]
        away_mm = math.dist(here[:2], there[:2])
        assert (away_mm, here[2] - there[2]) == pytest.approx((150.0, 20.0) if sideways else (0.0, 50.0))

    talk.clock.run(body())


def test_joints_and_place_agree(talk: Talk) -> None:
    async def body() -> None:
        await talk(*READY, "PickPlate 11 0 0", "PlacePlate 5 0 0")
        column, shoulder, elbow, _, _ = await numbers(talk, "wherej")
        inner, outer = math.radians(shoulder), math.radians(shoulder + elbow)
        x = 300.0 * math.cos(inner) + 290.0 * math.cos(outer)
        y = 300.0 * math.sin(inner) + 290.0 * math.sin(outer)
        assert (x, y, column) == pytest.approx(tuple((await numbers(talk, "wherec"))[:3]), abs=0.1)

    talk.clock.run(body())


def test_an_arm_in_a_world_rebuilt_from_its_ledger_holds_what_it_held_where_it_stood(tmp_path: Path) -> None:
    seen: list[str] = []

    async def before(talk: Talk) -> None:
        await talk(*READY, "PickPlate 11 0 0")
        seen.extend([await talk("wherec"), await talk("wherej")])

    async def after(talk: Talk) -> None:
        assert [await talk("wherec"), await talk("wherej")] == seen
        assert await talk("hp") == "0 1"
        # A connection's own: the new one has not attached yet.
        assert await talk("attach") == "0 0"
        assert await talk("attach 1", "PlacePlate 12 0 0") == "0"
        assert talk.world.at("hotel_2") == "assay_1"

    before_and_after(
        lambda world: PreciseFlexTwin(world, name="arm", stations=STATIONS),
        tmp_path / "ledger.jsonl",
        plate_at="hotel_1",
        before=before,
        after=after,
    )
