"""Levels described by numbers: what a ligand, a solvent or an additive is like, from a table that a chemist gives."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from lab.errors import BadInput
from lab.interfaces import ModelCard
from lab.strict import StrictModel, did_you_mean
from models.tables import csv_rows, file_content
from models.values import value_of

__all__ = ["Descriptors", "DescriptorsSettings"]


class DescriptorsSettings(StrictModel):
    """Settings of ``descriptors``.

    Args:
        file: CSV with a row a level; a relative path is found from the campaign file's folder.
        value: name of the candidates' value whose levels the table describes.
        key: column that holds the level; the first one when not given.
        components: how many principal axes to turn the columns to; none, but the columns as they are, when not given.
    """

    file: Path = Field(strict=False, examples=["ligands.csv"])  # a path is text in a campaign file
    value: str = Field(min_length=1, examples=["ligand"])
    key: str = ""
    components: int | None = Field(default=None, ge=1)


class Descriptors:
    """A level becomes the numbers of its row in a table.

    Columns that are not all numbers, or are the same in every row, are left out; the others are brought to mean 0 and
    variance 1 over the rows of the table, and divided by the root of their number, so that two levels are about as far apart
    whether five columns or two hundred describe them. Principal axes are for those who want few columns: one axis fewer than
    levels holds every difference, in the order of what they explain, and whoever brings the axes to one variance again makes
    all levels equally unlike.

    Args:
        settings: where the table is, and what it describes.
        parent: not used; here so that every model is made in the same way.

    Raises:
        BadInput: the file is no table, lacks the key, has a level twice, or holds nothing that tells levels apart.
        MissingData: there is no such file.
    """

    def __init__(self, settings: DescriptorsSettings, *, parent: str = "") -> None:
        del parent
        self._value, self._file = settings.value, settings.file
        written = file_content(settings.file, what="descriptors", field="models.file")
        heading, rows = csv_rows(settings.file, written, what="descriptors")
        key = self._key_column(settings.key, heading)
        self._rows: dict[str, int] = {}
        for row, (line, cells) in enumerate(rows):
            if self._rows.setdefault(cells[key], row) != row:
                raise BadInput(
                    f"{cells[key]} has two rows of descriptors.",
                    way_out="Keep one.",
                    file=settings.file,
                    line=line,
                )
        self._numbers = {number: row for level, row in self._rows.items() for number in _number(level)}
        columns = [_numbers(cells[c] for _, cells in rows) for c in range(len(heading)) if c != key]
        kept = [c for c in columns if c is not None and np.ptp(c) > 1e-9 * np.abs(c).max()]
        if not kept:
            raise BadInput(
                f"No column tells the {len(rows)} rows of descriptors apart by numbers.",
                way_out="Give each level a row, with numbers that differ.",
                file=settings.file,
            )
        self._table = _scaled(np.stack(kept, axis=1), settings.components)
        digest = hashlib.sha256(written).hexdigest()
        self.card = ModelCard(
            name="descriptors",
            version=digest[:12],
            licence="the user's own",
            source=settings.file.name,
            inputs=f"candidates whose {settings.value} is one of the {len(rows)} levels of the table",
            outputs=f"{self._table.shape[1]} columns from {len(kept)} descriptors, of variance 1 over the table together",
            weights_sha256=digest,
        )

    def encode(self, candidates: Sequence[Any]) -> np.ndarray:
        """n candidates -> float64 n x d.

        Raises:
            BadInput: a candidate without the value, or with a level that the table does not describe.
        """
        rows = np.array([self._row(candidate) for candidate in candidates], dtype=np.intp)
        found: np.ndarray = self._table[rows]
        return found

    def _row(self, candidate: Any) -> int:
        value = value_of(candidate, self._value)
        level = f"{value:g}" if isinstance(value, float) else str(value)
        if isinstance(value, int | float) and value in self._numbers:
            return self._numbers[value]  # 1 and 1.0 are one level, in the campaign and in the table
        if level not in self._rows:
            hint = did_you_mean(level, self._rows, what="Described are:")
            raise BadInput(
                f"The table of descriptors has no row for {level!r}, the {self._value} of candidate {candidate.id}.",
                way_out=hint,
                file=self._file,
            )
        return self._rows[level]

    def _key_column(self, key: str, heading: Sequence[str]) -> int:
        if not heading:
            raise BadInput(
                "The file of descriptors is empty.", way_out="Write a heading and rows.", file=self._file
            )
        if not key:
            return 0
        if key not in heading:
            raise BadInput(
                f"The table of descriptors has no column {key!r}.",
                way_out=did_you_mean(key, heading[:12], what="Among its columns are:"),
                file=self._file,
                field="models.key",
            )
        return heading.index(key)


def _number(level: str) -> tuple[float, ...]:
    """A level that is a number as one; nothing for one that is not."""
    try:
        return (float(level),)
    except ValueError:
        return ()


def _numbers(cells: Any) -> np.ndarray | None:
    """A column as numbers; None where one of its cells is none."""
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _scaled(table: np.ndarray, components: int | None) -> np.ndarray:
    """Levels x descriptors -> levels x axes, as :class:`Descriptors` says."""
    standard: np.ndarray = (table - table.mean(axis=0)) / table.std(axis=0) / np.sqrt(table.shape[1])
    if components is None:
        return standard
    left, sizes, right = np.linalg.svd(standard, full_matrices=False)
    # An axis has no direction of its own: each is turned so that its largest weight is positive.
    largest = right[np.arange(len(right)), np.abs(right).argmax(axis=1)]
    turned: np.ndarray = left * sizes * np.where(largest < 0, -1.0, 1.0)
    return turned[:, : min(components, len(standard) - 1, standard.shape[1])]
