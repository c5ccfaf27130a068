"""Protocol files of Opentrons' as a step of ours: what they do is followed, and what is said when one breaks off is true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from devices.opentrons_robot.files import RunFile, file_command
from devices.opentrons_robot.kit import FLEX, OT2
from devices.opentrons_robot.robot import OpentronsRobot
from devices.opentrons_robot.wire import Wire
from digital_twin.instruments.opentrons_robot import OpentronsTwin
from lab.clock import LabClock
from lab.errors import BadInput, InstrumentBusy, InstrumentError, LostTip
from lab.interfaces import Answer, Reconciliation
from protocols.opentrons_files import PlannedStep, opentrons_protocol
from tests.devices.broken_off import Breaker, try_once
from tests.devices.opentrons.robot_bench import (
    NAME,
    ON_DECK,
    SETTINGS,
    Rig,
    commands_for,
    rig,
    robot_kit,
    robot_world_bench,
)
from tests.devices.opentrons.robot_truth import RobotTruth
from tests.opentrons_software import analysed, need_software


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def stands(model: str) -> dict[str, str]:
    return {slot: position.removeprefix("deck_") for position, slot in robot_kit(model).slots.items()}


@cache
def text_of(model: str) -> str:
    """A protocol that does all that our commands do."""
    steps = [PlannedStep(device=NAME, command=command) for command in commands_for(model)]
    return opentrons_protocol(
        steps, robot_world_bench(model), robot=NAME, kit=robot_kit(model), name="all verbs"
    )


@cache
def analysis_of(text: str) -> Mapping[str, Any]:
    return analysed(text)


async def analyser(name: str, text: bytes) -> Mapping[str, Any]:
    """What Opentrons' software said of the file; asked once, since that takes seconds."""
    return analysis_of(text.decode())


def command_for(model: str) -> RunFile:
    need_software()
    return file_command("all.py", text_of(model), analysis_of(text_of(model)), stands(model))


@pytest.mark.slow
@pytest.mark.parametrize("model", [OT2, FLEX])
def test_a_file_does_and_is_believed_to_do_what_the_commands_it_was_written_from_do(
    clock: LabClock, model: str
) -> None:
    command = command_for(model)
    assert RunFile.from_json(json.loads(json.dumps(command.to_json()))) == command
    one_by_one = robot_world_bench(model)
    for single in commands_for(model):
        single.believe(one_by_one)

    async def body() -> None:
        async with rig(clock, model, analyser=analyser) as made:
            assert made.device.run_file.problems(command, made.bench) == ()
            expected_s, began_s = made.device.run_file.duration_s(command, made.bench), clock.now()
            await made.do(command)
            assert 0.4 * expected_s < clock.now() - began_s < 1.5 * expected_s + 10.0
            for item in made.bench.labware.values():
                assert item.tips == one_by_one.labware[item.id].tips
                for well, contents in item.wells.items():
                    assert contents.volume_ul == pytest.approx(one_by_one.well(item.id, well).volume_ul)
                    truly_ul = made.world.volume_ul(item.id, well)
                    assert truly_ul == pytest.approx(contents.volume_ul, rel=0.2, abs=0.5)
            assert made.world.state.pieces["tips_small"].tips == set(made.bench.labware["tips_small"].tips)
            before = made.tap.commands
            await made.device.safe()
            assert made.tap.commands == before  # nothing is on that would have to be thrown away

    clock.run(body())
    sources = {(source, target) for source, target, _ in command.transfers}
    assert {(s, t) for single in commands_for(model) for s, t, _ in single.transfers} <= sources


@pytest.mark.slow
@pytest.mark.parametrize("end", ["dies", "dies with the robot", "is stopped"])
def test_of_a_run_that_ended_anywhere_no_more_is_believed_than_is_true(end: str) -> None:
    command = command_for(OT2)
    answers = set()
    for after_s in [0.0, 1.0, *range(8, 230, 17), 400.0]:
        with LabClock(virtual=True) as clock:

            async def body(clock: LabClock = clock, after_s: float = after_s) -> Reconciliation:
                async with rig(clock, OT2, analyser=analyser) as made:
                    await made.device.safe()
                    before, since = made.bench.copy(), len(made.world.ledger.actions)
                    breaker = Breaker(at=None)
                    trying = asyncio.ensure_future(try_once(clock, made.device.run_file, command, breaker))
                    await asyncio.sleep(after_s)
                    breaker.reached.set()
                    tried = await trying
                    said = await _said(made, command, tried.marks, end)
                    truth = RobotTruth.of(made.world, since)
                    hold_run_against(before, command, said, truth)
                    return said

            answers.add(clock.run(body()).answer)
    assert answers >= {Answer.UNKNOWN}
    if end != "dies with the robot":
        assert answers == {Answer.NOT_DONE, Answer.UNKNOWN, Answer.DONE}


async def _said(made: Rig, command: RunFile, marks: Any, end: str) -> Reconciliation:
    if end == "dies with the robot":
        for run in made.twin._runs.values():
            await run.stop()
        made.tap.app = OpentronsTwin(made.world, name=NAME, kit=robot_kit(OT2), analyser=analyser)
    device = made.device
    if end != "is stopped":
        device = OpentronsRobot(NAME, Wire("http://twin", app=made.tap), kit=robot_kit(OT2), bench=made.bench)
        await device.connect()
    await device.look()
    await device.safe()
    for mount in ("left", "right"):
        assert not any(made.world.tips_on(f"{NAME}/{mount}"))
    return await device.run_file.reconcile(command, marks)


def hold_run_against(before: Any, command: RunFile, said: Reconciliation, truth: RobotTruth) -> None:
    """As of the other verbs; a file's result names its run, and says nothing of tips."""
    from tests.devices.pipetting_bench import believed

    after = believed(before, command, said)
    if said.answer is Answer.DONE:
        assert sum(truth.gives.values()) == sum(1 for _ in command.transfers)
    if said.answer is Answer.NOT_DONE:
        assert not truth.tips
        assert not truth.net_ul
    for item in after.labware.values():
        assert not {spot for rack, spot in truth.tips if rack == item.id} & set(item.tips)
        for well, contents in item.wells.items():
            if not after.why_barred(item.id, well):
                truly_ul = before.well(item.id, well).volume_ul + truth.net_ul[item.id, well]
                assert contents.volume_ul <= truly_ul + 1e-6, (item.id, well)


@pytest.mark.slow
def test_a_tip_that_is_missing_in_the_midst_of_a_file_is_told_and_the_run_is_stopped(clock: LabClock) -> None:
    command = command_for(FLEX)

    async def body() -> None:
        async with rig(clock, FLEX, analyser=analyser) as made:
            await made.device.safe()
            before, since = made.bench.copy(), len(made.world.ledger.actions)
            made.world.state.pieces["tips_small"].tips.discard("B1")
            tried = await try_once(clock, made.device.run_file, command, Breaker(at=None))
            assert isinstance(tried.fault, LostTip)
            run = await made.device.client.run(tried.marks[-1].details["run"])
            assert run.status == "stopped"
            said = await made.device.run_file.reconcile(command, tried.marks)
            assert said.answer is Answer.UNKNOWN
            hold_run_against(before, command, said, RobotTruth.of(made.world, since))

    clock.run(body())


@pytest.mark.slow
def test_a_file_that_the_robot_would_do_otherwise_is_not_played(clock: LabClock) -> None:
    command = command_for(OT2)
    other = replace(command, events=command.events[:-3])

    async def body() -> None:
        async with rig(clock, OT2, analyser=analyser) as made:
            await made.device.safe()
            since = len(made.world.ledger.actions)
            tried = await try_once(clock, made.device.run_file, other, Breaker(at=None))
            assert isinstance(tried.fault, InstrumentError)
            assert tried.fault.nothing_done
            assert not tried.marks
            assert len(made.world.ledger.actions) == since

    clock.run(body())


def test_a_robot_that_can_not_analyse_a_file_does_not_run_it(clock: LabClock) -> None:
    command = file_command(
        "x.py", "metadata = {}", ANALYSIS, {"1": "tips_small", "4": "library", "5": "assay_1"}
    )

    async def body() -> None:
        async with rig(clock, OT2) as made:
            tried = await try_once(clock, made.device.run_file, command, Breaker(at=None))
            assert isinstance(tried.fault, InstrumentError)
            assert "can't analyse" in str(tried.fault)
            assert tried.fault.nothing_done

    clock.run(body())


def test_while_somebody_else_is_at_a_run_a_file_is_refused(clock: LabClock) -> None:
    command = file_command(
        "x.py", "metadata = {}", ANALYSIS, {"1": "tips_small", "4": "library", "5": "assay_1"}
    )

    async def body() -> None:
        async with rig(clock, OT2) as made:
            await made.device.safe()
            run = await made.device.client.create_run()
            await made.device.client.act(run.id, "play")
            tried = await try_once(clock, made.device.run_file, command, Breaker(at=None))
            assert isinstance(tried.fault, InstrumentBusy)

    clock.run(body())


def _step(kind: str, params: dict[str, Any], result: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"commandType": kind, "params": params, "result": result or {}}


def _load(slot: Any, load_name: str, ident: str, rows: int = 8) -> dict[str, Any]:
    ordering = [[f"{'ABCDEFGH'[row]}{column}" for row in range(rows)] for column in range(1, 13)]
    location = {"slotName": slot} if isinstance(slot, str) else slot
    return _step(
        "loadLabware",
        {"location": location, "loadName": load_name, "namespace": "opentrons", "version": 1},
        {"labwareId": ident, "definition": {"ordering": ordering}},
    )


COMMANDS = [
    _load("1", "opentrons_96_filtertiprack_20ul", "t"),
    _load("4", "opentrons_96_wellplate_200ul_pcr_full_skirt", "l"),
    _load("5", "opentrons_96_wellplate_200ul_pcr_full_skirt", "a"),
    _step("loadPipette", {"pipetteName": "p20_single_gen2", "mount": "left"}, {"pipetteId": "p"}),
    _step("pickUpTip", {"pipetteId": "p", "labwareId": "t", "wellName": "A1"}),
    _step(
        "aspirate", {"pipetteId": "p", "labwareId": "l", "wellName": "A1", "volume": 10.0, "flowRate": 7.5}
    ),
    _step("dispense", {"pipetteId": "p", "labwareId": "a", "wellName": "B2", "volume": 6.0, "flowRate": 7.5}),
    _step("dropTipInPlace", {"pipetteId": "p"}),
]
ANALYSIS: dict[str, Any] = {
    "robotType": OT2,
    "errors": [],
    "commands": COMMANDS,
    "pipettes": [{"id": "p", "pipetteName": "p20_single_gen2", "mount": "left"}],
}
STANDS = {"1": "tips_small", "4": "library", "5": "assay_1"}


def test_what_a_file_does_is_read_from_its_analysis() -> None:
    command = file_command("x.py", "", ANALYSIS, STANDS)
    bench = robot_world_bench(OT2)
    assert command.problems(bench) == ()
    assert command.transfers == ((("library", "A1"), ("assay_1", "B2"), 6.0),)
    assert command.stands_here == ("tips_small", "library", "assay_1")
    command.believe(bench)
    assert bench.well("assay_1", "B2").parts == {"WT": 6.0}
    assert bench.well("library", "A1").volume_ul == 90.0
    assert "A1" not in bench.labware["tips_small"].tips


def _with(extra: dict[str, Any], at: int = 7) -> dict[str, Any]:
    return ANALYSIS | {"commands": [*COMMANDS[:at], extra, *COMMANDS[at:]]}


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        (ANALYSIS | {"errors": [{"detail": "No such labware"}]}, "No such labware"),
        (ANALYSIS | {"robotType": "OT-9"}, "OT-9"),
        (_with(_step("thermocycler/openLid", {"moduleId": "m"})), "command 8, thermocycler/openLid"),
        (_with(_step("moveLabware", {"labwareId": "a"})), "moveLabware"),
        (_with(_step("aspirateInPlace", {"pipetteId": "p"})), "aspirateInPlace"),
        (
            _with(_step("dropTip", {"pipetteId": "p", "labwareId": "t", "wellName": "A1"})),
            "back into their rack",
        ),
        (_with(_load("9", "corning_96_wellplate_360ul_flat", "c"), 0), "slot 9"),
        (
            _with(_load({"moduleId": "m"}, "corning_96_wellplate_360ul_flat", "c"), 0),
            "elsewhere than in a slot",
        ),
        (
            _with(_step("loadPipette", {"pipetteName": "p1000_96", "mount": "left"}, {"pipetteId": "q"}), 0),
            "p1000_96",
        ),
    ],
)
def test_what_can_not_be_followed_is_refused_by_name(analysis: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("/", ".")):
        file_command("x.py", "", analysis, STANDS)


def test_a_file_that_does_not_fit_the_bench_is_refused_by_the_dry_run(clock: LabClock) -> None:
    command = file_command("x.py", "", ANALYSIS, STANDS)
    swapped = file_command("x.py", "", ANALYSIS, {"1": "tips_large", "4": "buffer", "5": "assay_1"})
    flex = file_command("x.py", "", ANALYSIS | {"robotType": FLEX}, STANDS)
    other_pipette = replace(command, pipettes=(("right", "p20_single_gen2"),))

    async def body() -> None:
        async with rig(clock, OT2) as made:
            verb = made.device.run_file
            assert verb.problems(command, made.bench) == ()
            told = " ".join(verb.problems(swapped, made.bench))
            assert "wants tips_large in slot 1" in told
            assert "has opentrons_96_wellplate_200ul_pcr_full_skirt in slot 4, and buffer is none" in told
            assert any("is for an OT-3" in problem for problem in verb.problems(flex, made.bench))
            assert any("right mount" in problem for problem in verb.problems(other_pipette, made.bench))
            made.bench.use_tips([("tips_small", "A1")])
            made.bench.draw("library", "A1", 95.0)
            told = " ".join(verb.problems(command, made.bench))
            assert "There is no tip at A1 of tips_small" in told
            assert len(ON_DECK) == len(SETTINGS[OT2]["slots"])

    clock.run(body())
