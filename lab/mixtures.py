"""Amounts that make up a whole: one part of a search space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Mixture"]

_ROUNDING = 1e-6
"""Slack of sums, relative to the total: amounts are rounded on their way through files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Amounts that make up a whole.

    Args:
        ingredients: names of values, at least two.
        total: what the amounts add up to.
        at_most: how many ingredients a candidate may have; None for any number.
        least: smallest amount of an ingredient that is in at all, in the unit of ``total``.
        most: ingredient -> its largest amount, where that is below ``total``.
        resolution: smallest step of an amount; 0 stands for a thousandth of ``total``.

    Raises:
        ValueError: the amounts can't add up to the total.
    """

    ingredients: tuple[str, ...]
    total: float = 1.0
    at_most: int | None = None
    least: float = 0.0
    most: Mapping[str, float] = field(default_factory=dict)
    resolution: float = 0.0

    def __post_init__(self) -> None:
        if len(self.ingredients) < 2 or len(set(self.ingredients)) < len(self.ingredients):
            raise ValueError("a mixture has at least two ingredients, each once")
        if not 0.0 < self.total < math.inf:
            raise ValueError(f"a mixture adds up to {self.total:g}")
        if strange := sorted(set(self.most) - set(self.ingredients)):
            raise ValueError(f"{strange[0]} is no ingredient of the mixture")
        if self.at_most is not None and self.at_most < 1:
            raise ValueError(f"a mixture of at most {self.at_most} ingredients has none")
        if not 0.0 <= self.least <= self.total:
            raise ValueError(f"an ingredient can't make up at least {self.least:g} of {self.total:g}")
        if any(not 0.0 <= amount < math.inf for amount in self.most.values()):
            raise ValueError("the largest amount of an ingredient is a number from 0 up")
        if not 0.0 <= self.resolution <= self.total:
            raise ValueError(f"amounts can't come in steps of {self.resolution:g} of {self.total:g}")
        if abs(self.units * self.step - self.total) > 1e-6 * self.total:
            raise ValueError(f"steps of {self.resolution:g} do not add up to {self.total:g}")
        self._check_sum()

    def _check_sum(self) -> None:
        """Some number of ingredients must be able to make up the whole."""
        fewest, largest = self.bounds
        usable = sorted((most for most in largest if most >= fewest), reverse=True)
        for count in range(1, min(self.at_most or len(usable), len(usable)) + 1):
            if count * fewest <= self.units <= sum(usable[:count]):
                return
        raise ValueError(f"the amounts allowed can't add up to {self.total:g}")

    @property
    def units(self) -> int:
        """Steps that the total is made of."""
        return round(self.total / self.step)

    @property
    def bounds(self) -> tuple[int, tuple[int, ...]]:
        """The smallest amount of an ingredient that is in, and the largest of each, in steps."""
        fewest = max(1, math.ceil(self.least / self.step - 1e-6))
        most = [self.most.get(name, self.total) for name in self.ingredients]
        return fewest, tuple(math.floor(min(amount, self.total) / self.step + 1e-6) for amount in most)

    def _most(self, name: str) -> float:
        return self.most.get(name, self.total)

    @property
    def step(self) -> float:
        """Smallest difference between two amounts."""
        return self.resolution or self.total * 1e-3

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether amounts, one of every ingredient, make up the whole as they should."""
        amounts = {name: values.get(name) for name in self.ingredients}
        known = {
            name: float(a)
            for name, a in amounts.items()
            if isinstance(a, int | float) and not isinstance(a, bool)
        }
        if len(known) < len(amounts) or not all(map(math.isfinite, known.values())):
            return False
        slack = _ROUNDING * self.total
        present = {name: amount for name, amount in known.items() if amount > slack}
        return (
            abs(sum(known.values()) - self.total) <= slack
            and min(known.values()) >= -slack
            and len(present) <= (self.at_most or len(known))
            and all(self.least - slack <= a <= self._most(n) + slack for n, a in present.items())
        )
