"""Tables that users write: CSV files, read with every way they can be wrong said in one sentence."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from lab.errors import BadInput, MissingData

__all__ = ["csv_rows", "file_content"]


def file_content(path: Path, *, what: str, field: str) -> bytes:
    """All of a file.

    Args:
        what: it holds, for errors (``features``).
        field: of the settings that names it.

    Raises:
        MissingData: there is no such file.
        BadInput: it can't be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingData(
            f"There is no file of {what} {path}.", way_out="Check its name.", field=field
        ) from None
    except OSError as error:
        raise BadInput(
            f"The file of {what} can't be read: {error.strerror}.", way_out="Check it.", file=path
        ) from error


def csv_rows(path: Path, written: bytes, *, what: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Heading and rows of a CSV file in UTF-8; empty lines, and those that begin with ``#``, are left out.

    Args:
        path: for errors.
        written: its content.
        what: it holds, for errors.

    Returns:
        The heading, and each row with its line, counted from 1; cells without spaces around them.

    Raises:
        BadInput: it is no text, a quote in it is never closed, or a row has more or fewer cells than the heading.
    """
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The file of {what} is no text.", way_out="Save it as CSV in UTF-8.", file=path
        ) from error
    found = _filled(text, path)
    _, heading = next(found, (0, []))
    rows = []
    for line, cells in found:
        if len(cells) != len(heading):
            raise BadInput(
                f"This row has {len(cells)} cells, the heading has {len(heading)}.",
                way_out="Separate cells by one comma each.",
                file=path,
                line=line,
            )
        rows.append((line, cells))
    return heading, rows


def _filled(text: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    # Strict: an open quote would otherwise take all rows behind it for one cell.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not stripped[0].startswith("#"):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise BadInput(
            f"This row can't be read: {error}.",
            way_out="Check its quotes and commas.",
            file=path,
            line=reader.line_num,
        ) from error
