"""What magnets under a plate can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["Disengage", "Engage"]

MOVES_S = 5.0
"""Up or down; a first estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engage(CommandValue):
    """Raise the magnets; harmless when they are there. They stay until they are lowered.

    Args:
        plate: standing over them.
        height_mm: of their tops above the ledge that the plate rests on.
        hold_s: for which the plate stands over them before the command ends.
    """

    verb: ClassVar[str] = "engage"

    plate: str
    height_mm: float
    hold_s: float = 0.0

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return not_here(bench, self.plate, "plate")

    def believe(self, bench: Bench) -> None:
        """Nothing is moved from one well to another."""

    def duration_s(self, bench: Bench) -> float:
        """A few seconds, and the time over them."""
        return MOVES_S + self.hold_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Disengage(CommandValue):
    """Lower the magnets all the way; harmless when they are down."""

    verb: ClassVar[str] = "disengage"

    def problems(self, bench: Bench) -> Sequence[str]:
        """They can always be lowered."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing is moved from one well to another."""

    def duration_s(self, bench: Bench) -> float:
        """A few seconds."""
        return MOVES_S
