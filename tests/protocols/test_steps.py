"""Step stubs, carried out by a run engine."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest
from bluesky.utils import FailedStatus, Msg

from devices.plate_hotel import Move
from lab.clock import LabClock
from lab.errors import InstrumentError, RunHeld, RunStopped
from lab.interfaces import Command, StepEnd, Ticket, Workcell
from protocols import steps
from tests.protocols.bench import Done, make_bench, paper_workcell
from tests.protocols.paper_engine import PaperEngine

Plan = Generator[Msg, Any, Any]


@pytest.fixture
def workcell() -> Workcell:
    found = paper_workcell(make_bench())
    found.devices["reader"].optics = lambda plate: (np.arange(96.0), np.zeros(96, dtype=bool))
    return found


@pytest.fixture
def engine(workcell: Workcell) -> Iterator[PaperEngine]:
    with LabClock(virtual=True) as clock:
        yield PaperEngine(clock, workcell.bench)


class Failed(Done):
    """A status that ended with a fault."""

    success = False

    def exception(self, timeout: float | None = 0.0) -> BaseException | None:
        return InstrumentError("gripper lost the plate.", device="arm")


def there_and_back(workcell: Workcell) -> Plan:
    yield from steps.move(workcell, "assay_1", "reader")
    yield from steps.read_fluorescence(workcell, "assay_1", excitation_nm=480, emission_nm=540, gain=1000)
    yield from steps.move(workcell, "assay_1", "hotel_3")


def test_a_step_is_bracketed_and_sends_its_command_once(workcell: Workcell) -> None:
    move = workcell.devices["arm"].move
    command = Move(labware="assay_1", destination="reader")
    plan = steps.act(move, command)
    begin = plan.send(None)
    assert (begin.command, begin.obj, begin.args) == ("step_begin", move, (command,))
    ticket = Ticket(key="k", done=False)
    setting = plan.send(ticket)
    assert (setting.command, setting.obj, setting.args) == ("set", move, (command,))
    assert plan.send(Done()).command == "wait"
    end = plan.send(None)
    assert (end.command, end.obj, end.args, end.kwargs) == ("step_end", move, (ticket,), {"error": None})
    with pytest.raises(StopIteration) as over:
        plan.send(StepEnd(again=False, result={"held_c": 75.1}))
    assert over.value.value == {"held_c": 75.1}


def test_a_done_step_sends_nothing_and_gives_its_recorded_result(workcell: Workcell) -> None:
    plan = steps.act(workcell.devices["arm"].move, Move(labware="assay_1", destination="reader"))
    plan.send(None)
    with pytest.raises(StopIteration) as over:
        plan.send(Ticket(key="k", done=True, result={"number": 1}))
    assert over.value.value == {"number": 1}


def test_a_run_leaves_every_step_in_the_journal_and_the_reading_in_an_event(
    engine: PaperEngine, workcell: Workcell
) -> None:
    documents = engine.carry_out(there_and_back(workcell))
    assert [(device, command.verb) for device, command, _ in engine.done] == [
        ("arm", "move"),
        ("reader", "fluorescence"),
        ("arm", "move"),
    ]
    names = [name for name, _ in documents]
    assert names == ["start", "descriptor", "event", "stop"]
    assert documents[1][1]["name"] == "fluorescence"
    assert documents[2][1]["data"]["reader-plate"] == "assay_1"


def test_a_resumed_run_does_nothing_twice_and_emits_the_reading_again(
    engine: PaperEngine, workcell: Workcell
) -> None:
    engine.stop_before = 3
    with pytest.raises(RunStopped):
        engine.carry_out(there_and_back(workcell))
    first = [body for name, body in engine.documents if name == "event"]
    engine.stop_before = None
    second = [body for name, body in engine.carry_out(there_and_back(workcell)) if name == "event"]
    assert [
        len(workcell.devices[d].__dict__[v].sent) for d, v in (("arm", "move"), ("reader", "fluorescence"))
    ] == [2, 1]
    (restored,) = workcell.devices["reader"].fluorescence.restored
    assert restored["plate"] == "assay_1"
    assert [event["data"]["reader-plate"] for event in second] == ["assay_1"]
    assert list(second[0]["data"]["reader-value"]) == list(first[0]["data"]["reader-value"])


def test_a_failed_step_is_journaled_with_its_fault_and_ends_the_plan(
    engine: PaperEngine, workcell: Workcell
) -> None:
    workcell.devices["arm"].move.set = lambda command: Failed()
    with pytest.raises(RunHeld) as held:
        engine.carry_out(there_and_back(workcell))
    assert isinstance(held.value.__cause__, FailedStatus)
    assert isinstance(held.value.__cause__.__cause__, InstrumentError)
    assert engine.failed == ["arm: gripper lost the plate."]
    assert engine.done == []


def test_a_command_that_cannot_be_sent_is_journaled_as_failed(
    engine: PaperEngine, workcell: Workcell
) -> None:
    def refuse(command: Command) -> Done:
        raise InstrumentError("the port is closed.", device="arm")

    workcell.devices["arm"].move.set = refuse
    with pytest.raises(RunHeld) as held:
        engine.carry_out(there_and_back(workcell))
    assert isinstance(held.value.__cause__, InstrumentError)
    assert engine.failed == ["arm: the port is closed."]


def test_a_section_claims_its_places_and_gives_them_back(engine: PaperEngine, workcell: Workcell) -> None:
    engine.carry_out(steps.claimed(("reader", "lids_1"), there_and_back(workcell)))
    assert engine.claims == [("reader", "lids_1")]
    assert engine.released == 1


def test_a_section_that_fails_gives_its_places_back(engine: PaperEngine, workcell: Workcell) -> None:
    workcell.devices["arm"].move.set = lambda command: Failed()
    with pytest.raises(RunHeld):
        engine.carry_out(steps.claimed(("reader",), there_and_back(workcell)))
    assert engine.released == 1


def test_a_section_whose_places_are_not_granted_gives_nothing_back(workcell: Workcell) -> None:
    plan = steps.claimed(("reader",), there_and_back(workcell))
    assert plan.send(None).command == "claim"
    with pytest.raises(RunStopped):
        plan.throw(RunStopped("somebody asked to stop"))


def test_a_closed_section_ends_without_another_message(workcell: Workcell) -> None:
    plan = steps.claimed(("reader",), there_and_back(workcell))
    plan.send(None)
    plan.send(None)
    plan.close()


def test_a_section_gives_back_what_its_plan_gives_back(workcell: Workcell) -> None:
    def section() -> Plan:
        yield Msg("null")
        return 7

    plan = steps.claimed((), section())
    for _ in range(3):
        plan.send(None)
    with pytest.raises(StopIteration) as over:
        plan.send(None)
    assert over.value.value == 7


def test_kinetic_readings_have_a_stream_of_their_own(engine: PaperEngine, workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from steps.read_fluorescence(
            workcell, "assay_1", excitation_nm=480, emission_nm=540, gain=1000, cycles=3, interval_s=60
        )

    documents = engine.carry_out(plan())
    assert [body["name"] for name, body in documents if name == "descriptor"] == ["fluorescence_kinetic"]


def test_every_stub_sends_the_command_it_is_named_for(engine: PaperEngine, workcell: Workcell) -> None:
    def plan() -> Plan:
        yield from steps.distribute(
            workcell, source=("library_1", "A1"), targets=[("assay_1", "A1", 5)], tip_volume_ul=50
        )
        yield from steps.add_reagent(
            workcell, source=("buffer", "A1"), labware="assay_1", wells=["A1"], volume_ul=45, tip_volume_ul=50
        )
        yield from steps.mix(
            workcell, labware="assay_1", wells=["A1"], volume_ul=20, cycles=3, tip_volume_ul=50
        )
        yield from steps.open_lid(workcell)
        yield from steps.seal(workcell, "assay_1", "lid_1")
        yield from steps.close_lid(workcell)
        yield from steps.heat(workcell, "assay_1", temperature_c=75, hold_s=600)
        yield from steps.unseal(workcell, "assay_1", "lids_1")
        yield from steps.incubate(workcell, "assay_1", temperature_c=25, hold_s=60, shaking_rpm=1000)
        yield from steps.read_absorbance(workcell, "assay_1", wavelength_nm=280)

    engine.carry_out(plan())
    assert [command.verb for _, command, _ in engine.done] == [
        "distribute", "add_reagent", "mix", "open_lid", "put_lid", "close_lid", "heat", "take_lid", "incubate", "absorbance",
    ]  # fmt: skip


def test_what_a_workcell_lacks_is_said_by_device_and_by_verb(workcell: Workcell) -> None:
    del workcell.devices["reader"].absorbance
    with pytest.raises(steps.Infeasible) as refused:
        steps.require(workcell, [("centrifuge", "spin"), ("reader", "absorbance"), ("arm", "move")])
    assert refused.value.problems == (
        "This needs a centrifuge, and the workcell paper has none.",
        "The reader of the workcell paper can't do 'absorbance', which this needs.",
    )
