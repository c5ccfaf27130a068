"""Belief of a bench: what commands may rely on."""

from __future__ import annotations

import json

import pytest

from lab.bench import Bench
from tests.protocols.bench import make_bench


@pytest.fixture
def bench() -> Bench:
    return make_bench()


def test_a_copy_is_equal_and_goes_its_own_way(bench: Bench) -> None:
    before = bench.to_json()
    copy = bench.copy()
    assert copy.to_json() == before
    copy.fill("assay_1", "A1", copy.draw("library_1", "A1", 10.0))
    copy.use_tips(copy.next_tips(3, 50.0))
    copy.put_lid("lid_1", "assay_1")
    copy.move("assay_2", "reader")
    assert bench.to_json() == before


def test_a_snapshot_reads_back_equal(bench: Bench) -> None:
    bench.fill("assay_1", "A1", bench.draw("library_1", "A1", 10.0))
    bench.put_lid("lid_1", "assay_1")
    snapshot = json.loads(json.dumps(bench.to_json()))
    assert Bench.from_json(snapshot).to_json() == bench.to_json()
    assert Bench.from_json(snapshot).well("assay_1", "H12").volume_ul == 0.0


def test_what_is_drawn_leaves_its_well_in_proportion_and_arrives(bench: Bench) -> None:
    bench.fill("library_1", "A1", {"assay_buffer": 100.0})
    taken = bench.draw("library_1", "A1", 20.0)
    assert taken == pytest.approx({"V1": 10.0, "assay_buffer": 10.0})
    assert bench.well("library_1", "A1").volume_ul == pytest.approx(180.0)
    bench.fill("assay_1", "B2", taken)
    assert bench.well("assay_1", "B2").volume_ul == pytest.approx(20.0)
    assert not bench.labware["assay_1"].clean


def test_the_dead_volume_is_not_available(bench: Bench) -> None:
    assert bench.available_ul("library_1", "A1") == pytest.approx(97.0)
    bench.draw("library_1", "A1", 98.0)
    assert bench.available_ul("library_1", "A1") == 0.0


def test_tips_are_used_in_order_across_racks_and_run_out(bench: Bench) -> None:
    assert bench.tips_left(50.0) == 192
    first = bench.next_tips(2, 50.0)
    assert first == bench.next_tips(2, 50.0) == (("tips_1", "A1"), ("tips_1", "B1"))
    bench.use_tips(bench.next_tips(95, 50.0))
    assert [rack for rack, _ in bench.next_tips(2, 50.0)] == ["tips_1", "tips_2"]
    assert len(bench.next_tips(500, 50.0)) == 97


def test_a_lid_rides_on_its_plate(bench: Bench) -> None:
    bench.put_lid("lid_1", "assay_1")
    assert bench.labware["lid_1"].position is None
    assert bench.at("lids_1") is None
    bench.take_lid("assay_1", "lids_1")
    assert bench.labware["assay_1"].lid is None
    assert bench.labware["lid_1"].position == "lids_1"
    with pytest.raises(KeyError, match="has no lid"):
        bench.take_lid("assay_1", "lids_2")


@pytest.mark.parametrize("on_before", [False, True])
def test_a_lid_that_may_be_on_or_off_takes_up_its_own_place_until_it_is_known(
    bench: Bench, on_before: bool
) -> None:
    """Whether it was to be put on or to be taken off."""
    done = bench.copy()
    (bench if on_before else done).put_lid("lid_1", "assay_1")
    bench.doubt(done)
    lid = bench.labware["lid_1"]
    assert (lid.position, lid.maybe) == (None, "lids_1")
    assert bench.labware["assay_1"].lid == "lid_1"
    assert bench.at("lids_1") is lid
    bench.take_lid("assay_1", "lids_1")
    assert (lid.position, lid.maybe) == ("lids_1", None)


def test_labware_belongs_to_the_device_it_stands_on(bench: Bench) -> None:
    assert bench.device_at("assay_1") == "arm"
    bench.move("assay_1", "thermocycler")
    assert bench.device_at("assay_1") == "thermocycler"
    bench.put_lid("lid_1", "assay_1")
    assert bench.device_at("lid_1") is None


def test_a_bench_from_a_snapshot_leaves_the_snapshot_as_it_was():
    snapshot = make_bench().to_json()
    before = json.dumps(snapshot)
    bench = Bench.from_json(snapshot)
    bench.use_tips(bench.next_tips(3, 50.0))
    bench.draw("buffer", "A1", 100.0)
    bench.fill("buffer", "A1", {"reporter": 5.0})
    assert json.dumps(snapshot) == before
