from __future__ import annotations

import math

import numpy as np
import pytest

from lab.store import Store
from lab.types import ExperimentStatus, RunStatus, StepStatus
from tests.lab.store.examples import Opened, a_layout, begin


def test_a_run_comes_back_with_its_layout_and_its_experiments_are_running(
    store: Store, opened: Opened
) -> None:
    assert store.run(opened.run.id) == opened.run
    assert store.open_run(opened.batch.id) == store.last_run(opened.batch.id) == opened.run
    assert (opened.run.attempt, opened.run.stretch, opened.run.status) == (1, 1, RunStatus.RUNNING)
    found = store.open_batch(opened.campaign.id)
    assert found is not None
    assert {e.status for e in found.experiments} == {ExperimentStatus.RUNNING}
    assert opened.run.layout.wells[0].experiment_id == opened.batch.experiments[0].id


def test_a_stopped_run_goes_on_with_its_next_stretch(store: Store, opened: Opened) -> None:
    store.finish_run(opened.run.id, RunStatus.STOPPED, "asked to stop", "")
    assert store.open_run(opened.batch.id) is not None
    (outcome,) = store.runs(opened.campaign.id)
    assert (outcome.run.status, outcome.reason, outcome.batch_number) == ("stopped", "asked to stop", 1)
    assert outcome.ended_utc is not None
    again = store.next_stretch(opened.run.id)
    assert (again.id, again.stretch, again.status, again.layout) == (
        opened.run.id,
        2,
        RunStatus.RUNNING,
        opened.run.layout,
    )
    (outcome,) = store.runs(opened.campaign.id)
    assert (outcome.reason, outcome.ended_utc) == ("", None)


def test_a_done_run_is_final_and_no_longer_open(store: Store, opened: Opened) -> None:
    store.finish_run(opened.run.id, RunStatus.DONE, uid="2f1c")
    assert store.open_run(opened.batch.id) is None
    last = store.last_run(opened.batch.id)
    assert last is not None
    assert last.status is RunStatus.DONE
    assert store.runs(opened.campaign.id)[0].uid == "2f1c"
    with pytest.raises(ValueError, match="is done"):
        store.next_stretch(opened.run.id)
    with pytest.raises(ValueError, match="is done"):
        store.finish_run(opened.run.id, RunStatus.FAILED, error="late")


def test_a_failed_run_is_not_open_but_can_be_taken_up_or_redone(store: Store, opened: Opened) -> None:
    store.finish_run(opened.run.id, RunStatus.FAILED, error="arm: no plate at hotel_7")
    assert store.open_run(opened.batch.id) is None
    assert store.next_stretch(opened.run.id).stretch == 2
    store.finish_run(opened.run.id, RunStatus.FAILED, error="arm: no plate at hotel_7")
    redo = store.create_run(opened.batch, a_layout(opened.batch), 2)
    assert store.open_run(opened.batch.id) == redo
    assert [(o.run.attempt, o.error) for o in store.runs(opened.campaign.id)] == [
        (1, "arm: no plate at hotel_7"),
        (2, ""),
    ]


def test_a_run_is_not_done_while_a_step_is_in_the_air(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    with pytest.raises(ValueError, match=r"its step 1 \(heat\) is dispatched"):
        store.finish_run(opened.run.id, RunStatus.DONE)
    store.end_step(step.id, StepStatus.UNKNOWN, None, "no reply", 1.0)
    with pytest.raises(ValueError, match="is unknown"):
        store.finish_run(opened.run.id, RunStatus.DONE)
    store.finish_run(opened.run.id, RunStatus.FAILED, error="no reply")


def test_an_attempt_is_made_once_and_a_run_ends_as_something(store: Store, opened: Opened) -> None:
    with pytest.raises(ValueError, match="the store refuses this"):
        store.create_run(opened.batch, a_layout(opened.batch), 1)
    with pytest.raises(ValueError, match="does not end as running"):
        store.finish_run(opened.run.id, RunStatus.RUNNING)
    for call in (store.run, store.next_stretch, store.documents):
        with pytest.raises(KeyError):
            call("run_none")
    assert store.last_run("bat_none") is None


def test_documents_come_back_in_order_with_their_arrays(store: Store, opened: Opened) -> None:
    run = opened.run.id
    reading = np.linspace(0.0, 1.0, 96) / 3
    reading[5] = math.nan
    start = ("start", {"uid": "s", "time": 1763.123456789, "plan_args": {"pairs": (1, 2)}, "shape": (96,)})
    event = (
        "event",
        {
            "uid": "e",
            "data": {"reader-value": reading, "reader-saturated": reading > 0.3, "reader-plate": "assay_1"},
            "timestamps": {"reader-value": np.float64(1763.5)},
            "seq_num": np.int64(1),
        },
    )
    store.append_documents(run, 1, [start])
    store.append_documents(run, 1, [event, ("stop", {"exit_status": "success"})])

    names = [name for name, _ in store.documents(run)]
    bodies = [body for _, body in store.documents(run)]
    assert names == ["start", "event", "stop"]
    assert bodies[0] == {"uid": "s", "time": 1763.123456789, "plan_args": {"pairs": [1, 2]}, "shape": [96]}
    np.testing.assert_array_equal(bodies[1]["data"]["reader-value"], reading)
    assert bodies[1]["data"]["reader-saturated"].dtype == np.bool_
    assert bodies[1]["seq_num"] == 1


def test_documents_of_the_last_stretch_are_given_unless_another_is_named(
    store: Store, opened: Opened
) -> None:
    run = opened.run.id
    store.append_documents(run, 1, [("start", {"uid": "one"})])
    store.next_stretch(run)
    assert store.documents(run) == ()
    store.append_documents(run, 2, [("start", {"uid": "two"})])
    assert store.documents(run) == (("start", {"uid": "two"}),)
    assert store.documents(run, 1) == (("start", {"uid": "one"}),)


def test_documents_that_cannot_be_kept_leave_nothing_behind(store: Store, opened: Opened) -> None:
    with pytest.raises(TypeError, match="cannot be kept as JSON"):
        store.append_documents(opened.run.id, 1, [("start", {"uid": "a"}), ("event", {"data": object()})])
    with pytest.raises(ValueError, match="the store refuses this"):
        store.append_documents("run_none", 1, [("start", {})])
    assert store.documents(opened.run.id) == ()
    store.append_documents(opened.run.id, 1, [])
    assert store.documents(opened.run.id) == ()


def test_a_run_opens_with_the_samples_of_its_layout(store: Store, opened: Opened) -> None:
    wells = [use for use in opened.run.layout.wells if use.sample_id]
    assert wells
    assert [(s.id, s.well, s.content) for s in store.samples(opened.run.id)] == [
        (use.sample_id, use.well, use.content) for use in wells
    ]
