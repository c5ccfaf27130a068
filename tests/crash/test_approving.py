"""Killed between the request, the answer and what comes of it: nothing is lost, and nothing runs that nobody approved."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.approvals import ApprovalStatus
from lab.store import Store
from lab.types import CampaignStatus, ExperimentStatus
from tests.campaign_files import REPOSITORY, write_campaign


def killed(folder: Path, point: str) -> None:
    """A process works in this folder, and is killed at a point."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.approving", str(folder), point],
        cwd=REPOSITORY,
        timeout=100,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def go_on(folder: Path) -> CampaignStatus:
    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        (outcome,) = laboratory.resume()
    return outcome.status


@pytest.fixture(scope="module")
def _proposed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose process was killed after its batch was proposed, before anybody was asked."""
    folder = tmp_path_factory.mktemp("asking")
    file = write_campaign(folder, budget=3, batch_size=3)
    file.write_text(file.read_text() + "approval: {each_batch: true}\n")
    prepare(file)
    killed(folder, "proposed")
    return folder


@pytest.fixture(scope="module")
def _asked(_proposed: Path) -> Path:
    with Store.open(_proposed / "lab.db", read_only=True) as store:
        (record,) = store.campaigns()
        assert store.open_batch(record.campaign.id) is not None
        assert store.approvals() == ()
    assert go_on(_proposed) is CampaignStatus.HELD
    with Store.open(_proposed / "lab.db") as store:
        (waiting,) = store.approvals()
        assert waiting.status is ApprovalStatus.WAITING
        assert (
            len(store.batches(waiting.campaign_id)) == 1
        )  # the one that was proposed, no other in its place
    return _proposed


@pytest.fixture
def asked(_asked: Path, tmp_path: Path) -> Path:
    """A campaign whose batch waits, for one test; nothing was done on its twin so far."""
    copy = tmp_path / "asking"
    shutil.copytree(_asked, copy)
    return copy


@pytest.mark.parametrize("point", ["approving", "rejecting", "editing"])
def test_an_answer_that_was_cut_off_was_not_given(asked: Path, point: str) -> None:
    with Store.open(asked / "lab.db") as store:
        before = store.approvals()
        batch = store.whole_batch(before[0].batch_id)
    killed(asked, point)
    with Store.open(asked / "lab.db") as store:
        assert store.approvals() == before
        assert store.whole_batch(before[0].batch_id) == batch
        assert store.runs(before[0].campaign_id) == ()
        assert store.decided_since_held() == ()


def test_who_resumes_without_a_yes_starts_nothing(asked: Path) -> None:
    assert go_on(asked) is CampaignStatus.HELD
    with Store.open(asked / "lab.db") as store:
        (waiting,) = store.approvals()
        assert store.runs(waiting.campaign_id) == ()
        assert {one.status for one in store.history(waiting.campaign_id).experiments} == {
            ExperimentStatus.PROPOSED
        }


def test_a_yes_outlives_a_kill_before_its_run_begins(tmp_path: Path) -> None:
    file = write_campaign(tmp_path, budget=3, batch_size=3)
    file.write_text(file.read_text() + "approval: {each_batch: true}\n")
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        laboratory.run([prepare(file)], baseline=False)
        (waiting,) = laboratory.store.approvals()
        laboratory.store.approve(waiting.id, who="ada")
    killed(tmp_path, "approved")
    with Store.open(tmp_path / "lab.db") as store:
        assert store.runs(waiting.campaign_id) == ()
        assert store.approval(waiting.id).status is ApprovalStatus.APPROVED
    assert go_on(tmp_path) is CampaignStatus.FINISHED
    with Store.open(tmp_path / "lab.db") as store:
        assert len(store.approvals()) == 1
        history = store.history(waiting.campaign_id)
        assert len(history.observations) == history.spent == 3
