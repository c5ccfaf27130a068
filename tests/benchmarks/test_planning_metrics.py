from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.planning.metrics import best_so_far, figures, hypervolume, mean_of, pareto
from benchmarks.planning.sets import DEVELOPMENT, REPORT, Column, Outcome, encode

HUNDRED = np.arange(100.0)[:, None]
"""A pool whose row is its merit: median 49.5, best 99."""


def test_best_counts_from_the_pool_s_median_to_its_maximum():
    found = figures(HUNDRED, [10, 74, 3])
    assert found.best == pytest.approx((74 - 49.5) / (99 - 49.5))
    assert found.raw == 74


def test_the_area_is_the_mean_of_the_best_so_far_and_never_counts_below_the_median():
    course = best_so_far(HUNDRED, [10, 74, 3, 99])
    assert course == pytest.approx([(10 - 49.5) / 49.5, 24.5 / 49.5, 24.5 / 49.5, 1.0])
    assert figures(HUNDRED, [10, 74, 3, 99]).area == pytest.approx((0 + 24.5 / 49.5 * 2 + 1) / 4)


def test_shares_of_the_top_count_what_was_measured_of_the_best_percent():
    found = figures(HUNDRED, [99, 96, 40, 94])
    assert found.top1 == 1.0
    assert found.top5 == pytest.approx(2 / 5)


def test_candidates_as_good_as_the_last_of_the_top_belong_to_it():
    tied = np.array([[0.0]] * 96 + [[1.0]] * 4)
    assert figures(tied, [97, 0]).top1 == pytest.approx(1 / 4)


def test_experiments_to_95_percent_count_to_the_first_within_5_percent_of_the_range():
    assert figures(HUNDRED, [10, 94, 95, 99]).to95 == 3
    assert figures(HUNDRED, [10, 94]).to95 == 3


def test_the_hypervolume_of_two_objectives_is_the_area_of_the_steps():
    points = np.array([[3.0, 1.0], [1.0, 2.0], [0.5, 0.5]])
    assert hypervolume(points, np.zeros(2)) == pytest.approx(3 * 1 + 1 * 1)
    assert pareto(points).tolist() == [True, True, False]


def test_of_two_objectives_best_is_the_share_of_the_pool_s_hypervolume():
    points = np.array([[0.0, 0.0], [3.0, 1.0], [1.0, 2.0], [0.5, 0.5]])
    found = figures(points, [0, 1])
    assert found.best == pytest.approx(3 / 4)
    assert found.top5 == pytest.approx(1 / 2)


def test_the_interval_of_a_mean_is_student_s():
    found = mean_of([1.0, 2.0, 3.0])
    assert found.middle == 2.0
    assert found.half == pytest.approx(4.302653 * 1.0 / np.sqrt(3), rel=1e-5)


def test_what_is_to_be_small_is_turned():
    outcome = Outcome("loss", np.array([3.0, 1.0]), "minimize")
    assert outcome.merits.tolist() == [-3.0, -1.0]


def test_labels_become_coordinates_and_described_labels_their_descriptors():
    plain = Column("solvent", ["a", "b", "a"])
    described = replace(plain, table={"a": (0.0, 5.0, 1.0), "b": (2.0, 6.0, 1.0)})
    number = Column("t", [20.0, 30.0, 40.0])
    assert encode([plain, number]).tolist() == [[1, 0, 0], [0, 1, 0.5], [1, 0, 1]]
    assert encode([described]).tolist() == [[0, 0], [1, 0.5], [0, 0]]


def test_the_page_names_every_set_and_its_protocol_before_it_is_run():
    page = (Path(__file__).parents[2] / "benchmarks" / "planning" / "README.md").read_text()
    development, report = page.split("## Report sets")
    rows = {line.split("|")[1].strip() for line in development.splitlines() if line.startswith("| ")}
    families = {"tem1_window_1 to 4": "tem1_window_", "fireprot_* (6 proteins)": "fireprot_"}
    for name in DEVELOPMENT:
        assert name in rows or any(f in rows and name.startswith(start) for f, start in families.items()), (
            name
        )
    rows = {line.split("|")[1].strip() for line in report.splitlines() if line.startswith("| ")}
    assert set(REPORT) <= rows
    assert not set(REPORT) & set(DEVELOPMENT)
