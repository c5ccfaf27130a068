"""What a furnace can be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["ROOM_C", "Anneal", "cooling_s"]

ROOM_C = 22.0

TYPICAL_COOLING_S = 1200.0
"""Time constant with which a small furnace cools by itself; a first estimate, a workcell file may say better."""


def cooling_s(from_c: float, to_c: float, constant_s: float = TYPICAL_COOLING_S) -> float:
    """How long a furnace that is off takes from one temperature to another, after Newton; 0 where it is there."""
    if from_c <= to_c:
        return 0.0
    return constant_s * math.log((from_c - ROOM_C) / max(to_c - ROOM_C, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anneal(CommandValue):
    """Bring a plate to a temperature at a rate, hold it, turn the heater off and wait until the plate can be taken.

    Args:
        plate: standing in the furnace.
        temperature_c: of the furnace, at its sensor.
        hold_s: from the end of the ramp.
        ramp_c_per_min: on the way up; the way down is the furnace's own.
        cool_to_c: at which the plate may be taken.
    """

    verb: ClassVar[str] = "anneal"

    plate: str
    temperature_c: float
    hold_s: float
    ramp_c_per_min: float = 10.0
    cool_to_c: float = 40.0

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        found = list(not_here(bench, self.plate, "plate"))
        if not found and (lid := bench.labware[self.plate].lid) is not None:
            found.append(f"{self.plate} goes into a furnace without its lid {lid}.")
        if self.ramp_c_per_min <= 0.0:
            found.append(f"A ramp of {self.ramp_c_per_min:g} C/min leads nowhere.")
        if self.cool_to_c < ROOM_C + 3.0:
            found.append(f"A furnace in a room does not cool to {self.cool_to_c:g} C by itself.")
        return found

    def believe(self, bench: Bench) -> None:
        """Nothing moves; what evaporates is not part of belief."""

    def heating_s(self, from_c: float = ROOM_C) -> float:
        """Time of ramp and hold; of the hold alone where the ramp leads nowhere (see :meth:`problems`)."""
        if self.ramp_c_per_min <= 0.0:
            return self.hold_s
        return abs(self.temperature_c - from_c) / self.ramp_c_per_min * 60.0 + self.hold_s

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; devices know how fast they cool."""
        return self.heating_s() + cooling_s(self.temperature_c, self.cool_to_c)
