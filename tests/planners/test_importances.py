"""How much each parameter matters: what is known of a function is found again, and what does not matter does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.spaces import Candidate, Mixture, Parameter, SearchSpace
from lab.types import Campaign, History
from models.residues import Z_SCALES
from planners.importances import Importance, importances
from tests.planners.campaigns import PARENT, TARGET, campaign, variants
from tests.planners.spaces import spacious
from tests.planners.test_posterior import learned

SPACE = SearchSpace(
    parameters=(
        Parameter(name="temperature", low=0.0, high=1.0),
        Parameter(name="time", low=0.0, high=10.0),
        Parameter(name="idle", low=0.0, high=1.0),
        Parameter(name="solvent", kind="categorical", levels=("x", "y", "z")),
    )
)


def value(temperature: np.ndarray, time: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Adds up, so total and first-order indices are alike; ``idle`` has no part in it."""
    found: np.ndarray = 2.0 * np.sin(3.0 * temperature) + 0.5 * np.cos(time / 3.0) + 0.8 * second
    return found


def truth(candidate: Candidate) -> float:
    v = candidate.values
    return float(value(np.array(v["temperature"]), np.array(v["time"]), np.array(v["solvent"] == "y")))


def shares() -> dict[str, float]:
    """Total indices by plain sampling: each part's variance in that of all."""
    rng = np.random.default_rng(0)
    parts = {
        "temperature": 2.0 * np.sin(3.0 * rng.random(100_000)),
        "time": 0.5 * np.cos(10.0 * rng.random(100_000) / 3.0),
        "solvent": 0.8 * (rng.integers(0, 3, 100_000) == 1),
        "idle": np.zeros(1),
    }
    whole = sum(part.var() for part in parts.values())
    return {name: float(part.var() / whole) for name, part in parts.items()}


def told(made: Campaign, history: History, seed: int = 1) -> dict[str, Importance]:
    planner = planners.planner(made.planner.name, made.planner.settings)
    found = importances(planner, made, history, np.random.default_rng([made.seed, seed]))
    assert found is not None
    return {one.name: one for one in found.targets[TARGET]}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shares_are_those_of_the_function_and_an_idle_parameter_has_none(seed: int) -> None:
    made = replace(spacious(SPACE, "adaptive"), seed=seed)
    found = told(made, learned(made, truth, 40, seed=seed))
    for name, share in shares().items():
        assert found[name].share == pytest.approx(share, abs=0.12), name
    assert [*found][-1] == "idle"
    assert found["idle"].share_high < 0.1
    assert found["idle"].share_high < min(found[name].share_low for name in found if name != "idle")
    # by how much it changes in its unit: the root of twice its variance
    rng = np.random.default_rng(0)
    part = 2.0 * np.sin(3.0 * rng.random(10_000))
    assert found["temperature"].change == pytest.approx(np.sqrt(2.0) * part.std(), rel=0.25)


@pytest.mark.parametrize("name", ["botorch"])
def test_other_planners_with_a_model_find_the_same(name: str) -> None:
    made = spacious(SPACE, name)
    found = told(made, learned(made, truth, 40))
    assert next(iter(found)) == "temperature"
    assert [*found][-1] == "idle"
    assert found["idle"].share_high < 0.1


def test_more_results_make_it_surer() -> None:
    made = spacious(SPACE, "adaptive")
    width = [
        sum(one.share_high - one.share_low for one in told(made, learned(made, truth, n, noise=0.2)).values())
        for n in (10, 60)
    ]
    assert width[1] < 0.7 * width[0]


def test_the_same_results_give_the_same_answer() -> None:
    made = spacious(SPACE, "adaptive")
    history = learned(made, truth, 20)
    assert told(made, history) == told(made, history)


def test_the_ingredient_that_matters_comes_first() -> None:
    made = spacious(SearchSpace(mixture=Mixture(ingredients=tuple("abcd"))), "adaptive")
    found = told(made, learned(made, lambda c: float(c.values["b"]) ** 2, 30))
    assert next(iter(found)) == "b"
    assert found["b"].share > 0.8


def test_the_position_that_matters_comes_first_and_shares_of_positions_add_up() -> None:
    def buried(candidate: Candidate) -> float:
        pairs = zip(PARENT, candidate.sequence, strict=True)
        changed = next((site, new) for site, (old, new) in enumerate(pairs) if old != new)
        return 0.5 - (0.15 * Z_SCALES[changed[1]][0] if changed[0] == 4 else 0.0)

    made = campaign(variants())
    found = told(made, learned(made, buried, 90))
    assert next(iter(found)) == f"{PARENT[4]}5"
    assert found[f"{PARENT[4]}5"].share_low > max(one.share for name, one in found.items() if name[1:] != "5")
    assert len(found) == len(PARENT)
    assert 0.5 < sum(one.share for one in found.values()) < 1.2  # of medians


def test_of_candidates_that_names_do_not_tell_apart_a_share_goes_with_the_name() -> None:
    pool = [Candidate(id=f"{kind} {n}", values={"kind": kind}) for kind in "abcd" for n in range(10)]
    made = replace(campaign(pool, parent=""), reference=Candidate(id="standard"))
    found = told(made, learned(made, lambda c: float("abcd".index(c.values["kind"])), 24))
    assert found["kind"].share > 0.9


def test_too_little_measured_tells_nothing() -> None:
    made = spacious(SPACE, "adaptive")
    planner = planners.planner("adaptive")
    assert importances(planner, made, learned(made, truth, 2), np.random.default_rng(1)) is None
