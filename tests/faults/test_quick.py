"""Instruments that fail: noticed, decided on as the policy says, and followed up; a quick set of cases.

Every fault of every verb, three cases each: make faults.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from digital_twin.faults import applicable
from tests.faults.cases import ROLE_OF, FaultCase, all_cases, quick_cases
from tests.faults.running import Verdict
from tests.faults.sabotage import SABOTAGES

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 420

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 30)]


def play(*arguments: str) -> list[Verdict]:
    """Play cases in a process of its own: they are forked off a parent that runs no thread, as a test session may."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.campaign", "--jobs", "2", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=REPOSITORY,
    )
    assert done.stderr == ""
    return [Verdict.from_json(json.loads(line)) for line in done.stdout.splitlines()]


def test_every_kind_of_fault_of_every_instrument_is_noticed_decided_on_and_followed_up() -> None:
    verdicts = play("--quick")
    objections = {
        f"python -m tests.faults.campaign --only {verdict.case}": verdict.violations
        for verdict in verdicts
        if verdict.violations
    }
    assert objections == {}
    assert {verdict.case for verdict in verdicts} == {str(case) for case in quick_cases()}
    assert all(verdict.struck >= 1 for verdict in verdicts)
    assert {verdict.status for verdict in verdicts} == {"finished", "aborted"}
    decided = {word for verdict in verdicts for word in verdict.did}
    assert {"retry", "retry_new_tip", "skip_sample", "redo_batch", "hold", "abort", "done"} <= decided
    unnoticed = {verdict.case for verdict in verdicts if verdict.noticed < verdict.struck}
    assert unnoticed <= {str(case) for case in quick_cases() if case.unnoticeable}


@pytest.mark.parametrize("name", SABOTAGES)
def test_a_mistake_in_the_engine_is_objected_to(name: str) -> None:
    sabotage = SABOTAGES[name]
    (verdict,) = play("--seeds", "29", "--only", sabotage.case, "--sabotage", name)
    assert any(sabotage.caught_by in violation for violation in verdict.violations), verdict


def test_every_fault_that_can_be_asked_for_has_three_cases_of_which_one_has_another_policy() -> None:
    cases = all_cases()
    assert [(case.driver, case.verb, case.kind) for case in cases[::3]] == applicable()
    for one in (cases[n : n + 3] for n in range(0, len(cases), 3)):
        assert sum(case.policy is not None for case in one) == 1
    assert set(ROLE_OF) == {case.driver for case in cases}


def test_three_seeds_see_every_moment_of_a_fault_and_its_silence() -> None:
    (driver, verb, kind) = next(one for one in applicable() if one[2] == "timeout")
    rules = [FaultCase(driver=driver, verb=verb, kind=kind, seed=n).rule(20) for n in (1, 2, 3)]
    assert [(str(rule.moment), rule.silent) for rule in rules] == [
        ("before", False),
        ("after", False),
        ("before", True),
    ]
    assert all(1 <= rule.at <= 20 for rule in rules)
