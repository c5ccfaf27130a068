"""How a Masterflex drive fails: the wire, and NAK, which is all that it says of anything."""

from __future__ import annotations

import re

from devices.pump.masterflex_line import NAK
from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern
from lab.errors import FaultKind as K

__all__ = ["MASTERFLEX_FAULTS"]

_OF_DELIVER = frozenset({"deliver"})

MASTERFLEX_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={"set": SWITCHED, "run": SWITCHED, "ask": UNANSWERED},
        verbs={"deliver": all_at(SWITCHED, "run")},
    ),
    read=by_pattern(
        (
            (re.compile(r"V[\d.]+G$"), Request("run", _OF_DELIVER)),
            (re.compile(r"Z0$|S\+"), Request("set", _OF_DELIVER)),
            (re.compile(r"[CE]$"), Request("ask", _OF_DELIVER)),
        )
    ),
    words={"set": {K.INSTRUMENT_ERROR: NAK}, "run": {K.INSTRUMENT_ERROR: NAK}},
)
"""Of a Masterflex L/S. It is never busy: it takes a command at any time, or says that it doesn't."""
