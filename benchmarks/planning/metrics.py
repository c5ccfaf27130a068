"""How well one campaign did; README.md says what each figure means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

__all__ = ["LABELS", "Figures", "Mean", "best_so_far", "figures", "hypervolume", "mean_of"]

REACHED = 0.95
"""Of the way from the pool's worst to its best."""

LABELS = {
    "best": "best, 0 median to 1 maximum",
    "raw": "best, in the set's unit",
    "top1": "top 1 % found",
    "top5": "top 5 % found",
    "to95": "experiments to 95 %",
    "area": "area under best so far",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """One campaign.

    Args:
        best: best found where 0 is the pool's median and 1 its best; of two objectives, share of the pool's hypervolume.
        raw: best found, as a merit; NaN of two objectives.
        top1, top5: share of the pool's best that was measured; of two objectives, both are of the Pareto set.
        to95: experiments until 95 % of the range (or of the hypervolume); budget + 1 where that was not reached.
        area: mean of best, never below 0, over experiments 1 to budget.
    """

    best: float
    raw: float
    top1: float
    top5: float
    to95: float
    area: float


def best_so_far(merits: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """After each experiment, how far the best (or the hypervolume) has come; N x outcomes and n rows -> (n,)."""
    got = merits[list(rows)]
    if merits.shape[1] == 1:
        median, top = float(np.median(merits)), float(merits.max())
        found: np.ndarray = (np.maximum.accumulate(got[:, 0]) - median) / (top - median)
        return found
    floor = merits.min(axis=0)
    whole = hypervolume(merits, floor)
    return np.array([hypervolume(got[: i + 1], floor) / whole for i in range(len(got))])


def hypervolume(points: np.ndarray, floor: np.ndarray) -> float:
    """Area that n x 2 points dominate above the floor, merits."""
    order = points[np.argsort(-points[:, 0], kind="stable")]
    area, reached = 0.0, float(floor[1])
    for x, y in order:
        if y > reached:
            area += (float(x) - float(floor[0])) * (float(y) - reached)
            reached = float(y)
    return area


def pareto(merits: np.ndarray) -> np.ndarray:
    """Which of N x 2 points no other dominates."""
    kept = np.zeros(len(merits), dtype=bool)
    reached = -np.inf
    for i in np.lexsort((-merits[:, 1], -merits[:, 0])):
        if merits[i, 1] > reached:
            kept[i], reached = True, merits[i, 1]
    return kept


def figures(merits: np.ndarray, rows: Sequence[int]) -> Figures:
    """What a campaign that measured these rows, in this order, achieved; merits N x outcomes of the whole pool."""
    course = best_so_far(merits, rows)
    if merits.shape[1] == 1:
        every = merits[:, 0]
        got = every[list(rows)]
        low, high = float(every.min()), float(every.max())
        reached = np.maximum.accumulate(got) >= low + REACHED * (high - low)
        shares = [_share_of_top(every, got, share) for share in (0.01, 0.05)]
        raw = float(got.max())
    else:
        front = pareto(merits)
        share = float(front[list(rows)].sum() / front.sum())
        reached, shares, raw = course >= REACHED, [share, share], float("nan")
    return Figures(
        best=float(course[-1]),
        raw=raw,
        top1=shares[0],
        top5=shares[1],
        to95=float(np.argmax(reached) + 1 if reached.any() else len(rows) + 1),
        area=float(np.maximum(course, 0.0).mean()),
    )


def _share_of_top(every: np.ndarray, got: np.ndarray, share: float) -> float:
    """How much of the pool's best ``share`` is among the measured; candidates as good as the last of it count too."""
    count = max(round(share * len(every)), 1)
    threshold = np.sort(every)[-count]
    return float((got >= threshold).sum() / (every >= threshold).sum())


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds and half the width of its 95 % interval (Student's t); NaN for one seed."""

    middle: float
    half: float
    n: int


def mean_of(values: Sequence[float]) -> Mean:
    """The mean of at least one value."""
    numbers = np.array(values, dtype=np.float64)
    half = float("nan")
    if len(numbers) > 1:
        half = float(stats.t.ppf(0.975, len(numbers) - 1) * numbers.std(ddof=1) / np.sqrt(len(numbers)))
    return Mean(float(numbers.mean()), half, len(numbers))
