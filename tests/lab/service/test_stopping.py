"""Stopping over HTTP works while everything else that the service needs does not."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.app import Settings
from lab.app.house import House
from lab.app.house.stops import QUEUE, Stops
from lab.app.laboratory import Laboratory
from lab.engine.progress import Progress, StepEnded
from lab.errors import BenchBusy
from lab.store import Store
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.service.api_lab import Api, Headers, api, submit

LIMIT_S = 120.0

STOP = {"X-Drywet": "stop"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Api]:
    with api(tmp_path) as service:
        yield service


def until(what: Callable[[], bool], says: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end, says
        time.sleep(0.02)


def answers(here: Api, headers: Headers) -> bool:
    """Whether the service answers a question within a second."""
    try:
        here.client.get("/api/campaigns", headers=headers, timeout=1.0)
    except httpx.TimeoutException:
        return False
    return True


def begin(here: Api) -> Headers:
    """A campaign that stands still after its first steps; gives the headers of who may steer it."""
    ada = here.add("ada", "scientist", "operator")
    begun = threading.Event()

    def pause(event: Progress) -> None:
        if isinstance(event, StepEnded) and not begun.is_set():
            here.house.pause("Wait.")
            begun.set()

    end = here.house.listen(pause)
    submit(here, write_campaign(here.folder, "one", budget=4, batch_size=4, baseline="null"), ada)
    assert begun.wait(LIMIT_S)
    until(lambda: all(one.paused for one in here.house.standings()), "it does not stand still")
    end()
    return ada


def test_a_stop_makes_the_devices_safe_while_every_thread_of_the_server_waits_for_the_store(
    here: Api,
) -> None:
    ada = begin(here)
    waiting = 45  # five more than the server has threads for requests
    answered: list[int] = []

    def wait_for_the_store() -> None:
        with httpx.Client(base_url=here.address, timeout=LIMIT_S, trust_env=False) as client:
            answered.append(client.post("/api/campaigns/one/pause", json={}, headers=ada).status_code)

    with ThreadPoolExecutor(1) as stopping:
        intruder = sqlite3.connect(here.folder / "lab.db", isolation_level=None, timeout=30)
        intruder.execute("BEGIN IMMEDIATE")
        threads = [threading.Thread(target=wait_for_the_store) for _ in range(waiting)]
        for thread in threads:
            thread.start()
        until(lambda: not answers(here, ada), "it answers although its threads wait")
        before = len(answered)
        stop = stopping.submit(
            here.client.post, "/api/stop", json={"now": True, "reason": "Smoke."}, headers=STOP
        )
        until(lambda: all(one.stopping for one in here.house.live()), "nobody heard of the stop")
        assert len(answered) - before < 5, "it waited for a thread"
        answer = stop.result(LIMIT_S)
        intruder.execute("ROLLBACK")
        intruder.close()
    assert answer.status_code == 200, answer.text
    report = answer.json()["report"]
    assert report["safe"] is True
    assert len(report["devices"]) == 5
    assert "may not be in the store" in report["errors"][0]
    for thread in threads:
        thread.join()
    until(lambda: not here.house.live(), "the bench was not given back")
    assert here.store.campaign("one").status is CampaignStatus.STOPPED
    here.house.resume(here.store.campaign("one").campaign.id)
    until(lambda: here.store.campaign("one").status is CampaignStatus.FINISHED, "it did not go on")


def test_a_stop_needs_no_body_and_says_where_there_is_nothing_to_stop(here: Api) -> None:
    begin(here)
    unknown = here.client.post("/api/stop", json={"campaign": "two"}, headers=STOP)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "not_running")
    assert here.house.standings()[0].at_work
    for body in (b"{", b'{"now": "at once"}', b'{"campaign": 1}', b"[]"):
        refused = here.client.post(
            "/api/stop", content=body, headers={**STOP, "Content-Type": "application/json"}
        )
        assert refused.status_code in (400, 422), refused.text
        assert refused.json()["sentence"]
    assert here.house.standings()[0].at_work
    assert here.client.post("/api/stop", headers=STOP).status_code == 200
    until(lambda: here.store.campaign("one").status is CampaignStatus.STOPPED, "it did not stop")


def queued(here: Api, ada: Headers) -> str:
    """A campaign that waits for tomorrow; gives the identifier of its submission."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    file = write_campaign(here.folder, "tomorrow", budget=3, batch_size=3, baseline="null")
    return str(submit(here, file, ada, not_before_utc=later)["id"])


def held(here: Api, submission: str) -> bool:
    return here.store.submission(submission).held


def test_where_everything_is_stopped_what_waits_to_begin_waits_for_a_person(here: Api) -> None:
    ada = begin(here)
    waiting = queued(here, ada)
    one = here.client.post("/api/stop", json={"campaign": "one"}, headers=STOP)
    assert one.status_code == 200
    until(lambda: not here.house.live(), "the bench was not given back")
    assert not held(here, waiting)
    assert here.client.post("/api/stop", json={"reason": "Smoke."}, headers=STOP).status_code == 200
    until(lambda: held(here, waiting), "it is not held")
    shown = here.client.get(f"/api/submissions/{waiting}", headers=ada).json()
    assert "Smoke." in shown["sentence"]
    change = {"expected": shown["version"], "held": False, "at_once": True}
    assert here.client.post(f"/api/submissions/{waiting}/change", json=change, headers=ada).status_code == 200
    until(
        lambda: any(
            one.campaign.name == "tomorrow" and one.status is CampaignStatus.FINISHED
            for one in here.store.campaigns()
        ),
        "it does not begin when it is let go",
    )


def test_what_waits_is_held_at_the_next_start_where_it_could_not_be_told(tmp_path: Path) -> None:
    with api(tmp_path) as here:
        waiting = queued(here, here.add("ada", "scientist", "operator"))
    Stops(tmp_path / "asked_to_stop.json").add([QUEUE], "Smoke.")
    with api(tmp_path) as here:
        until(lambda: held(here, waiting), "it is not held")
        until(lambda: not (tmp_path / "asked_to_stop.json").exists(), "it is not forgotten")


@contextmanager
def doors_shut(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No bench is opened before the event, as where its instruments take their time."""
    may = threading.Event()
    work = Laboratory.work

    def later(self: Laboratory, *args: Any, **more: Any) -> Any:
        assert may.wait(LIMIT_S)
        return work(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Laboratory, "work", later)
        yield may
        may.set()


@pytest.mark.parametrize("now", [True, False])
@pytest.mark.parametrize("campaign", ["one", None])
def test_what_is_stopped_while_its_bench_is_opened_after_a_restart_stays_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, campaign: str | None, now: bool
) -> None:
    with api(tmp_path) as here:
        begin(here)
    with Store.open(str(tmp_path / "lab.db")) as store:
        done = len(store.steps(store.runs(store.campaign("one").campaign.id)[0].run.id))
        house = House(store, Settings(store=str(tmp_path / "lab.db")), tmp_path)
        with doors_shut(monkeypatch) as may, ThreadPoolExecutor(1) as opening:
            opened = opening.submit(house.open, resume=True)
            until(lambda: house.is_under_way("one"), "it is not about to go on")
            assert not house.is_under_way("two")
            if now:
                house.stop_now("Smoke.", campaign)
            else:
                house.request_stop("Smoke.", campaign)
            may.set()
            opened.result(LIMIT_S)
        house.let_go_on()
        until(lambda: not house.live(), "the bench was not given back")
        record = store.campaign("one")
        assert (record.status, record.sentence) == (CampaignStatus.STOPPED, "Smoke.")
        assert len(store.steps(store.runs(record.campaign.id)[0].run.id)) == done
        house.look()
        house.resume(record.campaign.id)
        until(lambda: bool(house.live()), "it did not go on")
        house.let_go_on()
        until(lambda: store.campaign("one").status is CampaignStatus.FINISHED, "it did not go on")
        assert house.close(LIMIT_S)


def test_what_is_stopped_before_its_bench_is_looked_at_is_not_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with api(tmp_path) as here:
        begin(here)
    with Store.open(str(tmp_path / "lab.db")) as store:
        house = House(store, Settings(store=str(tmp_path / "lab.db")), tmp_path)

        def busy(*args: Any, **more: Any) -> None:
            raise BenchBusy("Not now.")

        with monkeypatch.context() as patch:
            patch.setattr(house._shifts, "begin", busy)
            house.open(resume=True)
            house.request_stop("Smoke.")
        house.look()
        until(lambda: store.campaign("one").sentence == "Smoke.", "nobody wrote the stop down")
        assert store.campaign("one").status is CampaignStatus.STOPPED
        assert not house.standings()
        assert house.close(LIMIT_S)
