"""Greedy random forest, as directed evolution with EVOLVEpro chooses (Jiang et al., Science 387 (2025) eadr6006).

The regressor has the project's settings (github.com/mat10d/EvolvePro, ``evolvepro/src/model.py``): 100 trees, every feature
at every split; its Friedman criterion was taken out of scikit-learn, squared error stands for it. The candidates with the
largest predictions are measured next. The project's features are mean embeddings of a protein language model; here a forest
sees what every peer sees: z-scales, and the score of a language model where a set brings one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from wire import Interval, Opened, serve


class GreedyForest:
    """Predicts, and takes the best."""

    def __init__(self, opened: Opened) -> None:
        self.points = opened.points
        self.seed = opened.seed
        self.rows: list[int] = []
        self.merits: list[float] = []

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        if merits.shape[1] > 1:
            raise ValueError("a greedy forest has one objective")
        self.rows += rows
        self.merits += merits[:, 0].tolist()

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        forest = RandomForestRegressor(n_estimators=100, random_state=self.seed)
        forest.fit(self.points[self.rows], self.merits)
        predicted = forest.predict(self.points)
        predicted[self.rows] = -np.inf
        # many leaves are shared: ties go by chance, not by a candidate's place in the file
        tie = np.random.default_rng([self.seed, len(self.rows)]).random(len(predicted))
        return np.lexsort((tie, -predicted))[:n].tolist(), []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    serve(GreedyForest)
