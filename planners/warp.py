"""Monotone warps of measured values, so that a Gaussian process sees outputs it can describe, and the way back.

Every warp maps a value of the target (in its own unit) to a number that is larger for a better result, whichever
direction the goal has. Standard errors follow by the slope of the warp; predictions come back by quadrature.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.special import expit, ndtri

__all__ = ["Warp", "WarpName", "back_transform", "make_warp"]

WarpName = Literal["none", "half_rank", "soft_rank", "logit", "log"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(33)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


class Warp(Protocol):
    """A monotone map, increasing in how good a value is."""

    def forward(self, values: np.ndarray) -> np.ndarray:
        """Target's unit -> warped."""
        ...

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Absolute derivative of :meth:`forward`, elementwise."""
        ...

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        """Warped -> target's unit, for any finite number."""
        ...


@dataclass(frozen=True, slots=True)
class _Linear:
    sign: float

    def forward(self, values: np.ndarray) -> np.ndarray:
        return self.sign * values

    def slope(self, values: np.ndarray) -> np.ndarray:
        return np.ones_like(values)

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        return self.sign * warped


@dataclass(frozen=True, slots=True)
class _Logit:
    """Log odds of a fraction. Noise carries readings past 0 and 1: they count as ``edge`` from there."""

    sign: float
    edge: float = 0.01

    def forward(self, values: np.ndarray) -> np.ndarray:
        inside = np.clip(values, self.edge, 1.0 - self.edge)
        return self.sign * np.log(inside / (1.0 - inside))

    def slope(self, values: np.ndarray) -> np.ndarray:
        inside = np.clip(values, self.edge, 1.0 - self.edge)
        slope: np.ndarray = 1.0 / (inside * (1.0 - inside))
        return slope

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        fraction: np.ndarray = expit(self.sign * warped)
        return fraction


@dataclass(frozen=True, slots=True)
class _Log:
    """Logarithm of what lies above ``origin``; ``floor`` keeps the least values finite."""

    sign: float
    origin: float
    floor: float

    def forward(self, values: np.ndarray) -> np.ndarray:
        return self.sign * np.log(np.maximum(values - self.origin, 0.0) + self.floor)

    def slope(self, values: np.ndarray) -> np.ndarray:
        slope: np.ndarray = 1.0 / (np.maximum(values - self.origin, 0.0) + self.floor)
        return slope

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        return np.exp(np.clip(self.sign * warped, -300.0, 300.0)) - self.floor + self.origin


@dataclass(frozen=True, slots=True)
class _HalfRank:
    """Better half as it is, worse half by rank as the lower half of a normal of the same spread.

    How much worse a poor result is says little about where the best one lies, and a few very poor ones would set the
    scale of everything (FINDINGS, "Prototype"). Between measured values the warp is linear; past them its slope is 1. Where
    many of the good ones are nearly alike, the better half may go by rank in part, so that they are told apart.
    """

    sign: float
    knots: np.ndarray
    images: np.ndarray

    def forward(self, values: np.ndarray) -> np.ndarray:
        return _piecewise(self.sign * values, self.knots, self.images)

    def slope(self, values: np.ndarray) -> np.ndarray:
        signed = self.sign * values
        if len(self.knots) < 2:
            return np.ones_like(signed)
        slopes = np.concatenate([[1.0], np.diff(self.images) / np.diff(self.knots), [1.0]])
        slope: np.ndarray = slopes[np.searchsorted(self.knots, signed)]
        return slope

    def inverse(self, warped: np.ndarray) -> np.ndarray:
        return self.sign * _piecewise(warped, self.images, self.knots)


def _piecewise(at: np.ndarray, knots: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Linear between knots, slope 1 past them."""
    inside = np.interp(at, knots, images)
    return inside + np.minimum(at - knots[0], 0.0) + np.maximum(at - knots[-1], 0.0)


def _half_rank(values: np.ndarray, sign: float, of_better: float = 0.0) -> _HalfRank:
    """``of_better``: how much of the better half goes by rank too, from 0 to 1."""
    knots = np.unique(sign * values)
    # values that only rounding tells apart share a knot: a slope between them would be of rounding too
    knots = knots[np.concatenate([[True], np.diff(knots) > 1e-9 * np.ptp(knots)])]
    signed = np.sort(sign * values)
    median = float(np.median(signed))
    spread = float(np.sqrt(np.mean((signed[signed >= median] - median) ** 2)))
    if spread <= 0.0:
        return _HalfRank(sign, knots, knots)
    share = (np.searchsorted(signed, knots, "left") + np.searchsorted(signed, knots, "right")) / (
        2.0 * len(signed)
    )
    worse = median + spread * ndtri(np.minimum(share, 0.5 - 1e-9))
    better = median + spread * ndtri(np.maximum(share, 0.5))
    images = np.where(knots < median, worse, of_better * better + (1.0 - of_better) * knots)
    return _HalfRank(sign, knots, images)


def make_warp(name: WarpName, values: np.ndarray, sign: float) -> Warp:
    """The warp of that name for measured values.

    Args:
        values: (n,), finite, in the target's unit.
        sign: +1 where more is better, -1 where less is.
    """
    if name == "half_rank":
        return _half_rank(values, sign)
    if name == "soft_rank":
        return _half_rank(values, sign, of_better=0.5)
    if name == "logit":
        return _Logit(sign)
    if name == "log":
        origin = min(0.0, float(values.min()))
        above = values[values > origin] - origin
        # no assay resolves more than six decades; without that bound one value near 0 would stretch the scale without end
        floor = max(0.1 * float(np.median(above)), 1e-6 * float(above.max())) if len(above) else 1.0
        # the slope is its inverse, which has to be a number even when all amounts are too small to have a tenth
        floor = max(floor, float(np.finfo(np.float64).tiny))
        return _Log(sign, origin, floor)
    return _Linear(sign)


def back_transform(warp: Warp, mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation in the target's unit of what is normal on the warped scale; all (m,).

    By 33-point Gauss-Hermite quadrature, exact for linear warps.
    """
    values = warp.inverse(mean[:, None] + sd[:, None] * _NODES)
    centre = values @ _WEIGHTS
    return centre, np.sqrt(np.maximum((values - centre[:, None]) ** 2 @ _WEIGHTS, 0.0))
