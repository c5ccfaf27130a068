"""What others published of their own runs on our development sets: curves and points to draw beside ours."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np

from benchmarks.planning.materials import file_of

__all__ = ["GB1", "TEM1", "Point", "crossed_barrel", "edbo", "folde", "people"]


@dataclass(frozen=True, slots=True)
class Point:
    """A mean that was published: after so many experiments, and of what."""

    experiments: int
    value: float
    label: str


GB1 = (
    Point(96, 0.297, "ALDE, 96 at random (70 runs)"),
    Point(100, 0.425, "ALDE (70 runs)"),
    Point(90, 0.84, "ODBO, other starts (10 runs)"),
    Point(90, 0.73, "plain GP, ODBO's comparison"),
)
"""Share of the maximum: Yang et al., Cell Systems 16 (2025) 101236 (ALDE); Cheng et al., ODBO (2022), 40 chosen + 50."""


def edbo() -> np.ndarray:
    """Best yield so far of EDBO: 50 runs x 100 experiments (Shields et al. 2021, 5 at random, then batches of 5)."""
    with file_of("direct_arylation_shields", "arylation_bo_results_GP-EI_bs=5.csv").open(
        newline=""
    ) as opened:
        runs = [[float(cell) for cell in row[1:]] for row in list(csv.reader(opened))[1:]]
    found: np.ndarray = np.maximum.accumulate(np.array(runs), axis=1)
    return found


def people() -> np.ndarray:
    """Best yield so far of 50 chemists: 50 x 100; who stopped early keeps what they had (Shields et al. 2021)."""
    with file_of("direct_arylation_shields", "arylation_game_summary.csv").open(
        newline="", encoding="utf-8-sig"
    ) as opened:
        rows = list(csv.DictReader(opened))
    yields = [[float(row[f"yield_{k}"] or "nan") for k in range(1, 101)] for row in rows]
    found: np.ndarray = np.fmax.accumulate(np.array(yields), axis=1)
    return found


def crossed_barrel() -> np.ndarray:
    """Share of the top 5 % found: 50 runs x 100 experiments (Liang et al. 2021, Gaussian process, 2 + one at a time)."""
    runs = np.load(file_of("pvlab_materials", "TopCount_collection_GP_Matern52_LCB2.npy"), allow_pickle=True)
    # counts of the 30 best of 600
    return np.array([np.array(run, dtype=np.float64)[:100] for run in runs]) / 30


def folde(ending: str) -> dict[int, float]:
    """Mean top-10 % hits of FolDE's runs on TEM-1 by experiments measured, 16 a round.

    Their measurements are Firnberg et al. 2014, 2,391 variants; ours Stiffler et al. 2015, 4,996: another reading of the
    same protein.

    Args:
        ending: of the run's name.
    """
    found: dict[int, list[int]] = {}
    with file_of("folde_published_runs", "folde_runs_by_round.csv").open(newline="") as opened:
        for row in csv.DictReader(opened):
            if row["dms"].startswith("BLAT_ECOLX") and row["run"].endswith(ending):
                found.setdefault(int(row["n"]), []).append(int(row["top10"]))
    return {n: float(np.mean(hits)) for n, hits in sorted(found.items())}


TEM1 = {
    "FolDE (Firnberg set)": "tensionV2_MLP-naturalnessZeroShot-natTraining",
    "random forest (FolDE's comparison)": "tensionV2_RandomForest-base",
}
"""What is drawn -> ending of the run's name in FolDE's table."""
