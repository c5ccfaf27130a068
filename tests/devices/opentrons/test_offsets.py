"""Labware offsets of the workcell file: told to each run, held against what it keeps, and used; nonsense is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from devices.opentrons_robot.kit import OT2, RobotKit
from devices.opentrons_robot.offsets import MOST_MM
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from lab.clock import LabClock
from lab.errors import BadInput, InstrumentError
from tests.devices.opentrons.api_document import document, hold_exchange
from tests.devices.opentrons.robot_bench import (
    NAME,
    ON_DECK,
    SETTINGS,
    Rig,
    Tap,
    commands_for,
    make_world,
    rig,
)

POSITIONS = [f"deck_{name}" for name in ON_DECK]

OFFSETS = {
    "deck_tips_small": {"x": 0.3, "y": -0.2, "z": 0.1},
    "deck_library": {"x": -0.4, "z": 0.5},
    "deck_assay_2": {"y": 0.6},
}


def kit_with(offsets: Any) -> RobotKit:
    return RobotKit.from_settings({**SETTINGS[OT2], "labware_offsets": offsets}, positions=POSITIONS)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@asynccontextmanager
async def rig_with(clock: LabClock, offsets: Any) -> AsyncIterator[Rig]:
    kit = kit_with(offsets)
    bench, world = make_world(clock, OT2)
    twin = OpentronsTwin(world, name=NAME, kit=kit)
    tap = Tap(twin)
    wire = Wire("http://twin", app=tap)
    device = OpentronsRobot(NAME, wire, kit=kit, bench=bench)
    await device.connect()
    try:
        yield Rig(clock, OT2, bench, world, twin, tap, device, wire)
    finally:
        await device.disconnect()
        world.close()


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ([], "settings.labware_offsets"),
        ({"deck_libary": {"x": 0.1}}, "settings.labware_offsets.deck_libary"),
        ({"deck_library": [0.1, 0.2, 0.0]}, "settings.labware_offsets.deck_library"),
        ({"deck_library": {"x": 0.1, "up": 2}}, "settings.labware_offsets.deck_library"),
        ({"deck_library": {"x": "0.1"}}, "settings.labware_offsets.deck_library.x"),
        ({"deck_library": {"z": True}}, "settings.labware_offsets.deck_library.z"),
        ({"deck_library": {"y": float("nan")}}, "settings.labware_offsets.deck_library.y"),
        ({"deck_library": {"y": -MOST_MM - 0.1}}, "settings.labware_offsets.deck_library.y"),
    ],
)
def test_what_is_no_offset_is_refused_with_its_place(written: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        kit_with(written)
    assert refused.value.field == field
    assert refused.value.way_out


def test_an_offset_that_would_lead_to_another_well_is_refused_with_the_reason() -> None:
    with pytest.raises(BadInput, match=r"9 mm is no small correction: beyond 4\.5 mm, half the way"):
        kit_with({"deck_library": {"x": 9}})


def told(made: Rig) -> list[dict[str, Any]]:
    """The offsets that runs were told, however it was."""
    found: list[dict[str, Any]] = []
    for exchange in made.tap.seen:
        data = json.loads(exchange.body)["data"] if exchange.body else {}
        if exchange.method == "POST" and exchange.path == "/runs":
            found += data.get("labwareOffsets", [])
        elif exchange.path.endswith("/labware_offsets"):
            found.append(data)
    return found


def test_a_run_is_told_the_offsets_of_what_stands_on_the_deck_and_goes_by_them(clock: LabClock) -> None:
    async def body() -> None:
        positions = []
        for offsets in ({}, OFFSETS):
            async with rig_with(clock, offsets) as made:
                for command in commands_for(OT2)[:2]:
                    await made.do(command)
                where = {}
                for exchange in made.tap.seen:
                    answer = json.loads(exchange.answer).get("data")
                    if isinstance(answer, dict) and answer.get("commandType") == "aspirate":
                        params = answer["params"]
                        where[params["labwareId"], params["wellName"]] = answer["result"]["position"]
                positions.append(where)
                by_slot = {one["location"]["slotName"]: one["vector"] for one in told(made)}
                assert by_slot == (
                    {}
                    if not offsets
                    else {
                        "1": {"x": 0.3, "y": -0.2, "z": 0.1},
                        "4": {"x": -0.4, "y": 0.0, "z": 0.5},
                        "6": {"x": 0.0, "y": 0.6, "z": 0.0},
                    }
                )
        nominal, corrected = positions
        for place in (("library", "A1"), ("library", "B1")):
            moved = {axis: corrected[place][axis] - nominal[place][axis] for axis in "xyz"}
            assert moved == pytest.approx({"x": -0.4, "y": 0.0, "z": 0.5})

    clock.run(body())


def test_labware_that_comes_to_a_position_later_has_the_offset_of_the_position(clock: LabClock) -> None:
    first, second = commands_for(OT2)[0], replace(commands_for(OT2)[1], targets=(("assay_1", "C1", 5.0),))

    async def body() -> None:
        async with rig_with(clock, {"deck_assay_2": {"x": 0.2}}) as made:
            await made.do(first)
            made.bench.move("assay_2", "shelf")
            made.bench.move("assay_1", "deck_assay_2")
            made.world.state.pieces["assay_2"].position = "shelf"
            made.world.state.pieces["assay_1"].position = "deck_assay_2"
            await made.do(second)
            run = await made.device.client.current_run()
            assert run is not None
            item = made.twin._runs[run.id].engine.labware["assay_1"]
            assert item.offset_mm == (0.2, 0.0, 0.0)

    clock.run(body())


@pytest.mark.parametrize("what", ["forgets it", "keeps another", "does not use it"])
def test_a_robot_that_does_not_do_with_an_offset_as_it_was_told_moves_nothing(
    clock: LabClock, what: str
) -> None:
    async def body() -> None:
        async with rig_with(clock, OFFSETS) as made:
            await made.device.safe()
            since = len(made.world.ledger.actions)

            async def spoil(number: int, scope: Any, send: Any, go_on: Any) -> None:
                if what == "does not use it":
                    if scope["path"].endswith("/commands"):
                        for run in made.twin._runs.values():
                            run.engine.offsets.clear()
                    await go_on()
                    return
                await go_on()
                for run in made.twin._runs.values():
                    if what == "forgets it":
                        run.offsets.clear()
                    for one in run.offsets:
                        one["vector"] = {"x": 9.0, "y": 0.0, "z": 0.0}

            made.device._session.forget()
            made.tap.spoil = spoil
            with pytest.raises(InstrumentError, match="labware offset") as caught:
                await made.do(commands_for(OT2)[0])
            assert caught.value.nothing_done
            assert len(made.world.ledger.actions) == since

    clock.run(body())


def test_an_offset_that_is_not_true_makes_the_twin_touch_the_well(clock: LabClock) -> None:
    async def body() -> None:
        async with rig_with(clock, {"deck_library": {"x": 3.5, "y": 0.0}}) as made:
            with pytest.raises(InstrumentError, match="Stall or Collision"):
                await made.do(commands_for(OT2)[0])

    clock.run(body())


def test_runs_and_offsets_are_as_the_robots_own_document_has_them(clock: LabClock) -> None:
    document()

    async def body() -> list[Any]:
        async with rig_with(clock, OFFSETS) as made:
            await made.do(commands_for(OT2)[0])
            return made.tap.seen

    runs = [one for one in clock.run(body()) if one.path.startswith("/runs") and "/commands" not in one.path]
    assert any(json.loads(one.body)["data"].get("labwareOffsets") for one in runs if one.method == "POST")
    for exchange in runs:
        body_sent = json.loads(exchange.body) if exchange.body else None
        answer = json.loads(exchange.answer)
        hold_exchange(exchange.method, exchange.path, {}, body_sent, exchange.status, answer)


def test_without_offsets_a_run_is_made_as_before(clock: LabClock) -> None:
    async def body() -> None:
        async with rig(clock, OT2) as made:
            await made.do(commands_for(OT2)[0])
            assert told(made) == []

    clock.run(body())
