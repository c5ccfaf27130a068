"""A lab service that is told to end, and what it leaves; a second one on its store; a baseline left when it is killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lab.app.house.house import SHUT_DOWN
from lab.store import Store
from lab.types import CampaignStatus, RunStatus, StepStatus
from tests.campaign_files import write_campaign
from tests.crash.cases import PROTOCOL
from tests.crash.service_cases import write_lab
from tests.crash.service_people import GRACE
from tests.crash.service_process import Serving, drywet, lab_in
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PACE = "200"
"""At which a block is hot for some seconds of ours."""


def small(folder: Path, name: str, *, more: str = "") -> str:
    """Text of a campaign of one batch, with a protocol that every service knows."""
    text = write_lab(folder, name, "redo_batch", budget=2, more=more)
    text = text.replace(f"name: {PROTOCOL}", "name: thermal_challenge")
    (folder / f"{name}.yaml").write_text(text)
    return text


SAFE = "Everything is stopped and safe."


def hand_in_a_hot_one(serving: Serving, hot_s: int = 600) -> None:
    """A campaign that heats for a long time, on until it does."""
    text = small(serving.folder, "one")
    assert text.count("challenge_duration_s: 60 ") == 1
    serving.hand_in(text.replace("challenge_duration_s: 60 ", f"challenge_duration_s: {hot_s} "), "one")
    serving.until("it heats", lambda: "heat" in serving.under_way("one"))


@pytest.mark.parametrize("once_more", [signal.SIGTERM, signal.SIGINT], ids=["by a kill", "by Ctrl-C"])
def test_told_to_end_twice_it_ends_at_a_step_boundary_and_goes_on_at_the_next_start(
    tmp_path: Path, once_more: signal.Signals
) -> None:
    with lab_in(tmp_path, pace=PACE) as serving:
        serving.start()
        hand_in_a_hot_one(serving)
        serving.tell(signal.SIGTERM)
        if once_more is not None:
            serving.until(
                "it says that it ends", lambda: "Stopping after the steps under way" in serving.said
            )
            serving.tell(once_more)
        assert serving.wait() == 0, serving.said
        assert "one goes on at the next start." in serving.said
        assert SAFE in serving.said
        with Store.open(serving.store, read_only=True) as store:
            record = store.campaign("one")
            assert (record.status, record.sentence) == (CampaignStatus.STOPPED, SHUT_DOWN)
            (run,) = store.runs(record.campaign.id)
            before = store.steps(run.run.id)
            assert {step.status for step in before} == {StepStatus.DONE}
            assert any(step.action == "heat" for step in before)
        serving.pace = "max"
        serving.start()
        serving.until_status("one", "finished")
        serving.tell(signal.SIGTERM)
        assert serving.wait() == 0, serving.said
        assert "one" not in serving.said.split("Ctrl-C ends it")[1].splitlines()[-1]
        with Store.open(serving.store, read_only=True) as store:
            (after,) = store.runs(record.campaign.id)
            assert after.run.status is RunStatus.DONE
            steps = store.steps(run.run.id)
            assert [step.id for step in steps][: len(before)] == [step.id for step in before]
            assert {(step.status, step.attempt_number) for step in steps} == {(StepStatus.DONE, 1)}
            assert store.history(record.campaign.id).spent == 2


def test_ctrl_c_twice_breaks_the_step_under_way_off(tmp_path: Path) -> None:
    with lab_in(tmp_path, pace=PACE) as serving:
        serving.start()
        hand_in_a_hot_one(serving, hot_s=3600)
        serving.tell(signal.SIGINT)
        serving.until("it says how to end it at once", lambda: "Ctrl-C twice breaks them off" in serving.said)
        serving.tell(signal.SIGINT)
        assert serving.wait() == 0, serving.said
        assert SAFE in serving.said
        with Store.open(serving.store, read_only=True) as store:
            record = store.campaign("one")
            assert record.status is CampaignStatus.STOPPED
            (run,) = store.runs(record.campaign.id)
            broken = [step for step in store.steps(run.run.id) if step.status is not StepStatus.DONE]
            assert [step.action for step in broken] == ["heat"], serving.said
            assert broken[0].status in (StepStatus.FAILED, StepStatus.UNKNOWN)


def test_told_to_end_while_nothing_runs_it_leaves_nothing(tmp_path: Path) -> None:
    with lab_in(tmp_path) as serving:
        serving.start()
        serving.tell(signal.SIGTERM)
        assert serving.wait() == 0
        assert serving.said.strip().endswith(SAFE)
        assert "next start.\n" in serving.said  # what it says at its start, and of no campaign
        assert "goes on at the next start.\n" in serving.said


def test_told_to_end_while_a_campaign_waits_for_a_person_it_says_so_and_asks_no_second_time(
    tmp_path: Path,
) -> None:
    with lab_in(tmp_path) as serving:
        serving.start()
        text = small(tmp_path, "asks", more="approval:\n  each_batch: true\n")
        serving.hand_in(text, "asks")
        serving.until_status("asks", "held")
        serving.tell(signal.SIGTERM)
        assert serving.wait() == 0, serving.said
        assert "asks is held: Batch 1 waits for a person." in serving.said
        serving.start()
        with serving.client(GRACE) as grace:
            (waiting,) = grace.approvals("waiting")
            grace.approve(waiting["id"], waiting["version"])
        serving.until_status("asks", "finished")
        with serving.client(GRACE) as grace:
            assert len(grace.approvals()) == 1


def test_a_baseline_goes_on_after_what_it_is_for_has_finished(tmp_path: Path) -> None:
    with lab_in(tmp_path) as serving:
        serving.start()
        path = write_campaign(tmp_path, "one", budget=8, batch_size=4, baseline="random")
        path.write_text(path.read_text().replace("name: adaptive ", "name: sobol "))
        serving.hand_in(path.read_text(), "one", baseline=True)
        other = serving.until("the baseline begins", lambda: serving.campaign("one_random"))
        with serving.client() as ada:
            ada.pause(other["id"])
        serving.until_status("one", "finished")
        serving.tell(signal.SIGKILL)
        serving.wait()
        serving.start()
        serving.until("the baseline is there again", lambda: serving.live("one_random"))
        assert serving.live("one_random")["pausing"], "it was paused, and nobody said that it may go on"
        with serving.client() as ada:
            ada.let_go_on(other["id"])
        serving.until_status("one_random", "finished")


def a_second_one_is_refused(serving: Serving, elsewhere: Path) -> str:
    """Start a second service on a store; gives what it says, which names the first."""
    assert serving.program is not None
    other = Serving(folder=elsewhere, store=serving.store)
    refused = drywet(
        *("serve", "--store", other.store, "--folder", str(elsewhere), "--port", str(other.port)),
        folder=elsewhere,
    )
    assert refused.returncode == 2, refused.stdout
    assert "is writing to this store" in refused.stderr
    assert (
        f"{serving.program.pid}@" in refused.stderr or f"process {serving.program.pid} on" in refused.stderr
    )
    assert "Traceback" not in refused.stderr
    serving.until_status("one", "finished")  # nothing has come between
    return refused.stderr


def test_a_second_service_on_a_store_is_refused_and_told_which_one_is_there(tmp_path: Path) -> None:
    with lab_in(tmp_path) as serving:
        serving.start()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        serving.hand_in(small(tmp_path, "one"), "one")
        a_second_one_is_refused(serving, elsewhere)
        # The command line finds the service, which asks who it is.
        small(tmp_path, "two")
        refused = drywet("run", "two.yaml", "--store", serving.store, folder=tmp_path)
        assert refused.returncode == 2, refused.stdout
        assert "drywet login" in refused.stderr
        assert serving.campaign("two") == {}
        serving.tell(signal.SIGTERM)
        assert serving.wait() == 0


@pytest.mark.postgres
def test_on_a_database_server_a_second_service_is_refused_as_well(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url = postgres_server.url(postgres_server.new_database())
    with lab_in(tmp_path, url) as serving:
        serving.start()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        serving.hand_in(small(tmp_path, "one"), "one")
        a_second_one_is_refused(serving, elsewhere)
        # From another folder, or another machine, nobody knows of the service; the store does.
        small(elsewhere, "two")
        refused = drywet("run", "two.yaml", "--store", url, folder=elsewhere)
        assert refused.returncode == 2, refused.stdout
        assert "is writing to this store" in refused.stderr
        serving.tell(signal.SIGTERM)
        assert serving.wait() == 0
