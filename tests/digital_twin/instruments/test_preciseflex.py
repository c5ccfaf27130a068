from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from digital_twin.instruments.preciseflex import PreciseFlexTwin
from tests.devices.line_bench import STATIONS
from tests.digital_twin.instruments.lines import Talk, talking

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
