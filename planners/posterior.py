"""What a planner believes of a campaign, as people look at it: slices through a candidate.

Planners keep nothing between calls, so a campaign's beliefs come from the campaign and its history alone, whether it is
under way or long over: the planner fits its models once more, as it did to choose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lab.errors import BadInput
from lab.interfaces import Beliefs, Believing, Planner
from lab.spaces import Candidate
from lab.strict import did_you_mean
from lab.types import Campaign, History
from planners.axes import Axis, Coordinate, Landscape
from planners.landscapes import Given, Singles, landscape_of

__all__ = ["Slice", "posterior", "slices"]

_ACROSS = 17
"""Points along each of the two axes of a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What is believed along one or two axes.

    Args:
        along: one or two.
        points: k of them, a coordinate an axis; where the campaign allows nothing there is none.
        candidates: k, at the points.
        beliefs: target -> what is expected of them.
    """

    along: tuple[Axis, ...]
    points: tuple[tuple[Coordinate, ...], ...]
    candidates: tuple[Candidate, ...]
    beliefs: Mapping[str, Beliefs]


def posterior(
    planner: Planner,
    campaign: Campaign,
    history: History,
    candidates: Sequence[Candidate],
    rng: np.random.Generator,
    *,
    draws: int = 0,
) -> Mapping[str, Beliefs] | None:
    """What a planner expects of candidates: target -> mean, standard deviation and interval, of objectives and limits.

    Args:
        rng: as for :meth:`lab.interfaces.Planner.ask`; with that of a batch, what it was chosen by.
        draws: sets of values that all of them could have together.

    Returns:
        None while too little was measured for a model.

    Raises:
        BadInput: a planner without a model, or a candidate that the campaign's space can't describe.
    """
    if not isinstance(planner, Believing):
        raise BadInput(
            f"The planner {campaign.planner.name} learns no model that says what to expect, and how sure that is.",
            way_out="Planners that do are adaptive, botorch, multi_task, turbo and mechanistic.",
            field="planner",
        )
    return planner.believe(campaign, history, candidates, rng, draws=draws)


def slices(
    planner: Planner,
    campaign: Campaign,
    history: History,
    centre: Candidate,
    along: Sequence[Sequence[str]],
    rng: np.random.Generator,
) -> tuple[Slice, ...] | None:
    """Slices through a candidate, all from one fit.

    Args:
        centre: whose other values all points have, as far as they can.
        along: of each slice, one or two names of axes.

    Returns:
        None while too little was measured for a model.

    Raises:
        BadInput: no such axis, a candidate that is nowhere on it, and whatever :func:`posterior` refuses.
    """
    landscape = landscape_of(campaign, history)
    found = [_points(landscape, centre, names) for names in along]
    every = {candidate.id: candidate for points in found for _, candidate in points}
    beliefs = posterior(planner, campaign, history, tuple(every.values()), rng)
    if beliefs is None:
        return None
    row = {name: at for at, name in enumerate(every)}
    axes = {axis.name: axis for axis in landscape.axes}
    made = []
    for names, points in zip(along, found, strict=True):
        rows = np.array([row[candidate.id] for _, candidate in points], dtype=np.intp)
        made.append(
            Slice(
                along=tuple(axes[name] for name in names),
                points=tuple(place for place, _ in points),
                candidates=tuple(candidate for _, candidate in points),
                beliefs={target: _at(of_target, rows) for target, of_target in beliefs.items()},
            )
        )
    return tuple(made)


def _at(beliefs: Beliefs, rows: np.ndarray) -> Beliefs:
    return Beliefs(
        mean=beliefs.mean[rows],
        sd=beliefs.sd[rows],
        low=beliefs.low[rows],
        high=beliefs.high[rows],
        level=beliefs.level,
    )


def _points(
    landscape: Landscape, centre: Candidate, names: Sequence[str]
) -> list[tuple[tuple[Coordinate, ...], Candidate]]:
    """Where a slice looks, and the candidates there; the centre is among them."""
    axes = [_axis(landscape, name) for name in names]
    if not 1 <= len(axes) <= 2 or len(set(names)) < len(names):
        raise BadInput("A slice is along one parameter, or two different ones.", field="along")
    at = landscape.at(centre)
    if any(name not in at for name in names) and not (isinstance(landscape, Singles) and len(names) == 2):
        raise BadInput(
            f"{centre.id} has no {names[0]}, so there is no slice through it along that.",
            way_out="Choose a candidate of the campaign.",
            field="at",
        )
    if isinstance(landscape, Given):
        return landscape.agreeing(centre, names)
    found = []
    for place in product(*(_values(axis, at.get(axis.name), len(axes)) for axis in axes)):
        here = all(at.get(axis.name) == x for axis, x in zip(axes, place, strict=True))
        moved = centre if here else landscape.moved(centre, dict(zip(names, place, strict=True)))
        if moved is not None:
            found.append((place, moved))
    return found


def _axis(landscape: Landscape, name: str) -> Axis:
    known = {axis.name: axis for axis in landscape.axes}
    if name not in known:
        raise BadInput(
            f"The candidates of this campaign do not differ in {name!r}.",
            way_out=did_you_mean(name, [*known], what="They differ in", quoted=False),
            field="along",
        )
    return known[name]


def _values(axis: Axis, own: Coordinate | None, axes: int) -> list[Coordinate]:
    """Of numbers those of the slice and the candidate's own, in order."""
    values = list(axis.values)
    if axis.kind == "level":
        return values
    if axes == 2 and len(values) > _ACROSS:
        values = [values[int(i)] for i in np.linspace(0, len(values) - 1, _ACROSS).round()]
    return sorted({*values, *([] if own is None else [own])}, key=float)
