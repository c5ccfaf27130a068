"""A small exact Gaussian process for up to a few hundred observations, in numpy and scipy, with analytic gradients.

Rasmussen and Williams, Gaussian Processes for Machine Learning (MIT Press 2006): posterior eq. 2.25 and 2.26, gradient
of the evidence eq. 5.9, leave-one-out predictions eq. 5.10 to 5.12.
"""

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from planners.kernels import Blocks, KernelSpec, Layout, covariance_at, shape_and_slope
from planners.priors import Trend

__all__ = ["FittedGP", "fit"]

_JITTER = 1e-8
"""Added to the diagonal, in units of the outputs' variance: far below any noise, enough for identical rows."""

_CHUNK = 20_000
"""Rows predicted at a time: keeps the distances of a pool of 100,000 candidates out of memory."""


class FittedGP:
    """A Gaussian process with its parameters chosen, conditioned on rows of a pool.

    Attributes:
        loo_log_density: mean over observations of the log density that the others predict for each, on the scale fitted.
        residual_variance: what neither features nor given noise explain, in units of the outputs' variance.
        typical_noise: median of the given noise, in the same units.
        count: observations.
    """

    def __init__(
        self,
        spec: KernelSpec,
        blocks: Blocks,
        rows: np.ndarray,
        outputs: np.ndarray,
        noise: np.ndarray,
        own: bool,
        layout: Layout,
        theta: np.ndarray,
        trend: Trend | None = None,
    ) -> None:
        self.spec, self._blocks, self._rows, self.own, self.trend = spec, blocks, rows, own, trend
        self._layout, self.theta = layout, theta
        self.count = len(rows)
        self.residual_variance = float(np.exp(theta[-1]))
        self.typical_noise = float(np.median(noise))
        covariance = self.prior(rows, rows)
        covariance += self.residual_variance * _shares(rows, own)
        covariance[np.diag_indices(len(rows))] += noise + _JITTER
        self._lower = cholesky(covariance, lower=True)
        expected = trend.mean(rows) if trend else np.zeros(len(rows))
        self._alpha = cho_solve((self._lower, True), outputs - expected)
        inverse_diagonal = np.square(solve_triangular(self._lower, np.eye(len(rows)), lower=True)).sum(axis=0)
        self.loo_mean = outputs - self._alpha / inverse_diagonal
        self.loo_variance = 1.0 / inverse_diagonal
        densities = -0.5 * (
            np.log(2.0 * np.pi * self.loo_variance) + (outputs - self.loo_mean) ** 2 / self.loo_variance
        )
        self.loo_log_density = float(densities.mean())

    def prior(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Prior covariance between rows of the pool: len(left) x len(right); without a trend 1 on the diagonal."""
        covariance = covariance_at(self.spec, self._blocks, self._layout, self.theta, left, right)
        return covariance + self.trend.covariance(left, right) if self.trend else covariance

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Posterior of the output at rows of the pool, free of noise; the residual is part of it where it is the row's own.

        Returns:
            mean (m,), variance (m,), and the whitened cross covariance n x m from which ``prior(a, b) - V_a.T V_b`` is the
            posterior covariance.
        """
        parts = [self._predict(part) for part in np.array_split(rows, max(1, -(-len(rows) // _CHUNK)))]
        mean, variance, whitened = zip(*parts, strict=True)
        return np.concatenate(mean), np.concatenate(variance), np.concatenate(whitened, axis=1)

    def _predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cross = self.prior(self._rows, rows)
        if self.own:
            cross[self._rows[:, None] == rows] += self.residual_variance
        whitened = solve_triangular(self._lower, cross, lower=True)
        before = 1.0 + self.residual_variance * self.own
        mean = cross.T @ self._alpha
        if self.trend:
            mean += self.trend.mean(rows)
            before = before + (self.trend.sd * self.trend.scores[rows]) ** 2
        return mean, np.maximum(before - np.square(whitened).sum(axis=0), 1e-10), whitened


def fit(
    spec: KernelSpec,
    blocks: Blocks,
    rows: np.ndarray,
    outputs: np.ndarray,
    noise: np.ndarray,
    *,
    own: bool,
    trend: Trend | None = None,
    max_iterations: int = 60,
) -> FittedGP:
    """The posterior mode of lengthscales, weights and residual noise, from one start at the priors' modes.

    Args:
        rows: indices into the pool, n of them, repeats allowed.
        outputs: (n,), mean 0 and variance about 1.
        noise: (n,), known variance of each output on that scale.
        own: what the features leave unexplained is a lasting property of each row, which measuring it again would
            find again; otherwise it is taken for noise, as it must be where errors are not known.
        trend: the mean; zero without one.

    Raises:
        ValueError: the kernel has no block that varies over the pool.
    """
    layout = Layout.of(spec, blocks)
    used = sorted({b for term in layout.terms for b in term})
    distances = {b: blocks.squared_distances(blocks.names[b], rows, rows) for b in used}
    known = np.diag(noise + _JITTER)
    expected = np.zeros(len(rows))
    if trend:
        known += trend.covariance(rows, rows)
        expected = trend.mean(rows)
    start = layout.start(spec)
    bounds = [(-4.0, 5.0)] * layout.n_lengthscales + [(-5.0, 5.0)] * layout.n_logits + [(-12.0, 1.0)]
    found = minimize(
        _negative_log_posterior,
        start,
        args=(spec, layout, distances, _shares(rows, own), outputs - expected, known),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": max_iterations, "ftol": 1e-7},
    )
    theta = found.x if np.isfinite(found.fun) else start
    return FittedGP(spec, blocks, rows, outputs, noise, own, layout, theta, trend)


def _shares(rows: np.ndarray, own: bool) -> np.ndarray:
    """Which observations have their residual in common: n x n of zeros and ones."""
    return (rows[:, None] == rows).astype(np.float64) if own else np.eye(len(rows))


def _negative_log_posterior(
    theta: np.ndarray,
    spec: KernelSpec,
    layout: Layout,
    distances: dict[int, np.ndarray],
    shares: np.ndarray,
    outputs: np.ndarray,
    known: np.ndarray,
) -> tuple[float, np.ndarray]:
    """Minus log evidence minus log prior (up to a constant), and its gradient; ``known``: n x n, without parameters."""
    scales, weights, log_noise = layout.split(theta)
    n = len(outputs)
    values: list[np.ndarray] = []
    slopes: list[np.ndarray] = []
    covariance = known.copy()
    for term, term_scales, weight in zip(layout.terms, scales, weights, strict=True):
        squared = np.zeros((n, n))
        for block, scale in zip(term, term_scales, strict=True):
            squared += distances[block] * np.exp(-2.0 * scale)
        value, slope = shape_and_slope(squared, spec.shape)
        values.append(value)
        slopes.append(weight * slope)
        covariance += weight * value
    covariance += np.exp(log_noise) * shares
    lower = cholesky(covariance, lower=True, check_finite=False)
    alpha = cho_solve((lower, True), outputs, check_finite=False)
    inner = cho_solve((lower, True), np.eye(n), check_finite=False) - np.outer(alpha, alpha)
    objective = 0.5 * float(outputs @ alpha) + float(np.log(np.diag(lower)).sum())
    gradient = np.zeros_like(theta)
    at = 0
    for term, term_scales, slope in zip(layout.terms, scales, slopes, strict=True):
        weighted = inner * slope
        for block, scale in zip(term, term_scales, strict=True):
            gradient[at] = 0.5 * float(np.sum(weighted * distances[block])) * np.exp(-2.0 * scale)
            at += 1
    if layout.n_logits:
        by_weight = np.array([0.5 * float(np.sum(inner * value)) for value in values])
        gradient[at : at + len(weights)] = weights * (by_weight - float(weights @ by_weight))
    gradient[-1] = 0.5 * float(np.sum(inner * shares)) * np.exp(log_noise)
    return _with_priors(theta, spec, layout, objective, gradient)


def _with_priors(
    theta: np.ndarray, spec: KernelSpec, layout: Layout, objective: float, gradient: np.ndarray
) -> tuple[float, np.ndarray]:
    at = 0
    for term in layout.terms:
        part = slice(at, at + len(term))
        log_density, slope = spec.lengthscale.log_density(np.exp(theta[part]), len(term))
        objective -= float(np.sum(log_density))
        gradient[part] -= slope
        at += len(term)
    if layout.n_logits:
        # a weak pull of the weights towards each other, so that a term without evidence does not run away
        logits = theta[at : at + layout.n_logits]
        objective += 0.125 * float(logits @ logits)
        gradient[at : at + layout.n_logits] += 0.25 * logits
    log_density, slope = spec.noise.log_density(np.exp(theta[-1:]), 1)
    return objective - float(log_density[0]), gradient - np.concatenate([np.zeros(len(theta) - 1), slope])
