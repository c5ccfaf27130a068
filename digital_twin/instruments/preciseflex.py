"""What a PreciseFlex arm's TCP command server answers, over the world: the far end of
:mod:`devices.plate_hotel.preciseflex`.

Replies and error texts are those of the sources named there. The arm must be powered, referenced and attached
before it moves. What it cannot reach into (a closed lid, a locked clamp, an occupied nest) it runs into: the
servo's position error ends the motion and switches the power off, as on the real arm, and what it holds it
still holds.

Power, reference, what it holds and where its gripper last closed or opened are the world's, so they outlive this object;
a connection's attachment does not, as on the real server.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass

from devices.plate_hotel.preciseflex import HOMING_S, LID_LEVEL, MOTION_S, PLATE_MM
from digital_twin.state import Arm
from digital_twin.world import Impossible, World

__all__ = ["PreciseFlexTwin"]

VERSION = "TCP Command Server 3.0C1 05-27-2021"
MODEL = "PreciseFlex 400"
ANSWER_S = 0.005
"""A line each way over a local network and the controller between them; a choice."""

POWER_UP_S = 6.0
"""Amplifiers on, motors commutated; no source."""

RETREAT_S = 2.0
"""The end of a motion, after the gripper has closed or opened."""

OK = "0"
UNKNOWN = "-2805 *Unknown command*"
MISMATCH = "-2800 *Warning Parameter Mismatch*"
BAD_STATION = "-2820 *Invalid station index*"
UNDEFINED_STATION = "-2821 *Undefined station*"
NOT_ATTACHED = "-1009 *No robot attached*"
ALREADY_ATTACHED = "-1006 *Robot already attached*"
NOT_HOMED = "-1021 *Robot not homed*"
NO_POWER = "-1046 *Power not enabled*"
CANCELLED = "-214 *Cancelled*"
BUSY = "-2852 *Invalid robot state to execute command*"
COLLISION = "-3100 *Hard envelope error*"

HIGHEST_STATION = 999


OPEN_MM = 125.0
"""Between the fingers of an open gripper: room for a plate on both sides. A choice."""

CLOSED_ON_NOTHING_MM = PLATE_MM - 4.0
"""A force-controlled grip that meets nothing ends a few mm inside the plate's width (PyLabRobot on GraspPlate)."""

INNER_MM, OUTER_MM = 300.0, 290.0
"""Links of the arm; close to its reach of somewhat less than 600 mm. A choice."""

LID_HEIGHT_MM = 12.0
SLOT_PITCH_MM = 60.0


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where the gripper is, mm."""

    x: float
    y: float
    z: float

    def words(self) -> str:
        """As the server prints a pose: x y z yaw pitch roll."""
        return f"{self.x:.3f} {self.y:.3f} {self.z:.3f} 0.000 90.000 180.000"

    def joints(self) -> str:
        """Column mm, shoulder, elbow and wrist degrees, of an arm of two links."""
        reach = math.hypot(self.x, self.y)
        elbow = math.acos((reach**2 - INNER_MM**2 - OUTER_MM**2) / (2.0 * INNER_MM * OUTER_MM))
        shoulder = math.atan2(self.y, self.x) - math.atan2(
            OUTER_MM * math.sin(elbow), INNER_MM + OUTER_MM * math.cos(elbow)
        )
        angles = (shoulder, elbow, -shoulder - elbow)
        return " ".join(f"{value:.3f}" for value in (self.z, *map(math.degrees, angles)))


AWAY = _Pose(150.0, -250.0, 400.0)
"""Where it is after referencing, and, for want of a true path, wherever it is between two stations."""


@dataclass(frozen=True, slots=True)
class _Station:
    """A taught station.

    Args:
        sideways: a hotel slot, reached from the front; otherwise a nest, reached from above.
        clearance_mm: how far from it the gripper stops before and after.
        above_mm: how much higher it goes in and out of a slot.
    """

    position: str
    lid: bool
    pose: _Pose
    sideways: bool
    clearance_mm: float
    above_mm: float

    def approach(self) -> _Pose:
        """Where a pick or a place ends."""
        if not self.sideways:
            return _Pose(self.pose.x, self.pose.y, self.pose.z + self.clearance_mm)
        inwards = 1.0 - self.clearance_mm / math.hypot(self.pose.x, self.pose.y)
        return _Pose(self.pose.x * inwards, self.pose.y * inwards, self.pose.z + self.above_mm)


def _teach(world: World, stations: Mapping[str, int]) -> dict[int, _Station]:
    """Stations as a person with the pendant would find them: slots above each other, nests in a circle."""
    taught = {}
    for place, (position, number) in enumerate(stations.items()):
        sideways = world.state.positions[position].home
        angle = 2.0 * math.pi * place / len(stations)
        for lid in (False, True):
            z = (SLOT_PITCH_MM * place if sideways else 80.0) + LID_HEIGHT_MM * lid
            pose = (
                _Pose(500.0, 0.0, z) if sideways else _Pose(400 * math.cos(angle), 400 * math.sin(angle), z)
            )
            taught[number + LID_LEVEL * lid] = _Station(
                position, lid, pose, sideways, 150.0 if sideways else 50.0, 20.0 if sideways else 0.0
            )
    return taught


class _Halted(Exception):
    """A motion was stopped."""


class PreciseFlexTwin:
    """An arm and the stations taught to it. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        stations: position -> number; each is taught at the plate's and at the lid's height.
        serial: its number; begins with TWIN.
    """

    def __init__(
        self, world: World, *, name: str, stations: Mapping[str, int], serial: str = "TWIN-PF400-0001"
    ) -> None:
        self._world = world
        self._name = name
        self._serial = serial
        self._taught = _teach(world, stations)
        self._attached = False
        self._motion: asyncio.Event | None = None
        self._still = asyncio.Event()
        stood = self._arm().station
        self._at: _Pose = next(
            (known.approach() for known in self._taught.values() if (known.position, known.lid) == stood),
            AWAY,
        )
        self._closed = world.held(name) is not None

    async def reply(self, line: str) -> str:
        """The server's answer to one line."""
        await asyncio.sleep(ANSWER_S)
        words = line.split()
        if not words:
            return UNKNOWN
        try:
            numbers = [float(word) for word in words[1:]]
        except ValueError:
            return MISMATCH
        match words[0].lower(), numbers:
            case "mode", [0.0]:
                return OK
            case "nop", []:
                return OK
            case "version", []:
                return f"0 {VERSION}"
            case "pd", [16000.0]:
                return f"0 {self._serial}"
            case "pd", [2002.0]:
                return f"0 {MODEL}"
            case "halt", []:
                return self._halt()
            case "hp", _:
                return await self._power(numbers)
            case "attach", _:
                return self._attach(numbers)
            case "homeall_ifnoplate", []:
                return await self._home_without_plate()
            case "home", []:
                return self._unready(homing=True) or await self._home()
            case "graspdata", [_, _, _]:
                return OK
            case "waitforeom", []:
                return await self._end_of_motion()
            case "wherec", []:
                return f"0 {self._at.words()} 1"
            case "wherej", []:
                return f"0 {self._at.joints()} {self._fingers_mm():.3f}"
            case "locxyz", [station]:
                return (
                    self._refused(station) or f"0 0 {station:.0f} {self._taught[int(station)].pose.words()}"
                )
            case "stationtype", [station]:
                return self._refused(station) or self._station_type(int(station))
            case "pickplate", [station, *_]:
                return await self._carry("pick", int(station))
            case "placeplate", [station, *_]:
                return await self._carry("place", int(station))
        return UNKNOWN

    def _halt(self) -> str:
        if self._motion is not None:
            self._motion.set()
        return OK

    async def _end_of_motion(self) -> str:
        while self._motion is not None:
            await self._still.wait()
        return OK

    def _refused(self, station: float) -> str:
        """Why there is no such station; empty when there is."""
        if not 1 <= station <= HIGHEST_STATION:
            return BAD_STATION
        return "" if int(station) in self._taught else UNDEFINED_STATION

    def _station_type(self, number: int) -> str:
        """Number, access (1 from above), kind, clearances."""
        station = self._taught[number]
        access = int(not station.sideways)
        return f"0 {number} {access} 0 {station.clearance_mm:.1f} {station.above_mm:.1f} 10.0"

    def _fingers_mm(self) -> float:
        if self._world.held(self._name) is not None:
            return PLATE_MM
        return CLOSED_ON_NOTHING_MM if self._closed else OPEN_MM

    def _arm(self) -> Arm:
        return self._world.state.arms.get(self._name, Arm())

    def _set_power(self, on: bool, *, referenced: bool) -> None:
        """Saying again what is so is no event."""
        if (on, referenced) != (self._arm().powered, self._arm().referenced):
            self._world.act(self._name, "power", on=on, referenced=referenced)

    async def _power(self, numbers: list[float]) -> str:
        if not numbers:
            return f"0 {int(self._arm().powered)}"
        if numbers[0] and not self._arm().powered:
            await asyncio.sleep(POWER_UP_S)
        self._set_power(bool(numbers[0]), referenced=self._arm().referenced)
        return OK

    def _attach(self, numbers: list[float]) -> str:
        if not numbers:
            return f"0 {-int(self._attached)}"
        if numbers[0] and not self._arm().powered:
            return NO_POWER
        if numbers[0] and self._attached:
            return ALREADY_ATTACHED
        self._attached = bool(numbers[0])
        return OK

    async def _home_without_plate(self) -> str:
        if self._attached:
            return ALREADY_ATTACHED
        if self._motion is not None:
            return BUSY
        if self._world.held(self._name) is not None:
            return "0 0"
        if not self._arm().powered:
            await asyncio.sleep(POWER_UP_S)
            self._set_power(True, referenced=self._arm().referenced)
        homed = await self._home()
        return "0 -1" if homed == OK else homed

    async def _home(self) -> str:
        try:
            await self._travel(HOMING_S)
        except _Halted:
            return CANCELLED
        self._at, self._closed = AWAY, False
        self._set_power(True, referenced=True)
        return OK

    def _unready(self, *, homing: bool = False) -> str:
        """Why the arm does not move; empty when it does."""
        if self._motion is not None:
            return BUSY
        if not self._arm().powered:
            return NO_POWER
        if not self._attached:
            return NOT_ATTACHED
        return "" if self._arm().referenced or homing else NOT_HOMED

    async def _carry(self, action: str, number: int) -> str:
        if refusal := self._refused(number) or self._unready():
            return refusal
        station = self._taught[number]
        try:
            self._at = AWAY
            await self._travel(MOTION_S - RETREAT_S)
            gripped = self._grip(action, station)
            self._at = station.pose
            await self._travel(RETREAT_S)
            self._at = station.approach()
        except _Halted:
            return CANCELLED
        except Impossible:
            self._attached = False
            self._set_power(False, referenced=True)
            return COLLISION
        return f"0 {-int(gripped)}" if action == "pick" else OK

    def _grip(self, action: str, station: _Station) -> bool:
        """Close or open the gripper; whether something is between its fingers.

        Raises:
            Impossible: the arm runs into something.
        """
        if action == "pick" and not self._is_there(station.position, station.lid):
            self._closed = True
            return False
        self._world.act(self._name, action, position=station.position, lid=station.lid)
        self._closed = action == "pick"
        return True

    def _is_there(self, position: str, lid: bool) -> bool:
        if self._world.is_shut(position) or self._world.held(self._name) is not None:
            return True
        standing = self._world.at(position)
        return standing is not None and (not lid or self._world.lid_of(standing) is not None)

    async def _travel(self, duration_s: float) -> None:
        """Move for a time, unless halted."""
        self._motion = asyncio.Event()
        self._still.clear()
        try:
            async with asyncio.timeout(duration_s):
                await self._motion.wait()
        except TimeoutError:
            return
        finally:
            self._motion = None
            self._still.set()
        raise _Halted
