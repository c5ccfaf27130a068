"""Shares to portions, and portions to tips."""

from __future__ import annotations

import pytest

from lab.types import Candidate
from protocols.stock import Stock
from protocols.stock_mixing import mixing_picks, portions_ul
from tests.protocols.blends import make_stock_bench

STOCKS = {"share_of_red": "red", "share_of_blue": "blue"}


def test_portions_are_shares_of_the_total_and_nothing_is_no_portion() -> None:
    blend = Candidate(id="b", values={"share_of_red": 0.35, "share_of_blue": 0.65})
    assert portions_ul(blend, STOCKS, 150.0) == {"red": 52.5, "blue": 97.5}
    assert portions_ul(Candidate(id="b", values={"share_of_red": 1, "share_of_blue": 0}), STOCKS, 150.0) == {
        "red": 150.0
    }


def test_all_replicates_of_a_portion_come_with_one_tip_where_one_holds_them() -> None:
    stock = Stock(make_stock_bench())
    (small,) = mixing_picks([({"red": 5.0}, ("A1", "B1", "C1"))], "blends_1", stock)
    (large,) = mixing_picks([({"red": 90.0}, ("A1", "B1", "C1"))], "blends_1", stock)
    assert (small.tip_volume_ul, large.tip_volume_ul) == (50.0, 300.0)
    assert [volume_ul for _, _, volume_ul in large.targets] == [90.0] * 3


def test_portions_that_no_tip_holds_together_come_with_several() -> None:
    picks = mixing_picks([({"red": 140.0}, ("A1", "B1", "C1"))], "blends_1", Stock(make_stock_bench()))
    assert [len(pick.targets) for pick in picks] == [2, 1]
    assert all(pick.command.drawn_ul <= pick.tip_volume_ul for pick in picks)


def test_stocks_are_given_one_after_the_other_each_to_all_its_blends() -> None:
    blends = [({"red": 50.0, "blue": 50.0}, ("A1", "A2")), ({"blue": 100.0}, ("B1", "B2"))]
    picks = mixing_picks(blends, "blends_1", Stock(make_stock_bench()))
    assert [(pick.content, pick.targets[0][1]) for pick in picks] == [
        ("red", "A1"),
        ("blue", "A1"),
        ("blue", "B1"),
    ]


def test_too_little_of_a_stock_is_noted_in_a_sentence() -> None:
    stock = Stock(make_stock_bench(library_ul=3_100.0))
    mixing_picks([({"red": 90.0}, ("A1", "B1", "C1"))], "blends_1", stock)
    assert stock.problems == ["284 ul of red are needed, and A1 of red can give 100 ul."]


@pytest.mark.parametrize("device", ["handler", "arm"])
def test_what_is_at_home_on_a_device_is_told_from_what_is_not(device: str) -> None:
    bench = make_stock_bench()
    bench.fill("blends_2", "A1", {"red": 50.0})
    expected = {"handler": (("red", "A1"),), "arm": (("blends_2", "A1"),)}
    assert Stock(bench).at_home_on(device, "red") == expected[device]
