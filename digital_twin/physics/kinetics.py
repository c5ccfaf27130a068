"""How fast enzymes turn substrate over, and what temperature makes of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import wrightomega

__all__ = ["arrhenius_factor", "substrate_left_umol_l"]

FloatArray = npt.NDArray[np.float64]

_GAS_CONSTANT_KJ_PER_MOL_K = 8.314e-3


def arrhenius_factor(
    temperature_c: FloatArray, *, activation_kj_per_mol: float, reference_c: float = 25.0
) -> FloatArray:
    """How many times faster a reaction runs than at the reference temperature: ``exp(-Ea/R (1/T - 1/T0))``."""
    kelvin, reference_k = temperature_c + 273.15, reference_c + 273.15
    factor: FloatArray = np.exp(
        -activation_kj_per_mol / _GAS_CONSTANT_KJ_PER_MOL_K * (1.0 / kelvin - 1.0 / reference_k)
    )
    return factor


def substrate_left_umol_l(
    *, substrate_umol_l: FloatArray, turnover_umol_l: FloatArray, km_umol_l: float
) -> FloatArray:
    """Substrate that is left when an enzyme has worked on it, by Michaelis and Menten's law integrated over time.

    ``S = Km W(S0/Km exp((S0 - V)/Km))`` with Lambert's W (Schnell & Mendoza 1997, J. Theor. Biol. 187:207), written with
    Wright's omega function, which does not overflow. Product does not inhibit, and the enzyme does not tire.

    Args:
        substrate_umol_l: at the start; 0 gives 0.
        turnover_umol_l: what the enzyme would have turned over if it had been saturated all the time: Vmax integrated.
        km_umol_l: above 0.
    """
    present = substrate_umol_l > 0.0
    start = np.where(present, substrate_umol_l, 1.0)
    left = km_umol_l * wrightomega(np.log(start / km_umol_l) + (start - turnover_umol_l) / km_umol_l)
    found: FloatArray = np.where(present, np.minimum(left, start), 0.0)
    return found
