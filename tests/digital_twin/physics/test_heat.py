"""Blocks, wells and plates on their way to a set temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from digital_twin.physics.heat import (
    air_time_constant_s,
    block_pattern_c,
    block_temperature_c,
    plate_pattern_c,
    time_to_reach_s,
    well_temperature_c,
    well_time_constant_s,
)
from digital_twin.physics.plate import edge_exposure, rim_profile

temperatures = st.floats(min_value=4.0, max_value=99.0)
spans = st.floats(min_value=0.0, max_value=300.0)


def test_the_block_ramps_at_its_rate_and_then_settles_without_overshoot() -> None:
    course = [block_temperature_c(elapsed_s=t, start_c=25.0, set_c=75.0) for t in np.arange(0.0, 60.0, 0.5)]
    assert course[2] - course[0] == pytest.approx(3.6)
    assert np.all(np.diff(course) >= 0.0)
    assert course[-1] <= 75.0
    assert course[-1] == pytest.approx(75.0, abs=0.01)


def test_the_block_cools_more_slowly_than_it_heats() -> None:
    assert time_to_reach_s(start_c=75.0, set_c=25.0) > time_to_reach_s(start_c=25.0, set_c=75.0)


def test_reaching_the_challenge_temperature_takes_about_twenty_seconds() -> None:
    assert 14.0 < time_to_reach_s(start_c=25.0, set_c=75.0) < 30.0


@given(start=temperatures, target=temperatures, first=spans, second=spans)
def test_two_steps_of_the_block_equal_one(start: float, target: float, first: float, second: float) -> None:
    middle = block_temperature_c(elapsed_s=first, start_c=start, set_c=target)
    stepped = block_temperature_c(elapsed_s=second, start_c=middle, set_c=target)
    whole = block_temperature_c(elapsed_s=first + second, start_c=start, set_c=target)
    assert stepped == pytest.approx(whole, abs=1e-6)


@given(start=temperatures, target=temperatures, tolerance=st.floats(min_value=0.01, max_value=30.0))
def test_the_block_is_within_tolerance_from_the_stated_time_on(
    start: float, target: float, tolerance: float
) -> None:
    reached = time_to_reach_s(start_c=start, set_c=target, tolerance_c=tolerance)
    at = block_temperature_c(elapsed_s=reached, start_c=start, set_c=target)
    later = block_temperature_c(elapsed_s=reached + 10.0, start_c=start, set_c=target)
    assert abs(at - target) <= tolerance + 1e-6
    assert abs(later - target) <= abs(at - target) + 1e-9
    if reached > 0.0:
        assert abs(at - target) == pytest.approx(tolerance, rel=1e-6, abs=1e-6)


@given(well=temperatures, block=temperatures, end=temperatures, first=spans, second=spans)
def test_two_steps_of_a_well_equal_one(
    well: float, block: float, end: float, first: float, second: float
) -> None:
    total = first + second
    middle_block = block + (end - block) * (first / total if total > 0.0 else 0.0)
    middle = well_temperature_c(
        well_c=well, block_start_c=block, block_end_c=middle_block, duration_s=first, time_constant_s=6.0
    )
    stepped = well_temperature_c(
        well_c=middle, block_start_c=middle_block, block_end_c=end, duration_s=second, time_constant_s=6.0
    )
    whole = well_temperature_c(
        well_c=well, block_start_c=block, block_end_c=end, duration_s=total, time_constant_s=6.0
    )
    assert stepped == pytest.approx(whole, abs=1e-6)


def test_a_well_follows_newtons_law_of_cooling() -> None:
    solution = solve_ivp(lambda t, y: (25.0 + t - y) / 8.0, (0.0, 40.0), [20.0], rtol=1e-10, atol=1e-10)
    ours = well_temperature_c(
        well_c=20.0, block_start_c=25.0, block_end_c=65.0, duration_s=40.0, time_constant_s=8.0
    )
    assert ours == pytest.approx(solution.y[0, -1], abs=1e-6)


def test_more_liquid_lags_more() -> None:
    assert well_time_constant_s(volume_ul=100.0) > well_time_constant_s(volume_ul=25.0) == pytest.approx(5.0)


def test_the_rim_of_a_plate_warms_first_in_air() -> None:
    assert (
        air_time_constant_s(edge_exposure=2)
        < air_time_constant_s(edge_exposure=1)
        < air_time_constant_s(edge_exposure=0)
    )


def test_a_block_spans_its_stated_uniformity_around_its_mean_with_a_cold_rim() -> None:
    offsets = block_pattern_c(rng=np.random.default_rng(5), uniformity_c=0.5, at_c=95.0) * (95.0 - 25.0)
    assert offsets.shape == (8, 12)
    assert np.ptp(offsets) == pytest.approx(0.5)
    assert offsets.mean() == pytest.approx(0.0, abs=1e-12)
    corners = offsets[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.mean() < offsets[3:5, 4:8].mean()


def test_blocks_differ_from_each_other() -> None:
    one, other = (block_pattern_c(rng=np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.allclose(one, other)


def test_a_warm_plate_is_colder_at_its_rim_and_a_cooled_one_warmer() -> None:
    warm, cold = plate_pattern_c(air_c=37.0), plate_pattern_c(air_c=7.0)
    assert np.ptp(warm) == pytest.approx(0.5)
    assert warm[0, 0] < warm[4, 6]
    np.testing.assert_allclose(warm, -cold)


def test_edges_and_corners_of_a_plate_are_where_they_are() -> None:
    exposures = [[edge_exposure(row=r, column=c) for c in range(12)] for r in range(8)]
    counts = {exposure: sum(row.count(exposure) for row in exposures) for exposure in (0, 1, 2)}
    assert counts == {0: 60, 1: 32, 2: 4}
    assert exposures[0][0] == exposures[7][11] == 2
    with pytest.raises(ValueError, match="not on a plate"):
        edge_exposure(row=8, column=0)


def test_the_rim_profile_is_highest_in_the_corners_and_symmetric() -> None:
    profile = rim_profile()
    assert profile.max() == profile[0, 0] == 1.0
    np.testing.assert_allclose(profile, profile[::-1, ::-1])
    assert profile[3:5, 5:7].max() < 0.05
