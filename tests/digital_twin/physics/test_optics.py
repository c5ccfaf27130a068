"""Light through wells: geometry, absorbance, binding, fluorescence, detector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digital_twin.physics.optics import (
    FLUORESCENCE_DETECTOR,
    NBD_LABELLED_FC,
    absorbance,
    absorbance_reading,
    bound_complex_umol_l,
    fluorescence_reading_rfu,
    fluorescence_rfu,
    gain_factor,
    inner_filter_factor,
    path_length_mm,
    protein_extinction_l_per_mol_cm,
)

concentrations = st.floats(min_value=1e-6, max_value=1e3)


def test_a_cylinder_fills_in_proportion() -> None:
    depth = path_length_mm(volume_ul=200.0, bottom_diameter_mm=6.4, top_diameter_mm=6.4, depth_mm=10.7)
    assert depth == pytest.approx(200.0 / (np.pi * 3.2**2))


@given(
    fill=st.floats(min_value=0.0, max_value=1.0),
    bottom=st.floats(min_value=0.0, max_value=8.0),
    top=st.floats(min_value=0.5, max_value=8.0),
)
def test_the_depth_of_a_frustum_holds_exactly_the_volume(fill: float, bottom: float, top: float) -> None:
    assume(abs(top - bottom) > 1e-3)
    r1, r2 = bottom / 2.0, top / 2.0
    volume = fill * np.pi * 10.0 * (r1**2 + r1 * r2 + r2**2) / 3.0
    depth = path_length_mm(volume_ul=volume, bottom_diameter_mm=bottom, top_diameter_mm=top, depth_mm=10.0)
    surface = r1 + (r2 - r1) * depth / 10.0
    held = np.pi * depth * (r1**2 + r1 * surface + surface**2) / 3.0
    assert held == pytest.approx(volume, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("volume", [-1.0, 500.0])
def test_a_volume_that_the_well_cannot_hold_is_refused(volume: float) -> None:
    with pytest.raises(ValueError, match="the well holds"):
        path_length_mm(volume_ul=volume, bottom_diameter_mm=6.4, top_diameter_mm=6.4, depth_mm=10.7)


def test_protein_g_has_the_extinction_of_one_tryptophan_and_three_tyrosines() -> None:
    sequence = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
    assert protein_extinction_l_per_mol_cm(sequence=sequence) == 5500.0 + 3 * 1490.0


def test_beer_and_lambert_hold_for_a_centimetre() -> None:
    assert absorbance(
        extinction_l_per_mol_cm=10_000.0, concentration_umol_l=100.0, path_mm=10.0
    ) == pytest.approx(1.0)


def readings_of_absorbance(true: float, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(seed)
    return np.array([absorbance_reading(absorbance=true, rng=rng) for _ in range(400)])


def test_absorbance_is_read_truly_in_the_linear_range() -> None:
    readings = readings_of_absorbance(0.5)
    assert readings.mean() == pytest.approx(0.5, abs=0.002)
    assert 0.002 < readings.std() < 0.006


def test_stray_light_bends_high_absorbance_over() -> None:
    assert readings_of_absorbance(3.0).mean() < 2.97
    assert readings_of_absorbance(8.0).max() <= 4.0
    assert readings_of_absorbance(8.0).mean() == pytest.approx(-np.log10(2e-4), abs=0.05)


def test_dark_wells_read_noisier_than_clear_ones() -> None:
    assert readings_of_absorbance(3.5).std() > 5.0 * readings_of_absorbance(0.1).std()


@given(receptor=concentrations, ligand=concentrations, kd=concentrations)
def test_the_complex_obeys_mass_action_and_is_limited_by_both_partners(
    receptor: float, ligand: float, kd: float
) -> None:
    bound = bound_complex_umol_l(receptor_umol_l=receptor, ligand_umol_l=ligand, kd_umol_l=kd)
    assert 0.0 <= bound <= min(receptor, ligand) * (1.0 + 1e-9)
    free_product = (receptor - bound) * (ligand - bound)
    assert free_product == pytest.approx(kd * bound, rel=1e-5, abs=1e-6 * receptor * ligand)


def test_weak_binding_does_not_cancel_to_nothing() -> None:
    bound = bound_complex_umol_l(receptor_umol_l=1e-6, ligand_umol_l=1e-6, kd_umol_l=1e6)
    assert bound == pytest.approx(1e-18, rel=1e-6)


@given(first=st.floats(min_value=0.0, max_value=4.0), more=st.floats(min_value=0.01, max_value=1.0))
def test_the_inner_filter_only_ever_takes_light(first: float, more: float) -> None:
    assert inner_filter_factor(absorbance=first + more) < inner_filter_factor(absorbance=first) <= 1.0


def test_the_inner_filter_halves_light_where_it_should() -> None:
    assert inner_filter_factor(absorbance=0.0) == 1.0
    assert inner_filter_factor(absorbance=1.0) == pytest.approx(0.9 / np.log(10.0))


def well(bound: float, free: float, path_mm: float = 5.0, gain: float = 1000.0, other: float = 0.0) -> float:
    return fluorescence_rfu(
        bound_umol_l=bound, free_umol_l=free, path_mm=path_mm, gain=gain, other_absorbance=other
    )


def test_bound_reporter_is_brighter_than_free_by_the_ratio_of_quantum_yields() -> None:
    ratio = NBD_LABELLED_FC.quantum_yield_bound / NBD_LABELLED_FC.quantum_yield_free
    assert well(0.5, 0.0) / well(0.0, 0.5) == pytest.approx(ratio)


def test_fluorescence_is_linear_in_dilute_solution_and_bends_in_dense_solution() -> None:
    assert well(0.02, 0.0) / well(0.01, 0.0) == pytest.approx(2.0, rel=1e-3)
    assert well(200.0, 0.0) / well(100.0, 0.0) < 1.3
    assert well(0.1, 0.0, other=1.0) < 0.5 * well(0.1, 0.0)


def test_a_straight_well_that_dries_keeps_its_fluorescence() -> None:
    assert well(0.1, 0.0, path_mm=5.0) == pytest.approx(well(0.2, 0.0, path_mm=2.5), rel=1e-9)


def test_gain_grows_as_the_seventh_power() -> None:
    assert gain_factor(gain=2000.0) == pytest.approx(128.0)
    assert well(0.1, 0.1, gain=500.0) * 128.0 == pytest.approx(well(0.1, 0.1))
    with pytest.raises(ValueError, match="not above 0"):
        gain_factor(gain=0.0)


def readings_of_fluorescence(
    expected: float, gain: float = 1000.0, n: int = 2000
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(7)
    return np.array([fluorescence_reading_rfu(expected_rfu=expected, gain=gain, rng=rng) for _ in range(n)])


def test_readings_scatter_around_the_truth_by_shot_and_flash_noise() -> None:
    readings = readings_of_fluorescence(50_000.0)
    photoelectrons = 50_000.0 * FLUORESCENCE_DETECTOR.photoelectrons_per_rfu
    expected_cv = np.hypot(FLUORESCENCE_DETECTOR.flash_cv, photoelectrons**-0.5)
    assert readings.mean() == pytest.approx(50_000.0, rel=0.002)
    assert readings.std() / readings.mean() == pytest.approx(expected_cv, rel=0.1)


def test_faint_wells_are_relatively_noisier() -> None:
    faint, bright = readings_of_fluorescence(500.0), readings_of_fluorescence(50_000.0)
    assert faint.std() / faint.mean() > 3.0 * bright.std() / bright.mean()


def test_more_gain_shows_more_units_but_no_more_photons() -> None:
    low, high = (
        readings_of_fluorescence(5_000.0),
        readings_of_fluorescence(5_000.0 * 128.0 / 64.0, gain=1000.0 * 2 ** (1 / 7)),
    )
    assert high.mean() == pytest.approx(2.0 * low.mean(), rel=0.01)
    assert high.std() / high.mean() == pytest.approx(low.std() / low.mean(), rel=0.1)


def test_a_too_bright_well_reads_the_ceiling_exactly() -> None:
    assert set(readings_of_fluorescence(1e6, n=50)) == {FLUORESCENCE_DETECTOR.ceiling_rfu}


def test_a_dark_well_never_reads_below_zero() -> None:
    assert readings_of_fluorescence(0.0).min() == 0.0


def test_readings_repeat_with_the_seed() -> None:
    first, second = (
        fluorescence_reading_rfu(expected_rfu=1234.0, gain=1000.0, rng=np.random.default_rng([1, 2]))
        for _ in range(2)
    )
    assert first == second
