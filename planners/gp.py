"""A small exact Gaussian process for up to a few hundred observations, in numpy and scipy, with analytic gradients.

Inputs come as blocks: groups of columns that share one lengthscale (a number of its own, all 20 letters of every site
together, the five z-scales of the new residue). What the kernel sees of a block is its squared distances, scaled so that
their mean over the pool is 1/6, which is what two uniform draws from one axis of the unit cube have. Lengthscales, and the
priors on them, therefore mean the same for every block. Outputs have mean 0 and variance 1, so the kernel has no scale of
its own (FINDINGS: Matern-5/2, no output scale, Gamma prior on lengthscales with its mode at 0.205 sqrt(d)).

The kernel is a weighted sum of Matern-5/2 or squared-exponential terms, each over some of the blocks::

    k(x, x') = sum_t w_t m( sqrt( sum_b D_b(x, x') / l_tb^2 ) ),   w_t >= 0,   sum_t w_t = 1

Rasmussen and Williams, Gaussian Processes for Machine Learning (MIT Press 2006): posterior eq. 2.25 and 2.26, gradient
of the evidence eq. 5.9, leave-one-out predictions eq. 5.10 to 5.12.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

__all__ = [
    "Blocks",
    "FittedGP",
    "GammaPrior",
    "KernelSpec",
    "LogNormalPrior",
    "Trend",
    "fit",
    "prior_covariance",
]

UNIT_AXIS = 1.0 / 6.0
"""Mean squared distance of two uniform draws from [0, 1]."""

_JITTER = 1e-8
"""Added to the diagonal, in units of the outputs' variance: far below any noise, enough for identical rows."""

_CHUNK = 20_000
"""Rows predicted at a time: keeps the distances of a pool of 100,000 candidates out of memory."""

_SQRT5 = np.sqrt(5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaPrior:
    """Gamma density; ``mode`` is given for one block and grows with the square root of their number."""

    shape: float
    mode: float
    grows: bool = True

    def log_density(self, value: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Log density up to a constant, and its derivative by log(value), elementwise."""
        rate = (self.shape - 1.0) / (self.mode * (np.sqrt(d) if self.grows else 1.0))
        return (self.shape - 1.0) * np.log(value) - rate * value, (self.shape - 1.0) - rate * value

    def start(self, d: int) -> float:
        """Where fits begin."""
        return float(self.mode * (np.sqrt(d) if self.grows else 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormalPrior:
    """Log-normal density with location ``loc + 0.5 ln d``.

    The defaults are BoTorch's for lengthscales (Hvarfner, Hellsten, Nardi, ICML 2024).
    """

    loc: float = float(np.sqrt(2.0))
    scale: float = float(np.sqrt(3.0))
    grows: bool = True

    def _centre(self, d: int) -> float:
        return self.loc + (0.5 * float(np.log(d)) if self.grows else 0.0)

    def log_density(self, value: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Log density up to a constant, and its derivative by log(value), elementwise."""
        u = (np.log(value) - self._centre(d)) / self.scale
        return -0.5 * u**2 - np.log(value), -u / self.scale - 1.0

    def start(self, d: int) -> float:
        """Where fits begin: the mode, kept where gradients do not vanish."""
        return float(np.clip(np.exp(self._centre(d) - self.scale**2), 0.1, 3.0))


Prior = GammaPrior | LogNormalPrior


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A mean that is proportional to a score known beforehand: ``slope * scores``, the slope normal.

    Args:
        scores: (N,), one a row of the pool, mean 0 and variance 1 over it; larger promises better.
        slope: its prior mean, in standard deviations of the outputs a standard deviation of the scores.
        sd: its prior standard deviation, in the same unit.
    """

    scores: np.ndarray
    slope: float = 0.4
    sd: float = 0.2

    def mean(self, rows: np.ndarray) -> np.ndarray:
        """Expected before anything is measured: (len(rows),)."""
        expected: np.ndarray = self.slope * self.scores[rows]
        return expected

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """What not knowing the slope adds: len(left) x len(right)."""
        return self.sd**2 * np.outer(self.scores[left], self.scores[right])


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSpec:
    """One kernel among those a planner chooses from.

    Args:
        name: for reasons and reports.
        terms: names of the blocks of each term of the sum.
        lengthscale: prior on each lengthscale.
        noise: prior on the residual variance, in units of the outputs' variance.
        shape: of every term.
    """

    name: str
    terms: tuple[tuple[str, ...], ...]
    lengthscale: Prior = field(default_factory=lambda: GammaPrior(shape=3.0, mode=0.205))
    noise: Prior = field(default_factory=lambda: GammaPrior(shape=2.0, mode=1.0 / 148.0, grows=False))
    shape: Literal["matern52", "rbf"] = "matern52"

    @property
    def label(self) -> str:
        """``name@version``, as reasons cite the model that was used."""
        return f"gaussian_process_{self.name}@1"


class Blocks:
    """Named groups of columns of the pool, scaled once; gives squared distances between rows.

    Args:
        columns: name -> N x d_b, rows in the order of the pool.
        sample: rows that the mean squared distance is taken over.
    """

    def __init__(self, columns: dict[str, np.ndarray], sample: np.ndarray | None = None) -> None:
        self._columns: dict[str, np.ndarray] = {}
        for name, values in columns.items():
            part = values if sample is None else values[sample]
            mean_squared = 2.0 * float(part.var(axis=0).sum())
            if mean_squared > 1e-12:
                centred = values - part.mean(axis=0)
                self._columns[name] = centred * np.sqrt(UNIT_AXIS / mean_squared)

    @property
    def names(self) -> tuple[str, ...]:
        """Blocks that vary over the pool; the others are dropped, since they tell nothing apart."""
        return tuple(self._columns)

    def squared_distances(self, name: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Rows ``left`` against rows ``right`` of one block: len(left) x len(right)."""
        a, b = self._columns[name][left], self._columns[name][right]
        squared: np.ndarray = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * (a @ b.T)
        # rounding leaves 1e-17 where rows are equal, and below zero has no square root
        squared[squared < 1e-12] = 0.0
        return squared


def _shape_and_slope(squared: np.ndarray, shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Kernel value at squared scaled distance, and minus twice its derivative by that squared distance."""
    if shape == "rbf":
        value = np.exp(-0.5 * squared)
        return value, value
    r = _SQRT5 * np.sqrt(squared)
    decay = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * decay, (5.0 / 3.0) * (1.0 + r) * decay


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each parameter stands in the vector that the optimiser moves: log lengthscales, weight logits, log noise."""

    terms: tuple[tuple[int, ...], ...]

    @property
    def n_lengthscales(self) -> int:
        return sum(len(term) for term in self.terms)

    @property
    def n_logits(self) -> int:
        return len(self.terms) if len(self.terms) > 1 else 0

    def split(self, theta: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, float]:
        """Vector -> log lengthscales of each term, weights, log residual variance."""
        scales, at = [], 0
        for term in self.terms:
            scales.append(theta[at : at + len(term)])
            at += len(term)
        if not self.n_logits:
            return scales, np.ones(1), float(theta[-1])
        logits = theta[at : at + self.n_logits]
        weights = np.exp(logits - logits.max())
        return scales, weights / weights.sum(), float(theta[-1])


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
        layout: _Layout,
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
        covariance = _covariance(self.spec, self._blocks, self._layout, self.theta, left, right)
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


def _covariance(
    spec: KernelSpec, blocks: Blocks, layout: _Layout, theta: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Prior covariance between rows of the pool at given parameters: len(left) x len(right)."""
    scales, weights, _ = layout.split(theta)
    total = np.zeros((len(left), len(right)))
    distances: dict[int, np.ndarray] = {}
    for term, term_scales, weight in zip(layout.terms, scales, weights, strict=True):
        squared = np.zeros_like(total)
        for block, scale in zip(term, term_scales, strict=True):
            if block not in distances:
                distances[block] = blocks.squared_distances(blocks.names[block], left, right)
            squared += distances[block] * np.exp(-2.0 * scale)
        total += weight * _shape_and_slope(squared, spec.shape)[0]
    return total


def prior_covariance(spec: KernelSpec, blocks: Blocks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Covariance between rows of the pool before anything is measured, lengthscales at the modes of their priors.

    Raises:
        ValueError: the kernel has no block that varies over the pool.
    """
    layout = _lay_out(spec, blocks)
    return _covariance(spec, blocks, layout, _start(spec, layout), left, right)


def _lay_out(spec: KernelSpec, blocks: Blocks) -> _Layout:
    names = blocks.names
    terms = tuple(t for t in (tuple(names.index(b) for b in term if b in names) for term in spec.terms) if t)
    if not terms:
        raise ValueError(f"no block of the kernel {spec.name} varies over the pool")
    return _Layout(terms)


def _start(spec: KernelSpec, layout: _Layout) -> np.ndarray:
    """Every parameter at the mode of its prior."""
    return np.concatenate(
        [
            *(np.full(len(term), np.log(spec.lengthscale.start(len(term)))) for term in layout.terms),
            np.zeros(layout.n_logits),
            [np.log(spec.noise.start(1))],
        ]
    )


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
    layout = _lay_out(spec, blocks)
    used = sorted({b for term in layout.terms for b in term})
    distances = {b: blocks.squared_distances(blocks.names[b], rows, rows) for b in used}
    known = np.diag(noise + _JITTER)
    expected = np.zeros(len(rows))
    if trend:
        known += trend.covariance(rows, rows)
        expected = trend.mean(rows)
    start = _start(spec, layout)
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
    layout: _Layout,
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
        value, slope = _shape_and_slope(squared, spec.shape)
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
    theta: np.ndarray, spec: KernelSpec, layout: _Layout, objective: float, gradient: np.ndarray
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
