"""Whatever a person gets wrong: the place, the reason, the way out, exit code 2, and nothing was started or lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lab.store import Store
from tests.lab.cli.conftest import Answer, Drywet, change

STORE = Path(".drywet/drywet.db")


def refused(answer: Answer, *words: str) -> None:
    """The answer is an error for a person, and the store, if there is one, holds no campaign."""
    told = " ".join(answer.err.split())
    assert answer.code == 2, told
    assert "Traceback" not in told
    for word in words:
        assert word in told, told
    assert answer.out == ""
    assert campaigns() == 0


def campaigns() -> int:
    if not STORE.exists():
        return 0
    with Store.open(STORE, read_only=True) as store:
        return len(store.campaigns())


@pytest.mark.parametrize("command", ["run", "dry-run"])
@pytest.mark.parametrize(
    ("old", "new", "place", "reason", "way_out"),
    [
        ("budget:", "budgett:", "budgett", "There is no field 'budgett' here.", "Did you mean 'budget'?"),
        ("budget: 6 ", "budget: 101 ", "budget", "at most 100", "Give 100 or less."),
        ("budget: 6 ", "budget: 0 ", "budget", "at least 1", "Give 1 or more."),
        ("batch_size: 3 ", "batch_size: 12 ", "batch_size", "more than the budget of 6", "at most the budget"),
        ("10 min ", "10 ml ", "protocol.parameters.challenge_duration_s", "can't be given in 'ml'", "min"),
        ("adaptive ", "adaptve ", "planner.name", "no planner 'adaptve'", "adaptive"),
        ("thermal_challenge ", "thermal_chalenge ", "protocol.name", "no protocol", "thermal_challenge"),
        ("replicates: 3", "replicate: 3", "protocol.parameters.replicate", "no parameter 'replicate'", "replicates"),
        ("heat_candidates.csv", "heat_candidate.csv", "candidates.file", "no candidate file", "heat_candidates.csv"),
        ("parent: MTYK", "parent: MTYB", "candidates.parent", "'B' at position 4", "ACDEFGHIKLMNPQRSTVWY"),
        ("name: heat", "name: [heat", "", "not valid YAML", "brackets"),
    ],
)  # fmt: skip
def test_a_campaign_file_that_is_wrong_is_refused_at_its_line(
    drywet: Drywet, campaign: Path, command, old, new, place, reason, way_out
):
    line = change(campaign, old, new)
    answer = drywet(command, "heat.yaml")
    refused(answer, "heat.yaml", place, reason, way_out)
    if place:
        assert f"heat.yaml, line {line}, {place}" in answer.err


@pytest.mark.parametrize("command", ["run", "dry-run"])
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("L12K,1,A1\n", "L12K,1,A1\nL12K,1,G9\n", "L12K stands here a second time"),
        ("L12K,1,A1\n", "L12B,1,A1\n", "'B' is no amino acid"),
        ("L12K,1,A1\n", "K12L,1,A1\n", "the parent has L at position 12, not K"),
        ("L12K,1,A1\n", "L12K,3000,A1\n", "There is no library plate '3000'"),
    ],
)
def test_a_candidate_file_that_is_wrong_is_refused_at_its_line(
    drywet: Drywet, campaign: Path, command, old, new, reason
):
    line = change(Path("heat_candidates.csv"), old, new) + new.count("\n") - 1
    answer = drywet(command, "heat.yaml")
    refused(answer, f"heat_candidates.csv, line {line}", reason)


def test_candidates_that_are_none_are_refused(drywet: Drywet, campaign: Path):
    Path("heat_candidates.csv").write_text("variant,plate,well\n")
    refused(drywet("run", "heat.yaml"), "heat_candidates.csv", "The file holds no candidates.", "Add a row")


def test_several_mistakes_are_told_at_once(drywet: Drywet, campaign: Path):
    change(campaign, "budget: 6 ", "budget: 600 ")
    change(campaign, "seed:", "sead:")
    refused(drywet("run", "heat.yaml"), "at most 100", "'sead'", "'seed'")


@pytest.mark.parametrize("command", ["run", "dry-run"])
def test_a_temperature_past_the_limit_of_the_instrument_is_refused(drywet: Drywet, campaign: Path, command):
    change(campaign, "challenge_temperature_c: 75", "challenge_temperature_c: 120")
    answer = drywet(command, "heat.yaml")
    assert answer.code == 2
    assert "Traceback" not in answer.err
    assert "120" in answer.err
    assert "99" in answer.err
    assert campaigns() == 0


@pytest.mark.parametrize("command", ["run", "dry-run"])
def test_more_batches_than_there_are_plates_for_are_refused_before_the_first(
    drywet: Drywet, campaign: Path, command
):
    change(Path("protein_bench_twin.yaml"), "pcr_plate_96, count: 9, at", "pcr_plate_96, count: 1, at")
    change(Path("protein_bench_twin.yaml"), "pcr_plate_96, count: 40, at", "pcr_plate_96, count: 2, at")
    answer = drywet(command, "heat.yaml")
    assert answer.code == 2
    assert "2 batches need 4 clean plates; the workcell has 2." in answer.err
    assert campaigns() == 0


def test_a_file_that_is_not_there_is_refused_with_the_likeliest_one(drywet: Drywet, campaign: Path):
    refused(
        drywet("run", "haet.yaml"), "haet.yaml", "There is no such campaign or workcell file.", "heat.yaml"
    )


def test_one_wrong_file_keeps_the_right_one_from_starting(drywet: Drywet, campaign: Path):
    refused(drywet("run", "heat.yaml", "nothing.yaml"), "nothing.yaml")


def test_a_pace_that_is_none_is_refused(drywet: Drywet, campaign: Path):
    refused(drywet("run", "heat.yaml", "--pace", "fast"), "--pace", "'fast'", "max, wall, or a factor")


def test_a_report_that_could_not_be_written_is_refused_before_the_experiments(drywet: Drywet, campaign: Path):
    Path("taken").write_text("")
    refused(
        drywet("run", "heat.yaml", "--report", "taken/report.html"), "taken/report.html", "can't be written"
    )
    refused(drywet("run", "heat.yaml", "--report", "."), "This is a folder.", "report.html")


def test_a_store_in_a_place_that_is_no_folder_is_refused(drywet: Drywet, campaign: Path):
    Path("file").write_text("mine")
    refused(drywet("run", "heat.yaml", "--store", "file/lab.db"), "file/control", "keep the store elsewhere")
    assert Path("file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_refused(drywet: Drywet, campaign: Path):
    Path("shut").mkdir(mode=0o555)
    refused(drywet("run", "heat.yaml", "--store", "shut/lab.db"), "shut/lab.db", "writable")


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(drywet: Drywet, campaign: Path):
    Path("notes.txt").write_text("my notes of the last ten years")
    refused(drywet("run", "heat.yaml", "--store", "notes.txt"), "notes.txt", "no database")
    assert Path("notes.txt").read_text() == "my notes of the last ten years"


def test_another_programs_database_is_refused_and_left_as_it_is(drywet: Drywet, campaign: Path):
    other = sqlite3.connect("other.db")
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    refused(
        drywet("run", "heat.yaml", "--store", "other.db"), "other.db", "belongs to another program", "mine"
    )
    assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    other.close()


def test_a_store_that_another_drywet_writes_to_is_refused_with_its_process(drywet: Drywet, campaign: Path):
    with Store.open(STORE):
        answer = drywet("run", "heat.yaml")
    refused(answer, str(STORE), f"process {os.getpid()}", "is writing to this store", "drywet status")


def test_a_store_that_a_database_browser_has_locked_is_refused(drywet: Drywet, campaign: Path):
    Store.open(STORE).close()
    browser = sqlite3.connect(STORE, isolation_level=None)
    browser.execute("BEGIN EXCLUSIVE")
    answer = drywet("run", "heat.yaml")
    browser.execute("ROLLBACK")
    browser.close()
    refused(answer, str(STORE), "locked by another program", "try again")


def test_a_store_of_a_newer_drywet_is_refused_and_left_as_it_is(drywet: Drywet, campaign: Path):
    Store.open(STORE).close()
    database = sqlite3.connect(STORE)
    database.execute("UPDATE drywet_schema SET version_num = '9999'")
    database.commit()
    database.close()
    answer = drywet("run", "heat.yaml")
    told = " ".join(answer.err.split())
    assert answer.code == 2
    assert "newer drywet" in told
    assert "pip install --upgrade drywet" in told
    database = sqlite3.connect(STORE)
    assert database.execute("SELECT version_num FROM drywet_schema").fetchone() == ("9999",)
    assert database.execute("SELECT count(*) FROM campaign").fetchone() == (0,)
    database.close()


@pytest.mark.parametrize("command", ["status", "report", "resume"])
def test_a_store_that_is_not_there_is_not_made(drywet: Drywet, command):
    refused(drywet(command), "no store")
    assert not STORE.exists()


@pytest.mark.parametrize("command", ["status", "report", "resume"])
def test_a_campaign_that_is_not_in_the_store_is_refused(drywet: Drywet, command):
    Store.open(STORE).close()
    refused(drywet(command, "heat"), "no campaign heat", "drywet run")


def test_new_does_not_write_over_a_file(drywet: Drywet, campaign: Path):
    before = campaign.read_bytes()
    refused(drywet("new", "heat.yaml"), "heat.yaml", "exists already", "another name")
    assert campaign.read_bytes() == before


def test_a_program_gets_the_same_error_as_json(drywet: Drywet, campaign: Path):
    line = change(campaign, "budget: 6 ", "budget: 600 ")
    answer = drywet("run", "heat.yaml", "--json")
    assert answer.code == 2
    assert answer.json == {
        "error": {
            "exit_code": 2,
            "problems": [
                {
                    "file": "heat.yaml",
                    "line": line,
                    "field": "budget",
                    "reason": "budget is 600, but at most 100 is possible.",
                    "way_out": "Give 100 or less.",
                }
            ],
        }
    }


def test_brackets_in_a_message_are_text(drywet: Drywet, campaign: Path):
    change(campaign, "thermal_challenge ", "'[red]x[/red]' ")
    refused(drywet("run", "heat.yaml"), "[red]x[/red]")


def test_the_installed_command_ends_with_the_same_code_and_words(folder: Path):
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", "run", "nothing.yaml"], capture_output=True, text=True, check=False
    )
    refused(
        Answer(done.returncode, done.stdout, done.stderr),
        "nothing.yaml",
        "There is no such campaign or workcell file.",
    )
