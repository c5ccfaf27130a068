from __future__ import annotations

import itertools

import numpy as np
import pytest

from lab.errors import ProtocolDiverged, RunHeld
from lab.store import Store
from lab.types import StepStatus
from tests.lab.store.examples import Opened, begin, opened_run


def test_a_step_goes_from_intent_over_dispatched_to_done(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1)
    assert store.steps(opened.run.id) == (step,)
    assert (step.status, step.attempt_number, step.begun_lab_s) == (StepStatus.INTENT, 1, 10.0)
    store.dispatch_step(step.id)
    assert store.steps(opened.run.id)[0].status is StepStatus.DISPATCHED
    result = {"temperature_c": 0.1 + 0.2, "wells": np.array([1.5, np.inf])}
    assert store.end_step(step.id, StepStatus.DONE, result, "", 611.5) == 1
    (done,) = store.steps(opened.run.id)
    assert (done.status, done.ended_lab_s, done.error) == (StepStatus.DONE, 611.5, "")
    assert done.arguments == step.arguments
    assert done.result["temperature_c"] == 0.1 + 0.2
    np.testing.assert_array_equal(done.result["wells"], result["wells"])


def test_dispatching_at_once_leaves_a_step_that_was_sent(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    assert step.status is StepStatus.DISPATCHED
    assert store.steps(opened.run.id) == (step,)
    with pytest.raises(ValueError, match="stands at dispatched and cannot become dispatched"):
        store.dispatch_step(step.id)
    store.end_step(step.id, StepStatus.DONE, None, "", 1.0)


def test_a_step_done_in_an_earlier_stretch_is_given_back_and_not_written(
    store: Store, opened: Opened
) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    store.end_step(step.id, StepStatus.DONE, {"value": 3}, "", 20.0)
    store.next_stretch(opened.run.id)
    for dispatch in (False, True):
        again = begin(store, opened.run, 1, dispatch=dispatch)
        assert (again.id, again.status, again.result) == (step.id, StepStatus.DONE, {"value": 3})
    assert store.steps(opened.run.id) == (again,)


@pytest.mark.parametrize("dispatch", [False, True])
def test_a_step_left_at_intent_was_not_sent_and_is_begun_again(
    store: Store, opened: Opened, dispatch: bool
) -> None:
    step = begin(store, opened.run, 1)
    again = store.begin_step(
        opened.run.id,
        step.key,
        "main",
        1,
        step.action,
        step.device,
        step.arguments,
        99.0,
        dispatch=dispatch,
    )
    assert (again.id, again.attempt_number, again.begun_lab_s) == (step.id, 1, 99.0)
    assert again.status is (StepStatus.DISPATCHED if dispatch else StepStatus.INTENT)
    assert store.steps(opened.run.id) == (again,)


def test_a_failed_step_is_tried_again_under_the_same_key_with_the_next_number(
    store: Store, opened: Opened
) -> None:
    first = begin(store, opened.run, 1, dispatch=True)
    assert store.end_step(first.id, StepStatus.FAILED, {"half": 1}, "lid did not close\0", 5.0) is None
    second = begin(store, opened.run, 1)
    assert (second.key, second.attempt_number) == (first.key, 2)
    store.end_step(second.id, StepStatus.FAILED, None, "refused before sending", 6.0)
    third = begin(store, opened.run, 1, dispatch=True)
    assert third.attempt_number == 3
    tries = store.steps(opened.run.id)
    assert [(t.attempt_number, t.status, t.error) for t in tries] == [
        (1, "failed", "lid did not close\\x00"),
        (2, "failed", "refused before sending"),
        (3, "dispatched", ""),
    ]
    assert tries[0].result is None


@pytest.mark.parametrize("outcome", [None, StepStatus.UNKNOWN])
def test_a_step_whose_outcome_is_not_known_holds_the_run(
    store: Store, opened: Opened, outcome: StepStatus | None
) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    if outcome is not None:
        store.end_step(step.id, outcome, None, "the wire is gone", 5.0)
    with pytest.raises(RunHeld, match=r"Step 1 \(heat on thermocycler\)"):
        begin(store, opened.run, 1)
    assert len(store.steps(opened.run.id)) == 1


def test_an_unknown_step_is_settled_later_and_counts_anew_from_then(store: Store, opened: Opened) -> None:
    lost = begin(store, opened.run, 1, dispatch=True)
    assert store.end_step(lost.id, StepStatus.UNKNOWN, None, "the wire is gone", 5.0) == 1
    other = begin(store, opened.run, 2, dispatch=True)
    assert store.end_step(other.id, StepStatus.DONE, None, "", 6.0) == 2
    assert store.end_step(lost.id, StepStatus.DONE, {"seen": "by a person"}, "", 900.0) == 3
    done = store.step(lost.id)
    assert (done.status, done.error, done.result) == (StepStatus.DONE, "", {"seen": "by a person"})
    assert [s.id for s in store.settled_steps_since(opened.bench.id, 0)] == [other.id, lost.id]


def test_another_step_at_the_same_place_is_a_plan_that_diverged(store: Store, opened: Opened) -> None:
    begin(store, opened.run, 1)
    with pytest.raises(ProtocolDiverged, match="Step 1 of branch main"):
        begin(store, opened.run, 1, key="another")
    assert len(store.steps(opened.run.id)) == 1


ROADS = {
    StepStatus.INTENT: (),
    StepStatus.DISPATCHED: (StepStatus.DISPATCHED,),
    StepStatus.DONE: (StepStatus.DISPATCHED, StepStatus.DONE),
    StepStatus.FAILED: (StepStatus.DISPATCHED, StepStatus.FAILED),
    StepStatus.UNKNOWN: (StepStatus.DISPATCHED, StepStatus.UNKNOWN),
}
LEGAL = {
    (StepStatus.INTENT, StepStatus.DISPATCHED),
    (StepStatus.INTENT, StepStatus.FAILED),
    *itertools.product([StepStatus.DISPATCHED], [StepStatus.DONE, StepStatus.FAILED, StepStatus.UNKNOWN]),
    *itertools.product([StepStatus.UNKNOWN], [StepStatus.DONE, StepStatus.FAILED]),
}


def move(store: Store, step_id: str, status: StepStatus) -> None:
    if status is StepStatus.DISPATCHED:
        store.dispatch_step(step_id)
    else:
        store.end_step(step_id, status, None, "why", 1.0)


@pytest.mark.parametrize(
    ("stands", "becomes"), sorted(set(itertools.product(StepStatus, StepStatus)) - LEGAL)
)
def test_an_illegal_move_is_refused_and_changes_nothing(
    store: Store, opened: Opened, stands: StepStatus, becomes: StepStatus
) -> None:
    step = begin(store, opened.run, 1)
    for status in ROADS[stands]:
        move(store, step.id, status)
    before = store.steps(opened.run.id)
    assert before[0].status is stands
    with pytest.raises(ValueError, match=r"cannot become|does not end as"):
        move(store, step.id, becomes)
    assert store.steps(opened.run.id) == before


@pytest.mark.parametrize(("stands", "becomes"), sorted(LEGAL))
def test_a_legal_move_is_kept(store: Store, opened: Opened, stands: StepStatus, becomes: StepStatus) -> None:
    step = begin(store, opened.run, 1)
    for status in (*ROADS[stands], becomes):
        move(store, step.id, status)
    assert store.steps(opened.run.id)[0].status is becomes


def test_steps_and_runs_that_there_are_not_are_bugs(store: Store, opened: Opened) -> None:
    with pytest.raises(ValueError, match="no step stp_none"):
        store.dispatch_step("stp_none")
    with pytest.raises(ValueError, match="no step stp_none"):
        store.end_step("stp_none", StepStatus.DONE, None, "", 1.0)
    with pytest.raises(ValueError, match="no run run_none"):
        store.begin_step("run_none", "k", "main", 1, "heat", "thermocycler", {}, 0.0)
    with pytest.raises(TypeError, match="cannot be kept as JSON"):
        store.begin_step(opened.run.id, "k", "main", 1, "heat", "thermocycler", {"bad": b""}, 0.0)
    assert store.steps(opened.run.id) == ()


def test_done_steps_come_in_the_order_of_ending_across_the_runs_of_a_bench(
    store: Store, opened: Opened
) -> None:
    second = opened_run(store, opened.bench, "second")
    elsewhere = opened_run(store, None, "elsewhere")
    a1 = begin(store, opened.run, 1, dispatch=True)
    b1 = begin(store, second.run, 1, dispatch=True)
    c1 = begin(store, elsewhere.run, 1, dispatch=True)
    a2 = begin(store, opened.run, 2, dispatch=True)
    completions = [store.end_step(s.id, StepStatus.DONE, None, "", 1.0) for s in (b1, c1, a2)]
    store.end_step(a1.id, StepStatus.FAILED, None, "jammed", 1.0)
    a1 = begin(store, opened.run, 1, dispatch=True)
    completions.append(store.end_step(a1.id, StepStatus.DONE, None, "", 1.0))

    bench = opened.bench.id
    assert [s.id for s in store.settled_steps_since(bench, 0)] == [b1.id, a2.id, a1.id]
    assert completions == [1, 1, 2, 3]
    assert [s.id for s in store.settled_steps_since(bench, completions[2] or 0)] == [a1.id]
    assert store.settled_steps_since(bench, store.last_completion(bench)) == ()
    assert [s.id for s in store.settled_steps_since(elsewhere.bench.id, 0)] == [c1.id]
