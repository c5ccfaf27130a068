"""A plan that waits: from the end of the step before, once, and not for whoever wants to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.utils import Msg

from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.progress import Progress, StepEnded
from lab.errors import RunStopped
from tests.lab.engine.bench import SmallLab, stamp_plan

STEP_S = 30.0
WAIT_S = 600.0


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def stamp_and_wait(lab: SmallLab, wells: str) -> Generator[Msg, Any, None]:
    """Stamps wells, with a wait before each but the first."""
    for number, well in enumerate(wells.split()):
        if number:
            yield from bps.sleep(WAIT_S)
        yield from stamp_plan(lab.press, [well])


def carry_out(lab: SmallLab, plan: Generator[Msg, Any, None], *, stop_at: int | None = None) -> None:
    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded) and event.number == stop_at and not event.replayed:
            lane.request_stop("lunch")

    with Lane(lab.session(), lab.campaign, watch) as lane:
        lane.carry_out(lab.run, plan, {})


def begun(lab: SmallLab) -> list[float | None]:
    return [step.begun_lab_s for step in lab.store.steps(lab.run.id)]


def test_a_wait_goes_on_from_the_end_of_the_step_before(lab: SmallLab) -> None:
    carry_out(lab, stamp_and_wait(lab, "A1 A2 A3"))
    assert begun(lab) == [0.0, STEP_S + WAIT_S, 2 * (STEP_S + WAIT_S)]


def test_a_resumed_run_waits_only_for_what_is_left_of_the_wait(lab: SmallLab) -> None:
    with pytest.raises(RunStopped):
        carry_out(lab, stamp_and_wait(lab, "A1 A2 A3"), stop_at=2)
    stopped_s = lab.clock.now()
    assert stopped_s == 2 * STEP_S + WAIT_S
    lab.clock.run(_go_by(200.0))
    lab.run = lab.store.next_stretch(lab.run.id)
    carry_out(lab, stamp_and_wait(lab, "A1 A2 A3"))
    assert begun(lab)[2] == stopped_s + WAIT_S
    assert lab.press.sent == ["A1", "A2", "A3"]


def test_a_stop_does_not_wait_for_the_end_of_a_wait(lab: SmallLab) -> None:
    with pytest.raises(RunStopped, match="lunch"):
        carry_out(lab, stamp_and_wait(lab, "A1 A2"), stop_at=1)
    assert lab.clock.now() == STEP_S
    assert lab.press.sent == ["A1"]


async def _go_by(seconds: float) -> None:
    await asyncio.sleep(seconds)
