"""What a model expects of the outputs of a pool, and how that changes when some of it is taken as measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lab.goals import Limit, Objective
from planners.acquisition import log_interval

__all__ = ["Believed", "Outlook", "Posterior"]

_LEAST_VARIANCE = 1e-10


class Posterior(Protocol):
    """A fitted model of one target over a pool of N rows, on the scale that it works on."""

    mean: np.ndarray
    variance: np.ndarray
    residual_variance: float
    lasting_variance: float
    typical_noise: float

    def covariance(self, rows: np.ndarray) -> np.ndarray:
        """Posterior covariance of all rows with some: N x len(rows)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """What is believed of one target.

    Args:
        posterior: over the pool.
        outputs: values in the target's unit to the posterior's scale; increasing, or where less is wanted decreasing.
        values: the way back.
        measured: rows with usable results, each as often as it was measured.
        decreasing: larger values have smaller outputs.
    """

    posterior: Posterior
    outputs: Callable[[np.ndarray], np.ndarray]
    values: Callable[[np.ndarray], np.ndarray]
    measured: np.ndarray
    decreasing: bool = False

    def level(self, value: float) -> float:
        """One value on the posterior's scale."""
        return float(self.outputs(np.array([value]))[0])


class Outlook:
    """Beliefs that are updated as if rows had been measured at their predicted values, one after the other.

    That is the kriging believer of Ginsbourger, Le Riche and Carraro (2010): means stay, variances shrink.

    Args:
        believed: of one target.
        targets: rows whose covariance with all others is kept up to date; none for most goals.

    Attributes:
        mean: (N,).
        variance: (N,) of the true output, shrinking.
        noise: variance of one measurement beside the true output.
        cross: N x t covariance with the target rows.
    """

    def __init__(self, believed: Believed, targets: np.ndarray | None = None) -> None:
        posterior = believed.posterior
        self.believed = believed
        self.mean = posterior.mean
        self.variance = np.maximum(posterior.variance, _LEAST_VARIANCE)
        self.noise = posterior.typical_noise + posterior.residual_variance - posterior.lasting_variance
        self.targets = np.empty(0, dtype=np.intp) if targets is None else targets
        self.cross = (
            posterior.covariance(self.targets) if len(self.targets) else np.empty((len(self.mean), 0))
        )
        self._directions: list[np.ndarray] = []

    @property
    def sd(self) -> np.ndarray:
        """(N,), of the true output."""
        root: np.ndarray = np.sqrt(self.variance)
        return root

    def covariance(self, rows: np.ndarray) -> np.ndarray:
        """Of all rows with some, as things are believed now: N x len(rows)."""
        covariance = self.believed.posterior.covariance(rows)
        for direction in self._directions:
            covariance = covariance - np.outer(direction, direction[rows])
        return covariance

    def believe(self, row: int) -> None:
        """Take a row as measured."""
        covariance = self.covariance(np.array([row]))[:, 0]
        direction = covariance / np.sqrt(
            max(covariance[row], _LEAST_VARIANCE) + max(self.noise, _LEAST_VARIANCE)
        )
        self._directions.append(direction)
        self.variance = np.maximum(self.variance - direction**2, _LEAST_VARIANCE)
        if len(self.targets):
            self.cross = self.cross - np.outer(direction, direction[self.targets])

    def log_chance(self, limit: Limit) -> np.ndarray:
        """Log of the probability that each row keeps to a limit: (N,)."""
        at_least = -np.inf if limit.at_least is None else self.believed.level(limit.at_least)
        at_most = np.inf if limit.at_most is None else self.believed.level(limit.at_most)
        open_low, open_high = limit.at_least is None, limit.at_most is None
        if self.believed.decreasing:
            at_least, at_most = (-np.inf if open_high else at_most), (np.inf if open_low else at_least)
        return log_interval(self.mean, self.sd, at_least, at_most)

    def merit(self, outputs: np.ndarray, objective: Objective) -> np.ndarray:
        """How good outputs are, on the posterior's scale; larger is better."""
        if objective.direction == "hit":
            assert objective.level is not None
            return np.asarray(-np.abs(outputs - self.believed.level(objective.level)))
        return outputs if (objective.direction == "minimize") == self.believed.decreasing else -outputs
