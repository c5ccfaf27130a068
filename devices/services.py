"""Instruments on a network that offer named values and calls (OPC UA, EPICS, SiLA 2), as a transport of lines.

One line is one service call, so that a device, its limits, marks and faults are the same over these as over a serial
line, and a twin can answer in process what a server answers over its socket:

=====================================  ===================================================================
``get NAME``                           the value and its type: ``Double 37.05``, ``String "Heater"``
``set NAME TYPE VALUE``                ``ok``
``call NAME [ARGUMENT, ...]``          ``ok``, or a value and its type
=====================================  ===================================================================

A server that refuses answers ``bad CODE reason``. Values are JSON; types are the words of the protocol beneath, and are
checked: a number that comes as text is no number.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from devices.transport import OPEN_TIMEOUT_S, Framing
from lab.errors import CommandTimeout, ConnectionLost, DeviceFault, InstrumentError, NonsenseReply
from lab.types import JsonValue

__all__ = [
    "FRAMING",
    "OK",
    "ServiceDialect",
    "ServiceRequest",
    "ServiceTransport",
    "bad",
    "call",
    "get",
    "given",
    "put",
]

FRAMING = Framing(request_end="\n", reply_end="\n")
"""Of the lines themselves; only a twin that is served as lines uses it."""

OK = "ok"
LONGEST_VALUE = 4096
"""Characters of a value after which it is none that an instrument of this kind shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """One service call.

    Args:
        name: of the value or call, with ``/`` between its parts.
        type: of a value to set.
        values: the one value to set, or the arguments of a call.
    """

    kind: Literal["get", "set", "call"]
    name: str
    type: str = ""
    values: Sequence[JsonValue] = ()

    @classmethod
    def parse(cls, line: str) -> ServiceRequest:
        """The request that a line is.

        Raises:
            ValueError: it is none.
        """
        kind, _, rest = line.partition(" ")
        name, _, tail = rest.partition(" ")
        if kind == "get" and name and not tail:
            return cls(kind="get", name=name)
        if kind == "set" and name:
            word, _, value = tail.partition(" ")
            return cls(kind="set", name=name, type=word, values=(json.loads(value),))
        if kind == "call" and name:
            return cls(kind="call", name=name, values=tuple(json.loads(tail)))
        raise ValueError(f"{line!r} is no request")


def get(name: str) -> str:
    """The line that asks for a value."""
    return f"get {name}"


def put(name: str, type_: str, value: JsonValue) -> str:
    """The line that sets a value."""
    return f"set {name} {type_} {json.dumps(value)}"


def call(name: str, *arguments: JsonValue) -> str:
    """The line that calls a method."""
    return f"call {name} {json.dumps(list(arguments))}"


def given(type_: str, value: JsonValue) -> str:
    """The reply that gives a value."""
    return f"{type_} {json.dumps(value)}"


def bad(code: str, reason: str = "") -> str:
    """The reply of a server that refuses."""
    return f"bad {code} {' '.join(reason.split())}".rstrip()


class ServiceDialect:
    """How replies to service calls are to be understood.

    Args:
        faults: code of a refusal -> the fault that it is; others are :class:`InstrumentError`.
        refusals: codes by which a server says that it has done nothing.
    """

    framing = FRAMING

    def __init__(
        self, faults: Mapping[str, type[DeviceFault]] | None = None, refusals: frozenset[str] = frozenset()
    ) -> None:
        self._faults = dict(faults or {})
        self._refusals = refusals

    def payload(self, request: str, reply: str) -> str:
        """A reply's type and value; empty for ``ok``."""
        kind, _, rest = reply.partition(" ")
        if kind == "bad" and rest:
            code = rest.partition(" ")[0]
            fault = self._faults.get(code, InstrumentError)
            raise fault(f"it answers {rest} to {request!r}.", nothing_done=code in self._refusals)
        asked = request.partition(" ")[0]
        if reply == OK and asked != "get":
            return ""
        if asked == "set" or not kind.isidentifier() or not rest or len(rest) > LONGEST_VALUE:
            raise NonsenseReply(f"{reply[:80]!r} is no answer to {request!r}.")
        return reply

    def pick(self, payload: str, name: str) -> str:
        """The value of a reply as text, if it is of the type named."""
        kind, _, text = payload.partition(" ")
        if kind != name:
            raise NonsenseReply(f"{payload[:80]!r} is no {name}.")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NonsenseReply(f"{payload[:80]!r} holds no value.") from error
        if isinstance(value, bool):
            return str(int(value))
        return value if isinstance(value, str) else json.dumps(value)


class ServiceTransport(ABC):
    """A client of a server that offers values and calls. Implements :class:`devices.transport.Transport`.

    It takes turns, and after a timeout or a loss it makes a fresh connection: an answer that comes late is never taken for
    the answer to the next request.
    """

    lost: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What the library beneath raises when the server is gone. A timeout is an ``OSError`` too."""

    nonsense: ClassVar[tuple[type[Exception], ...]] = ()
    """What the library beneath raises when it can't read an answer."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._wanted = False

    @property
    @abstractmethod
    def where(self) -> str:
        """For messages."""

    @abstractmethod
    def _connected(self) -> bool:
        """Whether there is a connection that may be used."""

    @abstractmethod
    async def _connect(self) -> None:
        """Make the connection."""

    @abstractmethod
    async def _drop(self) -> None:
        """Give the connection up, whatever state it is in. Raises nothing, and takes moments."""

    @abstractmethod
    async def _serve(self, request: ServiceRequest) -> str:
        """Carry one request out and write down its reply."""

    async def open(self) -> None:
        """Make the connection; harmless when it is made.

        Raises:
            ConnectionLost: nobody is there.
        """
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Give the connection up; harmless when there is none."""
        self._wanted = False
        await self._drop()

    async def _reach(self) -> None:
        if self._connected():
            return
        # What is left of the last connection, if there was one.
        await self._drop()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await self._connect()
        except self.lost + self.nonsense as reason:
            await self._drop()
            raise ConnectionLost(f"{self.where}: cannot connect ({reason!r}).") from reason

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one request and wait for its reply, see :class:`devices.transport.Transport`."""
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            whole = False
            try:
                async with asyncio.timeout(timeout_s):
                    reply = await self._serve(ServiceRequest.parse(request))
                whole = True
                return reply
            except TimeoutError as late:
                raise CommandTimeout(
                    f"{self.where}: no answer to {request!r} within {timeout_s:g} s."
                ) from late
            except self.lost as gone:
                raise ConnectionLost(
                    f"{self.where}: the connection ended during {request!r} ({gone})."
                ) from gone
            except self.nonsense as unread:
                raise NonsenseReply(
                    f"{self.where}: the answer to {request!r} can't be read ({unread})."
                ) from unread
            finally:
                if not whole:
                    await self._drop()
