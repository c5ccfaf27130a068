"""The reporter assay: what it does on the bench, and what it makes of the light."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute
from devices.plate_hotel import PutLid, TakeLid
from lab.bench import Bench
from lab.dry_run import dry_run
from lab.errors import BadInput, Infeasible
from lab.interfaces import RunRecord
from lab.types import Layout
from protocols import read_parameters
from protocols import reporter_expression as assay
from protocols.reporter_expression import Parameters
from tests.protocols.bench import commands_of, make_batch, make_bench, make_campaign, paper_workcell
from tests.protocols.relative import DARKNESS, TRUTH, Plate

BATCH, CAMPAIGN = make_batch(), make_campaign()
CONTENT = {e.id: e.candidate.id for e in BATCH.experiments}


def lay_out(bench: Bench | None = None, seed: int = 1, **changes: Any) -> tuple[Layout, Parameters]:
    parameters = read_parameters(Parameters, {"water": "assay_buffer", "mix": "reporter"} | changes)
    rng = np.random.default_rng(seed)
    return assay.layout(BATCH, CAMPAIGN, bench or make_bench(), parameters, rng), parameters


def steps_of(**changes: Any) -> list[Any]:
    bench = make_bench()
    layout, parameters = lay_out(bench, **changes)
    plan = assay.plan(BATCH, CAMPAIGN, paper_workcell(bench), layout, parameters)
    return [command for _, command in commands_of(plan, bench)]


def test_templates_are_diluted_before_the_mix_starts_them() -> None:
    commands = [c for c in steps_of() if isinstance(c, Distribute | AddReagent)]
    assert [type(c) for c in commands[-2:]] == [AddReagent, AddReagent]
    assert [(c.source_labware, c.volume_ul) for c in commands[-2:]] == [("buffer", 8.0), ("reporter", 24.0)]
    assert all(isinstance(c, Distribute) for c in commands[:-2])


def test_the_plate_is_sealed_while_it_is_warm_and_only_then() -> None:
    commands = [
        c for c in steps_of(expression_duration_s="2 h") if isinstance(c, PutLid | Incubate | TakeLid)
    ]
    assert [type(c) for c in commands] == [PutLid, Incubate, TakeLid]
    incubation = commands[1]
    assert (incubation.temperature_c, incubation.hold_s, incubation.shaking_rpm) == (30.0, 7200.0, 1400.0)


def test_temperatures_at_which_extracts_do_not_work_are_refused() -> None:
    with pytest.raises(BadInput, match="expression_temperature_c is 45"):
        lay_out(expression_temperature_c=45)


def test_without_a_lid_there_is_no_run() -> None:
    with pytest.raises(Infeasible, match="no lid"):
        lay_out(make_bench(lids=0))


def test_a_limit_of_the_workcell_is_found_in_the_dry_run() -> None:
    bench = make_bench()
    layout, parameters = lay_out(bench)
    workcell = paper_workcell(bench)
    workcell.devices["shaker"].incubate.limits["shaking_rpm"] = (200.0, 1000.0)
    walked = dry_run(assay.plan(BATCH, CAMPAIGN, workcell, layout, parameters), workcell)
    assert walked.problems == ("shaker: shaking_rpm 1400 is outside 200 to 1000.",)


def test_expression_comes_out_of_the_light_above_the_extracts_own() -> None:
    layout, parameters = lay_out()
    record = Plate(layout, TRUTH, np.random.default_rng(2)).end_points()
    for seen in assay.analyse(record, BATCH, CAMPAIGN, parameters):
        assert seen.target == "relative_expression"
        assert seen.value == pytest.approx(TRUTH[CONTENT[seen.experiment_id]], abs=0.15)
        assert seen.quality.ok
        assert "after 3 h at 30 C in a cell-free mix" in seen.method


def test_a_well_that_got_no_template_stands_out() -> None:
    layout, parameters = lay_out()
    content = max(CONTENT.values(), key=lambda name: TRUTH[name])
    well = next(use.well for use in layout.wells if use.content == content)
    record = Plate(layout, TRUTH, np.random.default_rng(3), values={well: DARKNESS}).end_points()
    found = {CONTENT[o.experiment_id]: o for o in assay.analyse(record, BATCH, CAMPAIGN, parameters)}[content]
    assert found.quality.ok
    assert found.quality.flags == ("outlier_well",)
    assert found.replicates == 3
    assert found.value == pytest.approx(TRUTH[content], abs=0.15)


def test_a_run_that_did_not_read_the_plate_is_refused() -> None:
    layout, parameters = lay_out()
    record = Plate(layout, TRUTH, np.random.default_rng(4)).end_points()
    unread = RunRecord(run_id="run_1", layout=layout, documents=record.documents[:2], origin=record.origin)
    with pytest.raises(BadInput, match=r"has no reading of assay_1\."):
        assay.analyse(unread, BATCH, CAMPAIGN, parameters)
