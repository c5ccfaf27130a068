"""Water lost from wells.

An open well loses water by diffusion through the still air above it (Stefan 1874; Bird, Stewart & Lightfoot,
Transport Phenomena, 2nd ed., section 18.2, dilute limit): ``rate = D A (p_well - p_room) / (R T L)``. The length L is
what the well's neighbours leave open: interior wells breathe air that the wells around them have already wetted, rim
wells drier air from outside. L is set on one report:
in an unlidded 96-well plate with 200 uL a well, 24 h in a reader at 37 C, some 110 uL a well had to be replaced,
4.6 uL/h, and the frame lost the most (iGEM Pavia 2009, methods page on evaporation). The ratios of interior to side
to corner are a choice.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from digital_twin.physics.folding import ZERO_CELSIUS_K

__all__ = [
    "Cover",
    "evaporated_volume_ul",
    "evaporation_rate_ul_per_h",
    "saturation_vapour_pressure_pa",
    "vapour_diffusivity_m2_per_s",
]

Cover = Literal["open", "lid", "seal"]
"""``open``: nothing on the plate. ``lid``: a loose lid. ``seal``: an auto-sealing lid or a film, pressed on."""

_GAS_CONSTANT_J_PER_MOL_K = 8.314462618
_WATER_UL_PER_MOL = 18.05e3
"""Molar volume of liquid water, uL (0.998 g/mL at 20 C; 2.3 % more at 75 C, far below the other uncertainties)."""

_DIFFUSION_LENGTH_MM: dict[int, float] = {0: 34.0, 1: 24.0, 2: 19.0}
"""By the number of plate edges that the well touches; see the module's docstring."""

_COVER_TRANSMISSION: dict[Cover, float] = {"open": 1.0, "lid": 0.2, "seal": 0.015}
"""Share of the open rate that a cover lets through. Choices: loose lids cut the loss some fivefold; a good seal on a
PCR plate loses about 1 uL in a two-hour run at mostly 60 to 95 C."""


def saturation_vapour_pressure_pa(*, temperature_c: float) -> float:
    """Vapour pressure of water, Pa: Buck 1981, J. Appl. Meteorol. 20:1527, as revised 1996; within 1 % to 95 C."""
    exponent = (18.678 - temperature_c / 234.5) * temperature_c / (257.14 + temperature_c)
    return float(611.21 * np.exp(exponent))


def vapour_diffusivity_m2_per_s(*, temperature_c: float) -> float:
    """Diffusivity of water vapour in air at 1 atm: 0.211 cm2/s (T / 273.15 K)^1.94, Hall & Pruppacher 1976.

    J. Atmos. Sci. 33:1995; measured to 40 C and extrapolated above.
    """
    return float(0.211e-4 * ((temperature_c + ZERO_CELSIUS_K) / ZERO_CELSIUS_K) ** 1.94)


def evaporation_rate_ul_per_h(
    *,
    temperature_c: float,
    edge_exposure: int,
    cover: Cover,
    well_diameter_mm: float = 6.4,
    room_temperature_c: float = 22.0,
    room_humidity: float = 0.4,
) -> float:
    """Water lost from one well, uL/h; never negative (condensation into cold wells is not modelled).

    Args:
        temperature_c: of the liquid.
        edge_exposure: 0 interior, 1 side, 2 corner (:func:`.plate.edge_exposure`).
        cover: what lies on the plate.
        well_diameter_mm: of the mouth; 6.4 for a 360 uL flat well, 5.5 for a 200 uL PCR well.
        room_temperature_c, room_humidity: of the air around; humidity 0 to 1.
    """
    area_m2 = np.pi * (well_diameter_mm * 0.5e-3) ** 2
    length_m = _DIFFUSION_LENGTH_MM[edge_exposure] * 1e-3
    outside_pa = room_humidity * saturation_vapour_pressure_pa(temperature_c=room_temperature_c)
    excess_pa = max(0.0, saturation_vapour_pressure_pa(temperature_c=temperature_c) - outside_pa)
    film_c = 0.5 * (temperature_c + room_temperature_c)
    mol_per_s = (
        vapour_diffusivity_m2_per_s(temperature_c=film_c)
        * area_m2
        * excess_pa
        / (_GAS_CONSTANT_J_PER_MOL_K * (film_c + ZERO_CELSIUS_K) * length_m)
    )
    return float(_COVER_TRANSMISSION[cover] * mol_per_s * _WATER_UL_PER_MOL * 3600.0)


def evaporated_volume_ul(
    *,
    volume_ul: float,
    duration_s: float,
    temperature_c: float,
    edge_exposure: int,
    cover: Cover,
    well_diameter_mm: float = 6.4,
    room_temperature_c: float = 22.0,
    room_humidity: float = 0.4,
) -> float:
    """Water that leaves a well in a time at one temperature, uL; at most what is in it."""
    rate = evaporation_rate_ul_per_h(
        temperature_c=temperature_c,
        edge_exposure=edge_exposure,
        cover=cover,
        well_diameter_mm=well_diameter_mm,
        room_temperature_c=room_temperature_c,
        room_humidity=room_humidity,
    )
    return min(volume_ul, rate * duration_s / 3600.0)
