"""Two campaigns on one bench for hours, with faults, a kill and a person: a short soak. The long one: make soak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 900


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S + 30)
def test_two_campaigns_share_a_bench_for_hours_through_faults_and_a_kill_and_the_oracle_has_no_objection() -> (
    None
):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--hours", "3"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Violations found by the oracle: none" in done.stdout
    assert "first finished" in done.stdout
    assert "second finished" in done.stdout
    assert "one kill at" in done.stdout
