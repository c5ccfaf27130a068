"""Commands of liquid handlers: what they refuse, and what they believe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.liquid_handler.commands import by_column
from lab.bench import Bench
from lab.interfaces import Command
from tests.twin_bench import small_bench

DISTRIBUTE = Distribute(
    source_labware="library",
    source_well="A1",
    targets=(("assay_1", "A1", 5.0), ("assay_1", "B1", 5.0), ("assay_2", "A1", 5.0)),
    tip_volume_ul=50.0,
    mix_cycles=3,
)
ADD = AddReagent(
    source_labware="buffer",
    source_well="A1",
    labware="assay_1",
    wells=("A1", "B1", "A2", "C12"),
    volume_ul=45.0,
    tip_volume_ul=300.0,
)
MIX = Mix(labware="library", wells=("A1", "B1"), volume_ul=20.0, cycles=5, tip_volume_ul=50.0)


@pytest.mark.parametrize("command", [DISTRIBUTE, ADD, MIX])
def test_a_command_survives_the_journal(command: Command) -> None:
    assert type(command).from_json(json.loads(json.dumps(command.to_json()))) == command


@pytest.mark.parametrize("command", [DISTRIBUTE, ADD, MIX])
def test_a_sound_command_has_no_problems_and_takes_time(command: Command) -> None:
    bench = small_bench()
    assert not command.problems(bench)
    assert 10.0 < command.duration_s(bench) < 600.0


def test_distribute_uses_one_tip_and_draws_an_overage_that_goes_to_waste() -> None:
    bench = small_bench()
    DISTRIBUTE.believe(bench)
    assert bench.tips_left(50.0) == 2 * 96 - 1
    assert bench.well("library", "A1").volume_ul == pytest.approx(60.0 - 15.0 - 2.0)
    assert bench.well("assay_2", "A1").parts == {"WT": pytest.approx(5.0)}
    assert not bench.labware["assay_2"].clean


def test_one_portion_needs_no_overage() -> None:
    assert replace(DISTRIBUTE, targets=(("assay_1", "A1", 5.0),)).drawn_ul == 5.0


def test_adding_reagent_uses_one_tip_for_each_row() -> None:
    bench = small_bench()
    ADD.believe(bench)
    assert bench.tips_left(300.0) == 93
    assert bench.well("assay_1", "C12").parts == {"assay_buffer": pytest.approx(45.0)}
    assert bench.well("buffer", "A1").volume_ul == pytest.approx(50_000.0 - ADD.drawn_ul)


def test_a_whole_plate_is_filled_in_as_few_draws_as_the_tips_allow() -> None:
    whole = replace(ADD, wells=small_bench().labware["assay_1"].type.wells)
    assert [len(columns) for columns in whole.fills()] == [6, 6]
    assert 6 * 45.0 + whole.overage_ul <= 300.0


def test_mixing_uses_a_tip_for_each_well_and_keeps_volumes() -> None:
    bench = small_bench()
    MIX.believe(bench)
    assert bench.tips_left(50.0) == 2 * 96 - 2
    assert bench.well("library", "A1").volume_ul == 60.0


def test_a_barred_well_does_not_keep_the_others_of_its_plate_from_being_mixed() -> None:
    bench = small_bench()
    bench.bar([("library", "A2")], "It was given less than it should have.")
    assert not replace(MIX, wells=("A1", "A2")).problems(bench)
    assert replace(MIX, wells=("A2", "A3")).problems(bench) == replace(MIX, wells=("A3",)).problems(bench)


def test_wells_are_taken_column_by_column_from_the_top() -> None:
    assert by_column(["A10", "H2", "B2", "A2", "A1"]) == (("A1",), ("A2", "B2", "H2"), ("A10",))


PROBLEMS: dict[str, tuple[Command, str]] = {
    "no such labware": (replace(DISTRIBUTE, source_labware="libary"), "no libary"),
    "no such well": (replace(DISTRIBUTE, source_well="Z1"), "no well Z1"),
    "a rack has no wells": (replace(MIX, labware="tips_1"), "has no wells"),
    "nothing to do": (replace(DISTRIBUTE, targets=()), "nothing to distribute"),
    "an empty source": (replace(DISTRIBUTE, source_well="H12"), "can give 0 ul"),
    "more than the dead volume leaves": (
        replace(DISTRIBUTE, targets=(("assay_1", "A1", 28.5), ("assay_1", "B1", 28.5)), tip_volume_ul=300.0),
        "asked for 59.85 ul and can give 57 ul",
    ),
    "more than a tip holds": (
        replace(DISTRIBUTE, source_labware="buffer", source_well="A1", targets=(("assay_1", "A1", 60.0),)),
        "60 ul do not fit a tip of 50 ul",
    ),
    "a tip that nobody has": (
        replace(DISTRIBUTE, tip_volume_ul=10.0),
        "1 tips of 10 ul are needed and 0 are left",
    ),
    "an overfull well": (
        replace(
            DISTRIBUTE,
            source_labware="buffer",
            source_well="A1",
            tip_volume_ul=300.0,
            targets=(("assay_1", "A1", 120.0), ("assay_1", "A1", 120.0)),
        ),
        "would hold 240 ul, more than its 200 ul",
    ),
    "a negative portion": (replace(DISTRIBUTE, targets=(("assay_1", "A1", -1.0),)), "is no volume"),
    "mixing a negative number of times": (replace(DISTRIBUTE, mix_cycles=-1), "make no sense"),
    "no reagent": (replace(ADD, volume_ul=0.0), "nothing to add"),
    "a portion past the tip": (replace(ADD, volume_ul=298.0), "do not fit a tip of 300 ul"),
    "a well named twice": (replace(ADD, wells=("A1", "A1")), "named twice"),
    "nothing to mix": (replace(MIX, cycles=0), "nothing to mix"),
    "a stroke past what is there": (replace(MIX, wells=("A1", "A2")), "A2 of library holds 0 ul"),
    "a stroke past the tip": (replace(MIX, volume_ul=55.0), "55 ul do not fit a tip of 50 ul"),
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_what_cannot_work_is_said_in_one_sentence(what: str) -> None:
    command, sentence = PROBLEMS[what]
    problems = command.problems(small_bench())
    assert any(sentence in problem for problem in problems), problems
    assert all(problem.endswith(".") for problem in problems)


def test_a_lid_is_in_the_way() -> None:
    bench = small_bench()
    bench.put_lid("lid_1", "assay_1")
    for command in (DISTRIBUTE, ADD, replace(MIX, labware="assay_1")):
        assert any("lid lid_1 on assay_1 is in the way" in problem for problem in command.problems(bench))


def test_tips_run_out() -> None:
    bench = small_bench()
    bench.labware["tips_1"].tips, bench.labware["tips_2"].tips = [], ["H12"]
    assert not DISTRIBUTE.problems(bench)
    DISTRIBUTE.believe(bench)
    assert any("1 tips of 50 ul are needed and 0 are left" in p for p in DISTRIBUTE.problems(bench))


def total_ul(bench: Bench) -> float:
    return sum(well.volume_ul for item in bench.labware.values() for well in item.wells.values())


@settings(max_examples=60, deadline=None)
@given(
    portions=st.lists(
        st.tuples(
            st.sampled_from(["assay_1", "assay_2"]), st.sampled_from(["A1", "D6", "H12"]), st.floats(0.5, 8.0)
        ),
        min_size=1,
        max_size=5,
    )
)
def test_belief_keeps_account_of_every_microlitre(portions: list[tuple[str, str, float]]) -> None:
    bench, command = small_bench(), replace(DISTRIBUTE, targets=tuple(portions))
    before = total_ul(bench)
    command.believe(bench)
    waste_ul = command.drawn_ul - sum(ul for _, _, ul in portions)
    assert total_ul(bench) == pytest.approx(before - waste_ul)
    for item in bench.labware.values():
        for well in item.wells.values():
            assert sum(well.parts.values()) == pytest.approx(well.volume_ul)


PARTS: tuple[tuple[Command, dict[str, object]], ...] = (
    (DISTRIBUTE, {"given": 0}),
    (ADD, {"given": []}),
    (MIX, {"short": []}),
)


@pytest.mark.parametrize(("command", "rest"), PARTS, ids=lambda value: getattr(value, "verb", ""))
def test_tips_that_are_gone_already_are_not_missed_by_what_a_broken_off_command_did(
    command: Command, rest: dict[str, object]
) -> None:
    bench = small_bench()
    bench.use_tips([("tips_1", "A1")])
    command.believe_part(bench, {"tips": [["tips_1", "A1"]], "drawn_ul": 0.0, **rest})
    assert bench.tips_left(50.0) == 2 * 96 - 1


def test_what_is_brought_where_and_what_is_in_doubt() -> None:
    source = ("library", "A1")
    assert DISTRIBUTE.transfers[2] == (source, ("assay_2", "A1"), 5.0)
    assert DISTRIBUTE.draws == (source,)
    assert DISTRIBUTE.touches == (("assay_1", "A1"), ("assay_1", "B1"), ("assay_2", "A1"))
    assert ADD.draws == (("buffer", "A1"),)
    assert {place for _, place, _ in ADD.transfers} == set(ADD.touches)
    assert MIX.transfers == ()
    assert MIX.draws == MIX.touches == (("library", "A1"), ("library", "B1"))


def test_a_stroke_that_may_have_gone_with_a_tip_is_unknown_and_mixing_can_be_tried_again() -> None:
    bench, command = small_bench(), replace(MIX, volume_ul=40.0)
    command.believe_part(bench, {"tips": [["tips_1", "A1"], ["tips_1", "B1"]], "short": ["B1"]})
    short, whole = bench.well("library", "B1"), bench.well("library", "A1")
    assert (short.volume_ul, short.unknown_ul) == (20.0, 40.0)
    assert (whole.volume_ul, whole.unknown_ul) == (60.0, 0.0)
    assert not command.problems(bench)


@st.composite
def pipetting(draw: st.DrawFn) -> Distribute | AddReagent:
    wells = draw(st.lists(st.sampled_from(["A1", "B1", "C2", "A7", "H12"]), min_size=1, unique=True))
    volume_ul = draw(st.floats(0.5, 8.0))
    if draw(st.booleans()):
        return replace(ADD, source_well="A1", wells=tuple(wells), volume_ul=volume_ul, tip_volume_ul=50.0)
    return replace(DISTRIBUTE, targets=tuple(("assay_1", well, volume_ul) for well in wells))


def parts_of(command: Distribute | AddReagent, served: int, drawn_ul: float) -> dict[str, object]:
    """What a broken-off command did: all its tips used, so much drawn, so many wells served."""
    tips = small_bench().next_tips(
        1 if isinstance(command, Distribute) else len(command.rows), command.tip_volume_ul
    )
    wells = [well for column in by_column(getattr(command, "wells", ())) for well in column]
    return {
        "tips": [list(tip) for tip in tips],
        "drawn_ul": drawn_ul,
        "given": served if isinstance(command, Distribute) else wells[:served],
    }


@settings(max_examples=60, deadline=None)
@given(command=pipetting())
def test_believing_every_part_is_believing_the_command(command: Distribute | AddReagent) -> None:
    whole, in_parts = small_bench(), small_bench()
    command.believe(whole)
    part = parts_of(command, len(command.transfers), command.drawn_ul)
    command.believe_part(in_parts, json.loads(json.dumps(part)))
    assert in_parts.to_json() == whole.to_json()


@settings(max_examples=30, deadline=None)
@given(command=pipetting())
def test_believing_no_part_changes_nothing(command: Distribute | AddReagent) -> None:
    before, after = small_bench(), small_bench()
    command.believe_part(after, None)
    command.believe_part(after, {**parts_of(command, 0, 0.0), "tips": []})
    assert after.to_json() == before.to_json()


@settings(max_examples=60, deadline=None)
@given(command=pipetting(), data=st.data())
def test_what_a_part_takes_from_the_source_is_in_the_wells_or_waste(
    command: Distribute | AddReagent, data: st.DataObject
) -> None:
    bench = small_bench()
    before = total_ul(bench)
    served = data.draw(st.integers(0, len(command.transfers)))
    given_ul = sum(ul for _, _, ul in command.transfers[:served])
    drawn_ul = data.draw(st.floats(given_ul, command.drawn_ul)) if served else 0.0
    command.believe_part(bench, parts_of(command, served, drawn_ul))
    assert total_ul(bench) == pytest.approx(before - (drawn_ul - given_ul))
    for item in bench.labware.values():
        for well in item.wells.values():
            assert well.volume_ul >= 0.0
            assert sum(well.parts.values()) == pytest.approx(well.volume_ul)


def test_mixing_in_parts_is_mixing() -> None:
    whole, in_parts = small_bench(), small_bench()
    MIX.believe(whole)
    MIX.believe_part(in_parts, {"tips": [list(tip) for tip in in_parts.next_tips(2, 50.0)], "short": []})
    assert in_parts.to_json() == whole.to_json()
