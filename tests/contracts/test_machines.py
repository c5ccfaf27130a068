"""What a machine behind PyLabRobot must say of a command that was broken off, whatever it is and wherever it was.

Each verb is broken off at each call of its backend: by the death of the controller before the machine acted and after, and
by errors of the machine. What the device then says is held against the ledger of the world, which knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources.errors import TooLittleLiquidError

from devices.liquid_handler import AddReagent, Distribute, Mix
from devices.liquid_handler.handler import Handler
from devices.liquid_handler.star import star
from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.clariostar import clariostar
from devices.plate_reader.reader import Reader
from digital_twin.chemistry import chemistry
from digital_twin.instruments.liquid_handler import star_twin
from digital_twin.instruments.plate_reader import ReaderRefuses, clariostar_twin
from digital_twin.instruments.star_faults import busy
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import ConnectionLost, DeviceFault, InstrumentBusy, LidFault, StaleLease
from lab.interfaces import Answer, Place, Reconciliation
from tests.devices.broken_off import Breaker, Tried, try_once
from tests.twin_bench import SEATS, small_bench

HANDLER_CALLS = ("pick_up_tips", "drop_tips", "aspirate", "dispense")

COMMANDS = (
    Distribute(
        source_labware="library",
        source_well="A1",
        targets=(("assay_1", "A1", 5.0), ("assay_2", "C3", 4.0), ("assay_1", "A1", 3.0)),
        tip_volume_ul=50.0,
        mix_cycles=2,
    ),
    AddReagent(
        source_labware="buffer",
        source_well="A1",
        labware="assay_1",
        wells=("A1", "B1", "C1", "A2", "C2", "A3", "B3", "B4"),
        volume_ul=20.0,
        tip_volume_ul=50.0,
    ),
    Mix(labware="assay_2", wells=("A1", "B1", "A5"), volume_ul=20.0, cycles=3, tip_volume_ul=50.0),
)


@dataclass(frozen=True)
class How:
    """A way to break a command off; arguments as of :class:`Breaker`."""

    name: str
    acted: bool = False
    error: Callable[[Sequence[int]], Exception] | None = None
    spared: bool = False

    def breaker(self, at: int | None) -> Breaker:
        return Breaker(at=at, acted=self.acted, error=self.error, spared=self.spared)


HOW = (
    How("killed before it acted"),
    How("killed after it acted", acted=True),
    How("wire lost", error=lambda channels: ConnectionResetError("gone")),
    How("no answer", acted=True, error=lambda channels: TimeoutError("too late")),
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


@dataclass
class Truth:
    """What the ledger says of one command.

    Args:
        tips: (rack, spot) fetched.
        drawn_ul: by place.
        given: by place, volumes in order.
    """

    tips: set[Place]
    drawn_ul: dict[Place, float]
    given: dict[Place, list[float]]

    @classmethod
    def of(cls, world: World, since: int) -> Truth:
        truth = cls(set(), defaultdict(float), defaultdict(list))
        for action in world.ledger.actions[since:]:
            arguments = action.arguments
            if action.action == "pick_up_tips":
                truth.tips |= {(rack, spot) for rack, spot in arguments["tips"]}
            if action.action in ("aspirate", "dispense"):
                for well, volume_ul in zip(arguments["wells"], arguments["volumes_ul"], strict=True):
                    place = (arguments["labware"], well)
                    if action.action == "aspirate":
                        truth.drawn_ul[place] += volume_ul
                    else:
                        truth.given[place].append(volume_ul)
        return truth

    @property
    def all_drawn_ul(self) -> float:
        return sum(self.drawn_ul.values())

    def volume_ul(self, before: Bench, place: Place) -> float:
        """What a well holds, but for the inaccuracy of pipetting."""
        return before.well(*place).volume_ul - self.drawn_ul[place] + sum(self.given[place])


class Rig:
    """A world, and the handler that one process after the other drives in it."""

    def __init__(self, clock: LabClock) -> None:
        self.clock = clock
        self.bench = small_bench()
        for well in ("A1", "B1", "A5"):
            self.bench.fill("assay_2", well, {"reporter": 50.0})
        self.world = World(
            clock=clock,
            seed=7,
            ledger=None,
            bench=self.bench,
            chemistry=chemistry("protein_g"),
            seats=SEATS,
        )

    async def handler(self, breaker: Breaker | None = None) -> Handler:
        """As a new process makes it."""
        driver = star_twin(self.world, name="handler")
        if breaker is not None:
            breaker.stand_before(driver.backend, HANDLER_CALLS)
        device = star("handler", driver, bench=self.bench)
        await device.connect()
        return device

    async def said(self, device: Handler, command: Any, tried: Tried, *, after_death: bool) -> Reconciliation:
        """What is said once the machine is in its safe state, by a new process after the death of the first."""
        asked = await self.handler() if after_death else device
        await asked.look()
        await asked.safe()
        assert self.world.tips_on("handler") == (False,) * 8
        return await getattr(asked, command.verb).reconcile(command, tried.marks)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def believed(before: Bench, command: Any, said: Reconciliation) -> Bench:
    """Belief after a step, as the store replays it."""
    after = before.copy()
    if said.answer is Answer.DONE:
        command.believe(after)
    else:
        command.believe_part(after, said.part)
    if said.answer is Answer.UNKNOWN:
        certain, after = after, before.copy()
        command.believe(after)
        after.doubt(certain)
        after.bar(said.doubtful or (), "test")
    return after


def check(before: Bench, command: Any, said: Reconciliation, truth: Truth, result: Any) -> None:
    """Hold what was said against what is true."""
    after = believed(before, command, said)
    asked_for: dict[Place, list[float]] = defaultdict(list)
    for _, place, volume_ul in command.transfers:
        asked_for[place].append(volume_ul)
    if said.answer is Answer.DONE:
        assert dict(truth.given) == asked_for
        assert truth.all_drawn_ul == pytest.approx(getattr(command, "drawn_ul", 0.0))
        assert said.result == result
        return
    part = said.part or {"tips": [], "drawn_ul": 0.0}
    assert {(rack, spot) for rack, spot in part["tips"]} >= truth.tips
    assert part.get("drawn_ul", 0.0) >= truth.all_drawn_ul - 1e-9
    if said.answer is Answer.NOT_DONE:
        assert not truth.given
    certain = before.copy()
    command.believe_part(certain, said.part)
    for place in command.touches:
        if said.answer is Answer.UNKNOWN:
            assert place in (said.doubtful or ()) or certain.well(*place).volume_ul == pytest.approx(
                truth.volume_ul(before, place)
            )
            assert (certain.well(*place).volume_ul - before.well(*place).volume_ul) <= sum(
                truth.given[place]
            ) + 1e-9
    for item in after.labware.values():
        assert set(item.tips) <= {t for t in before.labware[item.id].tips if (item.id, t) not in truth.tips}
        for well, contents in item.wells.items():
            assert contents.volume_ul <= truth.volume_ul(before, (item.id, well)) + 1e-6


@cache
def calls_of(command: Any) -> tuple[int, Any]:
    """How many calls of the backend a command takes, and what it gives back, undisturbed."""
    with LabClock(virtual=True) as clock:
        rig, whole = Rig(clock), Breaker(at=None)

        async def body() -> Any:
            device = await rig.handler(whole)
            return (await try_once(clock, getattr(device, command.verb), command, whole)).result

        result = clock.run(body())
    return len(whole.calls), result


@pytest.mark.parametrize("how", HOW, ids=lambda how: how.name)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_what_is_said_of_a_command_broken_off_anywhere_is_never_better_than_the_truth(
    command: Any, how: How
) -> None:
    calls, result = calls_of(command)
    answers = []
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = Rig(clock), how.breaker(at)
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


@pytest.mark.parametrize("how", [HOW[1], HOW[-1]], ids=lambda how: how.name)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.verb)
def test_a_command_that_was_not_done_can_be_sent_again_and_gives_every_portion_once(
    command: Any, how: How
) -> None:
    calls, _ = calls_of(command)
    again = 0
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = Rig(clock), how.breaker(at)

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


def test_a_machine_that_is_busy_was_told_nothing_that_it_did(clock: LabClock) -> None:
    rig, breaker = Rig(clock), Breaker(at=0, error=lambda channels: busy())

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


READINGS = (
    ReadFluorescence(plate="assay_2", excitation_nm=480.0, emission_nm=540.0, gain=1000.0),
    ReadAbsorbance(plate="assay_2", wavelength_nm=480.0, cycles=3, interval_s=60.0),
)

READER_CALLS = ("close", "read_fluorescence", "read_absorbance", "open")

READER_HOW = (
    HOW[0],
    HOW[1],
    How("wire lost", acted=True, error=lambda channels: ConnectionResetError("gone")),
    How("refused", error=lambda channels: ReaderRefuses("not now")),
)


class ReaderRig:
    """A world with a plate in its reader, which one process after the other drives."""

    def __init__(self, clock: LabClock, *, remembers: bool) -> None:
        self.clock = clock
        self.remembers = remembers
        self.bench = small_bench()
        self.bench.move("assay_2", "reader")
        self.bench.fill("assay_2", "A1", {"reporter": 50.0})
        self.world = World(
            clock=clock,
            seed=7,
            ledger=None,
            bench=self.bench,
            chemistry=chemistry("protein_g"),
            seats=SEATS,
        )

    async def reader(self, breaker: Breaker) -> Reader:
        """As a new process makes it. Setting it up puts the drawer out, before anything can break."""
        driver = clariostar_twin(self.world, name="reader", position="reader")
        device = clariostar(
            "reader",
            driver if self.remembers else replace(driver, last_reading=None),
            bench=self.bench,
        )
        await device.connect()
        breaker.stand_before(driver.backend, READER_CALLS)
        return device

    def cycles(self) -> int:
        """Readings that the reader truly made."""
        return sum(action.action.startswith("read") for action in self.world.ledger.actions)


@cache
def reading_of(command: Any) -> tuple[int, Any]:
    """How many calls of the backend a reading takes, and what it gives back, undisturbed."""
    with LabClock(virtual=True) as clock:
        rig, whole = ReaderRig(clock, remembers=True), Breaker(at=None)

        async def body() -> Any:
            device = await rig.reader(whole)
            return (await try_once(clock, getattr(device, command.verb), command, whole)).result

        result = clock.run(body())
    return len(whole.calls), result


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgets"])
@pytest.mark.parametrize("how", READER_HOW, ids=lambda how: how.name)
@pytest.mark.parametrize("command", READINGS, ids=lambda command: command.verb)
def test_a_reading_broken_off_anywhere_is_taken_whole_from_the_reader_or_made_again(
    command: Any, how: How, remembers: bool
) -> None:
    calls, result = reading_of(command)
    answers = set()
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = ReaderRig(clock, remembers=remembers), how.breaker(at)

            async def body(rig: ReaderRig = rig, breaker: Breaker = breaker) -> Reconciliation:
                device = await rig.reader(breaker)
                tried = await try_once(rig.clock, getattr(device, command.verb), command, breaker)
                assert (tried.fault is None) == (how.error is None)
                if isinstance(tried.fault, DeviceFault) and breaker.calls[breaker.at or 0] in (
                    "open",
                    "close",
                ):
                    assert isinstance(tried.fault, LidFault if how.name == "refused" else ConnectionLost)
                made = rig.cycles()
                asked = device if how.error is not None else await rig.reader(Breaker(at=None))
                await asked.look()
                await asked.safe()
                assert not rig.world.is_shut("reader")
                said = await getattr(asked, command.verb).reconcile(command, tried.marks)
                assert (said.answer is Answer.DONE) == (remembers and made == command.cycles)
                if said.answer is Answer.NOT_DONE:
                    assert said.part is None
                    last = Breaker(at=None)
                    again = await try_once(rig.clock, getattr(asked, command.verb), command, last)
                    assert len(again.result["cycles"]) == command.cycles
                return said

            said = clock.run(body())
            answers.add(said.answer)
            if said.answer is Answer.DONE:
                assert said.result == result
    assert answers == ({Answer.DONE, Answer.NOT_DONE} if remembers else {Answer.NOT_DONE})


@pytest.mark.parametrize(
    "other",
    [
        replace(READINGS[1], wavelength_nm=500.0),
        replace(READINGS[1], cycles=2),
        ReadFluorescence(plate="assay_2", excitation_nm=480.0, emission_nm=540.0, gain=900.0),
    ],
    ids=["another wavelength", "fewer cycles", "another mode"],
)
def test_a_reading_that_was_set_otherwise_is_not_taken_for_the_one_asked_for(
    clock: LabClock, other: Any
) -> None:
    rig, whole = ReaderRig(clock, remembers=True), Breaker(at=None)

    async def body() -> None:
        device = await rig.reader(whole)
        done = await try_once(rig.clock, device.absorbance, READINGS[1], whole)
        said = await getattr(device, other.verb).reconcile(other, done.marks)
        assert said.answer is Answer.NOT_DONE

    clock.run(body())


def test_a_reading_made_before_the_step_is_not_taken_for_its_own(clock: LabClock) -> None:
    rig, whole = ReaderRig(clock, remembers=True), Breaker(at=None)
    command = READINGS[0]

    async def body() -> None:
        device = await rig.reader(whole)
        await try_once(rig.clock, device.fluorescence, command, whole)
        broken = Breaker(at=1)
        broken.stand_before(device._front.backend, READER_CALLS)
        tried = await try_once(rig.clock, device.fluorescence, command, broken)
        assert [mark.name for mark in tried.marks] == ["close", "read"]
        await device.look()
        said = await device.fluorescence.reconcile(command, tried.marks)
        assert said.answer is Answer.NOT_DONE

    clock.run(body())
