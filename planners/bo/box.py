"""Spaces of numbers, levels and mixtures as a box that an acquisition function can be optimised over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lab.spaces import Candidate, JsonValue, Parameter, SearchSpace
from planners.drafts import Codec, Drafts
from planners.polytope import mended

if TYPE_CHECKING:
    import torch

    from planners.bo.choosing import Choice

__all__ = ["Box", "Optimiser", "is_box"]

_FEW = 40
"""Values of an integer up to which they are tried one by one; more are searched as a continuous number and rounded."""

_RESTARTS, _RAW = 2, 32
"""Starts of one search over discrete values, and random points that they are picked from."""

_STEPS = 40
"""Steps of one optimisation by gradient."""


def is_box(space: SearchSpace | None) -> bool:
    """Whether a space is one of numbers, levels and amounts, without sites and without rules."""
    return space is not None and space.sites is None and not space.rules


class Box:
    """A space as columns: numbers from 0 to 1, levels as codes, amounts as shares of the total.

    A number in equal ratios is laid out by its logarithm, unless a linear constraint weighs it: that is linear in the
    number itself.

    Args:
        space: without sites; rules are not looked at.
    """

    cards: tuple[str, ...] = ("named_values@1",)

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.codec = space, Codec(space)
        weighed = {name for constraint in space.constraints for name in constraint.coefficients}
        self._log = [p.log and p.name not in weighed for p in self.codec.numeric]
        self._ends = [_ends(p) for p in self.codec.numeric]
        p, c = len(self.codec.numeric), len(self.codec.categorical)
        self.numbers, self.levels = range(p), range(p, p + c)
        self.amounts = range(p + c, p + c + len(self.codec.ingredients))

    @property
    def categorical(self) -> tuple[int, ...]:
        """Columns of codes of levels."""
        return tuple(self.levels)

    def encode(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """n candidates of the space -> float64 n x d."""
        drafts = self.codec.drafts(candidates)
        units = self.space.mixture.units if self.space.mixture else 1
        columns = [
            _to_share(drafts.numbers[:, i], ends, log)
            for i, (ends, log) in enumerate(zip(self._ends, self._log, strict=True))
        ]
        parts = [
            np.array(columns).reshape(len(columns), len(candidates)).T,
            drafts.levels,
            drafts.amounts / units,
        ]
        return np.hstack(parts).astype(np.float64)

    def decode(self, row: np.ndarray, rng: np.random.Generator) -> Candidate | None:
        """The candidate nearest to a row, in steps that the bench can tell; None where constraints leave none there."""
        drafts = self.codec.empty(1)
        for i, (ends, log) in enumerate(zip(self._ends, self._log, strict=True)):
            drafts.numbers[0, i] = _from_share(row[i], ends, log)
        drafts = Drafts(
            numbers=self.codec.snap(drafts.numbers),
            levels=np.round(row[None, list(self.levels)]).astype(np.intp),
            amounts=self._whole(row[list(self.amounts)])[None, :],
            letters=drafts.letters,
        )
        if self.space.constraints:
            drafts = mended(self.codec, drafts, rng)
        return self.codec.candidates(drafts)[0] if self.codec.feasible(drafts)[0] else None

    def _whole(self, shares: np.ndarray) -> np.ndarray:
        """Shares in steps that add up: rounded down, the rest to those that lost most."""
        if self.space.mixture is None:
            return np.zeros(0, dtype=np.intp)
        units = self.space.mixture.units
        steps = np.floor(shares * units + 1e-9).astype(np.intp)
        missing = units - int(steps.sum())
        if missing > 0:
            steps[np.argsort(steps - shares * units, kind="stable")[:missing]] += 1
        return steps

    def bounds(self, like: np.ndarray) -> np.ndarray:
        """Least and largest value of each column: 2 x d. Of amounts, for mixtures of the ingredients that a row has.

        Args:
            like: (d,).
        """
        low, high = np.zeros(len(like)), np.ones(len(like))
        for column, parameter in zip(self.levels, self.codec.categorical, strict=True):
            high[column] = len(parameter.levels) - 1
        if mixture := self.space.mixture:
            fewest, largest = mixture.bounds
            free = mixture.at_most is None and mixture.least == 0.0
            for column, most in zip(self.amounts, largest, strict=True):
                present = free or like[column] > 0.0
                low[column] = 0.0 if free else present * fewest / mixture.units
                high[column] = present * most / mixture.units
        return np.array([low, high])

    def values_of(self, column: int) -> list[float] | None:
        """All values of a column of numbers, where there are few; None elsewhere."""
        if column not in self.numbers:
            return None
        parameter = self.codec.numeric[column]
        few = parameter.kind == "ordinal" or (parameter.kind == "integer" and _count(parameter) <= _FEW)
        values = parameter.values if few else None
        if values is None:
            return None
        numbers = np.array(values, dtype=np.float64)
        return [float(v) for v in _to_share(numbers, self._ends[column], self._log[column])]

    def linear(self) -> list[tuple[np.ndarray, np.ndarray, float]]:
        """Linear constraints on columns: which, their weights, and what the sum must at least be."""
        found = []
        weights, low, high = self.codec.linear
        columns = np.array([*self.numbers, *self.amounts], dtype=np.intp)
        units = self.space.mixture.units if self.space.mixture else 1
        spans = [b - a for a, b in self._ends] + [float(units)] * len(self.amounts)
        starts = [a for a, _ in self._ends] + [0.0] * len(self.amounts)
        for row, least, most in zip(weights, low, high, strict=True):
            offset = float(row @ np.array(starts))
            scaled = row * np.array(spans)
            used = scaled != 0.0
            for bound, sign in ((least, 1.0), (most, -1.0)):
                if np.isfinite(bound) and used.any():
                    size = float(np.abs(scaled[used]).max())
                    found.append(
                        (columns[used], sign * scaled[used] / size, sign * (float(bound) - offset) / size)
                    )
        return found


class Optimiser:
    """Looks beside the pool of an ask for what an acquisition function likes better.

    Continuous columns by gradient from the best of the pool, inside all linear constraints (BoTorch's ``optimize_acqf``).
    For the first choice of a batch, in spaces without constraints and mixtures, discrete columns and levels are changed too,
    in turn with the continuous ones (``optimize_acqf_mixed_alternating``, a second or so); elsewhere they stay as they are.

    Args:
        fixed: values that what is chosen must have.
        known: candidates that may not be chosen again.
        region: 2 x d, bounds of continuous columns beside those of the space; None for none.
    """

    def __init__(
        self,
        box: Box,
        fixed: Mapping[str, JsonValue],
        known: Sequence[Candidate],
        rng: np.random.Generator,
        region: np.ndarray | None = None,
    ) -> None:
        self._box, self._fixed, self._rng, self._region = box, fixed, rng, region
        self._known = {_key(candidate) for candidate in known}
        self._stepped = False

    def __call__(self, function: torch.nn.Module, best: Choice) -> Choice | None:
        """A candidate with a larger value than the best of the pool; None where none was found."""
        from planners.bo.choosing import Choice, values_of

        found = self._optimum(function, best.row)
        candidate = None if found is None else self._box.decode(found, self._rng)
        if candidate is None or _key(candidate) in self._known:
            return None
        row = self._box.encode([candidate])
        reached = float(values_of(function, row)[0])
        if not reached > best.value:
            return None
        self._known.add(_key(candidate))
        return Choice(candidate=candidate, row=row[0], value=reached)

    def _optimum(self, function: torch.nn.Module, row: np.ndarray) -> np.ndarray | None:
        import torch
        from botorch.exceptions.errors import CandidateGenerationError
        from botorch.optim.optimize import optimize_acqf
        from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating

        box, bounds = self._box, self._box.bounds(row)
        held = {i: float(bounds[0, i]) for i in range(len(row)) if bounds[0, i] == bounds[1, i]}
        held |= {i: float(row[i]) for i in self._held()}
        discrete = {i: v for i in box.numbers if i not in held and (v := box.values_of(i)) is not None}
        levels = {i: [float(k) for k in range(int(bounds[1, i]) + 1)] for i in box.levels if i not in held}
        limits = torch.as_tensor(self._within(bounds, row, {*discrete, *levels}))
        atleast = [(torch.as_tensor(i), torch.as_tensor(w), bound) for i, w, bound in box.linear()]
        whole = [i for i in box.amounts if i not in held]
        rest = 1.0 - sum(held[i] for i in box.amounts if i in held)
        try:
            if (discrete or levels) and not (atleast or box.amounts or self._stepped):
                self._stepped = True
                best, _ = optimize_acqf_mixed_alternating(
                    function,  # type: ignore[arg-type]  # any callable will do
                    limits,
                    discrete_dims=discrete,
                    cat_dims=levels,
                    options={"maxiter_alternating": 2, "initialization_strategy": "random"},
                    raw_samples=_RAW,
                    num_restarts=_RESTARTS,
                    fixed_features=held,
                )
                return np.asarray(best[0].detach().numpy())
            held |= {i: float(row[i]) for i in (*discrete, *levels)}
            if len(held) == len(row):
                return None
            best, _ = optimize_acqf(
                function,  # type: ignore[arg-type]  # any callable will do
                limits,
                q=1,
                num_restarts=1,
                batch_initial_conditions=torch.as_tensor(row)[None, None, :],
                fixed_features=held,
                inequality_constraints=atleast or None,
                equality_constraints=(
                    [(torch.tensor(whole), torch.ones(len(whole)).double(), rest)] if whole else None
                ),
                options={"maxiter": _STEPS},
            )
        except CandidateGenerationError:
            return None  # the best of the pool stands
        return np.asarray(best[0].detach().numpy())

    def _within(self, bounds: np.ndarray, row: np.ndarray, stepped: set[int]) -> np.ndarray:
        """Bounds, those of continuous columns no wider than the region; the row stays inside."""
        if self._region is None:
            return bounds
        low, high = np.maximum(bounds[0], self._region[0]), np.minimum(bounds[1], self._region[1])
        low, high = np.minimum(low, row), np.maximum(high, row)
        stay = [i in stepped for i in range(len(row))]
        return np.where(stay, bounds, np.array([low, high]))

    def _held(self) -> list[int]:
        """Columns of values that are fixed for this batch, and of numbers that have one value only."""
        box = self._box
        named = [(i, p) for i, p in zip(box.numbers, box.codec.numeric, strict=True)]
        named += [(i, p) for i, p in zip(box.levels, box.codec.categorical, strict=True)]
        return [i for i, p in named if p.name in self._fixed or _count(p) == 1]


def _key(candidate: Candidate) -> tuple[tuple[str, JsonValue], ...]:
    return tuple(sorted(candidate.values.items()))


def _ends(parameter: Parameter) -> tuple[float, float]:
    if parameter.kind == "ordinal":
        return float(parameter.levels[0]), float(parameter.levels[-1])
    assert parameter.low is not None
    assert parameter.high is not None
    return parameter.low, parameter.high


def _count(parameter: Parameter) -> int:
    """How many values it can have; more than anyone tries where they are countless."""
    if parameter.levels:
        return len(parameter.levels)
    low, high = _ends(parameter)
    if low == high:
        return 1
    return round(high - low) + 1 if parameter.kind == "integer" else 10**9


def _to_share(values: np.ndarray, ends: tuple[float, float], log: bool) -> np.ndarray:
    low, high = ends
    if low == high:
        return np.zeros(len(values))
    if log:
        return np.asarray(np.log(values / low) / np.log(high / low))
    return np.asarray((values - low) / (high - low))


def _from_share(share: float, ends: tuple[float, float], log: bool) -> float:
    low, high = ends
    if log:
        return float(low * (high / low) ** share)
    return float(low + share * (high - low))
