"""How an Opentrons robot fails: at which of its commands, and with what.

A Flex feels overpressure and missing tips. An OT-2 feels nothing of the kind; on one, a script with such a fault stands for
what a person beside it would have seen.
"""

from __future__ import annotations

from digital_twin.faults import FaultScript, Repertoire
from lab.errors import FaultKind as K

__all__ = ["OPENTRONS_FAULTS", "PLAY", "inside", "part_of"]

_WIRE = frozenset({K.CONNECTION_LOST, K.TIMEOUT, K.NONSENSE_REPLY, K.BUSY})

PLAY = "play"
"""The action by which a protocol file is begun; what comes after it passes no wire."""

_PARTS = {
    "pickUpTip": "pick_up",
    "aspirate": "aspirate",
    "dispense": "dispense",
    "dropTipInPlace": "drop",
    PLAY: "play",
}


def part_of(command: str) -> str | None:
    """The part of the robot's work that a command type is, or the action ``play``; None for what does nothing."""
    return _PARTS.get(command)


def inside(script: FaultScript) -> FaultScript:
    """What of a script can happen to the commands of a protocol, which do not come over the wire one by one."""
    return FaultScript(script.seed, tuple(rule for rule in script.rules if rule.kind not in _WIRE))


OPENTRONS_FAULTS = Repertoire(
    parts={
        "play": _WIRE,
        "pick_up": _WIRE | {K.INSTRUMENT_ERROR, K.LOST_TIP},
        "aspirate": _WIRE | {K.INSTRUMENT_ERROR, K.CLOG, K.FAILED_ASPIRATE, K.SHORT_VOLUME},
        "dispense": _WIRE | {K.INSTRUMENT_ERROR, K.CLOG},
        "drop": _WIRE | {K.INSTRUMENT_ERROR},
    },
    verbs={
        verb: {
            K.CONNECTION_LOST: work,
            K.TIMEOUT: work,
            K.NONSENSE_REPLY: work,
            K.BUSY: "pick_up",
            K.INSTRUMENT_ERROR: work,
            K.LOST_TIP: "pick_up",
            K.CLOG: "aspirate",
            K.FAILED_ASPIRATE: "aspirate",
        }
        for verb, work in (("distribute", "dispense"), ("add_reagent", "dispense"), ("mix", "aspirate"))
    }
    | {
        "run_file": {
            **dict.fromkeys(_WIRE, "play"),
            K.INSTRUMENT_ERROR: "aspirate",
            K.LOST_TIP: "pick_up",
            K.CLOG: "aspirate",
            K.FAILED_ASPIRATE: "aspirate",
        }
    },
)
"""Lost tips are found where they should be fetched; a short volume is never reported, and is for a part of its own."""
