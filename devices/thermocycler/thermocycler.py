"""The thermocycler of any vendor: its verbs, its limits, and in which order things happen when a plate is
heated.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import ClassVar

from ophyd_async.core import SignalR

from devices.declarative import LineDevice
from devices.thermocycler.commands import CloseLid, Heat, OpenLid
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.types import JsonValue

__all__ = ["Thermocycler"]


class Thermocycler(LineDevice):
    """A cycler with a heated, motorised lid.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c`` (block, also where it cools to),
            ``lid_temperature_c``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits]
    """What the vendor allows: ``temperature_c``, ``cool_to_c``, ``lid_temperature_c``, ``hold_s``."""

    temperature_c: SignalR[float]
    """Of the block."""

    lid_temperature_c: SignalR[float]
    """Of the heated lid."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        allowed = narrowed(self.maker_limits, limits, also={"temperature_c": ("cool_to_c",)})
        self.heat = Verb(self._carry_out_heat, command=Heat, limits=allowed, estimate=self._heat_s)
        self.open_lid = Verb(self._carry_out_open, command=OpenLid, estimate=self._lid_s)
        self.close_lid = Verb(self._carry_out_close, command=CloseLid, estimate=self._lid_s)

    async def _carry_out_open(self, command: OpenLid) -> JsonValue:
        await self._open()
        return None

    async def _carry_out_close(self, command: CloseLid) -> JsonValue:
        await self._close()
        return None

    async def _carry_out_heat(self, command: Heat) -> JsonValue:
        """Lid, ramp, hold, cool, off. Whatever goes wrong on the way, no heater stays on."""
        try:
            await self._close()
            await self._heat_lid(command.lid_temperature_c)
            held_c = await self._hold(command.temperature_c, command.hold_s)
            await self._cool(command.cool_to_c)
            await self.safe()
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"held_c": held_c}

    @abstractmethod
    def _heat_s(self, command: Heat, bench: Bench | None) -> float:
        """Expected lab time of a heat command."""

    @abstractmethod
    def _lid_s(self, command: OpenLid | CloseLid, bench: Bench | None) -> float:
        """Expected lab time of a movement of the lid."""

    @abstractmethod
    async def _open(self) -> None:
        """Open the lid and wait until it is open."""

    @abstractmethod
    async def _close(self) -> None:
        """Close the lid and wait until it is closed."""

    @abstractmethod
    async def _heat_lid(self, temperature_c: float) -> None:
        """Heat the lid and wait until it is hot."""

    @abstractmethod
    async def _hold(self, temperature_c: float, hold_s: float) -> float:
        """Bring the block to a temperature and hold it there; gives back what it measured at the end of the
        hold.
        """

    @abstractmethod
    async def _cool(self, temperature_c: float) -> None:
        """Bring the block down to a temperature and wait until it is there."""
