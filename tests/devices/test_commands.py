"""What thermocycler, shaker and arm commands say of a bench they cannot work on, and what they change in belief."""

from __future__ import annotations

import pytest

from devices.incubator import Incubate
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.thermocycler import CloseLid, Heat, OpenLid
from lab.bench import Labware
from lab.interfaces import Command
from tests.devices.line_bench import LID, PLATE, make_bench

COMMANDS: tuple[Command, ...] = (
    Heat(plate="assay_1", temperature_c=82.0, hold_s=600.0),
    OpenLid(),
    CloseLid(),
    Incubate(plate="assay_1", temperature_c=25.0, hold_s=600.0, shaking_rpm=800.0),
    Incubate(plate="assay_1", temperature_c=25.0, hold_s=600.0, shaking_rpm=None),
    Move(labware="assay_1", destination="thermocycler"),
    PutLid(lid="lid_1", plate="assay_1"),
    TakeLid(plate="assay_1", destination="lids_1"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_the_journal_can_write_and_read_a_command_back(command: Command) -> None:
    assert type(command).from_json(command.to_json()) == command
    assert isinstance(command, Command)


@pytest.mark.parametrize("command", COMMANDS[:6], ids=repr)
def test_what_can_be_done_has_no_problems_and_a_duration(command: Command) -> None:
    bench = make_bench()
    assert tuple(command.problems(bench)) == ()
    assert command.duration_s(bench) > 0.0


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (Heat(plate="assay_9", temperature_c=82.0, hold_s=1.0), "There is no assay_9 on this bench."),
        (Heat(plate="lid_1", temperature_c=82.0, hold_s=1.0), "lid_1 is a lid, not a plate."),
        (
            Incubate(plate="x", temperature_c=25.0, hold_s=1.0, shaking_rpm=None),
            "There is no x on this bench.",
        ),
        (Move(labware="x", destination="hotel_2"), "There is no x on this bench."),
        (Move(labware="assay_1", destination="attic"), "There is no position attic on this bench."),
        (Move(labware="assay_1", destination="lids_1"), "lids_1 is occupied by lid_1."),
        (PutLid(lid="assay_1", plate="assay_1"), "assay_1 is a plate, not a lid."),
        (TakeLid(plate="assay_1", destination="hotel_2"), "assay_1 has no lid."),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_a_sentence(command: Command, sentence: str) -> None:
    assert sentence in tuple(command.problems(make_bench()))


def test_a_lid_on_a_plate_can_neither_be_moved_nor_put_on_another() -> None:
    bench = make_bench()
    PutLid(lid="lid_1", plate="assay_1").believe(bench)
    bench.labware["assay_2"] = Labware(id="assay_2", type=PLATE, position="hotel_2", home="hotel_2")
    bench.labware["lid_2"] = Labware(id="lid_2", type=LID, position="lids_1", home="lids_1")
    assert Move(labware="lid_1", destination="hotel_3").problems(bench) == (
        "lid_1 stands nowhere: it lies on a plate.",
    )
    assert tuple(PutLid(lid="lid_1", plate="assay_2").problems(bench)) == ("lid_1 lies on another plate.",)
    assert tuple(PutLid(lid="lid_2", plate="assay_1").problems(bench)) == (
        "assay_1 already has the lid lid_1.",
    )


def test_belief_follows_a_plate_and_its_lid() -> None:
    bench = make_bench()
    for command in (
        PutLid(lid="lid_1", plate="assay_1"),
        Move(labware="assay_1", destination="thermocycler"),
        TakeLid(plate="assay_1", destination="hotel_3"),
    ):
        assert tuple(command.problems(bench)) == ()
        command.believe(bench)
    assert bench.labware["assay_1"].position == "thermocycler"
    assert bench.labware["assay_1"].lid is None
    assert bench.labware["lid_1"].position == "hotel_3"


def test_arm_commands_that_are_done_have_no_problems_take_no_time_and_change_nothing() -> None:
    bench = make_bench()
    there = Move(labware="assay_1", destination="hotel_1")
    off = TakeLid(plate="assay_1", destination="lids_1")
    PutLid(lid="lid_1", plate="assay_1").believe(bench)
    on = PutLid(lid="lid_1", plate="assay_1")
    for command in (there, on):
        before = bench.to_json()
        assert tuple(command.problems(bench)) == ()
        assert command.duration_s(bench) == 0.0
        command.believe(bench)
        assert bench.to_json() == before
    off.believe(bench)
    before = bench.to_json()
    assert tuple(off.problems(bench)) == ()
    off.believe(bench)
    assert bench.to_json() == before
