"""How much each thing in which candidates differ matters, as far as a planner knows.

It is Sobol's total index (I. M. Sobol', Math. Comput. Simul. 55 (2001) 271-280; estimator of M. J. W. Jansen, Comput. Phys.
Commun. 117 (1999) 35-43): the share of all differences over the space in which a parameter has a part, alone or with others.
It is worked out for functions drawn from the posterior (A. Marrel et al., Reliab. Eng. Syst. Saf. 94 (2009) 742-751), so
that its interval says how sure the planner is, which no index of the posterior mean, and no lengthscale, can. Features of
pretrained models have no index of their own: it is the declared parameters that are changed, whatever a model makes of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lab.interfaces import Planner
from lab.spaces import Candidate
from lab.types import Campaign, History
from planners.axes import Landscape
from planners.landscapes import Given, Singles, landscape_of
from planners.posterior import posterior

__all__ = ["Importance", "Importances", "importances"]

_MOST = 2400
"""Candidates whose values are drawn together; their matrices take a few seconds."""

_LEAST_MOVED, _MOST_MOVED = 12, 320
"""Candidates that are moved along every axis."""

_BASES = 400
"""Candidates over which all differences are taken, and from which coordinates are drawn."""

_DRAWS = 200
"""Functions drawn from the posterior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """How much one parameter, ingredient, value or site matters to a target.

    Args:
        share: 0 to 1; of what, :class:`Importances` says.
        change: in the target's unit; by how much the value typically differs (root mean square) when only this does.
        share_low, share_high, change_low, change_high: hold it with a probability of 95 %.
    """

    name: str
    share: float
    share_low: float
    share_high: float
    change: float
    change_low: float
    change_high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Importances:
    """How much each axis of a campaign matters.

    Args:
        measure: what a share is of, in a sentence.
        targets: target -> importances, most first.
    """

    measure: str
    targets: Mapping[str, tuple[Importance, ...]]


def importances(
    planner: Planner, campaign: Campaign, history: History, rng: np.random.Generator
) -> Importances | None:
    """How much each axis of a campaign matters to each target.

    Returns:
        None while too little was measured for a model.

    Raises:
        BadInput: nothing varies, and whatever :func:`posterior` refuses.
    """
    landscape = landscape_of(campaign, history)
    own = np.random.default_rng(campaign.seed)
    measure: _Total | _Effects | _Between
    if isinstance(landscape, Singles):
        asked, measure = _of_positions(landscape, own)
    elif isinstance(landscape, Given):
        asked, measure = _between(landscape, own)
    else:
        asked, measure = _of_axes(landscape, own, _MOST // 4 if campaign.models else _MOST)
    beliefs = posterior(planner, campaign, history, asked, rng, draws=_DRAWS)
    if beliefs is None:
        return None
    found = {}
    for target, of_target in beliefs.items():
        assert of_target.draws is not None
        told = [_importance(name, share, change) for name, share, change in measure.of(of_target.draws)]
        found[target] = tuple(sorted(told, key=lambda one: -one.share))
    return Importances(measure=measure.sentence, targets=found)


def _importance(name: str, share: np.ndarray, change: np.ndarray) -> Importance:
    """From one number a draw."""
    share_low, middle, share_high = np.quantile(np.minimum(share, 1.0), (0.025, 0.5, 0.975))
    change_low, typical, change_high = np.quantile(change, (0.025, 0.5, 0.975))
    return Importance(
        name=name,
        share=float(middle),
        share_low=float(share_low),
        share_high=float(share_high),
        change=float(typical),
        change_low=float(change_low),
        change_high=float(change_high),
    )


Told = list[tuple[str, np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Total:
    """Total indices from pairs of candidates that differ along one axis.

    Args:
        bases: rows over which the variance is taken.
        pairs: axis -> rows before, rows after, and the probability that a coordinate drawn anew is another one.
    """

    sentence: ClassVar[str] = (
        "Share of all predicted differences in which it has a part, alone or together with others; what two do together "
        "counts for both."
    )
    bases: np.ndarray
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]

    def of(self, draws: np.ndarray) -> Told:
        """Name, index and typical change of each axis, the latter two (draws,)."""
        variance = np.maximum(draws[:, self.bases].var(axis=1), 1e-300)
        told = []
        for name, (before, after, other) in self.pairs.items():
            squares = np.square(draws[:, before] - draws[:, after]) * other
            mean = squares.mean(axis=1) if len(before) else np.zeros(len(draws))
            told.append((name, 0.5 * mean / variance, np.sqrt(mean)))
        return told


def _of_axes(landscape: Landscape, rng: np.random.Generator, most: int) -> tuple[list[Candidate], _Total]:
    """Up to about so many candidates to be asked about, and what is to be made of the answer."""
    bases = landscape.sample(min(_BASES, most // 2), rng)
    places = [landscape.at(candidate) for candidate in bases]
    count = int(np.clip((most - len(bases)) // max(len(landscape.axes), 1), _LEAST_MOVED, _MOST_MOVED))
    row = {candidate.id: at for at, candidate in enumerate(bases)}
    asked, pairs = list(bases), {}
    for axis in landscape.axes:
        before, after, others = [], [], []
        for at in rng.permutation(len(bases))[:count].tolist():
            different = [place[axis.name] for place in places if place[axis.name] != places[at][axis.name]]
            for to in rng.permutation(len(different))[:_TRIES].tolist():
                moved = landscape.moved(bases[at], {axis.name: different[to]})
                if moved is None:
                    continue
                if moved.id not in row:
                    row[moved.id] = len(asked)
                    asked.append(moved)
                before.append(at)
                after.append(row[moved.id])
                others.append(len(different) / max(len(bases) - 1, 1))
                break
        pairs[axis.name] = np.array(before, dtype=np.intp), np.array(after, dtype=np.intp), np.array(others)
    return asked, _Total(bases=np.arange(len(bases)), pairs=pairs)


_TRIES = 8
"""Coordinates that are tried for one candidate, where a space does not allow every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between:
    """First-order indices from groups of candidates that have a coordinate in common.

    Args:
        groups: axis -> group of each candidate, integers from 0.
    """

    sentence: ClassVar[str] = (
        "Share of the predicted differences between candidates of the pool that goes with it."
    )
    groups: Mapping[str, np.ndarray]

    def of(self, draws: np.ndarray) -> Told:
        """Name, index and typical difference between groups of each axis, the latter two (draws,).

        Groups of few differ by chance as well; that is taken off (the omega squared of W. L. Hays, Statistics (1963)).
        """
        told = []
        away = draws - draws.mean(axis=1, keepdims=True)
        total = np.maximum(np.square(away).sum(axis=1), 1e-300)
        for name, group in self.groups.items():
            sizes = np.bincount(group)
            means = np.array([np.bincount(group, row) for row in away]) / sizes
            between = (sizes * np.square(means)).sum(axis=1)
            freedom = max(len(group) - len(sizes), 1)
            within = (total - between) / freedom
            share = np.clip((between - (len(sizes) - 1) * within) / (total + within), 0.0, 1.0)
            told.append((name, share, np.sqrt(2.0 * share * total / len(group))))
        return told


_BINS = 12
"""Groups that many different numbers are put in."""


def _between(landscape: Given, rng: np.random.Generator) -> tuple[list[Candidate], _Between]:
    asked = landscape.sample(_MOST, rng)
    groups = {}
    for axis in landscape.axes:
        column = [landscape.at(candidate)[axis.name] for candidate in asked]
        _, group = np.unique(column, return_inverse=True)
        if axis.kind == "number" and group.max() >= _BINS:
            group = (group * _BINS) // (group.max() + 1)
        groups[axis.name] = np.unique(group, return_inverse=True)[1]
    return asked, _Between(groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Effects:
    """Shares of positions in the squared effects of single substitutions.

    Args:
        parent: its row; None to take effects from the mean of all.
        rows: position -> its substitutions.
    """

    sentence: ClassVar[str] = (
        "Share of what all substitutions together are predicted to change (sum of squares)."
    )
    parent: int | None
    rows: Mapping[str, np.ndarray]

    def of(self, draws: np.ndarray) -> Told:
        """Name, share and typical effect of each position, the latter two (draws,)."""
        start = draws.mean(axis=1, keepdims=True) if self.parent is None else draws[:, [self.parent]]
        squares = np.square(draws - start)
        total = np.maximum(sum(squares[:, rows].sum(axis=1) for rows in self.rows.values()), 1e-300)
        return [
            (name, squares[:, rows].sum(axis=1) / total, np.sqrt(squares[:, rows].mean(axis=1)))
            for name, rows in self.rows.items()
        ]


def _of_positions(landscape: Singles, rng: np.random.Generator) -> tuple[list[Candidate], _Effects]:
    asked = landscape.sample(_MOST, rng)
    rows: dict[str, list[int]] = {}
    for at, candidate in enumerate(asked):
        if place := landscape.at(candidate):
            rows.setdefault(str(place["position"]), []).append(at)
    parent = None
    if landscape.parent is not None:
        own = [at for at, c in enumerate(asked) if c.sequence == landscape.parent.sequence]
        parent = own[0] if own else len(asked)
        asked = asked if own else [*asked, landscape.parent]
    effects = {name: np.array(each, dtype=np.intp) for name, each in rows.items()}
    return asked, _Effects(parent=parent, rows=effects)
