"""What a pump of the twin keeps in its memory: counters, settings, and the run under way."""

from __future__ import annotations

from typing import Any

from digital_twin.world import World

__all__ = ["Memory"]


class Memory:
    """Kept by the world, so it outlives the object that answers for the pump.

    Args:
        world: the pump stands in.
        name: of the pump; keys its actions on the ledger.
    """

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def kept(self, name: str, default: Any) -> Any:
        """What was kept under a name; the default where nothing was."""
        return self._world.state.memory.get(self._name, {}).get(name, default)

    def remember(self, **values: Any) -> None:
        """Keep values; what is as it was leaves no trace on the ledger."""
        kept = self._world.state.memory.get(self._name, {})
        if any(name not in kept or kept[name] != value for name, value in values.items()):
            self._world.act(self._name, "remember", values=values)
