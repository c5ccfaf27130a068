"""Reports and summaries of campaigns whose goal is more than one number to maximise or minimise."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace

import pytest
from rich.console import Console

from lab.cli.showing import show_status
from lab.cli.summary import show_finding
from lab.report.findings import pareto_front
from lab.report.goal_words import goal_words, searched_words, wanted_words
from lab.report.page import render_page
from lab.report.reading import read_contents
from lab.store import Store
from lab.types import (
    Campaign,
    Experiment,
    Goal,
    Layout,
    Limit,
    Objective,
    Observation,
    Origin,
    Proposal,
    Quality,
    Reason,
    RunStatus,
    WellUse,
    new_id,
)
from tests.protocols.blends import BLENDS, make_blend_campaign

BOTH = Goal(
    target="efficiency", direction="maximize", also=(Objective(target="degradation", direction="minimize"),)
)
VALUES = {
    # blend: efficiency, degradation
    "blend_1": {"efficiency": 0.9, "degradation": 0.6},
    "blend_2": {"efficiency": 0.5, "degradation": 0.2},
    "blend_3": {"efficiency": 0.4, "degradation": 0.3},
    "blend_4": {"efficiency": 0.7, "degradation": 0.4},
    "blend_5": {"efficiency": 0.2},
}


def measured(
    store: Store, goal: Goal, values: Mapping[str, Mapping[str, float]] = VALUES, baseline_of: str = ""
) -> Campaign:
    """A campaign with one batch, of which just these values were measured; the reference is at a half in every target."""
    campaign = replace(make_blend_campaign(), id=new_id("cmp"), goal=goal, baseline_of=baseline_of)
    bench = store.create_bench(workcell="paper", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "0" * 64, {})
    candidates = {candidate.id: candidate for candidate in BLENDS}
    reason = Reason(planner="random", sentence="drawn")
    batch = store.propose(
        campaign.id,
        Proposal(
            experiments=tuple(
                Experiment(id=new_id("exp"), candidate=candidates[name], reason=reason) for name in values
            )
        ),
    )
    wells = tuple(
        WellUse(labware="blends_1", well=f"A{n}", content=e.candidate.id, kind="variant", experiment_id=e.id)
        for n, e in enumerate(batch.experiments, start=1)
    )
    run = store.create_run(batch, Layout(labware={"plate": "blends_1"}, wells=wells))
    store.record(
        [
            Observation(
                id=new_id("obs"),
                experiment_id=experiment.id,
                target=target,
                sample_id="",
                run_id=run.id,
                value=value,
                standard_error=0.01,
                unit="share",
                quality=Quality(ok=True),
                method="by hand",
                origin=Origin.TWIN,
                replicates=4,
                lab_time_s=1.0,
                details={"reference_value": 0.5, "reference_standard_error": 0.01},
            )
            for experiment in batch.experiments
            for target, value in values[experiment.candidate.id].items()
        ]
    )
    store.finish_run(run.id, RunStatus.DONE, uid=run.id)
    return campaign


def page(store: Store, campaign: Campaign) -> str:
    text = render_page(read_contents(store, campaign.id))
    return re.sub(r"\s+", " ", text.replace("\u00a0", " "))


def printed(store: Store, campaign: Campaign) -> str:
    out = Console(file=io.StringIO(), width=200)
    show_finding(read_contents(store, campaign.id), out)
    return out.file.getvalue().replace("\u00a0", " ")  # type: ignore[attr-defined]


def order(store: Store, campaign: Campaign) -> list[str]:
    return [v.candidate_id for v in read_contents(store, campaign.id).variants]


# ------------------------------------------------------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        (Goal(target="residual_activity"), "maximize residual activity"),
        (Goal(target="ph", direction="hit", level=7), "bring ph to 7"),
        (Goal(target="activity", direction="exceed", level=0.5), "find activity of 0.5 or more"),
        (Goal(target="phase", direction="map"), "map phase"),
        (Goal(target="activity_70c", direction="minimize"), "minimize activity 70\u00a0°C"),
        (BOTH, "maximize efficiency and minimize degradation"),
        (
            Goal(
                target="activity",
                limits=(Limit(target="cost", at_most=3), Limit(target="ph", at_least=6, at_most=8)),
            ),
            "maximize activity, with cost at most 3 and ph from 6 to 8",
        ),
    ],
)
def test_a_goal_is_told_with_all_that_it_asks_for(goal: Goal, told: str) -> None:
    assert goal_words(goal) == told


def test_what_is_wanted_of_one_target_is_told_without_its_name() -> None:
    goal = replace(BOTH, limits=(Limit(target="degradation", at_most=0.5), Limit(target="cost", at_least=1)))
    assert wanted_words(goal, "efficiency") == "maximize"
    assert wanted_words(goal, "degradation") == "minimize, at most 0.5"
    assert wanted_words(goal, "cost") == "at least 1"


def test_a_pool_is_told_by_its_size() -> None:
    assert searched_words(make_blend_campaign()) == f"{len(BLENDS)} candidates"


# ------------------------------------------------------------------------------------------------------------ Pareto set


def test_the_front_is_what_no_other_one_beats() -> None:
    merits = {"a": (1.0, 0.0), "b": (0.0, 1.0), "c": (0.5, 0.5), "d": (0.5, 0.4), "e": (0.0, 0.0)}
    assert pareto_front(merits) == {"a", "b", "c"}


def test_equals_are_on_the_front_together() -> None:
    assert pareto_front({"a": (1.0, 1.0), "b": (1.0, 1.0), "c": (1.0, 0.9)}) == {"a", "b"}


def test_of_several_objectives_the_pareto_set_comes_first_in_the_order_of_the_first_one(store: Store) -> None:
    campaign = measured(store, BOTH)
    contents = read_contents(store, campaign.id)
    assert [v.candidate_id for v in contents.variants if v.on_front] == ["blend_1", "blend_4", "blend_2"]
    assert order(store, campaign) == ["blend_1", "blend_4", "blend_2", "blend_3", "blend_5"]


def test_the_page_shows_every_target_the_pareto_set_and_a_plot_of_it(store: Store) -> None:
    text = page(store, measured(store, BOTH))
    assert "maximize efficiency and minimize degradation" in text
    assert "On the twin, 3 blends of 5 measured make up the Pareto set of efficiency and degradation" in text
    assert "degradation, minimize</th>" in text
    assert '<figure id="figure-pareto">' in text
    assert "5 candidates measured in both" not in text
    assert "4 candidates measured in both; 3 in the Pareto set: blend_2, blend_4, blend_1" in text
    assert text.count(">in the Pareto set<") == 3
    assert "false discovery rate of 5 %.</p>" not in text.split('id="asked"')[0]


def test_one_that_no_other_beats_in_anything_is_the_finding(store: Store) -> None:
    values = {
        "blend_1": {"efficiency": 0.9, "degradation": 0.1},
        "blend_2": {"efficiency": 0.5, "degradation": 0.2},
    }
    text = page(store, measured(store, BOTH, values))
    assert re.search(
        r"On the twin, blend_1 \(.*efficiency 0\.900, degradation 0\.100\) is as good as any of the 2 blends measured, "
        "in efficiency and degradation alike",
        text,
    )


def test_what_a_measured_value_lacks_beside_a_limit_is_told_in_the_summary(store: Store) -> None:
    goal = Goal(target="efficiency", limits=(Limit(target="degradation", at_most=0.45),))
    text = printed(store, measured(store, goal))
    assert text.count("breaks a limit") == 2
    assert re.search(r"blend_5 .* – .*breaks a limit", text)


def test_the_summary_shows_every_target(store: Store) -> None:
    text = printed(store, measured(store, BOTH))
    assert "degradation, minimize" in text
    assert re.search(r"blend_4 .*0\.700.*0\.400 ± 0\.010.*Pareto set", text)
    assert "make up the Pareto set of efficiency and degradation" in text


def test_three_objectives_have_a_set_and_no_plot(store: Store) -> None:
    goal = replace(BOTH, also=(*BOTH.also, Objective(target="cost", direction="minimize")))
    values = {name: {"cost": 1.0, "degradation": 0.5, **of} for name, of in VALUES.items()}
    text = page(store, measured(store, goal, values))
    assert "figure-pareto" not in text
    assert "cost, minimize</th>" in text


def test_the_baseline_is_compared_in_the_first_objective_and_says_so(store: Store) -> None:
    campaign = measured(store, BOTH)
    measured(store, BOTH, {"blend_6": {"efficiency": 0.3, "degradation": 0.1}}, baseline_of=campaign.id)
    assert "In efficiency alone: the random planner ends at 0.900" in page(store, campaign)


# ---------------------------------------------------------------------------------------------------------------- limits


def test_what_breaks_a_limit_is_never_the_best(store: Store) -> None:
    goal = Goal(target="efficiency", limits=(Limit(target="degradation", at_most=0.45),))
    campaign = measured(store, goal)
    assert order(store, campaign) == ["blend_4", "blend_2", "blend_3", "blend_1", "blend_5"]
    contents = read_contents(store, campaign.id)
    assert contents.curve.best[-1][1] == 0.7
    assert {v.candidate_id: v.broken for v in contents.variants}["blend_5"] == ("degradation",)
    text = page(store, campaign)
    assert "blend_4 (" in text.split('class="headline"')[1].split("</p>")[0]
    assert "3 of 5 blends measured keep to degradation at most 0.45." in text
    assert text.count("not known to keep to the limit of degradation") == 2
    assert "degradation, at most 0.45</th>" in text


def test_where_nothing_keeps_to_the_limits_no_best_is_named(store: Store) -> None:
    goal = Goal(target="efficiency", limits=(Limit(target="degradation", at_most=0.01),))
    campaign = measured(store, goal)
    assert "On the twin, none of the 5 blends measured is known to keep to degradation at most 0.01." in page(
        store, campaign
    )
    assert store.history(campaign.id).serving(goal) == ()


def test_limits_hold_for_the_pareto_set_too(store: Store) -> None:
    goal = replace(BOTH, limits=(Limit(target="efficiency", at_most=0.8),))
    assert order(store, measured(store, goal))[:2] == ["blend_4", "blend_2"]


# ------------------------------------------------------------------------------------------------------ other directions


def test_to_hit_a_level_the_nearest_comes_first(store: Store) -> None:
    campaign = measured(store, Goal(target="efficiency", direction="hit", level=0.45))
    assert order(store, campaign)[:2] in (["blend_2", "blend_3"], ["blend_3", "blend_2"])
    text = page(store, campaign)
    assert "bring efficiency to 0.45" in text
    assert "off 0.45" in text
    assert "false discovery rate of 5 %.</p>" not in text.split('id="asked"')[0]


def test_to_exceed_a_level_those_above_it_are_counted(store: Store) -> None:
    text = page(store, measured(store, Goal(target="efficiency", direction="exceed", level=0.5)))
    assert "3 of 5 blends measured lie at 0.5 or above; of 2 the whole 95 % interval does." in text


def test_to_map_a_target_its_range_is_told_and_no_best(store: Store) -> None:
    text = page(store, measured(store, Goal(target="efficiency", direction="map")))
    assert "On the twin, the efficiency of 5 blends was measured, from 0.200 to 0.900." in text
    assert "figure-best" not in text


def test_to_map_a_target_the_summary_names_no_best_and_compares_no_ends(store: Store) -> None:
    goal = Goal(target="efficiency", direction="map")
    campaign = measured(store, goal)
    measured(store, goal, {"blend_6": {"efficiency": 0.3}}, baseline_of=campaign.id)
    told = printed(store, campaign)
    assert ": some of 5 experiments" in told
    assert "the efficiency of 5 blends was measured, from 0.200 to 0.900." in told
    assert "ends at" not in told


def test_a_baseline_that_the_first_experiment_matches_is_told_in_the_singular(store: Store) -> None:
    goal = Goal(target="efficiency", direction="maximize")
    campaign = measured(store, goal)
    measured(store, goal, {"blend_6": {"efficiency": 0.3}}, baseline_of=campaign.id)
    assert "it took 1 experiment to match what random found in 1." in printed(store, campaign)


# ------------------------------------------------------------------------------------------------------------------ JSON


def test_status_for_programs_gives_the_values_of_every_target(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    import json

    campaign = measured(store, BOTH)
    show_status(campaign.id, store=store.url, as_json=True, out=Console(file=io.StringIO()))
    told = json.loads(capsys.readouterr().out)["campaign"]
    assert told["targets"] == ["efficiency", "degradation"]
    assert told["goal"] == "maximize efficiency and minimize degradation"
    assert [r["values"] for r in told["results"]] == list(VALUES.values())
    assert [r["value"] for r in told["results"]] == [of["efficiency"] for of in VALUES.values()]


def test_the_hash_of_the_tables_changes_with_any_target(store: Store) -> None:
    hashes = set()
    for degradation in (0.6, 0.61):
        values = {**VALUES, "blend_1": {"efficiency": 0.9, "degradation": degradation}}
        hashes.add(read_contents(store, measured(store, BOTH, values).id).content_sha256)
    assert len(hashes) == 2
