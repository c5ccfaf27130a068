"""Several settings of a kernel's parameters instead of the likeliest one, as often as results make each likely.

With a few dozen results, lengthscales and the residual are known within a factor of two or three. A fit that takes the
likeliest for the truth is too sure of itself, and follows one belief a whole batch long. Draws come from a multivariate t
around the mode, with the curvature there, and are drawn again by how likely each really is (sampling importance resampling;
Rubin 1988), so that a few stand for many.
"""

import numpy as np
from scipy.optimize import minimize

from planners.gp import FittedGP, Posterior

__all__ = ["likely_fits"]

_DRAWS = 64
_FREEDOM = 6.0
"""Of the t that is drawn from: its tails are wider than the posterior's, as they have to be."""

_STEP = 1e-3
"""Of the differences of gradients that make the curvature, in logarithms of parameters."""

_FLATTEST = 0.3
"""Curvature below which a direction counts as this: results and priors say almost nothing there."""


def likely_fits(posterior: Posterior, count: int, seed: int) -> list[FittedGP]:
    """So many fits, which may be the same ones where results leave little doubt.

    Args:
        seed: of the draws.
    """
    found = minimize(
        posterior.negative_of_logs,
        posterior.layout.start(posterior.spec),
        jac=True,
        method="L-BFGS-B",
        bounds=posterior.bounds,
        options={"maxiter": 60, "ftol": 1e-7},
    )
    drawn, weights = _drawn(posterior, found.x, np.random.default_rng(seed))
    # evenly spaced quantiles of the weights: each draw as often as its weight says, to within one
    at = np.searchsorted(np.cumsum(weights), (np.arange(count) + 0.5) / count)
    return [posterior.fitted(drawn[i]) for i in np.minimum(at, len(drawn) - 1)]


def _drawn(posterior: Posterior, mode: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Parameters, draws x d, and the weight of each, which sum to 1."""
    curvature, axes = np.linalg.eigh(_curvature(posterior, mode))
    reach = 1.0 / np.sqrt(np.maximum(curvature, _FLATTEST))
    size = len(mode)
    normal = rng.standard_normal((_DRAWS, size))
    stretch = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, _DRAWS))[:, None]
    low, high = np.array(posterior.bounds).T
    drawn = np.clip(mode + (normal * stretch * reach) @ axes.T, low, high)
    away = (drawn - mode) @ axes / reach
    log_proposal = -0.5 * (_FREEDOM + size) * np.log1p(np.square(away).sum(axis=1) / _FREEDOM)
    log_weights = np.array([-posterior.negative_of_logs(theta)[0] for theta in drawn]) - log_proposal
    weights = np.exp(log_weights - log_weights.max())
    return drawn, weights / weights.sum()


def _curvature(posterior: Posterior, mode: np.ndarray) -> np.ndarray:
    steps = _STEP * np.eye(len(mode))
    slopes = [
        (posterior.negative_of_logs(mode + step)[1] - posterior.negative_of_logs(mode - step)[1])
        / (2.0 * _STEP)
        for step in steps
    ]
    curvature = np.array(slopes)
    symmetric: np.ndarray = 0.5 * (curvature + curvature.T)
    return symmetric
