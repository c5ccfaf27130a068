"""The kinetic assay: what it does on the bench, and what it makes of progress curves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from devices.liquid_handler import AddReagent, Distribute
from devices.plate_reader import ReadAbsorbance
from lab.bench import Bench
from lab.dry_run import dry_run
from lab.errors import BadInput, Infeasible, NonsenseReply
from lab.interfaces import RunRecord
from lab.types import Layout, Observation
from protocols import kinetic_activity as assay
from protocols import read_parameters
from protocols.kinetic_activity import Parameters
from tests.protocols.bench import commands_of, make_batch, make_bench, make_campaign, paper_workcell
from tests.protocols.relative import CLEAR, TRUTH, Plate

BATCH, CAMPAIGN = make_batch(), make_campaign()
CONTENT = {e.id: e.candidate.id for e in BATCH.experiments}


def lay_out(bench: Bench | None = None, seed: int = 1, **changes: Any) -> tuple[Layout, Parameters]:
    parameters = read_parameters(Parameters, {"substrate": "reporter"} | changes)
    rng = np.random.default_rng(seed)
    return assay.layout(BATCH, CAMPAIGN, bench or make_bench(), parameters, rng), parameters


def analyse(plate: Plate, parameters: Parameters) -> dict[str, Observation]:
    """Observations by candidate."""
    record = plate.curves(parameters.readings, parameters.interval_s)
    found = assay.analyse(record, BATCH, CAMPAIGN, parameters)
    return {CONTENT[o.experiment_id]: o for o in found}


def wells_of(layout: Layout, content: str) -> list[str]:
    return [use.well for use in layout.wells if use.content == content]


# ----------------------------------------------------------------------------------------------------------- on the bench


def test_every_well_gets_its_sample_buffer_and_substrate_in_this_order() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    workcell = paper_workcell(bench)
    commands = [c for _, c in commands_of(assay.plan(BATCH, CAMPAIGN, workcell, layout, parameters), bench)]
    plate = layout.labware["assay"]
    for use in layout.wells:
        parts = dict(bench.well(plate, use.well).parts)
        content = "assay_buffer" if use.kind == "blank" else use.content
        expected = {"assay_buffer": 95.0, "reporter": 50.0}
        expected[content] = expected.get(content, 0.0) + 5.0
        assert parts == pytest.approx(expected)
    kinds = [type(c) for c in commands if isinstance(c, Distribute | AddReagent | ReadAbsorbance)]
    assert kinds == [Distribute] * kinds.count(Distribute) + [AddReagent, AddReagent, ReadAbsorbance]


def test_reactions_are_read_without_a_rest_after_the_substrate() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    workcell = paper_workcell(bench)
    steps = commands_of(assay.plan(BATCH, CAMPAIGN, workcell, layout, parameters), bench)
    start = max(n for n, (_, c) in enumerate(steps) if isinstance(c, AddReagent))
    assert [device for device, _ in steps[start:]] == ["handler", "arm", "shaker", "arm", "reader", "arm"]


def test_a_reader_that_cannot_keep_the_pace_is_found_in_the_dry_run() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench, interval_s=20)
    workcell = paper_workcell(bench)
    (problem,) = dry_run(assay.plan(BATCH, CAMPAIGN, workcell, layout, parameters), workcell).problems
    assert problem == "The reader takes 45 s to read a plate once, and interval_s is 20."


def test_more_than_a_well_holds_is_refused() -> None:
    with pytest.raises(Infeasible, match="Each well would get 300 ul"):
        lay_out(buffer_volume_ul=195, substrate_volume_ul=100)


# ------------------------------------------------------------------------------------------------------------- analysis


def test_activities_come_out_of_progress_curves() -> None:
    layout, parameters = lay_out()
    found = analyse(Plate(layout, TRUTH, np.random.default_rng(2)), parameters)
    for content, seen in found.items():
        assert seen.target == "relative_activity"
        assert seen.value == pytest.approx(TRUTH[content], abs=0.15)
        assert seen.quality.ok
        assert (seen.replicates, seen.unit, seen.lab_time_s) == (4, "1", 1000.0)
        assert seen.details["reference_value"] == 1.0
        assert seen.details["signal_unit"] == "mAU/min"
        assert len(seen.details["wells"]) == 4
    # 1.5e-4 absorbance a second are 9 thousandths a minute.
    assert seen.details["reference_signal"] == pytest.approx(9.0, rel=0.15)


def test_fast_variants_are_judged_by_the_beginning_of_their_curves() -> None:
    layout, parameters = lay_out()
    fast = BATCH.experiments[0].candidate.id
    plate = Plate(layout, TRUTH | {fast: 3.0}, np.random.default_rng(3), substrate=0.8)
    assert analyse(plate, parameters)[fast].value == pytest.approx(3.0, rel=0.2)


def test_a_well_that_bends_at_once_is_left_out_and_named() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    well = wells_of(layout, content)[0]
    bent = CLEAR + 0.5 * -np.expm1(-np.arange(parameters.readings) / 1.5)
    found = analyse(Plate(layout, TRUTH, np.random.default_rng(4), traces={well: bent}), parameters)[content]
    assert found.quality.ok
    assert found.quality.flags == ("non_linear",)
    assert f"{well} of {layout.labware['assay']} bends from its first readings on" in found.quality.sentence
    assert found.replicates == 3


def test_a_variant_whose_substrate_was_used_up_before_the_first_reading_is_not_taken_for_a_dead_one() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[2].candidate.id
    rng = np.random.default_rng(5)
    over = {
        well: CLEAR + 1.1 + rng.normal(0.0, 0.002, parameters.readings) for well in wells_of(layout, content)
    }
    found = analyse(Plate(layout, TRUTH, rng, traces=over), parameters)[content]
    assert not found.quality.ok
    assert "non_linear" in found.quality.flags
    assert "was nearly over before the first reading" in found.quality.sentence
    assert math.isnan(found.value)


def test_a_dead_variant_is_a_result() -> None:
    layout, parameters = lay_out()
    dead = BATCH.experiments[1].candidate.id
    found = analyse(Plate(layout, TRUTH | {dead: 0.0}, np.random.default_rng(6)), parameters)[dead]
    assert found.quality.ok
    assert found.quality.flags == ("below_detection",)
    assert abs(found.value) < 4.0 * found.standard_error < 0.1


def test_a_saturated_well_asks_for_a_repeat() -> None:
    layout, parameters = lay_out()
    content = BATCH.experiments[3].candidate.id
    well = wells_of(layout, content)[0]
    found = analyse(Plate(layout, TRUTH, np.random.default_rng(7), saturated=frozenset({well})), parameters)[
        content
    ]
    assert not found.quality.ok
    assert found.quality.flags == ("saturated",)


def test_a_reference_that_does_nothing_leaves_nothing_to_divide_by() -> None:
    layout, parameters = lay_out()
    found = analyse(Plate(layout, TRUTH | {"WT": 0.0}, np.random.default_rng(8)), parameters)
    assert not any(seen.quality.ok for seen in found.values())
    assert all("low_z_prime" in seen.quality.flags for seen in found.values())


def test_a_run_that_did_not_read_the_plate_is_refused() -> None:
    layout, parameters = lay_out()
    record = Plate(layout, TRUTH, np.random.default_rng(9)).curves(20, 45.0)
    unread = RunRecord(run_id="run_1", layout=layout, documents=record.documents[:2], origin=record.origin)
    with pytest.raises(BadInput, match=r"has no reading of assay_1\."):
        assay.analyse(unread, BATCH, CAMPAIGN, parameters)


def test_a_plate_all_of_whose_samples_are_barred_need_not_have_been_read() -> None:
    layout, parameters = lay_out()
    record = Plate(layout, TRUTH, np.random.default_rng(9)).curves(20, 45.0)
    barred = {use.sample_id: "the tip fell off" for use in layout.wells}
    unread = RunRecord(
        run_id="run_1",
        layout=layout,
        documents=record.documents[:2],
        origin=record.origin,
        barred=barred,
    )
    found = assay.analyse(unread, BATCH, CAMPAIGN, parameters)
    assert len(found) == len(BATCH.experiments)
    assert all(math.isnan(o.value) and not o.quality.ok for o in found)


def test_cycles_that_do_not_fill_the_plate_are_nonsense() -> None:
    layout, parameters = lay_out()
    record = Plate(layout, TRUTH, np.random.default_rng(9)).curves(20, 45.0)
    record.documents[2][1]["data"]["reader-cycles"] = np.zeros(20 * 96 - 1)
    with pytest.raises(NonsenseReply, match="1919 values for 96 wells"):
        assay.analyse(record, BATCH, CAMPAIGN, parameters)
