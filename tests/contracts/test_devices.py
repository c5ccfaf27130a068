"""What every device must do, whatever it is and however it is reached.

A new line device joins by a :class:`tests.devices.line_bench.Case`; a device behind another seam shares the tests that do
not concern its wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from devices.identity import Identity
from lab.clock import LabClock
from lab.errors import (
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentError,
    LidFault,
    NonsenseReply,
    OutOfRange,
)
from lab.interfaces import Command, Verb
from lab.types import Origin
from tests.devices.atc_bench import ATC_CASES
from tests.devices.bus_bench import BUS_CASES
from tests.devices.line_bench import CASES, Case, Rig, make_bench, rig
from tests.devices.masterflex_bench import MASTERFLEX_CASES
from tests.devices.module_bench import MODULE_CASES
from tests.devices.tec_bench import TEC_CASES

PACE = 100.0
"""Lab seconds per wall second where a socket is in it; a driver's 5 s for an answer are then 50 ms."""

Body = Callable[[Rig], Awaitable[None]]


@pytest.fixture(params=[False, True], ids=["in_process", "socket"])
def socket(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(
    params=(*CASES, *BUS_CASES, *MODULE_CASES, *TEC_CASES, *MASTERFLEX_CASES, *ATC_CASES),
    ids=lambda case: case.name,
)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def on_rig(case: Case, socket: bool) -> Iterator[Callable[[Body], None]]:
    with LabClock(virtual=True, pace=PACE if socket else None) as clock:

        def run(body: Body) -> None:
            async def whole() -> None:
                async with rig(case, clock, socket=socket) as made:
                    await body(made)

            clock.run(whole())

        yield run


def test_says_who_it_is_and_stamps_the_origin_of_its_readings(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        identity = await made.device.identify()
        assert isinstance(identity, Identity)
        assert identity.serial.startswith("TWIN")
        assert identity.origin is Origin.TWIN
        assert identity.model
        assert identity.firmware
        configuration = await made.device.read_configuration()
        assert configuration[f"{made.case.name}-origin"]["value"] == "twin"
        assert configuration[f"{made.case.name}-serial_number"]["value"] == identity.serial

    on_rig(body)


def test_readings_are_described_by_the_same_names(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        assert set(await made.device.read()) == set(await made.device.describe())

    on_rig(body)


def test_connecting_changes_nothing_in_the_world(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        assert not made.world.ledger.actions

    on_rig(body)


def test_its_verbs_are_what_the_engine_expects(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        name, command = made.case.harmless
        verb = getattr(made.device, name)
        assert isinstance(verb, Verb)
        assert isinstance(command, Command)
        assert command.verb == name
        assert verb.name == f"{made.case.name}-{name}"
        assert verb.device == made.case.name
        assert not hasattr(verb, "stop")
        assert verb.problems(command, made.bench) == ()
        assert verb.duration_s(command, made.bench) > 0.0
        assert type(command).from_json(command.to_json()) == command

    on_rig(body)


def test_what_is_past_a_limit_is_refused_before_anything_is_sent(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        name, command = made.case.past_limit
        before = len(made.wire.sent)
        with pytest.raises(OutOfRange):
            await made.do(name, command)
        assert len(made.wire.sent) == before
        assert any(made.case.name in p for p in getattr(made.device, name).problems(command, made.bench))

    on_rig(body)


def test_a_verb_that_is_done_may_be_given_again(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        name, command = made.case.harmless
        await made.do(name, command)
        where = made.bench.labware["assay_1"].position
        await made.do(name, command)
        assert made.bench.labware["assay_1"].position == where
        assert where is not None
        assert made.world.at(where) == "assay_1"

    on_rig(body)


def test_a_command_takes_about_as_long_as_it_says(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        name, command = made.case.harmless
        # Once beforehand, so that a lid is open and an arm is referenced; then there is nothing left to do for some.
        await made.do(name, command)
        expected_s = getattr(made.device, name).duration_s(command, made.bench)
        began_s = made.clock.now()
        await made.do(name, command)
        assert made.clock.now() - began_s <= 1.5 * expected_s + 10.0

    on_rig(body)


def test_the_safe_state_may_be_asked_for_twice(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        await made.device.safe()
        await made.device.safe()
        for position in ("thermocycler", "shaker", "furnace"):
            assert made.world.state.climates[position].set_c is None

    on_rig(body)


async def _fault(made: Rig) -> DeviceFault:
    name, command = made.case.harmless
    with pytest.raises(DeviceFault) as caught:
        await made.do(name, command)
    return caught.value


def test_silence_is_a_timeout(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        made.wire.falls_silent()
        fault = await _fault(made)
        assert isinstance(fault, CommandTimeout)
        assert fault.device == made.case.name

    on_rig(body)


def test_a_garbled_reply_is_nonsense(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        made.wire.says("#~ 12;;")
        assert isinstance(await _fault(made), NonsenseReply)

    on_rig(body)


def test_a_reply_that_is_no_text_is_nonsense(on_rig: Callable[[Body], None], socket: bool) -> None:
    if not socket:
        pytest.skip("only a wire carries bytes")

    async def body(made: Rig) -> None:
        made.wire.says("°°°")
        assert isinstance(await _fault(made), NonsenseReply)

    on_rig(body)


def test_a_dropped_connection_is_a_lost_one(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        made.wire.hangs_up()
        assert isinstance(await _fault(made), ConnectionLost)

    on_rig(body)


def test_the_instruments_own_error_is_quoted(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        complaint = made.case.complaint

        async def answer(line: str) -> str:
            # What is asked is answered, so that a driver can find out why; what is commanded is refused.
            return await made.wire.model.reply(line) if line.startswith("get") else complaint

        made.wire.instead = answer
        fault = await _fault(made)
        assert isinstance(fault, InstrumentError | LidFault)
        assert str(fault).startswith(f"{made.case.name}: ")

    on_rig(body)


def test_it_works_again_once_the_instrument_does(on_rig: Callable[[Body], None]) -> None:
    async def body(made: Rig) -> None:
        made.wire.falls_silent()
        await _fault(made)
        made.wire.instead = None
        await made.do(*made.case.harmless)

    on_rig(body)


def test_a_mock_never_opens_the_wire(case: Case) -> None:
    class Untouchable:
        where = "nowhere"

        async def open(self) -> None:
            raise AssertionError("opened")

        async def close(self) -> None:
            raise AssertionError("closed")

        async def exchange(self, request: str, *, timeout_s: float) -> str:
            raise AssertionError(request)

    async def body() -> None:
        device = case.device(Untouchable(), make_bench(plate_at=case.plate_at))
        await device.connect(mock=True)
        name, command = case.harmless
        await getattr(device, name).set(command)
        await device.read()
        with pytest.raises(OutOfRange):
            await getattr(device, case.past_limit[0]).set(case.past_limit[1])

    with LabClock(virtual=True) as clock:
        clock.run(body())
