"""What is barred, on whose account, and who lifted it; every sample that there is, stock and made."""

from __future__ import annotations

import pytest

from lab.errors import BadInput
from lab.store import Store
from lab.types import Sample, StepStatus, new_id
from tests.lab.store.examples import Opened, begin, opened_run, stocked

WHY = "A tip fell into it."


def test_a_barred_place_stays_barred_until_it_is_lifted(store: Store, opened: Opened) -> None:
    bench, place, other = opened.bench.id, ("assay_1", "A1"), ("assay_2", "*")
    store.bar(bench, {place: WHY, other: "Dropped."}, who="Ada", run_id=opened.run.id, lab_time_s=12.5)
    store.bar(bench, {place: "Too old."}, who="Bo")
    assert store.barred(bench) == {place: WHY, other: "Dropped."}
    store.lift_bar(bench, place, who="Cy", why="It is another plate.")
    assert store.barred(bench) == {other: "Dropped."}
    first, _, third, *lifts = store.bars(bench)
    assert (first.labware, first.well, first.why, first.who, first.run_id, first.lab_time_s) == (
        *place,
        WHY,
        "Ada",
        opened.run.id,
        12.5,
    )
    assert [(bar.lifts, bar.who, bar.why) for bar in lifts] == [
        (first.number, "Cy", "It is another plate."),
        (third.number, "Cy", "It is another plate."),
    ]
    store.bar(bench, {place: "Again."}, who="Ada")
    assert store.barred(bench)[place] == "Again."


def test_a_place_that_nothing_bars_by_itself_is_not_lifted(store: Store, opened: Opened) -> None:
    bench = opened.bench.id
    with pytest.raises(BadInput, match="Nothing is barred on this bench"):
        store.lift_bar(bench, ("assay_1", "A1"), who="Ada", why="Fine.")
    store.bar(bench, {("assay_1", "*"): "Dropped."}, who="Ada")
    with pytest.raises(BadInput, match=r"All of assay_1 is barred; lift that bar"):
        store.lift_bar(bench, ("assay_1", "A1"), who="Ada", why="Fine.")
    with pytest.raises(BadInput, match=r"Nothing bars all of assay_2 by itself\. .* assay_1 \*"):
        store.lift_bar(bench, ("assay_2", "*"), who="Ada", why="Fine.")
    assert store.barred(bench) == {("assay_1", "*"): "Dropped."}


def test_bars_of_one_step_are_lifted_without_those_of_others(store: Store, opened: Opened) -> None:
    bench, place = opened.bench.id, ("assay_1", "A1")
    store.bar(bench, {place: "Too old."}, who="Ada")
    step = begin(store, opened.run, 1, dispatch=True)
    store.end_step(step.id, StepStatus.UNKNOWN, None, "no reply", 5.0, bars={place: WHY})
    store.lift_bar(bench, place, who="Bo", why="It was done.", step_id=step.id)
    assert store.barred(bench) == {place: "Too old."}
    with pytest.raises(BadInput, match="Nothing bars"):
        store.lift_bar(bench, place, who="Bo", why="It was done.", step_id=step.id)


def test_the_end_of_a_step_bars_in_the_same_transaction(store: Store, opened: Opened) -> None:
    step = begin(store, opened.run, 1, dispatch=True)
    sample = store.samples(opened.run.id)[0]
    place = (sample.labware, sample.well)
    with pytest.raises(ValueError, match="the store refuses this"):
        store.end_step(
            step.id,
            StepStatus.UNKNOWN,
            None,
            "no reply",
            5.0,
            bars={place: WHY, ("assay_1", None): WHY},  # type: ignore[dict-item]  # what a bug may bring
        )
    assert (store.step(step.id).status, store.barred(opened.bench.id)) == (StepStatus.DISPATCHED, {})
    store.end_step(
        step.id, StepStatus.UNKNOWN, None, "no reply", 5.0, bars={place: WHY, ("assay_2", "*"): WHY}
    )
    in_well, in_plate = store.bars(opened.bench.id)
    assert (in_well.step_id, in_well.run_id, in_well.sample_id, in_well.lab_time_s) == (
        step.id,
        opened.run.id,
        sample.id,
        5.0,
    )
    assert (in_plate.step_id, in_plate.sample_id, in_plate.who) == (step.id, "", "drywet")


def test_samples_of_barred_wells_and_plates_are_barred(store: Store, opened: Opened) -> None:
    bench, run = opened.bench.id, opened.run.id
    first, second, third = store.samples(run)
    store.bar(bench, {(first.labware, first.well): WHY, ("assay_2", "*"): "Dropped."}, who="Ada")
    assert store.barred_samples(run) == {first.id: WHY}
    store.bar(bench, {(first.labware, "*"): "Dropped."}, who="Ada")
    assert store.barred_samples(run) == {first.id: WHY, second.id: "Dropped.", third.id: "Dropped."}
    store.lift_bar(bench, (first.labware, "*"), who="Ada", why="It was the other plate.")
    assert store.barred_samples(run) == {first.id: WHY}
    elsewhere = opened_run(store, None, "elsewhere")
    assert store.barred_samples(elsewhere.run.id) == {}
    assert store.barred_samples("run_none") == {}


def test_a_bar_on_no_bench_is_a_bug(store: Store) -> None:
    with pytest.raises(ValueError, match="the store refuses this"):
        store.bar("bch_none", {("assay_1", "A1"): WHY}, who="Ada")


def test_what_stands_on_a_bench_from_the_start_is_a_sample(store: Store) -> None:
    bench = stocked(store, {"library_1": {"A1": ["T16I"], "B2": ["T16A", "assay_buffer"]}, "assay_1": {}})
    stock = store.samples_of_bench(bench.id)
    assert [(s.labware, s.well, s.content, s.run_id, s.parents) for s in stock] == [
        ("library_1", "A1", "T16I", "", ()),
        ("library_1", "B2", "T16A + assay_buffer", "", ()),
    ]
    made = opened_run(store, bench)
    assert store.samples_of_bench(bench.id) == (*stock, *store.samples(made.run.id))
    assert all(sample.run_id == made.run.id for sample in store.samples(made.run.id))


def test_each_of_a_benchs_thousands_of_wells_is_a_sample_of_its_own(store: Store) -> None:
    wells = [f"{row}{column}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    plates = {f"library_{n}": {well: [f"{well}_{n}"] for well in wells} for n in range(1, 14)}
    bench = stocked(store, plates)
    stock = store.samples_of_bench(bench.id)
    assert [(s.labware, s.well) for s in stock] == [(plate, well) for plate in plates for well in wells]
    assert len({s.id for s in stock}) == 4992


def test_samples_come_back_in_the_order_of_adding(store: Store, opened: Opened) -> None:
    stock = Sample(id=new_id("smp"), labware="library_1", well="A1", content="T16I", run_id=opened.run.id)
    made = tuple(
        Sample(id=new_id("smp"), labware="assay_1", well=f"B{n}", content="T16I", run_id=opened.run.id)
        for n in range(12, 0, -1)
    )
    of_layout = store.samples(opened.run.id)
    store.add_samples([stock])
    store.add_samples(made)
    assert store.samples(opened.run.id) == (*of_layout, stock, *made)
    new = Sample(id=new_id("smp"), labware="x", well="A1", content="y", run_id=opened.run.id)
    with pytest.raises(ValueError, match="the store refuses this"):
        store.add_samples([new, stock])
    with pytest.raises(ValueError, match="no run 'run_none'"):
        store.add_samples([new, Sample(id="smp_y", labware="x", well="A2", content="y", run_id="run_none")])
    with pytest.raises(ValueError, match="read from the journal, not kept"):
        store.add_samples(
            [
                Sample(
                    id="smp_z", labware="x", well="A2", content="y", run_id=opened.run.id, parents=(stock.id,)
                )
            ]
        )
    assert len(store.samples(opened.run.id)) == len(of_layout) + 13


def test_a_sample_is_found_by_what_a_person_types_of_it(store: Store, opened: Opened) -> None:
    store.add_samples(
        Sample(id=f"smp_{name}", labware="x", well=f"A{n}", content="y", run_id=opened.run.id)
        for n, name in enumerate(["01ABCDEFGHX1", "01ABCDEFGHX2", "01%BCDE_GH33"], start=1)
    )
    for typed in ("smp_01ABCDEFGHX1", "smp_01abcdefghx1", "01ABCDEFGHX1", "defghx1", " DEFGHX1 "):
        assert store.sample(typed).id == "smp_01ABCDEFGHX1"
    assert store.sample("01%BCD").id == "smp_01%BCDE_GH33"
    with pytest.raises(
        BadInput, match="More than one sample is called 01ABCDEF: smp_01ABCDEFGHX1, smp_01ABC"
    ):
        store.sample("01ABCDEF")
    with pytest.raises(BadInput, match="at least 6 characters"):
        store.sample("FGHX1")
    for wildcard in ("______", "%%%%%%", "smp_nothing"):
        with pytest.raises(BadInput, match="no sample"):
            store.sample(wildcard)
