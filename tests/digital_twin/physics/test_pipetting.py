"""Errors of an air-displacement channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.physics.pipetting import (
    TIP_VOLUMES_UL,
    carry_over_volume_ul,
    channel_calibration,
    delivered_volume_ul,
    pipetting_limits,
)


def strokes(
    volume_ul: float, tip: int, calibration: float, n: int = 3000
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(3)
    return np.array(
        [
            delivered_volume_ul(
                volume_ul=volume_ul, tip_volume_ul=tip, channel_calibration=calibration, rng=rng
            )
            for _ in range(n)
        ]
    )


def test_limits_are_the_stated_ones_at_the_stated_volumes() -> None:
    limits = pipetting_limits(volume_ul=5.0, tip_volume_ul=50)
    assert (limits.bias_fraction, limits.cv_fraction) == pytest.approx((0.025, 0.015))


def test_below_the_smallest_stated_volume_the_absolute_error_stays() -> None:
    stated, smaller = (pipetting_limits(volume_ul=v, tip_volume_ul=300) for v in (10.0, 5.0))
    assert 5.0 * smaller.bias_fraction == pytest.approx(10.0 * stated.bias_fraction)
    assert 5.0 * smaller.cv_fraction == pytest.approx(10.0 * stated.cv_fraction)


@given(tip=st.sampled_from(TIP_VOLUMES_UL), share=st.floats(min_value=0.002, max_value=0.98))
def test_a_larger_volume_in_the_same_tip_is_never_relatively_worse(tip: int, share: float) -> None:
    small = pipetting_limits(volume_ul=share * tip, tip_volume_ul=tip)
    large = pipetting_limits(volume_ul=min(1.02 * share * tip, float(tip)), tip_volume_ul=tip)
    assert large.bias_fraction <= small.bias_fraction * (1.0 + 1e-12)
    assert large.cv_fraction <= small.cv_fraction * (1.0 + 1e-12)


@pytest.mark.parametrize(("volume", "tip"), [(0.0, 50), (-1.0, 50), (51.0, 50), (10.0, 25)])
def test_what_does_not_fit_the_tip_is_refused(volume: float, tip: int) -> None:
    with pytest.raises(ValueError, match="tip"):
        pipetting_limits(volume_ul=volume, tip_volume_ul=tip)


def test_a_calibrated_channel_is_true_on_average_and_scatters_within_the_limit() -> None:
    delivered = strokes(20.0, 50, 0.0)
    limit = pipetting_limits(volume_ul=20.0, tip_volume_ul=50).cv_fraction
    assert delivered.mean() == pytest.approx(20.0, rel=0.001)
    assert 0.4 * limit < delivered.std() / 20.0 < limit


def test_bias_stays_with_the_channel() -> None:
    limit = pipetting_limits(volume_ul=20.0, tip_volume_ul=50).bias_fraction
    assert strokes(20.0, 50, 1.0).mean() / 20.0 - 1.0 == pytest.approx(limit, rel=0.05)
    assert strokes(20.0, 50, -0.5).mean() / 20.0 - 1.0 == pytest.approx(-0.5 * limit, rel=0.05)


def test_small_volumes_are_never_negative() -> None:
    assert strokes(0.02, 50, -1.0).min() == 0.0


def test_channels_differ_and_stay_within_their_limits() -> None:
    drawn = channel_calibration(rng=np.random.default_rng(0), channels=1000)
    assert np.all(np.abs(drawn) <= 1.0)
    assert 0.4 < drawn.std() < 0.5
    np.testing.assert_array_equal(drawn[:8], channel_calibration(rng=np.random.default_rng(0), channels=8))


def test_a_used_tip_carries_a_thousandth_of_what_it_held_and_never_more_than_all() -> None:
    assert carry_over_volume_ul(dispensed_volume_ul=100.0) == pytest.approx(0.1)
    assert carry_over_volume_ul(dispensed_volume_ul=5.0) == pytest.approx(0.02)
    assert carry_over_volume_ul(dispensed_volume_ul=0.01) == 0.01
    assert carry_over_volume_ul(dispensed_volume_ul=0.0) == 0.0
