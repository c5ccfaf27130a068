"""Water leaving wells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digital_twin.physics.evaporation import (
    Cover,
    evaporated_volume_ul,
    evaporation_rate_ul_per_h,
    saturation_vapour_pressure_pa,
    vapour_diffusivity_m2_per_s,
)


def rate(temperature_c: float = 37.0, edge_exposure: int = 0, cover: Cover = "open") -> float:
    return evaporation_rate_ul_per_h(temperature_c=temperature_c, edge_exposure=edge_exposure, cover=cover)


@pytest.mark.parametrize(
    ("temperature", "pascal"), [(0.0, 611.2), (25.0, 3169.0), (75.0, 38_563.0), (100.0, 101_325.0)]
)
def test_vapour_pressure_agrees_with_steam_tables(temperature: float, pascal: float) -> None:
    assert saturation_vapour_pressure_pa(temperature_c=temperature) == pytest.approx(pascal, rel=0.02)


def test_diffusivity_at_25_c_is_a_quarter_of_a_square_centimetre_a_second() -> None:
    assert vapour_diffusivity_m2_per_s(temperature_c=25.0) == pytest.approx(2.5e-5, rel=0.02)


def test_an_open_rim_well_at_37_c_loses_as_much_as_was_measured() -> None:
    assert 4.4 < rate(edge_exposure=1) < 7.0


def test_corners_lose_more_than_sides_and_sides_more_than_the_interior() -> None:
    assert rate(edge_exposure=2) > rate(edge_exposure=1) > rate(edge_exposure=0) > 0.0


def test_a_seal_holds_better_than_a_lid_and_a_lid_better_than_nothing() -> None:
    assert 0.0 < rate(cover="seal") < rate(cover="lid") < rate(cover="open")


def test_a_sealed_pcr_plate_loses_under_half_a_microlitre_in_the_challenge() -> None:
    lost = evaporated_volume_ul(
        volume_ul=50.0,
        duration_s=600.0,
        temperature_c=75.0,
        edge_exposure=2,
        cover="seal",
        well_diameter_mm=5.5,
    )
    assert 0.0 < lost < 0.5


@given(colder=st.floats(min_value=10.0, max_value=94.0), by=st.floats(min_value=0.5, max_value=20.0))
def test_warmer_wells_never_dry_more_slowly(colder: float, by: float) -> None:
    assert rate(temperature_c=colder + by) >= rate(temperature_c=colder)


@given(duration=st.floats(min_value=0.0, max_value=1e7), volume=st.floats(min_value=0.0, max_value=300.0))
def test_a_well_never_loses_more_than_it_holds(duration: float, volume: float) -> None:
    lost = evaporated_volume_ul(
        volume_ul=volume, duration_s=duration, temperature_c=60.0, edge_exposure=2, cover="open"
    )
    assert 0.0 <= lost <= volume


def test_a_cold_well_in_humid_air_gains_nothing() -> None:
    assert (
        evaporation_rate_ul_per_h(
            temperature_c=4.0, edge_exposure=0, cover="open", room_temperature_c=25.0, room_humidity=0.9
        )
        == 0.0
    )
