"""Chambers and incubators with SiLA 2's feature ``TemperatureController`` (``org.silastandard/examples``, version 1).

It has one command, ``ControlTemperature``, with a target from 277 to 363 K, and one property, ``CurrentTemperature``, in
kelvin. The command fails with ``TemperatureNotReachable``, or with ``ControlInterrupted`` when another one came. It can't be
turned off, has no timer and does not show what it was told, so less is known after a crash than of any other chamber.

Who it is its ``SiLAService`` says. Servers have a UUID in place of a serial number; a twin is known by its name.
"""

from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.chamber import Shown
from devices.climate_chamber.commands import Keep
from devices.climate_chamber.resting import SHOWN_C, Resting, RestingChamber
from devices.declarative import Query
from devices.identity import TWIN_SERIAL, Identity, origin_of
from devices.services import call, get
from devices.sila import DIALECT, KELVIN, ZERO_C
from devices.transport import Transport
from devices.verb import Limits

__all__ = ["CONTROL", "CURRENT", "SilaChamber"]

CONTROL = "TemperatureController/ControlTemperature"
CURRENT = "TemperatureController/CurrentTemperature"


class SilaChamber(RestingChamber):
    """A chamber behind a SiLA 2 server; arguments as of :class:`RestingChamber`."""

    dialect = DIALECT
    maker_limits: ClassVar[Limits] = {
        # Of the feature: more than 277 K, up to 363 K.
        "temperature_c": (277.01 - ZERO_C, 363.0 - ZERO_C),
        "hold_s": (0.0, 2_592_000.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(get(CURRENT), field=KELVIN, units="C", within=SHOWN_C),
    ]

    def __init__(
        self, name: str, transport: Transport, *, resting: Resting, limits: Limits | None = None
    ) -> None:
        super().__init__(name, transport, resting=resting, limits=limits)
        self._execution = ""

    async def _introduce(self) -> Identity:
        name = await self._text("ServerName")
        serial = name if name.startswith(TWIN_SERIAL) else await self._text("ServerUUID")
        return Identity(
            vendor=await self._text("ServerVendorURL"),
            model=await self._text("ServerType"),
            serial=serial,
            firmware=await self._text("ServerVersion"),
            origin=origin_of(serial),
        )

    async def _text(self, name: str) -> str:
        return self.dialect.pick(await self._link.ask(get(f"SiLAService/{name}")), "String")

    async def _show(self) -> Shown:
        return Shown(told_c=None, air_c=await self.temperature_c.get_value(cached=False), tells=False)

    async def _tell(self, temperature_c: float) -> None:
        reply = await self._link.ask(call(CONTROL, temperature_c + ZERO_C))
        self._execution = self.dialect.pick(reply, "Execution")

    async def _check(self) -> None:
        """Its command may have failed: the temperature can't be reached, or somebody else told it another one."""
        self.dialect.pick(await self._link.ask(get(f"{CONTROL}/{self._execution}")), "String")

    async def _hold(self, command: Keep) -> None:
        """Wait, and see at the end that nobody has told it another temperature meanwhile."""
        await super()._hold(command)
        await self._check()
