"""Brooks PreciseFlex arms through their TCP command server (TCS) on port 10100.

The command set is that of the TCS user's guide as PyLabRobot speaks it (pylabrobot/arms/precise_flex/
precise_flex_backend.py); the server's own error texts are in its published source (Precise Automation,
Globals.gpl, version 3.0C1; a copy is in github.com/pharmbio/robotlab), those of the controller in
PyLabRobot's error_codes.py. A request is a line; the reply, in PC mode, is ``code data`` with code 0 when all
is well. Motions are answered when they are over. Stations are taught on the pendant: one for each position,
and one :data:`LID_LEVEL` higher, taught at the height of the lid of a plate that stands there.

==================  ==========================================  =========================================
mode 0              replies for programs                        ``0``
version             of the server                               ``0 TCP Command Server 3.0C1 05-27-2021``
pd 16000            robot's serial number (DataID 16000)        ``0 PF400-...``
pd 2002             robot's name (DataID 2002)                  ``0 PreciseFlex 400``
hp                  is it powered                               ``0 1``
HomeAll_IfNoPlate   power on and reference; 0 when it holds     ``0 -1``
attach              -1 when this connection commands the robot  ``0 -1``
GraspData w s f     width mm, finger speed %, force N           ``0``
PickPlate n 0 0     -1 gripped, 0 nothing there                 ``0 -1``
PlacePlate n 0 0    put down                                    ``0``
hp 1 30             power on, wait 30 s for it                  ``0``
waitForEom          answered when the arm stands still          ``0``
wherej              joints; the fifth is the fingers' width mm  ``0 350.0 10.0 90.0 -45.0 85.5``
wherec              x y z mm, yaw pitch roll, configuration     ``0 400.0 0.0 130.0 0.0 90.0 180.0 1``
locXyz n            0, station, and its taught x y z y p r      ``0 0 5 400.0 0.0 80.0 0.0 90.0 180.0``
StationType n       n, access (1 from above), kind, clearance,  ``0 5 1 0 50.0 0.0 10.0``
                    height above, more of both with a plate mm
halt                stop, stay powered                          ``0``
==================  ==========================================  =========================================
"""

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query
from devices.identity import Identity, origin_of
from devices.plate_hotel.arm import Grip, PlateArm
from devices.transport import Framing, Transport
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import DeviceFault, GripFault, InstrumentBusy, InstrumentError, NonsenseReply

__all__ = ["FRAMING", "HOMING_S", "LID_LEVEL", "MOTION_S", "PLATE_MM", "PreciseFlexArm"]

FRAMING = Framing(request_end="\n", reply_end="\r\n", settle_s=0.03)

LID_LEVEL = 200
"""Added to a station's number for the station at the height of its lid."""

MOTION_S = 7.0
"""A pick or a place with the way to it. At half of the arm's 500 mm/s over about a metre, two strokes and the
gripper: an estimate, no published figure.
"""

HOMING_S = 20.0
"""Referencing all axes; an estimate."""

SLOWEST = 6.0
"""A motion may take this many times its estimate before its reply counts as missing."""

PLATE_MM = 85.5
"""The 85.48 mm side of an SBS plate (ANSI SLAS 1-2004) and of its lid."""

GRIP = f"GraspData {PLATE_MM} 50 10"
"""Half speed, 10 N as PyLabRobot's default."""

HOLDING_MM = 1.5
"""Fingers as near to a plate's width as this hold one; a force-controlled grip of nothing ends a few mm inside it."""

OPEN_MM = 5.0
"""Fingers that are further than this outside a plate's width are open."""

NEAR_MM = 5.0
"""Closeness at which two places are the same; slots of a hotel are some tens of mm apart."""

BUSY = -2852
"""*Invalid robot state to execute command*: it is in the middle of another motion."""


NOT_HOMED = -1021
"""*Robot not homed*: powered, but its referencing was broken off."""


class _NotHomed(InstrumentError):
    """The arm refuses to move before it is referenced."""


class TcsDialect:
    """Replies of the TCP command server in PC mode."""

    framing = FRAMING

    def payload(self, request: str, reply: str) -> str:
        """What follows the code 0."""
        code, _, data = reply.strip().partition(" ")
        try:
            number = int(code)
        except ValueError as bad:
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.") from bad
        if number == BUSY:
            raise InstrumentBusy(f"error {number} {data.strip()} (asked {request!r}).")
        if number != 0:
            kind = _NotHomed if number == NOT_HOMED else InstrumentError
            raise kind(f"error {number} {data.strip()} (asked {request!r}).")
        return data.strip()

    def pick(self, payload: str, name: str) -> str:
        """The value at a place, counted from 0 (``Profile`` answers nine)."""
        values = payload.split()
        if not name.isdigit() or int(name) >= len(values):
            raise NonsenseReply(f"{payload!r} has no value {name}.")
        return values[int(name)]


class PreciseFlexArm(PlateArm):
    """A PreciseFlex 400 or 3400 with a force-sensing gripper; arguments as of :class:`PlateArm`."""

    dialect = TcsDialect()
    framing: ClassVar[Framing] = FRAMING

    powered: Annotated[SignalR[bool], Format.UNCACHED_SIGNAL, Query("hp")]

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        bench: Bench,
        stations: Mapping[str, int],
        limits: Limits | None = None,
    ) -> None:
        super().__init__(name, transport, bench=bench, stations=stations, limits=limits)
        self._is_ready = False

    async def safe(self) -> None:
        """Stop where it is; power stays on, so that what is held is not dropped.

        The server has no watchdog: a motion that it was told goes on to its end though nobody is connected any more.
        """
        self._is_ready = False
        await self._link.ask("halt")

    async def _introduce(self) -> Identity:
        self._is_ready = False
        await self._link.ask("mode 0")
        serial = await self._link.ask("pd 16000")
        return Identity(
            vendor="Brooks",
            model=await self._link.ask("pd 2002"),
            serial=serial,
            firmware=await self._link.ask("version"),
            origin=origin_of(serial),
        )

    def _transfer_s(self) -> float:
        return 2 * MOTION_S

    def _lid_station(self, station: int) -> int:
        return station + LID_LEVEL

    async def _ready(self, *, holding: bool) -> None:
        if self._is_ready:
            return
        # A connection begins in the mode of the server's settings.
        await self._link.ask("mode 0")
        if await self._number("hp") == 0:
            await self._power_up(holding=holding)
        elif not holding and await self._grip() is not Grip.EMPTY:
            raise InstrumentError("the gripper holds something; take it out.", nothing_done=True)
        if await self._number("attach") == 0:
            await self._link.ask("attach 1")
        await self._link.ask(GRIP)
        self._is_ready = True

    async def _power_up(self, *, holding: bool) -> None:
        """Power on. With an empty gripper the arm is referenced too; with a full one it must be already."""
        if holding:
            await self._link.ask("hp 1 30", timeout_s=40.0)
            return
        await self._reference()

    async def _reference(self) -> None:
        """Power up and find the reference of all axes, unless that could break what the gripper holds."""
        # The robot must be free for this.
        await self._link.ask("attach 0")
        if await self._number("HomeAll_IfNoPlate", timeout_s=SLOWEST * HOMING_S) == 0:
            raise InstrumentError(
                "the gripper holds something; take it out, then reference the arm.", nothing_done=True
            )

    async def _grip(self) -> Grip:
        await self._link.ask("waitForEom", timeout_s=SLOWEST * MOTION_S)
        apart_mm = (await self._numbers("wherej", least=5))[4] - PLATE_MM
        if abs(apart_mm) <= HOLDING_MM:
            return Grip.HOLDS
        return Grip.EMPTY if not 0.0 <= apart_mm <= OPEN_MM else Grip.UNCLEAR

    async def _stands_at(self, station: int, *, rather_than: int) -> bool:
        """Within what the station's clearances leave: from the nest itself to the end of the retreat."""
        here = (await self._numbers("wherec", least=6))[:3]
        there = (await self._numbers(f"locXyz {station}", least=8))[2:5]
        other = (await self._numbers(f"locXyz {rather_than}", least=8))[2:5]
        _, access, _, clearance_mm, above_mm, _ = (await self._numbers(f"StationType {station}", least=6))[:6]
        sideways_mm, upwards_mm = (0.0, clearance_mm) if access == 1.0 else (clearance_mm, above_mm)
        return (
            math.dist(here[:2], there[:2]) <= sideways_mm + NEAR_MM
            and -NEAR_MM <= here[2] - there[2] <= upwards_mm + NEAR_MM
            and math.dist(here, there) < math.dist(here, other)
        )

    async def _pick(self, station: int) -> None:
        request = f"PickPlate {station} 0 0"
        try:
            gripped = await self._moving(request)
        except _NotHomed:
            await self._reference()
            await self._link.ask("attach 1")
            gripped = await self._moving(request)
            self._is_ready = True
        if gripped == "0":
            # What it truly holds is felt again before anything else moves.
            self._is_ready = False
            raise GripFault(f"the gripper found nothing at station {station}.")

    async def _place(self, station: int) -> None:
        try:
            await self._moving(f"PlacePlate {station} 0 0")
        except InstrumentBusy as busy:
            # Something was done already: it was picked up.
            raise InstrumentError(f"{busy}") from busy

    async def _moving(self, request: str) -> str:
        """Send a motion and wait until it is over; after a fault nothing is taken for granted."""
        try:
            return await self._link.ask(request, timeout_s=SLOWEST * MOTION_S)
        except DeviceFault:
            self._is_ready = False
            raise

    async def _numbers(self, request: str, *, least: int) -> list[float]:
        text = await self._link.ask(request)
        try:
            numbers = [float(word) for word in text.split()]
        except ValueError as bad:
            raise NonsenseReply(f"{text!r} are no numbers (asked {request!r}).") from bad
        if len(numbers) < least or not all(map(math.isfinite, numbers)):
            raise NonsenseReply(f"{text!r} are not {least} numbers (asked {request!r}).")
        return numbers

    async def _number(self, request: str, **timing: float) -> int:
        text = await self._link.ask(request, **timing)
        try:
            return int(text)
        except ValueError as bad:
            raise NonsenseReply(f"{text!r} is no number (asked {request!r}).") from bad
