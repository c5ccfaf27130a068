"""What protocols do with plates: find fresh ones and places to work on them, seal and heat, shake, bring home."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lab.bench import Bench, Labware
from lab.errors import Infeasible
from lab.interfaces import Workcell
from lab.types import JsonValue
from protocols import steps
from protocols.readings import PlateReading
from protocols.stock import lids, places_to_work, unused_plates

__all__ = [
    "a_lid",
    "fresh_plates",
    "heat_sealed",
    "home",
    "last_read_s",
    "shake",
    "shake_sealed",
    "work_place",
]


def fresh_plates(bench: Bench, needed: int) -> tuple[Labware, ...]:
    """The first plates that were never used.

    Raises:
        Infeasible: there are fewer.
    """
    unused = unused_plates(bench)
    if len(unused) < needed:
        raise Infeasible(
            (f"{needed} unused plate{'s are' if needed > 1 else ' is'} needed, and {len(unused)} are left.",),
            way_out="Put fresh plates into the hotel.",
        )
    return unused[:needed]


def a_lid(bench: Bench) -> Labware:
    """A lid to seal plates with.

    Raises:
        Infeasible: there is none that may be used.
    """
    found = lids(bench)
    if not found:
        raise Infeasible(
            ("There is no lid to seal plates with.",), way_out="Add one to the workcell file's labware."
        )
    return found[0]


def work_place(bench: Bench, device: str) -> str:
    """Where a device works on a plate; depends on the workcell file alone.

    Raises:
        Infeasible: the device has no such place.
    """
    places = places_to_work(bench, device)
    if not places:
        raise Infeasible(
            (f"The {device} has no position for a plate.",), way_out="Add one to the workcell file."
        )
    return places[0]


def home(workcell: Workcell, labware: str) -> steps.Plan[JsonValue]:
    """Carry a piece of labware home."""
    return steps.move(workcell, labware, workcell.bench.labware[labware].home)


def heat_sealed(
    workcell: Workcell,
    plate: str,
    *,
    block: str,
    lid: Labware,
    temperature_c: float,
    hold_s: float,
    cool_to_c: float,
    lid_temperature_c: float,
) -> steps.Plan[None]:
    """Seal a plate in the thermocycler, heat, cool, unseal and bring it home; the lid goes back to its slot.

    Args:
        block: the thermocycler's place, which the plan has claimed, and the lid's home with it.
    """
    yield from steps.open_lid(workcell)
    yield from steps.move(workcell, plate, block)
    yield from steps.seal(workcell, plate, lid.id)
    yield from steps.heat(
        workcell,
        plate,
        temperature_c=temperature_c,
        hold_s=hold_s,
        cool_to_c=cool_to_c,
        lid_temperature_c=lid_temperature_c,
    )
    yield from steps.open_lid(workcell)
    yield from steps.unseal(workcell, plate, lid.home)
    yield from home(workcell, plate)


def shake(
    workcell: Workcell, plate: str, *, place: str, temperature_c: float, hold_s: float, shaking_rpm: float
) -> steps.Plan[None]:
    """Shake a plate at a temperature and bring it home."""
    yield from steps.move(workcell, plate, place)
    yield from steps.incubate(
        workcell, plate, temperature_c=temperature_c, hold_s=hold_s, shaking_rpm=shaking_rpm
    )
    yield from home(workcell, plate)


def shake_sealed(
    workcell: Workcell,
    plate: str,
    *,
    place: str,
    lid: Labware,
    temperature_c: float,
    hold_s: float,
    shaking_rpm: float,
) -> steps.Plan[None]:
    """Shake a plate at a temperature with a lid on, so that it does not dry; both go home, the lid to its slot.

    Args:
        place: the shaker's, which the plan has claimed, and the lid's home with it.
    """
    yield from steps.move(workcell, plate, place)
    yield from steps.seal(workcell, plate, lid.id)
    yield from steps.incubate(
        workcell, plate, temperature_c=temperature_c, hold_s=hold_s, shaking_rpm=shaking_rpm
    )
    yield from steps.unseal(workcell, plate, lid.home)
    yield from home(workcell, plate)


def last_read_s(readings: Iterable[PlateReading]) -> float:
    """When the last of some readings was made; NaN where none was."""
    times_s = [reading.lab_time_s for reading in readings if math.isfinite(reading.lab_time_s)]
    return max(times_s, default=math.nan)
