"""What every registered planner promises in spaces that are no pool, and of batches that share values."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

import planners
from lab.errors import BadInput
from lab.spaces import Candidate, LinearConstraint, Parameter, SearchSpace
from lab.types import (
    Campaign,
    Experiment,
    ExperimentStatus,
    History,
    PastResult,
    Policies,
    Proposal,
    Quality,
)
from tests.planners.campaigns import (
    POOL_PLANNERS,
    TARGET,
    campaign,
    conditions,
    experiment,
    measured,
    observation,
)
from tests.planners.spaces import CYCLES, SOLVENT, SPACES, TEMPERATURE, bumpy, spacious

EVERY_PLANNER = pytest.mark.parametrize("name", POOL_PLANNERS)
EVERY_SPACE = pytest.mark.parametrize("kind", SPACES)
NOTHING = History()
BAD = Quality(ok=False, flags=("high_cv",), sentence="The three wells differ by 40 %.")
SMALL = SearchSpace(parameters=(CYCLES, SOLVENT))


def ask(
    made: Campaign, n: int, history: History = NOTHING, pending: tuple[Experiment, ...] = (), seed: int = 2
) -> Proposal:
    planner = planners.planner(made.planner.name, made.planner.settings)
    return planner.ask(n, made, history, pending, np.random.default_rng([7, 1, seed]))


def told(made: Campaign, proposals: list[Proposal]) -> History:
    """All that was proposed, measured."""
    assert made.space is not None
    value = bumpy(made.space)
    done = tuple(
        replace(e, status=ExperimentStatus.MEASURED) for proposal in proposals for e in proposal.experiments
    )
    return History(
        experiments=done, observations=tuple(observation(e, value(e.candidate), 0.001) for e in done)
    )


def chosen(proposal: Proposal) -> list[str]:
    return [e.candidate.id for e in proposal.experiments]


@EVERY_PLANNER
@EVERY_SPACE
def test_what_is_chosen_lies_in_the_space_and_is_never_chosen_again(name: str, kind: str) -> None:
    made = spacious(SPACES[kind], name)
    first = ask(made, 12)
    assert len(first.experiments) == 12
    history = told(made, [first])
    pending = ask(made, 3, history)
    second = ask(made, 6, history, pending.experiments, seed=3)
    experiments = (*first.experiments, *pending.experiments, *second.experiments)
    assert len(second.experiments) == 6
    assert len({e.candidate.id for e in experiments}) == 21
    assert len({(e.candidate.sequence, *sorted(e.candidate.values.items())) for e in experiments}) == 21
    for e in experiments:
        assert SPACES[kind].holds(e.candidate)
        assert e.candidate.sequence != made.reference.sequence or not e.candidate.sequence
        assert e.reason.planner == name


@EVERY_PLANNER
def test_the_same_inputs_and_generator_state_give_the_same_candidates(name: str) -> None:
    made = spacious(SPACES["mixed"], name)
    first = ask(made, 12)
    history = told(made, [first])
    before = pickle.dumps((made.space, history))
    assert chosen(ask(made, 4, history)) == chosen(ask(made, 4, history))
    assert pickle.dumps((made.space, history)) == before


@EVERY_PLANNER
def test_a_space_of_few_candidates_is_used_up_and_then_the_advice_is_to_stop(name: str) -> None:
    made = spacious(SMALL, name)
    first = ask(made, 12)
    rest = ask(made, 12, told(made, [first]))
    assert len({*chosen(first), *chosen(rest)}) == 15
    done = ask(made, 12, told(made, [first, rest]))
    assert done.experiments == ()
    assert done.advice is not None
    assert done.advice.stop


@EVERY_PLANNER
def test_the_reference_and_what_it_is_made_of_are_not_chosen(name: str) -> None:
    standard = Candidate(id="standard", values={"cycles": 2.0, "solvent": "water"})
    made = replace(spacious(SMALL, name), reference=standard)
    ids = chosen(ask(made, 15))
    assert len(ids) == 14
    assert "cycles=2 solvent=water" not in ids


@EVERY_PLANNER
def test_rules_decide_what_is_allowed(name: str) -> None:
    space = replace(SPACES["mixed"], rules=(lambda c: c.values["solvent"] == "water",))
    proposal = ask(spacious(space, name), 6)
    assert {e.candidate.values["solvent"] for e in proposal.experiments} == {"water"}


@EVERY_PLANNER
def test_a_space_in_which_nothing_is_allowed_is_refused_with_what_leaves_nothing(name: str) -> None:
    never = LinearConstraint(coefficients={"temperature_c": 1.0}, at_least=95.0)
    made = spacious(replace(SPACES["continuous"], constraints=(never,)), name)
    with pytest.raises(BadInput, match="95 <= temperature_c"):
        ask(made, 4)
    with pytest.raises(BadInput, match="none_at_all allows none"):
        ask(spacious(replace(SPACES["continuous"], rules=(none_at_all,)), name), 4)


def none_at_all(candidate: Candidate) -> bool:
    return not candidate.id


@EVERY_PLANNER
def test_a_failed_result_in_a_space_is_repeated(name: str) -> None:
    made = spacious(SPACES["continuous"], name)
    spoilt = replace(ask(made, 1).experiments[0], status=ExperimentStatus.MEASURED)
    history = History(experiments=(spoilt,), observations=(observation(spoilt, 0.5, quality=BAD),))
    again = ask(made, 3, history).experiments
    assert (again[0].repeat_of, again[0].candidate) == (spoilt.id, spoilt.candidate)
    assert len({e.candidate.id for e in again}) == 3


@EVERY_PLANNER
def test_fifty_numbers_are_no_hindrance(name: str) -> None:
    space = SearchSpace(parameters=tuple(Parameter(name=f"x{i}", low=0.0, high=1.0) for i in range(50)))
    made = spacious(space, name)
    history = told(made, [ask(made, 12)])
    proposal = ask(made, 3, history)
    assert len(proposal.experiments) == 3
    assert all(space.holds(e.candidate) for e in proposal.experiments)


@EVERY_PLANNER
def test_results_of_earlier_campaigns_are_no_hindrance(name: str) -> None:
    past = tuple(
        PastResult(
            candidate=Candidate(id=f"old_{i}", values={"cycles": float(i), "solvent": "water"}),
            target=TARGET,
            value=0.1 * i,
        )
        for i in range(1, 4)
    )
    made = replace(spacious(SMALL, name), past=past)
    proposal = ask(made, 15)
    assert len(proposal.experiments) == 15
    assert len({tuple(e.candidate.values.items()) for e in proposal.experiments}) == 15


SHARING = pytest.mark.parametrize(
    "made",
    [
        replace(spacious(SPACES["mixed"]), shared=("temperature_c",)),
        replace(spacious(SPACES["mixed"]), shared=("glass", "solvent")),
        replace(campaign(conditions()), shared=("temperature_c",)),
    ],
    ids=["number", "levels", "pool"],
)


@EVERY_PLANNER
@SHARING
def test_all_experiments_of_a_batch_have_the_shared_values_in_common(name: str, made: Campaign) -> None:
    made = replace(made, planner=replace(made.planner, name=name))
    experiments: tuple[Experiment, ...] = ()
    history = NOTHING
    for batch in range(3):
        proposal = ask(made, 6, history, seed=batch)
        assert len({tuple(e.candidate.values[s] for s in made.shared) for e in proposal.experiments}) == 1
        assert len(proposal.experiments) == 6
        assert all("The whole batch has" in e.reason.sentence for e in proposal.experiments)
        experiments += tuple(replace(e, status=ExperimentStatus.MEASURED) for e in proposal.experiments)
        history = History(
            experiments=experiments,
            observations=tuple(
                observation(e, e.candidate.values["temperature_c"] / 100.0) for e in experiments
            ),
        )
    assert len({e.candidate.id for e in experiments}) == 18
    settings = {tuple(e.candidate.values[s] for s in made.shared) for e in experiments}
    assert len(settings) > 1 or made.space is not None  # one temperature of the pool has nine candidates


@EVERY_PLANNER
def test_a_repeat_binds_its_batch_and_repeats_at_other_settings_wait(name: str) -> None:
    pool = conditions()
    made = replace(campaign(pool, name), shared=("temperature_c",), policies=Policies(repeat_failed=1))
    fine = measured(
        [c for c in pool if c.values["temperature_c"] == 80][:4], lambda c: 0.5 + 0.01 * len(c.id)
    )
    cold, hot, cold_too = (experiment(pool[i]) for i in (0, 12, 1))
    spoilt = (cold, hot, cold_too)
    history = History(
        experiments=(*fine.experiments, *spoilt),
        observations=(*fine.observations, *(observation(e, 0.5, quality=BAD) for e in spoilt)),
    )
    proposal = ask(made, 5, history)
    assert {e.candidate.values["temperature_c"] for e in proposal.experiments} == {20}
    assert [e.repeat_of for e in proposal.experiments if e.repeat_of] == [cold.id, cold_too.id]


@EVERY_PLANNER
def test_what_is_pending_stands_on_plates_of_its_own_and_binds_nothing(name: str) -> None:
    pool = conditions()
    made = replace(campaign(pool, name), shared=("temperature_c",))
    every_cold_one = tuple(
        experiment(c, ExperimentStatus.RUNNING) for c in pool if c.values["temperature_c"] == 20
    )
    proposal = ask(made, 4, pending=every_cold_one)
    assert len(proposal.experiments) == 4
    assert {e.candidate.values["temperature_c"] for e in proposal.experiments}.isdisjoint({20})


@EVERY_PLANNER
def test_values_that_candidates_do_not_have_cannot_be_shared(name: str) -> None:
    with pytest.raises(BadInput, match="share ph"):
        ask(replace(campaign(conditions(), name), shared=("ph",)), 3)
    with pytest.raises(BadInput, match="share ph, which is no parameter"):
        ask(replace(spacious(SMALL, name), shared=("ph",)), 3)


@EVERY_PLANNER
def test_a_campaign_fixed_to_a_value_chooses_with_that_value(name: str) -> None:
    made = replace(spacious(SearchSpace(parameters=(TEMPERATURE, SOLVENT)), name), fixed={"solvent": "BuCN"})
    assert {e.candidate.values["solvent"] for e in ask(made, 5).experiments} == {"BuCN"}
