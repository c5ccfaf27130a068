"""An Applied Biosystems ATC: login and lines through PyLabRobot's backend, bad ones, the wrong block, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from pylabrobot.thermocycling.thermo_fisher.atc import ATCBackend

from devices.thermocycler import CloseLid, Heat, OpenLid
from devices.thermocycler.atc import ATC
from devices.thermocycler.atc_session import ATCSession, answers, real_atc_session
from devices.transport import LineInstrument
from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, FaultScript, Moment
from digital_twin.instruments.atc import ATCTwin, GuardedCycler, TwinSocket
from digital_twin.instruments.atc_faults import ATC_FAULTS
from digital_twin.instruments.faulty_line import FaultyLine
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentError,
    LidFault,
    NonsenseReply,
    TemperatureNotReached,
)
from lab.interfaces import Answer
from lab.types import Mark, Origin
from tests.devices.line_bench import SEATS, Water, Wire, make_bench

HOT = Heat(plate="assay_1", temperature_c=80.0, hold_s=120.0, lid_temperature_c=85.0)
COMMANDS = {"heat": HOT, "open_lid": OpenLid(), "close_lid": CloseLid()}


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


class TappedSocket(TwinSocket):
    """A connection that keeps what was written, and says other bytes in place of the cycler when told to."""

    def __init__(self, model: LineInstrument) -> None:
        super().__init__(model)
        self.written: list[str] = []
        self.connected = 0
        self.instead: list[bytes] | None = None

    async def setup(self) -> None:
        self.connected += 1
        await super().setup()

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
        self.written.append(data.decode("ascii"))
        if self.instead is None or data.startswith((b"CHAL", b"AUTH", b"ACC")):
            await super().write(data, timeout)
            return
        for line in self.instead:
            self._lines.put_nowait(line)


@dataclass
class Rig:
    """A connected cycler and what is behind it."""

    world: World
    socket: TappedSocket
    wire: Wire
    cycler: ATC


@asynccontextmanager
async def on_network(clock: LabClock, *rules: FaultRule) -> AsyncIterator[Rig]:
    bench = make_bench(plate_at="thermocycler")
    world = World(clock=clock, seed=3, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
    model: LineInstrument = ATCTwin(world, name="thermocycler", position="thermocycler")
    if rules:
        script = FaultScript(rules=rules)
        model = FaultyLine(model, ATC_FAULTS, world=world, name="thermocycler", script=script)
    wire = Wire(model)
    socket = TappedSocket(GuardedCycler(wire))
    cycler = ATC("thermocycler", ATCSession(ATCBackend(ip="twin"), socket))
    await cycler.connect()
    try:
        yield Rig(world=world, socket=socket, wire=wire, cycler=cycler)
    finally:
        await cycler.disconnect()


# ---------------------------------------------------------------------------------------------------------------- lines


def test_it_answers_the_challenge_on_each_connection_and_says_who_it_is(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            words = [line.split()[0] for line in rig.socket.written]
            assert words[:4] == ["CHAL?", "AUTH", "ACCess", "POWER"]
            assert all(line.endswith("\r\n") for line in rig.socket.written)
            identity = await rig.cycler.identify()
            assert (identity.serial, identity.origin) == ("TWIN-ATC-3", Origin.TWIN)
            rig.wire.falls_silent()
            with pytest.raises(CommandTimeout):
                await rig.cycler.temperature_c.get_value(cached=False)
            rig.wire.instead = None
            rig.socket.written.clear()
            assert await rig.cycler.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)
            assert [line.split()[0] for line in rig.socket.written[:2]] == ["CHAL?", "AUTH"]

    clock.run(body())


def test_one_that_does_not_let_us_in_is_a_lost_connection(clock: LabClock) -> None:
    class Suspicious(GuardedCycler):
        async def reply(self, line: str) -> str:
            return "ERRor AUTH AuthenticationFailed" if line.startswith("AUTH") else await super().reply(line)

    async def body() -> None:
        cycler = ATC("thermocycler", ATCSession(ATCBackend(ip="twin"), TwinSocket(Suspicious(Wire(None)))))
        with pytest.raises(ConnectionLost, match="does not let us in"):
            await cycler.connect()

    clock.run(body())


def test_commands_before_the_login_are_refused_by_the_far_end(clock: LabClock) -> None:
    async def body() -> None:
        guarded = GuardedCycler(Wire(None))
        assert await guarded.reply("TBC:BID?") == "ERRor TBC:BID? InsufficientAccess"
        assert (await guarded.reply("CHAL?")).startswith("OK CHAL? ")
        assert (await guarded.reply("AUTH 1234")).startswith("ERRor")
        assert (await guarded.reply("ACCess -stealth Controller")).startswith("ERRor")

    clock.run(body())


ASK = b"TBC1:TBC:BlockTemperatures?"
BAD: dict[str, tuple[list[bytes], type[DeviceFault]]] = {
    "nothing": ([], CommandTimeout),
    "hung up": ([b""], ConnectionLost),
    "cut off": ([b"OK " + ASK[:9]], ConnectionLost),
    "no status": ([b"25.0 25.0 25.0\n"], NonsenseReply),
    "only the status": ([b"OK\n"], CommandTimeout),
    "another question": ([b"OK TBC1:TBC:CoverTemperatures? 25.0\n"], CommandTimeout),
    "told to go on and no end": ([b"NEXT " + ASK + b"\n"], CommandTimeout),
    "a zone too few": ([b"OK " + ASK + b" 25.0 25.0\n"], NonsenseReply),
    "a zone too many": ([b"OK " + ASK + b" 25.0 25.0 25.0 25.0\n"], NonsenseReply),
    "no number": ([b"OK " + ASK + b" 25.0 warm 25.0\n"], NonsenseReply),
    "not a number": ([b"OK " + ASK + b" nan nan nan\n"], NonsenseReply),
    "out of range": ([b"OK " + ASK + b" 999 999 999\n"], NonsenseReply),
    "no value": ([b"OK " + ASK + b"\n"], NonsenseReply),
    "refused": ([b"ERRor " + ASK + b" NotReady\n"], InstrumentError),
    "unicode": ([b"OK " + ASK + " \u0662\u0665.0 25.0 25.0\n".encode()], NonsenseReply),
    "flood": ([b"OK " + b"x" * 5000 + b"\n"], NonsenseReply),
    "flood of answers": ([b"OK TBC:BID? 31\n"] * 500, NonsenseReply),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_lines_are_a_typed_fault_and_the_next_answer_is_right(name: str, clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            rig.socket.instead, expected = BAD[name]
            with pytest.raises(expected):
                await rig.cycler.temperature_c.get_value(cached=False)
            rig.socket.instead = None
            assert await rig.cycler.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)

    clock.run(body())


def test_an_answer_that_comes_twice_or_unasked_is_not_taken_for_the_next(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            rig.socket.instead = [b"OK " + ASK + b" 60.0 61.0 62.0\n"] * 2
            assert await rig.cycler.temperature_c.get_value(cached=False) == 61.0
            rig.socket.instead = None
            assert await rig.cycler.temperature_c.get_value(cached=False) == pytest.approx(22.0, abs=0.1)
            rig.socket.instead = [b"NEXT " + ASK + b"\n", b"OK " + ASK + b" 30.0 30.0 30.0\n"]
            assert await rig.cycler.temperature_c.get_value(cached=False) == 30.0

    clock.run(body())


@pytest.mark.parametrize(
    ("word", "request_line", "same"),
    [
        ("CHALlenge?", "CHAL?", True),
        ("RUNS:EXISts?", "runs:exists? name", True),
        ("TBC1:RAMP", "TBC1:RAMP -rate=100 95", True),
        ("TBC2:RAMP", "TBC1:RAMP -rate=100 95", False),
        ("TBC1:RAMP?", "TBC1:RAMP 95", False),
        ("RAMP", "TBC1:RAMP 95", False),
        ("", "TBC1:RAMP 95", False),
        ("TBC1:", "TBC1:RAMP 95", False),
    ],
)
def test_an_answer_may_spell_its_command_out_and_no_other(word: str, request_line: str, same: bool) -> None:
    assert answers(word, request_line) is same


def test_ramps_are_written_as_pylabrobot_writes_them(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            await rig.cycler.heat.set(HOT)
            theirs = ATCBackend(ip="twin")._build_scpi_msg
            for data in (
                {"cmd": "TBC1:RAMP", "params": {"rate": 100}, "args": [80.0, 80.0, 80.0]},
                {"cmd": "TBC1:CoverRAMP", "params": {}, "args": [85.0]},
                {"cmd": "TBC1:BLOCK", "args": [0, 25]},
                {"cmd": "TBC1:COVER", "args": [0, 105]},
                {"cmd": "lidclose"},
            ):
                assert theirs(data) in rig.socket.written

    clock.run(body())


def test_the_instruments_address_tells_the_port_and_with_tls_the_type_plate_is_needed() -> None:
    assert real_atc_session("192.168.0.60").where == "tcp 192.168.0.60:7000"
    assert real_atc_session("192.168.0.60", "2961").where == "tcp 192.168.0.60:7443"


# -------------------------------------------------------------------------------------------------------------- cycler


def test_a_cycler_with_another_block_or_none_is_refused_when_it_connects(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            for question, answer, reason in (
                ("TBC:BID?", "OK TBC:BID? 12", "its block is number 12"),
                ("TBC:BlockPresence?", "OK TBC:BlockPresence? 0", "no block in it"),
            ):

                async def lie(line: str, question: str = question, answer: str = answer) -> str:
                    return answer if line.strip() == question else await rig.wire.model.reply(line)

                rig.wire.instead = lie
                with pytest.raises(InstrumentError, match=reason):
                    await rig.cycler.identify()

    clock.run(body())


def test_a_zone_that_drifts_during_a_hold_ends_it_with_everything_off(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:
            status = rig.cycler.heat.set(HOT)
            while rig.world.temperature_c("thermocycler") < 79.0 and not status.done:  # noqa: ASYNC110  (a world has no events)
                await asyncio.sleep(5.0)
            model = rig.wire.model

            async def drift(line: str) -> str:
                asked = line.strip() == ASK.decode()
                return f"OK {ASK.decode()} 80.0 80.0 74.0" if asked else await model.reply(line)

            await asyncio.sleep(35.0)
            rig.wire.instead = drift
            with pytest.raises(TemperatureNotReached, match="a zone is at 74 C"):
                await status
            assert rig.world.state.climates["thermocycler"].set_c is None

    clock.run(body())


def test_an_error_that_it_shows_after_the_lid_moved_is_a_fault_of_the_lid(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:

            async def jammed(line: str) -> str:
                wrong = line.strip() == "TBC1:ERROR?"
                return "OK TBC1:ERROR? 1042" if wrong else await rig.wire.model.reply(line)

            rig.wire.instead = jammed
            with pytest.raises(LidFault, match="1042"):
                await rig.cycler.close_lid.set(CloseLid())

    clock.run(body())


def test_where_it_does_not_tell_what_it_was_told_nobody_knows_what_came_of_a_hold(clock: LabClock) -> None:
    async def body() -> None:
        async with on_network(clock) as rig:

            async def silent(line: str) -> str:
                command = line.split()[0]
                unknown = command.endswith(("SETT?", "CONT?"))
                return f"ERRor {command} InvocationError" if unknown else await rig.wire.model.reply(line)

            rig.wire.instead = silent
            marks = [Mark(name="hold", details={}, lab_time_s=0.0)]
            assert (await rig.cycler.heat.reconcile(HOT, marks)).answer is Answer.UNKNOWN

    clock.run(body())


# -------------------------------------------------------------------------------------------------------------- faults


def _rules() -> Iterator[tuple[str, FaultRule]]:
    repertoire = ATC_FAULTS.repertoire
    for where, kinds in (*repertoire.verbs.items(), *repertoire.parts.items()):
        verb = where if where in COMMANDS else {"open": "open_lid", "close": "close_lid"}.get(where, "heat")
        for kind in sorted(kinds):
            for moment in (Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,):
                yield (
                    verb,
                    FaultRule(instrument="thermocycler", kind=kind, where=where, at=(1,), moment=moment),
                )


@pytest.mark.parametrize(("verb", "rule"), list(_rules()), ids=lambda value: getattr(value, "key", value))
def test_each_fault_of_a_twin_is_told_by_its_kind_and_leaves_nothing_going(
    verb: str, rule: FaultRule, clock: LabClock
) -> None:
    async def body() -> None:
        async with on_network(clock, rule) as rig:
            with pytest.raises(DeviceFault) as met:
                await getattr(rig.cycler, verb).set(COMMANDS[verb])
            assert met.value.kind is rule.kind
            struck = [a for a in rig.world.ledger.actions if a.action == "fault"]
            assert [a.arguments["rule"] for a in struck] == [rule.key]
            await rig.cycler.safe()
            assert rig.world.state.climates["thermocycler"].set_c is None

    clock.run(body())
