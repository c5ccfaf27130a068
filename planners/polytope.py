"""What linear constraints leave of a space: points inside it however thin it is, and which constraint leaves nothing."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linprog

from lab.errors import BadInput
from lab.spaces import LinearConstraint, Parameter
from planners.drafts import Codec, Drafts

__all__ = ["Polytope", "mended", "refuse_empty"]

_THIN = 0.01
"""Distance of two bounds, as a share of how far their sum can reach, up to which they are a slab."""

_THINNING = 8
"""Steps of a chain for each draw that is kept."""


class Polytope:
    """Numbers and amounts of the ingredients that a draft has, within bounds and linear constraints.

    A constraint whose bounds lie close together is taken at one level between them: in a thin slab a walk gets nowhere.

    Args:
        start: one draft; its levels and letters stay, and which ingredients are in.
        rng: draws those levels.
    """

    def __init__(self, codec: Codec, start: Drafts, rng: np.random.Generator) -> None:
        self._codec, self._start = codec, start
        weights, low, high = codec.linear
        self._in = np.flatnonzero(start.amounts[0] > 0)
        p = len(codec.numeric)
        columns = np.concatenate([np.arange(p), p + self._in]).astype(np.intp)
        bounds = [_bounds(parameter) for parameter in codec.numeric]
        if mixture := codec.space.mixture:
            fewest, largest = mixture.bounds
            bounds += [(float(fewest), float(largest[i])) for i in self._in]
        self.bounds = np.array(bounds, dtype=np.float64).reshape(-1, 2)
        rows = weights[:, columns]
        finite_low, finite_high = np.isfinite(low), np.isfinite(high)
        reach = np.abs(rows) @ (self.bounds[:, 1] - self.bounds[:, 0])
        even = finite_low & finite_high
        even[even] = high[even] - low[even] <= _THIN * reach[even]
        self.at_most = np.vstack([rows[finite_high & ~even], -rows[finite_low & ~even]])
        self.limits = np.concatenate([high[finite_high & ~even], -low[finite_low & ~even]])
        self.equal, self.levels = rows[even], rng.uniform(low[even], high[even])
        if mixture is not None:
            sums = np.concatenate([np.zeros(p), np.ones(len(self._in))])
            self.equal = np.vstack([self.equal, sums])
            self.levels = np.append(self.levels, float(mixture.units))

    def points(self, n: int, rng: np.random.Generator) -> np.ndarray | None:
        """The middle, as far from all walls as can be, and n corners: (n + 1) x d; None where there is no point."""
        scale = self.bounds[:, 1] - self.bounds[:, 0]
        d = len(scale)
        norms = np.linalg.norm(self.at_most * scale, axis=1)
        middle = self._solved(
            np.append(np.zeros(d), -1.0),
            np.vstack(
                [
                    np.hstack([self.at_most, norms[:, None]]),
                    np.hstack([np.eye(d), scale[:, None]]),
                    np.hstack([-np.eye(d), scale[:, None]]),
                ]
            ),
            np.concatenate([self.limits, self.bounds[:, 1], -self.bounds[:, 0]]),
            [(None, None)] * d + [(0.0, 1.0)],
        )
        if middle is None:
            return None
        box = [(float(a), float(b)) for a, b in self.bounds]
        corners = [
            self._solved(rng.standard_normal(d) / np.maximum(scale, 1e-300), self.at_most, self.limits, box)
            for _ in range(n)
        ]
        return np.array([middle[:d], *(corner for corner in corners if corner is not None)])

    def _solved(
        self,
        costs: np.ndarray,
        table: np.ndarray,
        limits: np.ndarray,
        bounds: list[tuple[float | None, float | None]] | list[tuple[float, float]],
    ) -> np.ndarray | None:
        """Where a linear program is least; columns past the polytope's own take no part in its equalities."""
        more = len(costs) - len(self.bounds)
        equal = np.hstack([self.equal, np.zeros((len(self.equal), more))])
        solved = linprog(
            costs,
            A_ub=table if len(table) else None,
            b_ub=limits if len(table) else None,
            A_eq=equal if len(equal) else None,
            b_eq=self.levels if len(equal) else None,
            bounds=bounds,
        )
        return np.asarray(solved.x) if solved.status == 0 else None

    def walk(self, start: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        """n points of a chain: n x d."""
        scale = self.bounds[:, 1] - self.bounds[:, 0]
        free = _null_space(self.equal * scale)
        walls = np.vstack([self.at_most, np.eye(len(scale)), -np.eye(len(scale))])
        limits = np.concatenate([self.limits, self.bounds[:, 1], -self.bounds[:, 0]])
        points = np.empty((n, len(scale)))
        at = start.copy()
        for step in range(n * _THINNING):
            direction = scale * (free @ rng.standard_normal(free.shape[1]))
            speed, room = walls @ direction, np.maximum(limits - walls @ at, 0.0)
            moving = np.abs(speed) > 1e-12 * max(float(np.abs(speed).max(initial=0.0)), 1e-300)
            times = room[moving] / speed[moving]
            ahead, behind = times[speed[moving] > 0], times[speed[moving] < 0]
            if len(ahead) and len(behind):
                at = at + rng.uniform(float(behind.max()), float(ahead.min())) * direction
            if step % _THINNING == _THINNING - 1:
                points[step // _THINNING] = at
        return points

    def drafts(self, points: np.ndarray) -> Drafts:
        """Points of the polytope as drafts, snapped; sums of amounts kept."""
        codec = self._codec
        made = self._start.take(np.zeros(len(points), dtype=np.intp))
        p = len(codec.numeric)
        made.numbers[:] = codec.snap(points[:, :p])
        if codec.space.mixture is not None:
            made.amounts[:, self._in] = _whole(points[:, p:], codec.space.mixture.units)
        return made


def _bounds(parameter: Parameter) -> tuple[float, float]:
    if parameter.kind == "ordinal":
        levels = [float(level) for level in parameter.levels]
        return levels[0], levels[-1]
    assert parameter.low is not None
    assert parameter.high is not None
    return parameter.low, parameter.high


def _null_space(rows: np.ndarray) -> np.ndarray:
    """Orthonormal directions that leave rows @ x as it is: d x f."""
    d = rows.shape[1]
    if not len(rows):
        return np.eye(d)
    _, singular, right = np.linalg.svd(rows)
    rank = int((singular > 1e-10 * max(float(singular.max(initial=0.0)), 1e-300)).sum())
    return np.asarray(right[rank:].T)


def _whole(amounts: np.ndarray, units: int) -> np.ndarray:
    """Amounts rounded to steps so that they still add up: n x k."""
    floors = np.floor(amounts + 1e-9)
    left = (units - floors.sum(axis=1)).astype(np.intp)
    order = np.argsort(np.argsort(-(amounts - floors), axis=1), axis=1)
    return np.asarray((floors + (order < left[:, None])).astype(np.intp))


def mended(codec: Codec, drafts: Drafts, rng: np.random.Generator) -> Drafts:
    """Drafts that a linear constraint lacks little of, with one number moved so that it holds; others as they were."""
    weights, low, high = codec.linear
    p = len(codec.numeric)
    numbers = drafts.numbers.copy()
    for row in np.flatnonzero((codec.excess(drafts) > 0.0).any(axis=1)).tolist():
        for constraint in range(len(weights)):
            fixed = float(weights[constraint, p:] @ drafts.amounts[row])
            for column in rng.permutation(np.flatnonzero(weights[constraint, :p])).tolist():
                total = float(weights[constraint, :p] @ numbers[row]) + fixed
                over = max(total - high[constraint], 0.0) - max(low[constraint] - total, 0.0)
                if over == 0.0:
                    break
                numbers[row, column] = _towards(
                    codec.numeric[column], numbers[row, column], -over / weights[constraint, column]
                )
    return Drafts(numbers=numbers, levels=drafts.levels, amounts=drafts.amounts, letters=drafts.letters)


def _towards(parameter: Parameter, value: float, change: float) -> float:
    """The value that a parameter can have at least so far in a direction, if there is one."""
    goal = value + change
    snapped = parameter.snapped(goal)
    if (
        (snapped - goal) * change < -1e-9 * abs(change) ** 2
        and parameter.kind != "ordinal"
        and parameter.step
    ):
        snapped = parameter.snapped(goal + math.copysign(parameter.step * 0.501, change))
    return snapped


def refuse_empty(codec: Codec) -> None:
    """Say which linear constraint leaves nothing.

    Raises:
        BadInput: no point keeps to all of them, whatever the steps.
    """
    space = codec.space
    blamed: LinearConstraint | None = next((c for c in space.constraints if not _possible(codec, (c,))), None)
    if blamed is not None:
        raise BadInput(
            f"No candidate keeps to the constraint {blamed}.",
            way_out="Widen its bounds, or those of the values that it weighs.",
            field="space.constraints",
        )
    for i in range(1, len(space.constraints) + 1):
        if not _possible(codec, space.constraints[:i]):
            raise BadInput(
                f"No candidate keeps to the constraint {space.constraints[i - 1]} and those before it.",
                way_out="Widen one of them.",
                field="space.constraints",
            )


def _possible(codec: Codec, constraints: tuple[LinearConstraint, ...]) -> bool:
    """Whether some point within bounds and mixture keeps to linear constraints, steps and number of ingredients aside."""
    p, k = len(codec.numeric), len(codec.ingredients)
    names = [parameter.name for parameter in codec.numeric]
    step = codec.space.mixture.step if codec.space.mixture else 0.0
    table: list[list[float]] = []
    limits: list[float] = []
    for c in constraints:
        row = [c.coefficients.get(n, 0.0) for n in names]
        row += [c.coefficients.get(n, 0.0) * step for n in codec.ingredients]
        if c.at_most is not None:
            table.append(row)
            limits.append(c.at_most)
        if c.at_least is not None:
            table.append([-weight for weight in row])
            limits.append(-c.at_least)
    bounds = [_bounds(parameter) for parameter in codec.numeric]
    mixture = codec.space.mixture
    if mixture is not None:
        bounds += [(0.0, float(most)) for most in mixture.bounds[1]]
    solved = linprog(
        np.zeros(p + k),
        A_ub=np.array(table),
        b_ub=np.array(limits),
        A_eq=None if mixture is None else np.array([[0.0] * p + [1.0] * k]),
        b_eq=None if mixture is None else np.array([float(mixture.units)]),
        bounds=bounds,
    )
    return bool(solved.status == 0)
