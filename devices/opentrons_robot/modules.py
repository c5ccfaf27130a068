"""A module that is plugged into a robot, reached through the robot's HTTP API, as a transport of lines.

One line is one request, so that a module is a device like those on lines of their own, and its twin can answer in process:

=====================================================  =============================================================
``get``                                                the module as ``GET /modules`` shows it
``heaterShaker/setTargetTemperature {"celsius": 37}``  a command outside any run (``POST /commands``); the answer is its
                                                       ``status``, with ``result`` or ``error``
=====================================================  =============================================================

Answers are JSON. Commands, their parameters and live values: OpenAPI document of the robot's HTTP API, version 8.1.0. It has
no ``waitForTemperature`` outside runs: who wants to know whether a module has arrived asks it. A command that is given twice
does what it does once, so one whose answer was lost may be told again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from devices.identity import Identity, origin_of
from devices.opentrons_robot.client import RobotClient
from devices.opentrons_robot.faults import Refused, fault_of
from devices.opentrons_robot.records import CommandRecord, ModuleRecord, as_mapping
from devices.opentrons_robot.wire import Wire
from devices.transport import Framing
from lab.errors import CommandTimeout, ConnectionLost, InstrumentBusy, InstrumentError, NonsenseReply
from lab.types import JsonValue

__all__ = ["FRAMING", "GET", "ModuleDialect", "ModuleTransport", "tell"]

FRAMING = Framing(request_end="\n", reply_end="\n")
"""Of the lines themselves; only a twin that is served as lines uses it."""

GET = "get"


def tell(command: str, **values: JsonValue) -> str:
    """The line for a command."""
    return f"{command} {json.dumps(values)}"


class ModuleDialect:
    """How answers of a module are to be understood.

    Args:
        kind: ``moduleType`` of the modules that are meant.
    """

    framing = FRAMING

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def payload(self, request: str, reply: str) -> str:
        """The module as it is shown, or the result of a command, as JSON.

        Raises:
            InstrumentError: the module is in error, or the command failed; also the more telling kinds of ``fault_of``.
            NonsenseReply: this is no answer to that request.
        """
        answer = as_mapping(_loaded(request, reply), f"the answer to {request!r}")
        if request == GET:
            if answer.get("moduleType") != self._kind:
                raise NonsenseReply(f"{reply[:80]!r} is no {self._kind}.")
            data = as_mapping(answer.get("data"), "data of a module")
            if data.get("status") == "error":
                raise InstrumentError(f"the module says {data.get('errorDetails') or 'that it is in error'}.")
            return reply
        match answer.get("status"):
            case "succeeded":
                return json.dumps(answer.get("result"))
            case "failed":
                raise fault_of(as_mapping(answer.get("error"), "the error of a command"))
        raise NonsenseReply(f"{reply[:80]!r} is no answer to {request!r}.")

    def identity(self, shown: str) -> Identity:
        """Who a module is, from how it is shown."""
        serial = self.pick(shown, "serialNumber")
        return Identity(
            vendor="Opentrons",
            model=self.pick(shown, "moduleModel"),
            serial=serial,
            firmware=self.pick(shown, "firmwareVersion"),
            origin=origin_of(serial),
        )

    def pick(self, payload: str, name: str) -> str:
        """A value of the module, or a live one (``data.height``), as text; ``none`` for what is off."""
        value: Any = _loaded(GET, payload)
        for part in name.split("."):
            record = as_mapping(value, f"what holds {part} of a module")
            if part not in record:
                raise NonsenseReply(f"A module shows no {name}.")
            value = record[part]
        if value is None:
            return "none"
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, str | int | float):
            return str(value)
        raise NonsenseReply(f"{name} of a module is {value!r:.60}.")


def _loaded(request: str, reply: str) -> Any:
    try:
        return json.loads(reply)
    except (ValueError, RecursionError) as bad:
        raise NonsenseReply(f"{reply[:80]!r} is no answer to {request!r}.") from bad


class ModuleTransport:
    """Implements :class:`devices.transport.Transport` for one module of a robot.

    Args:
        wire: the way to the robot.
        kind: ``moduleType`` of the module.
        serial: of the one that is meant, where several of a kind are plugged in.
    """

    def __init__(self, wire: Wire, *, kind: str, serial: str = "") -> None:
        self._wire = wire
        self._client = RobotClient(wire)
        self._kind = kind
        self._serial = serial
        self._turn = asyncio.Lock()

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self._kind} of {self._wire.where}"

    async def open(self) -> None:
        """Find the module.

        Raises:
            ConnectionLost: the robot can't be reached, or has none.
            InstrumentError: it has several, and none is named.
        """
        await self._wire.open()
        await self._module()

    async def close(self) -> None:
        """Give the connection up."""
        await self._wire.close()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Ask or tell the module what a line says."""
        async with self._turn:
            try:
                async with asyncio.timeout(timeout_s) as limit:
                    return await self._answer(request, timeout_s)
            except TimeoutError as late:
                if not limit.expired():
                    raise
                raise CommandTimeout(
                    f"{self.where}: no answer to {request!r} within {timeout_s:g} s."
                ) from late

    async def _answer(self, request: str, timeout_s: float) -> str:
        module = await self._module()
        if request == GET:
            return json.dumps(_shown(module))
        command, _, values = request.partition(" ")
        record = await self._do(module, command, json.loads(values), timeout_s)
        answer: dict[str, Any] = {"status": record.status, "result": record.result}
        return json.dumps(answer if record.error is None else {**answer, "error": record.error})

    async def _do(
        self, module: ModuleRecord, command: str, values: Mapping[str, JsonValue], timeout_s: float
    ) -> CommandRecord:
        """Have a command done, outside any run; it may have failed."""
        try:
            record = await self._client.do_now(
                command, {"moduleId": module.id, **values}, timeout_s=timeout_s
            )
        except Refused as refused:
            if refused.error_id == "RunActive":
                raise InstrumentBusy(f"{self.where}: a run is under way on the robot.") from refused
            raise
        if not record.ended:
            raise CommandTimeout(f"{self.where}: {command} did not end within {timeout_s:g} s.")
        return record

    async def _module(self) -> ModuleRecord:
        modules = await self._client.modules()
        found = [one for one in modules if one.kind == self._kind and self._serial in ("", one.serial)]
        if not found:
            which = f" of the serial number {self._serial}" if self._serial else ""
            raise ConnectionLost(f"{self.where}: none{which} is plugged in.", nothing_done=True)
        if len(found) > 1:
            serials = ", ".join(one.serial for one in found)
            raise InstrumentError(
                f"{self.where}: {serials} are plugged in; write settings: {{serial: ...}} to say which is meant.",
                nothing_done=True,
            )
        return found[0]


def _shown(module: ModuleRecord) -> Mapping[str, Any]:
    return {
        "serialNumber": module.serial,
        "firmwareVersion": module.firmware,
        "moduleType": module.kind,
        "moduleModel": module.model,
        "data": module.data,
    }
