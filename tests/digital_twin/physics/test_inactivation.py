"""Survival of protein in a protease: calibration, and properties any rate law must have."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from digital_twin.physics.folding import fraction_unfolded
from digital_twin.physics.inactivation import (
    ASSAY_THERMOLYSIN_UMOL_L,
    CHALLENGE_DURATION_S,
    CHALLENGE_TEMPERATURE_C,
    active_protease_fraction,
    cleavage_rate_per_s,
    protease_half_life_s,
    protease_survival,
    survival_of_history,
    survival_over_interval,
)

ddgs = st.floats(min_value=-4.0, max_value=4.0)
temperatures = st.floats(min_value=4.0, max_value=95.0)
durations = st.floats(min_value=0.0, max_value=3600.0)


def survive(
    ddg: float, start_c: float, end_c: float, duration_s: float, protease: float = ASSAY_THERMOLYSIN_UMOL_L
) -> float:
    return survival_over_interval(
        ddg_kcal_per_mol=ddg, start_c=start_c, end_c=end_c, duration_s=duration_s, protease_umol_l=protease
    )


def challenged(ddg: float) -> float:
    return survive(ddg, CHALLENGE_TEMPERATURE_C, CHALLENGE_TEMPERATURE_C, CHALLENGE_DURATION_S)


def test_the_recommended_challenge_leaves_the_wild_type_10_to_25_percent() -> None:
    assert 0.10 < challenged(0.0) < 0.25


def test_the_recommended_challenge_leaves_the_most_stable_variants_60_to_95_percent() -> None:
    assert 0.60 < challenged(1.0) < challenged(1.915) < 0.95


def test_the_published_pulse_cuts_unfolded_protein_and_spares_the_wild_type() -> None:
    pulse_umol_l = 5.8
    unfolded = np.exp(-60.0 * cleavage_rate_per_s(temperature_c=25.0, protease_umol_l=pulse_umol_l))
    assert unfolded < 0.02
    assert survive(0.0, 25.0, 25.0, 60.0, pulse_umol_l) > 0.999


def test_the_cleavage_rate_follows_the_eyring_equation() -> None:
    hot, cold = (cleavage_rate_per_s(temperature_c=t, protease_umol_l=1.0) for t in (75.0, 25.0))
    # Boltzmann's and Planck's constants cancel: ln(k/T) falls linearly in 1/T with slope -dH/R.
    slope = np.log((hot / 348.15) / (cold / 298.15)) / (1.0 / 298.15 - 1.0 / 348.15)
    assert slope * 1.987204e-3 == pytest.approx(12.0, rel=1e-6)


def test_without_protease_nothing_is_lost() -> None:
    assert survive(-3.0, 95.0, 95.0, 3600.0, protease=0.0) == 1.0


def test_a_ramp_agrees_with_adaptive_integration() -> None:
    def rate(time_s: float) -> float:
        temperature = 25.0 + 70.0 * time_s / 300.0
        unfolded = fraction_unfolded(temperature_c=temperature, ddg_kcal_per_mol=0.5)
        return unfolded * cleavage_rate_per_s(temperature_c=temperature, protease_umol_l=0.2)

    integral, _ = quad(rate, 0.0, 300.0, epsabs=1e-12, epsrel=1e-11)
    assert np.log(survive(0.5, 25.0, 95.0, 300.0)) == pytest.approx(-integral, rel=1e-9)


@given(ddg=ddgs, start=temperatures, end=temperatures, duration=durations)
def test_survival_is_a_share(ddg: float, start: float, end: float, duration: float) -> None:
    assert 0.0 <= survive(ddg, start, end, duration) <= 1.0


@given(ddg=ddgs, gain=st.floats(min_value=0.05, max_value=3.0), start=temperatures, end=temperatures)
def test_a_more_stable_variant_never_survives_worse(
    ddg: float, gain: float, start: float, end: float
) -> None:
    assert survive(ddg + gain, start, end, 600.0) >= survive(ddg, start, end, 600.0)


@given(ddg=st.floats(min_value=-1.0, max_value=3.0), gain=st.floats(min_value=0.05, max_value=2.0))
def test_the_challenge_tells_apart_variants_around_the_wild_type(ddg: float, gain: float) -> None:
    assert challenged(ddg + gain) > challenged(ddg)


@given(ddg=ddgs, start=temperatures, end=temperatures, longer=st.floats(min_value=1.0, max_value=5.0))
def test_longer_is_never_better(ddg: float, start: float, end: float, longer: float) -> None:
    assert survive(ddg, start, end, 300.0 * longer) <= survive(ddg, start, end, 300.0)


@given(
    ddg=ddgs,
    start=temperatures,
    end=temperatures,
    duration=durations,
    share=st.floats(min_value=0.0, max_value=1.0),
)
def test_an_interval_equals_its_parts(
    ddg: float, start: float, end: float, duration: float, share: float
) -> None:
    middle = start + share * (end - start)
    parts = survive(ddg, start, middle, share * duration) * survive(
        ddg, middle, end, (1.0 - share) * duration
    )
    assert parts == pytest.approx(survive(ddg, start, end, duration), rel=1e-6, abs=1e-12)


@given(ddg=ddgs, start=temperatures, end=temperatures)
def test_heating_and_cooling_through_the_same_temperatures_cost_the_same(
    ddg: float, start: float, end: float
) -> None:
    assert survive(ddg, start, end, 60.0) == pytest.approx(
        survive(ddg, end, start, 60.0), rel=1e-9, abs=1e-15
    )


def test_a_history_is_the_product_of_its_stretches() -> None:
    times = np.array([0.0, 20.0, 620.0, 650.0])
    history = np.array([25.0, 75.0, 75.0, 25.0])
    whole = survival_of_history(
        ddg_kcal_per_mol=0.0, times_s=times, temperatures_c=history, protease_umol_l=ASSAY_THERMOLYSIN_UMOL_L
    )
    parts = survive(0.0, 25.0, 75.0, 20.0) * challenged(0.0) * survive(0.0, 75.0, 25.0, 30.0)
    assert isinstance(whole, float)
    assert whole == pytest.approx(parts)
    assert whole < challenged(0.0)


def test_a_history_of_many_variants_keeps_their_order() -> None:
    variants = np.linspace(-2.0, 2.0, 9)
    survival = survival_of_history(
        ddg_kcal_per_mol=variants,
        times_s=np.array([0.0, 600.0]),
        temperatures_c=np.array([75.0, 75.0]),
        protease_umol_l=ASSAY_THERMOLYSIN_UMOL_L,
    )
    assert survival.shape == variants.shape
    assert np.all(np.diff(survival) > 0.0)
    assert survival[4] == pytest.approx(challenged(0.0))


@pytest.mark.parametrize(
    ("times", "history", "reason"),
    [
        ([0.0, 1.0], [25.0], "as many temperatures"),
        ([0.0], [25.0], "at least two"),
        ([0.0, 2.0, 1.0], [25.0, 25.0, 25.0], "must not decrease"),
    ],
)
def test_a_history_that_makes_no_sense_is_refused(
    times: list[float], history: list[float], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        survival_of_history(
            ddg_kcal_per_mol=0.0,
            times_s=np.array(times),
            temperatures_c=np.array(history),
            protease_umol_l=0.2,
        )


def test_negative_time_or_protease_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        survive(0.0, 75.0, 75.0, -1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        survive(0.0, 75.0, 75.0, 1.0, protease=-0.1)


@pytest.mark.parametrize(("temperature", "minutes"), [(80.0, 95.0), (85.0, 45.0), (90.0, 16.0)])
def test_thermolysin_has_its_measured_half_lives(temperature: float, minutes: float) -> None:
    assert protease_half_life_s(temperature_c=temperature) == pytest.approx(60.0 * minutes)
    assert protease_survival(temperature_c=temperature, duration_s=60.0 * minutes) == pytest.approx(0.5)


def test_thermolysin_lasts_through_the_challenge() -> None:
    survival = protease_survival(temperature_c=CHALLENGE_TEMPERATURE_C, duration_s=CHALLENGE_DURATION_S)
    assert 0.9 < survival < 1.0


def test_thermolysin_half_life_falls_with_temperature_beyond_the_table_too() -> None:
    lives = [protease_half_life_s(temperature_c=t) for t in (60.0, 75.0, 80.0, 85.0, 90.0, 95.0)]
    assert all(later < earlier for earlier, later in itertools.pairwise(lives))


def test_edta_in_excess_of_calcium_stops_the_protease() -> None:
    assert active_protease_fraction(edta_mmol_l=0.0, divalent_mmol_l=10.0) == 1.0
    assert active_protease_fraction(edta_mmol_l=5.0, divalent_mmol_l=10.0) == pytest.approx(0.5)
    assert active_protease_fraction(edta_mmol_l=20.0, divalent_mmol_l=10.0) == 0.0
    assert active_protease_fraction(edta_mmol_l=1.0, divalent_mmol_l=0.0) == 0.0
