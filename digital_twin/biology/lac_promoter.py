"""The lac promoter of E. coli: 45,000 variants whose expression was measured by sorting, as the truth of the twin.

**Source.** Kinney, Murugan, Callan & Cox 2010, PNAS 107:9158: cells with GFP behind variants of the wild-type promoter (75
bases, -75 to -1) were sorted by brightness, and each bin was sequenced. The copy read here is the table ``sortseq`` of the
package ``mavenn`` 1.1.4 (Tareen et al. 2022, Genome Biol. 23:98), whose file is found without importing the package.

**Bins.** The table has ten columns, ``ct_0`` to ``ct_9``. ``ct_0`` is taken as the library before sorting and is left out;
1 to 9 go from dark to bright. The evidence, which :func:`check_bins` asks of every load: substitutions in the -35 and -10
boxes fall from bin 1 to bin 9 (0.93 to 0.30 a sequence in the -35 box, 0.81 to 0.43 in the -10 box), and bin 0 has as many
as the others on average (0.65 and 0.61, against means of 0.64 and 0.61).

**From bins to expression.** Most variants were seen in one bin, some in two or three, each of which counts once: that is a
single cell or a few, and cells of one promoter differ. The level of a variant is therefore its mean bin drawn towards what
a linear model of the bases, fitted to all sorted sequences of the table, expects of it: ``w mean + (1 - w) model`` with
``w = tau2 / (tau2 + sigma2 / bins)``. The variances come from the table: sequences seen in one bin miss the model by
``tau2 + sigma2``, in two bins by ``tau2 + sigma2 / 2``, which gives 1.3 and 2.2 bins squared and, for two bins, w = 0.54.
Sequences seen in one bin are no candidates. Expression over the wild type's is ``FOLD_OF_A_BIN ** (level - wild type's)``.

**What is measured and what is assumed.** Measured is the bin. That bins are even on a logarithmic scale and span two decades
of brightness is a choice, for the gates are not in the table; so is that, over the wild type, a promoter does in an extract
with CRP and cAMP what it does in the cell.

**What that gives.** 976 sequences seen in two bins or three, the wild type among them; they differ from it in 9 bases on
average. Half of them have less than 0.15 of the wild type's expression, one in ten 0.8 or more, one in a hundred 1.4 or
more; the best has 1.55.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from lab.errors import MissingData
from lab.types import DNA

__all__ = [
    "FOLD_OF_A_BIN",
    "LAC_WILD_TYPE",
    "WILD_TYPE",
    "LacPromoter",
    "check_bins",
    "load_lac_promoters",
]

LAC_WILD_TYPE = "AATTAATGTGAGTTAGCTCACTCATTAGGCACCCCAGGCTTTACACTTTATGCTTCCGGCTCGTATGTTGTGTGG"
"""75 bases, -75 to -1: the CRP site, then the -35 box TTTACA and the -10 box TATGTT."""

WILD_TYPE = "WT"

FOLD_OF_A_BIN = 10.0 ** (2.0 / 8.0)
"""Expression of one bin over the next darker one: nine bins over two decades. A choice."""

_BOX_35, _BOX_10 = slice(39, 45), slice(63, 69)
_BINS = 10
_FEWEST_BINS = 2
_RIDGE = 10.0
"""Sequences' worth of evidence that a base makes no difference; with 45,000 sequences it decides only about rare ones."""

_FILE = Path("examples") / "datasets" / "sortseq_data.csv.gz"
_WAY_OUT = "Install it with: pip install --no-deps mavenn==1.1.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class LacPromoter:
    """One variant, or the wild type.

    Args:
        name: ``lac04711``, its row in the table; ``WT`` for the wild type.
        sequence: 75 bases.
        bins: of the nine it was seen in.
        level: in bins, 1 dark to 9 bright.
        expression: over the wild type's.
    """

    name: str
    sequence: str
    bins: int
    level: float
    expression: float


@lru_cache(maxsize=1)
def load_lac_promoters() -> Mapping[str, LacPromoter]:
    """Every variant seen in two bins or more by name, in the order of the table, the wild type first.

    Raises:
        MissingData: the package ``mavenn`` is not installed, or its table is not the one that this module describes.
    """
    path = _data_file()
    try:
        sequences, seen = _read(path)
        bases = _bases(sequences)
        check_bins(bases, seen)
        levels = _levels(bases, seen)
        wild_type = sequences.index(LAC_WILD_TYPE)
    except (KeyError, ValueError, EOFError, OSError, zlib.error, csv.Error) as error:
        raise MissingData(
            f"the table of lac promoters is not as it was: {error}.",
            way_out="Install the version that was checked: pip install --no-deps mavenn==1.1.4",
            file=path,
        ) from error
    bins = seen[:, 1:].sum(axis=1)
    rows = [wild_type, *(int(row) for row in np.flatnonzero(bins >= _FEWEST_BINS) if row != wild_type)]
    found = {}
    for row in rows:
        name = WILD_TYPE if row == wild_type else f"lac{row + 1:05d}"
        # Rounded, so that the last digits of a linear solve, which differ between machines, do not matter.
        level = round(float(levels[row]), 6)
        found[name] = LacPromoter(
            name=name,
            sequence=sequences[row],
            bins=int(bins[row]),
            level=level,
            expression=float(FOLD_OF_A_BIN ** (level - round(float(levels[wild_type]), 6))),
        )
    return MappingProxyType(found)


def check_bins(bases: np.ndarray, seen: np.ndarray) -> None:
    """Check that bins 1 to 9 go from dark to bright and that bin 0 was not sorted; see the head of this module.

    Args:
        bases: n x 75, indices into :data:`lab.types.DNA`.
        seen: n x 10, 1 where a sequence was seen in a bin.

    Raises:
        ValueError: they do not look so.
    """
    changed = bases != _bases([LAC_WILD_TYPE])[0]
    for name, box in (("-35", _BOX_35), ("-10", _BOX_10)):
        each = seen.T @ changed[:, box].sum(axis=1) / seen.sum(axis=0)
        if np.any(np.diff(each[1:]) >= 0.0):
            raise ValueError(
                f"the substitutions in the {name} box do not fall from bin to bin: {np.round(each[1:], 2)}"
            )
        if abs(each[0] - each[1:].mean()) > 0.05:
            raise ValueError(f"bin 0 has {each[0]:.2f} substitutions in the {name} box, unlike the library")


def _levels(bases: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Level of each sequence in bins; what the model alone says of those that were in no bin."""
    bins = seen[:, 1:].sum(axis=1)
    own = seen[:, 1:] @ np.arange(1.0, _BINS) / np.maximum(bins, 1)
    expected = _expected(bases, bins, own)
    once, twice = (float(np.var((own - expected)[bins == n])) for n in (1, 2))
    between, within = 2.0 * twice - once, 2.0 * (once - twice)
    if not (between > 0.0 and within > 0.0):
        raise ValueError(
            f"sequences seen once miss the model by {once:.2f}, twice by {twice:.2f} bins squared"
        )
    weight = between / (between + within / np.maximum(bins, 1))
    found: np.ndarray = np.where(bins > 0, weight * own + (1.0 - weight) * expected, expected)
    return found


def _expected(bases: np.ndarray, bins: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What a linear model of the bases expects of each sequence, in bins; sequences count by the bins they were in."""
    sites = np.arange(bases.shape[1])
    sorted_ = bins > 0
    there, times = bases[sorted_], bins[sorted_].astype(np.float32)
    changed = there != _bases([LAC_WILD_TYPE])[0]
    columns = [changed & (there == letter) for letter in range(len(DNA))]
    design = np.concatenate([*columns, np.ones((len(there), 1), dtype=bool)], axis=1).astype(np.float32)
    # Sums of small whole numbers, counts and sums of bins alike, are exact in single precision and in any order.
    normal = (design.T @ (design * times[:, None])).astype(np.float64)
    total = (times * own[sorted_]).round()
    aim = (design.T @ total.astype(np.float32)).astype(np.float64)
    ridge = np.arange(len(normal) - 1)
    normal[ridge, ridge] += _RIDGE
    *effects, middle = np.linalg.solve(normal, aim)
    table = np.reshape(effects, (len(DNA), len(sites)))
    found: np.ndarray = middle + table[bases, sites].sum(axis=1)
    return found


def _bases(sequences: list[str]) -> np.ndarray:
    """n x 75 indices into DNA."""
    wrong = next((s for s in sequences if len(s) != len(LAC_WILD_TYPE) or set(s) - set(DNA)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is no sequence of {len(LAC_WILD_TYPE)} bases")
    letters = np.frombuffer("".join(sequences).encode(), dtype=np.uint8).reshape(len(sequences), -1)
    found: np.ndarray = np.searchsorted(np.frombuffer(DNA.encode(), dtype=np.uint8), letters)
    return found


def _read(path: Path) -> tuple[list[str], np.ndarray]:
    """Sequences, and n x 10 whether each was seen in each bin."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    counts = np.array([[int(row[f"ct_{bin_}"]) for bin_ in range(_BINS)] for row in rows])
    if counts.min() < 0 or counts.max() > 1:
        raise ValueError("a sequence counts more than once in a bin")
    return [row["x"] for row in rows], counts


def _data_file() -> Path:
    spec = importlib.util.find_spec("mavenn")
    if spec is None or not spec.submodule_search_locations:
        raise MissingData(
            "the measured expression of lac promoters is in the Python package mavenn, which is not installed.",
            way_out=_WAY_OUT,
        )
    path = Path(next(iter(spec.submodule_search_locations))) / _FILE
    if not path.is_file():
        raise MissingData(
            "the installed package mavenn does not hold the table of lac promoters.",
            way_out=_WAY_OUT,
            file=path,
        )
    return path
