"""What an arm between a hotel and the instruments can be told. Positions are the bench's; the device knows
its stations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench

__all__ = ["Move", "PutLid", "TakeLid"]

TYPICAL_S = 15.0
"""Picking up, carrying and putting down; a first estimate."""


def _not_free(bench: Bench, position: str, labware: str) -> tuple[str, ...]:
    """Why a piece cannot be put down at a position; empty when it can, or stands there already."""
    if position not in bench.positions:
        return (f"There is no position {position} on this bench.",)
    standing = bench.at(position)
    if standing is not None and standing.id != labware:
        return (f"{position} is occupied by {standing.id}.",)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(CommandValue):
    """Carry a piece of labware, with the lid on it, to a position; harmless when it stands there.

    Args:
        labware: a plate, or a lid that lies at a position of its own.
        destination: a free position.
    """

    verb: ClassVar[str] = "move"

    labware: str
    destination: str

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        item = bench.labware.get(self.labware)
        if item is None:
            return (f"There is no {self.labware} on this bench.",)
        lying = () if item.position is not None else (f"{self.labware} stands nowhere: it lies on a plate.",)
        return (*lying, *_not_free(bench, self.destination, self.labware))

    def believe(self, bench: Bench) -> None:
        """The piece stands at its destination."""
        bench.move(self.labware, self.destination)

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        return 0.0 if bench.labware[self.labware].position == self.destination else TYPICAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class PutLid(CommandValue):
    """Take a lid from where it lies and put it on a plate, where the plate stands; harmless when it is there.

    Args:
        lid: lying at a position of its own.
        plate: without a lid.
    """

    verb: ClassVar[str] = "put_lid"

    lid: str
    plate: str

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        wrong = (*not_here(bench, self.lid, "lid"), *not_here(bench, self.plate, "plate"))
        if wrong:
            return wrong
        if bench.labware[self.plate].lid == self.lid:
            return ()
        found = []
        if bench.labware[self.lid].position is None:
            found.append(f"{self.lid} lies on another plate.")
        if bench.labware[self.plate].lid is not None:
            found.append(f"{self.plate} already has the lid {bench.labware[self.plate].lid}.")
        if bench.labware[self.plate].position is None:
            found.append(f"{self.plate} stands nowhere.")
        return tuple(found)

    def believe(self, bench: Bench) -> None:
        """The lid is on the plate."""
        bench.put_lid(self.lid, self.plate)

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        return 0.0 if bench.labware[self.plate].lid == self.lid else TYPICAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeLid(CommandValue):
    """Take the lid off a plate and put it down at a position; harmless when the plate has none and the lid
    lies there.

    Args:
        plate: with a lid.
        destination: a free position.
    """

    verb: ClassVar[str] = "take_lid"

    plate: str
    destination: str

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        wrong = not_here(bench, self.plate, "plate")
        if wrong or self._is_off(bench):
            return wrong
        if bench.labware[self.plate].lid is None:
            return (f"{self.plate} has no lid.",)
        nowhere = () if bench.labware[self.plate].position is not None else (f"{self.plate} stands nowhere.",)
        return (*nowhere, *_not_free(bench, self.destination, ""))

    def believe(self, bench: Bench) -> None:
        """The lid lies at the destination."""
        if not self._is_off(bench):
            bench.take_lid(self.plate, self.destination)

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        return 0.0 if self._is_off(bench) else TYPICAL_S

    def _is_off(self, bench: Bench) -> bool:
        """Whether this has been done: the plate has no lid, and one lies at the destination."""
        lying = bench.at(self.destination) if self.destination in bench.positions else None
        return bench.labware[self.plate].lid is None and lying is not None and lying.type.kind == "lid"
