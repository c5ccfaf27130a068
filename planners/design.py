"""The first round: candidates that together tell most about the whole pool, before or without measured values."""

import numpy as np

from planners.kernels import Blocks, KernelSpec, prior_covariance

__all__ = ["spread_design"]

_LARGEST = 1500
"""Candidates that a design looks at, and the pool it stands for; larger pools are thinned at random."""

_NOISE = 0.1
"""Variance of one measurement beside a prior variance of 1; only keeps the design from trusting a single reading."""

_APPEAL = 1.5
"""How much a score counts: a standard deviation of it outweighs a gain exp(1.5) times as large."""


def spread_design(
    n: int,
    spec: KernelSpec,
    blocks: Blocks,
    free: np.ndarray,
    taken: np.ndarray,
    pool_size: int,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
    scores: np.ndarray | None = None,
) -> np.ndarray:
    """Greedy choice of the rows whose measurement leaves the least variance over the pool (integrated variance reduction).

    Under a kernel that shares strength along positions and residue kinds, this covers both, and keeps away from what is
    measured or on its way.

    Args:
        n: rows to choose; at least n are free.
        spec: the kernel, taken at the modes of its priors.
        free: rows that may be chosen.
        taken: rows that are measured, or chosen and not measured yet.
        pool_size: rows of the pool.
        strata: pool_size x s kinds (position, class of residue), used evenly: a row waits while another is
            free whose kinds, one stratum after the other, were used less.
        scores: (pool_size,), variance 1; what promises more is preferred among rows that tell about as much.

    Returns:
        rows, in the order chosen.
    """
    keep = max(n, _LARGEST)
    choice = rng.permutation(free)[
        :keep
    ]  # shuffled: equal candidates are told apart by chance, not by their place in the file
    target = rng.choice(pool_size, _LARGEST, replace=False) if pool_size > _LARGEST else np.arange(pool_size)
    columns = np.concatenate([choice, taken]).astype(np.intp)
    rows, place = np.unique(np.concatenate([columns, target]), return_inverse=True)
    prior = prior_covariance(spec, blocks, rows, rows)
    among, of_target = place[: len(columns)], place[len(columns) :]
    pool = _Conditioned(prior[np.ix_(of_target, among)], prior[np.ix_(among, among)])
    for column in range(len(choice), len(columns)):
        pool.measure(column)
    gone = np.zeros(len(columns), dtype=bool)
    gone[len(choice) :] = True
    appeal = np.ones(len(columns)) if scores is None else np.exp(_APPEAL * scores[columns])
    chosen: list[int] = []
    for _ in range(n):
        allowed = ~gone
        if strata is not None:
            used = np.array([*range(len(choice), len(columns)), *chosen], dtype=np.intp)
            allowed = _least_used(strata[columns], gone, used)
        column = int(np.argmax(np.where(allowed, appeal * pool.gain(), -1.0)))
        gone[column] = True
        chosen.append(column)
        pool.measure(column)
    return columns[chosen]


def _least_used(kinds: np.ndarray, gone: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Which columns are not gone and, stratum by stratum, of a kind that was used least among those left: (c,).

    Args:
        kinds: c x s.
        used: columns that are measured or chosen.
    """
    allowed = ~gone
    for stratum in kinds.T:
        counts = np.bincount(stratum[used], minlength=int(stratum.max()) + 1)[stratum]
        allowed &= counts == counts[allowed].min()
    return allowed


class _Conditioned:
    """What measuring each of c columns would still tell about t rows, kept up to date one measurement at a time.

    Args:
        cross: t x c prior covariance.
        among: c x c prior covariance.
    """

    def __init__(self, cross: np.ndarray, among: np.ndarray) -> None:
        self._cross, self._among = cross, among
        self._variance = np.diag(among).copy()
        self._reach = np.square(cross).sum(axis=0)
        self._columns = np.empty((0, len(among)))
        self._rows = np.empty((0, len(cross)))

    def gain(self) -> np.ndarray:
        """Variance that measuring each column would take from the rows together: (c,)."""
        gain: np.ndarray = self._reach / (self._variance + _NOISE)
        return gain

    def measure(self, column: int) -> None:
        """Take one column as measured: a rank-one step, of which only products with vectors are needed."""
        before = self._columns[:, column]
        root = np.sqrt(max(self._variance[column], 0.0) + _NOISE)
        along = (self._among[column] - before @ self._columns) / root
        down = (self._cross[:, column] - before @ self._rows) / root
        met = down @ self._cross - (self._rows @ down) @ self._columns
        self._reach = np.maximum(self._reach - 2.0 * along * met + along**2 * float(down @ down), 0.0)
        self._variance = np.maximum(self._variance - along**2, 0.0)
        self._columns = np.vstack([self._columns, along])
        self._rows = np.vstack([self._rows, down])
