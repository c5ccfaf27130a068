"""The axes of a campaign, found in its space or in its pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lab.errors import BadInput
from lab.spaces import Candidate, JsonValue, Parameter, SearchSpace
from lab.types import Campaign, History
from planners.axes import Amount, Axis, Coordinate, Landscape, Mover, Product, Site, Together, Value

__all__ = ["Given", "Singles", "landscape_of"]

_STEPS = 41
"""Points of a curve along a number that has more values."""

_ROUNDED = 2e-3
"""By how much sums of shares may differ, as a part of the whole: shares in tables are rounded."""

_MOST_LEVELS = 60
"""Levels of values that come together; as many as the planner takes for a factor."""


def landscape_of(campaign: Campaign, history: History) -> Landscape:
    """The axes of a campaign's candidates.

    Raises:
        BadInput: nothing varies, or the pool's candidates are described by different things.
    """
    if campaign.space is not None:
        movers = _of_space(campaign.space)
    elif _single(campaign):
        return Singles(campaign)
    else:
        movers = _of_pool(campaign)
    if not movers:
        raise BadInput("The candidates of this campaign differ in nothing that has a name.", field="along")
    if campaign.space is None and (campaign.models or not _told_apart(campaign.candidates)):
        return Given(campaign, movers, history)
    return Product(campaign, movers, history)


def _told_apart(pool: Sequence[Candidate]) -> bool:
    """Whether values and sequences say which candidate of a pool is which."""
    described = {(c.sequence, *(f"{name}={value}" for name, value in c.values.items())) for c in pool}
    return len(described) == len(pool)


def _of_space(space: SearchSpace) -> list[Mover]:
    movers: list[Mover] = []
    for parameter in space.parameters:
        values = _values_of(parameter)
        if len(values) > 1:
            kind = "number" if parameter.is_number else "level"
            axis = Axis(name=parameter.name, kind=kind, values=values, log=parameter.log)  # type: ignore[arg-type]  # one of the two
            movers.append(Value(axis=axis))
    if mixture := space.mixture:
        for name in mixture.ingredients:
            most = min(mixture.most.get(name, mixture.total), mixture.total)
            every = round(most / mixture.step)
            steps = np.unique(np.round(np.linspace(0, every, min(_STEPS, every + 1)))) * mixture.step
            axis = Axis(name=name, kind="number", values=tuple(float(f"{x:.12g}") for x in steps))
            movers.append(
                Amount(axis=axis, ingredients=mixture.ingredients, total=mixture.total, step=mixture.step)
            )
    if sites := space.sites:
        for position, letters in zip(sites.positions, sites.letters, strict=True):
            own = sites.parent[position - 1]
            movers.append(_site(position, own, {own, *letters}))
    return movers


def _site(position: int, own: str, letters: set[str]) -> Site:
    name = f"{own}{position}" if own else f"position {position}"
    return Site(axis=Axis(name=name, kind="level", values=tuple(sorted(letters)), site=position))


def _values_of(parameter: Parameter) -> tuple[Coordinate, ...]:
    """Where a slice along a parameter looks."""
    known = parameter.values
    if known is not None and (len(known) <= _STEPS or not parameter.is_number):
        return tuple(float(x) if parameter.is_number else str(x) for x in known)
    assert parameter.low is not None
    assert parameter.high is not None
    space = np.geomspace if parameter.log else np.linspace
    return tuple(sorted({parameter.snapped(float(x)) for x in space(parameter.low, parameter.high, _STEPS)}))


def _of_pool(campaign: Campaign) -> list[Mover]:
    pool = campaign.candidates
    if any(candidate.values.keys() != pool[0].values.keys() for candidate in pool):
        raise BadInput("The candidates of this campaign are not described by the same values.", field="along")
    columns = {name: [candidate.values[name] for candidate in pool] for name in pool[0].values}
    columns = {name: column for name, column in columns.items() if len({*map(str, column)}) > 1}
    together = _that_come_together(columns)
    taken = {name for names in together.values() for name in names}
    numbers = {
        name: np.array(column, dtype=np.float64)
        for name, column in columns.items()
        if name not in taken and all(_is_number(value) for value in column)
    }
    movers: list[Mover] = []
    total = _whole(numbers)
    for name, column in columns.items():
        if name in together:
            movers.append(_set_of(name, together[name], pool))
        elif name in numbers:
            axis = Axis(name=name, kind="number", values=_steps(numbers[name]))
            amount = Amount(axis=axis, ingredients=tuple(numbers), total=total) if total else None
            movers.append(amount or Value(axis=axis))
        elif name not in taken:
            movers.append(
                Value(axis=Axis(name=name, kind="level", values=tuple(sorted({*map(str, column)}))))
            )
    return movers + _sites_of(campaign)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _steps(column: np.ndarray) -> tuple[Coordinate, ...]:
    """All its values where they are few, else evenly spaced ones."""
    known = np.unique(column)
    if len(known) > _STEPS:
        known = np.linspace(known[0], known[-1], _STEPS)
    return tuple(float(f"{x:.9g}") for x in known)


def _whole(numbers: Mapping[str, np.ndarray]) -> float:
    """What all numbers of each candidate add up to, where they are the shares of a mixture; else 0."""
    if len(numbers) < 3:
        return 0.0
    table = np.array([*numbers.values()])
    sums = table.sum(axis=0)
    same = float(np.ptp(sums)) <= _ROUNDED * float(np.abs(sums).max())
    return float(sums.mean()) if same and table.min() >= 0.0 else 0.0


def _that_come_together(columns: Mapping[str, Sequence[JsonValue]]) -> dict[str, tuple[str, ...]]:
    """Values that only come in a few sets: the one that names a set -> all of it. Levels name before numbers do."""
    codes = {name: np.unique([*map(str, column)], return_inverse=True)[1] for name, column in columns.items()}
    most = {name: min(_MOST_LEVELS, max(len(code) // 4, 2)) for name, code in codes.items()}
    few = [name for name, code in codes.items() if code.max() < most[name]]
    few.sort(key=lambda name: all(_is_number(value) for value in columns[name]))
    found: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name in few:
        if name in taken:
            continue
        numeric = all(_is_number(value) for value in columns[name])
        others = [
            other
            for other in codes
            if other != name and other not in taken and _follows(codes[other], codes[name], both=numeric)
        ]
        # two numbers may change together by design, and are then looked at one by one, as the planner does
        if len(others) >= (2 if numeric else 1):
            found[name] = (name, *others)
            taken |= {name, *others}
    return found


def _follows(one: np.ndarray, other: np.ndarray, *, both: bool) -> bool:
    """Whether the second says what the first is, and with ``both`` the other way round."""
    pairs = len(np.unique(np.stack([one, other]), axis=1).T)
    return pairs == other.max() + 1 and (not both or pairs == one.max() + 1)


def _set_of(name: str, names: Sequence[str], pool: Sequence[Candidate]) -> Together:
    sets: dict[Coordinate, Mapping[str, JsonValue]] = {}
    for candidate in pool:
        sets.setdefault(str(candidate.values[name]), {each: candidate.values[each] for each in names})
    numeric = all(_is_number(one[name]) for one in sets.values())
    order = sorted(sets, key=lambda level: float(level) if numeric else level)
    return Together(axis=Axis(name=name, kind="level", values=tuple(order)), sets=sets)


def _sites_of(campaign: Campaign) -> list[Mover]:
    """Sites at which the pool's sequences differ, with the letters that they have there."""
    pool = [c.sequence for c in campaign.candidates if c.sequence]
    if not pool or len({*map(len, pool)}) > 1:
        return []
    parent = campaign.reference.sequence
    parent = parent if len(parent) == len(pool[0]) else ""
    table = np.array([list(sequence) for sequence in (*pool, *([parent] if parent else []))])
    varied = np.flatnonzero((table != table[0]).any(axis=0))
    return [_site(int(at) + 1, parent[at] if parent else "", {*map(str, table[:, at])}) for at in varied]


def _single(campaign: Campaign) -> bool:
    """Whether the pool is of single substitutions of the reference and nothing else."""
    parent = campaign.reference.sequence
    pool = campaign.candidates
    return bool(parent and pool) and all(
        not c.values
        and len(c.sequence) == len(parent)
        and sum(a != b for a, b in zip(c.sequence, parent, strict=True)) <= 1
        for c in pool
    )


class Given(Product):
    """A pool of which no other candidate can be made up: models know features of these alone, or they differ in what has no
    name.
    """

    def agreeing(
        self, centre: Candidate, names: Sequence[str]
    ) -> list[tuple[tuple[Coordinate, ...], Candidate]]:
        """Candidates that differ from one in nothing but these axes, with their places on them, in order."""
        rest = {name: at for name, at in self.at(centre).items() if name not in names}
        found = []
        for candidate in {candidate.id: candidate for candidate in (*self.pool, centre)}.values():
            place = self.at(candidate)
            if place and all(place[name] == at for name, at in rest.items()):
                found.append((tuple(place[name] for name in names), candidate))
        return sorted(found, key=lambda one: one[0])


class Singles:
    """Single substitutions of a parent: where, and what is put there. The parent itself is nowhere on these axes.

    Attributes:
        parent: None where models may know nothing of it.
    """

    def __init__(self, campaign: Campaign) -> None:
        self._pool = campaign.candidates
        self.parent = None if campaign.models else campaign.reference
        parent = campaign.reference.sequence
        self._there: dict[tuple[str, str], Candidate] = {}
        self._at: dict[str, tuple[str, str]] = {}
        sites: dict[str, int] = {}
        for candidate in self._pool:
            site = next(
                (i for i, (a, b) in enumerate(zip(candidate.sequence, parent, strict=True)) if a != b),
                None,
            )
            if site is not None:
                position, letter = f"{parent[site]}{site + 1}", candidate.sequence[site]
                sites[position] = site
                self._there[position, letter] = candidate
                self._at[candidate.sequence] = position, letter
        positions = tuple(sorted(sites, key=sites.__getitem__))
        letters = tuple(sorted({letter for _, letter in self._there}))
        self.axes = (
            Axis(name="residue", kind="level", values=letters),
            Axis(name="position", kind="level", values=positions),
        )

    def at(self, candidate: Candidate) -> Mapping[str, Coordinate]:
        """Position and new residue; nothing for the parent and for what is no single substitution of it."""
        found = self._at.get(candidate.sequence)
        return {} if found is None else {"position": found[0], "residue": found[1]}

    def moved(self, candidate: Candidate, to: Mapping[str, Coordinate]) -> Candidate | None:
        """The candidate of the pool with another position or residue; None where it has no such."""
        place = {**self.at(candidate), **to}
        return self._there.get((str(place.get("position")), str(place.get("residue"))))

    def sample(self, n: int, rng: np.random.Generator) -> list[Candidate]:
        """Up to n at random."""
        rows = rng.permutation(len(self._pool))[:n]
        return [self._pool[int(row)] for row in rows]
