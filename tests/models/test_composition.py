import sys

import numpy as np
import pytest

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Encoder
from lab.types import Candidate, ModelChoice
from models.composition import Composition, CompositionSettings, element_amounts


def made(**settings: object) -> Encoder:
    found = models.model(ModelChoice(name="composition", settings=settings))
    assert isinstance(found, Encoder)
    return found


def encoded(*formulas: str, **settings: object) -> np.ndarray:
    return made(**settings).encode([Candidate(id=f, values={"formula": f}) for f in formulas])


def test_an_element_is_its_own_mean_least_and_most_and_does_not_differ_from_itself() -> None:
    mean, std, least, most = encoded("Fe")[0].reshape(4, 22)
    np.testing.assert_array_equal(mean, least)
    np.testing.assert_array_equal(mean, most)
    np.testing.assert_allclose(std, 0.0, atol=1e-12)


def test_atoms_count_by_their_number_in_the_formula() -> None:
    iron, oxygen, rust = encoded("Fe", "O", "Fe2O3", statistics=["mean"])
    np.testing.assert_allclose(rust, 0.4 * iron + 0.6 * oxygen)
    (spread,) = encoded("Fe2O3", statistics=["std"])
    np.testing.assert_allclose(spread, np.abs(iron - oxygen) * np.sqrt(0.4 * 0.6))


def test_the_vectors_are_the_properties_that_the_table_names() -> None:
    of = dict(zip(("H", "Na", "Fe", "F"), encoded("H", "Na", "Fe", "F", statistics=["mean"]), strict=True))
    number, electronegativity = 0, 7
    assert of["H"][number] < of["Na"][number] < of["Fe"][number]
    assert (of["Fe"][number] - of["H"][number]) / (of["Na"][number] - of["H"][number]) == pytest.approx(
        25 / 10
    )
    assert of["F"][electronegativity] == max(vector[electronegativity] for vector in of.values())


def test_learned_vectors_place_chemical_kin_next_to_each_other() -> None:
    symbols = ("Li", "Na", "Cl", "Br", "La", "Ce")
    table = encoded(*symbols, vectors="mat2vec", statistics=["mean"])
    assert table.shape == (6, 200)
    distance = np.linalg.norm(table[:, None] - table[None], axis=2) + np.diag([np.inf] * 6)
    nearest = {symbol: symbols[row.argmin()] for symbol, row in zip(symbols, distance, strict=True)}
    assert nearest == {"Li": "Na", "Na": "Li", "Cl": "Br", "Br": "Cl", "La": "Ce", "Ce": "La"}


@pytest.mark.parametrize(
    ("one", "other"), [("Fe2O3", "O3Fe2"), ("Fe2O3", "Fe4O6"), ("CuSO4(H2O)5", "CuSO9H10")]
)
def test_a_compound_may_be_written_in_several_ways(one: str, other: str) -> None:
    np.testing.assert_allclose(*encoded(one, other))


def test_shares_of_atoms_add_up() -> None:
    assert element_amounts("Li0.5CoO2", "a formula") == pytest.approx(
        {"Co": 1 / 3.5, "Li": 0.5 / 3.5, "O": 2 / 3.5}
    )


@pytest.mark.parametrize(
    "formula", ["fe2o3", "12", "Ti3C2Tx", "(Fe", "Fe-1", "Fe0", "Fe1e400", "H2*O", "CuSO4·5H2O"]
)
def test_what_is_no_formula_is_refused_by_name(formula: str) -> None:
    with pytest.raises(BadInput, match="the formula of candidate odd, can't be read") as refusal:
        made().encode([Candidate(id="odd", values={"formula": formula})])
    assert repr(formula) in refusal.value.reason


def test_an_element_without_a_vector_is_named() -> None:
    with pytest.raises(
        BadInput, match="OgF2 of candidate OgF2 holds Og, for which there is no magpie vector"
    ):
        encoded("OgF2")
    assert np.isfinite(encoded("OgF2", vectors="mat2vec")).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"formulas": "Fe"}, "no value 'formula'"),
        ({"formula": 3.0}, "3.0 for formula, where a formula is expected"),
        ({"formula": ""}, "'' for formula"),
    ],
)
def test_a_candidate_without_a_formula_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        made().encode([Candidate(id="odd", values=values)])


def test_the_value_that_holds_the_formula_is_a_setting() -> None:
    candidate = Candidate(id="c", values={"dopant": "Mg", "temperature_c": 500.0})
    assert made(value="dopant").encode([candidate]).shape == (1, 88)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadInput, match="vectors can't be 'magpi'"):
        made(vectors="magpi")
    with pytest.raises(BadInput, match="too few entries"):
        made(statistics=[])


def test_cards_name_the_table_and_its_hash() -> None:
    cards = [made(vectors=name).card for name in ("magpie", "mat2vec")]
    assert len({card.label for card in cards}) == len({card.weights_sha256 for card in cards}) == 2
    assert all(len(card.weights_sha256) == 64 and card.licence == "MIT" for card in cards)


def test_a_missing_parser_of_formulas_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymatgen.core", None)
    with pytest.raises(MissingData, match="needs the package pymatgen") as missing:
        Composition(CompositionSettings()).encode([Candidate(id="c", values={"formula": "Fe"})])
    assert "drywet[materials]" in missing.value.way_out
