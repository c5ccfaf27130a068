"""What the journal costs: a step of a journaled lane against the same ``set`` on a bare run engine.

Run: python -m benchmarks.journal_step
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.run_engine import RunEngine
from bluesky.utils import DuringTask, Msg

from benchmarks.machine import keep, machine
from lab.clock import LabClock
from lab.engine import Lane
from tests.lab.engine.bench import Press, SmallLab, Stamp, stamp_plan

STEPS = 400
ROUNDS = 5
WELLS = [f"{row}{column}" for row in "ABCDEFGH" for column in range(1, 13)]


class QuickPress(Press):
    """The press without its 30 seconds and without the ink that it could run out of."""

    async def _stamp(self, command: Stamp) -> None:
        self.sent.append(command.well)
        self.last = {"count": len(self.sent)}

    def problems(self, command: Stamp, bench: Any) -> list[str]:
        return []


def bare_plan(press: Press) -> Generator[Msg, Any, None]:
    yield from bps.open_run()
    for n in range(STEPS):
        yield from bps.abs_set(press, Stamp(well=WELLS[n % 96]), wait=True)
    yield from bps.close_run()


def bare(folder: Path) -> float:
    engine = RunEngine({}, context_managers=[], during_task=DuringTask())
    press = QuickPress()
    begun = time.perf_counter()
    engine(bare_plan(press))
    lasted = time.perf_counter() - begun
    engine.loop.call_soon_threadsafe(engine.loop.stop)
    assert len(press.sent) == STEPS
    return lasted / STEPS * 1e3


def journaled(folder: Path) -> float:
    with LabClock(virtual=True) as clock:
        lab = SmallLab(folder, clock)
        lab.press = QuickPress()
        with Lane(lab.session(), lab.campaign, lambda event: None) as lane:
            begun = time.perf_counter()
            lane.carry_out(lab.run, stamp_plan(lab.press, [WELLS[n % 96] for n in range(STEPS)]), {})
            lasted = time.perf_counter() - begun
        assert len(lab.store.steps(lab.run.id)) == len(lab.press.sent) == STEPS
        lab.store.close()
    return lasted / STEPS * 1e3


def rounds(measure: Callable[[Path], float]) -> list[float]:
    figures = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=".") as folder:
            figures.append(measure(Path(folder)))
    return figures


def main() -> None:
    """Measure both, in turns, and keep the table."""
    figures = {"bare run engine": rounds(bare), "journaled step (SQLite, fsync)": rounds(journaled)}
    lines = [
        f"Cost of a journaled step, {STEPS} steps a round, {ROUNDS} rounds",
        machine(),
        "",
        f"{'':32} {'median ms':>10} {'min':>8} {'max':>8}",
    ]
    for name, values in figures.items():
        lines.append(f"{name:32} {statistics.median(values):10.2f} {min(values):8.2f} {max(values):8.2f}")
    medians = [statistics.median(values) for values in figures.values()]
    lines.append(f"{'difference of the medians':32} {medians[1] - medians[0]:10.2f}")
    keep("journal_step", "\n".join(lines))


if __name__ == "__main__":
    main()
