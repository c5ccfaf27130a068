"""Lab time: it jumps when nothing is left to do, stands still while outside work runs, and never waits for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from lab.clock import LabClock


def test_two_weeks_of_waiting_take_no_wall_time() -> None:
    async def incubate() -> None:
        for _ in range(336):
            await asyncio.sleep(3600)

    begun = time.monotonic()
    with LabClock(virtual=True) as clock:
        clock.run(incubate())
        assert clock.now() == pytest.approx(336 * 3600)
    assert time.monotonic() - begun < 5


def test_parallel_waits_share_lab_time() -> None:
    async def both() -> None:
        await asyncio.gather(asyncio.sleep(100), asyncio.sleep(250))

    with LabClock(virtual=True) as clock:
        clock.run(both())
        assert clock.now() == pytest.approx(250)


def test_outside_work_takes_no_lab_time_however_slow_it_is() -> None:
    async def scenario(clock: LabClock) -> float:
        ticking = asyncio.create_task(asyncio.sleep(10))
        await clock.outside("a slow fit", lambda: time.sleep(0.2))
        seen = clock.now()
        await ticking
        return seen

    with LabClock(virtual=True) as clock:
        assert clock.run(scenario(clock)) == 0.0
        assert clock.now() == pytest.approx(10)


def test_a_hold_taken_in_one_thread_can_be_released_in_another() -> None:
    with LabClock(virtual=True) as clock:
        token = clock.take_hold("a lane between runs")
        waiting = asyncio.run_coroutine_threadsafe(asyncio.sleep(5), clock.loop)
        time.sleep(0.1)
        assert clock.now() == 0.0
        assert not waiting.done()
        clock.release_hold(token)
        waiting.result(timeout=5)
        assert clock.now() == pytest.approx(5)


def test_a_hold_that_never_ends_is_reported_with_its_name() -> None:
    with LabClock(virtual=True, hold_limit_s=0.2) as clock:
        clock.take_hold("a planner that hangs")
        waiting = asyncio.run_coroutine_threadsafe(asyncio.sleep(5), clock.loop)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - cancelled, in whichever of asyncio's two classes
            waiting.result(timeout=5)
        assert clock.stalled is not None
        assert "a planner that hangs" in str(clock.stalled)


def test_quiet_callbacks_run_before_time_moves() -> None:
    seen: list[float] = []

    async def scenario(clock: LabClock) -> None:
        clock.when_quiet(lambda: seen.append(clock.now()))
        await asyncio.sleep(60)

    with LabClock(virtual=True) as clock:
        clock.run(scenario(clock))
    assert seen == [0.0]


def test_lab_times_are_the_same_to_the_last_bit_at_every_pace() -> None:
    async def times(clock: LabClock) -> list[float]:
        ends = []
        for _ in range(40):
            await asyncio.sleep(3.3)
            ends.append(clock.now())
        return ends

    seen = []
    for pace in (None, 1000.0):
        with LabClock(virtual=True, pace=pace, start_s=0.1) as clock:
            seen.append(clock.run(times(clock)))
    assert seen[0] == seen[1]


def test_a_paced_clock_runs_at_its_factor() -> None:
    with LabClock(virtual=True, pace=100.0) as clock:
        begun = time.monotonic()
        clock.run(asyncio.sleep(20))
        lasted = time.monotonic() - begun
        assert clock.now() == pytest.approx(20, abs=0.5)
    assert 0.15 < lasted < 2


def test_wall_time_is_wall_time() -> None:
    with LabClock(virtual=False) as clock:
        begun = time.monotonic()
        clock.run(asyncio.sleep(0.1))
        assert time.monotonic() - begun >= 0.1


def test_a_resumed_clock_goes_on_from_where_it_was() -> None:
    with LabClock(virtual=True, start_s=5000.0) as clock:
        clock.run(asyncio.sleep(10))
        assert clock.now() == pytest.approx(5010)


def test_what_is_urgent_takes_lab_time_whatever_holds_it() -> None:
    with LabClock(virtual=True) as clock, clock.hold("a planner"):
        with clock.urgently():
            clock.run(asyncio.sleep(20))
        assert clock.now() == 20.0
        waiting = asyncio.run_coroutine_threadsafe(asyncio.sleep(20), clock.loop)
        clock.run(asyncio.sleep(0))
        assert not waiting.done()
        assert clock.now() == 20.0
