"""Results that a person hands in for one plate: a list of wells or a grid, as CSV or Excel.

A list has a heading with ``well`` and ``value``, and, where the file has more than one plate or to be safe, ``barcode`` and
``unit``::

    barcode,well,value,unit
    P0042,A1,0.412,OD

A grid is the plate as readers print it: a row of column numbers, and under it rows that begin with a letter. A grid names no
plate, so the person does.

All that is wrong is told at once, a sentence each; a file with anything wrong gives no number at all.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.bench import well_names
from lab.errors import CampaignFileError
from lab.worklists.cells import Row, rows_of
from lab.worklists.grids import WAY_OUT, cut_in_two, letters_of, numbered

__all__ = ["OVER", "Expected", "Handed", "Measured", "check_values", "read_results"]

OVER = "over"
"""In place of a number: the reader could not tell one, for there was too much."""

_OVER = frozenset({"over", "ovrflw", "overflow", "ovfl", "sat", "saturated", ">max", "*****"})
"""What readers print in its place (BioTek Gen5 ``OVRFLW``, Tecan ``OVER``, and what people write), in small letters."""

_HEADINGS = {
    "barcode": ("barcode", "plate", "plate_barcode", "plate barcode"),
    "well": ("well", "position", "well position"),
    "value": ("value", "result", "reading", "data"),
    "unit": ("unit", "units"),
}
"""Column -> how its heading may be written, in small letters."""

_WELL = re.compile(r"^([A-Za-z]{1,2})0{0,2}([1-9][0-9]?)$")
_SAME_UNIT = {"rfu": "rfu", "au": "od", "a": "od", "abs": "od", "od": "od", "": "1", "1": "1", "-": "1"}
"""Units that mean the same, in small letters; absorbance is written OD, AU, A and Abs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Numbers that were asked for.

    Args:
        plate: its id, for sentences.
        barcode: of the plate.
        rows, columns: of it.
        wells: that need a number.
        unit: of all of them; ``1`` for none.
        lowest, highest: that a number can be; None where nothing is known.
    """

    plate: str
    barcode: str
    rows: int
    columns: int
    wells: tuple[str, ...]
    unit: str
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Numbers that were handed in.

    Args:
        values: well -> number, or :data:`OVER`; exactly the wells that were asked for.
        left_out: wells of the file that nobody asked for, whose numbers are not used.
        sha256: of the file.
    """

    values: Mapping[str, float | str]
    left_out: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What a file says of one well.

    Args:
        line: of the file; None where it has no lines.
        value: as written.
        barcode: of the plate; None where the file names none.
        unit: the same.
        decimal_comma: whether a comma in ``value`` is its decimal point.
    """

    line: int | None
    well: str
    value: str | float
    barcode: str | None = None
    unit: str | None = None
    decimal_comma: bool = False


@dataclass(slots=True)
class _Problems:
    file: Path
    found: list[CampaignFileError] = field(default_factory=list)

    def add(self, reason: str, way_out: str = "", line: int | None = None) -> None:
        self.found.append(CampaignFileError(reason, way_out=way_out, file=self.file, line=line))

    def raise_if_any(self) -> None:
        if self.found:
            first, *others = self.found
            raise CampaignFileError(
                first.reason,
                way_out=first.way_out,
                file=first.file,
                line=first.line,
                others=tuple(others[:_MOST_TOLD]),
            )


_MOST_TOLD = 30
"""So many problems are told beside the first; of a file that is wrong in each line, more say nothing new."""


def read_results(path: Path, expected: Expected, *, barcode: str = "", sheet: str = "") -> Handed:
    """The numbers of a file, where they are all that was asked for.

    Args:
        barcode: of the plate, as the person scanned it; needed where the file names none.
        sheet: of a workbook; the first when left out.

    Raises:
        CampaignFileError: what is wrong, a sentence each: another plate, wells that are missing, twice or not on the plate,
            no numbers, numbers in another unit or out of range.
        BadInput: the file can't be read.
        MissingData: it is a workbook, and what reads those is not installed.
    """
    rows = rows_of(path, sheet)
    problems = _Problems(path)
    values = list(_listed(rows, problems) or _grid(rows, expected, problems))
    problems.raise_if_any()
    return check_values(values, expected, barcode=barcode, file=path)


def check_values(values: Sequence[Measured], expected: Expected, *, barcode: str, file: Path) -> Handed:
    """Values of a file, where they are all that was asked for; arguments and errors as of :func:`read_results`."""
    problems = _Problems(file)
    taken, left_out = _check(values, expected, barcode, problems)
    problems.raise_if_any()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Handed(values=taken, left_out=left_out, sha256=digest)


def _listed(rows: Sequence[Row], problems: _Problems) -> list[Measured] | None:
    """Values of a list; None where the file has no heading of one."""
    for number, row in enumerate(rows):
        at = _heading(row)
        if "well" in at and "value" in at:
            below = rows[number + 1 :]
            if not below:
                problems.add("Under its heading stands nothing.", "Fill it in.", row.line)
            for cell in dict.fromkeys(row.cells[where] for where in at.values()):
                if [str(one).lower() for one in row.cells].count(str(cell).lower()) > 1:
                    problems.add(f"It has two columns {cell!r}.", "Keep the one that is meant.", row.line)
            for one in below:
                _refuse_more(one, row, problems)
            return [_value(one, at) for one in below]
    return None


def _refuse_more(row: Row, heading: Row, problems: _Problems) -> None:
    """Note a row with numbers that a comma has cut in two: ``A1,0,412``."""
    if why := cut_in_two(row, heading):
        problems.add(why, WAY_OUT, row.line)


def _heading(row: Row) -> dict[str, int]:
    """Column -> where it stands, if this row is a heading."""
    words = [str(cell).lower() for cell in row.cells]
    return {
        name: words.index(written)
        for name, ways in _HEADINGS.items()
        for written in reversed(ways)
        if written in words
    }


def _value(row: Row, at: Mapping[str, int]) -> Measured:
    def cell(name: str) -> str | float:
        where = at.get(name)
        return "" if where is None or where >= len(row.cells) else row.cells[where]

    return Measured(
        line=row.line,
        well=str(cell("well")),
        value=cell("value"),
        barcode=_code(cell("barcode")) if "barcode" in at else None,
        unit=str(cell("unit")) if "unit" in at else None,
        decimal_comma=row.decimal_comma,
    )


def _code(cell: str | float) -> str:
    """A barcode that a workbook took for a number has no point."""
    return f"{cell:.0f}" if isinstance(cell, float) and cell.is_integer() else str(cell)


def _grid(rows: Sequence[Row], expected: Expected, problems: _Problems) -> Iterator[Measured]:
    """Values of the one grid that a file holds; cells that are empty stand for wells that were not read."""
    found = False
    for number, row in enumerate(rows):
        columns = numbered(row)
        if not columns:
            continue
        if found:
            problems.add(
                "There is a second grid in it.", "Keep one, or hand in a list with barcodes.", row.line
            )
            return
        found = True
        for below in rows[number + 1 :]:
            letter = letters_of(below)
            if not letter:
                break
            _refuse_more(below, row, problems)
            for where, column in columns.items():
                if where < len(below.cells) and below.cells[where] != "":
                    yield Measured(
                        below.line,
                        f"{letter}{column}",
                        below.cells[where],
                        None,
                        None,
                        below.decimal_comma,
                    )
    if not found:
        problems.add(
            "It holds neither a list nor a grid.",
            f"A list has columns well and value; a grid has a row of numbers 1 to {expected.columns} over rows A, B, ...",
        )


def _check(
    values: Sequence[Measured], expected: Expected, barcode: str, problems: _Problems
) -> tuple[dict[str, float | str], tuple[str, ...]]:
    """The values of the wells that were asked for, and the wells that nobody asked for."""
    _check_plate(values, expected, barcode, problems)
    on_plate = frozenset(well_names(expected.rows, expected.columns))
    asked = frozenset(expected.wells)
    seen: dict[str, int | None] = {}
    taken: dict[str, float | str] = {}
    for one in values:
        if one.barcode is not None and one.barcode != expected.barcode:
            continue  # told above, or of another plate of the same file
        well = _well(one.well)
        if well not in on_plate:
            problems.add(
                f"The plate has no well {one.well!r}.",
                f"Its wells are A1 to {well_names(expected.rows, expected.columns)[-1]}.",
                one.line,
            )
        elif well in seen:
            problems.add(f"{well} stands here twice{_first_time(seen[well])}.", "Keep one.", one.line)
        else:
            seen[well] = one.line
            if well in asked:
                _take(one, well, expected, taken, problems)
    missing = [well for well in expected.wells if well not in seen]
    if missing:
        problems.add(f"No number for {_told(missing)}.", "Every well on the worklist needs one.")
    return taken, tuple(well for well in seen if well not in asked)


def _first_time(line: int | None) -> str:
    return "" if line is None else f"; the first time in line {line}"


def _check_plate(values: Sequence[Measured], expected: Expected, barcode: str, problems: _Problems) -> None:
    named = {one.barcode for one in values}
    if barcode and barcode != expected.barcode:
        problems.add(
            f"{barcode} was scanned, and the worklist is of {expected.plate} with the barcode {expected.barcode}.",
            "Hand in the results of that plate.",
        )
    if None in named and not barcode:
        problems.add(
            "The file does not say of which plate it is.",
            f"Scan it: --barcode {expected.barcode}, or add a column barcode.",
        )
    if None not in named and expected.barcode not in named:
        told = ", ".join(sorted(f"{name}" for name in named if name)) or "no plate"
        problems.add(
            f"The results are of {told}, and the worklist is of {expected.plate} with the barcode {expected.barcode}.",
            "Hand in the results of that plate.",
        )


def _take(
    one: Measured, well: str, expected: Expected, taken: dict[str, float | str], problems: _Problems
) -> None:
    if one.unit is not None and _unit(one.unit) != _unit(expected.unit):
        problems.add(
            f"{well} is in {one.unit or 'no unit'!r}, and {expected.unit!r} was asked for.",
            "Convert the numbers; nothing is converted here.",
            one.line,
        )
        return
    value = _number(one)
    if value is None:
        problems.add(
            f"{one.value!r} in {well} is no number." if one.value != "" else f"{well} has no number.",
            f"Write a number, or {OVER} where the reader could not tell one.",
            one.line,
        )
    elif isinstance(value, float) and not _within(value, expected):
        lowest = "any" if expected.lowest is None else f"{expected.lowest:g}"
        highest = "any" if expected.highest is None else f"{expected.highest:g}"
        problems.add(
            f"{value:g} in {well} is outside {lowest} to {highest} {expected.unit}.",
            "Check the number and its unit.",
            one.line,
        )
    else:
        taken[well] = value


def _within(value: float, expected: Expected) -> bool:
    return (expected.lowest is None or value >= expected.lowest) and (
        expected.highest is None or value <= expected.highest
    )


def _number(one: Measured) -> float | str | None:
    """A finite number, OVER, or None for what is neither."""
    if isinstance(one.value, float):
        return one.value if math.isfinite(one.value) else None
    text = one.value.strip()
    if text.lower() in _OVER:
        return OVER
    if one.decimal_comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if not re.fullmatch(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _well(text: str) -> str:
    match = _WELL.match(text)
    return f"{match[1].upper()}{match[2]}" if match else text


def _unit(text: str) -> str:
    return _SAME_UNIT.get(text.strip().lower(), text.strip().lower())


def _told(wells: Sequence[str]) -> str:
    if len(wells) <= 12:
        return ", ".join(wells)
    return f"{', '.join(wells[:8])} and {len(wells) - 8} more wells"
