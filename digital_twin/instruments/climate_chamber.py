"""A climate chamber over the world: air at a temperature, with carbon dioxide and humidity, a door, and a timer.

What it was told stands in the world's ledger, so it outlives this object: made again over a world that is warm, it goes on
until its timer is over. The timer is the chamber's own: at its end all control stops, at that moment and not when somebody
asks. A door that was moving when the object was given up stands where it stood.
"""

from __future__ import annotations

import asyncio

from digital_twin.atmosphere import Atmosphere
from digital_twin.world import World
from lab.types import JsonValue

__all__ = ["DOOR_S", "ChamberModel"]

DOOR_S = 5.0
"""Travel of the door; a choice."""

TIMER, BEGUN, ENDED = "timer_s", "timer_begun_s", "timer_ended_s"


class ChamberModel:
    """What a chamber does and shows, whatever protocol asks it.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: where its plate stands.
    """

    def __init__(self, world: World, *, name: str, position: str) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._ending: asyncio.TimerHandle | None = None
        self._moving: asyncio.TimerHandle | None = None
        self._moving_open = False

    # ------------------------------------------------------------------------------------------------------ air

    def air_c(self) -> float:
        """Temperature now."""
        return self._world.temperature_c(self._position)

    def set_c(self) -> float | None:
        """Temperature that is kept; None where the control is off."""
        return self._world.state.climates[self._position].set_c

    def heat(self, temperature_c: float | None) -> None:
        """Control the temperature, or stop to."""
        if temperature_c != self.set_c():
            self._act("set_temperature", temperature_c=temperature_c)

    def co2_percent(self) -> float:
        """Carbon dioxide now."""
        return self._air.co2_at(self._now())

    def humidity_percent(self) -> float:
        """Relative humidity now."""
        return self._air.humidity_at(self._now())

    def set_co2_percent(self) -> float | None:
        """Carbon dioxide that is kept; None where the control is off."""
        return self._air.co2_percent

    def set_humidity_percent(self) -> float | None:
        """Humidity that is kept; None where the control is off."""
        return self._air.humidity_percent

    def gas(self, co2_percent: float | None) -> None:
        """Control the carbon dioxide, or stop to."""
        if co2_percent != self.set_co2_percent():
            self._act("set_atmosphere", co2_percent=co2_percent, humidity_percent=self.set_humidity_percent())

    def humidify(self, humidity_percent: float | None) -> None:
        """Control the humidity, or stop to."""
        if humidity_percent != self.set_humidity_percent():
            self._act("set_atmosphere", co2_percent=self.set_co2_percent(), humidity_percent=humidity_percent)

    # ----------------------------------------------------------------------------------------------------- door

    def door(self) -> str:
        """``opened``, ``closed``, ``opening`` or ``closing``."""
        if self._moving is not None:
            return "opening" if self._moving_open else "closing"
        return "closed" if self._world.is_shut(self._position) else "opened"

    def move_door(self, *, open_: bool) -> None:
        """Begin to move the door; harmless where it is there, or on its way."""
        wanted = ("opened", "opening") if open_ else ("closed", "closing")
        if self.door() in wanted:
            return
        if self._moving is not None:
            self._moving.cancel()
        self._moving_open = open_
        self._moving = asyncio.get_running_loop().call_later(DOOR_S, self._door_arrives)

    def _door_arrives(self) -> None:
        self._moving = None
        if self._world.is_shut(self._position) is self._moving_open:
            self._act("move_door", shut=not self._moving_open)

    # ---------------------------------------------------------------------------------------------------- timer

    def timer_s(self) -> float:
        """What the timer runs to."""
        return self._number(TIMER) or 0.0

    def set_timer(self, duration_s: float) -> None:
        """Set the timer; it stands at its beginning then."""
        self._remember(**{TIMER: duration_s, BEGUN: None, ENDED: None})

    def timer_runs(self) -> bool:
        """Whether it counts."""
        return self._number(BEGUN) is not None and self._number(ENDED) is None

    def elapsed_s(self) -> float:
        """What it has counted since it was set or started."""
        begun, ended = self._number(BEGUN), self._number(ENDED)
        if begun is None:
            return 0.0
        elapsed_s = (self._now() if ended is None else ended) - begun
        # A sum and its difference are not the same number.
        return self.timer_s() if elapsed_s > self.timer_s() - 1e-6 else elapsed_s

    def start_timer(self) -> None:
        """Count from zero."""
        self._remember(**{BEGUN: self._now(), ENDED: None})
        self.wake()

    def stop_timer(self) -> None:
        """Stop counting, where it stands."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self.timer_runs():
            self._remember(**{ENDED: self._now()})

    def wake(self) -> None:
        """Wait for the end of a timer that runs; also of one that began before this object was made."""
        begun = self._number(BEGUN)
        if self._ending is None and begun is not None and self.timer_runs():
            left_s = max(0.0, begun + self.timer_s() - self._now())
            self._ending = asyncio.get_running_loop().call_later(left_s, self._timer_ends)

    def _timer_ends(self) -> None:
        self._ending = None
        begun = self._number(BEGUN)
        assert begun is not None, "a timer that ends has begun"
        ended: dict[str, JsonValue] = {ENDED: begun + self.timer_s()}
        # One action for both: no crash comes between the timer's end and what it ends.
        self._act("control", temperature_c=None, values=ended)
        self.gas(None)
        self.humidify(None)

    def rest(self) -> None:
        """Give the loop's timers up, as when its plug is pulled; what is on the ledger stays."""
        for handle in (self._ending, self._moving):
            if handle is not None:
                handle.cancel()
        self._ending = self._moving = None

    # ---------------------------------------------------------------------------------------------------- world

    @property
    def _air(self) -> Atmosphere:
        return self._world.state.atmospheres.get(self._position, Atmosphere(since_s=0.0))

    def _now(self) -> float:
        return self._world.clock.now()

    def _number(self, key: str) -> float | None:
        value = self._world.state.memory.get(self._name, {}).get(key)
        return float(value) if isinstance(value, int | float) else None

    def _remember(self, **values: JsonValue) -> None:
        self._world.act(self._name, "remember", values=values)

    def _act(self, action: str, **arguments: JsonValue) -> None:
        self._world.act(self._name, action, position=self._position, **arguments)
