"""Lists of campaigns are quick where a lab has many, and true all the same."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event

from lab.store import Store, Tally
from lab.store.campaigns import _Frozen
from lab.types import CampaignStatus, Experiment, Observation
from tests.lab.store.examples import Opened, an_observation, opened_run

WHO = {"who": "Ada", "why": "The plate was upside down."}


def counted(store: Store) -> dict[str, Tally]:
    """Of all campaigns, by identifier."""
    return dict(store.tallies(store.campaigns()))


def anew(store: Store, opened: Opened) -> Tally:
    return Tally.of(store.history(opened.campaign.id), opened.campaign.goal)


def best(store: Store, opened: Opened) -> tuple[Experiment, Observation]:
    found = counted(store)[opened.campaign.id].best
    assert found is not None
    return found


def finished(store: Store, opened: Opened) -> list[Observation]:
    """A campaign that is over, with two results."""
    first, second, *_ = opened.batch.experiments
    results = [an_observation(first, opened.run, 0.9), an_observation(second, opened.run, 0.5)]
    store.record(results)
    store.set_campaign_status(opened.campaign.id, CampaignStatus.FINISHED, "Its budget is spent.")
    return results


def test_what_people_say_of_a_campaign_that_is_over_is_counted(store: Store, opened: Opened) -> None:
    high, low = finished(store, opened)
    assert best(store, opened)[1] == high
    assert counted(store)[opened.campaign.id].measured == 2
    new = store.supersede(high.id, 0.95, 0.02, **WHO)
    assert best(store, opened)[1] == new
    store.retract(new.id, **WHO)
    assert best(store, opened)[1] == low
    assert counted(store)[opened.campaign.id] == anew(store, opened)
    assert counted(store)[opened.campaign.id].measured == 1


def test_one_that_goes_on_is_counted_each_time(store: Store, opened: Opened) -> None:
    first, second, *_ = opened.batch.experiments
    store.record([an_observation(first, opened.run, 0.4)])
    assert counted(store)[opened.campaign.id].measured == 1
    store.record([an_observation(second, opened.run, 0.6)])
    assert counted(store)[opened.campaign.id] == anew(store, opened)
    assert counted(store)[opened.campaign.id].measured == 2


def test_how_a_campaign_stands_is_never_old_whoever_said_it(url: str) -> None:
    with Store.open(url) as store:
        opened = opened_run(store)
        assert store.campaigns()[0].status is CampaignStatus.RUNNING
        with Store.open(url, read_only=True) as other:
            assert other.campaigns()[0].status is CampaignStatus.RUNNING
            store.set_campaign_status(opened.campaign.id, CampaignStatus.HELD, "An arm is stuck.")
            for one in (store, other):
                for record in (one.campaigns()[0], one.campaign(opened.campaign.name)):
                    assert (record.status, record.sentence) == (CampaignStatus.HELD, "An arm is stuck.")
                    assert record.campaign == opened.campaign


def test_many_that_are_over_cost_a_list_no_more_questions(store: Store) -> None:
    def questions(campaigns: int) -> int:
        for _ in range(campaigns):
            finished(store, opened_run(store))
        counted(store)
        asked: list[str] = []

        def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
            asked.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            counted(store)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return len(asked)

    assert questions(1) == questions(5) > 0


def test_what_is_let_go_for_want_of_room_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Frozen, "MOST_CANDIDATES", 250)
    opened = [opened_run(store) for _ in range(4)]
    for _ in range(2):
        assert [record.campaign for record in store.campaigns()] == [one.campaign for one in opened]
    assert len(store._frozen._known) <= 2
