"""Twins of instruments that offer named values and calls: the far end of :mod:`devices.services`.

A twin says once what it offers. In process it answers lines; a server of the protocol (OPC UA) answers from the same table
over its socket, so both show the same instrument.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from devices.services import OK, ServiceRequest, bad, given
from lab.types import JsonValue

__all__ = ["Offer", "Refused", "ServiceTwin"]

ANSWER_S = 0.01
"""A request and its answer over a local network, and the server between them; a choice."""


class Refused(Exception):
    """What a server answers when it does not do it.

    Args:
        code: of the protocol.
    """

    def __init__(self, code: str, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}".rstrip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an instrument offers, by name.

    Args:
        values: name -> type and what gives the value; it may raise :class:`Refused`.
        settable: name -> type and what takes a new value, and may refuse it.
        calls: name -> types of the arguments, and what does it. It returns at once; what it begins goes on by itself.
    """

    values: Mapping[str, tuple[str, Callable[[], JsonValue]]]
    settable: Mapping[str, tuple[str, Callable[[float], None]]] = field(default_factory=dict)
    calls: Mapping[str, tuple[tuple[str, ...], Callable[..., None]]] = field(default_factory=dict)


class ServiceTwin:
    """Answers service calls as lines. Implements :class:`devices.transport.LineInstrument`.

    Args:
        offer: what it has.
        unknown: the protocol's code for a name that is not there.
        mistyped: and for a value of the wrong type.
    """

    def __init__(self, offer: Offer, *, unknown: str, mistyped: str) -> None:
        self.offer = offer
        self._unknown = unknown
        self._mistyped = mistyped

    def wake(self) -> None:
        """Begin what goes on by itself in time; on the loop, before anything is answered."""

    async def reply(self, line: str) -> str:
        """The answer to one request."""
        self.wake()
        await asyncio.sleep(ANSWER_S)
        try:
            return self._answer(ServiceRequest.parse(line))
        except Refused as refusal:
            return bad(refusal.code, refusal.reason)
        except (ValueError, json.JSONDecodeError):
            return bad(self._unknown, "this is no request")

    def _answer(self, request: ServiceRequest) -> str:
        match request.kind:
            case "get" if request.name in self.offer.values:
                type_, value = self.offer.values[request.name]
                return given(type_, value())
            case "set" if request.name in self.offer.settable:
                type_, take = self.offer.settable[request.name]
                if request.type != type_ or not isinstance(request.values[0], float | int):
                    raise Refused(self._mistyped)
                take(float(request.values[0]))
                return OK
            case "call" if request.name in self.offer.calls:
                types, do = self.offer.calls[request.name]
                if len(types) != len(request.values):
                    raise Refused(self._mistyped)
                do(*request.values)
                return OK
        raise Refused(self._unknown, request.name)
