"""How the instruments that answer lines fail, in each firmware's own words.

Sources. Thermocycler: error texts of its open firmware (github.com/Opentrons/opentrons-modules,
stm32-modules/thermocycler-gen2/src/errors.cpp). BioShake: ``e``, and codes in ``getErrorList`` as control-lab-ly and the
maker's manual list them: 102 speed failure, 201 temperature sensors, 303 the clamp can't verify where it is, 306 and 307 it
does not get to its locked or unlocked position for a current too high; clamp state 9 is an error. PreciseFlex: controller
errors as PyLabRobot's error_codes.py lists them, ``PickPlate`` answering 0 when the fingers met nothing.

A temperature that is not reached is physical: the block or adapter is told, in the world, less than was asked for, and
reports truly that it is short. Of the cycler's lid, whose temperature does nothing to a plate here, only the report is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from devices.plate_hotel.preciseflex import LID_LEVEL
from digital_twin.faults import Repertoire, Request
from digital_twin.instruments.faulty_line import LineFaults, Trouble
from digital_twin.instruments.preciseflex import BUSY
from digital_twin.thermal import ROOM_C
from digital_twin.world import World
from lab.errors import FaultKind as K

__all__ = [
    "BIOSHAKE",
    "PRECISEFLEX",
    "SWITCHED",
    "THERMOCYCLER",
    "UNANSWERED",
    "all_at",
    "by_pattern",
    "preciseflex_faults",
    "short_of",
]

SHORT_C = 3.0
SHORT_SHARE = 0.1
"""A heater that gives out stays this far short of its target: so many degrees, or this share of the way from the room. The
heater's stated tolerances are below 1 C."""

UNANSWERED = frozenset({K.CONNECTION_LOST, K.TIMEOUT, K.NONSENSE_REPLY})
"""What happens to a wire, and so to any request."""

SWITCHED = UNANSWERED | {K.INSTRUMENT_ERROR}


def short_of(target_c: float) -> float:
    """Where a failing heater or cooler stays, between its target and the room."""
    gap_c = max(SHORT_C, SHORT_SHARE * abs(target_c - ROOM_C))
    return target_c - gap_c if target_c >= ROOM_C else target_c + gap_c


def all_at(kinds: frozenset[K], part: str) -> dict[K, str]:
    """Kinds of faults of a verb, all of which strike at one part."""
    return dict.fromkeys(kinds, part)


# -------------------------------------------------------------------------------------------------------- thermocycler

_CYCLER_PARTS = (
    (re.compile(r"M126$"), Request("open", frozenset({"open_lid"}))),
    (re.compile(r"M127$"), Request("close", frozenset({"close_lid", "heat"}))),
    (re.compile(r"M140"), Request("heat_lid", frozenset({"heat"}))),
    (re.compile(r"M104 S\S+ H"), Request("hold", frozenset({"heat"}))),
    (re.compile(r"M104 S\S+$"), Request("cool", frozenset({"heat"}))),
    (re.compile(r"M18$"), Request("off", frozenset({"heat"}))),
    (re.compile(r"M(105|141)$"), Request("ask", frozenset({"heat"}))),
)
_LID_WORDS = {
    K.BUSY: "ERR501:lid:Lid motor busy OK",
    K.LID: "ERR502:lid:Lid motor fault OK",
    K.INSTRUMENT_ERROR: "ERR505:seal:Seal motor fault OK",
}
_BLOCK_WORDS = {
    K.BUSY: "ERR401:thermal:Thermal plate busy OK",
    K.INSTRUMENT_ERROR: "ERR402:thermal:Could not activate peltier OK",
}


class _BlockShort(Trouble):
    """The block stays short of its target until it is told another one, or turned off."""

    def begin(self) -> str:
        target = _target(self.struck)
        return self.struck.replace(f"S{target}", f"S{short_of(float(target)):.2f}")

    def ends(self, line: str) -> bool:
        return line.startswith(("M104", "M14", "M18"))

    def reply(self, line: str, reply: str) -> str:
        if line != "M105" or "T:none" in reply:
            return reply
        # It knows what it was asked for, that it is not there, and that the hold has not begun.
        total = re.search(r"Total_H:(\S+)", reply)
        fields = {"T": _target(self.struck), "At_target?": "0", "H": total[1] if total else "none"}
        return re.sub(r"\b(T|At_target\?|H):\S+", lambda found: f"{found[1]}:{fields[found[1]]}", reply)


class _LidShort(Trouble):
    """The heated lid reports a temperature short of its target until it is told another one, or turned off."""

    def ends(self, line: str) -> bool:
        return line.startswith(("M140", "M108", "M18"))

    def reply(self, line: str, reply: str) -> str:
        if line != "M141":
            return reply
        short_c = short_of(float(_target(self.struck)))
        return re.sub(r"\bC:(\S+)", lambda found: f"C:{min(float(found[1]), short_c):.2f}", reply)


def _target(request: str) -> str:
    found = re.search(r"S(-?[\d.]+)", request)
    assert found is not None, "only requests with a target are struck"
    return found[1]


def _cycler_short(request: str) -> Trouble:
    return _LidShort(request) if request.startswith("M140") else _BlockShort(request)


def by_pattern(
    parts: tuple[tuple[re.Pattern[str], Request], ...],
) -> Callable[[str, World], Request | None]:
    """Reads lines by the first pattern that they begin with."""
    return lambda line, world: next((request for form, request in parts if form.match(line)), None)


THERMOCYCLER = LineFaults(
    repertoire=Repertoire(
        parts={
            "open": SWITCHED | {K.BUSY, K.LID},
            "close": SWITCHED | {K.BUSY, K.LID},
            "heat_lid": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "hold": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "cool": SWITCHED | {K.BUSY, K.TEMPERATURE},
            "off": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={
            "open_lid": all_at(SWITCHED | {K.BUSY, K.LID}, "open"),
            "close_lid": all_at(SWITCHED | {K.BUSY, K.LID}, "close"),
            "heat": all_at(SWITCHED | {K.TEMPERATURE}, "hold") | {K.BUSY: "close", K.LID: "close"},
        },
    ),
    read=by_pattern(_CYCLER_PARTS),
    words={
        "open": _LID_WORDS,
        "close": _LID_WORDS,
        "heat_lid": {
            K.BUSY: "ERR404:thermal:Lid heater is busy OK",
            K.INSTRUMENT_ERROR: "ERR405:thermal:Error controlling lid heater OK",
        },
        "hold": _BLOCK_WORDS,
        "cool": _BLOCK_WORDS,
        "off": {K.INSTRUMENT_ERROR: "ERR403:thermal:Could not control heatsink fan OK"},
    },
    troubles={K.TEMPERATURE: _cycler_short},
)
"""Of an Opentrons Thermocycler GEN2. Closing the lid may belong to ``heat`` or ``close_lid``: the instrument can't tell."""


# ------------------------------------------------------------------------------------------------------------ BioShake

_OF_INCUBATE = frozenset({"incubate"})
_SHAKER_PARTS = (
    (re.compile(r"setElmLockPos$"), Request("clamp", _OF_INCUBATE)),
    (re.compile(r"setElmUnlockPos$"), Request("release", _OF_INCUBATE)),
    (re.compile(r"setTempTarget"), Request("set_temperature", _OF_INCUBATE)),
    (re.compile(r"tempOn$"), Request("heat", _OF_INCUBATE)),
    (re.compile(r"shakeOn"), Request("shake", _OF_INCUBATE)),
    (re.compile(r"tempOff$|shakeOff$"), Request("off", _OF_INCUBATE)),
    (re.compile(r"get(Temp|Shake|Elm)"), Request("ask", _OF_INCUBATE)),
)
_REFUSED = "e"


class _AdapterShort(Trouble):
    """The adapter stays short of its target until it is told another one."""

    @property
    def _target_c(self) -> float:
        return int(self.struck.removeprefix("setTempTarget")) / 10.0

    def begin(self) -> str:
        return f"setTempTarget{round(10.0 * short_of(self._target_c))}"

    def ends(self, line: str) -> bool:
        return line.startswith("setTempTarget")

    def reply(self, line: str, reply: str) -> str:
        return f"{self._target_c:.1f}" if line == "getTempTarget" else reply


class _Listed(Trouble):
    """A code in the list of errors, until the instrument is told to do something again.

    Args:
        code: in the list.
    """

    def __init__(self, request: str, code: str) -> None:
        super().__init__(request)
        self._code = code

    def ends(self, line: str) -> bool:
        return line.startswith(("set", "temp", "shake"))

    def reply(self, line: str, reply: str) -> str:
        if line != "getErrorList":
            return reply
        return "{" + "; ".join(filter(None, (reply.strip("{}"), self._code))) + "}"


class _ClampStuck(_Listed):
    """A clamp whose state is an error, until it is told to move again."""

    def __init__(self, request: str) -> None:
        super().__init__(request, "e306" if request == "setElmLockPos" else "e307")

    def ends(self, line: str) -> bool:
        return line.startswith("setElm")

    def reply(self, line: str, reply: str) -> str:
        return "9" if line == "getElmState" else super().reply(line, reply)


def _at_something_else(request: str) -> Trouble:
    return _Listed(request, "e303" if "Elm" in request else "e103")


def _failed(request: str) -> Trouble:
    of_heater = request.startswith(("temp", "setTemp"))
    return _Listed(request, "e201" if of_heater else "e301" if "Elm" in request else "e102")


BIOSHAKE = LineFaults(
    repertoire=Repertoire(
        parts={
            "clamp": SWITCHED | {K.BUSY, K.LID},
            "release": SWITCHED | {K.BUSY, K.LID},
            "set_temperature": SWITCHED | {K.TEMPERATURE},
            "heat": SWITCHED,
            "shake": SWITCHED | {K.BUSY},
            "off": SWITCHED,
            "ask": UNANSWERED,
        },
        verbs={
            "incubate": all_at(SWITCHED, "heat")
            | {K.BUSY: "clamp", K.LID: "clamp", K.TEMPERATURE: "set_temperature"}
        },
    ),
    read=by_pattern(_SHAKER_PARTS),
    words={
        "clamp": dict.fromkeys((K.BUSY, K.LID, K.INSTRUMENT_ERROR), _REFUSED),
        "release": dict.fromkeys((K.BUSY, K.LID, K.INSTRUMENT_ERROR), _REFUSED),
        "set_temperature": {K.INSTRUMENT_ERROR: _REFUSED},
        "heat": {K.INSTRUMENT_ERROR: _REFUSED},
        "shake": dict.fromkeys((K.BUSY, K.INSTRUMENT_ERROR), _REFUSED),
        "off": {K.INSTRUMENT_ERROR: _REFUSED},
    },
    troubles={
        K.TEMPERATURE: _AdapterShort,
        K.LID: _ClampStuck,
        K.BUSY: _at_something_else,
        K.INSTRUMENT_ERROR: _failed,
    },
)
"""Of a QInstruments BioShake."""


# --------------------------------------------------------------------------------------------------------- PreciseFlex

_ARM = UNANSWERED | {K.BUSY, K.INSTRUMENT_ERROR}
_MOTION = re.compile(r"(pick|place)plate (\d+)\b", re.IGNORECASE)
_ARM_WORDS = {
    K.BUSY: BUSY,
    K.INSTRUMENT_ERROR: "-3122 *Soft envelope error*",
    K.GRIP: "0 0",
}

PRECISEFLEX = Repertoire(
    parts={"pick": _ARM | {K.GRIP}, "place": _ARM},
    verbs=dict.fromkeys(("move", "put_lid", "take_lid"), all_at(_ARM | {K.GRIP}, "pick")),
)
"""Of a PreciseFlex arm. A verb's faults strike when it picks up; those of putting down are asked for as ``place``."""


def preciseflex_faults(name: str, stations: Mapping[str, int]) -> LineFaults:
    """How an arm fails.

    Which verb a motion belongs to shows in its height, and in whether it is a lid that stands there or is held.

    Args:
        name: of the device.
        stations: position -> number.
    """
    positions = {number: position for position, number in stations.items()}

    def read(line: str, world: World) -> Request | None:
        asked = _MOTION.match(line)
        if asked is None:
            return None
        number = int(asked[2])
        if asked[1].lower() == "place":
            return Request("place", _verbs(world, number, world.held(name), "put_lid", "take_lid"))
        standing = world.at(positions[number]) if number in positions else None
        return Request("pick", _verbs(world, number, standing, "take_lid", "put_lid"))

    return LineFaults(repertoire=PRECISEFLEX, read=read, words={"pick": _ARM_WORDS, "place": _ARM_WORDS})


def _verbs(world: World, station: int, piece: str | None, on_plate: str, of_lid: str) -> frozenset[str]:
    """The verb of a motion: ``on_plate`` at a lid's height, ``of_lid`` with a lid at a plate's."""
    if station > LID_LEVEL:
        return frozenset({on_plate})
    lid = piece is not None and world.state.pieces[piece].kind.kind == "lid"
    return frozenset({of_lid if lid else "move"})
