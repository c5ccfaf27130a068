"""Learning from earlier campaigns."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

import planners
from lab.interfaces import Believing
from lab.types import Campaign, Candidate, History, PastResult
from tests.planners.bo.test_botorch import hill, line, x_of
from tests.planners.campaigns import TARGET, campaign, measured


def with_past(truth: Callable[[Candidate], float], name: str = "last year", every: int = 3) -> Campaign:
    past = tuple(
        PastResult(candidate=c, target=TARGET, value=truth(c), standard_error=0.01, campaign=name)
        for c in line()[::every]
    )
    return replace(campaign(line(), "multi_task", parent=""), past=past)


def chosen(made: Campaign, n: int, history: History) -> list[float]:
    planner = planners.planner("multi_task")
    return [
        x_of(e.candidate) for e in planner.ask(n, made, history, (), np.random.default_rng(3)).experiments
    ]


def test_the_first_batch_goes_where_an_earlier_campaign_was_good() -> None:
    assert abs(chosen(with_past(hill), 1, History())[0] - 0.7) < 0.12
    spread = chosen(campaign(line(), "multi_task", parent=""), 3, History())
    assert max(spread) - min(spread) > 0.5


def test_an_earlier_campaign_on_another_scale_tells_as_much() -> None:
    shifted = chosen(with_past(lambda c: 500.0 + 100.0 * hill(c)), 1, History())
    assert abs(shifted[0] - 0.7) < 0.12


def test_the_shape_of_an_earlier_campaign_is_carried_over_to_where_nothing_was_measured_now() -> None:
    history = measured(line()[:24:4], hill, standard_error=0.01)
    far = [c for c in line() if x_of(c) > 0.6]
    truth = [hill(c) for c in far]

    def error(name: str) -> float:
        made = with_past(lambda c: 3.0 * hill(c) + 1.0)
        planner = planners.planner(name, {"designed": 4})
        assert isinstance(planner, Believing)
        beliefs = planner.predict(made, history, far, np.random.default_rng(0))
        assert beliefs is not None
        return float(np.sqrt(np.mean((beliefs.mean - truth) ** 2)))

    assert error("multi_task") < 0.5 * error("botorch")


def test_what_was_measured_now_overrules_an_earlier_campaign_that_was_about_something_else() -> None:
    made = with_past(lambda c: hill(replace(c, values={"x": 1.0 - x_of(c)})))
    history = measured(line()[::3], hill, standard_error=0.01)
    planner = planners.planner("multi_task")
    assert isinstance(planner, Believing)
    beliefs = planner.predict(made, history, list(line()), np.random.default_rng(0))
    assert beliefs is not None
    assert np.sqrt(np.mean((beliefs.mean - [hill(c) for c in line()]) ** 2)) < 0.1


def test_without_an_earlier_campaign_it_is_the_single_task_planner() -> None:
    history = measured(line()[::3], hill, standard_error=0.01)
    made = campaign(line(), "multi_task", parent="")
    alone = planners.planner("botorch").ask(3, made, history, (), np.random.default_rng(3)).experiments
    assert chosen(made, 3, history) == [x_of(e.candidate) for e in alone]
