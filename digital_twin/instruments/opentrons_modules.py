"""Modules that are plugged into a simulated Opentrons robot, which speaks to them over USB as the real one does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from devices.opentrons_robot.modules import GET, tell
from devices.thermocycler.opentrons import Gcode, OpentronsDialect
from devices.transport import LineInstrument
from digital_twin.instruments.opentrons_hardware import CommandError
from lab.errors import DeviceFault

__all__ = ["Garbled", "Plugged", "PluggedModule", "PluggedThermocycler"]

_DIALECT = OpentronsDialect()


class Garbled(Exception):
    """What came over USB can't be read; the robot hands it on as it is.

    Args:
        raw: what came.
    """

    def __init__(self, raw: str) -> None:
        super().__init__(raw)
        self.raw = raw


class Plugged(Protocol):
    """A module of a simulated robot."""

    @property
    def id(self) -> str:
        """By which the robot's commands name it."""
        ...

    async def shown(self) -> dict[str, Any]:
        """As ``/modules`` has it."""
        ...

    async def do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; gives its result.

        Raises:
            CommandError: it is refused.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedModule:
    """A module that answers in the robot's own words (:mod:`digital_twin.instruments.opentrons_module_twins`).

    Args:
        id: by which the robot's commands name it.
        line: the module, at the other end of the robot's USB.
    """

    id: str
    line: LineInstrument

    async def shown(self) -> dict[str, Any]:
        """As ``/modules`` has it."""
        return {"id": self.id, **await self._ask(GET)}

    async def do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; gives its result.

        Raises:
            CommandError: the module refuses.
            Garbled: its answer can't be read.
        """
        answer = await self._ask(tell(kind, **{k: v for k, v in params.items() if k != "moduleId"}))
        if answer.get("status") == "failed":
            error = answer["error"]
            raise CommandError(error["errorType"], error["detail"], code=error["errorCode"])
        result: dict[str, Any] = answer["result"]
        return result

    async def _ask(self, line: str) -> dict[str, Any]:
        raw = await self.line.reply(line)
        try:
            answer = json.loads(raw)
        except ValueError as bad:
            raise Garbled(raw) from bad
        if not isinstance(answer, dict):
            raise Garbled(raw)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedThermocycler:
    """A Thermocycler Module GEN2.

    Args:
        id: by which the robot's commands name it.
        line: the module, at the other end of the robot's USB.
    """

    id: str
    line: LineInstrument

    async def shown(self) -> dict[str, Any]:
        """As ``/modules`` has it."""
        about, lid = await self._ask(Gcode.IDENTITY), await self._ask(Gcode.LID_STATUS)
        block, heat = await self._ask(Gcode.BLOCK), await self._ask(Gcode.LID)
        at_target = _DIALECT.pick(block, "At_target?") == "1"
        data: dict[str, Any] = {
            "status": _status(_number(block, "T"), at_target),
            "currentTemperature": _number(block, "C"),
            "targetTemperature": _number(block, "T"),
            "holdTime": _number(block, "H"),
            "lidStatus": _DIALECT.pick(lid, "Lid"),
            "lidTemperatureStatus": _status(_number(heat, "T"), False),
            "lidTemperature": _number(heat, "C"),
            "lidTargetTemperature": _number(heat, "T"),
            "rampRate": None,
            **dict.fromkeys(("currentCycleIndex", "totalCycleCount", "currentStepIndex", "totalStepCount")),
        }
        return {
            "id": self.id,
            "serialNumber": _DIALECT.pick(about, "SerialNo"),
            "firmwareVersion": _DIALECT.pick(about, "FW"),
            "hardwareRevision": _DIALECT.pick(about, "HW"),
            "hasAvailableUpdate": False,
            "moduleType": "thermocyclerModuleType",
            "moduleModel": "thermocyclerModuleV2",
            "compatibleWithRobot": True,
            "data": data,
            "usbPort": {"port": 1, "portGroup": "main", "hub": False, "hubPort": None, "path": ""},
        }

    async def do(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; gives its result.

        Raises:
            CommandError: the module refuses, or the twin does not know the command.
        """
        match kind.removeprefix("thermocycler/"):
            case "openLid":
                await self._ask(Gcode.OPEN_LID)
            case "closeLid":
                await self._ask(Gcode.CLOSE_LID)
            case "deactivateBlock":
                await self._ask("M14")
            case "deactivateLid":
                await self._ask(Gcode.LID_OFF)
            case "setTargetLidTemperature":
                await self._ask(f"{Gcode.SET_LID} S{float(params['celsius']):.2f}")
                return {"targetLidTemperature": float(params["celsius"])}
            case "setTargetBlockTemperature":
                hold_s = float(params.get("holdTimeSeconds", 0.0))
                await self._ask(f"{Gcode.SET_BLOCK} S{float(params['celsius']):.2f} H{hold_s:.2f}")
                return {"targetBlockTemperature": float(params["celsius"])}
            case _:
                raise CommandError("CommandNotImplementedError", f"This twin does not carry out {kind}.")
        return {}

    async def _ask(self, line: str) -> str:
        try:
            return _DIALECT.payload(line, await self.line.reply(line))
        except DeviceFault as fault:
            raise CommandError("ThermocyclerError", str(fault), code="1003") from fault


def _status(target_c: float | None, at_target: bool) -> str:
    if target_c is None:
        return "idle"
    return "holding at target" if at_target else "heating"


def _number(payload: str, name: str) -> float | None:
    text = _DIALECT.pick(payload, name)
    return None if text == "none" else float(text)
