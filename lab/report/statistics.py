"""The statistics of a report: small, pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lab.report.values import Estimate

__all__ = [
    "Scatter",
    "benjamini_hochberg",
    "combine",
    "difference",
    "estimate",
    "p_better",
    "scatter",
    "spearman",
    "wilson",
    "z_prime",
]

_LEVEL = 0.95


def estimate(value: float, standard_error: float, degrees_of_freedom: int) -> Estimate:
    """A value with its 95 % interval from Student's t distribution.

    Args:
        standard_error: of ``value``; at least 0.
        degrees_of_freedom: of the standard error. With none the interval is the whole line.
    """
    if degrees_of_freedom < 1 or not math.isfinite(standard_error):
        return Estimate(
            value=value, standard_error=standard_error, low=-math.inf, high=math.inf, degrees_of_freedom=0
        )
    half = float(stats.t.ppf(0.5 + _LEVEL / 2, degrees_of_freedom)) * standard_error
    return Estimate(
        value=value,
        standard_error=standard_error,
        low=value - half,
        high=value + half,
        degrees_of_freedom=degrees_of_freedom,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """How much further apart runs lie than their own standard errors say, learned from all candidates with several runs.

    Args:
        ratio: of the variance between runs to the one expected, at least 1.
        degrees_of_freedom: behind it, runs less candidates.
    """

    ratio: float
    degrees_of_freedom: int


def scatter(groups: Sequence[Sequence[Estimate]]) -> Scatter | None:
    """The scatter between runs, pooled (Birge's ratio over all groups); None where no group has two runs of known error.

    Args:
        groups: of each candidate, what each of its runs says.
    """
    freedom, q = 0, 0.0
    for group in groups:
        values = np.array([e.value for e in group])
        errors = np.array([e.standard_error for e in group])
        if len(group) > 1 and _known(errors):
            freedom += len(group) - 1
            q += _cochran_q(values, errors)
    return Scatter(ratio=max(1.0, q / freedom), degrees_of_freedom=freedom) if freedom else None


def combine(
    estimates: Sequence[Estimate], weights: Sequence[int], pooled: Scatter | None = None
) -> tuple[Estimate, bool]:
    """The weighted mean of independent runs, and whether they agree.

    Runs agree unless Cochran's Q test rejects it at 1 %. Where they do and the scatter of other candidates' runs is known,
    the runs' own standard errors are widened by that. Otherwise the standard error is the larger of the one that the runs'
    own give and the one that their scatter gives, so that what changes from run to run is not lost. Degrees of freedom
    follow the one that was used.

    Args:
        estimates: one or more.
        weights: wells behind each.
        pooled: of all candidates, these runs among them.
    """
    if len(estimates) == 1:
        return estimates[0], True
    share = np.asarray(weights, dtype=float) / sum(weights)
    values = np.array([e.value for e in estimates])
    errors = np.array([e.standard_error for e in estimates])
    mean = float(share @ values)
    within = float(np.sqrt(share**2 @ errors**2))
    between = float(values.std(ddof=1) / math.sqrt(len(values)))
    positive = _known(errors)
    agree = positive and float(stats.chi2.sf(_cochran_q(values, errors), len(values) - 1)) > 0.01
    freedom = sum(e.degrees_of_freedom for e in estimates)
    if agree and pooled is not None:
        widened = within * math.sqrt(pooled.ratio)
        return estimate(mean, widened, pooled.degrees_of_freedom if pooled.ratio > 1.0 else freedom), agree
    if positive and within >= between:
        return estimate(mean, within, freedom), agree
    return estimate(mean, between, len(values) - 1), agree


def _known(errors: np.ndarray) -> bool:
    return bool(np.all(errors > 0) and np.all(np.isfinite(errors)))


def _cochran_q(values: np.ndarray, errors: np.ndarray) -> float:
    weights = 1 / errors**2
    mean = weights @ values / weights.sum()
    return float(weights @ (values - mean) ** 2)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """``a - b`` of independent estimates, degrees of freedom after Welch and Satterthwaite (rounded down)."""
    variance_a, variance_b = a.standard_error**2, b.standard_error**2
    error = math.sqrt(variance_a + variance_b)
    if a.degrees_of_freedom < 1 or b.degrees_of_freedom < 1:
        return estimate(a.value - b.value, error, 0)
    parts = variance_a**2 / a.degrees_of_freedom + variance_b**2 / b.degrees_of_freedom
    smaller = min(a.degrees_of_freedom, b.degrees_of_freedom)
    freedom = smaller if parts == 0 else max(1, int((variance_a + variance_b) ** 2 / parts))
    return estimate(a.value - b.value, error, freedom)


def p_better(difference_: Estimate, sign: float) -> float:
    """One-sided probability of a difference this good or better if there were none.

    Args:
        sign: +1 when larger is better, -1 when smaller is.
    """
    if difference_.degrees_of_freedom < 1:
        return 1.0
    wanted = sign * difference_.value
    if difference_.standard_error == 0:
        return 0.0 if wanted > 0 else 1.0
    return float(stats.t.sf(wanted / difference_.standard_error, difference_.degrees_of_freedom))


def benjamini_hochberg(p_values: Sequence[float], rate: float = 0.05) -> tuple[bool, ...]:
    """Which hypotheses are rejected at a false discovery rate (Benjamini and Hochberg 1995, step-up procedure)."""
    if not p_values:
        return ()
    adjusted = stats.false_discovery_control(np.asarray(p_values, dtype=float))
    return tuple(bool(p <= rate) for p in adjusted)


def wilson(successes: int, n: int) -> Estimate:
    """A share with its 95 % interval by Wilson's score (1927), which holds near 0 and 1 and for small n.

    Raises:
        ValueError: n is 0.
    """
    if n < 1:
        raise ValueError("A share of nothing has no value.")
    z = float(stats.norm.ppf(0.5 + _LEVEL / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(
        value=share,
        standard_error=math.sqrt(share * (1 - share) / n),
        low=max(0.0, centre - half),
        high=min(1.0, centre + half),
        degrees_of_freedom=n,
    )


def z_prime(signal: Sequence[float], background: Sequence[float]) -> float | None:
    """Z': 1 - 3 (sd_signal + sd_background) / |mean_signal - mean_background| (Zhang, Chung and Oldenburg 1999).

    Returns:
        None with fewer than two wells of either kind or when both have the same mean.
    """
    if len(signal) < 2 or len(background) < 2:
        return None
    apart = abs(float(np.mean(signal)) - float(np.mean(background)))
    if apart == 0:
        return None
    return 1 - 3 * (float(np.std(signal, ddof=1)) + float(np.std(background, ddof=1))) / apart


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Rank correlation; None with fewer than three pairs or when one side is constant."""
    if len(a) < 3 or len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return float(stats.spearmanr(a, b).statistic)
