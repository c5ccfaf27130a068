"""What a plate reader must say of a reading that was broken off, whatever make it is and wherever that was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from devices.plate_reader import ReadAbsorbance, ReadFluorescence
from devices.plate_reader.biotek_wire import BioTekRefuses
from devices.plate_reader.clariostar import clariostar
from devices.plate_reader.held import HeldReading
from devices.plate_reader.infinite import infinite
from devices.plate_reader.reader import Reader
from devices.plate_reader.synergy import synergy
from digital_twin.chemistry import chemistry
from digital_twin.faults import BEFORE_OR_AFTER, NO_FAULTS, FaultRule, FaultScript, Moment
from digital_twin.instruments.plate_reader import READER_FAULTS, ReaderRefuses, clariostar_twin, infinite_twin
from digital_twin.instruments.synergy import synergy_twin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import ConnectionLost, DeviceFault, FaultKind, LidFault
from lab.interfaces import Answer, Reconciliation
from tests.devices.broken_off import Breaker, How, try_once
from tests.twin_bench import SEATS, small_bench

READINGS = (
    ReadFluorescence(plate="assay_2", excitation_nm=480.0, emission_nm=540.0, gain=100.0),
    ReadAbsorbance(plate="assay_2", wavelength_nm=480.0, cycles=3, interval_s=60.0),
)

READER_CALLS = ("close", "read_fluorescence", "read_absorbance", "open")


class Refused(ReaderRefuses, BioTekRefuses):
    """A refusal, as every make tells it."""


READER_HOW = (
    How("killed before it acted"),
    How("killed after it acted", acted=True),
    How("wire lost", acted=True, error=lambda channels: ConnectionResetError("gone")),
    How("refused", error=lambda channels: Refused("not now")),
)


MAKES = {
    "clariostar": (clariostar, clariostar_twin),
    "infinite": (infinite, infinite_twin),
    "synergy": (synergy, synergy_twin),
}


class ReaderRig:
    """A world with a plate in its reader, which one process after the other drives."""

    def __init__(self, clock: LabClock, *, remembers: bool, make: str = "clariostar") -> None:
        self.clock = clock
        self.make = make
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

    async def reader(self, breaker: Breaker, script: FaultScript = NO_FAULTS) -> Reader:
        """As a new process makes it. Setting it up puts the drawer out, before anything can break."""
        device_of, twin_of = MAKES[self.make]
        driver = twin_of(self.world, name="reader", position="reader", script=script)
        device = device_of(
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


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


@cache
def reading_of(command: Any, make: str) -> tuple[int, Any]:
    """How many calls of the backend a reading takes, and what it gives back, undisturbed."""
    with LabClock(virtual=True) as clock:
        rig, whole = ReaderRig(clock, remembers=make != "synergy", make=make), Breaker(at=None)

        async def body() -> Any:
            device = await rig.reader(whole)
            return (await try_once(clock, getattr(device, command.verb), command, whole)).result

        result = clock.run(body())
    return len(whole.calls), result


@pytest.mark.parametrize(
    ("make", "remembers"),
    [("clariostar", True), ("infinite", True), ("clariostar", False), ("synergy", False)],
    ids=["clariostar", "infinite", "one_that_forgets", "synergy"],
)
@pytest.mark.parametrize("how", READER_HOW, ids=lambda how: how.name)
@pytest.mark.parametrize("command", READINGS, ids=lambda command: command.verb)
def test_a_reading_broken_off_anywhere_is_taken_whole_from_the_reader_or_made_again(
    command: Any, how: How, make: str, remembers: bool
) -> None:
    calls, result = reading_of(command, make)
    answers = set()
    for at in range(calls):
        with LabClock(virtual=True) as clock:
            rig, breaker = ReaderRig(clock, remembers=remembers, make=make), how.breaker(at)

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
        ReadFluorescence(plate="assay_2", excitation_nm=480.0, emission_nm=540.0, gain=90.0),
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


SCRIPTED = [
    (make, command, FaultRule(instrument="reader", kind=kind, where=command.verb, at=(1,), moment=moment))
    for make in ("clariostar", "synergy")
    for command in READINGS
    for kind in sorted(READER_FAULTS.verbs[command.verb])
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("make", "command", "rule"),
    SCRIPTED,
    ids=lambda value: value if isinstance(value, str) else getattr(value, "key", "") or value.verb,
)
def test_a_fault_of_the_reader_is_told_by_its_kind_and_the_reading_is_there_or_made_again(
    clock: LabClock, make: str, command: Any, rule: FaultRule
) -> None:
    remembers = make == "clariostar"
    rig, unbroken = ReaderRig(clock, remembers=remembers, make=make), Breaker(at=None)

    async def body() -> None:
        device = await rig.reader(unbroken, FaultScript(rules=(rule,)))
        verb = getattr(device, command.verb)
        tried = await try_once(clock, verb, command, unbroken)
        if rule.kind is FaultKind.SATURATED:
            remark = verb.remark()
            assert remark is not None
            assert (tried.fault, remark.kind) == (None, FaultKind.SATURATED)
            return
        assert tried.fault is not None
        assert tried.fault.kind is rule.kind
        made = rig.cycles()
        await device.look()
        await device.safe()
        said = await verb.reconcile(command, tried.marks)
        assert (said.answer is Answer.DONE) == (remembers and made == command.cycles)
        assert not rig.world.is_shut("reader")

    clock.run(body())


def _garbled() -> HeldReading:
    return HeldReading(
        mode="fluorescence",
        settings={"excitation_nm": 480.0, "emission_nm": 540.0, "gain": 100.0},
        begun_lab_s=1e9,
        cycles=[[[1.0, 2.0]]],
    )


def _silent() -> HeldReading:
    raise TimeoutError("no answer")


@pytest.mark.parametrize("answer", [_garbled, _silent], ids=["nonsense", "silence"])
def test_a_reader_that_can_t_give_its_last_reading_is_asked_to_make_it_again(
    clock: LabClock, answer: Callable[[], HeldReading]
) -> None:
    rig, killed = ReaderRig(clock, remembers=True), Breaker(at=2)
    command = READINGS[0]

    async def body() -> None:
        device = await rig.reader(killed)
        tried = await try_once(clock, device.fluorescence, command, killed)

        async def last_reading() -> HeldReading:
            return answer()

        twin = clariostar_twin(rig.world, name="reader", position="reader")
        asked = clariostar("reader", replace(twin, last_reading=last_reading), bench=rig.bench)
        await asked.connect()
        said = await asked.fluorescence.reconcile(command, tried.marks)
        assert said.answer is Answer.NOT_DONE
        assert "can't be had" in said.sentence

    clock.run(body())
