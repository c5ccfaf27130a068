"""Which cases are played: the quick set of the tests, a group for each kind of kill point, and any number by lot."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from tests.crash.cases import POLICIES, Case
from tests.crash.points import ACTION_POINTS, UNTIMED

__all__ = ["LONG", "QUICK", "SHORT", "case_by_lot", "quick_cases", "seed_by_lot"]

CAMPAIGNS = 6
"""Campaigns, by their seed, that cases by lot are made of."""

SHARE_OF_ACTIONS = 0.6
"""Of the cases that are killed at an action of the world; the others are killed at a write."""

SHARE_AGAIN = 0.3
SHARE_POSTGRES = 0.25
MOST_AGAIN = 700
"""Kill points that a resume passes, about."""

Points = Sequence[dict[str, Any]]
"""What :func:`tests.crash.running.play_undisturbed` says was passed."""


def case_by_lot(number: int, passed: dict[int, Points], *, postgres: bool) -> Case:
    """The case of a number: campaign, kill point, policy, store and second kill follow from it.

    Args:
        passed: seed of a campaign -> its kill points.
        postgres: whether there is a server.
    """
    rng = random.Random(number)
    seed = seed_by_lot(number)
    on_postgres = rng.random() < SHARE_POSTGRES
    policy = rng.choice(POLICIES)
    again = rng.randint(1, MOST_AGAIN) if rng.random() < SHARE_AGAIN else 0
    by_place: dict[tuple[str, str], list[int]] = defaultdict(list)
    for point in passed[seed]:
        by_place[point["kind"], point["verb"]].append(point["nth"])
    # First a kind and a verb, so that a verb of few actions has its share, then one of its points.
    of_actions = rng.random() < SHARE_OF_ACTIONS
    kind, verb = rng.choice(sorted(place for place in by_place if (place[0] in ACTION_POINTS) is of_actions))
    # Documents are written in their own time, in fewer calls when the machine is busy.
    nth = rng.choice(by_place[kind, verb][: 4 if kind.startswith(UNTIMED) else None])
    store = "postgres" if postgres and on_postgres else "sqlite"
    return Case(seed=seed, at=kind, nth=nth, policy=policy, store=store, again=again)


def seed_by_lot(number: int) -> int:
    """Of the campaign of a case by lot."""
    return 1 + number % CAMPAIGNS


def quick_cases(group: str, passed: Points) -> list[Case]:
    """A group of the quick set; all of one campaign.

    Raises:
        KeyError: no such group.
    """
    chosen = QUICK[group]
    return [replace(chosen.of, **fields) for make in chosen.make for fields in make(passed)]


def _actions(passed: Points) -> Iterator[dict[str, Any]]:
    """Every verb, before or after one of its effects in the middle, in turn; half a ledger line for some."""
    policies, kinds = cycle(POLICIES), cycle(("action-before", "action-after"))
    for verb in sorted({point["verb"] for point in passed if point["kind"] == "action-before"}):
        yield _at(_middle(passed, next(kinds), verb), policy=next(policies))
    for verb in ("distribute", "heat"):
        yield _at(_middle(passed, "action-torn", verb), policy=next(policies))


def _dispenses(passed: Points) -> Iterator[dict[str, Any]]:
    """The same dispense after its effect under each policy, and before it: nobody can know which it was."""
    for policy in POLICIES:
        yield _at(_middle(passed, "action-after", "distribute", action="dispense"), policy=policy)
        verb = "distribute" if policy == "hold" else "add_reagent"
        yield _at(_middle(passed, "action-before", verb, action="dispense"), policy=policy)


def _step_writes(passed: Points) -> Iterator[dict[str, Any]]:
    """Before or after each write of a step's journal, at another verb each time; what was sent and not said to be, both."""
    verbs = cycle(("distribute", "heat", "move", "fluorescence", "incubate", "add_reagent", "take_lid"))
    policies = cycle(POLICIES)
    for kind in (
        "begin_step-after",
        "dispatch_step-before",
        "dispatch_step-after",
        "mark_step-after",
        "end_step-before",
        "end_step-after",
    ):
        yield _at(_middle(passed, kind, next(verbs)), policy=next(policies))


def _other_writes(passed: Points) -> Iterator[dict[str, Any]]:
    """Before one and after the next of the writes that are no step's."""
    kinds = dict.fromkeys(point["kind"] for point in passed if point["verb"] == "-")
    for number, write in enumerate(dict.fromkeys(kind.rpartition("-")[0] for kind in kinds)):
        kind = f"{write}-{('before', 'after')[number % 2]}"
        yield _at(next(point for point in passed if point["kind"] == kind))


def _later_writes(passed: Points) -> Iterator[dict[str, Any]]:
    """The last of those that the second batch has too."""
    for kind in (
        "propose-after",
        "append_documents-before",
        "record-before",
    ):
        found = [point for point in passed if point["kind"] == kind]
        yield _at(found[2] if kind.startswith(UNTIMED) else found[-1])


def _twice(passed: Points) -> Iterator[dict[str, Any]]:
    """Killed in the midst of a step, and again while it comes back: early, where it asks the instruments, and later."""
    for verb, again, policy in (
        ("heat", 4, "redo_batch"),
        ("move", 6, "hold"),
        ("add_reagent", 60, "redo_batch"),
    ):
        yield _at(_middle(passed, "action-after", verb), policy=policy, again=again)


def _coming_back(passed: Points) -> Iterator[dict[str, Any]]:
    """Killed at a dispense of unknown outcome, and again around the writes by which that is settled.

    What is held is cut off at the last dispense of a command, so that the person finds all of it done.
    """
    point = _middle(passed, "action-after", "distribute", action="dispense")
    last = _all(passed, "action-after", "distribute", action="dispense")[-1]
    for policy, writes in (
        (
            "hold",
            (
                "mark_step-after",
                "end_step-after",
                "lift_bar-before",
            ),
        ),
        ("skip_sample", ("decide_step-before", "decide_step-after")),
        ("redo_batch", ("decide_step-after", "bar-before", "finish_run-before")),
    ):
        for write in writes:
            yield _at(last if policy == "hold" else point, policy=policy, then=f"{write}:1")


def _leaving_out(passed: Points) -> Iterator[dict[str, Any]]:
    """A well that gives no liquid, three tries long: killed around the writes by which its samples are left out."""
    for kind in ("decide_step-before", "decide_step-after", "bar-before"):
        yield {"at": kind, "nth": 1, "fault": "handler/failed_aspirate/distribute/2/3"}


def _on_postgres(passed: Points) -> Iterator[dict[str, Any]]:
    """A few of the kinds on a server, where a killed client's transaction is the server's to take back."""
    for kind, verb, policy in (
        ("action-after", "distribute", "redo_batch"),
        ("end_step-before", "add_reagent", "skip_sample"),
        ("dispatch_step-after", "move", "hold"),
        ("record-before", "-", "hold"),
    ):
        yield _at(_middle(passed, kind, verb), policy=policy, store="postgres")


SHORT = Case(budget=2)
LONG = Case(budget=4)
"""One batch, and two of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cases of one campaign.

    Args:
        of: that campaign.
        make: kill points, in fields of a case.
    """

    of: Case
    make: tuple[Callable[[Points], Iterator[dict[str, Any]]], ...]


QUICK = {
    "actions": Group(SHORT, (_actions,)),
    "dispenses": Group(SHORT, (_dispenses,)),
    "writes": Group(SHORT, (_step_writes, _other_writes, _leaving_out)),
    "later_writes": Group(LONG, (_later_writes,)),
    "coming_back": Group(SHORT, (_twice, _coming_back)),
    "postgres": Group(SHORT, (_on_postgres,)),
}
"""Groups of the quick set."""


def _all(passed: Points, kind: str, verb: str, *, action: str = "") -> list[dict[str, Any]]:
    return [p for p in passed if (p["kind"], p["verb"]) == (kind, verb) and action in ("", p["action"])]


def _middle(passed: Points, kind: str, verb: str, *, action: str = "") -> dict[str, Any]:
    found = _all(passed, kind, verb, action=action)
    return found[len(found) // 2]


def _at(point: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"at": point["kind"], "nth": point["nth"], **fields}
