from dataclasses import replace

import numpy as np

import planners
from lab.types import INFEASIBLE, Candidate, ExperimentStatus, History, Quality
from planners.feasibility import log_chance
from planners.seen import look_back
from planners.space import encode_space
from tests.planners.campaigns import campaign, experiment, measured, observation

POOL = tuple(
    Candidate(id=f"{x}/{y}", values={"x": float(x), "y": float(y)}) for x in range(12) for y in range(12)
)


def dead(candidate: Candidate) -> bool:
    return candidate.values["x"] > 6


def value(candidate: Candidate) -> float:
    return float(candidate.values["x"] + 0.1 * candidate.values["y"])


def history(step: int = 5, flag: str = INFEASIBLE) -> History:
    """Every so many candidates tried; those on the right can't be had."""
    tried = POOL[::step]
    good = measured([c for c in tried if not dead(c)], value)
    bad = tuple(experiment(c) for c in tried if dead(c))
    spoilt = tuple(observation(e, 99.0, quality=Quality(ok=False, flags=(flag,))) for e in bad)
    return History(experiments=(*good.experiments, *bad), observations=(*good.observations, *spoilt))


def chance(told: History, **kwargs: int) -> np.ndarray | None:
    made = campaign(POOL, parent="", **kwargs)
    space = encode_space(made)
    found = log_chance(space, look_back(space, made, told, (), ()))
    return None if found is None else np.exp(found)


def test_the_chance_is_low_where_candidates_failed_and_high_where_they_did_not() -> None:
    found = chance(history())
    assert found is not None
    untried = [i for i in range(len(POOL)) if i % 5]
    assert np.mean([found[i] for i in untried if POOL[i].values["x"] > 8]) < 0.2
    assert np.mean([found[i] for i in untried if POOL[i].values["x"] < 5]) > 0.8


def test_a_failed_measurement_counts_only_when_no_repeat_is_left() -> None:
    assert chance(history(flag="high_cv"), repeat_failed=1) is None
    assert chance(history(flag="high_cv"), repeat_failed=0) is not None


def test_failures_alone_or_successes_alone_teach_nothing() -> None:
    assert chance(measured(POOL[::9], value)) is None
    only_bad = tuple(experiment(c, ExperimentStatus.FAILED) for c in POOL[::9])
    assert chance(History(experiments=only_bad), repeat_failed=0) is None


def test_the_planner_turns_away_from_what_can_not_be_had() -> None:
    made = replace(campaign(POOL, parent="", batch_size=6), budget=90)
    blind = [c for c in POOL[::5] if not dead(c)]
    rng = np.random.default_rng(1)
    ask = planners.planner("adaptive").ask
    with_failures = ask(6, made, history(), (), rng).experiments
    without = ask(6, made, measured(blind, value), (), np.random.default_rng(1)).experiments
    assert sum(dead(e.candidate) for e in without) >= 5
    assert sum(dead(e.candidate) for e in with_failures) <= 3
