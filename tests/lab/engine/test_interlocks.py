"""Nothing is sent that an interlock forbids at that moment, and what is not known forbids it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lab.clock import LabClock
from lab.engine import Lane
from lab.engine.interlocks import READ_S, InterlockKeeper
from lab.errors import RunHeld
from lab.interlocks import Interlock, Need, Range
from lab.types import StepStatus
from tests.lab.engine.bench import SmallLab, Stamp, stamp_plan

LID = Interlock(
    verbs=("press.*",),
    when={},
    needs=(Need(of="press.lid", allowed=("open",)),),
    because="the stamp would hit it",
)
HOOD = Interlock(
    verbs=("press.stamp",), when={"well": ("A2",)}, needs=(Need(of="hood", allowed=("closed",)),), because=""
)


@dataclass
class Shown:
    """A signal that shows what a test wants."""

    value: object

    async def read(self, *, cached: bool) -> dict[str, Any]:
        assert not cached
        if isinstance(self.value, Exception):
            raise self.value
        if self.value is None:
            await asyncio.sleep(10 * READ_S)
        return {"press-lid": {"value": self.value, "timestamp": 0.0}}


@dataclass
class Lidded:
    lid: Shown


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SmallLab]:
    with LabClock(virtual=True) as clock:
        small = SmallLab(tmp_path, clock)
        yield small
        small.store.close()


def objections(
    lab: SmallLab, rule: Interlock, *, shows: object = "open", states: Path | None = None
) -> tuple[str, ...]:
    keeper = InterlockKeeper([rule], states, {"press": Lidded(Shown(shows))}, lab.clock)
    return lab.clock.run(keeper.objections("press", Stamp(well="A2")))


def test_what_is_as_it_should_be_stands_against_nothing(lab: SmallLab) -> None:
    assert objections(lab, LID) == ()


@pytest.mark.parametrize(
    ("shows", "why"),
    [
        ("closed", "it is closed"),
        (OSError("no wire"), "it can't be read (no wire)"),
        (None, "it can't be read (TimeoutError)"),
        (float("nan"), "it is nan"),
    ],
)
def test_what_is_otherwise_or_not_known_forbids_the_command_with_the_reason(
    lab: SmallLab, shows: object, why: str
) -> None:
    assert objections(lab, LID, shows=shows) == (
        f"press may stamp only while press.lid is open, because the stamp would hit it; {why}.",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hood: open\n", "press may stamp only while hood is closed; it is open."),
        ("door: closed\n", "press may stamp only while hood is closed; nobody has said what hood is."),
        ("hood: [", "blocks everything that asks for one"),
        (None, "blocks everything that asks for one"),
    ],
)
def test_a_state_of_the_lab_that_is_otherwise_or_unreadable_forbids_it(
    lab: SmallLab, tmp_path: Path, text: str | None, why: str
) -> None:
    path = tmp_path / "states.yaml"
    if text is not None:
        path.write_text(text)
    (sentence,) = objections(lab, HOOD, states=path)
    assert why in sentence


def test_a_rule_holds_only_for_the_commands_that_it_names(lab: SmallLab) -> None:
    keeper = InterlockKeeper([HOOD], None, {}, lab.clock)
    assert lab.clock.run(keeper.objections("press", Stamp(well="A1"))) == ()
    assert lab.clock.run(keeper.objections("other", Stamp(well="A2"))) == ()


@pytest.mark.parametrize(
    ("value", "met"), [(4, True), (60.0, True), (3.9, False), ("20", False), (True, False)]
)
def test_a_range_takes_numbers_only(value: object, met: bool) -> None:
    assert Need(of="shaker.temperature_c", allowed=Range(4.0, 60.0)).met_by(value) is met


@pytest.mark.parametrize(("value", "met"), [(True, True), ("true", False), (1, False)])
def test_a_truth_value_is_no_text_and_no_number(value: object, met: bool) -> None:
    assert Need(of="gas", allowed=(True,)).met_by(value) is met


@pytest.mark.parametrize(
    ("value", "allowed", "met"),
    [
        (np.bool_(True), (True,), True),
        (np.bool_(False), (True,), False),
        (np.bool_(True), (1,), False),
        (np.int64(3), (3,), True),
        (np.int32(3), Range(2.0, 4.0), True),
        (np.float32(5.5), Range(2.0, 4.0), False),
        (np.float32(2.5), (2.5,), True),
        (np.array([3]), (3,), False),
    ],
)
def test_what_numpy_gives_counts_as_what_it_is(
    value: object, allowed: tuple[bool | float, ...] | Range, met: bool
) -> None:
    assert Need(of="press.signal", allowed=allowed).met_by(value) is met


def test_a_run_is_held_before_the_step_that_is_forbidden_and_goes_on_when_it_is_allowed(
    lab: SmallLab, tmp_path: Path
) -> None:
    states = tmp_path / "states.yaml"
    states.write_text("hood: open\n")
    session = lab.session()
    session.interlocks = InterlockKeeper([HOOD], states, session.workcell.devices, lab.clock)
    with Lane(session, lab.campaign, lambda event: None) as lane:
        with pytest.raises(RunHeld, match=r"Nothing was sent\. press may stamp only while hood is closed"):
            lane.carry_out(lab.run, stamp_plan(lab.press, ["A1", "A2"]), {})
        assert lab.press.sent == ["A1"]
        assert [step.status for step in lab.store.steps(lab.run.id)] == [StepStatus.DONE, StepStatus.INTENT]
        states.write_text("hood: closed\n")
        lane.carry_out(lab.store.next_stretch(lab.run.id), stamp_plan(lab.press, ["A1", "A2"]), {})
    assert lab.press.sent == ["A1", "A2"]


def test_a_rule_for_a_value_holds_for_lists_with_that_value_among_them() -> None:
    rule = Interlock(verbs=("handler.*",), when={"targets": ("assay_1",)}, needs=HOOD.needs, because="")
    assert rule.concerns(
        "handler", "distribute", {"targets": (("assay_1", "A1", 5.0), ("assay_2", "A1", 5.0))}
    )
    assert rule.concerns(
        "handler", "distribute", {"targets": [["assay_2", "A1", 5.0], ["assay_1", "A1", 5.0]]}
    )
    assert not rule.concerns("handler", "distribute", {"targets": [["assay_2", "A1", 5.0]]})
    assert not rule.concerns("handler", "distribute", {"targets": []})
