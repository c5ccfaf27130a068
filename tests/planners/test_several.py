"""The default planner on goals other than the most of one target."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

import planners
from lab.goals import Goal, Limit, Objective
from lab.types import Candidate, Experiment, History
from tests.planners.campaigns import campaign, experiment, observation

POOL = tuple(
    Candidate(id=f"{x}/{y}", values={"x": x / 14, "y": y / 14}) for x in range(15) for y in range(15)
)
Truth = Mapping[str, Callable[[Candidate], float]]

TRUTH: Truth = {
    "yield": lambda c: 100.0 * np.exp(-4.0 * ((c.values["x"] - 0.8) ** 2 + (c.values["y"] - 0.3) ** 2)),
    "cost": lambda c: 2.0 + 8.0 * c.values["x"],
}


def told(candidates: tuple[Candidate, ...]) -> History:
    done = tuple(experiment(c) for c in candidates)
    return History(
        experiments=done,
        observations=tuple(
            replace(observation(e, value(e.candidate), 0.01), target=target)
            for e in done
            for target, value in TRUTH.items()
        ),
    )


def ask(goal: Goal, n: int = 6) -> tuple[Experiment, ...]:
    made = replace(campaign(POOL, parent=""), goal=goal)
    return (
        planners.planner("adaptive").ask(n, made, told(POOL[::8]), (), np.random.default_rng(3)).experiments
    )


def test_to_hit_a_level_most_of_the_chosen_lie_near_it_and_the_sentence_names_it() -> None:
    chosen = ask(Goal(target="yield", direction="hit", level=50.0))
    assert sum(abs(TRUTH["yield"](e.candidate) - 50.0) < 15.0 for e in chosen) >= 4
    assert all("where 50.00 is wanted" in e.reason.sentence for e in chosen)


def test_a_limit_keeps_the_choice_where_it_is_likely_to_hold() -> None:
    chosen = ask(Goal(target="yield", limits=(Limit(target="cost", at_most=6.0),)))
    assert sum(TRUTH["cost"](e.candidate) <= 6.3 for e in chosen) >= 5
    assert max(TRUTH["yield"](e.candidate) for e in chosen) > 60
    assert all("chance to keep to all limits" in e.reason.sentence for e in chosen)


def test_where_nothing_is_known_to_keep_to_a_limit_the_reason_says_that_the_limit_chose() -> None:
    (first, *_) = ask(Goal(target="yield", limits=(Limit(target="cost", at_most=-5.0),)), n=2)
    assert first.reason.acquisition == "log_chance_of_limits"
    (kept,) = ask(Goal(target="yield", limits=(Limit(target="cost", at_most=6.0),)), n=1)
    assert kept.reason.acquisition == "log_expected_improvement"


def test_where_a_level_is_out_of_reach_the_reason_says_that_the_search_climbs() -> None:
    (far,) = ask(Goal(target="yield", direction="exceed", level=1e6), n=1)
    assert far.reason.acquisition == "ucb"
    (near,) = ask(Goal(target="yield", direction="exceed", level=80.0), n=1)
    assert near.reason.acquisition == "expected_finds"


def test_two_objectives_are_both_predicted_and_the_front_is_widened() -> None:
    goal = Goal(target="yield", also=(Objective(target="cost", direction="minimize"),))
    chosen = ask(goal)
    assert all("yield " in e.reason.sentence and "cost " in e.reason.sentence for e in chosen)
    first = [(TRUTH["yield"](c), -TRUTH["cost"](c)) for c in POOL[::8]]
    better = [
        e
        for e in chosen
        if not any(y >= TRUTH["yield"](e.candidate) and c >= -TRUTH["cost"](e.candidate) for y, c in first)
    ]
    assert len(better) >= 4


def test_without_results_of_every_target_it_covers_the_pool() -> None:
    goal = Goal(target="yield", limits=(Limit(target="purity", at_least=0.9),))
    assert all(e.reason.sentence.startswith("Chosen to cover the pool") for e in ask(goal))
