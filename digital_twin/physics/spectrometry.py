"""Light of a lamp through a well, and what an optical spectrum analyzer makes of it.

The lamp is a tungsten halogen lamp, a grey body at 2,900 K (Planck's law), whose light is led through the well and to
the analyzer in fibres. The analyzer shows power by wavelength at its resolution. Its floor depends on the sensitivity it is
set to: Yokogawa states -80 dBm for the AQ6373B at its highest in the middle of the visible, and about -60 dBm at the usual
one (data sheet, quoted from memory; 1 s to some 100 s for a sweep). It shows no more than +20 dBm.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

__all__ = ["CEILING_W", "SWEEP_S", "Sensitivity", "floor_w", "measured_power_w", "transmitted_power_w"]

FloatArray = npt.NDArray[np.float64]

_PLANCK_J_S, _LIGHT_M_PER_S, _BOLTZMANN_J_PER_K = 6.62607015e-34, 2.99792458e8, 1.380649e-23
_LAMP_K = 2900.0
_PEAK_W = 1e-6
"""Power at the analyzer within its resolution at the lamp's brightest wavelength, through air: -30 dBm, what a 100 W lamp
leaves in a fibre of 200 um. A choice."""

CEILING_W = 0.1
"""+20 dBm."""

_GAIN_CV = 0.002
"""Spread of the lamp from one sweep to the next, common to all wavelengths; a choice."""


class Sensitivity(StrEnum):
    """Settings of the analyzer, fastest first."""

    NORMAL = "NORM"
    MID = "MID"
    HIGH1 = "HIGH1"
    HIGH2 = "HIGH2"
    HIGH3 = "HIGH3"


_FLOOR_DBM = {
    Sensitivity.NORMAL: -60.0,
    Sensitivity.MID: -65.0,
    Sensitivity.HIGH1: -70.0,
    Sensitivity.HIGH2: -75.0,
    Sensitivity.HIGH3: -80.0,
}

SWEEP_S = {
    Sensitivity.NORMAL: 0.5,
    Sensitivity.MID: 1.0,
    Sensitivity.HIGH1: 5.0,
    Sensitivity.HIGH2: 20.0,
    Sensitivity.HIGH3: 75.0,
}
"""Time of a sweep over 100 nm; of the right order of size, a choice."""


def floor_w(sensitivity: Sensitivity) -> float:
    """Noise of one sweep at one wavelength, as a standard deviation of power."""
    return float(1e-3 * 10.0 ** (_FLOOR_DBM[sensitivity] / 10.0))


def transmitted_power_w(*, wavelength_nm: FloatArray, absorbance: FloatArray) -> FloatArray:
    """Power that reaches the analyzer, n numbers for n wavelengths: lamp x 10^-A."""
    power: FloatArray = _PEAK_W * _grey_body(wavelength_nm) * 10.0**-absorbance
    return power


def measured_power_w(
    *, true_w: FloatArray, sensitivity: Sensitivity, averages: int, rng: np.random.Generator
) -> FloatArray:
    """What the analyzer shows: lamp and floor spread it, the offset of its detector is taken out, its range ends it.

    Averaging n sweeps divides the floor by the square root of n (independent noise). A power below the floor may come out
    negative on a linear scale, as on the instrument.

    Args:
        rng: one normal deviate, and one for each wavelength.
    """
    lamp = 1.0 + rng.normal(0.0, _GAIN_CV)
    spread = floor_w(sensitivity) / np.sqrt(averages)
    seen: FloatArray = np.minimum(lamp * true_w + rng.normal(0.0, spread, size=true_w.size), CEILING_W)
    return seen


def _grey_body(wavelength_nm: FloatArray) -> FloatArray:
    """Planck's law by wavelength at the lamp's temperature, 1 at its highest point."""
    # Wien's displacement: the highest point lies at 2.8978 mm K / T.
    peak_nm = np.array([2.897771955e6 / _LAMP_K])
    shape: FloatArray = _planck(wavelength_nm) / _planck(peak_nm)
    return shape


def _planck(wavelength_nm: FloatArray) -> FloatArray:
    wavelength_m = wavelength_nm * 1e-9
    exponent = _PLANCK_J_S * _LIGHT_M_PER_S / (wavelength_m * _BOLTZMANN_J_PER_K * _LAMP_K)
    power: FloatArray = wavelength_m**-5 / np.expm1(exponent)
    return power
