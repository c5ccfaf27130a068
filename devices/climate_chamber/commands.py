"""What a climate chamber can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["ROOM_C", "CloseDoor", "Keep", "OpenDoor"]

TYPICAL_C_PER_S = 0.02
"""Rate of change of a chamber of air; a first estimate, devices have their own."""

TYPICAL_DOOR_S = 10.0
ROOM_C = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep(CommandValue):
    """Shut the door, bring the chamber to a climate, keep it for a time, turn everything off, open the door.

    Args:
        plate: standing in the chamber.
        temperature_c: of the chamber's air.
        hold_s: from the moment the climate has arrived.
        co2_percent: carbon dioxide in the air, percent by volume; None leaves its control off.
        humidity_percent: relative humidity; None leaves its control off.
    """

    verb: ClassVar[str] = "keep"

    plate: str
    temperature_c: float
    hold_s: float
    co2_percent: float | None = None
    humidity_percent: float | None = None

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand in the device."""
        return (self.plate,)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return not_here(bench, self.plate, "plate")

    def believe(self, bench: Bench) -> None:
        """Nothing moves; what evaporates is not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; makers' devices know their rates."""
        return 2 * TYPICAL_DOOR_S + abs(self.temperature_c - ROOM_C) / TYPICAL_C_PER_S + self.hold_s


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDoor(CommandValue):
    """Open the door; harmless when it is open."""

    verb: ClassVar[str] = "open_door"

    def problems(self, bench: Bench) -> Sequence[str]:
        """Nothing stands in its way."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Doors are not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return TYPICAL_DOOR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDoor(CommandValue):
    """Close the door; harmless when it is closed."""

    verb: ClassVar[str] = "close_door"

    def problems(self, bench: Bench) -> Sequence[str]:
        """Nothing stands in its way."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Doors are not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate."""
        return TYPICAL_DOOR_S
