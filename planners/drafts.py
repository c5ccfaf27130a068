"""Candidates of a search space as arrays, so that thousands can be drawn, moved and checked at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab.spaces import Candidate, Parameter, SearchSpace

__all__ = ["Codec", "Drafts"]

_LONGEST_NAME = 100
"""Characters of a candidate's id beyond which the rest of its values is cut to a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """n candidates of a space.

    Args:
        numbers: n x p, of numeric parameters in their units.
        levels: n x c, indices of categorical parameters.
        amounts: n x k, of ingredients, in steps of the mixture.
        letters: n x s, of sites: 0 for the parent's own letter, else from 1 in the order of the other letters allowed.
    """

    numbers: np.ndarray
    levels: np.ndarray
    amounts: np.ndarray
    letters: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray) -> Drafts:
        """Those of some rows, or of a mask."""
        return Drafts(
            numbers=self.numbers[rows],
            levels=self.levels[rows],
            amounts=self.amounts[rows],
            letters=self.letters[rows],
        )

    @staticmethod
    def joined(parts: Sequence[Drafts]) -> Drafts:
        """All of at least one, one after the other."""
        return Drafts(
            numbers=np.concatenate([part.numbers for part in parts]),
            levels=np.concatenate([part.levels for part in parts]),
            amounts=np.concatenate([part.amounts for part in parts]),
            letters=np.concatenate([part.letters for part in parts]),
        )


class Codec:
    """Between candidates of a space and their drafts.

    Attributes:
        numeric: parameters that are numbers; columns of ``numbers``.
        categorical: the others; columns of ``levels``.
        ingredients: columns of ``amounts``.
        choices: for each site what may stand there, the parent's own letter first; columns of ``letters``.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.numeric: tuple[Parameter, ...] = tuple(p for p in space.parameters if p.is_number)
        self.categorical: tuple[Parameter, ...] = tuple(p for p in space.parameters if not p.is_number)
        self.ingredients: tuple[str, ...] = space.mixture.ingredients if space.mixture else ()
        self.choices: tuple[str, ...] = ()
        if sites := space.sites:
            own = [sites.parent[position - 1] for position in sites.positions]
            self.choices = tuple(
                f"{letter}{allowed.replace(letter, '')}"
                for letter, allowed in zip(own, sites.letters, strict=True)
            )
        self._weights = self._linear()

    def _linear(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the linear constraints: coefficients (m x numbers and amounts, these in steps), lower and upper bounds (m,)."""
        step = self.space.mixture.step if self.space.mixture else 0.0
        names = [p.name for p in self.numeric]
        rows = [
            [c.coefficients.get(name, 0.0) for name in names]
            + [c.coefficients.get(name, 0.0) * step for name in self.ingredients]
            for c in self.space.constraints
        ]
        low = [-np.inf if c.at_least is None else c.at_least for c in self.space.constraints]
        high = [np.inf if c.at_most is None else c.at_most for c in self.space.constraints]
        shape = (len(rows), len(names) + len(self.ingredients))
        return np.array(rows, dtype=np.float64).reshape(shape), np.array(low), np.array(high)

    @property
    def linear(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the linear constraints: coefficients, m x (numbers, then amounts in steps), lower and upper bounds, (m,)."""
        return self._weights

    def empty(self, n: int) -> Drafts:
        """n drafts of nothing yet."""
        return Drafts(
            numbers=np.zeros((n, len(self.numeric))),
            levels=np.zeros((n, len(self.categorical)), dtype=np.intp),
            amounts=np.zeros((n, len(self.ingredients)), dtype=np.intp),
            letters=np.zeros((n, len(self.choices)), dtype=np.intp),
        )

    def snap(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers as the bench can tell them apart: n x p."""
        snapped = np.empty_like(numbers)
        for column, parameter in enumerate(self.numeric):
            snapped[:, column] = _snapped(parameter, numbers[:, column])
        return snapped

    def feasible(self, drafts: Drafts) -> np.ndarray:
        """Which keep to mixture, number of substitutions and linear constraints: (n,); values are within their bounds."""
        kept = np.ones(len(drafts), dtype=bool)
        if mixture := self.space.mixture:
            fewest, largest = mixture.bounds
            amounts, present = drafts.amounts, drafts.amounts > 0
            kept &= (amounts.sum(axis=1) == mixture.units) & (amounts >= 0).all(axis=1)
            kept &= present.sum(axis=1) <= (mixture.at_most or len(self.ingredients))
            kept &= (~present | (amounts >= fewest)).all(axis=1) & (amounts <= np.array(largest)).all(axis=1)
        if sites := self.space.sites:
            kept &= (drafts.letters > 0).sum(axis=1) <= (sites.at_most or len(self.choices))
        return kept & (self.excess(drafts) <= 0.0).all(axis=1)

    def excess(self, drafts: Drafts) -> np.ndarray:
        """By how much each linear constraint is broken, beyond rounding: n x m, at most 0 where it holds."""
        weights, low, high = self.linear
        terms = np.hstack([drafts.numbers, drafts.amounts.astype(np.float64)])
        sums = terms @ weights.T
        slack = 1e-9 * (np.abs(terms) @ np.abs(weights).T + 1e-12)
        broken: np.ndarray = np.maximum(low - sums, sums - high) - slack
        return broken

    def candidates(self, drafts: Drafts) -> list[Candidate]:
        """The candidates that drafts stand for, named by their values."""
        columns: dict[str, list[float] | list[str]] = {}
        for at, parameter in enumerate(self.numeric):
            columns[parameter.name] = drafts.numbers[:, at].tolist()
        for at, parameter in enumerate(self.categorical):
            names = [str(level) for level in parameter.levels]
            columns[parameter.name] = [names[i] for i in drafts.levels[:, at].tolist()]
        if mixture := self.space.mixture:
            for at, name in enumerate(self.ingredients):
                columns[name] = [
                    float(f"{i * mixture.step:.12g}") if i else 0.0 for i in drafts.amounts[:, at].tolist()
                ]
        ordered = [columns[name] for name in self.space.names]
        made = []
        for row in range(len(drafts)):
            values = {name: column[row] for name, column in zip(self.space.names, ordered, strict=True)}
            sequence, changes = self._sequence(drafts.letters[row])
            made.append(Candidate(id=self._name(values, changes), sequence=sequence, values=values))
        return made

    def _sequence(self, letters: np.ndarray) -> tuple[str, str]:
        """The sequence, and its substitutions (``V39A+D40W``; ``WT`` for none)."""
        sites = self.space.sites
        if sites is None:
            return "", ""
        sequence, changes = list(sites.parent), []
        for at in np.flatnonzero(letters).tolist():
            position, letter = sites.positions[at], self.choices[at][letters[at]]
            changes.append(f"{sequence[position - 1]}{position}{letter}")
            sequence[position - 1] = letter
        return "".join(sequence), "+".join(changes) or "WT"

    def _name(self, values: dict[str, float | str], changes: str) -> str:
        """An id that says what the candidate is; equal for equal candidates only."""
        ingredients = set(self.ingredients)
        told = [
            f"{name}={value:.12g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in values.items()
            if value != 0.0 or name not in ingredients
        ]
        name = " ".join([changes, *told] if changes else told)
        if len(name) <= _LONGEST_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        return f"{name[: _LONGEST_NAME - 16].rsplit(' ', 1)[0]} ...{digest}"

    def drafts(self, candidates: Sequence[Candidate]) -> Drafts:
        """Drafts of candidates that lie in the space; numbers as they are, amounts to the nearest step."""
        made = self.empty(len(candidates))
        sites, step = self.space.sites, self.space.mixture.step if self.space.mixture else 1.0
        for row, candidate in enumerate(candidates):
            for at, parameter in enumerate(self.numeric):
                made.numbers[row, at] = candidate.values[parameter.name]
            for at, parameter in enumerate(self.categorical):
                made.levels[row, at] = parameter.levels.index(candidate.values[parameter.name])
            for at, name in enumerate(self.ingredients):
                made.amounts[row, at] = round(candidate.values[name] / step)
            for at, choices in enumerate(self.choices):
                assert sites is not None
                made.letters[row, at] = choices.index(candidate.sequence[sites.positions[at] - 1])
        return made


def _snapped(parameter: Parameter, values: np.ndarray) -> list[float]:
    """What ``parameter.snapped`` makes of each value, faster where it has steps."""
    if parameter.kind == "ordinal" or not parameter.step or parameter.low is None or parameter.high is None:
        return [parameter.snapped(value) for value in values.tolist()]
    low, step = parameter.low, parameter.step
    most = np.floor((parameter.high - low) / step * (1.0 + 1e-9) + 1e-9)
    rounded = low + np.clip(np.round((values - low) / step), 0.0, most) * step
    rounded = np.where(np.abs(rounded) < 1e-9 * step, 0.0, rounded)
    return [float(f"{value:.12g}") for value in rounded.tolist()]
