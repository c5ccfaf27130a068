"""Sets of points that no other beats, and how much they are worth together."""

from __future__ import annotations

import numpy as np

__all__ = ["hypervolume", "pareto", "reference_point"]

_BELOW = 0.1
"""How far below the worst of the best the reference point lies, as a share of their range: Ishibuchi et al., "How to
specify a reference point in hypervolume calculation", Evol. Comput. 26 (2018), find that for few points it must not touch.
"""


def pareto(points: np.ndarray) -> np.ndarray:
    """Which points no other beats: at least as good in everything, and better in something; equal ones do not.

    Args:
        points: n x m, larger is better.

    Returns:
        (n,) of bool.
    """
    kept = np.ones(len(points), dtype=bool)
    for i, point in enumerate(points):
        better = (points >= point).all(axis=1) & (points > point).any(axis=1)
        kept[i] = not better.any()
    return kept


def hypervolume(points: np.ndarray, reference: np.ndarray) -> float:
    """Volume of all that some point is at least as good as, above a reference; exact for any number of objectives.

    Cut into slabs along the last objective, each with the volume of one objective less (Zitzler 2001, "Hypervolume metric
    calculation").

    Args:
        points: n x m, larger is better; points that are not better than the reference in everything add nothing.
        reference: (m,).
    """
    above = np.asarray(points, dtype=np.float64)
    above = above[(above > reference).all(axis=1)] - reference
    return _volume(above[pareto(above)]) if len(above) else 0.0


def _volume(points: np.ndarray) -> float:
    """Of points above the origin, none beaten."""
    if points.shape[1] == 1:
        return float(points.max())
    if points.shape[1] == 2:
        order = np.argsort(-points[:, 0], kind="stable")
        x, y = points[order, 0], np.maximum.accumulate(points[order, 1])
        return float(x @ np.diff(y, prepend=0.0))
    order = np.argsort(-points[:, -1], kind="stable")
    points = points[order]
    tops = np.append(points[:, -1], 0.0)
    total = 0.0
    for i in range(len(points)):
        if height := tops[i] - tops[i + 1]:
            slab = points[: i + 1, :-1]
            total += height * _volume(slab[pareto(slab)])
    return total


def reference_point(points: np.ndarray) -> np.ndarray:
    """A point a little worse, in everything, than the points that none beats: (m,).

    Args:
        points: n x m, at least one, larger is better.
    """
    best = points[pareto(points)]
    span = np.ptp(best, axis=0)
    span = np.where(span > 0.0, span, np.ptp(points, axis=0))
    reference: np.ndarray = best.min(axis=0) - _BELOW * np.where(span > 0.0, span, 1.0)
    return reference
