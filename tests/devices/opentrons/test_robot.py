"""The device: connecting, what it refuses, its safe state, and how it shares a robot with others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.opentrons_robot.kit import FLEX, OT2, RobotKit
from devices.opentrons_robot.moves import Unplannable, parts_of
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.faults import FaultRule, FaultScript, Moment
from digital_twin.instruments.opentrons_faults import OPENTRONS_FAULTS
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandBrokenOff,
    DeviceFault,
    FaultKind,
    InstrumentBusy,
    InstrumentError,
    OutOfRange,
    StaleLease,
)
from lab.interfaces import Answer
from lab.types import Mark, Origin
from tests.devices.broken_off import Breaker, try_once
from tests.devices.opentrons.robot_bench import (
    NAME,
    SETTINGS,
    commands_for,
    rig,
    robot_kit,
    robot_world_bench,
)
from tests.devices.opentrons.robot_truth import RobotTruth, hold_against

PACE = 200.0
"""Lab seconds per wall second where a socket is in it."""

ROWS = "ABCDEFGH"

models = pytest.mark.parametrize("model", [OT2, FLEX])


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@models
def test_it_says_who_it_is_and_connecting_moves_nothing(clock: LabClock, model: str) -> None:
    async def body() -> None:
        async with rig(clock, model) as made:
            identity = await made.device.identify()
            assert (identity.vendor, identity.model, identity.origin) == ("Opentrons", model, Origin.TWIN)
            assert identity.serial.startswith("TWIN")
            configuration = await made.device.read_configuration()
            assert configuration[f"{NAME}-origin"]["value"] == "twin"
            assert not made.world.ledger.actions
            assert made.tap.commands == 0

    clock.run(body())


@models
def test_over_a_socket_every_verb_does_what_it_does_in_process(model: str) -> None:
    tips: dict[bool, list[Any]] = {}
    ledgers: dict[bool, list[Any]] = {}
    for socket in (False, True):
        with LabClock(virtual=True, pace=PACE if socket else None) as clock:

            async def body(clock: LabClock = clock, socket: bool = socket) -> None:
                async with rig(clock, model, socket=socket) as made:
                    tips[socket] = [(await made.do(command))["tips"] for command in commands_for(model)]
                    ledgers[socket] = [
                        (a.instrument, a.action, a.arguments) for a in made.world.ledger.actions
                    ]

            clock.run(body())
    assert tips[True] == tips[False]
    assert ledgers[True] == ledgers[False]
    assert len(ledgers[True]) > 30


@models
def test_wells_hold_what_was_asked_for_but_for_the_inaccuracy_of_pipetting(
    clock: LabClock, model: str
) -> None:
    async def body() -> None:
        async with rig(clock, model) as made:
            for command in commands_for(model):
                expected_s = getattr(made.device, command.verb).duration_s(command, made.bench)
                began_s = clock.now()
                await made.do(command)
                assert 0.4 * expected_s < clock.now() - began_s < 1.5 * expected_s + 10.0
            for labware in ("library", "assay_1", "assay_2"):
                for well, contents in made.bench.labware[labware].wells.items():
                    assert made.world.volume_ul(labware, well) == pytest.approx(
                        contents.volume_ul, rel=0.2, abs=0.5
                    )
            for rack in ("tips_small", "tips_large"):
                assert made.world.state.pieces[rack].tips == set(made.bench.labware[rack].tips)

    clock.run(body())


def test_whole_columns_are_served_by_eight_channels_and_single_wells_by_one(clock: LabClock) -> None:
    bench, kit = robot_world_bench(OT2), robot_kit(OT2)
    whole, single = commands_for(OT2)[2], commands_for(OT2)[3]
    assert {move.mount for part in parts_of(whole, bench, kit) for move in part.moves} == {"right"}
    assert {move.mount for part in parts_of(single, bench, kit) for move in part.moves} == {"left"}


def test_eight_channels_that_find_no_whole_column_of_tips_are_not_used() -> None:
    bench, kit = robot_world_bench(OT2), robot_kit(OT2)
    bench.use_tips([("tips_large", "A1")])
    with pytest.raises(Unplannable, match="No pipette with 1 channel takes tips of 300 ul"):
        parts_of(commands_for(OT2)[2], bench, kit)


def test_what_its_pipettes_can_not_do_is_refused_by_the_dry_run_and_before_anything_is_sent(
    clock: LabClock,
) -> None:
    too_little = Distribute(
        source_labware="library", source_well="A1", targets=(("assay_1", "A1", 0.5),), tip_volume_ul=20.0
    )
    no_such_tips = replace(too_little, tip_volume_ul=50.0, targets=(("assay_1", "A1", 5.0),))
    weak_mixing = Mix(labware="assay_2", wells=("A1",), volume_ul=0.6, cycles=2, tip_volume_ul=20.0)
    on_a_shelf = replace(too_little, targets=(("assay_1", "A1", 5.0),))

    async def body() -> None:
        async with rig(clock, OT2) as made:
            dry = made.bench.copy()
            dry.move("assay_1", "shelf")
            asked = len(made.tap.asked)
            for command, bench in (
                (too_little, made.bench),
                (no_such_tips, made.bench),
                (weak_mixing, made.bench),
                (on_a_shelf, dry),
            ):
                assert getattr(made.device, command.verb).problems(command, bench), command
            for command in (too_little, no_such_tips, weak_mixing):
                with pytest.raises(OutOfRange):
                    await made.do(command)
            assert len(made.tap.asked) == asked

    clock.run(body())


def test_labware_that_was_moved_is_found_where_it_stands_now(clock: LabClock) -> None:
    first, second = commands_for(OT2)[0], replace(commands_for(OT2)[1], targets=(("assay_1", "C1", 5.0),))

    async def body() -> None:
        async with rig(clock, OT2) as made:
            await made.do(first)
            for holder in (
                made.bench,
                made.world.state.bench if hasattr(made.world.state, "bench") else None,
            ):
                if holder is not None:
                    holder.move("assay_2", "shelf")
                    holder.move("assay_1", "deck_assay_2")
            made.world.state.pieces["assay_2"].position = "shelf"
            made.world.state.pieces["assay_1"].position = "deck_assay_2"
            await made.do(second)
            assert made.world.volume_ul("assay_1", "C1") == pytest.approx(5.0, rel=0.2)

    clock.run(body())


@models
def test_the_safe_state_throws_tips_away_and_may_be_asked_for_twice(clock: LabClock, model: str) -> None:
    async def body() -> None:
        async with rig(clock, model) as made:
            made.world.act(f"{NAME}/left", "pick_up_tips", channels=[0], tips=[["tips_small", "H12"]])
            await made.device.safe()
            assert not any(made.world.tips_on(f"{NAME}/left"))
            before = made.tap.commands
            await made.device.safe()
            assert made.tap.commands == before

    clock.run(body())


def test_the_safe_state_stops_a_run_that_somebody_else_is_at_within_its_time(clock: LabClock) -> None:
    async def body() -> None:
        async with rig(clock, OT2) as made:
            client = made.device.client
            run = await client.create_run()
            await client.act(run.id, "play")
            await client.enqueue(
                run.id, "waitForDuration", {"seconds": 3600.0}, key="long", intent="protocol"
            )
            began_s = clock.now()
            await made.device.safe()
            assert clock.now() - began_s < 30.0
            assert (await client.run(run.id)).status == "stopped"

    clock.run(body())


def test_the_safe_state_stops_a_setup_command_that_does_not_end(clock: LabClock) -> None:
    async def body() -> None:
        async with rig(clock, OT2) as made:
            client = made.device.client
            run = await client.create_run()
            long = await client.enqueue(run.id, "waitForDuration", {"seconds": 3600.0}, key="long")
            began_s = clock.now()
            await made.device.safe()
            assert clock.now() - began_s < 30.0
            assert (await client.command(run.id, long.id)).status == "failed"

    clock.run(body())


@pytest.mark.parametrize("first", [True, False], ids=["first_of_all", "later"])
def test_while_somebody_else_is_at_a_run_a_command_is_refused_and_nothing_of_it_is_done(
    clock: LabClock, first: bool
) -> None:
    async def body() -> None:
        async with rig(clock, OT2) as made:
            if not first:
                await made.device.safe()
            client = made.device.client
            run = await client.create_run()
            await client.act(run.id, "play")
            verb, command = made.device.distribute, commands_for(OT2)[0]
            tried = await try_once(clock, verb, command, Breaker(at=None))
            assert isinstance(tried.fault, InstrumentBusy)
            assert tried.fault.nothing_done
            assert not tried.marks
            assert (await client.run(run.id)).status == "running"

    clock.run(body())


def test_a_robot_that_is_another_model_or_has_other_pipettes_is_refused(clock: LabClock) -> None:
    async def body() -> None:
        async with rig(clock, OT2) as made:
            flex = OpentronsRobot(NAME, made.wire, kit=robot_kit(FLEX), bench=made.bench)
            with pytest.raises(InstrumentError, match="OT-3"):
                await flex.connect()
            settings = SETTINGS[OT2] | {"pipettes": {"left": "p300_single_gen2"}}
            kit = RobotKit.from_settings(settings, positions=list(settings["slots"]))
            other = OpentronsRobot(NAME, made.wire, kit=kit, bench=made.bench)
            with pytest.raises(
                InstrumentError, match="p20_single_gen2, and the workcell file says p300_single_gen2"
            ):
                await other.connect()

    clock.run(body())


def test_a_real_robot_is_told_apart_from_a_twin_and_warned_of(
    clock: LabClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        async with rig(clock, OT2, connect=False) as made:

            async def real(number: int, scope: Any, send: Any, go_on: Any) -> None:
                async def changed(message: Any) -> None:
                    body = message.get("body", b"").replace(b"TWIN-OT2", b"OT2CEP2")
                    await send(message | ({"body": body} if "body" in message else {}))

                await made.twin(scope, _empty, changed)

            async def _empty() -> Any:
                return {"type": "http.request", "body": b""}

            made.tap.spoil = real
            await made.device.connect()
            assert (await made.device.identify()).origin is Origin.REAL

    with caplog.at_level(logging.WARNING, "drywet.devices"):
        clock.run(body())
    assert "nobody has run it" in caplog.text


def test_a_lease_that_runs_out_ends_the_command_before_the_next_request(clock: LabClock) -> None:
    command = commands_for(OT2)[0]

    async def body() -> None:
        async with rig(clock, OT2) as made:
            await made.device.safe()
            act, since = made.world.act, len(made.world.ledger.actions)

            def lose_it(instrument: str, action: str, **arguments: Any) -> Any:
                if action == "dispense":
                    made.device.fence.admit(2)
                return act(instrument, action, **arguments)

            made.world.act = lose_it  # type: ignore[method-assign]
            tried = await try_once(clock, made.device.distribute, command, Breaker(at=None), token=1)
            assert isinstance(tried.fault, StaleLease)
            assert [action.action for action in made.world.ledger.actions[since:]] == [
                "pick_up_tips",
                "aspirate",
                "dispense",
            ]
            said = await made.device.distribute.reconcile(command, tried.marks)
            assert (said.answer, said.part["given"]) == (Answer.UNKNOWN, 1)

    clock.run(body())


def test_a_command_that_is_broken_off_ends_and_the_safe_state_after_it_leaves_no_tip_on(
    clock: LabClock,
) -> None:
    command = commands_for(OT2)[2]

    async def body() -> None:
        async with rig(clock, OT2) as made:
            await made.device.safe()
            before, since = made.bench.copy(), len(made.world.ledger.actions)
            verb = made.device.add_reagent
            marks: list[Any] = []

            async def note(name: str, details: Any) -> None:
                marks.append(Mark(name=name, details=details, lab_time_s=clock.now()))

            verb.engage(token=1, limit_s=1000.0, mark=note)
            status = verb.set(command)
            await asyncio.sleep(12.0)
            verb.break_off("a person said so")
            with pytest.raises(CommandBrokenOff):
                await status
            await made.device.safe()
            assert not any(made.world.tips_on(f"{NAME}/right"))
            said = await verb.reconcile(command, marks)
            hold_against(before, command, said, RobotTruth.of(made.world, since), None)

    clock.run(body())


SCRIPTED = [
    (
        model,
        n,
        FaultRule(instrument=NAME, kind=kind, where=commands_for(model)[n].verb, at=(1,), moment=moment),
    )
    for model in (OT2, FLEX)
    for n in (0, 2, 4)
    for kind in sorted(OPENTRONS_FAULTS.verbs[commands_for(model)[n].verb])
    for moment in (
        (Moment.BEFORE, Moment.AFTER) if kind in ("connection_lost", "timeout") else (Moment.BEFORE,)
    )
    if not (kind == "lost_tip" and model == OT2)
]
"""Every fault of a twin's repertoire in each verb; an OT-2 does not feel that tips were not fetched."""


@pytest.mark.parametrize(
    ("model", "n", "rule"),
    SCRIPTED,
    ids=[f"{m[:4]}-{commands_for(m)[n].verb}-{rule.key}" for m, n, rule in SCRIPTED],
)
def test_a_fault_is_told_by_its_kind_or_overcome_and_never_hides_what_was_done(
    clock: LabClock, model: str, n: int, rule: FaultRule
) -> None:
    command = commands_for(model)[n]

    async def body() -> None:
        async with rig(clock, model, script=FaultScript(rules=(rule,))) as made:
            await made.device.safe()
            before, since = made.bench.copy(), len(made.world.ledger.actions)
            tried = await try_once(clock, getattr(made.device, command.verb), command, Breaker(at=None))
            if rule.kind in (FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT):
                assert tried.fault is None  # once is overcome
            else:
                assert isinstance(tried.fault, DeviceFault)
                assert tried.fault.kind is rule.kind
            await made.device.safe()
            said = await getattr(made.device, command.verb).reconcile(command, tried.marks)
            hold_against(
                before, command, said, RobotTruth.of(made.world, since), tried.result or {"tips": []}
            )
            for mount in ("left", "right"):
                assert not any(made.world.tips_on(f"{NAME}/{mount}"))

    clock.run(body())


def test_a_mock_sends_nothing() -> None:
    async def nobody(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(scope["path"])

    async def body() -> None:
        device = OpentronsRobot(
            NAME, Wire("http://twin", app=nobody), kit=robot_kit(OT2), bench=robot_world_bench(OT2)
        )
        await device.connect(mock=True)
        await device.distribute.set(commands_for(OT2)[0])

    with LabClock(virtual=True) as clock:
        clock.run(body())


GOOD = SETTINGS[OT2]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"robot": "ot3"}, "settings.robot"),
        ({"robot": None}, "settings.robot"),
        ({"pipettes": {}}, "settings.pipettes"),
        ({"pipettes": ["p20"]}, "settings.pipettes"),
        ({"pipettes": {"middle": "p20_single_gen2"}}, "settings.pipettes"),
        ({"pipettes": {"left": "p20_single_gen3"}}, "settings.pipettes.left"),
        ({"pipettes": {"left": "p1000_single_flex"}}, "settings.pipettes.left"),
        ({"slots": {"deck_buffer": 3}}, "settings.slots"),
        ({"slots": GOOD["slots"] | {"deck_buffer": 12}}, "settings.slots.deck_buffer"),
        ({"slots": GOOD["slots"] | {"deck_buffer": 1}}, "settings.slots.deck_buffer"),
        ({"slots": GOOD["slots"] | {"garage": 9}}, "settings.slots.garage"),
        ({"trash": "floor"}, "settings.trash"),
        ({"colour": "red"}, "settings.colour"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused_by_their_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        RobotKit.from_settings(GOOD | change, positions=list(GOOD["slots"]))
    assert refused.value.field == field


def test_rows_of_single_wells_take_one_tip_each_and_no_more(clock: LabClock) -> None:
    command = AddReagent(
        source_labware="buffer",
        source_well="A1",
        labware="assay_1",
        wells=tuple(f"{row}{column}" for row in "AC" for column in (1, 2, 3, 4)),
        volume_ul=6.0,
        tip_volume_ul=20.0,
    )

    async def body() -> None:
        async with rig(clock, OT2) as made:
            before, since = made.bench.copy(), len(made.world.ledger.actions)
            verb = made.device.add_reagent
            tried = await try_once(clock, verb, command, Breaker(at=None))
            assert len(tried.result["tips"]) == 2
            said = await verb.reconcile(command, tried.marks)
            assert said.answer is Answer.DONE
            hold_against(before, command, said, RobotTruth.of(made.world, since), tried.result)

    clock.run(body())
