"""The oracle's own account of a bench where things go wrong, held against the twin's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.long_evidence import EVERY, past_of
from tests.faults.truth import FaultyTruth, read_ledger
from tests.twin_bench import Hands, hands


def a_bad_day(ledger: Path) -> Hands:
    """Three tips, of which one draws nothing and one half, and then one clogs; a plate falls and is put back."""
    lab = hands(ledger=ledger)
    lab.fetch(0, 1, 2)
    lab.world.act(
        "handler",
        "aspirate",
        channels=[0, 1, 2],
        labware="buffer",
        wells=["A1"] * 3,
        volumes_ul=[20.0] * 3,
        liquid_shares=[1.0, 0.0, 0.5],
    )
    wells = ["A1", "B1", "C1"]
    lab.world.act(
        "handler",
        "dispense",
        channels=[0, 1, 2],
        labware="assay_1",
        wells=wells,
        volumes_ul=[15.0] * 3,
        contact=False,
    )
    lab.world.act("handler", "clog", channels=[0])
    lab.world.act(
        "handler",
        "dispense",
        channels=[0, 1, 2],
        labware="assay_1",
        wells=wells,
        volumes_ul=[5.0] * 3,
        contact=False,
    )
    lab.world.act("handler", "lose_tips", channels=[1])
    lab.world.act("arm", "pick", position="deck_plate_2")
    lab.world.act("arm", "drop")
    lab.world.act("person", "put_back", labware="assay_2", position="deck_plate_2")
    lab.world.close()
    return lab


def test_a_tip_gives_what_is_in_it_air_first_and_nothing_when_clogged(tmp_path: Path) -> None:
    lab = a_bad_day(tmp_path / "world.jsonl")
    _, truths = read_ledger(tmp_path / "world.jsonl")
    for well, nominal_ul in {"A1": 15.0, "B1": 0.0, "C1": 10.0}.items():
        assert truths[-1].volume_ul["assay_1", well] == nominal_ul
        assert lab.world.volume_ul("assay_1", well) == pytest.approx(nominal_ul, rel=0.1, abs=0.05)


def test_what_fell_stands_nowhere_until_a_person_puts_it_back(tmp_path: Path) -> None:
    a_bad_day(tmp_path / "world.jsonl")
    acts, truths = read_ledger(tmp_path / "world.jsonl")
    (fell,) = [act.index for act in acts if act.action == "drop"]
    lying, again = truths[fell + 1], truths[-1]
    assert isinstance(lying, FaultyTruth)
    assert (lying.fallen, lying.position["assay_2"], lying.held) == ({"assay_2"}, None, {})
    assert isinstance(again, FaultyTruth)
    assert (again.fallen, again.position["assay_2"]) == (set(), "deck_plate_2")
    assert [phrase for phrase in again.at_work if "tips" in phrase] == ["2 tips are on handler"]


def test_a_share_that_nobody_was_told_of_can_count_as_noise(tmp_path: Path) -> None:
    a_bad_day(tmp_path / "world.jsonl")
    _, truths = read_ledger(tmp_path / "world.jsonl", silent_is_noise=True)
    assert truths[-1].volume_ul["assay_1", "B1"] == 20.0


def test_the_bench_of_a_long_ledger_is_the_same_in_whatever_order_one_asks(tmp_path: Path) -> None:
    ledger = tmp_path / "world.jsonl"
    lab = hands(ledger=ledger)
    for n in range(EVERY):
        lab.world.act("arm", "pick", position="deck_plate_2" if n % 2 == 0 else "hotel_2")
        lab.world.act("arm", "place", position="hotel_2" if n % 2 == 0 else "deck_plate_2")
    lab.world.close()
    _, kept = read_ledger(ledger)
    worked_out = past_of(ledger).truths
    assert len(worked_out) == len(kept) == 2 * EVERY + 1
    for index in (5, 2 * EVERY, 0, EVERY, EVERY + 1, 3, EVERY - 1, -1):
        assert worked_out[index].position == kept[index].position
        assert worked_out[index].held == kept[index].held
    with pytest.raises(IndexError):
        worked_out[2 * EVERY + 1]


def test_a_torn_last_line_never_took_effect(tmp_path: Path) -> None:
    ledger = tmp_path / "world.jsonl"
    a_bad_day(ledger)
    whole = len(read_ledger(ledger)[0])
    with ledger.open("a") as file:
        file.write(json.dumps({"n": 0, "lab_time_s": 1.0})[:-4])
    assert len(read_ledger(ledger)[0]) == len(past_of(ledger).acts) == whole
