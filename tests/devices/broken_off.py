"""Breaking a machine's command off at one of its backend's calls, and carrying on as a new process would."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab.clock import LabClock
from lab.errors import DeviceFault
from lab.types import JsonValue, Mark

LIMIT_S = 36_000.0


@dataclass
class Breaker:
    """Stands before some methods of a backend and breaks off one of their calls.

    Args:
        at: number of the call, from 0; None breaks off none.
        acted: whether the machine carries the call out before it is broken off.
        error: makes what the call raises, from the channels it is for; None: it never comes back, as for a killed process.
        spared: carries the call out for all channels but the first, as a machine does whose one channel fails.
    """

    at: int | None
    acted: bool = False
    error: Callable[[Sequence[int]], Exception] | None = None
    spared: bool = False
    calls: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def stand_before(self, backend: Any, names: Sequence[str]) -> None:
        """Replace methods of one backend object."""
        for name in names:
            setattr(backend, name, self._broken(name, getattr(backend, name)))

    def _broken(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(real)
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if self.at is None or len(self.calls) - 1 != self.at:
                return await real(*args, **kwargs)
            given = inspect.signature(real).bind(*args, **kwargs).arguments
            channels = list(given.get("use_channels", ()))
            if self.spared and len(channels) > 1:
                await real(**{**given, "ops": given["ops"][1:], "use_channels": channels[1:]})
            elif self.acted:
                await real(*args, **kwargs)
            self.reached.set()
            if self.error is None:
                await asyncio.get_running_loop().create_future()
                raise AssertionError("a dead process went on")
            raise self.error(channels)

        return call


@dataclass(frozen=True)
class How:
    """A way to break a command off; arguments as of :class:`Breaker`."""

    name: str
    acted: bool = False
    error: Callable[[Sequence[int]], Exception] | None = None
    spared: bool = False

    def breaker(self, at: int | None) -> Breaker:
        """One that breaks a command off in this way."""
        return Breaker(at=at, acted=self.acted, error=self.error, spared=self.spared)


@dataclass
class Tried:
    """One try of a command.

    Args:
        marks: as a journal would give them back.
        fault: it ended with; None where it was killed, or done.
        result: when it is done.
    """

    marks: list[Mark]
    fault: DeviceFault | None = None
    result: JsonValue = None


async def try_once(clock: LabClock, verb: Any, command: Any, breaker: Breaker, *, token: int = 1) -> Tried:
    """Send a command under a lease and with marks; where the breaker kills it, the task ends as its process would."""
    marks: list[Mark] = []

    async def mark(name: str, details: JsonValue) -> None:
        marks.append(Mark(name=name, details=json.loads(json.dumps(details)), lab_time_s=clock.now()))

    verb.engage(token=token, limit_s=LIMIT_S, mark=mark)
    status = verb.set(command)
    killed = asyncio.ensure_future(breaker.reached.wait())
    await asyncio.wait([status.task, killed], return_when=asyncio.FIRST_COMPLETED)
    if not killed.done():
        killed.cancel()
    elif breaker.error is None:
        status.task.cancel()
    await asyncio.wait([status.task])
    if status.task.cancelled():
        return Tried(marks)
    fault = status.task.exception()
    if fault is None:
        return Tried(marks, result=verb.result())
    assert isinstance(fault, DeviceFault), fault
    return Tried(marks, fault=fault)
