"""Air in the places that control it: carbon dioxide and humidity as closed formulas, to be asked at any time."""

from __future__ import annotations

from dataclasses import dataclass

from digital_twin.physics import atmosphere

__all__ = ["Atmosphere"]

ROOM_HUMIDITY_PERCENT = 40.0
"""As of the seats of a bench, :mod:`digital_twin.thermal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Atmosphere:
    """Air of a place since something about it was last changed.

    Args:
        since_s: lab time of that.
        start_co2_percent, start_humidity_percent: at that time.
        co2_percent, humidity_percent: what is set; None where the control is off.
        open: whether the door lets the room's air in, whatever is set.
    """

    since_s: float
    start_co2_percent: float = atmosphere.ROOM_CO2_PERCENT
    start_humidity_percent: float = ROOM_HUMIDITY_PERCENT
    co2_percent: float | None = None
    humidity_percent: float | None = None
    open: bool = True

    def co2_at(self, time_s: float) -> float:
        """Carbon dioxide, percent by volume, at a time not before ``since_s``."""
        end, constant_s = self._way(self.co2_percent, atmosphere.ROOM_CO2_PERCENT)
        return atmosphere.approach(
            elapsed_s=max(0.0, time_s - self.since_s),
            start=self.start_co2_percent,
            end=end,
            time_constant_s=constant_s,
        )

    def humidity_at(self, time_s: float) -> float:
        """Relative humidity, percent."""
        end, constant_s = self._way(self.humidity_percent, ROOM_HUMIDITY_PERCENT)
        return atmosphere.approach(
            elapsed_s=max(0.0, time_s - self.since_s),
            start=self.start_humidity_percent,
            end=end,
            time_constant_s=constant_s,
        )

    def mean_humidity(self, begin_s: float, end_s: float) -> float:
        """Relative humidity, percent, on the mean from one time to another."""
        end, constant_s = self._way(self.humidity_percent, ROOM_HUMIDITY_PERCENT)
        return atmosphere.mean_over(
            begin_s=max(0.0, begin_s - self.since_s),
            end_s=max(0.0, end_s - self.since_s),
            start=self.start_humidity_percent,
            end=end,
            time_constant_s=constant_s,
        )

    def changed(
        self, time_s: float, *, co2_percent: float | None, humidity_percent: float | None, open_: bool
    ) -> Atmosphere:
        """The air from a time on, at which something else is set or the door moved."""
        return Atmosphere(
            since_s=time_s,
            start_co2_percent=self.co2_at(time_s),
            start_humidity_percent=self.humidity_at(time_s),
            co2_percent=co2_percent,
            humidity_percent=humidity_percent,
            open=open_,
        )

    def _way(self, told: float | None, room: float) -> tuple[float, float]:
        """Where a value goes, and its time constant."""
        if self.open:
            return room, atmosphere.DOOR_OPEN_S
        return (room, atmosphere.LEAK_S) if told is None else (told, atmosphere.CONTROLLED_S)
