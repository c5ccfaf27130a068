from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import bluesky.plan_stubs as bps
import bluesky.run_engine
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus
from ophyd_async.core import Device

from devices.command import CommandValue
from devices.fence import Fence, mark
from devices.verb import Verb, limit_problems, narrowed
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import (
    BadInput,
    CommandBrokenOff,
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    OutOfRange,
    StaleLease,
)
from lab.types import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm(CommandValue):
    verb: ClassVar[str] = "warm"

    temperature_c: float = 40.0
    volumes_ul: tuple[float, ...] = ()

    def problems(self, bench: Bench) -> Sequence[str]:
        return ()

    def believe(self, bench: Bench) -> None:
        """Nothing to believe."""

    def duration_s(self, bench: Bench) -> float:
        return 7.0


class Plate(Device):
    """A device whose verb does what the test says."""

    def __init__(self, **settings: Any) -> None:
        self.done: list[Warm] = []
        self.fault: Exception | None = None
        self.takes_s = 10.0
        self.warm = Verb(self._run, command=Warm, limits={"temperature_c": (4.0, 99.0)}, **settings)
        super().__init__("plate")

    async def _run(self, command: Warm) -> JsonValue:
        await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        self.done.append(command)
        return {"held_c": command.temperature_c}


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as made:
        yield made


def fault_of(clock: LabClock, plate: Plate, command: Warm) -> DeviceFault:
    async def body() -> None:
        await plate.warm.set(command)

    with pytest.raises(DeviceFault) as caught:
        clock.run(body())
    return caught.value


def test_result_is_what_the_command_gave_back(clock: LabClock) -> None:
    plate = Plate()

    async def body() -> None:
        await plate.warm.set(Warm(temperature_c=50.0))

    clock.run(body())
    assert plate.warm.result() == {"held_c": 50.0}


def test_a_failed_command_leaves_no_result_of_an_earlier_one(clock: LabClock) -> None:
    plate = Plate()

    async def body() -> None:
        await plate.warm.set(Warm())

    clock.run(body())
    plate.fault = InstrumentError("no")
    fault_of(clock, plate, Warm())
    assert plate.warm.result() is None


def test_limits_are_refused_before_the_command_begins(clock: LabClock) -> None:
    plate = Plate()
    fault = fault_of(clock, plate, Warm(temperature_c=99.5))
    assert isinstance(fault, OutOfRange)
    assert str(fault) == "plate: temperature_c 99.5 is outside 4 to 99."
    assert clock.now() == 0.0


def test_objections_are_refused_before_the_command_begins_and_listed_as_problems(clock: LabClock) -> None:
    plate = Plate(objections=lambda command, bench: ("it is out of reach.",))
    assert isinstance(fault_of(clock, plate, Warm()), OutOfRange)
    assert not plate.done
    assert plate.warm.problems(Warm(), Bench([], [])) == ("plate: it is out of reach.",)


def test_a_command_that_hangs_is_ended_on_lab_time(clock: LabClock) -> None:
    plate = Plate(estimate=lambda command, bench: 10.0, watchdog_factor=3.0, watchdog_floor_s=20.0)
    plate.takes_s = 1e9
    fault = fault_of(clock, plate, Warm())
    assert isinstance(fault, CommandTimeout)
    assert clock.now() == 50.0


def test_a_slow_command_within_the_watchdog_is_left_alone(clock: LabClock) -> None:
    plate = Plate(estimate=lambda command, bench: 10.0, watchdog_factor=3.0, watchdog_floor_s=20.0)
    plate.takes_s = 49.0

    async def body() -> None:
        await plate.warm.set(Warm())

    clock.run(body())
    assert plate.done


def test_a_timeout_inside_the_driver_is_not_taken_for_the_watchdog(clock: LabClock) -> None:
    plate = Plate(estimate=lambda command, bench: 10.0)
    plate.fault = TimeoutError("a bug of the driver")

    async def body() -> None:
        await plate.warm.set(Warm())

    with pytest.raises(TimeoutError, match="a bug of the driver"):
        clock.run(body())


def test_another_familys_command_is_a_bug(clock: LabClock) -> None:
    plate = Plate()

    async def body() -> None:
        await plate.warm.set("hot")  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="takes a Warm"):
        clock.run(body())


def test_restoring_gives_the_result_back_and_does_nothing(clock: LabClock) -> None:
    seen: list[JsonValue] = []

    async def restore(result: JsonValue) -> None:
        seen.append(result)

    plate = Plate(restore=restore)
    clock.run(plate.warm.restore({"held_c": 60.0}))
    assert plate.warm.result() == {"held_c": 60.0}
    assert seen == [{"held_c": 60.0}]
    assert not plate.done


def test_the_expected_duration_is_the_devices_where_it_has_one() -> None:
    bench = Bench([], [])
    assert Plate().warm.duration_s(Warm(), bench) == 7.0
    assert (
        Plate(estimate=lambda command, of: 3.0 if of is bench else 4.0).warm.duration_s(Warm(), bench) == 3.0
    )


@pytest.mark.parametrize("fault", [InstrumentError("jammed"), ConnectionLost("gone")], ids=str)
def test_a_fault_reaches_the_plan_as_the_cause_of_the_failed_status(
    clock: LabClock, fault: DeviceFault
) -> None:
    # A run engine that is given a running loop looks its thread up here.
    threads: Any = bluesky.run_engine._ensure_event_loop_running
    threads.loop_to_thread[clock.loop] = clock.thread
    engine = RunEngine({}, loop=clock.loop, context_managers=[])
    plate = Plate()
    plate.fault = fault

    def plan() -> Any:
        yield from bps.abs_set(plate.warm, Warm(), wait=True)

    with pytest.raises(FailedStatus) as caught:
        engine(plan())
    assert caught.value.__cause__ is fault
    assert fault.device == "plate"


def test_every_number_of_a_field_is_checked() -> None:
    problems = limit_problems(Warm(volumes_ul=(1.0, 50.0, 60.0)), {"volumes_ul": (1.0, 49.0)})
    assert len(problems) == 2


def test_limits_of_the_file_narrow_the_makers_and_never_widen_them() -> None:
    maker = {"temperature_c": (4.0, 99.0), "cool_to_c": (4.0, 99.0)}
    limits = narrowed(maker, {"temperature_c": (0.0, 80.0)}, also={"temperature_c": ("cool_to_c",)})
    assert limits == {"temperature_c": (4.0, 80.0), "cool_to_c": (4.0, 80.0)}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"temprature_c": (4.0, 99.0)}, "There is no limit 'temprature_c'"),
        ({"temperature_c": (120.0, 130.0)}, "No temperature_c is within"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_bad_input(limits: dict[str, tuple[float, float]], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        narrowed({"temperature_c": (4.0, 99.0)}, limits)


async def _nothing_to_mark(name: str, details: JsonValue) -> None:
    """No journal here."""


def test_a_command_that_is_broken_off_ends_as_a_fault_with_what_its_clean_up_met(clock: LabClock) -> None:
    class Untidy(Plate):
        async def _run(self, command: Warm) -> JsonValue:
            try:
                return await super()._run(command)
            except asyncio.CancelledError as cancelled:
                cancelled.add_note("The heater did not go off.")
                raise

    plate = Untidy()

    async def work() -> BaseException | None:
        status = plate.warm.set(Warm())
        await asyncio.sleep(1.0)
        assert plate.warm.break_off("Smoke.") is status
        assert plate.warm.break_off("Smoke.") is status
        await asyncio.wait([status.task])
        return status.exception()

    fault = clock.run(work())
    assert isinstance(fault, CommandBrokenOff)
    assert str(fault) == "plate: warm was broken off: Smoke."
    assert fault.__notes__ == ["The heater did not go off."]
    assert not fault.nothing_done
    assert clock.now() == 1.0
    assert plate.done == []


def test_a_command_that_is_engaged_and_not_sent_yet_is_not_begun_after_a_break_off(clock: LabClock) -> None:
    plate = Plate()
    plate.fence = Fence()  # as devices have

    async def work() -> BaseException | None:
        plate.warm.engage(token=1, limit_s=60.0, mark=_nothing_to_mark)
        assert plate.warm.break_off("Smoke.") is None
        status = plate.warm.set(Warm())
        await asyncio.wait([status.task])
        plate.warm.engage(token=2, limit_s=60.0, mark=_nothing_to_mark)
        await plate.warm.set(Warm(temperature_c=30.0))
        return status.exception()

    fault = clock.run(work())
    assert isinstance(fault, CommandBrokenOff)
    assert fault.nothing_done
    assert plate.done == [Warm(temperature_c=30.0)]


def test_breaking_off_where_nothing_is_under_way_is_harmless(clock: LabClock) -> None:
    plate = Plate()

    async def work() -> None:
        assert plate.warm.break_off("Smoke.") is None
        await plate.warm.set(Warm())
        assert plate.warm.break_off("Smoke.") is None
        await plate.warm.set(Warm())

    clock.run(work())
    assert len(plate.done) == 2


@pytest.mark.parametrize("marked", [False, True])
def test_a_refusal_means_that_nothing_was_done_only_before_the_first_part(
    clock: LabClock, marked: bool
) -> None:
    plate = Plate()
    plate.fence = Fence()

    async def refuse(command: Warm) -> JsonValue:
        if marked:
            await mark("warm")
        raise InstrumentBusy("at something else")

    plate.warm._run = refuse
    plate.warm.engage(token=1, limit_s=60.0, mark=_nothing_to_mark)
    assert fault_of(clock, plate, Warm()).nothing_done is not marked


def test_a_command_under_an_older_lease_is_refused_before_it_begins(clock: LabClock) -> None:
    plate = Plate()
    plate.fence = Fence()
    plate.fence.admit(5)
    plate.warm.engage(token=4, limit_s=60.0, mark=_nothing_to_mark)
    fault = fault_of(clock, plate, Warm())
    assert isinstance(fault, StaleLease)
    assert fault.nothing_done
    assert plate.done == []
