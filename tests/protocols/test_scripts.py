"""Protocols that are functions: what they make the bench do, the same in every walk, and what is refused with its line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from lab.clock import LabClock
from lab.dry_run import commands_of
from lab.errors import ActionOutsideStep, BadInput, Infeasible, RunHeld, RunStopped
from lab.interfaces import RunRecord, StepEnd, Ticket
from lab.types import Origin
from protocols.scripts import readings_of
from protocols.scripts.readings import returned_of
from tests.protocols.bench import make_batch, make_bench
from tests.protocols.paper_engine import PaperEngine
from tests.protocols.script_files import Tried, actions, script, targets

DILUTE = """
from itertools import pairwise

@protocol(measures=("first", "mean"))
def dilute(bench, plate: Plate, wells: Wells = "A1:A4", volume_ul: float = 100.0):
    yield from bench.add(volume_ul, "assay_buffer", plate, wells[1:])
    yield from bench.transfer(2 * volume_ul, "reporter", plate[wells[0]])
    for strong, weak in pairwise(wells):
        yield from bench.transfer(volume_ul, plate[strong], plate[weak], mix_cycles=3)
    reading = yield from bench.read_fluorescence(plate, 485, 520)
    if reading[wells[0]] > 0.5:
        yield from bench.incubate(plate, "10 min", temperature_c=37)
        reading = yield from bench.read_fluorescence(plate, 485, 520)
    return {"first": reading[wells[0]], "mean": Measured.of(reading.of(wells), "counts")}
"""


class TestSteps:
    def test_a_loop_over_wells_is_a_step_for_each(self):
        walked = Tried(script(DILUTE)).dry()
        assert walked.problems == ()
        assert targets(walked) == [
            ("assay_1", "A1", 200.0),
            *(("assay_1", f"A{n}", 100.0) for n in (2, 3, 4)),
        ]

    def test_a_plate_is_fetched_once_for_neighbouring_steps_and_is_home_before_another_device(self):
        assert actions(Tried(script(DILUTE)).dry()) == [
            "arm move",
            "handler add_reagent",
            *["handler distribute"] * 4,
            "arm move",
            "arm move",
            "reader fluorescence",
            "arm move",
        ]

    def test_a_condition_on_a_reading_is_walked_both_ways(self):
        tried = Tried(script(DILUTE))
        low, high = tried.dry(imagined=0.0), tried.dry(imagined=1.0)
        assert "shaker incubate" not in actions(low)
        assert actions(high).count("reader fluorescence") == 2
        assert low.problems == high.problems == ()

    def test_every_step_knows_the_line_that_asks_for_it(self):
        lines: list[int] = []
        tried = Tried(script(DILUTE))
        commands_of(tried.plan(lines=lines))
        # line 1 is the import; the transfers stand in lines 7 and 9 of the file
        assert lines == [6, 6, 7, 9, 9, 9, 10, 10, 10, 10]

    def test_the_plates_that_it_takes_are_settled_when_the_run_is_laid_out(self):
        layout = Tried(script(DILUTE)).layout
        assert layout.labware == {"plate_1": "assay_1"}
        assert {use.well: use.content for use in layout.wells}["A2"] == "assay_buffer+reporter"
        assert all(use.experiment_id == "exp_0" and use.sample_id for use in layout.wells)

    def test_from_several_wells_into_as_many_and_volumes_for_each(self):
        tried = Tried(
            script(
                """
@protocol
def mine(bench, plate: Plate):
    yield from bench.transfer([10, 20], "assay_buffer", [plate["A1"], plate["A2"]])
    yield from bench.transfer(5, [plate["A1"], plate["A2"]], [plate["B1"], plate["B2"]])
"""
            )
        )
        assert targets(tried.dry()) == [
            ("assay_1", "A1", 10.0),
            ("assay_1", "A2", 20.0),
            ("assay_1", "B1", 5.0),
            ("assay_1", "B2", 5.0),
        ]

    def test_heating_seals_the_plate_and_the_lid_goes_home(self):
        tried = Tried(
            script(
                """
@protocol
def mine(bench, plate: Plate):
    yield from bench.add(50, "assay_buffer", plate, "A1")
    yield from bench.heat(plate, "5 min", temperature_c=80)
"""
            )
        )
        walked = tried.dry()
        assert walked.problems == ()
        assert actions(walked)[3:] == [
            "thermocycler open_lid",
            "arm move",
            "arm put_lid",
            "thermocycler heat",
            "thermocycler open_lid",
            "arm take_lid",
            "arm move",
        ]

    def test_any_verb_of_any_device_is_a_step(self):
        tried = Tried(
            script(
                """
from devices.thermocycler import OpenLid

@protocol
def mine(bench, plate: Plate):
    yield from bench.do("thermocycler", OpenLid())
"""
            )
        )
        assert actions(tried.dry()) == ["thermocycler open_lid"]

    def test_what_an_instrument_gives_back_is_its_own_even_where_that_is_nothing(self):
        tried = Tried(
            script(
                """
from devices.thermocycler import OpenLid

@protocol
def mine(bench, plate: Plate):
    result = yield from bench.do("thermocycler", OpenLid())
    try:
        count = result["count"]
    except KeyError:
        yield from bench.add(50, "assay_buffer", plate, "A1")
"""
            )
        )
        assert actions(tried.dry()) == ["thermocycler open_lid"]
        plan = tried.plan()
        asked = []
        answer: Any = None
        with suppress(StopIteration):
            while True:
                msg = plan.send(answer)
                answer = None
                if msg.command == "step_begin":
                    asked.append(msg.args[0].verb)
                    answer = Ticket(key="", done=False)
                elif msg.command == "step_end":
                    answer = StepEnd(
                        again=False, result={}
                    )  # from the journal of a verb that has nothing to say
        assert "add_reagent" in asked

    def test_another_protocol_can_be_a_part(self):
        both = script(
            """
@protocol
def part(bench, plate: Plate, well: Wells = "A1"):
    yield from bench.add(50, "assay_buffer", plate, well)
    return 7.0

@protocol
def mine(bench, plate: Plate):
    seven = yield from part(bench, plate, "B1")
    yield from bench.mix(plate, "B1", volume_ul=20)
    return {"seven": seven}
""",
            function="mine",
        )
        assert actions(Tried(both).dry())[1:3] == ["handler add_reagent", "handler mix"]

    def test_choices_at_random_are_the_same_in_every_walk(self):
        tried = Tried(
            script(
                """
@protocol
def mine(bench, plate: Plate):
    for well in bench.rng.permutation(plate.wells)[:8]:
        yield from bench.transfer(10, "assay_buffer", plate[str(well)])
"""
            )
        )
        first = targets(tried.dry())
        assert first == targets(tried.dry())
        assert [well for _, well, _ in first] != sorted(well for _, well, _ in first)

    def test_a_reading_knows_its_wells_and_their_mean(self):
        tried = Tried(
            script(
                """
@protocol
def mine(bench, plate: Plate):
    reading = yield from bench.read_absorbance(plate, 600, cycles=3, interval_s=60)
    same = reading["A1"]
    assert reading.of("A1:B1") == [same, same] and reading.mean("all") == same
    assert reading.traces["H12"] == (same, same, same) and len(reading) == 96
    yield from bench.wait("1 h")
"""
            )
        )
        assert tried.dry(imagined=1.0).duration_s > 3600


class TestBranches:
    TWO = """
def fill(bench, plate, wells):
    for well in wells:
        yield from bench.transfer(10, "assay_buffer", plate[well])
    return len(wells)

@protocol
def mine(bench, plate: Plate, other: Plate):
    counts = yield from bench.in_turns(fill(bench, plate, ["A1", "A2", "A3"]), fill(bench, other, ["B1"]))
    return {"first": counts[0], "second": counts[1]}
"""

    def test_take_turns_action_by_action(self):
        walked = Tried(script(self.TWO)).dry()
        assert [(plate, well) for plate, well, _ in targets(walked)] == [
            ("assay_1", "A1"),
            ("assay_2", "B1"),
            ("assay_1", "A2"),
            ("assay_1", "A3"),
        ]
        assert walked.problems == ()

    def test_give_back_what_they_returned(self):
        tried = Tried(script(self.TWO))
        assert tried.script.foreseen(tried.batch, tried.campaign, tried.bench, tried.parameters) == (
            "first",
            "second",
        )

    def test_within_branches_take_turns_too(self):
        tried = Tried(
            script(
                """
def one(bench, plate, well):
    yield from bench.transfer(10, "assay_buffer", plate[well])
    yield from bench.transfer(10, "assay_buffer", plate[well])

def inner(bench, plate):
    yield from bench.in_turns(one(bench, plate, "A1"), one(bench, plate, "A2"))

@protocol
def mine(bench, plate: Plate):
    yield from bench.in_turns(inner(bench, plate), one(bench, plate, "B1"))
"""
            )
        )
        assert sorted(well for _, well, _ in targets(tried.dry())) == ["A1", "A1", "A2", "A2", "B1", "B1"]
        assert targets(tried.dry()) == targets(tried.dry())

    def test_that_fail_name_their_line(self):
        with pytest.raises(BadInput) as wrong:
            Tried(
                script(
                    """
def broken(bench, plate):
    yield from bench.transfer(10, "assay_buffer", plate["A1"])
    return 1 / 0

@protocol
def mine(bench, plate: Plate):
    yield from bench.in_turns(broken(bench, plate))
"""
                )
            )
        assert wrong.value.line == 4


class TestRefused:
    """Each is a mistake that a person makes, and is told with the line where it was made."""

    def test_an_action_outside_a_step_at_the_dry_run_and_at_execution(self):
        made = script(
            """
from bluesky.utils import Msg
from devices.thermocycler import OpenLid

@protocol
def mine(bench, plate: Plate):
    yield from bench.add(10, "assay_buffer", plate, "A1")
    yield Msg("set", bench._workcell.devices["thermocycler"].open_lid, OpenLid()) if bench._workcell else Msg("null")
"""
        )
        tried = Tried(made)
        with pytest.raises(ActionOutsideStep, match=r"outside a step.*\(mine\.py, line 8\)"):
            tried.dry()
        with LabClock(virtual=True) as clock:
            engine = PaperEngine(clock, tried.bench)
            with pytest.raises(ActionOutsideStep, match=r"mine\.py, line 8"):
                engine.carry_out(tried.plan())
        assert tried.workcell.devices["thermocycler"].open_lid.sent == []
        assert engine.released >= 1

    def test_an_action_outside_a_step_whose_refusal_is_passed_over(self):
        made = script(
            """
from bluesky.utils import Msg

@protocol
def mine(bench, plate: Plate):
    try:
        yield Msg("set", plate) if bench._workcell else Msg("null")
    except Exception:
        pass
    yield from bench.add(10, "assay_buffer", plate, "A1")
"""
        )
        with pytest.raises(ActionOutsideStep, match="outside a step"):
            Tried(made).dry()

    def test_a_step_without_yield_from(self):
        with pytest.raises(ActionOutsideStep, match=r"line 5 is no step yet.*yield from bench\.transfer"):
            Tried(
                script(
                    """
@protocol
def mine(bench, plate: Plate):
    yield from bench.add(10, "assay_buffer", plate, "A1")
    bench.transfer(10, plate["A1"], plate["A2"])
"""
                )
            )

    def test_a_reading_that_nobody_waited_for(self):
        with pytest.raises(ActionOutsideStep, match=r"yield from bench\.read_absorbance"):
            Tried(
                script(
                    """
@protocol
def mine(bench, plate: Plate):
    reading = bench.read_absorbance(plate, 600)
    yield from bench.wait(reading["A1"])
"""
                )
            )

    def test_a_loop_that_never_ends(self):
        with pytest.raises(Infeasible, match="more than 5,000 actions") as wrong:
            Tried(
                script(
                    """
@protocol
def mine(bench, plate: Plate):
    density = 0.0
    while density < 2:
        reading = yield from bench.read_absorbance(plate, 600)
        density = reading["A1"]
"""
                )
            ).dry()
        assert "line 6" in str(wrong.value)

    def test_a_mistake_of_python(self):
        with pytest.raises(BadInput) as wrong:
            Tried(
                script(
                    """
@protocol
def mine(bench, plate: Plate):
    reading = yield from bench.read_absorbance(plate, 600)
    yield from bench.wait(reading["Z9"])
"""
                )
            )
        assert "KeyError: 'Z9'" in wrong.value.reason
        assert (str(wrong.value.file), wrong.value.line) == ("mine.py", 5)

    @pytest.mark.parametrize(
        ("action", "problem"),
        [
            ('bench.add(10, "gold", plate, "A1")', "Nothing on the bench holds gold"),
            ('bench.transfer(900, "assay_buffer", plate["A1"])', "No tip on the bench holds"),
            ('bench.transfer(10, plate["A1"], plate["A2"])', "can give 0 ul"),
            ('bench.add(250, "assay_buffer", plate, "A1")', "more than its 200 ul"),
            ('bench.mix(plate, "A1", volume_ul=50)', "too little to draw up"),
            ("bench.read_fluorescence(plate, 520, 485)", "is not emitted"),
            ('bench.read_absorbance(bench.plate("nowhere"), 600)', "no plate nowhere"),
            ("bench.wait(bench.fresh_plates(99))", "No unused plate is left"),
        ],
    )
    def test_what_the_bench_can_not_do(self, action: str, problem: str):
        made = script(f"@protocol\ndef mine(bench, plate: Plate):\n    yield from {action}\n")
        try:
            problems = Tried(made).dry().problems
        except Infeasible as wrong:
            problems = wrong.problems
        assert any(problem in one for one in problems), problems

    def test_a_plate_that_only_some_readings_lead_to(self):
        made = script(
            """
@protocol
def mine(bench, plate: Plate):
    reading = yield from bench.read_absorbance(plate, 600)
    if 2 < reading["A1"] < 3:
        yield from bench.add(10, "assay_buffer", bench.fresh_plate(), "A1")
"""
        )
        tried = Tried(made)
        with pytest.raises(Infeasible, match="its dry run did not take"):
            commands_of(tried.plan(imagined=2.5))

    @pytest.mark.parametrize("returned", ['"text"', '{"a": "text"}', "[1, 2]", '{"a": True}'])
    def test_what_is_no_result(self, returned: str):
        with pytest.raises(BadInput):
            Tried(
                script(f"@protocol\ndef mine(bench):\n    yield from bench.wait(1)\n    return {returned}\n")
            )

    @pytest.mark.parametrize(
        "call",
        [
            'bench.add("ten", "assay_buffer", plate, "A1")',
            'bench.add("10 kg", "assay_buffer", plate, "A1")',
            'bench.transfer([1, 2], "assay_buffer", plate["A1"])',
            'bench.transfer(1, [plate["A1"]], [plate["A2"], plate["A3"]])',
            'bench.incubate(plate, "soon", temperature_c=37)',
            'bench.do("thermocycler", "heat", plate=plate, warmth=5)',
            'plate["Q7"]',
        ],
    )
    def test_values_that_mean_nothing(self, call: str):
        made = script(f"@protocol\ndef mine(bench, plate: Plate):\n    yield from {call}\n")
        with pytest.raises(BadInput) as wrong:
            Tried(made).dry()
        assert "Traceback" not in str(wrong.value)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as virtual:
        yield virtual


class TestCarriedOut:
    """On a run engine, with a reader that shows what the test says."""

    def shows(self, tried: Tried, value: float) -> None:
        values = np.full(96, value)
        reader = tried.workcell.devices["reader"]
        reader.optics = lambda plate: (values, np.zeros(96, dtype=bool))
        result = {
            "rows": 8,
            "columns": 12,
            "lab_time_s": 5.0,
            "cycles": [values.tolist()],
            "saturated": [False] * 96,
            "excitation_nm": 485.0,
        }
        reader.fluorescence.result = lambda: {"plate": "assay_1", **result}

    def test_a_reading_comes_back_as_a_value_and_leads_the_way(self, clock: LabClock):
        for value, incubations in ((0.1, 0), (0.9, 1)):
            tried = Tried(script(DILUTE))
            self.shows(tried, value)
            engine = PaperEngine(clock, tried.bench)
            documents = engine.carry_out(tried.plan())
            assert len(tried.workcell.devices["shaker"].incubate.sent) == incubations
            returned = returned_of(documents)
            assert returned["first"][0] == value
            assert returned["mean"][2:4] == ["counts", 4]

    def test_a_resumed_run_is_led_by_what_was_read_before(self, clock: LabClock):
        tried = Tried(script(DILUTE))
        self.shows(tried, 0.9)
        engine = PaperEngine(clock, tried.bench, stop_before=12)
        with pytest.raises(RunStopped):
            engine.carry_out(tried.plan())
        self.shows(tried, 0.1)  # the second reading, once the run goes on
        engine.stop_before = None
        documents = engine.carry_out(tried.plan())
        assert len(tried.workcell.devices["shaker"].incubate.sent) == 1
        assert len(tried.workcell.devices["handler"].distribute.sent) == 4
        assert returned_of(documents)["first"][0] == 0.1

    def test_a_fault_that_the_protocol_passes_over_holds_the_run_all_the_same(self, clock: LabClock):
        tried = Tried(
            script(
                """
@protocol
def mine(bench, plate: Plate):
    try:
        yield from bench.incubate(plate, 60, temperature_c=37)
    except Exception:
        pass
    yield from bench.add(10, "assay_buffer", plate, "A1")
"""
            )
        )

        def fails(command: object) -> object:
            raise RuntimeError("the shaker is on fire")

        tried.workcell.devices["shaker"].incubate.set = fails
        engine = PaperEngine(clock, tried.bench)
        with pytest.raises(RunHeld, match="on fire"):
            engine.carry_out(tried.plan())
        assert tried.workcell.devices["handler"].add_reagent.sent == []

    def test_without_a_result_the_readings_are_counted(self, clock: LabClock):
        tried = Tried(
            script(
                "@protocol\ndef mine(bench, plate: Plate):\n    yield from bench.read_fluorescence(plate, 485, 520)\n"
            )
        )
        self.shows(tried, 3.0)
        observations = self.observations(tried, clock)
        assert [(o.target, o.value, o.quality.ok) for o in observations] == [("readings", 1.0, True)]

    def test_results_become_observations_with_their_error_and_unit(self, clock: LabClock):
        tried = Tried(script(DILUTE))
        self.shows(tried, 0.25)
        found = {o.target: o for o in self.observations(tried, clock)}
        assert (found["first"].value, found["mean"].value) == (0.25, 0.25)
        assert (found["mean"].unit, found["mean"].replicates, found["mean"].standard_error) == (
            "counts",
            4,
            0.0,
        )
        assert np.isnan(found["first"].standard_error)
        assert {o.origin for o in found.values()} == {Origin.TWIN}

    def observations(self, tried: Tried, clock: LabClock):
        documents = PaperEngine(clock, tried.bench).carry_out(tried.plan())
        record = RunRecord(
            run_id="run_1", layout=tried.layout, documents=tuple(documents), origin=Origin.TWIN
        )
        return tried.script.analyse(record, tried.batch, tried.campaign, tried.parameters)


CAMPAIGN = """
@protocol(measures="signal")
def assay(bench, samples: Samples, replicates: int = 3):
    plate = bench.fresh_plate()
    wells = bench.place(samples, plate, replicates)
    for sample in samples:
        yield from bench.transfer(20, sample.source, [plate[well] for well in wells[sample.id]])
    reading = yield from bench.read_absorbance(plate, 600)
    return {sample.id: {"signal": Measured.of(reading.of(wells[sample.id]))} for sample in samples}
"""


class TestAsThePlanOfACampaign:
    def test_every_candidate_of_the_batch_and_the_reference_get_their_wells(self):
        tried = Tried(script(CAMPAIGN), batch=make_batch(4), bench=make_bench())
        walked = tried.dry()
        assert walked.problems == ()
        assert len(targets(walked)) == 5 * 3
        uses = tried.layout.wells
        assert [sum(use.experiment_id == f"exp_{n}" for use in uses) for n in range(4)] == [3, 3, 3, 3]
        assert sum(use.kind == "reference" and use.content == "WT" for use in uses) == 3

    def test_each_candidate_has_its_own_result(self):
        tried = Tried(script(CAMPAIGN), batch=make_batch(2))
        names = [experiment.candidate.id for experiment in tried.batch.experiments]
        returned = {name: {"signal": [n + 1.0, 0.1, "1", 3, ""]} for n, name in enumerate((*names, "WT"))}
        observations = tried.script.analyse(
            record_of(tried, returned), tried.batch, tried.campaign, tried.parameters
        )
        assert [(o.experiment_id, o.target, o.value) for o in observations] == [
            ("exp_0", "signal", 1.0),
            ("exp_1", "signal", 2.0),
        ]
        assert all(o.sample_id for o in observations)

    def test_a_candidate_without_a_result_is_flagged_and_not_dropped(self):
        tried = Tried(script(CAMPAIGN), batch=make_batch(2))
        first = tried.batch.experiments[0].candidate.id
        returned = {first: {"signal": [1.0, 0.1, "1", 3, ""]}}
        _, second = tried.script.analyse(
            record_of(tried, returned), tried.batch, tried.campaign, tried.parameters
        )
        assert (second.target, second.quality.ok) == ("signal", False)

    def test_an_analysis_of_its_own_works_from_the_recorded_readings(self):
        made = script(
            CAMPAIGN
            + """
@assay.analyse_with
def signal(run, replicates):
    return {sample: {"signal": replicates * sum(run.values(sample))} for sample in run.samples}
"""
        )
        tried = Tried(made, batch=make_batch(1))
        record = record_of(tried, {}, reading=2.0)
        (observation,) = made.analyse(record, tried.batch, tried.campaign, tried.parameters)
        assert observation.value == 3 * (3 * 2.0)

    def test_barred_samples_do_not_count_in_an_analysis(self):
        made = script(
            CAMPAIGN
            + """
@assay.analyse_with
def signal(run):
    return {sample: {"signal": len(run.values(sample))} for sample in run.samples}
"""
        )
        tried = Tried(made, batch=make_batch(1))
        mine = [use.sample_id for use in tried.layout.wells if use.experiment_id == "exp_0"]
        record = record_of(tried, {}, reading=2.0, barred={mine[0]: "fell on the floor"})
        (observation,) = made.analyse(record, tried.batch, tried.campaign, tried.parameters)
        assert observation.value == 2.0


def record_of(
    tried: Tried, returned: object, *, reading: float | None = None, barred: dict[str, str] | None = None
) -> RunRecord:
    """What a run would leave that gave this back, and read the same in all wells of its plate."""
    import json

    documents: list[tuple[str, dict]] = [
        ("descriptor", {"uid": "d1", "name": "returned", "configuration": {}}),
        ("event", {"descriptor": "d1", "data": {"protocol-returned": json.dumps(returned)}}),
    ]
    if reading is not None:
        data = {
            "reader-plate": tried.layout.labware["plate_1"],
            "reader-mode": "absorbance",
            "reader-value": np.full(96, reading),
            "reader-saturated": np.zeros(96, dtype=bool),
            "reader-lab_time_s": 7.0,
        }
        shape = {"reader": {"data": {"reader-rows": 8, "reader-columns": 12}}}
        documents += [
            ("descriptor", {"uid": "d2", "name": "absorbance", "configuration": shape}),
            ("event", {"descriptor": "d2", "data": data}),
        ]
        assert readings_of(documents)[0]["H12"] == reading
    return RunRecord(
        run_id="run_1",
        layout=tried.layout,
        documents=tuple(documents),
        origin=Origin.REPLAY,
        barred=barred or {},
    )
