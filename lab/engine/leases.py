"""Leases of devices: their tokens, their time, and what becomes of a device whose lease runs out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from lab.errors import RunHeld
from lab.interfaces import Clock

__all__ = ["EXPIRED_BOUND_S", "Lease", "LeaseBook"]

EXPIRED_BOUND_S = 300.0
"""Lab time within which the devices of a lease that ran out must be safe; after that they are blocked. A bound on whoever
brings them there, not on one device: that is :data:`lab.recovery.SAFE_BOUND_S`.
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use some devices.

    Args:
        token: greater than that of any lease granted on this bench before.
        expires_s: lab time when it runs out; infinite where it does not.
    """

    owner: str
    devices: frozenset[str]
    token: int
    expires_s: float


class LeaseBook:
    """The leases of one bench. Loop thread only.

    Args:
        clock: whose time leases run out by.
        first_token: the last token that this bench has seen.
        name: what a person calls an owner.
        changed: told when devices become free or blocked by themselves.
        ran_out: told at once of a lease that ran out.

    Attributes:
        expired: brings the devices of a lease that ran out to their safe state; without it they are free at once.
        owners: device -> who leases it.
        blocked: device -> why nobody can have it: its lease ran out and it was not brought to its safe state.
    """

    def __init__(
        self,
        clock: Clock,
        first_token: int,
        *,
        name: Callable[[str], str],
        changed: Callable[[], None],
        ran_out: Callable[[Lease], None],
    ) -> None:
        self.expired: Callable[[Lease], Awaitable[None]] | None = None
        self.owners: dict[str, str] = {}
        self.blocked: dict[str, str] = {}
        self._clock = clock
        self._token = first_token
        self._name = name
        self._changed = changed
        self._ran_out = ran_out
        self._held: dict[int, Lease] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._being_made_safe: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def free(self, devices: Iterable[str]) -> bool:
        """Whether nobody leases any of these, and all of them are safe."""
        return not any(
            name in taken for name in devices for taken in (self.owners, self._being_made_safe, self.blocked)
        )

    def grant(self, owner: str, devices: frozenset[str], for_s: float) -> Lease:
        """Write down a lease of devices that are free; its time begins now."""
        self._token += 1
        self.owners.update(dict.fromkeys(devices, owner))
        return self._hold(Lease(owner, devices, self._token, self._clock.now() + for_s))

    def renew(self, lease: Lease, for_s: float) -> Lease:
        """See :meth:`lab.engine.arbiter.Arbiter.renew`."""
        held, now = self._held.get(lease.token), self._clock.now()
        if held is None or now > held.expires_s:
            raise RunHeld(
                f"The lease of {_and(lease.devices)} that {self._name(lease.owner)} had (token {lease.token}) "
                "has run out or was given back. Others may use what it was for; nothing more may be sent under it."
            )
        self._stop_timer(held)
        return self._hold(replace(held, expires_s=now + positive(for_s)))

    def give_back(self, lease: Lease) -> None:
        """End one lease; harmless where it has ended."""
        held = self._held.pop(lease.token, None)
        if held is not None:
            self._stop_timer(held)
            for name in held.devices:
                del self.owners[name]

    def give_back_all(self, owner: str) -> None:
        """End all leases of an owner."""
        for lease in [lease for lease in self._held.values() if lease.owner == owner]:
            self.give_back(lease)

    def _hold(self, lease: Lease) -> Lease:
        self._held[lease.token] = lease
        if math.isfinite(lease.expires_s):
            # Looked at once the moment is quiet: a step that ends in it has ended in time.
            due = partial(self._clock.when_quiet, partial(self._due, lease))
            in_s = lease.expires_s - self._clock.now()
            self._timers[lease.token] = asyncio.get_running_loop().call_later(in_s, due)
        return lease

    def _stop_timer(self, lease: Lease) -> None:
        timer = self._timers.pop(lease.token, None)
        if timer is not None:
            timer.cancel()

    def _due(self, lease: Lease) -> None:
        if self._held.get(lease.token) is not lease:
            return  # given back or renewed
        self.give_back(lease)
        self._ran_out(lease)
        if self.expired is None:
            self._changed()
            return
        self._being_made_safe |= lease.devices
        task = asyncio.get_running_loop().create_task(self._make_safe(lease, self.expired))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make_safe(self, lease: Lease, expired: Callable[[Lease], Awaitable[None]]) -> None:
        """Unknown blocks: devices that are not certainly safe are given to nobody."""
        bound = asyncio.timeout(EXPIRED_BOUND_S)
        try:
            async with bound:
                await expired(lease)
        except BaseException as error:
            late = f"not done within {EXPIRED_BOUND_S:.0f} s"
            why = late if bound.expired() else str(error) or type(error).__name__
            for name in lease.devices:
                self.blocked[name] = (
                    f"{name} is blocked: its lease (token {lease.token}, {self._name(lease.owner)}) ran out, and it "
                    f"could not be brought to its safe state: {why}. See to it at the bench, and start again."
                )
            if not isinstance(error, Exception):
                raise  # the loop is being closed
        finally:
            self._being_made_safe -= lease.devices
            self._changed()


def positive(for_s: float) -> float:
    """The time a lease is asked for, where it is one.

    Raises:
        ValueError: it is not more than 0 s.
    """
    if not for_s > 0:
        raise ValueError(f"a lease must be for more than 0 s, not {for_s}")
    return for_s


def _and(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
