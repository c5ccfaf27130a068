"""EPICS process variables as a transport of service calls (:mod:`devices.services`), over ophyd-async's signals.

A name is a process variable below one prefix. Types are ``double``, ``long`` and ``string``. Where servers are looked for is
said in the environment before the program starts, as everywhere in EPICS (``EPICS_CA_ADDR_LIST``,
``EPICS_CA_AUTO_ADDR_LIST``).

Channel Access finds a server again by itself; a value is only taken, and only set, while its channel stands. A value that
the server has marked as invalid is none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from devices.services import OK, ServiceDialect, ServiceRequest, ServiceTransport, bad, given
from lab.errors import BadInput, MissingData

__all__ = ["DIALECT", "TYPES", "Epics"]

TYPES: dict[type, str] = {float: "double", int: "long", str: "string"}

DIALECT = ServiceDialect()

FIND_S = 5.0
"""Wall time in which a server has to answer a search."""

INVALID = -1
"""Alarm severity of a value that means nothing, as ophyd-async writes it."""

_PREFIX = re.compile(r"[A-Za-z0-9_:\-\[\]<>;.]{1,50}")


class _Gone(OSError):
    """A channel does not stand."""


class _Mistyped(ValueError):
    """A process variable is of another type than the driver is for."""


class Epics(ServiceTransport):
    """Process variables of one device.

    Args:
        prefix: of their names.
        names: name that a driver has for a variable -> what it is called below the prefix, and ``float``, ``int`` or
            ``str``; all of them must be there.

    Raises:
        BadInput: the prefix can be none.
    """

    nonsense = (_Mistyped,)

    def __init__(self, prefix: str, names: Mapping[str, tuple[str, type]]) -> None:
        super().__init__()
        if not _PREFIX.fullmatch(prefix):
            raise BadInput(
                f"{prefix!r} is no prefix of process variables.",
                way_out="Write epics:PREFIX, such as epics:lab3:chamber:",
                field="address",
            )
        self._prefix = prefix
        self._names = dict(names)
        self._signals: dict[str, Any] = {}

    @property
    def where(self) -> str:
        """For messages."""
        return f"epics {self._prefix}"

    def _connected(self) -> bool:
        return bool(self._signals)

    async def _connect(self) -> None:
        try:
            import aioca  # noqa: F401  (what Channel Access of ophyd-async needs)
            from ophyd_async.core import NotConnectedError
            from ophyd_async.epics.core import epics_signal_rw
        except ImportError as missing:
            raise MissingData(
                "Python can't talk Channel Access: the module aioca is not installed.",
                way_out="Install it with: pip install 'drywet[epics]'",
            ) from missing
        signals: dict[str, Any] = {
            name: epics_signal_rw(datatype, f"ca://{self._prefix}{variable}")
            for name, (variable, datatype) in self._names.items()
        }
        made = await asyncio.gather(
            *(signal.connect(timeout=FIND_S) for signal in signals.values()), return_exceptions=True
        )
        for name, error in zip(signals, made, strict=True):
            if isinstance(error, NotConnectedError):
                raise _Gone(f"nobody serves {self._full(name)}") from error
            if isinstance(error, TypeError):
                raise _Mistyped(str(error)) from error
            if error is not None:
                raise error
        self._signals = signals

    async def _drop(self) -> None:
        # Channels are shared by the whole program and find their servers again; only what was known of them goes.
        self._signals = {}

    async def _serve(self, request: ServiceRequest) -> str:
        from aioca import CANothing
        from epicscorelibs.ca.cadef import CAException

        signal = self._signals.get(request.name)
        if signal is None:
            return bad("ECA_UNKNOWN", f"no variable {request.name}")
        await self._stands(request.name)
        try:
            if request.kind == "get":
                return self._written(request.name, await signal.read())
            if request.kind == "set" and request.type == TYPES[self._names[request.name][1]]:
                await signal.set(request.values[0], timeout=None)
                return OK
        except (CANothing, CAException) as refusal:
            await self._stands(request.name)
            return bad("ECA_REFUSED", str(refusal))
        return bad("ECA_BADTYPE", f"{request.name} takes no {request.type or 'call'}")

    async def _stands(self, name: str) -> None:
        """Refuse to wait for a server that is gone.

        Raises:
            _Gone: the channel has no server now.
        """
        from aioca import cainfo

        info = await cainfo(self._full(name), wait=False)
        if info.state_strings[info.state] != "connected":
            raise _Gone(f"{self._full(name)} has no server")

    def _written(self, name: str, readings: Mapping[str, Any]) -> str:
        [reading] = readings.values()
        if reading.get("alarm_severity", 0) == INVALID:
            return bad("INVALID", f"{name} is marked as invalid")
        datatype = self._names[name][1]
        return given(TYPES[datatype], datatype(reading["value"]))

    def _full(self, name: str) -> str:
        return f"{self._prefix}{self._names[name][0]}"
