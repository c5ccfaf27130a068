from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lab.report.statistics import estimate, wilson
from lab.report.values import Calibration, Curve, Variant
from lab.report.wording import (
    baseline_sentence,
    calibration_sentence,
    duration,
    evidence,
    flag_words,
    interval,
    number,
    role_words,
    setting,
    target_label,
)
from lab.types import Goal
from tests.lab.report.synthetic import Recipe, campaign_of, pool

CAMPAIGN = campaign_of(Recipe(), pool(20, 1)[0])


@pytest.mark.parametrize(
    ("value", "error", "told"),
    [
        (0.8712, 0.031, "0.87"),
        (0.8712, 0.014, "0.871"),
        (0.8712, 0.0031, "0.871"),
        (1234.56, 20.0, "1\u202f235"),
        (-0.05, 0.02, "−0.05"),
        (0.12345, None, "0.123"),
        (0.0, None, "0.00"),
        (0.5, math.inf, "0.500"),
        (None, None, "–"),
        (math.nan, 0.1, "–"),
        (-math.inf, 0.1, "−∞"),
    ],
)
def test_a_number_shows_the_digits_that_its_error_allows(value: float | None, error: float | None, told: str):
    assert number(value, error) == told


def test_an_interval_that_is_not_known_says_so():
    assert interval(estimate(0.5, 0.03, 5)) == "0.50 (0.42 to 0.58)"
    assert interval(estimate(0.5, 0.03, 0)) == "0.50 (unknown)"
    assert interval(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "–"),
        (40.2, "40 s"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (3661, "1 h 01 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_the_units_of_a_person(seconds: float | None, told: str):
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("challenge_duration_s", 600.0, ("challenge duration", "10 min")),
        ("challenge_temperature_c", 82.0, ("challenge temperature", "82 °C")),
        ("challenge_temperature_c", [75.0, 82.0], ("challenge temperature", "75 °C, 82 °C")),
        ("concentration_umol_l", 20, ("concentration", "20 µmol/l")),
        ("replicates", 3, ("replicates", "3")),
        ("seal", True, ("seal", "yes")),
        ("kernel", "matern", ("kernel", "matern")),
        ("edges", [], ("edges", "none")),
    ],
)
def test_a_setting_is_written_with_its_unit(name: str, value: object, told: tuple[str, str]):
    assert setting(name, value) == told


def variant(*, runs: int, agree: bool = True, differs: bool = True) -> Variant:
    return Variant(
        candidate_id="T16I",
        estimate=estimate(0.8, 0.02, 5),
        wells=6,
        runs=runs,
        difference=estimate(0.6, 0.02, 5),
        differs=differs,
        agree=agree,
        remarks="",
    )


def test_a_variant_of_one_run_is_a_candidate_for_confirmation_and_never_a_finding():
    one = variant(runs=1)
    assert not one.confirmed
    assert evidence(one, CAMPAIGN) == "candidate for confirmation"


def test_a_replicate_run_that_agrees_confirms():
    assert evidence(variant(runs=2), CAMPAIGN) == "above WT in 2 runs"


def test_runs_that_disagree_are_inconclusive():
    two = variant(runs=2, agree=False)
    assert not two.confirmed
    assert evidence(two, CAMPAIGN) == "inconclusive: 2 runs disagree"


def test_what_is_worse_than_the_reference_is_called_so_in_the_direction_of_the_goal():
    worse = replace(variant(runs=1, differs=False), difference=estimate(-0.2, 0.01, 5))
    assert evidence(worse, CAMPAIGN) == "below WT"
    minimise = campaign_of(Recipe(direction="minimize"), CAMPAIGN.candidates)
    assert evidence(replace(worse, difference=estimate(0.2, 0.01, 5)), minimise) == "above WT"


def test_what_cannot_be_told_from_the_reference_is_not_called_better():
    same = replace(variant(runs=1, differs=False), difference=estimate(0.01, 0.02, 5))
    assert evidence(same, CAMPAIGN) == "not distinguishable from WT"
    assert evidence(replace(same, runs=3), CAMPAIGN) == "not distinguishable from WT in 3 runs"


def calibration(covered: int, n: int) -> Calibration:
    return Calibration(
        predictions=(None,) * n,  # type: ignore[arg-type]  # the sentence counts them and looks no further
        covered=covered,
        coverage=wilson(covered, n),
        rank_correlation=None,
    )


def test_the_calibration_sentence_judges_only_beyond_its_own_doubt():
    assert "as it should be" in calibration_sentence(calibration(19, 20))
    assert "surer than it should have been" in calibration_sentence(calibration(40, 84))
    assert "more doubtful than it needed to be" in calibration_sentence(calibration(200, 200))


def test_the_baseline_sentence_says_when_the_planner_caught_up():
    mine = Curve(planner="adaptive", measured=(), best=((1, 0.1), (2, 0.5), (3, 0.9)))
    other = Curve(planner="random", measured=(), best=((1, 0.2), (2, 0.2), (3, 0.4)))
    assert "it took 2 experiments to match what random found in 3" in baseline_sentence(
        mine, other, Goal(target="y")
    )
    assert "to match" not in baseline_sentence(other, mine, Goal(target="y"))
    assert "no result" in baseline_sentence(
        mine, Curve(planner="random", measured=(), best=()), Goal(target="y")
    )


def test_axis_labels_carry_a_unit_where_there_is_one():
    assert target_label(CAMPAIGN, "share") == "residual activity, share"
    assert target_label(CAMPAIGN, "") == "residual activity"


def test_a_plates_role_shows_its_temperature_with_the_unit():
    assert [role_words(r) for r in ("heated_75c", "unheated", "heated_82", "control")] == [
        "heated 75\u00a0°C",
        "unheated",
        "heated 82",
        "control",
    ]


def test_flags_are_told_in_words():
    assert [flag_words(f) for f in ("high_cv", "low_z_prime", "saturated")] == [
        "high CV",
        "low Z′",
        "saturated",
    ]
