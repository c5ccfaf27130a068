"""Order is counted, not timed: a wall clock that steps back changes none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ulid import ULID

from lab import types
from lab.store import Store, tables
from lab.types import RunStatus, StepStatus
from tests.lab.store.examples import a_layout, a_proposal, an_observation, begin, opened_run


class BackwardClock:
    """Wall time that steps back an hour whenever somebody looks."""

    def __init__(self) -> None:
        self.at = datetime(2026, 9, 1, tzinfo=UTC)

    def now(self, zone: object) -> datetime:
        self.at -= timedelta(hours=1)
        return self.at

    def ulid(self) -> ULID:
        return ULID.from_datetime(self.now(UTC))


def test_a_wall_clock_that_steps_back_changes_no_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = BackwardClock()
    monkeypatch.setattr(tables, "datetime", clock)
    monkeypatch.setattr(types, "ULID", clock.ulid)
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    flights = [opened_run(store, bench, "same") for _ in range(3)]
    others = [store.create_bench(workcell="other", twin=True, seed=1, ledger="", snapshot={}) for _ in "ab"]
    assert flights[0].campaign.id > flights[1].campaign.id > flights[2].campaign.id
    assert others[0].created_utc > others[1].created_utc

    assert [b.id for b in store.benches()] == [bench.id, *(other.id for other in others)]
    assert [b.id for b in store.benches("other")] == [other.id for other in others]
    assert store.campaign("same").campaign.id == flights[-1].campaign.id
    assert [c.campaign.id for c in store.campaigns()] == [f.campaign.id for f in flights]
    assert [run.id for run in store.open_runs(bench.id)] == [f.run.id for f in flights]

    first = flights[0]
    later = store.propose(first.campaign.id, a_proposal(2))
    store.finish_run(first.run.id, RunStatus.ABANDONED)
    again = store.create_run(first.batch, a_layout(first.batch), 2)
    assert [batch.id for batch in store.batches(first.campaign.id)] == [first.batch.id, later.id]
    assert store.history(first.campaign.id).experiments[3:] == later.experiments
    assert store.last_run(first.batch.id) == again
    assert [outcome.run.id for outcome in store.runs(first.campaign.id)] == [first.run.id, again.id]
    steps = [begin(store, again, ordinal, dispatch=True) for ordinal in (1, 2, 3)]
    for number, step in enumerate(reversed(steps), start=1):
        store.mark_step(step.id, f"part {number}", None, 1.0)
        store.mark_step(step.id, "last part", None, 1.0)
        assert store.end_step(step.id, StepStatus.DONE, None, "", 1.0) == number
    assert [s.id for s in store.steps(again.id)] == [s.id for s in steps]
    assert [s.id for s in store.settled_steps_since(bench.id, 0)] == [s.id for s in reversed(steps)]
    assert [mark.name for mark in store.marks(steps[0].id)] == ["part 3", "last part"]
    assert [s.run_id for s in store.samples_of_bench(bench.id)] == [
        run.id for run in (*(f.run for f in flights), again) for _ in range(3)
    ]
    observations = [an_observation(e, again) for e in first.batch.experiments]
    store.record(observations)
    assert store.history(first.campaign.id).observations == tuple(observations)
    for name in ("one", "two"):
        store.log(first.campaign.id, "note", name)
        store.bar(bench.id, {("assay_1", name): "why"}, who="Ada")
    assert [event.sentence for event in store.events(first.campaign.id)][-2:] == ["one", "two"]
    assert list(store.barred(bench.id)) == [("assay_1", "one"), ("assay_1", "two")]
