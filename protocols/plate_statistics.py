"""Replicate wells to a mean that says how sure it is, and the wells that do not belong.

**Noise.** The variance of a well is ``floor + relative * signal^2``: what the reader and the background add,
and what pipetting and optics scale with the signal (Rocke & Durbin 2001, J. Comput. Biol. 8:557). Both are
fitted to all replicate groups of a plate by medians, so that single bad wells cannot inflate the yardstick that
is meant to find them.

**Outliers.** A well stands out when it is further from the median of its group than a number of standard deviations of
that model. A group of three knows its own spread too badly to judge its own members.

**Standard errors.** Three wells estimate a variance badly too, so each group's variance is combined with the
model's, as if the latter had been seen on a few more wells (the moderated variance of Smyth 2004, Stat. Appl.
Genet. Mol. Biol. 3:3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

__all__ = ["Mean", "Noise", "fit_noise", "moderated_mean", "outliers", "ratio", "z_prime"]

FloatArray = npt.NDArray[np.float64]

PRIOR_DEGREES = 4.0
"""Degrees of freedom that the noise model counts for beside a group's own; limma finds 3 to 10 on typical data."""

_LEAST_RELATIVE_SD = 0.01
"""No dispenser repeats better than this, however lucky the plate."""

_ROUNDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Variance of one well: ``floor_variance + relative_variance * signal^2``, signal above blank.

    The floor is infinite where nothing is known of the noise.
    """

    floor_variance: float
    relative_variance: float

    def variance(self, signal: float) -> float:
        """Of a single well, in the square of the signal's unit."""
        return self.floor_variance + self.relative_variance * signal * signal


_UNKNOWN = Noise(floor_variance=np.inf, relative_variance=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Mean of replicate wells.

    Args:
        variance: of ``value``, not of a single well.
        wells: that it rests on.
        well_sd: standard deviation of a single well as these wells alone show it; 0 for a single one.
    """

    value: float
    variance: float
    wells: int
    well_sd: float

    @property
    def standard_error(self) -> float:
        """Of ``value``."""
        return float(np.sqrt(self.variance))


def fit_noise(plates: Sequence[Iterable[Sequence[float]]]) -> tuple[Noise, ...]:
    """Fit the noise model to groups of replicates, of several plates read in one way.

    The floor is common to all plates, for it is the reader's and the background's; the relative part is each
    plate's own, for heat adds its scatter to the plates that saw it. A group's variance, in units of what the
    model predicts at its median, should have the median that a chi-squared distribution has: the floor is
    scaled until that holds for the groups in which the floor prevails, the relative parts until it holds for
    all others.

    Args:
        plates: per plate its groups of signals above blank, the blank wells among them; groups of fewer than
            two say nothing. A plate without any of two wells is taken to be as noisy as the noisiest of the others;
            where no plate has one, nothing is known.
    """
    shown = [_Groups.of(groups) for groups in plates]
    fits = [fit for fit in shown if fit.signal.size]
    if not fits:
        return (_UNKNOWN,) * len(shown)
    # A plate that reads the same number everywhere still has a resolution.
    least_floor = max((1e-3 * max(float(fit.signal.max()) for fit in fits)) ** 2, 1e-12)
    signal, spread, degrees = (
        np.concatenate([getattr(fit, name) for fit in fits]) for name in ("signal", "spread", "degrees")
    )
    plate = np.repeat(np.arange(len(fits)), [len(fit.signal) for fit in fits])
    # The blank is the faintest group of its plate, whatever the rest is like.
    blank = np.concatenate([fit.signal == fit.signal.min() for fit in fits])
    floor = max(_weighted_median(spread[blank], degrees[blank]), least_floor)
    relative = np.full(len(fits), 0.05**2)
    for _ in range(_ROUNDS):
        scaled = relative[plate] * signal**2
        faint = blank | (scaled < floor)
        floor = max(floor * _weighted_median((spread / (floor + scaled))[faint], degrees[faint]), least_floor)
        for index in range(len(fits)):
            bright = ~faint & (plate == index)
            if bright.any():
                change = _weighted_median((spread / (floor + scaled))[bright], degrees[bright])
                relative[index] = max(relative[index] * change, _LEAST_RELATIVE_SD**2)
    own = iter(relative)
    return tuple(
        Noise(floor_variance=floor, relative_variance=float(next(own) if fit.signal.size else relative.max()))
        for fit in shown
    )


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of one plate in numbers: size of the median signal, variance made median-unbiased, degrees of freedom."""

    signal: FloatArray
    spread: FloatArray
    degrees: FloatArray

    @classmethod
    def of(cls, groups: Iterable[Sequence[float]]) -> _Groups:
        usable = [np.asarray(group, dtype=float) for group in groups if len(group) > 1]
        degrees = np.array([len(group) - 1 for group in usable], dtype=float)
        return cls(
            signal=np.array([abs(float(np.median(group))) for group in usable], dtype=float),
            # The median of a variance on few degrees of freedom is far below its mean; this puts it right.
            spread=np.array([group.var(ddof=1) for group in usable], dtype=float)
            * degrees
            / _chi_squared_median(degrees),
            degrees=degrees,
        )


def _chi_squared_median(degrees: FloatArray) -> FloatArray:
    """Median of chi-squared distributions: twice the median of a gamma distribution of half as many degrees."""
    return 2.0 * np.asarray(gammaincinv(degrees / 2.0, 0.5), dtype=np.float64)


def _weighted_median(values: FloatArray, weights: FloatArray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])


def outliers(values: Sequence[float], noise: Noise, threshold_sd: float) -> tuple[float, ...]:
    """How many standard deviations each well is from the median of its group; 0 for wells within the threshold.

    Of two wells that disagree neither can be told to be the bad one, and both are given.
    """
    if len(values) == 0:
        return ()
    middle = float(np.median(values))
    off = (np.asarray(values, dtype=float) - middle) / np.sqrt(noise.variance(middle))
    return tuple(float(value) if abs(value) > threshold_sd else 0.0 for value in off)


def moderated_mean(values: Sequence[float], noise: Noise) -> Mean:
    """Mean of replicate wells and its variance, own spread and noise model combined.

    Raises:
        ValueError: no well.
    """
    if len(values) == 0:
        raise ValueError("a mean needs at least one well")
    wells = np.asarray(values, dtype=float)
    own = len(wells) - 1
    mean = float(wells.mean())
    squares = float(np.sum((wells - mean) ** 2))
    variance = (PRIOR_DEGREES * noise.variance(mean) + squares) / (PRIOR_DEGREES + own)
    return Mean(
        value=mean,
        variance=variance / len(wells),
        wells=len(wells),
        well_sd=float(np.sqrt(squares / own)) if own else 0.0,
    )


def ratio(above: float, above_variance: float, below: float, below_variance: float) -> tuple[float, float]:
    """``above / below`` and its standard error, by the delta method: right when ``below`` is many times its own error.

    Raises:
        ValueError: ``below`` is zero.
    """
    if below == 0.0:
        raise ValueError("a ratio to zero has no value")
    value = above / below
    variance = (above_variance + value**2 * below_variance) / below**2
    return value, float(np.sqrt(variance))


def z_prime(high: Sequence[float], low: Sequence[float]) -> float:
    """Z' of two controls: ``1 - 3 (sd_high + sd_low) / |mean_high - mean_low|``; 1 is perfect, below 0.5 is weak.

    Source: Zhang, Chung & Oldenburg 1999, J. Biomol. Screen. 4:67. Minus infinity when the controls cannot be
        told apart or
    have fewer than two wells.
    """
    if len(high) < 2 or len(low) < 2:
        return -np.inf
    window = abs(float(np.mean(high)) - float(np.mean(low)))
    if window == 0.0:
        return -np.inf
    return float(1.0 - 3.0 * (np.std(high, ddof=1) + np.std(low, ddof=1)) / window)
