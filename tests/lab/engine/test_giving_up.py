"""What is given up stays given up: cut off at a bad moment, what was decided about samples and runs holds all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devices.liquid_handler import Distribute
from lab.app.resolving import Verdict, resolve
from lab.bench import Bench, Labware, LabwareType, WellContents
from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.belief import believe_step
from lab.engine.progress import Progress
from lab.errors import BatchRedone, FaultKind, InstrumentBusy, InstrumentError, StoreUnusable
from lab.recovery import Recovery, RecoveryPolicy
from lab.types import Policies, StepStatus
from tests.lab.engine.bench import SmallLab, Stamp, stamp_plan
from tests.lab.engine.test_recovery import WELLS, carry_out

SKIPPED = {FaultKind.BUSY: (Recovery.SKIP_SAMPLE,)}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


@pytest.mark.parametrize("write", ["bar", "decide_step"])
def test_a_program_that_ends_amid_giving_samples_up_counts_none_that_was_not_served(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def cut_off(*args: object, **keywords: object) -> None:
        raise StoreUnusable("The disk is full.")

    lab.press.faults = {2: InstrumentBusy("busy", device="press")}
    with monkeypatch.context() as patched:
        patched.setattr(lab.store, write, cut_off)
        with pytest.raises(StoreUnusable):
            carry_out(lab, SKIPPED)
    lab.run = lab.store.next_stretch(lab.run.id)
    carry_out(lab, SKIPPED)
    barred = {well for _, well in lab.store.barred(lab.bench_id)}
    assert set(WELLS) - set(lab.press.sent) <= barred


def test_who_waits_for_a_place_goes_on_waiting_while_the_run_that_stands_there_is_being_given_up(
    tmp_path: Path,
) -> None:
    """On wall time, where nothing holds the loop between two stretches of a run."""
    with LabClock(virtual=False) as clock:
        lab = SmallLab(tmp_path, clock)

        async def at_once(command: Stamp) -> None:
            raise InstrumentError("the ink is dry", device="press")

        lab.press._stamp = at_once  # type: ignore[method-assign]
        session = lab.session()
        session._holder["plate_1"] = lab.run.id
        waiting: list[asyncio.Task[None]] = []

        def neighbour_asks(event: Progress) -> None:
            claim = session.arbiter.claim("neighbour", ["nest"], session.active)
            waiting.append(clock.loop.create_task(claim))

        async def told() -> str:
            done, _ = await asyncio.wait(waiting, timeout=0.1)
            return "".join(str(task.exception()) for task in done)

        policies = Policies(recovery=RecoveryPolicy({FaultKind.UNKNOWN_OUTCOME: (Recovery.REDO_BATCH,)}))
        with Lane(session, replace(lab.campaign, policies=policies), neighbour_asks) as lane:
            with pytest.raises(BatchRedone):
                lane.carry_out(lab.run, stamp_plan(lab.press, WELLS), {})
            assert clock.run(told()) == ""
            clock.soon(session.leave, lab.run.id)
            assert "left there by" in clock.run(told())
        lab.store.close()


def test_a_tip_that_a_neighbour_took_stays_taken_when_a_person_settles_the_step_before_it(
    lab: SmallLab,
) -> None:
    """Tips are told by their order of use: what is replayed must be in the order in which it was done."""
    rack_type = LabwareType(name="tips", kind="tip_rack", rows=1, columns=4, tip_volume_ul=50.0)
    rack = Labware(id="tips", type=rack_type, position="slot", home="slot", tips=["A1", "A2", "A3", "A4"])
    source = LabwareType(name="trough", kind="trough", max_volume_ul=1000.0)
    trough = Labware(id="trough", type=source, position="nest", home="nest", wells={"A1": WellContents()})
    draw = Distribute(
        source_labware="trough", source_well="A1", targets=(("trough", "A1", 5.0),), tip_volume_ul=50.0
    )
    part = {"tips": [["tips", "A1"]], "drawn_ul": 0.0, "given": 0}
    live = Bench([], [rack, trough])
    first = live.copy()
    sent = []
    for ordinal in (1, 2):
        step = lab.store.begin_step(
            lab.run.id, f"key {ordinal}", "main", ordinal, "distribute", "handler", draw.to_json(), 0.0
        )
        lab.store.dispatch_step(step.id, ordinal)
        sent.append(step)
    lab.store.end_step(sent[0].id, StepStatus.UNKNOWN, None, "cut off", 1.0, part=part)
    believe_step(live, draw, StepStatus.UNKNOWN, part)
    lab.store.end_step(sent[1].id, StepStatus.DONE, None, "", 2.0)
    believe_step(live, draw, StepStatus.DONE, None)
    assert live.labware["tips"].tips == ["A3", "A4"]
    resolve(lab.store, sent[0].id, Verdict.NOT_DONE, who="ada")
    for settled in lab.store.settled_steps_since(lab.bench_id, 0):
        believe_step(first, draw, settled.status, settled.part)
    assert first.labware["tips"].tips == ["A3", "A4"]


def test_a_run_that_is_given_up_and_whose_documents_are_lost_keeps_nobody_waiting(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the moment of the fault on."""
    append = lab.store.append_documents

    def full(*arguments: Any) -> None:
        if lab.press.commands:
            raise StoreUnusable("The disk is full.")
        append(*arguments)

    monkeypatch.setattr(lab.store, "append_documents", full)
    lab.press.faults = {1: InstrumentError("the ink is dry", device="press")}
    session = lab.session()
    with pytest.raises(StoreUnusable):
        carry_out(lab, {FaultKind.UNKNOWN_OUTCOME: (Recovery.REDO_BATCH,)}, session=session)

    async def active() -> bool:
        return session.active(lab.run.id)

    assert not lab.clock.run(active())
