"""The arbiter under any sequence of calls, lapses and moves, against a model that only writes down what was granted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lab.bench import Bench, Labware, LabwareType, Position
from lab.clock import LabClock
from lab.engine.arbiter import Arbiter, Lease
from lab.engine.leases import EXPIRED_BOUND_S
from lab.errors import InstrumentError, RunHeld, RunStopped

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200)
OWNERS = ("a", "b", "c", "d")
DEVICES = ("reader", "shaker", "arm")
NESTS = ("nest_1", "nest_2", "nest_3")
PLATES = ("plate_1", "plate_2", "plate_3")
FIRST_TOKEN = 7


@dataclass
class Ask:
    """A wait under way, and how it ended.

    Args:
        ended: ``granted``, ``cancelled``, or the error; None while it waits.
    """

    owner: str
    names: frozenset[str]
    place: bool
    task: asyncio.Task[None] | None = None
    ended: str | Exception | None = None


class ArbiterMachine(RuleBasedStateMachine):
    """Owners that do what they like, nested leases and plates left standing among it. Time stands still between rules."""

    @initialize()
    def open(self) -> None:
        self.clock = LabClock(virtual=True)
        positions = [Position(name=nest, device="deck") for nest in NESTS]
        positions += [Position(name=f"home of {plate}", device="hotel", home=True) for plate in PLATES]
        self.bench = Bench(
            positions,
            [Labware(id=p, type=PLATE, position=f"home of {p}", home=f"home of {p}") for p in PLATES],
        )
        self.holder: dict[str, str] = {}
        self.active = set(OWNERS)
        self.priority: dict[str, int] = {}
        self.arbiter = Arbiter(
            self.clock,
            self.bench,
            self.holder,
            priority=self.priority,
            first_token=FIRST_TOKEN,
            expired=self.make_safe,
        )
        self.safety = "at once"
        self.asks: list[Ask] = []
        self.told_of_circle: list[Ask] = []
        self.held: dict[int, Lease] = {}
        self.ever_held: list[Lease] = []
        self.being_made_safe: set[str] = set()
        self.blocked: set[str] = set()
        self.claims: dict[str, str] = {}

    # What goes on beside the rules.

    def do(self, work: Coroutine[Any, Any, Any] | None = None) -> None:
        """Let the loop do some work, and then all that follows from it in the same moment of lab time."""

        async def until_quiet() -> None:
            if work is not None:
                await work
            for _ in range(4):
                quiet = asyncio.get_running_loop().create_future()
                self.clock.when_quiet(partial(quiet.set_result, None))
                await quiet

        self.clock.loop.run_until_complete(until_quiet())
        for ask in self.asks:
            if ask.task is not None and ask.task.done():
                ask.task.result()  # what it asserted
        self.check_the_circles()

    async def make_safe(self, lease: Lease) -> None:
        known = self.held.pop(lease.token)
        assert lease == known, "a lease that was given back or renewed ran out"
        assert self.clock.now() >= lease.expires_s
        safety = self.safety
        self.being_made_safe |= lease.devices
        try:
            if safety == "slow":
                await asyncio.sleep(20)
            elif safety == "never":
                await asyncio.sleep(2 * EXPIRED_BOUND_S)
            elif safety == "fails":
                raise InstrumentError("does not answer")
        except BaseException:
            self.blocked |= lease.devices
            raise
        finally:
            self.being_made_safe -= lease.devices

    async def wait_for(self, ask: Ask, *, for_s: float, under_way: bool) -> None:
        try:
            if ask.place:
                await self.arbiter.claim(ask.owner, ask.names, self.active.__contains__, under_way=under_way)
                self.granted_places(ask)
            else:
                self.granted_devices(ask, await self.arbiter.lease(ask.owner, ask.names, for_s=for_s))
            ask.ended = "granted"
        except (RunHeld, RunStopped) as error:
            ask.ended = error
            if "in a circle" in str(error):
                self.told_of_circle.append(ask)
        except asyncio.CancelledError:
            ask.ended = "cancelled"

    def granted_devices(self, ask: Ask, lease: Lease) -> None:
        assert (lease.owner, lease.devices) == (ask.owner, ask.names)
        assert lease.token > max((one.token for one in self.ever_held), default=FIRST_TOKEN)
        for other in self.held.values():
            assert not lease.devices & other.devices
        assert not lease.devices & (self.being_made_safe | self.blocked)
        self.held[lease.token] = lease
        self.ever_held.append(lease)

    def granted_places(self, ask: Ask) -> None:
        assert not ask.names & self.claims.keys()
        for nest in ask.names:
            assert self.standing_of_another(nest, ask.owner) is None
        self.claims.update(dict.fromkeys(ask.names, ask.owner))

    # What the model knows.

    @property
    def waiting(self) -> dict[str, Ask]:
        return {ask.owner: ask for ask in self.asks if ask.ended is None}

    @property
    def idle(self) -> list[str]:
        return sorted(self.active - self.waiting.keys())

    @property
    def idle_with(self) -> dict[str, list[str]]:
        """Idle owner -> nests that it claims, of those that claim any."""
        claims = {owner: [n for n, other in self.claims.items() if other == owner] for owner in self.idle}
        return {owner: nests for owner, nests in claims.items() if nests}

    def standing_of_another(self, nest: str, owner: str) -> str | None:
        plate = self.bench.at(nest)
        return None if plate is None or self.holder[plate.id] == owner else self.holder[plate.id]

    def keepers(self, ask: Ask) -> set[str]:
        """Owners that keep something of what is asked for."""
        if not ask.place:
            return {lease.owner for lease in self.held.values() if lease.devices & ask.names}
        found = {self.claims.get(nest) for nest in ask.names}
        found |= {self.standing_of_another(nest, ask.owner) for nest in ask.names}
        return {owner for owner in found if owner is not None}

    def for_ever(self, asks: Iterable[Ask]) -> set[str]:
        """Owners that none of the others can ever help: what is left when all who can go on have gone on and given back."""
        left = {ask.owner: self.keepers(ask) for ask in asks}
        while helped := [owner for owner, keepers in left.items() if not keepers & left.keys()]:
            for owner in helped:
                del left[owner]
        return set(left)

    def check_the_circles(self) -> None:
        """Who was told of a circle was in a wait that nothing could have ended."""
        told, self.told_of_circle = self.told_of_circle, []
        hopeless = self.for_ever([*told, *self.waiting.values()])
        assert {ask.owner for ask in told} <= hopeless

    # What owners do.

    def ask(self, ask: Ask, *, for_s: float = math.inf, under_way: bool = False) -> None:
        self.asks.append(ask)
        ask.task = self.clock.loop.create_task(self.wait_for(ask, for_s=for_s, under_way=under_way))
        self.do()

    @precondition(lambda self: self.idle)
    @rule(
        data=st.data(),
        devices=st.sets(st.sampled_from(DEVICES), min_size=1, max_size=2),
        for_s=st.sampled_from([math.inf, math.inf, 5.0, 60.0]),
        priority=st.integers(0, 9),
    )
    def lease(self, data: st.DataObject, devices: set[str], for_s: float, priority: int) -> None:
        owner = data.draw(st.sampled_from(self.idle))
        self.priority[owner] = priority
        self.ask(Ask(owner, frozenset(devices), place=False), for_s=for_s)

    @precondition(lambda self: set(self.idle) - self.idle_with.keys())
    @rule(
        data=st.data(),
        nests=st.sets(st.sampled_from(NESTS), min_size=1, max_size=2),
        under_way=st.sampled_from([False, False, True]),
    )
    def claim(self, data: st.DataObject, nests: set[str], under_way: bool) -> None:
        owner = data.draw(st.sampled_from(sorted(set(self.idle) - self.idle_with.keys())))
        self.ask(Ask(owner, frozenset(nests), place=True), under_way=under_way)

    @precondition(lambda self: self.idle_with)
    @rule(data=st.data(), nest=st.sampled_from(NESTS))
    def claim_within_a_claim(self, data: st.DataObject, nest: str) -> None:
        ask = Ask(data.draw(st.sampled_from(sorted(self.idle_with))), frozenset({nest}), place=True)
        self.ask(ask)
        assert "still claims" in str(ask.ended)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.give_back(data.draw(st.sampled_from(self.idle or OWNERS)))
        self.do()

    @precondition(lambda self: self.idle_with)
    @rule(data=st.data())
    def release_claims(self, data: st.DataObject) -> None:
        self.give_back_claims(data.draw(st.sampled_from(sorted(self.idle_with))))
        self.do()

    def give_back_claims(self, owner: str) -> None:
        self.arbiter.release_claims(owner)
        self.claims = {nest: other for nest, other in self.claims.items() if other != owner}

    def give_back(self, owner: str) -> None:
        self.arbiter.release(owner)
        self.held = {token: lease for token, lease in self.held.items() if lease.owner != owner}

    @precondition(lambda self: self.ever_held)
    @rule(data=st.data(), for_s=st.sampled_from([math.inf, 5.0, 60.0]))
    def renew(self, data: st.DataObject, for_s: float) -> None:
        lease = data.draw(st.sampled_from(self.ever_held))

        async def renewed() -> None:
            if lease.token in self.held:
                again = self.arbiter.renew(lease, for_s)
                assert (again.token, again.expires_s) == (lease.token, self.clock.now() + for_s)
                self.held[lease.token] = again
            else:
                with pytest.raises(RunHeld, match="run out or was given back"):
                    self.arbiter.renew(lease, for_s)

        self.do(renewed())

    @precondition(lambda self: self.idle_with)
    @rule(data=st.data(), plate=st.sampled_from(PLATES), leave_it_there=st.booleans())
    def carry(self, data: st.DataObject, plate: str, leave_it_there: bool) -> None:
        owner = data.draw(st.sampled_from(sorted(self.idle_with)))
        nest = data.draw(st.sampled_from(self.idle_with[owner]))
        if self.bench.at(nest) is None and self.holder.get(plate, owner) == owner:
            self.bench.move(plate, nest)
            self.holder[plate] = owner
            self.give_back(owner)  # the step ends
            if leave_it_there:
                self.give_back_claims(owner)
            self.do()

    @precondition(lambda self: bool(set(self.holder.values()) & set(self.idle)))
    @rule(data=st.data())
    def bring_home(self, data: st.DataObject) -> None:
        mine = sorted(plate for plate, owner in self.holder.items() if owner in self.idle)
        plate = data.draw(st.sampled_from(mine))
        owner = self.holder[plate]
        self.take_home(plate)
        self.give_back(owner)
        self.do()

    def take_home(self, plate: str) -> None:
        self.bench.move(plate, self.bench.labware[plate].home)
        self.holder.pop(plate, None)

    @precondition(lambda self: len(self.active) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(sorted(self.active)))
        ask = self.waiting.get(owner)
        self.active.discard(owner)
        self.arbiter.withdraw(owner, RunStopped("enough"))
        self.give_back(owner)
        self.give_back_claims(owner)
        self.do()
        assert ask is None or isinstance(ask.ended, RunStopped)

    @precondition(lambda self: len(self.active) < len(OWNERS))
    @rule()
    def all_come_back(self) -> None:
        self.active.update(OWNERS)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ask = self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))]
        assert ask.task is not None
        ask.task.cancel()
        self.do()
        assert ask.ended == "cancelled"

    @rule(
        by_s=st.sampled_from([1.0, 10.0, 60.0, 400.0]),
        safety=st.sampled_from(["at once", "at once", "at once", "slow", "slow", "slow", "fails", "never"]),
    )
    def lapse(self, by_s: float, safety: str) -> None:
        self.safety = safety
        self.do(asyncio.sleep(by_s))

    # What is always so.

    @invariant()
    def no_lease_is_held_past_its_time(self) -> None:
        assert all(lease.expires_s > self.clock.now() for lease in self.held.values())

    @invariant()
    def blocked_is_what_could_not_be_made_safe(self) -> None:
        assert set(self.arbiter.blocked) == self.blocked

    @invariant()
    def nobody_waits_for_what_can_never_come(self) -> None:
        asks = self.waiting.values()
        assert not self.for_ever(asks)
        for ask in asks:
            assert not ask.names & self.blocked
            assert not ask.place or self.keepers(ask) <= self.active

    @invariant()
    def nobody_waits_while_nobody_has_anything(self) -> None:
        if self.waiting:
            keepers = set().union(*(self.keepers(ask) for ask in self.waiting.values()))
            assert keepers - self.waiting.keys() or self.being_made_safe

    @invariant()
    def nobody_waits_for_free_things_that_nobody_else_waits_for(self) -> None:
        for ask in self.waiting.values():
            rivals = [o for o in self.waiting.values() if o.place == ask.place and o.names & ask.names]
            assert self.keepers(ask) or ask.names & self.being_made_safe or len(rivals) > 1

    def teardown(self) -> None:
        try:
            for _ in OWNERS:  # whoever is served by a round gives back in the next
                for plate in PLATES:
                    self.take_home(plate)
                for owner in OWNERS:
                    if owner not in self.waiting:
                        self.give_back(owner)
                        self.give_back_claims(owner)
                self.do(asyncio.sleep(2 * EXPIRED_BOUND_S))
            assert not self.waiting
            for ask in self.asks:
                assert ask.ended in ("granted", "cancelled") or isinstance(ask.ended, RunHeld | RunStopped)
        finally:
            self.clock.loop.run_until_complete(self.cancel_what_is_left())
            self.clock.close()

    async def cancel_what_is_left(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def test_whatever_owners_do_nothing_is_given_twice_and_nobody_waits_for_ever() -> None:
    run_state_machine_as_test(
        ArbiterMachine,
        settings=settings(
            max_examples=250,
            stateful_step_count=60,
            derandomize=True,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
