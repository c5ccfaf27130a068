"""Who may use which device and which position of a shared bench.

A step leases its devices, a section of a plan claims its positions; both get all they ask for or nothing. Claims do not
nest and a lease is never held across a wait, so nobody holds one thing while waiting for another: no deadlock. A place
where somebody's labware stands is waited for only as long as that somebody is at work and so will take it away.

On virtual time requests are granted when the loop falls quiet, oldest first and then by rank, so that who gets what
depends on lab time and on names, never on which thread ran first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lab.bench import Bench
from lab.errors import RunHeld
from lab.interfaces import Clock

__all__ = ["Arbiter"]


@dataclass(slots=True)
class _Request:
    asked_s: float
    owner: str
    names: frozenset[str]
    table: dict[str, str]
    granted: asyncio.Future[None] = field(repr=False)
    active: Callable[[str], bool] | None = None


class Arbiter:
    """Leases of devices and claims of positions on one bench. Loop thread only.

    Args:
        clock: whose quiet moments are used to grant.
        bench: belief, to see what stands at a position.
        holder: labware id -> owner that last moved it and has not brought it home.
        rank: owner -> what decides between requests of the same moment; the owner itself where it is not given.
    """

    def __init__(
        self,
        clock: Clock,
        bench: Bench,
        holder: Mapping[str, str],
        rank: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self._bench = bench
        self._holder = holder
        self._rank = rank
        self._leases: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._waiting: list[_Request] = []
        self._scheduled = False

    async def lease(self, owner: str, devices: Iterable[str]) -> None:
        """Take all these devices, waiting until every one of them is free."""
        await self._ask(owner, frozenset(devices), self._leases)

    def release(self, owner: str) -> None:
        """Give back the devices that an owner leases."""
        self._give_back(owner, self._leases)

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
            RunHeld: the owner already claims positions, or one holds labware that nobody is going to move, now or once
                its owner has given up.
        """
        names = frozenset(positions)
        held = [name for name, holder in self._claims.items() if holder == owner]
        if held:
            raise RunHeld(f"The plan claims positions while it still claims {', '.join(sorted(held))}.")
        await self._ask(owner, names, self._claims, active, -math.inf if under_way else None)

    def release_claims(self, owner: str) -> None:
        """Give back the positions that an owner claims."""
        self._give_back(owner, self._claims)

    def withdraw(self, owner: str, reason: BaseException) -> None:
        """End an owner's waiting with an error."""
        for request in [r for r in self._waiting if r.owner == owner]:
            self._waiting.remove(request)
            if not request.granted.done():
                request.granted.set_exception(reason)

    def _stranger(self, position: str, owner: str) -> tuple[str, str] | None:
        item = self._bench.at(position)
        if item is None or item.home == position:
            return None
        holder = self._holder.get(item.id, "nobody")
        return None if holder == owner else (item.id, holder)

    async def _ask(
        self,
        owner: str,
        names: frozenset[str],
        table: dict[str, str],
        active: Callable[[str], bool] | None = None,
        asked_s: float | None = None,
    ) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asked_s = self._clock.now() if asked_s is None else asked_s
        request = _Request(asked_s, owner, names, table, granted, active)
        self._waiting.append(request)
        self._schedule()
        await request.granted

    def _give_back(self, owner: str, table: dict[str, str]) -> None:
        for name in [name for name, holder in table.items() if holder == owner]:
            del table[name]
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._clock.when_quiet(self._grant)

    def _grant(self) -> None:
        self._scheduled = False
        self._refuse_the_hopeless()
        spoken_for: set[tuple[int, str]] = set()
        for request in sorted(self._waiting, key=self._turn):
            wanted = {(id(request.table), name) for name in request.names}
            if wanted & spoken_for or not self._free(request):
                spoken_for |= wanted
                continue
            for name in request.names:
                request.table[name] = request.owner
            self._waiting.remove(request)
            if not request.granted.done():
                request.granted.set_result(None)

    def _turn(self, request: _Request) -> tuple[bool, float, str]:
        """Whose labware stands there goes first, for the others wait for it to be taken away; then the oldest."""
        stands_there = request.table is self._claims and any(
            (item := self._bench.at(name)) is not None and self._holder.get(item.id) == request.owner
            for name in request.names
        )
        return not stands_there, request.asked_s, self._rank.get(request.owner, request.owner)

    def _refuse_the_hopeless(self) -> None:
        """End the waiting for places that nobody is going to clear.

        Looked at when the loop is quiet, when every run that begins at this moment has begun, and again when a run ends.
        """
        for request in list(self._waiting):
            if request.active is None:
                continue
            for name in sorted(request.names):
                stranger = self._stranger(name, request.owner)
                if stranger is not None and not request.active(stranger[1]):
                    self.withdraw(
                        request.owner,
                        RunHeld(
                            f"{name} holds {stranger[0]}, left there by {stranger[1]}. "
                            "Go on with the campaign that left it, or bring it home, and start again."
                        ),
                    )
                    break

    def _free(self, request: _Request) -> bool:
        if any(name in request.table for name in request.names):
            return False
        if request.table is self._leases:
            return True
        return all(self._stranger(name, request.owner) is None for name in request.names)
