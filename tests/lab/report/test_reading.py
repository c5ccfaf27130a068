from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import BadInput
from lab.report.digest import content_sha256
from lab.report.page import render_page
from lab.report.reading import read_contents
from lab.report.values import Contents
from lab.spaces import AMINO_ACIDS, Candidate, SearchSpace, Sites
from lab.store import Store
from lab.types import (
    Campaign,
    CampaignStatus,
    Experiment,
    Layout,
    Observation,
    Origin,
    Proposal,
    Quality,
    Reason,
    RunStatus,
    StepStatus,
    new_id,
)
from tests.lab.report.synthetic import Recipe, baseline, campaign_of, fill, pool

SMALL = Recipe(pool=60, budget=24, batch_size=8, batches=3)


@pytest.fixture(scope="module")
def contents(finished: tuple[Store, Campaign]) -> Contents:
    store, campaign = finished
    return read_contents(store, campaign.id)


def measure(
    store: Store, campaign: Campaign, values: dict[str, tuple[float, float]], **reference: float | None
) -> None:
    """Another batch: candidate id -> (value, standard error), each in six wells; in none where the value is no number."""
    by_id = {c.id: c for c in campaign.candidates}
    reason = Reason(planner="manual", sentence="asked for by hand")
    experiments = tuple(Experiment(id=new_id("exp"), candidate=by_id[name], reason=reason) for name in values)
    batch = store.propose(campaign.id, Proposal(experiments=experiments))
    run = store.create_run(batch, Layout(labware={}, wells=()))
    store.finish_run(run.id, RunStatus.DONE, uid="u")
    store.record(
        [
            Observation(
                id=new_id("obs"),
                experiment_id=e.id,
                target="residual_activity",
                sample_id="",
                run_id=run.id,
                value=values[e.candidate.id][0],
                standard_error=values[e.candidate.id][1],
                unit="share",
                quality=Quality(ok=True),
                method="m",
                origin=Origin.TWIN,
                replicates=6 if math.isfinite(values[e.candidate.id][0]) else 0,
                lab_time_s=0.0,
                details=dict(reference),
            )
            for e in batch.experiments
        ]
    )


def empty_campaign(store: Store, **changes: object) -> Campaign:
    recipe = Recipe(pool=30, budget=20, batch_size=5, **changes)  # type: ignore[arg-type]
    campaign = campaign_of(recipe, pool(recipe.pool, recipe.seed)[0])
    bench = store.create_bench(workcell="w", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "", {})
    return campaign


def test_every_experiment_is_there_in_order_with_its_batch(contents: Contents):
    assert [r.number for r in contents.results] == list(range(1, 97))
    assert [r.batch for r in contents.results] == [1 + i // 12 for i in range(96)]


def test_variants_are_ranked_best_first_and_only_usable_results_count(contents: Contents):
    values = [v.estimate.value for v in contents.variants]
    assert values == sorted(values, reverse=True)
    usable = {r.experiment.candidate.id for r in contents.results if r.usable}
    assert {v.candidate_id for v in contents.variants} == usable
    assert any(not r.usable for r in contents.results)


def test_the_reference_counts_each_run_once(contents: Contents):
    assert contents.reference is not None
    assert contents.reference_runs == 8
    assert contents.reference.value == pytest.approx(0.19, abs=0.01)


def test_best_so_far_never_falls_and_ends_at_the_best_usable_value(contents: Contents):
    best = [value for _, value in contents.curve.best]
    assert best == sorted(best)
    assert best[-1] == max(value for _, value in contents.curve.measured)
    assert contents.curve.best[-1][0] == 96


def test_the_campaign_that_is_its_baseline_is_found(contents: Contents):
    assert contents.baseline is not None
    assert contents.baseline.planner == "random"


def test_only_measured_predictions_are_held_against_the_planner(contents: Contents):
    assert contents.calibration is not None
    told = [r for r in contents.results if r.usable and r.experiment.reason.predicted_mean is not None]
    assert len(contents.calibration.predictions) == len(told)
    assert contents.calibration.covered == sum(abs(p.z) <= 2 for p in contents.calibration.predictions)


def test_both_plates_of_every_run_and_its_steps_are_there(contents: Contents):
    assert [(p.batch, p.role) for p in contents.plates[:4]] == [
        (1, "unheated"),
        (1, "heated_82"),
        (2, "unheated"),
        (2, "heated_82"),
    ]
    assert all(run.steps == 26 and run.status == "done" for run in contents.runs)
    assert {s.device for s in contents.steps} == {"arm", "handler", "reader", "shaker", "thermocycler"}


def test_a_result_that_failed_its_check_is_shown_but_not_coloured_on_the_sequence(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1, flagged=1.0))
    contents = read_contents(store, campaign.id)
    assert contents.variants == ()
    assert contents.curve.best == ()
    assert [s.state for s in contents.substitutions].count("failed") == 8


def test_the_best_of_a_goal_to_minimise_is_the_smallest(store: Store):
    campaign = empty_campaign(store, direction="minimize")
    a, b, c = (x.id for x in campaign.candidates[:3])
    measure(
        store,
        campaign,
        {a: (0.5, 0.01), b: (0.1, 0.01), c: (0.3, 0.01)},
        reference_value=0.4,
        reference_standard_error=0.01,
    )
    contents = read_contents(store, campaign.id)
    assert [v.candidate_id for v in contents.variants] == [b, c, a]
    assert [v.differs for v in contents.variants] == [True, True, False]
    assert [value for _, value in contents.curve.best] == [0.5, 0.1, 0.1]


def test_without_a_pool_the_sequences_that_were_chosen_are_drawn(store: Store):
    pooled = campaign_of(SMALL, pool(SMALL.pool, SMALL.seed)[0])
    parent = pooled.reference.sequence
    sites = Sites(parent=parent, positions=(1, 2), letters=(AMINO_ACIDS, AMINO_ACIDS))
    campaign = replace(pooled, candidates=(), space=SearchSpace(sites=sites))
    bench = store.create_bench(workcell="protein_bench_twin", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "0" * 64, {})
    chosen = tuple(Candidate(id=new, sequence=new + parent[1:]) for new in "WY")
    measure(store, replace(campaign, candidates=chosen), {"W": (0.5, 0.01), "Y": (0.7, 0.01)})
    contents = read_contents(store, campaign.id)
    assert [(s.position, s.letter, s.value) for s in contents.substitutions] == [(1, "W", 0.5), (1, "Y", 0.7)]
    assert "Blank: not tried." in render_page(contents)


def test_a_candidate_measured_again_becomes_one_variant_of_two_runs(store: Store):
    campaign = empty_campaign(store)
    name = campaign.candidates[0].id
    reference = {"reference_value": 0.2, "reference_standard_error": 0.01}
    measure(store, campaign, {name: (0.80, 0.02)}, **reference)
    measure(store, campaign, {name: (0.84, 0.02)}, **reference)
    (variant,) = read_contents(store, campaign.id).variants
    assert (variant.runs, variant.wells, variant.confirmed) == (2, 12, True)
    assert variant.estimate.value == pytest.approx(0.82)


def test_two_runs_that_contradict_each_other_confirm_nothing(store: Store):
    campaign = empty_campaign(store)
    name = campaign.candidates[0].id
    measure(store, campaign, {name: (0.9, 0.01)}, reference_value=0.2, reference_standard_error=0.01)
    measure(store, campaign, {name: (0.5, 0.01)}, reference_value=0.2, reference_standard_error=0.01)
    (variant,) = read_contents(store, campaign.id).variants
    assert not variant.agree
    assert not variant.confirmed


def test_without_a_measured_reference_nothing_is_said_to_be_better(store: Store):
    campaign = fill(store, Recipe(pool=60, budget=8, batch_size=8, batches=1, reference_in_details=False))
    contents = read_contents(store, campaign.id)
    assert contents.reference is None
    assert not any(v.differs for v in contents.variants)


def test_a_value_that_is_no_number_is_not_usable(store: Store):
    campaign = empty_campaign(store)
    measure(store, campaign, {campaign.candidates[0].id: (float("nan"), 0.1)})
    (result,) = read_contents(store, campaign.id).results
    assert result.estimate is None
    assert not result.usable


def test_a_result_without_a_value_does_not_make_the_reference_beside_it_unsure(store: Store):
    campaign = empty_campaign(store)
    first, second = (c.id for c in campaign.candidates[:2])
    values = {first: (math.nan, math.nan), second: (0.5, 0.03)}
    measure(store, campaign, values, reference_value=0.3, reference_standard_error=0.02)
    contents = read_contents(store, campaign.id)
    assert contents.reference is not None
    assert contents.reference.degrees_of_freedom == 5
    assert 0.2 < contents.reference.low < 0.3 < contents.reference.high < 0.4


def test_a_reference_whose_error_is_not_known_has_no_interval(store: Store):
    campaign = empty_campaign(store)
    values = {campaign.candidates[0].id: (0.5, 0.03)}
    measure(store, campaign, values, reference_value=0.3, reference_standard_error=None)
    contents = read_contents(store, campaign.id)
    assert contents.reference is not None
    assert (contents.reference.low, contents.reference.high) == (-math.inf, math.inf)


def test_readings_of_an_interrupted_run_are_those_of_the_stretch_that_got_furthest(store: Store):
    campaign = empty_campaign(store)
    experiment = Experiment(
        id=new_id("exp"), candidate=campaign.candidates[0], reason=Reason(planner="p", sentence="s")
    )
    batch = store.propose(campaign.id, Proposal(experiments=(experiment,)))
    run = store.create_run(batch, Layout(labware={"unheated": "assay_1"}, wells=()))
    data = {
        "reader-value": [1.0] * 96,
        "reader-plate": "assay_1",
        "reader-mode": "fluorescence",
        "reader-lab_time_s": 5.0,
    }
    store.append_documents(run.id, 1, [("start", {}), ("event", {"data": data})])
    step = store.begin_step(run.id, "k", "", 1, "heat", "thermocycler", {}, 3.0, dispatch=True)
    store.end_step(step.id, StepStatus.FAILED, None, "the lid is stuck", 9.0)
    store.finish_run(run.id, RunStatus.STOPPED, reason="Ctrl-C")
    store.next_stretch(run.id)
    store.append_documents(run.id, 2, [("start", {})])
    store.finish_run(run.id, RunStatus.FAILED, error="the lid is stuck")
    contents = read_contents(store, campaign.id)
    assert [p.labware for p in contents.plates] == ["assay_1"]
    (span,) = contents.runs
    assert (span.stretches, span.status, span.sentence, span.steps) == (2, "failed", "the lid is stuck", 0)
    assert [s.failed for s in contents.steps] == [True]


def test_equal_tables_have_equal_hashes_whatever_their_identifiers(tmp_path: Path):
    hashes = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        with Store.open(tmp_path / f"{name}.db") as store:
            campaign = fill(store, Recipe(pool=60, budget=16, batch_size=8, batches=2, seed=seed))
            hashes.append(read_contents(store, campaign.id).content_sha256)
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_the_hash_changes_with_a_single_reading(made: Callable[[Recipe], Campaign], store: Store):
    contents = read_contents(store, made(SMALL).id)
    plate = contents.plates[0]
    wells = (replace(plate.wells[0], value=(plate.wells[0].value or 0.0) + 1e-9), *plate.wells[1:])
    changed = (replace(plate, wells=wells), *contents.plates[1:])
    assert content_sha256(contents.campaign, contents.results, contents.plates) == contents.content_sha256
    assert content_sha256(contents.campaign, contents.results, changed) != contents.content_sha256


def test_the_last_bits_of_a_lab_time_do_not_change_the_hash(made: Callable[[Recipe], Campaign], store: Store):
    contents = read_contents(store, made(SMALL).id)

    def hash_with(shift_s: float) -> str:
        plates = tuple(replace(p, lab_time_s=p.lab_time_s + shift_s) for p in contents.plates)
        return content_sha256(contents.campaign, contents.results, plates)

    assert hash_with(1e-9) == contents.content_sha256
    assert hash_with(0.01) != contents.content_sha256


def test_a_campaign_that_has_only_begun_has_empty_contents(store: Store):
    campaign = empty_campaign(store)
    contents = read_contents(store, campaign.id)
    assert contents.status == CampaignStatus.RUNNING
    assert (contents.results, contents.variants, contents.plates, contents.runs) == ((), (), (), ())
    assert contents.calibration is None
    assert contents.twin


def test_a_campaign_is_found_by_its_name_and_a_baseline_is_not_its_own(
    store: Store, made: Callable[[Recipe], Campaign]
):
    campaign = made(SMALL)
    fill(store, baseline(SMALL, campaign))
    assert read_contents(store, SMALL.name).campaign.id == campaign.id
    assert read_contents(store, f"{SMALL.name}_random").baseline is None


def test_an_unknown_campaign_is_bad_input(store: Store):
    with pytest.raises(BadInput, match="no campaign nowhere"):
        read_contents(store, "nowhere")
