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
halt                stop, stay powered                          ``0``
==================  ==========================================  =========================================
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query
from devices.identity import Identity, origin_of
from devices.plate_hotel.arm import PlateArm
from devices.transport import Framing, Transport
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentError, NonsenseReply

__all__ = ["FRAMING", "HOMING_S", "LID_LEVEL", "MOTION_S", "PreciseFlexArm"]

FRAMING = Framing(request_end="\n", reply_end="\r\n")

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

GRIP = "GraspData 85.5 50 10"
"""Across the 85.48 mm side of an SBS plate (ANSI SLAS 1-2004), half speed, 10 N as PyLabRobot's default."""


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
        if number != 0:
            raise InstrumentError(f"error {number} {data.strip()} (asked {request!r}).")
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
        """Stop where it is; power stays on, so that what is held is not dropped."""
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

    async def _ready(self) -> None:
        if self._is_ready:
            return
        if await self._number("hp") == 0:
            # The robot must be free for this; it powers up and finds its reference, unless that could break a
            # plate.
            await self._link.ask("attach 0")
            if await self._number("HomeAll_IfNoPlate", timeout_s=SLOWEST * HOMING_S) == 0:
                raise InstrumentError("the gripper holds something; take it out, then reference the arm.")
        if await self._number("attach") == 0:
            await self._link.ask("attach 1")
        await self._link.ask(GRIP)
        self._is_ready = True

    async def _pick(self, station: int) -> None:
        if await self._moving(f"PickPlate {station} 0 0") == "0":
            raise InstrumentError(f"the gripper found nothing at station {station}.")

    async def _place(self, station: int) -> None:
        await self._moving(f"PlacePlate {station} 0 0")

    async def _moving(self, request: str) -> str:
        """Send a motion and wait until it is over; after a fault nothing is taken for granted."""
        try:
            return await self._link.ask(request, timeout_s=SLOWEST * MOTION_S)
        except DeviceFault:
            self._is_ready = False
            raise

    async def _number(self, request: str, **timing: float) -> int:
        text = await self._link.ask(request, **timing)
        try:
            return int(text)
        except ValueError as bad:
            raise NonsenseReply(f"{text!r} is no number (asked {request!r}).") from bad
