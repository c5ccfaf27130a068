"""Blends that age: what was measured comes out again, and what is assumed does what its docstring says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from devices.labware import labware_type
from digital_twin.chemistry import chemistry
from digital_twin.chemistry.blend_degradation import INGREDIENTS, load_blend_degradation
from digital_twin.chemistry.photovoltaic_blends import (
    REFERENCE_C,
    REFERENCE_S,
    STOCK_UMOL_L,
    PhotovoltaicBlends,
)
from digital_twin.thermal import History
from digital_twin.wells import Liquid, Wells
from lab.errors import BadInput, MissingData

MEASURED = load_blend_degradation()


def blend(shares: Mapping[str, float], volume_ul: float = 100.0) -> Wells:
    """A plate with one blend in B3, mixed."""
    wells = Wells(labware_type("pcr_plate_96"))
    amounts = {f"intact:{name}": STOCK_UMOL_L * share * volume_ul for name, share in shares.items()}
    wells.pour(wells.index("B3"), Liquid(volume_ul=volume_ul, amounts_pmol=amounts))
    return wells


def held(temperature_c: float, duration_s: float) -> History:
    return History(times_s=np.array([0.0, duration_s]), temperatures_c=np.full((2, 96), temperature_c))


def lost(wells: Wells, history: History, wavelength_nm: float = 400.0) -> float:
    """Share of the absorbance of B3 that a history costs."""
    module, well = PhotovoltaicBlends(), wells.index("B3")
    before = module.absorbance(wells, wavelength_nm=wavelength_nm)[well]
    module.expose(wells, history)
    return float(1.0 - module.absorbance(wells, wavelength_nm=wavelength_nm)[well] / before)


def test_the_table_holds_the_blends_of_the_publication() -> None:
    assert MEASURED.shares.shape == (1020, 4)
    assert np.allclose(MEASURED.shares.sum(axis=1), 1.0)
    best = MEASURED.shares[MEASURED.degradation.argmin()]
    assert dict(zip(INGREDIENTS, best, strict=True)) == {
        "PCE10": 0.0,
        "P3HT": 0.1,
        "PCBM": 0.9,
        "oIDTBR": 0.0,
    }
    assert MEASURED.degradation.min() == pytest.approx(0.0016, abs=1e-4)
    assert MEASURED.degradation.max() == pytest.approx(0.743, abs=1e-3)


def test_a_proportion_that_was_measured_twice_has_the_mean() -> None:
    assert MEASURED.at(np.array([[0.12, 0.76, 0.06, 0.06]])) == pytest.approx((0.13071562 + 0.14092562) / 2)


def test_measured_blends_come_out_as_measured() -> None:
    assert np.array_equal(MEASURED.at(MEASURED.shares), MEASURED.degradation)


def test_between_blends_the_number_lies_between_those_of_the_neighbours_and_does_not_jump() -> None:
    rng = np.random.default_rng(3)
    start, end = rng.dirichlet(np.ones(4), size=2)
    line = start + np.linspace(0.0, 1.0, 4001)[:, None] * (end - start)
    found = MEASURED.at(line)
    assert found.min() >= MEASURED.degradation.min()
    assert found.max() <= MEASURED.degradation.max()
    assert np.abs(np.diff(found)).max() < 0.01


def test_a_pipetting_error_of_a_percent_moves_the_truth_little() -> None:
    rng = np.random.default_rng(4)
    missed = np.clip(MEASURED.shares + rng.normal(0.0, 0.004, MEASURED.shares.shape), 0.0, None)
    assert np.sqrt(np.mean((MEASURED.at(missed) - MEASURED.degradation) ** 2)) < 0.005


@pytest.mark.parametrize("row", [0, 311, 702, 1019])
@pytest.mark.parametrize("wavelength_nm", [400.0, 500.0])
def test_the_reference_ageing_costs_the_published_share_of_the_absorbance(
    row: int, wavelength_nm: float
) -> None:
    wells = blend(dict(zip(INGREDIENTS, MEASURED.shares[row], strict=True)))
    found = lost(wells, held(REFERENCE_C, REFERENCE_S), wavelength_nm)
    assert found == pytest.approx(MEASURED.degradation[row], abs=1e-9)


def test_ageing_in_two_parts_costs_what_it_costs_in_one() -> None:
    shares = {"PCE10": 0.5, "PCBM": 0.5}
    whole = lost(blend(shares), held(REFERENCE_C, 3000.0))
    parts = blend(shares)
    first = lost(parts, held(REFERENCE_C, 1000.0))
    second = lost(parts, held(REFERENCE_C, 2000.0))
    assert 1.0 - (1.0 - first) * (1.0 - second) == pytest.approx(whole)


def test_a_day_at_room_temperature_costs_less_than_ten_minutes_of_ageing() -> None:
    shares = {"PCBM": 0.5, "oIDTBR": 0.5}
    assert lost(blend(shares), held(22.0, 86_400.0)) < lost(blend(shares), held(REFERENCE_C, 600.0))


def test_what_is_not_mixed_degrades_as_its_parts_do() -> None:
    wells = blend({"PCBM": 0.5, "oIDTBR": 0.5})
    wells.unmixed[:] = 1.0
    apart = lost(wells, held(REFERENCE_C, REFERENCE_S))
    assert apart < 0.05  # each alone is among the most stable, and the mixture is the worst of all
    assert lost(blend({"PCBM": 0.5, "oIDTBR": 0.5}), held(REFERENCE_C, REFERENCE_S)) == pytest.approx(
        0.743, abs=1e-3
    )


def test_no_material_is_made_or_lost_by_ageing() -> None:
    wells = blend({"PCE10": 0.3, "P3HT": 0.2, "PCBM": 0.3, "oIDTBR": 0.2})
    before = {name: wells.amount(f"intact:{name}").sum() for name in INGREDIENTS}
    PhotovoltaicBlends().expose(wells, held(REFERENCE_C, REFERENCE_S))
    after = {
        name: wells.amount(f"intact:{name}").sum() + wells.amount(f"aged:{name}").sum()
        for name in INGREDIENTS
    }
    assert after == pytest.approx(before)
    assert wells.amount("aged:PCE10").sum() > 0.0


def test_solvent_is_clear_and_does_not_age() -> None:
    wells = Wells(labware_type("pcr_plate_96"))
    wells.pour(0, Liquid(volume_ul=100.0))
    PhotovoltaicBlends().expose(wells, held(REFERENCE_C, REFERENCE_S))
    assert np.array_equal(PhotovoltaicBlends().absorbance(wells, wavelength_nm=400.0), np.zeros(96))


@pytest.mark.parametrize("material", INGREDIENTS)
def test_every_stock_can_be_read_at_400_nm(material: str) -> None:
    wells = blend({material: 1.0})
    seen = PhotovoltaicBlends().absorbance(wells, wavelength_nm=400.0)[wells.index("B3")]
    assert 0.3 < seen < 2.0


def test_stocks_are_as_strong_as_each_other_within_a_few_percent() -> None:
    module = PhotovoltaicBlends()
    strengths = [
        module.stock(name, np.random.default_rng(seed))[f"intact:{name}"]
        for seed in range(50)
        for name in INGREDIENTS
    ]
    assert np.mean(strengths) == pytest.approx(STOCK_UMOL_L, rel=0.005)
    assert 0.005 < np.std(strengths) / STOCK_UMOL_L < 0.02
    assert module.stock("solvent", np.random.default_rng(1)) == {}


def test_another_material_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="no measured blends with 'Y6'") as caught:
        chemistry("photovoltaic_blends").stock("Y6", np.random.default_rng(1))
    assert "PCE10, P3HT, PCBM, oIDTBR and solvent" in caught.value.way_out


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load_blend_degradation.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingData, match="olymp") as caught:
        load_blend_degradation()
    assert "requirements-data.txt" in caught.value.way_out
    monkeypatch.undo()
    load_blend_degradation.cache_clear()
