"""A lane journals every step before it is sent, stops between steps, and never sends a done step twice."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg

from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.progress import Progress, StepEnded
from lab.errors import (
    ActionOutsideStep,
    Infeasible,
    ProtocolDiverged,
    RunHeld,
    RunStopped,
    StoreUnusable,
)
from lab.types import RunStatus, StepStatus
from protocols.steps import act
from tests.lab.engine.bench import SmallLab, Stamp, stamp_plan

WELLS = ["A1", "A2", "A3", "A4"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def carry_out(lab: SmallLab, wells: list[str], *, stop_after: int | None = None) -> list[Progress]:
    seen: list[Progress] = []

    def watch(event: Progress) -> None:
        seen.append(event)
        if stop_after is not None and isinstance(event, StepEnded) and event.number == stop_after:
            lane.request_stop("enough for today")

    with Lane(lab.session(), lab.campaign, watch) as lane:
        lane.carry_out(lab.run, stamp_plan(lab.press, wells), {"campaign": lab.campaign.id})
    return seen


def test_every_step_is_journaled_done_with_its_result_and_lab_time(lab: SmallLab) -> None:
    carry_out(lab, WELLS)
    steps = lab.store.steps(lab.run.id)
    assert [s.status for s in steps] == [StepStatus.DONE] * 4
    assert [s.result for s in steps] == [{"count": n} for n in (1, 2, 3, 4)]
    assert [(s.begun_lab_s, s.ended_lab_s) for s in steps] == [(0, 30), (30, 60), (60, 90), (90, 120)]
    assert lab.press.sent == WELLS


def test_documents_reach_the_store_with_the_run_they_belong_to(lab: SmallLab) -> None:
    carry_out(lab, WELLS)
    documents = lab.store.documents(lab.run.id)
    assert [name for name, _ in documents] == ["start", "stop"]
    start, stop = documents[0][1], documents[1][1]
    assert start["run_id"] == lab.run.id
    assert start["stretch"] == 1
    assert stop["exit_status"] == "success"


def test_a_stop_takes_effect_between_steps_and_says_why(lab: SmallLab) -> None:
    with pytest.raises(RunStopped, match="enough for today"):
        carry_out(lab, WELLS, stop_after=2)
    assert lab.press.sent == ["A1", "A2"]
    assert [s.status for s in lab.store.steps(lab.run.id)] == [StepStatus.DONE] * 2
    _, stop = lab.store.documents(lab.run.id)[-1]
    assert stop["exit_status"] == "abort"
    assert stop["reason"] == "enough for today"


def test_a_stopped_run_does_not_begin_to_wait_for_a_place(lab: SmallLab) -> None:
    session = lab.session()
    session.enter("nobody", "whose plate stands on the nest, and who will not move it either")

    def plan() -> Generator[Msg, Any, None]:
        yield from stamp_plan(lab.press, ["A1"])
        yield Msg("claim", None, ("nest",))
        yield from stamp_plan(lab.press, ["A2"])

    with (
        Lane(session, lab.campaign, lambda event: lane.request_stop("enough")) as lane,
        pytest.raises(RunStopped, match="enough"),
    ):
        lane.carry_out(lab.run, plan(), {})
    assert lab.press.sent == ["A1"]


def test_a_section_that_was_done_is_not_claimed_again(lab: SmallLab) -> None:
    def plan() -> Generator[Msg, Any, None]:
        yield Msg("claim", None, ("slot",))
        yield from stamp_plan(lab.press, ["A1"])
        yield Msg("release", None)
        yield from stamp_plan(lab.press, ["A2"])

    session = lab.session()
    with (
        Lane(session, lab.campaign, lambda event: lane.request_stop("enough")) as lane,
        pytest.raises(RunStopped),
    ):
        lane.carry_out(lab.run, plan(), {})
    session = lab.session()
    lab.clock.run(session.arbiter.claim("somebody else", ["slot"], session.active))
    with Lane(session, lab.campaign, lambda event: None) as lane:
        lane.carry_out(lab.run, plan(), {})
    assert lab.press.sent == ["A1", "A2"]


def test_a_continued_run_sends_only_what_was_not_done(lab: SmallLab) -> None:
    with pytest.raises(RunStopped):
        carry_out(lab, WELLS, stop_after=2)
    lab.store.finish_run(lab.run.id, RunStatus.STOPPED)
    lab.run = lab.store.next_stretch(lab.run.id)
    seen = carry_out(lab, WELLS)
    assert lab.press.sent == WELLS
    assert lab.press.restored == [{"count": 1}, {"count": 2}]
    assert [e.replayed for e in seen if isinstance(e, StepEnded)] == [True, True, False, False]
    assert [name for name, _ in lab.store.documents(lab.run.id)] == ["start", "stop"]


def reading_plan(lab: SmallLab, wells: list[str]) -> Generator[Msg, Any, None]:
    for well in wells:
        yield from act(lab.press, Stamp(well=well))
        yield from bps.create(name="count")
        yield from bps.read(lab.press)
        yield from bps.save()


def test_a_run_reads_what_the_device_showed_it_whoever_used_the_device_since(lab: SmallLab) -> None:
    def other_lane(event: Progress) -> None:
        """Takes the press as soon as a step has ended, and leaves its own count on it."""
        lab.press.last = {"count": 99}
        if isinstance(event, StepEnded) and event.number == 2:
            lane.request_stop("enough")

    with Lane(lab.session(), lab.campaign, other_lane) as lane, pytest.raises(RunStopped):
        lane.carry_out(lab.run, reading_plan(lab, WELLS), {})
    lab.run = lab.store.next_stretch(lab.run.id)
    with Lane(lab.session(), lab.campaign, lambda event: setattr(lab.press, "last", {"count": 99})) as lane:
        lane.carry_out(lab.run, reading_plan(lab, WELLS), {})
    events = [body for name, body in lab.store.documents(lab.run.id) if name == "event"]
    assert [event["data"]["press-count"] for event in events] == [1, 2, 3, 4]


def test_a_run_reads_a_device_only_when_nobody_else_is_at_work_on_it(lab: SmallLab) -> None:
    with pytest.raises(RunStopped):
        carry_out(lab, WELLS, stop_after=1)
    lab.run = lab.store.next_stretch(lab.run.id)
    session = lab.session()
    read_at: list[float] = []

    async def read() -> dict[str, Any]:
        read_at.append(lab.clock.now())
        return {"press-count": {"value": 1, "timestamp": 0.0}}

    def leaves_later(event: Progress) -> None:
        if not read_at:
            lab.clock.loop.call_later(500.0, session.arbiter.release, "the other lane")

    lab.press.read = read  # type: ignore[method-assign]
    lab.clock.run(session.arbiter.lease("the other lane", ["press"]))
    began = lab.clock.now()
    with Lane(session, lab.campaign, leaves_later) as lane:
        lane.carry_out(lab.run, reading_plan(lab, WELLS), {})
    assert read_at[0] >= began + 500.0


def test_belief_is_rebuilt_from_the_journal(lab: SmallLab) -> None:
    carry_out(lab, ["A1", "A1", "B7"])
    bench = lab.session().bench
    assert bench.well("plate_1", "A1").volume_ul == 2.0
    assert bench.well("plate_1", "B7").parts == {"ink": 1.0}


def test_a_plan_that_asks_for_other_steps_is_refused_before_anything_is_sent(lab: SmallLab) -> None:
    with pytest.raises(RunStopped):
        carry_out(lab, WELLS, stop_after=2)
    lab.run = lab.store.next_stretch(lab.run.id)
    with pytest.raises(ProtocolDiverged, match=r'Step 2 .*"A2".* now asks for stamp .*"H12"'):
        carry_out(lab, ["A1", "H12", "A3"])
    assert lab.press.sent == ["A1", "A2"]


def test_a_plan_that_ends_before_its_journal_does_is_refused(lab: SmallLab) -> None:
    with pytest.raises(RunStopped):
        carry_out(lab, WELLS, stop_after=2)
    lab.run = lab.store.next_stretch(lab.run.id)
    with pytest.raises(ProtocolDiverged, match="holds step 2"):
        carry_out(lab, ["A1"])


def test_what_cannot_work_is_refused_before_it_is_sent(lab: SmallLab) -> None:
    with pytest.raises(Infeasible, match="A1 is full"):
        carry_out(lab, ["A1"] * 4)
    assert lab.press.sent == ["A1"] * 3
    assert [s.status for s in lab.store.steps(lab.run.id)][-1] is StepStatus.INTENT


def test_an_action_outside_a_step_is_refused(lab: SmallLab) -> None:
    with (
        Lane(lab.session(), lab.campaign, lambda event: None) as lane,
        pytest.raises(ActionOutsideStep, match="outside a step"),
    ):
        lane.carry_out(lab.run, bps.abs_set(lab.press, Stamp(well="A1"), wait=True), {})
    assert lab.press.sent == []


def test_nothing_is_sent_when_the_journal_cannot_be_written(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise StoreUnusable("The disk is full.")

    monkeypatch.setattr(lab.store, "dispatch_step", full)
    with pytest.raises(StoreUnusable, match="disk is full"):
        carry_out(lab, WELLS)
    assert lab.press.sent == []


def test_a_step_whose_outcome_cannot_be_written_is_not_sent_again(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise StoreUnusable("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(lab.store, "end_step", full)
        with pytest.raises(StoreUnusable, match="disk is full"):
            carry_out(lab, WELLS)
    assert [s.status for s in lab.store.steps(lab.run.id)] == [StepStatus.DISPATCHED]
    lab.run = lab.store.next_stretch(lab.run.id)
    with pytest.raises(RunHeld, match=r"stamp on press .* was sent, and the instrument has not been asked"):
        carry_out(lab, WELLS)
    assert lab.press.sent == ["A1"]


def test_a_document_writer_that_fails_holds_the_run_at_the_next_step(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise StoreUnusable("The documents' disk is full.")

    monkeypatch.setattr(lab.store, "append_documents", broken)
    with pytest.raises((RunHeld, StoreUnusable), match="disk is full"):
        carry_out(lab, WELLS)
    assert len(lab.press.sent) < 4
