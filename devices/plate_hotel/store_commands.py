"""What an automated store with a transfer station can be told. Its places and its station are positions of the bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench
from lab.interfaces import Place

__all__ = ["Fetch", "Store"]

TYPICAL_S = 30.0
"""From a place inside to the station outside; a first estimate, devices have their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carry(CommandValue):
    """What both directions share."""

    labware: str
    destination: str

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.labware,)

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing: wells are carried level."""
        return ()

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        wrong = not_here(bench, self.labware, "plate")
        if wrong:
            return wrong
        if self.destination not in bench.positions:
            return (f"There is no position {self.destination} on this bench.",)
        standing = bench.at(self.destination)
        if standing is not None and standing.id != self.labware:
            return (f"{self.destination} is occupied by {standing.id}.",)
        return ()

    def believe(self, bench: Bench) -> None:
        """The plate stands at its destination."""
        bench.move(self.labware, self.destination)

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their pace."""
        return 0.0 if bench.labware[self.labware].position == self.destination else TYPICAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch(_Carry):
    """Bring a plate from its place inside to the transfer station; harmless when it stands there.

    Args:
        labware: a plate in the store.
        destination: the transfer station.
    """

    verb: ClassVar[str] = "fetch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(_Carry):
    """Take the plate from the transfer station to a place inside; harmless when it stands there.

    Args:
        labware: the plate on the transfer station.
        destination: a free place inside.
    """

    verb: ClassVar[str] = "store"
