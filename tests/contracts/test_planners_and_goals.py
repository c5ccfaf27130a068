"""What every registered planner promises for every goal."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.goals import Goal, Limit, Objective
from lab.types import Campaign, Candidate, Experiment, ExperimentStatus, History, Proposal, Quality
from planners.pareto import hypervolume
from tests.planners.campaigns import POOL_PLANNERS, campaign, conditions, experiment, observation
from tests.planners.spaces import SPACES, spacious

GOALS = {
    "hit": Goal(target="warmth", direction="hit", level=0.5),
    "exceed": Goal(target="warmth", direction="exceed", level=0.6),
    "map": Goal(target="warmth", direction="map"),
    "two": Goal(target="warmth", also=(Objective(target="strength", direction="minimize"),)),
    "three": Goal(
        target="warmth",
        also=(Objective(target="strength"), Objective(target="cost", direction="hit", level=0.4)),
    ),
    "limits": Goal(
        target="warmth",
        direction="minimize",
        limits=(Limit(target="strength", at_most=0.6), Limit(target="cost", at_least=0.1, at_most=0.9)),
    ),
}
EVERY_GOAL = pytest.mark.parametrize("kind", GOALS)
REFUSED = {("turbo", kind) for kind in ("exceed", "map", "two", "three")}
"""Planner and goal that it does not take on."""
EVERY_PAIR = pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in POOL_PLANNERS for kind in GOALS if (name, kind) not in REFUSED],
)
BAD = Quality(ok=False, flags=("high_cv",), sentence="The three wells differ by 40 %.")


def outcome(candidate: Candidate, target: str) -> float:
    """Made up: each target depends on another of the values."""
    temperature, strength = candidate.values["temperature_c"], candidate.values["concentration_mmol_l"]
    if target == "warmth":
        return float(temperature / 100.0)
    if target == "strength":
        return float((1.0 + math.log10(strength)) / 2.0)
    return 0.2 * len(candidate.values["solvent"]) - 0.3


def told(candidates: list[Candidate], goal: Goal) -> History:
    """Candidates measured once each, every target of the goal."""
    experiments = tuple(experiment(c) for c in candidates)
    return History(
        experiments=experiments,
        observations=tuple(
            replace(observation(e, outcome(e.candidate, t), 0.01), id=f"obs_{t}_{e.id}", target=t)
            for e in experiments
            for t in goal.targets
        ),
    )


def ask(made: Campaign, n: int, history: History, pending: tuple[Experiment, ...] = ()) -> Proposal:
    planner = planners.planner(made.planner.name, made.planner.settings)
    return planner.ask(n, made, history, pending, np.random.default_rng([7, 1, 2]))


def made_for(kind: str, name: str, **changes: Any) -> Campaign:
    return replace(campaign(conditions(), name, parent=""), goal=GOALS[kind], **changes)


@EVERY_PAIR
def test_for_every_goal_the_batch_is_full_and_each_candidate_new(name: str, kind: str) -> None:
    pool = conditions()
    made = made_for(kind, name)
    history = told(list(pool[::3]), GOALS[kind])
    pending = (experiment(pool[1], ExperimentStatus.RUNNING),)
    proposal = ask(made, 5, history, pending)
    ids = [e.candidate.id for e in proposal.experiments]
    assert len(set(ids)) == 5
    assert not set(ids) & {pool[1].id, *(c.id for c in pool[::3])}
    for e in proposal.experiments:
        assert e.reason.sentence.endswith(".")
        for number in (e.reason.predicted_mean, e.reason.predicted_sd, e.reason.acquisition_value):
            assert number is None or math.isfinite(number)
    again = ask(made, 5, history, pending)
    assert [e.candidate.id for e in again.experiments] == ids


@EVERY_PAIR
def test_what_is_left_is_used_up_whatever_the_goal(name: str, kind: str) -> None:
    pool = conditions()
    proposal = ask(made_for(kind, name), 9, told(list(pool[:-4]), GOALS[kind]))
    assert {e.candidate.id for e in proposal.experiments} == {c.id for c in pool[-4:]}


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, k) for n in POOL_PLANNERS for k in ("two", "limits") if (n, k) not in REFUSED],
)
def test_a_target_that_is_never_measured_or_never_changes_does_not_stop_a_planner(
    name: str, kind: str
) -> None:
    pool = conditions()
    history = told(list(pool[::2]), GOALS[kind])
    first = tuple(o for o in history.observations if o.target == "warmth")
    missing = replace(history, observations=first)
    same = replace(history, observations=tuple(replace(o, value=0.5) for o in history.observations))
    for odd in (missing, same):
        proposal = ask(made_for(kind, name), 4, odd)
        assert len({e.candidate.id for e in proposal.experiments}) == 4


@pytest.mark.parametrize("name", [n for n in POOL_PLANNERS if (n, "two") not in REFUSED])
def test_a_result_that_failed_for_a_further_target_is_repeated(name: str) -> None:
    pool = conditions()
    history = told(list(pool[:14]), GOALS["two"])
    spoilt = history.experiments[3]
    history = replace(
        history,
        observations=tuple(
            replace(o, quality=BAD) if (o.experiment_id, o.target) == (spoilt.id, "strength") else o
            for o in history.observations
        ),
    )
    again = ask(made_for("two", name), 3, history).experiments[0]
    assert again.repeat_of == spoilt.id
    assert "The three wells differ" in again.reason.sentence


@pytest.mark.parametrize(("name", "kind"), sorted(REFUSED))
def test_a_goal_that_a_planner_does_not_take_on_is_refused_with_a_planner_that_does(
    name: str, kind: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        ask(made_for(kind, name), 3, told(list(conditions()[::3]), GOALS[kind]))
    assert refusal.value.field == "planner.name"
    assert any(other in refusal.value.way_out for other in planners.planner_names() if other != name)


@EVERY_GOAL
def test_the_default_planner_serves_the_goal_better_than_chance(kind: str) -> None:
    made = replace(spacious(SPACES["continuous"], "adaptive"), goal=GOALS[kind], budget=40)
    rng = np.random.default_rng(0)
    drawn = ask(replace(made, planner=replace(made.planner, name="random")), 60, History()).experiments
    start, rest = drawn[:20], drawn[20:]
    history = _measured([e.candidate for e in start], made.goal)
    chosen = [e.candidate for e in ask(made, 4, history).experiments]
    chance = [
        _served(made.goal, history, [rest[i].candidate for i in rng.permutation(40)[:4]]) for _ in range(40)
    ]
    assert _served(made.goal, history, chosen) > np.quantile(chance, 0.7)


def _truth(candidate: Candidate, target: str) -> float:
    """Smooth over the continuous space, each target differently."""
    t = (candidate.values["temperature_c"] - 20.0) / 70.0
    s = (math.log10(candidate.values["salt_mmol_l"]) + 2.0) / 4.0
    values = {"warmth": t * (1.2 - s), "strength": 0.5 + 0.5 * math.sin(3.0 * s + t), "cost": s}
    return values[target]


def _measured(candidates: list[Candidate], goal: Goal) -> History:
    experiments = tuple(experiment(c) for c in candidates)
    return History(
        experiments=experiments,
        observations=tuple(
            replace(observation(e, _truth(e.candidate, t), 0.001), id=f"obs_{t}_{e.id}", target=t)
            for e in experiments
            for t in goal.targets
        ),
    )


def _served(goal: Goal, history: History, chosen: list[Candidate]) -> float:
    """How well a batch serves the goal, by the truth."""
    before = [e.candidate for e in history.experiments]
    if goal.direction == "exceed":
        assert goal.level is not None
        return float(np.sum([_truth(c, goal.target) > goal.level for c in chosen])) + 1e-3 * max(
            _truth(c, goal.target) for c in chosen
        )
    if goal.direction == "map":  # how far the farthest place is from what is measured
        return -max(min(math.dist(_place(c), _place(m)) for m in (*before, *chosen)) for c in _grid())
    if goal.also:
        points = np.array(
            [[o.merit(_truth(c, o.target)) for o in goal.objectives] for c in (*before, *chosen)]
        )
        return hypervolume(points, points.min(axis=0) - 0.1)
    kept = [
        goal.merit(_truth(c, goal.target))
        for c in (*before, *chosen)
        if all(limit.holds(_truth(c, limit.target)) for limit in goal.limits)
    ]
    return max(kept)


def _place(candidate: Candidate) -> tuple[float, float]:
    values = candidate.values
    return (values["temperature_c"] - 20.0) / 70.0, (math.log10(values["salt_mmol_l"]) + 2.0) / 4.0


def _grid() -> list[Candidate]:
    return [
        Candidate(id="", values={"temperature_c": t, "salt_mmol_l": 10.0**s})
        for t in np.linspace(20, 90, 12)
        for s in np.linspace(-2, 2, 12)
    ]
