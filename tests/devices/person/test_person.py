"""A person as an instrument: what is handed out and in, and what a folder can hold that nobody meant."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from devices.incubator import Incubate
from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.person import MeasureByHand, WorkByHand
from devices.person.folder import LARGEST_BYTES, SheetFolder
from devices.person.person import Desk
from devices.person.roles import PersonArm, PersonHandler, PersonReader, PersonShaker, PersonThermocycler
from devices.person.sheet import HandIn, Said
from devices.plate_hotel import Move, PutLid
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.thermocycler import Heat, OpenLid
from lab.bench import Bench
from lab.errors import BadInput, CommandBrokenOff, ConnectionLost, InstrumentError, NonsenseReply, OutOfRange
from lab.interfaces import Answer
from lab.types import Mark, Origin
from tests.devices.person.bench import handed
from tests.twin_bench import small_bench


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


WORK = WorkByHand(portions=(("library", "A1", "assay_1", "B2", 5.0),), instructions=("Shake.",))
MEASURE = MeasureByHand(plate="assay_1", quantity="turbidity", unit="NTU", wells=("B2", "B3"))


@pytest.fixture
def folder(tmp_path: Path) -> SheetFolder:
    made = SheetFolder(tmp_path / "worklists")
    made.make()
    return made


def desk(folder: SheetFolder, **more: Any) -> Desk:
    return Desk(folder=folder, poll_s=0.005, **more)


def reader(folder: SheetFolder, bench: Bench | None = None, **more: Any) -> PersonReader:
    return PersonReader("reader", desk(folder, **more), bench=bench or small_bench())


async def carried_out(verb: Any, command: Any, folder: SheetFolder, act: Callable[[str], None]) -> Any:
    """The result of a command for which ``act`` is called once its worklist is out."""
    status = verb.set(command)

    def out() -> list[str]:
        return [s.id for s in folder.sheets() if not (folder.path / s.id / "handed_in.json").exists()]

    async with asyncio.timeout(20):
        while not (out() or status.done):  # noqa: ASYNC110  (no events from a folder)
            await asyncio.sleep(0.005)
        if not status.done:
            act(out()[-1])
        await status
    return verb.result()


def hand_in(folder: SheetFolder, **more: Any) -> Callable[[str], None]:
    return lambda sheet: folder.hand_in(handed(folder.sheet(sheet), **more))


@on_a_loop
async def test_a_person_says_who_reads_and_that_it_is_by_hand(folder: SheetFolder) -> None:
    person = reader(folder)
    await person.connect()
    identity = await person.identify()
    assert identity.origin is Origin.MANUAL
    assert await person.origin.get_value() == "manual"
    await person.safe()
    await person.safe()
    await person.disconnect()


@on_a_loop
async def test_a_folder_that_can_not_be_made_is_a_lost_connection(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConnectionLost, match="no worklist can be handed out"):
        await reader(SheetFolder(tmp_path / "file" / "worklists")).identify()


@on_a_loop
async def test_a_reading_is_shown_and_wells_that_could_not_be_told_are_saturated(folder: SheetFolder) -> None:
    person = reader(folder)
    result = await carried_out(
        person.measure, MEASURE, folder, hand_in(folder, values={"B2": 1.25, "B3": "over"})
    )
    names = small_bench().labware["assay_1"].type.wells
    shown = dict(zip(names, await person.value.get_value(), strict=True))
    assert shown["B2"] == 1.25
    assert shown["A1"] != shown["A1"]  # not a number: nobody asked
    assert [n for n, over in zip(names, result["saturated"], strict=True) if over] == ["B3"]
    assert (await person.mode.get_value(), await person.unit.get_value()) == ("turbidity", "NTU")
    assert person.measure.remark() is not None
    assert folder.taken("sheet_0001")


@pytest.mark.parametrize(
    ("role", "verb", "command", "line"),
    [
        (
            PersonHandler,
            "distribute",
            Distribute(
                source_labware="library",
                source_well="A1",
                targets=(("assay_1", "A1", 4.0),),
                tip_volume_ul=50.0,
            ),
            "pipette",
        ),
        (
            PersonHandler,
            "add_reagent",
            AddReagent(
                source_labware="buffer",
                source_well="A1",
                labware="assay_1",
                wells=("A1",),
                volume_ul=9.0,
                tip_volume_ul=50.0,
            ),
            "pipette",
        ),
        (
            PersonHandler,
            "mix",
            Mix(labware="assay_1", wells=("A1",), volume_ul=9.0, cycles=3, tip_volume_ul=50.0),
            "mix",
        ),
        (PersonHandler, "work", WORK, "pipette"),
        (PersonArm, "move", Move(labware="assay_1", destination="hotel_1"), "carry"),
        (PersonArm, "put_lid", PutLid(lid="lid_1", plate="assay_1"), "seal"),
        (
            PersonShaker,
            "incubate",
            Incubate(plate="assay_1", temperature_c=30.0, hold_s=7200.0, shaking_rpm=500.0),
            "incubate",
        ),
        (PersonThermocycler, "heat", Heat(plate="assay_1", temperature_c=75.0, hold_s=600.0), "heat"),
        (PersonThermocycler, "open_lid", OpenLid(), "open the lid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@on_a_loop
async def test_every_command_is_a_worklist_that_ends_when_it_is_handed_in(
    folder: SheetFolder, role: Any, verb: str, command: Any, line: str
) -> None:
    person = role("person", desk(folder), bench=small_bench())
    result = await carried_out(getattr(person, verb), command, folder, hand_in(folder))
    assert result["by"] == "Ada"
    (sheet,) = folder.sheets()
    assert sheet.lines[0].action == line
    assert type(command).from_json(sheet.arguments) == command


@pytest.mark.parametrize(
    "command",
    [
        ReadAbsorbance(plate="library", wavelength_nm=600.0),
        ReadFluorescence(plate="library", excitation_nm=480.0, emission_nm=540.0, gain=100.0),
    ],
)
@on_a_loop
async def test_a_readers_commands_ask_for_the_wells_that_hold_something(
    folder: SheetFolder, command: Any
) -> None:
    values = dict.fromkeys(("A1", "B1", "C1", "D1"), 0.5)
    person = reader(folder)
    await carried_out(getattr(person, command.verb), command, folder, hand_in(folder, values=values))
    (sheet,) = folder.sheets()
    assert sheet.asks is not None
    assert sheet.asks.wells == tuple(values)


@on_a_loop
async def test_a_kinetic_measurement_and_too_large_a_volume_are_refused_before_a_worklist_is_written(
    folder: SheetFolder,
) -> None:
    person = reader(folder)
    with pytest.raises(OutOfRange):
        await person.absorbance.set(
            ReadAbsorbance(plate="library", wavelength_nm=600.0, cycles=5, interval_s=60.0)
        )
    handler = PersonHandler("handler", desk(folder), bench=small_bench(), limits={"volume_ul": (1.0, 4.0)})
    with pytest.raises(OutOfRange):
        await handler.work.set(WORK)
    assert folder.sheets() == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"sheet": "sheet_0001"}',
        json.dumps({"sheet": "sheet_0002", "said": "done", "by": "Ada", "at_utc": "now"}).encode(),
        json.dumps({"sheet": "sheet_0001", "said": "maybe", "by": "Ada", "at_utc": "now"}).encode(),
        json.dumps({"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "now"}).encode(),
        b'{"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "x", "values": {"B2": NaN, "B3": 1}}',
        b'{"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "x", "values": {"B2": true, "B3": 1}}',
        b'{"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "x", "values": {"B2": "1", "B3": 1}}',
        b'{"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "x", "values": {"B2": 9e9, "B3": 1}}',
        b'{"sheet": "sheet_0001", "said": "done", "by": "Ada", "at_utc": "x", "values": {"B2": 1, "B3": 1, "C1": 1}}',
        b" " * (LARGEST_BYTES + 1),
    ],
    ids=lambda raw: raw[:60].decode(errors="replace"),
)
@on_a_loop
async def test_whatever_lies_in_the_folder_gives_a_fault_and_never_a_number(
    folder: SheetFolder, raw: bytes
) -> None:
    person = reader(folder, lowest=0.0, highest=100.0)
    with pytest.raises(NonsenseReply):
        await carried_out(
            person.measure,
            MEASURE,
            folder,
            lambda sheet: _put(folder.path / sheet / "handed_in.json", raw),
        )
    assert person.measure.result() is None
    marks = [Mark(name="hand_out", details={"sheet": "sheet_0001"}, lab_time_s=0.0)]
    found = await person.measure.reconcile(MEASURE, marks)
    assert found.answer is Answer.NOT_DONE  # it can be measured again, on a worklist of its own
    after = await carried_out(person.measure, MEASURE, folder, hand_in(folder, values={"B2": 1.0, "B3": 2.0}))
    assert after["sheet"] == "sheet_0002"


def _put(path: Path, raw: bytes) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_bytes(raw)
    beside.rename(path)


@on_a_loop
async def test_a_damaged_answer_about_work_leaves_it_unknown(folder: SheetFolder) -> None:
    person = PersonHandler("handler", desk(folder), bench=small_bench())
    with pytest.raises(NonsenseReply):
        await carried_out(
            person.work, WORK, folder, lambda sheet: _put(folder.path / sheet / "handed_in.json", b"{")
        )
    marks = [Mark(name="hand_out", details={"sheet": "sheet_0001"}, lab_time_s=0.0)]
    assert (await person.work.reconcile(WORK, marks)).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("said", "answer"),
    [("done", Answer.DONE), ("not-done", Answer.NOT_DONE), ("unsure", Answer.UNKNOWN)],
)
@on_a_loop
async def test_what_came_of_work_is_what_the_person_says(
    folder: SheetFolder, said: str, answer: Answer
) -> None:
    person = PersonHandler("handler", desk(folder), bench=small_bench())
    if said == "done":
        await carried_out(person.work, WORK, folder, hand_in(folder))
    else:
        with pytest.raises(InstrumentError, match="Ada says that sheet_0001"):
            await carried_out(person.work, WORK, folder, hand_in(folder, said=said))
    marks = [Mark(name="hand_out", details={"sheet": "sheet_0001"}, lab_time_s=0.0)]
    found = await person.work.reconcile(WORK, marks)
    assert found.answer is answer
    assert "Ada" in found.sentence


@on_a_loop
async def test_before_a_worklist_is_out_nothing_was_done(folder: SheetFolder) -> None:
    person = PersonHandler("handler", desk(folder), bench=small_bench())
    assert (await person.work.reconcile(WORK, [])).answer is Answer.NOT_DONE
    reserved = [Mark(name="hand_out", details={"sheet": folder_reserved(folder)}, lab_time_s=0.0)]
    assert (await person.work.reconcile(WORK, reserved)).answer is Answer.NOT_DONE


def folder_reserved(folder: SheetFolder) -> str:
    return folder.reserve()


@on_a_loop
async def test_a_worklist_is_handed_in_once_and_with_what_it_asks_for(folder: SheetFolder) -> None:
    person = reader(folder)

    def twice(sheet: str) -> None:
        with pytest.raises(BadInput, match="No number for B3"):
            folder.hand_in(handed(folder.sheet(sheet), {"B2": 1.0}))
        folder.hand_in(handed(folder.sheet(sheet), {"B2": 1.0, "B3": 2.0}))
        with pytest.raises(BadInput, match="handed in before, as done by Ada"):
            folder.hand_in(handed(folder.sheet(sheet), {"B2": 3.0, "B3": 4.0}))

    result = await carried_out(person.measure, MEASURE, folder, twice)
    assert [v for v in result["cycles"][0] if v is not None] == [1.0, 2.0]
    with pytest.raises(BadInput, match="There is no worklist sheet_0009"):
        folder.hand_in(HandIn(sheet="sheet_0009", said=Said.DONE, by="Ada", at_utc="now"))
    with pytest.raises(BadInput, match="There is no worklist"):
        folder.sheet("../sheet_0001")


def engaged_as(verb: Any, step: str) -> None:
    async def mark(name: str, details: object) -> None: ...

    verb.engage(token=1, limit_s=60.0, mark=mark, step=step)


@on_a_loop
async def test_numbers_for_one_step_never_count_for_an_identical_one(folder: SheetFolder) -> None:
    person = reader(folder)
    first = person_step(person, folder, "bat_1/1/main/4/measure/0f")
    with pytest.raises(CommandBrokenOff):
        await first
    folder.hand_in(handed(folder.sheet("sheet_0001"), {"B2": 1.0, "B3": 2.0}))
    engaged_as(person.measure, "bat_2/1/main/4/measure/0f")
    other = await carried_out(person.measure, MEASURE, folder, hand_in(folder, values={"B2": 5.0, "B3": 6.0}))
    assert other["sheet"] == "sheet_0002"
    engaged_as(person.measure, "bat_1/1/main/4/measure/0f")
    again = await carried_out(person.measure, MEASURE, folder, lambda sheet: None)
    assert again["sheet"] == "sheet_0001"
    assert [sheet.step[:5] for sheet in folder.sheets()] == ["bat_1", "bat_2"]


async def person_step(person: PersonReader, folder: SheetFolder, step: str) -> None:
    """A step that is broken off while its worklist is out."""
    engaged_as(person.measure, step)
    status = person.measure.set(MEASURE)
    async with asyncio.timeout(20):
        while not folder.sheets():  # noqa: ASYNC110  (no events from a folder)
            await asyncio.sleep(0.005)
    person.measure.break_off("Going home.")
    await status


@on_a_loop
async def test_a_worklist_of_a_step_that_is_over_is_withdrawn_once_and_what_was_handed_in_stays(
    folder: SheetFolder,
) -> None:
    person = reader(folder)
    with pytest.raises(CommandBrokenOff):
        await person_step(person, folder, "bat_1/1/main/4/measure/0f")
    marks = [Mark(name="hand_out", details={"sheet": "sheet_0001"}, lab_time_s=0.0)]
    for _ in range(2):
        await person.measure.close(MEASURE, marks, "Its run was given up.")
    answer = folder.answer("sheet_0001")
    assert answer is not None
    assert answer.said is Said.WITHDRAWN
    # Nobody may know what was done of it: the step is not asked for again by itself.
    assert (await person.measure.reconcile(MEASURE, marks)).answer is Answer.UNKNOWN
    await carried_out(person.measure, MEASURE, folder, hand_in(folder, values={"B2": 5.0, "B3": 6.0}))
    second = [Mark(name="hand_out", details={"sheet": "sheet_0002"}, lab_time_s=0.0)]
    await person.measure.close(MEASURE, second, "Its run was given up.")
    kept = folder.answer("sheet_0002")
    assert kept is not None
    assert kept.said is Said.DONE
    await person.measure.close(MEASURE, [], "Nothing was handed out.")
    assert len(folder.sheets()) == 2
