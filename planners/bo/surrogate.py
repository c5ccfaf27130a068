"""Gaussian processes of BoTorch, one a target, and the way between their scale and the targets' units."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gpytorch
import numpy as np
import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.gp_regression_mixed import MixedSingleTaskGP
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model import Model
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.models.multitask import MultiTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.utils.warnings import NumericalWarning
from linear_operator.utils.errors import NanError, NotPSDError
from torch import Tensor

from planners.bo.features import Encoding
from planners.bo.results import FEASIBLE, Column, Results

__all__ = [
    "ALGEBRA",
    "Outcome",
    "Surrogate",
    "fit_results",
    "joint_draws",
    "moments",
    "quiet_torch",
    "tensor",
]

# its stubs leave torch.linalg.LinAlgError out
ALGEBRA = (ModelFittingError, NotPSDError, NanError, torch.linalg.LinAlgError)  # type: ignore[attr-defined]
"""What a fit or a prediction raises where its matrices are too badly conditioned; never what a bug raises."""

_CHUNK = 4096
"""Rows predicted at a time."""

_LEAST_NOISE, _MOST_NOISE = 1e-4, 25.0
"""Bounds of known noise variances beside an output variance of 1: what keeps repeats of one candidate invertible, and an
error five times the whole spread, which already says nothing.
"""

_STEPS = 200
"""Steps of the optimiser behind a fit; fits that go wrong otherwise take thousands."""


def tensor(values: np.ndarray) -> Tensor:
    """An array of numbers as a tensor of doubles."""
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


@contextmanager
def quiet_torch(rng: np.random.Generator) -> Iterator[None]:
    """Torch on one thread, seeded from ``rng``, and as it was before when done; BoTorch's remarks on numerics are left out.

    Matrices of a hundred rows lose time to more threads, and sums come out in one order.
    """
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        for kind in (BotorchWarning, NumericalWarning, gpytorch.utils.warnings.GPInputWarning):
            warnings.simplefilter("ignore", kind)
        warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")
        warnings.filterwarnings("ignore", message="Optimization failed in `gen_candidates_scipy`")
        torch.manual_seed(int(rng.integers(2**62)))
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One target as the model sees it: ``value = centre + scale * output``.

    Args:
        noise: typical standard error of one measurement, in the target's unit, as reported or as the fit learned it.
    """

    target: str
    centre: float
    scale: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrogate:
    """Models of all targets together.

    Args:
        model: outputs in the order of ``outcomes``.
        outcomes: objectives and limits that have results, then feasibility where that is modelled.
        remarks: what did not go as it should, sentences.
    """

    model: Model
    outcomes: tuple[Outcome, ...]
    remarks: tuple[str, ...] = ()

    def index(self, target: str) -> int | None:
        """Place of a target among the outcomes; None where it has no results."""
        names = [outcome.target for outcome in self.outcomes]
        return names.index(target) if target in names else None

    def lengthscales(self) -> np.ndarray | None:
        """Of the first outcome, one a column; None where its kernel has no single set."""
        model: Any = self.model.models[0] if isinstance(self.model, ModelListGP) else self.model
        scales = getattr(model.covar_module, "lengthscale", None)
        return None if scales is None else np.asarray(scales.detach().numpy()).ravel()

    def predict(self, X: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of true values: n x d -> n x outcomes each, in the targets' units."""
        centre = np.array([outcome.centre for outcome in self.outcomes])
        scale = np.array([outcome.scale for outcome in self.outcomes])
        means, sds = [], []
        with torch.no_grad():
            for part in torch.split(X, _CHUNK):
                mean, sd = moments(self.model, part)
                means.append(mean.numpy())
                sds.append(sd.numpy())
        return centre + scale * np.vstack(means), scale * np.vstack(sds)


def moments(model: Model, X: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of outputs, one row at a time: ... x d -> ... x outcomes each."""
    posterior: Any = model.posterior(X)
    return posterior.mean, posterior.variance.clamp_min(1e-12).sqrt()


def fit_results(results: Results, encoding: Encoding, tasks: Sequence[tuple[str, Column]] = ()) -> Surrogate:
    """One Gaussian process a target, with BoTorch's defaults.

    Errors that are reported are the noise; otherwise noise is learned. A fit that fails leaves lengthscales and noise where
    their priors expect them, and a remark.

    Args:
        results: at least one column; one without results needs past ones of its target.
        tasks: target and results of earlier campaigns, each a task beside this one.
    """
    fitted: list[GPyTorchModel] = []
    outcomes, remarks = [], []
    columns = [*results.columns.items()]
    if results.feasible is not None:
        columns.append((FEASIBLE, results.feasible))
    for target, column in columns:
        past = [there for name, there in tasks if name == target]
        model, outcome, remark = _fit(target, column, past, encoding)
        fitted.append(model)
        outcomes.append(outcome)
        remarks += [remark] if remark else []
    model = fitted[0] if len(fitted) == 1 else ModelListGP(*fitted)
    return Surrogate(model=model, outcomes=tuple(outcomes), remarks=tuple(remarks))


def _fit(
    target: str, column: Column, past: Sequence[Column], encoding: Encoding
) -> tuple[GPyTorchModel, Outcome, str]:
    centre, scale = _centre_and_scale(column.values, past)
    outputs = [(column.values - centre) / scale]
    X = [encoding.encode(column.candidates)]
    for there in past:
        own_centre, own_scale = _centre_and_scale(there.values, [])
        outputs.append((there.values - own_centre) / own_scale)
        X.append(encoding.encode(there.candidates))
    scales = [scale, *(_centre_and_scale(there.values, [])[1] for there in past)]
    known = [c.errors for c in (column, *past)]
    relative = [(errors / s) ** 2 for errors, s in zip(known, scales, strict=True) if errors is not None]
    variances = relative if len(relative) == len(known) else None

    def made() -> GPyTorchModel:
        return _model(X, outputs, variances, encoding.categorical)

    remark = ""
    try:
        model = made()
        mll = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": _STEPS}})
        model.posterior(tensor(np.vstack(X)[:1]))
    except ALGEBRA:
        model = made()
        model.eval()
        remark = f"the fit to {target.replace('_', ' ')} failed, so its model is the one expected before any result"
    likelihood: Any = model.likelihood
    learned = float(likelihood.noise.detach().mean().sqrt()) * scale
    noise = learned if column.errors is None else float(np.median(column.errors))
    return model, Outcome(target=target, centre=centre, scale=scale, noise=noise), remark


def _model(
    X: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    variances: Sequence[np.ndarray] | None,
    categorical: tuple[int, ...],
) -> GPyTorchModel:
    """The model that suits the columns; the first of ``X`` is this campaign, any others are tasks beside it."""
    y = tensor(np.concatenate(outputs))[:, None]
    noise = None
    if variances is not None:
        noise = tensor(np.concatenate(variances))[:, None].clamp(_LEAST_NOISE, _MOST_NOISE)
    rows = tensor(np.vstack(X))
    if len(X) > 1:
        task = tensor(np.concatenate([np.full(len(x), float(i)) for i, x in enumerate(X)]))[:, None]
        return MultiTaskGP(
            torch.cat([rows, task], dim=1),
            y,
            task_feature=-1,
            train_Yvar=noise,
            output_tasks=[0],
            all_tasks=list(range(len(X))),
            outcome_transform=None,
            validate_task_values=False,
        )
    if categorical:
        return MixedSingleTaskGP(rows, y, list(categorical), noise, outcome_transform=None)
    return SingleTaskGP(rows, y, noise, outcome_transform=None)


def _centre_and_scale(values: np.ndarray, past: Sequence[Column]) -> tuple[float, float]:
    """Mean and standard deviation; of earlier campaigns' values where these are too few to have one."""
    if len(values):
        centre, spread = float(values.mean()), float(values.std())
    else:
        centre, spread = float(np.median([there.values.mean() for there in past])), 0.0
    if len(values) < 3 and past:
        spread = max(spread, float(np.median([there.values.std() for there in past])))
    if not np.isfinite(spread) or spread <= 1e-12 * max(abs(centre), 1e-290):
        spread = max(abs(centre), 1.0) if len(values) < 2 else max(0.1 * abs(centre), 1e-3)
    return centre, spread


def joint_draws(surrogate: Surrogate, outcome: int, X: np.ndarray, count: int) -> np.ndarray:
    """True values of rows together, in the outcome's unit: n x d -> count x n."""
    whole: Any = surrogate.model
    model = whole.models[outcome] if isinstance(surrogate.model, ModelListGP) else whole
    with torch.no_grad():
        draws = model.posterior(tensor(X)).rsample(torch.Size([count]))[..., 0].numpy()
    values: np.ndarray = surrogate.outcomes[outcome].centre + surrogate.outcomes[outcome].scale * draws
    return values
