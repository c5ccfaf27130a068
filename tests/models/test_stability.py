import numpy as np
import pytest

import models
from lab.errors import BadInput, CampaignFileError
from lab.interfaces import Prediction
from lab.types import Candidate, ModelChoice
from models.substitution_effects import SubstitutionEffects
from tests.models.cases import BARNASE


def predicted(*sequences: str, parent: str = BARNASE, **settings: object) -> Prediction:
    model = models.model(ModelChoice(name="substitution_stability", settings=settings), parent=parent)
    found: Prediction = model.predict([Candidate(id=f"c{i}", sequence=s) for i, s in enumerate(sequences)])  # type: ignore[union-attr]
    return found


def changed(site: int, new: str) -> str:
    return BARNASE[:site] + new + BARNASE[site + 1 :]


def test_the_parent_changes_nothing_for_certain() -> None:
    made = predicted(BARNASE)
    assert (made.mean[0], made.low[0], made.high[0]) == (0.0, 0.0, 0.0)


def test_predictions_rank_as_the_scores_that_they_rest_on() -> None:
    sequences = [changed(35, new) for new in "ADGKW"]
    candidates = [Candidate(id=s, sequence=s) for s in sequences]
    scores = SubstitutionEffects(parent=BARNASE).score(candidates)
    assert (np.argsort(predicted(*sequences).mean) == np.argsort(scores)).all()


def test_an_average_substitution_costs_stability_and_the_interval_says_how_little_is_known() -> None:
    made = predicted(*(changed(site, "A") for site in range(20, 60) if BARNASE[site] != "A"))
    assert made.unit == "kcal/mol"
    assert -2.0 < made.mean.mean() < 0.0
    np.testing.assert_allclose(made.high - made.low, 10.0)


def test_a_lower_level_gives_a_narrower_interval() -> None:
    wide, narrow = predicted(changed(30, "D")), predicted(changed(30, "D"), level=0.8)
    assert (narrow.level, wide.level) == (0.8, 0.95)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.mean == wide.mean


def test_other_levels_two_substitutions_and_short_parents_are_refused() -> None:
    with pytest.raises(CampaignFileError, match=r"not 0\.5"):
        predicted(BARNASE, level=0.5)
    with pytest.raises(BadInput, match="has 2 substitutions"):
        predicted(BARNASE[:40] + "WW" + BARNASE[42:])
    with pytest.raises(BadInput, match="has 20 residues"):
        predicted(BARNASE[:20], parent=BARNASE[:20])
    with pytest.raises(BadInput, match="there is none"):
        predicted(BARNASE, parent="")
