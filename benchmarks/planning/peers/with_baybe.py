"""BayBE 0.15 at its defaults: a Campaign over the candidates as a discrete search space, its two-phase recommender.

As in the project's user guide (emdgroup.github.io/baybe, "Campaigns"; "Search spaces", ``SearchSpace.from_dataframe``).
Numbers are NumericalDiscreteParameters, names CategoricalParameters, names with descriptors CustomDiscreteParameters. What
was measured at random goes in by ``add_measurements``, after which the recommender is in its Bayesian phase. Left to itself
the campaign may measure a candidate again; as for every method here, that is switched off. Two objectives: ParetoObjective.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from baybe import Campaign
from baybe.objectives import ParetoObjective
from baybe.parameters import CategoricalParameter, CustomDiscreteParameter, NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget
from wire import Interval, Opened, serve


def parameter(column: dict[str, Any]) -> Any:
    """A column as BayBE's parameter."""
    values, table = column["values"], column["table"]
    if not isinstance(values[0], str):
        return NumericalDiscreteParameter(column["name"], sorted(set(values)))
    labels = sorted(set(values))
    if not table:
        return CategoricalParameter(column["name"], labels, encoding="OHE")
    described = pd.DataFrame([table[label] for label in labels], index=labels)
    described.columns = [f"d{i}" for i in range(described.shape[1])]
    return CustomDiscreteParameter(column["name"], described)


class BayBE:
    """Keeps the campaign, as the guide does."""

    def __init__(self, opened: Opened) -> None:
        columns = [c for c in opened.columns if len(set(c["values"])) > 1]
        self.table = pd.DataFrame({c["name"]: c["values"] for c in columns})
        self.targets = [f"merit {k + 1}" for k in range(opened.outcomes)]
        targets = [NumericalTarget(name) for name in self.targets]
        objective = targets[0].to_objective() if len(targets) == 1 else ParetoObjective(targets)
        space = SearchSpace.from_dataframe(self.table, [parameter(c) for c in columns])
        self.campaign = Campaign(space, objective, allow_recommending_already_measured=False)
        self.rows_of: dict[tuple[Any, ...], list[int]] = {}
        for row, key in enumerate(self.table.itertuples(index=False, name=None)):
            self.rows_of.setdefault(key, []).append(row)
        self.seed = opened.seed
        self.told: list[int] = []

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        measured = self.table.iloc[list(rows)].copy()
        for k, name in enumerate(self.targets):
            measured[name] = merits[:, k]
        self.campaign.add_measurements(measured)
        self.told += rows

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        with Settings(random_seed=1000 * self.seed + len(self.told)):
            found = self.campaign.recommend(batch_size=n)[list(self.table.columns)]
        chosen: list[int] = []
        for key in found.itertuples(index=False, name=None):
            chosen.append(next(r for r in self.rows_of[key] if r not in self.told and r not in chosen))
        return chosen, []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    serve(BayBE)
