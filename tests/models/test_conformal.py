import numpy as np
import pytest

from lab.errors import BadInput
from models.conformal import Margins, coverage, margins


def test_the_margin_is_the_order_statistic_that_the_level_asks_for() -> None:
    errors = np.array([(-1) ** i * float(i) for i in range(1, 20)])
    found = margins(errors, level=0.95)
    assert (found.below, found.above) == (19.0, 19.0)
    assert margins(errors, level=0.9).above == 18.0
    assert margins(errors, level=0.5).above == 10.0


def test_too_few_errors_for_the_level_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(BadInput, match=r"18 held-out values are too few .* 19 are needed"):
        margins(np.ones(18))
    with pytest.raises(BadInput, match=r"38 held-out values .* 39 are needed"):
        margins(np.ones(38), skewed=True)
    with pytest.raises(BadInput, match="3 groups are too few"):
        margins(np.ones(300), groups=[i % 3 for i in range(300)])


def test_new_values_are_held_as_often_as_promised_whatever_the_distribution() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        errors = rng.exponential(size=60) - 0.3
        fresh = rng.exponential(size=20) - 0.3
        found = margins(errors, level=0.9)
        held.append(coverage(found.around(np.zeros(20), unit="1"), fresh))
    # (n + 1) * 0.9 rounds up to 55 of 61
    assert np.mean(held) == pytest.approx(55 / 61, abs=0.01)


def test_skewed_margins_hold_as_often_and_follow_the_longer_tail() -> None:
    rng = np.random.default_rng(1)
    found = margins(rng.exponential(size=4000), level=0.9, skewed=True)
    assert found.below == 0.0
    assert found.above == pytest.approx(-np.log(0.05), rel=0.1)
    fresh = rng.exponential(size=4000)
    assert coverage(found.around(np.zeros(4000), unit="1"), fresh) >= 0.9


def test_a_group_never_seen_is_held_where_margins_from_single_values_fail() -> None:
    """Groups share an error; one huge group would otherwise decide alone."""
    rng = np.random.default_rng(2)
    by_group, by_value = [], []
    for _ in range(300):
        offsets = rng.normal(size=40)
        sizes = [400] + [5] * 39
        errors = np.concatenate([o + 0.1 * rng.normal(size=n) for o, n in zip(offsets, sizes, strict=True)])
        groups = [g for g, n in enumerate(sizes) for _ in range(n)]
        fresh = rng.normal() + 0.1 * rng.normal(size=50)
        for found, kept in (
            (margins(errors, level=0.9, groups=groups), by_group),
            (margins(errors, level=0.9), by_value),
        ):
            kept.append(coverage(found.around(np.zeros(50), unit="1"), fresh))
    assert np.mean(by_group) >= 0.88
    assert np.mean(by_value) < 0.8


def test_every_group_counts_the_same() -> None:
    errors = [1.0] * 1000 + [float(i) for i in range(2, 21)]
    groups = ["large"] * 1000 + [f"g{i}" for i in range(19)]
    assert margins(errors, groups=groups).above == 20.0
    assert margins(errors).above == 1.0


def test_an_uncertain_prediction_gets_a_wider_interval() -> None:
    scales = np.linspace(0.5, 5.0, 200)
    errors = np.random.default_rng(3).normal(size=200) * scales
    made = margins(errors, scales=scales).around(np.zeros(2), unit="K", scale=np.array([1.0, 3.0]))
    assert made.high[1] == pytest.approx(3.0 * made.high[0])
    assert made.unit == "K"


def test_what_a_quantity_cannot_pass_cuts_mean_and_interval() -> None:
    made = Margins(below=2.0, above=2.0).around(np.array([-0.5, 0.5]), unit="1", least=0.0, most=1.0)
    assert made.mean.tolist() == [0.0, 0.5]
    assert made.low.tolist() == [0.0, 0.0]
    assert made.high.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("errors", "options", "said"),
    [
        ([1.0, float("nan")], {}, "finite"),
        ([1.0, 2.0], {"scales": [1.0, 0.0]}, "above 0"),
        ([1.0, 2.0], {"scales": [1.0]}, "do not go together"),
        ([1.0, 2.0], {"groups": ["a"]}, "2 errors"),
        ([1.0] * 50, {"level": 1.0}, "can't hold"),
    ],
)
def test_errors_that_mean_nothing_are_refused(
    errors: list[float], options: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        margins(errors, **options)  # type: ignore[arg-type]
