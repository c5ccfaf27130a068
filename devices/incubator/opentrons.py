"""The Opentrons Heater-Shaker Module GEN1, plugged into an OT-2 or Flex, as a shaking incubator.

Its limits are the maker's: it heats to 37 to 95 C and shakes at 200 to 3000 rpm (docs.opentrons.com, Heater-Shaker Module).
It has no cooling: at room temperature its heater is off, and between that and 37 C it can hold nothing. Its shaker has no
timer: this program measures the time, and what stops it is a command.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query
from devices.identity import Identity
from devices.incubator.commands import Incubate
from devices.incubator.incubator import ROOM_BAND_C, ROOM_C, ShakingIncubator, Shown
from devices.opentrons_robot.modules import FRAMING, GET, ModuleDialect, tell
from devices.transport import Framing, Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import InstrumentError, LidFault, NonsenseReply

__all__ = ["ACCELERATION_S", "HEATS_FROM_C", "HOMING_S", "KIND", "LATCH_S", "HeaterShaker", "Latch"]

KIND = "heaterShakerModuleType"

HEATS_FROM_C = 37.0
"""Lowest temperature that its heater holds; the maker's."""

ACCELERATION_S = 3.0
HOMING_S = 2.0
LATCH_S = 4.0
"""To speed and back, to home, and the latch. No source; on hardware only estimates."""

WARMING_C_PER_S = 0.117
COOLING_C_PER_S = 0.01
"""Without cooling of its own. For estimates only; no source."""

ARRIVED_C = 0.5
"""Closeness at which the adapter counts as warm; the maker's stated accuracy."""

ANSWER_S = 6.0
"""What the heater and the latch may take; with the shaker's, less than the 30 s that a device has to be safe."""

STOP_S = 10.0
START_S = 30.0
POLL_S = 5.0


class Latch(StrictEnum):
    """State of the labware latch."""

    OPENING = "opening"
    OPEN = "idle_open"
    CLOSING = "closing"
    CLOSED = "idle_closed"
    LOST = "idle_unknown"
    UNKNOWN = "unknown"


class HeaterShaker(ShakingIncubator):
    """A Heater-Shaker Module; arguments as of :class:`ShakingIncubator`.

    ``temperature_c`` of a command is 37 C or more, or the room's, at which the heater stays off.
    """

    dialect = ModuleDialect(KIND)
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (ROOM_C - ROOM_BAND_C, 95.0),
        "shaking_rpm": (200.0, 3000.0),
        "hold_s": (0.0, 999_999.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(GET, field="data.currentTemperature", units="C", within=(-40.0, 150.0)),
    ]
    shaking_rpm: Annotated[
        SignalR[float],
        Format.UNCACHED_SIGNAL,
        Query(GET, field="data.currentSpeed", units="rpm", within=(0.0, 5000.0)),
    ]
    latch: Annotated[SignalR[Latch], Format.UNCACHED_SIGNAL, Query(GET, field="data.labwareLatchStatus")]

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport, limits=limits)
        self._speed_rpm = 0.0
        self.incubate = Verb(
            self._carry_out,
            command=Incubate,
            limits=narrowed(self.maker_limits, limits),
            estimate=self._incubate_s,
            objections=self._objections,
            reconcile=self._reconcile,
        )
        self.set_name(name)

    async def safe(self) -> None:
        """Heater off, shaker stopped at home, the latch open, so that an arm can take the plate.

        The module has no watchdog: without this it goes on heating and shaking though nobody is connected any more.

        Raises:
            DeviceFault: it does not do it; a person must look.
        """
        await self._off()
        await self._move_latch(Latch.OPEN)

    def _objections(self, command: Incubate, bench: Bench | None) -> Sequence[str]:
        if ROOM_C + ROOM_BAND_C < command.temperature_c < HEATS_FROM_C:
            wanted = f"It can't hold {command.temperature_c:g} C"
            return (
                f"{wanted}: its heater holds {HEATS_FROM_C:g} C or more, and is off near the room's {ROOM_C:g} C.",
            )
        return ()

    async def _off(self) -> None:
        await self._link.ask(tell("heaterShaker/deactivateHeater"), timeout_s=ANSWER_S)
        await self._stop()

    async def _stop(self) -> None:
        """Answered when the plate stands still at home."""
        await self._link.ask(tell("heaterShaker/deactivateShaker"), timeout_s=STOP_S)

    async def _show(self) -> Shown:
        shown = await self._link.ask(GET)
        return Shown(
            heating=self.dialect.pick(shown, "data.targetTemperature") != "none",
            adapter_c=self._number(shown, "data.currentTemperature"),
            clamped=self.dialect.pick(shown, "data.labwareLatchStatus") != Latch.OPEN,
        )

    async def _is_clamped(self) -> bool:
        return await self._latch_is() != Latch.OPEN

    async def _introduce(self) -> Identity:
        return self.dialect.identity(await self._link.ask(GET))

    def _incubate_s(self, command: Incubate, bench: Bench | None) -> float:
        warming_s = max(0.0, command.temperature_c - ROOM_C) / WARMING_C_PER_S
        if command.temperature_c < HEATS_FROM_C:
            warming_s = 0.0
        return 2 * LATCH_S + warming_s + command.hold_s + 2 * ACCELERATION_S + HOMING_S

    async def _clamp(self) -> None:
        await self._move_latch(Latch.CLOSED)

    async def _release(self) -> None:
        await self._move_latch(Latch.OPEN)

    async def _move_latch(self, wanted: Latch) -> None:
        """Bring the latch where it is wanted, once what it was told before is over; nothing where it is there already."""
        command = "closeLabwareLatch" if wanted is Latch.CLOSED else "openLabwareLatch"
        try:
            async with asyncio.timeout(2 * LATCH_S):
                while (where := await self._latch_is()) in (Latch.OPENING, Latch.CLOSING):  # noqa: ASYNC110  (no events over HTTP)
                    await asyncio.sleep(0.5)
        except TimeoutError as late:
            raise LidFault("the latch does not come to rest.") from late
        if where == wanted:
            return
        await self._link.ask(tell(f"heaterShaker/{command}"), timeout_s=ANSWER_S)
        where = await self._latch_is()
        if where != wanted:
            raise LidFault(f"the latch is {where} where it should be {wanted}.")

    async def _latch_is(self) -> Latch:
        return await self.latch.get_value(cached=False)

    async def _reach(self, temperature_c: float) -> None:
        """Warm, or, with the heater off, wait until the adapter is as near the room's as the command's."""
        heated = temperature_c >= HEATS_FROM_C
        if heated:
            await self._link.ask(
                tell("heaterShaker/setTargetTemperature", celsius=temperature_c), timeout_s=ANSWER_S
            )
        elif self.dialect.pick(await self._link.ask(GET), "data.targetTemperature") != "none":
            await self._link.ask(tell("heaterShaker/deactivateHeater"), timeout_s=ANSWER_S)
        close_c = ARRIVED_C if heated else ROOM_BAND_C
        await self._wait_until_there(
            temperature_c,
            close_c=close_c,
            warming_c_per_s=WARMING_C_PER_S,
            cooling_c_per_s=COOLING_C_PER_S,
            poll_s=POLL_S,
        )

    async def _prepare_to_shake(self, speed_rpm: float) -> None:
        self._speed_rpm = speed_rpm

    async def _shake(self, duration_s: float) -> None:
        # From the moment it is at speed. Nothing but this program stops it.
        await self._link.ask(
            tell("heaterShaker/setAndWaitForShakeSpeed", rpm=self._speed_rpm), timeout_s=START_S
        )
        await asyncio.sleep(duration_s)
        turning = self._number(await self._link.ask(GET), "data.currentSpeed")
        await self._stop()
        if turning <= 0.0:
            raise InstrumentError("the shaker stopped before its time was over.")

    def _number(self, shown: str, name: str) -> float:
        text = self.dialect.pick(shown, name)
        try:
            return float(text)
        except ValueError as bad:
            raise NonsenseReply(f"{name} is {text!r}, which is no number.") from bad
