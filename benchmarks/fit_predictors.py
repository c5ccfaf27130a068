"""Where the numbers of ``models/stability.py`` and ``models/enzyme_optima.py`` come from, and how well they predict.

Stability: FireProtDB as in ``stabilities.py``, without protein G and L. Proteins that share three stretches of six residues
are one family. Ten times, a tenth of the families is left out, the scores of ``substitution_effects`` and the two numbers of
the scale are fitted to the rest, and the errors on what was left out make the margins, every family counting the same.
Coverage is that of margins from a random half of the families on the other half, a hundred times.

Optima: the collections of Seq2Topt (Qiu et al.) with their published splits, in ``../shared/data/enzyme_topt_phopt_tm``
beside the repository (optimum temperature: BRENDA by way of TOMER; melting temperature: DeepTM; optimum pH: EpHod). A fifth
of the training half makes the margins, the rest the fit, whose penalty is chosen by five-fold cross-validation; the test
half is only looked at for the figures. Published for Seq2Topt on the same splits: R2 0.48, 0.64 and 0.37.

Run: python -m benchmarks.fit_predictors
"""

from __future__ import annotations

import csv
import math
import sys
from collections import Counter

import numpy as np
from scipy.stats import spearmanr

from benchmarks.fit_substitution_effects import fitted, table
from benchmarks.stabilities import DATA, Substitution, substitutions
from lab.errors import MissingData
from lab.types import AMINO_ACIDS, Candidate
from models.conformal import LEVELS, Margins, coverage, margins
from models.enzyme_optima import described
from models.sequences import residue_codes
from models.substitution_effects import SubstitutionEffects

STRETCH = 6
SHARED = 3
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

SETS = {
    "temperature": ("train.csv", "test.csv", "topt", 0.48),
    "melting": ("Tm50_Train.csv", "Tm50_Test.csv", "tm", 0.64),
    "ph": ("train_pH.csv", "test_pH.csv", "pHopt", 0.37),
}
"""Quantity -> files, column, published R2."""


def families(data: list[Substitution]) -> np.ndarray:
    """The family of each substitution's protein, by the name of one of its proteins."""
    stretches: dict[str, set[str]] = {}
    for s in data:
        own = {s.sequence[i : i + STRETCH] for i in range(len(s.sequence) - STRETCH + 1)}
        stretches.setdefault(s.protein, set()).update(w for w in own if "X" not in w)
    names = sorted(stretches)
    family = {name: name for name in names}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            if len(stretches[one] & stretches[other]) >= SHARED:
                joined, kept = family[other], family[one]
                family = {name: kept if f == joined else f for name, f in family.items()}
    return np.array([family[s.protein] for s in data])


def scale(scores: np.ndarray, gains: np.ndarray, proteins: np.ndarray) -> np.ndarray:
    """Constant and slope from scores to gains of stability; proteins count by the root of their number."""
    count = Counter(proteins)
    weight = np.array([count[p] ** -0.25 for p in proteins])
    columns = np.column_stack([np.ones(len(scores)), scores])
    found: np.ndarray = np.linalg.lstsq(columns * weight[:, None], gains * weight, rcond=None)[0]
    return found


def scored(data: list[Substitution], train: list[Substitution]) -> np.ndarray:
    """Scores of substitutions by effects that were fitted to others."""
    pairs, place = table(fitted(train))
    made = {s.sequence: SubstitutionEffects(parent=s.sequence, pairs=pairs, place=place) for s in data}
    return np.array([-made[s.sequence].effect(s.site, s.new) for s in data])


def rounded_up(margin: float, decimals: int) -> float:
    """A margin as it stands in the module: never narrower than it was found to be."""
    return math.ceil(margin * 10**decimals) / 10**decimals


def stability() -> None:
    data = substitutions()
    family, protein = families(data), np.array([s.protein for s in data])
    gains = -np.array([s.ddg_kcal_per_mol for s in data])
    rng = np.random.default_rng(0)
    names = rng.permutation(np.unique(family))
    predicted = np.zeros(len(data))
    for fold in range(10):
        out = np.isin(family, names[fold::10])
        rest = [s for s, left in zip(data, out, strict=True) if not left]
        constant, slope = scale(scored(rest, rest), gains[~out], protein[~out])
        predicted[out] = constant + slope * scored(
            [s for s, left in zip(data, out, strict=True) if left], rest
        )
    constant, slope = scale(scored(data, data), gains, protein)
    errors = gains - predicted
    print(f"stability: {len(data)} substitutions, {len(np.unique(protein))} proteins, {len(names)} families")
    print(f"_AVERAGE, _SLOPE = {constant:.2f}, {slope:.2f}")
    wide = {level: margins(errors, level=level, groups=list(family)).above for level in LEVELS}
    print("margins", {level: rounded_up(margin, 1) for level, margin in wide.items()})
    print("residues", min(len(s.sequence) for s in data), max(len(s.sequence) for s in data))
    large = [p for p, n in Counter(protein).items() if n >= 60]
    ranks = [spearmanr(predicted[protein == p], gains[protein == p]).statistic for p in large]
    print(
        f"left out: correlation {np.corrcoef(predicted, gains)[0, 1]:.2f}, error {np.sqrt(np.mean(errors**2)):.2f} "
        f"kcal/mol, spread of the data {gains.std():.2f}; rank correlation within {len(large)} proteins {np.mean(ranks):.2f}"
    )
    for level in LEVELS:
        held = []
        for _ in range(100):
            half = np.isin(family, rng.permutation(names)[::2])
            made = margins(errors[half], level=level, groups=list(family[half]))
            held.append(
                coverage(made.around(predicted[~half], unit=""), gains[~half], groups=list(family[~half]))
            )
        print(f"level {level}: holds {np.mean(held):.3f} of families left out")


def read(file: str, column: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Residues and values of the enzymes whose letters are all amino acids."""
    with (DATA / "enzyme_topt_phopt_tm" / file).open(newline="", encoding="utf-8-sig") as opened:
        rows = [
            row
            for row in csv.DictReader(opened)
            if row[column] and not set(row["sequence"]) - set(AMINO_ACIDS)
        ]
    codes = [residue_codes([Candidate(id="", sequence=row["sequence"])])[0] for row in rows]
    return codes, np.array([float(row[column]) for row in rows])


def ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """Coefficients of the columns as they are, and the constant last; columns are penalised at one variance."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / spread
    slopes = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean())) / spread
    return np.append(slopes, y.mean() - slopes @ mean)


def said(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return x @ coefficients[:-1] + coefficients[-1]


def penalty_for(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """The penalty with the smallest error in five-fold cross-validation."""
    fold = rng.integers(5, size=len(y))
    errors = [
        sum(
            ((y[fold == k] - said(x[fold == k], ridge(x[fold != k], y[fold != k], p))) ** 2).sum()
            for k in range(5)
        )
        for p in PENALTIES
    ]
    return PENALTIES[int(np.argmin(errors))]


def optimum(quantity: str) -> None:
    train_file, test_file, column, published = SETS[quantity]
    codes, y = read(train_file, column)
    rng = np.random.default_rng(0)
    x, held_out = described(codes), rng.random(len(y)) < 0.2
    penalty = penalty_for(x[~held_out], y[~held_out], rng)
    exact = ridge(x[~held_out], y[~held_out], penalty)
    coefficients = np.array([float(f"{c:.4g}") for c in exact])
    errors = y[held_out] - said(x[held_out], coefficients)
    test_codes, test = read(test_file, column)
    predicted = np.clip(said(described(test_codes), coefficients), y.min(), y.max())
    r2 = 1.0 - ((test - predicted) ** 2).sum() / ((test - test.mean()) ** 2).sum()
    lengths = np.array([len(c) for c in codes])
    print(f"{quantity}: {len(y)} enzymes, penalty {penalty}, {len(test)} to test")
    print("coefficients", ", ".join(f"{c:.4g}" for c in coefficients))
    found: dict[float, Margins] = {level: margins(errors, level=level) for level in LEVELS}
    print("margins", {level: rounded_up(m.above, 2) for level, m in found.items()})
    print("least, most", y.min(), y.max(), "residues", np.quantile(lengths, [0.001, 0.999]))
    print("entropy", round(float(np.quantile(x[:, -2], 0.001)), 2))
    held = {level: round(coverage(m.around(predicted, unit=""), test), 3) for level, m in found.items()}
    print(
        f"test: R2 {r2:.2f} (published {published}), error {np.sqrt(np.mean((test - predicted) ** 2)):.3g}, holds {held}"
    )


def main() -> None:
    """Print everything."""
    try:
        stability()
        if not (DATA / "enzyme_topt_phopt_tm").is_dir():
            raise MissingData(
                "The measured optima are not here: this benchmark reads them from the folder ../shared/data beside the "
                "repository.",
                way_out="Put the files there that the docstring of benchmarks/fit_predictors.py names.",
            )
        for quantity in SETS:
            optimum(quantity)
    except MissingData as missing:
        print(missing, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
