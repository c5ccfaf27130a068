"""What a PreciseFlex arm's TCP command server answers, over the world: the far end of
:mod:`devices.plate_hotel.preciseflex`.

Replies and error texts are those of the sources named there. The arm must be powered, referenced and attached
before it moves. What it cannot reach into (a closed lid, a locked clamp, an occupied nest) it runs into: the
servo's position error ends the motion and switches the power off, as on the real arm, and what it holds it
still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from devices.plate_hotel.preciseflex import HOMING_S, LID_LEVEL, MOTION_S
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
        self._taught = {number: (position, False) for position, number in stations.items()}
        self._taught |= {number + LID_LEVEL: (position, True) for position, number in stations.items()}
        self._powered = False
        self._homed = False
        self._attached = False
        self._motion: asyncio.Event | None = None

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
            case "pickplate", [station, *_]:
                return await self._carry("pick", int(station))
            case "placeplate", [station, *_]:
                return await self._carry("place", int(station))
        return UNKNOWN

    def _halt(self) -> str:
        if self._motion is not None:
            self._motion.set()
        return OK

    async def _power(self, numbers: list[float]) -> str:
        if not numbers:
            return f"0 {int(self._powered)}"
        if numbers[0] and not self._powered:
            await asyncio.sleep(POWER_UP_S)
        self._powered = bool(numbers[0])
        return OK

    def _attach(self, numbers: list[float]) -> str:
        if not numbers:
            return f"0 {-int(self._attached)}"
        if numbers[0] and not self._powered:
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
        if not self._powered:
            await asyncio.sleep(POWER_UP_S)
            self._powered = True
        homed = await self._home()
        return "0 -1" if homed == OK else homed

    async def _home(self) -> str:
        try:
            await self._travel(HOMING_S)
        except _Halted:
            return CANCELLED
        self._homed = True
        return OK

    def _unready(self, *, homing: bool = False) -> str:
        """Why the arm does not move; empty when it does."""
        if self._motion is not None:
            return BUSY
        if not self._powered:
            return NO_POWER
        if not self._attached:
            return NOT_ATTACHED
        return "" if self._homed or homing else NOT_HOMED

    async def _carry(self, action: str, station: int) -> str:
        if not 1 <= station <= HIGHEST_STATION:
            return BAD_STATION
        if station not in self._taught:
            return UNDEFINED_STATION
        if unready := self._unready():
            return unready
        position, lid = self._taught[station]
        try:
            await self._travel(MOTION_S - RETREAT_S)
            gripped = self._grip(action, position, lid)
            await self._travel(RETREAT_S)
        except _Halted:
            return CANCELLED
        except Impossible:
            self._powered = self._attached = self._homed = False
            return COLLISION
        return f"0 {-int(gripped)}" if action == "pick" else OK

    def _grip(self, action: str, position: str, lid: bool) -> bool:
        """Close or open the gripper; whether something is between its fingers.

        Raises:
            Impossible: the arm runs into something.
        """
        if action == "pick" and not self._is_there(position, lid):
            return False
        self._world.act(self._name, action, position=position, lid=lid)
        return True

    def _is_there(self, position: str, lid: bool) -> bool:
        if self._world.is_shut(position) or self._world.held(self._name) is not None:
            return True
        standing = self._world.at(position)
        return standing is not None and (not lid or self._world.lid_of(standing) is not None)

    async def _travel(self, duration_s: float) -> None:
        """Move for a time, unless halted."""
        self._motion = asyncio.Event()
        try:
            async with asyncio.timeout(duration_s):
                await self._motion.wait()
        except TimeoutError:
            return
        finally:
            self._motion = None
        raise _Halted
