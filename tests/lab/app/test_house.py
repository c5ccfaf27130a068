"""The house: what is handed in begins, joins, stops, goes on and survives the end of the program."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.app.house import House
from lab.app.house.house import SHUT_DOWN
from lab.app.settings import Settings
from lab.campaign import CampaignLoop
from lab.engine.progress import Progress, RunOpened, StepEnded
from lab.errors import BadInput
from lab.store import Store
from lab.submissions import CampaignText, Submission, SubmissionStatus
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign

LIMIT_S = 120.0


def until(what: Callable[[], bool], says: str) -> None:
    """Wait for something that comes about; generous, for a machine that does other work."""
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end, says
        time.sleep(0.02)


@contextmanager
def house_in(folder: Path, pace: str = "max", *, resume: bool = True) -> Iterator[House]:
    settings = Settings(store=str(folder / "lab.db"))
    with Store.open(settings.store) as store:
        house = House(store, settings, folder, pace)
        house.open(resume=resume)
        try:
            yield house
        finally:
            assert house.close(LIMIT_S)


def hand_in(house: House, folder: Path, name: str, budget: int = 8, **more: object) -> Submission:
    write_campaign(folder, name, budget=budget, batch_size=4, baseline="null")
    document = CampaignText(text=(folder / f"{name}.yaml").read_text(), path=f"{name}.yaml")
    submission = house.store.submit(name, document, who="ada", **more)  # type: ignore[arg-type]
    house.look()
    return submission


def status_of(house: House, name: str) -> str:
    return next((str(r.status) for r in house.store.campaigns() if r.campaign.name == name), "none")


def test_what_is_handed_in_runs_to_its_end(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        submission = hand_in(house, tmp_path, "one")
        until(lambda: status_of(house, "one") == "finished", "it did not finish")
        after = house.store.submission(submission.id)
        assert after.status is SubmissionStatus.STARTED
        assert house.store.campaign(after.campaign_id).campaign.name == "one"
        assert len(house.store.history(after.campaign_id).experiments) == 8


def test_a_second_campaign_shares_the_bench_that_is_at_work(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        begun = threading.Event()
        house.listen(lambda event: begun.set() if isinstance(event, StepEnded) else None)
        hand_in(house, tmp_path, "one", budget=16)
        assert begun.wait(LIMIT_S)
        hand_in(house, tmp_path, "two")
        until(lambda: status_of(house, "two") == "finished", "the second did not finish")
        until(lambda: status_of(house, "one") == "finished", "the first did not finish")
        assert len({record.bench_id for record in house.store.campaigns()}) == 1


def test_one_is_stopped_and_goes_on_from_there(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        steps: list[StepEnded] = []

        def stop_in_midst(event: Progress) -> None:
            if isinstance(event, StepEnded):
                steps.append(event)
                if len(steps) == 5:
                    house.request_stop("Enough for today.", "one")

        house.listen(stop_in_midst)
        hand_in(house, tmp_path, "one")
        until(lambda: status_of(house, "one") == "stopped", "it did not stop")
        record = house.store.campaign("one")
        assert record.sentence == "Enough for today."
        until(lambda: not house.live(), "the bench was not given back")
        house.resume(record.campaign.id)
        until(lambda: status_of(house, "one") == "finished", "it did not go on")
        again = [s for s in steps[5:] if s.replayed]
        assert [s.number for s in again] == list(range(1, len(again) + 1))
        assert len(again) >= 5


def test_what_was_under_way_at_the_end_goes_on_at_the_next_start(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        opened = threading.Event()
        house.listen(lambda event: opened.set() if isinstance(event, RunOpened) else None)
        hand_in(house, tmp_path, "one")
        assert opened.wait(LIMIT_S)
    with Store.open(tmp_path / "lab.db", read_only=True) as store:
        assert store.campaign("one").status is CampaignStatus.STOPPED
        assert store.campaign("one").sentence == SHUT_DOWN
    with house_in(tmp_path) as house:
        until(lambda: status_of(house, "one") == "finished", "it did not go on")
        assert len(house.store.campaigns()) == 1


def test_what_a_person_stopped_stays_stopped_at_the_next_start(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        house.listen(lambda event: house.request_stop("Mine.") if isinstance(event, RunOpened) else None)
        hand_in(house, tmp_path, "one")
        until(lambda: status_of(house, "one") == "stopped", "it did not stop")
    with house_in(tmp_path) as house:
        assert not house.live()
        assert status_of(house, "one") == "stopped"


def test_a_queue_is_found_again_as_it_was(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        held = hand_in(house, tmp_path, "held", held=True)
    with house_in(tmp_path) as house:
        assert [one.id for one in house.store.submissions(open_only=True)] == [held.id]
        assert not house.live()
        house.store.change_submission(held.id, held=False)
        house.look()
        until(lambda: status_of(house, "held") == "finished", "it did not start when it was let go")


def test_files_that_changed_since_they_were_looked_at_are_not_started(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        submission = hand_in(house, tmp_path, "one", rehearsal={"sha256": "0" * 64})
        until(lambda: house.store.submission(submission.id).status.over, "nothing was decided")
        after = house.store.submission(submission.id)
        assert after.status is SubmissionStatus.FAILED
        assert "has changed since it was handed in" in after.sentence
        assert not house.store.campaigns()


@pytest.mark.parametrize(
    ("field", "named"),
    [("workcell", "../bench.yaml"), ("workcell", "/etc/hostname"), ("protocol", "../mine.py:f")],
)
def test_a_campaign_names_nothing_outside_the_folder(tmp_path: Path, field: str, named: str) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    path = write_campaign(lab, "one", budget=8, batch_size=4, baseline="null")
    (tmp_path / "bench.yaml").write_text((lab / "bench.yaml").read_text())
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')\n")
    text = path.read_text()
    text = (
        text.replace("workcell: bench.yaml", f"workcell: {named}")
        if field == "workcell"
        else text.replace("name: thermal_challenge", f"name: {named}")
    )
    with house_in(lab) as house, pytest.raises((BadInput, SystemExit)) as refused:
        house.check(CampaignText(text=text, path="one.yaml"))
    assert isinstance(refused.value, BadInput)
    assert "outside the lab's folder" in str(refused.value)


def test_where_a_campaign_would_stand_is_within_the_folder(tmp_path: Path) -> None:
    with house_in(tmp_path) as house, pytest.raises(BadInput, match="outside the lab's folder"):
        house.check(CampaignText(text="name: x", path="../../x.yaml"))


def test_who_listens_and_fails_changes_nothing(tmp_path: Path) -> None:
    def fail(event: Progress) -> None:
        raise ValueError("a listener of somebody's")

    with house_in(tmp_path) as house:
        house.listen(fail)
        hand_in(house, tmp_path, "one")
        until(lambda: status_of(house, "one") == "finished", "it did not finish")


def test_the_deck_of_a_bench_at_work_is_shown_as_it_is_believed(tmp_path: Path) -> None:
    with house_in(tmp_path, pace="600") as house:
        hand_in(house, tmp_path, "one")
        until(lambda: any(one.step > 3 for one in house.live()), "no step ended")
        (live,) = house.live()
        at_work = house.bench(live.bench_id)
        assert {"positions", "labware", "barred"} <= set(at_work)
        assert live.steps >= live.step > 0
        assert live.left_s is not None
        assert all(device["connected"] for device in house.devices(live.bench_id))
        house.request_stop("Seen enough.")


def test_a_bench_that_is_never_at_rest_keeps_nothing_of_what_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops: weakref.WeakSet[CampaignLoop] = weakref.WeakSet()
    make = CampaignLoop.__init__

    def noted(self: CampaignLoop, **given: Any) -> None:
        loops.add(self)
        make(self, **given)

    def kept() -> int:
        gc.collect()
        return len(loops)

    monkeypatch.setattr(CampaignLoop, "__init__", noted)
    with house_in(tmp_path) as house:
        hand_in(house, tmp_path, "first", budget=40)
        until(lambda: status_of(house, "first") == "running", "it did not begin")
        for name in ("second", "third", "fourth"):
            hand_in(house, tmp_path, name, budget=4)
            until(lambda name=name: status_of(house, name) == "finished", f"{name} did not finish")
            assert 1 <= kept() <= 2, "what has finished is kept"
        assert [one.name for one in house.standings() if one.at_work] == ["first"]
        house.request_stop("Enough.")
        until(lambda: not house.live(), "the bench was not given back")
