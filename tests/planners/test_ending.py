"""The last tenth of the budget: what is predicted best, and replicates where noise leaves the order in doubt."""

from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.types import Campaign, Experiment, ExperimentStatus, History
from tests.planners.campaigns import campaign, landscape, measured, observation, variants

POOL = variants()
DONE = measured(POOL[::3], landscape, standard_error=0.1)


def ending(left: int) -> Campaign:
    return replace(campaign(POOL), budget=len(DONE.experiments) + left)


def ask(made: Campaign, n: int, history: History = DONE) -> tuple[Experiment, ...]:
    return planners.planner("adaptive").ask(n, made, history, (), np.random.default_rng([7, 2])).experiments


def test_the_best_few_are_measured_again_when_noise_hides_which_is_best() -> None:
    chosen = ask(ending(6), 6)
    again = [e for e in chosen if e.repeat_of is not None]
    assert 2 <= len(again) <= 3
    known = {e.id: e for e in DONE.experiments}
    assert all(known[e.repeat_of].candidate == e.candidate for e in again)
    assert all("noise leaves their order in doubt" in e.reason.sentence for e in again)
    top = sorted(POOL[::3], key=landscape)[-12:]
    assert all(e.candidate in top for e in again)
    assert {e.reason.acquisition for e in chosen if e.repeat_of is None} == {"predicted_mean"}


def test_nothing_is_measured_again_before_the_last_tenth() -> None:
    chosen = ask(ending(40), 6)
    assert all(e.repeat_of is None for e in chosen)
    assert {e.reason.acquisition for e in chosen} == {"ucb"}


@pytest.mark.parametrize("error", [0.0, float("nan")])
def test_nothing_is_measured_again_where_no_error_is_known(error: float) -> None:
    exact = measured(POOL[::3], landscape, standard_error=error)
    assert all(e.repeat_of is None for e in ask(ending(6), 6, exact))


def test_a_replicate_that_was_measured_moves_the_prediction_of_its_candidate() -> None:
    again = next(e for e in ask(ending(6), 6) if e.repeat_of is not None)
    done = replace(again, status=ExperimentStatus.MEASURED)
    seen = {}
    for value in (-1.0, 2.0):
        history = History(
            experiments=(*DONE.experiments, done),
            observations=(*DONE.observations, observation(done, value, 0.1)),
        )
        believed = planners.planner("adaptive").predict(
            ending(6), history, [again.candidate], np.random.default_rng(0)
        )
        seen[value] = believed.mean[0]
    assert seen[-1.0] < seen[2.0] - 0.05
