"""What a campaign looks for: objectives, and the limits that a candidate must keep to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ALONE", "MEANINGS", "WITH_A_LEVEL", "Direction", "Goal", "Limit", "Objective"]

Direction = Literal["maximize", "minimize", "hit", "exceed", "map"]

MEANINGS: Mapping[Direction, str] = {
    "maximize": "as much as possible",
    "minimize": "as little as possible",
    "hit": "as close as possible to a level",
    "exceed": "all that lie above a level",
    "map": "known well everywhere",
}
"""Every direction, and what is wanted with it."""

WITH_A_LEVEL: frozenset[Direction] = frozenset({"hit", "exceed"})
"""Directions that need a level; the others have none."""

ALONE: frozenset[Direction] = frozenset({"exceed", "map"})
"""Directions that are a goal of their own, without further objectives."""
"""What is wanted of a target: large, small, near ``level``, on the good side of ``level`` in as many candidates as can be
found, or to be known over the whole space.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One target and what is wanted of it.

    Args:
        target: name of the observation that the protocol's analysis gives (``residual_activity``).
        level: in the target's unit; of ``hit`` and ``exceed``, which need it.

    Raises:
        ValueError: a level is missing, or given where it means nothing.
    """

    target: str
    direction: Direction = "maximize"
    level: float | None = None

    def __post_init__(self) -> None:
        needed = self.direction in WITH_A_LEVEL
        if needed and (self.level is None or not math.isfinite(self.level)):
            raise ValueError(f"to {self.direction} {self.target} takes a level")
        if not needed and self.level is not None:
            raise ValueError(f"to {self.direction} {self.target} takes no level")

    @property
    def sign(self) -> float:
        """-1 to minimise, else +1: of two values of a target to maximise or minimise, the better has the larger
        ``sign * value``.
        """
        return -1.0 if self.direction == "minimize" else 1.0

    def merit(self, value: float) -> float:
        """How good a measured value is: larger is better, whatever the direction; in the target's unit.

        To map a region, all values are equally good.
        """
        if self.direction == "hit":
            assert self.level is not None
            return -abs(value - self.level)
        if self.direction == "map":
            return 0.0
        return self.sign * value


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What another target must keep to for a candidate to count.

    Args:
        at_least: in the target's unit.
        at_most: in the target's unit; at least one of the two is given.

    Raises:
        ValueError: neither bound is given, or they contradict each other.
    """

    target: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"a limit of {self.target} needs at_least or at_most")
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not all(map(math.isfinite, bounds)):
            raise ValueError(f"a limit of {self.target} is a finite number")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"no {self.target} is at least {self.at_least:g} and at most {self.at_most:g}")

    def holds(self, value: float) -> bool:
        """Whether a value keeps to it."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal(Objective):
    """What the campaign looks for: its first objective, and what else is wanted.

    Args:
        also: further objectives, each ``maximize``, ``minimize`` or ``hit``; the goal is then the Pareto set.
        limits: on targets, the objectives' own or others.

    Raises:
        ValueError: a target is an objective twice, or several objectives with one to ``exceed`` or ``map``.
    """

    also: tuple[Objective, ...] = ()
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        # slots give a dataclass a second class object, which the short form of super() does not know
        Objective.__post_init__(self)
        targets = [objective.target for objective in self.objectives]
        if len(set(targets)) < len(targets):
            raise ValueError(f"a target is an objective twice among {', '.join(targets)}")
        alone = [o.direction for o in self.objectives if o.direction in ALONE]
        if alone and self.also:
            raise ValueError(f"to {alone[0]} a target is a goal of its own, without other objectives")

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All of them, the first first."""
        first = Objective(target=self.target, direction=self.direction, level=self.level)
        return (first, *self.also)

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that objectives or limits speak of, each once."""
        named = [o.target for o in self.objectives] + [limit.target for limit in self.limits]
        return tuple(dict.fromkeys(named))
