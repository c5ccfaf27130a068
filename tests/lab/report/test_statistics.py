from __future__ import annotations

import math

import pytest
from scipy import stats

from lab.report.statistics import (
    benjamini_hochberg,
    combine,
    difference,
    estimate,
    p_better,
    scatter,
    spearman,
    wilson,
    z_prime,
)


def test_an_interval_is_as_wide_as_students_t_makes_it():
    found = estimate(1.0, 0.1, 2)
    assert found.high - 1.0 == pytest.approx(0.4303, abs=1e-4)  # t(0.975, 2) = 4.303, any table of t
    assert 1.0 - found.low == pytest.approx(found.high - 1.0)


def test_an_interval_from_one_reading_is_the_whole_line():
    found = estimate(1.0, 0.1, 0)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_one_run_is_given_as_it_is():
    only = estimate(0.5, 0.02, 5)
    assert combine([only], [6]) == (only, True)


def test_runs_that_agree_give_a_narrower_interval_than_each():
    runs = [estimate(0.50, 0.03, 5), estimate(0.51, 0.03, 5)]
    both, agree = combine(runs, [6, 6])
    assert agree
    assert both.value == pytest.approx(0.505)
    assert both.standard_error == pytest.approx(0.03 / math.sqrt(2))
    assert both.degrees_of_freedom == 10


def test_runs_that_disagree_are_told_so_and_their_scatter_widens_the_interval():
    runs = [estimate(0.2, 0.01, 5), estimate(0.8, 0.01, 5)]
    both, agree = combine(runs, [6, 6])
    assert not agree
    assert both.standard_error == pytest.approx(0.3)
    assert both.degrees_of_freedom == 1


def test_runs_count_by_their_wells():
    both, _ = combine([estimate(0.4, 0.1, 5), estimate(0.7, 0.1, 2)], [6, 3])
    assert both.value == pytest.approx(0.5)


def test_two_runs_that_agree_are_as_sure_as_all_candidates_that_were_measured_twice():
    runs = [estimate(0.50, 0.01, 5), estimate(0.53, 0.01, 5)]
    alone, _ = combine(runs, [6, 6])
    others = [
        [estimate(0.3, 0.01, 5), estimate(0.3 + d, 0.01, 5)] for d in (0.02, -0.015, 0.02, -0.03, 0.01, 0.02)
    ]
    pooled = scatter([runs, *others, [estimate(0.9, 0.01, 5)]])
    assert pooled is not None
    assert pooled.degrees_of_freedom == 7
    q = sum(d**2 for d in (0.03, 0.02, 0.015, 0.02, 0.03, 0.01, 0.02)) / (2 * 0.01**2)
    assert pooled.ratio == pytest.approx(q / 7)
    both, agree = combine(runs, [6, 6], pooled)
    assert agree
    assert (both.value, both.degrees_of_freedom) == (pytest.approx(0.515), 7)
    assert both.standard_error == pytest.approx(0.01 / math.sqrt(2) * math.sqrt(q / 7))
    assert both.high - both.low < (alone.high - alone.low) / 3


def test_runs_that_disagree_are_not_smoothed_over_by_others_that_agree():
    runs = [estimate(0.2, 0.01, 5), estimate(0.8, 0.01, 5)]
    pooled = scatter([[estimate(0.3, 0.01, 5), estimate(0.3, 0.01, 5)] for _ in range(20)])
    assert combine(runs, [6, 6], pooled) == combine(runs, [6, 6])


def test_scatter_is_never_less_than_the_runs_own_errors_say_and_unknown_without_two_runs():
    pooled = scatter([[estimate(0.3, 0.05, 5), estimate(0.3, 0.05, 5)]])
    assert pooled is not None
    assert pooled.ratio == 1.0
    assert (
        scatter([[estimate(0.3, 0.05, 5)], [estimate(0.4, math.inf, 0), estimate(0.5, math.inf, 0)]]) is None
    )


def test_runs_whose_error_is_unknown_are_not_said_to_agree():
    unknown = estimate(0.5, math.inf, 0)
    both, agree = combine([unknown, unknown], [1, 1])
    assert not agree
    assert both.value == 0.5


def test_a_difference_has_welchs_degrees_of_freedom():
    a, b = estimate(0.9, 0.04, 5), estimate(0.2, 0.01, 7)
    freedom = (0.04**2 + 0.01**2) ** 2 / (0.04**4 / 5 + 0.01**4 / 7)
    assert difference(a, b).degrees_of_freedom == int(freedom)
    assert difference(a, b).value == pytest.approx(0.7)


def test_a_difference_to_something_of_unknown_error_proves_nothing():
    unclear = difference(estimate(0.9, 0.1, 0), estimate(0.2, 0.01, 7))
    assert p_better(unclear, 1.0) == 1.0


def test_better_means_smaller_when_the_goal_is_to_minimise():
    lower = difference(estimate(0.1, 0.01, 5), estimate(0.5, 0.01, 5))
    assert p_better(lower, -1.0) < 1e-6
    assert p_better(lower, 1.0) > 0.999


def test_the_false_discovery_rate_rejects_what_the_paper_rejects():
    # The example of Benjamini and Hochberg 1995, section 3.2: four of fifteen rejected at 5 %.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.324,
        0.4262,
        0.5719,
        0.6528,
        0.759,
        1.0,
    ]
    assert sum(benjamini_hochberg(p)) == 4
    assert benjamini_hochberg([]) == ()


def test_a_share_of_all_still_leaves_doubt():
    found = wilson(10, 10)
    assert found.high == pytest.approx(1.0)
    assert found.low == pytest.approx(0.7225, abs=1e-4)  # 1 / (1 + z^2 / n)
    with pytest.raises(ValueError, match="share of nothing"):
        wilson(0, 0)


def test_z_prime_is_one_for_controls_without_scatter():
    assert z_prime([10.0, 10.0], [1.0, 1.0]) == 1.0
    assert z_prime([9.0, 11.0], [1.0, 1.0]) == pytest.approx(1 - 3 * math.sqrt(2) / 9)


def test_z_prime_needs_two_wells_of_each_and_a_window():
    assert z_prime([10.0], [1.0, 1.0]) is None
    assert z_prime([1.0, 1.0], [1.0, 1.0]) is None


def test_rank_correlation_needs_three_pairs_that_differ():
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 2, 3], [5, 5, 5]) is None
    assert spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(
        stats.spearmanr([1, 2, 3, 4], [1, 3, 2, 4]).statistic
    )
