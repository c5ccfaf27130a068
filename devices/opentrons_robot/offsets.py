"""By how much labware stands off its nominal place: what the Opentrons App's Labware Position Check measures.

A robot keeps no offsets of its own that a client could rely on: each run is told those it is to use, as vectors in deck
coordinates for a kind of labware in a slot (``LabwareOffsetCreate``, OpenAPI document of the robot's HTTP API, version
8.1.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devices.opentrons_robot.records import as_list, as_mapping, as_number, as_text
from lab.errors import BadInput, InstrumentError
from lab.strict import did_you_mean
from lab.types import JsonValue

__all__ = ["MOST_MM", "OffsetRecord", "Vector", "offset_json", "read_offsets", "taken"]

Vector = tuple[float, float, float]
"""x to the right, y to the back, z up, mm."""

MOST_MM = 4.5
"""Half the pitch of 96 wells (ANSI SLAS 4): further off in x or y, a tip is nearer to another well than to its own."""

CLOSE_MM = 0.001


def read_offsets(written: JsonValue, positions: Iterable[str]) -> dict[str, Vector]:
    """Offsets by position, from ``labware_offsets`` of a device's settings: ``{deck_plate_1: {x: 0.3, y: -0.1, z: 0.0}}``.

    Args:
        positions: that belong to the robot.

    Raises:
        BadInput: what is written is no such table, or an offset is too large to be one; names the field.
    """
    field = "settings.labware_offsets"
    if not isinstance(written, Mapping):
        raise BadInput("labware_offsets is no table.", way_out=_WAY_OUT, field=field)
    known = tuple(positions)
    found: dict[str, Vector] = {}
    for position, vector in written.items():
        place = f"{field}.{position}"
        if position not in known:
            hint = did_you_mean(position, known, what="Its positions are", quoted=False)
            raise BadInput(f"No position {position!r} belongs to this robot.", way_out=hint, field=place)
        if not isinstance(vector, Mapping) or not vector or set(vector) - {"x", "y", "z"}:
            raise BadInput(f"The offset of {position} is no vector.", way_out=_WAY_OUT, field=place)
        x, y, z = (_mm(vector.get(axis, 0.0), f"{place}.{axis}") for axis in "xyz")
        found[position] = (x, y, z)
    return found


_WAY_OUT = "Write POSITION: {x: 0.3, y: -0.1, z: 0.0}, in mm, as the App's Labware Position Check shows it."


def _mm(value: JsonValue, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{value!r} is no length in mm.", way_out=_WAY_OUT, field=field)
    if not -MOST_MM <= value <= MOST_MM:
        raise BadInput(
            f"An offset of {value:g} mm is no small correction: beyond {MOST_MM:g} mm, half the way from one well to the "
            "next, the robot would go to another well or into the plate.",
            way_out="Check that the labware sits in its slot, and measure the offset again with the App.",
            field=field,
        )
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRecord:
    """An offset as a run keeps it (``LabwareOffset``)."""

    id: str
    uri: str
    slot: str
    vector: Vector

    @classmethod
    def of(cls, answer: object) -> OffsetRecord:
        """From an item of the answer."""
        what = "a labware offset"
        item = as_mapping(answer, what)
        vector = as_mapping(item.get("vector"), f"the vector of {what}")
        x, y, z = (as_number(vector, axis, f"the vector of {what}") for axis in "xyz")
        return cls(
            id=as_text(item, "id", what),
            uri=as_text(item, "definitionUri", what),
            slot=as_text(as_mapping(item.get("location"), f"the place of {what}"), "slotName", what),
            vector=(x, y, z),
        )

    @classmethod
    def all_of(cls, run: Mapping[str, Any]) -> tuple[OffsetRecord, ...]:
        """Of a run that was answered; those on modules, which drywet never sends, are left out."""
        items = as_list(run.get("labwareOffsets", []), "offsets of a run")
        return tuple(cls.of(one) for one in items if "moduleModel" not in one.get("location", {}))


def offset_json(load_name: str, version: int, slot: str, vector: Vector) -> dict[str, JsonValue]:
    """As the API wants one to be made."""
    return {
        "definitionUri": f"opentrons/{load_name}/{version}",
        "location": {"slotName": slot},
        "vector": dict(zip("xyz", vector, strict=True)),
    }


def taken(wanted: Sequence[Mapping[str, Any]], kept: Iterable[OffsetRecord]) -> dict[tuple[str, str], str]:
    """Definition and slot -> id of the offset that a run keeps, for each that it was told.

    Raises:
        InstrumentError: it does not keep one, or another vector; nothing has moved.
    """
    newest = {(one.uri, one.slot): one for one in kept}
    found = {}
    for one in wanted:
        key = (str(one["definitionUri"]), str(one["location"]["slotName"]))
        record = newest.get(key)
        told = tuple(float(one["vector"][axis]) for axis in "xyz")
        if record is None or any(abs(a - b) > CLOSE_MM for a, b in zip(told, record.vector, strict=True)):
            has = "keeps none" if record is None else f"keeps {record.vector}"
            raise InstrumentError(
                f"the robot was told the labware offset {told} for {key[0]} in slot {key[1]} and {has}.",
                nothing_done=True,
            )
        found[key] = record.id
    return found
