"""How climate chambers on a network fail, in each protocol's own words, as :mod:`.line_faults` has others.

Sources. OPC UA: status codes of OPC 10000-4, 7.39. EPICS: a put that the server does not confirm, which Channel Access
tells as such. SiLA 2: an undefined execution error (part A), and the ``TemperatureNotReachable`` of the feature itself.
"""

from __future__ import annotations

import json
import re

from devices.climate_chamber.ioc import SETPOINT
from devices.climate_chamber.sila import CONTROL
from devices.services import bad, call, given, put
from devices.sila import ZERO_C
from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern, short_of
from lab.errors import FaultKind as K

__all__ = ["IOC_FAULTS", "LADS_FAULTS", "SILA_FAULTS"]

_OF_KEEP = frozenset({"keep"})
_START = "call Temperature/ControlFunctionState/StartWithTargetValue"
_ASK = re.compile("get ")


class _LadsShort(Trouble):
    """The chamber stays short of its target until it is told another one, or stopped."""

    @property
    def _target_c(self) -> float:
        return float(json.loads(self.struck.removeprefix(f"{_START} "))[0])

    def begin(self) -> str:
        return call(_START.removeprefix("call "), short_of(self._target_c))

    def ends(self, line: str) -> bool:
        return line.startswith("call Temperature/")

    def reply(self, line: str, reply: str) -> str:
        # It knows what it was asked for.
        return given("Double", self._target_c) if line == "get Temperature/TargetValue" else reply


class _IocShort(Trouble):
    """The same of a controller with a set point."""

    @property
    def _target_c(self) -> float:
        return float(json.loads(self.struck.rpartition(" ")[2]))

    def begin(self) -> str:
        return put(SETPOINT, "double", short_of(self._target_c))

    def ends(self, line: str) -> bool:
        return line.startswith("set ")

    def reply(self, line: str, reply: str) -> str:
        return given("double", self._target_c) if line == f"get {SETPOINT}" else reply


class _SilaShort(Trouble):
    """The same of a controller that gives up by itself and says so."""

    def begin(self) -> str:
        target_k = float(json.loads(self.struck.removeprefix(f"call {CONTROL} "))[0])
        return call(CONTROL, short_of(target_k - ZERO_C) + ZERO_C)

    def ends(self, line: str) -> bool:
        return line.startswith("call ")

    def reply(self, line: str, reply: str) -> str:
        if not line.startswith(f"get {CONTROL}/"):
            return reply
        return bad("TemperatureNotReachable", "the surroundings are too cold")


_DOOR = SWITCHED | {K.BUSY, K.LID}
_DOOR_WORDS = {
    K.BUSY: bad("BadInvalidState", "the door is moving"),
    K.LID: bad("BadDeviceFailure", "the door is blocked"),
    K.INSTRUMENT_ERROR: bad("BadInternalError"),
}
_REFUSED = {
    K.BUSY: bad("BadInvalidState", "locked by its panel"),
    K.INSTRUMENT_ERROR: bad("BadInternalError"),
}

LADS_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={
            "close": _DOOR,
            "open": _DOOR,
            "reach": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "hold": SWITCHED | {K.BUSY},
            "off": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={
            "keep": all_at(SWITCHED | {K.TEMPERATURE}, "reach") | {K.BUSY: "close", K.LID: "close"},
            "open_door": all_at(_DOOR, "open"),
            "close_door": all_at(_DOOR, "close"),
        },
    ),
    read=by_pattern(
        (
            (re.compile("call Door/CoverState/Close"), Request("close", _OF_KEEP | {"close_door"})),
            (re.compile("call Door/CoverState/Open"), Request("open", _OF_KEEP | {"open_door"})),
            (re.compile(_START), Request("reach", _OF_KEEP)),
            (re.compile("call Timer/ControlFunctionState/Start"), Request("hold", _OF_KEEP)),
            (re.compile(r"call \w+/ControlFunctionState/Stop"), Request("off", _OF_KEEP)),
            (_ASK, Request("ask", _OF_KEEP)),
        )
    ),
    words={
        "close": _DOOR_WORDS,
        "open": _DOOR_WORDS,
        "reach": _REFUSED,
        "hold": _REFUSED,
        "off": {K.INSTRUMENT_ERROR: bad("BadInternalError")},
    },
    troubles={K.TEMPERATURE: _LadsShort},
)
"""Of a chamber over OPC UA. A door may move for ``keep`` or for a verb of its own: the chamber can't tell."""

_TOLD = SWITCHED | {K.TEMPERATURE}

IOC_FAULTS = LineFaults(
    repertoire=Repertoire(parts={"tell": _TOLD, "ask": UNANSWERED}, verbs={"keep": all_at(_TOLD, "tell")}),
    read=by_pattern(
        ((re.compile(f"set {SETPOINT} "), Request("tell", _OF_KEEP)), (_ASK, Request("ask", _OF_KEEP)))
    ),
    words={"tell": {K.INSTRUMENT_ERROR: bad("ECA_REFUSED", "channel write request failed")}},
    troubles={K.TEMPERATURE: _IocShort},
)
"""Of a controller over EPICS. It is told its rest as it is told anything."""

SILA_FAULTS = LineFaults(
    repertoire=Repertoire(parts={"tell": _TOLD, "ask": UNANSWERED}, verbs={"keep": all_at(_TOLD, "tell")}),
    read=by_pattern(
        ((re.compile(f"call {CONTROL} "), Request("tell", _OF_KEEP)), (_ASK, Request("ask", _OF_KEEP)))
    ),
    words={"tell": {K.INSTRUMENT_ERROR: bad("UndefinedExecutionError", "the sensor is broken")}},
    troubles={K.TEMPERATURE: _SilaShort},
)
"""Of a controller over SiLA 2."""
