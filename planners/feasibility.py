"""The chance that a candidate can be had at all, learned from those that failed for good."""

import numpy as np

from planners.gp import fit
from planners.seen import Seen
from planners.space import Space

__all__ = ["log_chance"]

_LEAST = 2
"""Failures, and successes, below which nothing is learned from them."""

_NOISE = 0.05
"""Variance of a label beside a variance of 1: a failure can have had another reason."""

_FLOOR, _CEILING = 0.02, 0.99
"""Bounds of the chance: a few dozen results prove nothing impossible, and nothing certain."""


def log_chance(space: Space, seen: Seen) -> np.ndarray | None:
    """Log of the probability that each row of the pool gives a result, (N,); None where too little has failed, or succeeded.

    A Gaussian process is fitted to 1 for success and 0 for failure and its mean taken as the probability: with few labels
    this least-squares classifier ranks as well as one with a sigmoid, and it has a closed form.
    """
    good = np.unique(seen.rows)
    bad = np.setdiff1d(seen.infeasible, good)
    if min(len(good), len(bad)) < _LEAST or not space.kernels:
        return None
    rows = np.concatenate([good, bad])
    labels = np.concatenate([np.ones(len(good)), np.zeros(len(bad))])
    centre, scale = float(labels.mean()), float(labels.std())
    noise = np.full(len(rows), _NOISE)
    gp = fit(space.kernels[-1], space.blocks, rows, (labels - centre) / scale, noise, own=False)
    mean, _ = gp.predict(np.arange(space.size))
    logs: np.ndarray = np.log(np.clip(centre + scale * mean, _FLOOR, _CEILING))
    return logs
