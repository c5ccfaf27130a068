"""Choosing for every goal: what a batch is worth when something else than the most of one target is wanted.

One row after the other, each taken as measured at its predicted value before the next is chosen. Every objective and every
limit has a model of its own; where nothing is believed to keep to all limits yet, that is looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm, qmc

from lab.goals import Goal, Objective
from planners.acquisition import (
    expected_hypervolume_gain,
    log_expected_closeness,
    log_expected_improvement,
)
from planners.believing import Believed, Outlook
from planners.pareto import hypervolume, pareto, reference_point

__all__ = ["Believed", "Picked", "Task", "choose", "hypervolume", "is_plain", "pareto"]

_MAPPED = 400
"""Rows, drawn at random, that stand for the whole pool when a region is mapped."""

_PROMISING = 128
"""Likeliest rows among which finds are counted ahead."""

_SCREENED = 2048
"""Rows left by a cheap look at several objectives before the costly one."""

_DRAWS = 32
_DIRECTIONS = 64
"""Outcomes of a row, and directions in the space of objectives, over which gains of three or more are averaged."""

_OPTIMISM = 2.0
"""Standard deviations above the mean at which rows are screened, and compared where a level is out of reach."""

_HOPELESS = 1e-9
"""Chance of the likeliest row to exceed a level below which the search climbs instead of counting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be chosen from, and what is believed.

    Args:
        goal: with a belief about each of its targets.
        targets: target -> belief, all over one pool of N rows.
        free: rows that may be chosen.
        pending: rows chosen and not measured yet.
        left: experiments of the budget that are left after this batch.
        log_feasible: (N,), log of the probability that a row can be had at all; None where nothing is known of that.
    """

    goal: Goal
    targets: Mapping[str, Believed]
    free: np.ndarray
    pending: np.ndarray
    left: int = 0
    log_feasible: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picked:
    """Rows in the order chosen.

    Args:
        rows: (k,).
        acquisitions: k names, of what each was chosen by.
        values: (k,), of the acquisition as each was chosen.
        outlooks: target -> what was believed before the batch.
        log_kept: (N,), log of the probability to keep to all limits.
    """

    rows: np.ndarray
    acquisitions: tuple[str, ...]
    values: np.ndarray
    outlooks: Mapping[str, Outlook]
    log_kept: np.ndarray


def is_plain(goal: Goal) -> bool:
    """Whether the goal is the most or the least of one target and nothing else."""
    return goal.direction in ("maximize", "minimize") and not goal.also and not goal.limits


def choose(n: int, task: Task, rng: np.random.Generator) -> Picked:
    """Up to n rows; fewer where fewer are free."""
    search = _Search(task, rng)
    rows: list[int] = []
    names: list[str] = []
    values: list[float] = []
    free = task.free
    for position in range(min(n, len(free))):
        name, worth = search.worth(free, min(n, len(free)) - position - 1)
        best = np.flatnonzero(worth >= worth.max() - 1e-9)
        at = int(best[0] if len(best) == 1 else rng.choice(best))
        rows.append(int(free[at]))
        names.append(name)
        values.append(float(worth[at]))
        search.believe(int(free[at]))
        free = np.delete(free, at)
    return Picked(
        rows=np.array(rows, dtype=np.intp),
        acquisitions=tuple(names),
        values=np.array(values),
        outlooks={target: Outlook(believed) for target, believed in task.targets.items()},
        log_kept=_log_kept(task, {t: Outlook(b) for t, b in task.targets.items()}),
    )


def _log_kept(task: Task, outlooks: Mapping[str, Outlook]) -> np.ndarray:
    """Log of the probability that each row can be had and keeps to all limits: (N,)."""
    size = len(next(iter(outlooks.values())).mean)
    total = np.zeros(size) if task.log_feasible is None else task.log_feasible.copy()
    for limit in task.goal.limits:
        total += outlooks[limit.target].log_chance(limit)
    return total


class _Search:
    """Beliefs as they change over a batch, and what rows are worth under them."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._task, self._rng = task, rng
        size = len(next(iter(task.targets.values())).posterior.mean)
        mapped = np.sort(rng.permutation(size)[:_MAPPED]) if task.goal.direction == "map" else None
        self._outlooks = {
            target: Outlook(believed, mapped if target == task.goal.target else None)
            for target, believed in task.targets.items()
        }
        self._done = [int(row) for row in task.pending]
        for row in task.pending:
            for outlook in self._outlooks.values():
                outlook.believe(int(row))
        self._normal = norm.ppf(
            qmc.Sobol(len(task.goal.objectives), rng=rng).random(_DRAWS).clip(1e-6, 1 - 1e-6)
        )
        self._directions = _directions(len(task.goal.objectives), rng)

    def believe(self, row: int) -> None:
        self._done.append(row)
        for outlook in self._outlooks.values():
            outlook.believe(row)

    def worth(self, free: np.ndarray, after: int) -> tuple[str, np.ndarray]:
        """What measuring each free row is worth now, (f,), and the name of what says so.

        Args:
            after: rows that this batch still takes after this one.
        """
        goal = self._task.goal
        kept = _log_kept(self._task, self._outlooks)
        seen = self._seen()
        inside = seen[kept[seen] >= np.log(0.5)] if goal.limits else seen
        if goal.limits and not len(inside):
            return "log_chance_of_limits", kept[free]
        if goal.also:
            name, gain = self._hypervolume(free, inside)
            return name, gain + kept[free]
        outlook = self._outlooks[goal.target]
        if goal.direction == "map":
            return "log_variance_reduction", _reduction(outlook, free) + kept[free]
        if goal.direction == "exceed":
            return self._finds(outlook, free, kept, after)
        if goal.direction == "hit":
            return "log_expected_closeness", self._closeness(outlook, free, inside) + kept[free]
        merit = outlook.merit(outlook.mean, goal)
        best = float(merit[inside].max()) if len(inside) else float(np.median(merit))
        gain = log_expected_improvement(merit[free], outlook.sd[free], best)
        return "log_expected_improvement", gain + kept[free]

    def _seen(self) -> np.ndarray:
        """Rows measured for every target, pending or chosen."""
        measured = [set(b.measured.tolist()) for b in self._task.targets.values()]
        everywhere = set.intersection(*measured) | set(self._done)
        return np.array(sorted(everywhere), dtype=np.intp)

    def _closeness(self, outlook: Outlook, free: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Log of the expected gain in distance to the level, less where what is pending or chosen will tell as much: (f,).

        A row taken as measured on the level would leave nothing to gain, so the gain is that before the batch, and counts by
        the share of the row's variance that the batch so far leaves.
        """
        goal = self._task.goal
        assert goal.level is not None
        level = outlook.believed.level(goal.level)
        before = np.sqrt(np.maximum(outlook.believed.posterior.variance, 1e-10))
        measured = np.setdiff1d(inside, self._done)
        rows = measured if len(measured) else free
        nearest = float(np.abs(outlook.mean[rows] - level).min())
        nearest = max(nearest, 0.25 * float(before[rows].min()), 1e-6)
        gain = log_expected_closeness(outlook.mean[free], before[free], level, nearest)
        return gain + 2.0 * np.log(outlook.sd[free] / before[free])

    def _finds(
        self, outlook: Outlook, free: np.ndarray, kept: np.ndarray, after: int
    ) -> tuple[str, np.ndarray]:
        """Expected number of rows found beyond the level, with this one, until the budget is spent; an upper confidence
        bound where the level is out of reach.

        Chances after a row is measured are those after it was found, or not, at the value expected then; what is left of
        the budget goes to the likeliest (Jiang et al., ICML 2017, "Efficient nonmyopic active search").
        """
        goal = self._task.goal
        assert goal.level is not None
        level, ahead = outlook.believed.level(goal.level), self._task.left + after
        z = (outlook.mean - level) / outlook.sd
        chance = ndtr(z) * np.exp(kept)
        here = chance[free]
        if here.max() < _HOPELESS:
            return "ucb", (outlook.mean + _OPTIMISM * outlook.sd)[free] + kept[free]
        top = np.argsort(-here, kind="stable")[:_PROMISING]
        rows = free[top]
        horizon = min(ahead, len(rows) - 1)
        worth = here - 1.0  # those past the likeliest stand behind all of them
        worth[top] = here[top] + self._later(outlook, rows, level, kept[rows], horizon)
        return "expected_finds", worth

    def _later(
        self, outlook: Outlook, rows: np.ndarray, level: float, kept: np.ndarray, horizon: int
    ) -> np.ndarray:
        """Expected finds among other rows after each is measured: (r,)."""
        if horizon < 1:
            return np.zeros(len(rows))
        covariance = outlook.covariance(rows)[rows]
        mean, variance = outlook.mean[rows], outlook.variance[rows]
        z = (mean - level) / np.sqrt(variance)
        density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        moves = (density / np.maximum(ndtr(z), 1e-12), -density / np.maximum(ndtr(-z), 1e-12))
        gain = covariance / (variance + max(outlook.noise, 0.0))[:, None]
        left = np.sqrt(np.maximum(variance - gain * covariance, 1e-10))
        later = np.zeros(len(rows))
        for found, move in zip((ndtr(z), ndtr(-z)), moves, strict=True):
            shifted = mean + gain * (move * np.sqrt(variance))[:, None]
            chances = ndtr((shifted - level) / left) * np.exp(kept)
            np.fill_diagonal(chances, 0.0)
            best = np.partition(chances, -horizon, axis=1)[:, -horizon:]
            later += found * best.sum(axis=1)
        return later

    def _hypervolume(self, free: np.ndarray, inside: np.ndarray) -> tuple[str, np.ndarray]:
        """Log of the expected gain in what the best points dominate, on the models' scales: (f,)."""
        objectives = self._task.goal.objectives
        outlooks = [self._outlooks[o.target] for o in objectives]
        merits = np.array([k.merit(k.mean, o) for k, o in zip(outlooks, objectives, strict=True)]).T
        sds = np.array([outlook.sd for outlook in outlooks]).T
        seen = merits[inside] if len(inside) else merits
        reference = reference_point(seen)
        front = seen[pareto(seen)] if len(inside) else np.empty((0, len(objectives)))
        kept = _screen(merits[free], sds[free], reference, self._directions)
        rows = free[kept]
        if len(objectives) == 2 and all(o.direction != "hit" for o in objectives):
            name = "log_expected_hypervolume_gain"
            gain = expected_hypervolume_gain(merits[rows], sds[rows], front, reference)
        else:
            name = "log_mean_hypervolume_gain"
            gain = self._mean_gain(outlooks, objectives, rows, front, reference)
        worth = np.full(len(free), -1e6)
        worth[kept] = np.log(np.maximum(gain, 1e-300))
        return name, worth

    def _mean_gain(
        self,
        outlooks: Sequence[Outlook],
        objectives: Sequence[Objective],
        rows: np.ndarray,
        front: np.ndarray,
        reference: np.ndarray,
    ) -> np.ndarray:
        """Mean gain in dominated volume over outcomes drawn for each row, up to a factor: (r,).

        The volume is an average over directions of the distance to which points reach along them (Zhang and Golovin, ICML
        2020, "Random hypervolume scalarizations").
        """
        m = len(objectives)
        reached = _reach(front - reference, self._directions).max(axis=0, initial=0.0) ** m
        gain = np.zeros(len(rows))
        for draw in self._normal:
            outcomes = np.array(
                [
                    k.merit(k.mean[rows] + k.sd[rows] * z, o)
                    for k, o, z in zip(outlooks, objectives, draw, strict=True)
                ]
            ).T
            reach = _reach(outcomes - reference, self._directions) ** m
            gain += np.maximum(reach - reached, 0.0).mean(axis=1)
        return gain / len(self._normal)


def _reduction(outlook: Outlook, free: np.ndarray) -> np.ndarray:
    """Log of the variance that measuring each row takes from the rows that stand for the pool: (f,).

    Their mean (active learning by integrated variance; Cohn, Ghahramani and Jordan, JAIR 4 (1996)). Information about them
    instead (EPIG) was tried: with little noise it goes to rows beside those that stand for the pool, and leaves gaps.
    """
    noise = max(outlook.noise, 1e-9)
    taken = np.square(outlook.cross[free]).mean(axis=1) / (outlook.variance[free] + noise)
    result: np.ndarray = np.log(np.maximum(taken, 1e-300))
    return result


def _directions(m: int, rng: np.random.Generator) -> np.ndarray:
    """Directions into the positive orthant, even over its sphere: L x m."""
    points = np.abs(norm.ppf(qmc.Sobol(m, rng=rng).random(_DIRECTIONS).clip(1e-6, 1.0 - 1e-6)))
    points = np.maximum(points, 1e-3)
    directions: np.ndarray = points / np.linalg.norm(points, axis=1, keepdims=True)
    return directions


def _reach(points: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """How far along each direction each point dominates: n x L, 0 for points that are not above the origin."""
    reach: np.ndarray = np.min(points[:, None, :] / directions, axis=2)
    return np.maximum(reach, 0.0)


def _screen(merits: np.ndarray, sds: np.ndarray, reference: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Which rows, at an optimistic value, reach farthest along some direction; all where they are few."""
    if len(merits) <= _SCREENED:
        return np.arange(len(merits))
    hoped = merits + _OPTIMISM * sds - reference
    few = directions[:16]
    share = _SCREENED // len(few)
    kept = [np.argpartition(-np.min(hoped / direction, axis=1), share)[:share] for direction in few]
    return np.unique(np.concatenate(kept))
