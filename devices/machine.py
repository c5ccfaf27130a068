"""Devices over a machine that PyLabRobot drives: connecting, identity, and its errors as faults."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from ophyd_async.core import (
    Device,
    DeviceConnector,
    StandardReadable,
    StandardReadableFormat,
    soft_signal_r_and_setter,
)
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.machines.machine import Machine

from devices.fence import Fence, mark
from devices.identity import Identity, say_if_untried
from devices.verb import faults_of
from lab.errors import (
    CommandTimeout,
    ConnectionLost,
    DeviceFault,
    InstrumentError,
    MissingData,
    NonsenseReply,
)
from lab.types import JsonValue

__all__ = ["USB_MODULE", "MachineDevice", "MachineDriver", "Progress", "require_module"]

USB_MODULE = "usb"
"""What PyLabRobot talks to USB machines with."""

_PACKAGES = {
    USB_MODULE: "pylabrobot[usb]",
    "pylibftdi": "pylabrobot[ftdi]",
    "hid": "pylabrobot[hid]",
}


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


class Progress:
    """How far the command under way has got.

    Attributes:
        marks: name and details of each part that was about to be sent, oldest first.
        in_air: whether the last of them was sent and has not ended.
    """

    def __init__(self) -> None:
        self.marks: list[tuple[str, JsonValue]] = []
        self.in_air = False

    @asynccontextmanager
    async def part(self, name: str, **details: JsonValue) -> AsyncIterator[None]:
        """One part of the command: on record before it is sent, on disk where a journal is kept.

        Raises:
            StaleLease: the lease has run out; nothing more may be sent.
        """
        await mark(name, **details)
        self.marks.append((name, details))
        self.in_air = True
        yield
        self.in_air = False


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
        common_faults: exceptions by which the front end and every backend say that the machine failed, beside
            TimeoutError, OSError and ChannelizedError.
    """

    forgets_when_safe = False
    """What came of a command is told from its marks, and from readings that the safe state leaves alone."""

    met_hardware: ClassVar[bool] = False
    """Whether the driver ever ran on the machine it is for; until then it says so when it connects to one."""

    def __init__(
        self,
        name: str,
        machine: Machine,
        driver: MachineDriver,
        *,
        common_faults: tuple[type[Exception], ...] = (),
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
            if again:
                await self._give_up()
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
        say_if_untried(self.name, identity, met_hardware=self.met_hardware)
        return identity

    async def disconnect(self) -> None:
        """Give the connection up; harmless when there is none."""
        with self.as_faults():
            await self._give_up()

    async def _give_up(self) -> None:
        if not self._machine.setup_finished:
            return
        try:
            await self._machine.stop()
        except ValueError:
            # PyLabRobot's word for a port that is shut already, as after a cable was pulled.
            self._machine._setup_finished = False

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
    def as_faults(
        self, refused: type[DeviceFault] = InstrumentError, *, progress: Progress | None = None
    ) -> Iterator[None]:
        """Whatever PyLabRobot raises for a machine that did not do it, as a fault of this device.

        Args:
            refused: what it is a case of when the machine says no more than that it failed.
            progress: of the command that is carried out; nothing of it was done only where it had no part to mark yet.
        """
        try:
            with faults_of(self.name):
                try:
                    yield
                except UnicodeDecodeError as error:
                    # PyLabRobot writes all that it hears down as text with escapes, which a stray backslash is none of.
                    raise NonsenseReply(
                        f"what the machine says can't be read: {error.object[:40]!r}."
                    ) from error
                except TimeoutError as error:
                    raise CommandTimeout(f"the machine did not answer in time ({_said(error)}).") from error
                except OSError as error:
                    raise ConnectionLost(f"the machine can't be reached ({_said(error)}).") from error
                except (ChannelizedError, *self._faults) as error:
                    raise self.fault_for(error, refused) from error
        except DeviceFault as fault:
            if progress is not None:
                fault.nothing_done = not progress.marks
            raise

    def fault_for(self, error: Exception, refused: type[DeviceFault]) -> DeviceFault:
        """The fault that an error of PyLabRobot's stands for."""
        return refused(f"{type(error).__name__}: {error}")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
