"""The plate centrifuge of any vendor that PyLabRobot can drive: its verbs, and what came of one that was broken off."""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.core import soft_signal_r_and_setter
from pylabrobot.centrifuge.backend import CentrifugeBackend
from pylabrobot.centrifuge.centrifuge import Centrifuge as FrontEnd

from devices.centrifuge.commands import Present, Spin
from devices.fence import check_lease
from devices.machine import MachineDevice, MachineDriver, Progress
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, LidFault, StaleLease
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["CentrifugeDriver", "CentrifugeModel", "PlateCentrifuge"]

OUTSIDE_MM = (300.0, 400.0, 300.0)
"""All that PyLabRobot asks a centrifuge's size for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentrifugeModel:
    """What one make of centrifuge can do.

    Args:
        limits: the maker's: ``rcf_g``, ``hold_s``.
        presenting_s: opening the door at a bucket.
        ramps_s: up to a force (multiples of g) and down again.
    """

    limits: Limits
    presenting_s: float
    ramps_s: Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentrifugeDriver(MachineDriver):
    """What lies under a :class:`PlateCentrifuge`.

    Args:
        backend: of PyLabRobot.
        is_homed: whether it knows where its rotor is.
        home: finds its rotor again; moves it.
        halt: stops the rotor in any state, though a command is under way, and comes back when it stands. Safe to repeat.
    """

    backend: CentrifugeBackend
    is_homed: Callable[[], Awaitable[bool]]
    home: Callable[[], Awaitable[None]]
    halt: Callable[[], Awaitable[None]]


class PlateCentrifuge(MachineDevice):
    """A centrifuge with two buckets for plates, one of which stands in the open door when it is asked for.

    Args:
        name: of the device in the workcell.
        driver: the instrument, or its twin.
        model: what this make can do.
        bench: the live one.
        limits: of the workcell file: ``rcf_g``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    def __init__(
        self,
        name: str,
        driver: CentrifugeDriver,
        *,
        model: CentrifugeModel,
        bench: Bench,
        limits: Limits | None = None,
    ) -> None:
        self._driver = driver
        self._bench = bench
        self._front = FrontEnd(driver.backend, name, *OUTSIDE_MM)
        super().__init__(name, self._front, driver)
        allowed = narrowed(model.limits, limits)
        self.present = Verb(
            self._present,
            command=Present,
            estimate=lambda command, bench: model.presenting_s,
            reconcile=self._reconcile_present,
        )
        self.spin = Verb(
            self._spin,
            command=Spin,
            limits=allowed,
            estimate=lambda command, bench: model.ramps_s(command.rcf_g) + command.hold_s,
            objections=self._out_of_balance,
            reconcile=self._reconcile_spin,
        )
        self.rcf_g, self._set_rcf_g = soft_signal_r_and_setter(float)
        self.hold_s, self._set_hold_s = soft_signal_r_and_setter(float, units="s")
        self.add_readables([self.rcf_g, self.hold_s, self.origin], Format.UNCACHED_SIGNAL)
        self.set_name(name)

    async def safe(self) -> None:
        """The rotor stands still. Safe to repeat, and in any state; the door stays as it is.

        Raises:
            DeviceFault: it does not stop, or does not answer; a person must look.
        """
        with self.as_faults():
            if self._front.setup_finished:
                await self._driver.halt()

    async def _after_setup(self) -> None:
        await self._know_the_rotor(Progress())

    def _out_of_balance(self, command: Spin, bench: Bench | None) -> Sequence[str]:
        """Whether the rotor balances is looked at again when it is about to turn, on the live bench."""
        return () if bench is not None else command.problems(self._bench)

    async def _know_the_rotor(self, progress: Progress) -> None:
        if not await self._driver.is_homed():
            async with progress.part("home"):
                await self._driver.home()

    async def _present(self, command: Present) -> JsonValue:
        progress = Progress()
        with self.as_faults(LidFault, progress=progress):
            await self._know_the_rotor(progress)
            async with progress.part("present", bucket=command.bucket):
                if command.bucket == 1:
                    await self._front.go_to_bucket1()
                else:
                    await self._front.go_to_bucket2()
        return {"bucket": command.bucket}

    async def _spin(self, command: Spin) -> JsonValue:
        """Each part is marked before it is sent: ``home`` where it has to, ``spin``, and ``stopped`` once it stands."""
        progress = Progress()
        with self.as_faults(progress=progress):
            try:
                await self._know_the_rotor(progress)
                async with progress.part("spin"):
                    await self._front.spin(g=command.rcf_g, duration=command.hold_s)
                async with progress.part("stopped"):
                    pass
            except (Exception, asyncio.CancelledError) as failure:
                await self._halt_after(failure)
                raise
        self._set_rcf_g(command.rcf_g)
        self._set_hold_s(command.hold_s)
        return {"rcf_g": command.rcf_g, "hold_s": command.hold_s}

    async def _halt_after(self, failure: BaseException) -> None:
        """Stop the rotor because a command failed, and keep both errors if that fails too.

        Not where the machine is another's by now, whose plates it may be spinning.
        """
        try:
            check_lease()
            await self.safe()
        except StaleLease:
            return
        except DeviceFault as second:
            failure.add_note(f"The rotor could not be stopped either: {second}")

    async def _reconcile_present(self, command: Present, marks: Sequence[Mark]) -> Reconciliation:
        """Presenting a bucket again does no more than presenting it once."""
        return Reconciliation(answer=Answer.NOT_DONE, sentence="A bucket can be presented again.")

    async def _reconcile_spin(self, command: Spin, marks: Sequence[Mark]) -> Reconciliation:
        """How much of a spin the plates have seen, by the last mark; a rotor that stands does not show whether it turned."""
        last = marks[-1].name if marks else ""
        if last == "stopped":
            return Reconciliation(
                answer=Answer.DONE,
                sentence="The rotor had stopped after its time.",
                result={"rcf_g": command.rcf_g, "hold_s": command.hold_s},
            )
        if last == "spin":
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The rotor was told to spin; how long it did, it can't tell once it stands.",
            )
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The rotor was not told to spin.")
