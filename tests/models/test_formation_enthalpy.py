import numpy as np
import pytest

import models
from lab.errors import BadInput
from lab.interfaces import Prediction, Predictor
from lab.types import Candidate, ModelChoice
from models.composition import Composition, element_amounts
from models.conformal import coverage
from models.formation_enthalpy import FormationEnthalpy, fitted, measured_enthalpies


def of(*formulas: str) -> list[Candidate]:
    return [Candidate(id=f, values={"formula": f}) for f in formulas]


def predicted(*formulas: str) -> Prediction:
    made = models.model(ModelChoice(name="formation_enthalpy"))
    assert isinstance(made, Predictor)
    return made.predict(of(*formulas))


@pytest.fixture(scope="module")
def measured() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    formulas, values, _ = measured_enthalpies()
    systems = np.array(["-".join(element_amounts(f, "a formula")) for f in formulas])
    return Composition().encode(of(*formulas)), values, systems


def test_intervals_hold_what_was_measured_in_chemical_systems_that_were_not_seen(
    measured: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    columns, values, systems = measured
    kept = np.random.default_rng(1).random(len(systems)) < 0.6
    unseen = ~np.isin(systems, systems[kept])
    made = fitted(columns[kept], values[kept], systems[kept].tolist())
    mean, scale = made.predict(columns[unseen])
    found = made.within.around(mean, unit="eV/atom", scale=scale)
    assert unseen.sum() > 300
    assert 0.92 <= coverage(found, values[unseen], groups=systems[unseen].tolist()) <= 0.98
    assert 1.0 - np.mean((mean - values[unseen]) ** 2) / np.var(values[unseen]) > 0.94


def test_errors_with_a_group_left_out_are_those_of_a_fit_without_it(
    measured: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    columns, values, systems = measured
    few = np.isin(systems, [s for s in np.unique(systems) if "O" in s.split("-")])
    columns, values, systems = columns[few], values[few], systems[few]
    made = fitted(columns, values, systems.tolist())
    out = systems == "Mn-O"
    assert out.sum() > 2
    kernel = np.linalg.inv(made.inverse)
    inside, across = kernel[np.ix_(~out, ~out)], kernel[np.ix_(out, ~out)]
    np.testing.assert_allclose(
        made.errors[out], values[out] - across @ np.linalg.solve(inside, values[~out]), atol=1e-6
    )


@pytest.mark.parametrize(
    ("formula", "measured_ev"),
    [("NaCl", -2.130), ("Fe2O3", -1.708), ("SiC", -0.34), ("TiO2", -3.26)],
)
def test_textbook_compounds_lie_in_their_intervals(formula: str, measured_ev: float) -> None:
    found = predicted(formula)
    assert found.unit == "eV/atom"
    assert found.low[0] <= measured_ev <= found.high[0]
    assert found.high[0] - found.low[0] < 1.2


def test_a_compound_unlike_the_measured_ones_has_a_wider_interval() -> None:
    found = predicted("Fe2O3", "CsAu2H9")
    width = found.high - found.low
    assert width[1] > 2.0 * width[0]


def test_a_compound_is_predicted_the_same_alone_and_among_others() -> None:
    together = predicted("NaCl", "Fe2O3", "MgAl2O4")
    np.testing.assert_allclose(together.mean[1], predicted("Fe2O3").mean[0], rtol=1e-9)
    assert predicted().mean.shape == (0,)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("Fe", "is made of 1 element;"),
        ("LiNiMnCoO2", "is made of 5 elements;"),
        ("XeF2", "XeF2 holds Xe, and no measured compound does"),
        ("fe2o3", "can't be read"),
    ],
)
def test_what_the_card_does_not_cover_is_refused(formula: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        predicted(formula)


def test_the_card_states_the_errors_of_the_fit_that_it_belongs_to() -> None:
    card = FormationEnthalpy().card
    assert "R2 0.97, mean error 0.11 eV an atom" in card.tested_on
    assert "2135 measured compounds" in card.tested_on
    assert card.version == f"1-{card.weights_sha256[:8]}"
