"""Waiting in a circle is ended and told; waiting that ends by itself is let be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.bench import Bench, Labware, LabwareType, Position
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter
from lab.engine.waits import Wait, find_circle, reaches
from lab.errors import RunHeld

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as clock:
        yield clock


def always(_: str) -> bool:
    return True


def bench(nests: int, plates: int) -> Bench:
    """Nests ``nest_1``... each on a device ``device_1``..., and plates ``plate_1``... in hotel slots of their own."""
    positions = [Position(name=f"nest_{n}", device=f"device_{n}") for n in range(1, nests + 1)]
    positions += [Position(name=f"hotel_{n}", device="arm", home=True) for n in range(1, plates + 1)]
    return Bench(
        positions,
        [
            Labware(id=f"plate_{n}", type=PLATE, position=f"hotel_{n}", home=f"hotel_{n}")
            for n in range(1, plates + 1)
        ],
    )


class Swap:
    """Runs whose plates stand on nests, run_1's plate_1 on nest_1 and so on, with no claims held."""

    def __init__(self, clock: LabClock, runs: int) -> None:
        self.bench = bench(runs, runs)
        self.holder = {f"plate_{n}": f"run_{n}" for n in range(1, runs + 1)}
        for n in range(1, runs + 1):
            self.bench.move(f"plate_{n}", f"nest_{n}")
        self.names: dict[str, str] = {}
        self.arbiter = Arbiter(clock, self.bench, self.holder, self.names)

    def bring_home(self, plate: str) -> None:
        self.bench.move(plate, self.bench.labware[plate].home)
        del self.holder[plate]


def test_two_runs_that_swap_plates_without_a_spare_nest_are_told_at_once(clock: LabClock) -> None:
    swap = Swap(clock, 2)
    swap.names["run_2"] = "screen of the night"

    async def scenario() -> None:
        first = asyncio.create_task(swap.arbiter.claim("run_1", ["nest_2"], always))
        await asyncio.sleep(5)
        with pytest.raises(RunHeld) as told:
            await swap.arbiter.claim("run_2", ["nest_1"], always)
        assert clock.now() == 5
        assert str(told.value) == (
            "Waiting in a circle, which nobody in it can end: "
            "run_1 holds nest_1 with plate_1 and waits for nest_2; "
            "run_2 (screen of the night) holds nest_2 with plate_2 and waits for nest_1. "
            "Give the bench a spare nest, or let the protocol take its plate home before it asks for the next place."
        )
        await asyncio.sleep(5)
        assert not first.done()
        swap.bring_home("plate_2")
        swap.arbiter.release("run_2")
        await first

    clock.run(scenario())
    assert clock.now() == 10


def test_with_a_spare_nest_nobody_is_told_anything(clock: LabClock) -> None:
    swap = Swap(clock, 2)
    swap.bench.positions["spare"] = Position(name="spare", device="deck")

    async def first() -> None:
        await swap.arbiter.claim("run_1", ["nest_2"], always)

    async def second() -> None:
        await swap.arbiter.claim("run_2", ["spare"], always)
        await asyncio.sleep(30)
        swap.bench.move("plate_2", "spare")
        swap.arbiter.release("run_2")

    async def scenario() -> None:
        await asyncio.gather(first(), second())

    clock.run(scenario())
    assert clock.now() == 30


def test_twenty_runs_in_one_circle_cost_one_of_them_its_wait(clock: LabClock) -> None:
    swap = Swap(clock, 20)
    swap.names.update({f"run_{n}": f"{n:02}" for n in range(1, 21)})

    async def scenario() -> list[object]:
        waits = [
            asyncio.create_task(swap.arbiter.claim(f"run_{n}", [f"nest_{n % 20 + 1}"], always))
            for n in range(1, 21)
        ]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        ended = [wait.exception() for wait in waits if wait.done()]
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)
        return [*ended, waits[19].exception()]

    told, youngest = clock.run(scenario())
    assert told is youngest
    assert all(f"run_{n} ({n:02}) holds nest_{n} with plate_{n}" in str(told) for n in range(1, 21))


def test_a_run_may_claim_the_place_where_its_own_other_plate_stands(clock: LabClock) -> None:
    belief = bench(2, 2)
    belief.move("plate_1", "nest_1")
    belief.move("plate_2", "nest_2")
    arbiter = Arbiter(clock, belief, {"plate_1": "run", "plate_2": "run"})
    clock.run(arbiter.claim("run", ["nest_1", "nest_2"], always))
    assert clock.now() == 0


def test_leases_taken_one_by_one_in_opposite_order_are_a_circle(clock: LabClock) -> None:
    belief = Bench(
        [Position(name="reader_nest", device="reader"), Position(name="shaker_nest", device="shaker")],
        [
            Labware(id="plate_1", type=PLATE, position="reader_nest", home="hotel_1"),
            Labware(id="plate_2", type=PLATE, position="shaker_nest", home="hotel_2"),
        ],
    )
    arbiter = Arbiter(clock, belief, {"plate_1": "run_a", "plate_2": "run_b"})
    ended: list[str] = []

    async def use(owner: str, first: str, second: str) -> None:
        await arbiter.lease(owner, [first])
        await asyncio.sleep(10)
        try:
            await arbiter.lease(owner, [second])
        except RunHeld as held:
            ended.append(str(held))
        await asyncio.sleep(10)
        arbiter.release(owner)

    async def scenario() -> None:
        await asyncio.gather(use("run_a", "reader", "shaker"), use("run_b", "shaker", "reader"))

    clock.run(asyncio.wait_for(scenario(), 3600))
    (told,) = ended
    assert "run_a holds reader with plate_1 and waits for shaker" in told
    assert "run_b holds shaker with plate_2 and waits for reader" in told
    assert clock.now() == 30


def test_devices_without_labware_want_to_be_named_together_not_a_nest(clock: LabClock) -> None:
    arbiter = Arbiter(clock, Bench([], []), {})

    async def scenario() -> None:
        await arbiter.lease("run_a", ["reader"])
        await arbiter.lease("run_a", ["reader", "arm"])

    with pytest.raises(RunHeld, match=r"run_a holds reader and waits for reader\. Let each step name all"):
        clock.run(asyncio.wait_for(scenario(), 3600))


def test_a_circle_through_a_lease_and_a_claim_is_seen(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(1, 1), {})

    async def scenario() -> None:
        await arbiter.claim("run_a", ["nest_1"], always)
        await arbiter.lease("run_b", ["arm"])
        waiting = asyncio.create_task(arbiter.lease("run_a", ["arm"]))
        await asyncio.sleep(1)
        with pytest.raises(RunHeld, match="run_b holds arm and waits for nest_1"):
            await arbiter.claim("run_b", ["nest_1"], always)
        arbiter.release("run_b")
        await waiting

    clock.run(asyncio.wait_for(scenario(), 3600))


def test_of_two_circles_each_loses_its_youngest(clock: LabClock) -> None:
    swap = Swap(clock, 4)

    async def ask(owner: str, nest: str, at_s: float) -> None:
        await asyncio.sleep(at_s)
        await swap.arbiter.claim(owner, [nest], always)

    async def scenario() -> list[str]:
        # Both circles close in the same moment: 1 with 2, 3 with 4.
        tasks = {
            "run_1": asyncio.create_task(ask("run_1", "nest_2", 3)),
            "run_2": asyncio.create_task(ask("run_2", "nest_1", 1)),
            "run_3": asyncio.create_task(ask("run_3", "nest_4", 2)),
            "run_4": asyncio.create_task(ask("run_4", "nest_3", 3)),
        }
        await asyncio.sleep(10)
        ended = [name for name, task in tasks.items() if task.done() and task.exception() is not None]
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        return ended

    assert clock.run(scenario()) == ["run_1", "run_4"]


def test_a_long_queue_behind_a_working_step_is_no_circle(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(3, 0), {})
    done: list[str] = []

    async def use(owner: str, nest: str) -> None:
        await arbiter.claim(owner, [nest], always)
        await arbiter.lease(owner, ["arm"])
        await asyncio.sleep(100)
        arbiter.release(owner)
        await arbiter.lease(owner, ["arm", "reader"])
        await asyncio.sleep(100)
        arbiter.release(owner)
        arbiter.release_claims(owner)
        done.append(owner)

    async def scenario() -> None:
        await asyncio.gather(*(use(f"run_{n}", f"nest_{n % 3 + 1}") for n in range(9)))

    clock.run(scenario())
    assert len(done) == 9


def test_nobody_queues_behind_who_waits_for_oneself(clock: LabClock) -> None:
    """Only the order of the queue would close this circle, so the order gives way and nobody is told anything."""
    arbiter = Arbiter(clock, Bench([], []), {})
    got: list[tuple[str, float]] = []

    async def wants_both() -> None:
        await asyncio.sleep(1)
        await arbiter.lease("b", ["reader", "shaker"])
        got.append(("b", clock.now()))

    async def has_one_and_wants_the_other() -> None:
        await arbiter.lease("a", ["reader"])
        await asyncio.sleep(2)
        await arbiter.lease("a", ["shaker"])
        got.append(("a", clock.now()))
        await asyncio.sleep(10)
        arbiter.release("a")

    async def scenario() -> None:
        await asyncio.gather(wants_both(), has_one_and_wants_the_other())

    clock.run(asyncio.wait_for(scenario(), 3600))
    assert got == [("a", 2), ("b", 12)]


@dataclass(frozen=True)
class Section:
    """Positions, which of them the plate visits in turn, and the devices and duration of a step at each."""

    positions: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...], int], ...]


NESTS = ("nest_1", "nest_2", "nest_3")
DEVICES = ("arm", "device_1", "device_2", "device_3")


@st.composite
def sections(draw: st.DrawFn) -> Section:
    positions = draw(st.lists(st.sampled_from(NESTS), min_size=1, unique=True))
    devices = st.lists(st.sampled_from(DEVICES), min_size=1, max_size=3, unique=True).map(tuple)
    steps = st.tuples(st.sampled_from(positions), devices, st.integers(0, 50))
    return Section(tuple(positions), tuple(draw(st.lists(steps, min_size=1, max_size=3))))


RUNS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 9), st.lists(sections(), min_size=1, max_size=3)),
    min_size=2,
    max_size=6,
)


class Discipline:
    """A bench where every run claims without nesting, leases nothing across a wait and takes its plate home."""

    def __init__(self, clock: LabClock, runs: Sequence[tuple[int, int, Sequence[Section]]]) -> None:
        self.clock = clock
        self.runs = runs
        self.bench = bench(len(NESTS), len(runs))
        self.holder: dict[str, str] = {}
        priority = {f"run_{n}": urgent for n, (_, urgent, _) in enumerate(runs, 1)}
        self.arbiter = Arbiter(clock, self.bench, self.holder, priority=priority)
        self.finished: set[str] = set()

    async def all(self) -> None:
        await asyncio.gather(*(self.one(n) for n in range(1, len(self.runs) + 1)))

    async def one(self, number: int) -> None:
        begins_s, _, plan = self.runs[number - 1]
        owner, plate = f"run_{number}", f"plate_{number}"
        await asyncio.sleep(begins_s)
        for section in plan:
            await self.arbiter.claim(owner, section.positions, always)
            for position, devices, duration_s in section.steps:
                await self.arbiter.lease(owner, devices, for_s=duration_s + 1)
                await asyncio.sleep(duration_s)
                assert self.bench.at(position) is None or self.bench.labware[plate].position == position
                self.bench.move(plate, position)
                self.holder[plate] = owner
                self.arbiter.release(owner)
            await self.arbiter.lease(owner, ["arm"])
            await asyncio.sleep(5)
            self.bench.move(plate, self.bench.labware[plate].home)
            del self.holder[plate]
            self.arbiter.release(owner)
            self.arbiter.release_claims(owner)
        self.finished.add(owner)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(RUNS)
def test_runs_that_hold_nothing_while_they_wait_never_meet_in_a_circle_and_all_finish(
    runs: list[tuple[int, int, list[Section]]],
) -> None:
    clock = LabClock(virtual=True)  # its loop runs in this thread, until all have finished
    try:
        discipline = Discipline(clock, runs)
        work_s = sum(step[2] + 5 for _, _, plan in runs for section in plan for step in section.steps)
        clock.loop.run_until_complete(discipline.all())
        assert len(discipline.finished) == len(runs)
        assert clock.now() <= 60 + work_s  # somebody was at work in every moment since the last began
    finally:
        clock.close()


@settings(derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_circle_is_found_exactly_where_the_graph_has_one_and_it_is_a_shortest(
    edges: list[tuple[int, int]],
) -> None:
    graph: dict[str, list[Wait]] = {}
    for owner, holder in edges:
        graph.setdefault(f"run_{owner}", []).append(Wait(f"run_{owner}", "thing", f"run_{holder}"))
    # Another way to know: walks of n steps, by powers of the adjacency matrix.
    walks = {(f"run_{owner}", f"run_{holder}") for owner, holder in edges}
    step, lengths = set(walks), []
    for length in range(1, 9):
        if any(start == end for start, end in walks):
            lengths.append(length)
        walks = {(start, end) for start, middle in walks for also, end in step if middle == also}
    circle = find_circle(graph)
    assert len(circle) == min(lengths, default=0)
    for wait, after in zip(circle, (*circle[1:], *circle[:1]), strict=True):
        assert wait in graph[wait.owner]
        assert wait.holder == after.owner
    assert all(reaches(graph, wait.owner, wait.owner) for wait in circle)
