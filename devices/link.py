"""A transport and its dialect: requests in, what the replies say out, checked."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from devices.fence import check_lease
from devices.transport import Framing, Renewable, Transport
from lab.errors import DeviceFault, NonsenseReply

__all__ = ["REPLY_S", "Dialect", "Link", "Query", "measured", "parsed"]

REPLY_S = 5.0
"""Lab time an instrument may take over what it answers at once."""


class Dialect(Protocol):
    """How one vendor's lines are to be understood."""

    framing: Framing

    def payload(self, request: str, reply: str) -> str:
        """What a reply says, without echo, status and acknowledgement.

        Raises:
            InstrumentError: the instrument says that something is wrong.
            NonsenseReply: this is no reply to that request.
        """
        ...

    def pick(self, payload: str, name: str) -> str:
        """One named value out of a reply that holds several.

        Raises:
            NonsenseReply: it is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """What a signal asks, and where its value stands in the answer.

    Args:
        request: the line to send.
        field: name of the value in the reply; empty when the reply is the value.
        units: as in the documents (``C``).
        within: lowest and highest number that the instrument can show; past them it is nonsense.
        words: the instrument's code -> the word this project uses; a code that is not there is nonsense.
    """

    request: str
    field: str = ""
    units: str = ""
    within: tuple[float, float] | None = None
    words: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Link:
    """A transport and its dialect: requests in, what the replies say out.

    Attributes:
        on_fault: is told each fault that a reply stands for, whoever asked.
    """

    def __init__(self, transport: Transport, dialect: Dialect) -> None:
        self._transport = transport
        self._dialect = dialect
        self._asked: dict[str, asyncio.Task[str]] = {}
        self.on_fault: Callable[[DeviceFault], None] = lambda fault: None

    @property
    def where(self) -> str:
        """For messages and for the source of readings."""
        return self._transport.where

    async def open(self) -> None:
        """Connect.

        Raises:
            ConnectionLost: nobody is there.
        """
        await self._transport.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._transport.close()

    async def ask(self, request: str, *, timeout_s: float = REPLY_S) -> str:
        """Send a request and say what the reply says.

        Raises:
            StaleLease: of a command whose lease has run out; nothing was sent.
            DeviceFault: any of the tree; see :class:`Transport` and :class:`Dialect`.
        """
        check_lease()
        reply = await self._transport.exchange(request, timeout_s=timeout_s)
        try:
            return self._dialect.payload(request, reply)
        except DeviceFault as fault:
            self.on_fault(fault)
            if isinstance(fault, NonsenseReply):
                await self.doubt()
            raise

    async def doubt(self) -> None:
        """What came last was no answer to what was asked: get in step again before anything else is asked."""
        if isinstance(self._transport, Renewable):
            await self._transport.renew()

    async def read(self, query: Query) -> str:
        """The text of one value. Readers of the same request at the same time share one exchange."""
        task = self._asked.get(query.request)
        if task is None:
            task = asyncio.ensure_future(self.ask(query.request))
            self._asked[query.request] = task
            task.add_done_callback(lambda done: self._answered(query.request, done))
        payload = await asyncio.shield(task)
        try:
            return self._value_in(payload, query)
        except NonsenseReply:
            await self.doubt()
            raise

    def _value_in(self, payload: str, query: Query) -> str:
        text = self._dialect.pick(payload, query.field) if query.field else payload
        if query.words:
            if text not in query.words:
                raise NonsenseReply(f"{self.where}: {query.request} has no meaning for {text!r}.")
            return query.words[text]
        if query.within is not None:
            measured(text, f"{self.where} {query.request}", within=query.within)
        return text

    def _answered(self, request: str, task: asyncio.Task[str]) -> None:
        del self._asked[request]
        if not task.cancelled():
            task.exception()


def measured(text: str, source: str, *, within: tuple[float, float] | None = None) -> float:
    """A number that an instrument shows.

    Args:
        source: for the message.
        within: lowest and highest that it can show.

    Raises:
        NonsenseReply: it is none, or past what there is.
    """
    value: float = parsed(float, text, source)
    if within is not None and not within[0] <= value <= within[1]:
        raise NonsenseReply(f"{source} can't be {text}: it shows {within[0]:g} to {within[1]:g}.")
    return value


def parsed(datatype: type[Any], text: str, source: str) -> Any:
    """The value of a text, or a fault that says what came."""
    try:
        if datatype is bool:
            return {"0": False, "1": True, "-1": True}[text]
        value = datatype(text)
    except (ValueError, KeyError) as bad:
        raise NonsenseReply(f"{source}: {text!r} is no {datatype.__name__}.") from bad
    if isinstance(value, float) and not math.isfinite(value):
        raise NonsenseReply(f"{source}: {text!r} is no measured number.")
    return value
