"""Irreversible loss of protein by proteolysis of its unfolded state: N <-> U -> I.

Protein G refolds when it is cooled (Alexander et al. 1992, Biochemistry 31:3597), so heat alone leaves no trace to
measure. The challenge therefore runs in thermolysin, a protease that stays active hot and cuts only chains that are
unfolded (pulse proteolysis: Park & Marqusee 2005, Nat. Methods 2:207; in a thermal cycler: FASTpp, Minde, Maurice &
Ruediger 2012, PLoS ONE 7:e46147). What survives is what stayed folded; EDTA takes the calcium and zinc and ends it.

**Rate law.** Folding equilibrates much faster than the protease cuts (the EX2 limit of hydrogen exchange and
proteolysis; protein G folds within milliseconds: Park, Shastry & Roder 1999, Nat. Struct. Biol. 6:943), so

    d ln(native) / dt = - f_U(T) k_i(T),    k_i(T) = [thermolysin] kcat/KM(T),

with f_U from :mod:`.folding`, and kcat/KM by the Eyring equation (Eyring 1935, J. Chem. Phys. 3:107).

**Numbers.** kcat/KM at 25 C is set so that the published pulse (0.2 mg/mL, 5.8 umol/L, one minute) cuts 99 % of an
unfolded protein, as it is designed to; 1e3 to 1e5 L/mol/s is usual for good protein substrates. The activation
enthalpy of 12 kcal/mol is a typical value for an enzyme (range 8 to 16), not measured for this pair. The thermolysin
concentration is the assay's own choice: 0.2 umol/L (7 ug/mL) leaves the wild type about one sixth after 10 minutes at
75 C. An error of kcat/KM or of its enthalpy is therefore the same as another choice of the concentration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from digital_twin.physics.folding import (
    GAS_CONSTANT_KCAL_PER_MOL_K,
    PROTEIN_G_B1,
    ZERO_CELSIUS_K,
    TwoStateProtein,
    fraction_unfolded,
)

__all__ = [
    "ASSAY_THERMOLYSIN_UMOL_L",
    "CHALLENGE_DURATION_S",
    "CHALLENGE_TEMPERATURE_C",
    "THERMOLYSIN",
    "Protease",
    "active_protease_fraction",
    "cleavage_rate_per_s",
    "protease_half_life_s",
    "protease_survival",
    "survival_of_history",
    "survival_over_interval",
]

FloatArray = npt.NDArray[np.float64]
Value = TypeVar("Value", float, npt.NDArray[np.float64])

ASSAY_THERMOLYSIN_UMOL_L = 0.2
"""Thermolysin in the challenge buffer. A chosen assay condition, see the module's docstring."""
CHALLENGE_TEMPERATURE_C = 75.0
"""Recommended challenge: the wild type keeps about 17 %, the most stable measured single mutant 89 %."""
CHALLENGE_DURATION_S = 600.0

_REFERENCE_K = 298.15
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_PANEL_C = 5.0
"""Widest temperature span of one 8-point Gauss panel: the integral is then right to better than 1e-9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protease:
    """How fast a protease cuts an unfolded chain.

    Attributes:
        efficiency_l_per_mol_s: kcat/KM on the unfolded state at 25 C.
        activation_enthalpy_kcal_per_mol: of kcat/KM, in the Eyring equation.
    """

    efficiency_l_per_mol_s: float
    activation_enthalpy_kcal_per_mol: float


THERMOLYSIN = Protease(efficiency_l_per_mol_s=1.3e4, activation_enthalpy_kcal_per_mol=12.0)


def cleavage_rate_per_s(
    *, temperature_c: Value, protease_umol_l: float, protease: Protease = THERMOLYSIN
) -> Value:
    """First-order rate at which unfolded chains are cut, k_i in 1/s; proportional to the active protease.

    Eyring: ``k = (kB T / h) exp(dS*/R) exp(-dH*/RT)``, with dS* fixed by the rate at 25 C, so that only
    ``(T / T0) exp(-dH*/R (1/T - 1/T0))`` remains to compute.
    """
    temperature_k = temperature_c + ZERO_CELSIUS_K
    enthalpy = protease.activation_enthalpy_kcal_per_mol / GAS_CONSTANT_KCAL_PER_MOL_K
    speed_up = temperature_k / _REFERENCE_K * np.exp(enthalpy * (1.0 / _REFERENCE_K - 1.0 / temperature_k))
    rate: Value = protease_umol_l * 1e-6 * protease.efficiency_l_per_mol_s * speed_up
    return rate


def survival_over_interval(
    *,
    ddg_kcal_per_mol: Value,
    start_c: float,
    end_c: float,
    duration_s: float,
    protease_umol_l: float,
    wild_type: TwoStateProtein = PROTEIN_G_B1,
    protease: Protease = THERMOLYSIN,
) -> Value:
    """Share of the intact protein still intact after an interval of linearly changing temperature, 0 to 1.

    ``exp(-integral of f_U k_i dt)``. Multiply the shares of consecutive intervals to get the share of the whole.

    Args:
        ddg_kcal_per_mol: of the variant, positive = more stable; one float, or an array of variants.
        start_c, end_c: temperature of the liquid at the beginning and the end of the interval.
        duration_s: length of the interval.
        protease_umol_l: active protease during it; 0 leaves everything intact.

    Raises:
        ValueError: a negative duration or concentration.
    """
    if duration_s < 0.0 or protease_umol_l < 0.0:
        raise ValueError(
            f"duration {duration_s} s and protease {protease_umol_l} umol/L must not be negative"
        )
    panels = max(1, int(np.ceil(abs(end_c - start_c) / _PANEL_C)))
    positions = ((np.arange(panels)[:, None] + 0.5 * (_NODES + 1.0)[None, :]) / panels).ravel()
    weights = np.tile(_WEIGHTS, panels) / (2.0 * panels)
    temperatures = start_c + (end_c - start_c) * positions
    variants = np.asarray(ddg_kcal_per_mol, dtype=np.float64)
    grid_c, grid_ddg = np.broadcast_arrays(temperatures, variants[..., None])
    unfolded = fraction_unfolded(temperature_c=grid_c, ddg_kcal_per_mol=grid_ddg, protein=wild_type)
    rates = cleavage_rate_per_s(
        temperature_c=temperatures, protease_umol_l=protease_umol_l, protease=protease
    )
    survival: Value = np.exp(-duration_s * np.sum(unfolded * rates * weights, axis=-1))
    return survival


def survival_of_history(
    *,
    ddg_kcal_per_mol: Value,
    times_s: FloatArray,
    temperatures_c: FloatArray,
    protease_umol_l: float,
    wild_type: TwoStateProtein = PROTEIN_G_B1,
    protease: Protease = THERMOLYSIN,
) -> Value:
    """Share of the protein still intact after a temperature history, linear between its points.

    Args:
        times_s: n points, never decreasing; two equal times are a jump of temperature.
        temperatures_c: n, at those times.

    Raises:
        ValueError: lengths differ, fewer than two points, or time runs backwards.
    """
    if times_s.shape != temperatures_c.shape or times_s.ndim != 1 or times_s.size < 2:
        raise ValueError("a temperature history needs as many temperatures as times, and at least two")
    if np.any(np.diff(times_s) < 0.0):
        raise ValueError("the times of a temperature history must not decrease")
    stretches = [
        survival_over_interval(
            ddg_kcal_per_mol=ddg_kcal_per_mol,
            start_c=float(temperatures_c[index]),
            end_c=float(temperatures_c[index + 1]),
            duration_s=float(times_s[index + 1] - times_s[index]),
            protease_umol_l=protease_umol_l,
            wild_type=wild_type,
            protease=protease,
        )
        for index in range(times_s.size - 1)
    ]
    survival: Value = np.prod(np.stack(stretches), axis=0)
    return survival


_HALF_LIFE_C = np.array([80.0, 85.0, 90.0])
_HALF_LIFE_MIN = np.array([95.0, 45.0, 16.0])


def protease_half_life_s(*, temperature_c: float) -> float:
    """Half-life of thermolysin itself in 10 mmol/L calcium.

    Source: Modares J. Biotechnol. 2013, 4(1):85, "The effect of calcium on stability of thermolysin": over 95, 45 and
    16 minutes at 80, 85 and 90 C (without calcium 7, 3 and 1). Log-linear between the points and beyond them; the
    first is a lower bound, so below 85 C the protease loses somewhat more here than in truth.
    """
    logs = np.log(_HALF_LIFE_MIN * 60.0)
    # Beyond the table the slope of its nearest segment carries on; np.interp alone would hold the end value.
    segment = 0 if temperature_c < _HALF_LIFE_C[1] else 1
    slope = (logs[segment + 1] - logs[segment]) / (_HALF_LIFE_C[segment + 1] - _HALF_LIFE_C[segment])
    return float(np.exp(logs[segment] + slope * (temperature_c - _HALF_LIFE_C[segment])))


def protease_survival(*, temperature_c: float, duration_s: float) -> float:
    """Share of thermolysin still active after a time at one temperature, first order, 0 to 1."""
    return float(0.5 ** (duration_s / protease_half_life_s(temperature_c=temperature_c)))


def active_protease_fraction(*, edta_mmol_l: float, divalent_mmol_l: float) -> float:
    """Share of thermolysin that EDTA leaves active: 1 without EDTA, 0 once EDTA exceeds the divalent cations.

    EDTA binds calcium and zinc one to one, far tighter than thermolysin holds them (log K 10.7 and 16.5: Martell &
    Smith, Critical Stability Constants, 1974), so what counts is which of the two is in excess; in between the
    fraction falls in proportion to the cations that are left. Thermolysin needs one zinc to act and four calcium to
    stand (Holmes & Matthews 1982, J. Mol. Biol. 160:623).

    Args:
        edta_mmol_l: EDTA in the well.
        divalent_mmol_l: calcium and zinc together in the well.
    """
    if edta_mmol_l <= 0.0:
        return 1.0
    if divalent_mmol_l <= 0.0:
        return 0.0
    return max(0.0, 1.0 - edta_mmol_l / divalent_mmol_l)
