"""A device attribute that carries out one type of command: ``bps.abs_set(thermocycler.heat, Heat(...))``.

The run engine gets one status per command. It ends when the instrument has done the command, or with a fault
of the :class:`lab.errors.DeviceFault` tree, which the plan then finds as ``FailedStatus.__cause__``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, cast

from ophyd_async.core import AsyncStatus, Device

from lab.bench import Bench
from lab.errors import BadInput, CommandTimeout, DeviceFault, OutOfRange
from lab.interfaces import Command
from lab.types import JsonValue

__all__ = [
    "WATCHDOG_FACTOR",
    "WATCHDOG_FLOOR_S",
    "Limits",
    "Verb",
    "faults_of",
    "limit_problems",
    "narrowed",
]

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
    problems: list[str] = []
    for field, (lowest, highest) in limits.items():
        written = getattr(command, field, ())
        values = (written,) if isinstance(written, int | float) else tuple(written or ())
        problems.extend(
            f"{field} {value:g} is outside {lowest:g} to {highest:g}."
            for value in values
            if not lowest <= value <= highest
        )
    return tuple(problems)


def narrowed(
    maker: Limits, workcell: Limits | None, *, also: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[float, float]]:
    """A device's limits: the maker's, made narrower by the workcell file, never wider.

    Args:
        maker: every field that has a limit on this device.
        workcell: what the file says; None where it says nothing.
        also: further fields that one limit of the file covers (``temperature_c`` -> ``cool_to_c``).

    Raises:
        BadInput: a limit on something the device does not have, or one that leaves nothing.
    """
    limits = dict(maker)
    for name, (lowest, highest) in (workcell or {}).items():
        if name not in maker:
            raise BadInput(
                f"There is no limit {name!r} on this device.",
                way_out=f"It has limits on {', '.join(sorted(maker)) or 'nothing'}.",
                field=f"limits.{name}",
            )
        for field in (name, *(also or {}).get(name, ())):
            limits[field] = (max(lowest, maker[field][0]), min(highest, maker[field][1]))
            if limits[field][0] > limits[field][1]:
                raise BadInput(
                    f"No {field} is within {lowest:g} to {highest:g} and within the maker's "
                    f"{maker[field][0]:g} to {maker[field][1]:g}.",
                    field=f"limits.{name}",
                )
    return limits


@contextmanager
def faults_of(device: str) -> Iterator[None]:
    """Put the device's name into a fault that was raised below, where nobody knows it."""
    try:
        yield
    except DeviceFault as fault:
        if not fault.device:
            fault.device = device
            fault.args = (f"{device}: {fault}",)
        raise


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
        objections: what this device in particular cannot do of a command (an arm that does not reach a position), one
            sentence each; asked with a bench as ``estimate`` is. About to be sent, they are :class:`OutOfRange` too.
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
        objections: Callable[[C, Bench | None], Sequence[str]] | None = None,
        restore: Callable[[JsonValue], Awaitable[None]] | None = None,
        watchdog_factor: float = WATCHDOG_FACTOR,
        watchdog_floor_s: float = WATCHDOG_FLOOR_S,
    ) -> None:
        self._run = run
        self._limits = dict(limits or {})
        self._estimate = estimate
        self._objections = objections
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
        """Why the command cannot be done on the bench as believed, or on this device; one sentence each.

        A command does not know its device's name; what it lists as ``stands_here`` is checked to stand on it.
        """
        elsewhere = (
            f"{labware} does not stand on {self.device}."
            for labware in getattr(command, "stands_here", ())
            if labware in bench.labware and bench.device_at(labware) != self.device
        )
        of_device = (f"{self.device}: {problem}" for problem in self._refusals(command, bench))
        return (*command.problems(bench), *elsewhere, *of_device)

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
        refusals = self._refusals(command, None)
        if refusals:
            raise OutOfRange(" ".join(refusals), device=self.device)

    def _refusals(self, command: C, bench: Bench | None) -> tuple[str, ...]:
        objections = () if self._objections is None else self._objections(command, bench)
        return (*limit_problems(command, self._limits), *objections)

    async def _carry_out(self, command: C) -> None:
        self._result = None
        self._refuse(command)
        if self._mock is not None:
            cast(Any, self._mock)()(command)
            return
        with faults_of(self.device):
            self._result = await self._watched(command)

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
