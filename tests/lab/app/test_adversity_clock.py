"""A clock on the wall that steps back, in mid-run and between runs: order and lab time do not come from it."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.app.benches import lab_time_of
from lab.app.control import (
    Action,
    Answer,
    Presence,
    ask,
    newest_answer,
    present,
    sweep,
    take_requests,
    write_answer,
)
from lab.clock import LabClock
from lab.store import Store
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.app.adverse_stage import Trouble
from tests.lab.app.adversity import Adventure, Stage, stage
from tests.lab.store.examples import begin, opened_run

__all__ = ["stage"]


def never_goes_back(times: list[float]) -> bool:
    return all(before <= after for before, after in pairwise(times))


def test_a_clock_that_steps_back_in_mid_run_and_between_runs_changes_nothing(
    stage: Stage, tmp_path: Path
) -> None:
    adventure = Adventure(stage, tmp_path)
    # Back an hour, and killed later on: found after whatever was written before the step.
    stopped = adventure.run(
        Trouble(at="end_step-before", verb="distribute", what="step_clock_back_and_die_later", on="1")
    )
    assert stopped.code == -9
    shown = adventure.drywet("status", hours_back=2.0)
    assert shown.code == 0
    assert "2 of 2 experiments spent" in shown.out
    found = adventure.ends_as_if_nothing_had_happened(hours_back=3.0)
    assert never_goes_back(found["acted_lab_s"])
    assert never_goes_back(found["begun_lab_s"])
    assert never_goes_back([lab_s for _, lab_s, _ in found["events"] if lab_s is not None])
    stamps = [stamp for _, _, stamp in found["events"]]
    assert stamps != sorted(stamps)  # The clock did step back.
    assert [kind for kind, _, _ in found["events"]][-2:] == ["result", "status"]


def test_the_newest_campaign_is_the_one_that_was_started_last_whatever_the_clock_said(
    stage: Stage, tmp_path: Path
) -> None:
    adventure = Adventure(stage, tmp_path)
    assert adventure.run(Trouble(at="begin_step-before", verb="mix", what="die")).code == -9
    later = adventure.drywet(
        "run",
        "--new",
        "crash.yaml",
        "--no-baseline",
        trouble=Trouble(at="begin_step-before", verb="mix", what="die"),
        hours_back=1.0,
    )
    assert later.code == -9
    with Store.open(adventure.store, read_only=True) as store:
        first, second = store.campaigns()
        assert first.created_utc > second.created_utc
        assert store.campaign("crash") == second
    assert adventure.drywet("resume").code == 0
    with Store.open(adventure.store, read_only=True) as store:
        assert [one.status for one in store.campaigns()] == [CampaignStatus.RUNNING, CampaignStatus.FINISHED]
    assert second.campaign.id in adventure.drywet("status", "crash").out


def test_after_a_kill_lab_time_goes_on_behind_the_last_mark(stage: Stage, tmp_path: Path) -> None:
    adventure = Adventure(stage, tmp_path)
    # A mark is written before its action, so the journal is ahead of the ledger here.
    assert adventure.run(Trouble(at="mark_step-after", verb="distribute", nth=4, what="die")).code == -9
    with Store.open(adventure.store, read_only=True) as store:
        (bench,) = store.benches()
        (cut_off,) = store.open_steps(bench.id)
        marked = max(mark.lab_time_s for mark in store.marks(cut_off.id))
        left_s = lab_time_of(store, bench.id)
        lines = len(Path(bench.ledger).read_text().splitlines()) - 1
    assert cut_off.begun_lab_s is not None
    assert marked > cut_off.begun_lab_s
    assert left_s >= marked
    assert adventure.drywet("resume").code in (0, 1)
    acted = adventure.judged()["acted_lab_s"]
    assert acted[lines] >= marked
    assert never_goes_back(acted)


def test_lab_time_of_a_bench_without_a_ledger_is_that_of_its_last_mark_or_event(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        opened = opened_run(store)
        step = begin(store, opened.run, 1, dispatch=True)
        store.mark_step(step.id, "give", None, 100.0)
        assert store.last_lab_time(opened.bench.id) == 100.0
        store.log(opened.campaign.id, "note", "later", 250.0)
        store.log(opened.campaign.id, "note", "by a person, at no lab time")
        assert store.last_lab_time(opened.bench.id) == 250.0
        other = store.create_bench(workcell="b", twin=False, seed=1, ledger="", snapshot={})
        assert store.last_lab_time(other.id) == 0.0


class Backward:
    """``time.time`` of a clock that was set back an hour."""

    def __init__(self) -> None:
        self._true = time.time

    def __call__(self) -> float:
        return self._true() - 3600.0


def test_lab_time_and_its_timers_do_not_follow_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    with LabClock(virtual=False, start_s=50.0) as clock:
        before = clock.now()
        monkeypatch.setattr(time, "time", Backward())

        async def wait() -> float:
            await asyncio.sleep(0.01)
            return clock.now()

        assert before <= clock.run(wait()) < before + 60.0


def test_control_files_of_a_time_to_come_are_read_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = Presence.this("lab.db", tmp_path)
    request = ask(me, Action.STOP, "lunch", None)
    write_answer(tmp_path, request, Answer(state="done", sentence="Stopped."))
    soon = time.time() + 3600.0
    for path in tmp_path.iterdir():
        os.utime(path, (soon, soon))
    assert [one.id for one in take_requests(tmp_path, me.id)] == [request.id]
    left = tmp_path / "999999@elsewhere.json"
    left.write_text(f'{{"since": "{datetime.now(UTC) + timedelta(hours=1)}"}}')
    monkeypatch.setattr(time, "time", Backward())
    sweep(tmp_path)
    answered = newest_answer(tmp_path, request)
    assert answered is not None
    assert answered.sentence == "Stopped."
    assert not left.exists()  # Nobody holds it, whatever hour it names.
    assert present(tmp_path) == ()


def test_a_laboratory_goes_on_where_the_bench_was_left_not_where_the_wall_clock_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_campaign(tmp_path, budget=2, batch_size=2)
    settings = Settings(store=str(tmp_path / "lab.db"))
    with Laboratory.open(settings) as laboratory:
        laboratory.watch = lambda event: (
            laboratory.request_stop("lunch") if event.lab_time_s > 300.0 else None
        )
        (stopped,) = laboratory.run([prepare(file)], baseline=False)
        left_s = lab_time_of(laboratory.store, laboratory.store.benches()[0].id)
    assert stopped.status is CampaignStatus.STOPPED
    monkeypatch.setattr(time, "time", Backward())
    seen: list[float] = []
    with Laboratory.open(settings) as laboratory:
        laboratory.watch = lambda event: seen.append(event.lab_time_s)
        (resumed,) = laboratory.resume()
    assert resumed.status is CampaignStatus.FINISHED
    assert seen[0] >= left_s > 300.0
    assert never_goes_back(seen)
