"""What every model of the registry promises, pretrained or not. Cases are in ``tests/models/cases.py``."""

import importlib.machinery
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import models
from lab.errors import BadInput, CampaignFileError, MissingData
from lab.interfaces import Encoder, Predictor, Scorer
from lab.types import ModelChoice
from tests.models.cases import CASES, Case


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=models.model_names())
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    folder = tmp_path / "case"
    folder.mkdir()
    return CASES[request.param](folder)


def made(case: Case) -> Encoder | Scorer | Predictor:
    return models.model(case.choice, parent=case.parent)


def given(case: Case, candidates: list) -> dict[str, np.ndarray]:
    """All that a model says of candidates, each an array with a row or entry a candidate."""
    model, said = made(case), {}
    if isinstance(model, Encoder):
        said["encode"] = model.encode(candidates)
    if isinstance(model, Scorer):
        said["score"] = model.score(candidates)
    if isinstance(model, Predictor):
        prediction = model.predict(candidates)
        said |= {"mean": prediction.mean, "low": prediction.low, "high": prediction.high}
    return said


def test_every_model_has_a_case() -> None:
    assert set(CASES) == set(models.model_names())


def test_a_model_encodes_scores_or_predicts_and_its_card_says_what_it_is(case: Case) -> None:
    model = made(case)
    assert isinstance(model, Encoder | Scorer | Predictor)
    card = model.card
    assert card.label == f"{case.choice.name}@{card.version}"
    assert all((card.version, card.licence, card.source, card.inputs, card.outputs))
    assert card.weights_sha256 == "" or re.fullmatch("[0-9a-f]{64}", card.weights_sha256)


def test_planners_are_given_what_encodes_or_scores_and_refused_what_only_predicts(case: Case) -> None:
    assert models.guides(case.choice.name) is isinstance(made(case), Encoder | Scorer)
    if models.guides(case.choice.name):
        assert models.guide(case.choice, parent=case.parent).card == made(case).card
    else:
        with pytest.raises(BadInput, match="planners go by features and scores alone"):
            models.guide(case.choice, parent=case.parent)


def test_a_model_that_scores_or_predicts_out_of_the_box_says_what_it_was_tested_on(case: Case) -> None:
    model = made(case)
    users_own = case.choice.name == "esm2"  # whatever weights the user brings
    if isinstance(model, Scorer | Predictor) and not users_own:
        assert model.card.tested_on


def test_what_a_model_says_is_finite_and_one_row_a_candidate(case: Case) -> None:
    said = given(case, list(case.pool))
    assert said
    for name, rows in said.items():
        assert rows.dtype == np.float64
        assert rows.shape[0] == len(case.pool)
        assert rows.ndim == (2 if name == "encode" else 1)
        assert np.isfinite(rows).all()
        assert len(np.unique(rows, axis=0)) > 1
    if "mean" in said:
        assert (said["low"] <= said["mean"]).all()
        assert (said["mean"] <= said["high"]).all()


def test_a_candidate_is_told_the_same_alone_in_another_order_and_by_another_copy(case: Case) -> None:
    together = given(case, list(case.pool))
    turned = given(case, list(reversed(case.pool)))
    alone = given(case, [case.pool[1]])
    for name, rows in together.items():
        np.testing.assert_array_equal(turned[name][::-1], rows)
        np.testing.assert_array_equal(alone[name][0], rows[1])


def test_no_candidates_give_no_rows_and_the_same_columns(case: Case) -> None:
    nothing, something = given(case, []), given(case, list(case.pool))
    assert {name: rows.shape for name, rows in nothing.items()} == {
        name: (0, *rows.shape[1:]) for name, rows in something.items()
    }


def test_a_candidate_that_the_card_does_not_cover_is_refused_in_a_sentence(case: Case) -> None:
    with pytest.raises(BadInput) as refusal:
        given(case, [*case.pool, case.stranger])
    assert refusal.value.reason.endswith(".")
    assert refusal.value.way_out


def test_a_setting_that_it_does_not_have_is_refused(case: Case) -> None:
    settings = {**case.choice.settings, "temperture": 1}
    with pytest.raises(CampaignFileError, match="temperture"):
        models.model(ModelChoice(name=case.choice.name, settings=settings, folder=case.choice.folder))


def test_without_its_package_a_model_says_what_to_install(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not case.package:
        assert given(case, list(case.pool))
        return
    hide(monkeypatch, case.package)
    with pytest.raises(MissingData) as missing:
        given(case, list(case.pool))
    assert "pip install" in missing.value.way_out


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let nobody find a package, imported or not, nor what was kept of it."""
    for module in [m for name, m in sys.modules.items() if name.startswith("models.")]:
        for kept in [value for value in vars(module).values() if hasattr(value, "cache_clear")]:
            kept.cache_clear()
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)

    class Hider:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    real = importlib.util.find_spec

    def find_spec(name: str, package_: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None if name.partition(".")[0] == package else real(name, package_)

    monkeypatch.setattr(sys, "meta_path", [Hider, *sys.meta_path])
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
