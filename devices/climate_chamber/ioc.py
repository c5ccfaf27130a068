"""Chambers and temperature controllers behind an EPICS input/output controller: a set point and a readback.

That is all that controllers of many makes have in common; the names are those of caproto's ``thermo_sim``, and can be
others. Such a controller is never off: it is safe when it is told its resting temperature. It has no timer, so this program
measures the time, and after a crash nobody knows how much of it there was.

A controller's software has no serial number. Who it is stands in the workcell file; where it has a variable for it, that
has to agree.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.chamber import Shown
from devices.climate_chamber.resting import SHOWN_C, Resting, RestingChamber
from devices.declarative import Query, measured
from devices.epics import DIALECT
from devices.identity import Identity, origin_of
from devices.services import get, put
from devices.transport import Transport
from devices.verb import Limits
from lab.errors import BadInput, InstrumentError

__all__ = ["READBACK", "SERIAL", "SETPOINT", "IocChamber", "IocSettings"]

READBACK, SETPOINT, SERIAL = "readback", "setpoint", "serial"
"""Names that this driver has for the process variables; which they are stands in the settings."""

TOLD_C = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class IocSettings:
    """What the workcell file says of a controller.

    Args:
        vendor, model, serial: who it is; a serial that begins with TWIN is a simulation's.
        shows_serial: whether it has a variable with its serial number, which has to agree.
    """

    vendor: str
    model: str
    serial: str
    shows_serial: bool = False


class IocChamber(RestingChamber):
    """A controller with a set point and a readback.

    Args:
        name: of the device in the workcell.
        transport: the wire; see :class:`devices.epics.Epics`.
        settings: who it is.
        resting: how it is driven.
        limits: of the workcell file; ``temperature_c`` has to be there, for the controller says nothing of what it drives.

    Raises:
        BadInput: no such limit, or a resting temperature outside it.
    """

    dialect = DIALECT
    maker_limits: ClassVar[Limits] = {"temperature_c": (-200.0, 2000.0), "hold_s": (0.0, 2_592_000.0)}

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(get(READBACK), field="double", units="C", within=SHOWN_C),
    ]
    setpoint_c: Annotated[
        SignalR[float],
        Format.UNCACHED_SIGNAL,
        Query(get(SETPOINT), field="double", units="C", within=SHOWN_C),
    ]

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        settings: IocSettings,
        resting: Resting,
        limits: Limits | None = None,
    ) -> None:
        if "temperature_c" not in (limits or {}):
            raise BadInput(
                f"What {name} may be heated to is not said.",
                way_out="Write limits: {temperature_c: [LOWEST, HIGHEST]}; its controller does not know.",
                field="limits.temperature_c",
            )
        super().__init__(name, transport, resting=resting, limits=limits)
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
        return measured(self.dialect.pick(await self._link.ask(request), "double"), request, within=SHOWN_C)

    async def _show(self) -> Shown:
        setpoint_c = await self.setpoint_c.get_value(cached=False)
        return Shown(
            told_c=None if abs(setpoint_c - self._resting.rest_c) < TOLD_C else setpoint_c,
            air_c=await self.temperature_c.get_value(cached=False),
        )

    async def _tell(self, temperature_c: float) -> None:
        """Set a temperature; a controller that makes another one of it is told of."""
        await self._link.ask(put(SETPOINT, "double", temperature_c))
        taken_c = await self.setpoint_c.get_value(cached=False)
        if abs(taken_c - temperature_c) > TOLD_C:
            raise InstrumentError(f"it makes {taken_c:g} C of {temperature_c:g} C.")
