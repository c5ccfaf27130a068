"""The shaking incubator of any vendor: its verb, its limits, and in which order things happen."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import ClassVar

from ophyd_async.core import SignalR

from devices.declarative import LineDevice
from devices.incubator.commands import Incubate
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.types import JsonValue

__all__ = ["ShakingIncubator"]


class ShakingIncubator(LineDevice):
    """A shaker with a heated adapter and a clamp for the plate.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c``, ``shaking_rpm``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits]
    """What the vendor allows: ``temperature_c``, ``shaking_rpm``, ``hold_s``."""

    temperature_c: SignalR[float]
    """Of the adapter."""

    shaking_rpm: SignalR[float]
    """Actual speed."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        allowed = narrowed(self.maker_limits, limits)
        self.incubate = Verb(self._carry_out, command=Incubate, limits=allowed, estimate=self._incubate_s)

    async def _carry_out(self, command: Incubate) -> JsonValue:
        """Clamp, warm, shake, let go. Whatever goes wrong on the way, heater and motor are off."""
        try:
            await self._clamp()
            await self._reach(command.temperature_c)
            if command.shaking_rpm is None:
                await asyncio.sleep(command.hold_s)
            else:
                await self._shake(command.shaking_rpm, command.hold_s)
            held_c = await self.temperature_c.get_value(cached=False)
            await self.safe()
            await self._release()
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"held_c": held_c}

    @abstractmethod
    def _incubate_s(self, command: Incubate, bench: Bench | None) -> float:
        """Expected lab time of a command."""

    @abstractmethod
    async def _clamp(self) -> None:
        """Hold the plate fast."""

    @abstractmethod
    async def _release(self) -> None:
        """Let the plate go, at the home position, so that an arm can take it."""

    @abstractmethod
    async def _reach(self, temperature_c: float) -> None:
        """Bring the adapter to a temperature and wait until it is there."""

    @abstractmethod
    async def _shake(self, speed_rpm: float, duration_s: float) -> None:
        """Shake for a time and wait until the plate stands still at home."""
