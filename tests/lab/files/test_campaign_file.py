"""Campaign files: what a right one gives, and what a wrong one says."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lab.errors import CampaignFileError, FaultKind
from lab.files import load_campaign
from lab.recovery import Recovery, RecoveryPolicy
from lab.store import Store
from lab.types import Campaign, Goal, PlannerChoice, Policies, ProtocolChoice

REPOSITORY = Path(__file__).parents[3]

RECOVERY = """\
seed: 7
policies:
  recovery:
    clog: [retry_new_tip, abort]
    unknown_outcome: redo_batch
  max_redos: 0
  priority: 9
"""


def test_a_right_file_gives_the_campaign_it_asks_for(desk):
    read = desk.load()
    campaign = read.campaign("cmp_1")
    assert isinstance(campaign, Campaign)
    assert campaign.id == "cmp_1"
    assert campaign.name == "heat_test"
    assert campaign.goal == Goal(target="residual_activity", direction="maximize")
    assert [c.id for c in campaign.candidates] == ["T2A", "Y3F"]
    assert [c.sequence for c in campaign.candidates] == ["MAYKLILN", "MTFKLILN"]
    assert campaign.reference.id == "WT"
    assert campaign.reference.sequence == "MTYKLILN"
    assert campaign.sources == {
        "T2A": ("library_1", "A1"),
        "WT": ("library_1", "A2"),
        "Y3F": ("library_2", "H12"),
    }
    assert campaign.planner == PlannerChoice(name="adaptive")
    assert campaign.protocol == ProtocolChoice(
        name="thermal_challenge", parameters={"challenge_temperature_c": 75, "challenge_duration_s": 600.0}
    )
    assert campaign.policies == Policies()
    assert (campaign.budget, campaign.batch_size, campaign.seed) == (20, 4, 7)
    assert read.baseline == ""


def test_the_reference_may_fill_several_wells(desk):
    wells = [(m.labware, m.well) for m in desk.load().material if m.content == "WT"]
    assert wells == [("library_1", "A2"), ("library_2", "A1")]


def test_a_goal_may_be_to_minimize(desk):
    desk.change(desk.campaign, "maximize: residual_activity", "minimize: aggregation")
    assert desk.load().goal == Goal(target="aggregation", direction="minimize")


def test_fields_know_their_lines(desk):
    read = desk.load()
    assert read.line_of("planner.name") == 15
    assert read.line_of("protocol.parameters.challenge_duration_s") == 13
    assert read.line_of("planner.settings.kernel") == 14
    assert read.line_of("nowhere") is None


def test_a_name_that_no_registry_knows_is_an_error_at_its_line(desk):
    error = desk.load().unknown_name("planner.name", "planner", "adaptve", ["random", "adaptive", "sobol"])
    assert (error.line, error.field) == (15, "planner.name")
    assert error.reason == "There is no planner 'adaptve'."
    assert error.way_out == "Did you mean 'adaptive'?"


def test_the_hash_changes_with_each_of_the_three_files(desk):
    hashes = {desk.load().sha256, desk.load().sha256}
    assert len(hashes) == 1
    for file in (desk.campaign, desk.workcell):
        file.write_text(file.read_text() + "# a note\n")
        hashes.add(desk.load().sha256)
    desk.table.write_text(desk.table.read_text() + "K4R,1,C3\n")
    hashes.add(desk.load().sha256)
    assert len(hashes) == 4


def test_the_campaign_of_the_repository_is_right():
    read = load_campaign(REPOSITORY / "campaigns" / "thermostable_protein_g.yaml")
    assert len(read.candidates) == 813
    assert len({c.sequence for c in read.candidates}) == 813
    assert read.workcell.name == "protein_bench_twin"
    assert {m.labware for m in read.material} == set(read.workcell.library)


def test_the_library_of_the_repository_does_not_sort_variants_by_position():
    read = load_campaign(REPOSITORY / "campaigns" / "thermostable_protein_g.yaml")
    by_plate = {plate: [] for plate in read.workcell.library}
    for candidate in read.candidates:
        by_plate[read.sources[candidate.id][0]].append(int(candidate.id[1:-1]))
    means = [sum(places) / len(places) for places in by_plate.values()]
    assert max(means) - min(means) < 12  # sorted by position, plates would differ by about 49


# ---------------------------------------------------------------------------------------------------- wrong fields


def test_a_misspelt_field_is_named_with_the_one_meant(desk):
    desk.change(desk.campaign, "budget: 20", "budgett: 20")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 16, "budgett")
    assert bad.reason == "There is no field 'budgett' here."
    assert bad.way_out == "Did you mean 'budget'?"


def test_a_missing_field_is_named_with_an_example(desk):
    desk.change(desk.campaign, "budget: 20\n", "")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", None, "budget")
    assert bad.reason == "The field 'budget' is missing."
    assert bad.way_out == "Add a line such as `budget: 96`."


def test_an_unknown_field_deep_inside_lists_the_known_ones(desk):
    desk.change(desk.campaign, "  reference: WT", "  reference: WT\n  colour: red")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 8, "candidates.colour")
    assert bad.reason == "There is no field 'colour' here."
    assert bad.way_out == "The fields here: file, alphabet, parent, reference."


@pytest.mark.parametrize(
    ("budget", "reason", "way_out"),
    [
        ("0", "budget is 0, but at least 1 is needed.", "Give 1 or more."),
        ("-3", "budget is -3, but at least 1 is needed.", "Give 1 or more."),
        ("101", "budget is 101, but at most 100 is possible.", "Give 100 or less."),
        ("many", "budget is a whole number, not 'many'.", "Write digits, without quotes."),
        ('"20"', "budget is a whole number, not '20'.", "Write digits, without quotes."),
        ("20.5", "budget is a whole number, not 20.5.", "Write digits, without quotes."),
        ("true", "budget is a whole number, not true.", "Write digits, without quotes."),
        ("[20]", "budget is a whole number, not a list.", "Write digits, without quotes."),
        (".nan", ".nan is not a finite number.", "Write a number."),
        (".inf", ".inf is not a finite number.", "Write a number."),
        ("", "budget has no value.", "Write one after the colon, or take the line out."),
        ("2026-01-01", "'2026-01-01' is read as a date.", "Put it in quotes if it is text."),
    ],
)
def test_a_budget_that_is_none_is_refused(desk, budget, reason, way_out):
    desk.change(desk.campaign, "budget: 20", f"budget: {budget}")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 16, "budget")
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_a_batch_larger_than_the_budget_is_refused(desk):
    desk.change(desk.campaign, "batch_size: 4", "batch_size: 21")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 17, "batch_size")
    assert bad.reason == "batch_size is 21, more than the budget of 20."
    assert bad.way_out == "Make it at most the budget."


def test_a_negative_seed_is_refused(desk):
    desk.change(desk.campaign, "seed: 7", "seed: -7")
    bad = desk.problem()
    assert (bad.line, bad.field) == (18, "seed")
    assert bad.reason == "seed is -7, but at least 0 is needed."
    assert bad.way_out == "Give 0 or more."


def test_two_goals_are_one_too_many(desk):
    desk.change(desk.campaign, "  maximize: residual_activity", "  maximize: activity\n  minimize: cost")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 2, "goal")
    assert bad.reason == "A goal is to maximize, minimize, hit, exceed or map one target."
    assert (
        bad.way_out == "Write one of the five: `maximize: residual_activity`. More targets go under `also`."
    )


def test_a_name_that_can_name_no_file_is_refused(desk):
    desk.change(desk.campaign, "name: heat_test", "name: ../heat test")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 1, "name")
    assert bad.reason == "'../heat test' can't be the name of a campaign."
    assert bad.way_out == "Use up to 64 letters, digits, - and _, beginning with a letter or digit."


@pytest.mark.parametrize(
    ("written", "reason", "way_out"),
    [
        (
            "10 kg",
            "challenge_duration_s can't be given in 'kg'.",
            "Write a bare number or one of these units: s, sec, min, h, d.",
        ),
        (
            "soon",
            "challenge_duration_s is a number, not 'soon'.",
            "Write a bare number, or a number and its unit.",
        ),
        ("1e400 s", "challenge_duration_s is no finite number.", "Write a smaller one."),
    ],
)
def test_a_wrong_unit_is_refused(desk, written, reason, way_out):
    desk.change(desk.campaign, "challenge_duration_s: 10 min", f"challenge_duration_s: {written}")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == (
        "campaign.yaml",
        13,
        "protocol.parameters.challenge_duration_s",
    )
    assert (bad.reason, bad.way_out) == (reason, way_out)


def test_quantities_in_lists_are_read_one_by_one(desk):
    desk.change(desk.campaign, "challenge_temperature_c: 75", "challenge_temperatures_c: [70, 75 °C, 80 kg]")
    bad = desk.problem()
    assert (bad.line, bad.field) == (12, "protocol.parameters.challenge_temperatures_c[3]")
    assert bad.reason == "challenge_temperatures_c can't be given in 'kg'."
    desk.change(desk.campaign, "80 kg", "80")
    assert desk.load().protocol.parameters["challenge_temperatures_c"] == [70, 75.0, 80]


@pytest.mark.parametrize("letter", ["X", "B", "t", "1"])
def test_a_parent_with_letters_that_are_no_amino_acid_is_refused(desk, letter):
    desk.change(desk.campaign, "parent: MTYKLILN", f"parent: MTY{letter}LILN")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 6, "candidates.parent")
    assert bad.reason == f"parent has {letter!r} at position 4, which is no amino acid."
    assert bad.way_out == "Use the one-letter codes ACDEFGHIKLMNPQRSTVWY."


def test_a_reference_that_has_no_row_is_refused(desk):
    desk.change(desk.table, "WT,2,A1\n", "")
    desk.change(desk.campaign, "reference: WT", "reference: T2C")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 7, "candidates.reference")
    assert bad.reason == f"{desk.table} has no row for the reference 'T2C'."
    assert bad.way_out == "Every plate carries it as a control; add it, or name another. Did you mean 'T2A'?"


def test_a_baseline_is_for_twins_only(desk):
    desk.change(desk.campaign, "seed: 7", "seed: 7\nbaseline: random")
    assert desk.load().baseline == "random"
    desk.change(desk.workcell, "twin: true", "twin: false")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 19, "baseline")
    assert bad.reason == "A baseline costs as much as the campaign itself, and bench is no twin."
    assert bad.way_out == "Take the line out."


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_lines(desk):
    desk.change(desk.campaign, "name: heat_test", "name: heat test")
    desk.change(desk.campaign, "budget: 20", "budget: 0")
    desk.change(desk.campaign, "reference: WT", "referenz: WT")
    desk.change(desk.campaign, "10 min", "10 kg")
    with pytest.raises(CampaignFileError) as caught:
        desk.load()
    assert [p.line for p in caught.value.problems] == [1, 7, 13, 16]
    assert len(str(caught.value).splitlines()) == 4
    assert all(line.startswith(str(desk.campaign)) for line in str(caught.value).splitlines())


# ------------------------------------------------------------------------------------------------------ wrong files


def test_a_missing_campaign_file_names_the_one_meant(desk):
    bad = desk.problem(lambda: load_campaign(desk.folder / "campain.yaml"))
    assert (bad.file, bad.line) == ("campain.yaml", None)
    assert bad.reason == "There is no such campaign file."
    assert bad.way_out == f"Did you mean '{desk.campaign}'?"


def test_a_missing_folder_is_said_to_be_missing(desk):
    bad = desk.problem(lambda: load_campaign(desk.folder / "gone" / "campaign.yaml"))
    assert bad.way_out == f"There is no folder {desk.folder / 'gone'} either; check the path."


@pytest.mark.parametrize(
    ("field", "line", "named", "kind"),
    [("workcell", 8, "bench.yaml", "workcell"), ("candidates.file", 5, "library.csv", "candidate")],
)
def test_a_missing_named_file_is_an_error_where_it_is_named(desk, field, line, named, kind):
    (desk.folder / named).rename(desk.folder / f"my_{named}")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", line, field)
    assert bad.reason == f"There is no {kind} file {desk.folder / named}."
    assert bad.way_out == f"Did you mean '{desk.folder / f'my_{named}'}'?"


def test_a_folder_is_no_campaign_file(desk):
    bad = desk.problem(lambda: load_campaign(desk.folder))
    assert bad.reason == "This is a folder, not a campaign file."
    assert bad.way_out == "Name the file in it."


def test_a_device_is_no_campaign_file():
    with pytest.raises(CampaignFileError, match="This is no ordinary file, so no campaign file"):
        load_campaign("/dev/null")


@pytest.mark.parametrize("text", ["", "   \n\n", "\ufeff"])
def test_an_empty_file_is_refused(desk, text):
    desk.campaign.write_text(text, encoding="utf-8")
    bad = desk.problem()
    assert (bad.file, bad.line) == ("campaign.yaml", None)
    assert bad.reason == "The campaign file is empty."
    assert bad.way_out == "`drywet new` writes one to start from."


@pytest.mark.parametrize("text", ["# only a comment\n", "just words\n", "- a\n- list\n"])
def test_a_file_without_fields_is_refused(desk, text):
    desk.campaign.write_text(text, encoding="utf-8")
    bad = desk.problem()
    assert bad.reason == "The file holds no fields."
    assert bad.way_out == "Write fields such as `name: my_campaign`, one to a line."


def test_another_encoding_is_named_with_its_line(desk):
    desk.campaign.write_bytes(desk.campaign.read_bytes().replace(b"10 min", "10 \u00b5s".encode("latin-1")))
    bad = desk.problem()
    assert (bad.file, bad.line) == ("campaign.yaml", 13)
    assert bad.reason == "The campaign file is not UTF-8 text: byte 0xB5 stands where a character should."
    assert bad.way_out == "Save it as UTF-8 in your editor or spreadsheet program."


def test_a_byte_order_mark_is_no_error(desk):
    desk.campaign.write_text(desk.campaign.read_text(), encoding="utf-8-sig")
    assert desk.load().name == "heat_test"


@pytest.mark.parametrize(
    ("old", "new", "line", "says", "way_out"),
    [
        ("budget: 20", "budget: [20", 17, "not valid YAML", "Look at this line and the one before it"),
        ("  reference: WT", "\treference: WT", 7, "'\\t'", "Indent with spaces, not with tabs."),
        ("name: heat_test", "name: heat: test", 1, "mapping values", "put text that holds a colon in quotes"),
        (
            "seed: 7",
            "seed: 7\n---\nseed: 8",
            19,
            "second document",
            "Take the line `---` and what follows it out.",
        ),
        ("seed: 7", "seed: 'seven", 19, "end of", "Look at this line and the one before it"),
        ("seed: 7", "seed: \x01", None, "not valid YAML", ""),
    ],
)
def test_yaml_that_is_none_is_named_with_its_line(desk, old, new, line, says, way_out):
    desk.change(desk.campaign, old, new)
    bad = desk.problem()
    assert (bad.file, bad.line) == ("campaign.yaml", line)
    assert bad.reason.startswith("This is not valid YAML")
    assert says in bad.reason
    assert way_out in bad.way_out


def test_a_field_that_stands_twice_is_refused(desk):
    desk.change(desk.campaign, "seed: 7", "seed: 7\nbudget: 30")
    bad = desk.problem()
    assert (bad.file, bad.line, bad.field) == ("campaign.yaml", 19, "budget")
    assert bad.reason == "'budget' stands here a second time; the first is in line 16."
    assert bad.way_out == "Keep one of them."


def test_aliases_are_refused_instead_of_unfolded(desk):
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    desk.campaign.write_text(bomb + desk.campaign.read_text())
    found = [bad for bad in desk.problems() if "Aliases" in bad.reason]
    assert [bad.line for bad in found] == [2, 2, 3, 3]
    assert found[0].way_out == "Write the value out."


def test_nesting_without_end_is_refused(desk):
    desk.campaign.write_text("name: " + "[" * 100_000)
    bad = desk.problem()
    assert bad.reason == "The file nests lists or fields far too deeply."
    assert bad.way_out == "Take the nesting out."


def test_yaml_may_not_make_objects(desk):
    desk.change(desk.campaign, "seed: 7", "seed: !!python/name:os.system x")
    bad = desk.problem()
    assert (bad.line, bad.field) == (18, "seed")
    assert "can't be read as a value" in bad.reason


def test_words_that_older_yaml_takes_for_truth_values_stay_text(desk):
    desk.change(desk.campaign, "name: heat_test", "name: no")
    assert desk.load().name == "no"


def test_a_file_that_the_system_will_not_open_is_refused(desk):
    bad = desk.problem(lambda: load_campaign(desk.folder / ("x" * 300)))
    assert bad.reason == "The campaign file can't be read: File name too long."
    assert bad.way_out == "Check its name, and that you may read it."


def test_a_file_that_may_not_be_read_is_refused(desk, monkeypatch):
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root, who runs CI, may read everything
    bad = desk.problem()
    assert bad.reason == "The campaign file can't be read: Permission denied."
    assert bad.way_out == "Check its name, and that you may read it."


def test_policies_that_are_not_written_are_the_default_ones(desk):
    desk.change(desk.campaign, "seed: 7", "seed: 7\npolicies:\n  repeat_failed: 2")
    assert desk.load().policies == Policies(repeat_failed=2)


def test_recoveries_are_ladders_over_the_default_ones(desk):
    desk.change(desk.campaign, "seed: 7", RECOVERY)
    policies = desk.load().policies
    assert (policies.max_redos, policies.priority) == (0, 9)
    assert policies.recovery(FaultKind.CLOG, 1) is Recovery.RETRY_NEW_TIP
    assert policies.recovery(FaultKind.CLOG, 2) is Recovery.ABORT
    assert policies.recovery(FaultKind.UNKNOWN_OUTCOME, 1) is Recovery.REDO_BATCH
    unwritten = [kind for kind in FaultKind if kind not in (FaultKind.CLOG, FaultKind.UNKNOWN_OUTCOME)]
    assert all(
        policies.recovery(kind, n) is RecoveryPolicy()(kind, n) for kind in unwritten for n in range(1, 6)
    )


def test_a_recovery_survives_the_store(desk, tmp_path):
    desk.change(desk.campaign, "seed: 7", RECOVERY)
    campaign = desk.load().campaign("cmp_1")
    with Store.open(tmp_path / "lab.db") as store:
        bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
        store.create_campaign(campaign, bench.id, "", {})
        assert store.campaign("cmp_1").campaign.policies == campaign.policies


@pytest.mark.parametrize(
    ("written", "field", "reason", "way_out"),
    [
        (
            "failed_asprate: hold",
            "failed_asprate",
            "There is no field 'failed_asprate' here.",
            "Did you mean 'failed_aspirate'?",
        ),
        ("lid: [retry, hold_on]", "lid", "There is no recovery 'hold_on'.", "Did you mean 'hold'?"),
        (
            "grip: []",
            "grip",
            "A recovery takes one to 10 entries, not 0.",
            "Write one for each try, such as [retry, hold]; the last one holds from there.",
        ),
        (
            "unknown_outcome: [hold, retry]",
            "unknown_outcome",
            "retry could do twice what may have been done already.",
            "Choose from: skip_sample, redo_batch, hold, abort.",
        ),
        (
            "out_of_range: retry_new_tip",
            "out_of_range",
            "retry_new_tip does not help here: the same command would meet the same fault again.",
            "Choose from: skip_sample, redo_batch, hold, abort.",
        ),
        (
            "busy: 3",
            "busy",
            "There is no recovery 3.",
            "Known here: retry, retry_new_tip, skip_sample, redo_batch, hold, abort.",
        ),
        (
            "clog: {then: hold}",
            "clog",
            "clog is a list, not fields.",
            "Write [first, second].",
        ),
        ("timeout:", "timeout", "timeout has no value.", "Write one after the colon, or take the line out."),
    ],
)
def test_a_recovery_that_is_none_is_refused_at_its_line(desk, written, field, reason, way_out):
    desk.change(desk.campaign, "seed: 7", f"seed: 7\npolicies:\n  recovery:\n    {written}")
    found = desk.problem()
    assert (found.line, found.field) == (21, f"policies.recovery.{field}")
    assert (found.reason, found.way_out) == (reason, way_out)


@pytest.mark.parametrize("written", ["max_redos: 11", "max_redos: -1", "priority: 10", "priority: -1"])
def test_policies_past_their_range_are_refused(desk, written):
    desk.change(desk.campaign, "seed: 7", f"seed: 7\npolicies:\n  {written}")
    assert desk.problem().field == f"policies.{written.split(':')[0]}"
