"""A device attribute that carries out one type of command: ``bps.abs_set(thermocycler.heat, Heat(...))``.

The run engine gets one status per command. It ends when the instrument has done the command, or with a fault
of the :class:`lab.errors.DeviceFault` tree, which the plan then finds as ``FailedStatus.__cause__``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from ophyd_async.core import AsyncStatus, Device

from lab.bench import Bench
from lab.errors import CommandTimeout, DeviceFault, OutOfRange
from lab.interfaces import Command
from lab.types import JsonValue

__all__ = ["WATCHDOG_FACTOR", "WATCHDOG_FLOOR_S", "Limits", "Verb", "limit_problems"]

C = TypeVar("C", bound=Command)

Limits = Mapping[str, tuple[float, float]]
"""Name of a command's field or property (``temperature_c``) -> lowest and highest value allowed, both
included.
"""

WATCHDOG_FACTOR = 3.0
"""A command may take this many times its expected duration ..."""

WATCHDOG_FLOOR_S = 120.0
"""... and this many seconds of lab time more, before it counts as hung."""


def limit_problems(command: object, limits: Limits) -> tuple[str, ...]:
    """Which values of a command are past a limit, one sentence each.

    A limit on a field that the command does not have does not concern it; of a field with several numbers
    each is checked.
    """
    problems = []
    for field, (lowest, highest) in limits.items():
        written = getattr(command, field, ())
        for value in (written,) if isinstance(written, int | float) else tuple(written or ()):
            if not lowest <= value <= highest:
                problems.append(f"{field} {value:g} is outside {lowest:g} to {highest:g}.")
    return tuple(problems)


class Verb(Device, Generic[C]):
    """One verb of an instrument. Implements :class:`lab.interfaces.Verb` and Bluesky's ``Movable``.

    It has no ``stop``: the run engine calls that on success too, and what is done is done.
    Connected as a mock it sends nothing: ``set`` checks the limits, notes the command on the mock and
    succeeds.

    Args:
        run: carries the command out and gives back what the journal keeps (JSON).
        command: the type of value that ``set`` takes.
        limits: of this device, checked before ``run`` is called; :class:`OutOfRange` past them.
        estimate: expected lab time of a command on this device, in seconds. It is asked with the bench of a
            dry run, and with None when the command is about to be sent. None: the command's own figure, no
            watchdog.
        restore: takes a journaled result, so that the device's readings are again as they were after the
            command.
        watchdog_factor: see :data:`WATCHDOG_FACTOR`.
        watchdog_floor_s: see :data:`WATCHDOG_FLOOR_S`.
    """

    def __init__(
        self,
        run: Callable[[C], Awaitable[JsonValue]],
        *,
        command: type[C],
        limits: Limits | None = None,
        estimate: Callable[[C, Bench | None], float] | None = None,
        restore: Callable[[JsonValue], Awaitable[None]] | None = None,
        watchdog_factor: float = WATCHDOG_FACTOR,
        watchdog_floor_s: float = WATCHDOG_FLOOR_S,
    ) -> None:
        self._run = run
        self._limits = dict(limits or {})
        self._estimate = estimate
        self._restore = restore
        self._watchdog_factor = watchdog_factor
        self._watchdog_floor_s = watchdog_floor_s
        self._result: JsonValue = None
        self.command_type = command
        super().__init__()

    @property
    def device(self) -> str:
        """Name of the device that it is a verb of."""
        owner: Device = self
        while owner.parent is not None:
            owner = owner.parent
        return owner.name

    @property
    def limits(self) -> Limits:
        """Limits of the device that concern this verb's commands."""
        return dict(self._limits)

    def set(self, value: C) -> AsyncStatus[None]:
        """Start the command. Must be called on the loop.

        The status fails with :class:`OutOfRange` past a limit (nothing was sent), with
        :class:`CommandTimeout` when the watchdog ends it, and with whatever fault the driver raises.
        """
        return AsyncStatus(self._carry_out(value), name=self.name)

    def problems(self, command: C, bench: Bench) -> Sequence[str]:
        """Why the command cannot be done on the bench as believed, or on this device; one sentence each."""
        of_device = (f"{self.device}: {problem}" for problem in limit_problems(command, self._limits))
        return (*command.problems(bench), *of_device)

    def duration_s(self, command: C, bench: Bench) -> float:
        """Expected lab time of the command on this device."""
        return command.duration_s(bench) if self._estimate is None else self._estimate(command, bench)

    def result(self) -> JsonValue:
        """What the last finished command gave back; None while one runs and after one that failed."""
        return self._result

    async def restore(self, result: JsonValue) -> None:
        """Take a journaled result as if the command had just finished."""
        if self._restore is not None:
            await self._restore(result)
        self._result = result

    async def check_value(self, value: C) -> None:
        """Bluesky's check before a plan runs.

        Raises:
            OutOfRange: past a limit of the device.
        """
        self._refuse(value)

    def _refuse(self, command: C) -> None:
        if not isinstance(command, self.command_type):
            raise TypeError(f"{self.name} takes a {self.command_type.__name__}, not {command!r}")
        problems = limit_problems(command, self._limits)
        if problems:
            raise OutOfRange(" ".join(problems), device=self.device)

    async def _carry_out(self, command: C) -> None:
        self._result = None
        self._refuse(command)
        if self._mock is not None:
            cast(Any, self._mock)()(command)
            return
        try:
            self._result = await self._watched(command)
        except DeviceFault as fault:
            if not fault.device:
                fault.device = self.device
                fault.args = (f"{self.device}: {fault}",)
            raise

    async def _watched(self, command: C) -> JsonValue:
        if self._estimate is None:
            return await self._run(command)
        expected_s = self._estimate(command, None)
        limit_s = self._watchdog_factor * expected_s + self._watchdog_floor_s
        try:
            async with asyncio.timeout(limit_s) as watchdog:
                return await self._run(command)
        except TimeoutError as late:
            if not watchdog.expired():
                raise
            raise CommandTimeout(
                f"{command.verb} did not end in {limit_s:.0f} s of lab time (expected {expected_s:.0f} s).",
                device=self.device,
            ) from late
