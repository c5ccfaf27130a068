"""Mistakes built into the engine on purpose: the fault campaign must object to each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lab.engine.steps
from lab.engine.session import BenchSession
from lab.recovery import Recovery
from lab.store import Store

__all__ = ["SABOTAGES", "Sabotage", "commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """One mistake.

    Args:
        begin: makes it, for the rest of this process.
        case: in which it shows.
        caught_by: words of the objection to it.
    """

    begin: Callable[[], None]
    case: str
    caught_by: str


def commit(name: str) -> None:
    """Make one of :data:`SABOTAGES`."""
    SABOTAGES[name].begin()


def _replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    whole = getattr(owner, name)
    setattr(owner, name, functools.wraps(whole)(wrap(whole)))


def _tell_nobody() -> None:
    def wrap(log: Any) -> Any:
        def logged(store: Store, campaign_id: str, kind: str, *args: Any, **kwargs: Any) -> None:
            if kind != "fault":
                log(store, campaign_id, kind, *args, **kwargs)

        return logged

    _replace(Store, "log", wrap)


def _decide_as_one_likes() -> None:
    def wrap(decide: Any) -> Any:
        def decided(*args: Any, **kwargs: Any) -> Recovery:
            wanted: Recovery = decide(*args, **kwargs)
            return Recovery.HOLD if wanted is Recovery.RETRY else wanted

        return decided

    _replace(lab.engine.steps, "decide", wrap)


def _bar_nothing_that_is_left_out() -> None:
    _replace(BenchSession, "leave_out", lambda leave_out: lambda *args, **kwargs: None)


def _forget_the_kind() -> None:
    def wrap(end_step: Any) -> Any:
        def ended(*args: Any, **kwargs: Any) -> Any:
            kwargs.update(fault="busy" if kwargs.get("fault") else "")
            return end_step(*args, **kwargs)

        return ended

    _replace(Store, "end_step", wrap)


SABOTAGES: Mapping[str, Sabotage] = {
    "nobody_told": Sabotage(
        begin=_tell_nobody, case="thermocycler/opentrons.open_lid.busy:1", caught_by="no event names it"
    ),
    "own_policy": Sabotage(
        begin=_decide_as_one_likes,
        case="thermocycler/opentrons.open_lid.busy:1",
        caught_by="was decided, and the policy says retry",
    ),
    "left_out_and_used": Sabotage(
        begin=_bar_nothing_that_is_left_out,
        case="liquid_handler/star.distribute.failed_aspirate:29",
        caught_by="is not barred",
    ),
    "kind_forgotten": Sabotage(
        begin=_forget_the_kind,
        case="plate_reader/infinite.fluorescence.lid:1",
        caught_by="saw lid, and the journal says busy",
    ),
}
"""Name -> what is broken."""
