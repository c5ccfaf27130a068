"""How devices in the slots of an Inheco control box fail, in the box's own words: return codes after the echo.

``A`` is busy, ``3`` can't be done now, ``9`` a device that does not answer its box. A temperature that is not reached is
physical: the adapter is told, in the world, less than was asked for, and reports truly that it is short.
"""

from __future__ import annotations

import re

from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern, short_of
from lab.errors import FaultKind as K

__all__ = ["CPAC_FAULTS", "TEC_FAULTS", "THERMOSHAKE_FAULTS"]

_OF_HOLD = frozenset({"incubate", "keep"})
_OF_HEATING = _OF_HOLD | {"set_temperature"}
_OF_ENDING = _OF_HOLD | {"deactivate"}


class _AdapterShort(Trouble):
    """The adapter stays short of its target until it is told another one."""

    def begin(self) -> str:
        target_c = int(self.struck.removeprefix("STT")) / 10.0
        return f"STT{round(10.0 * short_of(target_c))}"

    def ends(self, line: str) -> bool:
        return line.startswith("STT")


def _part(pattern: str, name: str, verbs: frozenset[str] = _OF_HOLD) -> tuple[re.Pattern[str], Request]:
    return re.compile(pattern), Request(name, verbs)


_HEATER = (
    _part(r"STT", "target", _OF_HEATING),
    _part(r"ATE1$", "heat", _OF_HEATING),
    _part(r"ATE0$", "heater_off", _OF_ENDING),
    _part(r"R(AT0|SE)$", "ask", _OF_HEATING),
)
_SHAKER = (_part(r"ASE1$", "shake"), _part(r"ASE0$", "shaker_off"))
_HEATER_PARTS = {
    "target": SWITCHED | {K.BUSY, K.TEMPERATURE},
    "heat": SWITCHED | {K.BUSY},
    "heater_off": SWITCHED,
    "ask": UNANSWERED,
}
_HEATER_WORDS = {
    "target": {K.BUSY: "sttA", K.INSTRUMENT_ERROR: "stt9"},
    "heat": {K.BUSY: "ateA", K.INSTRUMENT_ERROR: "ate3"},
    "heater_off": {K.INSTRUMENT_ERROR: "ate9"},
}
_HOLD = all_at(SWITCHED, "heat") | dict.fromkeys((K.BUSY, K.TEMPERATURE), "target")

CPAC_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts=_HEATER_PARTS,
        verbs={
            **dict.fromkeys(("incubate", "keep", "set_temperature"), _HOLD),
            "deactivate": all_at(SWITCHED, "heater_off"),
        },
    ),
    read=by_pattern(_HEATER),
    words=_HEATER_WORDS,
    troubles={K.TEMPERATURE: _AdapterShort},
)
"""Of a CPAC."""

THERMOSHAKE_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={**_HEATER_PARTS, "shake": SWITCHED | {K.BUSY}, "shaker_off": SWITCHED},
        verbs={"incubate": _HOLD},
    ),
    read=by_pattern((*_HEATER, *_SHAKER)),
    words={
        **_HEATER_WORDS,
        "shake": {K.BUSY: "aseA", K.INSTRUMENT_ERROR: "ase3"},
        "shaker_off": {K.INSTRUMENT_ERROR: "ase9"},
    },
    troubles={K.TEMPERATURE: _AdapterShort},
)
"""Of a ThermoShake."""

TEC_FAULTS = {
    "incubator/inheco_thermoshake": THERMOSHAKE_FAULTS,
    "temperature_module/inheco_cpac": CPAC_FAULTS,
}
"""By the name of the driver, as workcell files use it."""
