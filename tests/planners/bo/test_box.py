"""Spaces as boxes, and looking beside the pool."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import planners
from lab.spaces import Candidate, LinearConstraint, Mixture, Parameter, SearchSpace, Sites
from lab.types import ExperimentStatus, History
from planners.bo.box import Box, Optimiser
from planners.bo.choosing import Choice
from planners.drafts import Codec
from planners.sampling import draw
from tests.planners.campaigns import campaign, observation

MIXED = SearchSpace(
    parameters=(
        Parameter(name="temperature_c", low=20.0, high=80.0, resolution=0.5),
        Parameter(name="dose", low=0.01, high=100.0, log=True),
        Parameter(name="cycles", kind="integer", low=1.0, high=6.0),
        Parameter(name="ph", kind="ordinal", levels=(5.0, 6.0, 7.5)),
        Parameter(name="buffer", kind="categorical", levels=("tris", "hepes", "mes")),
    )
)
BLEND = SearchSpace(mixture=Mixture(ingredients=("a", "b", "c", "d"), at_most=3, least=0.05))
TILTED = SearchSpace(
    parameters=(Parameter(name="x", low=0.0, high=1.0), Parameter(name="y", low=0.0, high=2.0)),
    constraints=(LinearConstraint(coefficients={"x": 1.0, "y": 1.0}, at_most=1.2),),
)


def drawn(space: SearchSpace, n: int, seed: int) -> list[Candidate]:
    codec = Codec(space)
    return codec.candidates(draw(codec, n, np.random.default_rng(seed)))


@pytest.mark.parametrize("space", [MIXED, BLEND, TILTED], ids=["mixed", "blend", "tilted"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_candidate_comes_back_from_its_row(space: SearchSpace, seed: int) -> None:
    box = Box(space)
    for candidate in drawn(space, 5, seed):
        row = box.encode([candidate])[0]
        back = box.decode(row, np.random.default_rng(0))
        assert back is not None
        assert back.id == candidate.id
        low, high = box.bounds(row)
        assert (low - 1e-9 <= row).all()
        assert (row <= high + 1e-9).all()


@pytest.mark.parametrize("space", [MIXED, BLEND, TILTED], ids=["mixed", "blend", "tilted"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_whatever_row_is_decoded_the_candidate_lies_in_the_space(space: SearchSpace, seed: int) -> None:
    rng, box = np.random.default_rng(seed), Box(space)
    like = box.encode(drawn(space, 1, seed))[0]
    low, high = box.bounds(like)
    row = rng.uniform(low, high)
    if box.amounts:
        row[list(box.amounts)] /= row[list(box.amounts)].sum()
    candidate = box.decode(row, rng)
    assert candidate is None or space.holds(candidate)


def test_linear_constraints_mean_the_same_on_columns() -> None:
    box = Box(TILTED)
    points = np.random.default_rng(0).random((200, 2))
    ((columns, weights, bound),) = box.linear()
    by_columns = points[:, columns] @ weights >= bound
    by_values = points[:, 0] + 2.0 * points[:, 1] <= 1.2
    assert (by_columns == by_values).all()


def at(row: np.ndarray, value: float = -10.0) -> Choice:
    """The best of a pool."""
    return Choice(candidate=Candidate(id="best"), row=row, value=value)


class Peak(torch.nn.Module):
    """An acquisition with its top at a row."""

    X_pending = None

    def __init__(self, top: np.ndarray) -> None:
        super().__init__()
        self.top = torch.as_tensor(top)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return -((X[..., 0, :] - self.top) ** 2).sum(dim=-1)


def test_it_climbs_to_the_top_of_an_acquisition_inside_constraints() -> None:
    box = Box(TILTED)
    start = box.encode([Candidate(id="s", values={"x": 0.1, "y": 0.1})])[0]
    look = Optimiser(box, {}, (), np.random.default_rng(0))
    found = look(Peak(np.array([1.0, 0.5])), at(start))
    assert found is not None
    candidate, value = found.candidate, found.value
    # the nearest point to (1, 0.5) with x + 2 y' <= 1.2, y' the share of y's range
    assert value == pytest.approx(-(0.8**2) / 5.0, abs=0.002)
    assert TILTED.holds(candidate)


def test_amounts_change_within_the_ingredients_of_the_best() -> None:
    box = Box(BLEND)
    start = box.encode([Candidate(id="s", values={"a": 0.2, "b": 0.3, "c": 0.5, "d": 0.0})])[0]
    found = Optimiser(box, {}, (), np.random.default_rng(0))(Peak(np.array([0.6, 0.1, 0.3, 0.0])), at(start))
    assert found is not None
    values = found.candidate.values
    assert [values[k] for k in "abcd"] == pytest.approx([0.6, 0.1, 0.3, 0.0], abs=0.003)


def test_what_is_known_or_no_better_is_not_found() -> None:
    coarse = replace(TILTED, parameters=tuple(replace(p, resolution=0.1) for p in TILTED.parameters))
    box = Box(coarse)
    top = Candidate(id="top", values={"x": 0.5, "y": 0.4})
    start, peak = box.encode([Candidate(id="s", values={"x": 0.1, "y": 0.1})])[0], Peak(box.encode([top])[0])
    assert Optimiser(box, {}, (top,), np.random.default_rng(0))(peak, at(start)) is None
    assert Optimiser(box, {}, (), np.random.default_rng(0))(peak, at(start, 10.0)) is None


def truth(candidate: Candidate) -> float:
    v = candidate.values
    return (
        -(((v["temperature_c"] - 61.0) / 30.0) ** 2)
        - (np.log10(v["dose"]) - 0.5) ** 2
        + 0.2 * (v["buffer"] == "hepes")
        - 0.05 * abs(v["cycles"] - 3)
    )


def test_a_mixed_space_is_searched_beyond_what_was_drawn() -> None:
    made = replace(
        campaign((), "botorch", parent="", settings={"designed": 8, "screened": 200}, batch_size=4),
        space=MIXED,
    )
    planner, history = planners.planner("botorch", made.planner.settings), History()
    for batch in range(4):
        chosen = planner.ask(4, made, history, (), np.random.default_rng([1, batch])).experiments
        assert all(MIXED.holds(e.candidate) for e in chosen)
        done = tuple(replace(e, status=ExperimentStatus.MEASURED) for e in chosen)
        history = History(
            experiments=history.experiments + done,
            observations=history.observations + tuple(observation(e, truth(e.candidate), 0.01) for e in done),
        )
    assert len({e.candidate.id for e in history.experiments}) == 16
    values = [truth(e.candidate) for e in history.experiments]
    assert max(values[8:]) > 0.0 > max(values[:8])


def test_sequences_are_searched_beyond_what_was_drawn() -> None:
    parent = "MKTAYIAKQR"
    letters = ("ACDEFGHIKL",) * 5
    space = SearchSpace(sites=Sites(parent=parent, positions=(2, 4, 6, 8, 9), letters=letters))
    worth = dict(zip("ACDEFGHIKL", np.linspace(0.0, 1.0, 10), strict=True))

    def additive(candidate: Candidate) -> float:
        return float(sum(worth.get(candidate.sequence[i - 1], 0.0) for i in (2, 4, 6, 8, 9)))

    made = replace(
        campaign((), "botorch", parent=parent, settings={"designed": 12, "screened": 100}, batch_size=6),
        space=space,
    )
    planner, history = planners.planner("botorch", made.planner.settings), History()
    for batch in range(5):
        chosen = planner.ask(6, made, history, (), np.random.default_rng([0, batch])).experiments
        assert all(space.holds(e.candidate) for e in chosen)
        done = tuple(replace(e, status=ExperimentStatus.MEASURED) for e in chosen)
        seen = tuple(observation(e, additive(e.candidate), 0.01) for e in done)
        history = History(experiments=history.experiments + done, observations=history.observations + seen)
    values = [additive(e.candidate) for e in history.experiments]
    assert len({e.candidate.id for e in history.experiments}) == 30
    assert max(values) > max(values[:12]) + 0.5
