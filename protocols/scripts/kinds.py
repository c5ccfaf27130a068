"""What a protocol that is a function can ask for: plates, wells, reagents, plate maps, samples."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.bench import well_names
from lab.errors import BadInput
from lab.types import JsonValue

__all__ = ["Plate", "PlateMap", "Reagent", "Sample", "Samples", "Well", "Wells", "read_plate_map"]

_WELL = re.compile(r"^([A-Z])0?([1-9][0-9]?)$")


@dataclass(frozen=True, slots=True, order=True)
class Well:
    """One well of one piece of labware."""

    labware: str
    well: str

    def __str__(self) -> str:
        return f"{self.well} of {self.labware}"


@dataclass(frozen=True, slots=True)
class Plate:
    """One plate on the bench. ``plate["A1"]`` is one of its wells.

    Args:
        id: as in the workcell file.
    """

    id: str
    rows: int = 8
    columns: int = 12

    def __str__(self) -> str:
        return self.id

    def __getitem__(self, well: str) -> Well:
        """One well.

        Raises:
            BadInput: it has none of this name.
        """
        (name,) = Wells.read(well, self.rows, self.columns)[:1]
        return Well(self.id, name)

    @property
    def wells(self) -> Wells:
        """All of them, column by column."""
        return Wells.read("all", self.rows, self.columns)


class Wells(tuple[str, ...]):
    """Names of wells in the order in which they are worked on. Written ``"A1"``, ``"A1, C3"``, ``"A1:H1"``, ``"all"``.

    A range is a rectangle of the plate, column by column, as eight channels stand; ``"A1:A12"`` is a row.
    """

    __slots__ = ()

    @classmethod
    def read(cls, written: str | Iterable[str], rows: int = 8, columns: int = 12) -> Wells:
        """Wells as a person writes them.

        Raises:
            BadInput: what is written are no wells of a plate of this size, or one is named twice.
        """
        parts = re.split(r"[,;\s]+", written.strip()) if isinstance(written, str) else list(written)
        found = [well for part in parts if part for well in _range(str(part), rows, columns)]
        twice = next((well for well in found if found.count(well) > 1), None)
        if twice is not None:
            raise BadInput(f"The well {twice} is named twice.", way_out="Name each well once.")
        if not found:
            raise BadInput("No well is named.", way_out="Write wells such as A1, A1:H1 or all.")
        return cls(found)

    def split(self, size: int) -> tuple[Wells, ...]:
        """Neighbours together, ``size`` at a time: the replicates of one sample, say. What is left over is left out.

        Raises:
            BadInput: fewer than one together.
        """
        if size < 1:
            raise BadInput(f"Wells can't be taken {size} at a time.", way_out="Take 1 or more.")
        return tuple(Wells(self[n : n + size]) for n in range(0, len(self) - size + 1, size))


def _range(part: str, rows: int, columns: int) -> list[str]:
    if part.lower() == "all":
        return [f"{chr(ord('A') + row)}{column + 1}" for column in range(columns) for row in range(rows)]
    first, _, last = part.partition(":")
    begin, end = _place(first, rows, columns), _place(last or first, rows, columns)
    if end[0] < begin[0] or end[1] < begin[1]:
        raise BadInput(
            f"{part} is no range of wells.", way_out="Write the upper left well first, such as A1:H3."
        )
    return [
        f"{chr(ord('A') + row)}{column + 1}"
        for column in range(begin[1], end[1] + 1)
        for row in range(begin[0], end[0] + 1)
    ]


def _place(name: str, rows: int, columns: int) -> tuple[int, int]:
    match = _WELL.match(name.strip().upper())
    if match is None:
        raise BadInput(f"{name!r} is no well.", way_out="Write wells such as A1, A1:H1 or all.")
    row, column = ord(match[1]) - ord("A"), int(match[2]) - 1
    if row >= rows or column >= columns:
        last = well_names(rows, columns)[-1]
        raise BadInput(
            f"A plate of {rows * columns} wells has no {name}.", way_out=f"Its last well is {last}."
        )
    return row, column


class Reagent(str):
    """A liquid by the name that the workcell file gives it (``holds: assay_buffer``)."""

    __slots__ = ()


class PlateMap(dict[str, str]):
    """What each well holds or is for: well -> name. From a table of ``well,name``, or a grid as the plate looks."""

    def wells_of(self, name: str) -> Wells:
        """Wells of one name, in the order of the map.

        Raises:
            BadInput: no well has it.
        """
        return Wells.read([well for well, found in self.items() if found == name])

    @property
    def groups(self) -> dict[str, Wells]:
        """Name -> its wells, names in the order of the map."""
        return {name: self.wells_of(name) for name in dict.fromkeys(self.values())}


def read_plate_map(path: Path | str) -> dict[str, str]:
    """A plate map from a CSV file: two columns ``well,name``, or rows A to H under the numbers of the columns.

    Raises:
        BadInput: it can't be read, names a well twice, or has none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"The plate map can't be read: {error}.", way_out="Name a CSV file.", file=path
        ) from error
    rows = [
        [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if any(map(str.strip, row))
    ]
    grid = bool(rows) and rows[0][:1] == [""] and all(cell.isdigit() for cell in rows[0][1:])
    found: dict[str, str] = {}
    for line, row in enumerate(rows, start=1):
        for well, name in _cells(rows[0], row, line, grid=grid):
            try:
                (place,) = Wells.read(well, 16, 24)
            except (BadInput, ValueError) as wrong:
                raise BadInput(
                    f"{well!r} is no well.", way_out="Write two columns, well and name.", file=path, line=line
                ) from wrong
            if place in found:
                raise BadInput(f"The well {place} is named twice.", file=path, line=line)
            found[place] = name
    if not found:
        raise BadInput("The plate map names no well.", way_out="Write two columns, well and name.", file=path)
    return found


def _cells(head: list[str], row: list[str], line: int, *, grid: bool) -> Iterator[tuple[str, str]]:
    if line == 1 and (grid or row[0].lower() == "well"):
        return
    if not grid:
        yield row[0], row[1] if len(row) > 1 else ""
        return
    for column, name in zip(head[1:], row[1:], strict=False):
        if name:
            yield f"{row[0]}{column}", name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One candidate of a campaign's batch, or a liquid by name where there is no campaign.

    Args:
        id: of the candidate; the name of the liquid.
        values: of the candidate (``temperature_c``); empty where it has none.
        source: where its material stands; None where it is made from its values.
        control: the campaign's reference, which every batch has.
    """

    id: str
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    source: Well | None = None
    control: bool = False

    def __str__(self) -> str:
        return self.id


class Samples(tuple[Sample, ...]):
    """What a batch of a campaign is about: its candidates, and its reference as the last one."""

    __slots__ = ()
