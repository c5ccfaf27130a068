"""Trust regions: a search that stays near the best found and widens or narrows with success, for spaces of many dimensions.

Eriksson, Pearce, Gardner, Turner, Poloczek, "Scalable global optimization via local Bayesian optimization", NeurIPS 2019,
with one region at a time, and an acquisition function in place of Thompson sampling. Planners keep nothing, so the region is
worked out from history at every ask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab.errors import BadInput
from lab.types import Campaign
from planners.bo.box import Box
from planners.bo.planner import Ask, BotorchPlanner, BotorchSettings, Region
from planners.bo.results import Results, violations

if TYPE_CHECKING:
    from planners.bo.surrogate import Surrogate

__all__ = ["TrustRegion", "TurboPlanner", "TurboSettings", "trust_region"]

_FIRST, _SMALLEST, _LARGEST = 0.8, 0.5**7, 1.6
"""Side of the region in units of the space: at first, when it is given up, and at most (Eriksson et al., section 2)."""

_SUCCESSES = 3
"""Batches in a row that better the best before the side is doubled."""

_ENOUGH = 100
"""Candidates that the region takes in at least, nearest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRegion:
    """Where the search stands.

    Args:
        side: of the region.
        begun: results that belong to regions given up; the present one rests on those after.
        successes, failures: batches in a row that bettered the best by more than a thousandth, or did not.
    """

    side: float
    begun: int
    successes: int
    failures: int


class TurboSettings(BotorchSettings):
    """As those of ``botorch``; ``designed`` holds for every new region."""


class TurboPlanner(BotorchPlanner):
    """Looks within a trust region around the best since the region began."""

    name = "turbo"

    def __init__(self, settings: TurboSettings) -> None:
        super().__init__(settings)

    def ready(self, results: Results, campaign: Campaign) -> bool:
        """Whether the present region has had its first experiments.

        Raises:
            BadInput: the goal is not one target's largest, smallest or nearest value.
        """
        goal = campaign.goal
        if goal.also or goal.direction in ("exceed", "map"):
            what = "several objectives" if goal.also else f"to {goal.direction} a target"
            raise BadInput(
                f"The planner turbo looks for one best candidate, and the goal is {what}.",
                way_out="Choose the planner botorch.",
                field="planner.name",
            )
        known = results.columns.get(goal.target)
        if known is None:
            return False
        region = self._region(results, campaign)
        return len(known.values) - region.begun + len(results.pending) >= self.settings.designed

    def among(self, X: np.ndarray, results: Results, surrogate: Surrogate, ask: Ask) -> Region:
        """Candidates within the region; the nearest, where it holds too few."""
        known = results.columns[ask.campaign.goal.target]
        region = self._region(results, ask.campaign)
        merits = _merits(results, ask.campaign)
        # where a new region has only pending results, it is centred on the best of all
        begun = region.begun if region.begun < len(merits) else 0
        at = begun + int(np.argmax(merits[begun:]))
        centre = ask.encoding.encode([known.candidates[at]])[0]
        sides = region.side * _weights(surrogate, X.shape[1])
        sides[list(ask.encoding.categorical)] = np.inf
        distance = np.abs(X - centre) / sides
        inside = distance.max(axis=1) <= 0.5
        wanted = min(len(X), max(_ENOUGH, 10 * ask.turn.wanted))
        if inside.sum() < wanted:
            inside = np.zeros(len(X), dtype=bool)
            inside[np.argsort(np.square(distance).sum(axis=1), kind="stable")[:wanted]] = True
        broken = violations(ask.campaign.goal, results, [known.candidates[at]])[0] > 0.0
        what = "what breaks the limits least" if broken else "the best"
        remark = f"kept near {known.candidates[at].id}, {what} since this search began"
        box = np.array([centre - 0.5 * sides, centre + 0.5 * sides])
        return Region(
            rows=np.flatnonzero(inside), remark=remark, box=box if isinstance(ask.encoding, Box) else None
        )

    def _region(self, results: Results, campaign: Campaign) -> TrustRegion:
        merits = _merits(results, campaign)
        return trust_region(merits, campaign.batch_size, _dimensions(campaign), self.settings.designed)


def _merits(results: Results, campaign: Campaign) -> np.ndarray:
    """Of the results of the goal's target: (n,). Those that break a limit come below all that keep to them, the less they
    break the higher, as in Eriksson and Poloczek, "Scalable constrained Bayesian optimization", AISTATS 2021.
    """
    known = results.columns[campaign.goal.target]
    merits = np.array([campaign.goal.merit(float(v)) for v in known.values])
    over = violations(campaign.goal, results, known.candidates)
    below = merits.min() - over * (float(np.ptp(merits)) or 1.0)
    return np.where(over > 0.0, below, merits)


def trust_region(merits: np.ndarray, batch: int, dimensions: int, designed: int) -> TrustRegion:
    """The region that results leave behind.

    Args:
        merits: (n,), larger is better, in the order of asking.
        batch: experiments that are judged together.
        designed: results that begin a region and are not judged.
    """
    patience = math.ceil(max(4.0 / batch, dimensions / batch))
    begun, at = 0, designed
    side, successes, failures = _FIRST, 0, 0
    while at + batch <= len(merits):
        best = float(merits[begun:at].max())
        reached = float(merits[at : at + batch].max())
        if reached > best + 1e-3 * abs(best):
            successes, failures = successes + 1, 0
        else:
            successes, failures = 0, failures + 1
        if successes == _SUCCESSES:
            side, successes = min(2.0 * side, _LARGEST), 0
        elif failures == patience:
            side, failures = 0.5 * side, 0
        at += batch
        if side < _SMALLEST:
            begun, at = at, at + designed
            side, successes, failures = _FIRST, 0, 0
    return TrustRegion(side=side, begun=begun, successes=successes, failures=failures)


def _dimensions(campaign: Campaign) -> int:
    """Values and sites that may differ."""
    space = campaign.space
    if space is not None:
        return len(space.names) + (len(space.sites.positions) if space.sites else 0)
    pool = campaign.candidates
    names = {name for candidate in pool for name in candidate.values}
    values = sum(len({repr(candidate.values.get(name)) for candidate in pool}) > 1 for name in names)
    sites = sum(len(set(column)) > 1 for column in zip(*(c.sequence for c in pool), strict=False))
    return max(values + sites, 1)


def _weights(surrogate: Surrogate, d: int) -> np.ndarray:
    """Sides of the region relative to each other, (d,): lengthscales over their geometric mean; 1 where there are none."""
    scales = surrogate.lengthscales()
    if scales is None or len(scales) != d:
        return np.ones(d)
    weights: np.ndarray = scales / np.exp(np.log(scales).mean())
    return weights
