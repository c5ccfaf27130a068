"""Faults of instruments that answer lines: what stays of them in the instrument and in the world."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from devices.incubator.bioshake import BioShakeDialect
from devices.plate_hotel.preciseflex import TcsDialect
from devices.thermocycler.opentrons import OpentronsDialect
from devices.transport import InProcess, LineInstrument
from digital_twin.actions import BOOKKEEPING
from digital_twin.chemistry import chemistry
from digital_twin.faults import FaultRule, Moment
from digital_twin.instruments.faulty_line import NONSENSE
from digital_twin.instruments.line_faults import short_of
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import CommandTimeout, ConnectionLost, DeviceFault, FaultKind, NonsenseReply
from tests.digital_twin.seams import READY_ARM, a_line, a_world, faults_of, script

CYCLER, SHAKER, ARM = "thermocycler/opentrons", "incubator/bioshake", "plate_hotel/preciseflex"
INSTRUMENTS = {CYCLER: "thermocycler", SHAKER: "shaker", ARM: "arm"}
Conversation = Callable[[LineInstrument, World], Coroutine[Any, Any, None]]


def with_fault(
    driver: str,
    kind: FaultKind,
    where: str,
    converse: Conversation,
    *,
    at: tuple[int, ...] = (1,),
    moment: Moment = Moment.BEFORE,
) -> World:
    """Hold a conversation with an instrument that has one fault in it; gives back its world."""
    rule = FaultRule(instrument=INSTRUMENTS[driver], kind=kind, where=where, at=at, moment=moment)
    with LabClock(virtual=True) as clock:
        world = a_world(clock)
        clock.run(converse(a_line(world, driver, script(rule)), world))
    return world


def block_c(reply: str) -> float:
    found = re.search(r"\bC:(\S+)", reply)
    assert found is not None
    return float(found[1])


# ---------------------------------------------------------------------------------------------------------- temperature


def test_a_block_that_does_not_get_there_is_truly_short_until_it_is_told_again():
    async def converse(cycler: LineInstrument, world: World) -> None:
        assert await cycler.reply("M104 S75.00 H60.00") == "M104 OK"
        await asyncio.sleep(3600.0)
        asked = await cycler.reply("M105")
        assert asked.startswith("M105 T:75.00 ")
        assert asked.endswith("H:60.00 Total_H:60.00 At_target?:0 OK")
        assert block_c(asked) == pytest.approx(short_of(75.0), abs=0.1)
        assert world.temperature_c("cycler") == pytest.approx(short_of(75.0), abs=0.1)
        await cycler.reply("M18")
        await cycler.reply("M104 S75.00 H60.00")
        await asyncio.sleep(3600.0)
        assert (await cycler.reply("M105")).endswith("H:0.00 Total_H:60.00 At_target?:1 OK")
        assert world.temperature_c("cycler") == pytest.approx(75.0, abs=0.1)

    world = with_fault(CYCLER, FaultKind.TEMPERATURE, "heat", converse)
    assert len(faults_of(world)) == 1


def test_a_block_that_does_not_cool_down_stays_too_warm():
    async def converse(cycler: LineInstrument, world: World) -> None:
        await cycler.reply("M104 S75.00 H60.00")
        await asyncio.sleep(600.0)
        await cycler.reply("M104 S4.00")
        await asyncio.sleep(3600.0)
        assert block_c(await cycler.reply("M105")) == pytest.approx(short_of(4.0), abs=0.1)
        assert short_of(4.0) > 5.0

    with_fault(CYCLER, FaultKind.TEMPERATURE, "cool", converse)


def test_a_lid_that_does_not_get_hot_reports_it_until_it_is_turned_off():
    async def converse(cycler: LineInstrument, world: World) -> None:
        await cycler.reply("M140 S105.00")
        await asyncio.sleep(3600.0)
        assert await cycler.reply("M141") == f"M141 T:105.00 C:{short_of(105.0):.2f} OK"
        await cycler.reply("M18")
        await cycler.reply("M140 S105.00")
        await asyncio.sleep(3600.0)
        assert await cycler.reply("M141") == "M141 T:105.00 C:105.00 OK"

    with_fault(CYCLER, FaultKind.TEMPERATURE, "heat_lid", converse)


def test_an_adapter_that_does_not_get_there_is_truly_short_until_it_is_told_again():
    async def converse(shaker: LineInstrument, world: World) -> None:
        for line in ("setTempTarget500", "tempOn"):
            assert await shaker.reply(line) == "ok"
        await asyncio.sleep(7200.0)
        assert await shaker.reply("getTempTarget") == "50.0"
        assert float(await shaker.reply("getTempActual")) == pytest.approx(short_of(50.0), abs=0.1)
        for line in ("setTempTarget500", "tempOn"):
            await shaker.reply(line)
        await asyncio.sleep(7200.0)
        assert float(await shaker.reply("getTempActual")) == pytest.approx(50.0, abs=0.1)

    with_fault(SHAKER, FaultKind.TEMPERATURE, "incubate", converse)


# --------------------------------------------------------------------------------------------------------- lid and clamp


def test_a_jammed_lid_has_not_moved_and_opens_at_the_next_try():
    async def converse(cycler: LineInstrument, world: World) -> None:
        await cycler.reply("M127")
        with pytest.raises(DeviceFault, match="error 502"):
            OpentronsDialect().payload("M126", await cycler.reply("M126"))
        assert world.is_shut("cycler")
        assert await cycler.reply("M126") == "M126 OK"
        assert not world.is_shut("cycler")

    with_fault(CYCLER, FaultKind.LID, "open_lid", converse)


@pytest.mark.parametrize(
    ("kind", "part", "line", "code", "state"),
    [
        (FaultKind.LID, "clamp", "setElmLockPos", "e306", "9"),
        (FaultKind.LID, "release", "setElmUnlockPos", "e307", "9"),
        (FaultKind.BUSY, "clamp", "setElmLockPos", "e303", "3"),
        (FaultKind.INSTRUMENT_ERROR, "clamp", "setElmLockPos", "e301", "3"),
        (FaultKind.INSTRUMENT_ERROR, "heat", "tempOn", "e201", "3"),
        (FaultKind.INSTRUMENT_ERROR, "shake", "shakeOnWithRuntime60", "e102", "3"),
    ],
)
def test_a_shaker_that_refuses_says_why_in_its_list_and_in_its_state(kind, part, line, code, state):
    async def converse(shaker: LineInstrument, world: World) -> None:
        assert await shaker.reply(line) == "e"
        assert await shaker.reply("getErrorList") == "{" + code + "}"
        assert await shaker.reply("getElmState") == state
        assert not world.is_shut("shaker")

    with_fault(SHAKER, kind, part, converse)


def test_a_stuck_clamp_moves_when_it_is_told_again_and_its_errors_are_gone():
    async def converse(shaker: LineInstrument, world: World) -> None:
        await shaker.reply("setElmLockPos")
        await shaker.reply("tempOff")
        assert await shaker.reply("getElmState") == "9"
        assert await shaker.reply("setElmLockPos") == "ok"
        assert await shaker.reply("getElmState") == "1"
        assert await shaker.reply("getErrorList") == "{}"
        assert world.is_shut("shaker")

    with_fault(SHAKER, FaultKind.LID, "incubate", converse)


def test_a_fault_that_lasts_is_there_still_when_the_world_is_rebuilt_and_over_on_record(tmp_path: Path):
    ledger = tmp_path / "world.jsonl"
    rules = script(FaultRule(instrument="shaker", kind=FaultKind.LID, where="incubate", at=(1,)))

    async def jam(shaker: LineInstrument) -> None:
        assert await shaker.reply("setElmLockPos") == "e"

    async def go_on(shaker: LineInstrument) -> None:
        assert await shaker.reply("getElmState") == "9"
        assert await shaker.reply("getErrorList") == "{e306}"
        assert await shaker.reply("setElmLockPos") == "ok"
        assert await shaker.reply("getElmState") == "1"

    with LabClock(virtual=True) as clock:
        world = a_world(clock, ledger=ledger)
        clock.run(jam(a_line(world, SHAKER, rules)))
        world.close()
        again = World.rebuild(ledger, clock=clock, chemistry=chemistry("protein_g"))
        clock.run(go_on(a_line(again, SHAKER, rules)))
        again.close()
    noted = [one.action for one in again.ledger.actions if one.action in BOOKKEEPING]
    assert noted == ["fault", "recovered"]
    assert again.state.troubles == {}


# ------------------------------------------------------------------------------------------------------------------ arm


def test_an_arm_that_finds_nothing_leaves_the_plate_where_it_stands():
    async def converse(arm: LineInstrument, world: World) -> None:
        for line in READY_ARM:
            await arm.reply(line)
        assert await arm.reply("PickPlate 2 0 0") == "0 0"
        assert world.held("arm") is None
        assert world.at("deck_plate_1") == "assay_1"
        assert await arm.reply("PickPlate 2 0 0") == "0 -1"

    with_fault(ARM, FaultKind.GRIP, "move", converse)


def test_an_arm_that_drops_a_plate_has_taken_it_from_the_bench_for_good():
    async def converse(arm: LineInstrument, world: World) -> None:
        for line in READY_ARM:
            await arm.reply(line)
        assert await arm.reply("PickPlate 2 0 0") == "0 0"
        assert world.held("arm") is None
        assert world.at("deck_plate_1") is None
        assert world.state.pieces["assay_1"].position is None
        assert await arm.reply("PickPlate 2 0 0") == "0 0"

    world = with_fault(ARM, FaultKind.GRIP, "move", converse, moment=Moment.AFTER)
    happened = [one.action for one in world.ledger.actions]
    assert [one for one in happened if one in ("fault", "pick", "drop")] == ["fault", "pick", "drop"]


@pytest.mark.parametrize(
    ("verb", "lines"),
    [
        ("move", ("PickPlate 2 0 0", "PlacePlate 11 0 0")),
        ("put_lid", ("PickPlate 81 0 0", "PlacePlate 202 0 0")),
    ],
)
def test_an_arm_tells_plates_and_lids_apart(verb: str, lines: tuple[str, str]):
    async def converse(arm: LineInstrument, world: World) -> None:
        for line in READY_ARM:
            await arm.reply(line)
        other = ("PickPlate 81 0 0", "PlacePlate 81 0 0") if verb == "move" else ("PickPlate 2 0 0",)
        for line in other:
            assert (await arm.reply(line)).startswith("0")
        if verb == "put_lid":
            assert await arm.reply("PlacePlate 2 0 0") == "0"
        assert await arm.reply(lines[0]) == "-2852 *Invalid robot state to execute command*"
        assert await arm.reply(lines[0]) == "0 -1"
        assert await arm.reply(lines[1]) == "0"

    with_fault(ARM, FaultKind.BUSY, verb, converse)


# ----------------------------------------------------------------------------------------------------------------- wire


@pytest.mark.parametrize(("moment", "shut"), [(Moment.BEFORE, True), (Moment.AFTER, False)])
@pytest.mark.parametrize("kind", [FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT, FaultKind.NONSENSE_REPLY])
def test_what_the_instrument_did_is_a_matter_of_the_moment(kind: FaultKind, moment: Moment, shut: bool):
    async def converse(cycler: LineInstrument, world: World) -> None:
        await cycler.reply("M127")
        wire = InProcess(cycler)
        await wire.open()
        if kind is FaultKind.NONSENSE_REPLY:
            assert await wire.exchange("M126", timeout_s=60.0) == NONSENSE
        else:
            lost = ConnectionLost if kind is FaultKind.CONNECTION_LOST else CommandTimeout
            with pytest.raises(lost):
                await wire.exchange("M126", timeout_s=60.0)
        assert world.is_shut("cycler") is shut
        await wire.close()

    with_fault(CYCLER, kind, "open_lid", converse, moment=moment)


@pytest.mark.parametrize(
    ("dialect", "request_line"),
    [
        (OpentronsDialect(), "M105"),
        (OpentronsDialect(), "M126"),
        (BioShakeDialect(), "tempOn"),
        (TcsDialect(), "PickPlate 2 0 0"),
    ],
)
def test_nonsense_is_no_answer_in_any_protocol(dialect: Any, request_line: str):
    with pytest.raises(NonsenseReply):
        dialect.payload(request_line, NONSENSE)


def test_what_is_no_opportunity_reaches_the_instrument_as_it_is_and_leaves_no_trace():
    async def converse(arm: LineInstrument, world: World) -> None:
        assert await arm.reply("version") == "0 TCP Command Server 3.0C1 05-27-2021"
        assert await arm.reply("PickPlate x") == "-2800 *Warning Parameter Mismatch*"

    world = with_fault(ARM, FaultKind.GRIP, "pick", converse)
    assert world.ledger.actions == []
