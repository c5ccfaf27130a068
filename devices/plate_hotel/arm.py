"""The transfer arm of any vendor: its verbs, and how they become a pick at one station and a place at
another.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from devices.declarative import LineDevice
from devices.plate_hotel.commands import Move, PutLid, TakeLid
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.types import JsonValue

__all__ = ["PlateArm", "Stop"]

Transfer = Move | PutLid | TakeLid
T = TypeVar("T", Move, PutLid, TakeLid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where the gripper closes or opens.

    Args:
        position: of the bench.
        lid: at the height of the lid of the plate that stands there, not of the plate.
    """

    position: str
    lid: bool = False


def _journey(command: Transfer, bench: Bench) -> tuple[Stop, Stop] | None:
    """From where to where a command carries something, on the bench as believed; None when it is there
    already.
    """
    match command:
        case Move(labware=labware, destination=destination):
            start = bench.labware[labware].position
            if start is None or start == destination:
                return None
            return Stop(position=start), Stop(position=destination)
        case PutLid(lid=lid, plate=plate):
            lying, standing = bench.labware[lid].position, bench.labware[plate].position
            if lying is None or standing is None or bench.labware[plate].lid == lid:
                return None
            return Stop(position=lying), Stop(position=standing, lid=True)
        case TakeLid(plate=plate, destination=destination):
            standing = bench.labware[plate].position
            if standing is None or bench.labware[plate].lid is None:
                return None
            return Stop(position=standing, lid=True), Stop(position=destination)


class PlateArm(LineDevice):
    """An arm that carries labware between hotel slots and nests, all of which are stations taught to it.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        bench: the live belief; says where a piece stands when it is to be picked up.
        stations: position -> number of its station; a position that is not named is out of reach.
        limits: of the workcell file; this family has none.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits] = {}

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        bench: Bench,
        stations: Mapping[str, int],
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, transport)
        self._bench = bench
        self._stations = dict(stations)
        narrowed(self.maker_limits, limits)
        self.move = self._verb(Move)
        self.put_lid = self._verb(PutLid)
        self.take_lid = self._verb(TakeLid)

    def _verb(self, command: type[T]) -> Verb[T]:
        return Verb(
            self._carry_out, command=command, estimate=self._estimate_s, objections=self._out_of_reach
        )

    async def _carry_out(self, command: Transfer) -> JsonValue:
        """Pick up and put down. When the caller gives up on the way, the arm stops where it is."""
        journey = _journey(command, self._bench)
        if journey is None:
            return None
        start, end = (self._station(stop) for stop in journey)
        try:
            await self._ready()
            await self._pick(start)
            await self._place(end)
        except asyncio.CancelledError as given_up:
            await self._safe_after(given_up)
            raise
        return None

    def _station(self, stop: Stop) -> int:
        number = self._stations[stop.position]
        return self._lid_station(number) if stop.lid else number

    def _out_of_reach(self, command: Transfer, bench: Bench | None) -> Sequence[str]:
        believed = bench or self._bench
        stops = () if command.problems(believed) else _journey(command, believed) or ()
        return tuple(
            f"the arm has no station at {stop.position}."
            for stop in stops
            if stop.position not in self._stations
        )

    def _estimate_s(self, command: Transfer, bench: Bench | None) -> float:
        return 0.0 if _journey(command, bench or self._bench) is None else self._transfer_s()

    @abstractmethod
    def _transfer_s(self) -> float:
        """Expected lab time from one station to another, picking up and putting down included."""

    @abstractmethod
    def _lid_station(self, station: int) -> int:
        """The station at the height of the lid of a plate that stands at a station."""

    @abstractmethod
    async def _ready(self) -> None:
        """Make sure that the arm is powered, referenced and holds nothing.

        Raises:
            InstrumentError: it holds something; a person must look.
        """

    @abstractmethod
    async def _pick(self, station: int) -> None:
        """Close the gripper on what stands at a station and lift it.

        Raises:
            InstrumentError: nothing is there.
        """

    @abstractmethod
    async def _place(self, station: int) -> None:
        """Put what is held down at a station."""
