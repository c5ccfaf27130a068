"""A random forest as a member of the planner's mixture: it sees steps and interactions that no stationary kernel does.

Fitted to bootstrap samples of the results; each tree predicts the results that its sample left out, which stands for leaving
one out (Breiman, Machine Learning 45 (2001) 5-32). The trees of one forest are draws of a function, so their covariance over
candidates is the forest's; what it leaves unexplained out of bag is added to the variance of each candidate.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse

from lab.interfaces import ModelCard
from planners.features import Features, stacked

__all__ = ["FOREST_CARD", "FittedForest", "fit_forest"]

_TREES = 60

_PART = 16384
"""Candidates that trees predict at a time."""

FOREST_CARD = ModelCard(
    name="random_forest",
    version="1",
    licence="BSD-3-Clause",
    source="drywet, fitted anew to each campaign's own results with scikit-learn; Breiman, Machine Learning 45 (2001) 5-32",
    inputs="encoded candidates and their results; numbers, levels, z-scales of residues",
    outputs="mean and standard deviation of the target, in its unit",
    tested_on="as part of the planner, on its development sets: docs/decisions/0009-the-default-planner.md",
)


class FittedForest:
    """Trees that were fitted to rows of a pool.

    Attributes:
        loo_mean, loo_variance: (n,) out of bag.
        loo_log_density: mean over observations of the log density that the others predict for each.
        residual_variance: 0: what the forest does not explain is in the variance of each row.
    """

    own = False
    residual_variance = 0.0
    label = FOREST_CARD.label

    def __init__(
        self,
        trees: Sequence[object],
        features: Sequence[Features],
        in_bag: np.ndarray,
        rows: np.ndarray,
        outputs: np.ndarray,
        noise: np.ndarray,
    ) -> None:
        self._trees, self._features = trees, features
        self.count = len(rows)
        self.typical_noise = float(np.median(noise))
        every = self._by_tree(rows)
        out = ~in_bag
        seen = np.maximum(out.sum(axis=0), 1)
        self.loo_mean: np.ndarray = np.where(out.any(axis=0), (every * out).sum(axis=0) / seen, 0.0)
        spread = np.where(out, np.square(every - self.loo_mean), 0.0).sum(axis=0) / seen
        errors = np.square(outputs - self.loo_mean)
        # what the spread of trees does not account for of their errors out of bag; the prior is one result of variance 0.5
        self._unexplained = max((float((errors - spread).sum()) + 0.5) / (self.count + 1.0), 0.02)
        self.loo_variance: np.ndarray = spread + self._unexplained
        densities = -0.5 * (np.log(2.0 * np.pi * self.loo_variance) + errors / self.loo_variance)
        self.loo_log_density = float(densities.mean())

    def _by_tree(self, rows: np.ndarray) -> np.ndarray:
        """What each tree predicts: trees x m."""
        inputs = stacked([f.rows(rows) for f in self._features]).astype(np.float32)
        return np.array([tree.tree_.predict(inputs)[:, 0] for tree in self._trees])  # type: ignore[attr-defined]  # is there once fitted

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the output, both (m,)."""
        mean, variance = np.empty(len(rows)), np.empty(len(rows))
        for start in range(0, len(rows), _PART):
            part = slice(start, start + _PART)
            each = self._by_tree(rows[part])
            mean[part], variance[part] = each.mean(axis=0), each.var(axis=0) + self._unexplained
        return mean, variance

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Between rows over the trees: len(left) x len(right)."""
        a, b = self._by_tree(left), self._by_tree(right)
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        shared: np.ndarray = a.T @ b / len(a)
        shared[left[:, None] == right] += self._unexplained
        return shared

    def draw(self, rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """What trees drawn at random predict at rows: count x m."""
        found: np.ndarray = self._by_tree(rows)[rng.integers(0, len(self._trees), count)]
        return found

    def view(self, rows: np.ndarray) -> Callable[[int], np.ndarray]:
        """A function from ``i`` to the covariance of m rows with the i-th of them: (m,)."""
        each = self._by_tree(rows)
        each -= each.mean(axis=0)

        def column(at: int) -> np.ndarray:
            shared: np.ndarray = each.T @ each[:, at] / len(each)
            shared[at] += self._unexplained
            return shared

        return column


def fit_forest(
    features: Sequence[Features], rows: np.ndarray, outputs: np.ndarray, noise: np.ndarray, seed: int
) -> FittedForest:
    """A forest of rows of the pool; the same for the same seed.

    Args:
        rows: indices into the pool, n of them, repeats allowed.
        outputs: (n,), mean 0 and variance about 1.
        noise: (n,), known variance of each output.
    """
    from sklearn.tree import DecisionTreeRegressor

    inputs = stacked([f.rows(rows) for f in features]).astype(np.float32)
    # splits that are as good as each other must not be told apart by the rounding of another unit
    outputs = np.round(outputs, 8)
    rng = np.random.default_rng(seed)
    trees, in_bag = [], np.zeros((_TREES, len(rows)), dtype=bool)
    for i in range(_TREES):
        drawn = rng.integers(0, len(rows), len(rows))
        # a row that was measured twice is in the bag with both of its results
        in_bag[i] = np.isin(rows, rows[drawn])
        tree = DecisionTreeRegressor(max_features=0.5, random_state=int(rng.integers(2**31 - 1)))
        trees.append(tree.fit(inputs[drawn], outputs[drawn]))
    return FittedForest(trees, features, in_bag, rows, outputs, noise)


def narrow(features: Features) -> bool:
    """Whether trees can take the features: rows that are not kept sparse."""
    return not sparse.issparse(features.rows(np.zeros(1, dtype=np.intp)))
