"""Who may use which device and which position of a shared bench.

A step leases its devices, a section of a plan claims its positions; both get all they ask for or nothing. A lease carries
a fencing token and may run out: its devices are then brought to their safe state and given to others. A place where
somebody's labware stands is waited for only as long as that somebody is at work and so will take it away. Where claims do
not nest and no lease is held across a wait, nobody holds one thing while waiting for another; where somebody does, and the
waiting comes round in a circle, the youngest request in it is ended with a sentence.

On virtual time requests are granted when the loop falls quiet, oldest first (priority counts as age) and then by rank, so
that who gets what depends on lab time and on names, never on which thread ran first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lab.bench import Bench, Labware
from lab.engine.leases import Lease, LeaseBook, positive
from lab.engine.waits import Wait, find_circle, reaches, tell_circle
from lab.errors import RunHeld
from lab.interfaces import Clock

__all__ = ["HIGHEST_PRIORITY", "PRIORITY_S", "Arbiter", "Lease"]

PRIORITY_S = 600.0
"""Lab time that one step of priority counts for: whoever has waited so much longer goes first all the same."""

HIGHEST_PRIORITY = 9


@dataclass(slots=True, eq=False)
class _Request:
    asked_s: float
    owner: str
    names: frozenset[str]
    table: dict[str, str]
    granted: asyncio.Future[Lease | None] = field(repr=False)
    active: Callable[[str], bool] | None = None
    for_s: float = math.inf

    @property
    def place(self) -> bool:
        """Whether it is for positions; only then is ``active`` given."""
        return self.active is not None

    def competes(self, other: _Request) -> bool:
        return self.table is other.table and bool(self.names & other.names)


class Arbiter:
    """Leases of devices and claims of positions on one bench. Loop thread only.

    An owner is one course of action (a run, a campaign that plans): it waits for one thing at a time.

    Args:
        clock: whose quiet moments are used to grant; leases run out on its loop.
        bench: belief, to see what stands at a position.
        holder: labware id -> owner that last moved it and has not brought it home.
        rank: owner -> what decides between requests of the same moment, and what a person calls the owner by; the owner
            itself where it is not given.
        priority: owner -> 0 to 9, 0 where it is not given; each step goes before who asked up to 600 s earlier.
        first_token: the last token that this bench has seen.
        expired: brings the devices of a lease that ran out to their safe state and makes them refuse its token.
    """

    def __init__(
        self,
        clock: Clock,
        bench: Bench,
        holder: Mapping[str, str],
        rank: Mapping[str, str] = MappingProxyType({}),
        *,
        priority: Mapping[str, int] = MappingProxyType({}),
        first_token: int = 0,
        expired: Callable[[Lease], Awaitable[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._bench = bench
        self._holder = holder
        self._rank = rank
        self._priority = priority
        self._book = LeaseBook(
            clock, first_token, name=self._name, changed=self._schedule, ran_out=self._end_the_wait_of
        )
        self._book.expired = expired
        self._claims: dict[str, str] = {}
        self._waiting: list[_Request] = []
        self._scheduled = False

    @property
    def expired(self) -> Callable[[Lease], Awaitable[None]] | None:
        """Awaited before the devices of a lease that ran out go to others; they are free at once where there is none."""
        return self._book.expired

    @expired.setter
    def expired(self, expired: Callable[[Lease], Awaitable[None]] | None) -> None:
        self._book.expired = expired

    @property
    def blocked(self) -> Mapping[str, str]:
        """Device -> why nobody can have it: its lease ran out and it was not brought to its safe state."""
        return MappingProxyType(self._book.blocked)

    @property
    def holders(self) -> Mapping[str, str]:
        """Device -> what a person calls the run or campaign that leases it."""
        return {device: self._rank.get(owner, owner) for device, owner in self._book.owners.items()}

    async def lease(self, owner: str, devices: Iterable[str], *, for_s: float = math.inf) -> Lease:
        """Take all these devices, waiting until every one of them is free.

        Args:
            for_s: lab time, from when they are granted, after which the lease runs out.

        Raises:
            RunHeld: a device is blocked; the wait is one of a circle; or a lease that the owner holds ran out meanwhile.
        """
        names = frozenset(devices)
        lease = await self._ask(owner, names, self._book.owners, for_s=positive(for_s))
        if lease is None:
            raise RuntimeError("a request for devices was served without a lease")
        return lease

    def keep(self, owner: str, device: str) -> Lease | None:
        """A lease without end of a device that nobody asked for yet; None where somebody has it."""
        return self._book.grant(owner, frozenset([device]), math.inf) if self._book.free([device]) else None

    def renew(self, lease: Lease, for_s: float = math.inf) -> Lease:
        """Let a lease run out later than it would; gives the lease as it is now, under the same token.

        Args:
            for_s: lab time from now.

        Raises:
            RunHeld: it has run out already, or was given back.
        """
        return self._book.renew(lease, for_s)

    def give_back(self, lease: Lease) -> None:
        """End one lease; harmless where it has ended."""
        self._book.give_back(lease)
        self._schedule()

    def release(self, owner: str) -> None:
        """Give back the devices that an owner leases; harmless where it has none, or none any more."""
        self._book.give_back_all(owner)
        self._schedule()

    async def claim(
        self,
        owner: str,
        positions: Iterable[str],
        active: Callable[[str], bool],
        *,
        under_way: bool = False,
    ) -> None:
        """Take all these positions, waiting until each is unclaimed and free of other owners' labware.

        Args:
            active: whether an owner is still at work, and so will move its labware away.
            under_way: the owner had them when it was stopped, and goes before whoever asks for the first time.

        Raises:
            RunHeld: the owner already claims positions; one holds labware that nobody is going to move, now or once
                its owner has given up; the wait is one of a circle; or a lease that the owner holds ran out meanwhile.
        """
        names = frozenset(positions)
        held = [name for name, holder in self._claims.items() if holder == owner]
        if held:
            raise RunHeld(f"The plan claims positions while it still claims {', '.join(sorted(held))}.")
        await self._ask(owner, names, self._claims, active=active, asked_s=-math.inf if under_way else None)

    def release_claims(self, owner: str) -> None:
        """Give back the positions that an owner claims."""
        for name in [name for name, holder in self._claims.items() if holder == owner]:
            del self._claims[name]
        self._schedule()

    def withdraw(self, owner: str, reason: BaseException) -> None:
        """End an owner's waiting with an error."""
        for request in [r for r in self._waiting if r.owner == owner]:
            self._waiting.remove(request)
            if not request.granted.done():
                request.granted.set_exception(reason)
        self._schedule()

    async def _ask(
        self,
        owner: str,
        names: frozenset[str],
        table: dict[str, str],
        *,
        active: Callable[[str], bool] | None = None,
        asked_s: float | None = None,
        for_s: float = math.inf,
    ) -> Lease | None:
        self._forget_the_cancelled()
        if any(request.owner == owner for request in self._waiting):
            raise RuntimeError(f"{owner} asks for {_and(names)} while it still waits for something else")
        granted: asyncio.Future[Lease | None] = asyncio.get_running_loop().create_future()
        asked_s = self._clock.now() if asked_s is None else asked_s
        request = _Request(asked_s, owner, names, table, granted, active, for_s)
        self._waiting.append(request)
        self._schedule()
        try:
            return await granted
        except asyncio.CancelledError:
            self._take_back(request)
            raise

    def _take_back(self, request: _Request) -> None:
        """Whoever waited was cancelled, perhaps at the moment of being served."""
        if request in self._waiting:
            self._waiting.remove(request)
        elif not request.granted.cancelled() and request.granted.exception() is None:
            lease = request.granted.result()
            if lease is not None:
                self._book.give_back(lease)
            else:
                self.release_claims(request.owner)
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._clock.when_quiet(self._grant)

    def _grant(self) -> None:
        """Serve whom one can, and end the waits that nothing can end."""
        self._scheduled = False
        self._forget_the_cancelled()
        self._refuse_the_hopeless()
        self._serve()
        while circle := find_circle(self._in_the_way()):
            among = {wait.owner for wait in circle}
            youngest = max((r for r in self._waiting if r.owner in among), key=self._age)
            self.withdraw(youngest.owner, RunHeld(tell_circle(circle, self._name)))
            self._serve()

    def _forget_the_cancelled(self) -> None:
        self._waiting = [request for request in self._waiting if not request.granted.done()]

    def _serve(self) -> None:
        line = sorted(self._waiting, key=self._turn)
        passed_over: list[_Request] = []
        for request in line:
            ahead = [earlier for earlier in passed_over if earlier.competes(request)]
            if self._free(request) and (not ahead or self._may_overtake(request, ahead)):
                self._give(request)
            else:
                passed_over.append(request)

    def _may_overtake(self, request: _Request, ahead: Iterable[_Request]) -> bool:
        """Nobody queues behind those who, in the end, wait for oneself: they can't be served before one has gone on."""
        graph = self._in_the_way()
        line = sorted(self._waiting, key=self._turn)
        for number, later in enumerate(line):
            graph[later.owner] += [
                Wait(later.owner, _and(later.names & earlier.names), earlier.owner)
                for earlier in line[:number]
                if earlier.competes(later)
            ]
        return all(reaches(graph, earlier.owner, request.owner) for earlier in ahead)

    def _give(self, request: _Request) -> None:
        self._waiting.remove(request)
        if request.place:
            request.table.update(dict.fromkeys(request.names, request.owner))
            request.granted.set_result(None)
        else:
            request.granted.set_result(self._book.grant(request.owner, request.names, request.for_s))

    def _end_the_wait_of(self, lease: Lease) -> None:
        """Whoever waits with a lease that runs out must not go on as if it still had it."""
        devices, owner = _and(lease.devices), self._name(lease.owner)
        why = f"The lease of {devices} (token {lease.token}) ran out while {owner}, which has it, waited for more."
        self.withdraw(lease.owner, RunHeld(why))

    def _age(self, request: _Request) -> tuple[float, str, str]:
        return request.asked_s, self._rank.get(request.owner, request.owner), request.owner

    def _turn(self, request: _Request) -> tuple[bool, float, str]:
        """Whose labware stands there goes first, for the others wait for it to be taken away; then the oldest."""
        stands_there = request.place and any(self._labware_of(request.owner, n, True) for n in request.names)
        asked_s, rank, _ = self._age(request)
        priority = min(max(self._priority.get(request.owner, 0), 0), HIGHEST_PRIORITY)
        return not stands_there, asked_s - priority * PRIORITY_S, rank

    def _refuse_the_hopeless(self) -> None:
        """End the waiting for blocked devices, and for places that nobody is going to clear.

        Looked at when the loop is quiet, when every run that begins at this moment has begun, and again when a run ends.
        """
        for request in list(self._waiting):
            hopeless = next(
                filter(None, (self._hopeless(request, name) for name in sorted(request.names))), ""
            )
            if hopeless:
                self.withdraw(request.owner, RunHeld(hopeless))

    def _hopeless(self, request: _Request, name: str) -> str:
        if request.active is None:
            return self._book.blocked.get(name, "")
        stranger = self._stranger(name, request.owner)
        if stranger is None or request.active(stranger[1]):
            return ""
        return (
            f"{name} holds {stranger[0].id}, left there by {stranger[1]}. "
            "Go on with the campaign that left it, or bring it home, and start again."
        )

    def _free(self, request: _Request) -> bool:
        if not request.place:
            return self._book.free(request.names)
        return all(
            name not in self._claims and self._stranger(name, request.owner) is None for name in request.names
        )

    def _stranger(self, position: str, owner: str) -> tuple[Labware, str] | None:
        """Labware of somebody else that stands, or may stand, where it is not at home, and whose it is."""
        for item in self._bench.labware.values():
            if position not in (item.position, item.maybe) or item.home == position:
                continue
            holder = self._holder.get(item.id, "nobody")
            if holder != owner:
                return item, holder
        return None

    def _in_the_way(self) -> dict[str, list[Wait]]:
        """Who keeps what others wait for. The order of the queue is left out: it gives way, see ``_may_overtake``."""
        return {request.owner: self._kept_from(request) for request in self._waiting}

    def _kept_from(self, request: _Request) -> list[Wait]:
        waits, place = [], request.place
        for name in sorted(request.names):
            if (holder := request.table.get(name)) is not None:
                waits.append(Wait(request.owner, name, holder, self._labware_of(holder, name, place), place))
            if place and (stranger := self._stranger(name, request.owner)) is not None:
                waits.append(Wait(request.owner, name, stranger[1], (stranger[0].id,), place))
        return waits

    def _labware_of(self, owner: str, name: str, place: bool) -> tuple[str, ...]:
        """What an owner has standing at a position, or on a device."""
        places = {p.name for p in self._bench.positions.values() if name == (p.name if place else p.device)}
        return tuple(
            item.id
            for item in self._bench.labware.values()
            if self._holder.get(item.id) == owner and not places.isdisjoint((item.position, item.maybe))
        )

    def _name(self, owner: str) -> str:
        rank = self._rank.get(owner, owner)
        return owner if rank == owner else f"{owner} ({rank})"


def _and(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
