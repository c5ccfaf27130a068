"""Light of the lamp, and what the analyzer makes of it; the syringe's volume."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.physics.spectrometry import (
    CEILING_W,
    Sensitivity,
    floor_w,
    measured_power_w,
    transmitted_power_w,
)
from digital_twin.physics.syringe import infused_ul, syringe_bias

NM = np.linspace(400.0, 1200.0, 401)
CLEAR = np.zeros_like(NM)


def test_the_lamp_is_brightest_where_wien_says() -> None:
    power = transmitted_power_w(wavelength_nm=NM, absorbance=CLEAR)
    assert NM[int(np.argmax(power))] == pytest.approx(2.898e6 / 2900.0, abs=2.0)
    assert np.all(np.diff(power[NM < 990.0]) > 0.0)


def test_one_of_absorbance_leaves_a_tenth() -> None:
    clear = transmitted_power_w(wavelength_nm=NM, absorbance=CLEAR)
    assert transmitted_power_w(wavelength_nm=NM, absorbance=CLEAR + 1.0) == pytest.approx(0.1 * clear)
    assert not transmitted_power_w(wavelength_nm=NM, absorbance=CLEAR + np.inf).any()


def test_each_step_of_sensitivity_sees_fainter_light() -> None:
    floors = [floor_w(one) for one in Sensitivity]
    assert floors == sorted(floors, reverse=True)
    assert floors[0] == pytest.approx(1e-9)
    assert floors[-1] == pytest.approx(1e-11)


@pytest.mark.parametrize("averages", [1, 16])
def test_averaging_divides_the_noise_by_its_square_root(averages: int) -> None:
    dark = np.zeros(20_000)
    seen = measured_power_w(
        true_w=dark, sensitivity=Sensitivity.NORMAL, averages=averages, rng=np.random.default_rng(1)
    )
    assert seen.std() == pytest.approx(1e-9 / np.sqrt(averages), rel=0.03)
    assert seen.mean() == pytest.approx(0.0, abs=5e-11)


def test_nothing_above_the_ceiling_is_shown() -> None:
    seen = measured_power_w(
        true_w=np.full(5, 1.0), sensitivity=Sensitivity.MID, averages=1, rng=np.random.default_rng(1)
    )
    assert np.all(seen == CEILING_W)


def test_a_syringe_gives_within_the_stated_accuracy_and_repeats_better() -> None:
    rng = np.random.default_rng(2)
    biases = [syringe_bias(rng=rng) for _ in range(200)]
    assert max(map(abs, biases)) <= 0.01
    strokes = [infused_ul(volume_ul=1000.0, bias=0.01, rng=rng) for _ in range(200)]
    assert np.mean(strokes) == pytest.approx(1010.0, abs=0.5)
    assert np.std(strokes) == pytest.approx(1.0, rel=0.2)


def test_a_stroke_of_nothing_gives_at_most_a_drop() -> None:
    rng = np.random.default_rng(3)
    assert all(0.0 <= infused_ul(volume_ul=0.0, bias=0.01, rng=rng) < 0.3 for _ in range(100))
