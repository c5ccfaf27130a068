"""The heading and the rows of a candidate file: which columns it has, and the cells of each row by column."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Iterator

from lab.files.candidate_values import ValueColumns
from lab.files.source import Problems, SourceFile
from lab.strict import did_you_mean

__all__ = ["Rows"]

_COLUMNS = ("variant", "plate", "well", "sequence")
_PLACE = ("plate", "well")
_SLIP = 0.8
"""Likeness to a known column's name, 0 to 1, from which another name is taken for a slip of the pen, not for a value."""


class Rows:
    """Rows by column name, with their lines; blank lines and lines that begin with ``#`` are passed over.

    Args:
        has_parent: variant names are read against a parent, and values have no place.
        named: no row needs more than its name to describe it.
        has_library: each row stands in a well.

    Attributes:
        values: reads the columns that describe candidates; None where none do, and before the heading is read.
    """

    def __init__(
        self, source: SourceFile, problems: Problems, *, has_parent: bool, named: bool, has_library: bool
    ) -> None:
        self.values: ValueColumns | None = None
        self._text = source.text
        self._problems = problems
        self._has_parent = has_parent
        self._named = named
        self._has_library = has_library

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        """(line, cells by column) of each row.

        Raises:
            CampaignFileError: the heading is wrong, so that no row can be read.
        """
        header: list[str] | None = None
        reader = csv.reader(io.StringIO(self._text, newline=""), strict=True)
        try:
            for cells in reader:
                row = [cell.strip() for cell in cells]
                if not any(row) or row[0].startswith("#"):
                    continue
                if header is None:
                    header = self._header(row, reader.line_num)
                    self._problems.raise_if_any()
                elif len(row) != len(header):
                    self._problems.add(
                        "",
                        f"This row has {len(row)} cells, the heading has {len(header)}.",
                        "Separate cells by one comma each.",
                        line=reader.line_num,
                    )
                else:
                    yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            self._problems.add(
                "", f"This row can't be read: {error}.", "Check its quotes and commas.", line=reader.line_num
            )

    def _header(self, row: list[str], line: int) -> list[str]:
        names = [name.lower() if name.lower() in _COLUMNS else name for name in row]
        if len(names) == 1 and re.search(r"[;\t|]", names[0]):
            self._problems.add(
                "", "Columns are not separated by commas.", "Save it as comma-separated values.", line=line
            )
            return names
        described = [] if self._has_parent or "sequence" in names else [n for n in names if _is_value(n)]
        for name in names:
            if name not in (*_COLUMNS, *described):
                hint = did_you_mean(name.lower(), _COLUMNS)
                self._problems.add(name, f"There is no column {name!r}.", hint, line=line)
            elif names.count(name) > 1:
                self._problems.add(name, f"The column {name!r} stands here twice.", "Keep one.", line=line)
        place = _PLACE if self._has_library else ()
        for name in ("variant", *place, *(() if self._named or described else ("sequence",))):
            if name not in names and not self._problems:
                way_out = (
                    "Add it, or give the campaign a `parent`, or add a column for each value."
                    if name == "sequence"
                    else "Add it."
                )
                self._problems.add(name, f"The column {name!r} is missing.", way_out, line=line)
        if described and not self._has_library:
            for name in (name for name in _PLACE if name in names):
                self._problems.add(
                    name,
                    f"Candidates have no {name} here: the workcell has no library.",
                    "Take the column out, or add library plates to the workcell file.",
                    line=line,
                )
        self.values = ValueColumns(described, self._problems) if described else None
        return names


def _is_value(name: str) -> bool:
    """Whether a column that is not one of ours may be that of a value."""
    return (
        name != ""
        and name not in _COLUMNS
        and not difflib.get_close_matches(name.lower(), _COLUMNS, n=1, cutoff=_SLIP)
    )
