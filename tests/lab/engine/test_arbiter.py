"""Leases and claims: all or nothing, oldest first, never granted over somebody else's plate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from lab.bench import Bench, Labware, LabwareType, Position
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter
from lab.errors import RunHeld, RunStopped

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200)


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as clock:
        yield clock


def bench() -> Bench:
    positions = [Position(name="nest", device="reader"), Position(name="hotel_1", device="arm", home=True)]
    return Bench(positions, [Labware(id="plate_1", type=PLATE, position="hotel_1", home="hotel_1")])


def test_the_older_request_is_served_first_whatever_its_name(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})
    order: list[str] = []

    async def use(owner: str, at_s: float) -> None:
        await asyncio.sleep(at_s)
        await arbiter.lease(owner, ["reader"])
        order.append(owner)
        await asyncio.sleep(10)
        arbiter.release(owner)

    async def scenario() -> None:
        await asyncio.gather(use("c", 0), use("b", 2), use("a", 1))

    clock.run(scenario())
    assert order == ["c", "a", "b"]
    assert clock.now() == pytest.approx(30)


def test_requests_of_the_same_moment_are_served_by_name(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})
    order: list[str] = []

    async def use(owner: str) -> None:
        await arbiter.lease(owner, ["reader"])
        order.append(owner)
        await asyncio.sleep(1)
        arbiter.release(owner)

    async def scenario() -> None:
        await asyncio.gather(use("b"), use("c"), use("a"))

    clock.run(scenario())
    assert order == ["a", "b", "c"]


def test_all_or_nothing_holds_no_part_of_what_is_asked(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})
    seen: list[tuple[str, float]] = []

    async def use(owner: str, names: list[str], at_s: float, for_s: float) -> None:
        await asyncio.sleep(at_s)
        await arbiter.lease(owner, names)
        seen.append((owner, clock.now()))
        await asyncio.sleep(for_s)
        arbiter.release(owner)

    async def scenario() -> None:
        await asyncio.gather(
            use("x", ["arm"], 0, 50), use("y", ["reader", "arm"], 1, 5), use("z", ["shaker"], 2, 5)
        )

    clock.run(scenario())
    assert dict(seen) == {"x": 0.0, "z": 2.0, "y": 50.0}


def test_a_younger_request_does_not_starve_an_older_one_that_needs_more(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})
    got: dict[str, float] = {}

    async def use(owner: str, names: list[str], at_s: float) -> None:
        await asyncio.sleep(at_s)
        await arbiter.lease(owner, names)
        got[owner] = clock.now()
        await asyncio.sleep(10)
        arbiter.release(owner)

    async def scenario() -> None:
        await asyncio.gather(
            use("first", ["arm"], 0), use("both", ["arm", "reader"], 1), use("late", ["reader"], 2)
        )

    clock.run(scenario())
    assert got == {"first": 0.0, "both": 10.0, "late": 20.0}


def test_a_position_with_somebody_elses_plate_is_not_granted_until_it_is_gone(clock: LabClock) -> None:
    belief, holder = bench(), {"plate_1": "run_other"}
    belief.move("plate_1", "nest")
    arbiter = Arbiter(clock, belief, holder)
    got: list[float] = []

    async def other() -> None:
        await arbiter.claim("run_other", ["nest"], lambda _: True)
        await asyncio.sleep(30)
        belief.move("plate_1", "hotel_1")
        holder.clear()
        arbiter.release_claims("run_other")

    async def mine() -> None:
        await asyncio.sleep(1)
        await arbiter.claim("run_mine", ["nest"], lambda _: True)
        got.append(clock.now())

    async def scenario() -> None:
        await asyncio.gather(other(), mine())

    clock.run(scenario())
    assert got == [30.0]


def test_a_plate_that_nobody_will_move_is_said_at_once(clock: LabClock) -> None:
    belief = bench()
    belief.move("plate_1", "nest")
    arbiter = Arbiter(clock, belief, {"plate_1": "run_gone"})
    with pytest.raises(RunHeld, match="nest holds plate_1, left there by run_gone"):
        clock.run(arbiter.claim("run_mine", ["nest"], lambda _: False))


def test_a_place_where_somebodys_plate_may_stand_is_not_granted_either(clock: LabClock) -> None:
    belief = bench()
    belief.labware["plate_1"].maybe = "nest"
    arbiter = Arbiter(clock, belief, {"plate_1": "run_gone"})
    with pytest.raises(RunHeld, match="nest holds plate_1, left there by run_gone"):
        clock.run(arbiter.claim("run_mine", ["nest"], lambda _: False))


def test_waiting_ends_when_whoever_is_in_the_way_gives_up(clock: LabClock) -> None:
    belief = bench()
    belief.move("plate_1", "nest")
    arbiter = Arbiter(clock, belief, {"plate_1": "run_other"})
    at_work = {"run_other"}

    async def other() -> None:
        await arbiter.claim("run_other", ["nest"], at_work.__contains__)
        await asyncio.sleep(30)
        at_work.clear()  # it failed, and its plate stays where it is
        arbiter.release_claims("run_other")

    async def scenario() -> None:
        await asyncio.gather(other(), arbiter.claim("run_mine", ["nest"], at_work.__contains__))

    with pytest.raises(RunHeld, match="nest holds plate_1, left there by run_other"):
        clock.run(asyncio.wait_for(scenario(), 3600))
    assert clock.now() == 30.0


def test_who_was_stopped_within_a_section_goes_before_who_comes_anew(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})
    got: list[str] = []

    async def one(owner: str, *, under_way: bool) -> None:
        await arbiter.claim(owner, ["nest"], lambda _: True, under_way=under_way)
        got.append(owner)
        await asyncio.sleep(10)
        arbiter.release_claims(owner)

    async def scenario() -> None:
        await asyncio.gather(one("anew", under_way=False), one("stopped", under_way=True))

    clock.run(scenario())
    assert got == ["stopped", "anew"]


def test_claims_do_not_nest(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})

    async def scenario() -> None:
        await arbiter.claim("run", ["nest"], lambda _: True)
        await arbiter.claim("run", ["hotel_1"], lambda _: True)

    with pytest.raises(RunHeld, match="still claims nest"):
        clock.run(scenario())


def test_a_stop_ends_the_waiting(clock: LabClock) -> None:
    arbiter = Arbiter(clock, bench(), {})

    async def scenario() -> None:
        await arbiter.lease("other", ["reader"])
        waiting = asyncio.create_task(arbiter.lease("mine", ["reader"]))
        await asyncio.sleep(1)
        arbiter.withdraw("mine", RunStopped("enough"))
        await waiting

    with pytest.raises(RunStopped, match="enough"):
        clock.run(scenario())
