"""The heated lid of a cycler, as every cycler of a world has it."""

from __future__ import annotations

import math

from digital_twin.world import World

__all__ = ["HeatedLid"]

ROOM_C = 22.0
COOLING_S = 600.0
"""Time constant of the lid's return to room temperature; no source."""


class HeatedLid:
    """The heater in the lid of a cycler. What it was told is kept by the world, and outlives this object.

    Args:
        world: the cycler stands in.
        name: of the cycler; keys its actions on the ledger.
        position: of its block.
        heating_c_per_s: how fast it warms.
    """

    def __init__(self, world: World, *, name: str, position: str, heating_c_per_s: float) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._heating_c_per_s = heating_c_per_s

    @property
    def target_c(self) -> float | None:
        """What it is to be at; None while it is off."""
        told = self._world.state.lid_heats.get(self._position)
        return None if told is None else told.target_c

    def temperature_c(self) -> float:
        """Now: linear up to its target, exponential back to the room."""
        told = self._world.state.lid_heats.get(self._position)
        if told is None:
            return ROOM_C
        elapsed_s = self._world.clock.now() - told.since_s
        if told.target_c is not None and told.target_c >= told.start_c:
            return min(told.target_c, told.start_c + self._heating_c_per_s * elapsed_s)
        floor_c = ROOM_C if told.target_c is None else told.target_c
        return floor_c + (told.start_c - floor_c) * math.exp(-elapsed_s / COOLING_S)

    def way_s(self, target_c: float) -> float:
        """How long it takes to get warm enough from here; 0 where it is."""
        return max(0.0, target_c - self.temperature_c()) / self._heating_c_per_s

    def tell(self, target_c: float) -> None:
        """Have it go to a temperature."""
        self._act(target_c)

    def let_go(self) -> None:
        """Turn it off. To tell what is off that it is off is no event."""
        if self.target_c is not None:
            self._act(None)

    def _act(self, target_c: float | None) -> None:
        self._world.act(
            self._name,
            "heat_lid",
            position=self._position,
            temperature_c=target_c,
            start_c=self.temperature_c(),
        )
