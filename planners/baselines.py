"""Planners that learn nothing: what a model must beat."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.stats import qmc, rankdata

import models
from lab.strict import StrictModel
from lab.types import Campaign, Candidate, Experiment, History, Proposal, Reason, new_id
from models.encodings import NamedValues
from planners.asking import Turn, begin, seed_of

__all__ = ["GridPlanner", "GridSettings", "NoSettings", "RandomPlanner", "SobolPlanner"]


class NoSettings(StrictModel):
    """Settings of a planner that has none."""


class RandomPlanner:
    """Every candidate that is still free with the same probability, without replacement."""

    name = "random"

    def __init__(self, settings: NoSettings) -> None:
        del settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, or a pool without candidates or with an id twice.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        rows = rng.permutation(turn.free)[: turn.wanted]
        reason = Reason(
            planner=self.name, sentence="Drawn at random from what was not measured yet.", seed=turn.seed
        )
        return turn.proposal(_experiments(campaign, rows, reason))


class SobolPlanner:
    """Candidates nearest to the points of a scrambled Sobol sequence, so that any number of them covers the pool evenly.

    The axes are ranks: of place along the chain and of the new residues' lipophilicity, bulk and polarity for substitutions
    of a parent, of each named value otherwise. The sequence is scrambled by the campaign's seed and goes on from batch to
    batch, so the generator given to ``ask`` does not matter.
    """

    name = "sobol"

    def __init__(self, settings: NoSettings) -> None:
        del settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, a pool without candidates or with an id twice, or one that cannot be encoded.
        """
        turn = begin(self.name, n, campaign, history, pending, (campaign.seed,))
        axes = _axes(campaign)
        points = _points(axes.shape[1], _chosen_before(turn), turn.wanted, campaign.seed)
        rows = _nearest(axes, turn.free, points)
        reason = Reason(
            planner=self.name,
            sentence="Nearest to the next point of an even cover of the pool.",
            seed=turn.seed,
        )
        return turn.proposal(_experiments(campaign, rows, reason))


class GridSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        design: ``factorial`` is every combination of evenly spaced levels, ``latin`` a Latin hypercube of as many points as
            the budget has experiments.
        levels: of each axis of a factorial; by default as few as give the budget something to do.
    """

    design: Literal["factorial", "latin"] = "factorial"
    levels: int | None = Field(default=None, ge=2, le=100)


class GridPlanner:
    """Candidates nearest to the points of a grid over the pool, in an order that follows from the campaign's seed.

    Axes as those of ``sobol``. A grid of more points than the budget is not finished; one of fewer is gone through again,
    for what lies next nearest. Each batch goes on where the last ended, so the generator given to ``ask`` does not matter.

    Args:
        settings: checked.
    """

    name = "grid"

    def __init__(self, settings: GridSettings) -> None:
        self.settings = settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, a pool without candidates or with an id twice, or one that cannot be encoded.
        """
        turn = begin(self.name, n, campaign, history, pending, (campaign.seed,))
        axes = _axes(campaign)
        grid = self._grid(axes.shape[1], campaign)
        gone = _chosen_before(turn)
        rows = _nearest(axes, turn.free, (grid[(gone + i) % len(grid)] for i in range(turn.wanted)))
        size = "a Latin hypercube" if self.settings.design == "latin" else f"a grid of {len(grid)} points"
        reason = Reason(planner=self.name, sentence=f"Nearest to the next point of {size}.", seed=turn.seed)
        return turn.proposal(_experiments(campaign, rows, reason))

    def _grid(self, d: int, campaign: Campaign) -> np.ndarray:
        """Points between 0 and 1 in a random order that the campaign's seed fixes: g x d."""
        rng = np.random.default_rng([campaign.seed, 1])
        if self.settings.design == "latin":
            points: np.ndarray = qmc.LatinHypercube(d, rng=rng).random(campaign.budget)
            return points
        levels = self.settings.levels or max(2, math.ceil(campaign.budget ** (1.0 / d) - 1e-9))
        # of a grid that nobody could finish, only so many points are drawn as could be
        places = rng.permutation(min(levels**d, _LARGEST_GRID))
        digits = np.array(np.unravel_index(places, (levels,) * d)).T
        return np.asarray((digits + 0.5) / levels)


_LARGEST_GRID = 4096
"""Points of the grid that are put in order; six axes of four levels."""


def _nearest(axes: np.ndarray, free: np.ndarray, points: Iterable[np.ndarray]) -> np.ndarray:
    """For each point the nearest row that is still free, each once; fewer where rows run out."""
    rows: list[int] = []
    left = free
    for point in points:
        if not len(left):
            break
        nearest = int(left[np.argmin(np.square(axes[left] - point).sum(axis=1))])
        rows.append(nearest)
        left = left[left != nearest]
    return np.array(rows, dtype=np.intp)


def _experiments(campaign: Campaign, rows: np.ndarray, reason: Reason) -> tuple[Experiment, ...]:
    return tuple(
        Experiment(id=new_id("exp"), candidate=campaign.candidates[int(row)], reason=reason) for row in rows
    )


def _chosen_before(turn: Turn) -> int:
    """How many points were used up: experiments so far that repeat none."""
    return len({e.id for e in (*turn.history.experiments, *turn.pending) if e.repeat_of is None})


def _points(d: int, skip: int, n: int, seed: int) -> np.ndarray:
    """Points ``skip`` to ``skip + n`` of the scrambled sequence: n x d."""
    if n < 1:
        return np.empty((0, d))
    sequence = qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed))
    # a whole power of two is drawn, which is what the sequence's balance holds for
    count = int(skip + n)
    points: np.ndarray = sequence.random_base2(max(count - 1, 1).bit_length())
    return points[skip:count]


def _one_axis_a_value(pool: tuple[Candidate, ...]) -> np.ndarray:
    """Numbers as they are, levels by their order: N x values that vary."""
    encoder = NamedValues(pool=pool)
    encoded = encoder.encode(pool)
    starts = np.cumsum([0, *(width for _, width in encoder.groups)])
    parts = [encoded[:, a:b] for a, b in pairwise(starts)]
    axes = [part[:, 0] if part.shape[1] == 1 else part.argmax(axis=1).astype(np.float64) for part in parts]
    return np.array(axes).reshape(len(axes), len(pool)).T


def _axes(campaign: Campaign) -> np.ndarray:
    """Ranks of up to six coordinates over the pool, 0 to 1: N x d, d at least 1."""
    pool: tuple[Candidate, ...] = campaign.candidates
    if not any(candidate.sequence for candidate in pool):
        columns = _one_axis_a_value(pool)
    elif campaign.reference.sequence:
        columns = models.encoder("substitutions", parent=campaign.reference.sequence, pool=pool).encode(pool)[
            :, 1:5
        ]
    else:
        columns = models.encoder("z_scales", pool=pool).encode(pool)
    columns = columns[:, np.ptp(columns, axis=0) > 0.0][:, :6]
    if not columns.shape[1]:
        columns = np.arange(len(pool), dtype=np.float64)[:, None]
    ranks: np.ndarray = (rankdata(columns, axis=0) - 0.5) / len(pool)
    return ranks
