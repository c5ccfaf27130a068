"""A lane in a circle of waits: its run is held with the sentence, and what it kept goes to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from bluesky.utils import Msg

from lab.clock import LabClock
from lab.engine import Lane
from lab.errors import RunHeld
from lab.types import StepStatus
from tests.lab.engine.bench import SmallLab, stamp_plan


def test_a_run_that_waits_in_a_circle_is_held_between_steps_and_the_other_goes_on(tmp_path: Path) -> None:
    with LabClock(virtual=True) as clock:
        lab = SmallLab(tmp_path, clock)
        session = lab.session()
        session.enter("other", "other")

        def plan() -> Generator[Msg, Any, None]:
            yield Msg("claim", None, ("slot",))
            yield from stamp_plan(lab.press, ["A1", "A2"])
            yield Msg("release", None)

        async def other() -> float:
            """Takes the press after the first stamp, and won't let go of it before it has the place as well."""
            await asyncio.sleep(5)
            await session.arbiter.lease("other", ["press"])
            await session.arbiter.claim("other", ["slot"], session.active)
            return clock.now()

        with Lane(session, lab.campaign, lambda event: None) as lane:
            waiting = asyncio.run_coroutine_threadsafe(other(), clock.loop)
            with pytest.raises(RunHeld) as held:
                lane.carry_out(lab.run, plan(), {})
            lane.let_time_pass()
            assert waiting.result(timeout=60) == 30
        assert f"{lab.run.id} (small) holds slot and waits for press" in str(held.value)
        assert "other holds press and waits for slot" in str(held.value)
        assert lab.press.sent == ["A1"]
        assert [step.status for step in lab.store.steps(lab.run.id)] == [StepStatus.DONE, StepStatus.INTENT]
        lab.store.close()
