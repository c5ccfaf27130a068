"""Every candidate that was not measured with the same probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from wire import Interval, Opened, serve


class RandomChoice:
    """Draws without replacement."""

    def __init__(self, opened: Opened) -> None:
        self.rng = np.random.default_rng([opened.seed, 4])
        self.left = np.ones(len(opened.points), dtype=bool)

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        self.left[list(rows)] = False

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        return self.rng.permutation(np.flatnonzero(self.left))[:n].tolist(), []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    serve(RandomChoice)
