"""What a thermocycler can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["CloseLid", "Heat", "OpenLid"]

TYPICAL_C_PER_S = 2.0
"""Rate of change that the block of any make comes near to; a first estimate, devices have their own."""

TYPICAL_LID_S = 180.0
"""Closing a lid and heating it; a first estimate."""

LID_MOVES_S = 10.0
ROOM_C = 22.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat(CommandValue):
    """Close the lid, heat it, bring the block to a temperature, hold, cool, and turn everything off.

    The lid stays closed; open it before an arm reaches in. One step, so no heater is left on between two.

    Args:
        plate: standing in the cycler.
        temperature_c: of the block during the hold.
        hold_s: from the moment the block has arrived.
        cool_to_c: block temperature at which the command ends.
        lid_temperature_c: of the heated lid, above the block's so that nothing condenses on the seal.
    """

    verb: ClassVar[str] = "heat"

    plate: str
    temperature_c: float
    hold_s: float
    cool_to_c: float = 25.0
    lid_temperature_c: float = 105.0

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return not_here(bench, self.plate, "plate")

    def believe(self, bench: Bench) -> None:
        """Nothing moves; what little evaporates under a lid is not part of belief."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        travel_c = abs(self.temperature_c - ROOM_C) + abs(self.temperature_c - self.cool_to_c)
        return TYPICAL_LID_S + travel_c / TYPICAL_C_PER_S + self.hold_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _MoveLid(CommandValue):
    """What opening and closing share."""

    def problems(self, bench: Bench) -> Sequence[str]:
        """A lid can always be told to move."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Belief holds labware, not the covers of instruments."""

    def duration_s(self, bench: Bench) -> float:
        """A few seconds."""
        return LID_MOVES_S


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLid(_MoveLid):
    """Open the lid, so that an arm can reach in; harmless when it is open."""

    verb: ClassVar[str] = "open_lid"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseLid(_MoveLid):
    """Close the lid; harmless when it is closed."""

    verb: ClassVar[str] = "close_lid"
