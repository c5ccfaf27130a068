"""The volume that several objectives dominate together, experiment by experiment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lab.report.page import render_page
from lab.report.reading import read_contents
from lab.report.volume import dominated
from lab.store import Store
from lab.types import Campaign, Goal, Limit, Objective
from planners.pareto import hypervolume
from tests.lab.report.test_goals import BOTH, VALUES, measured

BASELINE = {
    "blend_6": {"efficiency": 0.4, "degradation": 0.6},
    "blend_7": {"efficiency": 0.6, "degradation": 0.4},
}


def shares(store: Store, campaign: Campaign) -> list[list[tuple[int, float]]]:
    """Of the campaign and its baseline, rounded."""
    return [
        [(n, round(share, 6)) for n, share in one.best] for one in read_contents(store, campaign.id).volumes
    ]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_the_volume_is_the_one_that_planners_reckon_with(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    for size in (1, 2, 7):
        points = np.round(rng.random((size, objectives)), 1)  # with ties, and with zeros
        assert dominated(points) == pytest.approx(hypervolume(points, np.zeros(objectives)), abs=1e-12)
    assert dominated(np.empty((0, objectives))) == 0.0


def test_each_experiment_adds_what_it_dominates_above_the_worst_of_each_objective(store: Store) -> None:
    # above efficiency 0.4 and below degradation 0.6: 0.1 x 0.4 for the second, and 0.2 x 0.2 more for the fourth
    assert shares(store, measured(store, BOTH)) == [[(1, 0.0), (2, 0.5), (3, 0.5), (4, 1.0), (5, 1.0)]]


def test_a_candidate_that_lacks_an_objective_adds_nothing_and_is_spent_all_the_same(store: Store) -> None:
    values = {"blend_5": VALUES["blend_5"], **{name: VALUES[name] for name in ("blend_1", "blend_2")}}
    assert shares(store, measured(store, BOTH, {**values, "blend_3": VALUES["blend_3"]})) == [
        [(2, 0.0), (3, 1.0), (4, 1.0)]
    ]


def test_what_breaks_a_limit_adds_nothing(store: Store) -> None:
    goal = replace(BOTH, limits=(Limit(target="efficiency", at_most=0.6),))
    # blends 2 and 3 are left, and 2 is better in both
    assert shares(store, measured(store, goal)) == [[(2, 1.0), (3, 1.0), (4, 1.0), (5, 1.0)]]


def test_the_baseline_shares_the_floor_and_the_whole(store: Store) -> None:
    campaign = measured(store, BOTH)
    measured(store, BOTH, BASELINE, baseline_of=campaign.id)
    mine, other = shares(store, campaign)
    assert mine[-1] == (5, 1.0)
    assert other == [(1, 0.0), (2, 0.5)]


@pytest.mark.parametrize(
    "goal",
    [
        Goal(target="efficiency"),
        replace(BOTH, limits=(Limit(target="efficiency", at_most=0.01),)),
    ],
    ids=["one objective", "nothing within limits"],
)
def test_where_there_is_no_volume_there_is_no_curve(store: Store, goal: Goal) -> None:
    campaign = measured(store, goal)
    contents = read_contents(store, campaign.id)
    assert contents.volumes == ()
    assert "figure-volume" not in render_page(contents)


def test_the_page_draws_both_curves_and_says_what_each_is_of(store: Store) -> None:
    campaign = measured(store, BOTH)
    alone = render_page(read_contents(store, campaign.id))
    assert '<figure id="figure-volume">' in alone
    assert "as a share of what is dominated in the end" in alone
    assert "of the first objective alone," in alone
    measured(store, BOTH, BASELINE, baseline_of=campaign.id)
    beside = render_page(read_contents(store, campaign.id))
    assert "<desc" in beside
    assert "random, baseline: 0.5; random: 1" in beside
    assert "as a share of what is dominated in both campaigns" in beside


def test_three_objectives_have_a_curve_too(store: Store) -> None:
    goal = replace(BOTH, also=(*BOTH.also, Objective(target="cost", direction="minimize")))
    values = {name: {**of, "cost": 1.0 + n} for n, (name, of) in enumerate(VALUES.items())}
    (curve,) = shares(store, measured(store, goal, values))
    assert curve[-1] == (5, 1.0)
    assert [share for _, share in curve] == sorted(share for _, share in curve)
