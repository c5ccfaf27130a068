"""A lab service that is killed loses nothing and does nothing twice: queue, schedules, requests and benches.

Any number of days by lot: python -m tests.crash.service_campaign --seeds 100
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.service_campaign import Verdict
from tests.crash.service_cases import DAYS, ServiceCase
from tests.crash.service_sets import GROUPS
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

REPOSITORY = Path(__file__).parents[2]

GROUP_S = 600
"""Wall time for a group, on a machine that does much else."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(GROUP_S + 30)]


def nothing_is_wrong(group: str) -> list[Verdict]:
    """Play a group in a process of its own: services are forked off a parent that runs no thread, as a test session may."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.service_campaign", "--group", group, "--json"],
        capture_output=True,
        text=True,
        timeout=GROUP_S,
        cwd=REPOSITORY,
    )
    assert done.stderr == ""
    verdicts = [Verdict.from_json(json.loads(line)) for line in done.stdout.splitlines()]
    assert {one.case: one.violations for one in verdicts if one.violations} == {}
    assert [one.case for one in verdicts] == [str(case) for case in GROUPS[group]]
    return verdicts


def test_killed_around_a_submission_it_becomes_one_campaign() -> None:
    verdicts = nothing_is_wrong("handing_in")
    assert all(one.kills == 1 and one.starts == 2 for one in verdicts)
    assert (
        sum(one.not_known for one in verdicts) >= 2
    )  # killed before the answer: nobody could know, and it told so


def test_killed_around_a_step_no_action_is_done_twice_and_none_is_lost() -> None:
    verdicts = nothing_is_wrong("steps")
    assert {"distribute", "heat", "move", "fluorescence"} <= {verb for one in verdicts for verb in one.verbs}
    # Amid a plate that is being filled: what is in its wells nobody can say.
    amid = [one for one in verdicts if "action-after/distribute" in one.case]
    assert len(amid) == 2
    assert all(one.unknowns == 1 for one in amid)


def test_killed_while_a_person_is_asked_they_are_asked_once_and_their_word_holds() -> None:
    assert sum(one.kills for one in nothing_is_wrong("asking")) >= 6


def test_killed_while_a_schedule_fires_it_fires_once() -> None:
    assert sum(one.kills for one in nothing_is_wrong("by_the_clock")) == 4


def test_killed_while_paused_or_moved_by_hand_it_does_what_it_was_told_and_no_more() -> None:
    assert all(one.kills == 1 for one in nothing_is_wrong("people"))


def test_killed_while_two_campaigns_share_a_bench_both_come_to_their_end() -> None:
    assert sum(one.kills for one in nothing_is_wrong("sharing")) == 6


@pytest.mark.postgres
def test_killed_on_a_database_server_nothing_is_lost_either(postgres_server: PostgresServer) -> None:
    assert sum(one.kills for one in nothing_is_wrong("postgres")) == 3


def test_the_days_are_all_lived_through() -> None:
    assert {case.day for group in GROUPS.values() for case in group} == set(DAYS)


def test_a_case_can_be_written_down_and_repeated() -> None:
    for group in GROUPS.values():
        for case in group:
            assert ServiceCase.read(str(case)) == case
