"""BoTorch 0.18 at its defaults: SingleTaskGP, qLogNoisyExpectedImprovement, chosen over the list of candidates.

The model, its priors and its outcome transform are what ``SingleTaskGP`` takes when nothing is said; acquisition and pruning
of the baseline as in the project's closed-loop tutorial (botorch.org, "Closed-loop batch, constrained BO with qLogEI and
qLogNEI"), with ``optimize_acqf_discrete`` in place of ``optimize_acqf``. For two objectives a model each and
qLogNoisyExpectedHypervolumeImprovement, whose reference point BoTorch infers from the Pareto set.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf_discrete
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.mlls import ExactMarginalLogLikelihood, SumMarginalLogLikelihood
from wire import Interval, Opened, serve


class BoTorch:
    """Fits anew at every ask."""

    def __init__(self, opened: Opened) -> None:
        self.points = torch.tensor(opened.points, dtype=torch.double)
        self.rows: list[int] = []
        self.merits: list[list[float]] = []
        self.seed = opened.seed

    def tell(self, rows: Sequence[int], merits: np.ndarray) -> None:
        self.rows += rows
        self.merits += merits.tolist()

    def ask(self, n: int) -> tuple[list[int], list[Interval]]:
        torch.manual_seed(1000 * self.seed + len(self.rows))
        x, y = self.points[self.rows], torch.tensor(self.merits, dtype=torch.double)
        if y.shape[1] == 1:
            model = SingleTaskGP(x, y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            acquisition = qLogNoisyExpectedImprovement(model, X_baseline=x, prune_baseline=True)
        else:
            model = ModelListGP(*(SingleTaskGP(x, y[:, [k]]) for k in range(y.shape[1])))
            fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
            acquisition = qLogNoisyExpectedHypervolumeImprovement(
                model,
                ref_point=infer_reference_point(y[is_non_dominated(y)]),
                X_baseline=x,
                prune_baseline=True,
            )
        left = np.setdiff1d(np.arange(len(self.points)), self.rows)
        found, _ = optimize_acqf_discrete(acquisition, q=n, choices=self.points[left], unique=True)
        chosen: list[int] = []
        for point in found:
            distance = (self.points[left] - point).square().sum(dim=1).numpy()
            distance[np.isin(left, chosen)] = np.inf
            chosen.append(int(left[np.argmin(distance)]))
        return chosen, []

    def predict(self, rows: Sequence[int]) -> None:
        return None


if __name__ == "__main__":
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    serve(BoTorch)
