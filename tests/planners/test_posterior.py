"""What planners say that they believe: the same by which they choose, near the truth, and within the space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.goals import Goal, Limit, Objective
from lab.spaces import Candidate, Parameter, SearchSpace
from lab.types import Campaign, History
from planners.drawing import pool_of
from planners.landscapes import Given, landscape_of
from planners.posterior import Slice, posterior, slices
from tests.planners.campaigns import (
    PARENT,
    TARGET,
    campaign,
    conditions,
    landscape,
    measured,
    observation,
    variants,
)
from tests.planners.spaces import SPACES, spacious

BATCH = (7, 1, 2)
"""Seeds of the generator that a batch is chosen with."""

PLANE = SearchSpace(
    parameters=(
        Parameter(name="temperature_c", low=20.0, high=90.0),
        Parameter(name="salt_mmol_l", low=0.01, high=100.0, log=True),
    )
)


def plane(candidate: Candidate) -> float:
    """A ridge over temperature, and a slope over the logarithm of salt."""
    t = (float(candidate.values["temperature_c"]) - 55.0) / 20.0
    return float(np.exp(-(t**2)) + 0.1 * np.log10(candidate.values["salt_mmol_l"]))


def learned(
    made: Campaign, truth: Callable[[Candidate], float], n: int, seed: int = 5, noise: float = 0.02
) -> History:
    """Candidates from all over a campaign's space or pool, measured."""
    rng = np.random.default_rng(seed)
    pool = made.candidates or pool_of(made, History(), (), rng, spread=4 * n, around=0)
    drawn = [pool[int(row)] for row in rng.permutation(len(pool))[:n]]
    return measured(drawn, lambda c: truth(c) + noise * rng.normal(), standard_error=noise)


def cut(made: Campaign, history: History, centre: Candidate, *along: tuple[str, ...]) -> tuple[Slice, ...]:
    planner = planners.planner(made.planner.name, made.planner.settings)
    found = slices(planner, made, history, centre, along, np.random.default_rng(BATCH))
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["adaptive", "botorch", "turbo"])
def test_what_a_batch_was_chosen_by_is_what_is_believed_with_the_same_generator(name: str) -> None:
    made = campaign(variants(), name, batch_size=4)
    history = learned(made, landscape, 20)
    planner = planners.planner(name)
    chosen = planner.ask(4, made, history, (), np.random.default_rng(BATCH)).experiments
    asked = [one.candidate for one in chosen]
    found = posterior(planner, made, history, asked, np.random.default_rng(BATCH))
    assert found is not None
    told = found[TARGET]
    # the fits of torch start anew, and end where the last digits of sums take them
    close = 1e-9 if name == "adaptive" else 2e-2
    assert told.mean == pytest.approx([one.reason.predicted_mean for one in chosen], abs=close)
    assert told.low == pytest.approx([(one.reason.interval or (0, 0))[0] for one in chosen], abs=close)
    assert told.high == pytest.approx([(one.reason.interval or (0, 0))[1] for one in chosen], abs=close)


def test_candidates_that_are_only_asked_about_change_nothing_of_what_is_believed_of_others() -> None:
    made = campaign(conditions(), parent="")
    made = replace(made, reference=Candidate(id="standard"))
    history = learned(
        made, lambda c: 0.01 * c.values["temperature_c"] - 0.1 * c.values["concentration_mmol_l"], 14
    )
    planner = planners.planner("adaptive")
    here = made.candidates[5]
    elsewhere = [
        Candidate(id=f"new {t}", values={**here.values, "temperature_c": t}) for t in np.linspace(20, 80, 90)
    ]
    alone = posterior(planner, made, history, [here], np.random.default_rng(BATCH))
    among = posterior(planner, made, history, [here, *elsewhere], np.random.default_rng(BATCH))
    assert alone is not None
    assert among is not None
    assert among[TARGET].mean[0] == pytest.approx(alone[TARGET].mean[0], abs=1e-9)
    assert among[TARGET].high[0] == pytest.approx(alone[TARGET].high[0], abs=1e-9)


@pytest.mark.parametrize("name", ["adaptive", "botorch"])
def test_a_curve_follows_the_truth_within_its_interval_and_goes_through_its_candidate(name: str) -> None:
    made = spacious(PLANE, name)
    history = learned(made, plane, 30)
    centre = history.experiments[0].candidate
    curve, other = cut(made, history, centre, ("temperature_c",), ("salt_mmol_l",))
    truth = np.array([plane(candidate) for candidate in curve.candidates])
    told = curve.beliefs[TARGET]
    assert np.sqrt(np.mean((told.mean - truth) ** 2)) < 0.1
    assert np.mean((told.low <= truth) & (truth <= told.high)) >= 0.8
    assert (told.low <= told.mean).all()
    assert (told.mean <= told.high).all()
    assert centre.id in [candidate.id for candidate in curve.candidates]
    assert len({candidate.values["salt_mmol_l"] for candidate in curve.candidates}) == 1
    places = np.log([place[0] for place in other.points if place[0] != centre.values["salt_mmol_l"]])
    assert np.ptp(np.diff(places)) < 0.05  # equal ratios, where the parameter says so


def test_a_map_has_both_parameters_and_agrees_with_the_curve_where_they_cross() -> None:
    made = spacious(PLANE, "adaptive")
    history = learned(made, plane, 20)
    centre = history.experiments[3].candidate
    curve, whole = cut(made, history, centre, ("temperature_c",), ("temperature_c", "salt_mmol_l"))
    of_curve = dict(zip([c.id for c in curve.candidates], curve.beliefs[TARGET].mean, strict=True))
    of_map = dict(zip([c.id for c in whole.candidates], whole.beliefs[TARGET].mean, strict=True))
    common = of_curve.keys() & of_map.keys()
    assert len(common) > 5
    assert all(of_curve[name] == of_map[name] for name in common)
    assert len(whole.points) == len(set(whole.points)) >= 17 * 17


def test_what_one_ingredient_gains_the_others_lose_and_nothing_lies_outside_the_space() -> None:
    space = SPACES["mixture"]
    made = spacious(space, "adaptive")
    history = learned(made, lambda c: float(c.values["b"]) - float(c.values["a"]) ** 2, 24)
    centre = next(
        e.candidate for e in history.experiments if sum(v > 0 for v in e.candidate.values.values()) == 3
    )
    inside = [name for name, value in centre.values.items() if value > 0]
    (curve,) = cut(made, history, centre, (inside[0],))
    assert len(curve.points) > 5
    for (amount,), candidate in zip(curve.points, curve.candidates, strict=True):
        assert space.holds(candidate)
        assert candidate.values[inside[0]] == pytest.approx(amount)
        left = [candidate.values[name] for name in inside[1:]]
        if amount and all(left):  # in steps of the mixture
            kept = centre.values[inside[1]] / (centre.values[inside[1]] + centre.values[inside[2]])
            assert left[0] / sum(left) == pytest.approx(kept, abs=0.011 / sum(left))


def test_shares_of_a_pool_that_add_up_are_a_mixture_too() -> None:
    rng = np.random.default_rng(1)
    pool = [
        Candidate(id=f"blend {n}", values=dict(zip("abc", np.round(shares, 6).tolist(), strict=True)))
        for n, shares in enumerate(rng.dirichlet(np.ones(3), 60))
    ]
    made = replace(campaign(pool, parent=""), reference=Candidate(id="standard"))
    history = learned(made, lambda c: float(c.values["a"]), 20)
    (curve,) = cut(made, history, pool[0], ("a",))
    assert [sum(c.values.values()) for c in curve.candidates] == pytest.approx(
        [1.0] * len(curve.points), abs=2e-6
    )


def test_substitutions_have_positions_and_residues_and_only_candidates_of_the_pool() -> None:
    made = campaign(variants())
    history = learned(made, landscape, 20)
    centre = made.candidates[40]
    letters, whole = cut(made, history, centre, ("residue",), ("position", "residue"))
    assert {c.id for c in letters.candidates} == {
        c.id for c in made.candidates if c.id[:-1] == centre.id[:-1]
    }
    assert {c.id for c in whole.candidates} == {c.id for c in made.candidates}


def test_sites_of_a_space_are_changed_one_at_a_time() -> None:
    space = SPACES["sites"]
    made = spacious(space, "adaptive")
    history = learned(made, lambda c: float(c.sequence[1] == "W") + 0.1 * c.sequence.count("A"), 16)
    centre = history.experiments[0].candidate
    (curve,) = cut(made, history, centre, (f"{PARENT[1]}2",))
    assert len(curve.points) > 1
    for (letter,), candidate in zip(curve.points, curve.candidates, strict=True):
        assert candidate.sequence == f"{centre.sequence[0]}{letter}{centre.sequence[2:]}"
        assert space.holds(candidate)


def test_values_that_only_come_together_change_together() -> None:
    kinds = {
        "water": (1.0, 78.0, 0.1),
        "DMSO": (0.4, 47.0, 0.7),
        "hexane": (0.0, 2.0, 0.3),
        "ethanol": (0.6, 24.0, 0.9),
    }
    pool = [
        Candidate(
            id=f"{solvent} {t}",
            values={"solvent": solvent, "polarity": p, "epsilon": e, "donor": d, "temperature_c": t},
        )
        for solvent, (p, e, d) in kinds.items()
        for t in range(20, 90, 10)
    ]
    made = replace(campaign(pool, parent=""), reference=Candidate(id="standard"))
    history = learned(
        made, lambda c: float(c.values["polarity"]) + 0.01 * float(c.values["temperature_c"]), 14
    )
    assert [axis.name for axis in landscape_of(made, history).axes] == ["solvent", "temperature_c"]
    (curve,) = cut(made, history, pool[0], ("solvent",))
    assert [candidate.id for candidate in curve.candidates] == [
        "DMSO 20",
        "ethanol 20",
        "hexane 20",
        "water 20",
    ]


def test_where_names_do_not_tell_candidates_apart_no_others_are_made_up() -> None:
    pool = [Candidate(id=f"{kind} {n}", values={"kind": kind}) for kind in ("a", "b", "c") for n in range(8)]
    made = replace(campaign(pool, parent=""), reference=Candidate(id="standard"))
    history = learned(made, lambda c: float("abc".index(c.values["kind"])), 12)
    assert isinstance(landscape_of(made, history), Given)
    (curve,) = cut(made, history, pool[0], ("kind",))
    assert {candidate.id for candidate in curve.candidates} == {candidate.id for candidate in pool}


def test_every_objective_and_limit_is_believed() -> None:
    goal = Goal(
        target=TARGET,
        also=(Objective(target="cost", direction="minimize"),),
        limits=(Limit(target="ph", at_most=8.0),),
    )
    made = replace(spacious(PLANE, "adaptive"), goal=goal)
    history = learned(made, plane, 16)
    more = [
        replace(observation(e, value), target=target)
        for e in history.experiments
        for target, value in (
            ("cost", 0.1 * e.candidate.values["temperature_c"]),
            ("ph", 7.0 + plane(e.candidate)),
        )
    ]
    history = replace(history, observations=(*history.observations, *more))
    (curve,) = cut(made, history, history.experiments[0].candidate, ("temperature_c",))
    assert curve.beliefs.keys() == {TARGET, "cost", "ph"}
    costs = np.array([0.1 * float(place[0]) for place in curve.points])
    assert np.corrcoef(curve.beliefs["cost"].mean, costs)[0, 1] > 0.97
    assert curve.beliefs["cost"].mean == pytest.approx(costs, abs=1.5)


def test_a_mechanism_is_believed_along_its_inputs() -> None:
    space = SearchSpace(parameters=(Parameter(name="concentration_mmol_l", low=0.0, high=10.0),))
    made = replace(spacious(space, "mechanistic"))
    settings = {"mechanism": "michaelis_menten"}
    made = replace(made, planner=replace(made.planner, settings=settings))

    def truth(candidate: Candidate) -> float:
        x = float(candidate.values["concentration_mmol_l"])
        return 2.0 * x / (1.5 + x)

    history = learned(made, truth, 12)
    (curve,) = cut(made, history, history.experiments[0].candidate, ("concentration_mmol_l",))
    assert curve.beliefs[TARGET].mean == pytest.approx([truth(c) for c in curve.candidates], abs=0.1)


def test_too_little_measured_is_nothing_believed() -> None:
    made = spacious(PLANE, "adaptive")
    history = learned(made, plane, 2)
    planner = planners.planner("adaptive")
    centre = history.experiments[0].candidate
    assert slices(planner, made, history, centre, [("temperature_c",)], np.random.default_rng(1)) is None


@pytest.mark.parametrize(
    ("name", "along", "sentence"),
    [
        ("random", ("temperature_c",), "learns no model"),
        ("adaptive", ("temperature",), "do not differ in 'temperature'"),
        ("adaptive", ("temperature_c", "temperature_c"), "two different ones"),
    ],
)
def test_what_can_not_be_told_is_refused_in_a_sentence(name: str, along: Any, sentence: str) -> None:
    made = spacious(PLANE, name)
    history = learned(made, plane, 8)
    with pytest.raises(BadInput, match=sentence):
        cut(made, history, history.experiments[0].candidate, along)


def test_a_candidate_that_is_nowhere_on_an_axis_has_no_slice_along_it() -> None:
    made = campaign(variants())
    history = learned(made, landscape, 12)
    with pytest.raises(BadInput, match="WT has no residue"):
        cut(made, history, made.reference, ("residue",))
