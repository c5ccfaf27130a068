"""The part of the Opentrons robot's HTTP API that keeps protocol files and their analyses, as a twin answers it."""

from __future__ import annotations

from typing import Any

from digital_twin.instruments.opentrons_api import Refusal, many
from digital_twin.instruments.opentrons_protocols import ProtocolShelf
from digital_twin.instruments.opentrons_run import Run

__all__ = ["ProtocolRequests"]

Answer = tuple[int, Any]


class ProtocolRequests:
    """Answers requests about protocols; of a twin that has a shelf and runs."""

    _shelf: ProtocolShelf
    _runs: dict[str, Run]

    async def _upload(self, content_type: str, body: bytes) -> Answer:
        try:
            protocol = self._shelf.take(content_type, body)
        except ValueError as wrong:
            raise Refusal(422, "ProtocolFilesInvalid", str(wrong)) from wrong
        return 201, {"data": protocol}

    async def _list_protocols(self, *, query: Any, data: Any) -> Answer:
        return 200, many([self._shelf.shown(one) for one in self._shelf.protocols])

    async def _get_protocol(self, protocol_id: str, *, query: Any, data: Any) -> Answer:
        self._must_have(protocol_id)
        return 200, {"data": self._shelf.shown(protocol_id), "links": {"referencingRuns": []}}

    async def _delete_protocol(self, protocol_id: str, *, query: Any, data: Any) -> Answer:
        self._must_have(protocol_id)
        if any(run.protocol_id == protocol_id for run in self._runs.values()):
            raise Refusal(409, "ProtocolUsedByRun", f"Protocol {protocol_id} is used by a run.")
        self._shelf.drop(protocol_id)
        return 200, {}

    async def _analyses(self, protocol_id: str, *, query: Any, data: Any) -> Answer:
        self._must_have(protocol_id)
        return 200, many(self._shelf.analyses(protocol_id))

    async def _analysis(self, protocol_id: str, analysis_id: str, *, query: Any, data: Any) -> Answer:
        self._must_have(protocol_id)
        found = next((one for one in self._shelf.analyses(protocol_id) if one["id"] == analysis_id), None)
        if found is None:
            raise Refusal(404, "AnalysisNotFound", f"Analysis {analysis_id} was not found.")
        return 200, {"data": found}

    def _must_have(self, protocol_id: str) -> None:
        if protocol_id not in self._shelf.protocols:
            raise Refusal(404, "ProtocolNotFound", f"Protocol {protocol_id} was not found.")
