"""How an Applied Biosystems ATC fails: ``ERRor`` behind which it repeats the command and says what is wrong.

The words behind it are of this project's making; the driver goes by the command, and by whether they speak of being busy. A
temperature that is not reached is physical: the block is told, in the world, less than was asked for.
"""

from __future__ import annotations

import re

from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.line_faults import SWITCHED, UNANSWERED, all_at, by_pattern, short_of
from lab.errors import FaultKind as K

__all__ = ["ATC_FAULTS"]

_OF_HEAT = frozenset({"heat"})


class _BlockShort(Trouble):
    """The block stays short of its target until it is told another one, or let go."""

    def begin(self) -> str:
        *head, target = self.struck.split()[:3]
        return " ".join([*head, *[f"{short_of(float(target)):.1f}"] * 3])

    def ends(self, line: str) -> bool:
        return line.startswith(("TBC1:RAMP", "TBC1:BLOCK"))


def _lid_words(command: str) -> dict[K, str]:
    return {
        K.BUSY: f"ERRor {command} Busy: a run is under way",
        K.LID: f"ERRor {command} the lid is blocked",
    }


_BLOCK_WORDS = {
    K.BUSY: "ERRor TBC1:RAMP Busy: a run is under way",
    K.INSTRUMENT_ERROR: "ERRor TBC1:RAMP the block's supply failed",
}

ATC_FAULTS = LineFaults(
    repertoire=Repertoire(
        parts={
            "open": UNANSWERED | {K.BUSY, K.LID},
            "close": UNANSWERED | {K.BUSY, K.LID},
            "heat_lid": SWITCHED | {K.BUSY},
            "ramp": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "off": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={
            "open_lid": all_at(UNANSWERED | {K.BUSY, K.LID}, "open"),
            "close_lid": all_at(UNANSWERED | {K.BUSY, K.LID}, "close"),
            "heat": all_at(SWITCHED | {K.TEMPERATURE}, "ramp") | {K.BUSY: "close", K.LID: "close"},
        },
    ),
    read=by_pattern(
        (
            (re.compile(r"lidopen$"), Request("open", frozenset({"open_lid"}))),
            (re.compile(r"lidclose$"), Request("close", frozenset({"close_lid", "heat"}))),
            (re.compile(r"TBC1:CoverRAMP"), Request("heat_lid", _OF_HEAT)),
            (re.compile(r"TBC1:RAMP"), Request("ramp", _OF_HEAT)),
            (re.compile(r"TBC1:BLOCK 0"), Request("off", _OF_HEAT)),
            (re.compile(r"TBC1:TBC:(Block|Cover)"), Request("ask", _OF_HEAT)),
        )
    ),
    words={
        "open": _lid_words("lidopen"),
        "close": _lid_words("lidclose"),
        "heat_lid": {
            K.BUSY: "ERRor TBC1:CoverRAMP Busy: a run is under way",
            K.INSTRUMENT_ERROR: "ERRor TBC1:CoverRAMP the lid's heater failed",
        },
        "ramp": _BLOCK_WORDS,
        "off": {K.INSTRUMENT_ERROR: "ERRor TBC1:BLOCK the block's supply failed"},
    },
    troubles={K.TEMPERATURE: _BlockShort},
)
"""Of an ATC."""
