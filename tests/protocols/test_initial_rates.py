"""Initial rates of progress curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from digital_twin.physics.kinetics import substrate_left_umol_l
from protocols.initial_rates import FEWEST_READINGS, initial_rate

TIMES_S = 45.0 * np.arange(20)


def progress(rate_umol_l_s: float, substrate_umol_l: float = 200.0, km_umol_l: float = 30.0) -> np.ndarray:
    """Product of an enzyme that starts at a rate, umol/L."""
    vmax = rate_umol_l_s * (km_umol_l + substrate_umol_l) / substrate_umol_l
    left = substrate_left_umol_l(
        substrate_umol_l=np.full(len(TIMES_S), substrate_umol_l),
        turnover_umol_l=vmax * TIMES_S,
        km_umol_l=km_umol_l,
    )
    return substrate_umol_l - left


def noisy(curve: np.ndarray, sd: float, seed: int = 0) -> np.ndarray:
    return curve + np.random.default_rng(seed).normal(0.0, sd, len(curve))


def test_a_straight_line_gives_its_slope_and_start_from_all_readings() -> None:
    rate = initial_rate(TIMES_S, 0.1 + 2e-4 * TIMES_S, max_bend=0.05)
    assert rate.per_s == pytest.approx(2e-4)
    assert rate.start == pytest.approx(0.1)
    assert rate.readings == 20


def test_where_reading_began_does_not_matter() -> None:
    rate = initial_rate(TIMES_S + 600.0, 0.1 + 2e-4 * TIMES_S, max_bend=0.05)
    assert (rate.per_s, rate.start) == (pytest.approx(2e-4), pytest.approx(0.1))


@pytest.mark.parametrize("rate_umol_l_s", [0.01, 0.05, 0.1, 0.2])
def test_the_slope_is_that_of_the_beginning_however_the_curve_bends_later(rate_umol_l_s: float) -> None:
    seen = [
        initial_rate(TIMES_S, noisy(progress(rate_umol_l_s), 0.5, seed), max_bend=0.05) for seed in range(20)
    ]
    assert np.mean([rate.per_s for rate in seen]) == pytest.approx(rate_umol_l_s, rel=0.05)


def test_the_faster_the_reaction_the_fewer_readings_are_linear() -> None:
    counts = [initial_rate(TIMES_S, progress(rate), max_bend=0.05).readings for rate in (0.01, 0.1, 0.2)]
    assert counts[0] == 20
    assert counts[0] > counts[1] > counts[2] >= FEWEST_READINGS


def test_a_curve_that_bends_from_the_first_readings_on_has_no_rate() -> None:
    rate = initial_rate(TIMES_S, progress(1.5), max_bend=0.05)
    assert math.isnan(rate.per_s)
    assert rate.readings == 0


def test_noise_alone_is_a_line_without_a_slope() -> None:
    found = [initial_rate(TIMES_S, noisy(np.full(20, 0.3), 0.003, seed), max_bend=0.05) for seed in range(50)]
    slopes = [rate.per_s for rate in found]
    assert sum(rate.readings == 20 for rate in found) >= 45
    assert abs(np.mean(slopes)) < 3e-7
    assert 0.5e-6 < np.std(slopes) < 6e-6


@pytest.mark.parametrize(
    "trace", [np.full(20, np.nan), np.append(np.arange(19.0), np.nan), np.arange(FEWEST_READINGS - 1.0)]
)
def test_too_few_numbers_give_no_rate(trace: np.ndarray) -> None:
    assert math.isnan(initial_rate(TIMES_S[: len(trace)], trace, max_bend=0.05).per_s)
