"""Whatever a campaign brings, every registered planner chooses sensibly or refuses with a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.spaces import LinearConstraint, Parameter, SearchSpace
from lab.types import (
    INFEASIBLE,
    Campaign,
    Candidate,
    ExperimentStatus,
    Goal,
    History,
    Limit,
    Objective,
    PastResult,
    Proposal,
    Quality,
)
from tests.planners.campaigns import (
    POOL_PLANNERS,
    TARGET,
    campaign,
    experiment,
    landscape,
    measured,
    observation,
    variants,
)

EVERY_PLANNER = pytest.mark.parametrize("name", POOL_PLANNERS)
POOL = variants(letters="AEFK")
LINE = tuple(Candidate(id=f"x{i}", values={"x": float(i), "same": 1.0}) for i in range(30))


def ask(made: Campaign, n: int, history: History) -> Proposal:
    planner = planners.planner(made.planner.name, made.planner.settings)
    return planner.ask(n, made, history, (), np.random.default_rng([7, 1]))


def check(proposal: Proposal, n: int) -> None:
    """n different candidates, with finite numbers or none, and a sentence each."""
    ids = [e.candidate.id for e in proposal.experiments]
    assert len(set(ids)) == len(ids) == n
    for e in proposal.experiments:
        reason = e.reason
        numbers = [
            reason.predicted_mean,
            reason.predicted_sd,
            reason.acquisition_value,
            *(reason.interval or ()),
        ]
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert reason.sentence[0].isupper()
        assert reason.sentence.endswith(".")
        assert "nan" not in reason.sentence.lower().split()


def refused(made: Campaign, history: History) -> BadInput | None:
    """What an ask for 3 is refused with; None where it is answered, rightly."""
    try:
        proposal = ask(made, 3, history)
    except BadInput as refusal:
        return refusal
    check(proposal, 3)
    return None


def failed(candidates: tuple[Candidate, ...], quality: Quality) -> History:
    experiments = tuple(experiment(c) for c in candidates)
    seen = tuple(observation(e, math.nan, quality=quality) for e in experiments)
    return History(experiments=experiments, observations=seen)


HISTORIES: dict[str, Callable[[tuple[Candidate, ...]], History]] = {
    "one result": lambda pool: measured(pool[:1], lambda c: 0.5),
    "constant outcomes": lambda pool: measured(pool[:14], lambda c: 0.3),
    "constant outcomes without errors": lambda pool: measured(
        pool[:14], lambda c: 0.0, standard_error=math.nan, replicates=1
    ),
    "outcomes that only rounding tells apart": lambda pool: measured(
        pool[:14], lambda c: 1e9 + 1e-7 * pool.index(c)
    ),
    "outcomes of very different size": lambda pool: measured(
        pool[:14], lambda c: 10.0 ** (pool.index(c) - 7)
    ),
    "huge outcomes": lambda pool: measured(pool[:14], lambda c: 1e120 * pool.index(c)),
    "missing values": lambda pool: measured(
        pool[:14], lambda c: math.nan if pool.index(c) % 2 else 0.1 * pool.index(c)
    ),
    "only missing values": lambda pool: measured(pool[:14], lambda c: math.nan),
    "infinite values": lambda pool: measured(
        pool[:14], lambda c: math.inf if pool.index(c) % 3 else 0.1 * pool.index(c)
    ),
    "errors of nothing": lambda pool: measured(pool[:14], lambda c: 0.1 * pool.index(c), standard_error=0.0),
    "errors larger than everything": lambda pool: measured(
        pool[:14], lambda c: 0.1 * pool.index(c), standard_error=1e6
    ),
    "a candidate measured many times with other results": lambda pool: _joined(
        [measured(pool[:10], lambda c, i=i: float(i), standard_error=0.0) for i in range(3)]
    ),
    "all infeasible": lambda pool: failed(
        pool[:14], Quality(ok=False, flags=(INFEASIBLE,), sentence="Dead.")
    ),
    "all but one infeasible": lambda pool: _joined(
        [
            measured(pool[:1], lambda c: 0.5),
            failed(pool[1:14], Quality(ok=False, flags=(INFEASIBLE,), sentence="Dead.")),
        ]
    ),
    "results for candidates that are not in the pool": lambda pool: measured(
        (*pool[:12], replace(pool[12], id="elsewhere")), lambda c: 0.01 * len(c.id)
    ),
}


def _joined(histories: list[History]) -> History:
    return History(
        experiments=tuple(e for h in histories for e in h.experiments),
        observations=tuple(o for h in histories for o in h.observations),
    )


@EVERY_PLANNER
@pytest.mark.parametrize("told", HISTORIES)
def test_whatever_came_back_a_whole_batch_is_chosen(name: str, told: str) -> None:
    made = replace(campaign(POOL, name), policies=replace(campaign(POOL, name).policies, repeat_failed=0))
    check(ask(made, 4, HISTORIES[told](POOL)), 4)


@EVERY_PLANNER
def test_all_failed_runs_leave_a_batch_of_something_else(name: str) -> None:
    lost = tuple(experiment(c, ExperimentStatus.FAILED) for c in POOL[:14])
    made = campaign(POOL, name, repeat_failed=0)
    proposal = ask(made, 4, History(experiments=lost))
    check(proposal, 4)
    assert not {e.candidate.id for e in proposal.experiments} & {e.candidate.id for e in lost}


@EVERY_PLANNER
def test_features_that_do_not_vary_do_not_matter(name: str) -> None:
    check(ask(campaign(LINE, name, parent=""), 3, measured(LINE[::2], lambda c: c.values["x"])), 3)
    alike = tuple(Candidate(id=f"c{i}", values={"x": 1.0}) for i in range(30))
    check(ask(campaign(alike, name, parent=""), 3, measured(alike[:14], lambda c: float(len(c.id)))), 3)


@EVERY_PLANNER
def test_candidates_twice_under_different_names_are_taken_as_two(name: str) -> None:
    twice = (*LINE, *(replace(c, id=f"{c.id} again") for c in LINE))
    check(ask(campaign(twice, name, parent=""), 5, measured(twice[:20], lambda c: c.values["x"])), 5)


@EVERY_PLANNER
@pytest.mark.parametrize("value", [math.nan, math.inf, None, "high"])
def test_a_value_that_is_no_number_among_numbers_is_refused_or_taken_as_a_level(
    name: str, value: object
) -> None:
    pool = (*LINE, Candidate(id="odd", values={"x": value, "same": 1.0}))
    history = measured(LINE[::2], lambda c: c.values["x"])
    refusal = refused(campaign(pool, name, parent=""), history)
    assert refusal is None or "odd" in str(refusal)


@EVERY_PLANNER
def test_a_candidate_without_a_value_that_others_have_is_refused_by_name_or_passed_over(name: str) -> None:
    pool = (*LINE, Candidate(id="odd", values={"same": 1.0}))
    refusal = refused(campaign(pool, name, parent=""), measured(LINE[::2], lambda c: c.values["x"]))
    assert refusal is None or "odd" in str(refusal)


@EVERY_PLANNER
def test_sequences_of_another_length_are_refused_by_name_or_passed_over(name: str) -> None:
    pool = (*POOL, Candidate(id="short", sequence=POOL[0].sequence[:-1]))
    refusal = refused(campaign(pool, name), measured(POOL[:14], landscape))
    assert refusal is None or "short" in str(refusal)


@EVERY_PLANNER
def test_contradictory_constraints_are_refused_with_the_constraint(name: str) -> None:
    space = SearchSpace(
        parameters=(Parameter(name="t", low=0.0, high=1.0),),
        constraints=(
            LinearConstraint(coefficients={"t": 1.0}, at_least=0.8),
            LinearConstraint(coefficients={"t": 1.0}, at_most=0.2),
        ),
    )
    made = replace(campaign((), name, parent=""), space=space)
    with pytest.raises(BadInput, match="t") as refusal:
        ask(made, 2, History())
    assert refusal.value.field == "space.constraints"


@EVERY_PLANNER
def test_a_space_of_one_candidate_is_used_up_after_one_experiment(name: str) -> None:
    space = SearchSpace(parameters=(Parameter(name="t", low=1.0, high=1.0),))
    made = replace(campaign((), name, parent=""), space=space)
    first = ask(made, 3, History())
    check(first, 1)
    done = replace(first.experiments[0], status=ExperimentStatus.MEASURED)
    history = History(experiments=(done,), observations=(observation(done, 0.5),))
    rest = ask(made, 3, history)
    assert rest.experiments == ()
    assert rest.advice is not None
    assert rest.advice.stop


GOALS = {
    "to hit a level far from everything": Goal(target=TARGET, direction="hit", level=1e6),
    "to exceed a level that nothing reaches": Goal(target=TARGET, direction="exceed", level=1e6),
    "to map": Goal(target=TARGET, direction="map"),
    "a limit on what nobody measured": Goal(target=TARGET, limits=(Limit(target="cost", at_most=1.0),)),
    "a limit that nothing keeps to": Goal(target=TARGET, limits=(Limit(target=TARGET, at_least=1e6),)),
    "an objective that nobody measured": Goal(target=TARGET, also=(Objective(target="cost"),)),
}


@EVERY_PLANNER
@pytest.mark.parametrize("wanted", GOALS)
def test_a_goal_out_of_reach_is_still_worked_at(name: str, wanted: str) -> None:
    made = replace(campaign(POOL, name), goal=GOALS[wanted])
    refusal = refused(made, measured(POOL[:14], landscape))
    assert refusal is None or refusal.way_out


@EVERY_PLANNER
def test_past_results_that_say_nothing_change_nothing_for_the_worse(name: str) -> None:
    past = tuple(
        PastResult(candidate=c, target=TARGET, value=v, standard_error=0.0, campaign=f"year {i}")
        for i, v in enumerate((0.0, math.nan, 1e120))
        for c in POOL[:6]
    )
    made = replace(campaign(POOL, name), past=past)
    check(ask(made, 3, History()), 3)
    check(ask(made, 3, measured(POOL[:14], landscape)), 3)


@EVERY_PLANNER
def test_an_observation_without_its_experiment_is_passed_over(name: str) -> None:
    history = measured(POOL[:14], landscape)
    stray = replace(history.observations[0], experiment_id="exp_none", value=1e6)
    check(ask(campaign(POOL, name), 3, replace(history, observations=(*history.observations, stray))), 3)
