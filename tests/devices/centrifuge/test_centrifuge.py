"""The centrifuge on its twin: what it does to the rotor, and what it says of a spin that was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from devices.centrifuge import Present, Spin
from devices.centrifuge.centrifuge import PlateCentrifuge
from devices.centrifuge.microspin import microspin, microspin_driver
from digital_twin.faults import BEFORE_OR_AFTER, NO_FAULTS, FaultRule, FaultScript, Moment
from digital_twin.instruments.microspin import MICROSPIN_FAULTS, MicroSpinLine, MicroSpinTwin
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandBrokenOff,
    CommandTimeout,
    DeviceFault,
    InstrumentError,
    NonsenseReply,
    OutOfRange,
    StaleLease,
)
from lab.interfaces import Answer
from tests.devices.broken_off import Breaker, try_once
from tests.devices.line_bench import Water
from tests.devices.machine_fault_benches import bucket_bench

SPIN = Spin(plate="plate_1", counterweight="plate_2", rcf_g=1000.0, hold_s=120.0)


class Rig:
    """A centrifuge in a world."""

    def __init__(self, clock: LabClock, script: FaultScript = NO_FAULTS) -> None:
        self.clock = clock
        self.bench = bucket_bench()
        self.world = World(clock=clock, seed=7, ledger=None, bench=self.bench, chemistry=Water())
        self.machine = MicroSpinTwin(
            self.world, name="centrifuge", positions=["bucket_1", "bucket_2"], script=script
        )
        self.lines: list[MicroSpinLine] = []

    async def centrifuge(self) -> PlateCentrifuge:
        """As a new process makes it; the machine stays the same."""

        def connect() -> MicroSpinLine:
            self.lines.append(MicroSpinLine(self.machine))
            return self.lines[-1]

        device = microspin("centrifuge", microspin_driver(connect), bench=self.bench)
        await device.connect()
        return device

    @property
    def turns(self) -> bool:
        return "spin" in self.world.state.memory.get("centrifuge", {})

    def spins(self) -> list[str]:
        return [one.action for one in self.world.ledger.actions if one.action.startswith("spin")]


def run(body: Callable[[Rig], Coroutine[Any, Any, None]], script: FaultScript = NO_FAULTS) -> None:
    with LabClock(virtual=True) as clock:
        clock.run(body(Rig(clock, script)))


def test_connecting_homes_the_rotor_once_and_says_who_it_is() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        identity = await device.identify()
        assert (identity.model, identity.serial, identity.origin) == (
            "MicroSpin",
            "TWIN-MICROSPIN-7",
            "twin",
        )
        await rig.centrifuge()
        assert [one.action for one in rig.world.ledger.actions] == ["present_bucket"]

    run(body)


def test_a_spin_takes_its_time_and_its_plates_cannot_be_reached_meanwhile_or_after() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        began_s = rig.clock.now()
        status = device.spin.set(SPIN)
        await asyncio.sleep(60.0)
        assert rig.spins() == ["spin_up"]
        assert rig.world.is_shut("bucket_1")
        assert rig.world.is_shut("bucket_2")
        await status
        took_s = rig.clock.now() - began_s
        assert not rig.turns
        assert took_s == pytest.approx(device.spin.duration_s(SPIN, rig.bench), abs=1.0)
        assert (await device.rcf_g.get_value(), await device.hold_s.get_value()) == (1000.0, 120.0)
        assert rig.world.is_shut("bucket_1")

    run(body)


def test_a_bucket_that_is_presented_can_be_reached_and_the_other_cannot() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        for bucket, other in ((1, 2), (2, 1), (2, 1)):
            await device.present.set(Present(bucket=bucket))
            assert not rig.world.is_shut(f"bucket_{bucket}")
            assert rig.world.is_shut(f"bucket_{other}")

    run(body)


@pytest.mark.parametrize(
    ("counterweight", "reason"),
    [
        ("plate_1", "its own counterweight"),
        ("flat_1", "different kinds"),
        ("full_1", "differ by"),
        ("nothing", "no nothing"),
    ],
)
def test_what_does_not_balance_is_refused_at_dry_run_and_before_anything_turns(
    counterweight: str, reason: str
) -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        command = Spin(plate="plate_1", counterweight=counterweight, rcf_g=1000.0, hold_s=60.0)
        assert reason in " ".join(device.spin.problems(command, rig.bench))
        with pytest.raises(OutOfRange, match=reason):
            await device.spin.set(command)
        assert rig.spins() == []

    run(body)


def test_a_lid_on_one_plate_alone_does_not_balance() -> None:
    bench = bucket_bench()
    bench.labware["plate_1"].lid = "lid_1"
    assert "only one has a lid" in " ".join(SPIN.problems(bench))


def test_a_rotor_that_is_truly_out_of_balance_trips_and_is_homed_before_it_moves_again() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        wells = rig.world.state.pieces["plate_1"].wells
        assert wells is not None
        wells.volume_ul[:] = 180.0
        with pytest.raises(InstrumentError, match="out of balance"):
            await device.spin.set(SPIN)
        assert not rig.turns
        await device.present.set(Present(bucket=1))
        assert [one.action for one in rig.world.ledger.actions][-2:] == ["present_bucket"] * 2

    run(body)


@pytest.mark.parametrize("limits", [{"rcf_g": (500.0, 900.0)}, {"hold_s": (1.0, 60.0)}])
def test_what_is_past_a_limit_is_refused_before_anything_turns(
    limits: dict[str, tuple[float, float]],
) -> None:
    async def body(rig: Rig) -> None:
        device = microspin(
            "centrifuge",
            microspin_driver(lambda: MicroSpinLine(rig.machine)),
            bench=rig.bench,
            limits=limits,
        )
        await device.connect()
        with pytest.raises(OutOfRange):
            await device.spin.set(SPIN)
        assert rig.spins() == []

    run(body)


def test_a_limit_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(BadInput, match="temperature_c"):
        microspin(
            "c",
            microspin_driver(lambda: MicroSpinLine(None)),  # type: ignore[arg-type]
            bench=bucket_bench(),
            limits={"temperature_c": (0.0, 1.0)},
        )


def test_the_safe_state_stops_a_rotor_that_turns_and_may_be_asked_for_twice() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        status = device.spin.set(SPIN)
        await asyncio.sleep(60.0)
        await device.safe()
        assert not rig.turns
        with pytest.raises(DeviceFault, match="ABORTED"):
            await status
        await device.safe()
        # The latch that an abort sets is released, and it works again.
        await device.spin.set(SPIN)
        assert rig.spins() == ["spin_up", "spin_down"] * 2

    run(body)


def test_a_spin_that_is_broken_off_stops_the_rotor() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        status = device.spin.set(SPIN)
        await asyncio.sleep(60.0)
        device.spin.break_off("stop")
        with pytest.raises(CommandBrokenOff):
            await status
        assert rig.spins() == ["spin_up", "spin_down"]

    run(body)


@pytest.mark.parametrize("after_s", [0.5, 30.0, 100.0, 400.0])
def test_a_controller_that_comes_back_finds_the_rotor_stopped_and_says_what_is_known(after_s: float) -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        marks: list[Any] = []

        async def mark(name: str, details: Any) -> None:
            marks.append(name)

        device.spin.engage(token=1, limit_s=600.0, mark=mark)
        device.spin.set(SPIN)
        await asyncio.sleep(after_s)
        # The first controller is dead: nothing of it is heard any more, and the machine goes on.
        again = await rig.centrifuge()
        await again.look()
        await again.safe()
        assert not rig.turns
        whole = [one for one in rig.world.ledger.actions if one.action == "spin_down"]
        assert len(whole) == 1
        assert marks == (["spin", "stopped"] if after_s > 300.0 else ["spin"])

    run(body)


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_a_spin_cut_off_at_any_of_its_requests_is_never_told_better_than_it_was(sent: bool) -> None:
    requests: list[str] = []
    answers = set()

    async def cut(rig: Rig, n: int) -> None:
        device = await rig.centrifuge()
        rig.world.act("centrifuge", "remember", values={"homed": False})
        killed, honest = Breaker(at=None), rig.lines[-1].write

        async def write(data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
            requests.append(data.decode().strip())
            if len(requests) - 1 == n:
                killed.reached.set()
                if not sent:
                    return
            await honest(data, timeout)

        rig.lines[-1].write = write  # type: ignore[method-assign]
        tried = await try_once(rig.clock, device.spin, SPIN, killed)
        assert killed.reached.is_set() == (n >= 0)
        again = await rig.centrifuge()
        await again.look()
        await again.safe()
        assert not rig.turns
        said = await again.spin.reconcile(SPIN, tried.marks)
        answers.add(said.answer)
        if said.answer is Answer.NOT_DONE:
            assert rig.spins() == []
        if said.answer is Answer.DONE:
            assert tried.result is not None
        await again.spin.set(SPIN)

    run(lambda rig: cut(rig, -1))
    whole = [*requests]
    assert [request.split()[0] for request in whole] == ["hss", "home", "spin"]
    assert answers == {Answer.DONE}
    for n in range(len(whole)):
        requests.clear()
        answers.clear()
        run(lambda rig, n=n: cut(rig, n))  # type: ignore[misc]
        assert answers == {Answer.UNKNOWN if n == len(whole) - 1 else Answer.NOT_DONE}


def test_what_came_of_a_spin_is_told_by_its_last_mark_and_never_guessed() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        for at, expected in ((0, Answer.NOT_DONE), (1, Answer.UNKNOWN), (2, Answer.DONE)):
            done = await try_once(rig.clock, device.spin, SPIN, Breaker(at=None), token=at + 1)
            said = await device.spin.reconcile(SPIN, done.marks[:at])
            assert said.answer is expected
            assert said.result == (done.result if expected is Answer.DONE else None)
        assert SPIN.touches == (("plate_1", "*"), ("plate_2", "*"))

    run(body)


SCRIPTED = [
    (command, FaultRule(instrument="centrifuge", kind=kind, where=command.verb, at=(1,), moment=moment))
    for command in (Present(bucket=1), SPIN)
    for kind in sorted(MICROSPIN_FAULTS.verbs[command.verb])
    for moment in ((Moment.BEFORE, Moment.AFTER) if kind in BEFORE_OR_AFTER else (Moment.BEFORE,))
]


@pytest.mark.parametrize(
    ("command", "rule"), SCRIPTED, ids=lambda value: getattr(value, "key", "") or value.verb
)
def test_every_fault_is_told_by_its_kind_and_leaves_nothing_spinning(command: Any, rule: FaultRule) -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        verb = getattr(device, command.verb)
        tried = await try_once(rig.clock, verb, command, Breaker(at=None))
        assert tried.fault is not None
        assert tried.fault.kind is rule.kind
        await device.safe()
        assert not rig.turns
        said = await verb.reconcile(command, tried.marks)
        assert said.answer is (Answer.UNKNOWN if command is SPIN else Answer.NOT_DONE)
        again = await try_once(rig.clock, verb, command, Breaker(at=None))
        assert again.fault is None

    run(body, FaultScript(rules=(rule,)))


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("", CommandTimeout),
        ("ACK! spin", NonsenseReply),
        ("#~ 12;;", NonsenseReply),
        ("°°°", NonsenseReply),
        ("OK! spin 3", NonsenseReply),
    ],
)
def test_bad_answers_are_typed_faults_and_the_rotor_stands_after_them(
    said: str, fault: type[DeviceFault]
) -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        line, honest = rig.lines[-1], MicroSpinLine._say

        def lie(text: str) -> None:
            if "spin" not in text:
                honest(line, text)
            elif said:
                honest(line, said)

        line._say = lie  # type: ignore[assignment, method-assign]
        with pytest.raises(fault):
            await device.spin.set(SPIN)
        assert not rig.turns
        await device.spin.set(SPIN)

    run(body)


def test_a_lease_that_has_run_out_moves_nothing() -> None:
    async def body(rig: Rig) -> None:
        device = await rig.centrifuge()
        device.fence.admit(50)
        tried = await try_once(rig.clock, device.spin, SPIN, Breaker(at=None))
        assert isinstance(tried.fault, StaleLease)
        assert rig.spins() == []

    run(body)


def test_a_world_rebuilt_in_the_midst_of_a_spin_has_a_rotor_that_stops_by_itself(tmp_path: Any) -> None:
    ledger = tmp_path / "ledger.jsonl"

    async def dies(clock: LabClock) -> None:
        bench = bucket_bench()
        world = World(clock=clock, seed=7, ledger=ledger, bench=bench, chemistry=Water())
        machine = MicroSpinTwin(world, name="centrifuge", positions=["bucket_1", "bucket_2"])
        device = microspin("centrifuge", microspin_driver(lambda: MicroSpinLine(machine)), bench=bench)
        await device.connect()
        device.spin.set(SPIN)
        await asyncio.sleep(30.0)
        (tmp_path / "copy.jsonl").write_bytes(ledger.read_bytes())
        await device.safe()
        world.close()

    async def lives(clock: LabClock) -> None:
        world = World.rebuild(tmp_path / "copy.jsonl", clock=clock, chemistry=Water())
        machine = MicroSpinTwin(world, name="centrifuge", positions=["bucket_1", "bucket_2"])
        assert "spin" in world.state.memory["centrifuge"]
        device = microspin(
            "centrifuge", microspin_driver(lambda: MicroSpinLine(machine)), bench=bucket_bench()
        )
        await device.connect()
        await asyncio.sleep(600.0)
        assert "spin" not in world.state.memory["centrifuge"]
        world.close()

    with LabClock(virtual=True) as clock:
        clock.run(dies(clock))
    with LabClock(virtual=True, start_s=World.lab_time_of(tmp_path / "copy.jsonl")) as clock:
        clock.run(lives(clock))
