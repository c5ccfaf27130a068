"""Leases: a token each, a time each, and devices that are made safe before they go from a lapsed lease to others."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from lab.bench import Bench
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter, Lease
from lab.engine.leases import EXPIRED_BOUND_S
from lab.errors import InstrumentError, RunHeld


@pytest.fixture
def clock() -> Iterator[LabClock]:
    with LabClock(virtual=True) as clock:
        yield clock


def arbiter_of(
    clock: LabClock, expired: Callable[[Lease], Awaitable[None]] | None = None, first_token: int = 0
) -> Arbiter:
    return Arbiter(clock, Bench([], []), {}, {}, first_token=first_token, expired=expired)


def test_tokens_go_on_from_the_last_one_that_the_bench_has_seen(clock: LabClock) -> None:
    arbiter = arbiter_of(clock, first_token=41)

    async def scenario() -> list[Lease]:
        first = await arbiter.lease("a", ["reader", "arm"])
        second = await arbiter.lease("b", ["shaker"])
        arbiter.release("a")
        return [first, second, await arbiter.lease("a", ["reader"])]

    leases = clock.run(scenario())
    assert [lease.token for lease in leases] == [42, 43, 44]
    assert leases[0] == Lease("a", frozenset({"reader", "arm"}), 42, math.inf)


def test_a_lease_runs_from_when_it_is_granted_not_from_when_it_is_asked_for(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> tuple[float, float]:
        await arbiter.lease("a", ["reader"], for_s=100)
        lease = await arbiter.lease("b", ["reader"], for_s=50)
        return clock.now(), lease.expires_s

    assert clock.run(scenario()) == (100, 150)


def test_the_devices_of_a_lapsed_lease_are_made_safe_before_others_get_them(clock: LabClock) -> None:
    events: list[tuple[float, str]] = []

    async def make_safe(lease: Lease) -> None:
        events.append((clock.now(), f"{lease.owner} has lost {sorted(lease.devices)} under {lease.token}"))
        await asyncio.sleep(7)
        events.append((clock.now(), "safe"))

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader", "arm"], for_s=60)
        lease = await arbiter.lease("b", ["arm"])
        events.append((clock.now(), f"b has token {lease.token}"))

    clock.run(scenario())
    assert events == [(60, "a has lost ['arm', 'reader'] under 1"), (67, "safe"), (67, "b has token 2")]


def test_a_step_that_ends_in_the_moment_its_lease_does_has_ended_in_time(clock: LabClock) -> None:
    lapsed: list[Lease] = []

    async def make_safe(lease: Lease) -> None:
        lapsed.append(lease)

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader"], for_s=60)
        await asyncio.sleep(60)
        arbiter.release("a")
        await asyncio.sleep(60)

    clock.run(scenario())
    assert lapsed == []


def test_a_lease_given_back_never_lapses_not_even_after_its_device_is_anothers(clock: LabClock) -> None:
    lapsed: list[Lease] = []

    async def make_safe(lease: Lease) -> None:
        lapsed.append(lease)

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader"], for_s=60)
        arbiter.release("a")
        await arbiter.lease("b", ["reader"])
        await asyncio.sleep(600)

    clock.run(scenario())
    assert lapsed == []


def test_what_the_owner_of_a_lapsed_lease_does_later_harms_nobody(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> float:
        stale = await arbiter.lease("a", ["reader"], for_s=60)
        await arbiter.lease("b", ["reader"], for_s=100)
        with pytest.raises(RunHeld, match=r"lease of reader that a had \(token 1\) has run out"):
            arbiter.renew(stale, 60)
        arbiter.release("a")
        await arbiter.lease("c", ["reader"])
        return clock.now()

    assert clock.run(scenario()) == 160


def test_a_release_while_the_device_is_made_safe_does_not_free_it_early(clock: LabClock) -> None:
    async def make_safe(lease: Lease) -> None:
        await asyncio.sleep(20)

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> float:
        await arbiter.lease("a", ["reader"], for_s=60)
        await asyncio.sleep(65)
        arbiter.release("a")
        await arbiter.lease("b", ["reader"])
        return clock.now()

    assert clock.run(scenario()) == 80


def test_a_renewed_lease_keeps_its_token_and_runs_out_later(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> Lease:
        lease = await arbiter.lease("a", ["reader"], for_s=60)
        await asyncio.sleep(50)
        lease = arbiter.renew(lease, 60)
        await arbiter.lease("b", ["reader"])
        return lease

    lease = clock.run(scenario())
    assert (lease.token, lease.expires_s) == (1, 110)
    assert clock.now() == 110


def test_a_lease_renewed_in_its_last_moment_goes_on(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        lease = await arbiter.lease("a", ["reader"], for_s=60)
        await asyncio.sleep(60)
        arbiter.renew(lease, 40)
        await arbiter.lease("b", ["reader"])

    clock.run(scenario())
    assert clock.now() == 100


def test_a_renewal_that_comes_too_late_is_refused_even_where_the_loop_was_too_busy_to_notice(
    clock: LabClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        lease = await arbiter.lease("a", ["reader"], for_s=60)
        monkeypatch.setattr(clock, "now", lambda: 61.0)
        arbiter.renew(lease, 60)

    with pytest.raises(RunHeld, match="has run out"):
        clock.run(scenario())


def test_a_lease_that_was_given_back_cannot_be_renewed(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        lease = await arbiter.lease("a", ["reader"], for_s=60)
        arbiter.release("a")
        arbiter.renew(lease, 60)

    with pytest.raises(RunHeld, match="or was given back"):
        clock.run(scenario())


def test_a_device_that_cannot_be_made_safe_is_given_to_nobody_and_all_are_told_why(clock: LabClock) -> None:
    async def make_safe(lease: Lease) -> None:
        await asyncio.sleep(3)
        raise InstrumentError("the lid does not open", device="cycler")

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> list[object]:
        await arbiter.lease("a", ["cycler"], for_s=60)
        waiting = await asyncio.gather(
            arbiter.lease("b", ["cycler", "arm"]), arbiter.lease("c", ["cycler"]), return_exceptions=True
        )
        later = await asyncio.gather(arbiter.lease("d", ["cycler"]), return_exceptions=True)
        await arbiter.lease("e", ["arm"])
        return [*waiting, *later]

    told = clock.run(scenario())
    assert [type(error) for error in told] == [RunHeld] * 3
    assert all("cycler is blocked" in str(error) and "the lid does not open" in str(error) for error in told)
    assert clock.now() == 63
    assert set(arbiter.blocked) == {"cycler"}


def test_whoever_makes_safe_has_a_limit_after_which_the_device_is_blocked(clock: LabClock) -> None:
    async def make_safe(lease: Lease) -> None:
        await asyncio.Event().wait()

    arbiter = arbiter_of(clock, make_safe)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader"], for_s=60)
        await arbiter.lease("b", ["reader"])

    with pytest.raises(RunHeld, match="not done within 300 s"):
        clock.run(scenario())
    assert clock.now() == 60 + EXPIRED_BOUND_S


def test_whoever_waits_for_more_while_its_lease_lapses_is_told_instead_of_served(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        await arbiter.lease("b", ["shaker"])
        await arbiter.lease("a", ["reader"], for_s=60)
        await arbiter.lease("a", ["shaker"])

    with pytest.raises(RunHeld, match=r"lease of reader .* ran out while a, which has it, waited"):
        clock.run(scenario())
    assert clock.now() == 60


def test_a_lease_for_no_time_is_a_mistake(clock: LabClock) -> None:
    with pytest.raises(ValueError, match="more than 0 s"):
        clock.run(arbiter_of(clock).lease("a", ["reader"], for_s=0))


def test_a_wait_that_is_cancelled_is_forgotten(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(arbiter.lease("b", ["reader"]), 10)
        arbiter.release("a")
        await arbiter.lease("c", ["reader"])

    clock.run(scenario())
    assert clock.now() == 10


def test_what_is_granted_in_the_moment_of_cancelling_is_given_back(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    def cancel(task: asyncio.Task[Any]) -> None:
        task.cancel()

    async def scenario() -> None:
        for ask in (
            lambda owner: arbiter.lease(owner, ["reader"]),
            lambda owner: arbiter.claim(owner, ["nest"], lambda _: True),
        ):
            waiting = asyncio.ensure_future(ask("a"))
            await asyncio.sleep(0)
            clock.when_quiet(partial(cancel, waiting))  # right after the arbiter's own look at the queue
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await asyncio.wait_for(ask("b"), 10)

    clock.run(scenario())


def test_an_owner_waits_for_one_thing_at_a_time(clock: LabClock) -> None:
    arbiter = arbiter_of(clock)

    async def scenario() -> None:
        await arbiter.lease("a", ["reader"])
        waiting = asyncio.ensure_future(arbiter.lease("b", ["reader"]))
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="b asks for arm while it still waits"):
            await arbiter.lease("b", ["arm"])
        arbiter.release("a")
        await waiting  # the first wait is none the worse

    clock.run(scenario())


def test_on_wall_time_a_lease_lapses_too() -> None:
    lapsed: list[int] = []

    async def make_safe(lease: Lease) -> None:
        lapsed.append(lease.token)

    with LabClock(virtual=False) as clock:
        arbiter = arbiter_of(clock, make_safe)

        async def scenario() -> int:
            await arbiter.lease("a", ["reader"], for_s=0.01)
            return (await arbiter.lease("b", ["reader"])).token

        assert clock.run(scenario()) == 2
    assert lapsed == [1]
