"""A controller that is killed loses nothing and does nothing twice: a quick set of cases, and an oracle that can object.

Hundreds of cases: make crash.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.cases import POLICIES, Case
from tests.crash.points import ACTION_POINTS, NAMED_WRITES, write_points, writers
from tests.crash.running import Verdict
from tests.crash.sabotage import SABOTAGES
from tests.crash.sets import QUICK
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

REPOSITORY = Path(__file__).parents[2]

GROUP_S = 600
"""Wall time for a group: some of them take half a minute on two cores that have nothing else to do."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(GROUP_S + 30)]


def play(group: str) -> list[Verdict]:
    """Play a group in a process of its own: cases are forked off a parent that runs no thread, as a test session may."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.campaign", "--group", group, "--jobs", "2", "--json"],
        capture_output=True,
        text=True,
        timeout=GROUP_S,
        cwd=REPOSITORY,
    )
    assert done.stderr == ""
    return [Verdict.from_json(json.loads(line)) for line in done.stdout.splitlines()]


def objections(verdicts: list[Verdict]) -> dict[str, tuple[str, ...]]:
    """Command that repeats a case -> what is wrong with it."""
    return {
        f"python -m tests.crash.campaign --case {verdict.case}": verdict.violations
        for verdict in verdicts
        if verdict.violations
    }


def finished_without_objection(verdicts: list[Verdict]) -> bool:
    assert objections(verdicts) == {}
    assert {verdict.status for verdict in verdicts} == {"finished"}
    return all(verdict.kills >= 1 for verdict in verdicts)


def test_killed_at_an_action_of_any_verb_a_campaign_loses_nothing_and_does_nothing_twice() -> None:
    verdicts = play("actions")
    assert finished_without_objection(verdicts)
    verbs = {"add_reagent", "distribute", "mix", "move", "put_lid", "take_lid", "open_lid", "close_lid"}
    assert {verdict.verb for verdict in verdicts} == verbs | {
        "heat",
        "incubate",
        "fluorescence",
        "absorbance",
    }
    assert {Case.read(verdict.case).at for verdict in verdicts} == set(ACTION_POINTS)


def test_a_dispense_that_was_in_the_air_is_unknown_and_the_policy_decides() -> None:
    verdicts = play("dispenses")
    assert finished_without_objection(verdicts)
    assert all(verdict.unknowns == 1 for verdict in verdicts)
    by_policy = {policy: [v for v in verdicts if Case.read(v.case).policy == policy] for policy in POLICIES}
    assert all(len(of_policy) == 2 for of_policy in by_policy.values())
    assert all(v.settled == 1 for v in by_policy["hold"])
    assert all((v.redone, v.settled) == (1, 0) for v in by_policy["redo_batch"])
    # A reagent in doubt takes the controls of its plate with it, and then the batch is done again all the same.
    skipped = {v.verb: (v.redone, v.settled) for v in by_policy["skip_sample"]}
    assert skipped == {"distribute": (0, 0), "add_reagent": (1, 0)}


@pytest.mark.parametrize("group", ["writes", "later_writes"])
def test_killed_before_or_after_a_write_a_campaign_loses_nothing_and_does_nothing_twice(group: str) -> None:
    assert finished_without_objection(play(group))


def test_killed_again_while_it_comes_back_a_campaign_loses_nothing_and_does_nothing_twice() -> None:
    verdicts = play("coming_back")
    assert finished_without_objection(verdicts)
    assert all(verdict.kills == 2 for verdict in verdicts)


@pytest.mark.postgres
def test_a_killed_controller_loses_nothing_on_postgresql_either(postgres_server: PostgresServer) -> None:
    assert postgres_server.sql("SELECT 1") == "1"  # there is one to be had: the cases start their own
    verdicts = play("postgres")
    assert finished_without_objection(verdicts)
    assert {Case.read(verdict.case).store for verdict in verdicts} == {"postgres"}


def test_the_oracle_objects_to_every_fault_that_is_built_in() -> None:
    found = {Case.read(verdict.case).sabotage: verdict.violations for verdict in play("sabotaged")}
    assert set(found) == set(SABOTAGES)
    unnoticed = {
        name: found[name]
        for name, sabotage in SABOTAGES.items()
        if not any(sabotage.caught_by in sentence for sentence in found[name])
    }
    assert unnoticed == {}


def test_every_write_to_the_store_is_a_kill_point() -> None:
    found = writers()
    assert set(NAMED_WRITES) <= set(found)
    assert set(write_points()) == {f"{name}-{when}" for name in found for when in ("before", "after")}


def test_a_case_is_the_line_that_repeats_it() -> None:
    case = Case(seed=3, at="action-torn", nth=57, policy="redo_batch", store="postgres", again=12)
    assert Case.read(str(case)) == case
    assert Case.read(str(Case())) == Case()
    with pytest.raises(ValueError, match="'colour=red' is no part of a case"):
        Case.read("seed=1,colour=red")


def test_each_group_of_the_quick_set_is_played_by_a_test() -> None:
    assert set(QUICK) == {"actions", "dispenses", "writes", "later_writes", "coming_back", "postgres"}
