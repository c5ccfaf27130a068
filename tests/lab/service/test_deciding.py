"""What a person may put in a candidate's place, in a space and in a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.approvals import Approval, ApprovalReason, Cause
from lab.errors import BadInput
from lab.service.deciding import Decider, Edit, edit
from lab.service.request_view import picture
from lab.spaces import Candidate, LinearConstraint, Parameter, SearchSpace
from lab.store import Store
from lab.types import Batch, Campaign, Proposal
from tests.lab.store.examples import a_campaign, an_experiment

ADA = Decider(name="ada")

SPACE = SearchSpace(
    parameters=(
        Parameter(name="temperature_c", low=20.0, high=80.0, resolution=5.0),
        Parameter(name="salt_mmol_l", low=0.0, high=500.0, resolution=10.0),
        Parameter(name="solvent", kind="categorical", levels=("water", "ethanol")),
    ),
    constraints=(LinearConstraint(coefficients={"temperature_c": 1.0, "salt_mmol_l": 0.1}, at_most=100.0),),
)


def condition(
    name: str, temperature_c: float, salt_mmol_l: float = 100.0, solvent: str = "water"
) -> Candidate:
    values = {"temperature_c": temperature_c, "salt_mmol_l": salt_mmol_l, "solvent": solvent}
    return Candidate(id=name, values=values)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


def asked(store: Store, campaign: Campaign, *candidates: Candidate) -> tuple[Approval, Batch]:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "sha", {})
    batch = store.propose(campaign.id, Proposal(experiments=tuple(an_experiment(one) for one in candidates)))
    reasons = (ApprovalReason(cause=Cause.EACH_BATCH, sentence="Each batch of it is to be seen first."),)
    return store.ask_for_batch(batch.id, reasons=reasons, details={}, asked_by="sue"), batch


@pytest.fixture
def in_space(store: Store) -> tuple[Approval, Batch]:
    campaign = replace(a_campaign(), candidates=(), space=SPACE, shared=("solvent",))
    return asked(store, campaign, condition("a", 40.0), condition("b", 60.0))


def test_a_persons_values_are_put_on_the_spaces_steps(store: Store, in_space: tuple[Approval, Batch]) -> None:
    request, batch = in_space
    change = Edit(experiment_id=batch.experiments[0].id, values={"temperature_c": 64.1})
    after = edit(store, request.id, change, ADA, why="It melts at 65.")
    (mine,) = [one for one in picture(store, after)["experiments"] if one["planner"] == "person"]
    assert mine["values"] == {"temperature_c": 65.0, "salt_mmol_l": 100.0, "solvent": "water"}
    assert mine["why"] == "ada chose it in the place of a: It melts at 65."
    assert mine["candidate_id"].startswith("by_hand_")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"temperature_c": 90.0}, "outside the space"),
        ({"temperature_c": 80.0, "salt_mmol_l": 500.0}, "outside the space"),
        ({"temprature_c": 50.0}, "no value 'temprature_c'"),
        ({"solvent": "acetone"}, "outside the space"),
        ({"solvent": "ethanol"}, "All of a batch have one solvent"),
        ({"temperature_c": 60.0}, "on its way already"),
        ({"temperature_c": "hot"}, "outside the space"),
    ],
)
def test_what_the_campaign_could_not_choose_is_refused_and_changes_nothing(
    store: Store, in_space: tuple[Approval, Batch], values: dict[str, float | str], told: str
) -> None:
    request, batch = in_space
    with pytest.raises(BadInput, match=told):
        edit(store, request.id, Edit(experiment_id=batch.experiments[0].id, values=values), ADA, why="So.")
    assert store.approval(request.id) == request
    assert store.whole_batch(batch.id) == batch


def test_a_name_is_new_and_plain_or_that_of_one_that_was_chosen_before(
    store: Store, in_space: tuple[Approval, Batch]
) -> None:
    request, batch = in_space
    old = batch.experiments[0]
    for name in ("b", "no name\0", "x" * 65):
        change = Edit(experiment_id=old.id, candidate=name, values={"temperature_c": 50.0})
        with pytest.raises(BadInput):
            edit(store, request.id, change, ADA, why="So.")
    change = Edit(experiment_id=old.id, candidate="my-point", values={"temperature_c": 50.0})
    edit(store, request.id, change, ADA, why="So.")
    (mine,) = [one for one in store.whole_batch(batch.id).experiments if one.candidate.id == "my-point"]
    back = Edit(experiment_id=mine.id, candidate=old.candidate.id)
    edit(store, request.id, back, ADA, why="After all.")
    left = [one for one in store.whole_batch(batch.id).experiments if not one.waived]
    assert {one.candidate.id for one in left} == {"a", "b"}
    assert {dict(one.candidate.values)["temperature_c"] for one in left} == {40.0, 60.0}


def test_a_space_with_rules_of_its_own_is_not_edited(store: Store) -> None:
    space = replace(SPACE, rules=("somewhere:allowed",))
    campaign = replace(a_campaign(), candidates=(), space=space)
    request, batch = asked(store, campaign, condition("a", 40.0))
    change = Edit(experiment_id=batch.experiments[0].id, values={"temperature_c": 50.0})
    with pytest.raises(BadInput, match="rules of its own"):
        edit(store, request.id, change, ADA, why="So.")


def test_a_candidate_of_a_pool_is_what_it_is(store: Store) -> None:
    campaign = a_campaign()
    request, batch = asked(store, campaign, *campaign.candidates[:2])
    old = batch.experiments[0].id
    for change in (
        Edit(experiment_id=old, candidate="T16G", values={"ph": 7.0}),
        Edit(experiment_id=old, candidate="T16G", sequence="MKT"),
        Edit(experiment_id=old),
        Edit(experiment_id="exp_of_somebody_else", candidate="T16G"),
        Edit(experiment_id=old, candidate=campaign.candidates[1].id),
    ):
        with pytest.raises(BadInput):
            edit(store, request.id, change, ADA, why="So.")
    assert store.approval(request.id) == request
