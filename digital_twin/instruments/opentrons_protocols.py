"""Protocol files on a simulated Opentrons robot: taking them in, and their analyses.

A robot analyses a file by running it on a simulated deck of its own software. That is the package ``opentrons``, which has
an environment of its own; the twin is given a function that asks it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any
from uuid import uuid4

from devices.opentrons_robot.analysis import analyse
from digital_twin.instruments.opentrons_stamp import stamp
from lab.errors import BadInput
from lab.interfaces import Clock

__all__ = ["Analyser", "ProtocolShelf", "software_analyser"]

Analyser = Callable[[str, bytes], Awaitable[Mapping[str, Any]]]
"""File name and text of a protocol -> the analysis, as ``opentrons.cli analyze --json-output`` writes it."""


@dataclass(slots=True)
class _Kept:
    shown: dict[str, Any]
    analysis: dict[str, Any]


@dataclass(slots=True)
class ProtocolShelf:
    """The protocols that a robot keeps.

    Args:
        analyser: None on a robot that can't analyse.
    """

    new_id: Callable[[], str]
    now: Callable[[], float]
    analyser: Analyser | None = None
    protocols: dict[str, _Kept] = field(default_factory=dict)
    _at_work: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, content_type: str, body: bytes) -> dict[str, Any]:
        """Keep the files of a form and begin to analyse the protocol among them; gives it as the API shows it.

        Raises:
            ValueError: there is no protocol in it.
        """
        files = _files_of(content_type, body)
        name = next((one for one in files if one.endswith(".py")), None)
        if name is None:
            raise ValueError("No valid main protocol file found.")
        text = files[name]
        source = text.decode("utf-8")
        robot = "OT-3 Standard" if "Flex" in source else "OT-2 Standard"
        shown: dict[str, Any] = {
            "id": self.new_id(),
            "createdAt": stamp(self.now()),
            "files": [{"name": one, "role": "main" if one == name else "labware"} for one in files],
            "protocolType": "python",
            "robotType": robot,
            "metadata": {},
            "analyses": [],
            "analysisSummaries": [],
            "protocolKind": "standard",
        }
        kept = _Kept(
            shown=shown, analysis={"id": self.new_id(), "status": "pending", "runTimeParameters": []}
        )
        self.protocols[shown["id"]] = kept
        task = asyncio.ensure_future(self._analyse(kept, name, text))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return self.shown(shown["id"])

    def shown(self, protocol_id: str) -> dict[str, Any]:
        """A protocol as the API shows it."""
        kept = self.protocols[protocol_id]
        summary = {"id": kept.analysis["id"], "status": kept.analysis["status"]}
        return {**kept.shown, "analysisSummaries": [summary]}

    def analyses(self, protocol_id: str) -> list[dict[str, Any]]:
        """Its analyses, oldest first."""
        return [self.protocols[protocol_id].analysis]

    def commands(self, protocol_id: str) -> list[Mapping[str, Any]]:
        """What a run of it carries out; nothing where the analysis found it wrong."""
        analysis = self.protocols[protocol_id].analysis
        return list(analysis.get("commands", ())) if analysis.get("result") == "ok" else []

    def drop(self, protocol_id: str) -> None:
        """Forget one."""
        del self.protocols[protocol_id]

    async def _analyse(self, kept: _Kept, name: str, text: bytes) -> None:
        if self.analyser is None:
            found: Mapping[str, Any] = {"errors": [_error("This robot can't analyse protocols.", self.now())]}
        else:
            found = await self.analyser(name, text)
        kept.analysis = {
            "id": kept.analysis["id"],
            "status": "completed",
            "result": "not-ok" if found.get("errors") else "ok",
            "runTimeParameters": list(found.get("runTimeParameters", [])),
            **{part: list(found.get(part, [])) for part in ("commands", "labware", "pipettes", "modules")},
            **{part: list(found.get(part, [])) for part in ("liquids", "errors")},
        }


def software_analyser(clock: Clock) -> Analyser:
    """Has Opentrons' own software analyse files; lab time stands still meanwhile.

    Where it is not installed, or can't read a file, the analysis is one error that says so, as a robot's would be.
    """

    async def analysed(name: str, text: bytes) -> Mapping[str, Any]:
        with clock.hold(f"analysis of {name}"):
            try:
                return await asyncio.to_thread(analyse, name, text)
            except BadInput as wrong:
                return {"errors": [_error(str(wrong), clock.now())]}

    return analysed


def _error(detail: str, now_s: float) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "createdAt": stamp(now_s),
        "isDefined": False,
        "errorType": "AnalysisError",
        "errorCode": "4000",
        "detail": detail,
        "errorInfo": {},
        "wrappedErrors": [],
    }


def _files_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The files of a form (multipart/form-data, RFC 7578) by name."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode("latin-1") + body)
    if not message.is_multipart():
        raise ValueError("The request is no form.")
    files: dict[str, bytes] = {}
    for part in message.walk():
        name = part.get_filename()
        payload = part.get_payload(decode=True)
        if name and isinstance(payload, bytes):
            files[name] = payload
    return files
