"""A Thermocycler Module that is plugged into a robot, reached through the robot's HTTP API as if it had a line of its own.

The robot speaks G-code to the module over USB and offers the same over HTTP: live values under ``/modules``, and commands
outside any run under ``/commands``. This translates the module's lines (:mod:`devices.thermocycler.opentrons`) into those,
so that one device class serves both ways of plugging it in. Every line is a question or a set point, so one may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from devices.opentrons_robot.modules import ModuleTransport
from devices.opentrons_robot.records import as_number, as_text
from devices.opentrons_robot.wire import Wire
from devices.thermocycler.opentrons import Gcode
from lab.errors import NonsenseReply
from lab.types import JsonValue

__all__ = ["ModuleLine"]

KIND = "thermocyclerModuleType"

_BLOCK = re.compile(r"M104 S(-?[\d.]+)(?: H([\d.]+))?$")
_LID = re.compile(r"M140 S(-?[\d.]+)$")

_PLAIN: Mapping[str, tuple[str, ...]] = {
    Gcode.OPEN_LID: ("openLid",),
    Gcode.CLOSE_LID: ("closeLid",),
    Gcode.OFF: ("deactivateBlock", "deactivateLid"),
    Gcode.LID_OFF: ("deactivateLid",),
}
"""Lines that are commands without values."""


class ModuleLine(ModuleTransport):
    """Implements :class:`devices.transport.Transport` for the thermocycler of a robot, in the words of its firmware.

    Args:
        wire: the way to the robot.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, kind=KIND)

    async def _answer(self, request: str, timeout_s: float) -> str:
        module = await self._module()
        match request:
            case Gcode.IDENTITY:
                return f"M115 FW:{module.firmware} HW:{module.model} SerialNo:{module.serial} OK"
            case Gcode.LID_STATUS:
                return f"M119 Lid:{as_text(module.data, 'lidStatus', 'the thermocycler')} OK"
            case Gcode.BLOCK:
                return _block(module.data)
            case Gcode.LID:
                now_c = as_number(module.data, "lidTemperature", "the thermocycler")
                return f"M141 T:{_or_none(module.data, 'lidTargetTemperature')} C:{now_c:.2f} OK"
        for command, values in _commands(request):
            record = await self._do(module, f"thermocycler/{command}", values, timeout_s)
            if record.error is not None:
                part = "lid:" if command.endswith("Lid") else "thermal:"
                code, said = (
                    record.error.get("errorCode", "4000"),
                    record.error.get("detail", "no reason given"),
                )
                return f"ERR{code}:{part}{said} OK"
        return f"{request.split()[0]} OK"


def _commands(request: str) -> tuple[tuple[str, dict[str, JsonValue]], ...]:
    if request in _PLAIN:
        return tuple((command, {}) for command in _PLAIN[request])
    if block := _BLOCK.match(request):
        hold = {} if block[2] is None else {"holdTimeSeconds": float(block[2])}
        return (("setTargetBlockTemperature", {"celsius": float(block[1]), **hold}),)
    if lid := _LID.match(request):
        return (("setTargetLidTemperature", {"celsius": float(lid[1])}),)
    raise NonsenseReply(f"{request!r} can't be said to a thermocycler through a robot.")


def _block(data: Mapping[str, Any]) -> str:
    now_c = as_number(data, "currentTemperature", "the thermocycler")
    held = data.get("holdTime")
    hold_s = 0.0 if held is None else as_number(data, "holdTime", "the thermocycler")
    there = int(as_text(data, "status", "the thermocycler") == "holding at target")
    return f"M105 T:{_or_none(data, 'targetTemperature')} C:{now_c:.2f} H:{hold_s:.2f} At_target?:{there} OK"


def _or_none(data: Mapping[str, Any], name: str) -> str:
    return "none" if data.get(name) is None else f"{as_number(data, name, 'the thermocycler'):.2f}"
