import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planners.warp import WarpName, back_transform, make_warp

NAMES: tuple[WarpName, ...] = ("none", "half_rank", "soft_rank", "logit", "log")
FRACTIONS = np.array([0.02, 0.03, 0.05, 0.04, 0.3, 0.5, 0.62, 0.9, 0.05])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_better_value_is_never_warped_to_a_lower_number(name: WarpName, sign: float) -> None:
    warp = make_warp(name, FRACTIONS, sign)
    grid = np.linspace(-0.2, 1.2, 200)
    assert (np.diff(sign * warp.forward(grid)) >= -1e-12).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_inverse_gives_measured_values_back(name: WarpName, sign: float) -> None:
    warp = make_warp(name, FRACTIONS, sign)
    np.testing.assert_allclose(warp.inverse(warp.forward(FRACTIONS)), FRACTIONS, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_slope_is_the_derivative(name: WarpName, sign: float) -> None:
    warp = make_warp(name, FRACTIONS, sign)
    at = np.array([0.021, 0.26, 0.41, 0.77])
    numeric = np.abs(warp.forward(at + 1e-7) - warp.forward(at - 1e-7)) / 2e-7
    np.testing.assert_allclose(warp.slope(at), numeric, rtol=1e-4)


@example([5e-324], "log", 1.0)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    st.sampled_from(NAMES),
    st.sampled_from([1.0, -1.0]),
)
def test_any_values_are_warped_to_finite_numbers_and_back(
    values: list[float], name: WarpName, sign: float
) -> None:
    given_values = np.array(values)
    warp = make_warp(name, given_values, sign)
    warped = warp.forward(given_values)
    assert np.isfinite(warped).all()
    assert np.isfinite(warp.slope(given_values)).all()
    mean, sd = back_transform(warp, warped, np.full(len(warped), warped.std()))
    assert np.isfinite(mean).all()
    assert (sd >= 0).all()


def test_half_rank_keeps_the_better_half_and_draws_in_the_worse() -> None:
    values = np.array([-1000.0, -3.0, 1.0, 2.0, 3.0])
    warped = make_warp("half_rank", values, 1.0).forward(values)
    np.testing.assert_array_equal(warped[2:], values[2:])
    assert -3.0 < warped[0] < warped[1] < 1.0


def test_soft_rank_tells_good_values_apart_that_are_nearly_alike() -> None:
    values = np.array([-9.0, -5.0, 0.0, 0.001, 0.002, 5.0])
    half, soft = (make_warp(name, values, 1.0).forward(values) for name in ("half_rank", "soft_rank"))
    np.testing.assert_array_equal(soft[:2], half[:2])
    assert np.diff(soft)[3] > 100.0 * np.diff(half)[3]
    assert soft[4] < soft[5] < half[5]


def test_half_rank_of_a_minimised_target_keeps_the_lower_half() -> None:
    values = np.array([1000.0, 3.0, 1.0, 0.5, 0.2])
    warped = make_warp("half_rank", values, -1.0).forward(values)
    np.testing.assert_array_equal(warped[2:], -values[2:])
    assert warped[0] > -4.0


def test_the_back_transform_is_exact_without_a_warp() -> None:
    mean, sd = back_transform(make_warp("none", FRACTIONS, -1.0), np.array([1.5, -2.0]), np.array([0.3, 0.0]))
    np.testing.assert_allclose(mean, [-1.5, 2.0], atol=1e-12)
    np.testing.assert_allclose(sd, [0.3, 0.0], atol=1e-7)


@pytest.mark.parametrize("name", ["half_rank", "logit"])
def test_the_back_transform_agrees_with_drawing(name: WarpName) -> None:
    warp = make_warp(name, FRACTIONS, 1.0)
    mean, sd = np.array([0.1, 0.4]), np.array([0.2, 0.1])
    draws = warp.inverse(mean + sd * np.random.default_rng(0).normal(size=(400_000, 2)))
    ours = back_transform(warp, mean, sd)
    np.testing.assert_allclose(ours[0], draws.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(ours[1], draws.std(axis=0), rtol=0.04)


def test_a_logit_prediction_of_a_fraction_stays_a_fraction() -> None:
    mean, sd = back_transform(make_warp("logit", FRACTIONS, 1.0), np.array([4.0, -8.0]), np.array([3.0, 1.0]))
    assert ((mean > 0) & (mean < 1) & (sd < 0.5)).all()
