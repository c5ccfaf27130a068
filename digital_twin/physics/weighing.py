"""What a balance shows: masses of labware and liquid, the buoyancy of air, zero drift, sensitivity, repeatability.

A balance is adjusted with steel weights in air, so it shows too little for what is lighter than steel (OIML R 111). Drift
and spread are those of an analytical balance of 220 g: some 0.05 mg/h of its zero, a sensitivity within a few millionths,
and a repeatability of 0.04 mg (round figures of such data sheets, from memory).
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "AQUEOUS_G_ML",
    "READABILITY_G",
    "labware_mass_g",
    "shown_g",
    "true_load_g",
    "zero_drift_g_per_h",
]

AQUEOUS_G_ML = 0.9978
"""Water at 22 C (Tanaka and others, Metrologia 2001, 38:301); what is dissolved in it weighs less than 1 % more."""

_AIR_G_ML = 0.0012
_STEEL_G_ML = 8.0
_PLASTIC_G_ML = 1.0
"""Between polypropylene (0.9) and polystyrene (1.05)."""

READABILITY_G = 0.00001

_REPEATABILITY_G = 0.00004
_DRIFT_G_PER_H = 0.00005
_SENSITIVITY_PPM = 3.0

_MASSES_G = {"plate": 24.0, "lid": 30.0, "trough": 32.0, "tip_rack": 90.0}
_MASS_CV = 0.01
"""Round masses of such labware, and how much pieces of a kind differ; choices."""


def labware_mass_g(kind: str, *, rng: np.random.Generator) -> float:
    """Mass of an empty piece of labware (plate, lid, trough, tip_rack), which it keeps for life.

    Args:
        rng: for this piece.
    """
    return _MASSES_G[kind] * (1.0 + float(rng.normal(0.0, _MASS_CV)))


def zero_drift_g_per_h(*, rng: np.random.Generator) -> float:
    """How fast a balance's zero runs away, which it keeps for life."""
    return float(rng.normal(0.0, _DRIFT_G_PER_H))


def true_load_g(*, plastic_g: float, liquid_ul: float, density_g_ml: float) -> float:
    """What a balance that is without fault shows for plastic and liquid in air, g."""
    liquid_g = liquid_ul / 1000.0 * density_g_ml
    calibrated = 1.0 - _AIR_G_ML / _STEEL_G_ML
    lifted_g = plastic_g * (1.0 - _AIR_G_ML / _PLASTIC_G_ML) + liquid_g * (1.0 - _AIR_G_ML / density_g_ml)
    return lifted_g / calibrated


def shown_g(
    load_g: float,
    *,
    zero_g: float,
    drift_g: float,
    sensitivity_rng: np.random.Generator,
    rng: np.random.Generator,
) -> float:
    """What the balance shows for a load, in its steps.

    Args:
        zero_g: load that it took for zero.
        drift_g: of its zero since.
        sensitivity_rng: for this balance, which keeps its sensitivity for life.
        rng: for this weighing.
    """
    sensitivity = 1.0 + 1e-6 * float(sensitivity_rng.normal(0.0, _SENSITIVITY_PPM))
    seen = (load_g - zero_g) * sensitivity + drift_g + float(rng.normal(0.0, _REPEATABILITY_G))
    return round(seen / READABILITY_G) * READABILITY_G
