"""Which candidates to measure before a model can choose: those far from each other and from what is known."""

import numpy as np

__all__ = ["spread_rows"]

_LOOKED_AT = 2000
"""Candidates that are compared; larger pools are thinned at random."""


def spread_rows(n: int, X: np.ndarray, known: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows chosen one after the other, each the farthest from all before it and from what is known.

    The first is drawn at random where nothing is known. Greedy k-centre (Gonzalez, Theor. Comput. Sci. 38 (1985) 293).

    Args:
        n: at most the number of rows.
        X: N x d.
        known: k x d, measured or on its way.

    Returns:
        (n,) rows of X.
    """
    among = rng.permutation(len(X))[: max(n, _LOOKED_AT)]
    points = X[among]
    distance = np.full(len(points), np.inf)
    for row in known:
        distance = np.minimum(distance, np.square(points - row).sum(axis=1))
    chosen: list[int] = []
    for _ in range(n):
        # rows were shuffled, so among equals the first is one at random
        at = int(np.argmax(distance))
        chosen.append(at)
        distance = np.minimum(distance, np.square(points - points[at]).sum(axis=1))
        distance[chosen] = -1.0
    return among[chosen]
