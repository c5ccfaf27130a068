"""Places and labware of a workcell file: banks of slots and counts of pieces written out, each piece at its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lab.bench import Position
from lab.files.source import Problems
from lab.strict import StrictModel, did_you_mean

__all__ = ["CANDIDATES", "NAME", "LabwareFields", "LabwareSpec", "Layout", "PlaceFields"]

CANDIDATES = "candidates"
"""What library plates hold: each well a candidate, as the campaign's candidate file says."""

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]*$")
"""What names devices, positions and labware."""
_BARCODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/+$%-]{0,63}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabwareSpec:
    """One piece of labware.

    Args:
        id: unique on the bench (``library_3``).
        group: id in the workcell file, which several pieces share (``library``).
        type: name of its kind (``pcr_plate_96``).
        position: where it stands before the first run, and its home.
        holds: what it holds when the campaign starts: a content id, ``candidates``, or nothing.
        volume_ul: in each well or trough that holds something.
        barcode: that is on it; empty where the file knows none.
    """

    id: str
    group: str
    type: str
    position: str
    holds: str = ""
    volume_ul: float = 0.0
    barcode: str = ""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class PlaceFields(StrictModel):
    """A position of the file, or a bank of slots."""

    device: str = Field(examples=["handler"])
    station: int | None = Field(default=None, ge=1)
    slots: int | None = Field(default=None, ge=1, le=1000)
    first_station: int | None = Field(default=None, ge=1)
    home: bool = False


class LabwareFields(StrictModel):
    """One line of labware of the file."""

    id: str = Field(examples=["assay"])
    type: str = Field(min_length=1, examples=["pcr_plate_96"])
    count: int | None = Field(default=None, ge=1, le=1000)
    at: Annotated[list[str], BeforeValidator(_listed)] = Field(min_length=1, examples=["hotel"])
    holds: str = ""
    volume_ul: float | None = None
    barcode: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)


class Layout:
    """Writes banks and counts out, and notes what does not fit.

    Args:
        devices: roles that a position may belong to.

    Attributes:
        positions: name -> position, banks written out.
        stations: position -> number taught to the arm.
    """

    def __init__(
        self, places: Mapping[str, PlaceFields], devices: Collection[str], problems: Problems
    ) -> None:
        self.positions: dict[str, Position] = {}
        self.stations: dict[str, int] = {}
        self._problems = problems
        self._devices = devices
        self._banks: dict[str, list[str]] = {}
        self._taken: dict[str, str] = {}
        self._ids: set[str] = set()
        self._scanned: dict[str, str] = {}
        self._holding: str | None = None
        for name, place in places.items():
            self._place(name, place)

    def _place(self, name: str, place: PlaceFields) -> None:
        field = f"positions.{name}"
        if not NAME.match(name):
            self._problems.add(field, f"{name!r} can't name a position.", "Use letters, digits and _.")
        if place.device not in self._devices:
            self._problems.add(
                f"{field}.device",
                f"There is no device {place.device!r}.",
                did_you_mean(place.device, self._devices, what="The devices are:"),
            )
        if place.slots is None and place.first_station is not None:
            self._problems.add(
                f"{field}.first_station", "Only a bank of slots has a first_station.", "Write station."
            )
        if place.slots is not None and place.station is not None:
            self._problems.add(
                f"{field}.station", "A bank of slots has many stations.", "Write first_station."
            )
        names = [name] if place.slots is None else [f"{name}_{n}" for n in range(1, place.slots + 1)]
        first = place.station if place.slots is None else place.first_station
        self._banks[name] = names
        for n, slot in enumerate(names):
            if slot in self.positions:
                self._problems.add(field, f"There are two positions {slot}.", "Rename one.")
            self.positions[slot] = Position(name=slot, device=place.device, home=place.home)
            if first is not None:
                self._teach(field, slot, first + n)

    def _teach(self, field: str, slot: str, station: int) -> None:
        other = next((name for name, number in self.stations.items() if number == station), None)
        if other is not None:
            self._problems.add(field, f"{slot} and {other} have the same station {station}.", "Renumber one.")
        self.stations[slot] = station

    def stand(self, number: int, item: LabwareFields) -> tuple[LabwareSpec, ...]:
        """The pieces of one line of labware, each at its place."""
        field = f"labware[{number}]"
        if not NAME.match(item.id):
            self._problems.add(f"{field}.id", f"{item.id!r} can't be an id.", "Use letters, digits and _.")
        self._check_contents(field, item)
        ids = [item.id] if item.count is None else [f"{item.id}_{n}" for n in range(1, item.count + 1)]
        barcodes = self._barcodes(field, item, len(ids))
        places = self._places(field, item, len(ids))
        pieces = []
        for labware, place, barcode in zip(ids, places, barcodes, strict=False):
            if labware in self._ids:
                self._problems.add(
                    f"{field}.id", f"Two pieces of labware have the id {labware}.", "Rename one."
                )
            if place in self._taken:
                self._problems.add(
                    f"{field}.at",
                    f"{self._taken[place]} stands at {place} already.",
                    "One place holds one piece.",
                )
            self._ids.add(labware)
            self._taken[place] = labware
            pieces.append(
                LabwareSpec(
                    id=labware,
                    group=item.id,
                    type=item.type,
                    position=place,
                    holds=item.holds,
                    volume_ul=item.volume_ul or 0.0,
                    barcode=barcode,
                )
            )
        return tuple(pieces)

    def _barcodes(self, field: str, item: LabwareFields, count: int) -> list[str]:
        """The barcode of each piece of one line, in their order; empty texts where the line gives none."""
        if not item.barcode:
            return [""] * count
        if len(item.barcode) != count:
            self._problems.add(
                f"{field}.barcode",
                f"{count} piece{'s' if count > 1 else ''} of {item.id} can't have {len(item.barcode)} barcodes.",
                "Give one for each piece, in their order, or none.",
            )
        for barcode in item.barcode:
            if not _BARCODE.match(barcode):
                self._problems.add(
                    f"{field}.barcode",
                    f"{barcode!r} is no barcode.",
                    "Write what the scanner gives: letters, digits, and any of - . _ / + $ %.",
                )
            elif barcode in self._scanned:
                self._problems.add(
                    f"{field}.barcode",
                    f"{self._scanned[barcode]} has the barcode {barcode} already.",
                    "Every piece has one of its own.",
                )
            self._scanned.setdefault(barcode, item.id)
        return item.barcode

    def _check_contents(self, field: str, item: LabwareFields) -> None:
        if item.holds and not (item.volume_ul is not None and item.volume_ul > 0):
            self._problems.add(
                f"{field}.volume_ul",
                f"{item.id} holds {item.holds}, but how much is not said.",
                "Add volume_ul.",
            )
        if not item.holds and item.volume_ul is not None:
            self._problems.add(f"{field}.volume_ul", f"{item.id} has a volume of nothing.", "Add holds.")
        if item.holds == CANDIDATES:
            if self._holding is not None:
                self._problems.add(
                    f"{field}.holds",
                    f"{self._holding} holds the candidates already.",
                    "Give them one line of plates.",
                )
            self._holding = item.id

    def _places(self, field: str, item: LabwareFields, count: int) -> list[str]:
        """Places for the pieces of one line: the next free slots of a bank, or those listed."""
        known = dict.fromkeys((*self.positions, *(self._banks if len(item.at) == 1 else ())))
        for place in item.at:
            if place not in known:
                self._problems.add(
                    f"{field}.at",
                    f"There is no position {place!r}.",
                    did_you_mean(place, known, what="The positions are:"),
                )
                return []
        bank = self._banks.get(item.at[0], [])
        if len(item.at) == 1 and len(bank) > 1:
            places = [slot for slot in bank if slot not in self._taken][:count]
            reason = f"{item.at[0]} has {len(places)} free slots, too few for {count} pieces of {item.id}."
        else:
            places = list(item.at)
            reason = f"{count} pieces of {item.id} need {count} positions, not {len(places)}."
        if len(places) != count:
            self._problems.add(f"{field}.at", reason, "Correct the count or the positions.")
        return places
