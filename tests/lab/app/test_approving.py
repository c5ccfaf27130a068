"""A campaign that waits for a person: what it asks, what a yes, a no and an edit come to, and what is never done without."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.app import Laboratory, Settings, prepare
from lab.approvals import Approval, ApprovalStatus, Cause
from lab.engine.progress import Progress, StepEnded
from lab.errors import ApprovalNeeded, BadInput
from lab.report.reading import read_contents
from lab.service.deciding import Decider, Edit, NotYours, approve, edit, reject
from lab.service.request_view import picture
from lab.store import Store
from lab.types import CampaignStatus, ExperimentStatus
from tests.campaign_files import write_campaign
from tests.lab.app.test_orders import some_in_stock

ADA = Decider(name="ada")


def asking(folder: Path, *lines: str, name: str = "small", budget: int = 6) -> Path:
    """A small campaign with these lines under `approval`."""
    path = write_campaign(folder, name, budget=budget, batch_size=3)
    path.write_text(path.read_text() + "approval:\n" + "".join(f"  {line}\n" for line in lines))
    return path


def work(folder: Path, file: Path | None = None, name: str | None = None) -> tuple[CampaignStatus, str, int]:
    """Run a file, or go on with a campaign; status, sentence and how many steps were carried out."""
    steps = []

    def watch(event: Progress) -> None:
        if isinstance(event, StepEnded) and not event.replayed:
            steps.append(event)

    with Laboratory.open(Settings(store=str(folder / "lab.db"))) as laboratory:
        laboratory.watch = watch
        if file is not None:
            (outcome,) = laboratory.run([prepare(file)], baseline=False)
        else:
            (outcome,) = laboratory.resume(name)
        if outcome.status is CampaignStatus.HELD:
            assert isinstance(outcome.error, ApprovalNeeded)
        return outcome.status, outcome.sentence, len(steps)


def waiting(store: Store) -> Approval:
    (found,) = store.approvals(status=ApprovalStatus.WAITING)
    return found


def opened(folder: Path) -> Store:
    return Store.open(folder / "lab.db")


def test_each_batch_waits_for_a_yes_and_nothing_is_done_before(tmp_path: Path) -> None:
    status, sentence, steps = work(tmp_path, asking(tmp_path, "each_batch: true"))
    assert (status, steps) == (CampaignStatus.HELD, 0)
    assert "Batch 1 waits for a person" in sentence
    assert work(tmp_path)[::2] == (CampaignStatus.HELD, 0)  # who resumes without a yes comes no further
    with opened(tmp_path) as store:
        asked = waiting(store)
        assert [one.cause for one in asked.reasons] == [Cause.EACH_BATCH]
        assert asked.details["dry_run"]["steps"] > 10
        assert asked.details["dry_run"]["hours"] > 0
        approve(store, asked.id, ADA, why="They look fine.")
    status, sentence, steps = work(tmp_path)
    assert status is CampaignStatus.HELD
    assert "Batch 2 waits" in sentence
    assert steps == asked.details["dry_run"]["steps"]
    with opened(tmp_path) as store:
        assert len(store.history(asked.campaign_id).observations) == 3
        approve(store, waiting(store).id, ADA)
    assert work(tmp_path)[0] is CampaignStatus.FINISHED


def test_a_rejected_batch_costs_nothing_and_is_not_proposed_again(tmp_path: Path) -> None:
    work(tmp_path, asking(tmp_path, "each_batch: true", budget=3))
    with opened(tmp_path) as store:
        asked = waiting(store)
        gone = {one.candidate.id for one in store.whole_batch(asked.batch_id).experiments}
        with pytest.raises(BadInput, match="known why"):
            reject(store, asked.id, ADA, why=" ")
        reject(store, asked.id, ADA, why="Too close to each other.")
        history = store.history(asked.campaign_id)
        assert {one.status for one in history.experiments} == {ExperimentStatus.ABANDONED}
        assert history.spent == 0
    assert work(tmp_path)[::2] == (CampaignStatus.HELD, 0)
    with opened(tmp_path) as store:
        second = waiting(store)
        chosen = {one.candidate.id for one in store.whole_batch(second.batch_id).experiments}
        assert len(chosen) == 3
        assert not chosen & gone
        approve(store, second.id, ADA)
    assert work(tmp_path)[0] is CampaignStatus.FINISHED
    with opened(tmp_path) as store:
        history = store.history(asked.campaign_id)
        assert len(history.observations) == history.spent == 3


def test_an_edit_is_an_experiment_of_its_own_that_is_carried_out_in_place_of_the_other(
    tmp_path: Path,
) -> None:
    work(tmp_path, asking(tmp_path, "each_batch: true", budget=3))
    with opened(tmp_path) as store:
        asked = waiting(store)
        campaign = store.campaign(asked.campaign_id).campaign
        batch = store.whole_batch(asked.batch_id)
        old, kept = batch.experiments[0], batch.experiments[1:]
        taken = {one.candidate.id for one in batch.experiments}
        mine = next(one.id for one in campaign.candidates if one.id not in taken)
        for wrong in ("no_such_variant", kept[0].candidate.id):
            with pytest.raises(BadInput):
                edit(store, asked.id, Edit(experiment_id=old.id, candidate=wrong), ADA, why="A hunch.")
        after = edit(store, asked.id, Edit(experiment_id=old.id, candidate=mine), ADA, why="A hunch.")
        assert after.status is ApprovalStatus.WAITING
        assert after.version == asked.version + 1
        with pytest.raises(BadInput, match="changed meanwhile"):
            approve(store, asked.id, ADA, expected_version=asked.version)
        shown = {one["candidate_id"]: one for one in picture(store, after)["experiments"]}
        assert shown[old.candidate.id]["taken_back"]
        assert "ada chose it" in shown[mine]["why"]
        approve(store, asked.id, ADA, expected_version=after.version)
    assert work(tmp_path)[0] is CampaignStatus.FINISHED
    with opened(tmp_path) as store:
        history = store.history(asked.campaign_id)
        measured = {e.candidate.id for e, _ in history.usable(campaign.goal.target)}
        assert measured == {mine, *(one.candidate.id for one in kept)}
        assert history.spent == 3
        told = read_contents(store, campaign.id).results  # what the report is made of
        assert [(one.number, one.batch) for one in told] == [(1, 1), (2, 1), (3, 1)]
        (run,) = store.runs(campaign.id)
        assert old.id not in {well.experiment_id for well in run.run.layout.wells}


def test_a_yes_may_leave_experiments_out(tmp_path: Path) -> None:
    work(tmp_path, asking(tmp_path, "each_batch: true", budget=3))
    with opened(tmp_path) as store:
        asked = waiting(store)
        batch = store.whole_batch(asked.batch_id)
        ids = [one.id for one in batch.experiments]
        with pytest.raises(BadInput, match="Nothing would be left"):
            approve(store, asked.id, ADA, left_out=ids)
        approve(store, asked.id, ADA, left_out=ids[:1])
        assert store.history(asked.campaign_id).spent == 2
    status, sentence, steps = work(tmp_path)
    assert steps > 0
    assert (
        status is CampaignStatus.HELD
    )  # the one that is left of the budget is asked for in a batch of its own
    assert "Batch 2 waits" in sentence


def test_a_campaign_that_waits_lets_others_on_its_bench_go_on(tmp_path: Path) -> None:
    careful = asking(tmp_path, "each_batch: true", name="careful", budget=3)
    quick = write_campaign(tmp_path, "quick", budget=3, batch_size=3)
    with Laboratory.open(Settings(store=str(tmp_path / "lab.db"))) as laboratory:
        outcomes = laboratory.run([prepare(careful), prepare(quick)], baseline=False)
        assert [one.status for one in outcomes] == [CampaignStatus.HELD, CampaignStatus.FINISHED]
        benches = {record.bench_id for record in laboratory.store.campaigns()}
        assert len(benches) == 1
        approve(laboratory.store, waiting(laboratory.store).id, ADA)
    assert work(tmp_path, name="careful")[0] is CampaignStatus.FINISHED


def test_nobody_approves_what_they_asked_for_and_programs_never_do(tmp_path: Path) -> None:
    work(tmp_path, asking(tmp_path, "each_batch: true"))
    with opened(tmp_path) as store:
        asked = waiting(store)
        own = Decider(name=asked.asked_by)
        with pytest.raises(NotYours, match="asked for this"):
            approve(store, asked.id, own)
        change = Edit(experiment_id=store.whole_batch(asked.batch_id).experiments[0].id, candidate="T16I")
        with pytest.raises(NotYours, match="asked for this"):
            edit(store, asked.id, change, own, why="So.")
        robot = Decider(name="robot", program=True)
        for refused in (approve, lambda s, i, b: reject(s, i, b, why="So.")):
            with pytest.raises(NotYours, match="program"):
                refused(store, asked.id, robot)
        assert waiting(store).version == asked.version
        decided = approve(store, asked.id, Decider(name=asked.asked_by, alone=True))
        assert "Nobody has an account here" in decided.why
        with pytest.raises(BadInput, match="approved by"):
            reject(store, asked.id, ADA, why="Too late.")


def test_a_campaign_that_must_be_let_begin_asks_once(tmp_path: Path) -> None:
    status, sentence, _ = work(tmp_path, asking(tmp_path, "start: true"))
    assert status is CampaignStatus.HELD
    assert "is to begin" in sentence
    with opened(tmp_path) as store:
        approve(store, waiting(store).id, ADA)
    assert work(tmp_path)[0] is CampaignStatus.FINISHED


def test_a_batch_over_its_cost_is_asked_for_and_a_cheaper_one_is_not(tmp_path: Path) -> None:
    prices = "currency: EUR, per_experiment: 10, per_hour: 20, per_plate: 5, per_tip: 0.1"
    file = asking(tmp_path, f"over_cost: {{amount: 31, {prices}}}", budget=3)
    status, sentence, _ = work(tmp_path, file)
    assert status is CampaignStatus.HELD
    assert "EUR, more than 31.00" in sentence
    with opened(tmp_path) as store:
        asked = waiting(store)
        rehearsed = asked.details["dry_run"]
        tips = sum(one["used"] for one in rehearsed["tips"])
        expected = 30 + 20 * rehearsed["hours"] + 5 * len(rehearsed["plates"]) + 0.1 * tips
        assert asked.cost == pytest.approx(expected)
        assert picture(store, asked)["currency"] == "EUR"
    cheap = tmp_path / "cheap"
    cheap.mkdir()
    file = asking(cheap, f"over_cost: {{amount: 100000, {prices}}}", budget=3)
    assert work(cheap, file)[0] is CampaignStatus.FINISHED


def test_what_lies_outside_the_trust_region_is_named_and_what_is_inside_passes(tmp_path: Path) -> None:
    file = asking(tmp_path, "outside_trust_region: {letters: 0}", budget=3)
    status, sentence, _ = work(tmp_path, file)
    assert status is CampaignStatus.HELD
    assert "1 letter from what was tested, more than 0" in sentence
    with opened(tmp_path) as store:
        shown = picture(store, waiting(store))["experiments"]
        assert {one["nearest"]["letters"] for one in shown} == {1}
    near = tmp_path / "near"
    near.mkdir()
    assert (
        work(near, asking(near, "outside_trust_region: {letters: 1}", budget=3))[0] is CampaignStatus.FINISHED
    )


def test_a_choice_without_a_prediction_is_outside_of_any_bound_on_it(tmp_path: Path) -> None:
    status, sentence, _ = work(tmp_path, asking(tmp_path, "outside_trust_region: {predicted_sd: 0.5}"))
    assert status is CampaignStatus.HELD
    assert "the planner predicts nothing" in sentence


def test_the_first_time_on_hardware_is_not_asked_for_on_a_twin(tmp_path: Path) -> None:
    assert work(tmp_path, asking(tmp_path, "first_on_hardware: true", budget=3))[0] is CampaignStatus.FINISHED


def test_what_is_on_the_labs_own_list_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "watched.yaml").write_text("watch:\n  - {name: our control, contains: MTYKLILNGKTLKGET}\n")
    file = asking(tmp_path, "screening_hit: watched.yaml", budget=3)
    status, sentence, _ = work(tmp_path, file)
    assert status is CampaignStatus.HELD
    assert "On the lab's own list" in sentence
    assert "our control" in sentence


def test_the_page_shows_predictions_and_the_nearest_result_of_later_batches(tmp_path: Path) -> None:
    file = asking(tmp_path, "each_batch: true", budget=9)
    work(tmp_path, file)
    for _ in range(2):
        with opened(tmp_path) as store:
            approve(store, waiting(store).id, ADA)
        work(tmp_path)
    with opened(tmp_path) as store:
        asked = waiting(store)
        shown = picture(store, asked)
        campaign = store.campaign(asked.campaign_id).campaign
        known = {e.candidate.id: o.value for e, o in store.history(campaign.id).usable(campaign.goal.target)}
    assert shown["batch"] == 3
    assert len(known) == 6
    for one in shown["experiments"]:
        assert one["why"]
        assert one["nearest"]["letters"] in (1, 2)
        assert one["nearest"].get("value") == known.get(one["nearest"]["candidate_id"])


def test_nothing_is_ordered_for_a_batch_before_somebody_agreed(tmp_path: Path) -> None:
    file = some_in_stock(tmp_path, 6, "{source: order, lead_time_s: 5 d}", budget=12, batch_size=6)
    file.write_text(file.read_text() + "approval: {each_batch: true}\n")
    status, _, _ = work(tmp_path, file)
    ordered_after_a_yes = 0
    while status is CampaignStatus.HELD:
        with opened(tmp_path) as store:
            asked = waiting(store)
            ours = {one.id for one in store.whole_batch(asked.batch_id).experiments}
            assert not [one for one in store.orders() if one.experiment_id in ours]
            if asked.details["dry_run"] is None:
                ordered_after_a_yes += 1
            approve(store, asked.id, ADA)
        status, _, _ = work(tmp_path)
    assert status is CampaignStatus.FINISHED
    assert ordered_after_a_yes
    with opened(tmp_path) as store:
        assert store.orders()
        history = store.history(asked.campaign_id)
        assert history.spent == 12
        assert {one.status for one in history.experiments} <= {
            ExperimentStatus.MEASURED,
            ExperimentStatus.FAILED,
        }
