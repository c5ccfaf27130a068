"""Two-state unfolding of protein G against what was measured of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.physics.folding import (
    GAS_CONSTANT_KCAL_PER_MOL_K,
    PROTEIN_G_B1,
    fraction_unfolded,
    melting_temperature_c,
    unfolding_free_energy_kcal_per_mol,
)

temperatures = st.floats(min_value=-10.0, max_value=110.0)
ddgs = st.floats(min_value=-6.0, max_value=6.0)


def test_half_of_the_wild_type_is_unfolded_at_its_melting_temperature() -> None:
    assert fraction_unfolded(temperature_c=87.5, ddg_kcal_per_mol=0.0) == pytest.approx(0.5)


def test_stability_at_37_c_is_the_25_kj_per_mol_of_alexander_1992() -> None:
    free_energy = unfolding_free_energy_kcal_per_mol(temperature_c=37.0, ddg_kcal_per_mol=0.0)
    assert free_energy * 4.184 == pytest.approx(25.0, abs=0.5)


def test_the_slope_at_the_melting_temperature_is_minus_the_entropy_of_unfolding() -> None:
    above, below = (
        unfolding_free_energy_kcal_per_mol(temperature_c=87.5 + step, ddg_kcal_per_mol=0.0)
        for step in (0.01, -0.01)
    )
    assert (above - below) / 0.02 == pytest.approx(-PROTEIN_G_B1.enthalpy_kcal_per_mol / 360.65, rel=1e-4)


def test_heat_capacity_is_the_curvature_of_the_stability_curve() -> None:
    at = [
        unfolding_free_energy_kcal_per_mol(temperature_c=50.0 + step, ddg_kcal_per_mol=0.0)
        for step in (-1.0, 0.0, 1.0)
    ]
    curvature = at[0] - 2.0 * at[1] + at[2]
    assert -curvature * 323.15 == pytest.approx(PROTEIN_G_B1.heat_capacity_kcal_per_mol_k, rel=1e-3)


def test_ddg_moves_the_melting_temperature_as_becktel_and_schellman_say() -> None:
    shift = melting_temperature_c(ddg_kcal_per_mol=0.2) - melting_temperature_c(ddg_kcal_per_mol=0.0)
    assert shift == pytest.approx(0.2 * 360.65 / PROTEIN_G_B1.enthalpy_kcal_per_mol, rel=0.02)


def test_four_known_mutations_together_melt_above_100_c_as_the_hyperthermophilic_variant_does() -> None:
    combined = 1.011 + 0.8377 + 0.6153 + 0.681
    assert melting_temperature_c(ddg_kcal_per_mol=combined) > 100.0


@pytest.mark.parametrize("ddg", [-20.0, 60.0])
def test_a_variant_without_a_melting_temperature_is_refused(ddg: float) -> None:
    with pytest.raises(ValueError, match="no melting temperature"):
        melting_temperature_c(ddg_kcal_per_mol=ddg)


@given(ddg=st.floats(min_value=-5.0, max_value=6.0))
def test_the_melting_temperature_is_where_the_free_energy_vanishes(ddg: float) -> None:
    melting = melting_temperature_c(ddg_kcal_per_mol=ddg)
    free_energy = unfolding_free_energy_kcal_per_mol(temperature_c=melting, ddg_kcal_per_mol=ddg)
    assert free_energy == pytest.approx(0.0, abs=1e-9)


@given(temperature=temperatures, ddg=ddgs)
def test_the_unfolded_fraction_obeys_the_law_of_mass_action(temperature: float, ddg: float) -> None:
    fraction = fraction_unfolded(temperature_c=temperature, ddg_kcal_per_mol=ddg)
    free_energy = unfolding_free_energy_kcal_per_mol(temperature_c=temperature, ddg_kcal_per_mol=ddg)
    constant = np.exp(-free_energy / (GAS_CONSTANT_KCAL_PER_MOL_K * (temperature + 273.15)))
    assert 0.0 <= fraction <= 1.0
    assert fraction == pytest.approx(constant / (1.0 + constant), rel=1e-6, abs=1e-14)


@given(temperature=temperatures, ddg=ddgs, gain=st.floats(min_value=0.01, max_value=3.0))
def test_a_more_stable_variant_is_less_unfolded(temperature: float, ddg: float, gain: float) -> None:
    less = fraction_unfolded(temperature_c=temperature, ddg_kcal_per_mol=ddg + gain)
    assert less < fraction_unfolded(temperature_c=temperature, ddg_kcal_per_mol=ddg)


def test_arrays_of_variants_give_what_each_variant_gives_alone() -> None:
    variants = np.array([-3.0, 0.0, 1.9])
    together = fraction_unfolded(temperature_c=np.full(3, 75.0), ddg_kcal_per_mol=variants)
    alone = [fraction_unfolded(temperature_c=75.0, ddg_kcal_per_mol=float(ddg)) for ddg in variants]
    np.testing.assert_allclose(together, alone)
