"""Faults built into the controller on purpose, so that the oracle is seen to catch them: a test that can't fail is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import lab.engine.session
import lab.engine.steps
from digital_twin.world import World
from lab.interfaces import Answer, Reconciliation
from lab.store import Store
from lab.types import StepStatus
from tests.crash.cases import Case

__all__ = ["SABOTAGES", "Sabotage", "commit", "sabotaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What is broken, and where it shows.

    Args:
        begin: breaks it, in a controller's process.
        at, verb, action: kind of kill point at which it shows.
        which: of that kind, counted from 0.
        caught_by: words of a sentence with which the oracle should object.
    """

    begin: Callable[[], None]
    at: str
    verb: str
    caught_by: str
    action: str = ""
    which: int = 0
    policy: str = "hold"


def commit(name: str) -> None:
    """Break something for the rest of this process; nothing where the name is empty.

    Raises:
        KeyError: no such sabotage.
    """
    if name:
        SABOTAGES[name].begin()


def sabotaged(passed: Sequence[dict[str, Any]], of: Case) -> list[Case]:
    """A case for each sabotage, killed where it shows."""
    cases = []
    for name, it in SABOTAGES.items():
        found = [
            p for p in passed if (p["kind"], p["verb"]) == (it.at, it.verb) and it.action in ("", p["action"])
        ]
        point = found[it.which]
        cases.append(replace(of, at=it.at, nth=point["nth"], policy=it.policy, sabotage=name))
    return cases


def _swap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def _every_dispense_twice() -> None:
    def make(act: Any) -> Any:
        def twice(world: World, instrument: str, action: str, **arguments: Any) -> Any:
            if action == "dispense":
                act(world, instrument, action, **arguments)
            return act(world, instrument, action, **arguments)

        return twice

    _swap(World, "act", make)


def _answer_always(answer: Answer) -> Callable[[], None]:
    async def guess(*args: Any) -> Reconciliation:
        return Reconciliation(answer=answer, sentence="It will be all right.")

    def begin() -> None:
        for module in (lab.engine.session, lab.engine.steps):
            _swap(module, "what_came_of", lambda true: guess)

    return begin


def _change_ends(change: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
    """Change what ``end_step`` is told."""

    def make(end_step: Any) -> Any:
        def changed(
            store: Store, step_id: str, status: StepStatus, result: Any, error: str, ended: float, **more: Any
        ) -> Any:
            told = {"status": status, "result": result, "error": error, **more}
            change(told)
            return end_step(store, step_id, lab_time_s=ended, **told)

        return changed

    return lambda: _swap(Store, "end_step", make)


def _without_part(told: dict[str, Any]) -> None:
    told.pop("part", None)


def _without_bars(told: dict[str, Any]) -> None:
    told.pop("bars", None)


def _with_other_numbers(told: dict[str, Any]) -> None:
    if isinstance(told["result"], dict) and "cycles" in told["result"]:
        cycles = [[None if n is None else n * 1.01 for n in cycle] for cycle in told["result"]["cycles"]]
        told["result"] = {**told["result"], "cycles": cycles}


def _bar_nothing() -> None:
    _change_ends(_without_bars)()
    _swap(Store, "bar", lambda true: lambda *args, **kwargs: None)


def _leave_heaters_on() -> None:
    async def all_is_safe(devices: Mapping[str, Any], **bound: float) -> dict[str, str]:
        return {}

    _swap(lab.engine.session, "make_safe", lambda true: all_is_safe)


def _forget_the_open_batch() -> None:
    _swap(Store, "open_batch", lambda true: lambda store, campaign_id: None)


def _tell_nobody() -> None:
    _swap(Store, "log", lambda true: lambda *args, **kwargs: None)


SABOTAGES: dict[str, Sabotage] = {
    "every_dispense_twice": Sabotage(
        begin=_every_dispense_twice,
        at="end_step-after",
        verb="distribute",
        caught_by="ul were asked for",
    ),
    "unknown_is_not_done": Sabotage(
        begin=_answer_always(Answer.NOT_DONE),
        at="action-after",
        verb="distribute",
        action="dispense",
        caught_by="was sent once more, though the ledger shows",
    ),
    "unknown_is_done": Sabotage(
        begin=_answer_always(Answer.DONE),
        at="action-before",
        verb="distribute",
        action="dispense",
        caught_by="is DONE, and the ledger shows",
    ),
    "heat_again": Sabotage(
        begin=_answer_always(Answer.NOT_DONE),
        at="action-before",
        verb="heat",
        action="set_temperature",
        which=1,
        caught_by="was heated 2 times",
    ),
    "tips_forgotten": Sabotage(
        begin=_change_ends(_without_part),
        at="action-after",
        verb="distribute",
        action="aspirate",
        caught_by="which are gone",
    ),
    "nothing_barred": Sabotage(
        begin=_bar_nothing,
        at="action-after",
        verb="distribute",
        action="dispense",
        policy="skip_sample",
        caught_by="nothing bars it",
    ),
    "other_numbers": Sabotage(
        begin=_change_ends(_with_other_numbers),
        at="end_step-after",
        verb="fluorescence",
        caught_by="keeps numbers that the reader did not show",
    ),
    "heaters_left_on": Sabotage(
        begin=_leave_heaters_on,
        at="action-after",
        verb="heat",
        action="set_temperature",
        policy="redo_batch",
        caught_by="A controller sent its first step, and",
    ),
    "batch_forgotten": Sabotage(
        begin=_forget_the_open_batch,
        at="end_step-after",
        verb="heat",
        caught_by="is running",
    ),
    "nobody_told": Sabotage(
        begin=_tell_nobody,
        at="action-after",
        verb="distribute",
        action="dispense",
        policy="redo_batch",
        caught_by="no event names it",
    ),
}
"""Name -> what is broken."""
