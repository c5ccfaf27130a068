"""What is given up stays given up: cut off at a bad moment, what was decided about samples and runs holds all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.clock import LabClock
from lab.errors import FaultKind, InstrumentBusy, StoreUnusable
from lab.recovery import Recovery
from tests.lab.engine.bench import SmallLab
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
