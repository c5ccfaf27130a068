"""What general knowledge of substitutions is worth to the planner, and the planner beside random choice.

Three ways of choosing, on the single-substitution sets of ``development_sets.py``: the planner as shipped, with
``general_knowledge: false``, and random. Campaigns of one set and seed are paired: the same errors of reading, the same
generators. A protein that the score was fitted to is scored by one fitted without it and its homologues.

The settings were chosen on these sets, so what is gained here is optimistic. Intervals take a set as one observation, its
seeds averaged, since seeds of one set are alike; a window of TEM-1 and the same squashed are not independent either.

Run: python -m benchmarks.planner_single_substitutions [SEEDS]
"""

from __future__ import annotations

import sys
import time
from unittest.mock import patch

import numpy as np
from scipy import stats

import models
import planners
from benchmarks.development_sets import Pool, single_substitution_sets
from benchmarks.fit_substitution_effects import scorer_without
from benchmarks.machine import keep, machine
from benchmarks.replay import campaign_of, measure, reader
from benchmarks.stabilities import substitutions
from lab.errors import MissingData
from lab.interfaces import Planner
from lab.types import History, JsonValue
from models.substitution_effects import SubstitutionEffects

ARMS: dict[str, tuple[str, dict[str, JsonValue]]] = {
    "shipped": ("adaptive", {}),
    "without": ("adaptive", {"general_knowledge": False}),
    "random": ("random", {}),
}
METRICS = (
    "top 5 % found at half the budget",
    "top 5 % found at the end",
    "best at half the budget, of maximum",
    "best at the end, of maximum",
    "rank correlation of predictions",
    "within two standard deviations",
)
FOUND_AT_THE_END = 1
LARGE, BUDGET, BATCH = 290, 96, 12
SHARE, SMALL_BATCH = 0.36, 6
LEAST_TOP = 8


def sizes(pool: Pool) -> tuple[int, int]:
    """Budget and batch: 96 by 12, or of a small pool 36 % by 6."""
    if len(pool.candidates) > LARGE:
        return BUDGET, BATCH
    return int(SHARE * len(pool.candidates)) // SMALL_BATCH * SMALL_BATCH, SMALL_BATCH


def campaign(pool: Pool, planner: Planner, seed: int) -> np.ndarray:
    """One campaign's :data:`METRICS`; not a number where a planner predicts nothing."""
    budget, batch = sizes(pool)
    made, read = campaign_of(pool, pool.candidates), reader(pool, seed)
    value_of = dict(zip((c.id for c in pool.candidates), pool.values, strict=True))
    history = History()
    predicted: list[tuple[float, float, float]] = []
    while len(history.experiments) < budget:
        rng = np.random.default_rng([seed, len(history.experiments)])
        asked = planner.ask(batch, made, history, (), rng).experiments
        history = measure(history, asked, read, pool.error)
        predicted += [
            (e.reason.predicted_mean, e.reason.predicted_sd, read(e.candidate.id))
            for e in asked
            if e.reason.predicted_mean is not None and e.reason.predicted_sd is not None
        ]
    got = np.array([value_of[e.candidate.id] for e in history.experiments])
    top = np.sort(pool.values)[-max(round(0.05 * len(pool.values)), LEAST_TOP) :]
    half, best = budget // 2, pool.values.max()
    correlation = inside = np.nan
    if predicted:
        mean, sd, seen = np.array(predicted).T
        correlation = float(stats.spearmanr(mean, seen).statistic)
        inside = float(np.mean(np.abs(mean - seen) < 2.0 * np.hypot(sd, pool.error)))
    found = [float((got[:n] >= top[0]).sum() / len(top)) for n in (half, budget)]
    return np.array([*found, got[:half].max() / best, got.max() / best, correlation, inside])


def results(pool: Pool, scorer: SubstitutionEffects, seeds: int) -> np.ndarray:
    """Arms x metrics of one set, means over seeds."""
    made = [planners.planner(name, settings) for name, settings in ARMS.values()]
    # the planner asks for its scorer by name; here that name must lead to one that never saw the protein
    with patch.object(models, "scorer", lambda name, *, parent, pool: scorer):
        every = [[campaign(pool, planner, seed) for seed in range(seeds)] for planner in made]
    means: np.ndarray = np.mean(every, axis=1)
    return means


def interval(differences: np.ndarray) -> str:
    """Mean of what each set says, and its 95 % interval."""
    middle = float(differences.mean())
    half = float(stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences))
    return f"{middle:+.3f} ({middle - half:+.3f} to {middle + half:+.3f})"


def family(pool: Pool) -> str:
    """Which kind of set it is."""
    if pool.accession:
        return "FireProtDB"
    return "TEM-1 squashed" if pool.name.endswith("squashed") else "TEM-1"


def table(pools: list[Pool], found: np.ndarray, seeds: int, seconds: float) -> str:
    """What is printed and kept; ``found``: sets x arms x metrics."""
    shipped, without, random = np.moveaxis(found, 1, 0)
    lines = [
        "Planner on single substitutions, on the sets that its settings were chosen on",
        f"{machine()}, {seconds:.0f} s in one process",
        f"{len(pools)} sets, {seeds} paired seeds each; means and 95 % intervals over sets",
        "",
        f"{'':37}{'shipped':>8}{'without':>9}{'random':>8}   {'shipped - without':28}{'shipped - random'}",
    ]
    for i, metric in enumerate(METRICS):
        numbers = f"{metric:37}{shipped[:, i].mean():8.3f}{without[:, i].mean():9.3f}"
        gain = interval(shipped[:, i] - without[:, i])
        if np.isfinite(random[:, i]).all():
            beside = interval(shipped[:, i] - random[:, i])
            lines.append(f"{numbers}{random[:, i].mean():8.3f}   {gain:28}{beside}")
        else:
            lines.append(f"{numbers}{'-':>8}   {gain}")
    lines += [
        "",
        "Without: general_knowledge: false. Top 5 %: at least 8. Best: true value of the best measured.",
        "",
        METRICS[FOUND_AT_THE_END],
        f"{'':24}{'pool':>6}{'budget':>8}{'shipped':>9}{'without':>9}{'random':>9}",
    ]
    for pool, arms in zip(pools, found[:, :, FOUND_AT_THE_END], strict=True):
        cells = "".join(f"{value:9.3f}" for value in arms)
        lines.append(f"{pool.name:24}{len(pool.candidates):6}{sizes(pool)[0]:8}{cells}")
    for kind in dict.fromkeys(map(family, pools)):
        own = np.array([family(pool) == kind for pool in pools])
        arms = found[own][:, :, FOUND_AT_THE_END]
        cells = "".join(f"{value:9.3f}" for value in arms.mean(axis=0))
        lines.append(f"{'mean ' + kind:38}{cells}   shipped - without {interval(arms[:, 0] - arms[:, 1])}")
    return "\n".join(lines)


def main() -> None:
    """Every set in turn, then the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    try:
        pools, data = single_substitution_sets(), substitutions()
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)
    begun = time.perf_counter()
    found = []
    for pool in pools:
        found.append(results(pool, scorer_without(data, pool.accession, pool.parent), seeds))
        print(f"{pool.name} done, {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    text = table(pools, np.array(found), seeds, time.perf_counter() - begun)
    keep("planner_single_substitutions", text)


if __name__ == "__main__":
    main()
