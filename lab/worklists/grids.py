"""Plates printed as grids, and numbers in them that a comma has cut in two: ``0,412`` between commas is 0 and 412."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lab.worklists.cells import Row

__all__ = ["WAY_OUT", "cut_in_two", "cut_rows", "letters_of", "numbered"]

WAY_OUT = "Write numbers with a point, or separate columns with semicolons."


def numbered(row: Row) -> dict[int, int]:
    """Where in a row the numbers 1, 2, 3, ... stand; empty where it is no heading of a grid."""
    cells = [f"{cell:g}" if isinstance(cell, float) else cell for cell in row.cells]
    if len(cells) < 3 or cells[1] != "1" or re.fullmatch(r"[0-9.]+", cells[0]):
        return {}
    return {where: int(text) for where, text in enumerate(cells) if where and text == str(where)}


def letters_of(row: Row) -> str:
    """What a row of a grid is called (``A``, ``AF``); empty where it is none."""
    letters = str(row.cells[0])
    return letters if re.fullmatch(r"[A-Za-z]{1,2}", letters) else ""


def cut_in_two(row: Row, heading: Row) -> str:
    """Why a row may hold numbers that a comma has cut in two, in a sentence; empty where it can't.

    Such a row has more cells than its heading, or, where its last wells were left out, another number of them and no point
    in any.
    """
    more, short = len(row.cells) > len(heading.cells), len(row.cells) < len(heading.cells)
    pointless = (
        bool(numbered(heading)) and len(row.cells) > 2 and not any("." in str(one) for one in row.cells[1:])
    )
    if not row.commas or not (more or (short and pointless)):
        return ""
    return f"This row has {len(row.cells)} cells, and its heading has {len(heading.cells)}."


def cut_rows(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """Line and sentence of each row that may be so, of all grids among rows."""
    heading: Row | None = None
    for row in rows:
        if numbered(row):
            heading = row
        elif heading is not None and letters_of(row):
            if why := cut_in_two(row, heading):
                yield row.line, why
        else:
            heading = None
