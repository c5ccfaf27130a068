"""Where campaigns stand, read from the store while somebody else may be writing to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.store import Store
from lab.types import CampaignStatus
from tests.lab.cli.conftest import Drywet
from tests.lab.report.synthetic import Recipe, fill

STORE = Path(".drywet/drywet.db")


@pytest.fixture
def filled(folder: Path) -> Path:
    """A store with a finished campaign, its baseline, and a stopped one."""
    with Store.open(STORE) as store:
        done = fill(store, Recipe(budget=12, batch_size=6, batches=2, pool=60, name="done"))
        fill(
            store,
            Recipe(budget=12, batch_size=6, batches=2, pool=60, name="done_random", baseline_of=done.id),
        )
        stopped = fill(store, Recipe(budget=12, batch_size=6, batches=1, pool=60, name="half"))
        store.set_campaign_status(stopped.id, CampaignStatus.STOPPED, "Stopped by Ctrl-C.", 9000.0)
    return STORE


def test_all_campaigns_are_listed_and_the_newest_is_shown(drywet: Drywet, filled: Path):
    answer = drywet("status")
    assert answer.code == 0
    listed = [line.split()[0] for line in answer.out.splitlines()[1:3]]
    assert listed == ["done", "half"]
    assert "done_random" not in answer.out
    assert "6 of 12 experiments spent" in answer.out
    assert "Stopped by Ctrl-C." in answer.out
    assert "drywet resume half" in answer.out


def test_a_named_campaign_is_shown_with_its_finding(drywet: Drywet, filled: Path):
    answer = drywet("status", "done")
    assert "12 of 12 experiments spent" in answer.out
    assert "Measured on a digital twin" in answer.out
    assert "95 % interval" in answer.out
    assert "drywet report done" in answer.out


def test_the_command_that_goes_on_names_the_store_that_was_named(drywet: Drywet, filled: Path):
    assert f"drywet resume half --store {filled}" in drywet("status", "--store", str(filled)).out


def test_status_works_while_another_process_writes_and_names_it(drywet: Drywet, filled: Path):
    with Store.open(STORE) as store:
        store.set_campaign_status(store.campaign("half").campaign.id, CampaignStatus.RUNNING, "")
        answer = drywet("status", "half")
    assert answer.code == 0
    assert f"It runs in process {os.getpid()}" in answer.out


def test_a_campaign_whose_process_died_is_told_from_one_that_runs(drywet: Drywet, filled: Path):
    with Store.open(STORE) as store:
        store.set_campaign_status(store.campaign("half").campaign.id, CampaignStatus.RUNNING, "")
    answer = drywet("status", "half")
    assert "No process carries it on" in answer.out
    assert "drywet resume half" in answer.out


def test_a_program_gets_all_of_it_as_json(drywet: Drywet, filled: Path):
    told = drywet("status", "--json").json
    assert [c["name"] for c in told["campaigns"]] == ["done", "done_random", "half"]
    assert told["campaign"]["name"] == "half"
    assert told["campaign"]["status"] == "stopped"
    assert told["campaign"]["spent"] == 6
    values = [r["value"] for r in told["campaign"]["results"] if r["ok"]]
    assert told["campaign"]["best"]["value"] == max(values)
    assert {r["origin"] for r in told["campaign"]["results"]} == {"twin"}
    assert told["campaign"]["events"][-1]["sentence"] == "Stopped by Ctrl-C."


def test_a_report_is_written_under_the_name_of_the_campaign(drywet: Drywet, filled: Path):
    answer = drywet("report", "done")
    assert answer.code == 0
    assert answer.out.split() == ["Report:", str(Path("done.html").absolute())]
    assert Path("done.html").read_text(encoding="utf-8").startswith("<!")


def test_a_report_goes_where_it_is_told(drywet: Drywet, filled: Path):
    drywet("report", "--output", "found/half.html")
    assert Path("found/half.html").is_file()
    assert not Path("half.html").exists()
