"""Several fitted models as one: their mixture, by how well each predicts what was measured.

With a few dozen results the leave-one-out density of one kernel beats another's mostly by luck. Choosing the best one then
costs more than it gains: on single substitutions the even mixture ranks unmeasured candidates better than the kernel with
the best density, and its intervals cover more (docs/decisions/0006). The mixture therefore follows the densities only
where they differ by much.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from scipy.special import softmax

__all__ = ["Ensemble", "Member", "View"]

_TRUST = 0.2
"""Share of the summed log density that counts: 1 is pseudo-Bayesian model averaging, 0 an even mixture."""

_NEGLIGIBLE = 0.01
"""Weight below which a member is left out."""

_PART = 8192
"""Rows of the pool that are looked at at a time."""

_MANY = 50_000
"""Rows from which what each member predicts is kept in single precision."""


class Member(Protocol):
    """A model of the outputs that saw the same results as the others."""

    own: bool
    count: int
    residual_variance: float
    typical_noise: float
    loo_log_density: float
    loo_mean: np.ndarray
    loo_variance: np.ndarray

    @property
    def label(self) -> str:
        """``name@version``, as reasons cite it."""
        ...

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the output at rows of the pool, both (m,), as :meth:`planners.gp.FittedGP.predict`."""
        ...

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Between rows, len(left) x len(right); without what is a row's own."""
        ...

    def view(self, rows: np.ndarray) -> Callable[[int], np.ndarray]:
        """A function from ``i`` to the covariance of m rows with the i-th of them, (m,), without what is a row's own."""
        ...

    def draw(self, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Functions that the results leave possible, at rows: count x m; without what is a row's own."""
        ...


class Ensemble:
    """A mixture of models that saw the same outputs, taken as one process of the mixture's first two moments.

    Args:
        fits: at least one, all over one pool.
        size: rows of the pool.
        trust: share of the summed log density that counts.
        shares: (members,) what each is worth before its density is looked at; even where not given.

    Attributes:
        members: the fits that have a weight, and ``weights`` their shares, which sum to 1.
        mean: (N,) predicted outputs.
        variance: (N,) of the outputs, free of noise; the residual is part of it where it is the row's own.
        residual_variance: weighted mean of the members'.
        lasting_variance: the part of it that ``variance`` holds: all or nothing.
        typical_noise: median of the given noise.
        loo_mean, loo_variance: (n,) what the other results predict of each, noise in it.
    """

    def __init__(
        self,
        fits: Sequence[Member],
        size: int,
        trust: float = _TRUST,
        shares: np.ndarray | None = None,
    ) -> None:
        densities = np.array([gp.loo_log_density * gp.count for gp in fits])
        even = np.zeros(len(fits)) if shares is None else np.log(shares)
        worth = softmax(trust * densities + even)
        kept = np.flatnonzero(worth >= _NEGLIGIBLE)
        self.members = tuple(fits[i] for i in kept.tolist())
        self.weights: np.ndarray = worth[kept] / worth[kept].sum()
        means = np.empty((len(self.members), size), dtype=np.float32 if size > _MANY else np.float64)
        self.variance: np.ndarray = np.zeros(size)
        for start in range(0, size, _PART):
            part = np.arange(start, min(start + _PART, size))
            for i, gp in enumerate(self.members):
                means[i, part], variance = gp.predict(part)
                self.variance[part] += self.weights[i] * variance
        self.mean: np.ndarray = self.weights @ means
        means -= self.mean.astype(means.dtype)
        self._apart = means
        for weight, apart in zip(self.weights, means, strict=True):
            self.variance += weight * np.square(apart)
        self.residual_variance = float(self.weights @ [gp.residual_variance for gp in self.members])
        self.lasting_variance = self.residual_variance if self.members[0].own else 0.0
        self.typical_noise = self.members[0].typical_noise
        loo = np.array([gp.loo_mean for gp in self.members])
        self.loo_mean: np.ndarray = self.weights @ loo
        self.loo_variance: np.ndarray = self.weights @ (
            np.array([gp.loo_variance for gp in self.members]) + (loo - self.loo_mean) ** 2
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """``name@version`` of the members, each once, the weightiest first."""
        order = np.argsort(-self.weights, kind="stable")
        return tuple(dict.fromkeys(self.members[i].label for i in order))

    def view(self, rows: np.ndarray) -> "View":
        """Covariances among some rows, which are asked for one column at a time."""
        return View(self, rows)

    def apart(self, rows: np.ndarray) -> np.ndarray:
        """What each member predicts less what all do: members x len(rows)."""
        found: np.ndarray = self._apart[:, rows]
        return found

    def draw(self, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Functions that the results leave possible, at rows: count x m; of each member as many as its weight says."""
        shares = rng.multinomial(count, self.weights)
        return np.vstack(
            [gp.draw(rows, int(n), rng) for gp, n in zip(self.members, shares, strict=True) if n]
        )

    def covariance(self, rows: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """Posterior covariance of rows of the pool with some: len(of) x len(rows); agrees with ``variance``.

        Args:
            of: every row of the pool where not given.
        """
        of = np.arange(len(self.mean)) if of is None else of
        total = np.zeros((len(of), len(rows)))
        for start in range(0, len(of), _PART):
            part = of[start : start + _PART]
            for weight, gp, apart in zip(self.weights, self.members, self._apart, strict=True):
                own = gp.covariance(part, rows) + np.outer(apart[part], apart[rows].astype(np.float64))
                total[start : start + _PART] += weight * own
        total[of[:, None] == rows] += self.lasting_variance
        return total


class View:
    """Posterior covariances among m rows of the pool."""

    def __init__(self, ensemble: Ensemble, rows: np.ndarray) -> None:
        self._weights, self._apart = ensemble.weights, ensemble.apart(rows)
        self._columns = [gp.view(rows) for gp in ensemble.members]
        self._lasting = ensemble.lasting_variance

    def column(self, at: int) -> np.ndarray:
        """Of all rows with one of them: (m,)."""
        total = np.zeros(self._apart.shape[1])
        for weight, column, apart in zip(self._weights, self._columns, self._apart, strict=True):
            total += weight * (column(at) + apart * apart[at])
        total[at] += self._lasting
        return total
