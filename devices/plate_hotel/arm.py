"""The transfer arm of any vendor: its verbs, and how they become a pick at one station and a place at
another.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, TypeVar

from devices.declarative import LineDevice
from devices.fence import mark
from devices.plate_hotel.commands import Move, PutLid, TakeLid
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import GripFault, InstrumentError, NonsenseReply
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["Grip", "PlateArm", "Stop"]

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


class Grip(Enum):
    """What is between the fingers, as far as they can feel it."""

    EMPTY = auto()
    HOLDS = auto()
    UNCLEAR = auto()


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


def _carried(command: Transfer, bench: Bench) -> str:
    """The piece that a command is about."""
    match command:
        case Move():
            return command.labware
        case PutLid():
            return command.lid
        case TakeLid():
            return bench.labware[command.plate].lid or f"the lid of {command.plate}"


class PlateArm(LineDevice):
    """An arm that carries labware between hotel slots and nests, all of which are stations taught to it.

    A transfer is a pick and a place, marked ``pick`` and ``place``. One that was broken off between the two is gone on with:
    :meth:`reconcile` finds the gripper full, and the next command for the same piece begins with the place, wherever that
    is. Full when no transfer was broken off, or asked for another piece, the gripper is for a person to empty.

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
    forgets_when_safe: ClassVar[bool] = False

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
        self._in_hand: Transfer | None = None
        self._lost: Transfer | None = None
        narrowed(self.maker_limits, limits)
        self.move = self._verb(Move)
        self.put_lid = self._verb(PutLid)
        self.take_lid = self._verb(TakeLid)

    def _verb(self, command: type[T]) -> Verb[T]:
        return Verb(
            self._carry_out,
            command=command,
            estimate=self._estimate_s,
            objections=self._out_of_reach,
            reconcile=self._reconcile,
        )

    async def _carry_out(self, command: Transfer) -> JsonValue:
        """Pick up and put down. When the caller gives up on the way, the arm stops where it is."""
        journey = _journey(command, self._bench)
        if journey is None:
            return None
        start, end = (self._station(stop) for stop in journey)
        self._lost = None
        try:
            held = await self._still_in_hand(command)
            await self._ready(holding=held)
            if not held:
                await mark("pick", station=start)
                await self._pick(start)
                if await self._grip() is not Grip.HOLDS:
                    self._lost = command
                    raise GripFault(f"what was picked up at station {start} is no longer in the gripper.")
            await mark("place", start=start, station=end)
            await self._place(end)
            self._in_hand = None
        except GripFault as lost:
            piece = _carried(command, self._bench)
            where = f"on {command.plate}" if isinstance(command, TakeLid) else f"at {journey[0].position}"
            raise GripFault(f"{lost} {piece} belongs {where}; if it fell, put it back there.") from lost
        except asyncio.CancelledError as given_up:
            await self._safe_after(given_up)
            raise
        return None

    async def _still_in_hand(self, command: Transfer) -> bool:
        """Whether the gripper holds the piece that this command is about, picked up in an earlier try or on another errand.

        Raises:
            InstrumentError: it holds something else, or nobody knows; nothing was done.
        """
        if self._in_hand is None:
            return False
        grip = await self._grip()
        if grip is Grip.EMPTY:
            # A person took it out.
            self._in_hand = None
            return False
        piece = _carried(self._in_hand, self._bench)
        if grip is Grip.UNCLEAR or piece != _carried(command, self._bench):
            journey = _journey(self._in_hand, self._bench)
            back = f" and put it at {journey[0].position}" if journey is not None else ""
            raise InstrumentError(
                f"the gripper holds {piece}, which it was carrying for another step; take it out{back}.",
                nothing_done=True,
            )
        return True

    async def _reconcile(self, command: Transfer, marks: Sequence[Mark]) -> Reconciliation:
        """What the gripper says. The arm must stand still, as after :meth:`safe`.

        ========================  =====================================================================================
        no mark                   not done: the arm was not told to pick up or put down
        gripper holds something   not done: it is what was picked up, as the gripper was empty before the pick; the next
                                  try goes straight to the place
        empty, mark ``pick``      not done: nothing is put down before ``place`` is marked, so it stands where it stood
        empty, mark ``place``     done, when the arm stands at the destination: that is where it let go. Anywhere else
                                  it dropped it, or a person took it out, and nobody knows
        unclear                   nobody knows; so too when it was felt in the gripper, and then no more
        ========================  =====================================================================================
        """
        if not marks:
            return Reconciliation(
                answer=Answer.NOT_DONE, sentence="The arm was not told to pick anything up yet."
            )
        grip, last = await self._grip(), marks[-1]
        self._in_hand = command if grip is Grip.HOLDS else None
        if grip is Grip.HOLDS:
            return Reconciliation(
                answer=Answer.NOT_DONE,
                sentence="The gripper holds it; the next try goes on with putting it down.",
                amid=True,
            )
        if grip is Grip.UNCLEAR:
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="The gripper is neither open nor closed on a plate."
            )
        if self._lost == command:
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="The gripper had it, and dropped it or had it taken."
            )
        if last.name == "pick":
            return Reconciliation(
                answer=Answer.NOT_DONE,
                sentence="The gripper is empty, and the arm was not told to put anything down yet.",
            )
        start, end = _stations_of(last)
        if await self._stands_at(end, rather_than=start):
            return Reconciliation(
                answer=Answer.DONE, sentence="The gripper is empty, and the arm stands at the destination."
            )
        return Reconciliation(
            answer=Answer.UNKNOWN,
            sentence="The gripper is empty, and the arm does not stand at the destination.",
        )

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
    async def _ready(self, *, holding: bool) -> None:
        """Make sure that the arm is powered and referenced, and holds nothing, or what it is meant to hold.

        Raises:
            InstrumentError: it holds what nobody knows of; a person must look.
        """

    @abstractmethod
    async def _grip(self) -> Grip:
        """What is in the gripper, once the arm stands still."""

    @abstractmethod
    async def _stands_at(self, station: int, *, rather_than: int) -> bool:
        """Whether the arm stands where it let go of something at a station, and not at another one."""

    @abstractmethod
    async def _pick(self, station: int) -> None:
        """Close the gripper on what stands at a station and lift it.

        Raises:
            GripFault: nothing is there.
        """

    @abstractmethod
    async def _place(self, station: int) -> None:
        """Put what is held down at a station."""


def _stations_of(placing: Mark) -> tuple[int, int]:
    """From which station to which, as the mark ``place`` has it."""
    match placing.details:
        case {"start": int(start), "station": int(end)}:
            return start, end
    raise NonsenseReply(f"the mark {placing.name} names no stations: {placing.details!r}.")
