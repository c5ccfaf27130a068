"""Devices over a machine that PyLabRobot drives: connecting, identity, and its errors as faults."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ophyd_async.core import (
    Device,
    DeviceConnector,
    StandardReadable,
    StandardReadableFormat,
    soft_signal_r_and_setter,
)
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.machines.machine import Machine

from devices.fence import Fence
from devices.identity import Identity
from devices.verb import faults_of
from lab.errors import InstrumentError, MissingData

__all__ = ["USB_MODULE", "MachineDevice", "MachineDriver", "require_module"]

USB_MODULE = "usb"
"""What PyLabRobot talks to USB machines with."""

_PACKAGES = {USB_MODULE: "pylabrobot[usb]", "pylibftdi": "pylabrobot[ftdi]"}


def require_module(module: str) -> None:
    """Check that a module which only hardware needs is installed.

    Raises:
        MissingData: it is not; names the package that brings it.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingData(
            f"Python can't talk to this instrument: the module {module} is not installed.",
            way_out=f"Install it with: pip install '{_PACKAGES[module]}'",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineDriver:
    """What lies under a device; a twin differs from hardware in this and in nothing else.

    Args:
        introduce: asks the machine who it is.
        faults: exceptions by which the backend says that the machine failed.
        needs: modules that must be there to connect.
    """

    introduce: Callable[[], Awaitable[Identity]]
    faults: tuple[type[Exception], ...] = ()
    needs: tuple[str, ...] = ()


class _Connector(DeviceConnector):
    """Sets PyLabRobot's front end up on the loop that connects the device."""

    async def connect_real(
        self,
        device: Device,
        timeout: float,  # noqa: ASYNC109  (ophyd-async calls it so)
        force_reconnect: bool,
    ) -> None:
        assert isinstance(device, MachineDevice)
        await device.set_up(again=force_reconnect)
        await super().connect_real(device, timeout, force_reconnect)


class MachineDevice(StandardReadable):
    """A device over one of PyLabRobot's front ends.

    Connecting initialises the machine, which may move it, and asks who it is. With ``connect(mock=True)`` nothing is sent.

    Args:
        name: of the device in the workcell.
        machine: the front end.
        driver: what lies under it.
        common_faults: exceptions by which the front end and every backend say that the machine failed.
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        driver: MachineDriver,
        *,
        common_faults: tuple[type[Exception], ...] = (OSError, TimeoutError),
    ) -> None:
        self._machine = machine
        self._machine_driver = driver
        self.fence = Fence()
        self._faults = (*common_faults, *driver.faults)
        super().__init__(name=name, connector=_Connector())
        self.origin, self._set_origin = soft_signal_r_and_setter(str)
        self.serial_number, self._set_serial_number = soft_signal_r_and_setter(str)
        self.add_readables([self.serial_number], StandardReadableFormat.CONFIG_SIGNAL)

    async def set_up(self, *, again: bool = False) -> None:
        """Initialise the machine and learn who it is; harmless when that is done, unless ``again``.

        Raises:
            DeviceFault: it does not answer.
            MissingData: a module to talk to it is not installed.
        """
        for module in self._machine_driver.needs:
            require_module(module)
        with self.as_faults():
            if again and self._machine.setup_finished:
                await self._machine.stop()
            if not self._machine.setup_finished:
                await self._machine.setup()
                await self._after_setup()
        await self.identify()

    async def identify(self) -> Identity:
        """Ask the machine who it is; its readings carry the origin that follows from the answer.

        Raises:
            DeviceFault: it does not say.
        """
        with self.as_faults():
            identity = await self._machine_driver.introduce()
        self._set_origin(str(identity.origin))
        self._set_serial_number(identity.serial)
        return identity

    async def disconnect(self) -> None:
        """Give the connection up; harmless when there is none."""
        with self.as_faults():
            if self._machine.setup_finished:
                await self._machine.stop()

    async def look(self) -> None:
        """Keep what the machine shows right after a crash, before :meth:`safe` changes it, for ``reconcile``.

        Asks only, and within seconds. Nothing, for a machine that shows nothing of use.

        Raises:
            DeviceFault: it does not answer.
        """

    @abstractmethod
    async def safe(self) -> None:
        """Reach the safe state. Safe to repeat, and in any state.

        Raises:
            DeviceFault: the machine does not do it; a person must look.
        """

    async def _after_setup(self) -> None:
        """What else brings a machine that has just been initialised to where it rests."""

    @contextmanager
    def as_faults(self) -> Iterator[None]:
        """Whatever PyLabRobot raises for a machine that did not do it, as a fault of this device."""
        with faults_of(self.name):
            try:
                yield
            except ChannelizedError as error:
                channels = (f"channel {channel + 1}: {one}" for channel, one in sorted(error.errors.items()))
                raise InstrumentError(f"{'; '.join(channels)}.") from error
            except self._faults as error:
                raise InstrumentError(f"{type(error).__name__}: {error}") from error
