"""What a temperature module can be told, beside to keep a plate for a time (:class:`devices.climate_chamber.Keep`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue
from lab.bench import Bench

__all__ = ["Deactivate", "SetTemperature"]

TYPICAL_C_PER_S = 0.05
"""Rate of change of such modules; a first estimate, devices have their own."""

ROOM_C = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTemperature(CommandValue):
    """Bring the block to a temperature, and stay there after the command has ended, until it is told otherwise.

    Args:
        temperature_c: of the block.
    """

    verb: ClassVar[str] = "set_temperature"

    temperature_c: float

    def problems(self, bench: Bench) -> Sequence[str]:
        """Nothing stands in its way, with or without labware on it."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing moves; temperatures are not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; makers' devices know their rates."""
        return abs(self.temperature_c - ROOM_C) / TYPICAL_C_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Deactivate(CommandValue):
    """Turn it off; harmless when it is off. The block goes to the room's temperature by itself."""

    verb: ClassVar[str] = "deactivate"

    def problems(self, bench: Bench) -> Sequence[str]:
        """It can always be turned off."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing moves."""

    def duration_s(self, bench: Bench) -> float:
        """At once."""
        return 1.0
