"""One candidate after the other, each taken as measured at its predicted value before the next is chosen.

This is the kriging believer (Ginsbourger, Le Riche, Carraro 2010). A large pool is screened first: only the few thousand
rows that promise most on their own are looked at together.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.types import AMINO_ACIDS
from planners.ensemble import Ensemble
from planners.seen import Seen
from planners.space import Space

__all__ = ["Choice", "choose"]

_SHORTLIST = 2000
"""Rows that are looked at together."""

Acquire = Callable[[np.ndarray, np.ndarray, float, np.ndarray, int], np.ndarray]
"""Mean, standard deviation, incumbent, rows, how many of the batch are chosen -> what measuring each row is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen, in order.

    Args:
        rows: k of them.
        acquisition: (k,) values.
        incumbent: output of the best measured so far, as the model believes it.
    """

    rows: np.ndarray
    acquisition: np.ndarray
    incumbent: float


def choose(
    n: int,
    gp: Ensemble,
    space: Space,
    seen: Seen,
    acquire: Acquire,
    same_residue: int,
    rng: np.random.Generator,
) -> Choice:
    """Up to n free rows.

    Args:
        same_residue: how many single substitutions to one residue may be on their way at a time, while others are free.
    """
    mean = gp.mean
    best_measured = float(mean[seen.rows].max())
    if n < 1:
        none = np.empty(0)
        return Choice(rows=none.astype(np.intp), acquisition=none, incumbent=best_measured)
    incumbent = float(mean[np.concatenate([seen.rows, seen.pending])].max())
    free = _shortlist(n, gp, seen.free, incumbent, acquire)
    together = np.concatenate([free, seen.pending]).astype(np.intp)
    belief = _Belief(gp, together)
    for at in range(len(free), len(together)):
        belief.take(at)
    open_ = np.ones(len(free), dtype=bool)
    rows: list[int] = []
    acquisition: list[float] = []
    for _ in range(n):
        value = acquire(mean[free], belief.sd[: len(free)], incumbent, free, len(rows))
        allowed = open_ & _varied(space, free, open_, np.concatenate([seen.pending, rows]), same_residue)
        value = np.where(allowed, value, -np.inf)
        at = _one_of_the_best(value, rng)
        row = int(free[at])
        rows.append(row)
        acquisition.append(float(value[at]))
        open_[at] = False
        incumbent = max(incumbent, float(mean[row]))
        belief.take(at)
    return Choice(
        rows=np.array(rows, dtype=np.intp), acquisition=np.array(acquisition), incumbent=best_measured
    )


def _shortlist(n: int, gp: Ensemble, free: np.ndarray, incumbent: float, acquire: Acquire) -> np.ndarray:
    """The free rows that are worth most on their own, in the order of the pool."""
    most = max(_SHORTLIST, 4 * n)
    if len(free) <= most:
        return free
    value = acquire(gp.mean[free], np.sqrt(gp.variance[free]), incumbent, free, 0)
    kept: np.ndarray = np.sort(np.argpartition(-value, most)[:most])
    return free[kept]


class _Belief:
    """Standard deviations of some rows, as more and more of them are taken as measured.

    Args:
        rows: of the pool, m of them.

    Attributes:
        sd: (m,) of outputs.
    """

    def __init__(self, gp: Ensemble, rows: np.ndarray) -> None:
        self._gp, self._rows = gp, rows
        self._noise = gp.typical_noise + gp.residual_variance - gp.lasting_variance
        self._view = gp.view(rows)
        self._variance = gp.variance[rows].copy()
        self._taken: list[np.ndarray] = []
        self.sd = np.sqrt(self._variance)

    def take(self, at: int) -> None:
        """Take a row as measured; ``at`` counts within the rows."""
        covariance = self._view.column(at)
        for direction in self._taken:
            covariance -= direction * direction[at]
        direction = covariance / np.sqrt(max(float(covariance[at]), 0.0) + self._noise)
        self._taken.append(direction)
        self._variance = np.maximum(self._variance - direction**2, 1e-10)
        self.sd = np.sqrt(self._variance)


def _varied(
    space: Space, free: np.ndarray, still: np.ndarray, chosen: np.ndarray, same_residue: int
) -> np.ndarray:
    """Which free rows bring a residue that not too many of those chosen bring; all, where no such row is left."""
    every = np.ones(len(free), dtype=bool)
    if space.new_residues is None:
        return every
    counts = np.bincount(space.new_residues[chosen.astype(np.intp)], minlength=len(AMINO_ACIDS) + 1)
    allowed: np.ndarray = counts[space.new_residues[free]] < same_residue
    return allowed if (allowed & still).any() else every


def _one_of_the_best(value: np.ndarray, rng: np.random.Generator) -> int:
    """Index of the largest value; by chance among those that rounding alone tells apart, not by their place in the file."""
    ties = np.flatnonzero(value >= value.max() - 1e-9)
    return int(ties[0] if len(ties) == 1 else rng.choice(ties))
