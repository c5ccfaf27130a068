"""Plans written as protocols for Opentrons robots: what is written, what is refused, and what their software says."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from devices.liquid_handler import Distribute
from devices.opentrons_robot.kit import FLEX, OT2
from devices.plate_hotel import Move
from devices.plate_reader import ReadAbsorbance
from lab.app.opentrons_export import export_script
from lab.app.scripts import prepare_script
from lab.errors import BadInput, Infeasible
from protocols.opentrons_files import PlannedStep, opentrons_protocol
from tests.devices.opentrons.robot_bench import NAME, commands_for, robot_kit, robot_world_bench
from tests.opentrons_software import analysed
from tests.project.source_tree import REPOSITORY

WORKCELL = REPOSITORY / "workcells" / "opentrons_bench_twin.yaml"

READ = PlannedStep(device="reader", command=ReadAbsorbance(plate="assay_1", wavelength_nm=450))


def exported(steps: list[PlannedStep], model: str = OT2, **also: Any) -> str:
    return opentrons_protocol(
        steps,
        robot_world_bench(model),
        robot=NAME,
        kit=robot_kit(model),
        name=also.pop("name", "all verbs"),
        **also,
    )


def steps_for(model: str) -> list[PlannedStep]:
    return [PlannedStep(device=NAME, command=command) for command in commands_for(model)]


def pipetted(analysis: Any) -> list[tuple[Any, ...]]:
    """Draws, gives and tips of an analysis, by the labels of the labware."""
    label = {item["id"]: item.get("displayName") for item in analysis["labware"]}
    mount = {pipette["id"]: pipette["mount"] for pipette in analysis["pipettes"]}
    found: list[tuple[Any, ...]] = []
    for command in analysis["commands"]:
        params = command["params"]
        if command["commandType"] in ("aspirate", "dispense", "pickUpTip"):
            place = (label[params["labwareId"]], params["wellName"])
            found.append((command["commandType"], mount[params["pipetteId"]], *place, params.get("volume")))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("model", [OT2, FLEX])
def test_opentrons_software_accepts_it_and_would_do_what_the_robot_is_told_over_http(model: str) -> None:
    from lab.clock import LabClock
    from tests.devices.opentrons.robot_bench import rig

    analysis = analysed(exported(steps_for(model), model))
    assert (analysis["result"], analysis["errors"]) == ("ok", [])
    assert analysis["robotType"] == model
    told: list[tuple[Any, ...]] = []

    async def body() -> None:
        async with rig(clock, model) as made:
            for command in commands_for(model):
                await made.do(command)
            for run in made.twin._runs.values():
                for record in run.commands:
                    params = record["params"]
                    if record["commandType"] in ("aspirate", "dispense", "pickUpTip"):
                        place = (params["labwareId"], params["wellName"])
                        told.append(
                            (record["commandType"], params["pipetteId"], *place, params.get("volume"))
                        )

    with LabClock(virtual=True) as clock:
        clock.run(body())
    assert pipetted(analysis) == told
    assert len(told) > 30


@pytest.mark.slow
def test_names_that_python_would_choke_on_are_written_so_that_the_software_takes_them() -> None:
    name = 'µ"""\n\\"; import os #'
    bench = robot_world_bench(OT2)
    for old, new in (("assay_1", "class"), ("assay_2", "2nd pläte"), ("library", "protocol")):
        item = bench.labware.pop(old)
        item.id = new
        bench.labware[new] = item
    steps = [
        PlannedStep(
            device=NAME,
            command=Distribute(
                source_labware="protocol",
                source_well="A1",
                targets=(("class", "A1", 5.0), ("2nd pläte", "A2", 5.0)),
                tip_volume_ul=20.0,
            ),
        )
    ]
    text = opentrons_protocol(steps, bench, robot=NAME, kit=robot_kit(OT2), name=name)
    analysis = analysed(text)
    assert analysis["result"] == "ok"
    assert analysis["metadata"]["protocolName"] == name
    assert {item.get("displayName") for item in analysis["labware"]} >= {"class", "2nd pläte", "protocol"}


def test_steps_that_are_no_pipetting_are_refused_by_number_and_name() -> None:
    first, *_ = steps_for(OT2)
    move = PlannedStep(device="arm", command=Move(labware="assay_1", destination="shelf"))
    with pytest.raises(Infeasible) as refused:
        exported([first, READ, move])
    assert refused.value.problems == (
        "Step 2, absorbance on reader, is no pipetting on robot.",
        "Step 3, move on arm, is no pipetting on robot.",
    )


def test_pipetting_on_another_device_is_refused_by_name() -> None:
    with pytest.raises(Infeasible, match="Step 1, distribute on other_robot, is no pipetting on robot"):
        exported([PlannedStep(device="other_robot", command=commands_for(OT2)[0])])


def test_what_depends_on_readings_is_refused_even_where_the_rest_is_done_by_hand() -> None:
    first, second, *_ = commands_for(OT2)
    steps = [
        PlannedStep(device=NAME, command=first),
        READ,
        PlannedStep(device=NAME, command=second, certain=False),
    ]
    with pytest.raises(
        Infeasible, match="Step 3, distribute on robot, depends on what is read before it"
    ) as refused:
        exported(steps, by_hand=True)
    assert len(refused.value.problems) == 1


def test_what_no_pipette_of_the_robot_can_do_is_refused_with_the_reason() -> None:
    from dataclasses import replace

    weak = replace(commands_for(OT2)[0], targets=(("assay_1", "A1", 0.4),))
    with pytest.raises(
        Infeasible, match="Step 1, distribute on robot: p20_single_gen2 with tips of 20 ul moves 1 to 20"
    ):
        exported([PlannedStep(device=NAME, command=weak)])


@pytest.mark.slow
def test_done_by_hand_a_step_is_a_pause_and_labware_that_was_carried_is_asked_for() -> None:
    first, *_ = commands_for(OT2)
    steps = [
        PlannedStep(device=NAME, command=first),
        READ,
        PlannedStep(device="arm", command=Move(labware="assay_2", destination="shelf")),
        PlannedStep(device="arm", command=Move(labware="assay_1", destination="deck_assay_2")),
        PlannedStep(
            device=NAME,
            command=Distribute(
                source_labware="library",
                source_well="B1",
                targets=(("assay_1", "C1", 5.0),),
                tip_volume_ul=20.0,
            ),
        ),
    ]
    analysis = analysed(exported(steps, by_hand=True))
    assert analysis["result"] == "ok"
    kinds = [command["commandType"] for command in analysis["commands"]]
    assert kinds.count("waitForResume") == 3
    moved = [command["params"] for command in analysis["commands"] if command["commandType"] == "moveLabware"]
    assert [params["newLocation"] for params in moved] == ["offDeck", {"slotName": "6"}]


def test_the_bench_is_not_changed_by_writing() -> None:
    bench = robot_world_bench(OT2)
    before = bench.to_json()
    opentrons_protocol(steps_for(OT2), bench, robot=NAME, kit=robot_kit(OT2), name="x")
    assert bench.to_json() == before


SCRIPT = '''
from protocols.scripts import Plate, protocol

@protocol
def dilute(bench, plate: Plate):
    """Some buffer, and reporter into it."""
    yield from bench.transfer(10, "assay_buffer", [plate["A1"], plate["A2"]])
    yield from bench.transfer(5, "reporter", plate["A1"], mix_cycles=2)
'''


def test_a_protocol_of_the_lab_is_written_through_its_dry_run(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT, encoding="utf-8")
    text = export_script(prepare_script(str(file), WORKCELL, {}))
    body = ast.parse(text).body
    assert isinstance(body[-1], ast.FunctionDef)
    assert body[-1].name == "run"
    assert text.count(".pick_up_tip(") == 3
    assert "reporter['A1'].bottom(1.0)" in text


def test_a_bench_without_such_a_robot_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT, encoding="utf-8")
    with pytest.raises(BadInput, match="no Opentrons robot on this bench"):
        export_script(prepare_script(str(file), REPOSITORY / "workcells" / "protein_bench_twin.yaml", {}))


def test_the_command_writes_a_new_file_and_overwrites_none(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from lab.cli.main import app

    file, into = tmp_path / "mine.py", tmp_path / "out.py"
    file.write_text(SCRIPT, encoding="utf-8")
    arguments = ["protocol", "export", str(file), "--workcell", str(WORKCELL), "--into", str(into)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    written = into.read_text(encoding="utf-8")
    assert "def run(protocol" in written
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, BadInput)
    assert into.read_text(encoding="utf-8") == written
