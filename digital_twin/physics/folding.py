"""Two-state unfolding, N <-> U, by the Gibbs-Helmholtz equation.

``dG_unfold(T) = dHm (1 - T/Tm) + dCp (T - Tm - T ln(T/Tm))``, temperatures in kelvin: Becktel & Schellman 1987,
Biopolymers 26:1859. Positive means that the native state is the stable one.

**What a measured ddG does at another temperature.** ``ddg_kcal_per_mol`` is dG_unfold of the variant less that of the
wild type, positive when the variant is MORE stable. It is measured near 25 C and used at every temperature as it
stands. That is the choice of an enthalpic mutation: ddH = ddG, ddS = 0, ddCp = 0. (An entropic one would grow as
T / 298 K, by 17 % at 75 C; measured mutations lie between and beyond, and the measurement says nothing about which.)
To first order it moves the midpoint by ``ddG Tm / dHm`` (Becktel & Schellman), 5.8 C per kcal/mol for protein G, which
is the large shift for a small energy that Alexander et al. 1992 point out for this domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "GAS_CONSTANT_KCAL_PER_MOL_K",
    "PROTEIN_G_B1",
    "ZERO_CELSIUS_K",
    "TwoStateProtein",
    "fraction_unfolded",
    "melting_temperature_c",
    "unfolding_free_energy_kcal_per_mol",
]

Value = TypeVar("Value", float, npt.NDArray[np.float64])
"""A float, or an array of them; all arguments of one call are of one kind, and so is the result."""

GAS_CONSTANT_KCAL_PER_MOL_K = 1.987204259e-3
ZERO_CELSIUS_K = 273.15


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoStateProtein:
    """Thermodynamics of unfolding of one protein.

    Attributes:
        melting_temperature_c: where half of it is unfolded, dG = 0.
        enthalpy_kcal_per_mol: enthalpy of unfolding at the melting temperature, dHm.
        heat_capacity_kcal_per_mol_k: heat capacity change on unfolding, dCp, constant in temperature.
    """

    melting_temperature_c: float
    enthalpy_kcal_per_mol: float
    heat_capacity_kcal_per_mol_k: float


PROTEIN_G_B1 = TwoStateProtein(
    melting_temperature_c=87.5, enthalpy_kcal_per_mol=61.7, heat_capacity_kcal_per_mol_k=0.715
)
"""Domain B1 of streptococcal protein G, wild type, pH 5.4.

Source: Alexander, Fahnestock, Lee, Orban & Bryan 1992, Biochemistry 31:3597, differential scanning calorimetry.
Verified against the paper's abstract: Tm = 87.5 C and dG(37 C) = 25 kJ/mol. Not verified against its tables:
dHm = 258 kJ/mol (61.7 kcal/mol); values quoted for this domain lie between about 240 and 270 kJ/mol. dCp is not a
quotation: it is what makes dG(37 C) equal the verified 25 kJ/mol with that Tm and dHm. It agrees with the mean of
globular proteins, about 14 cal/mol/K a residue or 0.78 kcal/mol/K for 56 residues (Robertson & Murphy 1997,
Chem. Rev. 97:1251). Over the plausible dHm the dG at 75 C moves by under 0.2 kcal/mol, and with it the residual
of every variant together; their order does not change.
"""


def unfolding_free_energy_kcal_per_mol(
    *, temperature_c: Value, ddg_kcal_per_mol: Value, protein: TwoStateProtein = PROTEIN_G_B1
) -> Value:
    """Free energy of unfolding of a variant, kcal/mol; positive when folded is favoured.

    Args:
        temperature_c: of the solution.
        ddg_kcal_per_mol: the variant's stability less the wild type's, positive = more stable; 0 for wild type.
        protein: the wild type.
    """
    temperature_k = temperature_c + ZERO_CELSIUS_K
    melting_k = protein.melting_temperature_c + ZERO_CELSIUS_K
    ratio = temperature_k / melting_k
    heat_capacity_term = temperature_k - melting_k - temperature_k * np.log(ratio)
    free_energy: Value = (
        protein.enthalpy_kcal_per_mol * (1.0 - ratio)
        + protein.heat_capacity_kcal_per_mol_k * heat_capacity_term
        + ddg_kcal_per_mol
    )
    return free_energy


def fraction_unfolded(
    *, temperature_c: Value, ddg_kcal_per_mol: Value, protein: TwoStateProtein = PROTEIN_G_B1
) -> Value:
    """Share of the molecules that are unfolded at equilibrium, 0 to 1: ``K / (1 + K)``, ``K = exp(-dG / RT)``."""
    free_energy = unfolding_free_energy_kcal_per_mol(
        temperature_c=temperature_c, ddg_kcal_per_mol=ddg_kcal_per_mol, protein=protein
    )
    thermal = GAS_CONSTANT_KCAL_PER_MOL_K * (temperature_c + ZERO_CELSIUS_K)
    # tanh is the logistic function without overflow, however large the free energy.
    fraction: Value = 0.5 * (1.0 - np.tanh(0.5 * free_energy / thermal))
    return fraction


def melting_temperature_c(*, ddg_kcal_per_mol: float, protein: TwoStateProtein = PROTEIN_G_B1) -> float:
    """Upper temperature at which half of the variant is unfolded.

    Found by bisection between the temperature of maximum stability and 227 C (500 K), past which no such variant exists.

    Raises:
        ValueError: the variant is unfolded at every temperature, or folded at 500 K.
    """
    # dG is greatest where its slope -dS vanishes: T* = Tm exp(-dHm / (Tm dCp)).
    melting_k = protein.melting_temperature_c + ZERO_CELSIUS_K
    exponent = protein.enthalpy_kcal_per_mol / (melting_k * protein.heat_capacity_kcal_per_mol_k)
    low, high = melting_k * float(np.exp(-exponent)) - ZERO_CELSIUS_K, 500.0 - ZERO_CELSIUS_K

    def stability(temperature_c: float) -> float:
        return unfolding_free_energy_kcal_per_mol(
            temperature_c=temperature_c, ddg_kcal_per_mol=ddg_kcal_per_mol, protein=protein
        )

    if stability(low) <= 0.0 or stability(high) >= 0.0:
        raise ValueError(
            f"a variant with ddG {ddg_kcal_per_mol} kcal/mol has no melting temperature below 227 C"
        )
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if stability(middle) > 0.0 else (low, middle)
    return 0.5 * (low + high)
