"""Modules that are plugged into a simulated Opentrons robot, which speaks to them over USB as the real one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devices.thermocycler.opentrons import Gcode, OpentronsDialect
from devices.transport import LineInstrument
from digital_twin.instruments.opentrons_hardware import CommandError
from lab.errors import DeviceFault

__all__ = ["PluggedThermocycler"]

_DIALECT = OpentronsDialect()


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
