"""Two campaigns side by side: on two benches they take the virtual time of one; on one shared bench both come out right.

Run: python -m benchmarks.lanes
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from benchmarks.machine import keep, machine
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign

BUDGET = 24


def run(files: list[tuple[str, int, str]]) -> tuple[Outcome, ...]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            write_campaign(Path(folder), name, workcell=workcell, seed=seed, budget=BUDGET)
            for name, seed, workcell in files
        ]
        with Laboratory.open(Settings(store=str(Path(folder) / "lab.db"))) as laboratory:
            outcomes = laboratory.run([prepare(path) for path in paths], baseline=False)
    assert all(o.status is CampaignStatus.FINISHED for o in outcomes), outcomes
    return outcomes


def table(outcome: Outcome) -> list[tuple[str, float]]:
    return [(e.candidate.id, o.value) for e, o in outcome.results]


def main() -> None:
    """Run alone, on two benches, on one bench, and keep the table."""
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    (alone_a,) = run([("first", 1, "bench.yaml")])
    (alone_b,) = run([("second", 2, "bench.yaml")])
    apart = run([("first", 1, "bench_1.yaml"), ("second", 2, "bench_2.yaml")])
    shared = run([("first", 1, "bench.yaml"), ("second", 2, "bench.yaml")])
    again = run([("first", 1, "bench.yaml"), ("second", 2, "bench.yaml")])
    hours = {
        "first campaign alone": alone_a.lab_s,
        "second campaign alone": alone_b.lab_s,
        "both, on two benches": apart[0].lab_s,
        "both, on one shared bench": shared[0].lab_s,
    }
    facts = {
        "on two benches both give the tables they give alone": [table(o) for o in apart]
        == [table(alone_a), table(alone_b)],
        "on one bench both measure their whole budget": all(o.measured >= BUDGET * 0.9 for o in shared),
        "on one bench a second run gives the same tables": [table(o) for o in shared]
        == [table(o) for o in again],
    }
    lines = [
        f"Two campaigns of {BUDGET} experiments side by side, each in a lane of its own, on one virtual clock",
        machine(),
        "",
        *[f"{name:52} {seconds / 3600:6.2f} h of lab time" for name, seconds in hours.items()],
        "",
        *[f"{name:52} {'yes' if fact else 'NO'}" for name, fact in facts.items()],
    ]
    keep("lanes", "\n".join(lines))


if __name__ == "__main__":
    main()
