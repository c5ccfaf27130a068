"""Which cases of the killed service are played: the quick set of the tests, and any number by lot."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.crash.service_cases import Kill, ServiceCase

__all__ = ["GROUPS", "case_by_lot"]


def _case(day: str, *kills: str, policy: str = "redo_batch", store: str = "sqlite") -> ServiceCase:
    return ServiceCase(day=day, policy=policy, store=store, kills=tuple(map(Kill.read, kills)))


GROUPS: dict[str, Sequence[ServiceCase]] = {
    "handing_in": (
        _case("one", "submit-before//1"),
        _case("one", "submit-after//1"),
        _case("one", "command_end-before//1"),
        _case("one", "create_bench-after//1"),
        _case("one", "create_campaign-before//1"),
        _case("one", "create_campaign-after//1"),
    ),
    "steps": (
        _case("one", "create_run-after//1"),
        _case("one", "dispatch_step-after/distribute/1"),
        _case("one", "action-before/move/2"),
        _case("one", "action-after/distribute/4"),
        _case("one", "action-after/distribute/5", policy="hold"),
        _case("one", "action-after/heat/1", "action-after/heat/1"),
        _case("one", "end_step-before/fluorescence/1"),
        _case("one", "set_campaign_status-before//1"),
    ),
    "asking": (
        _case("approval", "ask_for_batch-before//1"),
        _case("approval", "ask_for_batch-after//1", "set_campaign_status-before//1"),
        _case("approval", "set_campaign_status-after//1", "approve-before//1"),
        _case("approval", "approve-after//1", "create_run-before//1"),
    ),
    "by_the_clock": (
        _case("schedule", "add_schedule-after//1", "decide-before//1"),
        _case("schedule", "decide-after//1", "create_campaign-before//1"),
    ),
    "people": (
        _case("paused"),
        _case("by_hand", "create_campaign-after//1/armed"),
        _case("by_hand", "action-before/open_lid/1/armed"),
        _case("by_hand", "action-after/open_lid/1/armed"),
        _case("by_hand", "end_step-after/open_lid/1/armed"),
    ),
    "sharing": (
        _case("two", "create_campaign-before//2"),
        _case("two", "create_campaign-after//2"),
        _case("two", "action-after//5/armed", "action-after//5/armed"),
        _case("two", "set_campaign_status-after//1"),
        _case("stopped", "set_campaign_status-after//1/armed"),
    ),
    "postgres": (
        _case("one", "submit-after//1", "action-after/distribute/3", store="postgres"),
        _case("approval", "approve-after//1", store="postgres"),
    ),
}
"""Groups of the quick set."""


def case_by_lot(number: int) -> ServiceCase:
    """The case of a number: day, kill points and policy follow from it."""
    rng = random.Random(number)
    day = rng.choice(("one", "approval", "schedule", "by_hand", "two", "two", "stopped"))
    kills = [_kill_by_lot(rng, day, again=again) for again in range(rng.choice((1, 1, 2)))]
    policy = rng.choice(("redo_batch", "hold"))
    if day == "two":
        # Held for a person, the other gets a twin of its own, and the judge follows one ledger.
        policy = "redo_batch"
    return ServiceCase(day=day, policy=policy, kills=tuple(kills))


_MOST = {
    "action-before": 60,
    "action-torn": 60,
    "action-after": 60,
    "begin_step-after": 12,
    "dispatch_step-before": 12,
}
_MOST |= {"dispatch_step-after": 12, "mark_step-after": 4, "end_step-before": 12, "end_step-after": 12}
_MOST |= {
    "bar-before": 1,
    "create_run-before": 1,
    "create_run-after": 1,
    "record-before": 1,
    "record-after": 1,
}
_MOST |= {"finish_run-after": 1, "propose-before": 1, "next_stretch-after": 1, "set_campaign_status-after": 1}
"""Kill point -> how often it is passed at most before the kill; by hand there are fewer, and then it never comes."""


_OF_A_CAMPAIGN = {"create_run-before", "create_run-after", "finish_run-after"}
_OF_A_CAMPAIGN |= {"propose-before", "record-before", "record-after", "set_campaign_status-after"}
_AFTER_A_KILL = {"bar-before", "next_stretch-after"}


def _kill_by_lot(rng: random.Random, day: str, *, again: int) -> Kill:
    """Where this day may come by.

    Args:
        again: kills before this one.
    """
    by_hand, armed = day == "by_hand", day in ("by_hand", "stopped")
    never = (_OF_A_CAMPAIGN | _AFTER_A_KILL if by_hand else set()) | (set() if again else _AFTER_A_KILL)
    at = rng.choice(sorted(set(_MOST) - never))
    return Kill(at=at, nth=rng.randint(1, 2 if armed else _MOST[at]), armed=armed)
