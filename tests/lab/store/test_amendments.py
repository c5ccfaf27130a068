"""Results taken back, replaced and pooled: what counts follows at once, and nothing that was recorded is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.errors import BadInput
from lab.store import Store
from lab.store.amended import pool
from lab.types import ExperimentStatus, Observation, Origin, Proposal
from tests.lab.store.examples import POOL, Opened, a_campaign, a_layout, an_experiment, an_observation

WHO = {"who": "Ada", "why": "The plate was upside down."}


def measured(store: Store, opened: Opened, *values: float) -> list[Observation]:
    """One good observation of each of the first experiments of the batch."""
    found = [
        an_observation(e, opened.run, value)
        for e, value in zip(opened.batch.experiments, values, strict=False)
    ]
    store.record(found)
    return found


def twins(store: Store, opened: Opened, count: int = 2) -> tuple[list[str], list[Observation]]:
    """Experiments on one candidate, each with a good observation."""
    proposal = Proposal(experiments=tuple(an_experiment(POOL[4]) for _ in range(count)))
    batch = store.propose(opened.campaign.id, proposal)
    run = store.create_run(batch, a_layout(batch))
    found = [
        replace(an_observation(e, run, 0.4 + 0.1 * n), replicates=3 + n, lab_time_s=1000.0 * n)
        for n, e in enumerate(batch.experiments)
    ]
    store.record(found)
    return [e.id for e in batch.experiments], found


def usable(store: Store, opened: Opened) -> dict[str, float]:
    """What a planner goes by: experiment id -> value."""
    history = store.history(opened.campaign.id)
    return {e.id: o.value for e, o in history.usable("residual_activity")}


def status(store: Store, experiment_id: str) -> ExperimentStatus:
    return store.experiment(experiment_id).status


def test_a_retracted_result_is_gone_from_the_history_and_kept_for_the_audit(
    store: Store, opened: Opened
) -> None:
    wrong, right = measured(store, opened, 0.9, 0.5)
    store.retract(wrong.id, **WHO)
    assert usable(store, opened) == {right.experiment_id: 0.5}
    assert store.history(opened.campaign.id).observations == (right,)
    assert status(store, wrong.experiment_id) is ExperimentStatus.RETRACTED
    (said,) = store.amendments(opened.campaign.id)
    assert (said.kind, said.observation_id, said.experiment_id, said.who, said.why) == (
        "retract",
        wrong.id,
        wrong.experiment_id,
        "Ada",
        "The plate was upside down.",
    )
    audited = store.all_observations(opened.campaign.id)
    assert [(a.observation, a.counts, a.amendments) for a in audited] == [
        (wrong, False, (said,)),
        (right, True, ()),
    ]
    event = store.events(opened.campaign.id)[-1]
    assert event.kind == "amendment"
    assert event.sentence == "Ada retracted the result of T16A (0.9): The plate was upside down."


def test_an_experiment_goes_on_with_the_other_result_that_it_has(store: Store, opened: Opened) -> None:
    first = opened.batch.experiments[0]
    early, late = an_observation(first, opened.run, 0.3), an_observation(first, opened.run, 0.6)
    store.record([early])
    store.record([late])
    store.retract(late.id, **WHO)
    assert usable(store, opened) == {first.id: 0.3}
    assert status(store, first.id) is ExperimentStatus.MEASURED


def test_a_measured_experiment_that_is_left_with_doubtful_values_only_is_retracted(
    store: Store, opened: Opened
) -> None:
    first = opened.batch.experiments[0]
    doubtful, good = an_observation(first, opened.run, ok=False), an_observation(first, opened.run)
    store.record([doubtful, good])
    store.retract(good.id, **WHO)
    assert status(store, first.id) is ExperimentStatus.RETRACTED
    assert usable(store, opened) == {}
    with pytest.raises(BadInput, match="is retracted, and stays so"):
        store.supersede(doubtful.id, 0.5, 0.1, **WHO)


def test_a_superseded_result_is_replaced_in_its_place_and_says_by_whom_and_why(
    store: Store, opened: Opened
) -> None:
    wrong, other = measured(store, opened, 0.9, 0.5)
    new = store.supersede(wrong.id, 0.45, 0.02, **WHO)
    assert store.history(opened.campaign.id).observations == (new, other)
    assert (new.value, new.standard_error, new.origin) == (0.45, 0.02, Origin.MANUAL)
    assert (new.target, new.sample_id, new.run_id, new.unit, new.replicates) == (
        wrong.target,
        wrong.sample_id,
        wrong.run_id,
        wrong.unit,
        wrong.replicates,
    )
    assert new.method.startswith(wrong.method)
    assert new.method.endswith(f"0.9 ({wrong.id}) by Ada: The plate was upside down.")
    assert new.details["superseded"]["value"] == 0.9
    assert new.details["wells"] == wrong.details["wells"]
    audited = store.all_observations(opened.campaign.id)
    assert [(a.observation, a.counts, len(a.amendments)) for a in audited] == [
        (wrong, False, 1),
        (other, True, 0),
        (new, True, 1),
    ]


def test_a_replacement_may_be_replaced_and_the_last_one_counts(store: Store, opened: Opened) -> None:
    wrong, other = measured(store, opened, 0.9, 0.5)
    second = store.supersede(wrong.id, 0.45, 0.02, **WHO)
    third = store.supersede(second.id, 0.44, math.nan, **WHO)
    counts = store.history(opened.campaign.id).observations
    assert [o.id for o in counts] == [third.id, other.id]
    assert math.isnan(counts[0].standard_error)
    with pytest.raises(BadInput, match=f"superseded before, by Ada.*{third.id}"):
        store.retract(second.id, **WHO)
    store.retract(third.id, **WHO)
    assert usable(store, opened) == {other.experiment_id: 0.5}


def test_a_doubtful_result_that_a_person_corrects_is_measured(store: Store, opened: Opened) -> None:
    first = opened.batch.experiments[0]
    doubtful = an_observation(first, opened.run, 0.9, ok=False)
    store.record([doubtful])
    assert status(store, first.id) is ExperimentStatus.FAILED
    store.supersede(doubtful.id, 0.5, 0.1, **WHO)
    assert status(store, first.id) is ExperimentStatus.MEASURED
    assert usable(store, opened) == {first.id: 0.5}


def test_a_replicate_is_pooled_into_the_first_experiment(store: Store, opened: Opened) -> None:
    (first, again), found = twins(store, opened)
    store.mark_replicate(again, first, **WHO)
    history = store.history(opened.campaign.id)
    (pooled,) = [o for o in history.observations if o.experiment_id in (first, again)]
    assert pooled == pool(found)
    assert (pooled.experiment_id, pooled.id, pooled.replicates) == (first, found[0].id, 7)
    assert [e.status for e in history.experiments if e.id in (first, again)] == ["measured", "measured"]
    assert [entry["observation"] for entry in pooled.details["pooled"]] == [o.id for o in found]
    assert [a.observation for a in store.all_observations(opened.campaign.id)] == found
    assert all(a.counts and len(a.amendments) == 1 for a in store.all_observations(opened.campaign.id))


def test_retracting_one_of_a_pool_leaves_the_others(store: Store, opened: Opened) -> None:
    (first, second, third), found = twins(store, opened, 3)
    store.mark_replicate(second, first, **WHO)
    store.mark_replicate(third, first, **WHO)
    assert usable(store, opened) == {first: pytest.approx(pool(found).value)}
    store.retract(found[0].id, **WHO)
    assert usable(store, opened) == {second: pytest.approx(pool(found[1:]).value)}
    store.retract(found[1].id, **WHO)
    assert usable(store, opened) == {third: found[2].value}


def test_a_value_superseded_within_a_pool_changes_the_pool(store: Store, opened: Opened) -> None:
    (first, again), found = twins(store, opened)
    store.mark_replicate(again, first, **WHO)
    new = store.supersede(found[1].id, 0.8, 0.01, **WHO)
    assert usable(store, opened) == {first: pool([found[0], new]).value}


@pytest.mark.parametrize(
    ("entries", "value", "standard_error"),
    [
        # Wells that agree less than the runs do: s / sqrt(n) of all six.
        ([(0.50, 0.03, 3), (0.50, 0.03, 3)], 0.50, 0.03 / math.sqrt(2)),
        # Runs further apart than their wells: standard deviation of two values over sqrt(2).
        ([(0.40, 0.01, 3), (0.60, 0.01, 3)], 0.50, 0.10),
        # By hand: weights 1/4 and 3/4; between: sqrt(0.25 * 0.15^2 + 0.75 * 0.05^2).
        ([(0.40, 0.01, 1), (0.60, 0.01, 3)], 0.55, math.sqrt(0.25 * 0.15**2 + 0.75 * 0.05**2)),
        ([(0.40, math.nan, 1), (0.60, 0.01, 1)], 0.50, 0.10),
    ],
)
def test_the_larger_standard_error_of_a_pool_is_taken(
    opened: Opened, entries: list[tuple[float, float, int]], value: float, standard_error: float
) -> None:
    plain = an_observation(opened.batch.experiments[0], opened.run)
    found = pool([replace(plain, value=v, standard_error=se, replicates=n) for v, se, n in entries])
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(standard_error)


def test_a_pair_that_is_none_is_refused(store: Store, opened: Opened) -> None:
    a, b = measured(store, opened, 0.9, 0.5)
    same = store.propose(opened.campaign.id, Proposal(experiments=(an_experiment(POOL[0]),))).experiments[0]
    other = a_campaign("other")
    store.create_campaign(other, opened.bench.id, "", {})
    elsewhere = store.propose(other.id, Proposal(experiments=(an_experiment(POOL[0]),))).experiments[0]
    for again, of, reason in (
        (a.experiment_id, a.experiment_id, "no replicate of itself"),
        (a.experiment_id, b.experiment_id, "measured T16A, and .* measured T16C"),
        (elsewhere.id, a.experiment_id, "two campaigns"),
        (same.id, a.experiment_id, "is proposed"),
        (a.experiment_id, same.id, "is proposed"),
    ):
        with pytest.raises(BadInput, match=reason):
            store.mark_replicate(again, of, **WHO)
    assert store.amendments(opened.campaign.id) == ()


def test_replicates_of_replicates_are_refused(store: Store, opened: Opened) -> None:
    (first, second, third), _ = twins(store, opened, 3)
    store.mark_replicate(second, first, **WHO)
    for again, of, reason in (
        (second, first, "a replicate of .* already"),
        (third, second, f"is itself a replicate .*--of {first}"),
        (first, third, "has replicates of its own"),
    ):
        with pytest.raises(BadInput, match=reason):
            store.mark_replicate(again, of, **WHO)
    assert len(store.amendments(opened.campaign.id)) == 1


@pytest.mark.parametrize(("who", "why"), [("", "because"), ("  ", "because"), ("Ada", ""), ("Ada", " ")])
def test_what_nobody_answers_for_is_refused(store: Store, opened: Opened, who: str, why: str) -> None:
    (first, again), found = twins(store, opened)
    refused: list[Callable[[], object]] = [
        lambda: store.retract(found[0].id, who=who, why=why),
        lambda: store.supersede(found[0].id, 0.5, 0.1, who=who, why=why),
        lambda: store.mark_replicate(again, first, who=who, why=why),
        lambda: store.bar(opened.bench.id, {("assay_1", "A1"): why}, who=who),
        lambda: store.lift_bar(opened.bench.id, ("assay_1", "A1"), who=who, why=why),
    ]
    before = (store.history(opened.campaign.id), store.events(opened.campaign.id))
    for call in refused:
        with pytest.raises(BadInput, match="It must be known"):
            call()
    assert (store.history(opened.campaign.id), store.events(opened.campaign.id)) == before
    assert store.amendments(opened.campaign.id) == ()
    assert store.bars(opened.bench.id) == ()


def test_what_is_no_result_or_no_number_is_refused(store: Store, opened: Opened) -> None:
    (wrong,) = measured(store, opened, 0.9)
    with pytest.raises(BadInput, match="no observation obs_nothing"):
        store.retract("obs_nothing", **WHO)
    strange = ((math.nan, 0.1), (math.inf, 0.1), (-1e60, 0.1), (0.5, -0.1), (0.5, math.inf), (0.5, 1e200))
    for value, standard_error in strange:  # of whose squares no report could be made
        with pytest.raises(BadInput, match=r"no value to put|no standard error"):
            store.supersede(wrong.id, value, standard_error, **WHO)
    store.retract(wrong.id[-8:].lower(), **WHO)
    with pytest.raises(BadInput, match="was retracted before, by Ada"):
        store.retract(wrong.id, **WHO)
    with pytest.raises(BadInput, match="was retracted before, by Ada"):
        store.supersede(wrong.id, 0.5, 0.1, **WHO)
