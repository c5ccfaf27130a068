"""Whose turn it is: priority counts as age, so that nobody starves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab.bench import Bench
from lab.clock import LabClock
from lab.engine.arbiter import PRIORITY_S, Arbiter


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as clock:
        yield clock


class Queue:
    """One reader, kept busy from the start for ``busy_s``; then whoever's turn it is has it for ``each_s``."""

    def __init__(
        self, clock: LabClock, priority: dict[str, int], *, busy_s: float, each_s: float = 10
    ) -> None:
        self.clock = clock
        self.arbiter = Arbiter(clock, Bench([], []), {}, {}, priority=priority)
        self.busy_s = busy_s
        self.each_s = each_s
        self.served: list[tuple[str, float]] = []

    async def use(self, owner: str, at_s: float, for_s: float | None = None) -> None:
        await asyncio.sleep(at_s)
        await self.arbiter.lease(owner, ["reader"])
        self.served.append((owner, self.clock.now()))
        await asyncio.sleep(self.each_s if for_s is None else for_s)
        self.arbiter.release(owner)

    def run(self, *asked: tuple[str, float]) -> list[str]:
        async def scenario() -> None:
            await asyncio.gather(self.use("busy", 0, self.busy_s), *(self.use(*one) for one in asked))

        self.clock.run(scenario())
        return [owner for owner, _ in self.served[1:]]


def test_the_more_urgent_goes_before_who_asked_somewhat_earlier(clock: LabClock) -> None:
    queue = Queue(clock, {"urgent": 1}, busy_s=2000)
    assert queue.run(("plain", 10), ("urgent", 10 + PRIORITY_S - 1)) == ["urgent", "plain"]


def test_who_has_waited_longer_than_the_priority_counts_for_goes_first_all_the_same(clock: LabClock) -> None:
    queue = Queue(clock, {"urgent": 1}, busy_s=2000)
    assert queue.run(("urgent", 10 + PRIORITY_S + 1), ("plain", 10)) == ["plain", "urgent"]


def test_with_equal_turns_the_rank_decides(clock: LabClock) -> None:
    queue = Queue(clock, {"b": 1}, busy_s=2000)
    assert queue.run(("b", 10 + PRIORITY_S), ("c", 10), ("a", 10)) == ["a", "b", "c"]


def test_a_priority_that_changes_while_one_waits_counts_from_then(clock: LabClock) -> None:
    priority: dict[str, int] = {}
    queue = Queue(clock, priority, busy_s=100)
    clock.loop.call_soon_threadsafe(clock.loop.call_later, 50, lambda: priority.update(late=5))
    assert queue.run(("early", 10), ("late", 20)) == ["late", "early"]


def test_no_priority_counts_for_more_than_ninety_minutes(clock: LabClock) -> None:
    queue = Queue(clock, {"boss": 1000, "other": -3}, busy_s=6000)
    assert queue.run(("other", 10), ("boss", 10 + 5400 + 1)) == ["other", "boss"]


def test_a_stream_of_urgent_requests_starves_nobody(clock: LabClock) -> None:
    """Ten hours of urgent work, asked for faster than the reader can do it."""
    stream = [(f"urgent_{n:03}", 10.0 + n * 240) for n in range(150)]
    queue = Queue(clock, {owner: 9 for owner, _ in stream}, busy_s=300, each_s=300)
    order = queue.run(("plain", 5), *stream)
    served = dict(queue.served)
    # Before it went only who asked within the 90 minutes after it.
    ahead = order[: order.index("plain")]
    asked = dict(stream)
    assert len(ahead) == 23
    assert max(asked[owner] for owner in ahead) <= 5 + 5400
    assert served["plain"] == 300 + 300 * len(ahead)
    assert set(order) == {"plain", *asked}


def test_who_needs_many_things_is_not_overtaken_for_ever_by_urgent_users_of_one(clock: LabClock) -> None:
    urgent = [f"urgent_{n:02}" for n in range(60)]
    arbiter = Arbiter(clock, Bench([], []), {}, {}, priority=dict.fromkeys(urgent, 9))
    got: dict[str, float] = {}

    async def use(owner: str, devices: list[str], at_s: float) -> None:
        await asyncio.sleep(at_s)
        await arbiter.lease(owner, devices)
        got[owner] = clock.now()
        await asyncio.sleep(400)
        arbiter.release(owner)

    async def scenario() -> None:
        # Reader and arm are never idle at the same moment.
        others = (use(owner, [("reader", "arm")[n % 2]], n * 200) for n, owner in enumerate(urgent))
        await asyncio.gather(use("both", ["reader", "arm"], 1), *others)

    clock.run(scenario())
    assert 5400 < got["both"] <= 5400 + 1 + 400
