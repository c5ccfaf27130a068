"""What an Agilent BioTek reader says, taken apart and checked.

Sources: commands and the layout of answers are those of PyLabRobot 0.2.2 (``plate_reading/agilent/biotek_backend.py``, and
the answers of an instrument that its tests quote). An answer is an acknowledgement, data, a status of four characters and an
end of text; status ``0000`` is good. A reading is a header, rows of ``row,column,value``, the temperature in tenths of a
degree, and the sum of all bytes since the header's carriage return, modulo 256. That rule was found on the quoted readings:
all of them keep it.
"""

from __future__ import annotations

import math
import re

from lab.errors import NonsenseReply

__all__ = ["ACK", "END", "BioTekRefuses", "answered", "plate_of", "reading"]

ACK = b"\x06"
END = b"\x03"
_GOOD = "0000"
_SUBSTITUTE = "\x1a"
_READING = re.compile(
    r"01,1,\r\d{3}:\d{2}:\d{2}\.\d,(?P<begin>-?\d{3}),(?P<rows>.*)\r\n(?P<tenths>-?\d{3})\x1a(?P<sum>\d{3})\x1a"
    r"(?P<status>.{4})\x03",
    re.DOTALL | re.ASCII,
)
_GROUP = re.compile(r"(\d{2}),(\d{2}),([+-]?\d+(?:\.\d+)?|\*+)", re.ASCII)


class BioTekRefuses(Exception):
    """The instrument's own error code: four characters, listed in its operator's manual."""


def answered(command: str, reply: bytes) -> str:
    """Data of an answer, without acknowledgement and status.

    Args:
        reply: up to and including its end of text.

    Raises:
        BioTekRefuses: its status is an error.
        NonsenseReply: it is no answer.
    """
    try:
        text = reply.removeprefix(ACK).removesuffix(END).decode("ascii")
    except UnicodeDecodeError as bad:
        raise NonsenseReply(f"the answer to {command!r} is no text: {reply[:40]!r}.") from bad
    if not reply.endswith(END) or not text[-4:].isalnum() or len(text) < 4:
        raise NonsenseReply(f"{reply[:40]!r} is no answer to {command!r}.")
    data, status = text[:-4], text[-4:]
    if status != _GOOD:
        raise BioTekRefuses(f"error {status} in answer to {command!r}")
    return data


def reading(body: bytes) -> dict[tuple[int, int], float]:
    """Row and column (from 0) -> number of each well of a reading; not a number (NaN) where the detector was at its end.

    Raises:
        BioTekRefuses: the reading was given up.
        NonsenseReply: it is none, or not as it was sent.
    """
    found = _READING.fullmatch(body.decode("latin-1"))
    if found is None:
        # A reading that is given up has a status and nothing else.
        answered("O", body)
        raise NonsenseReply(f"{body[:40]!r} is no reading.")
    if found["status"] != _GOOD:
        raise BioTekRefuses(f"error {found['status']} in a reading")
    begin, end = body.index(b"\r") + 1, body.index(_SUBSTITUTE.encode()) + 1
    if sum(body[begin:end]) % 256 != int(found["sum"]):
        raise NonsenseReply("the sum over the reading is not the one that was sent with it.")
    wells: dict[tuple[int, int], float] = {}
    for row in found["rows"].split("\r\n,"):
        groups = _GROUP.findall(row)
        if ",".join(",".join(group) for group in groups) != row:
            raise NonsenseReply(f"{row[:40]!r} is no row of a reading.")
        for r, c, value in groups:
            place = (int(r) - 1, int(c) - 1)
            if place in wells:
                raise NonsenseReply(f"row {r}, column {c} stands in a reading twice.")
            wells[place] = math.nan if "*" in value else float(value)
    return wells


def plate_of(wells: dict[tuple[int, int], float], rows: int, columns: int) -> list[list[float | None]]:
    """A reading of a whole plate as rows of columns.

    Raises:
        NonsenseReply: a well that the plate does not have, or one that is missing.
    """
    if len(wells) != rows * columns:
        raise NonsenseReply(f"the reading has {len(wells)} numbers for {rows * columns} wells.")
    plate: list[list[float | None]] = [[None] * columns for _ in range(rows)]
    for (row, column), value in wells.items():
        if not (0 <= row < rows and 0 <= column < columns):
            raise NonsenseReply(f"row {row + 1}, column {column + 1} is on no plate of {rows} x {columns}.")
        plate[row][column] = value
    return plate
