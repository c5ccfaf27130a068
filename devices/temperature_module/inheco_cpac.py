"""Inheco's CPAC (cold plate, air cooled) in a slot of a control box: see :mod:`devices.incubator.inheco`.

A plate that is to be kept for a time and no longer is a ``keep``, or an ``incubate`` without shaking; ``set_temperature``
stays on between the steps that follow.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

from collections.abc import Sequence
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.climate_chamber.commands import Keep
from devices.declarative import Query
from devices.fence import mark
from devices.incubator.commands import Incubate
from devices.incubator.incubator import ROOM_BAND_C, ROOM_C
from devices.incubator.inheco import SHOWN_C, DeviceType, InSlot
from devices.temperature_module.commands import Deactivate, SetTemperature
from devices.transport import Transport
from devices.verb import Limits, Verb
from lab.bench import Bench
from lab.errors import DeviceFault
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["CPAC"]

AGAIN = Reconciliation(answer=Answer.NOT_DONE, sentence="It can be told again; nothing comes of it twice.")


class CPAC(InSlot):
    """A heater and cooler without a shaker; arguments as of :class:`devices.incubator.incubator.ShakingIncubator`."""

    types: ClassVar[tuple[DeviceType, ...]] = (DeviceType.CPAC, DeviceType.CPAC_2_TEC)
    maker_limits: ClassVar[Limits] = {"temperature_c": (4.0, 70.0), "hold_s": (0.0, 999_999.0)}
    """Of the flat one, from memory; the HT goes to 110 C."""

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query("RAT0", field="tenths", units="C", within=SHOWN_C),
    ]

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport, limits=limits)
        allowed = self.incubate.limits
        self.keep = Verb(
            self._carry_out_keep,
            command=Keep,
            limits=allowed,
            estimate=lambda command, bench: self._incubate_s(_as_incubation(command), bench),
            objections=_no_air,
            reconcile=self._reconcile_keep,
        )
        self.set_temperature = Verb(
            self._carry_out_set,
            command=SetTemperature,
            limits=allowed,
            estimate=lambda command, bench: self._way_s(command.temperature_c),
            reconcile=self._reconcile_told,
        )
        self.deactivate = Verb(
            self._carry_out_deactivate,
            command=Deactivate,
            estimate=lambda command, bench: 1.0,
            reconcile=self._reconcile_told,
        )
        self.set_name(name)

    async def safe(self) -> None:
        """Off, unless it is cold: a block that keeps something cold hurts nobody, and what stands on it may not become warm.

        Raises:
            DeviceFault: it does not do it.
        """
        if await self.temperature_c.get_value(cached=False) >= ROOM_C - ROOM_BAND_C:
            await self._off()

    def _objections(self, command: Incubate, bench: Bench | None) -> tuple[str, ...]:
        return () if command.shaking_rpm is None else ("it has no shaker.",)

    async def _carry_out_keep(self, command: Keep) -> JsonValue:
        return await self._carry_out(_as_incubation(command))

    async def _reconcile_keep(self, command: Keep, marks: Sequence[Mark]) -> Reconciliation:
        return await self._reconcile(_as_incubation(command), marks)

    async def _carry_out_set(self, command: SetTemperature) -> JsonValue:
        await mark("set_temperature")
        try:
            await self._reach(command.temperature_c)
        except DeviceFault as failure:
            await self._safe_after(failure)
            raise
        return {"temperature_c": await self.temperature_c.get_value(cached=False)}

    async def _carry_out_deactivate(self, command: Deactivate) -> JsonValue:
        await mark("deactivate")
        await self._off()
        # One whose sensor or cable is broken says so only when it is asked for its temperature.
        await self.temperature_c.get_value(cached=False)
        return None

    async def _reconcile_told(
        self, command: SetTemperature | Deactivate, marks: Sequence[Mark]
    ) -> Reconciliation:
        """It does not show what it was told."""
        return AGAIN


def _as_incubation(command: Keep) -> Incubate:
    return Incubate(
        plate=command.plate, temperature_c=command.temperature_c, hold_s=command.hold_s, shaking_rpm=None
    )


def _no_air(command: Keep, bench: Bench | None) -> tuple[str, ...]:
    wanted = (("carbon dioxide", command.co2_percent), ("humidity", command.humidity_percent))
    return tuple(f"it has no control of {what}." for what, percent in wanted if percent is not None)
