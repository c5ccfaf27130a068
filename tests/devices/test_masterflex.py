"""A Masterflex drive: its bytes through PyLabRobot's backend, bad ones, counts that don't add up, and a twin's faults."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from devices.pump import Deliver
from devices.pump.masterflex import Masterflex, Tubing
from devices.pump.masterflex_line import MasterflexFraming, MasterflexLine, packed
from devices.transport import LineInstrument
from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, FaultScript, Moment
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.instruments.masterflex import MasterflexTwin, TwinSerial
from digital_twin.instruments.masterflex_faults import MASTERFLEX_FAULTS
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
    ShortVolume,
)
from lab.interfaces import Answer
from lab.types import Mark, Origin
from tests.devices.line_bench import SEATS, Water, Wire, make_bench

TUBING = Tubing(ul_per_turn=10.0)
SHARE = Deliver(source="bottle", labware="assay_1", well="A1", volume_ul=100.0, rate_ul_per_min=300.0)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


class TappedSerial(TwinSerial):
    """A port that keeps what was written, and says other bytes in place of the drive when told to."""

    def __init__(self, model: LineInstrument, framing: MasterflexFraming) -> None:
        super().__init__(model, framing)
        self.written = b""
        self.instead: bytes | None = None

    async def write(self, data: bytes) -> None:
        self.written += data
        if self.instead is None:
            await super().write(data)
        else:
            self._out += self.instead
            self._said.set()


@dataclass
class Rig:
    """A connected pump, what is behind it, and its marks."""

    clock: LabClock
    world: World
    bench: Bench
    port: TappedSerial
    wire: Wire
    pump: Masterflex
    marks: list[Mark]

    async def deliver(self, command: Deliver = SHARE) -> None:
        async def mark(name: str, details: object) -> None:
            self.marks.append(Mark(name=name, details=details, lab_time_s=self.clock.now()))

        self.pump.deliver.engage(token=1, limit_s=1e6, mark=mark)
        await self.pump.deliver.set(command)


@asynccontextmanager
async def on_line(clock: LabClock, *rules: FaultRule, drive: int = 2) -> AsyncIterator[Rig]:
    bench = make_bench(plate_at="masterflex_outlet")
    world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
    model: LineInstrument = MasterflexTwin(
        world,
        name="masterflex",
        source_at="bottle_place",
        outlet_at="masterflex_outlet",
        tubing=TUBING,
        drive=drive,
    )
    if rules:
        model = FaultyLine(
            model, MASTERFLEX_FAULTS, world=world, name="masterflex", script=FaultScript(rules=rules)
        )
    wire = Wire(model)
    port = TappedSerial(wire, MasterflexFraming(drive=drive))
    pump = Masterflex("masterflex", MasterflexLine(port, drive=drive), tubing=TUBING)
    await pump.connect()
    try:
        yield Rig(clock=clock, world=world, bench=bench, port=port, wire=wire, pump=pump, marks=[])
    finally:
        await pump.disconnect()


# ---------------------------------------------------------------------------------------------------------------- bytes


def test_a_drive_that_was_switched_on_is_numbered_and_then_says_who_it_is(clock: LabClock) -> None:
    async def body() -> None:
        async with on_line(clock, drive=7) as rig:
            assert rig.port.written == b"\x05\x02P07\r\x02P07I\r"
            rig.port.written = b""
            identity = await rig.pump.identify()
            assert rig.port.written == b"\x05"
            assert (identity.vendor, identity.serial) == ("Cole-Parmer", "TWIN-07")
            assert identity.origin is Origin.TWIN
            rig.port.instead = b"\x02P07I00000\r"
            assert (await rig.pump.identify()).origin is Origin.REAL

    clock.run(body())


def test_a_volume_is_speed_and_turns_in_the_drives_own_bytes_and_arrives_in_the_well(clock: LabClock) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:
            rig.port.written = b""
            before_ul = rig.world.volume_ul("assay_1", "A1")
            await rig.deliver()
            assert rig.port.written.startswith(
                b"\x02P02R\r\x02P02H\r\x02P02Z\r\x02P02Z0\r\x02P02S+030.0\r\x02P02C\r\x02P02V10.0G\r\x02P02E\r"
            )
            assert rig.pump.deliver.result() == {"given_ul": 100.0}
            given_ul = rig.world.volume_ul("assay_1", "A1") - before_ul
            assert given_ul == pytest.approx(100.0, rel=0.1)
            assert given_ul != 100.0
            assert rig.world.volume_ul("bottle", "A1") == pytest.approx(9000.0 - given_ul, abs=0.1)

    clock.run(body())


@pytest.mark.parametrize(("request_line", "call"), [("H", "halt"), ("V12.5G", "run_revolutions")])
def test_a_frame_is_as_pylabrobot_writes_it(request_line: str, call: str, clock: LabClock) -> None:
    class Port:
        written = b""

        async def write(self, data: bytes) -> None:
            self.written += data

        def read(self) -> bytes:
            return b""

    async def body() -> None:
        port = Port()
        theirs = MasterflexLine(port)
        await getattr(theirs, call)(*([12.5] if call == "run_revolutions" else []))
        assert port.written == packed(request_line, 2)

    clock.run(body())


BAD: dict[str, tuple[bytes, type[DeviceFault]]] = {
    "nothing": (b"", CommandTimeout),
    "cut off": (b"\x02C12", NonsenseReply),
    "no start": (b"C0012.50\r", NonsenseReply),
    "another question": (b"\x02E0012.50\r", NonsenseReply),
    "an acknowledgement": (b"\x06", NonsenseReply),
    "a refusal": (b"\x15", InstrumentError),
    "no number": (b"\x02Ctwelve\r", NonsenseReply),
    "no value": (b"\x02C\r", NonsenseReply),
    "negative": (b"\x02C-12.50\r", NonsenseReply),
    "more than it can count": (b"\x02C123456789.00\r", NonsenseReply),
    "exponent": (b"\x02C1e5\r", NonsenseReply),
    "unicode": ("\x02C\u0661\u0662\r".encode(), NonsenseReply),
    "another alphabet": (b"\x02C12\xb3\r", NonsenseReply),
    "flood": (b"\x02" + b"C" * 5000, NonsenseReply),
    "flood of noise": (b"\xff" * 5000, NonsenseReply),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_a_typed_fault_and_the_next_answer_is_right(name: str, clock: LabClock) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:
            rig.port.instead, expected = BAD[name]
            with pytest.raises(expected):
                await rig.pump.counted_turns.get_value(cached=False)
            rig.port.instead = None
            assert await rig.pump.counted_turns.get_value(cached=False) == 0.0

    clock.run(body())


def test_an_answer_that_comes_twice_or_unasked_is_not_taken_for_the_next(clock: LabClock) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:
            rig.port.instead = b"\x02C0003.00\r\x02C0004.00\r"
            assert await rig.pump.counted_turns.get_value(cached=False) == 3.0
            rig.port.instead = None
            assert await rig.pump.counted_turns.get_value(cached=False) == 0.0

    clock.run(body())


def test_a_port_that_is_not_there_is_a_lost_connection(clock: LabClock) -> None:
    async def body() -> None:
        pump = Masterflex("masterflex", MasterflexLine("/dev/no_such_port"), tubing=TUBING)
        with pytest.raises(ConnectionLost, match="cannot connect"):
            await pump.connect()

    clock.run(body())


@asynccontextmanager
async def pseudo_terminal(model: LineInstrument) -> AsyncIterator[str]:
    """The path of a serial port behind which a drive answers."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    framing, incoming = MasterflexFraming(), asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    loop.add_reader(ours, lambda: incoming.feed_data(os.read(ours, 4096)))

    async def serve() -> None:
        while True:
            os.write(ours, framing.pack_reply(await model.reply(await framing.read_request(incoming))))

    serving = asyncio.ensure_future(serve())
    try:
        yield os.ttyname(theirs)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


def test_it_works_through_pylabrobots_own_serial_port() -> None:
    bench = make_bench(plate_at="masterflex_outlet")

    async def body() -> None:
        twin = MasterflexTwin(
            World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS),
            name="masterflex",
            source_at="bottle_place",
            outlet_at="masterflex_outlet",
            tubing=TUBING,
        )
        async with pseudo_terminal(twin) as path:
            pump = Masterflex("masterflex", MasterflexLine(path), tubing=TUBING)
            await pump.connect()
            await pump.deliver.set(
                Deliver(**{**SHARE.to_json(), "volume_ul": 5.0, "rate_ul_per_min": 6000.0})
            )
            assert pump.deliver.result() == {"given_ul": 5.0}
            await pump.disconnect()
            await pump.disconnect()

    with LabClock(virtual=False) as clock:
        clock.run(body())


# --------------------------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("E", "E0099.00", NonsenseReply),
        ("C after", "C0004.00", ShortVolume),
        ("C after", "C0011.00", InstrumentError),
        ("C before", "C0001.00", InstrumentError),
    ],
)
def test_counts_that_do_not_make_up_what_was_asked_for_are_a_fault_and_the_rollers_stand(
    question: str, answer: str, expected: type[DeviceFault], clock: LabClock
) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:

            async def lie(line: str) -> str:
                started = any(sent.startswith("V") for sent in rig.wire.sent)
                when = f"{line} {'after' if started else 'before'}"
                return answer if question in (line, when) else await rig.wire.model.reply(line)

            rig.wire.instead = lie
            with pytest.raises(expected):
                await rig.deliver()
            assert rig.world.state.memory["masterflex"].get("run") is None

    clock.run(body())


@pytest.mark.parametrize(
    ("counted", "to_go", "answer", "part"),
    [
        ("C10.00", "E0.00", Answer.DONE, None),
        ("C4.00", "E0.00", Answer.UNKNOWN, {"given_ul": 40.0}),
        ("C4.00", "E6.00", Answer.UNKNOWN, None),
        ("C12.00", "E0.00", Answer.UNKNOWN, None),
        ("C0.00", "E0.00", Answer.UNKNOWN, None),
    ],
)
def test_after_a_crash_the_count_is_what_is_believed(
    counted: str, to_go: str, answer: Answer, part: object, clock: LabClock
) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:

            async def say(line: str) -> str:
                return {"C": counted, "E": to_go}.get(line) or await rig.wire.model.reply(line)

            rig.wire.instead = say
            marks = [Mark(name=name, details={}, lab_time_s=0.0) for name in ("set", "give")]
            said = await rig.pump.deliver.reconcile(SHARE, marks)
            assert (said.answer, said.part) == (answer, part)
            assert (await rig.pump.deliver.reconcile(SHARE, marks[:1])).answer is Answer.NOT_DONE

    clock.run(body())


def test_what_the_pump_can_not_do_is_refused_before_anything_is_sent(clock: LabClock) -> None:
    async def body() -> None:
        async with on_line(clock) as rig:
            rig.port.written = b""
            for command, reason in (
                (Deliver(**{**SHARE.to_json(), "well": "B2"}), "its tube ends over A1"),
                (Deliver(**{**SHARE.to_json(), "rate_ul_per_min": 50.0}), "rate_ul_per_min 50"),
                (Deliver(**{**SHARE.to_json(), "volume_ul": 0.05}), "volume_ul 0.05"),
            ):
                with pytest.raises(OutOfRange, match=reason):
                    await rig.deliver(command)
            assert rig.port.written == b""
            assert SHARE.problems(rig.bench) == []
            assert SHARE.problems(Bench([], [])) == [
                "There is no bottle on this bench.",
                "There is no assay_1 on this bench.",
            ]
            plate = Deliver(**{**SHARE.to_json(), "source": "assay_1"})
            assert plate.problems(rig.bench) == ["assay_1 is no vessel of one opening: it has 96 wells."]

    clock.run(body())


@pytest.mark.parametrize("settings", [{"ul_per_turn": 0.0}, {"ul_per_turn": 10.0, "rpm": (600.0, 10.0)}])
def test_a_tube_that_no_pump_has_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        Tubing(**settings)


def test_a_drive_has_a_number_of_two_digits() -> None:
    with pytest.raises(BadInput, match="no number 90"):
        MasterflexLine("/dev/ttyUSB0", drive=90)


# -------------------------------------------------------------------------------------------------------------- faults

SCRIPTED = [
    FaultRule(instrument="masterflex", kind=kind, where=where, at=(1,), moment=moment)
    for where, kinds in (
        *MASTERFLEX_FAULTS.repertoire.verbs.items(),
        *MASTERFLEX_FAULTS.repertoire.parts.items(),
    )
    for kind in sorted(kinds)
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize("rule", SCRIPTED, ids=lambda rule: rule.key)
def test_each_fault_of_a_twin_is_told_by_its_kind_and_leaves_nothing_going(
    rule: FaultRule, clock: LabClock
) -> None:
    async def body() -> None:
        async with on_line(clock, rule) as rig:
            with pytest.raises(DeviceFault) as met:
                await rig.deliver()
            assert met.value.kind is rule.kind
            struck = [a for a in rig.world.ledger.actions if a.action == "fault"]
            assert [a.arguments["rule"] for a in struck] == [rule.key]
            await rig.pump.safe()
            assert rig.world.state.memory["masterflex"].get("run") is None
            await asyncio.sleep(60.0)
            given = sum(a.arguments["volume_ul"] for a in rig.world.ledger.actions if a.action == "infuse")
            said = await rig.pump.deliver.reconcile(SHARE, rig.marks)
            if said.answer is Answer.NOT_DONE:
                assert given == 0.0
            if said.answer is Answer.DONE:
                assert given == pytest.approx(100.0)

    clock.run(body())
