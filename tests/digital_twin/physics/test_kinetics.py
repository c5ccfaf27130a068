"""Michaelis and Menten's law integrated, against the law itself; and what temperature makes of a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from digital_twin.physics.kinetics import arrhenius_factor, substrate_left_umol_l


def left(substrate: float, turnover: float, km: float = 30.0) -> float:
    found = substrate_left_umol_l(
        substrate_umol_l=np.array([substrate]), turnover_umol_l=np.array([turnover]), km_umol_l=km
    )
    return float(found[0])


@pytest.mark.parametrize(("substrate", "turnover"), [(200.0, 30.0), (200.0, 250.0), (5.0, 20.0), (0.1, 3.0)])
def test_what_is_left_is_what_integrating_the_law_step_by_step_gives(
    substrate: float, turnover: float
) -> None:
    found = solve_ivp(
        lambda _, s: -turnover * s / (30.0 + s), (0.0, 1.0), [substrate], rtol=1e-10, atol=1e-12
    )
    assert left(substrate, turnover) == pytest.approx(found.y[0, -1], rel=1e-6)


def test_plenty_of_substrate_is_turned_over_at_the_full_rate_and_next_to_none_at_first_order() -> None:
    assert 3e4 - left(3e4, 10.0) == pytest.approx(10.0 * 3e4 / (3e4 + 30.0), rel=1e-4)
    assert left(1e-3, 15.0) == pytest.approx(1e-3 * np.exp(-15.0 / 30.0), rel=1e-4)


@given(st.floats(0.0, 1e5, allow_subnormal=False), st.floats(0.0, 1e6), st.floats(0.1, 1e4))
def test_there_is_never_less_than_nothing_nor_more_than_at_the_start(
    substrate: float, turnover: float, km: float
) -> None:
    assert 0.0 <= left(substrate, turnover, km) <= substrate


@given(st.floats(0.1, 500.0), st.floats(0.0, 500.0), st.floats(0.0, 500.0))
def test_two_spans_after_each_other_are_one(substrate: float, first: float, second: float) -> None:
    assert left(left(substrate, first), second) == pytest.approx(
        left(substrate, first + second), rel=1e-6, abs=1e-9
    )


def test_ten_degrees_more_make_an_enzyme_of_40_kj_per_mol_1_7_times_as_fast() -> None:
    at = arrhenius_factor(np.array([15.0, 25.0, 35.0]), activation_kj_per_mol=40.0)
    assert at[1] == 1.0
    assert at[2] == pytest.approx(1.69, abs=0.01)
    assert at[0] < 0.6
