"""What a pipetting machine must say of a command that was broken off, whatever make it is and wherever that was.

Each verb is broken off at each call of its backend: by the death of the controller before the machine acted and after, and
by errors of the machine. What the device then says is held against the ledger of the world, which knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources.errors import TooLittleLiquidError

from digital_twin.faults import BEFORE_OR_AFTER, FaultRule, FaultScript, Moment
from digital_twin.instruments.handler_makes import EVO, STAR
from lab.clock import LabClock
from lab.errors import FaultKind, InstrumentBusy, StaleLease
from lab.interfaces import Answer, Reconciliation
from tests.devices.broken_off import Breaker, How, Tried, try_once
from tests.devices.pipetting_bench import COMMANDS, Rig, Truth, check

HOW = (
    How("killed before it acted"),
    How("killed after it acted", acted=True),
    How("wire lost", error=lambda channels: ConnectionResetError("gone")),
    How(
        "every channel fails",
        error=lambda channels: ChannelizedError({c: TooLittleLiquidError("no liquid") for c in channels}),
    ),
    How(
        "one channel fails",
        spared=True,
        error=lambda channels: ChannelizedError({channels[0]: TooLittleLiquidError("no liquid")}),
    ),
)


MACHINES = {"star": STAR, "evo": EVO}

makes = pytest.mark.parametrize("make", MACHINES)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@cache
def calls_of(command: Any, make: str) -> tuple[int, Any]:
    """How many calls of the backend a command takes, and what it gives back, undisturbed."""
    with LabClock(virtual=True) as clock:
        rig, whole = Rig(clock, make), Breaker(at=None)

        async def body() -> Any:
            device = await rig.handler(whole)
            return (await try_once(clock, getattr(device, command.verb), command, whole)).result

        result = clock.run(body())
    return len(whole.calls), result


@makes
@pytest.mark.parametrize("how", HOW, ids=lambda how: how.name)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_what_is_said_of_a_command_broken_off_anywhere_is_never_better_than_the_truth(
    command: Any, how: How, make: str
) -> None:
    calls, result = calls_of(command, make)
    answers = []
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = Rig(clock, make), how.breaker(at)
            before = rig.bench.copy()

            async def body(rig: Rig = rig, breaker: Breaker = breaker) -> tuple[Tried, Reconciliation, Truth]:
                device = await rig.handler(breaker)
                since = len(rig.world.ledger.actions)
                tried = await try_once(rig.clock, getattr(device, command.verb), command, breaker)
                said = await rig.said(device, command, tried, after_death=how.error is None)
                return tried, said, Truth.of(rig.world, since)

            tried, said, truth = clock.run(body())
            assert breaker.reached.is_set()
            assert (tried.fault is None) == (how.error is None)
            assert tried.fault is None or not tried.fault.nothing_done
            check(before, command, said, truth, result)
            answers.append(said.answer)
    assert answers[0] is Answer.NOT_DONE
    assert answers[-1] is Answer.DONE


@makes
@pytest.mark.parametrize("how", [HOW[1], HOW[-1]], ids=lambda how: how.name)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_a_command_that_was_not_done_can_be_sent_again_and_gives_every_portion_once(
    command: Any, how: How, make: str
) -> None:
    calls, _ = calls_of(command, make)
    again = 0
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = Rig(clock, make), how.breaker(at)

            async def body(rig: Rig = rig, breaker: Breaker = breaker) -> bool:
                device = await rig.handler(breaker)
                since = len(rig.world.ledger.actions)
                tried = await try_once(rig.clock, getattr(device, command.verb), command, breaker)
                said = await rig.said(device, command, tried, after_death=how.error is None)
                if said.answer is not Answer.NOT_DONE:
                    return False
                command.believe_part(rig.bench, said.part)
                second = Breaker(at=None)
                next_process = await rig.handler(second)
                verb = getattr(next_process, command.verb)
                assert verb.problems(command, rig.bench) == ()
                done = await try_once(rig.clock, verb, command, second)
                assert done.fault is None
                assert [list(tip) for tip in done.result["tips"]] == [
                    list(tip) for tip in rig.bench.next_tips(len(done.result["tips"]), command.tip_volume_ul)
                ]
                truth, portions = Truth.of(rig.world, since), defaultdict(list)
                for _, place, volume_ul in command.transfers:
                    portions[place].append(volume_ul)
                assert truth.given == portions
                return True

            again += clock.run(body())
    assert again > 0


def test_a_command_that_was_not_begun_was_not_done(clock: LabClock) -> None:
    rig = Rig(clock)

    async def body() -> None:
        device = await rig.handler()
        for command in COMMANDS:
            said = await getattr(device, command.verb).reconcile(command, [])
            assert said.answer is Answer.NOT_DONE
            assert said.part is None

    clock.run(body())


def test_a_lease_that_runs_out_in_the_midst_ends_the_command_before_its_next_part_and_moves_nothing(
    clock: LabClock,
) -> None:
    rig = Rig(clock)
    command = COMMANDS[0]

    async def body() -> None:
        device = await rig.handler()
        original = rig.world.act

        def act(instrument: str, action: str, **arguments: Any) -> Any:
            if action == "dispense":
                device.fence.admit(2)
            return original(instrument, action, **arguments)

        rig.world.act = act  # type: ignore[method-assign]
        tried = await try_once(rig.clock, device.distribute, command, Breaker(at=None), token=1)
        assert isinstance(tried.fault, StaleLease)
        assert not tried.fault.nothing_done
        assert rig.world.ledger.actions[-1].action == "dispense"
        said = await device.distribute.reconcile(command, tried.marks)
        assert said.answer is Answer.UNKNOWN
        assert said.part["given"] == 1
        assert said.doubtful == (("assay_2", "C3"), ("assay_1", "A1"))
        await device.safe()
        assert rig.world.tips_on("handler") == (False,) * 8

    clock.run(body())


@makes
def test_a_machine_that_is_busy_was_told_nothing_that_it_did(clock: LabClock, make: str) -> None:
    rig, breaker = Rig(clock, make), Breaker(at=0, error=lambda channels: MACHINES[make].busy())

    async def body() -> None:
        device = await rig.handler(breaker)
        tried = await try_once(rig.clock, device.distribute, COMMANDS[0], breaker)
        assert isinstance(tried.fault, InstrumentBusy)
        said = await device.distribute.reconcile(COMMANDS[0], tried.marks)
        assert (said.answer, said.part) == (Answer.NOT_DONE, None)
        # To a new process, which did not hear the refusal, the tips may be gone.
        told_by_marks = await (await rig.handler()).distribute.reconcile(COMMANDS[0], tried.marks)
        assert told_by_marks.part["tips"] == [["tips_1", "A1"]]

    clock.run(body())


SCRIPTED = [
    (make, command, FaultRule(instrument="handler", kind=kind, where=command.verb, at=(n,), moment=moment))
    for make, machine in MACHINES.items()
    for command in COMMANDS
    for kind in sorted(machine.repertoire.verbs[command.verb])
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
    for n in (1, 2)
    if not (
        command.verb == "distribute" and n == 2 and machine.repertoire.verbs["distribute"][kind] == "aspirate"
    )
    if not (command.verb != "mix" and n == 2 and machine.repertoire.verbs[command.verb][kind] == "pick_up")
]
"""Every fault that a twin can have, at the first and the second of its opportunities in each verb."""


@pytest.mark.parametrize(
    ("make", "command", "rule"),
    SCRIPTED,
    ids=lambda value: value if isinstance(value, str) else getattr(value, "key", "") or value.verb,
)
def test_a_fault_of_the_machine_is_told_by_its_kind_and_never_hides_what_was_done(
    clock: LabClock, make: str, command: Any, rule: FaultRule
) -> None:
    rig = Rig(clock, make)
    before = rig.bench.copy()

    async def body() -> tuple[Tried, Reconciliation, Truth]:
        device = await rig.handler(script=FaultScript(rules=(rule,)))
        since = len(rig.world.ledger.actions)
        tried = await try_once(clock, getattr(device, command.verb), command, Breaker(at=None))
        said = await rig.said(device, command, tried, after_death=False)
        return tried, said, Truth.of(rig.world, since)

    tried, said, truth = clock.run(body())
    assert tried.fault is not None
    assert tried.fault.kind is rule.kind
    assert not tried.fault.nothing_done
    check(before, command, said, truth, result=None)


@pytest.mark.parametrize("where", ["pick_up", "aspirate", "dispense", "drop"])
def test_a_machine_that_falls_silent_is_late_and_what_it_did_is_told(clock: LabClock, where: str) -> None:
    rig, command = Rig(clock), COMMANDS[0]
    before = rig.bench.copy()
    rule = FaultRule(instrument="handler", kind=FaultKind.TIMEOUT, where=where, at=(1,), silent=True)

    async def body() -> tuple[Tried, Reconciliation, Truth]:
        device = await rig.handler(script=FaultScript(rules=(rule,)))
        since = len(rig.world.ledger.actions)
        tried = await try_once(clock, device.distribute, command, Breaker(at=None))
        said = await rig.said(device, command, tried, after_death=False)
        return tried, said, Truth.of(rig.world, since)

    tried, said, truth = clock.run(body())
    assert tried.fault is not None
    assert tried.fault.kind is FaultKind.TIMEOUT
    check(before, command, said, truth, result={"tips": [["tips_1", "A1"]]})
