"""Trust regions, worked out from history."""

from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.spaces import Parameter, SearchSpace
from lab.types import Candidate, ExperimentStatus, Goal, History, Limit, Objective
from planners.bo.turbo import trust_region
from tests.planners.campaigns import TARGET, campaign, experiment, measured, observation

SIX = SearchSpace(parameters=tuple(Parameter(name=f"x{i}", low=0.0, high=1.0) for i in range(6)))


def test_a_region_widens_after_three_batches_that_better_the_best() -> None:
    rising = np.arange(20.0)
    assert trust_region(rising[:10], 2, 6, 4).side == 1.6
    assert trust_region(rising[:8], 2, 6, 4).side == 0.8
    assert trust_region(rising, 2, 6, 4).side == 1.6


def test_a_region_narrows_after_as_many_batches_without_success_as_there_are_dimensions_a_batch() -> None:
    flat = np.concatenate([[1.0], np.zeros(30)])
    assert trust_region(flat[:9], 2, 6, 4).side == 0.8
    assert trust_region(flat[:10], 2, 6, 4).side == 0.4
    assert trust_region(flat[:16], 2, 6, 4).side == 0.2


def test_a_success_starts_the_count_of_failures_anew() -> None:
    merits = np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 2.0, 0])
    region = trust_region(merits, 2, 6, 4)
    assert (region.successes, region.failures, region.side) == (1, 0, 0.8)


def test_a_region_that_became_too_small_is_given_up_and_another_begins() -> None:
    flat = np.zeros(100)
    patience, halvings, designed = 4, 7, 2
    given_up = designed + patience * halvings
    assert trust_region(flat[: given_up - 1], 1, 3, designed).begun == 0
    region = trust_region(flat[: given_up + 1], 1, 3, designed)
    assert (region.begun, region.side) == (given_up, 0.8)


def bowl(candidate: Candidate) -> float:
    return -sum((float(v) - 0.3) ** 2 for v in candidate.values.values())


def test_choices_stay_near_the_best_and_say_so() -> None:
    rng = np.random.default_rng(0)
    pool = [
        Candidate(id=f"c{i}", values={f"x{j}": float(v) for j, v in enumerate(rng.random(6).round(4))})
        for i in range(600)
    ]
    made = campaign(pool, "turbo", parent="", settings={"designed": 4}, batch_size=2)
    history = measured(pool[:30], bowl, standard_error=0.001)
    best = max(pool[:30], key=bowl)
    near = planners.planner("turbo", made.planner.settings).ask(4, made, history, (), rng).experiments

    def distance(candidate: Candidate) -> float:
        return float(np.linalg.norm(np.subtract(list(candidate.values.values()), list(best.values.values()))))

    typical = np.median([distance(c) for c in pool])
    assert max(distance(e.candidate) for e in near) < typical
    assert f"kept near {best.id}" in near[0].reason.sentence


@pytest.mark.parametrize(
    ("limit", "at", "said"),
    [(0.5, 9, "the best since"), (-1.0, 0, "what breaks the limits least since")],
)
def test_the_region_lies_around_what_keeps_to_the_limits(limit: float, at: int, said: str) -> None:
    pool = [Candidate(id=f"c{i:03d}", values={"x": i / 200}) for i in range(200)]
    made = replace(
        campaign(pool, "turbo", parent="", settings={"designed": 4}),
        goal=Goal(target=TARGET, limits=(Limit(target="cost", at_most=limit),)),
    )
    seen = pool[::11]
    history = measured(seen, lambda c: float(c.values["x"]), standard_error=0.01)
    costs = tuple(
        replace(observation(e, float(e.candidate.values["x"])), target="cost") for e in history.experiments
    )
    history = replace(history, observations=(*history.observations, *costs))
    proposal = planners.planner("turbo", {"designed": 4}).ask(1, made, history, (), np.random.default_rng(0))
    assert f"kept near {seen[at].id}, {said}" in proposal.experiments[0].reason.sentence


def test_it_descends_in_six_dimensions() -> None:
    made = replace(
        campaign((), "turbo", parent="", settings={"designed": 8, "screened": 200}, batch_size=4), space=SIX
    )
    planner, history = planners.planner("turbo", made.planner.settings), History()
    for batch in range(6):
        chosen = planner.ask(4, made, history, (), np.random.default_rng([0, batch])).experiments
        done = tuple(replace(e, status=ExperimentStatus.MEASURED) for e in chosen)
        seen = tuple(observation(e, bowl(e.candidate), 0.001) for e in done)
        history = History(experiments=history.experiments + done, observations=history.observations + seen)
    values = [bowl(e.candidate) for e in history.experiments]
    assert max(values) > -0.15 > max(values[:8])


@pytest.mark.parametrize("goal", [{"direction": "map"}, {"also": (Objective(target="cost"),)}])
def test_a_goal_without_one_best_candidate_is_refused(goal: dict[str, object]) -> None:
    pool = [Candidate(id=f"c{i}", values={"x": float(i)}) for i in range(9)]
    made = replace(campaign(pool, "turbo", parent=""), goal=Goal(target=TARGET, **goal))
    with pytest.raises(BadInput, match="Choose the planner botorch"):
        planners.planner("turbo").ask(
            1, made, History(experiments=(experiment(pool[0]),)), (), np.random.default_rng(0)
        )
