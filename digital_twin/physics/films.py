"""Thin films that were dried from dispersions: how they lose their last water, fuse, scatter, bleach and absorb."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from digital_twin.physics.kinetics import arrhenius_factor

__all__ = [
    "BLEACHING_KJ_PER_MOL",
    "BOUND_WATER_KJ_PER_MOL",
    "LIGHT_KJ_PER_MOL",
    "bleaching_per_s",
    "bound_water_loss_per_s",
    "film_absorbance",
    "scattering",
]

FloatArray = npt.NDArray[np.float64]

BOUND_WATER_KJ_PER_MOL = 44.0
"""Enthalpy of vaporisation of water at 25 C, 43.99 kJ/mol (CRC Handbook): the least that bound water costs to leave."""
_BOUND_WATER_HALF_LIFE_S = 300.0
_BOUND_WATER_AT_C = 120.0
"""Half of it is gone after 5 min at 120 C; by the activation energy after 9 h in a room. A choice: such films are dried in
minutes a little above 100 C."""

LIGHT_KJ_PER_MOL = 26.0
"""Effective activation energy of the photo-oxidation of P3HT films (Hintz et al. 2011, Chem. Mater. 23:145; from memory)."""

BLEACHING_KJ_PER_MOL = 110.0
_BLEACHED_PER_H = 0.01
_BLEACHING_AT_C = 140.0
"""Of thermo-oxidation in the dark: 1 % in an hour at 140 C, where such blends are annealed for minutes without harm. The
activation energy lies among those of the thermo-oxidation of polymers (80 to 140 kJ/mol). Choices."""

_SCATTERING_CM2_PER_MOL = 2.2e7
_SCATTERING_AT_NM = 550.0
"""Decadic extinction of unfused particles by scattering: 0.3 at 550 nm for 5 nmol on 0.37 cm2; a choice."""

_PMOL_TO_MOL, _MM2_TO_CM2, _L_TO_CM3 = 1e-12, 1e-2, 1e3


def bound_water_loss_per_s(temperature_c: FloatArray) -> FloatArray:
    """Rate constant with which a film loses its bound water, first order."""
    at_reference = np.log(2.0) / _BOUND_WATER_HALF_LIFE_S
    rate: FloatArray = at_reference * arrhenius_factor(
        temperature_c, activation_kj_per_mol=BOUND_WATER_KJ_PER_MOL, reference_c=_BOUND_WATER_AT_C
    )
    return rate


def bleaching_per_s(temperature_c: FloatArray) -> FloatArray:
    """Rate constant with which heat alone takes the colour of a film, first order."""
    at_reference = -np.log1p(-_BLEACHED_PER_H) / 3600.0
    rate: FloatArray = at_reference * arrhenius_factor(
        temperature_c, activation_kj_per_mol=BLEACHING_KJ_PER_MOL, reference_c=_BLEACHING_AT_C
    )
    return rate


def film_absorbance(
    *, extinction_l_per_mol_cm: FloatArray, amount_pmol: FloatArray, area_mm2: float
) -> FloatArray:
    """Beer-Lambert for an amount on an area: ``A = epsilon n / a``, decadic; how deep it lies makes no difference."""
    on_area = amount_pmol * _PMOL_TO_MOL / (area_mm2 * _MM2_TO_CM2)
    found: FloatArray = extinction_l_per_mol_cm * _L_TO_CM3 * on_area
    return found


def scattering(*, unfused_pmol: FloatArray, area_mm2: float, wavelength_nm: float) -> FloatArray:
    """Absorbance that particles much smaller than the wavelength feign: by Rayleigh's law as its inverse fourth power."""
    on_area = unfused_pmol * _PMOL_TO_MOL / (area_mm2 * _MM2_TO_CM2)
    found: FloatArray = _SCATTERING_CM2_PER_MOL * on_area * (_SCATTERING_AT_NM / wavelength_nm) ** 4
    return found
