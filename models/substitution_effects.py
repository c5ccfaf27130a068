"""How much a substitution is expected to cost a protein's stability, whichever protein it is.

A linear model without weights to download: what replacing one residue by another costs on average, and how much more or
less where the neighbours in the sequence are hydrophobic, which speaks for a buried site. It says nothing of structure and
ranks the substitutions of a protein that it has not seen with a correlation of about a third; that is worth having before
anything is measured, and is meant as the mean of a prior that measurements overrule.

The numbers are fitted by ``benchmarks/fit_substitution_effects.py``, which names the data and can print them again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lab.interfaces import ModelCard
from lab.types import AMINO_ACIDS, Candidate
from models.sequences import residue_codes

__all__ = ["HYDROPATHY", "NEIGHBOURS", "PairTable", "SubstitutionEffects", "surroundings"]

PairTable = Mapping[str, tuple[int, ...]]

HYDROPATHY: Mapping[str, float] = dict(
    zip(
        "ARNDCQEGHILKMFPSTWYV",
        (
            *(0.60, -1.50, -1.17, -1.17, 0.83, -1.17, -1.17, -0.13, -1.07, 1.50),
            *(1.27, -1.30, 0.63, 0.93, -0.53, -0.27, -0.23, -0.30, -0.43, 1.40),
        ),
        strict=True,
    )
)
"""Hydropathy of J. Kyte and R. F. Doolittle, J. Mol. Biol. 157 (1982) 105-132, divided by 3."""

NEIGHBOURS: tuple[tuple[int, ...], ...] = ((-2, 2), (-4, -3, 3, 4), (-1, 1))
"""Offsets along the chain to the residues on the same side of a strand, on the same side of a helix, and next in line."""

_ENDS = 3
"""Residues at either end that count as end."""

_PAIRS: PairTable = {
    "A": (0, -75, 43, 53, 20, 45, 83, -49, 94, -14, 0, 57, 32, 65, 82, 2, 26, -32, 58, 63),
    "C": (100, 0, 142, 152, 119, 169, 182, 49, 193, 85, 98, 155, 131, 163, 180, 126, 125, 66, 156, 161),
    "D": (-67, -128, 0, -32, -47, -29, -17, -105, -27, -76, -76, -48, -55, -53, -47, -62, -58, -79, -57, -40),
    "E": (-41, -102, -4, 0, -31, -3, -1, -89, -11, -60, -60, -23, -30, -37, -31, -36, -34, -63, -41, -24),
    "F": (89, 12, 155, 131, 0, 158, 74, -13, 106, 23, 41, 125, 79, 95, 87, 115, 104, 38, 2, 7),
    "G": (22, -33, 34, 32, 29, 0, 58, -16, 56, 13, 13, 46, 39, 41, 36, 26, 39, 10, 18, 35),
    "H": (16, -45, 48, 36, -40, 54, 0, -22, 27, 7, 7, 19, -12, 3, 7, 21, 23, 9, -51, -34),
    "I": (138, 61, 189, 164, 81, 207, 161, 0, 158, -1, 17, 171, 114, 141, 146, 164, 153, 14, 118, 123),
    "K": (-41, -103, 6, -6, -51, -4, -16, -96, 0, -67, -66, -4, -33, -20, -27, -37, -35, -60, -62, -45),
    "L": (141, 64, 192, 167, 84, 210, 164, -34, 161, 0, 20, 174, 117, 144, 149, 167, 156, 17, 121, 126),
    "M": (68, -8, 119, 95, 16, 137, 91, -102, 93, -66, 0, 101, 45, 72, 81, 94, 83, -56, 53, 58),
    "N": (-4, -66, -16, -20, -36, 33, -7, -66, 17, -36, -37, 0, -24, -9, -3, 0, 3, -39, -47, -30),
    "P": (21, -41, 44, 41, 13, 58, 42, -21, 56, 9, 8, 41, 0, 36, 36, 25, 29, 5, 2, 19),
    "Q": (-24, -86, -37, -49, -67, 13, -38, -97, -14, -67, -68, -24, -44, 0, -34, -20, -18, -69, -78, -61),
    "R": (-7, -69, 41, 28, -18, 31, 18, -62, 27, -33, -32, 31, 2, 14, 0, -3, 0, -26, -29, -12),
    "S": (-29, -83, -17, -19, -22, 9, 7, -67, 5, -37, -38, -4, -12, -10, -14, 0, -12, -40, -33, -16),
    "T": (-3, -64, 1, -3, -6, 35, 23, -51, 22, -21, -22, 13, 5, 7, 2, 2, 0, -24, -17, 1),
    "V": (89, 12, 140, 115, 66, 158, 129, -52, 143, -17, -3, 122, 65, 97, 130, 115, 104, 0, 103, 108),
    "W": (105, 28, 171, 147, -19, 174, 90, 3, 122, 39, 57, 141, 95, 111, 103, 131, 120, 54, 0, 18),
    "Y": (110, 33, 176, 151, -15, 179, 95, 8, 126, 43, 62, 146, 99, 116, 108, 136, 125, 59, 18, 0),
}
"""Parent's residue -> mean cost in hundredths of kcal/mol of each new one, in the order of ``lab.types.AMINO_ACIDS``.

Relative to the average substitution of the protein; larger is worse.
"""

_PLACE = (-0.01, 0.01, 0.16, -0.05, 0.06, -0.07, -0.69)
"""kcal/mol a unit of each of the three neighbourhoods' hydropathy, alone and times the change of hydropathy; at an end."""


def surroundings(sequence: str, site: int) -> tuple[float, ...]:
    """Mean hydropathy of each group of :data:`NEIGHBOURS` (0 where the chain has ended or the residue is unknown), and
    1 within three residues of an end, else 0.
    """
    means = []
    for offsets in NEIGHBOURS:
        near = [sequence[site + d] for d in offsets if 0 <= site + d < len(sequence)]
        means.append(sum(HYDROPATHY.get(letter, 0.0) for letter in near) / max(len(near), 1))
    return (*means, float(min(site, len(sequence) - 1 - site) < _ENDS))


class SubstitutionEffects:
    """Expected stability of variants of a parent, from averages over other proteins.

    Args:
        parent: amino-acid letters.
        pool: ignored; here so that every scorer is made in the same way.
        pairs, place: other coefficients, for the benchmarks that leave a protein out.
    """

    card = ModelCard(
        name="substitution_effects",
        version="1",
        licence="BSD-3-Clause",
        source="drywet; fitted to FireProtDB (Stourac et al., Nucleic Acids Res. 49 (2021) D319), without protein G and L",
        inputs="amino-acid sequences of the parent's length",
        outputs="expected change of folding stability, kcal/mol, larger is more stable, up to a constant of the protein",
        tested_on="rank correlation within a protein left out: mean 0.36 of 11 (0.08 to 0.62); with TEM-1 fitness 0.27",
    )

    def __init__(
        self,
        *,
        parent: str,
        pool: Sequence[Candidate] = (),
        pairs: PairTable = _PAIRS,
        place: Sequence[float] = _PLACE,
    ) -> None:
        del pool
        self._parent, self._pairs, self._place = parent, pairs, tuple(place)
        self._around: dict[int, tuple[float, ...]] = {}

    def effect(self, site: int, new: str) -> float:
        """Expected cost of one substitution in kcal/mol, positive destabilises; ``site`` counts from 0."""
        old = self._parent[site]
        if old == new:
            return 0.0
        change = HYDROPATHY[new] - HYDROPATHY[old]
        if site not in self._around:
            self._around[site] = surroundings(self._parent, site)
        *around, end = self._around[site]
        terms = [value for h in around for value in (h, h * change)]
        place = sum(c * t for c, t in zip(self._place, (*terms, end), strict=True))
        return self._pairs[old][AMINO_ACIDS.index(new)] / 100.0 + place

    def score(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> (n,); costs of several substitutions add up.

        Raises:
            BadInput: a sequence that is missing, of another length or with letters that are no amino acids.
        """
        codes = residue_codes(candidates, len(self._parent))
        parent = np.array([AMINO_ACIDS.index(letter) for letter in self._parent], dtype=np.int8)
        costs = np.zeros(len(candidates))
        known: dict[tuple[int, int], float] = {}
        for row, site in np.argwhere(codes != parent):
            key = (int(site), int(codes[row, site]))
            if key not in known:
                known[key] = self.effect(key[0], AMINO_ACIDS[key[1]])
            costs[row] -= known[key]
        return costs
