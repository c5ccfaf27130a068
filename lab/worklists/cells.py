"""Cells of a CSV file or of an Excel workbook, as rows of text and numbers. Nothing is guessed from them here."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import ParseError

from lab.errors import BadInput, MissingData

__all__ = ["LARGEST_BYTES", "Row", "rows_of"]

LARGEST_BYTES = 8_000_000
"""A plate of 1536 wells has some 40 kB of CSV; what is larger is something else."""

MOST_ROWS = 20_000
"""The same, in rows: a workbook of 8 MB can unpack to far more."""

EXCEL = (".xlsx", ".xlsm")


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Args:
        line: in the file, from 1.
        cells: stripped texts; numbers of a workbook as numbers.
        decimal_comma: whether a comma in a number is its decimal point, because columns are separated by something else.
        commas: whether columns are separated by commas: a decimal comma without quotes makes two cells of one number.
    """

    line: int
    cells: tuple[str | float, ...]
    decimal_comma: bool = False
    commas: bool = False


def rows_of(path: Path, sheet: str = "") -> tuple[Row, ...]:
    """Rows that hold anything.

    Args:
        sheet: of a workbook; the only one, or the first, when left out.

    Raises:
        BadInput: the file can't be read; names it, and the line where that is known.
        MissingData: what reads workbooks is not installed.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"It can't be read: {error.strerror}.", way_out="Check its name.", file=path
        ) from error
    if len(raw) > LARGEST_BYTES:
        raise BadInput(
            f"It has {len(raw)} bytes, more than any plate's results.",
            way_out="Is it the right file?",
            file=path,
        )
    rows = _workbook(path, raw, sheet) if path.suffix.lower() in EXCEL else _text(path, raw)
    filled = tuple(row for row in rows if any(cell != "" for cell in row.cells))
    if not filled:
        raise BadInput("It is empty.", way_out="Is it the right file?", file=path)
    return filled


def _text(path: Path, raw: bytes) -> list[Row]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise BadInput("It is no UTF-8 text.", way_out="Save it as CSV in UTF-8.", file=path) from wrong
    if "\0" in text:
        raise BadInput("It is no text.", way_out="Save it as CSV in UTF-8, or as .xlsx.", file=path)
    separator = max("\t;,", key=text.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            commas = separator == ","
            rows.append(Row(reader.line_num, stripped, decimal_comma=not commas, commas=commas))
            if len(rows) > MOST_ROWS:
                raise BadInput(
                    f"It has more than {MOST_ROWS} rows.", way_out="Is it the right file?", file=path
                )
    except csv.Error as wrong:
        raise BadInput(
            f"This row can't be read: {wrong}.",
            way_out="Check its quotes.",
            file=path,
            line=reader.line_num,
        ) from wrong
    return rows


def _workbook(path: Path, raw: bytes, sheet: str) -> list[Row]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as missing:
        raise MissingData(
            "Excel workbooks can't be read: the package openpyxl is not installed.",
            way_out="Install it with: pip install 'drywet[excel]', or save the sheet as CSV.",
            file=path,
        ) from missing
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError, OSError, ParseError) as wrong:
        raise BadInput(
            "It is no Excel workbook, or a damaged one.", way_out="Save it again as .xlsx.", file=path
        ) from wrong
    try:
        if sheet and sheet not in book.sheetnames:
            raise BadInput(
                f"It has no sheet {sheet!r}.", way_out=f"Its sheets: {', '.join(book.sheetnames)}.", file=path
            )
        rows = []
        for line, values in enumerate(book[sheet or book.sheetnames[0]].iter_rows(values_only=True), start=1):
            if line > MOST_ROWS:
                raise BadInput(
                    f"It has more than {MOST_ROWS} rows.", way_out="Is it the right file?", file=path
                )
            rows.append(Row(line, tuple(_cell(value) for value in values)))
        return rows
    except (zipfile.BadZipFile, KeyError, ParseError) as wrong:
        raise BadInput("It is a damaged workbook.", way_out="Save it again as .xlsx.", file=path) from wrong
    finally:
        book.close()


def _cell(value: object) -> str | float:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return str(value).strip()
