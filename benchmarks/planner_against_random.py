"""The planner against random choice, each campaign a whole loop on the twin: 96 experiments, paired seeds.

Both campaigns of a pair run on identical twins: same library, same instruments, same noise keys. What counts is the hidden
truth (measured stabilities of protein G, Nisthal et al. 2019, through the challenge): how many of the best 5 % of all
variants a campaign measured, and the true residual activity of the variant that it would recommend, its best measured one.

The planner's settings were tuned on other data sets (the development sets of planning/README.md), never on this one.

Run: python -m benchmarks.planner_against_random [SEEDS]
"""

from __future__ import annotations

import logging
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.machine import keep, machine
from digital_twin.biology import load_protein_g_stability, residual_after_challenge
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign

CAMPAIGN = Path(__file__).parent.parent / "campaigns" / "thermostable_protein_g.yaml"
CHECKPOINTS = (24, 48, 72, 96)


@dataclass(frozen=True)
class Score:
    """One campaign: what it had found when it had measured so many."""

    found: dict[int, int]
    best: dict[int, float]
    measured: int


def truth() -> dict[str, float]:
    """True residual activity of every variant after the campaign's challenge."""
    parameters = prepare(CAMPAIGN).parameters
    temperature_c = parameters.challenge_temperature_c[0]
    return {
        name: float(
            residual_after_challenge(
                ddg_kcal_per_mol=ddg, temperature_c=temperature_c, duration_s=parameters.challenge_duration_s
            )
        )
        for name, ddg in load_protein_g_stability().items()
    }


def score(outcome: Outcome, store: Laboratory, true: dict[str, float]) -> Score:
    history = store.store.history(outcome.campaign.id)
    top = set(sorted(true, key=lambda name: -true[name])[: round(0.05 * len(true))])
    results = {e.id: o.value for e, o in history.usable(outcome.campaign.goal.target)}
    found, best = {}, {}
    for n in CHECKPOINTS:
        asked = history.experiments[:n]
        found[n] = len(top & {e.candidate.id for e in asked if e.id in results})
        chosen = max((e for e in asked if e.id in results), key=lambda e: results[e.id], default=None)
        best[n] = 0.0 if chosen is None else true[chosen.candidate.id]
    return Score(found=found, best=best, measured=len(results))


def pair(seed: int) -> tuple[Score, Score]:
    """The planner's campaign and its baseline, of one seed."""
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    true = truth()
    with tempfile.TemporaryDirectory() as folder:
        file = write_campaign(Path(folder), seed=seed)
        with Laboratory.open(Settings(store=str(Path(folder) / "lab.db"))) as laboratory:
            planner, baseline = laboratory.run([prepare(file)])
            assert planner.status is baseline.status is CampaignStatus.FINISHED, (planner, baseline)
            return score(planner, laboratory, true), score(baseline, laboratory, true)


def row(name: str, ours: list[float], theirs: list[float], digits: int) -> str:
    difference = np.subtract(ours, theirs)
    middle = float(difference.mean())
    half = float(stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference))
    return (
        f"{name:34} {np.mean(ours):9.{digits}f} {np.mean(theirs):9.{digits}f}   "
        f"{middle:+8.{digits}f}  ({middle - half:+.{digits}f} to {middle + half:+.{digits}f})"
    )


def main() -> None:
    """Run the pairs, two at a time, and keep the table."""
    seeds = range(1, 1 + (int(sys.argv[1]) if len(sys.argv) > 1 else 20))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        pairs = list(pool.map(pair, seeds))
    true = truth()
    ranked = sorted(true.values(), reverse=True)
    lines = [
        f"Default planner against random, whole campaigns on the twin, {len(pairs)} paired seeds",
        machine(),
        f"{len(true)} variants; best true residual {ranked[0]:.3f}, top 5 % above {ranked[round(0.05 * len(true)) - 1]:.3f}",
        "",
        f"{'':34} {'planner':>9} {'random':>9}   difference (95 % interval)",
    ]
    for n in CHECKPOINTS:
        lines.append(
            row(
                f"top-5 % variants found in {n}",
                [p.found[n] for p, _ in pairs],
                [r.found[n] for _, r in pairs],
                2,
            )
        )
    for n in CHECKPOINTS:
        lines.append(
            row(
                f"true residual of the best, {n}",
                [p.best[n] for p, _ in pairs],
                [r.best[n] for _, r in pairs],
                3,
            )
        )
    lines.append(row("usable results", [p.measured for p, _ in pairs], [r.measured for _, r in pairs], 1))
    keep("planner_against_random", "\n".join(lines))


if __name__ == "__main__":
    main()
