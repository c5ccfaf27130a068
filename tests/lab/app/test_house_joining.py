"""What begins on a bench at work and can't: it is held, nothing of it stays, and the others notice nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab.app.benches import OpenBench
from lab.app.house import House
from lab.app.laboratory import Laboratory
from lab.app.prepare import prepare
from lab.app.rehearsal import rehearse
from lab.app.settings import Settings
from lab.app.team import Team
from lab.engine.progress import Progress, StepEnded
from lab.errors import DeviceFault, StoreUnusable
from lab.store import Store
from lab.types import CampaignStatus, JsonValue
from tests.campaign_files import write_campaign
from tests.lab.app.test_house import LIMIT_S, hand_in, house_in, status_of, until


def stand_still(house: House, folder: Path) -> None:
    """Campaign ``one`` at work, between two steps."""
    begun = threading.Event()

    def pause(event: Progress) -> None:
        if isinstance(event, StepEnded) and not begun.is_set():
            house.pause("Wait.")
            begun.set()

    end = house.listen(pause)
    hand_in(house, folder, "one", budget=4)
    assert begun.wait(LIMIT_S)
    until(lambda: all(one.paused for one in house.standings()), "it does not stand still")
    end()


def test_what_joins_and_finds_no_instruments_is_held_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_in(tmp_path) as house:
        stand_still(house, tmp_path)
        connect = OpenBench.connect

        async def no_answer(bench: OpenBench) -> None:
            await connect(bench)
            raise DeviceFault("it does not answer.", device="shaker")

        with monkeypatch.context() as gone:
            gone.setattr(OpenBench, "connect", no_answer)
            write_campaign(tmp_path, "two", budget=4, batch_size=4, baseline="random")
            prepared = prepare(tmp_path / "two.yaml")
            claim = rehearse(prepared).claim
            (bench_id,) = {one.bench_id for one in house.live()}
            before = house.store.campaigns()

            def begin(laboratory: Laboratory, team: Team) -> None:
                team.start(prepared, claim, baseline=True, bench_id=bench_id)

            with pytest.raises(DeviceFault, match="does not answer"):
                house._shifts.begin(prepared.file.workcell.name, begin, twin=True)
        new = house.store.campaigns()[len(before) :]
        assert [str(one.status) for one in new] == ["held", "held"]
        assert all("does not answer" in one.sentence for one in new)
        assert [one.name for one in house.standings() if one.at_work] == ["one"]
        house.resume(new[0].campaign.id)
        house.let_go_on()
        until(lambda: status_of(house, "two") == "finished", "it did not go on")
        until(lambda: status_of(house, "two_random") == "finished", "its baseline did not go on")
        until(lambda: status_of(house, "one") == "finished", "the other did not go on")


def test_a_stop_reaches_what_begins_this_moment(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, "one", budget=4, batch_size=4, baseline="null")
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        prepared = prepare(path)
        claim = rehearse(prepared).claim

        def begin(team: Team) -> None:
            team.start(prepared, claim, baseline=False)
            laboratory.request_stop("Enough.", "one")

        (outcome,) = laboratory.work(begin, [], [True])
        assert (outcome.status, outcome.sentence) == (CampaignStatus.STOPPED, "Enough.")
        assert outcome.measured == 0


def test_a_stop_of_everything_reaches_what_joins_this_moment(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        stand_still(house, tmp_path)
        prepared = prepare(write_campaign(tmp_path, "two", budget=4, batch_size=4, baseline="null"))
        claim = rehearse(prepared).claim
        (bench_id,) = {one.bench_id for one in house.live()}

        def begin(laboratory: Laboratory, team: Team) -> None:
            laboratory.request_stop("Smoke.")
            team.start(prepared, claim, baseline=False, bench_id=bench_id)

        house._shifts.begin(prepared.file.workcell.name, begin, twin=True)
        until(lambda: not house.live(), "the bench was not given back")
        assert {one.campaign.name: one.sentence for one in house.store.campaigns()} == {
            "one": "Smoke.",
            "two": "Smoke.",
        }


def test_what_begins_on_an_idle_bench_and_can_not_is_held_and_does_not_seem_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assign = Team._assign

    def fail(team: Team, *more: object) -> None:
        raise OSError("no room for another")

    with house_in(tmp_path) as house:
        monkeypatch.setattr(Team, "_assign", fail)
        hand_in(house, tmp_path, "one", budget=4)
        until(lambda: status_of(house, "one") == "held", "nobody said that it does not run")
        assert house.store.campaign("one").sentence == "no room for another"
        monkeypatch.setattr(Team, "_assign", assign)
        until(lambda: not house._shifts.laboratories, "the bench was not given back")
        house.resume(house.store.campaign("one").campaign.id)
        until(lambda: status_of(house, "one") == "finished", "it did not go on")


def test_a_planner_that_fails_is_told_of_while_others_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_in(tmp_path) as house:
        stand_still(house, tmp_path)

        prepared = prepare(write_campaign(tmp_path, "two", budget=4, batch_size=4, baseline="null"))
        claim = rehearse(prepared).claim

        def fail(planner: object, *more: object) -> None:
            raise KeyError("a column of somebody's")

        monkeypatch.setattr(type(prepared.planner), "ask", fail)
        (bench_id,) = {one.bench_id for one in house.live()}

        def begin(laboratory: Laboratory, team: Team) -> None:
            team.start(prepared, claim, baseline=False, bench_id=bench_id)

        house._shifts.begin(prepared.file.workcell.name, begin, twin=True)
        until(lambda: status_of(house, "two") == "held", "nobody said that it does not run")
        assert "KeyError" in house.store.campaign("two").sentence
        assert status_of(house, "one") == "running"
        house.request_stop("Seen enough.")
        until(lambda: not house.live(), "the bench was not given back")
        (trouble,) = house._shifts.troubles
        assert "a column of somebody's" in trouble


def test_what_ends_while_the_store_takes_nothing_is_told_of_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house_in(tmp_path) as house:
        stand_still(house, tmp_path)
        keep = Store.set_campaign_status

        def full(store: Store, *more: JsonValue) -> None:
            raise StoreUnusable("The disk is full.")

        monkeypatch.setattr(Store, "set_campaign_status", full)
        house.request_stop("Enough.")
        until(lambda: not house._shifts.laboratories, "the bench was not given back")
        assert status_of(house, "one") == "running"
        monkeypatch.setattr(Store, "set_campaign_status", keep)
        until(lambda: status_of(house, "one") == "held", "nobody said that it does not run")
        assert "The disk is full." in house.store.campaign("one").sentence
