"""Noise, outliers, moderated means and ratios, against what they must recover."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.plate_statistics import Noise, fit_noise, moderated_mean, outliers, ratio, z_prime

FLOOR, CV = 300.0, 0.05


def replicates(rng: np.random.Generator, level: float, n: int = 3) -> list[float]:
    return list(level + rng.normal(size=n) * np.hypot(FLOOR, CV * level))


def plate(rng: np.random.Generator) -> list[list[float]]:
    return [replicates(rng, level) for level in rng.uniform(0.0, 60_000.0, 13)] + [replicates(rng, 0.0, 4)]


def test_the_fit_recovers_floor_and_relative_noise() -> None:
    rng = np.random.default_rng(1)
    fits = [fit_noise([plate(rng), plate(rng)]) for _ in range(100)]
    floors = [np.sqrt(fit[0].floor_variance) for fit in fits]
    shares = [np.sqrt(fit[0].relative_variance) for fit in fits]
    assert np.median(floors) == pytest.approx(FLOOR, rel=0.15)
    assert np.median(shares) == pytest.approx(CV, rel=0.1)


def test_the_fit_gives_one_floor_to_all_plates_and_each_its_own_relative_noise() -> None:
    rng = np.random.default_rng(2)
    calm, rough = plate(rng), [[5 * v - 4 * np.median(g) for v in g] for g in plate(rng)]
    first, second = fit_noise([calm, rough])
    assert first.floor_variance == second.floor_variance
    assert second.relative_variance > 4 * first.relative_variance


def test_bad_wells_do_not_inflate_the_noise() -> None:
    rng = np.random.default_rng(3)
    groups = plate(rng)
    (before,) = fit_noise([groups])
    for group in groups[:3]:
        group[0] += 40_000.0
    (after,) = fit_noise([groups])
    assert after.relative_variance < 4 * before.relative_variance


def test_a_plate_without_scatter_still_has_some_noise() -> None:
    (noise,) = fit_noise([[[100.0] * 3, [0.0] * 3]])
    assert noise.variance(0.0) > 0.0
    assert noise.variance(100.0) >= (0.01 * 100.0) ** 2


def test_without_replicates_nothing_is_known_of_the_noise() -> None:
    (noise,) = fit_noise([[[1.0], [2.0], []]])
    assert noise.variance(1.0) == np.inf
    assert outliers([1.0, 1e6], noise, 5.0) == (0.0, 0.0)
    assert moderated_mean([3.0], noise).value == 3.0
    assert moderated_mean([3.0], noise).standard_error == np.inf


def test_a_plate_without_replicates_is_taken_to_be_as_noisy_as_the_noisiest_other() -> None:
    rng = np.random.default_rng(2)
    calm, rough = plate(rng), [[5 * v - 4 * np.median(g) for v in g] for g in plate(rng)]
    first, bare, third = fit_noise([calm, [[1.0], []], rough])
    assert (first, third) == fit_noise([calm, rough])
    assert bare == third


def test_a_well_far_from_its_replicates_is_an_outlier_and_says_how_far() -> None:
    noise = Noise(floor_variance=100.0, relative_variance=0.0)
    assert outliers([1000.0, 1010.0, 1300.0], noise, 5.0) == (0.0, 0.0, 29.0)
    assert outliers([1000.0, 1010.0, 1040.0], noise, 5.0) == (0.0, 0.0, 0.0)


def test_of_two_wells_that_disagree_both_are_outliers() -> None:
    noise = Noise(floor_variance=100.0, relative_variance=0.0)
    assert all(outliers([1000.0, 1300.0], noise, 5.0))


def test_a_single_well_is_no_outlier() -> None:
    noise = Noise(floor_variance=100.0, relative_variance=0.0)
    assert outliers([1000.0], noise, 5.0) == (0.0,)
    assert outliers([], noise, 5.0) == ()


def test_good_wells_are_hardly_ever_outliers() -> None:
    rng = np.random.default_rng(4)
    noise = Noise(floor_variance=FLOOR**2, relative_variance=CV**2)
    found = [value for _ in range(3000) for value in outliers(replicates(rng, 30_000.0), noise, 5.0)]
    assert np.count_nonzero(found) <= 3


def test_a_mean_of_few_wells_leans_on_the_noise_model_and_one_of_many_does_not() -> None:
    noise = Noise(floor_variance=100.0, relative_variance=0.0)
    few = moderated_mean([0.0, 0.0], noise)
    assert few.value == 0.0
    assert few.standard_error == pytest.approx(np.sqrt(4 / 5 * 100.0 / 2))
    assert few.well_sd == 0.0
    wide = np.random.default_rng(5).normal(0.0, 100.0, 2000)
    many = moderated_mean(list(wide), noise)
    assert many.standard_error == pytest.approx(100.0 / np.sqrt(2000), rel=0.05)


def test_a_mean_needs_a_well() -> None:
    with pytest.raises(ValueError, match="at least one well"):
        moderated_mean([], Noise(floor_variance=1.0, relative_variance=0.0))


def test_the_error_of_a_ratio_agrees_with_simulation() -> None:
    value, error = ratio(30.0, 4.0, 60.0, 9.0)
    rng = np.random.default_rng(6)
    drawn = rng.normal(30.0, 2.0, 200_000) / rng.normal(60.0, 3.0, 200_000)
    assert value == 0.5
    assert error == pytest.approx(drawn.std(), rel=0.02)


def test_a_ratio_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        ratio(1.0, 1.0, 0.0, 1.0)


def test_z_prime_is_that_of_zhang_and_others() -> None:
    high, low = [90.0, 100.0, 110.0], [9.0, 10.0, 11.0]
    assert z_prime(high, low) == pytest.approx(1 - 3 * (10.0 + 1.0) / 90.0)
    assert z_prime([5.0, 5.0], [5.0, 5.0]) == -np.inf
    assert z_prime([5.0], [1.0, 2.0]) == -np.inf
