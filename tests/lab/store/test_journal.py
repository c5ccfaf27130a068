from __future__ import annotations

import itertools

import numpy as np
import pytest

from lab.errors import BadInput, ProtocolDiverged, RunHeld
from lab.recovery import AFTER_UNKNOWN, Recovery
from lab.store import Store
from lab.types import Mark, RunStatus, StepStatus
from tests.lab.store.examples import Opened, a_layout, begin, opened_run


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
    with pytest.raises(
        RunHeld,
        match=rf"Step 1 \(heat on thermocycler\).* drywet resolve {step.id} --as done\|not-done\|discard",
    ):
        begin(store, opened.run, 1)
    assert len(store.steps(opened.run.id)) == 1


def test_an_unknown_step_is_settled_later_and_keeps_its_place(store: Store, opened: Opened) -> None:
    lost = begin(store, opened.run, 1, dispatch=True)
    assert store.end_step(lost.id, StepStatus.UNKNOWN, None, "the wire is gone", 5.0) == 1
    other = begin(store, opened.run, 2, dispatch=True)
    assert store.end_step(other.id, StepStatus.DONE, None, "", 6.0) == 2
    assert store.end_step(lost.id, StepStatus.DONE, {"seen": "by a person"}, "", 900.0) == 1
    done = store.step(lost.id)
    assert (done.status, done.error, done.result) == (StepStatus.DONE, "", {"seen": "by a person"})
    assert [s.id for s in store.settled_steps_since(opened.bench.id, 0)] == [lost.id, other.id]


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


def test_settled_steps_come_in_the_order_of_ending_across_the_runs_of_a_bench(
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


def test_marks_come_back_as_they_were_written_oldest_first(store: Store, opened: Opened) -> None:
    step, other = (begin(store, opened.run, n, dispatch=True) for n in (1, 2))
    store.mark_step(step.id, "draw", {"tips": [["rack_1", "A1"]], "ul": 0.1 + 0.2}, 10.5)
    store.mark_step(other.id, "hold", None, 10.75)
    store.mark_step(step.id, "give", [1, 2], 11.0)
    assert store.marks(step.id) == (
        Mark(name="draw", details={"tips": [["rack_1", "A1"]], "ul": 0.1 + 0.2}, lab_time_s=10.5),
        Mark(name="give", details=[1, 2], lab_time_s=11.0),
    )
    assert [mark.name for mark in store.marks(other.id)] == ["hold"]
    assert store.marks("stp_none") == ()


def test_a_step_that_is_not_in_the_air_takes_no_mark(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1)
    with pytest.raises(ValueError, match=f"give cannot be marked: {step.id} is intent"):
        store.mark_step(step.id, "give", None, 1.0)
    store.dispatch_step(step.id)
    store.end_step(step.id, StepStatus.UNKNOWN, None, "late", 2.0)
    with pytest.raises(ValueError, match=f"give cannot be marked: {step.id} is unknown"):
        store.mark_step(step.id, "give", None, 3.0)
    with pytest.raises(ValueError, match="there is no step stp_none"):
        store.mark_step("stp_none", "give", None, 3.0)
    assert store.marks(step.id) == ()


def test_a_step_keeps_the_token_that_it_was_sent_under(store: Store, opened: Opened) -> None:
    elsewhere = opened_run(store, None, "elsewhere")
    assert store.last_token(opened.bench.id) == 0
    for ordinal, token in ((1, 2**40), (2, 17)):
        store.dispatch_step(begin(store, opened.run, ordinal).id, token)
    store.dispatch_step(begin(store, elsewhere.run, 1).id, 2**50)
    assert [step.token for step in store.steps(opened.run.id)] == [2**40, 17]
    assert store.last_token(opened.bench.id) == 2**40


def test_a_failed_step_with_a_part_counts_and_one_without_does_not(store: Store, opened: Opened) -> None:
    used, refused = (begin(store, opened.run, n, dispatch=True) for n in (1, 2))
    part = {"tips": [["rack_1", "A1"]]}
    assert store.end_step(used.id, StepStatus.FAILED, None, "no liquid", 5.0, fault="clog", part=part) == 1
    assert store.end_step(refused.id, StepStatus.FAILED, None, "busy", 6.0, fault="busy") is None
    (settled,) = store.settled_steps_since(opened.bench.id, 0)
    assert (settled.id, settled.part, settled.fault, settled.error) == (used.id, part, "clog", "no liquid")
    assert store.step(refused.id).fault == "busy"


def test_a_done_step_may_remark_a_fault_and_has_no_part(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    store.end_step(step.id, StepStatus.DONE, 3, "", 5.0, fault="saturated", part={"x": 1})
    found = store.step(step.id)
    assert (found.result, found.fault, found.part) == (3, "saturated", None)


@pytest.mark.parametrize(
    ("settled", "part", "completion"),
    [
        (StepStatus.DONE, None, 1),
        (StepStatus.FAILED, {"tips": ["A2"]}, 1),
        (StepStatus.FAILED, None, None),
    ],
)
def test_settling_an_unknown_step_replaces_its_part_and_keeps_its_place_in_the_order(
    store: Store, opened: Opened, settled: StepStatus, part: object, completion: int | None
) -> None:
    lost, other = (begin(store, opened.run, n, dispatch=True) for n in (1, 2))
    first = {"tips": ["A1"]}
    assert store.end_step(lost.id, StepStatus.UNKNOWN, None, "?", 5.0, fault="timeout", part=first) == 1
    assert store.step(lost.id).part == first
    store.end_step(other.id, StepStatus.DONE, None, "", 6.0)
    assert store.end_step(lost.id, settled, None, "seen", 7.0, part=part) == completion
    found = store.step(lost.id)
    assert (found.status, found.part, found.fault, found.ended_lab_s) == (settled, part, "", 7.0)
    order = [step.id for step in store.settled_steps_since(opened.bench.id, 0)]
    assert order == ([other.id] if completion is None else [lost.id, other.id])


@pytest.mark.parametrize("outcome", [StepStatus.FAILED, StepStatus.UNKNOWN])
@pytest.mark.parametrize("dispatch", [False, True])
def test_a_step_that_was_given_up_is_given_back_and_not_sent_again(
    store: Store, opened: Opened, outcome: StepStatus, dispatch: bool
) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    store.end_step(step.id, outcome, None, "no liquid", 5.0)
    store.decide_step(step.id, "skip_sample")
    store.next_stretch(opened.run.id)
    again = begin(store, opened.run, 1, dispatch=dispatch)
    assert (again.id, again.status, again.recovery, again.attempt_number) == (
        step.id,
        outcome,
        "skip_sample",
        1,
    )
    assert store.steps(opened.run.id) == (again,)
    assert store.open_steps(opened.bench.id) == ()
    with pytest.raises(ProtocolDiverged):
        begin(store, opened.run, 1, key="another")


@pytest.mark.parametrize("recovery", sorted(set(Recovery) - {Recovery.SKIP_SAMPLE}))
def test_a_failed_step_that_was_not_given_up_is_tried_again(
    store: Store, opened: Opened, recovery: Recovery
) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    store.end_step(step.id, StepStatus.FAILED, None, "no liquid", 5.0)
    store.decide_step(step.id, recovery)
    again = begin(store, opened.run, 1)
    assert (again.attempt_number, again.recovery, again.status) == (2, "", StepStatus.INTENT)


def test_what_cannot_be_decided_is_refused(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1)
    for status in (None, StepStatus.DISPATCHED):
        if status is not None:
            move(store, step.id, status)
        with pytest.raises(ValueError, match="nothing is to be decided"):
            store.decide_step(step.id, Recovery.HOLD)
    move(store, step.id, StepStatus.UNKNOWN)
    for recovery in set(Recovery) - set(AFTER_UNKNOWN):
        with pytest.raises(ValueError, match="nobody knows whether step"):
            store.decide_step(step.id, recovery)
    with pytest.raises(ValueError, match="shrug"):
        store.decide_step(step.id, "shrug")
    with pytest.raises(ValueError, match="no step stp_none"):
        store.decide_step("stp_none", Recovery.HOLD)
    assert store.step(step.id).recovery == ""
    move(store, step.id, StepStatus.DONE)
    with pytest.raises(ValueError, match="stands at done"):
        store.decide_step(step.id, Recovery.HOLD)


def test_steps_that_nobody_answered_for_are_open_across_the_runs_of_a_bench(
    store: Store, opened: Opened
) -> None:
    second, elsewhere = opened_run(store, opened.bench, "second"), opened_run(store, None, "elsewhere")
    begin(store, elsewhere.run, 1, dispatch=True)
    flying, lost, held, skipped, failed, done = (
        begin(store, opened.run, n, dispatch=True) for n in range(1, 7)
    )
    begin(store, opened.run, 7)
    other = begin(store, second.run, 1, dispatch=True)
    for step in (lost, held, skipped):
        store.end_step(step.id, StepStatus.UNKNOWN, None, "?", 1.0)
    store.decide_step(held.id, Recovery.HOLD)
    store.decide_step(skipped.id, Recovery.SKIP_SAMPLE)
    store.end_step(failed.id, StepStatus.FAILED, None, "?", 1.0)
    store.end_step(done.id, StepStatus.DONE, None, "", 1.0)
    assert [s.id for s in store.open_steps(opened.bench.id)] == [flying.id, lost.id, held.id, other.id]
    store.end_step(flying.id, StepStatus.UNKNOWN, None, "?", 1.0)
    store.finish_run(opened.run.id, RunStatus.ABANDONED, error="redone")
    assert [s.id for s in store.open_steps(opened.bench.id)] == [other.id]


def test_a_step_is_found_by_what_a_person_types_of_it(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1)
    for typed in (step.id, step.id.lower(), step.id[-6:], step.id[-6:].lower(), step.id[4:-2], step.id[:-1]):
        assert store.step(typed) == step
    with pytest.raises(BadInput, match=r"no step stp_none_such.*drywet status"):
        store.step("stp_none_such")
    with pytest.raises(BadInput, match="at least 6 characters"):
        store.step(step.id[-5:])
    others = [begin(store, opened.run, n) for n in range(2, 9)]
    with pytest.raises(BadInput, match=rf"More than one step is called .*{step.id}, .*, \.\.\."):
        store.step(step.id[:8])
    assert store.step(others[-1].id[-12:]) == others[-1]


def test_an_abandoned_run_is_final_and_its_batch_is_done_again(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    with pytest.raises(ValueError, match=r"is not abandoned: its step 1 \(heat\) is dispatched"):
        store.finish_run(opened.run.id, RunStatus.ABANDONED)
    store.end_step(step.id, StepStatus.UNKNOWN, None, "?", 1.0)
    store.finish_run(opened.run.id, RunStatus.ABANDONED, error="The plate fell.")
    assert store.open_run(opened.batch.id) is None
    assert store.open_runs(opened.bench.id) == ()
    for call in (
        lambda: store.next_stretch(opened.run.id),
        lambda: store.finish_run(opened.run.id, RunStatus.DONE),
        lambda: store.finish_run(opened.run.id, RunStatus.ABANDONED),
    ):
        with pytest.raises(ValueError, match="is abandoned"):
            call()
    again = store.create_run(opened.batch, a_layout(opened.batch), attempt=2)
    assert store.open_runs(opened.bench.id) == (again,)
    assert [(o.run.attempt, o.run.status, o.error) for o in store.runs(opened.campaign.id)] == [
        (1, "abandoned", "The plate fell."),
        (2, "running", ""),
    ]
    assert store.end_step(step.id, StepStatus.DONE, None, "", 2.0) == 1  # a person may still settle it
