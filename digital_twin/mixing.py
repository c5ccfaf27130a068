"""How a liquid that was added to a well spreads through it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from digital_twin.wells import Wells

__all__ = ["critical_speed_rpm", "mixed_by_pipetting", "unmixed_after"]

FloatArray = npt.NDArray[np.float64]

_SURFACE_TENSION_N_PER_M = 0.072
_DENSITY_KG_PER_M3 = 1000.0
_ORBIT_MM = 2.0
"""Of the shaker: 2 mm for the BioShake family (data sheet)."""
_STILL_S, _SHAKEN_S = 1200.0, 15.0
"""Time constants of mixing by diffusion and convection in a still well some millimetres deep, and above the critical
speed. Choices: a layered plate needs most of an hour on the bench, and about a minute on a shaker."""


def critical_speed_rpm(
    *, volume_ul: FloatArray, diameter_mm: float, orbit_mm: float = _ORBIT_MM
) -> FloatArray:
    """Shaking speed above which the liquid in a well moves at all, against its surface tension.

    ``n = sqrt(sigma D / (4 pi V rho d))``: Hermann, Lehmann & Buechs 2003, Biotechnol. Bioeng. 81:178. About 750 rpm
    for 100 uL in a PCR plate.
    """
    volume_m3 = np.maximum(volume_ul, 1.0) * 1e-9
    surface_n = _SURFACE_TENSION_N_PER_M * diameter_mm * 1e-3
    speed: FloatArray = 60.0 * np.sqrt(
        surface_n / (4.0 * np.pi * volume_m3 * _DENSITY_KG_PER_M3 * orbit_mm * 1e-3)
    )
    return speed


def unmixed_after(wells: Wells, *, duration_s: float, shaking_rpm: float) -> FloatArray:
    """Share of each well still unmixed after a time on a shaker (0 rpm: standing still)."""
    if not np.any(wells.unmixed):
        return wells.unmixed
    critical = critical_speed_rpm(volume_ul=wells.volume_ul, diameter_mm=wells.shape.diameter_mm)
    constant = np.where(shaking_rpm >= critical, _SHAKEN_S, _STILL_S)
    left: FloatArray = wells.unmixed * np.exp(-duration_s / constant)
    return left


def mixed_by_pipetting(*, unmixed: float, volume_ul: float, stroke_ul: float, cycles: int) -> float:
    """Share of a well still unmixed after drawing up and returning part of it some times.

    Each cycle blends the share of the well that it moves; half the volume five times leaves 3 %, in keeping with the
    usual advice of five to ten strokes of half the volume.
    """
    if volume_ul <= 0.0:
        return 0.0
    moved = min(1.0, stroke_ul / volume_ul)
    return float(unmixed * (1.0 - moved) ** cycles)
