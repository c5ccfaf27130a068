"""How blocks, wells and plates follow a set temperature.

Block: the controller drives at its full ramp rate and settles exponentially at the end. Well: first order behind the
block. Figures of 96-well cyclers: Veriti 0.2 mL block 3.9 C/s, sample 3.35 C/s, accuracy 0.25 C, uniformity under
0.5 C 20 s after reaching 95 C (Applied Biosystems specification sheet COL04273); Techne TC-312 3.6 C/s up, 2.0 C/s
down, uniformity 0.4 C at 72 C and 1.0 C at 95 C (its data sheet).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from digital_twin.physics.plate import COLUMNS, ROWS, rim_profile

__all__ = [
    "air_time_constant_s",
    "block_pattern_c",
    "block_temperature_c",
    "plate_pattern_c",
    "time_to_reach_s",
    "well_temperature_c",
    "well_time_constant_s",
]

FloatArray = npt.NDArray[np.float64]

HEATING_C_PER_S = 3.6
COOLING_C_PER_S = 2.0
SETTLING_S = 3.0
"""Time constant of the controller's approach to its target: a choice; cyclers settle within 10 to 20 s."""


def block_temperature_c(
    *,
    elapsed_s: float,
    start_c: float,
    set_c: float,
    heating_c_per_s: float = HEATING_C_PER_S,
    cooling_c_per_s: float = COOLING_C_PER_S,
    settling_s: float = SETTLING_S,
) -> float:
    """Temperature of a block some time after it was told a new one.

    Solves ``dT/dt = clip((set - T) / settling, -cooling, heating)``: a straight ramp, then an exponential approach
    without overshoot. Exact, so two half steps equal one whole.

    Args:
        elapsed_s: since the block stood at ``start_c`` and was set to ``set_c``; 0 or more.
    """
    gap = set_c - start_c
    rate = heating_c_per_s if gap > 0.0 else cooling_c_per_s
    ramp_s = max(0.0, abs(gap) / rate - settling_s)
    if elapsed_s <= ramp_s:
        return float(start_c + np.sign(gap) * rate * elapsed_s)
    remaining = gap - np.sign(gap) * rate * ramp_s
    return float(set_c - remaining * np.exp(-(elapsed_s - ramp_s) / settling_s))


def time_to_reach_s(
    *,
    start_c: float,
    set_c: float,
    tolerance_c: float = 0.5,
    heating_c_per_s: float = HEATING_C_PER_S,
    cooling_c_per_s: float = COOLING_C_PER_S,
    settling_s: float = SETTLING_S,
) -> float:
    """How long :func:`block_temperature_c` takes to come within a tolerance of the set temperature and stay there."""
    gap = abs(set_c - start_c)
    if gap <= tolerance_c:
        return 0.0
    rate = heating_c_per_s if set_c > start_c else cooling_c_per_s
    ramp_s = max(0.0, gap / rate - settling_s)
    remaining = gap - rate * ramp_s
    if remaining <= tolerance_c:
        return (gap - tolerance_c) / rate
    return float(ramp_s + settling_s * np.log(remaining / tolerance_c))


def well_temperature_c(
    *, well_c: float, block_start_c: float, block_end_c: float, duration_s: float, time_constant_s: float
) -> float:
    """Temperature of a well's liquid after an interval over which its surroundings change linearly.

    The exact solution of ``dT/dt = (T_block - T) / tau`` (Newton's law of cooling), so steps compose.

    Args:
        well_c: at the beginning.
        block_start_c, block_end_c: of the block (or the air) at the beginning and the end.
        time_constant_s: :func:`well_time_constant_s` in a block, :func:`air_time_constant_s` in an incubator.
    """
    elapsed = duration_s / time_constant_s
    if elapsed <= 0.0:
        return well_c
    # Written with (1 - exp(-x)) / x, which stays near 1 for the shortest of intervals where a slope would overflow.
    share = float(-np.expm1(-elapsed) / elapsed)
    left = (well_c - block_start_c) * float(np.exp(-elapsed))
    return block_end_c + left - (block_end_c - block_start_c) * share


def well_time_constant_s(*, volume_ul: float) -> float:
    """Lag of the liquid in a thin-walled PCR well behind its block, s.

    Heat capacity grows with the volume and the wetted cone with its 2/3 power, so the lag grows with the cube root. 5 s
    at 25 uL is a choice in keeping with cyclers whose samples ramp at 86 % of the block's rate (Veriti, above) and
    whose makers let samples settle for 5 to 15 s.
    """
    return float(5.0 * np.cbrt(max(volume_ul, 1.0) / 25.0))


def air_time_constant_s(*, edge_exposure: int) -> float:
    """Lag of a microplate's well behind the air of an incubator or reader, s.

    900 s in the interior, a quarter shorter for each plate edge the well touches. That plates warmed unevenly show an
    edge effect is the finding of Lundholt, Scudder & Pagliaro 2003, J. Biomol. Screen. 8:566; the figures are a choice.
    """
    return float(900.0 * 0.75**edge_exposure)


def block_pattern_c(*, rng: np.random.Generator, uniformity_c: float = 0.5, at_c: float = 95.0) -> FloatArray:
    """How far each well's seat is from the block's mean, per degree above 25 C: 8 x 12, drawn once for a block.

    Multiply by ``(block temperature - 25)`` to have the offset in degrees. Two thirds of the stated uniformity (highest
    less lowest well at ``at_c``) is a cold rim, the rest this block's own uneven contact; the sum is scaled to it.
    """
    rim = -rim_profile(rows=ROWS, columns=COLUMNS)
    own = rng.normal(0.0, 1.0, size=(ROWS, COLUMNS))
    # Neighbouring seats share a Peltier element, so unevenness is smooth: average over 3 x 3 seats.
    padded = np.pad(own, 1, mode="edge")
    smooth = sum(padded[r : r + ROWS, c : c + COLUMNS] for r in range(3) for c in range(3)) / 9.0
    pattern = 2.0 * rim / np.ptp(rim) + smooth / np.ptp(smooth)
    scaled: FloatArray = (pattern - pattern.mean()) / np.ptp(pattern) * uniformity_c / (at_c - 25.0)
    return scaled


def plate_pattern_c(*, air_c: float, room_c: float = 22.0, uniformity_c: float = 0.5) -> FloatArray:
    """Steady offset of each well from the mean of a plate in a warm chamber: 8 x 12, degrees, rim colder.

    ``uniformity_c``: highest less lowest well at 37 C in a 22 C room; 0.5 C is what makers of plate incubators and
    readers commonly state. Scales with the difference from the room, and turns around in a cooled chamber.
    """
    rim = -rim_profile(rows=ROWS, columns=COLUMNS)
    offsets: FloatArray = (rim - rim.mean()) / np.ptp(rim) * uniformity_c * (air_c - room_c) / 15.0
    return offsets
