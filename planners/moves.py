"""Small changes to candidates of a space: what a search by steps looks at next."""

from __future__ import annotations

import numpy as np

from lab.spaces import Parameter
from planners.drafts import Codec, Drafts
from planners.polytope import mended
from planners.sampling import at_unit, to_unit

__all__ = ["moved"]

_REACHES = (0.01, 0.05, 0.2)
"""Standard deviations of a change of a number, as shares of its range; each as often."""

_CROSSED = 0.25
"""Share of changes that take some values from another candidate, or lie between two."""


def moved(codec: Codec, parents: Drafts, n: int, rng: np.random.Generator) -> Drafts:
    """Up to n drafts near some, each parent used as often; those that break a constraint and can't be mended are left out.

    Args:
        parents: at least one.
    """
    first = np.arange(n) % len(parents)
    made = parents.take(first)
    made = Drafts(
        numbers=made.numbers.copy(),
        levels=made.levels.copy(),
        amounts=made.amounts.copy(),
        letters=made.letters.copy(),
    )
    crossed = rng.random(n) < (_CROSSED if len(parents) > 1 else 0.0)
    other = parents.take(rng.integers(len(parents), size=n))
    _cross(codec, made, other, np.flatnonzero(crossed), rng)
    kinds = [
        (len(codec.numeric), _change_numbers),
        (len(codec.categorical), _change_levels),
        (len(codec.ingredients), _change_amounts),
        (len(codec.choices), _change_letters),
    ]
    widths = np.array([width for width, _ in kinds], dtype=np.float64)
    kind = rng.choice(len(kinds), size=n, p=widths / widths.sum())
    for at, (width, change) in enumerate(kinds):
        rows = np.flatnonzero((kind == at) & ~crossed)
        if width and len(rows):
            change(codec, made, rows, rng)
    made.numbers[:] = codec.snap(made.numbers)
    whole = mended(codec, made, rng) if codec.space.constraints else made
    return whole.take(codec.feasible(whole))


def _cross(codec: Codec, made: Drafts, other: Drafts, rows: np.ndarray, rng: np.random.Generator) -> None:
    """Half of them take each value from one of two parents, half lie between them; a mixture stays whole."""
    between = rng.random((len(rows), 1)) < 0.5
    share = rng.uniform(-0.2, 1.2, (len(rows), 1))
    for column, parameter in enumerate(codec.numeric):
        low, high = (at_unit(parameter, np.array([end]))[0] for end in (0.0, 1.0))
        a, b = made.numbers[rows, column], other.numbers[rows, column]
        mixed = np.clip(a + share[:, 0] * (b - a), low, high)
        swapped = np.where(rng.random(len(rows)) < 0.5, a, b)
        made.numbers[rows, column] = np.where(between[:, 0], mixed, swapped)
    made.levels[rows] = np.where(
        rng.random((len(rows), made.levels.shape[1])) < 0.5, made.levels[rows], other.levels[rows]
    )
    made.letters[rows] = np.where(
        rng.random((len(rows), made.letters.shape[1])) < 0.5, made.letters[rows], other.letters[rows]
    )
    whole = rng.random((len(rows), 1)) < 0.5
    made.amounts[rows] = np.where(whole, made.amounts[rows], other.amounts[rows])


def _change_numbers(codec: Codec, made: Drafts, rows: np.ndarray, rng: np.random.Generator) -> None:
    """One number, or now and then several, a little; by a step at least."""
    p = len(codec.numeric)
    moving = rng.random((len(rows), p)) < 1.0 / p
    moving[np.arange(len(rows)), rng.integers(p, size=len(rows))] = True
    reach = rng.choice(_REACHES, size=len(rows))
    for column, parameter in enumerate(codec.numeric):
        before = made.numbers[rows, column]
        unit = to_unit(parameter, before)
        far = unit + reach * rng.standard_normal(len(rows))
        far = np.clip(np.where((far < 0.0) | (far > 1.0), 2.0 * unit - far, far), 0.0, 1.0)
        after = np.array([parameter.snapped(value) for value in at_unit(parameter, far).tolist()])
        stuck = moving[:, column] & (after == before)
        if stuck.any():
            smallest = 1.0 / max(len(parameter.levels), 1) if parameter.levels else _unit_step(parameter)
            sign = np.where(rng.random(len(rows)) < 0.5, -1.0, 1.0)
            near = at_unit(parameter, np.clip(unit + sign * smallest, 0.0, 1.0))
            after = np.where(stuck, near, after)
        made.numbers[rows, column] = np.where(moving[:, column], after, before)


def _unit_step(parameter: Parameter) -> float:
    """A step as a share of the range; of a log scale a thousandth."""
    assert parameter.low is not None
    assert parameter.high is not None
    span = parameter.high - parameter.low
    return 1.001 * parameter.step / span if span and not parameter.log else 1e-3


def _change_levels(codec: Codec, made: Drafts, rows: np.ndarray, rng: np.random.Generator) -> None:
    """One level for another."""
    counts = np.array([len(parameter.levels) for parameter in codec.categorical])
    column = rng.integers(len(counts), size=len(rows))
    shift = 1 + np.floor(rng.random(len(rows)) * np.maximum(counts[column] - 1, 1)).astype(np.intp)
    made.levels[rows, column] = (made.levels[rows, column] + shift) % counts[column]


def _change_amounts(codec: Codec, made: Drafts, rows: np.ndarray, rng: np.random.Generator) -> None:
    """Some of one ingredient for another; half of the time all of it, so that ingredients come and go."""
    mixture = codec.space.mixture
    assert mixture is not None
    fewest, _ = mixture.bounds
    k = len(codec.ingredients)
    amounts = made.amounts[rows]
    giver = np.argmax((amounts > 0) * rng.random(amounts.shape), axis=1)
    taker = (giver + rng.integers(1, k, size=len(rows))) % k
    here = np.arange(len(rows))
    has = amounts[here, giver]
    some = np.ceil(has * rng.random(len(rows)) ** 2).astype(np.intp)
    some = np.where(amounts[here, taker] == 0, np.maximum(some, np.minimum(fewest, has)), some)
    given = np.where(rng.random(len(rows)) < 0.35, has, some)
    amounts[here, giver] -= given
    amounts[here, taker] += given
    made.amounts[rows] = amounts


def _change_letters(codec: Codec, made: Drafts, rows: np.ndarray, rng: np.random.Generator) -> None:
    """One letter for another, the parent's own too; half of those with as many substitutions as may be give one up first."""
    assert codec.space.sites is not None
    counts = np.array([len(choices) for choices in codec.choices])
    letters = made.letters[rows]
    most = codec.space.sites.at_most or len(counts)
    full = ((letters > 0).sum(axis=1) >= most) & (rng.random(len(rows)) < 0.5)
    here = np.arange(len(rows))
    given_up = np.argmax((letters > 0) * rng.random(letters.shape), axis=1)
    letters[here[full], given_up[full]] = 0
    column = rng.integers(len(counts), size=len(rows))
    shift = 1 + np.floor(rng.random(len(rows)) * np.maximum(counts[column] - 1, 1)).astype(np.intp)
    letters[here, column] = (letters[here, column] + shift) % counts[column]
    made.letters[rows] = letters
