"""Temperatures of places and of the plates in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digital_twin.physics import heat
from digital_twin.thermal import ROOM_C, SEATS, Climate, follow, lag_s, seat_pattern

N = 96


def told(seat: str, set_c: float | None, *, start_c: float = ROOM_C, ramp: float | None = None) -> Climate:
    return Climate(seat=SEATS[seat], since_s=0.0, start_c=start_c).told(0.0, set_c, ramp)


def end_of(
    climate: Climate, begin_s: float, end_s: float, wells_c: np.ndarray, tau_s: float = 8.0
) -> np.ndarray:
    history = follow(
        climate,
        begin_s=begin_s,
        end_s=end_s,
        wells_c=wells_c,
        lag_s=np.full(N, tau_s),
        pattern=np.zeros(N),
    )
    assert history.times_s[0] == begin_s
    assert history.times_s[-1] == end_s
    assert np.all(np.diff(history.times_s) > 0.0)
    return history.temperatures_c[-1]


def test_wells_follow_the_formula_of_heat_step_by_step() -> None:
    climate = told("cycler", 75.0)
    expected, before = ROOM_C, climate.at(0.0)
    for tick in range(1, 6001):
        now = climate.at(tick * 0.01)
        expected = heat.well_temperature_c(
            well_c=expected, block_start_c=before, block_end_c=now, duration_s=0.01, time_constant_s=8.0
        )
        before = now
    assert end_of(climate, 0.0, 60.0, np.full(N, ROOM_C)) == pytest.approx(expected, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(
    set_c=st.floats(min_value=4.0, max_value=98.0),
    middle_s=st.floats(min_value=0.5, max_value=1999.5),
    seat=st.sampled_from(["cycler", "shaker", "reader"]),
)
def test_looking_in_between_does_not_change_where_a_plate_ends(
    set_c: float, middle_s: float, seat: str
) -> None:
    climate = told(seat, set_c)
    begin = np.full(N, ROOM_C)
    whole = end_of(climate, 0.0, 2000.0, begin)
    halves = end_of(climate, middle_s, 2000.0, end_of(climate, 0.0, middle_s, begin))
    np.testing.assert_allclose(halves, whole, atol=0.05)


def test_a_plate_that_has_arrived_costs_two_points() -> None:
    climate = told("cycler", None)
    history = follow(
        climate,
        begin_s=0.0,
        end_s=1e6,
        wells_c=np.full(N, ROOM_C),
        lag_s=np.full(N, 8.0),
        pattern=np.zeros(N),
    )
    assert history.times_s.tolist() == [0.0, 1e6]


def test_a_long_wait_costs_few_points() -> None:
    climate = told("cycler", 75.0)
    history = follow(
        climate,
        begin_s=0.0,
        end_s=1e5,
        wells_c=np.full(N, ROOM_C),
        lag_s=np.full(N, 8.0),
        pattern=np.zeros(N),
    )
    assert history.times_s.size < 200


def test_a_ramp_is_never_faster_than_the_seat() -> None:
    fast = told("shaker", 60.0, ramp=50.0)
    assert fast.heating_c_per_s == SEATS["shaker"].heating_c_per_s


def test_a_new_temperature_starts_from_where_the_place_is() -> None:
    climate = told("cycler", 95.0)
    turned = climate.told(10.0, 25.0, None)
    assert turned.at(10.0) == climate.at(10.0) == pytest.approx(ROOM_C + 36.0)
    assert turned.at(500.0) == pytest.approx(25.0, abs=0.01)


def test_a_block_is_uneven_in_its_own_way_and_colder_at_the_rim() -> None:
    first, second = (
        seat_pattern(SEATS["cycler"], rows=8, columns=12, rng=np.random.default_rng(seed)).reshape(8, 12)
        for seed in (1, 2)
    )
    assert not np.array_equal(first, second)
    for pattern in (first, second):
        assert pattern[3:5, 5:7].mean() > pattern[[0, 0, 7, 7], [0, 11, 0, 11]].mean()
        assert np.ptp(pattern) * 70.0 == pytest.approx(0.5, abs=0.01)


def test_rim_wells_lead_in_warm_air() -> None:
    tau = lag_s(SEATS["reader"], rows=8, columns=12, volume_ul=np.full(N, 100.0)).reshape(8, 12)
    assert tau[0, 0] < tau[0, 5] < tau[3, 5]


def test_a_trough_has_no_pattern() -> None:
    assert seat_pattern(SEATS["cycler"], rows=1, columns=1, rng=np.random.default_rng(0)).tolist() == [0.0]
