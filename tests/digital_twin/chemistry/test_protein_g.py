"""Chemistry of the thermal challenge, against the pure functions it is made of."""

from __future__ import annotations

import numpy as np
import pytest

from devices.labware import labware_type
from digital_twin.biology.protein_g import load_protein_g_variants, residual_after_challenge
from digital_twin.chemistry import CHEMISTRIES, chemistry
from digital_twin.chemistry.protein_g import ASSAY_BUFFER, REPORTER, ProteinG
from digital_twin.detectors import DETECTORS
from digital_twin.physics.inactivation import ASSAY_THERMOLYSIN_UMOL_L
from digital_twin.thermal import History
from digital_twin.wells import Liquid, Wells
from lab.errors import BadInput

ROOM = np.full(96, 22.0)


def filled(contents: dict[str, dict[str, float]]) -> Wells:
    """A plate with 50 ul in each named well: species -> concentration in umol/L."""
    wells = Wells(labware_type("pcr_plate_96"))
    for well, concentrations in contents.items():
        amounts = {species: c * 50.0 for species, c in concentrations.items()}
        wells.pour(wells.index(well), Liquid(volume_ul=50.0, amounts_pmol=amounts))
    return wells


def held(temperature_c: float, duration_s: float, points: int = 2) -> History:
    times = np.linspace(0.0, duration_s, points)
    return History(times_s=times, temperatures_c=np.full((points, 96), temperature_c))


def light(wells: Wells, temperature_c: np.ndarray = ROOM, **settings: float) -> np.ndarray:
    chosen = {"excitation_nm": 480.0, "emission_nm": 540.0, "gain": 1000.0} | settings
    return ProteinG().fluorescence_rfu(
        wells, temperature_c=temperature_c, detector=DETECTORS["clariostar"], **chosen
    )


CHALLENGE = {"thermolysin": ASSAY_THERMOLYSIN_UMOL_L, "divalent": 4500.0}


@pytest.mark.parametrize("variant", ["WT", "T16I", "T25E", "A26V", "E27F"])
def test_what_survives_a_short_challenge_is_what_the_rate_law_says(variant: str) -> None:
    wells = filled({"B3": CHALLENGE | {f"native:{variant}": 2.0}})
    ProteinG().expose(wells, held(75.0, 60.0))
    expected = residual_after_challenge(
        ddg_kcal_per_mol=load_protein_g_variants()[variant].ddg_kcal_per_mol,
        temperature_c=75.0,
        duration_s=60.0,
    )
    # The protease dies too, which the pure function leaves out: at 75 C about 0.5 % a minute.
    assert wells.amount(f"native:{variant}").sum() / 100.0 == pytest.approx(expected, abs=0.004)


def test_the_protease_dies_in_the_heat_so_a_long_challenge_spares_more() -> None:
    wells = filled({"B3": CHALLENGE | {"native:T16I": 2.0}})
    ProteinG().expose(wells, held(82.0, 3600.0, points=200))
    unabated = residual_after_challenge(
        ddg_kcal_per_mol=load_protein_g_variants()["T16I"].ddg_kcal_per_mol,
        temperature_c=82.0,
        duration_s=3600.0,
    )
    assert wells.amount("native:T16I").sum() / 100.0 > unabated
    assert 0.2 < wells.amount("thermolysin").sum() / (ASSAY_THERMOLYSIN_UMOL_L * 50.0) < 0.8


def test_exposure_in_two_parts_is_exposure_in_one() -> None:
    whole, parts = (filled({"A1": CHALLENGE | {"native:WT": 2.0}}) for _ in range(2))
    ProteinG().expose(whole, held(75.0, 600.0, points=601))
    for _ in range(4):
        ProteinG().expose(parts, held(75.0, 150.0, points=151))
    np.testing.assert_allclose(parts.amount("native:WT"), whole.amount("native:WT"), rtol=1e-4)


@pytest.mark.parametrize("missing", ["thermolysin", "divalent"])
def test_nothing_is_cut_without_an_active_protease(missing: str) -> None:
    contents = {s: c for s, c in CHALLENGE.items() if s != missing} | {"native:WT": 2.0, "edta": 10.0}
    wells = filled({"A1": contents})
    ProteinG().expose(wells, held(85.0, 600.0))
    assert wells.amount("native:WT").sum() == 100.0


def test_edta_short_of_the_calcium_slows_the_protease_only() -> None:
    left = {}
    for edta in (0.0, 2250.0, 9000.0):
        wells = filled({"A1": CHALLENGE | {"native:WT": 2.0, "edta": edta}})
        ProteinG().expose(wells, held(75.0, 300.0))
        left[edta] = wells.amount("native:WT").sum()
    assert left[0.0] < left[2250.0] < left[9000.0] == 100.0


def test_hotter_wells_of_a_plate_lose_more() -> None:
    wells = filled(dict.fromkeys(("A1", "H12"), CHALLENGE | {"native:WT": 2.0}))
    temperatures = np.full((2, 96), 75.0)
    temperatures[:, 0] = 76.0
    ProteinG().expose(wells, History(times_s=np.array([0.0, 600.0]), temperatures_c=temperatures))
    native = wells.amount("native:WT")
    assert native[0] < 0.9 * native[95]


def test_light_grows_with_intact_protein_and_a_blank_has_its_own() -> None:
    reporter = {"reporter": 2.0, "edta": 10_000.0}
    wells = filled(
        {
            "A1": reporter,
            "A2": reporter | {"native:WT": 0.5},
            "A3": reporter | {"native:WT": 1.0},
            "A4": reporter | {"cleaved:WT": 1.0},
        }
    )
    blank, half, full, cleaved = light(wells)[:4]
    assert blank > 0.0
    assert cleaved == pytest.approx(blank)
    assert (half - blank) / (full - blank) == pytest.approx(0.5, abs=0.02)
    assert full > 3.0 * blank


def test_a_variant_without_its_key_residue_is_not_seen() -> None:
    reporter = {"reporter": 2.0}
    wells = filled(
        {"A1": reporter, "A2": reporter | {"native:E27F": 1.0}, "A3": reporter | {"native:WT": 1.0}}
    )
    blank, blind, seen = light(wells)[:3]
    assert (blind - blank) < 0.1 * (seen - blank)


def test_what_is_unfolded_while_it_is_read_does_not_bind() -> None:
    wells = filled({"A1": {"reporter": 2.0, "native:WT": 1.0}})
    assert light(wells, np.full(96, 95.0))[0] < 0.6 * light(wells)[0]


def test_light_off_the_bands_is_faint() -> None:
    wells = filled({"A1": {"reporter": 2.0, "native:WT": 1.0}})
    assert light(wells, excitation_nm=600.0)[0] < 0.01 * light(wells)[0]


def test_absorbance_counts_protein_cut_or_not_and_dye() -> None:
    wells = filled(
        {"A1": {"native:WT": 20.0}, "A2": {"cleaved:WT": 20.0}, "A3": {"reporter": 4.0}, "A4": {"edta": 10.0}}
    )
    at_280, at_480 = (ProteinG().absorbance(wells, wavelength_nm=nm) for nm in (280.0, 480.0))
    assert at_280[0] == pytest.approx(at_280[1]) != 0.0
    # One tryptophan and three tyrosines (9970 L/mol/cm), 20 umol/L, 8.5 mm deep.
    assert at_280[0] == pytest.approx(9970.0 * 20e-6 * 0.847, rel=0.02)
    assert at_480[2] > 0.05 > at_480[0]
    assert at_280[3] == 0.0


def test_library_wells_differ_in_strength_by_about_a_tenth() -> None:
    rng = np.random.default_rng(1)
    strengths = np.array([ProteinG().stock("T16I", rng)["native:T16I"] for _ in range(4000)])
    assert strengths.mean() == pytest.approx(20.0, rel=0.01)
    assert strengths.std() / strengths.mean() == pytest.approx(0.10, abs=0.01)


def test_buffers_are_what_their_recipes_say() -> None:
    rng = np.random.default_rng(1)
    assert ProteinG().stock("assay_buffer", rng) == ASSAY_BUFFER
    assert ProteinG().stock("reporter", rng) == REPORTER
    # Mixed 50 + 50 ul there is more EDTA than calcium and zinc, so the protease stops.
    assert REPORTER["edta"] > ASSAY_BUFFER["divalent"]


def test_an_unknown_content_is_refused() -> None:
    with pytest.raises(BadInput, match="lysozyme"):
        ProteinG().stock("lysozyme", np.random.default_rng(1))


def test_chemistries_are_found_by_name() -> None:
    assert isinstance(chemistry("protein_g"), ProteinG)
    with pytest.raises(BadInput, match="alchemy") as refused:
        chemistry("alchemy")
    assert all(name in refused.value.way_out for name in CHEMISTRIES)
