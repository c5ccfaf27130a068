"""What results say of a mechanism's parameters: a Pyro model, and draws from its posterior.

Draws come by importance resampling: candidates from a Student distribution around the mode, fitted to the
weighted draws a few times over, weighed by the model's density, and resampled; where that is worth too few draws, as with
many groups of few results, chains go on from them. That takes a second where NUTS takes tens; a test holds the two against
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyro
import torch
from pyro import distributions as dist
from pyro import poutine
from pyro.poutine.util import site_is_subsample
from scipy.optimize import minimize
from torch import Tensor

from planners.mechanistic.mechanisms import Curve, Prior

__all__ = ["Design", "Draws", "MechanisticModel", "posterior_draws", "prior_draws"]

_STARTS = 6
"""Points that the search for the mode begins from: the prior's centre and draws from it."""

_PROPOSED, _ROUNDS, _MORE_ROUNDS = 1500, 3, 6
_ENOUGH = 300
"""Draws that proposals must be worth; else chains go on from them."""

_CHAINS, _CHAIN_STEPS, _FLATTENED = 500, 500, 0.2

_FREEDOM = 5.0
"""Of the Student distribution that draws are proposed from: heavier tails than any posterior here has."""

_NOISE = (float(np.log(0.04)), 0.8)
"""Of the logarithm of what errors leave unexplained, as a share of the target's scale: a few percent, give or take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Points at which the target is or would be measured.

    Args:
        inputs: name -> (n,).
        groups: (n,), index of each point's group; all 0 without groups.
    """

    inputs: Mapping[str, Tensor]
    groups: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanisticModel:
    """A mechanism with its priors, as a Pyro model; the target in units of its scale.

    Args:
        group_count: G; 1 without groups.
        varies: parameters that each group has its own of, drawn around a common value (partial pooling).
    """

    curve: Curve
    priors: tuple[Prior, ...]
    group_count: int = 1
    varies: tuple[str, ...] = ()

    def __call__(self, design: Design, errors: Tensor, values: Tensor | None = None) -> Tensor:
        """The Pyro model.

        Args:
            errors: (n,), known standard errors.
            values: (n,), measured; drawn where None.
        """
        working = {p.name: pyro.sample(p.name, dist.Normal(p.mean, p.sd)) for p in self.priors}
        for prior in self.priors:
            if prior.name in self.varies:
                # a third of the prior's own width, give or take a factor of two
                spread = pyro.sample(f"{prior.name}_spread", dist.Normal(float(np.log(prior.sd / 3.0)), 0.7))
                with pyro.plate(f"{prior.name}_groups", self.group_count, dim=-1):
                    own = pyro.sample(f"{prior.name}_own", dist.Normal(working[prior.name], spread.exp()))
                working[prior.name] = own[..., design.groups]
        noise = pyro.sample("noise", dist.Normal(*_NOISE)).exp()
        mean = self.curve(self.natural(working), design.inputs)
        with pyro.plate("results", len(design.groups), dim=-1):
            return pyro.sample("values", dist.Normal(mean, (noise**2 + errors**2).sqrt()), obs=values)

    def natural(self, working: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters from their working scale."""
        return {p.name: working[p.name].exp() if p.log else working[p.name] for p in self.priors}

    @property
    def sites(self) -> tuple[tuple[str, int], ...]:
        """What the posterior is of: name and length, in the order of a draw's numbers."""
        found = [(p.name, 1) for p in self.priors]
        for name in self.varies:
            found += [(f"{name}_spread", 1), (f"{name}_own", self.group_count)]
        return (*found, ("noise", 1))

    def split(self, draws: Tensor) -> dict[str, Tensor]:
        """Draws (S x d) by site: S x 1 or S x G."""
        widths = [width for _, width in self.sites]
        parts = torch.split(draws, widths, dim=-1)
        return {name: part for (name, _), part in zip(self.sites, parts, strict=True)}

    def log_density(self, draws: Tensor, design: Design, errors: Tensor, values: Tensor) -> Tensor:
        """Log of prior times likelihood of draws: S x d -> (S,)."""
        held = poutine.condition(_many(self, len(draws)), data=self.split(draws))
        trace = poutine.trace(held).get_trace(design, errors, values)
        trace.compute_log_prob()
        total = torch.zeros(len(draws), dtype=draws.dtype)
        for site in trace.nodes.values():
            if site["type"] == "sample" and not site_is_subsample(site):
                total = total + site["log_prob"].reshape(len(draws), -1).sum(dim=-1)
        return total

    def means(self, draws: Tensor, design: Design) -> Tensor:
        """The curve at points, by draws: S x n."""
        return self.curve(self.natural(self.working(draws, design.groups)), design.inputs)

    def working(self, draws: Tensor, groups: Tensor) -> dict[str, Tensor]:
        """Parameters of each point's group, on their working scale: S x 1, or S x n for those that vary."""
        sites = self.split(draws)
        found = {p.name: sites[p.name] for p in self.priors}
        for name in self.varies:
            found[name] = sites[f"{name}_own"][:, groups]
        return found


def _many(model: MechanisticModel, count: int) -> Callable[[Design, Tensor, Tensor], None]:
    """The model over ``count`` draws at once."""

    def run(design: Design, errors: Tensor, values: Tensor) -> None:
        with pyro.plate("draws", count, dim=-2):
            model(design, errors, values)

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """From the posterior.

    Args:
        values: S x d, as :attr:`MechanisticModel.sites` orders them.
        effective: how many independent draws the proposals were worth.
    """

    values: Tensor
    effective: float = field(default=float("inf"))


def prior_draws(model: MechanisticModel, count: int) -> Draws:
    """Before anything was measured."""
    centre, spread = _prior(model)
    drawn = centre + spread * torch.randn(count, len(centre), dtype=torch.double)
    return Draws(values=_widened(model, model.split(drawn), torch.empty(0, dtype=torch.long)))


def _widened(model: MechanisticModel, drawn: Mapping[str, Tensor], kept: Tensor) -> Tensor:
    """Draws of all groups, from draws of some: what others are is drawn from what groups have in common.

    Args:
        drawn: site -> S x 1, or of groups S x len(kept) at least.
        kept: groups that were drawn.
    """
    parts = []
    for name, width in model.sites:
        part = drawn[name]
        if name.endswith("_own"):
            common, spread = drawn[name.removesuffix("_own")], drawn[name.removesuffix("own") + "spread"]
            own = common + spread.exp() * torch.randn(len(part), width, dtype=part.dtype)
            own[:, kept] = part[:, : len(kept)]
            part = own
        parts.append(part)
    return torch.cat(parts, dim=-1)


def posterior_draws(
    model: MechanisticModel, design: Design, errors: Tensor, values: Tensor, count: int
) -> Draws:
    """``count`` draws, from the prior where there are no values.

    Groups without results do not take part: what they are follows from what the others have in common.

    Args:
        errors, values: (n,), in units of the target's scale.
    """
    if not len(values):
        return prior_draws(model, count)
    kept, places = torch.unique(design.groups, return_inverse=True)
    whole, model = model, replace(model, group_count=len(kept))
    design = replace(design, groups=places)
    centre, root = _laplace(model, design, errors, values)
    weights = ratio = torch.ones(1, dtype=torch.double)
    proposed = centre[None, :]
    for _ in range(_ROUNDS if not model.varies else _MORE_ROUNDS):
        student = dist.MultivariateStudentT(_FREEDOM, centre, scale_tril=root)
        proposed = student.sample(torch.Size([_PROPOSED]))
        with torch.no_grad():
            ratio = model.log_density(proposed, design, errors, values) - student.log_prob(proposed)
        ratio = torch.nan_to_num(ratio, nan=-1e30, posinf=-1e30, neginf=-1e30)
        # the largest few weights are held at the square root of their number over the mean (Ionides, J. Comput. Graph. Stat.
        # 17 (2008) 295), so that no draw stands for all
        weights = torch.softmax(ratio, dim=0).clamp_max(_PROPOSED**-0.5)
        weights = weights / weights.sum()
        centre, root = _moments(proposed, weights, root)
    effective = float(1.0 / weights.square().sum())
    drawn = proposed[torch.multinomial(weights, count, replacement=True)]
    if effective < _ENOUGH:
        # chains begin farther apart than they will end: weights are flattened
        flat = torch.softmax(_FLATTENED * ratio, dim=0)
        wide = proposed[torch.multinomial(flat, count, replacement=True)]
        drawn = _moved(model, wide, (design, errors, values))
    if whole.varies:
        drawn = _widened(whole, model.split(drawn), kept)
    return Draws(values=drawn, effective=effective)


def _moved(model: MechanisticModel, draws: Tensor, results: tuple[Design, Tensor, Tensor]) -> Tensor:
    """Draws after chains that begin at some of them, where the proposals were worth too few: as many as before.

    Each chain steps along the difference of two others (differential evolution; ter Braak, Stat. Comput. 16 (2006) 239).
    """
    chains = draws[torch.randperm(len(draws))[:_CHAINS]].clone()
    n, d = chains.shape
    with torch.no_grad():
        density = torch.nan_to_num(model.log_density(chains, *results), nan=-torch.inf)
        kept = []
        for step in range(1, _CHAIN_STEPS + 1):
            first = (torch.arange(n) + torch.randint(1, n, (n,))) % n
            second = (torch.arange(n) + torch.randint(1, n, (n,))) % n
            # a whole difference now and then, so that chains jump between modes
            length = 2.38 / (2.0 * d) ** 0.5 if step % 10 else 1.0
            tried = chains + length * (chains[first] - chains[second])
            tried = tried + 1e-4 * chains.std(dim=0) * torch.randn(n, d, dtype=chains.dtype)
            there = torch.nan_to_num(model.log_density(tried, *results), nan=-torch.inf)
            better = torch.rand(n, dtype=chains.dtype).log() < there - density
            chains = torch.where(better[:, None], tried, chains)
            density = torch.where(better, there, density)
            if step > _CHAIN_STEPS // 2 and step % 20 == 0:
                kept.append(chains)
    every = torch.cat(kept)
    return every[torch.randperm(len(every))[torch.arange(len(draws)) % len(every)]]


def _prior(model: MechanisticModel) -> tuple[Tensor, Tensor]:
    """Centre and spread of every number of a draw."""
    by_name = {p.name: (p.mean, p.sd) for p in model.priors} | {"noise": _NOISE}
    for prior in model.priors:
        by_name[f"{prior.name}_spread"] = (float(np.log(prior.sd / 3.0)), 0.7)
        by_name[f"{prior.name}_own"] = (prior.mean, prior.sd)
    rows = [by_name[name] for name, width in model.sites for _ in range(width)]
    centre, spread = torch.tensor(rows, dtype=torch.double).T
    return centre, spread


def _laplace(
    model: MechanisticModel, design: Design, errors: Tensor, values: Tensor
) -> tuple[Tensor, Tensor]:
    """The highest of several modes, and the root of the covariance that the curvature there gives."""
    centre, spread = _prior(model)
    starts = centre + spread * torch.randn(_STARTS, len(centre), dtype=torch.double)
    starts[0] = centre
    lost = 1e30

    def log_density(points: Tensor) -> Tensor:
        """With groups as steps away from what they have in common: else the highest point is where all groups are one."""
        spreads = [part for name, part in model.split(points).items() if name.endswith("_spread")]
        return model.log_density(points, design, errors, values) + model.group_count * sum(
            part[:, 0] for part in spreads
        )

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        points = torch.tensor(flat.reshape(_STARTS, -1), requires_grad=True)
        density = torch.nan_to_num(log_density(points), nan=-lost, neginf=-lost)
        (slope,) = torch.autograd.grad(-density.sum(), points)
        return -float(density.detach().sum()), torch.nan_to_num(slope).numpy().ravel()

    found = minimize(objective, starts.numpy().ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    modes = torch.tensor(found.x.reshape(_STARTS, -1))
    with torch.no_grad():
        best = modes[torch.nan_to_num(log_density(modes), nan=-lost).argmax()]

    def negative(point: Tensor) -> Tensor:
        return -log_density(point[None, :])[0]

    curvature: Tensor = torch.func.hessian(negative)(best)
    level, axes = torch.linalg.eigh(torch.nan_to_num(0.5 * (curvature + curvature.T)))
    # a direction that the results say nothing about, or where the mode is no mode, keeps the width of the prior
    level = level.clamp_min(0.25 / float(spread.max()) ** 2)
    covariance = axes @ torch.diag(1.0 / level) @ axes.T
    return best, _root(covariance)


def _moments(draws: Tensor, weights: Tensor, root: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and root of the covariance of weighted draws; the root stays where too few of them count."""
    mean = weights @ draws
    if float(1.0 / weights.square().sum()) < 5.0 * draws.shape[1]:
        return mean, root
    away = draws - mean
    return mean, _root((weights[:, None] * away).T @ away)


def _root(covariance: Tensor) -> Tensor:
    scale = covariance.diagonal().clamp_min(1e-12).sqrt()
    level, axes = torch.linalg.eigh(covariance / scale[:, None] / scale[None, :])
    kept = axes @ torch.diag(level.clamp_min(1e-6)) @ axes.T
    return torch.linalg.cholesky(0.5 * (kept + kept.T)) * scale[:, None]
