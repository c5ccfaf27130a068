"""Search spaces of every kind, for tests of planners."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lab.spaces import AMINO_ACIDS, Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.types import Campaign
from tests.planners.campaigns import PARENT, campaign

TEMPERATURE = Parameter(name="temperature_c", low=20.0, high=90.0, resolution=0.25)
SALT = Parameter(name="salt_mmol_l", low=0.01, high=100.0, log=True)
CYCLES = Parameter(name="cycles", kind="integer", low=1, high=5)
GLASS = Parameter(name="glass", kind="ordinal", levels=(0.5, 1, 4))
SOLVENT = Parameter(name="solvent", kind="categorical", levels=("DMAc", "BuCN", "water"))
BLEND = Mixture(ingredients=tuple("abcdef"), at_most=3, least=0.05, most={"a": 0.5}, resolution=0.01)
POSITIONS = Sites(parent=PARENT, positions=(2, 4, 7, 11), letters=(AMINO_ACIDS,) * 4, at_most=3)

SPACES: Mapping[str, SearchSpace] = {
    "continuous": SearchSpace(parameters=(TEMPERATURE, SALT)),
    "mixed": SearchSpace(parameters=(TEMPERATURE, SALT, CYCLES, GLASS, SOLVENT)),
    "mixture": SearchSpace(mixture=BLEND),
    "sites": SearchSpace(sites=POSITIONS),
    "linear": SearchSpace(
        parameters=tuple(Parameter(name=f"part_{i}", low=0.0, high=1.0) for i in range(4)),
        constraints=(
            LinearConstraint(coefficients={f"part_{i}": 1.0 for i in range(4)}, at_least=0.9, at_most=1.0),
        ),
    ),
}
"""One of each kind."""


def spacious(space: SearchSpace, planner: str = "random", **changes: object) -> Campaign:
    """A campaign over a space; with substitutions, of the parent that the other test campaigns have."""
    made = campaign((), planner)
    reference = made.reference if space.sites else Candidate(id="standard")
    return replace(made, space=space, reference=reference, **changes)  # type: ignore[arg-type]


def bumpy(space: SearchSpace) -> Callable[[Candidate], float]:
    """A smooth outcome of any candidate of a space, 0 at worst."""
    numbers = {p.name: p for p in space.parameters if p.is_number and not p.levels}

    def value(candidate: Candidate) -> float:
        total = 0.0
        for i, (name, given) in enumerate(sorted(candidate.values.items())):
            if name in numbers:
                p = numbers[name]
                assert p.low is not None
                assert p.high is not None
                unit = (
                    np.log(given / p.low) / np.log(p.high / p.low)
                    if p.log
                    else (given - p.low) / (p.high - p.low)
                )
                total += (unit - 0.3 - 0.05 * i) ** 2
            elif isinstance(given, str):
                total += 0.1 * len(given)
            else:
                total += 0.5 * (given - 0.2 * i) ** 2
        total += sum(0.02 * (AMINO_ACIDS.index(letter) - 9) ** 2 * 0.1 for letter in candidate.sequence)
        return float(np.exp(-total))

    return value
