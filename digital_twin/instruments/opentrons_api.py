"""Answers of the Opentrons robot's HTTP API, as a twin writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from devices.identity import TWIN_SERIAL
from devices.opentrons_robot.kit import FLEX, PipetteKind
from digital_twin.instruments.opentrons_run import Run

__all__ = [
    "ROUTES",
    "SOFTWARE",
    "Refusal",
    "health",
    "legacy_error",
    "many",
    "named",
    "shown",
    "shown_pipette",
]

SOFTWARE = "8.1.0"
"""Version of the robot software that is imitated."""


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


def shown_pipette(mount: str, pipette: PipetteKind, *, tip_on: bool | None) -> dict[str, Any]:
    """A pipette that is attached; ``tip_on`` is what its sensor says, None without one."""
    item: dict[str, Any] = {
        "mount": mount,
        "instrumentType": "pipette",
        "instrumentModel": f"{pipette.name}_v2.0",
        "instrumentName": pipette.name,
        "serialNumber": f"{TWIN_SERIAL}-{mount}",
        "ok": True,
        "data": {
            "channels": pipette.channels,
            "min_volume": pipette.min_ul,
            "max_volume": pipette.max_ul,
        },
    }
    return item if tip_on is None else {**item, "state": {"tip_detected": tip_on}}


def many(items: list[Any]) -> dict[str, Any]:
    """A list."""
    return {"data": items, "meta": {"cursor": 0, "totalLength": len(items)}}


def legacy_error(message: str) -> dict[str, str]:
    """An error in the older form."""
    return {"message": message, "errorCode": "4000"}


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def health(name: str, model: str, seed: int, software: str) -> dict[str, Any]:
    """Who answers; serials of twins begin with TWIN."""
    return {
        "name": name,
        "robot_model": model,
        "api_version": software,
        "fw_version": "simulated",
        "board_revision": "simulated",
        "logs": ["/logs/api.log"],
        "system_version": "simulated",
        "maximum_protocol_api_version": [2, 20],
        "minimum_protocol_api_version": [2, 0],
        "robot_serial": f"{TWIN_SERIAL}-{'FLX' if model == FLEX else 'OT2'}-{seed}",
        "links": {
            "apiLog": "/logs/api.log",
            "serialLog": "/logs/serial.log",
            "serverLog": "/logs/server.log",
            "apiSpec": "/openapi.json",
            "systemTime": "/system/time",
        },
    }


_ID = r"([^/]+)"
ROUTES = [
    (re.compile(path), method, name)
    for method, path, name in (
        ("GET", "/health", "_health"),
        ("GET", "/instruments", "_instruments"),
        ("GET", "/modules", "_modules"),
        ("POST", "/robot/home", "_home"),
        ("POST", "/commands", "_do_now"),
        ("GET", "/runs", "_list_runs"),
        ("POST", "/runs", "_create_run"),
        ("GET", f"/runs/{_ID}", "_get_run"),
        ("PATCH", f"/runs/{_ID}", "_patch_run"),
        ("DELETE", f"/runs/{_ID}", "_delete_run"),
        ("POST", f"/runs/{_ID}/actions", "_act"),
        ("PUT", f"/runs/{_ID}/errorRecoveryPolicy", "_set_policy"),
        ("POST", f"/runs/{_ID}/labware_offsets", "_add_offset"),
        ("POST", f"/runs/{_ID}/commands", "_enqueue"),
        ("GET", f"/runs/{_ID}/commands", "_list_commands"),
        ("GET", f"/runs/{_ID}/commands/{_ID}", "_get_command"),
        ("POST", "/protocols", "_upload"),
        ("GET", "/protocols", "_list_protocols"),
        ("GET", f"/protocols/{_ID}", "_get_protocol"),
        ("DELETE", f"/protocols/{_ID}", "_delete_protocol"),
        ("GET", f"/protocols/{_ID}/analyses", "_analyses"),
        ("GET", f"/protocols/{_ID}/analyses/{_ID}", "_analysis"),
    )
]
"""Path, method, and the method of the twin that answers."""
