"""Corrections, barred material and batches done again, as a report tells them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lab.errors import FaultKind
from lab.recovery import Recovery
from lab.report.audit import barred_wells, redone
from lab.report.page import render_page
from lab.report.reading import read_contents
from lab.report.values import RunSpan
from lab.report.wording import recovery_words
from lab.store import Store
from lab.types import Campaign, Experiment, ExperimentStatus, Layout, Proposal, Reason, WellUse, new_id
from tests.lab.report.synthetic import Recipe, fill
from tests.lab.report.test_reading import empty_campaign, measure


@pytest.fixture
def campaign(store: Store) -> Campaign:
    return fill(store, Recipe(budget=24, batch_size=12, batches=2))


def test_a_retracted_best_is_gone_from_every_figure_and_named_with_who_and_why(
    store: Store, campaign: Campaign
) -> None:
    before = read_contents(store, campaign.id)
    best = before.variants[0]
    (result,) = [r for r in before.results if r.experiment.candidate.id == best.candidate_id]
    assert result.observation is not None
    store.retract(result.observation.id, who="Ada", why="the well held another variant")
    after = read_contents(store, campaign.id)
    assert best.candidate_id not in [v.candidate_id for v in after.variants]
    assert after.variants[0].candidate_id == before.variants[1].candidate_id
    assert after.curve.best[-1][1] == after.variants[0].estimate.value
    assert after.results[result.number - 1].observation is None
    assert after.content_sha256 != before.content_sha256
    (said,) = after.amendments
    assert (said.who, said.why) == ("Ada", "the well held another variant")
    assert said.what.startswith(f"Retracted the result of no. {result.number}, {best.candidate_id} (")
    html = render_page(after)
    assert "Corrections and barred material" in html
    assert "Retracted by Ada: the well held another variant" in html
    assert "Corrections and barred material" not in render_page(before)


def test_a_value_put_in_by_hand_counts_and_the_banner_says_that_there_is_one(
    store: Store, campaign: Campaign
) -> None:
    before = read_contents(store, campaign.id)
    worst = before.variants[-1]
    (result,) = [r for r in before.results if r.experiment.candidate.id == worst.candidate_id]
    assert result.observation is not None
    store.supersede(result.observation.id, 9.0, 0.1, who="Ada", why="read again by hand")
    after = read_contents(store, campaign.id)
    assert after.variants[0].candidate_id == worst.candidate_id
    assert after.variants[0].estimate.value == 9.0
    html = render_page(after)
    assert "with values put in by hand" in html
    assert "Mixed: real and simulated" not in html
    assert "Corrected by Ada: read again by hand" in html


@pytest.mark.parametrize(("again", "agree"), [(0.84, True), (0.5, False)])
def test_replicates_that_are_pooled_stay_two_runs_of_one_variant(
    store: Store, again: float, agree: bool
) -> None:
    campaign = empty_campaign(store)
    name = campaign.candidates[0].id
    reference = {"reference_value": 0.2, "reference_standard_error": 0.01}
    measure(store, campaign, {name: (0.8, 0.02)}, **reference)
    measure(store, campaign, {name: (again, 0.02)}, **reference)
    (before,) = read_contents(store, campaign.id).variants
    assert before.agree is agree
    first, second = store.history(campaign.id).experiments
    store.mark_replicate(second.id, first.id, who="Ada", why="the same tube")
    contents = read_contents(store, campaign.id)
    (after,) = contents.variants
    # What the reference did in the second run was told by the result that is pooled away.
    assert replace(after, difference=before.difference) == before
    assert [r.observation is not None for r in contents.results] == [True, False]
    assert "Pooled with no. 1 by Ada: the same tube" in render_page(contents)


def test_material_that_is_barred_is_told_with_what_became_of_it(store: Store, campaign: Campaign) -> None:
    bench = store.campaign(campaign.id).bench_id
    run = store.runs(campaign.id)[0].run
    plate = run.layout.wells[0].labware
    wells = [use.well for use in run.layout.wells if use.labware == plate][:2]
    store.bar(bench, {(plate, well): "a bubble" for well in wells}, who="Ada")
    store.bar(bench, {("lost_plate", "*"): "dropped"}, who="drywet")
    store.lift_bar(bench, ("lost_plate", "*"), who="Bo", why="it was found")
    contents = read_contents(store, campaign.id)
    told = [(bar.who, bar.what, bar.in_force, bar.why) for bar in contents.bars]
    assert told == [
        ("Ada", "barred", True, "a bubble"),
        ("drywet", "barred", False, "dropped"),
        ("Bo", "may be used again", False, "it was found"),
    ]
    assert contents.bars[0].material.startswith(f"{plate}: ")
    assert all(well in contents.bars[0].material for well in wells)
    assert contents.bars[1].material == "lost_plate: all of it"
    assert "barred, lifted since" in render_page(contents)


def test_wells_of_barred_samples_are_drawn_as_left_out_controls_too(store: Store) -> None:
    campaign = empty_campaign(store)
    experiment = Experiment(
        id=new_id("exp"),
        candidate=campaign.candidates[0],
        reason=Reason(planner="manual", sentence="asked for"),
    )
    batch = store.propose(campaign.id, Proposal(experiments=(experiment,)))
    uses = [
        WellUse(labware="assay_1", well=well, content=content, kind=kind, sample_id=new_id("smp"))
        for well, content, kind in (
            ("A1", "blank", "blank"),
            ("A2", "WT", "reference"),
            ("A3", "WT", "reference"),
        )
    ]
    run = store.create_run(batch, Layout(labware={"unheated": "assay_1"}, wells=tuple(uses)))
    bench = store.campaign(campaign.id).bench_id
    store.bar(bench, {("assay_1", "A2"): "a bubble"}, who="Ada")
    assert barred_wells(store, store.runs(campaign.id)) == {(run.id, "assay_1", "A2")}
    store.bar(bench, {("assay_1", "*"): "dropped"}, who="Ada")
    assert barred_wells(store, store.runs(campaign.id)) == {(run.id, "assay_1", f"A{n}") for n in (1, 2, 3)}


def test_a_batch_that_was_done_again_is_named_with_its_reason() -> None:
    runs = [_span(1, 1, "done"), _span(2, 1, "abandoned", "Nobody knows."), _span(2, 2, "done")]
    assert redone(runs) == (
        "Attempt 1 at batch 2 was given up, and the batch done again on fresh material: Nobody knows.",
    )
    assert redone(runs[:1]) == ()


def test_written_ladders_are_told_in_words() -> None:
    ladders = {FaultKind.CLOG: (Recovery.RETRY_NEW_TIP, Recovery.HOLD), FaultKind.BUSY: (Recovery.ABORT,)}
    assert recovery_words(ladders) == "clog: retry new tip, then hold; busy: abort"


def test_a_retracted_experiment_says_so(store: Store, campaign: Campaign) -> None:
    contents = read_contents(store, campaign.id)
    observation = next(r.observation for r in contents.results if r.usable)
    assert observation is not None
    store.retract(observation.id, who="Ada", why="contaminated")
    (one,) = [
        r for r in read_contents(store, campaign.id).results if r.experiment.id == observation.experiment_id
    ]
    assert one.experiment.status is ExperimentStatus.RETRACTED
    assert not one.usable
    assert math.isfinite(observation.value)


def _span(batch: int, attempt: int, status: str, sentence: str = "") -> RunSpan:
    return RunSpan(
        run_id=f"run_{batch}_{attempt}",
        batch=batch,
        attempt=attempt,
        stretches=1,
        status=status,
        begun_s=0.0,
        ended_s=1.0,
        steps=1,
        sentence=sentence,
    )
