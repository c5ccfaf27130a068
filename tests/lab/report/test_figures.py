"""The pictures at the edges of what they may be given."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from lab.bench import well_names
from lab.report.figures.calibration import calibration
from lab.report.figures.plates import plate_maps
from lab.report.figures.progress import best_so_far, top_variants
from lab.report.figures.sequence import substitution_map
from lab.report.figures.timeline import timeline
from lab.report.plates import plate_readings
from lab.report.statistics import estimate, wilson
from lab.report.values import (
    Calibration,
    Curve,
    PlateReading,
    Prediction,
    RunSpan,
    StepSpan,
    Substitution,
    Variant,
)
from lab.types import Layout, WellUse


def texts(svg: str) -> str:
    """Everything written in a picture, one line each; fails when it is not well-formed XML."""
    return "\n".join(
        "".join(element.itertext()) for element in ET.fromstring(svg).iter() if element.tag.endswith("text")
    )


def variant(name: str, value: float, freedom: int = 5) -> Variant:
    return Variant(
        candidate_id=name,
        estimate=estimate(value, 0.05, freedom),
        wells=6,
        runs=1,
        difference=None,
        differs=False,
        agree=True,
        remarks="",
    )


def curve(planner: str, *best: float) -> Curve:
    points = tuple(enumerate(best, start=1))
    return Curve(planner=planner, measured=points, best=points)


def test_one_variant_without_reference_or_known_interval_can_be_drawn():
    svg = top_variants([variant("T16I", 0.5, freedom=0)], None, "WT", "residual activity")
    assert "T16I" in texts(svg)
    assert "nan" not in svg.lower()
    assert "inf" not in re.sub(r"<desc.*?</desc>", "", svg)


def test_lines_that_end_together_keep_their_labels_apart():
    svg = best_so_far(
        curve("adaptive", 0.1, 0.8), curve("random", 0.2, 0.8), estimate(0.79, 0.01, 5), "WT", 2, "y"
    )
    labels = re.findall(r'y="([0-9.]+)"[^>]*>(?:adaptive|random|WT)', svg)
    heights = sorted(float(y) for y in labels)
    assert len(heights) == 3
    assert min(b - a for a, b in pairwise(heights)) > 10


def test_a_budget_of_one_experiment_has_an_axis():
    assert "of a budget of 1" in texts(best_so_far(curve("random", 0.3), None, None, "WT", 1, "y"))


def test_the_baseline_alone_can_be_drawn():
    empty = Curve(planner="adaptive", measured=(), best=())
    assert "random, baseline 0.40" in texts(
        best_so_far(empty, curve("random", 0.2, 0.4), None, "WT", 20, "y")
    )


@pytest.mark.parametrize("z", [0.0, 1.0, 1000.0])
def test_a_single_prediction_however_wrong_can_be_drawn(z: float):
    one = Prediction(candidate_id="T16I", batch=1, mean=0.5, sd=0.1, measured=0.5 + 0.1 * z, z=z)
    found = Calibration(
        predictions=(one,), covered=int(z <= 2), coverage=wilson(int(z <= 2), 1), rank_correlation=None
    )
    assert "experiments" in texts(calibration(found, "residual activity"))


def plate(wells: int, values: np.ndarray) -> PlateReading:
    rows, columns = {96: (8, 12), 384: (16, 24)}[wells]
    kinds = ("variant", "reference", "blank")
    uses = tuple(
        WellUse(labware="assay_1", well=name, content="x", kind=kinds[i % 3])
        for i, name in enumerate(well_names(rows, columns))
    )
    data = {"reader-value": values, "reader-plate": "assay_1", "reader-mode": "fluorescence"}
    (found,) = plate_readings("run_1", 1, Layout(labware={}, wells=uses), [("event", {"data": data})])
    return found


def test_a_plate_of_384_wells_has_rows_to_o_and_columns_to_24():
    labels = texts(plate_maps([plate(384, np.arange(384.0))], "p", "units")).split("\n")
    assert {"A", "O", "22"} <= set(labels)


def test_a_saturated_well_without_a_number_is_still_ringed():
    def rings(saturated: bool) -> int:
        found = plate(96, np.where(np.arange(96) == 40, np.nan, 5.0))
        wells = tuple(replace(w, saturated=saturated and w.value is None) for w in found.wells)
        return plate_maps([replace(found, wells=wells)], "p", "units").count("var(--warning")

    assert rings(True) == rings(False) + 1


def test_readings_over_many_decades_get_a_logarithmic_scale():
    wide = texts(plate_maps([plate(96, np.geomspace(1, 1e5, 96))], "p", "units"))
    narrow = texts(plate_maps([plate(96, np.linspace(1000, 2000, 96))], "p", "units"))
    assert "10" in wide.split("\n")
    assert "2,000" in narrow.split("\n")


def test_a_plate_that_reads_the_same_everywhere_or_nothing_at_all_can_be_drawn():
    for values in (np.full(96, 7.0), np.zeros(96), np.full(96, np.nan)):
        assert "batch 1" in texts(plate_maps([plate(96, values)], "p", "units"))


def test_positions_that_were_never_tried_can_be_drawn():
    pool = [Substitution(position=2, letter="R", value=None, state="untested")]
    pool += [
        Substitution(position=3, letter=letter, value=None, state=state)
        for letter, state in (("A", "failed"), ("C", "pending"))
    ]
    assert "substituted by" in texts(substitution_map(pool, "MKT", 0.2, "residual activity"))


def test_a_map_of_dna_has_a_row_for_each_base_and_none_for_amino_acids():
    pool = [Substitution(position=2, letter="G", value=0.4, state="measured")]
    drawn = texts(substitution_map(pool, "ATC", 1.0, "relative expression", "dna")).split("\n")
    assert {"A", "C", "G", "T"} <= set(drawn)
    assert not {"W", "K", "E"} & set(drawn)
    assert "position (its base in the reference above)" in drawn


def run(batch: int, begun: float | None, ended: float | None, status: str = "done") -> RunSpan:
    return RunSpan(
        run_id=f"run_{batch}",
        batch=batch,
        attempt=1,
        stretches=1,
        status=status,
        begun_s=begun,
        ended_s=ended,
        steps=1,
        sentence="",
    )


def step(device: str, begun: float, ended: float, *, failed: bool = False) -> StepSpan:
    return StepSpan(device=device, action="move", batch=1, begun_s=begun, ended_s=ended, failed=failed)


def test_steps_that_overlap_are_not_counted_twice():
    steps = [step("arm", 0, 50), step("arm", 25, 50), step("reader", 0, 100)]
    told = texts(timeline([run(1, 0, 100)], steps)).split("\n")
    assert {"50 % busy", "100 % busy"} <= set(told)


@pytest.mark.parametrize(
    ("end_s", "unit"), [(50, "seconds"), (600, "minutes"), (4 * 3600, "hours"), (5 * 86400, "days")]
)
def test_lab_time_is_told_in_a_unit_that_fits(end_s: float, unit: str):
    assert f"lab time since the first step, {unit}" in texts(
        timeline([run(1, 0, end_s)], [step("arm", 0, end_s)])
    )


def test_a_run_that_ended_in_its_first_instant_or_never_began_can_be_drawn():
    runs = [run(1, 5, 5, "failed"), run(2, None, None, "running")]
    assert "arm" in texts(timeline(runs, [step("arm", 5, 5, failed=True)]))
