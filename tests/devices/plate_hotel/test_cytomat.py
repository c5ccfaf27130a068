"""An automated store on its twin: what it does with plates and what it says of a move that was broken off, byte for byte."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from devices.plate_hotel.cytomat import Cytomat, cytomat, cytomat_driver, real_cytomat
from devices.plate_hotel.store import PlateStore
from devices.plate_hotel.store_commands import Fetch, Store
from digital_twin.faults import BEFORE_OR_AFTER, NO_FAULTS, FaultRule, FaultScript, Moment
from digital_twin.instruments.cytomat import CYTOMAT, TAKING_S, CytomatTwin
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.line_port import TwinPort
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    GripFault,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    NonsenseReply,
    OutOfRange,
    StaleLease,
)
from lab.interfaces import Answer
from tests.devices.broken_off import Breaker, try_once
from tests.devices.line_bench import Water
from tests.devices.machine_fault_benches import PLACES, store_bench
from tests.devices.taps import TappedPort

FETCH = Fetch(labware="plate_1", destination="gate")
STORE = Store(labware="plate_2", destination="slot_3")


class Rig:
    """A store in a world."""

    def __init__(self, clock: LabClock, script: FaultScript, *, at_gate: bool) -> None:
        self.clock = clock
        self.bench = store_bench(at_gate=at_gate)
        self.world = World(
            clock=clock,
            seed=7,
            ledger=None,
            bench=self.bench,
            chemistry=Water(),
            seats=dict.fromkeys(["gate", *PLACES], "storage"),
        )
        self.twin = CytomatTwin(self.world, name="incubator", places=PLACES, station="gate", nominal_c=37.0)
        self.line = FaultyLine(self.twin, CYTOMAT, world=self.world, name="incubator", script=script)

    async def store(self, *, expected_c: float | None = 37.0) -> tuple[PlateStore, TappedPort]:
        """As a new process makes it; the machine stays the same."""
        wire = TappedPort(self.line)
        device = cytomat(
            "incubator",
            cytomat_driver(Cytomat("C6002", wire), serial="TWIN-CYTOMAT-7"),
            bench=self.bench,
            station="gate",
            expected_c=expected_c,
        )
        await device.connect()
        wire.sent.clear()
        return device, wire

    def moves(self) -> list[str]:
        return [one.action for one in self.world.ledger.actions if one.action in ("pick", "place")]


def run(
    body: Callable[[Rig], Coroutine[Any, Any, None]],
    script: FaultScript = NO_FAULTS,
    *,
    at_gate: bool = False,
) -> None:
    with LabClock(virtual=True) as clock:
        clock.run(body(Rig(clock, script, at_gate=at_gate)))


def test_it_says_who_it_is_and_how_warm_it_is_and_moves_nothing_to_be_connected() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        identity = await device.identify()
        assert (identity.model, identity.origin) == ("Cytomat C6002", "twin")
        assert rig.moves() == []
        await asyncio.sleep(7200.0)
        await device.fetch.set(FETCH)
        assert await device.temperature_c.get_value() == pytest.approx(37.0, abs=0.2)

    run(body)


def test_a_plate_comes_out_of_its_place_and_goes_back_to_another() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        await device.fetch.set(FETCH)
        assert rig.world.at("gate") == "plate_1"
        assert b"mv:st 002\r\n" in wire.sent
        FETCH.believe(rig.bench)
        back = Store(labware="plate_1", destination="slot_3")
        await device.store.set(back)
        assert rig.world.at("slot_3") == "plate_1"
        assert b"mv:ts 003\r\n" in wire.sent

    run(body)


def test_what_stands_where_it_should_is_left_there() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        await device.fetch.set(FETCH)
        FETCH.believe(rig.bench)
        wire.sent.clear()
        await device.fetch.set(FETCH)
        assert wire.sent == []
        assert rig.moves() == ["pick", "place"]

    run(body)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Fetch(labware="plate_1", destination="deck"), "brings plates to gate"),
        (Fetch(labware="plate_9", destination="gate"), "no plate_9"),
        (Store(labware="plate_1", destination="gate"), "no place inside"),
        (Store(labware="plate_1", destination="slot_1"), "occupied by plate_2"),
        (Store(labware="plate_1", destination="slot_3"), "does not stand on gate"),
        (Fetch(labware="plate_1", destination="nowhere"), "no position nowhere"),
    ],
)
def test_what_it_cannot_do_is_told_at_dry_run(command: Any, reason: str) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        verb = getattr(device, command.verb)
        assert reason in " ".join(verb.problems(command, rig.bench))

    run(body)


def test_what_it_cannot_do_is_refused_before_anything_is_sent() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        with pytest.raises(OutOfRange, match="brings plates to gate"):
            await device.fetch.set(Fetch(labware="plate_1", destination="deck"))
        assert wire.sent == []

    run(body)


def test_a_station_that_is_occupied_against_belief_stops_the_step_before_it_moves() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        rig.world.state.pieces["plate_2"].position = "gate"
        with pytest.raises(InstrumentError, match="gate is occupied") as caught:
            await device.fetch.set(FETCH)
        assert caught.value.nothing_done
        assert rig.moves() == []

    run(body)


def test_a_place_that_is_empty_against_belief_is_a_grip_fault_and_its_error_is_cleared() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        rig.world.state.pieces["plate_1"].position = "deck"
        with pytest.raises(GripFault, match="02"):
            await device.fetch.set(FETCH)
        assert b"rs:be\r\n" in wire.sent
        rig.world.state.pieces["plate_1"].position = "slot_2"
        await device.fetch.set(FETCH)

    run(body)


def test_another_temperature_than_the_workcell_file_says_is_refused_at_connection() -> None:
    async def body(rig: Rig) -> None:
        with pytest.raises(InstrumentError, match="37 C, and the workcell file says 30 C"):
            await rig.store(expected_c=30.0)

    run(body)


def test_a_station_that_is_no_position_of_it_is_refused() -> None:
    with pytest.raises(BadInput, match="'deck' is no position of incubator"):
        cytomat(
            "incubator",
            cytomat_driver(Cytomat("C6002", TwinPort(None))),  # type: ignore[arg-type]
            bench=store_bench(),
            station="deck",
        )


@pytest.mark.parametrize("after_s", [0.0, 0.5 * TAKING_S, TAKING_S + 1.0, 200.0])
@pytest.mark.parametrize("command", [FETCH, STORE], ids=lambda command: command.verb)
def test_a_controller_that_comes_back_finds_where_the_plate_is(command: Any, after_s: float) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        killed = Breaker(at=None)
        asyncio.get_running_loop().call_later(after_s, killed.reached.set)
        tried = await try_once(rig.clock, getattr(device, command.verb), command, killed)
        assert tried.fault is None
        again, _ = await rig.store()
        await again.look()
        await again.safe()
        said = await getattr(again, command.verb).reconcile(command, tried.marks)
        there = rig.world.at(command.destination) == command.labware
        assert said.answer is (Answer.DONE if there else Answer.NOT_DONE)
        if not there:
            await getattr(again, command.verb).set(command)
        assert rig.world.at(command.destination) == command.labware
        assert rig.moves() == ["pick", "place"]

    run(body, at_gate=command is STORE)


def cut_at(wire: TappedPort, n: int, killed: Breaker, *, sent: bool) -> None:
    """Kill the controller at its n-th request from here on, before it is sent or after."""
    count = 0

    def instead(line: bytes) -> bytes | None:
        nonlocal count
        count += 1
        if count - 1 < n:
            return None
        killed.reached.set()
        # What a dead controller would have sent after that does not go out either.
        return None if sent and count - 1 == n else b""

    wire.instead = instead


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", [FETCH, STORE], ids=lambda command: command.verb)
def test_a_move_cut_off_at_any_of_its_requests_is_told_truly_and_done_once(command: Any, sent: bool) -> None:
    sent_in_all: list[bytes] = []
    answers = set()

    async def whole(rig: Rig) -> None:
        device, wire = await rig.store()
        await getattr(device, command.verb).set(command)
        sent_in_all.extend(wire.sent)

    run(whole, at_gate=command is STORE)

    def cut(n: int) -> None:
        async def body(rig: Rig) -> None:
            device, wire = await rig.store()
            killed = Breaker(at=None)
            cut_at(wire, n, killed, sent=sent)
            tried = await try_once(rig.clock, getattr(device, command.verb), command, killed)
            assert killed.reached.is_set()
            again, _ = await rig.store()
            await again.look()
            await again.safe()
            said = await getattr(again, command.verb).reconcile(command, tried.marks)
            there = rig.world.at(command.destination) == command.labware
            assert said.answer is (Answer.DONE if there else Answer.NOT_DONE), (n, said.sentence, tried.marks)
            answers.add(said.answer)
            if not there:
                await getattr(again, command.verb).set(command)
            assert rig.world.at(command.destination) == command.labware
            assert rig.moves() == ["pick", "place"]

        run(body, at_gate=command is STORE)

    for n in range(len(sent_in_all)):
        cut(n)
    assert answers == {Answer.DONE, Answer.NOT_DONE}


def test_a_plate_that_the_handler_still_holds_is_for_a_person(tmp_path: Any) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        tried = await try_once(rig.clock, device.fetch, FETCH, Breaker(at=None))
        rig.world.act("incubator", "pick", position="gate")
        said = await device.fetch.reconcile(FETCH, tried.marks)
        assert said.answer is Answer.UNKNOWN
        assert said.doubtful == ()
        FETCH.believe(rig.bench)
        with pytest.raises(GripFault, match="nobody knows of"):
            await device.store.set(Store(labware="plate_1", destination="slot_3"))

    run(body)


SCRIPTED = [
    (command, FaultRule(instrument="incubator", kind=kind, where=command.verb, at=(1,), moment=moment))
    for command in (FETCH, STORE)
    for kind in sorted(CYTOMAT.repertoire.verbs[command.verb])
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("command", "rule"), SCRIPTED, ids=lambda value: getattr(value, "key", "") or value.verb
)
def test_every_fault_is_told_by_its_kind_and_what_came_of_the_move_is_told_truly(
    command: Any, rule: FaultRule
) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        verb = getattr(device, command.verb)
        tried = await try_once(rig.clock, verb, command, Breaker(at=None))
        assert tried.fault is not None
        assert tried.fault.kind is rule.kind
        await device.look()
        await device.safe()
        said = await verb.reconcile(command, tried.marks)
        there = rig.world.at(command.destination) == command.labware
        assert said.answer is (Answer.DONE if there else Answer.NOT_DONE)
        assert there == (rule.moment is Moment.AFTER)
        if not there:
            again = await try_once(rig.clock, verb, command, Breaker(at=None))
            assert again.fault is None
        assert rig.moves() == ["pick", "place"]

    run(body, FaultScript(rules=(rule,)), at_gate=command is STORE)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"", CommandTimeout),
        (b"ok", CommandTimeout),
        (b"ok zz\r\n" * 1, NonsenseReply),
        (b"bs 03\r\n", NonsenseReply),
        (b"er\r\n", NonsenseReply),
        (b"\xc2\xb0\r\n", NonsenseReply),
        (b"x" * 10_000, NonsenseReply),
        (b"er 01\r\n", InstrumentBusy),
        (b"er 32\r\n", InstrumentError),
        (b"er ff\r\n", InstrumentError),
    ],
)
def test_bad_answers_are_typed_faults_and_it_works_again_after_them(
    said: bytes, fault: type[DeviceFault]
) -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        asked = b"ch:bs" if fault is NonsenseReply and said.startswith(b"ok") else b"mv:"
        wire.instead = lambda line: said if line.startswith(asked) else None
        with pytest.raises(fault):
            await device.fetch.set(FETCH)
        wire.instead = lambda line: None
        await device.fetch.set(FETCH)
        assert rig.world.at("gate") == "plate_1"

    run(body)


def test_noise_on_a_serial_port_that_pylabrobot_cannot_write_down_is_nonsense() -> None:
    async def body() -> None:
        ours, theirs = pty.openpty()
        tty.setraw(ours)
        tty.setraw(theirs)
        device = cytomat(
            "incubator", real_cytomat("C6002", os.ttyname(theirs)), bench=store_bench(), station="gate"
        )
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, lambda: (os.read(ours, 100), os.write(ours, b"\\x\r\n")))
        try:
            with pytest.raises(NonsenseReply, match="can't be read"):
                await device.connect()
        finally:
            loop.remove_reader(ours)
            await device._driver.backend.stop()
            os.close(ours)
            os.close(theirs)

    asyncio.run(body())


@pytest.mark.parametrize(("code", "fault"), [("06", LidFault), ("08", GripFault), ("05", InstrumentError)])
def test_an_error_of_a_move_is_told_by_what_it_stands_for(code: str, fault: type[DeviceFault]) -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        status = device.fetch.set(FETCH)
        await asyncio.sleep(TAKING_S + 1.0)
        rig.twin._error = code
        with pytest.raises(fault, match=code):
            await status

    run(body)


def test_a_port_that_is_there_again_is_found_again() -> None:
    async def body(rig: Rig) -> None:
        device, wire = await rig.store()
        wire.pull()
        with pytest.raises(ConnectionLost):
            await device.fetch.set(FETCH)
        await device.fetch.set(FETCH)

    run(body)


def test_a_lease_that_has_run_out_moves_nothing() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        device.fence.admit(50)
        tried = await try_once(rig.clock, device.fetch, FETCH, Breaker(at=None))
        assert isinstance(tried.fault, StaleLease)
        assert rig.moves() == []

    run(body)


def test_the_safe_state_waits_for_a_move_and_may_be_asked_for_twice() -> None:
    async def body(rig: Rig) -> None:
        device, _ = await rig.store()
        status = device.fetch.set(FETCH)
        await asyncio.sleep(TAKING_S + 1.0)
        await device.safe()
        assert rig.world.held("incubator") is None
        await device.safe()
        await status

    run(body)
