"""What a shaking incubator can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["Incubate"]

TYPICAL_C_PER_S = 0.1
"""Rate of change of such instruments; a first estimate, devices have their own."""

TYPICAL_HANDLING_S = 15.0
"""Clamping, starting, stopping at home, unclamping; a first estimate."""

ROOM_C = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incubate(CommandValue):
    """Clamp the plate, bring it to a temperature, shake for a time, stop at home, unclamp, turn the heater
    off.

    Args:
        plate: standing on the shaker.
        temperature_c: of the plate's adapter.
        hold_s: from the moment the adapter has arrived; shaking lasts as long.
        shaking_rpm: None keeps the plate still.
    """

    verb: ClassVar[str] = "incubate"

    plate: str
    temperature_c: float
    hold_s: float
    shaking_rpm: float | None

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return not_here(bench, self.plate, "plate")

    def believe(self, bench: Bench) -> None:
        """Nothing moves; what evaporates is not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        return TYPICAL_HANDLING_S + abs(self.temperature_c - ROOM_C) / TYPICAL_C_PER_S + self.hold_s
