"""What the line devices make of what their instruments show, case by case; also what no cut can bring about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.incubator import Incubate
from devices.plate_hotel import Move
from devices.thermocycler import Heat
from lab.clock import LabClock
from lab.errors import DeviceFault, GripFault, InstrumentError
from lab.interfaces import Answer
from lab.types import JsonValue, Mark
from tests.devices.line_bench import CASES, Rig, rig
from tests.devices.line_cuts import Cut, When, broken_off, on_bench
from tests.devices.line_trials import TRIALS

CYCLER, SHAKER, ARM = CASES
HEAT = Heat(plate="assay_1", temperature_c=60.0, hold_s=30.0)
WARM = Incubate(plate="assay_1", temperature_c=37.0, hold_s=30.0, shaking_rpm=500.0)
COOL = Incubate(plate="assay_1", temperature_c=23.0, hold_s=30.0, shaking_rpm=500.0)
MOVE = Move(labware="assay_1", destination="hotel_2")


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def marks(*names: str, **details: JsonValue) -> list[Mark]:
    return [Mark(name=name, details=details, lab_time_s=0.0) for name in names]


def shows(made: Rig, **answers: str) -> None:
    """Some questions have these answers from now on."""

    async def answer(line: str) -> str:
        return answers[line] if line in answers else await made.wire.model.reply(line)

    made.wire.instead = answer


def run(case: object, clock: LabClock, body: object) -> None:
    async def whole() -> None:
        async with rig(case, clock) as made:  # type: ignore[arg-type]
            await body(made)  # type: ignore[operator]

    clock.run(whole())


@pytest.mark.parametrize(
    ("last", "block", "lid", "answer"),
    [
        ("hold", "T:none C:22.40", "T:105.00", Answer.NOT_DONE),
        ("hold", "T:none C:41.00", "T:105.00", Answer.UNKNOWN),
        ("hold", "T:none C:22.40", "T:none", Answer.UNKNOWN),
        ("hold", "T:60.00 C:22.40", "T:105.00", Answer.UNKNOWN),
        ("hold", "T:60.00 C:60.00", "T:105.00", Answer.UNKNOWN),
        ("cool", "T:25.00 C:25.20", "T:105.00", Answer.DONE),
        ("cool", "T:25.00 C:48.00", "T:105.00", Answer.UNKNOWN),
        ("cool", "T:60.00 C:60.00", "T:105.00", Answer.UNKNOWN),
        ("cool", "T:none C:25.00", "T:none", Answer.UNKNOWN),
        ("off", "T:none C:22.00", "T:none", Answer.DONE),
        ("heat_lid", "T:none C:22.00", "T:none", Answer.NOT_DONE),
    ],
)
def test_what_came_of_a_heating_by_what_the_cycler_shows(
    clock: LabClock, last: str, block: str, lid: str, answer: Answer
) -> None:
    async def body(made: Rig) -> None:
        shows(made, M105=f"M105 {block} H:0.00 Total_H:30.00 At_target?:0 OK", M141=f"M141 {lid} C:60.00 OK")
        said = await made.device.heat.reconcile(HEAT, marks(last, held_c=60.2))
        assert said.answer is answer
        assert said.result == ({"held_c": 60.2} if answer is Answer.DONE else None)

    run(CYCLER, clock, body)


@pytest.mark.parametrize(
    ("command", "last", "heater", "adapter", "clamp", "answer"),
    [
        (WARM, "warm", "0", "22.5", "1", Answer.NOT_DONE),
        (WARM, "warm", "0", "22.5", "3", Answer.UNKNOWN),
        (WARM, "warm", "0", "33.0", "1", Answer.UNKNOWN),
        (WARM, "warm", "1", "22.5", "1", Answer.UNKNOWN),
        (COOL, "warm", "1", "22.9", "1", Answer.NOT_DONE),
        (COOL, "warm", "1", "33.0", "1", Answer.UNKNOWN),
        (COOL, "shake", "1", "23.0", "1", Answer.UNKNOWN),
        (WARM, "off", "1", "37.0", "3", Answer.UNKNOWN),
        (WARM, "off", "0", "37.0", "3", Answer.DONE),
        (COOL, "off", "1", "23.0", "3", Answer.DONE),
        (WARM, "release", "0", "36.0", "3", Answer.DONE),
        (WARM, "release", "0", "36.0", "1", Answer.UNKNOWN),
    ],
)
def test_what_came_of_an_incubation_by_what_the_shaker_shows(
    clock: LabClock, command: Incubate, last: str, heater: str, adapter: str, clamp: str, answer: Answer
) -> None:
    async def body(made: Rig) -> None:
        shows(made, getTempState=heater, getTempActual=adapter, getElmState=clamp)
        said = await made.device.incubate.reconcile(command, marks(last, held_c=37.1))
        assert said.answer is answer
        assert said.result == ({"held_c": 37.1} if answer is Answer.DONE else None)
        if last == "release" and answer is Answer.UNKNOWN:
            assert said.doubtful == (), (
                "what is in the plate is not in doubt, only whether an arm can take it"
            )

    run(SHAKER, clock, body)


@pytest.mark.parametrize(
    ("last", "fingers", "here", "answer"),
    [
        ("pick", "85.4", "0 0 0", Answer.NOT_DONE),
        ("pick", "125.0", "0 0 0", Answer.NOT_DONE),
        ("pick", "88.5", "0 0 0", Answer.UNKNOWN),
        ("place", "85.4", "0 0 0", Answer.NOT_DONE),
        ("place", "125.0", "350 0 200", Answer.DONE),
        ("place", "125.0", "500 0 180", Answer.DONE),
        ("place", "125.0", "350 0 140", Answer.UNKNOWN),
        ("place", "125.0", "350 80 200", Answer.UNKNOWN),
        ("place", "81.5", "100 200 300", Answer.UNKNOWN),
    ],
)
def test_what_came_of_a_transfer_by_fingers_and_place(
    clock: LabClock, last: str, fingers: str, here: str, answer: Answer
) -> None:
    async def body(made: Rig) -> None:
        shows(made, wherej=f"0 0 0 0 0 {fingers}", wherec=f"0 {here} 0 90 180 1")
        assert await made.wire.model.reply("locXyz 12") == "0 0 12 500.000 0.000 180.000 0.000 90.000 180.000"
        said = await made.device.move.reconcile(MOVE, marks(last, start=11, station=12))
        assert said.answer is answer

    run(ARM, clock, body)


def test_a_request_lost_before_the_hold_was_set_is_told_apart_though_the_heaters_are_off_by_then(
    clock: LabClock, tmp_path: Path
) -> None:
    async def body() -> None:
        trial = TRIALS[0]
        async with on_bench(trial, clock, tmp_path / "whole.jsonl") as bench:
            await broken_off(bench, Cut(When.BEFORE, -1))
            lines = [what for kind, what in bench.trace if kind == "line"]
        hold = next(n for n, line in enumerate(lines) if line.startswith("M104"))
        async with on_bench(trial, clock, tmp_path / "cut.jsonl") as bench:
            (await broken_off(bench, Cut(When.BEFORE, hold), once=True)).lift()
            assert bench.world.state.lid_heats["thermocycler"].target_c is None
            assert bench.marks[-1].name == "hold"
            assert (await bench.recover()).answer is Answer.NOT_DONE

    clock.run(body())


@pytest.mark.parametrize("destination", ["hotel_2", "hotel_3"])
def test_what_the_gripper_holds_is_put_down_by_the_next_command_for_that_piece_only(
    clock: LabClock, destination: str
) -> None:
    async def body(made: Rig) -> None:
        made.world.act("arm", "power", on=True, referenced=True)
        made.world.act("arm", "pick", position="hotel_1")
        said = await made.device.move.reconcile(MOVE, marks("pick", station=11))
        assert said.answer is Answer.NOT_DONE
        assert said.amid
        other = Move(labware="lid_1", destination="hotel_3")
        with pytest.raises(
            InstrumentError, match=r"holds assay_1, .* take it out and put it at hotel_1"
        ) as caught:
            await made.do("move", other)
        assert caught.value.nothing_done
        await made.do("move", Move(labware="assay_1", destination=destination))
        assert made.world.at(destination) == "assay_1"
        assert [a.action for a in made.world.ledger.actions if a.action in ("pick", "place")] == [
            "pick",
            "place",
        ]

    run(ARM, clock, body)


def test_what_a_person_took_out_of_the_gripper_is_picked_up_again(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.world.act("arm", "power", on=True, referenced=True)
        made.world.act("arm", "pick", position="hotel_1")
        await made.device.move.reconcile(MOVE, marks("pick", station=11))
        made.world.act("arm", "place", position="hotel_1")
        await made.do("move", MOVE)
        assert made.world.at("hotel_2") == "assay_1"

    run(ARM, clock, body)


def test_a_gripper_that_holds_something_when_nothing_was_broken_off_is_for_a_person(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.world.act("arm", "power", on=True, referenced=True)
        made.world.act("arm", "pick", position="hotel_1")
        with pytest.raises(InstrumentError, match="the gripper holds something"):
            await made.do("move", MOVE)
        assert made.world.held("arm") == "assay_1"

    run(ARM, clock, body)


def test_what_is_dropped_between_pick_and_place_is_noticed_and_in_doubt(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        shows(made, wherej="0 0 0 0 0 81.5")
        with pytest.raises(GripFault, match="no longer in the gripper"):
            await made.do("move", MOVE)
        said = await made.device.move.reconcile(MOVE, marks("pick", station=11))
        assert said.answer is Answer.UNKNOWN

    run(ARM, clock, body)


def test_an_arm_that_felt_nothing_though_it_gripped_goes_on_with_what_it_holds(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            reply = await made.wire.model.reply(line)
            return "0 0" if line.startswith("PickPlate") else reply

        made.wire.instead = answer
        with pytest.raises(GripFault):
            await made.do("move", MOVE)
        made.wire.instead = None
        said = await made.device.move.reconcile(MOVE, marks("pick", station=11))
        assert said.answer is Answer.NOT_DONE
        await made.do("move", MOVE)
        assert made.world.at("hotel_2") == "assay_1"

    run(ARM, clock, body)


def test_an_arm_that_lost_its_power_with_a_plate_in_hand_puts_it_down_when_the_way_is_free(
    clock: LabClock,
) -> None:
    async def body(made: Rig) -> None:
        command = Move(labware="assay_1", destination="thermocycler")
        made.world.act("thermocycler", "shut", position="thermocycler", shut=True)
        with pytest.raises(DeviceFault, match="Hard envelope error"):
            await made.do("move", command)
        said = await made.device.move.reconcile(command, marks("pick", "place", start=11, station=4))
        assert said.answer is Answer.NOT_DONE
        made.world.act("thermocycler", "shut", position="thermocycler", shut=False)
        await made.do("move", command)
        assert made.world.at("thermocycler") == "assay_1"

    run(ARM, clock, body)
