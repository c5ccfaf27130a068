"""Chambers and temperature controllers behind an EPICS input/output controller: a set point and a readback.

That is all that controllers of many makes have in common; the names are those of caproto's ``thermo_sim``, and can be
others. Such a controller is never off: it is safe when it is told its resting temperature, that of the room unless the
workcell file says otherwise. It has no timer, so this program measures the time, and after a crash nobody knows how much of
it there was.

A controller's software has no serial number. Who it is stands in the workcell file; where it has a variable for it, that
has to agree.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.chamber import ClimateChamber, Shown
from devices.climate_chamber.commands import ROOM_C, Keep
from devices.declarative import Query
from devices.epics import DIALECT
from devices.identity import Identity, origin_of
from devices.services import get, put
from devices.transport import Transport
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import BadInput, DeviceFault, InstrumentError, NonsenseReply, TemperatureNotReached

__all__ = ["READBACK", "SERIAL", "SETPOINT", "IocChamber", "IocSettings"]

READBACK, SETPOINT, SERIAL = "readback", "setpoint", "serial"
"""Names that this driver has for the process variables; which they are stands in the settings."""

POLL_S = 2.0
SETTLING_S = 60.0
TOLD_C = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class IocSettings:
    """What the workcell file says of a controller.

    Args:
        vendor, model, serial: who it is; a serial that begins with TWIN is a simulation's.
        shows_serial: whether it has a variable with its serial number, which has to agree.
        rest_c: temperature that it is told when nothing is to be kept.
        arrived_c: closeness at which the temperature counts as there,
        steady_s: and how long it has to stay there, up to a minute.
        rate_c_per_s: about how fast it changes; for estimates.
    """

    vendor: str
    model: str
    serial: str
    shows_serial: bool = False
    rest_c: float = ROOM_C
    arrived_c: float = 0.5
    steady_s: float = 10.0
    rate_c_per_s: float = 0.02


class IocChamber(ClimateChamber):
    """A controller with a set point and a readback.

    Args:
        name: of the device in the workcell.
        transport: the wire; see :class:`devices.epics.Epics`.
        settings: of the workcell file.
        limits: of the workcell file; ``temperature_c`` has to be there, for the controller says nothing of what it drives.

    Raises:
        BadInput: no such limit, or a resting temperature outside it.
    """

    dialect = DIALECT
    maker_limits: ClassVar[Limits] = {"temperature_c": (-200.0, 2000.0), "hold_s": (0.0, 2_592_000.0)}

    temperature_c: Annotated[
        SignalR[float], Format.HINTED_UNCACHED_SIGNAL, Query(get(READBACK), field="double", units="C")
    ]
    setpoint_c: Annotated[
        SignalR[float], Format.UNCACHED_SIGNAL, Query(get(SETPOINT), field="double", units="C")
    ]

    def __init__(
        self, name: str, transport: Transport, *, settings: IocSettings, limits: Limits | None = None
    ) -> None:
        if "temperature_c" not in (limits or {}):
            raise BadInput(
                f"What {name} may be heated to is not said.",
                way_out="Write limits: {temperature_c: [LOWEST, HIGHEST]}; its controller does not know.",
                field="limits.temperature_c",
            )
        super().__init__(name, transport, limits=limits)
        lowest, highest = self._allowed["temperature_c"]
        if not lowest <= settings.rest_c <= highest:
            raise BadInput(
                f"Its resting temperature, {settings.rest_c:g} C, is outside its limits.",
                field="settings.rest_c",
            )
        self._settings = settings

    async def _introduce(self) -> Identity:
        """Who it is, by the workcell file and by what it shows; asks for a temperature, so that somebody is there."""
        settings = self._settings
        await self._number(get(READBACK))
        if settings.shows_serial:
            shown = self.dialect.pick(await self._link.ask(get(SERIAL)), "string")
            if shown != settings.serial:
                raise InstrumentError(
                    f"it is {shown!r}, where the workcell file says {settings.serial!r}.", nothing_done=True
                )
        return Identity(
            vendor=settings.vendor,
            model=settings.model,
            serial=settings.serial,
            firmware="EPICS",
            origin=origin_of(settings.serial),
        )

    async def _number(self, request: str) -> float:
        text = self.dialect.pick(await self._link.ask(request), "double")
        try:
            return float(text)
        except ValueError as error:
            raise NonsenseReply(f"{text!r} is no number ({request}).") from error

    async def _show(self) -> Shown:
        setpoint_c = await self.setpoint_c.get_value(cached=False)
        return Shown(
            told_c=None if abs(setpoint_c - self._settings.rest_c) < TOLD_C else setpoint_c,
            air_c=await self.temperature_c.get_value(cached=False),
        )

    def _keep_s(self, command: Keep, bench: Bench | None) -> float:
        way_s = abs(command.temperature_c - self._settings.rest_c) / self._settings.rate_c_per_s
        return way_s + SETTLING_S + self._settings.steady_s + command.hold_s

    async def _tell(self, temperature_c: float) -> None:
        """Set a temperature; a controller that makes another one of it is told of."""
        await self._link.ask(put(SETPOINT, "double", temperature_c))
        taken_c = await self.setpoint_c.get_value(cached=False)
        if abs(taken_c - temperature_c) > TOLD_C:
            raise InstrumentError(f"it makes {taken_c:g} C of {temperature_c:g} C.")

    async def _reach(self, command: Keep) -> None:
        """There is a temperature that stays; a controller may swing through its set point before it settles."""
        await self._tell(command.temperature_c)
        since_s: float | None = None

        async def left_s() -> float:
            nonlocal since_s
            now_s = asyncio.get_running_loop().time()
            gap_c = abs(command.temperature_c - await self.temperature_c.get_value(cached=False))
            if gap_c > self._settings.arrived_c:
                since_s = None
                return POLL_S + gap_c / self._settings.rate_c_per_s
            since_s = now_s if since_s is None else since_s
            return min(POLL_S, max(0.0, since_s + self._settings.steady_s - now_s))

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the chamber does not come to {command.temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _off(self) -> None:
        await self._tell(self._settings.rest_c)
