"""Single substitutions as pools of candidates: the sets that their treatment was chosen on, and is not judged on.

They are windows of TEM-1 lactamase (Stiffler et al. 2015), the same squashed, and six proteins of FireProtDB
(``stabilities.py``), read from ``../shared/data`` beside the repository. The stabilities of GB1 single substitutions, on
which the closed loop is judged, are not among them. All other development sets are those of ``benchmarks/planning``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from benchmarks.planning.sets import load
from benchmarks.stabilities import Substitution, substitutions
from lab.types import Candidate

PROTEINS = {
    "P00644": "nuclease",
    "P00720": "T4 lysozyme",
    "P00648": "barnase",
    "P61626": "human lysozyme",
    "P0ABQ4": "DHFR",
    "P0A7Y4": "RNase H",
}
"""Accession -> name of the proteins of FireProtDB that are pools."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates with their measured values, and the error that a simulated measurement adds."""

    name: str
    parent: str
    candidates: tuple[Candidate, ...]
    values: np.ndarray
    error: float
    accession: str = ""
    """Of the protein (UniProt), where it is among those that ``models/substitution_effects.py`` was fitted to."""


def tem1_window(index: int) -> Pool:
    """Single substitutions in 56 neighbouring positions of TEM-1, their fitness at 2,500 ug/ml as a fraction.

    The logistic function is centred on the upper 15 % of the window, so that most variants are near 0 and few near 1, as
    in a challenge that the parent barely survives; the reading's error is 0.03.
    """
    found = load(f"tem1_window_{index + 1}")
    fitness = found.outcomes[0].values
    fraction = 1.0 / (1.0 + np.exp(-(fitness - np.quantile(fitness, 0.85)) / 0.06))
    return Pool(f"TEM-1 window {index + 1}", found.parent, found.candidates, fraction, 0.03)


def single_substitution_sets() -> list[Pool]:
    """Four squashed windows of TEM-1, the same four as they are, and the proteins of :data:`PROTEINS`.

    Raises:
        MissingData: the folder is not there.
    """
    data = substitutions()
    return [
        *(squashed(tem1_window(index)) for index in range(4)),
        *(tem1_window(index) for index in range(4)),
        *(residual_activities(data, accession) for accession in PROTEINS),
    ]


def squashed(pool: Pool) -> Pool:
    """The pool with its ranks spread as residual activities are: a third near 0, the parent's neighbours near 0.17.

    Normal scores of the ranks stand for free energies of folding; the logistic function of 3.2 - 1.88 times them is what
    a challenge would leave. The reading's error is 0.012.
    """
    normal = norm.ppf((rankdata(pool.values) - 0.5) / len(pool.values))
    return Pool(
        f"{pool.name}, squashed",
        pool.parent,
        pool.candidates,
        1.0 / (1.0 + np.exp(3.2 - 1.88 * normal)),
        0.012,
    )


def residual_activities(data: list[Substitution], accession: str) -> Pool:
    """Substitutions of one protein as what a challenge that leaves 18 % of the parent would leave of each.

    ``1 / (1 + exp(1.5 + 1.6 ddG))``, ddG in kcal/mol (1.6 is 1 / RT at 40 C); the reading's error is 0.012. Only the
    chain with the most substitutions counts. Residues that were not resolved (X) stand as alanine; no candidate
    changes them.
    """
    own = [s for s in data if s.protein == accession]
    chains = [s.sequence for s in own]
    chain = max(dict.fromkeys(chains), key=chains.count)
    own = [s for s in own if s.sequence == chain]
    parent = chain.replace("X", "A")
    candidates = tuple(
        Candidate(
            id=f"{chain[s.site]}{s.site + 1}{s.new}", sequence=parent[: s.site] + s.new + parent[s.site + 1 :]
        )
        for s in own
    )
    ddg = np.array([s.ddg_kcal_per_mol for s in own])
    return Pool(
        PROTEINS[accession], parent, candidates, 1.0 / (1.0 + np.exp(1.5 + 1.6 * ddg)), 0.012, accession
    )
