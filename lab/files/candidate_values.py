"""Candidates that are described by named values: one column of the candidate file for each value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from lab.files.source import Problems

__all__ = ["ValueColumns"]

Value = float | str

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")


class ValueColumns:
    """Reads the cells of value columns. A column is of numbers or of text, as its first cell is.

    Args:
        names: of the columns, as the heading writes them.
        problems: where cells that can't be read are noted.
    """

    def __init__(self, names: Sequence[str], problems: Problems) -> None:
        self.names = tuple(names)
        self._problems = problems
        self._of_numbers: dict[str, int] = {}
        """Column -> line of the first number in it."""
        self._of_text: set[str] = set()
        self._seen: dict[tuple[Value, ...], tuple[str, int]] = {}

    def read(self, line: int, candidate: str, row: Mapping[str, str]) -> dict[str, Value] | None:
        """The values of one row by name; None, with the problems noted, when one of them can't be read."""
        values = {name: self._read(line, candidate, name, row[name]) for name in self.names}
        found = {name: value for name, value in values.items() if value is not None}
        return found if len(found) == len(values) else None

    def twin(self, line: int, candidate: str, values: Mapping[str, Value]) -> tuple[str, int] | None:
        """The earlier candidate of the very same values, and its line, if there is one."""
        key = tuple(values[name] for name in self.names)
        first = self._seen.setdefault(key, (candidate, line))
        return None if first[0] == candidate else first

    def _read(self, line: int, candidate: str, name: str, written: str) -> Value | None:
        if not written:
            self._problems.add(name, f"{candidate} has no {name}.", "Write its value.", line=line)
            return None
        number = _number(written)
        if name not in self._of_text and _DECIMAL_COMMA.fullmatch(written):
            self._problems.add(
                name,
                f"{name} of {candidate} is {written!r}, with a comma for the decimals.",
                "Write it with a point.",
                line=line,
            )
            return None
        if number is not None and not math.isfinite(number):
            self._problems.add(
                name, f"{name} of {candidate} is {written}.", "Write a number or a word.", line=line
            )
            return None
        if name in self._of_text or (number is None and name not in self._of_numbers):
            self._of_text.add(name)
            return written
        if number is None:
            self._problems.add(
                name,
                f"{name} of {candidate} is {written!r}, and a number in line {self._of_numbers[name]}.",
                "Write numbers in the whole column, with a point for the decimals, or text.",
                line=line,
            )
            return None
        self._of_numbers.setdefault(name, line)
        return number


def _number(written: str) -> float | None:
    if "_" in written:
        return None  # a name such as 2_1, which Python would read as 21
    try:
        return float(written)
    except ValueError:
        return None
