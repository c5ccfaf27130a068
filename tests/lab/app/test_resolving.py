"""A person's answer settles a step of unknown outcome, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.app.resolving import Verdict, resolve, unresolved
from lab.clock import LabClock
from lab.engine import Lane
from lab.errors import BadInput, BatchRedone, InstrumentError, RunHeld
from lab.types import RunStatus, Step, StepStatus
from tests.lab.engine.bench import SmallLab, stamp_plan

WELLS = ["A1", "A2", "A3"]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def carry_out(lab: SmallLab) -> None:
    with Lane(lab.session(), lab.campaign, lambda event: None) as lane:
        lane.carry_out(lab.run, stamp_plan(lab.press, WELLS), {})


@pytest.fixture
def held(lab: SmallLab) -> Step:
    """A step that the press broke off and can't tell of."""
    lab.press.faults = {2: InstrumentError("the ink is dry", device="press")}
    with pytest.raises(RunHeld):
        carry_out(lab)
    lab.run = lab.store.next_stretch(lab.run.id)
    (step,) = unresolved(lab.store, lab.bench_id)
    return step


def test_what_a_person_says_was_done_is_not_sent_again_and_its_wells_may_be_used(
    lab: SmallLab, held: Step
) -> None:
    said = resolve(lab.store, held.id, Verdict.DONE, who="ada", why="the ink is there")
    assert said.startswith("ada says that stamp on press")
    assert said.endswith("was done (the ink is there). It is not sent again.")
    carry_out(lab)
    assert lab.press.sent == ["A1", "A3"]
    session = lab.session()
    assert session.bench.barred == {}
    assert session.bench.well("plate_1", "A2").volume_ul == 1.0
    assert [bar.who for bar in lab.store.bars(lab.bench_id)][-1] == "ada"


def test_what_a_person_says_was_not_done_is_sent_again(lab: SmallLab, held: Step) -> None:
    resolve(lab.store, held.id[-8:], Verdict.NOT_DONE, who="ada")
    carry_out(lab)
    assert lab.press.sent == WELLS
    bench = lab.session().bench
    assert (bench.well("plate_1", "A2").volume_ul, bench.well("plate_1", "A2").unknown_ul) == (1.0, 0.0)
    assert bench.barred == {}


def test_what_a_person_discards_stays_barred_and_its_run_is_given_up(lab: SmallLab, held: Step) -> None:
    resolve(lab.store, held.id, Verdict.DISCARD, who="ada")
    with pytest.raises(BatchRedone):
        carry_out(lab)
    assert lab.press.sent == ["A1"]
    assert ("plate_1", "A2") in lab.store.barred(lab.bench_id)


def test_a_step_is_settled_once(lab: SmallLab, held: Step) -> None:
    resolve(lab.store, held.id, Verdict.NOT_DONE, who="ada")
    with pytest.raises(BadInput, match="is failed; there is nothing to resolve"):
        resolve(lab.store, held.id, Verdict.DONE, who="bob")


def test_a_step_that_was_given_up_can_not_be_settled_otherwise(lab: SmallLab, held: Step) -> None:
    resolve(lab.store, held.id, Verdict.DISCARD, who="ada")
    with pytest.raises(BadInput, match=r"was given up \(redo_batch\)"):
        resolve(lab.store, held.id, Verdict.DONE, who="bob")
    assert unresolved(lab.store, lab.bench_id) == ()


def test_who_said_so_and_why_is_kept(lab: SmallLab, held: Step) -> None:
    resolve(lab.store, held.id, Verdict.NOT_DONE, who="ada", why="the well is dry")
    (event,) = [e for e in lab.store.events(lab.campaign.id) if e.kind == "resolve"]
    assert event.details == {"step": held.id, "verdict": "not-done", "who": "ada", "why": "the well is dry"}


def test_an_instrument_that_was_not_asked_yet_is_asked_first(lab: SmallLab) -> None:
    step = lab.store.begin_step(lab.run.id, "key", "main", 1, "stamp", "press", {"well": "A1"}, 0.0)
    lab.store.dispatch_step(step.id, 1)
    with pytest.raises(BadInput, match=r"has not been asked yet.* drywet resume small"):
        resolve(lab.store, step.id, Verdict.DONE, who="ada")


def test_nobody_can_say_that_a_reading_was_done(lab: SmallLab) -> None:
    step = lab.store.begin_step(lab.run.id, "key", "main", 1, "fluorescence", "reader", {}, 0.0)
    lab.store.dispatch_step(step.id, 1)
    lab.store.end_step(step.id, StepStatus.UNKNOWN, None, "cut off", 1.0)
    with pytest.raises(BadInput, match="let it be read again: --as not-done"):
        resolve(lab.store, step.id, Verdict.DONE, who="ada")
    assert lab.store.step(step.id).status is StepStatus.UNKNOWN


def test_a_step_of_a_run_that_was_given_up_since_is_said_to_change_the_belief_only(
    lab: SmallLab, held: Step
) -> None:
    lab.store.finish_run(lab.run.id, RunStatus.ABANDONED)
    with pytest.raises(BadInput, match="was given up before"):
        resolve(lab.store, held.id, Verdict.DISCARD, who="ada")
    said = resolve(lab.store, held.id, Verdict.NOT_DONE, who="ada")
    assert said.endswith("nothing is sent; it only changes what is believed of the bench.")
