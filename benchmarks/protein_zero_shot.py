"""How well scores that nobody fitted rank measured proteins: rank correlations for the cards of ``models``.

Protein G on the backbone 1PGA (``../shared/data/structures`` beside the repository): fitness at four sites (Wu et al.
2016), on which the default of ``context`` was chosen, and stabilities of single substitutions (Nisthal et al. 2019, in
mavenn), which took no part in it and are printed for the card. T4 lysozyme (FireProtDB, a development set) on the backbone
of L99A that the package openmmtools carries, where that is installed.

Run: python -m benchmarks.protein_zero_shot
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import models
from benchmarks.stabilities import DATA, substitutions
from digital_twin.biology.protein_g import GB1_WILD_TYPE, load_protein_g_variants
from lab.errors import MissingData
from lab.interfaces import Scorer
from lab.types import Candidate, ModelChoice

FOUR_SITES = (38, 39, 40, 53)
T4_FILE = "data/T4-lysozyme-L99A-implicit/receptor.pdb"


def mutant(parent: str, sites: Sequence[int], letters: Sequence[str]) -> Candidate:
    sequence = list(parent)
    for site, letter in zip(sites, letters, strict=True):
        sequence[site] = letter
    return Candidate(id="".join(letters), sequence="".join(sequence))


def four_sites() -> tuple[list[Candidate], np.ndarray]:
    """Variants of protein G and their fitness."""
    with gzip.open(DATA / "gb1_wu2016" / "gb1_four_site.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    return (
        [mutant(GB1_WILD_TYPE, FOUR_SITES, row["Variants"]) for row in rows],
        np.array([float(row["Fitness"]) for row in rows]),
    )


def t4_lysozyme(length: int) -> tuple[str, list[Candidate], np.ndarray]:
    """Parent, variants and what they gain in stability, of the residues that the structure has."""
    found = [s for s in substitutions() if s.protein == "P00720" and s.site < length]
    chains = [s.sequence for s in found]
    parent = max(dict.fromkeys(chains), key=chains.count)[:length]
    own = [s for s in found if s.sequence[:length] == parent]
    return (
        parent,
        [mutant(parent, (s.site,), (s.new,)) for s in own],
        -np.array([s.ddg_kcal_per_mol for s in own]),
    )


def report(name: str, structure: Path, parent: str, candidates: list[Candidate], values: np.ndarray) -> None:
    changed = np.array([sum(a != b for a, b in zip(c.sequence, parent, strict=True)) for c in candidates])
    for context in ("both", "sequence", "backbone"):
        choice = ModelChoice(name="protein_mpnn", settings={"structure": str(structure), "context": context})
        model = models.model(choice, parent=parent)
        assert isinstance(model, Scorer)
        scores = model.score(candidates)
        parts = [
            f"{label} {spearmanr(scores[rows], values[rows]).statistic:.2f} (n {rows.sum()})"
            for label, rows in (("single", changed == 1), ("double", changed == 2), ("all", changed > 0))
            if rows.sum() > 2
        ]
        print(f"{name:38s} {context:9s} {'; '.join(parts)}")


def main() -> None:
    structure = DATA / "structures" / "1pga.pdb"
    try:
        if not structure.is_file():
            raise MissingData(f"The backbone {structure} is not here.", way_out="Put the entry 1PGA there.")
        report("protein G, four sites, fitness", structure, GB1_WILD_TYPE, *four_sites())
        stable = load_protein_g_variants().values()
        report(
            "protein G, stability",
            structure,
            GB1_WILD_TYPE,
            [Candidate(id=v.name, sequence=v.sequence) for v in stable],
            np.array([v.ddg_kcal_per_mol for v in stable]),
        )
        spec = importlib.util.find_spec("openmmtools")
        if spec is not None and spec.origin is not None:
            file = Path(spec.origin).parent / T4_FILE
            report("T4 lysozyme, stability", file, *t4_lysozyme(162))
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
