"""Devices that speak in lines, declared by annotation.

::

    class Heater(LineDevice):
        temperature_c: A[SignalR[float], Format.HINTED_UNCACHED_SIGNAL, Query("M105", field="C", units="C")]

The connector fills each annotated signal with a backend that asks the instrument and checks what it says.
Reading is all that signals do here: what changes an instrument is a command, goes through a verb, and is
journaled.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from bluesky.protocols import Reading
from event_model import DataKey
from ophyd_async.core import (
    Callback,
    CommandBackend,
    Device,
    DeviceConnector,
    DeviceFiller,
    SignalBackend,
    SignalDatatype,
    SignalMetadata,
    StandardReadable,
    StandardReadableFormat,
    StrictEnum,
    make_datakey,
    soft_signal_r_and_setter,
)

from devices.fence import Fence
from devices.identity import Identity, say_if_untried
from devices.link import REPLY_S, Dialect, Link, Query, measured, parsed
from devices.transport import Transport
from devices.verb import faults_of
from lab.errors import DeviceFault, NonsenseReply

__all__ = ["MONITOR_S", "PATIENCE_S", "REPLY_S", "Dialect", "LineDevice", "Link", "Query", "measured"]

MONITOR_S = 5.0
"""Lab time between two readings of a signal that somebody subscribed to."""

PATIENCE_S = 60.0
"""Lab time without any progress after which what an instrument does by itself counts as stuck, at the least."""

PROGRESS = 0.02
"""Share of what is left that must be gone to count as progress; less is noise of a sensor."""

log = logging.getLogger(__name__)


class LineBackend(SignalBackend[Any]):
    """Asks the instrument each time a signal is read.

    A subscriber gets a first reading, then one every :data:`MONITOR_S` of lab time for as long as it stays.
    On virtual time that keeps the clock running, so twins are subscribed to only while something else is
    going on.
    """

    def __init__(self, datatype: type[Any] | None, link: Link, device: Device) -> None:
        super().__init__(datatype)
        self._link = link
        self._device = device
        self._monitor: asyncio.Task[None] | None = None
        self.query = Query("")

    def source(self, name: str, read: bool) -> str:
        """Where readings come from: the wire, the request and the field."""
        return " ".join(part for part in (self._link.where, self.query.request, self.query.field) if part)

    async def connect(self, timeout: float) -> None:  # noqa: ASYNC109  (ophyd-async calls it so)
        """Nothing to do: the device's connector opens the one link that its signals share."""

    async def put(self, value: Any) -> None:
        """Signals are read-only."""
        raise TypeError(f"{self.source('', False)} is read-only; use a verb of the device.")

    async def get_setpoint(self) -> Any:
        """The value; a read-only signal has no other set point."""
        return await self.get_value()

    async def get_value(self) -> Any:
        """Ask the instrument.

        Raises:
            DeviceFault: any of the tree.
        """
        assert self.datatype is not None
        with faults_of(self._device.name):
            text = await self._link.read(self.query)
            try:
                return parsed(self.datatype, text, self.source("", True))
            except NonsenseReply:
                await self._link.doubt()
                raise

    async def get_reading(self) -> Reading[Any]:
        """The value now."""
        return {"value": await self.get_value(), "timestamp": time.time(), "alarm_severity": 0}

    async def get_datakey(self, source: str) -> DataKey:
        """Description for documents; asks the instrument nothing."""
        assert self.datatype is not None
        metadata = SignalMetadata()
        if self.query.units:
            metadata["units"] = self.query.units
        if issubclass(self.datatype, StrictEnum):
            members = list(self.datatype)
            metadata["choices"] = [member.value for member in members]
            return make_datakey(self.datatype, members[0], source, metadata)
        return make_datakey(self.datatype, self.datatype(), source, metadata)

    def set_callback(self, callback: Callback[Reading[Any]] | None) -> None:
        """Start or end a subscription."""
        if self._monitor is not None:
            self._monitor.cancel()
            self._monitor = None
        if callback is not None:
            self._monitor = asyncio.create_task(self._watch(callback))

    async def _watch(self, callback: Callback[Reading[Any]]) -> None:
        while True:
            try:
                callback(await self.get_reading())
            except DeviceFault as fault:
                # A view that misses a reading goes on; whoever moves the device meets the fault itself.
                log.warning("%s", fault)
            await asyncio.sleep(MONITOR_S)


def _no_commands(signature: inspect.Signature | None) -> CommandBackend[Any, Any]:
    raise TypeError("Devices that speak in lines have verbs, not ophyd commands.")


class LineConnector(DeviceConnector):
    """Makes a device's annotated signals, and opens its link when it is connected for real."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._filler: DeviceFiller[LineBackend, DeviceConnector, CommandBackend[Any, Any]] | None = None

    def create_children_from_annotations(self, device: Device) -> None:
        """Give each annotated signal its backend.

        Raises:
            TypeError: a signal without a :class:`Query`.
        """
        if self._filler is not None:
            return

        def backend(datatype: type[SignalDatatype] | None) -> LineBackend:
            return LineBackend(datatype, self._link, device)

        self._filler = DeviceFiller(device, backend, DeviceConnector, _no_commands)
        for made, extras in self._filler.create_signals_from_annotations():
            queries = [extra for extra in extras if isinstance(extra, Query)]
            if len(queries) != 1:
                raise TypeError(
                    f"{type(device).__name__} has a signal with {len(queries)} queries; one is needed."
                )
            made.query = queries[0]
            extras[:] = [extra for extra in extras if not isinstance(extra, Query)]
        self._filler.check_created()

    async def connect_real(
        self,
        device: Device,
        timeout: float,  # noqa: ASYNC109  (ophyd-async calls it so)
        force_reconnect: bool,
    ) -> None:
        """Open the link and learn who answers."""
        assert isinstance(device, LineDevice)
        with faults_of(device.name):
            if force_reconnect:
                await self._link.close()
            await self._link.open()
            await device.identify()
        await super().connect_real(device, timeout, force_reconnect)


class LineDevice(StandardReadable):
    """An instrument behind a :class:`Transport`. Vendors' classes declare signals and carry out verbs.

    Connecting asks the instrument who it is, and moves nothing. With ``connect(mock=True)`` the transport
    stays closed.

    Args:
        name: of the device in the workcell.
        transport: the wire; of a twin, :class:`devices.transport.InProcess` around its model.
    """

    dialect: ClassVar[Dialect]

    forgets_when_safe: ClassVar[bool] = True
    """Whether the safe state wipes what :meth:`look` would see, such as the program of a heater."""

    met_hardware: ClassVar[bool] = False
    """Whether the driver ever ran on the instrument it is for; until then it says so when it connects to one."""

    def __init__(self, name: str, transport: Transport) -> None:
        self._link = Link(transport, self.dialect)
        self.fence = Fence()
        super().__init__(name=name, connector=LineConnector(self._link))
        self.origin, self._set_origin = soft_signal_r_and_setter(str)
        self.serial_number, self._set_serial_number = soft_signal_r_and_setter(str)
        self.add_readables([self.origin, self.serial_number], StandardReadableFormat.CONFIG_SIGNAL)
        self.set_name(name)

    async def identify(self) -> Identity:
        """Ask the instrument who it is; its readings carry the origin that follows from the answer.

        Raises:
            DeviceFault: it does not say.
        """
        with faults_of(self.name):
            try:
                identity = await self._introduce()
            except NonsenseReply:
                await self._link.doubt()
                raise
        self._set_origin(str(identity.origin))
        self._set_serial_number(identity.serial)
        say_if_untried(self.name, identity, met_hardware=self.met_hardware)
        return identity

    async def disconnect(self) -> None:
        """Give the connection up; harmless when there is none."""
        await self._link.close()

    @abstractmethod
    async def safe(self) -> None:
        """Heaters off, motion stopped. Safe to repeat, and in any state.

        Raises:
            DeviceFault: the instrument does not do it; a person must look.
        """

    async def look(self) -> None:
        """Keep what the instrument shows right after a crash, before :meth:`safe` changes it, for ``reconcile``.

        Asks only, and within seconds. Nothing, for an instrument that shows nothing of use.

        Raises:
            DeviceFault: it does not answer.
        """

    @abstractmethod
    async def _introduce(self) -> Identity:
        """Read the identity."""

    async def _wait_out(
        self, left_s: Callable[[], Awaitable[float]], *, poll_s: float, stuck: Callable[[], DeviceFault]
    ) -> None:
        """Wait for what an instrument does by itself: ask how long it still takes, sleep that long, ask
        again.

        Lab time only, and few questions. The verb's watchdog is its deadline; but what gets no nearer to its end for as long
        as it should take in all, and for :data:`PATIENCE_S`, is stuck, and that is known before it is late.

        Args:
            left_s: asks the instrument; 0 when it is done.
            poll_s: least time between two questions.
            stuck: the fault of making no progress.

        Raises:
            DeviceFault: what ``stuck`` gives.
        """
        now = asyncio.get_running_loop().time
        best_s, since_s, patience_s = math.inf, now(), PATIENCE_S
        while (wait_s := await left_s()) > 0.0:
            if best_s == math.inf:
                patience_s = max(PATIENCE_S, wait_s)
            if wait_s < best_s * (1.0 - PROGRESS):
                best_s, since_s = wait_s, now()
            elif now() - since_s > patience_s:
                raise stuck()
            await asyncio.sleep(max(wait_s, poll_s))

    async def _safe_after(self, failure: BaseException) -> None:
        """Reach the safe state because a command failed; keep what it showed before, and both errors if that fails."""
        if isinstance(failure, NonsenseReply):
            await self._link.doubt()
        try:
            await self.look()
        except DeviceFault as unseen:
            failure.add_note(f"What it showed before is not known: {unseen}")
        try:
            await self.safe()
        except DeviceFault as second:
            failure.add_note(f"The safe state was not reached either: {second}")
