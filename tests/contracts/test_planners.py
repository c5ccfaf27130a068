"""What every registered planner promises, whatever it thinks of."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import planners
from lab.errors import BadInput
from lab.interfaces import Planner
from lab.types import Campaign, Candidate, Experiment, ExperimentStatus, History, Proposal, Quality
from tests.planners.campaigns import (
    POOL_PLANNERS,
    campaign,
    conditions,
    experiment,
    landscape,
    measured,
    observation,
    variants,
)

EVERY_PLANNER = pytest.mark.parametrize("name", POOL_PLANNERS)
NOTHING = History()
BAD = Quality(ok=False, flags=("high_cv",), sentence="The three wells differ by 40 %.")


def ask(made: Campaign, n: int, history: History = NOTHING, pending: tuple[Experiment, ...] = ()) -> Proposal:
    return _planner(made).ask(n, made, history, pending, np.random.default_rng([7, 1, 2]))


def _planner(made: Campaign) -> Planner:
    return planners.planner(made.planner.name, made.planner.settings)


def chosen(proposal: Proposal) -> list[str]:
    return [e.candidate.id for e in proposal.experiments]


POOLS = pytest.mark.parametrize(
    "pool", [variants(letters="AEFK"), conditions()], ids=["variants", "conditions"]
)


@EVERY_PLANNER
@POOLS
def test_the_first_batch_has_what_was_asked_for_each_candidate_once(
    name: str, pool: tuple[Candidate, ...]
) -> None:
    proposal = ask(campaign(pool, name), 8)
    assert len(set(chosen(proposal))) == 8
    assert set(chosen(proposal)) <= {c.id for c in pool}


@EVERY_PLANNER
@POOLS
def test_nothing_measured_pending_or_under_way_is_chosen_again(
    name: str, pool: tuple[Candidate, ...]
) -> None:
    history = measured(pool[:10], lambda c: len(c.id) + 0.1 * pool.index(c))
    running = experiment(pool[10], ExperimentStatus.RUNNING)
    history = replace(history, experiments=(*history.experiments, running))
    pending = (experiment(pool[11], ExperimentStatus.PROPOSED),)
    proposal = ask(campaign(pool, name), len(pool) - 12, history, pending)
    assert sorted(chosen(proposal)) == sorted(c.id for c in pool[12:])


@EVERY_PLANNER
@POOLS
def test_the_same_inputs_and_generator_state_give_the_same_candidates(
    name: str, pool: tuple[Candidate, ...]
) -> None:
    made = campaign(pool, name)
    history = measured(pool[::3], lambda c: 0.01 * pool.index(c))
    planner = _planner(made)
    first = planner.ask(5, made, history, (), np.random.default_rng([7, 3]))
    planner.ask(3, made, History(), (), np.random.default_rng(1))
    again = planner.ask(5, made, history, (), np.random.default_rng([7, 3]))
    assert chosen(first) == chosen(again)
    strip = [replace(e, id="") for e in first.experiments]
    assert strip == [replace(e, id="") for e in again.experiments]


@EVERY_PLANNER
def test_the_inputs_are_left_as_they_were(name: str) -> None:
    pool = variants(letters="AE")
    made, history = campaign(pool, name), measured(pool[:5], landscape)
    before = pickle.dumps((made.candidates, history))
    ask(made, 4, history)
    assert pickle.dumps((made.candidates, history)) == before


@EVERY_PLANNER
@POOLS
def test_a_pool_smaller_than_the_batch_is_used_up_and_then_the_advice_is_to_stop(
    name: str, pool: tuple[Candidate, ...]
) -> None:
    history = measured(pool[:-3], lambda c: 0.01 * pool.index(c))
    made = campaign(pool, name)
    assert sorted(chosen(ask(made, 12, history))) == sorted(c.id for c in pool[-3:])
    done = ask(made, 12, measured(pool, lambda c: 0.01 * pool.index(c)))
    assert done.experiments == ()
    assert done.advice is not None
    assert done.advice.stop
    assert "nothing is left" in done.advice.sentence


@EVERY_PLANNER
def test_a_failed_quality_check_is_repeated_first_and_once(name: str) -> None:
    pool = variants(letters="AE")
    made = campaign(pool, name)
    history = measured(pool[:6], landscape)
    spoilt = experiment(pool[6])
    history = History(
        experiments=(*history.experiments, spoilt),
        observations=(*history.observations, observation(spoilt, 0.9, quality=BAD)),
    )
    proposal = ask(made, 4, history)
    again = proposal.experiments[0]
    assert len(proposal.experiments) == 4
    assert (again.candidate, again.repeat_of) == (spoilt.candidate, spoilt.id)
    assert "The three wells differ by 40 %" in again.reason.sentence
    assert all(e.repeat_of is None and e.candidate != spoilt.candidate for e in proposal.experiments[1:])
    assert spoilt.candidate.id not in chosen(ask(made, 4, history, pending=(again,)))
    spoilt_again = replace(again, status=ExperimentStatus.MEASURED)
    history = History(
        experiments=(*history.experiments, spoilt_again),
        observations=(*history.observations, observation(spoilt_again, 0.9, quality=BAD)),
    )
    assert spoilt.candidate.id not in chosen(ask(made, 4, history))


@EVERY_PLANNER
def test_a_campaign_without_repeats_asks_for_none(name: str) -> None:
    pool = variants(letters="AE")
    spoilt = experiment(pool[6])
    history = History(experiments=(spoilt,), observations=(observation(spoilt, 0.9, quality=BAD),))
    proposal = ask(campaign(pool, name, repeat_failed=0), 4, history)
    assert all(e.repeat_of is None for e in proposal.experiments)
    assert spoilt.candidate.id not in chosen(proposal)


@EVERY_PLANNER
def test_repeats_never_fill_more_than_the_batch(name: str) -> None:
    pool = variants(letters="AE")
    spoilt = tuple(experiment(c) for c in pool[:6])
    history = History(
        experiments=spoilt, observations=tuple(observation(e, 0.5, quality=BAD) for e in spoilt)
    )
    proposal = ask(campaign(pool, name), 4, history)
    assert [e.repeat_of for e in proposal.experiments] == [e.id for e in spoilt[:4]]


@EVERY_PLANNER
def test_a_retracted_result_frees_its_candidate(name: str) -> None:
    pool = variants(letters="A")
    history = measured(pool, landscape)
    experiments = (
        replace(history.experiments[0], status=ExperimentStatus.RETRACTED),
        *history.experiments[1:],
    )
    assert chosen(ask(campaign(pool, name), 2, replace(history, experiments=experiments))) == [pool[0].id]


@EVERY_PLANNER
def test_each_experiment_says_why_in_plain_values(name: str) -> None:
    pool = variants()
    for history in (History(), measured(pool[::9], landscape)):
        for e in ask(campaign(pool, name), 6, history).experiments:
            assert e.reason.planner == name
            assert e.reason.sentence[0].isupper()
            assert e.reason.sentence.endswith(".")
            assert e.reason.seed
            assert all(type(word) is int for word in e.reason.seed)
            for number in (e.reason.predicted_mean, e.reason.predicted_sd, e.reason.acquisition_value):
                assert number is None or (type(number) is float and math.isfinite(number))


@EVERY_PLANNER
@pytest.mark.parametrize("n", [0, -3])
def test_a_batch_of_nothing_is_refused(name: str, n: int) -> None:
    with pytest.raises(BadInput, match="at least 1 experiment"):
        ask(campaign(variants(), name), n)


@EVERY_PLANNER
def test_a_pool_that_is_empty_or_names_a_candidate_twice_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no candidates"):
        ask(campaign((), name), 2)
    with pytest.raises(BadInput, match="the id T2A"):
        ask(campaign((*variants(letters="A"), *variants(letters="A")[1:2]), name), 2)


@EVERY_PLANNER
def test_an_unknown_setting_is_refused_with_its_field(name: str) -> None:
    with pytest.raises(BadInput, match="no setting 'explore'") as refusal:
        planners.planner(name, {"explore": 1})
    assert refusal.value.field == "planner.settings.explore"


@EVERY_PLANNER
def test_candidates_that_all_look_alike_are_still_chosen_from(name: str) -> None:
    pool = tuple(Candidate(id=f"c{i}", values={"t": 1.0}) for i in range(9))
    history = measured(pool[:4], lambda c: 0.1 * int(c.id[1]))
    assert len(set(chosen(ask(campaign(pool, name), 3, history)))) == 3


values = st.one_of(
    st.floats(-2, 2), st.sampled_from([0.0, 0.5, 1e-300, 1e12, -1e12, math.nan, math.inf, -math.inf])
)
errors = st.one_of(st.floats(0, 1), st.sampled_from([0.0, math.nan, math.inf, 1e-12, 1e9]))
outcome = st.tuples(
    st.integers(0, 41), st.sampled_from(ExperimentStatus), st.booleans(), values, errors, st.integers(0, 4)
)


@EVERY_PLANNER
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    outcomes=st.lists(outcome, max_size=40),
    n=st.integers(1, 50),
    direction=st.sampled_from(["maximize", "minimize"]),
    constant=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_was_measured_the_batch_is_valid(
    name: str,
    outcomes: list[tuple[int, ExperimentStatus, bool, float, float, int]],
    n: int,
    direction: str,
    constant: bool,
    seed: int,
) -> None:
    pool = variants(letters="AEF")[:42]
    made = campaign(pool, name, direction=direction)
    experiments, observations = [], []
    for row, status, ok, value, error, replicates in outcomes:
        experiments.append(experiment(pool[row % len(pool)], status))
        observations.append(
            observation(
                experiments[-1],
                0.5 if constant else value,
                error,
                quality=Quality(ok=ok),
                replicates=replicates,
            )
        )
    history = History(experiments=tuple(experiments), observations=tuple(observations))
    planner = _planner(made)
    proposal = planner.ask(n, made, history, (), np.random.default_rng(seed))
    ids = chosen(proposal)
    assert len(ids) == len(set(ids))
    taken = {e.candidate.id for e in experiments if e.status is not ExperimentStatus.RETRACTED}
    fresh = [e for e in proposal.experiments if e.repeat_of is None]
    assert not {e.candidate.id for e in fresh} & taken
    left = len(pool) - len(taken)
    again = len(ids) - len(fresh)
    assert len(fresh) == min(n - again, left)
    for e in proposal.experiments:
        for number in (e.reason.predicted_mean, e.reason.predicted_sd, e.reason.acquisition_value):
            assert number is None or math.isfinite(number)
        assert e.reason.predicted_sd is None or e.reason.predicted_sd >= 0
