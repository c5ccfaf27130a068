"""A program that journals until it dies, and what must be there afterwards."""

from __future__ import annotations

from pathlib import Path

from lab.store import Store
from lab.types import StepStatus
from tests.lab.store.examples import Opened

REPOSITORY = Path(__file__).parents[3]

ENDLESS = """
import sys
from lab.store import Store
from lab.types import StepStatus
from tests.lab.store.examples import begin, opened_run

store = Store.open(sys.argv[1])
bench = store.benches()[0] if store.benches() else None
opened = opened_run(store, bench)
print("run", opened.run.id, flush=True)
for ordinal in range(1, 100_000):
    step = begin(store, opened.run, ordinal)
    print("intent", step.id, flush=True)
    store.dispatch_step(step.id)
    print("dispatched", step.id, flush=True)
    store.append_documents(opened.run.id, 1, [("event", {"of": step.id})])
    print("document", step.id, flush=True)
    store.end_step(step.id, StepStatus.DONE, {"of": step.id}, "", 1.0)
    print("done", step.id, flush=True)
"""

ORDER = ["intent", "dispatched", "done"]


def assert_kept(store: Store, told: list[tuple[str, str]]) -> int:
    """The journal holds what its writer was told, and at most the one call under way; gives how many steps that is."""
    run_id = told[0][1]
    furthest = {step_id: what for what, step_id in told[1:] if what != "document"}
    steps = {step.id: step for step in store.steps(run_id)}
    documents = [body["of"] for _, body in store.documents(run_id)]
    for step_id, what in furthest.items():
        assert ORDER.index(steps[step_id].status) >= ORDER.index(what)
    unacknowledged = [
        step
        for step in steps.values()
        if step.id not in furthest or ORDER.index(step.status) > ORDER.index(furthest[step.id])
    ]
    told_documents = [step_id for what, step_id in told if what == "document"]
    assert documents[: len(told_documents)] == told_documents
    assert len(documents) - len(told_documents) + len(unacknowledged) <= 1
    done = store.settled_steps_since(store.benches()[0].id, 0)
    assert [step.id for step in done if step.run_id == run_id] == [
        step.id for step in steps.values() if step.status is StepStatus.DONE
    ]
    assert all(step.result == {"of": step.id} for step in done)
    return len(furthest)


def held(store: Store, opened: Opened) -> tuple[object, ...]:
    """All that a store knows of a campaign."""
    campaign, run = opened.campaign.id, opened.run.id
    return (
        store.history(campaign),
        store.batches(campaign),
        store.steps(run),
        store.documents(run),
        store.events(campaign),
        store.benches(),
        [store.marks(step.id) for step in store.steps(run)],
        store.bars(opened.bench.id),
    )
