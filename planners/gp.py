"""A small exact Gaussian process for up to a few hundred observations, in numpy and scipy, with analytic gradients.

Rasmussen and Williams, Gaussian Processes for Machine Learning (MIT Press 2006): posterior eq. 2.25 and 2.26, gradient
of the evidence eq. 5.9, leave-one-out predictions eq. 5.10 to 5.12.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from planners.kernels import Blocks, KernelSpec, Layout, covariance_at, shape_and_slope
from planners.priors import Trend

__all__ = ["FittedGP", "Posterior", "fit"]

_JITTER = 1e-8
"""Added to the diagonal, in units of the outputs' variance: far below any noise, enough for identical rows."""

_CHUNK = 8192
"""Rows predicted at a time: keeps the distances of a pool of 100,000 candidates out of memory."""

_NOWHERE = 1e25
"""Objective where rounding has made a covariance indefinite: the optimiser turns back from there."""


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
        lower = _root(covariance)
        self._whitener = solve_triangular(lower, np.eye(len(rows)), lower=True)
        expected = trend.mean(rows) if trend else np.zeros(len(rows))
        self._alpha = cho_solve((lower, True), outputs - expected)
        inverse_diagonal = np.square(self._whitener).sum(axis=0)
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

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior of the output at rows of the pool, free of noise; the residual is part of it where it is the row's own.

        A part of a large pool at a time, so that no more than some megabytes are in use.

        Returns:
            mean (m,), variance (m,).
        """
        mean, variance = np.empty(len(rows)), np.empty(len(rows))
        size = _CHUNK if len(rows) > _CHUNK else max(len(rows), 1)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            mean[part], variance[part] = self._predict(rows[part])
        return mean, variance

    def _predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cross = self._cross(rows)
        mean: np.ndarray = cross.T @ self._alpha.astype(cross.dtype)
        explained = np.square(self._whitener.astype(cross.dtype) @ cross).sum(axis=0)
        before = 1.0 + self.residual_variance * self.own
        if self.trend:
            mean = mean + self.trend.mean(rows)
            before = before + (self.trend.sd * self.trend.scores[rows]) ** 2
        return mean, np.maximum(before - explained, 1e-10)

    def _cross(self, rows: np.ndarray) -> np.ndarray:
        """Prior covariance of the measured rows with some, n x m; the residual is part of it where it is the row's own."""
        cross = self.prior(self._rows, rows)
        if self.own:
            cross[self._rows[:, None] == rows] += self.residual_variance
        return cross

    def whitened(self, rows: np.ndarray) -> np.ndarray:
        """The cross covariance over the measured rows' root, n x m; ``prior(a, b) - w(a).T @ w(b)`` is the posterior's."""
        found: np.ndarray = self._whitener @ self._cross(rows)
        return found

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Posterior covariance between rows, len(left) x len(right); without the residual of a row's own."""
        return self.prior(left, right) - self.whitened(left).T @ self.whitened(right)

    def view(self, rows: np.ndarray) -> Callable[[int], np.ndarray]:
        """A function from ``i`` to the covariance of m rows with the i-th of them: (m,)."""
        whitened = self.whitened(rows)

        def column(at: int) -> np.ndarray:
            found: np.ndarray = self.prior(rows, rows[[at]])[:, 0] - whitened.T @ whitened[:, at]
            return found

        return column

    def draw(self, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Functions that the results leave possible, at rows: count x m; without the residual."""
        cross = self.prior(self._rows, rows)
        whitened = self._whitener @ cross
        mean = cross.T @ self._alpha
        if self.trend:
            mean = mean + self.trend.mean(rows)
        covariance = self.prior(rows, rows) - whitened.T @ whitened
        covariance[np.diag_indices(len(rows))] += 1e-8
        drawn: np.ndarray = mean + rng.standard_normal((count, len(rows))) @ _root(covariance).T
        return drawn

    @property
    def label(self) -> str:
        """``name@version`` of the kernel."""
        return self.spec.label


class Posterior:
    """What results say of a kernel's parameters: the evidence times the priors.

    Attributes:
        bounds: of each parameter.
    """

    def __init__(
        self,
        spec: KernelSpec,
        blocks: Blocks,
        rows: np.ndarray,
        outputs: np.ndarray,
        noise: np.ndarray,
        own: bool,
        trend: Trend | None = None,
    ) -> None:
        self.spec, self._blocks, self._rows, self._own, self._trend = spec, blocks, rows, own, trend
        self._outputs, self._noise = outputs, noise
        self.layout = layout = Layout.of(spec, blocks)
        used = sorted({b for term in layout.terms for b in term})
        self._distances = {b: blocks.squared_distances(blocks.names[b], rows, rows) for b in used}
        self._known = np.diag(noise + _JITTER)
        self._left = outputs
        if trend:
            self._known += trend.covariance(rows, rows)
            self._left = outputs - trend.mean(rows)
        self._shares = _shares(rows, own)
        self.bounds = [(-4.0, 5.0)] * layout.n_lengthscales + [(-5.0, 5.0)] * layout.n_logits + [(-12.0, 1.0)]

    def negative(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log density of the parameters themselves, up to a constant, and its gradient by ``theta``."""
        return _negative_log_posterior(
            theta, self.spec, self.layout, self._distances, self._shares, self._left, self._known
        )

    def negative_of_logs(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The same of ``theta``, which holds logarithms of lengthscales and of the residual: what draws need."""
        value, slope = self.negative(theta)
        logs = np.ones(len(theta))
        logs[self.layout.n_lengthscales : -1] = 0.0
        return value - float(logs @ theta), slope - logs

    def fitted(self, theta: np.ndarray) -> FittedGP:
        """The process with these parameters."""
        return FittedGP(
            self.spec,
            self._blocks,
            self._rows,
            self._outputs,
            self._noise,
            self._own,
            self.layout,
            theta,
            self._trend,
        )


def _root(covariance: np.ndarray) -> np.ndarray:
    """Lower Cholesky factor; where rounding has made it indefinite, of the nearest with a little more on its diagonal."""
    for extra in (0.0, 1e-6, 1e-4, 1e-2):
        try:
            root: np.ndarray = cholesky(covariance + extra * np.eye(len(covariance)), lower=True)
        except LinAlgError:
            continue
        return root
    return np.diag(np.sqrt(np.maximum(np.diag(covariance), _JITTER)))


def fit(
    spec: KernelSpec,
    blocks: Blocks,
    rows: np.ndarray,
    outputs: np.ndarray,
    noise: np.ndarray,
    *,
    own: bool,
    trend: Trend | None = None,
    start: np.ndarray | None = None,
    max_iterations: int = 60,
) -> FittedGP:
    """The posterior mode of lengthscales, weights and residual noise, from one start.

    Args:
        rows: indices into the pool, n of them, repeats allowed.
        outputs: (n,), mean 0 and variance about 1.
        noise: (n,), known variance of each output on that scale.
        own: what the features leave unexplained is a lasting property of each row, which measuring it again would
            find again; otherwise it is taken for noise, as it must be where errors are not known.
        trend: the mean; zero without one.
        start: parameters to start from; the priors' modes where not given.

    Raises:
        ValueError: the kernel has no block that varies over the pool.
    """
    posterior = Posterior(spec, blocks, rows, outputs, noise, own, trend)
    start = posterior.layout.start(spec) if start is None else start
    found = minimize(
        posterior.negative,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=posterior.bounds,
        options={"maxiter": max_iterations, "ftol": 1e-7},
    )
    theta = found.x if np.isfinite(found.fun) and found.fun < _NOWHERE else start
    return posterior.fitted(theta)


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
    try:
        lower = cholesky(covariance, lower=True, check_finite=False)
    except LinAlgError:
        return _NOWHERE, np.zeros_like(theta)
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
