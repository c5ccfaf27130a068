"""Films of blends: what was measured comes out again, and drying, annealing and looks do what the docstrings say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from devices.labware import labware_type, make_labware
from digital_twin.chemistry import chemistry
from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from digital_twin.chemistry.blend_films import (
    BOUND_WATER,
    REFERENCE_C,
    REFERENCE_SUN_S,
    STOCK_UMOL_L,
    BlendFilms,
    wet_share,
)
from digital_twin.thermal import History, Surroundings
from digital_twin.wells import Liquid, Wells
from digital_twin.world import World
from lab.bench import Bench, Position
from lab.errors import BadInput
from tests.twin_bench import HandClock

MEASURED = load_blend_degradation()
STANDARD = {"PCE10": 0.5, "PCBM": 0.5}
DARK, SUN = Surroundings(), Surroundings(light_suns=1.0)
WELL = "D6"


def plate(shares: Mapping[str, float], *, wet: float, volume_ul: float = 0.05) -> Wells:
    """A plate with one blend in D6, mixed: a film of 100 ul of ink where the volume is small, else the ink itself."""
    wells = Wells(labware_type("quartz_plate_96"))
    amounts = {f"intact:{name}": STOCK_UMOL_L * share * 100.0 for name, share in shares.items()}
    amounts[BOUND_WATER] = wet * STOCK_UMOL_L * 100.0
    wells.pour(wells.index(WELL), Liquid(volume_ul=volume_ul, amounts_pmol=amounts))
    return wells


def held(temperature_c: float, duration_s: float, around: Surroundings = DARK) -> History:
    times_s = np.linspace(0.0, duration_s, 401)
    return History(times_s=times_s, temperatures_c=np.full((401, 96), temperature_c), around=around)


def colour(wells: Wells, wavelength_nm: float) -> float:
    return float(BlendFilms().absorbance(wells, wavelength_nm=wavelength_nm)[wells.index(WELL)])


def lost(wells: Wells, history: History, wavelength_nm: float = 400.0) -> float:
    """Share of the absorbance of a film that a history costs."""
    before = colour(wells, wavelength_nm)
    BlendFilms().expose(wells, history)
    return 1.0 - colour(wells, wavelength_nm) / before


def spectrum(wells: Wells, nm: np.ndarray) -> np.ndarray:
    return np.array([colour(wells, float(one)) for one in nm])


@pytest.mark.parametrize("row", [0, 311, 702, 1019])
@pytest.mark.parametrize("wavelength_nm", [400.0, 620.0])
def test_the_reference_dose_of_light_costs_a_dry_film_the_published_share(
    row: int, wavelength_nm: float
) -> None:
    wells = plate(dict(zip(INGREDIENTS, MEASURED.shares[row], strict=True)), wet=0.0)
    found = lost(wells, held(REFERENCE_C, REFERENCE_SUN_S, SUN), wavelength_nm)
    # Heat takes a share of its own: at 40 C a millionth of the colour.
    assert found == pytest.approx(MEASURED.degradation[row], abs=1e-5)


def test_light_counts_by_dose() -> None:
    strong = replace(SUN, light_suns=3.0)
    fast = lost(plate(STANDARD, wet=0.0), held(REFERENCE_C, REFERENCE_SUN_S / 3.0, strong))
    slow = lost(plate(STANDARD, wet=0.0), held(REFERENCE_C, REFERENCE_SUN_S, SUN))
    assert fast == pytest.approx(slow, rel=1e-4)


def test_a_film_in_the_dark_keeps_its_colour() -> None:
    assert lost(plate(STANDARD, wet=0.0), held(REFERENCE_C, REFERENCE_SUN_S)) < 1e-5


def test_a_film_that_holds_water_bleaches_faster_and_light_at_60_degrees_more_than_at_40() -> None:
    dry = lost(plate(STANDARD, wet=0.0), held(REFERENCE_C, 3600.0, SUN), 750.0)
    warm = lost(plate(STANDARD, wet=0.0), held(60.0, 3600.0, SUN), 750.0)
    # 26 kJ/mol between 313 and 333 K.
    assert math.log1p(-warm) / math.log1p(-dry) == pytest.approx(
        math.exp(26_000.0 / 8.314 * (1.0 / 313.15 - 1.0 / 333.15)), rel=0.01
    )
    damp = plate(STANDARD, wet=1.0)
    before = damp.amount("intact:PCE10").sum()
    BlendFilms().expose(damp, held(REFERENCE_C, 3600.0, SUN))
    assert 1.0 - damp.amount("intact:PCE10").sum() / before > 2.0 * dry


@pytest.mark.parametrize(
    ("temperature_c", "half_life_s"),
    [(120.0, 300.0), (100.0, 300.0 * math.exp(44_000.0 / 8.314 * (1.0 / 373.15 - 1.0 / 393.15)))],
)
def test_bound_water_leaves_with_the_half_life_that_arrhenius_gives(
    temperature_c: float, half_life_s: float
) -> None:
    wells = plate(STANDARD, wet=1.0)
    BlendFilms().expose(wells, held(temperature_c, 2.0 * half_life_s))
    assert wet_share(wells)[wells.index(WELL)] == pytest.approx(0.25, rel=0.01)


def test_an_ink_keeps_its_water_until_its_liquid_is_gone() -> None:
    ink = plate(STANDARD, wet=1.0, volume_ul=100.0)
    BlendFilms().expose(ink, held(120.0, 600.0, Surroundings(humidity=0.1)))
    assert wet_share(ink)[ink.index(WELL)] == 1.0
    small = plate(STANDARD, wet=1.0, volume_ul=20.0)
    BlendFilms().expose(small, held(120.0, 1200.0, Surroundings(humidity=0.1)))
    left = wet_share(small)[small.index(WELL)]
    # The well loses 0.16 ml an hour at 120 C: about 7 of the 20 minutes are the liquid's.
    assert 0.1 < left < 0.3


def test_too_hot_an_anneal_bleaches_and_a_proper_one_does_not() -> None:
    assert lost(plate(STANDARD, wet=0.0), held(120.0, 5400.0)) < 0.005
    assert 0.05 < lost(plate(STANDARD, wet=0.0), held(180.0, 3600.0)) < 0.3


@pytest.mark.parametrize(
    ("material", "dissolved_nm", "solid_nm"), [("oIDTBR", 650.0, 690.0), ("P3HT", 450.0, 550.0)]
)
def test_materials_change_colour_as_they_become_solid(
    material: str, dissolved_nm: float, solid_nm: float
) -> None:
    nm = np.arange(430.0, 800.0, 2.0)
    wet, dry = plate({material: 1.0}, wet=1.0), plate({material: 1.0}, wet=0.0)
    haze = 0.3 * (550.0 / nm) ** 4
    assert nm[np.argmax(spectrum(wet, nm) - haze)] == pytest.approx(dissolved_nm, abs=12.0)
    assert nm[np.argmax(spectrum(dry, nm))] == pytest.approx(solid_nm, abs=12.0)


def test_unfused_films_scatter_by_the_fourth_power_where_nothing_absorbs() -> None:
    wet = plate(STANDARD, wet=0.5)
    assert colour(wet, 900.0) / colour(wet, 1200.0) == pytest.approx((1200.0 / 900.0) ** 4, rel=0.01)
    assert colour(plate(STANDARD, wet=0.0), 900.0) < 1e-4


def test_how_deep_an_ink_stands_makes_no_difference_to_its_colour() -> None:
    assert colour(plate(STANDARD, wet=1.0, volume_ul=100.0), 500.0) == pytest.approx(
        colour(plate(STANDARD, wet=1.0, volume_ul=50.0), 500.0)
    )


def test_what_is_not_mixed_bleaches_as_its_parts_do() -> None:
    worst = {"PCBM": 0.5, "oIDTBR": 0.5}
    apart = plate(worst, wet=0.0)
    apart.unmixed[:] = 1.0
    assert lost(apart, held(REFERENCE_C, REFERENCE_SUN_S, SUN)) < 0.05
    assert lost(plate(worst, wet=0.0), held(REFERENCE_C, REFERENCE_SUN_S, SUN)) == pytest.approx(
        0.743, abs=1e-3
    )


def test_no_material_is_made_or_lost() -> None:
    shares = {"PCE10": 0.3, "P3HT": 0.2, "PCBM": 0.3, "oIDTBR": 0.2}
    wells = plate(shares, wet=1.0)
    BlendFilms().expose(wells, held(150.0, 3600.0, SUN))
    total = {
        name: (wells.amount(f"intact:{name}") + wells.amount(f"aged:{name}")).sum() for name in INGREDIENTS
    }
    assert total == pytest.approx({name: STOCK_UMOL_L * share * 100.0 for name, share in shares.items()})
    assert wells.amount("aged:P3HT").sum() > 0.0


def test_solvent_leaves_a_clear_well() -> None:
    wells = Wells(labware_type("quartz_plate_96"))
    wells.pour(0, Liquid(volume_ul=100.0))
    BlendFilms().expose(wells, held(120.0, 5400.0, SUN))
    assert np.array_equal(BlendFilms().absorbance(wells, wavelength_nm=400.0), np.zeros(96))


def test_another_material_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no measured blends with 'Y6'") as caught:
        chemistry("blend_films").stock("Y6", np.random.default_rng(1))
    assert "PCE10, P3HT, PCBM, oIDTBR and solvent" in caught.value.way_out


@pytest.mark.parametrize(
    ("seat", "covered", "bleached"),
    [("light_chamber", False, True), ("light_chamber", True, False), ("chamber", False, False)],
)
def test_in_a_world_light_falls_on_open_plates_in_the_lit_chamber_alone(
    seat: str, covered: bool, bleached: bool
) -> None:
    worst = {"PCBM": 0.2, "oIDTBR": 0.2}
    film = make_labware("film", labware_type("quartz_plate_96"), "chamber")
    film.wells[WELL].volume_ul, film.wells[WELL].parts = 0.4, dict(worst)
    lid = make_labware("lid", labware_type("auto_sealing_lid"), "lids_1")
    if covered:
        film.lid, lid.position = "lid", None
    places = [
        Position(name="chamber", device="chamber"),
        Position(name="lids_1", device="arm", home=True),
        Position(name="hotel_1", device="arm", home=True),
    ]
    clock = HandClock()
    world = World(
        clock=clock,
        seed=3,
        ledger=None,
        bench=Bench(places, [film, lid]),
        chemistry=chemistry("blend_films"),
        seats={"chamber": seat},
    )
    wells = world.state.pieces["film"].wells
    assert wells is not None
    before = wells.amount("intact:oIDTBR").sum()
    clock.now_s += REFERENCE_SUN_S
    world.act("chamber", "set_temperature", position="chamber", temperature_c=None)
    left = float(wells.amount("intact:oIDTBR").sum() / before)
    assert (left < 0.6) is bleached
    assert (left > 0.999) is not bleached
