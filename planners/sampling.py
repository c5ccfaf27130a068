"""Drawing from a search space: evenly over its parts, inside its linear constraints however little they leave."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from scipy.stats import qmc

from lab.spaces import Mixture, Parameter
from planners.drafts import Codec, Drafts
from planners.polytope import Polytope, mended, refuse_empty

__all__ = ["at_unit", "count", "draw", "enumerated", "to_unit"]

_ROUNDS = 6
"""Times that as many as are wanted are drawn and filtered before a chain walks inside the constraints instead."""

_SHARE = 0.02
"""Feasible share of draws below which filtering is given up."""

_CHAINS = 32
"""Chains at a time; each keeps levels, and which ingredients are in, as they began."""


def count(codec: Codec, most: int) -> int | None:
    """How many candidates there are before linear constraints; None above ``most`` or where a number has no steps."""
    total = 1
    for parameter in (*codec.numeric, *codec.categorical):
        values = _few_values(parameter, most)
        if values is None:
            return None
        total *= len(values)
        if total > most:
            return None
    if mixture := codec.space.mixture:
        found = sum(1 for _ in itertools.islice(_mixtures(mixture), most + 1))
        total *= found
    if codec.choices:
        total *= _substitution_count(codec)
    return total if total <= most else None


def _few_values(parameter: Parameter, most: int) -> tuple[float | str, ...] | None:
    if parameter.kind in ("continuous", "integer") and parameter.low != parameter.high:
        assert parameter.low is not None
        assert parameter.high is not None
        step = parameter.step if parameter.kind == "integer" else parameter.resolution
        if not step or (parameter.high - parameter.low) / step > most:
            return None
    return parameter.values


def _substitution_count(codec: Codec) -> int:
    """Sequences with at most so many substitutions: coefficients of the product of (1 + choices x) over sites."""
    assert codec.space.sites is not None
    ways = [1]
    for choices in codec.choices:
        other = len(choices) - 1
        ways = [a + b * other for a, b in zip([*ways, 0], [0, *ways], strict=True)]
    return sum(ways[: (codec.space.sites.at_most or len(codec.choices)) + 1])


def _mixtures(mixture: Mixture) -> Iterator[tuple[int, ...]]:
    """All amounts in steps that make up the whole."""
    fewest, largest = mixture.bounds
    reach = list(itertools.accumulate(reversed(largest), initial=0))[::-1]

    def fill(at: int, left: int, room: int) -> Iterator[tuple[int, ...]]:
        if at == len(largest):
            if left == 0:
                yield ()
            return
        if left > reach[at] or (left > 0 and room == 0):
            return
        for amount in (0, *range(fewest, min(left, largest[at]) + 1)) if room else (0,):
            for rest in fill(at + 1, left - amount, room - (amount > 0)):
                yield (amount, *rest)

    return fill(0, mixture.units, mixture.at_most or len(largest))


def enumerated(codec: Codec) -> Drafts:
    """Every candidate that keeps to the linear constraints; for spaces that :func:`count` could count."""
    numbers = list(itertools.product(*(p.values or () for p in codec.numeric)))
    levels = list(itertools.product(*(range(len(p.levels)) for p in codec.categorical)))
    amounts = list(_mixtures(codec.space.mixture)) if codec.space.mixture else [()]
    letters = list(_substitutions(codec))
    parts = list(itertools.product(numbers, levels, amounts, letters))
    made = codec.empty(len(parts))
    for row, (a, b, c, d) in enumerate(parts):
        made.numbers[row], made.levels[row], made.amounts[row], made.letters[row] = a, b, c, d
    return made.take(codec.feasible(made))


def _substitutions(codec: Codec) -> Iterator[tuple[int, ...]]:
    if not codec.choices:
        yield ()
        return
    assert codec.space.sites is not None
    for changed in range((codec.space.sites.at_most or len(codec.choices)) + 1):
        for at in itertools.combinations(range(len(codec.choices)), changed):
            for letters in itertools.product(*(range(1, len(codec.choices[i])) for i in at)):
                row = [0] * len(codec.choices)
                for i, letter in zip(at, letters, strict=True):
                    row[i] = letter
                yield tuple(row)


def at_unit(parameter: Parameter, unit: np.ndarray) -> np.ndarray:
    """Numbers of a parameter at places between 0 and 1, equally many near each; not snapped."""
    if parameter.kind == "ordinal":
        levels = np.array(parameter.levels, dtype=np.float64)
        return np.asarray(levels[np.minimum((unit * len(levels)).astype(np.intp), len(levels) - 1)])
    assert parameter.low is not None
    assert parameter.high is not None
    low, high = parameter.low, parameter.high
    if parameter.log:
        return np.asarray(np.exp(np.log(low) + unit * (np.log(high) - np.log(low))))
    if parameter.kind == "integer":  # each end gets as much as those between
        return np.asarray(np.clip(low - 0.5 + unit * (high - low + 1.0), low, high))
    return np.asarray(low + unit * (high - low))


def to_unit(parameter: Parameter, values: np.ndarray) -> np.ndarray:
    """Places between 0 and 1 of numbers of a parameter."""
    if parameter.kind == "ordinal":
        levels = np.array(parameter.levels, dtype=np.float64)
        return np.asarray((np.abs(values[:, None] - levels).argmin(axis=1) + 0.5) / len(levels))
    assert parameter.low is not None
    assert parameter.high is not None
    low, high = parameter.low, parameter.high
    if low == high:
        return np.full(len(values), 0.5)
    if parameter.log:
        return np.asarray((np.log(values) - np.log(low)) / (np.log(high) - np.log(low)))
    if parameter.kind == "integer":
        return np.asarray((values - low + 0.5) / (high - low + 1.0))
    return np.asarray((values - low) / (high - low))


def draw(codec: Codec, n: int, rng: np.random.Generator) -> Drafts:
    """About n candidates that keep to the linear constraints, spread over the space; fewer where there are not so many.

    Raises:
        BadInput: nothing keeps to the constraints; says which of them leaves nothing.
    """
    found: list[Drafts] = []
    kept = 0
    for round_ in range(1, _ROUNDS + 1):
        drawn = _anywhere(codec, n, rng)
        drawn = drawn.take(codec.feasible(drawn))
        found.append(drawn)
        kept += len(drawn)
        if kept >= n or kept < _SHARE * n * round_:
            break
    if kept < n and codec.space.constraints:
        found.append(_walked(codec, n - kept, rng))
    together = Drafts.joined(found)
    return together.take(np.arange(min(n, len(together))))


def _anywhere(codec: Codec, n: int, rng: np.random.Generator) -> Drafts:
    """n drafts from a scrambled Sobol sequence over numbers and levels, and by chance over amounts and letters."""
    made = codec.empty(n)
    wide = len(codec.numeric) + len(codec.categorical)
    if wide:
        sequence = qmc.Sobol(wide, scramble=True, rng=rng)
        unit = sequence.random_base2(max(n - 1, 1).bit_length())[:n]
        for column, parameter in enumerate(codec.numeric):
            made.numbers[:, column] = at_unit(parameter, unit[:, column])
        for column, parameter in enumerate(codec.categorical):
            places = unit[:, len(codec.numeric) + column] * len(parameter.levels)
            made.levels[:, column] = np.minimum(places.astype(np.intp), len(parameter.levels) - 1)
        made.numbers[:] = codec.snap(made.numbers)
    if codec.space.mixture is not None:
        made.amounts[:] = _amounts(codec.space.mixture, n, rng)
    if codec.choices:
        made.letters[:] = _letters(codec, n, rng)
    return made


def _amounts(mixture: Mixture, n: int, rng: np.random.Generator) -> np.ndarray:
    """Evenly over the simplex of each choice of ingredients, half of them with as many as may be in: n x k steps.

    Rows that could not be made to fit do not add up, and are no candidates.
    """
    fewest, largest = mixture.bounds
    most = np.array(largest)
    k = len(most)
    wide = min(mixture.at_most or k, k, mixture.units // fewest)
    sizes = np.where(rng.random(n) < 0.5, wide, rng.integers(1, wide + 1, n))
    order = np.argsort(np.where(most >= fewest, rng.random((n, k)), 2.0), axis=1)
    present = np.zeros((n, k), dtype=bool)
    np.put_along_axis(present, order, np.arange(k) < sizes[:, None], axis=1)
    present &= most >= fewest
    shares = np.where(present, rng.exponential(size=(n, k)), 0.0)
    amounts = np.where(present, fewest, 0)
    for _ in range(k + 1):  # what is over the most of one goes to the others
        left = mixture.units - amounts.sum(axis=1)
        room = np.where(present, most - amounts, 0)
        weight = np.where(room > 0, shares, 0.0)
        total = weight.sum(axis=1, keepdims=True)
        add = (
            np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0)
            * np.maximum(left, 0)[:, None]
        )
        amounts = amounts + np.minimum(np.floor(add), room).astype(np.intp)
    for _ in range(2 * k):  # rounding left a few steps over
        left = mixture.units - amounts.sum(axis=1)
        rows = np.flatnonzero(left > 0)
        if not len(rows):
            break
        room = present[rows] & (amounts[rows] < most)
        at = np.argmax(room * rng.random(room.shape), axis=1)
        step = np.minimum(left[rows], most[at] - amounts[rows, at])
        amounts[rows, at] += np.where(room.any(axis=1), np.minimum(step, 1 + left[rows] // k), 0)
    return amounts


def _letters(codec: Codec, n: int, rng: np.random.Generator) -> np.ndarray:
    """As many with one substitution as with two, three, up to the most: n x s."""
    assert codec.space.sites is not None
    others = np.array([len(choices) - 1 for choices in codec.choices])
    free = int((others > 0).sum())
    most = min(codec.space.sites.at_most or free, free)
    if most == 0:
        return np.zeros((n, len(others)), dtype=np.intp)
    sizes = rng.integers(1, most + 1, n)
    order = np.argsort(np.where(others > 0, rng.random((n, len(others))), 2.0), axis=1)
    changed = np.zeros((n, len(others)), dtype=bool)
    np.put_along_axis(changed, order, np.arange(len(others)) < sizes[:, None], axis=1)
    drawn = 1 + np.floor(rng.random((n, len(others))) * np.maximum(others, 1)).astype(np.intp)
    return np.where(changed, drawn, 0)


def _walked(codec: Codec, n: int, rng: np.random.Generator) -> Drafts:
    """Up to n drafts from chains that go from wall to wall of the linear constraints (hit and run; Smith 1984).

    Each chain starts from a random mean of the polytope's middle and corners, and keeps its levels, letters and ingredients.
    """
    chains = min(_CHAINS, n)
    starts = _anywhere(codec, 4 * chains, rng)
    alike = codec.space.mixture is None
    corners = None
    found: list[Drafts] = []
    for row in range(len(starts)):
        polytope = Polytope(codec, starts.take(np.array([row])), rng)
        if corners is None or not alike:
            corners = polytope.points(3 * len(polytope.bounds) if alike else 3, rng)
        if corners is None:
            if alike:
                break
            continue
        start = rng.dirichlet(np.ones(len(corners))) @ corners
        found.append(polytope.drafts(polytope.walk(start, math.ceil(n / chains), rng)))
        if len(found) == chains:
            break
    if not found:
        refuse_empty(codec)
        return starts.take(np.arange(0))
    snapped = mended(codec, Drafts.joined(found), rng)
    return snapped.take(codec.feasible(snapped))
