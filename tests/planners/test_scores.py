"""What a campaign's models promise of single substitutions, beside what is measured of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lab.interfaces import ModelCard
from lab.strict import StrictModel
from lab.types import Campaign, Candidate, ModelChoice
from models import registry
from planners.adaptive import AdaptivePlanner, AdaptiveSettings
from planners.features import stacked
from planners.space import encode_space
from tests.planners.campaigns import campaign, measured, variants

POOL = variants()


class NoSettings(StrictModel):
    """None."""


class Tolerance:
    """A score that sees how much a site bears, and more of it in hydrophobic residues."""

    card = ModelCard(name="tolerance", version="1", licence="MIT", source="", inputs="", outputs="")

    def __init__(self, settings: NoSettings, *, parent: str = "") -> None:
        del settings, parent

    def score(self, candidates: Sequence[Candidate]) -> np.ndarray:
        return np.array([promise(c) for c in candidates])


def promise(candidate: Candidate) -> float:
    site, new = int(candidate.id[1:-1]), candidate.id[-1]
    return float(np.sin(2.3 * site) + 0.5 * (new in "AFILMVWY") + 0.3 * np.cos(site * ord(new)))


def levels_off(candidate: Candidate) -> float:
    """Below the middle of the score, all are as bad as each other."""
    return max(promise(candidate), 0.2)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.MODELS, "tolerance", (__name__, "Tolerance", "NoSettings"))


def asking(times: int = 1) -> Campaign:
    return replace(campaign(POOL), models=(ModelChoice(name="tolerance"),) * times)


def test_a_score_that_was_asked_for_is_a_feature_and_takes_the_place_of_general_knowledge() -> None:
    space, plain = encode_space(asking()), encode_space(campaign(POOL))
    assert [s.label for s in plain.scores] == ["substitution_effects@1"]
    assert [s.label for s in space.scores] == ["tolerance@1"]
    kernels = {spec.name: spec.terms for spec in space.kernels}
    assert kernels["score_and_residues"][0] == ("score 1", "score 1 of the site")
    assert not any("score" in spec.name for spec in plain.kernels)
    rows = np.arange(space.size)
    own, of_site = (
        stacked([space.blocks.features(name).rows(rows)])[:, 0] for name in ("score 1", "score 1 of the site")
    )
    first = np.array([c.id[1:-1] == "1" for c in POOL])
    np.testing.assert_allclose(of_site[first], float(own[first].mean()))


def test_what_a_score_promises_is_learned_even_where_it_levels_off() -> None:
    picked = np.random.default_rng(0).permutation(len(POOL))
    history = measured([POOL[i] for i in picked[:40]], levels_off)
    others = [POOL[i] for i in picked[40:]]
    truth = np.array([levels_off(c) for c in others])

    def correlation(made: Campaign) -> float:
        beliefs = AdaptivePlanner(AdaptiveSettings()).predict(made, history, others, np.random.default_rng(1))
        assert beliefs is not None
        return float(np.corrcoef(beliefs.mean, truth)[0, 1])

    assert correlation(asking()) > max(correlation(campaign(POOL)) + 0.05, 0.9)


def test_a_model_that_is_named_twice_is_cited_once() -> None:
    assert encode_space(asking(2)).cards.count("tolerance@1") == 1
    assert [
        spec.terms[0] for spec in encode_space(asking(2)).kernels if spec.name == "score_and_residues"
    ] == [("score 1", "score 1 of the site", "score 2", "score 2 of the site")]
