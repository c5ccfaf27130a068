"""What a candidate is worth measuring, by the goal: BoTorch's acquisition functions, and two of ours in its form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.utils import prune_inferior_points
from botorch.models.model import Model
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from botorch.utils.transforms import t_batch_mode_transform
from torch import Tensor
from torch.special import log_ndtr

from lab.types import Goal, Objective
from planners.bo.results import FEASIBLE
from planners.bo.surrogate import Outcome, Surrogate, moments

__all__ = ["Acquisitions"]

# BoTorch 0.18 would otherwise compile C++ when the first of these is made: a minute, and a compiler, for a second saved
logei._load_attempted = True

_SAMPLES = 128
"""Quasi-random draws behind an acquisition value; a quarter of them from three objectives on, whose fronts take long."""

_MAP_POINTS = 128
"""Points over which the variance of a map is averaged."""


class Acquisitions:
    """Acquisition functions of one ask, which differ in what is on its way.

    One objective: qLogNEI (Ament et al., NeurIPS 2023). Several: qLogNEHVI (Daulton, Balandat, Bakshy, NeurIPS 2021; Ament
    et al. 2023). Limits, and feasibility where it is modelled, are outcome constraints of both. To exceed a level: the log
    probability of that. To map: how much variance the measurement takes from the whole space (Seo et al., IJCNN 2000).

    Args:
        surrogate: fitted, with the goal's first target among its outcomes.
        baseline: n x d, what was measured.
        space: m x d, candidates all over the space.
    """

    def __init__(self, goal: Goal, surrogate: Surrogate, baseline: Tensor, space: Tensor, seed: int) -> None:
        self._surrogate, self._seed = surrogate, seed
        self._terms = [
            (i, surrogate.outcomes[i], o)
            for o in goal.objectives
            if (i := surrogate.index(o.target)) is not None
        ]
        self._bounds = _bounds(goal, surrogate)
        self._constraints: list[Callable[[Tensor], Tensor]] | None = [*self._bounds] or None
        self._baseline, self._points = baseline, space
        direction = goal.direction
        if direction == "map":
            self.name = "variance_reduction"
            self._points = space[torch.randperm(len(space))[:_MAP_POINTS]]
        elif direction == "exceed":
            self.name = "log_probability"
        elif len(self._terms) == 1:
            self.name = "qLogNEI"
            self._baseline = prune_inferior_points(
                surrogate.model, baseline, self._objective(), constraints=self._constraints
            )
        else:
            self.name = "qLogNEHVI"
            self._reference = self._reference_point()

    def at(self, pending: Tensor | None) -> AcquisitionFunction:
        """The function when candidates (m x d, or None) are on their way."""
        model = self._surrogate.model
        draws = _SAMPLES if len(self._terms) < 3 else _SAMPLES // 4
        sampler = SobolQMCNormalSampler(torch.Size([draws]), seed=self._seed)
        if self.name == "variance_reduction":
            return VarianceReduction(model, self._points, pending, self._surrogate.outcomes[0])
        if self.name == "log_probability":
            return LogProbability(model, self._margins())
        if self.name == "qLogNEI":
            return qLogNoisyExpectedImprovement(
                model,
                self._baseline,
                sampler=sampler,
                objective=self._objective(),
                X_pending=pending,
                constraints=self._constraints,
                prune_baseline=False,
            )
        return logei.qLogNoisyExpectedHypervolumeImprovement(
            model,
            self._reference,
            self._baseline,
            sampler=sampler,
            objective=GenericMCMultiOutputObjective(self._all_merits),
            constraints=self._constraints,
            X_pending=pending,
            prune_baseline=True,
        )

    def merits(self, outputs: Tensor) -> Tensor:
        """Outputs (... x outcomes) -> how good each objective is: ... x objectives, larger is better, scale about 1."""
        return torch.stack([_merit(outputs[..., i], outcome, o) for i, outcome, o in self._terms], dim=-1)

    def _objective(self) -> GenericMCObjective:
        return GenericMCObjective(self._first_merit)

    def _first_merit(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        return self.merits(samples)[..., 0]

    def _all_merits(self, samples: Tensor, X: Tensor | None = None) -> Tensor:
        return self.merits(samples)

    def _margins(self) -> list[tuple[int, float, float]]:
        """Outcome, sign and bound, on the model's scale, of the level to exceed and of all limits."""
        found = []
        for i, outcome, objective in self._terms:
            assert objective.level is not None
            found.append((i, 1.0, (objective.level - outcome.centre) / outcome.scale))
        return found + [(b.index, b.sign, b.bound) for b in self._bounds]

    def _reference_point(self) -> Tensor:
        """A tenth of the front's range below its worst merits, as the model believes them."""
        with torch.no_grad():
            merits = self.merits(moments(self._surrogate.model, self._baseline)[0])
        return infer_reference_point(merits[is_non_dominated(merits)])


class _Bound:
    """``sign * output >= sign * bound`` as BoTorch wants it: samples to what must not exceed 0."""

    def __init__(self, index: int, sign: float, bound: float) -> None:
        self.index, self.sign, self.bound = index, sign, bound

    def __call__(self, samples: Tensor) -> Tensor:
        return self.sign * (self.bound - samples[..., self.index])


def _bounds(goal: Goal, surrogate: Surrogate) -> list[_Bound]:
    found = []
    for limit in goal.limits:
        i = surrogate.index(limit.target)
        if i is None:
            continue
        outcome = surrogate.outcomes[i]
        for level, sign in ((limit.at_least, 1.0), (limit.at_most, -1.0)):
            if level is not None:
                found.append(_Bound(i, sign, (level - outcome.centre) / outcome.scale))
    if (i := surrogate.index(FEASIBLE)) is not None:
        outcome = surrogate.outcomes[i]
        found.append(_Bound(i, 1.0, (0.5 - outcome.centre) / outcome.scale))
    return found


def _merit(output: Tensor, outcome: Outcome, objective: Objective) -> Tensor:
    """As :meth:`lab.goals.Objective.merit`, of outputs, on their scale."""
    if objective.direction == "hit":
        assert objective.level is not None
        return -(output - (objective.level - outcome.centre) / outcome.scale).abs()
    return objective.sign * output


class LogProbability(AcquisitionFunction):
    """Log probability that outcomes keep to bounds, taken as independent.

    Candidates to exceed a level are counted one by one, so what is on its way does not change it.

    Args:
        margins: outcome, sign and bound on the model's scale.
    """

    def __init__(self, model: Model, margins: list[tuple[int, float, float]]) -> None:
        super().__init__(model)
        self._model = model
        self._margins = margins

    @t_batch_mode_transform(expected_q=1)  # type: ignore[arg-type]  # its type knows no subclasses
    def forward(self, X: Tensor) -> Tensor:
        """``b x 1 x d`` -> (b,)."""
        mean, sd = (part[..., 0, :] for part in moments(self._model, X))
        terms = [log_ndtr(sign * (mean[..., i] - bound) / sd[..., i]) for i, sign, bound in self._margins]
        return torch.stack(terms).sum(dim=0)


class VarianceReduction(AcquisitionFunction):
    """Log of the variance, averaged over points of the space, that measuring takes away from the first outcome.

    Args:
        points: m x d.
        pending: p x d, measured before as it were; None for none.
    """

    def __init__(self, model: Model, points: Tensor, pending: Tensor | None, outcome: Outcome) -> None:
        super().__init__(model)
        self._first_model: Any = model.models[0] if isinstance(model, ModelListGP) else model
        self._points = points
        self._first = points[:0] if pending is None else pending
        self._noise = float(np.clip((outcome.noise / outcome.scale) ** 2, 1e-4, 25.0))

    @t_batch_mode_transform(expected_q=1)  # type: ignore[arg-type]  # its type knows no subclasses
    def forward(self, X: Tensor) -> Tensor:
        """``b x 1 x d`` -> (b,)."""
        rest = torch.cat([self._first, self._points])
        joint = self._first_model.posterior(torch.cat([X, rest.expand(*X.shape[:-2], *rest.shape)], dim=-2))
        covariance = joint.distribution.covariance_matrix
        k = 1 + len(self._first)
        among = covariance[..., :k, :k] + self._noise * torch.eye(k, dtype=X.dtype)
        cross = covariance[..., :k, k:]
        told = torch.cholesky_solve(cross, torch.linalg.cholesky(among)) * cross
        return told.sum(dim=-2).mean(dim=-1).clamp_min(1e-12).log()
