"""The three line devices on their twins: what they do to the world, how many lines it takes, and how failures end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from devices.incubator import Incubate
from devices.incubator.bioshake import BioShake
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.thermocycler import CloseLid, Heat, OpenLid
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandTimeout,
    DeviceFault,
    GripFault,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    NonsenseReply,
    TemperatureNotReached,
)
from lab.recovery import time_limit_s
from tests.devices.line_bench import CASES, Case, Rig, rig

CYCLER, SHAKER, ARM = CASES


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


# --------------------------------------------------------------------------------------------------------- thermocycler


def test_heating_holds_the_block_for_the_stated_time_and_leaves_everything_off(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        result = await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0))
        assert result["held_c"] == pytest.approx(82.0, abs=0.5)
        assert made.world.is_shut("thermocycler")
        assert made.world.state.climates["thermocycler"].set_c is None
        # Room to 82 C in about 17 s, ten minutes, back to 25 C in about 29 s; before that the lid closes and heats.
        assert 600.0 + 17.0 + 29.0 + 150.0 < made.clock.now() < 600.0 + 17.0 + 29.0 + 250.0
        told = [a for a in made.world.ledger.actions if a.action == "set_temperature"]
        assert [a.arguments["temperature_c"] for a in told] == [82.0, 25.0, None]
        held_s = told[1].lab_time_s - told[0].lab_time_s
        assert 615.0 < held_s < 630.0

    run(CYCLER, clock, body)


def test_ten_minutes_of_heating_take_few_lines(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        before = len(made.wire.sent)
        await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0))
        assert len(made.wire.sent) - before < 30

    run(CYCLER, clock, body)


def test_the_stated_duration_of_heating_is_near_the_true_one(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        command = Heat(plate="assay_1", temperature_c=70.0, hold_s=300.0)
        expected_s = made.device.heat.duration_s(command, made.bench)
        await made.do("heat", command)
        assert made.clock.now() == pytest.approx(expected_s, rel=0.1)

    run(CYCLER, clock, body)


def test_a_lid_fault_in_the_middle_of_heating_turns_the_heaters_off(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            if line == "M105":
                return "ERR402:thermal:Could not activate peltier OK"
            return await made.wire.model.reply(line)

        made.wire.instead = answer
        with pytest.raises(InstrumentError, match="error 402"):
            await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0))
        assert made.world.state.climates["thermocycler"].set_c is None
        assert made.wire.sent[-1] == "M18"

    run(CYCLER, clock, body)


def test_when_turning_off_fails_too_both_errors_are_kept(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.wire.says("ERR502:lid:Lid motor fault OK")
        with pytest.raises(LidFault) as caught:
            await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0))
        assert any("safe state was not reached" in note for note in caught.value.__notes__)

    run(CYCLER, clock, body)


def test_giving_up_on_a_heating_turns_the_heaters_off(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        status = made.device.heat.set(Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0))
        await asyncio.sleep(400.0)
        assert made.world.temperature_c("thermocycler") == pytest.approx(82.0, abs=0.5)
        status.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await status
        assert made.world.state.climates["thermocycler"].set_c is None

    run(CYCLER, clock, body)


def test_a_block_that_stays_short_is_known_before_the_watchdog_and_the_heaters_are_off(
    clock: LabClock,
) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            if line == "M105":
                return "M105 T:82.00 C:60.00 H:60.00 Total_H:60.00 At_target?:0 OK"
            return await made.wire.model.reply(line)

        command = Heat(plate="assay_1", temperature_c=82.0, hold_s=60.0)
        limit_s = time_limit_s(made.device.heat.duration_s(command, made.bench))
        made.wire.instead = answer
        with pytest.raises(TemperatureNotReached, match="the block does not come to 82 C"):
            await made.do("heat", command)
        assert made.clock.now() < limit_s - 100.0
        assert made.world.state.climates["thermocycler"].set_c is None

    run(CYCLER, clock, body)


def test_a_block_that_gets_nearer_all_too_slowly_is_ended_by_the_watchdog(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        asked: list[float] = []

        async def answer(line: str) -> str:
            if line != "M105":
                return await made.wire.model.reply(line)
            asked.append(made.clock.now())
            return f"M105 T:82.00 C:{16.0 + 5.6 * len(asked):.2f} H:60.00 Total_H:60.00 At_target?:0 OK"

        made.wire.instead = answer
        with pytest.raises(CommandTimeout, match="heat did not end"):
            await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=60.0))
        assert len(asked) > 3
        assert made.world.state.climates["thermocycler"].set_c is None

    run(CYCLER, clock, body)


def test_a_lid_that_stays_cold_is_known_before_the_block_is_told_anything(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            if line == "M141":
                return "M141 T:105.00 C:40.00 OK"
            return await made.wire.model.reply(line)

        made.wire.instead = answer
        with pytest.raises(TemperatureNotReached, match="the lid does not come to 105 C"):
            await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=60.0))
        assert not [a for a in made.world.ledger.actions if a.action == "set_temperature"]

    run(CYCLER, clock, body)


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("ERR501:lid:Lid motor busy OK", InstrumentBusy),
        ("ERR502:lid:Lid motor fault OK", LidFault),
        ("ERR505:seal:Seal motor fault OK", InstrumentError),
    ],
)
def test_what_is_wrong_with_a_lid_is_told_by_the_instruments_words(
    clock: LabClock, reply: str, fault: type[DeviceFault]
) -> None:
    async def body(made: Rig) -> None:
        made.wire.says(reply)
        with pytest.raises(DeviceFault) as caught:
            await made.do("close_lid", CloseLid())
        assert type(caught.value) is fault
        assert caught.value.nothing_done is (fault is InstrumentBusy)

    run(CYCLER, clock, body)


def test_a_lid_that_says_ok_and_stays_is_a_lid_fault(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            return "M127 OK" if line == "M127" else await made.wire.model.reply(line)

        made.wire.instead = answer
        with pytest.raises(LidFault, match="open where it should be closed"):
            await made.do("close_lid", CloseLid())

    run(CYCLER, clock, body)


def test_a_busy_block_at_the_end_of_a_hold_is_no_refusal_of_the_whole(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            if line == "M104 S25.00":
                return "ERR401:thermal:Thermal plate busy OK"
            return await made.wire.model.reply(line)

        made.wire.instead = answer
        with pytest.raises(InstrumentError) as caught:
            await made.do("heat", Heat(plate="assay_1", temperature_c=82.0, hold_s=60.0))
        assert not caught.value.nothing_done

    run(CYCLER, clock, body)


@pytest.mark.parametrize(("from_c", "down"), [(60.0, True), (98.0, False)])
def test_a_block_on_its_way_down_is_left_to_it_for_a_while_before_it_is_turned_off(
    clock: LabClock, from_c: float, down: bool
) -> None:
    async def body(made: Rig) -> None:
        for line in (f"M104 S{from_c:.2f} H1.00", "M140 S105.00"):
            await made.wire.model.reply(line)
        await asyncio.sleep(60.0)
        await made.wire.model.reply("M104 S25.00")
        began_s = made.clock.now()
        await made.device.safe()
        assert made.clock.now() - began_s < 30.0
        assert (made.world.temperature_c("thermocycler") < 26.5) is down
        assert made.world.state.climates["thermocycler"].set_c is None
        assert made.world.state.lid_heats["thermocycler"].target_c is None

    run(CYCLER, clock, body)


def test_a_hot_block_is_turned_off_at_once(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.wire.model.reply("M104 S82.00 H600.00")
        await asyncio.sleep(60.0)
        began_s = made.clock.now()
        await made.device.safe()
        assert made.clock.now() - began_s < 1.0
        assert made.world.state.climates["thermocycler"].set_c is None

    run(CYCLER, clock, body)


def test_opening_and_closing_are_states_not_movements(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        for command, shut in ((CloseLid(), True), (CloseLid(), True), (OpenLid(), False), (OpenLid(), False)):
            await made.do(command.verb, command)
            assert made.world.is_shut("thermocycler") is shut
            assert await made.device.lid.get_value() == ("closed" if shut else "open")
        assert len(made.world.ledger.actions) == 2

    run(CYCLER, clock, body)


def test_signals_that_ask_the_same_share_one_line(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        before = len(made.wire.sent)
        both = await asyncio.gather(*(made.device.temperature_c.get_value() for _ in range(5)))
        assert len(set(both)) == 1
        assert len(made.wire.sent) - before == 1

    run(CYCLER, clock, body)


@pytest.mark.parametrize(
    "reply", ["M105 T:none C:warm H:none OK", "M105 C:nan OK", "M105 T:none OK", "M141 C:20 OK"]
)
def test_a_reading_that_is_no_number_is_nonsense(clock: LabClock, reply: str) -> None:
    async def body(made: Rig) -> None:
        made.wire.says(reply)
        with pytest.raises(NonsenseReply, match="thermocycler: "):
            await made.device.temperature_c.get_value()

    run(CYCLER, clock, body)


def test_a_lid_state_that_nobody_knows_is_nonsense(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.wire.says("M119 Lid:ajar Seal:retracted OK")
        with pytest.raises(NonsenseReply):
            await made.device.lid.get_value()

    run(CYCLER, clock, body)


def test_a_subscriber_gets_readings_until_it_leaves(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        seen: list[float] = []
        watch = lambda reading: seen.append(reading["thermocycler-temperature_c"]["value"])  # noqa: E731
        made.device.temperature_c.subscribe_reading(watch)
        await asyncio.sleep(12.0)
        made.device.temperature_c.clear_sub(watch)
        assert len(seen) == 3
        await asyncio.sleep(30.0)
        assert len(seen) == 3

    run(CYCLER, clock, body)


def test_signals_cannot_be_set(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        assert not hasattr(made.device.temperature_c, "set")

    run(CYCLER, clock, body)


# --------------------------------------------------------------------------------------------------------------- shaker


def test_incubating_shakes_for_the_stated_time_and_leaves_the_plate_free(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        command = Incubate(plate="assay_1", temperature_c=37.0, hold_s=300.0, shaking_rpm=800.0)
        expected_s = made.device.incubate.duration_s(command, made.bench)
        result = await made.do("incubate", command)
        assert result["held_c"] == pytest.approx(37.0, abs=0.6)
        assert made.clock.now() == pytest.approx(expected_s, rel=0.2)
        shaken = [a for a in made.world.ledger.actions if a.action == "shake"]
        assert [a.arguments["rpm"] for a in shaken] == [800.0, 0.0]
        assert shaken[1].lab_time_s - shaken[0].lab_time_s == pytest.approx(300.0)
        assert not made.world.is_shut("shaker")
        assert made.world.state.climates["shaker"].set_c is None
        assert await made.device.motion.get_value() == "home"
        assert await made.device.clamp.get_value() == "unlocked"

    run(SHAKER, clock, body)


def test_an_hour_of_incubation_takes_few_lines(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        before = len(made.wire.sent)
        await made.do(
            "incubate", Incubate(plate="assay_1", temperature_c=30.0, hold_s=3600.0, shaking_rpm=500.0)
        )
        assert len(made.wire.sent) - before < 40

    run(SHAKER, clock, body)


def test_a_still_incubation_never_shakes(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.do(
            "incubate", Incubate(plate="assay_1", temperature_c=25.0, hold_s=60.0, shaking_rpm=None)
        )
        assert not [a for a in made.world.ledger.actions if a.action == "shake"]

    run(SHAKER, clock, body)


def test_a_refusal_says_which_errors_the_shaker_has(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            if line.startswith("get"):
                return "{e304}" if line == "getErrorList" else await made.wire.model.reply(line)
            return "e"

        made.wire.instead = answer
        with pytest.raises(InstrumentError, match="e304"):
            await made.do(
                "incubate", Incubate(plate="assay_1", temperature_c=25.0, hold_s=1.0, shaking_rpm=500.0)
            )

    run(SHAKER, clock, body)


@pytest.mark.parametrize(
    ("errors", "state", "fault"),
    [("{e306}", "9", LidFault), ("{e303}", "3", InstrumentBusy), ("{e301}", "3", InstrumentError)],
)
def test_why_a_clamp_does_not_move_is_told_by_its_state_and_its_last_error(
    clock: LabClock, errors: str, state: str, fault: type[DeviceFault]
) -> None:
    async def body(made: Rig) -> None:
        answers = {"setElmLockPos": "e", "getErrorList": errors, "getElmState": state}

        async def answer(line: str) -> str:
            return answers[line] if line in answers else await made.wire.model.reply(line)

        made.wire.instead = answer
        with pytest.raises(DeviceFault) as caught:
            await made.do(
                "incubate", Incubate(plate="assay_1", temperature_c=25.0, hold_s=1.0, shaking_rpm=500.0)
            )
        assert type(caught.value) is fault

    run(SHAKER, clock, body)


def test_an_adapter_that_stays_short_is_known_before_the_watchdog(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        async def answer(line: str) -> str:
            return "33.0" if line == "getTempActual" else await made.wire.model.reply(line)

        command = Incubate(plate="assay_1", temperature_c=37.0, hold_s=60.0, shaking_rpm=500.0)
        limit_s = time_limit_s(made.device.incubate.duration_s(command, made.bench))
        made.wire.instead = answer
        with pytest.raises(TemperatureNotReached, match="the adapter does not come to 37 C"):
            await made.do("incubate", command)
        assert made.clock.now() < limit_s - 100.0
        assert made.world.state.climates["shaker"].set_c is None

    run(SHAKER, clock, body)


@pytest.mark.parametrize(
    ("lines", "after_s"),
    [
        (("setElmLockPos",), 0.5),
        (("setElmLockPos", "setTempTarget370", "tempOn"), 40.0),
        (("setElmLockPos", "shakeOnWithRuntime600"), 6.0),
        (("setElmLockPos", "shakeOnWithRuntime600"), 100.0),
        (("setElmLockPos", "shakeOnWithRuntime600", "shakeOff"), 15.0),
    ],
    ids=["clamping", "warming", "accelerating", "shaking", "stopping"],
)
def test_from_any_state_the_safe_shaker_is_at_home_with_an_open_clamp_within_30_s(
    clock: LabClock, lines: tuple[str, ...], after_s: float
) -> None:
    async def body(made: Rig) -> None:
        async def told() -> None:
            for line in lines:
                await made.wire.model.reply(line)

        task = asyncio.create_task(told())
        await asyncio.sleep(after_s)
        began_s = made.clock.now()
        await made.device.safe()
        assert made.clock.now() - began_s < 30.0
        await task
        assert not made.world.is_shut("shaker")
        assert made.world.state.shaking_rpm.get("shaker", 0.0) == 0.0
        assert made.world.state.climates["shaker"].set_c is None
        assert made.world.act("arm", "pick", position="shaker") == "assay_1"

    run(SHAKER, clock, body)


def test_giving_up_on_an_incubation_stops_shaking_and_heating(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        status = made.device.incubate.set(
            Incubate(plate="assay_1", temperature_c=25.0, hold_s=3600.0, shaking_rpm=500.0)
        )
        await asyncio.sleep(600.0)
        assert made.world.state.shaking_rpm["shaker"] == 500.0
        status.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await status
        assert made.world.state.shaking_rpm["shaker"] == 0.0
        assert made.world.state.climates["shaker"].set_c is None

    run(SHAKER, clock, body)


def test_a_speed_below_the_makers_is_refused_and_none_is_not(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        slow = Incubate(plate="assay_1", temperature_c=25.0, hold_s=1.0, shaking_rpm=100.0)
        still = Incubate(plate="assay_1", temperature_c=25.0, hold_s=1.0, shaking_rpm=None)
        assert made.device.incubate.problems(slow, made.bench) == (
            "shaker: shaking_rpm 100 is outside 200 to 3000.",
        )
        assert made.device.incubate.problems(still, made.bench) == ()

    run(SHAKER, clock, body)


def test_a_plate_that_stands_elsewhere_is_a_problem(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.bench.move("assay_1", "hotel_2")
        problems = made.device.incubate.problems(
            Incubate(plate="assay_1", temperature_c=25.0, hold_s=1.0, shaking_rpm=None), made.bench
        )
        assert problems == ("assay_1 does not stand on shaker.",)

    run(SHAKER, clock, body)


def test_a_misspelt_limit_is_bad_input() -> None:
    with pytest.raises(BadInput, match="shaking_rpms"):
        BioShake("shaker", None, limits={"shaking_rpms": (200.0, 300.0)})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------------ arm


def test_a_plate_and_its_lid_go_where_they_are_told(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.do("put_lid", PutLid(lid="lid_1", plate="assay_1"))
        assert made.world.lid_of("assay_1") == "lid_1"
        await made.do("move", Move(labware="assay_1", destination="thermocycler"))
        assert made.world.at("thermocycler") == "assay_1"
        assert made.world.at("hotel_1") is None
        await made.do("take_lid", TakeLid(plate="assay_1", destination="hotel_3"))
        assert made.world.lid_of("assay_1") is None
        assert made.world.at("hotel_3") == "lid_1"
        await made.do("move", Move(labware="lid_1", destination="lids_1"))
        assert made.world.at("lids_1") == "lid_1"

    run(ARM, clock, body)


def test_what_is_done_already_sends_nothing(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.do("put_lid", PutLid(lid="lid_1", plate="assay_1"))
        before = len(made.wire.sent)
        await made.do("put_lid", PutLid(lid="lid_1", plate="assay_1"))
        await made.do("move", Move(labware="assay_1", destination="hotel_1"))
        assert len(made.wire.sent) == before

    run(ARM, clock, body)


def test_the_arm_is_referenced_once_and_a_transfer_is_two_motions(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.do("move", Move(labware="assay_1", destination="hotel_2"))
        assert [line for line in made.wire.sent if "Home" in line] == ["HomeAll_IfNoPlate"]
        before = len(made.wire.sent)
        await made.do("move", Move(labware="assay_1", destination="hotel_3"))
        # Between the two the gripper is felt: it may have dropped what it picked up.
        assert made.wire.sent[before:] == ["PickPlate 12 0 0", "waitForEom", "wherej", "PlacePlate 13 0 0"]

    run(ARM, clock, body)


def test_an_empty_nest_is_noticed_by_the_gripper(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.bench.move("assay_1", "hotel_2")
        with pytest.raises(
            GripFault, match=r"station 12\. assay_1 belongs at hotel_2; if it fell, put it back"
        ):
            await made.do("move", Move(labware="assay_1", destination="hotel_3"))
        assert made.world.at("hotel_1") == "assay_1"

    run(ARM, clock, body)


def test_reaching_into_a_closed_instrument_is_a_collision_that_costs_the_power(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        made.world.act("thermocycler", "shut", position="thermocycler", shut=True)
        with pytest.raises(InstrumentError, match="Hard envelope error"):
            await made.do("move", Move(labware="assay_1", destination="thermocycler"))
        assert made.world.held("arm") == "assay_1"
        assert await made.device.powered.get_value() is False
        with pytest.raises(InstrumentError, match="the gripper holds something"):
            await made.do("move", Move(labware="assay_1", destination="hotel_2"))

    run(ARM, clock, body)


def test_stopping_halts_a_transfer_on_its_way(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        await made.do("move", Move(labware="assay_1", destination="hotel_2"))
        status = made.device.move.set(Move(labware="assay_1", destination="hotel_3"))
        await asyncio.sleep(2.0)
        status.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await status
        await asyncio.sleep(60.0)
        assert made.world.at("hotel_2") == "assay_1"
        assert made.world.held("arm") is None

    run(ARM, clock, body)


def test_positions_without_a_station_are_a_problem_for_the_arm_alone(clock: LabClock) -> None:
    async def body(made: Rig) -> None:
        command = Move(labware="assay_1", destination="deck_tips_1")
        assert tuple(command.problems(made.bench)) == ()
        assert made.device.move.problems(command, made.bench) == (
            "arm: the arm has no station at deck_tips_1.",
        )

    run(ARM, clock, body)


def run(case: Case, clock: LabClock, body: object) -> None:
    async def whole() -> None:
        async with rig(case, clock) as made:
            await body(made)  # type: ignore[operator]

    clock.run(whole())
