"""How fast a signal rises before it bends: initial rates of progress curves, one curve a well.

A reaction slows down as its substrate is used up, so the slope is taken over the linear part only: the longest stretch from
the first reading on whose curvature is either not to be told from noise or changes the slope by little. A curve whose first
few readings bend already has no initial rate that could be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FEWEST_READINGS", "Rate", "initial_rate"]

FEWEST_READINGS = 6
"""A parabola has three numbers, and its noise is to be told from as many more."""

_CERTAIN_SD = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Slope of one curve at its beginning.

    Args:
        per_s: in the signal's unit; NaN where the curve has no linear part.
        start: the line at the time of the first reading, in the signal's unit; NaN likewise.
        readings: that the line rests on; 0 likewise.
    """

    per_s: float
    start: float
    readings: int


_NONE = Rate(per_s=float("nan"), start=float("nan"), readings=0)


def initial_rate(times_s: np.ndarray, signal: np.ndarray, *, max_bend: float) -> Rate:
    """The slope over the linear part.

    Args:
        times_s: m, increasing.
        signal: m.
        max_bend: largest change of the slope over the linear part, as a share of the slope at its beginning.

    Returns:
        No rate where fewer than :data:`FEWEST_READINGS` readings are there, one of them is no number, or all bend.
    """
    if len(signal) < FEWEST_READINGS or not np.isfinite(signal).all():
        return _NONE
    for length in range(len(signal), FEWEST_READINGS - 1, -1):
        times, values = times_s[:length] - times_s[0], signal[:length]
        if _is_straight(times, values, max_bend):
            slope, start = np.polyfit(times, values, 1)
            return Rate(per_s=float(slope), start=float(start), readings=length)
    return _NONE


def _is_straight(times: np.ndarray, values: np.ndarray, max_bend: float) -> bool:
    """Whether a parabola through the readings is a line, within what noise lets see or within what is allowed."""
    span = times[-1]
    design = np.stack([np.ones_like(times), times / span, (times / span) ** 2], axis=1)
    found, *_ = np.linalg.lstsq(design, values, rcond=None)
    _, slope, curvature = found
    left = values - design @ found
    variance = float(left @ left) / (len(times) - 3)
    error = np.sqrt(variance * np.linalg.inv(design.T @ design)[2, 2])
    if abs(2.0 * curvature) <= max_bend * abs(slope):
        return True
    return bool(abs(curvature) <= _CERTAIN_SD * error)
