"""What the next run is planned around: the bench as it will be, whatever happens on it in that moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bench import Bench
from lab.clock import LabClock
from tests.lab.engine.bench import SmallLab, Stamp


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=False) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def test_a_step_that_is_settled_meanwhile_counts_as_to_come_or_as_done(
    lab: SmallLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, command = lab.session(), Stamp(well="A1")
    session.enter(lab.run.id, "small")
    session.expect(lab.run.id, [command])
    settled = threading.Event()

    def settle() -> None:
        session.believe(lab.run.id, command)
        settled.set()

    copy = Bench.copy

    def copy_slowly(bench: Bench) -> Bench:
        """The belief as it was before the step, which is settled as soon as the loop has a moment."""
        copied = copy(bench)
        lab.clock.soon(settle)
        settled.wait(timeout=0.5)
        return copied

    monkeypatch.setattr(Bench, "copy", copy_slowly)
    assert session.what_if().bench.well("plate_1", "A1").volume_ul == 1.0
    assert settled.wait(timeout=10)
    monkeypatch.undo()
    assert session.what_if().bench.well("plate_1", "A1").volume_ul == 1.0


def test_what_a_run_that_is_being_given_up_left_standing_counts_as_home(lab: SmallLab) -> None:
    session = lab.session()
    session._holder["plate_1"] = lab.run.id
    assert session.what_if().bench.labware["plate_1"].position == "nest"
    session.enter(lab.run.id, "small")
    assert session.what_if().bench.labware["plate_1"].position == "slot"
    session.leave(lab.run.id)
    assert session.what_if().bench.labware["plate_1"].position == "nest"
