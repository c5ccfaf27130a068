"""PHYSBO 3, discrete policy: exact Gaussian process, expected improvement, hyperparameters learnt at every ask.

As in the project's own example (github.com/issp-center-dev/PHYSBO, ``examples/simple.py``: random search, then
``bayes_search`` with ``score="EI"`` and all else at its default) and its page on interactive use (``simulator=None``). A
batch is ``num_search_each_probe``. The manual's ``physbo.misc.centering`` brings columns to one variance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import physbo
from wire import Interval, Opened, serve


class Physbo:
    """Keeps the policy of one campaign, as the manual does."""

    def __init__(self, opened: Opened) -> None:
        points = physbo.misc.centering(opened.points)
        if opened.outcomes > 1:
            raise ValueError("only one objective is compared with PHYSBO")
        self.policy = physbo.search.discrete.Policy(test_X=points)
        self.policy.set_seed(opened.seed)

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        self.policy.write(np.array(rows), merits[:, 0])

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        chosen = self.policy.bayes_search(
            max_num_probes=1, num_search_each_probe=n, simulator=None, score="EI", is_disp=False
        )
        return [int(row) for row in chosen], []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    serve(Physbo)
