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

from devices.fence import Engagement, Fence, engaged
from lab.bench import Bench
from lab.errors import BadInput, CommandBrokenOff, CommandTimeout, DeviceFault, OutOfRange
from lab.interfaces import Answer, Command, Marker, Reconciliation
from lab.recovery import WATCHDOG_FACTOR, WATCHDOG_FLOOR_S, time_limit_s
from lab.types import JsonValue, Mark

__all__ = [
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
        reconcile: says what came of a command that was sent and not seen to end, given its marks. None: nobody can tell.
        remark: what was not as it should be about a result.
        close: takes back what is still asked for because of a step that is over, given its marks and why. None: nothing is.
        stop_waits: as of :class:`lab.interfaces.Verb`.
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
        reconcile: Callable[[C, Sequence[Mark]], Awaitable[Reconciliation]] | None = None,
        remark: Callable[[JsonValue], DeviceFault | None] | None = None,
        close: Callable[[Sequence[Mark], str], Awaitable[None]] | None = None,
        stop_waits: bool = True,
        watchdog_factor: float = WATCHDOG_FACTOR,
        watchdog_floor_s: float = WATCHDOG_FLOOR_S,
    ) -> None:
        self._run = run
        self._limits = dict(limits or {})
        self._estimate = estimate
        self._objections = objections
        self._restore = restore
        self._reconcile = reconcile
        self._remark = remark
        self._close = close
        self.stop_waits = stop_waits
        self._terms: tuple[int, float, Marker, str] | None = None
        self._under_way: AsyncStatus[None] | None = None
        self._broken_off = ""
        self._watchdog_factor = watchdog_factor
        self._watchdog_floor_s = watchdog_floor_s
        self._result: JsonValue = None
        self.command_type = command
        super().__init__()

    @property
    def device(self) -> str:
        """Name of the device that it is a verb of."""
        return self._owner.name

    @property
    def _owner(self) -> Device:
        owner: Device = self
        while owner.parent is not None:
            owner = owner.parent
        return owner

    @property
    def limits(self) -> Limits:
        """Limits of the device that concern this verb's commands."""
        return dict(self._limits)

    def engage(self, *, token: int, limit_s: float, mark: Marker, step: str = "") -> None:
        """Under which lease, within which lab time, with which marks and as which step the command that is set next is
        carried out.

        Without it, as in a script at a bench, a command works under no lease and marks nothing.
        """
        self._terms = (token, limit_s, mark, step)
        self._broken_off = ""

    def break_off(self, reason: str) -> AsyncStatus[None] | None:
        """End the command under way in its midst; one that is engaged and not set yet is refused when it is.

        Loop thread only; harmless when the verb is idle; safe to repeat. The command gets to clean up after itself, so it
        may take a moment to end, as :class:`CommandBrokenOff`.

        Returns:
            The command's status, to wait for its end; None where none was under way.
        """
        if self._terms is not None:
            self._broken_off = reason
        status = self._under_way
        if status is None or status.done:
            return None
        if not self._broken_off:
            self._broken_off = reason
            status.task.cancel(reason)
        return status

    def set(self, value: C) -> AsyncStatus[None]:
        """Start the command. Must be called on the loop.

        The status fails with :class:`OutOfRange` past a limit and :class:`StaleLease` when the device was leased to another
        since (nothing was sent), with :class:`CommandTimeout` when the watchdog ends it, with :class:`CommandBrokenOff`
        after :meth:`break_off`, and with whatever fault the driver raises.
        """
        if self._terms is None:
            self._broken_off = ""
        self._under_way = AsyncStatus(self._ended_in_order(value), name=self.name)
        return self._under_way

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

    def limit_s(self, command: C, bench: Bench) -> float:
        """Lab time after which the command counts as late."""
        return time_limit_s(
            self.duration_s(command, bench), factor=self._watchdog_factor, floor_s=self._watchdog_floor_s
        )

    def result(self) -> JsonValue:
        """What the last finished command gave back; None while one runs and after one that failed."""
        return self._result

    def remark(self) -> DeviceFault | None:
        """What was not as it should be though the last command is done."""
        return None if self._remark is None or self._result is None else self._remark(self._result)

    async def reconcile(self, command: C, marks: Sequence[Mark]) -> Reconciliation:
        """What came of a command that was sent and not seen to end; asks the instrument, moves nothing.

        Raises:
            DeviceFault: the instrument does not answer.
        """
        if self._reconcile is None:
            return Reconciliation(answer=Answer.UNKNOWN, sentence=f"{self.device} keeps no record of it.")
        with faults_of(self.device):
            return await self._reconcile(command, marks)

    async def restore(self, result: JsonValue) -> None:
        """Take a journaled result as if the command had just finished."""
        if self._restore is not None:
            await self._restore(result)
        self._result = result

    async def close(self, command: C, marks: Sequence[Mark], why: str) -> None:
        """A step is over: what is still asked for because of it is taken back.

        Raises:
            DeviceFault: it can't be now.
        """
        if self._close is not None:
            with faults_of(self.device):
                await self._close(marks, why)

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

    async def _ended_in_order(self, command: C) -> None:
        """A command that was broken off ends as a fault, which can be told and kept, with what its clean-up met."""
        if self._is_broken_off():
            self._terms = None
            raise CommandBrokenOff(
                f"{command.verb} was not begun: {self._broken_off}", device=self.device, nothing_done=True
            )
        try:
            await self._carry_out(command)
        except asyncio.CancelledError as cancelled:
            if not self._is_broken_off():
                raise
            broken = CommandBrokenOff(
                f"{command.verb} was broken off: {self._broken_off}", device=self.device
            )
            for note in getattr(cancelled, "__notes__", ()):
                broken.add_note(note)
            raise broken from cancelled

    def _is_broken_off(self) -> bool:
        return bool(self._broken_off)

    async def _carry_out(self, command: C) -> None:
        self._result = None
        terms, self._terms = self._terms, None
        engagement = None
        with faults_of(self.device):
            if terms is not None:
                fence: Fence = cast(Any, self._owner).fence
                fence.admit(terms[0])
                engagement = Engagement(terms[0], fence, terms[2], terms[3])
                engaged.set(engagement)
            self._refuse(command)
            if self._mock is not None:
                cast(Any, self._mock)()(command)
                return
            try:
                self._result = await self._watched(command, None if terms is None else terms[1])
            except DeviceFault as fault:
                # What refuses one request says nothing of the parts before it.
                fault.nothing_done = fault.nothing_done and not (engagement and engagement.marked)
                raise

    async def _watched(self, command: C, limit_s: float | None) -> JsonValue:
        """No command goes on for ever: what is late is a fault, though the instrument may be at it still."""
        expected = ""
        if limit_s is None:
            if self._estimate is None:
                return await self._run(command)
            expected_s = self._estimate(command, None)
            expected = f" (expected {expected_s:.0f} s)"
            limit_s = time_limit_s(expected_s, factor=self._watchdog_factor, floor_s=self._watchdog_floor_s)
        try:
            async with asyncio.timeout(limit_s) as watchdog:
                return await self._run(command)
        except TimeoutError as late:
            if not watchdog.expired():
                raise
            raise CommandTimeout(
                f"{command.verb} did not end in {limit_s:.0f} s of lab time{expected}.", device=self.device
            ) from late
