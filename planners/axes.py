"""What a campaign's candidates differ in, one thing at a time, as people name it: a number, a level, an amount, a site.

A planner sees features, of which a candidate may have hundreds. An axis is what the campaign declares: each parameter and
each ingredient of a space, each value of a pool, each site of a sequence. Along an axis a candidate is moved, and all else
stays as it is where it can: what one ingredient of a mixture gains the others lose, in their proportions, and values of a
pool that only come together, such as descriptors of one solvent, change together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

import numpy as np

from lab.spaces import Candidate, JsonValue
from lab.types import Campaign, History
from planners.drawing import allowed, pool_of

__all__ = [
    "Amount",
    "Axis",
    "Coordinate",
    "Draft",
    "Landscape",
    "Mover",
    "Product",
    "Site",
    "Together",
    "Value",
]

Coordinate = float | str

_FAR = 1.0
"""How far apart two levels are, where numbers at the two ends of their range are 1 apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One thing in which candidates differ.

    Args:
        name: ``temperature_c``, ``position 39``; unique.
        kind: ``level`` has no order.
        log: whether equal ratios make equal differences.
        values: where a slice looks, numbers in ascending order.
        labels: of values, where they are called otherwise.
        site: from 1, of axes that are a site of a sequence; 0 for others.
    """

    name: str
    kind: Literal["number", "level"]
    values: tuple[Coordinate, ...]
    log: bool = False
    labels: tuple[str, ...] = ()
    site: int = 0

    def apart(self, one: Coordinate, other: Coordinate) -> float:
        """How far two coordinates are apart: 1 from end to end, and between two levels."""
        if self.kind == "level":
            return _FAR * (one != other)
        scale = np.log if self.log else np.asarray
        low, high, a, b = (float(scale(float(x))) for x in (self.values[0], self.values[-1], one, other))
        return abs(a - b) / (high - low) if high > low else 0.0


class Landscape(Protocol):
    """All candidates of a campaign, by what they differ in."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All in which they differ."""
        ...

    def at(self, candidate: Candidate) -> Mapping[str, Coordinate]:
        """Where a candidate is: axis -> coordinate; without axes that it is nowhere on."""
        ...

    def moved(self, candidate: Candidate, to: Mapping[str, Coordinate]) -> Candidate | None:
        """The candidate elsewhere on some axes; None where the campaign allows none there."""
        ...

    def sample(self, n: int, rng: np.random.Generator) -> list[Candidate]:
        """Up to n candidates from all over it."""
        ...


@dataclass(slots=True)
class Draft:
    """A candidate that is being changed."""

    values: dict[str, JsonValue]
    letters: list[str]
    kept: set[str] = field(default_factory=set)


class Mover(Protocol):
    """One axis, and how a candidate is moved along it."""

    @property
    def axis(self) -> Axis:
        """Which."""
        ...

    def read(self, candidate: Candidate) -> Coordinate:
        """Where a candidate is."""
        ...

    def write(self, draft: Draft, to: Coordinate) -> None:
        """Put it elsewhere."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A parameter of a space, or a value of a pool that goes with no other."""

    axis: Axis

    def read(self, candidate: Candidate) -> Coordinate:
        """The value."""
        value = candidate.values[self.axis.name]
        return str(value) if self.axis.kind == "level" else float(value)

    def write(self, draft: Draft, to: Coordinate) -> None:
        """Another value, of the kind that it has."""
        whole = isinstance(to, float) and to.is_integer() and isinstance(draft.values[self.axis.name], int)
        draft.values[self.axis.name] = int(to) if whole else to


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Values of a pool that only come together.

    Args:
        sets: coordinate -> all values that go with it.
    """

    axis: Axis
    sets: Mapping[Coordinate, Mapping[str, JsonValue]]

    def read(self, candidate: Candidate) -> Coordinate:
        """The value that names the set."""
        return str(candidate.values[self.axis.name])

    def write(self, draft: Draft, to: Coordinate) -> None:
        """Another set."""
        draft.values |= self.sets[to]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An ingredient of a mixture; the others keep their proportions.

    Args:
        ingredients: all of the mixture.
        step: that amounts are multiples of; 0 for any.
    """

    axis: Axis
    ingredients: tuple[str, ...]
    total: float
    step: float = 0.0

    def read(self, candidate: Candidate) -> Coordinate:
        """Its amount."""
        return float(candidate.values[self.axis.name])

    def write(self, draft: Draft, to: Coordinate) -> None:
        """Another amount. What was set before in the same draft stays; where the rest was nothing, it is shared evenly."""
        draft.kept.add(self.axis.name)
        draft.values[self.axis.name] = amount = float(to)
        held = amount + sum(
            float(draft.values[n]) for n in draft.kept & {*self.ingredients} - {self.axis.name}
        )
        others = [name for name in self.ingredients if name not in draft.kept]
        if not others:
            return
        before = np.array([float(draft.values[name]) for name in others])
        shares = before / before.sum() if before.sum() > 0.0 else np.full(len(others), 1.0 / len(others))
        amounts = (self.total - held) * shares
        if self.step:
            amounts = _in_steps(amounts, self.step)
        draft.values |= {name: float(f"{x:.12g}") for name, x in zip(others, amounts, strict=True)}


def _in_steps(amounts: np.ndarray, step: float) -> np.ndarray:
    """Amounts as multiples of a step, with the same sum: those are rounded up that lose most by rounding down."""
    steps = amounts / step
    down = np.floor(steps + 1e-9)
    up = round(float(steps.sum() - down.sum()))
    down[np.argsort(down - steps, kind="stable")[:up]] += 1.0
    rounded: np.ndarray = down * step
    return rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site of a sequence."""

    axis: Axis

    def read(self, candidate: Candidate) -> Coordinate:
        """Its letter."""
        return candidate.sequence[self.axis.site - 1]

    def write(self, draft: Draft, to: Coordinate) -> None:
        """Another letter."""
        draft.letters[self.axis.site - 1] = str(to)


class Product:
    """Candidates that differ in several things, each of which may be changed alone.

    Args:
        movers: one an axis.
        history: its candidates are known by their names, as those of the pool are.

    Attributes:
        pool: of the campaign; empty in a space.
    """

    def __init__(self, campaign: Campaign, movers: Sequence[Mover], history: History) -> None:
        self._campaign, self._movers = campaign, {mover.axis.name: mover for mover in movers}
        self.pool = campaign.candidates
        known = (*campaign.candidates, campaign.reference, *(e.candidate for e in history.experiments))
        self._known = {_key(candidate): candidate for candidate in known}

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """All in which candidates differ."""
        return tuple(mover.axis for mover in self._movers.values())

    def at(self, candidate: Candidate) -> Mapping[str, Coordinate]:
        """Where a candidate is; nothing for one that is not described by what the campaign's candidates are."""
        try:
            return {name: mover.read(candidate) for name, mover in self._movers.items()}
        except (KeyError, IndexError, TypeError, ValueError):
            return {}

    def moved(self, candidate: Candidate, to: Mapping[str, Coordinate]) -> Candidate | None:
        """The candidate elsewhere; None where the space does not allow it. Of a pool, also what it does not hold."""
        draft = Draft(values=dict(candidate.values), letters=list(candidate.sequence))
        for name, coordinate in to.items():
            self._movers[name].write(draft, coordinate)
        made = Candidate(id="", sequence="".join(draft.letters), values=draft.values)
        found = self._known.get(_key(made))
        if found is None:
            found = Candidate(id=f"slice {len(self._known)}", sequence=made.sequence, values=made.values)
            space = self._campaign.space
            if space is not None and not (space.holds(found) and allowed(space, [found])):
                return None
            if any(float(v) < 0.0 for v in self._amounts(found)):
                return None
            self._known[_key(found)] = found
        return found

    def _amounts(self, candidate: Candidate) -> list[float]:
        movers = [mover for mover in self._movers.values() if isinstance(mover, Amount)]
        return [float(candidate.values[name]) for mover in movers[:1] for name in mover.ingredients]

    def sample(self, n: int, rng: np.random.Generator) -> list[Candidate]:
        """Up to n candidates, even over a space, at random from a pool."""
        pool = self.pool
        if self._campaign.space is not None:
            pool = pool_of(self._campaign, History(), (), rng, spread=n, around=0)
        rows = rng.permutation(len(pool))[:n]
        return [pool[int(row)] for row in rows]


def _key(candidate: Candidate) -> object:
    """What tells candidates apart, whatever they are called; numbers to what a file keeps of them."""
    return candidate.sequence, tuple(
        (name, f"{value:.9g}" if isinstance(value, int | float) else str(value))
        for name, value in sorted(candidate.values.items())
    )
