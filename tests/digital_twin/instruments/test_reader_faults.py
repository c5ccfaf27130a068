"""Faults of a reader's twin, and the reading that it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from digital_twin.chemistry import chemistry
from digital_twin.faults import FaultRule, FaultScript, Moment
from digital_twin.instruments.plate_reader import ANSWER_TIMEOUT_S, ReaderRefuses
from digital_twin.world import World
from lab.clock import LabClock
from lab.errors import FaultKind
from tests.digital_twin.seams import ReadingDesk, a_world, faults_of, reader_bench, script, told

Work = Callable[[ReadingDesk, World], Coroutine[Any, Any, None]]

NO_RULES: FaultScript = script()


def at_desk(work: Work, rules: FaultScript = NO_RULES, *, ledger: Path | None = None) -> World:
    """Read a plate, with a script of faults."""
    with LabClock(virtual=True) as clock:
        world = a_world(clock, bench=reader_bench(), ledger=ledger)

        async def begin() -> None:
            desk = ReadingDesk(world, rules)
            await desk.front.setup()
            await work(desk, world)

        clock.run(begin())
    world.close()
    return world


def one(kind: FaultKind, where: str, **rule: Any) -> FaultScript:
    return script(FaultRule(instrument="reader", kind=kind, where=where, **{"at": (1,), **rule}))


# -------------------------------------------------------------------------------------------------- the last reading


def test_a_reader_that_has_read_nothing_holds_nothing():
    async def work(desk: ReadingDesk, world: World) -> None:
        assert await desk.backend.last_reading() is None

    at_desk(work)


def test_the_held_reading_is_the_answer_that_was_given_with_settings_and_beginning():
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        begun_s = world.clock.now()
        answer = await desk.fluorescence()
        held = await desk.backend.last_reading()
        assert held is not None
        assert held["mode"] == "fluorescence"
        assert held["settings"] == {"excitation_nm": 480.0, "emission_nm": 540.0, "gain": 1000.0}
        assert held["begun_lab_s"] == begun_s < world.clock.now()
        assert held["cycles"] == [answer[0]["data"]]

    at_desk(work)


def test_cycles_between_two_movements_of_the_drawer_are_one_reading_and_then_a_new_one_begins():
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        first_s = world.clock.now()
        passes = []
        for _ in range(3):
            passes.append((await desk.absorbance())[0]["data"])
            await asyncio.sleep(60.0)
        await desk.front.open()
        held = await desk.backend.last_reading()
        assert held is not None
        assert (held["begun_lab_s"], held["cycles"]) == (first_s, passes)
        await desk.front.close()
        answer = await desk.absorbance()
        held = await desk.backend.last_reading()
        assert held is not None
        assert held["cycles"] == [answer[0]["data"]]

    at_desk(work)


def test_another_mode_is_another_reading():
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        await desk.absorbance()
        await desk.fluorescence()
        held = await desk.backend.last_reading()
        assert held is not None
        assert (held["mode"], len(held["cycles"])) == ("fluorescence", 1)

    at_desk(work)


def test_a_reader_of_a_rebuilt_world_still_holds_its_last_reading(tmp_path: Path):
    read: list[Any] = []

    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        await desk.fluorescence()
        await desk.fluorescence()
        read.append(await desk.backend.last_reading())

    at_desk(work, ledger=tmp_path / "world.jsonl")
    with LabClock(virtual=True) as clock:
        again = World.rebuild(tmp_path / "world.jsonl", clock=clock, chemistry=chemistry("protein_g"))
        held = clock.run(ReadingDesk(again, NO_RULES).backend.last_reading())
        again.close()
    assert held == read[0]
    assert len(held["cycles"]) == 2


# ---------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("kind", [FaultKind.CONNECTION_LOST, FaultKind.TIMEOUT, FaultKind.NONSENSE_REPLY])
@pytest.mark.parametrize(("moment", "was_read"), [(Moment.BEFORE, False), (Moment.AFTER, True)])
def test_a_reading_whose_answer_is_lost_is_held_only_if_it_was_made(
    kind: FaultKind, moment: Moment, was_read: bool
):
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        await told(desk.absorbance)
        held = await desk.backend.last_reading()
        assert (held is not None) is was_read

    world = at_desk(work, one(kind, "absorbance", moment=moment))
    assert len(faults_of(world)) == 1


def test_a_stuck_drawer_has_not_moved_and_does_at_the_next_try():
    async def work(desk: ReadingDesk, world: World) -> None:
        with pytest.raises(ReaderRefuses, match="does not move"):
            await desk.front.close()
        assert not world.is_shut("reader")
        await desk.front.close()
        assert world.is_shut("reader")
        with pytest.raises(ReaderRefuses, match="does not move"):
            await desk.front.open()
        assert world.is_shut("reader")

    stuck_out = FaultRule(instrument="reader", kind=FaultKind.LID, where="open_door", at=(1,))
    at_desk(work, FaultScript(1, (*one(FaultKind.LID, "fluorescence").rules, stuck_out)))


@pytest.mark.parametrize(("mode", "ceiling"), [("fluorescence", 260_000.0), ("absorbance", 4.0)])
def test_a_saturated_reading_has_its_upper_half_at_the_ceiling(mode: str, ceiling: float):
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        wells = [value for row in (await getattr(desk, mode)())[0]["data"] for value in row]
        assert sum(value == ceiling for value in wells) >= 48
        assert wells[0] == ceiling
        assert min(wells) < 0.1 * ceiling
        after = [value for row in (await getattr(desk, mode)())[0]["data"] for value in row]
        assert max(after) < ceiling

    at_desk(work, one(FaultKind.SATURATED, mode))


def test_a_reader_that_times_out_says_so_in_the_end():
    async def work(desk: ReadingDesk, world: World) -> None:
        await desk.front.close()
        begun_s = world.clock.now()
        with pytest.raises(TimeoutError):
            await desk.fluorescence()
        assert world.clock.now() - begun_s == pytest.approx(ANSWER_TIMEOUT_S)

    at_desk(work, one(FaultKind.TIMEOUT, "fluorescence"))
