"""The balance of any vendor that PyLabRobot can drive: its verbs, and what it shows after a weighing."""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.core import soft_signal_r_and_setter
from pylabrobot.scales import Scale, ScaleBackend

from devices.balance.commands import Weigh, Zero
from devices.machine import MachineDevice, MachineDriver, Progress
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentError, NonsenseReply
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["Balance", "BalanceDriver", "BalanceModel"]

PAN_MM = (127.76, 85.48, 20.0)
"""Room for a plate (ANSI SLAS 1-2004), which is all that PyLabRobot asks a scale's size for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceModel:
    """What one make of balance can do.

    Args:
        capacity_g: the most that it weighs.
        repeatability_g: standard deviation of one weighing (the maker's).
        settle_s: until it is steady.
    """

    capacity_g: float
    repeatability_g: float
    settle_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceDriver(MachineDriver):
    """What lies under a :class:`Balance`.

    Args:
        backend: of PyLabRobot. cancel: ends whatever the balance waits for; safe to repeat. It keeps its zero. kind_of:
        the class of fault that an error of its backend is a case of; None where it says no more than that it failed.
    """

    backend: ScaleBackend
    cancel: Callable[[], Awaitable[None]]
    kind_of: Callable[[Exception], type[DeviceFault] | None] = lambda error: None


class Balance(MachineDevice):
    """A balance that labware stands on.

    After a weighing its signals show it: ``mass_g``, ``labware``, ``lab_time_s``, ``repeatability_g``.

    Args:
        name: of the device in the workcell.
        driver: the instrument, or its twin.
        model: what this make can do.
        bench: the live one; says whether its pan is empty.
        limits: of the workcell file; a balance has none.

    Raises:
        BadInput: a limit that this device does not have.
    """

    def __init__(
        self,
        name: str,
        driver: BalanceDriver,
        *,
        model: BalanceModel,
        bench: Bench,
        limits: Limits | None = None,
    ) -> None:
        self._driver = driver
        self._model = model
        self._bench = bench
        self._front = Scale(name, *PAN_MM, backend=driver.backend)
        super().__init__(name, self._front, driver)
        narrowed({}, limits)
        self.zero = Verb(
            self._zero,
            command=Zero,
            estimate=lambda command, bench: model.settle_s,
            objections=self._pan_in_use,
            reconcile=self._reconcile,
        )
        self.weigh = Verb(
            self._weigh,
            command=Weigh,
            estimate=lambda command, bench: model.settle_s,
            restore=self._show,
            reconcile=self._reconcile,
        )
        self.mass_g, self._set_mass_g = soft_signal_r_and_setter(float, units="g")
        self.labware, self._set_labware = soft_signal_r_and_setter(str)
        self.lab_time_s, self._set_lab_time_s = soft_signal_r_and_setter(float, units="s")
        self.repeatability_g, _ = soft_signal_r_and_setter(float, model.repeatability_g, units="g")
        self.add_readables([self.mass_g], Format.HINTED_UNCACHED_SIGNAL)
        self.add_readables([self.labware, self.lab_time_s, self.origin], Format.UNCACHED_SIGNAL)
        self.add_readables([self.repeatability_g], Format.CONFIG_SIGNAL)
        self.set_name(name)

    async def safe(self) -> None:
        """End whatever it waits for. Safe to repeat; its zero stays.

        Raises:
            DeviceFault: it does not answer.
        """
        with self.as_faults():
            if self._front.setup_finished:
                await self._driver.cancel()

    def fault_for(self, error: Exception, refused: type[DeviceFault]) -> DeviceFault:
        """The fault that an error of the backend stands for."""
        kind = self._driver.kind_of(error) or refused
        return kind(f"{error}")

    def _pan_in_use(self, command: Zero, bench: Bench | None) -> Sequence[str]:
        """What stands on the pan, on the bench as believed."""
        believed = self._bench if bench is None else bench
        standing = [item.id for item in believed.labware.values() if believed.device_at(item.id) == self.name]
        return tuple(f"{labware} stands on it; zero is for an empty pan." for labware in standing)

    async def _zero(self, command: Zero) -> JsonValue:
        progress = Progress()
        with self.as_faults(progress=progress):
            async with progress.part("zero"):
                await self._front.zero()
        return {}

    async def _weigh(self, command: Weigh) -> JsonValue:
        progress = Progress()
        with self.as_faults(progress=progress):
            async with progress.part("weigh"):
                mass_g = await self._front.read_weight()
            if not math.isfinite(mass_g) or mass_g < -self._model.capacity_g:
                raise NonsenseReply(f"{mass_g} is no mass.")
            if mass_g > self._model.capacity_g:
                raise InstrumentError(
                    f"{mass_g:g} g are more than the {self._model.capacity_g:g} g that it weighs."
                )
        result = {
            "labware": command.labware,
            "mass_g": mass_g,
            "lab_time_s": asyncio.get_running_loop().time(),
        }
        await self._show(result)
        return result

    async def _reconcile(self, command: Zero | Weigh, marks: Sequence[Mark]) -> Reconciliation:
        """Both leave nothing behind that doing them again would spoil."""
        what = "Zero can be set" if isinstance(command, Zero) else "It can be weighed"
        return Reconciliation(answer=Answer.NOT_DONE, sentence=f"{what} again; nothing comes of it twice.")

    async def _show(self, result: JsonValue) -> None:
        """Put a weighing into the signals, now or when a resumed run reads it again from the journal."""
        self._set_mass_g(result["mass_g"])
        self._set_labware(result["labware"])
        self._set_lab_time_s(result["lab_time_s"])
