"""Several fitted Gaussian processes as one: their mixture, by how well each predicts what was measured.

With a few dozen results the leave-one-out density of one kernel beats another's mostly by luck. Choosing the best one then
costs more than it gains: on the development sets the even mixture ranks unmeasured candidates better than the kernel with
the best density, and its intervals cover more (docs/decisions/0006). The mixture therefore follows the densities only
where they differ by much.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from planners.gp import FittedGP

__all__ = ["Ensemble"]

_TRUST = 0.2
"""Share of the summed log density that counts: 1 is pseudo-Bayesian model averaging, 0 an even mixture."""

_NEGLIGIBLE = 0.01
"""Weight below which a process is left out."""


class Ensemble:
    """A mixture of Gaussian processes that saw the same outputs, taken as one process of the mixture's first two moments.

    Args:
        fits: at least one, all over one pool.
        size: rows of the pool.

    Attributes:
        members: the fits that have a weight, and ``weights`` their shares, which sum to 1.
        mean: (N,) predicted outputs.
        variance: (N,) of the outputs, free of noise; the residual is part of it where it is the row's own.
        residual_variance: weighted mean of the members'.
        lasting_variance: the part of it that ``variance`` holds: all or nothing.
        typical_noise: median of the given noise.
    """

    def __init__(self, fits: Sequence[FittedGP], size: int) -> None:
        densities = np.array([gp.loo_log_density * gp.count for gp in fits])
        shares = softmax(_TRUST * densities)
        kept = np.flatnonzero(shares >= _NEGLIGIBLE)
        self.members = tuple(fits[i] for i in kept.tolist())
        self.weights: np.ndarray = shares[kept] / shares[kept].sum()
        self._rows = np.arange(size)
        predicted = [gp.predict(self._rows) for gp in self.members]
        means = np.array([mean for mean, _, _ in predicted])
        self._whitened = [whitened for _, _, whitened in predicted]
        self.mean: np.ndarray = self.weights @ means
        self._apart = means - self.mean
        self.variance: np.ndarray = self.weights @ (
            np.array([variance for _, variance, _ in predicted]) + self._apart**2
        )
        self.residual_variance = float(self.weights @ [gp.residual_variance for gp in self.members])
        self.lasting_variance = self.residual_variance if self.members[0].own else 0.0
        self.typical_noise = self.members[0].typical_noise

    @property
    def labels(self) -> tuple[str, ...]:
        """``name@version`` of the members' kernels, each once, the weightiest first."""
        order = np.argsort(-self.weights, kind="stable")
        return tuple(dict.fromkeys(self.members[i].spec.label for i in order))

    def covariance(self, rows: np.ndarray) -> np.ndarray:
        """Posterior covariance of every row of the pool with some: N x len(rows); agrees with ``variance``."""
        total = np.zeros((len(self._rows), len(rows)))
        for weight, gp, whitened, apart in zip(
            self.weights, self.members, self._whitened, self._apart, strict=True
        ):
            own = gp.prior(self._rows, rows) - whitened.T @ whitened[:, rows] + np.outer(apart, apart[rows])
            total += weight * own
        total[rows, np.arange(len(rows))] += self.lasting_variance
        return total
