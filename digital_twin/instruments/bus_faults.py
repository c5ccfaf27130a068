"""How the instruments on text and register buses fail, in each one's own words, as :mod:`.line_faults` has others.

Sources. Eurotherm: exceptions 4 (device failure) and 6 (busy) of the Modbus specification, and bits of its status register.
New Era: the alarms S (stalled) and E (error of its program) of its manual. Yokogawa: error numbers of SCPI-1999,
volume 2, section 21.8: -213 for a sweep that was not begun, -240 for hardware.
"""

from __future__ import annotations

import re
import struct

from devices.furnace.eurotherm import SEGMENTS, Register, long_at
from devices.modbus import read_registers, write_register
from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern, short_of
from lab.errors import FaultKind as K

__all__ = ["AQ6370_FAULTS", "EUROTHERM_FAULTS", "NE1000_FAULTS"]

_OF_ANNEAL = frozenset({"anneal"})
_SEGMENTS = f"10{long_at(Register.SEGMENT_1):04x}"
_READ_SEGMENTS = read_registers(long_at(Register.SEGMENT_1), 6 * SEGMENTS)
_RUN = write_register(Register.PROGRAM_STATUS, 1)
_OFF = write_register(Register.MODE, 1)
_ASK = re.compile(
    "|".join(
        (
            read_registers(Register.STATUS),
            read_registers(Register.PROGRAM_STATUS),
            read_registers(long_at(Register.PROCESS_VALUE), 2),
        )
    )
)


class _FurnaceShort(Trouble):
    """The furnace stays short of the target of its program until it is given another one."""

    def begin(self) -> str:
        head, data = self.struck[:12], bytes.fromhex(self.struck[12:])
        dwell_ms, target_c, ramp = struct.unpack(">Iff", data[:12])
        return head + (struct.pack(">Iff", dwell_ms, short_of(target_c), ramp) + data[12:]).hex()

    def ends(self, line: str) -> bool:
        return line.startswith(_SEGMENTS)

    def reply(self, line: str, reply: str) -> str:
        # It knows what it was asked for.
        return reply[:4] + self.struck[12:] if line == _READ_SEGMENTS else reply


EUROTHERM_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={
            "program": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "run": SWITCHED | {K.BUSY},
            "off": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={"anneal": all_at(SWITCHED | {K.BUSY}, "run") | {K.TEMPERATURE: "program"}},
    ),
    read=by_pattern(
        (
            (re.compile(_SEGMENTS), Request("program", _OF_ANNEAL)),
            (re.compile(_RUN), Request("run", _OF_ANNEAL)),
            (re.compile(_OFF), Request("off", _OF_ANNEAL)),
            (_ASK, Request("ask", _OF_ANNEAL)),
        )
    ),
    words={
        "program": {K.BUSY: "9006", K.INSTRUMENT_ERROR: "9004"},
        "run": {K.BUSY: "8606", K.INSTRUMENT_ERROR: "8604"},
        "off": {K.INSTRUMENT_ERROR: "8604"},
    },
    troubles={K.TEMPERATURE: _FurnaceShort},
)
"""Of a furnace under a Eurotherm 3216."""


_OF_DISPENSE = frozenset({"dispense"})
NE1000_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={
            "set": SWITCHED,
            "run": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={"dispense": all_at(SWITCHED, "run")},
    ),
    read=by_pattern(
        (
            (re.compile(r"RUN$"), Request("run", _OF_DISPENSE)),
            (re.compile(r"(SAF|DIA|VOL|RAT)\w|DIR|CLD"), Request("set", _OF_DISPENSE)),
            (re.compile(r"DIS$|VOL$|RAT$|$"), Request("ask", _OF_DISPENSE)),
        )
    ),
    words={
        "set": {K.INSTRUMENT_ERROR: "00A?E"},
        "run": {K.INSTRUMENT_ERROR: "00A?S"},
    },
)
"""Of a New Era NE-1000. It is never busy: it takes a command at any time, or says that it can't."""


_OF_SPECTRUM = frozenset({"spectrum"})
AQ6370_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={
            "set": SWITCHED,
            "sweep": SWITCHED | {K.BUSY},
            "ask": UNANSWERED,
            "trace": UNANSWERED,
        },
        verbs={"spectrum": all_at(SWITCHED | {K.BUSY}, "sweep")},
    ),
    read=by_pattern(
        (
            (re.compile(r":INITiate:IMM"), Request("sweep", _OF_SPECTRUM)),
            (re.compile(r":(SENS|DISP|FORM|TRACe:A|INIT)[^?]*;"), Request("set", _OF_SPECTRUM)),
            (re.compile(r":STATus"), Request("ask", _OF_SPECTRUM)),
            (re.compile(r":TRACe:DATA"), Request("trace", _OF_SPECTRUM)),
        )
    ),
    words={
        "set": {K.INSTRUMENT_ERROR: '-240,"Hardware error"'},
        "sweep": {K.BUSY: '-213,"Init ignored"', K.INSTRUMENT_ERROR: '-240,"Hardware error"'},
    },
)
"""Of a Yokogawa AQ6370 series analyzer."""
