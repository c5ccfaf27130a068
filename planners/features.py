"""Features of a pool, made row by row when they are asked for: a million sequences stay one byte a site.

A block of features is a matrix with a row a candidate, held as it is or as residue codes with a table of what each residue
stands for. Kernels only ever ask a block for inner products between a few hundred rows and some part of the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

__all__ = ["Coded", "Dense", "Features", "Shares"]

_WIDE = 400
"""Columns from which rows are kept sparse: most sites of a long chain are the parent's in most candidates."""


class Features(Protocol):
    """N x d numbers."""

    def __len__(self) -> int:
        """N."""
        ...

    def rows(self, rows: np.ndarray) -> np.ndarray | sparse.csr_array:
        """Some of the rows, m x d; sparse where most of it would be zeros."""
        ...


@dataclass(frozen=True, slots=True)
class Dense:
    """Features as they are.

    Args:
        values: N x d, float32 or float64.
    """

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows, m x d."""
        found: np.ndarray = self.values[rows]
        return found


@dataclass(frozen=True, slots=True)
class Coded:
    """What each letter stands for, site by site: N x (sites k), less what the base row has there.

    Kernels know differences only, so taking the base away changes nothing, and leaves zeros wherever a letter is the base's.

    Args:
        codes: N x sites, int8.
        base: (sites,), int8: the parent, or any candidate where there is none.
        table: letters x k, or sites x letters x k where letters mean something else at each site.
    """

    codes: np.ndarray
    base: np.ndarray
    table: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def _less_base(self) -> np.ndarray:
        """Sites x letters x k, zero for the base's letter."""
        sites = np.arange(len(self.base))
        table = np.broadcast_to(self.table, (len(sites), *self.table.shape[-2:]))
        less: np.ndarray = table - table[sites, self.base][:, None]
        return less

    def rows(self, rows: np.ndarray) -> np.ndarray | sparse.csr_array:
        """Rows, m x (sites k)."""
        codes, table = self.codes[rows], self._less_base()
        n, width = len(codes), table.shape[2]
        if codes.shape[1] * width <= _WIDE:
            dense: np.ndarray = table[np.arange(codes.shape[1]), codes].reshape(n, -1)
            return dense
        at, site = np.nonzero(codes != self.base)
        values = table[site, codes[at, site]]
        columns = site[:, None] * width + np.arange(width)
        where = np.broadcast_to(at[:, None], columns.shape)
        return sparse.csr_array(
            (values.ravel(), (where.ravel(), columns.ravel())), shape=(n, codes.shape[1] * width)
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """Means of a table over the sites that differ from the base: N x k; the base itself is all zeros.

    Args:
        codes: N x sites, int8.
        base: (sites,), int8.
        table: letters x k, or sites x letters x k.
    """

    codes: np.ndarray
    base: np.ndarray
    table: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows, m x k."""
        codes = self.codes[rows]
        at, site = np.nonzero(codes != self.base)
        table = np.broadcast_to(self.table, (len(self.base), *self.table.shape[-2:]))
        total = np.zeros((len(codes), table.shape[2]))
        np.add.at(total, at, table[site, codes[at, site]])
        count = np.bincount(at, minlength=len(codes))
        return total / np.maximum(count, 1)[:, None]


def sample_of(size: int, most: int) -> np.ndarray:
    """Up to ``most`` row numbers of a pool, evenly spread."""
    if size <= most:
        return np.arange(size)
    return np.linspace(0, size - 1, most).astype(np.intp)


def stacked(parts: Sequence[np.ndarray | sparse.csr_array]) -> np.ndarray:
    """Blocks of the same rows side by side, dense."""
    dense = [part.toarray() if sparse.issparse(part) else np.asarray(part) for part in parts]
    return np.hstack(dense)
