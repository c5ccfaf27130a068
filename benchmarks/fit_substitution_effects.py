"""Where the numbers of ``models/substitution_effects.py`` come from: a ridge regression on published stabilities.

The data are those of ``stabilities.py``, which leaves out protein G and protein L: nothing of the protein that the closed
loop is judged on enters.

Effects are fitted within proteins (each protein has a mean of its own) and proteins count by the square root of their
number of substitutions, so that a few well-studied ones do not decide alone. Printed besides: rank correlation within each
protein of at least 60 substitutions when it was left out of the fit, and with the fitness of TEM-1, which is never part.

Run: python -m benchmarks.fit_substitution_effects
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from scipy.stats import spearmanr

from benchmarks.development_sets import tem1_window
from benchmarks.stabilities import Substitution, substitutions
from lab.errors import MissingData
from lab.types import AMINO_ACIDS
from models.residues import RESIDUE_CLASS_OF, RESIDUE_CLASSES
from models.substitution_effects import HYDROPATHY, NEIGHBOURS, PairTable, SubstitutionEffects, surroundings

VOLUME_A3 = dict(
    zip(
        "ARNDCQEGHILKMFPSTWYV",
        (
            *(88.6, 173.4, 114.1, 111.1, 108.5, 143.8, 138.4, 60.1, 153.2, 166.7),
            *(166.7, 168.6, 162.9, 189.9, 112.7, 89.0, 116.1, 227.8, 193.6, 140.0),
        ),
        strict=True,
    )
)
"""Residue volumes, A. A. Zamyatnin, Prog. Biophys. Mol. Biol. 24 (1972) 107-123."""

HOMOLOGUES = {"P61626": "P00698", "P00698": "P61626"}
BURIED = "AVILMFWYC"
RIDGE = 10.0
LEAST = 60


def features(sequence: str, site: int, new: str) -> list[float]:
    """What an effect is a linear function of; the last seven columns depend on where the residue stands."""
    old = sequence[site]
    hydropathy = HYDROPATHY[new] - HYDROPATHY[old]
    volume = abs(VOLUME_A3[new] - VOLUME_A3[old]) / 50.0
    pair = [float(old == a) for a in AMINO_ACIDS] + [float(new == a) for a in AMINO_ACIDS]
    pair += [hydropathy, volume, hydropathy * (old in BURIED), volume * (old in BURIED)]
    pair += [
        0.5 * float(RESIDUE_CLASS_OF[old] == a and RESIDUE_CLASS_OF[new] == b)
        for a in RESIDUE_CLASSES
        for b in RESIDUE_CLASSES
    ]
    *around, end = surroundings(sequence, site)
    place = [value for h in around for value in (h, h * hydropathy)]
    return [*pair, *place, end]


def fitted(data: list[Substitution]) -> np.ndarray:
    """Coefficients of :func:`features`."""
    x = np.array([features(s.sequence, s.site, s.new) for s in data])
    y = np.clip([s.ddg_kcal_per_mol for s in data], -2.0, 5.0)
    protein = np.array([s.protein for s in data])
    weight = np.ones(len(y))
    for name in set(protein):
        rows = protein == name
        x[rows] -= x[rows].mean(axis=0)
        y[rows] -= y[rows].mean()
        weight[rows] = rows.sum() ** -0.5
    weight /= weight.mean()
    left = x.T @ (x * weight[:, None]) + RIDGE * np.eye(x.shape[1])
    coefficients: np.ndarray = np.linalg.solve(left, x.T @ (weight * y))
    return coefficients


def table(coefficients: np.ndarray) -> tuple[PairTable, tuple[float, ...]]:
    """Coefficients as the scorer holds them: effects of pairs in hundredths, and what the surroundings add."""
    place = 2 * len(NEIGHBOURS) + 1
    pairs = {
        old: tuple(
            0
            if old == new
            else round(100 * float(np.dot(features(old, 0, new)[:-place], coefficients[:-place])))
            for new in AMINO_ACIDS
        )
        for old in AMINO_ACIDS
    }
    return pairs, tuple(round(float(c), 2) for c in coefficients[-place:])


def scorer_without(data: list[Substitution], protein: str, parent: str) -> SubstitutionEffects:
    """The scorer that had been made without a protein and its homologues."""
    apart = (protein, HOMOLOGUES.get(protein, protein))
    pairs, place = table(fitted([s for s in data if s.protein not in apart]))
    return SubstitutionEffects(parent=parent, pairs=pairs, place=place)


def main() -> None:
    """Print the table as it stands in the scorer, and how well it predicts."""
    try:
        data = substitutions()
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)
    counts = Counter(s.protein for s in data)
    pairs, place = table(fitted(data))
    print(f"{len(data)} substitutions, {len(counts)} proteins")
    for old, row in pairs.items():
        print(f'    "{old}": ({", ".join(map(str, row))}),')
    print(place)
    inside = []
    for name in (name for name, n in counts.items() if n >= LEAST):
        own = [s for s in data if s.protein == name]
        made = {s.sequence: scorer_without(data, name, s.sequence) for s in own}
        expected = [made[s.sequence].effect(s.site, s.new) for s in own]
        inside.append(spearmanr(expected, [s.ddg_kcal_per_mol for s in own]).statistic)
        print(f"{name}: {len(own)} substitutions, rank correlation {inside[-1]:.2f}")
    windows = []
    for index in range(4):
        pool = tem1_window(index)
        scores = SubstitutionEffects(parent=pool.parent, pairs=pairs, place=place).score(pool.candidates)
        windows.append(spearmanr(scores, pool.values).statistic)
    print(f"mean {np.mean(inside):.2f}; TEM-1 windows {np.round(windows, 2)}, mean {np.mean(windows):.2f}")


if __name__ == "__main__":
    main()
