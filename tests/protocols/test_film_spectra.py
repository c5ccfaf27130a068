"""Spectra of films taken apart, and the documents that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lab.errors import NonsenseReply
from protocols.film_spectra import FilmSpectra, PlateSpectra, plate_spectra
from tests.protocols.films import FLOOR_W, LAMP_W, NM, band

PURE = {name: band(name) for name in ("red", "green", "blue")}
BLANKS = ("A1", "A2", "A3")
SCATTERING = (550.0 / NM) ** 4


def look(
    absorbances: Mapping[str, np.ndarray], floor_w: float = FLOOR_W, clear_from_nm: float = 860.0
) -> FilmSpectra:
    """A plate with these films and three blanks."""
    rng = np.random.default_rng(7)
    wells = {**dict.fromkeys(BLANKS, np.zeros_like(NM)), **absorbances}
    power = {
        well: LAMP_W * rng.normal(1.0, 0.002) * 10.0**-one + rng.normal(0.0, floor_w, NM.size)
        for well, one in wells.items()
    }
    spectra = PlateSpectra(labware="films_1", wavelength_nm=NM, power_w=power, lab_time_s=1.0)
    return FilmSpectra(spectra, blanks=BLANKS, clear_from_nm=clear_from_nm)


def test_a_blend_is_taken_apart_into_what_it_was_mixed_from() -> None:
    mixed = 0.5 * PURE["red"] + 0.2 * PURE["green"] + 0.3 * PURE["blue"]
    film = look({"B1": mixed + 0.1 * SCATTERING + 0.02}).film("B1", PURE)
    assert film is not None
    assert film.amounts == pytest.approx({"red": 0.5, "green": 0.2, "blue": 0.3}, abs=0.005)
    assert film.haze == pytest.approx(0.1, abs=0.003)
    assert film.colour == pytest.approx(mixed[NM < 860.0].mean(), abs=0.001)
    assert film.misfit < 0.02


def test_a_blank_has_no_colour_to_speak_of() -> None:
    film = look({}).film("A1", PURE)
    assert film is not None
    assert abs(film.colour) < 1e-3


def test_the_spectrum_of_a_pure_film_is_told_without_its_haze_and_baseline() -> None:
    told = look({"B1": PURE["green"] + 0.05 * SCATTERING + 0.03, "B2": PURE["green"]}).pure(["B1", "B2"])
    assert told is not None
    assert np.abs(told - np.where(NM < 860.0, PURE["green"], 0.0)).max() < 0.03
    assert np.all(told[NM >= 860.0] == 0.0)


def test_a_spectrum_of_something_else_does_not_fit() -> None:
    stranger = np.exp(-(((NM - 550.0) / 25.0) ** 2))
    film = look({"B1": stranger}).film("B1", {"red": PURE["red"], "blue": PURE["blue"]})
    assert film is not None
    assert film.misfit > 0.3


@pytest.mark.parametrize("colour", [0.05, 0.3, 1.0, 2.0])
def test_colours_are_told_in_proportion_from_pale_to_dark(colour: float) -> None:
    film = look({"B1": colour * PURE["red"]}).film("B1", {"red": PURE["red"]})
    assert film is not None
    assert film.amounts["red"] == pytest.approx(colour, rel=0.02, abs=0.001)


def test_a_film_that_lets_no_light_through_is_dark_and_has_no_colour() -> None:
    light = look({"B1": np.full_like(NM, 6.0)})
    assert light.is_dark("B1")
    assert light.film("B1", PURE) is None
    assert light.pure(["B1"]) is None


def test_a_film_without_a_number_is_not_told() -> None:
    broken = np.zeros_like(NM)
    broken[40] = np.nan
    light = look({"B1": broken})
    assert light.film("B1", PURE) is None
    assert not light.is_dark("B1")
    assert light.film("H12", PURE) is None  # no spectrum of it was taken


def test_one_blank_is_too_few_to_compare_with() -> None:
    spectra = PlateSpectra(
        labware="films_1",
        wavelength_nm=NM,
        power_w={"A1": np.full_like(NM, LAMP_W), "B1": np.full_like(NM, LAMP_W / 2.0)},
        lab_time_s=1.0,
    )
    light = FilmSpectra(spectra, blanks=("A1",), clear_from_nm=860.0)
    assert not light.readable
    assert light.film("B1", PURE) is None


def test_spectra_without_a_clear_range_are_refused() -> None:
    with pytest.raises(NonsenseReply, match="0 of 151 wavelengths from 990 nm on"):
        look({}, clear_from_nm=990.0)


def event(**changes: Any) -> list[tuple[str, dict[str, Any]]]:
    data = {
        "spectrometer-power_w": np.ones(6),
        "spectrometer-wells": ["A1", "B1"],
        "spectrometer-wavelength_nm": np.array([400.0, 500.0, 600.0]),
        "spectrometer-plate": "films_1",
        "spectrometer-lab_time_s": 5.0,
    } | {f"spectrometer-{name}": value for name, value in changes.items()}
    return [
        ("descriptor", {"uid": "d", "name": "spectra_fresh"}),
        ("event", {"descriptor": "d", "data": data}),
    ]


def test_spectra_are_read_by_well_from_the_documents_of_their_stream() -> None:
    documents = event(power_w=np.arange(6.0))
    (found,) = plate_spectra(documents, stream="spectra_fresh").values()
    assert found.labware == "films_1"
    assert found.power_w["B1"].tolist() == [3.0, 4.0, 5.0]
    assert plate_spectra(documents, stream="spectra_aged") == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"power_w": np.ones(5)}, "5 powers for 2 wells and 3 wavelengths"),
        ({"wells": ["A1", "A1"]}, "6 powers for 2 wells"),
        ({"wavelength_nm": np.array([400.0, 600.0, 500.0])}, "do not increase"),
        ({"wavelength_nm": np.array([400.0, np.nan, 600.0])}, "do not increase"),
    ],
)
def test_spectra_that_are_not_what_they_say_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(NonsenseReply, match=said):
        plate_spectra(event(**changes), stream="spectra_fresh")
