"""From weighings to volumes, as pipettes are tested: ISO 8655-6.

A volume is the difference of two weighings of the same labware times a factor for the density of the liquid and the buoyancy
of air. What evaporates between the two is missing from it; with the same wait and no dispense it can be measured as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lab.errors import BadInput

__all__ = ["AIR_KG_M3", "Dispensed", "dispensed", "water_density_kg_m3", "z_factor_ul_per_mg"]

AIR_KG_M3 = 1.2
"""Air at 20 C, 1013 hPa and half its humidity (OIML R 111)."""

WEIGHTS_KG_M3 = 8000.0
"""What a balance is adjusted with: steel (OIML R 111)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensed:
    """A volume from two weighings.

    Args:
        volume_ul: brought between the two.
        standard_error_ul: from the repeatability of the balance alone.
    """

    volume_ul: float
    standard_error_ul: float


def water_density_kg_m3(temperature_c: float) -> float:
    """Density of air-free water at 1013 hPa, kg/m3.

    Source: Tanaka and others, Metrologia 2001, 38:301 (0 to 40 C).

    Raises:
        BadInput: outside 0 to 40 C.
    """
    if not 0.0 <= temperature_c <= 40.0:
        raise BadInput(
            f"The density of water is not known here at {temperature_c:g} C.",
            way_out="Use 0 to 40 C.",
            field="temperature_c",
        )
    t = temperature_c
    return 999.974950 * (1.0 - (t - 3.983035) ** 2 * (t + 301.797) / (522528.9 * (t + 69.34881)))


def z_factor_ul_per_mg(temperature_c: float, *, density_kg_m3: float | None = None) -> float:
    """Volume of liquid for each milligram that a balance shows, ul/mg: 1.0029 for water at 20 C.

    Args:
        temperature_c: of the liquid.
        density_kg_m3: of the liquid; None: of water at that temperature.
    """
    density = water_density_kg_m3(temperature_c) if density_kg_m3 is None else density_kg_m3
    return 1000.0 / (density - AIR_KG_M3) * (1.0 - AIR_KG_M3 / WEIGHTS_KG_M3)


def dispensed(
    before_g: float,
    after_g: float,
    *,
    repeatability_g: float,
    temperature_c: float,
    density_kg_m3: float | None = None,
) -> Dispensed:
    """What was brought into a piece of labware between two weighings; negative for what was taken out.

    Args:
        before_g, after_g: as the balance showed them.
        repeatability_g: standard deviation of one weighing.
        temperature_c: of the liquid.
        density_kg_m3: of the liquid; None: water.

    Raises:
        BadInput: a number that is none, or a negative repeatability.
    """
    if not all(map(math.isfinite, (before_g, after_g, repeatability_g))) or repeatability_g < 0.0:
        raise BadInput("A weighing is a finite number, and its repeatability is not negative.")
    z = z_factor_ul_per_mg(temperature_c, density_kg_m3=density_kg_m3)
    return Dispensed(
        volume_ul=1000.0 * (after_g - before_g) * z,
        standard_error_ul=1000.0 * math.sqrt(2.0) * repeatability_g * z,
    )
