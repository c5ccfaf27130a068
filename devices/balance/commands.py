"""What a balance can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue
from lab.bench import Bench
from lab.interfaces import Place

__all__ = ["SETTLE_S", "Weigh", "Zero"]

SETTLE_S = 10.0
"""Until an analytical balance is steady; a first estimate, devices have their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero(CommandValue):
    """Take what the empty pan shows for zero. The device refuses while something stands on it."""

    verb: ClassVar[str] = "zero"

    def problems(self, bench: Bench) -> Sequence[str]:
        """None that a command knows of; the device knows its pan."""
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing moves."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their pace."""
        return SETTLE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Weigh(CommandValue):
    """The mass of a piece of labware and all that is in and on it, once the balance is steady."""

    verb: ClassVar[str] = "weigh"

    labware: str

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.labware,)

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing: weight leaves the wells as they are."""
        return ()

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return () if self.labware in bench.labware else (f"There is no {self.labware} on this bench.",)

    def believe(self, bench: Bench) -> None:
        """Nothing moves."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their pace."""
        return SETTLE_S
