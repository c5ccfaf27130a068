"""Enzymes whose optima are textbook knowledge; none of the figures is fitted here."""

import numpy as np
import pytest

import models
from lab.errors import BadInput
from lab.interfaces import ModelCard, Prediction
from lab.types import AMINO_ACIDS, Candidate, ModelChoice
from models.enzyme_optima import FITS, described
from models.sequences import residue_codes
from tests.models.cases import BARNASE, LYSOZYME

THERMOPHILE = BARNASE.translate(str.maketrans("QNTH", "EKVR"))
"""Residues that heat destroys replaced by charged and branched ones, as in proteins of hot springs."""


def predicted(quantity: str, *sequences: str, **settings: object) -> Prediction:
    choice = ModelChoice(name="enzyme_optimum", settings={"quantity": quantity, **settings})
    found: Prediction = models.model(choice).predict(  # type: ignore[union-attr]
        [Candidate(id=f"e{i}", sequence=s) for i, s in enumerate(sequences)]
    )
    return found


def test_columns_are_shares_squares_entropy_and_length() -> None:
    (row,) = described([residue_codes([Candidate(id="x", sequence="AACD")])[0]])
    assert row[:3].tolist() == [0.5, 0.25, 0.25]
    assert row[20:23].tolist() == [0.25, 0.0625, 0.0625]
    assert row[3:20].tolist() == [0.0] * 17
    assert row[40] == pytest.approx(1.5 * np.log(2.0))
    assert row[41] == pytest.approx(np.log(4.0))


@pytest.mark.parametrize("quantity", FITS)
def test_every_fit_has_a_coefficient_a_column_and_wider_margins_for_higher_levels(quantity: str) -> None:
    fit = FITS[quantity]  # type: ignore[index]
    assert len(fit.coefficients) == 2 * len(AMINO_ACIDS) + 3
    assert fit.margins[0.8] < fit.margins[0.9] < fit.margins[0.95]


@pytest.mark.parametrize(
    ("quantity", "unit"), [("temperature", "degrees Celsius"), ("melting", "degrees Celsius"), ("ph", "pH")]
)
def test_predictions_of_proteins_lie_where_enzymes_work(quantity: str, unit: str) -> None:
    made = predicted(quantity, BARNASE, LYSOZYME)
    fit = FITS[quantity]  # type: ignore[index]
    assert made.unit == unit
    assert ((made.low >= fit.least) & (made.high <= fit.most)).all()
    assert (made.low < made.mean).all()


def test_a_composition_of_hot_springs_melts_later() -> None:
    mean = predicted("melting", BARNASE, THERMOPHILE).mean
    assert mean[1] > mean[0] + 5.0


def test_the_card_is_that_of_the_quantity() -> None:
    cards: list[ModelCard] = [
        models.model(ModelChoice(name="enzyme_optimum", settings={"quantity": q})).card for q in FITS
    ]
    assert [card.version for card in cards] == ["1/temperature", "1/melting", "1/ph"]
    assert len({card.tested_on for card in cards}) == 3


def test_fragments_giants_and_repeats_are_refused() -> None:
    with pytest.raises(BadInput, match="e0 has 30 residues"):
        predicted("ph", BARNASE[:30])
    with pytest.raises(BadInput, match=r"e0 has 2\d\d\d residues"):
        predicted("ph", BARNASE * 20)
    with pytest.raises(BadInput, match="fewer kinds of residues"):
        predicted("ph", "GASE" * 30)
