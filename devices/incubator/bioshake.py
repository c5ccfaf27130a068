"""QInstruments BioShake heater shakers with edge locking mechanism (ELM) over their serial line.

The ASCII command set of QInstruments' integration manual, as spoken by PyLabRobot
(pylabrobot/heating_shaking/ bioshake_backend.py, tried on the BioShake 3000 elm, 5000 elm and D30-T elm) and
by control-lab-ly (controllably/Make/Mixture/QInstruments, which lists the states and error codes): a word
with its number appended and a carriage return; the reply is a line: ``ok``, a value, ``e`` when the command
cannot be carried out now, or ``u -> word`` when the word is unknown. Why it failed is asked for with
``getErrorList``.

Commands are acknowledged when they are accepted, except those of the clamp, which are answered when it has
moved.
"""

import asyncio
import math
import re
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query, measured
from devices.identity import Identity, origin_of
from devices.incubator.commands import Incubate
from devices.incubator.incubator import ShakingIncubator, Shown
from devices.transport import Framing
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import (
    InstrumentBusy,
    InstrumentError,
    LidFault,
    NonsenseReply,
)

__all__ = ["ACCELERATION_S", "CLAMP_S", "FRAMING", "HOMING_S", "BioShake", "Clamp", "Motion"]

FRAMING = Framing(request_end="\r", reply_end="\r\n", baud=9600, settle_s=0.03)

ACCELERATION_S = 5
"""To full speed and back to rest; gentle enough not to wet the seal. The instrument takes whole seconds."""

HOMING_S = 4.0
"""Longest way home after a stop; the manual's limit for it."""

CLAMP_S = 2.0
"""Movement of the clamp; PyLabRobot allows 0.3 s after it, control-lab-ly up to 5 s for it."""

WARMING_C_PER_S = 0.117
COOLING_C_PER_S = 0.05
"""Of a BioShake 3000-T elm, about 7 C/min up and 3 C/min down. For estimates only."""

ARRIVED_C = 0.5
"""Closeness at which the adapter counts as warm; the maker's stated uniformity."""

POLL_S = 5.0
ROOM_C = 22.0

RUNTIME_S = (-1.0, 1e6)
"""Of shaking: the manual's longest is 99 999 s."""

COMING_HOME_S = 20.0
"""Longest wait for plate and clamp on the way to the safe state; twice what they need."""

CLAMP_STUCK = frozenset({"306", "307"})
"""Errors of a clamp that does not get to its locked or unlocked position (control-lab-ly's list)."""

CLAMP_LOST = "303"
"""The clamp can't tell where it is, as while the plate moves (the same list)."""


class Clamp(StrictEnum):
    """State of the edge locking mechanism."""

    MOVING = "moving"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    ERROR = "error"


class Motion(StrictEnum):
    """State of the shaker."""

    RUNNING = "running"
    STOPPING = "stopping"
    BRAKING = "braking"
    HOME = "home"
    MANUAL = "manual"
    ACCELERATING = "accelerating"
    DECELERATING = "decelerating"
    STOPPING_ANYWHERE = "stopping_anywhere"
    STOPPING_AT_HOME = "stopping_at_home"
    STOPPED_ANYWHERE = "stopped_anywhere"
    SERVICE = "service"
    ECO = "eco"
    BOOTING = "booting"


CLAMP_CODES = {"0": Clamp.MOVING, "1": Clamp.LOCKED, "3": Clamp.UNLOCKED, "9": Clamp.ERROR}

MOTION_CODES = {
    "0": Motion.RUNNING,
    "1": Motion.STOPPING,
    "2": Motion.BRAKING,
    "3": Motion.HOME,
    "4": Motion.MANUAL,
    "5": Motion.ACCELERATING,
    "6": Motion.DECELERATING,
    "7": Motion.STOPPING_ANYWHERE,
    "8": Motion.STOPPING_AT_HOME,
    "9": Motion.STOPPED_ANYWHERE,
    "10": Motion.SERVICE,
    "90": Motion.ECO,
    "99": Motion.BOOTING,
}


class BioShakeDialect:
    """Replies of the BioShake's firmware."""

    framing = FRAMING

    def payload(self, request: str, reply: str) -> str:
        """The value of a reply; empty for ``ok``."""
        text = reply.strip()
        if not text:
            raise NonsenseReply(f"nothing came in answer to {request!r}.")
        if text == "e":
            raise InstrumentError(f"it cannot do {request!r} now.")
        if text.startswith("u ->"):
            raise InstrumentError(f"it does not know {request!r}.")
        if text.lower() == "ok":
            return ""
        if not request.startswith(("get", "info", "version")):
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        return text

    def pick(self, payload: str, name: str) -> str:
        """Replies of this instrument hold one value."""
        raise NonsenseReply(f"{payload!r} has no {name}.")


MOTION = Query("getShakeState", words=MOTION_CODES)
CLAMP = Query("getElmState", words=CLAMP_CODES)
HEATER = Query("getTempState", words={"0": "off", "1": "on"})


class BioShake(ShakingIncubator):
    """A BioShake with heater and clamp (3000-T elm, D30-T elm, Q1); arguments as of
    :class:`ShakingIncubator`.
    """

    dialect = BioShakeDialect()
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (0.0, 99.0),
        "shaking_rpm": (200.0, 3000.0),
        "hold_s": (0.0, 999_999.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query("getTempActual", units="C", within=(-20.0, 150.0)),
    ]
    shaking_rpm: Annotated[
        SignalR[float],
        Format.UNCACHED_SIGNAL,
        Query("getShakeActualSpeed", units="rpm", within=(0.0, 5000.0)),
    ]
    motion: Annotated[SignalR[Motion], Format.UNCACHED_SIGNAL, MOTION]
    clamp: Annotated[SignalR[Clamp], Format.UNCACHED_SIGNAL, CLAMP]

    async def safe(self) -> None:
        """Heater off, shaker stopped; once it stands at home the clamp opens, so that an arm can take the plate.

        Shaking ends by itself when its runtime is over; the heater has no watchdog, and without this it goes on though
        nobody is connected any more.

        Raises:
            LidFault: the clamp does not open, or the plate does not come home.
        """
        await self._off()
        try:
            async with asyncio.timeout(COMING_HOME_S):
                while await self._link.read(MOTION) != Motion.HOME or await self._clamp_moves():  # noqa: ASYNC110  (no events on a serial line)
                    await asyncio.sleep(1.0)
        except TimeoutError as late:
            raise LidFault("the plate does not come home, so the clamp stays shut.") from late
        if await self._link.read(CLAMP) != Clamp.UNLOCKED:
            await self._move_clamp("setElmUnlockPos")

    async def _clamp_moves(self) -> bool:
        return await self._link.read(CLAMP) == Clamp.MOVING

    async def _off(self) -> None:
        await self._link.ask("tempOff")
        await self._link.ask("shakeOff")

    async def _show(self) -> Shown:
        return Shown(
            heating=await self._link.read(HEATER) == "on",
            adapter_c=await self.temperature_c.get_value(cached=False),
            clamped=await self._is_clamped(),
        )

    async def _is_clamped(self) -> bool:
        return await self._link.read(CLAMP) != Clamp.UNLOCKED

    async def _introduce(self) -> Identity:
        serial = await self._link.ask("getSerial")
        return Identity(
            vendor="QInstruments",
            model=await self._link.ask("getDescription"),
            serial=serial,
            firmware=await self._link.ask("getVersion"),
            origin=origin_of(serial),
        )

    def _incubate_s(self, command: Incubate, bench: Bench | None) -> float:
        way_c = command.temperature_c - ROOM_C
        warming_s = way_c / WARMING_C_PER_S if way_c > 0.0 else -way_c / COOLING_C_PER_S
        return 2 * CLAMP_S + warming_s + command.hold_s + 2 * ACCELERATION_S + HOMING_S

    async def _clamp(self) -> None:
        await self._move_clamp("setElmLockPos")

    async def _release(self) -> None:
        await self._come_home()
        try:
            await self._move_clamp("setElmUnlockPos")
        except InstrumentBusy as busy:
            # Something was done already: the incubation.
            raise InstrumentError(f"{busy}") from busy

    async def _reach(self, temperature_c: float) -> None:
        # Tenths of a degree, as the manual has it.
        await self._explained(f"setTempTarget{round(temperature_c * 10)}")
        await self._explained("tempOn")
        await self._wait_until_there(
            temperature_c,
            close_c=ARRIVED_C,
            warming_c_per_s=WARMING_C_PER_S,
            cooling_c_per_s=COOLING_C_PER_S,
            poll_s=POLL_S,
        )

    async def _prepare_to_shake(self, speed_rpm: float) -> None:
        await self._explained(f"setShakeTargetSpeed{round(speed_rpm)}")
        await self._explained(f"setShakeAcceleration{ACCELERATION_S}")

    async def _shake(self, duration_s: float) -> None:
        # The instrument stops by itself when its own time is over, whatever becomes of this program.
        await self._explained(f"shakeOnWithRuntime{math.ceil(duration_s)}")
        await self._come_home()

    async def _come_home(self) -> None:
        """Wait until the plate stands still at home."""
        await self._wait_out(
            self._until_home, poll_s=1.0, stuck=lambda: InstrumentError("the shaker does not come home.")
        )

    async def _until_home(self) -> float:
        """How long until the plate stands still at home, s."""
        motion = await self._link.read(MOTION)
        if motion == Motion.HOME:
            return 0.0
        if motion in (Motion.RUNNING, Motion.ACCELERATING):
            return await self._runtime_left_s() + ACCELERATION_S + HOMING_S
        return 1.0

    async def _runtime_left_s(self) -> float:
        text = await self._link.ask("getShakeRemainingTime")
        return max(0.0, measured(text, "the remaining time", within=RUNTIME_S))

    async def _explained(self, request: str) -> None:
        """Send a command; when it is refused, ask why before giving up."""
        try:
            await self._link.ask(request, timeout_s=5 * CLAMP_S)
        except InstrumentError as refusal:
            errors = await self._link.ask("getErrorList")
            raise InstrumentError(f"{refusal} Its errors: {errors}.") from refusal

    async def _move_clamp(self, request: str) -> None:
        """Move the clamp. Refused, it is stuck, or busy because the plate moves; its state and last error tell."""
        try:
            await self._explained(request)
        except InstrumentError as refusal:
            codes = re.findall(r"\be(\d+)", str(refusal))
            if await self._link.read(CLAMP) == Clamp.ERROR or CLAMP_STUCK & set(codes[-1:]):
                raise LidFault(f"{refusal}") from refusal
            if codes[-1:] == [CLAMP_LOST]:
                raise InstrumentBusy(f"{refusal}") from refusal
            raise
        wanted = Clamp.LOCKED if request == "setElmLockPos" else Clamp.UNLOCKED
        if (where := await self._link.read(CLAMP)) != wanted:
            raise LidFault(f"the clamp is {where} where it should be {wanted}.")
