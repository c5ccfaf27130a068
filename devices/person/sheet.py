"""Worklists: what a person is asked to do, line by line, and what is to come back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

from pydantic import Field, TypeAdapter, ValidationError

from lab.errors import BadInput
from lab.strict import StrictModel
from lab.types import JsonValue

__all__ = ["OVER", "Asked", "HandIn", "Line", "PlateShown", "Said", "Sheet", "sheet_from_json"]

OVER = "over"
"""In place of a number: the reader said that there was too much to tell (``OVRFLW``, ``OVER``)."""


class Said(StrEnum):
    """What a person says of a worklist."""

    DONE = "done"
    NOT_DONE = "not-done"
    UNSURE = "unsure"
    WITHDRAWN = "withdrawn"
    """Nobody's answer: drywet has taken it back, as its step was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing to do. Labware is named by its id; wells are empty where the whole of it is meant.

    Args:
        action: in a word or two (``pipette``, ``carry``, ``measure``).
        holds: what the source holds.
        note: whatever else there is to know, in a sentence.
    """

    action: str
    source: str = ""
    source_well: str = ""
    holds: str = ""
    target: str = ""
    target_well: str = ""
    volume_ul: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateShown:
    """A piece of labware that a worklist speaks of.

    Args:
        barcode: what is written on it; its id where the workcell file knows no barcode.
        rows, columns: 1 and 1 of a trough; 0 and 0 of what has no wells.
        at: where it stands when the worklist is handed out.
    """

    id: str
    barcode: str
    type: str
    rows: int
    columns: int
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Numbers that are to come back.

    Args:
        plate: id of the plate.
        wells: that need a number, row-major.
        unit: ``1`` for none.
        lowest, highest: that such a number can be; None where nothing is known.
    """

    plate: str
    quantity: str
    unit: str
    wells: tuple[str, ...]
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One worklist.

    Args:
        id: unique in its folder (``sheet_0007``).
        device: of the workcell that the person stands in for.
        verb: the command's.
        arguments: the command's.
        step: key in the journal of the step that it is of; a step is never on two sheets that are out. Empty where it is of
            no run.
        asks: None where no numbers are to come back.
        made_utc: when it was written, ISO 8601.
    """

    id: str
    device: str
    verb: str
    arguments: Mapping[str, JsonValue]
    title: str
    lines: tuple[Line, ...]
    labware: tuple[PlateShown, ...]
    asks: Asked | None
    made_utc: str
    step: str = ""

    def to_json(self) -> dict[str, JsonValue]:
        """For its file."""
        return asdict(self)

    def shown(self, labware: str) -> PlateShown:
        """A piece of labware that it speaks of.

        Raises:
            KeyError: it does not speak of that.
        """
        return {piece.id: piece for piece in self.labware}[labware]


_SHEET = TypeAdapter(Sheet)


def sheet_from_json(text: str) -> Sheet:
    """The sheet whose :meth:`Sheet.to_json` a file holds.

    Raises:
        BadInput: it is no sheet.
    """
    try:
        return _SHEET.validate_json(text)
    except ValidationError as wrong:
        raise BadInput(f"This is no worklist of ours: {_first(wrong)}.") from wrong


class HandIn(StrictModel):
    """What a person handed in. Whoever writes it has checked the numbers against what was asked for.

    Args:
        values: well -> number in the unit asked for, or :data:`OVER`; empty where nothing was asked for.
        by: who says so.
        source: file that the numbers came from, and its SHA-256; empty where they came from none.
    """

    sheet: str = Field(min_length=1)
    said: Said
    by: str = Field(min_length=1, max_length=200)
    at_utc: str = Field(min_length=1)
    note: str = ""
    values: dict[str, float | str] = Field(default_factory=dict)
    source: str = ""
    source_sha256: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """What a file holds.

        Raises:
            BadInput: it is no hand-in.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as wrong:
            raise BadInput(f"This is no hand-in of ours: {_first(wrong)}.") from wrong

    def problems(self, asked: Asked | None) -> tuple[str, ...]:
        """What is wrong with the numbers, one sentence each; empty where they are what was asked for."""
        wells: Sequence[str] = () if asked is None or self.said is not Said.DONE else asked.wells
        missing = [well for well in wells if well not in self.values]
        strange = [well for well in self.values if well not in wells]
        found = []
        if missing:
            found.append(f"No number for {told_wells(missing)}.")
        if strange:
            found.append(f"Nobody asked for {told_wells(strange)}.")
        for well, value in self.values.items():
            if isinstance(value, str):
                if value != OVER:
                    found.append(f"{value!r} in {well} is no number.")
            elif not math.isfinite(value):
                found.append(f"{value} in {well} is no finite number.")
            elif asked is not None and not within(value, asked):
                found.append(f"{value:g} in {well} is outside {_range(asked)}.")
        return tuple(found)


def within(value: float, asked: Asked) -> bool:
    """Whether a number can be what was asked for."""
    return (asked.lowest is None or value >= asked.lowest) and (
        asked.highest is None or value <= asked.highest
    )


def told_wells(wells: Sequence[str]) -> str:
    """Some wells in a sentence; of many, the first and how many there are."""
    if len(wells) <= 12:
        return ", ".join(wells)
    return f"{', '.join(wells[:8])} and {len(wells) - 8} more wells"


def _range(asked: Asked) -> str:
    unit = "" if asked.unit == "1" else f" {asked.unit}"
    lowest = "any" if asked.lowest is None else f"{asked.lowest:g}"
    highest = "any" if asked.highest is None else f"{asked.highest:g}"
    return f"{lowest} to {highest}{unit}"


def _first(wrong: ValidationError) -> str:
    first = wrong.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
