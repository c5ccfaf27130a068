"""Controllers that are never off: they rest at a temperature, that of the room unless the workcell file says otherwise."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass

from devices.climate_chamber.chamber import ClimateChamber
from devices.climate_chamber.commands import ROOM_C, Keep
from devices.transport import Transport
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import BadInput, DeviceFault, TemperatureNotReached

__all__ = ["Resting", "RestingChamber"]

POLL_S = 2.0
SETTLING_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """How a controller without a switch is driven.

    Args:
        rest_c: temperature that it is told when nothing is to be kept.
        arrived_c: closeness at which the temperature counts as there,
        steady_s: and how long it has to stay there, up to a minute.
        rate_c_per_s: about how fast it changes; for estimates.
    """

    rest_c: float = ROOM_C
    arrived_c: float = 0.5
    steady_s: float = 10.0
    rate_c_per_s: float = 0.02


SHOWN_C = (-273.15, 3000.0)
"""What such a controller, of which nothing else is known, can show."""


class RestingChamber(ClimateChamber):
    """A controller that is told temperatures and nothing else.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        resting: how it is driven.
        limits: of the workcell file.

    Raises:
        BadInput: a limit that this device does not have, or a resting temperature outside them.
    """

    def __init__(
        self, name: str, transport: Transport, *, resting: Resting, limits: Limits | None = None
    ) -> None:
        super().__init__(name, transport, limits=limits)
        lowest, highest = self._allowed["temperature_c"]
        if not lowest <= resting.rest_c <= highest:
            raise BadInput(
                f"Its resting temperature, {resting.rest_c:g} C, is outside its limits.",
                field="settings.rest_c",
            )
        self._resting = resting

    def _keep_s(self, command: Keep, bench: Bench | None) -> float:
        way_s = abs(command.temperature_c - self._resting.rest_c) / self._resting.rate_c_per_s
        return way_s + SETTLING_S + self._resting.steady_s + command.hold_s

    async def _reach(self, command: Keep) -> None:
        """There is a temperature that stays; a controller may swing through its set point before it settles."""
        await self._tell(command.temperature_c)
        self._told = True
        since_s: float | None = None

        async def left_s() -> float:
            nonlocal since_s
            await self._check()
            now_s = asyncio.get_running_loop().time()
            gap_c = abs(command.temperature_c - await self.temperature_c.get_value(cached=False))
            if gap_c > self._resting.arrived_c:
                since_s = None
                return POLL_S + gap_c / self._resting.rate_c_per_s
            since_s = now_s if since_s is None else since_s
            return min(POLL_S, max(0.0, since_s + self._resting.steady_s - now_s))

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the chamber does not come to {command.temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _off(self) -> None:
        await self._tell(self._resting.rest_c)

    async def _check(self) -> None:
        """Whether it is still at what it was told, where it says so.

        Raises:
            DeviceFault: it has given up.
        """

    @abstractmethod
    async def _tell(self, temperature_c: float) -> None:
        """Tell it a temperature.

        Raises:
            DeviceFault: it did not take it.
        """
