"""The section `interlocks` of a workcell file: what a right one gives, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.benches import sketch
from lab.errors import BadInput, CampaignFileError
from lab.files import load_workcell
from lab.files.lab_states import read_states
from lab.interlocks import Interlock, Need, Range
from tests.project.source_tree import REPOSITORY

RIGHT = """
states: lab_states.yaml
interlocks:
  - verb: arm.move
    when: {destination: [thermocycler, shaker]}
    needs: {thermocycler.lid: open, hood: [closed, locked], shaker.temperature_c: [4, 60]}
    because: the gripper would hit the lid.
"""


def bench_with(folder: Path, section: str) -> Path:
    text = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text(encoding="utf-8")
    path = folder / "bench.yaml"
    path.write_text(f"{text.rstrip()}\n{section}", encoding="utf-8")
    return path


def test_a_right_section_gives_rules_and_where_the_states_are_kept(tmp_path: Path) -> None:
    spec = load_workcell(bench_with(tmp_path, RIGHT))
    assert spec.states == tmp_path / "lab_states.yaml"
    assert spec.interlocks == (
        Interlock(
            verbs=("arm.move",),
            when={"destination": ("thermocycler", "shaker")},
            needs=(
                Need(of="thermocycler.lid", allowed=("open",)),
                Need(of="hood", allowed=("closed", "locked")),
                Need(of="shaker.temperature_c", allowed=Range(4.0, 60.0)),
            ),
            because="the gripper would hit the lid",
        ),
    )
    assert sketch(spec, ()).devices.keys() == spec.devices.keys()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("arm.move", "arn.move", "There is no device 'arn'."),
        ("arm.move", "arm", "'arm' names no verb of a device."),
        ("thermocycler.lid", "cycler.lid", "There is no device 'cycler'."),
        (
            "states: lab_states.yaml",
            "",
            "hood is a state of the lab, and the file does not say where those are kept.",
        ),
        ("[4, 60]", "[60, 4]", "shaker.temperature_c is no range."),
        ("lid: open", "lid: {is: open}", "This is neither a value nor a list of values."),
    ],
)
def test_what_is_wrong_by_itself_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(CampaignFileError) as wrong:
        load_workcell(bench_with(tmp_path, RIGHT.replace(old, new)))
    assert wrong.value.reason == reason
    assert wrong.value.line is not None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("arm.move", "arm.mov", "There is no verb 'arm.mov'."),
        ("thermocycler.lid", "thermocycler.lidd", "There is no signal 'thermocycler.lidd'."),
        ("destination", "destinatio", "There is no part of such a command 'destinatio'."),
        ("[thermocycler, shaker]", "[thermocycler, shakre]", "There is no 'shakre' for destination."),
        ("{destination: [thermocycler, shaker]}", "{labware: asay_1}", "There is no 'asay_1' for labware."),
        ("[thermocycler, shaker]", "3", "destination is text, and never 3."),
        ("lid: open", "lid: opened", "thermocycler.lid is never 'opened'."),
        ("lid: open", "lid: true", "thermocycler.lid is never true."),
        (
            "shaker.temperature_c: [4, 60]",
            "shaker.temperature_c: warm",
            "shaker.temperature_c is a number, and never 'warm'.",
        ),
        ("lid: open", "lid: [4, 60]", "thermocycler.lid is never 4."),
    ],
)
def test_a_rule_that_could_never_apply_is_refused_when_the_bench_is_built(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    with pytest.raises(CampaignFileError) as wrong:
        sketch(load_workcell(bench_with(tmp_path, RIGHT.replace(old, new))), ())
    assert wrong.value.reason == reason
    assert wrong.value.line is not None
    assert wrong.value.way_out


def test_a_state_that_its_file_does_not_have_is_refused_and_one_that_it_has_is_not(tmp_path: Path) -> None:
    spec = load_workcell(bench_with(tmp_path, RIGHT))
    states = tmp_path / "lab_states.yaml"
    states.write_text("hod: closed\n")
    with pytest.raises(CampaignFileError, match=r"There is no state in lab_states\.yaml 'hood'") as wrong:
        sketch(spec, ())
    assert wrong.value.way_out == "Did you mean 'hod'?"
    assert wrong.value.line is not None
    states.write_text("hood: closed\n")
    assert sketch(spec, ()).devices


def test_a_need_of_what_is_remembered_and_not_asked_is_refused(tmp_path: Path) -> None:
    section = RIGHT.replace("thermocycler.lid: open", "reader.gain: 100")
    with pytest.raises(CampaignFileError, match="gain is what came of the last command") as refused:
        sketch(load_workcell(bench_with(tmp_path, section)), ())
    assert "interlocks[1].needs" in str(refused.value)
    assert "thermocycler.lid" in refused.value.way_out
    assert "reader.value" not in refused.value.way_out


def test_states_are_text_truth_values_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "states.yaml"
    path.write_text("hood: closed\ngas: true\nstaff: 2\n")
    assert read_states(path) == {"hood": "closed", "gas": True, "staff": 2}


@pytest.mark.parametrize(
    "text", ["hood: [open, closed]\n", "hood: {is: closed}\n", "hood closed\n", "hood: :\n- 3"]
)
def test_a_file_of_states_that_holds_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "states.yaml"
    path.write_text(text)
    with pytest.raises(BadInput):
        read_states(path)
