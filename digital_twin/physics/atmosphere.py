"""How the air of a chamber follows what is set: carbon dioxide and humidity.

A chamber is one well-mixed volume (its fan sees to that), so either approaches its end exponentially: the mass balance of
a stirred tank. The time constants are choices. Makers of incubators state 3 to 10 minutes until the set values are back
after a door was opened for 30 s, which 120 s gives for the last few percent; an open door changes the air within moments;
and a shut chamber that controls nothing leaks slowly.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CONTROLLED_S", "DOOR_OPEN_S", "LEAK_S", "ROOM_CO2_PERCENT", "approach", "mean_over"]

ROOM_CO2_PERCENT = 0.043
"""Of outdoor air, 430 ppm in 2026 (NOAA Global Monitoring Laboratory)."""

CONTROLLED_S = 120.0
DOOR_OPEN_S = 15.0
LEAK_S = 3600.0


def approach(*, elapsed_s: float, start: float, end: float, time_constant_s: float) -> float:
    """Value of a well-mixed volume some time after it stood at ``start``, on its way to ``end``."""
    return float(end + (start - end) * np.exp(-elapsed_s / time_constant_s))


def mean_over(*, begin_s: float, end_s: float, start: float, end: float, time_constant_s: float) -> float:
    """Mean of :func:`approach` from one elapsed time to another; the integral of the exponential."""
    length_s = end_s - begin_s
    if length_s <= 0.0:
        return approach(elapsed_s=begin_s, start=start, end=end, time_constant_s=time_constant_s)
    fall = np.exp(-begin_s / time_constant_s) * -np.expm1(-length_s / time_constant_s)
    return float(end + (start - end) * fall * time_constant_s / length_s)
