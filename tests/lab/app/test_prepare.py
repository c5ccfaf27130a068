"""From files to what can be started: names looked up, settings checked, each mistake at its own line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app import prepare, rehearse
from lab.errors import BadInput, CampaignFileError
from tests.campaign_files import write_campaign
from tests.project.source_tree import REPOSITORY


def changed(folder: Path, old: str, new: str) -> Path:
    file = write_campaign(folder, budget=6, batch_size=3)
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return file


@pytest.mark.parametrize(
    ("old", "new", "field", "sentence"),
    [
        (
            "name: adaptive ",
            "name: adaptve ",
            "planner.name",
            "Did you mean 'adaptive'",
        ),
        (
            "  name: adaptive ",
            "  settings: {beta: -3}\n  name: adaptive ",
            "planner.settings.beta",
            "at least 0",
        ),
        ("name: thermal_challenge", "name: thermal_chalenge", "protocol.name", "thermal_challenge"),
        ("replicates: 3", "replicates: 0", "protocol.parameters.replicates", "replicates is 0"),
        ("baseline: random", "baseline: rondom", "baseline", "random"),
    ],
)
def test_a_wrong_name_or_setting_is_shown_at_its_line(
    tmp_path: Path, old: str, new: str, field: str, sentence: str
) -> None:
    file = changed(tmp_path, old, new)
    with pytest.raises(CampaignFileError, match=sentence) as refused:
        prepare(file)
    assert refused.value.field == field
    word = new.split()[0] if field != "planner.settings.beta" else "settings:"
    assert refused.value.line is not None
    assert word in file.read_text().splitlines()[refused.value.line - 1]


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"),
    [
        (
            "driver: incubator/bioshake",
            "driver: incubator/bioshaker",
            "devices.shaker.driver",
            "incubator/bioshake",
        ),
        ("type: tips_50ul", "type: tips_55ul", "labware.tips", "tips_50ul"),
        ("chemistry: protein_g ", "chemistry: protein_h ", "chemistry", "protein_g"),
    ],
)
def test_a_wrong_name_in_the_workcell_file_is_shown_in_that_file(
    tmp_path: Path, old: str, new: str, place: str, sentence: str
) -> None:
    file = write_campaign(tmp_path, budget=6, batch_size=3)
    bench = tmp_path / "bench.yaml"
    bench.write_text(bench.read_text().replace(old, new))
    with pytest.raises(BadInput, match=sentence) as refused:
        rehearse(prepare(file))
    assert refused.value.file == bench
    assert refused.value.field == place


def test_a_temperature_past_the_limit_of_the_device_is_refused_in_the_rehearsal(tmp_path: Path) -> None:
    file = changed(tmp_path, "challenge_temperature_c: 75", "challenge_temperature_c: 90")
    bench = tmp_path / "bench.yaml"
    bench.write_text(bench.read_text().replace("temperature_c: [4, 99]", "temperature_c: [4, 80]"))
    problems = rehearse(prepare(file)).problems
    assert problems == ("thermocycler: temperature_c 90 is outside 4 to 80.",)


def test_the_rehearsal_is_the_first_batch_of_the_campaign(tmp_path: Path) -> None:
    prepared = prepare(write_campaign(tmp_path, budget=6, batch_size=3))
    first, second = rehearse(prepared), rehearse(prepared)
    assert [e.candidate.id for e in first.batch.experiments] == [
        e.candidate.id for e in second.batch.experiments
    ]
    assert first.batches == 2
    assert first.problems == ()
    assert first.dry_run.duration_s > 3000


SPACE = """\
name: blends
goal: {{minimize: degradation}}
space:
  mixture: {{ingredients: [PCE10, P3HT, PCBM, oIDTBR], at_most: 3, least: {least}, resolution: 0.001}}
{more}
  reference: {{name: standard, values: {{PCE10: 0.5, P3HT: 0, PCBM: 0.5, oIDTBR: 0}}}}
workcell: {workcell}
protocol: {{name: formulation_ageing, parameters: {{total_volume_ul: 150}}}}
planner: {{name: random}}
{models}
budget: 8
batch_size: 8
seed: 3
"""


def space_file(folder: Path, least: float = 0.1, more: str = "", models: str = "") -> Path:
    file = folder / "blends.yaml"
    workcell = REPOSITORY / "workcells" / "materials_bench_twin.yaml"
    file.write_text(SPACE.format(least=least, more=more, models=models, workcell=workcell))
    return file


@pytest.mark.parametrize(
    ("goal", "field", "way_out"),
    [
        ("{minimize: degredation}", "goal.minimize", "Did you mean 'degradation'?"),
        (
            "{minimize: degradation, also: [{maximize: yield}]}",
            "goal.also[1].maximize",
            "It measures: degradation.",
        ),
        (
            "{minimize: degradation, limits: [{target: cost, at_most: 3}]}",
            "goal.limits[1].target",
            "It measures: degradation.",
        ),
    ],
)
def test_a_goal_of_what_the_protocol_does_not_measure_is_refused_at_its_line(
    tmp_path: Path, goal: str, field: str, way_out: str
) -> None:
    file = space_file(tmp_path)
    file.write_text(file.read_text().replace("{minimize: degradation}", goal))
    with pytest.raises(CampaignFileError, match="does not measure") as refused:
        prepare(file)
    assert (refused.value.field, refused.value.way_out, refused.value.line) == (field, way_out, 2)


def test_a_space_is_rehearsed_like_a_list(tmp_path: Path) -> None:
    rehearsal = rehearse(prepare(space_file(tmp_path)))
    assert rehearsal.problems == ()
    assert len(rehearsal.batch.experiments) == 8
    assert all(v >= 0.1 or v == 0 for e in rehearsal.batch.experiments for v in e.candidate.values.values())


def test_a_space_that_reaches_past_what_the_bench_can_make_is_refused(tmp_path: Path) -> None:
    problems = rehearse(prepare(space_file(tmp_path, least=0.002))).problems
    assert problems
    assert all(problem.startswith("At the edge of the space: ") for problem in problems)
    assert any("least_volume_ul" in problem for problem in problems)


@pytest.mark.parametrize(
    ("more", "models", "field", "sentence"),
    [
        (
            "  constraints: [{sum: {PCE10: 1}, at_least: 0.6}, {sum: {P3HT: 1}, at_least: 0.6}]",
            "",
            "space.constraints",
            "0.6 <= P3HT and those before it",
        ),
        ("  rules: [not_there:at_all]", "", "space.rules", "not_there:at_all"),
        ("", "models: [{name: composision}]", "models[1].name", "Did you mean 'composition'"),
        (
            "",
            "models: [{name: formation_enthalpy}]",
            "models[1].name",
            "planners go by features and scores alone",
        ),
        (
            "",
            "models:\n  - {name: composition, settings: {vector: 3}}",
            "models[1].settings.vector",
            "composition has no setting 'vector'",
        ),
    ],
)
def test_a_space_in_which_nothing_is_left_and_models_that_are_not_there_are_shown_at_their_line(
    tmp_path: Path, more: str, models: str, field: str, sentence: str
) -> None:
    file = space_file(tmp_path, more=more, models=models)
    with pytest.raises(CampaignFileError, match=sentence.replace("[", r"\[")) as refused:
        prepare(file)
    assert refused.value.field == field
    assert refused.value.line is not None


def test_rules_beside_the_campaign_file_decide_what_the_first_batch_may_be(tmp_path: Path) -> None:
    (tmp_path / "blend_rules.py").write_text(
        "def mostly_pcbm(candidate):\n    return candidate.values['PCBM'] >= 0.5\n"
    )
    rehearsal = rehearse(prepare(space_file(tmp_path, more="  rules: [blend_rules:mostly_pcbm]")))
    assert min(e.candidate.values["PCBM"] for e in rehearsal.batch.experiments) >= 0.5
