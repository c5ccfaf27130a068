"""Answers of the Opentrons robot's HTTP API, as a twin writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from digital_twin.instruments.opentrons_run import Run

__all__ = ["Refusal", "legacy_error", "many", "named", "shown"]


class Refusal(Exception):
    """A request that is not carried out.

    Args:
        error_id: as the API names it.
    """

    def __init__(self, status: int, error_id: str, detail: str, code: str = "4000") -> None:
        super().__init__(detail)
        self.status = status
        self.body = {
            "errors": [{"id": error_id, "title": _spaced(error_id), "detail": detail, "errorCode": code}]
        }


def named(command: Mapping[str, Any]) -> dict[str, str]:
    """The ids under which later commands of an analysis speak of what one of them loads."""
    result = command.get("result") or {}
    return {
        name: result[name]
        for name in ("labwareId", "pipetteId")
        if command["commandType"].startswith("load") and name in result
    }


def shown(run: Run) -> dict[str, Any]:
    """A run."""
    labware = []
    for item in run.engine.labware.values():
        piece = {
            "id": item.id,
            "loadName": item.load_name,
            "definitionUri": item.uri,
            "location": item.location,
        }
        labware.append(piece | ({} if item.display_name is None else {"displayName": item.display_name}))
    whole: dict[str, Any] = {
        "id": run.id,
        "ok": True,
        "createdAt": run.created,
        "status": run.status,
        "current": run.current,
        "actions": run.actions,
        "errors": run.errors,
        "hasEverEnteredErrorRecovery": run.recovered,
        "pipettes": [
            {"id": p.id, "pipetteName": p.kind.name, "mount": p.mount} for p in run.engine.pipettes.values()
        ],
        "modules": [],
        "labware": labware,
        "liquids": [],
        "labwareOffsets": run.offsets,
        "runTimeParameters": [],
        "outputFileIds": [],
    }
    return whole if run.protocol_id is None else {**whole, "protocolId": run.protocol_id}


def many(items: list[Any]) -> dict[str, Any]:
    """A list."""
    return {"data": items, "meta": {"cursor": 0, "totalLength": len(items)}}


def legacy_error(message: str) -> dict[str, str]:
    """An error in the older form."""
    return {"message": message, "errorCode": "4000"}


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
