"""A world and a way to talk to a model line by line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devices.transport import LineInstrument
from digital_twin.world import World
from lab.clock import LabClock
from tests.devices.line_bench import SEATS, Water, make_bench


class Talk:
    """Questions to one model, and waiting."""

    def __init__(self, clock: LabClock, world: World, model: LineInstrument) -> None:
        self.clock = clock
        self.world = world
        self.model = model

    async def __call__(self, *lines: str) -> str:
        """The answer to the last of some lines."""
        answer = ""
        for line in lines:
            answer = await self.model.reply(line)
        return answer


@contextmanager
def talking(make: Callable[[World], LineInstrument], *, plate_at: str) -> Iterator[Talk]:
    """A fresh world with one instrument in it, on virtual time."""
    with LabClock(virtual=True) as clock:

        async def begin() -> Talk:
            bench = make_bench(plate_at=plate_at)
            world = World(clock=clock, seed=1, ledger=None, bench=bench, chemistry=Water(), seats=SEATS)
            return Talk(clock, world, make(world))

        yield clock.run(begin())


def before_and_after(
    make: Callable[[World], LineInstrument],
    ledger: Path,
    *,
    plate_at: str,
    before: Callable[[Talk], Awaitable[None]],
    after: Callable[[Talk], Awaitable[None]],
) -> None:
    """An instrument in a world, and the one made anew over the world that is rebuilt from its ledger."""
    with LabClock(virtual=True) as clock:

        async def begin() -> None:
            bench = make_bench(plate_at=plate_at)
            world = World(clock=clock, seed=1, ledger=ledger, bench=bench, chemistry=Water(), seats=SEATS)
            await before(Talk(clock, world, make(world)))
            world.close()

        clock.run(begin())
    with LabClock(virtual=True, start_s=World.lab_time_of(ledger)) as clock:

        async def go_on() -> None:
            world = World.rebuild(ledger, clock=clock, chemistry=Water())
            await after(Talk(clock, world, make(world)))
            world.close()

        clock.run(go_on())
