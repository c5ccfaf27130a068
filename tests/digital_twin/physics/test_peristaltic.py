"""What a peristaltic pump gives, against what it counts."""

from __future__ import annotations

import numpy as np
import pytest

from digital_twin.physics.peristaltic import peristaltic_bias, rolled_ul


def test_one_tube_is_off_by_the_same_share_each_time_and_small_volumes_are_spread_by_a_pocket() -> None:
    rng = np.random.default_rng(1)
    biases = [peristaltic_bias(rng=rng) for _ in range(2000)]
    assert np.std(biases) == pytest.approx(0.02, rel=0.1)
    assert max(np.abs(biases)) <= 0.06
    many = [rolled_ul(volume_ul=10.0, per_turn_ul=10.0, bias=0.02, rng=rng) for _ in range(2000)]
    assert np.mean(many) == pytest.approx(10.2, abs=0.05)
    assert np.std(many) == pytest.approx(0.5, rel=0.1)
    assert min(rolled_ul(volume_ul=0.1, per_turn_ul=50.0, bias=0.0, rng=rng) for _ in range(200)) == 0.0
