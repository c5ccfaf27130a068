"""Between two tries of a step the device stays the lane's, and a stop does not wait for the next try."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.progress import FaultMet, Progress
from lab.errors import FaultKind, InstrumentBusy, RunStopped
from lab.recovery import Recovery, RecoveryPolicy
from lab.types import Policies
from tests.lab.engine.bench import SmallLab, stamp_plan

PATIENT = Policies(recovery=RecoveryPolicy({FaultKind.BUSY: (Recovery.RETRY,) * 6}))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        small.press.faults = {n: InstrumentBusy("busy", device="press") for n in range(1, 6)}
        yield small
        small.store.close()


def test_a_stop_between_two_tries_does_not_wait_for_the_next_one(lab: SmallLab) -> None:
    asked_s: list[float] = []

    def stop_at_the_fifth(event: Progress) -> None:
        if isinstance(event, FaultMet):
            asked_s.append(event.lab_time_s)
            if len(asked_s) == 5:
                lane.request_stop("That is enough.")

    with (
        Lane(lab.session(), replace(lab.campaign, policies=PATIENT), stop_at_the_fifth) as lane,
        pytest.raises(RunStopped, match="That is enough"),
    ):
        lane.carry_out(lab.run, stamp_plan(lab.press, ["A1"]), {})
    assert lab.clock.now() == asked_s[-1]


def test_a_device_goes_to_nobody_else_before_the_step_is_over(lab: SmallLab) -> None:
    """Longer than the lease of one try would have lasted."""
    session = lab.session()
    asked: list[asyncio.Task[float]] = []

    async def neighbour() -> float:
        await session.arbiter.lease("neighbour", ["press"])
        return lab.clock.now()

    def ask(event: Progress) -> None:
        if isinstance(event, FaultMet) and not asked:
            asked.append(lab.clock.loop.create_task(neighbour()))

    with Lane(session, replace(lab.campaign, policies=PATIENT), ask) as lane:
        lane.carry_out(lab.run, stamp_plan(lab.press, ["A1"]), {})

    async def served_s() -> float:
        return await asked[0]

    assert lab.clock.run(served_s()) == lab.store.steps(lab.run.id)[-1].ended_lab_s
    assert {step.token for step in lab.store.steps(lab.run.id)} == {1}
    assert lab.press.made_safe == 0
    assert lab.press.sent == ["A1"]


def test_a_lane_that_pauses_between_two_tries_gives_the_device_back(lab: SmallLab) -> None:
    session = lab.session()

    async def use_it() -> None:
        await session.arbiter.lease("neighbour", ["press"])
        session.arbiter.release("neighbour")
        lane.let_go_on()

    def pause(event: Progress) -> None:
        if isinstance(event, FaultMet) and lane.pausing is None and not asked:
            lane.request_pause("A person is at the bench.")
            asked.append(lab.clock.loop.create_task(use_it()))

    asked: list[asyncio.Task[None]] = []
    with Lane(session, replace(lab.campaign, policies=PATIENT), pause) as lane:
        lane.carry_out(lab.run, stamp_plan(lab.press, ["A1"]), {})
    assert lab.press.sent == ["A1"]
    assert asked[0].done()
