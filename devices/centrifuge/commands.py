"""What a centrifuge with two buckets can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench
from lab.interfaces import Place

__all__ = ["IMBALANCE_UL", "Present", "Spin"]

IMBALANCE_UL = 5_000.0
"""Liquid by which two plates of one kind may differ: 5 g, half of what such rotors are built for; a choice."""

PRESENTING_S = 15.0
RAMPS_S = 60.0
"""First estimates; devices have their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present(CommandValue):
    """Open the door with a bucket in it, so that an arm can reach it. Given again, it stays open.

    Args:
        bucket: 1 or 2.
    """

    verb: ClassVar[str] = "present"

    bucket: int

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        return () if self.bucket in (1, 2) else (f"There is no bucket {self.bucket}.",)

    def believe(self, bench: Bench) -> None:
        """Nothing moves that belief holds."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their pace."""
        return PRESENTING_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Spin(CommandValue):
    """Close the door, spin a plate against its counterweight, and stand still again. The door stays shut.

    Args:
        plate: in one bucket.
        counterweight: in the other: a plate of the same kind that holds about as much, with a lid if the plate has one.
        rcf_g: relative centrifugal force, in multiples of g.
        hold_s: at full speed.
    """

    verb: ClassVar[str] = "spin"

    plate: str
    counterweight: str
    rcf_g: float
    hold_s: float

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate, self.counterweight)

    @property
    def touches(self) -> tuple[Place, ...]:
        """All that is in both: what is in the one is spun as long as what is in the other."""
        return ((self.plate, "*"), (self.counterweight, "*"))

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done; a rotor that is out of balance trips, or worse."""
        wrong = (*not_here(bench, self.plate, "plate"), *not_here(bench, self.counterweight, "plate"))
        if wrong:
            return wrong
        if self.plate == self.counterweight:
            return (f"{self.plate} can't be its own counterweight.",)
        one, other = bench.labware[self.plate], bench.labware[self.counterweight]
        found = []
        if one.type != other.type:
            found.append(f"{one.id} and {other.id} are plates of different kinds and don't balance.")
        if (one.lid is None) != (other.lid is None):
            found.append(f"Of {one.id} and {other.id} only one has a lid; they don't balance.")
        apart_ul = abs(_held_ul(bench, one.id) - _held_ul(bench, other.id))
        if apart_ul > IMBALANCE_UL:
            found.append(
                f"{one.id} and {other.id} differ by {apart_ul:g} ul and don't balance; fill the counterweight."
            )
        return found

    def believe(self, bench: Bench) -> None:
        """Nothing leaves its well."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their ramps."""
        return self.hold_s + RAMPS_S


def _held_ul(bench: Bench, labware: str) -> float:
    return sum(contents.volume_ul for contents in bench.labware[labware].wells.values())
