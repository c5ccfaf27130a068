"""How far several objectives came together: the volume that what was measured dominates, experiment by experiment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab.report.values import Curve
from lab.types import Campaign, History

__all__ = ["dominated", "volume_curves"]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one campaign measured.

    Args:
        spent: numbers of experiments that are done.
        numbers: of the n of them that count: every objective is known, every limit kept.
        merits: n x objectives, larger is better.
    """

    planner: str
    spent: tuple[int, ...]
    numbers: tuple[int, ...]
    merits: np.ndarray


def volume_curves(*campaigns: tuple[Campaign, History]) -> tuple[Curve, ...]:
    """For each campaign, the share of the volume dominated so far; empty where there is no volume.

    The volume lies above the worst that was measured of each objective; 1 is what all campaigns dominate together. What
    breaks a limit, or lacks the value of an objective, adds nothing. Measured values, noise included.

    Args:
        campaigns: of one goal, each with its history.
    """
    goal = campaigns[0][0].goal
    if not goal.also:
        return ()
    measured = [_measured(campaign, history) for campaign, history in campaigns]
    every = np.vstack([one.merits for one in measured])
    if not len(every):
        return ()
    floor = every.min(axis=0)
    whole = dominated(every - floor)
    return tuple(_curve(one, floor, whole) for one in measured) if whole > 0.0 else ()


def _measured(campaign: Campaign, history: History) -> _Measured:
    goal = campaign.goal
    values = [{e.id: o.value for e, o in history.usable(objective.target)} for objective in goal.objectives]
    kept = {e.id for e, _ in history.serving(goal)}
    done = {observation.experiment_id for observation in history.observations}
    numbers, merits = [], []
    for number, experiment in enumerate(history.charged, start=1):
        if experiment.id in kept and all(experiment.id in of_target for of_target in values):
            numbers.append(number)
            merits.append([o.merit(v[experiment.id]) for o, v in zip(goal.objectives, values, strict=True)])
    return _Measured(
        planner=campaign.planner.name,
        spent=tuple(n for n, e in enumerate(history.charged, start=1) if e.id in done),
        numbers=tuple(numbers),
        merits=np.array(merits).reshape(len(merits), len(goal.objectives)),
    )


def _curve(one: _Measured, floor: np.ndarray, whole: float) -> Curve:
    row_of = {number: row for row, number in enumerate(one.numbers)}
    front: list[np.ndarray] = []
    best: list[tuple[int, float]] = []
    share = 0.0
    for number in one.spent:
        row = row_of.get(number)
        point = None if row is None else one.merits[row] - floor
        if point is not None and not any((other >= point).all() for other in front):
            front = [other for other in front if not (point >= other).all()] + [point]
            share = dominated(np.array(front)) / whole
        if point is not None or best:
            best.append((number, share))
    return Curve(planner=one.planner, measured=(), best=tuple(best))


def dominated(points: np.ndarray) -> float:
    """Volume between the origin and points: what lies below one of them in everything.

    Cut into slabs along the last axis, each with the volume of one axis less (Zitzler 2001, "Hypervolume
    metric calculation").

    Args:
        points: n x m, none below 0.
    """
    if points.shape[1] == 1:
        return float(points.max(initial=0.0))
    falling = points[np.argsort(-points[:, -1], kind="stable")]
    below = np.append(falling[1:, -1], 0.0)
    heights = falling[:, -1] - below[: len(falling)]
    return float(sum(h * dominated(falling[: i + 1, :-1]) for i, h in enumerate(heights) if h > 0.0))
