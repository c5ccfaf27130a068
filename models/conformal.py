"""Intervals that hold the true value as often as they say, made from errors on data that a model was not fitted to.

Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Lei et al., J. Am.
Stat. Assoc. 113 (2018) 1094): with n errors of held-out data, the margin is the ceil((n + 1) level)-th smallest of their
sizes. It promises the level for a new value that is drawn as those were, whatever the model and the distribution. Held-out
data that come in groups (substitutions of one protein, wells of one plate) are not that many independent draws: there the
promise is for a value of a group never seen (Lee, Barber and Willett, arXiv:2306.06342), and the number of groups counts.

The errors may come from cross-validation, every value or group left out once. The promise is then not exact, but misses by
little where leaving one out changes the model little.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from lab.errors import BadInput
from lab.interfaces import Prediction

__all__ = ["LEVELS", "Margins", "coverage", "margins"]

LEVELS = (0.8, 0.9, 0.95)
"""What users of a predictor may ask its intervals to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How far the true value may lie from a prediction.

    Args:
        below, above: in the prediction's unit, or in units of its scale where it comes with one; not negative.
        level: how often the interval holds the true value.
    """

    below: float
    above: float
    level: float = 0.95

    def around(
        self,
        mean: np.ndarray,
        *,
        unit: str,
        scale: np.ndarray | float = 1.0,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> Prediction:
        """Predictions with their intervals.

        Args:
            mean: (n,) in ``unit``.
            scale: (n,) or one for all, how uncertain each is; what the errors were divided by when the margins were made.
            least, most: what the quantity cannot pass; mean and interval are cut there.
        """
        low, high = mean - self.below * scale, mean + self.above * scale
        cut = [np.clip(np.asarray(x, dtype=np.float64), least, most) for x in (mean, low, high)]
        return Prediction(mean=cut[0], low=cut[1], high=cut[2], unit=unit, level=self.level)


def margins(
    errors: Sequence[float] | np.ndarray,
    *,
    level: float = 0.95,
    groups: Sequence[Hashable] | None = None,
    scales: Sequence[float] | np.ndarray | None = None,
    skewed: bool = False,
) -> Margins:
    """Margins from errors on held-out data.

    Args:
        errors: (n,) measured minus predicted.
        level: between 0 and 1; how often the interval is to hold the true value.
        groups: (n,) which group each belongs to; every group counts the same, however many it has.
        scales: (n,) how uncertain each prediction was said to be, above 0; the margins are then in units of it.
        skewed: whether each side gets a margin of its own and half of what may be missed; takes twice as many errors.

    Raises:
        BadInput: an error or scale is not finite, lengths differ, or there are too few errors, or groups, for the level.
    """
    relative = _relative(errors, scales)
    if not 0.0 < level < 1.0:
        raise BadInput(
            f"An interval can't hold the true value {level:g} of the time.", way_out="Ask for 0.95, or less."
        )
    weights = _weights(len(relative), groups)
    if not skewed:
        size = _quantile(np.abs(relative), weights, level, groups is not None)
        return Margins(below=size, above=size, level=level)
    side = 0.5 + 0.5 * level
    above = _quantile(relative, weights, side, groups is not None)
    below = _quantile(-relative, weights, side, groups is not None)
    return Margins(below=max(below, 0.0), above=max(above, 0.0), level=level)


def coverage(
    prediction: Prediction, measured: np.ndarray, *, groups: Sequence[Hashable] | None = None
) -> float:
    """How often the intervals hold what was measured, 0 to 1.

    Args:
        measured: (n,) in the prediction's unit.
        groups: (n,); every group then counts the same.
    """
    held = (prediction.low <= measured) & (measured <= prediction.high)
    weights = _weights(len(measured), groups)
    return float(np.sum(held * weights) / np.sum(weights))


def _relative(
    errors: Sequence[float] | np.ndarray, scales: Sequence[float] | np.ndarray | None
) -> np.ndarray:
    """Errors in units of their scales, (n,)."""
    found = np.asarray(errors, dtype=np.float64)
    per = np.ones_like(found) if scales is None else np.asarray(scales, dtype=np.float64)
    if found.ndim != 1 or per.shape != found.shape:
        raise BadInput(f"Errors of shape {found.shape} and scales of shape {per.shape} do not go together.")
    if not np.isfinite(found).all() or not np.isfinite(per).all() or (per <= 0.0).any():
        raise BadInput(
            "Held-out errors must be finite, and their scales above 0.",
            way_out="Leave out what was not measured or not predicted.",
        )
    return found / per


def _weights(n: int, groups: Sequence[Hashable] | None) -> np.ndarray:
    """What each of n counts, in units of one group: 1 where there are no groups, else 1 / the size of its group."""
    if groups is None:
        return np.ones(n)
    if len(groups) != n:
        raise BadInput(f"{n} errors can't belong to {len(groups)} groups, one each is needed.")
    sizes: dict[Hashable, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    return np.array([1.0 / sizes[group] for group in groups])


def _quantile(values: np.ndarray, weights: np.ndarray, level: float, grouped: bool) -> float:
    """Smallest value that at least ``level`` of the weight is not above, one more unit of weight standing at infinity."""
    total = float(weights.sum())
    needed = level * (total + 1.0)
    if needed > total * (1.0 + 1e-12):
        least = math.ceil(round(level / (1.0 - level), 9))
        what = "groups" if grouped else "held-out values"
        raise BadInput(
            f"{round(total)} {what} are too few for a margin that {level:g} of new ones keep to: {least} are needed.",
            way_out="Hold out more, or ask for a lower level.",
        )
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= needed * (1.0 - 1e-12)
    return float(values[order][int(np.argmax(reached))])
