from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest

from lab.errors import BadInput
from lab.store import Store
from lab.types import Experiment, ExperimentStatus, Proposal
from tests.lab.store.examples import (
    POOL,
    Opened,
    a_campaign,
    a_layout,
    a_proposal,
    an_experiment,
    an_observation,
)


def statuses(store: Store, opened: Opened) -> list[ExperimentStatus]:
    return [e.status for e in store.history(opened.campaign.id).experiments]


def test_a_proposal_becomes_the_next_batch_in_its_own_order(store: Store) -> None:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    campaign = a_campaign()
    store.create_campaign(campaign, bench.id, "", {})
    proposals = [a_proposal(3), a_proposal(2)]
    batches = [store.propose(campaign.id, proposal) for proposal in proposals]
    assert [batch.number for batch in batches] == [1, 2]
    assert [batch.experiments for batch in batches] == [proposal.experiments for proposal in proposals]
    assert store.batches(campaign.id) == tuple(batches)
    assert store.batches_asked(campaign.id) == 2
    asked = proposals[0].experiments + proposals[1].experiments
    assert store.history(campaign.id).experiments == asked


def test_a_proposal_over_the_budget_is_refused_whole(store: Store, opened: Opened) -> None:
    store.propose(opened.campaign.id, a_proposal(2))
    with pytest.raises(BadInput, match="6 experiments, 5 spent, 1 left") as refused:
        store.propose(opened.campaign.id, a_proposal(2))
    assert refused.value.field == "budget"
    assert len(store.history(opened.campaign.id).experiments) == 5
    store.propose(opened.campaign.id, a_proposal(1))
    with pytest.raises(BadInput, match="0 left"):
        store.propose(opened.campaign.id, a_proposal(1))


def test_a_failed_experiment_still_costs_its_share(store: Store, opened: Opened) -> None:
    store.set_experiment_status([e.id for e in opened.batch.experiments], ExperimentStatus.ABANDONED)
    with pytest.raises(BadInput, match="3 spent, 3 left"):
        store.propose(opened.campaign.id, a_proposal(4))


def test_a_proposal_of_nothing_or_of_something_asked_before_is_a_bug(store: Store, opened: Opened) -> None:
    before = store.history(opened.campaign.id)
    with pytest.raises(ValueError, match="at least one"):
        store.propose(opened.campaign.id, Proposal(experiments=()))
    with pytest.raises(ValueError, match="the store refuses this"):
        store.propose(
            opened.campaign.id, Proposal(experiments=(an_experiment(), opened.batch.experiments[0]))
        )
    with pytest.raises(KeyError):
        store.propose("cmp_none", a_proposal())
    assert store.history(opened.campaign.id) == before
    assert store.batches_asked(opened.campaign.id) == 1


def test_a_repeat_says_what_it_repeats(store: Store, opened: Opened) -> None:
    first = opened.batch.experiments[0]
    repeat = an_experiment(first.candidate, repeat_of=first.id)
    batch = store.propose(opened.campaign.id, Proposal(experiments=(repeat,)))
    assert batch.experiments[0].repeat_of == first.id


def test_reasons_come_back_to_the_bit(store: Store, opened: Opened) -> None:
    odd = replace(
        an_experiment().reason, acquisition_value=5e-324, predicted_mean=-0.0, predicted_sd=math.inf
    )
    experiment = Experiment(id="exp_odd", candidate=POOL[3], reason=odd)
    store.propose(opened.campaign.id, Proposal(experiments=(experiment,)))
    found = store.history(opened.campaign.id).experiments[-1]
    assert found == experiment
    assert str(found.reason.predicted_mean) == "-0.0"


def test_a_batch_is_open_until_all_its_experiments_ended(store: Store, opened: Opened) -> None:
    ids = [experiment.id for experiment in opened.batch.experiments]
    later = store.propose(opened.campaign.id, a_proposal(1))
    store.set_experiment_status(ids[:2], ExperimentStatus.MEASURED)
    found = store.open_batch(opened.campaign.id)
    assert found is not None
    assert found.id == opened.batch.id
    assert [experiment.status for experiment in found.experiments] == ["measured", "measured", "running"]
    store.set_experiment_status(ids[2:], ExperimentStatus.FAILED)
    assert store.open_batch(opened.campaign.id) == later
    store.set_experiment_status([later.experiments[0].id], ExperimentStatus.ABANDONED)
    assert store.open_batch(opened.campaign.id) is None


def test_a_result_is_never_edited_away(store: Store, opened: Opened) -> None:
    first, second, _ = (experiment.id for experiment in opened.batch.experiments)
    store.set_experiment_status([first], ExperimentStatus.MEASURED)
    with pytest.raises(ValueError, match="measured and cannot become running"):
        store.set_experiment_status([second, first], ExperimentStatus.RUNNING)
    store.set_experiment_status([first], ExperimentStatus.RETRACTED)
    with pytest.raises(ValueError, match="retracted and cannot become measured"):
        store.set_experiment_status([second, first], ExperimentStatus.MEASURED)
    assert statuses(store, opened) == ["retracted", "running", "running"]
    with pytest.raises(KeyError):
        store.set_experiment_status(["exp_none"], ExperimentStatus.RUNNING)


def test_recording_keeps_observations_and_says_what_became_of_their_experiments(
    store: Store, opened: Opened
) -> None:
    good, bad, lost = opened.batch.experiments
    observations = (
        an_observation(bad, opened.run, 0.9, ok=False),
        an_observation(good, opened.run, 0.7),
        an_observation(bad, opened.run, 0.1, ok=False),
    )
    store.record(observations, {lost.id: ExperimentStatus.ABANDONED})
    history = store.history(opened.campaign.id)
    assert history.observations == observations
    assert [e.status for e in history.experiments] == ["measured", "failed", "abandoned"]
    assert [(e.id, o.value) for e, o in history.usable("residual_activity")] == [(good.id, 0.7)]


def test_a_later_doubtful_observation_does_not_unmeasure_and_a_later_good_one_does_measure(
    store: Store, opened: Opened
) -> None:
    good, bad, _ = opened.batch.experiments
    store.record([an_observation(good, opened.run), an_observation(bad, opened.run, ok=False)])
    store.record([an_observation(good, opened.run, ok=False), an_observation(bad, opened.run)])
    assert statuses(store, opened) == ["measured", "measured", "running"]


def test_values_of_numpy_are_taken_for_what_they_are(store: Store, opened: Opened) -> None:
    plain = an_observation(opened.batch.experiments[0], opened.run)
    store.record(
        [
            replace(
                plain,
                value=np.float64(0.5),
                replicates=np.int64(3),
                quality=replace(plain.quality, ok=np.bool_(True)),
                details={"wells": ["B7", "C3", "E11"], "values": np.array([0.47, 0.5, 0.53]).tolist()},
            )
        ]
    )
    assert store.history(opened.campaign.id).observations == (plain,)


def test_observations_come_back_to_the_bit(store: Store, opened: Opened) -> None:
    values = [0.1 + 0.2, 5e-324, -1e-9, 1.7976931348623157e308, math.inf, math.pi]
    observations = tuple(an_observation(opened.batch.experiments[0], opened.run, value) for value in values)
    store.record(observations)
    found = store.history(opened.campaign.id).observations
    assert found == observations
    assert [struct.pack("<d", o.value) for o in found] == [struct.pack("<d", value) for value in values]


def test_an_observation_that_could_not_be_computed_is_kept_as_not_a_number(
    store: Store, opened: Opened
) -> None:
    observation = replace(
        an_observation(opened.batch.experiments[0], opened.run, math.nan, ok=False), standard_error=math.nan
    )
    store.record([observation])
    (found,) = store.history(opened.campaign.id).observations
    assert math.isnan(found.value)
    assert math.isnan(found.standard_error)
    assert replace(found, value=0.0, standard_error=0.0) == replace(
        observation, value=0.0, standard_error=0.0
    )


def test_recording_is_all_or_nothing(store: Store, opened: Opened) -> None:
    first, second, _ = opened.batch.experiments
    kept = an_observation(first, opened.run)
    store.record([kept])
    with pytest.raises(ValueError, match="the store refuses this"):
        store.record([an_observation(second, opened.run), kept])
    with pytest.raises(ValueError, match="the store refuses this"):
        store.record(
            [an_observation(second, opened.run), replace(kept, id="obs_new", experiment_id="exp_none")]
        )
    assert store.history(opened.campaign.id).observations == (kept,)
    assert statuses(store, opened) == ["measured", "running", "running"]


def test_the_history_of_one_campaign_holds_nothing_of_another(store: Store, opened: Opened) -> None:
    other = a_campaign("other")
    store.create_campaign(other, opened.bench.id, "", {})
    batch = store.propose(other.id, a_proposal(1))
    run = store.create_run(batch, a_layout(batch), 1)
    store.record([an_observation(batch.experiments[0], run)])
    assert store.history(opened.campaign.id).observations == ()
    assert len(store.history(opened.campaign.id).experiments) == 3
    assert len(store.history(other.id).observations) == 1
