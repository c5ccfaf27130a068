"""Chemistry of the reporter assay: what templates make of an extract, and how it glows."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from devices.labware import labware_type
from digital_twin.biology.lac_promoter import load_lac_promoters
from digital_twin.chemistry import chemistry
from digital_twin.chemistry.cell_free import TEMPLATE_UMOL_L, CellFree, _step
from digital_twin.detectors import DETECTORS
from digital_twin.thermal import History
from digital_twin.wells import Liquid, Wells
from lab.errors import BadInput

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mavenn") is None,
    reason="the package mavenn, which carries the data, is not installed",
)

MIX = {"resource": 1.0, "extract": 1.0}
TEMPLATE = TEMPLATE_UMOL_L / 9.0


def filled(contents: dict[str, dict[str, float]], volume_ul: float = 36.0) -> Wells:
    wells = Wells(labware_type("pcr_plate_96"))
    for well, concentrations in contents.items():
        amounts = {species: c * volume_ul for species, c in concentrations.items()}
        wells.pour(wells.index(well), Liquid(volume_ul=volume_ul, amounts_pmol=amounts))
    return wells


def held(temperature_c: float, duration_s: float, points: int = 2) -> History:
    times = np.linspace(0.0, duration_s, points)
    return History(times_s=times, temperatures_c=np.full((points, 96), temperature_c))


def made(contents: dict[str, float], hours: float = 3.0, temperature_c: float = 30.0) -> float:
    """Mature GFP, umol/L."""
    wells = filled({"A1": contents})
    CellFree().expose(wells, held(temperature_c, 3600.0 * hours))
    return float(wells.concentration_umol_l("gfp")[0])


def test_the_wild_type_makes_a_micromole_a_litre_or_two_in_three_hours() -> None:
    assert 0.8 < made(MIX | {"template:WT": TEMPLATE}) < 2.5


@pytest.mark.parametrize("name", ["lac31766", "lac37764", "lac20533"])
def test_promoters_make_as_much_more_or_less_as_their_expression_says(name: str) -> None:
    ratio = made(MIX | {f"template:{name}": TEMPLATE}) / made(MIX | {"template:WT": TEMPLATE})
    # The stronger one uses up a little more of the extract.
    assert ratio == pytest.approx(load_lac_promoters()[name].expression, rel=0.05)


def test_nothing_is_made_without_template_or_without_extract_and_nothing_ages() -> None:
    wells = filled({"A1": MIX, "A2": {"template:WT": TEMPLATE}})
    CellFree().expose(wells, held(30.0, 36_000.0))
    assert not wells.amount("gfp").any()
    assert wells.concentration_umol_l("resource")[0] == 1.0


def test_more_template_makes_more_but_less_than_in_proportion() -> None:
    one, two, many = (made(MIX | {"template:WT": n * TEMPLATE}) for n in (1, 2, 100))
    assert one < two < 1.7 * one
    assert many < 3.0 * one


def test_two_templates_share_an_extract() -> None:
    weak = "lac31766"
    alone = made(MIX | {"template:WT": TEMPLATE})
    both = made(MIX | {"template:WT": TEMPLATE, f"template:{weak}": TEMPLATE})
    doubled = made(MIX | {"template:WT": 2.0 * TEMPLATE})
    assert both < doubled
    assert both != pytest.approx(alone + made(MIX | {f"template:{weak}": TEMPLATE}), rel=0.05)


def test_warmth_makes_more_at_first_and_less_in_the_end() -> None:
    contents = MIX | {"template:WT": TEMPLATE}
    assert made(contents, 1.0, 37.0) > made(contents, 1.0, 29.0)
    assert made(contents, 8.0, 37.0) < made(contents, 8.0, 29.0)


def test_new_gfp_is_dark_until_it_has_matured() -> None:
    wells = filled({"A1": MIX | {"template:WT": TEMPLATE}})
    CellFree().expose(wells, held(30.0, 300.0))
    assert wells.amount("dark_gfp")[0] > 2.0 * wells.amount("gfp")[0]
    wells.amount("template:WT")[:] = 0.0
    before = wells.amount("dark_gfp")[0] + wells.amount("gfp")[0]
    CellFree().expose(wells, held(30.0, 36_000.0))
    assert wells.amount("gfp")[0] == pytest.approx(before)


def test_a_step_is_what_the_equations_integrated_give() -> None:
    strength, temperature_c, duration_s = 0.7, 33.0, 5400.0
    left, dark, bright = _step(
        np.array([0.9]), np.array([0.2]), np.array([strength]), np.array([temperature_c]), duration_s
    )
    # The rates, read off steps of one second.
    one = _step(np.array([1.0]), np.array([0.0]), np.array([strength]), np.array([temperature_c]), 1.0)
    fade = -np.log(one[0][0])
    none = _step(np.array([0.0]), np.array([1.0]), np.array([0.0]), np.array([temperature_c]), 1.0)
    mature = -np.log(none[1][0])
    make = (one[1][0] + one[2][0]) * fade / (1.0 - np.exp(-fade))
    found = solve_ivp(
        lambda _, y: [-fade * y[0], make * y[0] - mature * y[1], mature * y[1]],
        (0.0, duration_s),
        [0.9, 0.2, 0.0],
        rtol=1e-10,
        atol=1e-12,
    )
    assert [left[0], dark[0], bright[0]] == pytest.approx(found.y[:, -1], rel=1e-6)


def test_exposure_in_two_parts_is_exposure_in_one() -> None:
    contents = {"A1": MIX | {"template:WT": TEMPLATE}}
    whole, parts = filled(contents), filled(contents)
    CellFree().expose(whole, held(30.0, 7200.0))
    for _ in range(4):
        CellFree().expose(parts, held(30.0, 1800.0))
    for species in ("gfp", "dark_gfp", "resource"):
        np.testing.assert_allclose(parts.amount(species), whole.amount(species), rtol=1e-6)


def test_light_grows_with_gfp_and_the_extract_has_its_own() -> None:
    wells = filled({"A1": MIX, "A2": MIX | {"gfp": 0.5}, "A3": MIX | {"gfp": 1.0}, "A4": {}})
    light = CellFree().fluorescence_rfu(
        wells,
        excitation_nm=485.0,
        emission_nm=520.0,
        gain=65.0,
        temperature_c=np.full(96, 25.0),
        detector=DETECTORS["infinite"],
    )
    blank, half, full, empty = light[:4]
    assert 0.0 == empty < blank
    assert (half - blank) / (full - blank) == pytest.approx(0.5, abs=0.03)
    assert full > 10.0 * blank
    assert full < DETECTORS["infinite"].ceiling_rfu


def test_stocks_are_what_the_bench_calls_them() -> None:
    known = chemistry("cell_free")
    rng = np.random.default_rng(0)
    assert dict(known.stock("cell_free_mix", rng)) == {"resource": 1.5, "extract": 1.5}
    assert dict(known.stock("water", rng)) == {}
    drawn = [known.stock("WT", rng)["template:WT"] for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(TEMPLATE_UMOL_L, rel=0.01)
    with pytest.raises(BadInput, match="no measured expression for 'T16I'"):
        known.stock("T16I", rng)
