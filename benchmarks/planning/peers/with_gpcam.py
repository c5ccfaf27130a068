"""gpCAM 8.3, the project's stable line: anisotropic Matern Gaussian process, trained globally, upper confidence bound.

The defaults of ``GPOptimizer`` and ``train()`` as in the project's README (github.com/lbl-camera/gpCAM). The acquisition is
``ucb``: ``GPOptimizer.optimize`` takes its mirror image ``lcb`` to minimise. ``ask`` over a candidate list scores each
and returns the n best, so a batch is that. The noise that gpCAM assumes when none is given is a hundredth of the mean
value, which means nothing for values around zero: values are brought to variance 1 and given a noise variance of 0.01.
Its bounds of hyperparameters come from the spread of what was measured, and are empty for a label that nothing measured yet
bears: variance and lengthscales are given 0.01 to 10, in the unit cube, as the project's notebooks write them down.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gpcam import GPOptimizer
from wire import Interval, Opened, serve

NOISE_VARIANCE = 0.01


class GpCam:
    """Trains anew at every ask, and asks over what is left."""

    def __init__(self, opened: Opened) -> None:
        if opened.outcomes > 1:
            raise ValueError("only one objective is compared with gpCAM")
        self.points = opened.points
        self.rows: list[int] = []
        self.merits: list[float] = []
        self.seed = opened.seed

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        self.rows += rows
        self.merits += merits[:, 0].tolist()

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        # gpCAM draws from numpy's global generator
        np.random.seed([self.seed, len(self.rows)])  # noqa: NPY002 - the only seed that gpCAM heeds
        values = np.array(self.merits)
        spread = values.std()
        values = (values - values.mean()) / (spread if spread > 0 else 1.0)
        model = GPOptimizer(
            self.points[self.rows], values, noise_variances=np.full(len(values), NOISE_VARIANCE)
        )
        model.train(hyperparameter_bounds=np.tile([0.01, 10.0], (self.points.shape[1] + 1, 1)))
        left = np.setdiff1d(np.arange(len(self.points)), self.rows)
        found = model.ask(list(self.points[left]), n=n, acquisition_function="ucb", vectorized=True)
        chosen: list[int] = []
        for point in np.asarray(found["x"]).reshape(n, -1):
            distance = np.square(self.points[left] - point).sum(axis=1)
            distance[np.isin(left, chosen)] = np.inf
            chosen.append(int(left[np.argmin(distance)]))
        return chosen, []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    serve(GpCam)
