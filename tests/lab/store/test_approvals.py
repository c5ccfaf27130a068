from __future__ import annotations

from dataclasses import replace

import pytest

from lab.approvals import Approval, ApprovalReason, ApprovalStatus, Cause
from lab.errors import BadInput
from lab.store import Store
from lab.store.approvals import waits_for_a_person
from lab.submissions import CampaignText, SubmissionStatus
from lab.types import Batch, CampaignStatus, ExperimentStatus, RunStatus
from tests.lab.store.examples import POOL, Opened, a_campaign, a_layout, a_proposal, an_experiment

EACH = (ApprovalReason(cause=Cause.EACH_BATCH, sentence="Each batch of it is to be seen first."),)

START = (ApprovalReason(cause=Cause.START, sentence="The campaign is to begin."),)


def asked(store: Store, batch: Batch) -> Approval:
    details = {"dry_run": {"hours": 1.5}}
    return store.ask_for_batch(batch.id, reasons=EACH, details=details, asked_by="ada", cost=12.5)


def second_batch(store: Store, opened: Opened) -> Batch:
    return store.propose(opened.campaign.id, a_proposal(2))


def test_a_request_is_made_once_and_comes_back_as_it_was_kept(store: Store, opened: Opened) -> None:
    batch = second_batch(store, opened)
    first = asked(store, batch)
    assert asked(store, batch) == first == store.approval(first.id) == store.approval(first.id[-6:])
    assert store.approvals(status=ApprovalStatus.WAITING) == (first,)
    assert (first.reasons, first.cost, first.details) == (EACH, 12.5, {"dry_run": {"hours": 1.5}})
    assert store.approval_of_batch(opened.batch.id) is None
    told = [event for event in store.events(opened.campaign.id) if event.kind == "approval"]
    assert [event.sentence for event in told] == [
        f"Batch {batch.number} waits for a person. Each batch of it is to be seen first."
    ]


def test_what_a_no_takes_back_frees_the_budget_and_is_never_numbered_again(
    store: Store, opened: Opened
) -> None:
    left = opened.campaign.budget - len(opened.batch.experiments)
    batch = store.propose(opened.campaign.id, a_proposal(left))
    with pytest.raises(BadInput, match="budget"):
        store.propose(opened.campaign.id, a_proposal(1))
    store.reject(asked(store, batch).id, who="bob", why="Not these.")
    assert store.history(opened.campaign.id).spent == len(opened.batch.experiments)
    assert batch.id not in {one.id for one in store.batches(opened.campaign.id)}
    assert [one.waived for one in store.whole_batch(batch.id).experiments] == [True] * left
    again = store.propose(opened.campaign.id, a_proposal(left))
    assert again.number == batch.number + 1
    assert store.open_batches(opened.campaign.id)[-1] == again


def test_a_decision_stays(store: Store, opened: Opened) -> None:
    request = asked(store, second_batch(store, opened))
    after = store.approve(request.id, who="bob", why="Fine.")
    assert (after.status, after.decided_by, after.why) == (ApprovalStatus.APPROVED, "bob", "Fine.")
    for again in (store.approve, store.reject):
        with pytest.raises(BadInput, match="approved by bob already") as refused:
            again(request.id, who="eve", why="No.")
        assert refused.value.field == "status"
    assert store.approval(request.id) == after


def test_an_edit_changes_the_version_and_nobody_decides_by_an_old_page(store: Store, opened: Opened) -> None:
    batch = second_batch(store, opened)
    request = asked(store, batch)
    old = batch.experiments[0]
    mine = replace(an_experiment(POOL[7]), reason=replace(old.reason, planner="person"))
    edited = store.edit_batch(request.id, old.id, mine, who="bob", why="A hunch.")
    assert edited.version == request.version + 1
    with pytest.raises(BadInput, match="changed meanwhile") as stale:
        store.approve(request.id, who="bob", expected_version=request.version)
    assert stale.value.field == "version"
    with pytest.raises(BadInput, match="no experiment of this batch"):
        store.edit_batch(request.id, old.id, an_experiment(POOL[8]), who="bob", why="Once more.")
    store.approve(request.id, who="bob", expected_version=edited.version)
    (left,) = [one for one in store.open_batches(opened.campaign.id) if one.id == batch.id]
    assert [one.candidate.id for one in left.experiments] == [batch.experiments[1].candidate.id, POOL[7].id]
    assert {one.status for one in left.experiments} == {ExperimentStatus.APPROVED}


def test_a_refused_edit_leaves_everything_as_it_was(store: Store, opened: Opened) -> None:
    batch = second_batch(store, opened)
    request = asked(store, batch)
    taken = batch.experiments[1]
    with pytest.raises(ValueError, match=r"(?i)unique"):
        store.edit_batch(request.id, batch.experiments[0].id, taken, who="bob", why="The same once more.")
    assert store.approval(request.id) == request
    assert store.whole_batch(batch.id) == batch


def test_nobody_is_silent_and_a_no_says_why(store: Store, opened: Opened) -> None:
    request = asked(store, second_batch(store, opened))
    with pytest.raises(BadInput, match="who says so"):
        store.approve(request.id, who=" ")
    with pytest.raises(BadInput, match="known why"):
        store.reject(request.id, who="bob", why="")
    with pytest.raises(BadInput, match="waits for a person"):
        store.approval("apr_nothing")
    assert store.approval(request.id).status is ApprovalStatus.WAITING


def test_a_start_that_is_approved_queues_its_submission_and_a_no_ends_it(store: Store) -> None:
    document = CampaignText(text="name: one")
    waiting = [store.submit(name, document, who="ada", ask=START) for name in ("one", "two")]
    assert {one.status for one in waiting} == {SubmissionStatus.WAITING}
    requests = store.approvals(status=ApprovalStatus.WAITING)
    assert requests[0] == store.approval_of_submission(waiting[0].id)
    assert [one.asked_by for one in requests] == ["ada", "ada"]
    store.approve(requests[0].id, who="bob")
    store.reject(requests[1].id, who="bob", why="Not this week.")
    assert store.submission(waiting[0].id).status is SubmissionStatus.QUEUED
    gone = store.submission(waiting[1].id)
    assert gone.status is SubmissionStatus.REJECTED
    assert gone.sentence == "bob rejected it: Not this week."


def test_who_withdraws_a_submission_leaves_nothing_to_approve(store: Store) -> None:
    one = store.submit("one", CampaignText(text="name: one"), who="ada", ask=START)
    (request,) = store.approvals()
    store.change_submission(one.id, status=SubmissionStatus.WITHDRAWN.value)
    with pytest.raises(BadInput, match="waits for nobody"):
        store.approve(request.id, who="bob")
    assert store.submission(one.id).status is SubmissionStatus.WITHDRAWN
    (after,) = store.withdraw_approvals(submission_id=one.id, why="It was taken back.")
    assert after.status is ApprovalStatus.WITHDRAWN
    assert store.withdraw_approvals(submission_id=one.id, why="It was taken back.") == ()


def test_a_protocol_ran_on_hardware_once_a_run_of_it_was_done_on_the_real_bench(store: Store) -> None:
    for twin in (True, False):
        bench = store.create_bench(workcell="bench", twin=twin, seed=1, ledger="", snapshot={})
        campaign = replace(a_campaign(f"on_{twin}"), workcell="bench")
        store.create_campaign(campaign, bench.id, "sha", {})
        batch = store.propose(campaign.id, a_proposal(1))
        run = store.create_run(batch, a_layout(batch))
        assert not store.ran_on_hardware("bench", campaign.protocol.name)
        store.finish_run(run.id, RunStatus.DONE, reason="", error="", uid="uid")
        assert store.ran_on_hardware("bench", campaign.protocol.name) is not twin
    assert not store.ran_on_hardware("bench", "another")
    assert not store.ran_on_hardware("elsewhere", campaign.protocol.name)


def test_a_campaign_goes_on_by_itself_only_after_the_word_that_it_was_held_for(
    store: Store, opened: Opened
) -> None:
    campaign_id = opened.campaign.id
    batch = second_batch(store, opened)
    request = asked(store, batch)
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, f"{waits_for_a_person(batch.number)} So.")
    assert store.decided_since_held() == ()
    store.reject(request.id, who="bob", why="Not these.")
    assert store.decided_since_held() == (campaign_id,)
    store.set_campaign_status(campaign_id, CampaignStatus.HELD, "The arm grips nothing.")
    assert store.decided_since_held() == ()  # that is another matter, for another person
    assert store.campaign_counts() == {CampaignStatus.HELD: 1}


def test_trying_a_store_out_leaves_nothing_behind(store: Store) -> None:
    store.see_writable()
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM replied").scalar_one() == 0


def test_a_twins_ledger_can_lie_elsewhere(store: Store, opened: Opened) -> None:
    store.move_ledger(opened.bench.id, "elsewhere/ledger.jsonl")
    assert store.bench(opened.bench.id).ledger == "elsewhere/ledger.jsonl"
    with pytest.raises(KeyError):
        store.move_ledger("bch_nothing", "elsewhere")
