"""What may be chosen: a candidate, and search spaces that are not a list of candidates.

A space is described by named values (numbers, levels, amounts of a mixture), by substitutions at chosen sites of the
reference's sequence, or by both. Whether a candidate lies in it is decided here; drawing candidates from it is the
planners' trade.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lab.mixtures import Mixture

__all__ = [
    "AMINO_ACIDS",
    "DNA",
    "Candidate",
    "JsonValue",
    "LinearConstraint",
    "Mixture",
    "Parameter",
    "Rule",
    "SearchSpace",
    "Sites",
]

JsonValue = Any
"""What ``json`` can write: None, bool, int, float, str, lists and string-keyed dicts of those."""

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
"""One-letter codes of the 20 proteinogenic amino acids, in alphabetical order; encoders index by it."""

DNA = "ACGT"
"""One-letter codes of the four bases of DNA, in alphabetical order; encoders index by it."""

_ROUNDING = 1e-9
"""Slack of bounds and sums, relative to their size: values are rounded on their way through files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One point of the search space that an experiment may choose.

    Args:
        id: unique within the campaign (``T16I``).
        sequence: letters of the whole protein or DNA element, if it is one.
        values: named numbers or levels for candidates that are described by them.
    """

    id: str
    sequence: str = ""
    values: Mapping[str, JsonValue] = field(default_factory=dict)


Rule = str | Callable[[Candidate], bool]
"""What decides whether a candidate is allowed: a function, or in files where to import it from (``module:function``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One named value of a space.

    Args:
        name: with its unit (``temperature_c``).
        kind: ``ordinal`` is numbers in steps, ``categorical`` is levels without order.
        low, high: of continuous and integer ones.
        resolution: smallest step of a continuous one that makes a difference on the bench; values are multiples of it above
            ``low``. 0 stands for a ten-thousandth of the range, or with ``log`` for four significant digits.
        log: whether equal ratios of a number make equal differences; needs ``low`` above 0.
        levels: of ordinal ones as numbers in ascending order, of categorical ones as text; at least one.

    Raises:
        ValueError: bounds or levels are missing, contradict each other or mean nothing for the kind.
    """

    name: str
    kind: Literal["continuous", "integer", "ordinal", "categorical"] = "continuous"
    low: float | None = None
    high: float | None = None
    resolution: float = 0.0
    log: bool = False
    levels: tuple[float | str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a value of a space needs a name")
        if self.kind in ("continuous", "integer"):
            self._check_range()
        else:
            self._check_levels()

    def _check_range(self) -> None:
        if self.levels:
            raise ValueError(f"{self.name} is {self.kind} and has bounds, not levels")
        if self.low is None or self.high is None or not math.isfinite(self.low + self.high):
            raise ValueError(f"{self.name} is {self.kind} and needs a low and a high bound")
        if self.low > self.high:
            raise ValueError(f"{self.name} reaches from {self.low:g} down to {self.high:g}")
        if self.log and self.low <= 0.0:
            raise ValueError(f"{self.name} is in equal ratios and must stay above 0")
        if self.kind == "integer" and (self.low % 1 or self.high % 1):
            raise ValueError(f"{self.name} is an integer between bounds that are none")
        if not 0.0 <= self.resolution < math.inf:
            raise ValueError(f"{self.name} has a resolution of {self.resolution:g}")
        if self.kind == "integer" and self.resolution:
            raise ValueError(f"{self.name} is an integer; its resolution is 1")

    def _check_levels(self) -> None:
        if self.low is not None or self.high is not None:
            raise ValueError(f"{self.name} is {self.kind} and has levels, not bounds")
        if not self.levels or len(set(self.levels)) < len(self.levels):
            raise ValueError(f"{self.name} is {self.kind} and needs levels, each once")
        if self.log or self.resolution:
            raise ValueError(f"{self.name} is {self.kind} and has neither a resolution nor equal ratios")
        numbers = [level for level in self.levels if isinstance(level, int | float)]
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"{self.name} has a level that is no finite number")
        if self.kind == "ordinal" and (len(numbers) < len(self.levels) or sorted(numbers) != numbers):
            raise ValueError(f"{self.name} is ordinal and its levels must be numbers in ascending order")
        if self.kind == "categorical" and numbers:
            raise ValueError(f"{self.name} is categorical and its levels must be text")

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.kind != "categorical"

    @property
    def step(self) -> float:
        """Smallest difference between two values, of continuous and integer ones; 0 where that depends on the value."""
        assert self.low is not None
        assert self.high is not None
        if self.kind == "integer":
            return 1.0
        return self.resolution or (0.0 if self.log else (self.high - self.low) * 1e-4)

    @property
    def values(self) -> tuple[float | str, ...] | None:
        """All that it can have, in order; None where a resolution was not given, so that they are countless."""
        if self.levels:
            return self.levels
        assert self.low is not None
        assert self.high is not None
        if self.low == self.high:
            return (self.low,)
        if self.kind == "continuous" and not self.resolution:
            return None
        return tuple(self.snapped(self.low + i * self.step) for i in range(self._steps + 1))

    @property
    def _steps(self) -> int:
        assert self.low is not None
        assert self.high is not None
        return math.floor((self.high - self.low) / self.step * (1.0 + _ROUNDING) + _ROUNDING)

    def snapped(self, value: float) -> float:
        """The nearest value that the parameter can have; of numbers."""
        if self.kind == "ordinal":
            return float(min(self.levels, key=lambda level: abs(float(level) - value)))
        assert self.low is not None
        assert self.high is not None
        if self.step == 0.0:
            return min(max(float(f"{value:.4g}"), self.low), self.high)
        steps = round((value - self.low) / self.step)
        found = self.low + max(0, min(steps, self._steps)) * self.step
        return 0.0 if abs(found) < _ROUNDING * self.step else float(f"{found:.12g}")

    def holds(self, value: JsonValue) -> bool:
        """Whether it can have the value; steps are not looked at."""
        if self.kind == "categorical":
            return value in self.levels
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "ordinal":
            return any(math.isclose(value, float(level), rel_tol=_ROUNDING) for level in self.levels)
        assert self.low is not None
        assert self.high is not None
        slack = _ROUNDING * max(abs(self.low), abs(self.high), 1e-300)
        whole = self.kind == "continuous" or float(value).is_integer()
        return whole and self.low - slack <= value <= self.high + slack


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Substitutions at chosen sites of a parent.

    Args:
        parent: letters of the whole sequence.
        positions: sites that may change, counted from 1, in ascending order.
        letters: what may stand at each, one text a position; the parent's own letter need not be among them.
        at_most: how many sites may differ from the parent at a time; None for all.

    Raises:
        ValueError: a position is not in the parent, or its letters are missing.
    """

    parent: str
    positions: tuple[int, ...]
    letters: tuple[str, ...]
    at_most: int | None = None

    def __post_init__(self) -> None:
        if not self.positions or list(self.positions) != sorted(set(self.positions)):
            raise ValueError("sites are positions in ascending order, each once")
        if self.positions[0] < 1 or self.positions[-1] > len(self.parent):
            raise ValueError(f"sites lie between 1 and {len(self.parent)}, the length of the parent")
        if len(self.letters) != len(self.positions) or not all(self.letters):
            raise ValueError("every site needs the letters that may stand there")
        if twice := next((text for text in self.letters if len(set(text)) < len(text)), ""):
            raise ValueError(f"the letters {twice} of a site name one of them twice")
        if self.at_most is not None and self.at_most < 1:
            raise ValueError(f"at most {self.at_most} substitutions leave nothing to choose")

    def holds(self, sequence: str) -> bool:
        """Whether a sequence differs from the parent only as it may."""
        if len(sequence) != len(self.parent):
            return False
        allowed = dict(zip(self.positions, self.letters, strict=True))
        changed = [i for i, (a, b) in enumerate(zip(sequence, self.parent, strict=True), start=1) if a != b]
        if any(i not in allowed or sequence[i - 1] not in allowed[i] for i in changed):
            return False
        return len(changed) <= (self.at_most or len(self.positions))


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearConstraint:
    """Bounds of a weighted sum of numbers.

    Args:
        coefficients: name of a value -> its weight.
        at_least, at_most: at least one of the two is given.

    Raises:
        ValueError: there are no coefficients or no bounds, or the bounds contradict each other.
    """

    coefficients: Mapping[str, float]
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if not any(self.coefficients.values()):
            raise ValueError("a linear constraint needs coefficients that are not 0")
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if not all(map(math.isfinite, (*self.coefficients.values(), *bounds))):
            raise ValueError("coefficients and bounds of a linear constraint are finite numbers")
        if self.at_least is None and self.at_most is None:
            raise ValueError("a linear constraint needs at_least or at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"no sum is at least {self.at_least:g} and at most {self.at_most:g}")

    def __str__(self) -> str:
        terms = " + ".join(
            name if weight == 1.0 else f"{weight:g} {name}" for name, weight in self.coefficients.items()
        )
        low = "" if self.at_least is None else f"{self.at_least:g} <= "
        high = "" if self.at_most is None else f" <= {self.at_most:g}"
        return f"{low}{terms}{high}".replace("+ -", "- ")

    def holds(self, values: Mapping[str, JsonValue]) -> bool:
        """Whether named numbers keep to it."""
        terms = [weight * float(values[name]) for name, weight in self.coefficients.items()]
        slack = _ROUNDING * max(1e-300, *(abs(term) for term in terms))
        total = sum(terms)
        above = self.at_least is None or total >= self.at_least - slack
        return above and (self.at_most is None or total <= self.at_most + slack)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A space that is not a pool: every combination of its parts that its constraints allow.

    Args:
        parameters: named values.
        mixture: amounts that make up a whole, beside the parameters.
        sites: substitutions, beside both.
        constraints: linear ones.
        rules: whatever else decides; a candidate is allowed when all say so.
        folder: that modules of rules are looked for in first; empty for none.

    Raises:
        ValueError: it has no parts, a name twice, or a constraint of something that is no number of it.
    """

    parameters: tuple[Parameter, ...] = ()
    mixture: Mixture | None = None
    sites: Sites | None = None
    constraints: tuple[LinearConstraint, ...] = ()
    rules: tuple[Rule, ...] = ()
    folder: str = ""

    def __post_init__(self) -> None:
        names = self.names
        if not names and self.sites is None:
            raise ValueError("a space needs parameters, a mixture or sites")
        if twice := sorted(name for name in set(names) if names.count(name) > 1):
            raise ValueError(f"{twice[0]} names two values of the space")
        numbers = {p.name for p in self.parameters if p.is_number}
        numbers |= set(self.mixture.ingredients if self.mixture else ())
        for constraint in self.constraints:
            if strange := sorted(set(constraint.coefficients) - numbers):
                raise ValueError(f"{strange[0]} is no number of the space, but a linear constraint weighs it")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all values: parameters, then ingredients."""
        ingredients = self.mixture.ingredients if self.mixture else ()
        return (*(p.name for p in self.parameters), *ingredients)

    def holds(self, candidate: Candidate) -> bool:
        """Whether a candidate lies in the space, as far as parts and linear constraints say; rules are not asked."""
        values = candidate.values
        if set(values) != set(self.names):
            return False
        if not all(p.holds(values[p.name]) for p in self.parameters):
            return False
        if self.mixture is not None and not self.mixture.holds(values):
            return False
        if self.sites is not None and not self.sites.holds(candidate.sequence):
            return False
        return all(constraint.holds(values) for constraint in self.constraints)
