"""Published measurements as pools of candidates: the sets that planners were tuned on, and are not judged on.

:func:`development_sets` are read from ``../shared/data`` beside the repository: crossed barrel (Gongora et al. 2020) and
P3HT composites (Bash et al. 2021) as collected by Liang et al. 2021, direct arylation (Shields et al. 2021), GB1 at four
sites (Wu et al. 2016) and TEM-1 lactamase single substitutions (Stiffler et al. 2015).

:func:`single_substitution_sets` are what the treatment of single substitutions was chosen on: the TEM-1 windows, the same
squashed, and six proteins of FireProtDB (``stabilities.py``). The stabilities of GB1 single substitutions, on which the
closed loop is judged, are in neither.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata

from benchmarks.stabilities import DATA, Substitution, substitutions
from lab.errors import MissingData
from lab.types import Candidate

WINDOW = 56
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


def development_sets() -> list[Pool]:
    """Every set, small ones whole, large ones thinned by a fixed seed.

    Raises:
        MissingData: the folder is not there.
    """
    if not DATA.is_dir():
        raise MissingData(
            "The development sets are not here: this benchmark reads them from the folder ../shared/data beside the "
            "repository.",
            way_out="Put the published files there as the benchmark's docstring names them.",
        )
    return [
        materials("crossed barrel", DATA / "pvlab_materials" / "Crossed_barrel_dataset.csv"),
        materials("P3HT", DATA / "pvlab_materials" / "P3HT_dataset.csv"),
        arylation(),
        gb1_four_sites(),
        *(tem1_window(start) for start in (0, 1, 2, 3)),
    ]


def materials(name: str, file: Path) -> Pool:
    """Settings and composition in all columns but the last, which is the target; repeats are averaged."""
    head, *rows = list(csv.reader(file.open(newline="")))
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(tuple(row[:-1]), []).append(float(row[-1]))
    candidates = tuple(
        Candidate(id=f"c{i}", values=dict(zip(head[:-1], map(float, row), strict=True)))
        for i, row in enumerate(groups)
    )
    return Pool(name, "", candidates, np.array([np.mean(v) for v in groups.values()]), 0.0)


def arylation() -> Pool:
    """Yield in percent over base, ligand, solvent, concentration and temperature."""
    with (DATA / "direct_arylation_shields" / "data.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    candidates = tuple(
        Candidate(
            id=row["entry"],
            values={name: row[name] for name in ("Base", "Ligand", "Solvent")}
            | {name: float(row[name]) for name in ("Concentration", "Temp_C")},
        )
        for row in rows
    )
    return Pool("direct arylation", "", candidates, np.array([float(row["yield"]) for row in rows]), 0.0)


def gb1_four_sites(n: int = 2000) -> Pool:
    """Fitness relative to wild type, n of the 149,361 variants."""
    with gzip.open(DATA / "gb1_wu2016" / "gb1_four_site.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = np.sort(np.random.default_rng(0).choice(len(rows), n, replace=False))
    candidates = tuple(Candidate(id=rows[i]["Variants"], sequence=rows[i]["Variants"]) for i in kept)
    return Pool(
        "GB1 four sites", "VDGV", candidates, np.array([float(rows[i]["Fitness"]) for i in kept]), 0.02
    )


def tem1_window(index: int) -> Pool:
    """Single substitutions in 56 neighbouring positions of TEM-1, their fitness at 2,500 ug/ml as a fraction.

    The logistic function is centred on the upper 15 % of the window, so that most variants are near 0 and few near 1, as
    in a challenge that the parent barely survives; the reading's error is 0.03.
    """
    with (DATA / "blat_esm1v" / "blat_dms_esm1v.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    letters = {int(row["mutant"][1:-1]): row["mutant"][0] for row in rows}
    positions = sorted(letters)[index * WINDOW : (index + 1) * WINDOW]
    parent = "".join(letters[p] for p in positions)
    place = {p: i for i, p in enumerate(positions)}
    candidates, fitness = [], []
    for row in rows:
        at = place.get(int(row["mutant"][1:-1]))
        if at is not None:
            candidates.append(
                Candidate(id=row["mutant"], sequence=parent[:at] + row["mutant"][-1] + parent[at + 1 :])
            )
            fitness.append(float(row["2500"]))
    values = np.array(fitness)
    fraction = 1.0 / (1.0 + np.exp(-(values - np.quantile(values, 0.85)) / 0.06))
    return Pool(f"TEM-1 window {index + 1}", parent, tuple(candidates), fraction, 0.03)


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
