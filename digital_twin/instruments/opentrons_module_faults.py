"""How modules of Opentrons robots fail: a refusal in the words of the robot's protocol engine, a wire that fails, a heater
that gives out, which is physical: the adapter is told less than was asked for, and the module says truly that it is short.

Codes: 1003 is an error of a module, as a robot passes it on (``errors.json`` of Opentrons' shared data, version 9.0.0).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from devices.incubator.opentrons import HEATS_FROM_C
from devices.opentrons_robot.modules import GET, tell
from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern, short_of
from lab.errors import FaultKind as K

__all__ = ["HEATER_SHAKER", "MAGNETIC_MODULE", "MODULE_FAULTS", "TEMPERATURE_MODULE"]


def _failed(kind: str, detail: str, code: str = "1003") -> str:
    error = {
        "id": "fault",
        "createdAt": "1970-01-01T00:00:00+00:00",
        "isDefined": False,
        "errorType": kind,
        "errorCode": code,
        "detail": detail,
        "errorInfo": {},
        "wrappedErrors": [],
    }
    return json.dumps({"status": "failed", "error": error})


_STUCK = _failed("HeaterShakerLabwareLatchStatusUnknown", "The labware latch does not move.")
_BROKEN = _failed("ModuleCommunicationError", "The module reports an error.")


class _Short(Trouble):
    """The module stays short of its target until it is told another one, or turned off."""

    def begin(self) -> str:
        command, _, values = self.struck.partition(" ")
        celsius = round(short_of(json.loads(values)["celsius"]), 2)
        if command.startswith("heaterShaker/") and celsius < HEATS_FROM_C:
            # There is no such target; a heater that gives out is off.
            return tell("heaterShaker/deactivateHeater")
        return tell(command, celsius=celsius)

    def ends(self, line: str) -> bool:
        return "setTargetTemperature" in line or "deactivateHeater" in line or line.endswith("/deactivate {}")

    def reply(self, line: str, reply: str) -> str:
        if line != GET:
            return reply
        shown = json.loads(reply)
        data = shown["data"]
        # It knows what it was asked for, and that it is not there.
        data["targetTemperature"] = json.loads(self.struck.partition(" ")[2])["celsius"]
        status = "temperatureStatus" if "temperatureStatus" in data else "status"
        data[status] = "heating" if data["targetTemperature"] > data["currentTemperature"] else "cooling"
        return json.dumps(shown)


def _form(command: str) -> re.Pattern[str]:
    return re.compile(re.escape(command) + r"\b")


_OF_INCUBATE = frozenset({"incubate"})
_ASK = re.compile(r"get$")

HEATER_SHAKER = LineFaults(
    repertoire=Repertoire(
        parts={
            "clamp": SWITCHED | {K.LID},
            "heat": SWITCHED | {K.TEMPERATURE},
            "shake": SWITCHED,
            "stop": SWITCHED,
            "release": SWITCHED | {K.LID},
            "ask": UNANSWERED,
        },
        verbs={
            "incubate": {
                **all_at(SWITCHED, "shake"),
                K.LID: "clamp",
                K.TEMPERATURE: "heat",
            }
        },
    ),
    read=by_pattern(
        (
            (_form("heaterShaker/closeLabwareLatch"), Request("clamp", _OF_INCUBATE)),
            (_form("heaterShaker/setTargetTemperature"), Request("heat", _OF_INCUBATE)),
            (_form("heaterShaker/setAndWaitForShakeSpeed"), Request("shake", _OF_INCUBATE)),
            (_form("heaterShaker/deactivateShaker"), Request("stop", _OF_INCUBATE)),
            (_form("heaterShaker/openLabwareLatch"), Request("release", _OF_INCUBATE)),
            (_ASK, Request("ask", _OF_INCUBATE)),
        )
    ),
    words={
        "clamp": {K.LID: _STUCK, K.INSTRUMENT_ERROR: _BROKEN},
        "heat": {K.INSTRUMENT_ERROR: _BROKEN},
        "shake": {K.INSTRUMENT_ERROR: _BROKEN},
        "stop": {K.INSTRUMENT_ERROR: _BROKEN},
        "release": {K.LID: _STUCK, K.INSTRUMENT_ERROR: _BROKEN},
    },
    troubles={K.TEMPERATURE: _Short},
)
"""Of a Heater-Shaker Module."""

_OF_HEATING = frozenset({"keep", "set_temperature"})
_OF_COOLING = frozenset({"keep", "deactivate"})

TEMPERATURE_MODULE = LineFaults(
    repertoire=Repertoire(
        parts={"heat": SWITCHED | {K.TEMPERATURE}, "off": SWITCHED, "ask": UNANSWERED},
        verbs={
            "keep": all_at(SWITCHED | {K.TEMPERATURE}, "heat"),
            "set_temperature": all_at(SWITCHED | {K.TEMPERATURE}, "heat"),
            "deactivate": all_at(SWITCHED, "off"),
        },
    ),
    read=by_pattern(
        (
            (_form("temperatureModule/setTargetTemperature"), Request("heat", _OF_HEATING)),
            (_form("temperatureModule/deactivate"), Request("off", _OF_COOLING)),
            (_ASK, Request("ask", _OF_HEATING | _OF_COOLING)),
        )
    ),
    words={"heat": {K.INSTRUMENT_ERROR: _BROKEN}, "off": {K.INSTRUMENT_ERROR: _BROKEN}},
    troubles={K.TEMPERATURE: _Short},
)
"""Of a Temperature Module."""

_OF_MAGNETS = frozenset({"engage", "disengage"})

MAGNETIC_MODULE = LineFaults(
    repertoire=Repertoire(
        parts={"raise": SWITCHED, "lower": SWITCHED, "ask": UNANSWERED},
        verbs={"engage": all_at(SWITCHED, "raise"), "disengage": all_at(SWITCHED, "lower")},
    ),
    read=by_pattern(
        (
            (_form("magneticModule/engage"), Request("raise", frozenset({"engage"}))),
            (_form("magneticModule/disengage"), Request("lower", frozenset({"disengage"}))),
            (_ASK, Request("ask", _OF_MAGNETS)),
        )
    ),
    words={"raise": {K.INSTRUMENT_ERROR: _BROKEN}, "lower": {K.INSTRUMENT_ERROR: _BROKEN}},
)
"""Of a Magnetic Module."""

MODULE_FAULTS: Mapping[str, LineFaults] = MappingProxyType(
    {
        "heaterShakerModuleType": HEATER_SHAKER,
        "temperatureModuleType": TEMPERATURE_MODULE,
        "magneticModuleType": MAGNETIC_MODULE,
    }
)
"""By ``moduleType``."""
