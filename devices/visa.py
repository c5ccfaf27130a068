"""VISA resources, as instruments on GPIB, USB-TMC, VXI-11, HiSLIP and sockets are called: ``TCPIP0::192.168.0.1::INSTR``.

Through PyVISA, with the maker's VISA library where one is installed, else with PyVISA-py, which needs none. Its calls block,
so they are made in a thread of the wire's own, one at a time; the loop goes on meanwhile. Never over virtual time: a twin
answers in process or over a socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from devices.transport import LONGEST_LINE, OPEN_TIMEOUT_S, Framing
from lab.errors import BadInput, CommandTimeout, ConnectionLost, MissingData, NonsenseReply

if TYPE_CHECKING:
    from pyvisa.resources import MessageBasedResource

__all__ = ["Visa"]

log = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK = 4096
FAST_MS = 0
"""What came unasked is not waited for: it is there or it isn't."""

THREAD_GRACE_S = 5.0
"""Beyond its limit a call of the library gets so much wall time to come back before the wire is given up."""


class Visa:
    """One VISA resource. Implements :class:`devices.transport.Transport`.

    Args:
        resource: its name.
        framing: of the protocol. Packets, and a login over sockets, work as over TCP where the framing is made of lines.
        library: of PyVISA; empty takes the maker's, else ``@py``. (``FILE@sim`` is PyVISA-sim.)

    Raises:
        BadInput: the resource is no message-based one, or the framing is not made of lines.
        MissingData: PyVISA is not installed.
    """

    def __init__(self, resource: str, *, framing: Framing, library: str = "") -> None:
        if type(framing) is not Framing:
            raise BadInput(
                "This instrument does not speak in lines, so not over VISA.",
                way_out="Write its serial: or tcp: address.",
                field="address",
            )
        try:
            import pyvisa
        except ImportError as missing:
            raise MissingData(
                "Python can't talk to VISA resources: pyvisa is not installed.",
                way_out="Install it with: pip install 'drywet[buses]'",
            ) from missing
        try:
            pyvisa.rname.ResourceName.from_string(resource)
        except pyvisa.rname.InvalidResourceName as wrong:
            raise BadInput(
                f"{resource!r} is no name of a VISA resource.",
                way_out="Write one such as visa:TCPIP0::192.168.0.1::INSTR or visa:GPIB0::12::INSTR.",
                field="address",
            ) from wrong
        self._name = resource
        self._framing = framing
        self._library = library
        self._resource: MessageBasedResource | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._turn = asyncio.Lock()
        self._wanted = False

    @property
    def where(self) -> str:
        """For messages."""
        return f"visa {self._name}"

    async def open(self) -> None:
        """Open the resource; harmless when it is open.

        Raises:
            ConnectionLost: nobody is there, or the library can't reach such resources.
        """
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Let go of the resource; harmless when it is not held."""
        self._wanted = False
        await self._drop()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one line and wait for the reply; see :class:`devices.transport.Transport`."""
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            whole = False
            try:
                reply = await self._asked(request, timeout_s)
                whole = True
                return reply
            finally:
                if not whole:
                    await self._drop()

    async def _asked(self, request: str, timeout_s: float) -> str:
        import pyvisa

        late = f"{self.where}: no answer to {request!r} within {timeout_s:g} s."
        try:
            raw = await self._in_thread(lambda: self._talk(request, timeout_s), timeout_s + THREAD_GRACE_S)
        except pyvisa.errors.VisaIOError as error:
            if error.error_code == pyvisa.constants.StatusCode.error_timeout:
                raise CommandTimeout(late) from error
            raise ConnectionLost(f"{self.where}: {error.description} ({error.abbreviation})") from error
        except TimeoutError as stuck:
            raise CommandTimeout(late) from stuck
        except (OSError, pyvisa.errors.InvalidSession, ValueError) as gone:
            # PyVISA-py lets errors of sockets and closed files through as they are.
            raise ConnectionLost(f"{self.where}: {gone!r}") from gone
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{self.where}: the answer to {request!r} is no text: {raw[:40]!r}.") from bad

    def _talk(self, request: str, timeout_s: float) -> bytes:
        """In the thread: throw away what came unasked, write, read to the end of the line."""
        resource = self._resource
        assert resource is not None
        end = self._framing.reply_end.encode("ascii")
        self._discard(resource)
        resource.timeout = max(1, round(timeout_s * 1000.0))
        resource.write_raw(self._framing.pack_request(request))
        raw = b""
        while not raw.endswith(end):
            raw += resource.read_bytes(CHUNK, break_on_termchar=True)
            if len(raw) > LONGEST_LINE:
                raise NonsenseReply(f"{self.where}: the answer to {request!r} has no end ({len(raw)} bytes).")
        return raw.removesuffix(end)

    def _discard(self, resource: MessageBasedResource) -> None:
        """Throw away what came unasked over a stream; buses with messages have none that nobody asked for."""
        import pyvisa

        if not (self._is_socket or self._name.upper().startswith("ASRL")):
            return
        resource.timeout = FAST_MS
        while True:
            try:
                unasked = resource.read_bytes(CHUNK, break_on_termchar=True)
            except pyvisa.errors.VisaIOError as nothing:
                if nothing.error_code != pyvisa.constants.StatusCode.error_timeout:
                    raise
                return
            log.warning("%s: %d bytes came unasked and were thrown away.", self.where, len(unasked))

    @property
    def _is_socket(self) -> bool:
        return self._name.upper().endswith("::SOCKET")

    async def _reach(self) -> None:
        import pyvisa

        if self._resource is not None:
            return
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"visa {self._name}")
        try:
            await self._in_thread(self._connect, OPEN_TIMEOUT_S + THREAD_GRACE_S)
            if self._is_socket:
                for said, expected in self._framing.greeting:
                    answer = await self._asked(said, OPEN_TIMEOUT_S)
                    if answer.lower() != expected.lower():
                        raise ConnectionLost(f"{self.where}: it answers {said!r} with {answer[:40]!r}.")
        except (OSError, TimeoutError, ValueError, pyvisa.errors.Error) as reason:
            await self._drop()
            raise ConnectionLost(f"{self.where}: cannot connect ({reason!r}).") from reason
        except BaseException:
            await self._drop()
            raise

    def _connect(self) -> None:
        """In the thread."""
        import pyvisa

        resource: Any = _manager(self._library).open_resource(
            self._name, open_timeout=round(OPEN_TIMEOUT_S * 1000.0)
        )
        resource.read_termination = resource.write_termination = None
        # The last character of a line's end tells the library where to stop reading.
        resource.set_visa_attribute(
            pyvisa.constants.ResourceAttribute.termchar, ord(self._framing.reply_end[-1])
        )
        resource.set_visa_attribute(pyvisa.constants.ResourceAttribute.termchar_enabled, True)
        if resource.interface_type == pyvisa.constants.InterfaceType.asrl:
            resource.baud_rate = self._framing.baud
        self._resource = resource

    async def _drop(self) -> None:
        resource, self._resource = self._resource, None
        thread, self._thread = self._thread, None
        if thread is None:
            return

        def let_go() -> None:
            # The manager is one for all resources of a library; to close it would close theirs.
            if resource is not None:
                resource.close()

        # Behind whatever the thread is still at; nobody waits for that.
        thread.submit(let_go).add_done_callback(_note)
        thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T], limit_s: float) -> T:
        assert self._thread is not None
        async with asyncio.timeout(limit_s):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _note(done: Any) -> None:
    """What goes wrong while a resource is let go is for the log: it is gone either way."""
    if (error := done.exception()) is not None:
        log.warning("a VISA resource did not close in order: %r", error)


def _manager(library: str) -> Any:
    import pyvisa

    if library:
        return pyvisa.ResourceManager(library)
    try:
        return pyvisa.ResourceManager()
    except (OSError, ValueError):
        # No maker's library is installed.
        return pyvisa.ResourceManager("@py")
