"""What a New Era NE-1000 answers in safe mode, over the world: the far end of :mod:`devices.syringe_pump.ne1000`.

Its commands, prompts, refusals and alarms are those of the manual that is named there. Settings, count and the stroke under
way are in the world's memory, so they outlive this object. What was pushed out reaches the well when the pump comes to rest;
the pump itself counts it as it goes. A pump that is made again over a world in which one works goes on with it, as the real
one does, and its watchdog runs from the next packet on.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable

from devices.syringe_pump.ne1000 import FASTEST_MM_PER_MIN, number
from devices.syringe_pump.safe_mode import DAMAGED
from digital_twin.instruments.memory import Memory
from digital_twin.world import World

__all__ = ["NE1000Twin"]

ANSWER_S = 0.02
"""Two short packets at 19200 baud and the firmware between them; a choice."""

VERSION = "NE1000V0.1"
"""Version 0 is no firmware of the maker's: it says that this is a twin."""

_TO_UL_PER_MIN = {"UM": 1.0, "MM": 1000.0, "UH": 1.0 / 60.0, "MH": 1000.0 / 60.0}
_TO_UL = {"UL": 1.0, "ML": 1000.0}
_NUMBER = r"(\d+\.?\d*|\.\d+)"


class NE1000Twin:
    """A pump with a syringe in it. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        syringe_at: position of the syringe, as a piece of labware of one well.
        outlet_at: position under the end of the tube.
        outlet: well over which the tube ends.
    """

    def __init__(
        self, world: World, *, name: str, syringe_at: str, outlet_at: str, outlet: str = "A1"
    ) -> None:
        self._world = world
        self._name = name
        self._syringe_at = syringe_at
        self._outlet_at = outlet_at
        self._outlet = outlet
        self._alarm = ""
        self._memory = Memory(world, name)
        self._ending: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None

    async def reply(self, line: str) -> str:
        """The firmware's answer to the data of one packet."""
        self._time_the_end()
        self._hear()
        await asyncio.sleep(ANSWER_S)
        if self._alarm:
            letter, self._alarm = self._alarm, ""
            return f"00A?{letter}"
        if line == DAMAGED:
            return f"00{self._prompt()}?COM"
        request = re.sub(r"[\x00-\x20]", "", line).upper()
        value = self._answer(request.removeprefix("00").removeprefix("0"))
        return f"00{self._prompt()}{value}"

    def _answer(self, request: str) -> str:
        name, value = request[:3], request[3:]
        questions: dict[str, Callable[[], str]] = {
            "": lambda: "",
            "VER": lambda: VERSION,
            "DIA": lambda: self._memory.kept("dia", "14.43"),
            "VOL": lambda: self._memory.kept("vol", "0.000") + self._memory.kept("units", "UL"),
            "RAT": lambda: self._memory.kept("rat", "1000") + self._memory.kept("rat_units", "UM"),
            "DIR": lambda: self._memory.kept("dir", "INF"),
            "DIS": lambda: f"I{_counted(self._given_ul())}W0.000UL",
            "SAF": lambda: str(self._memory.kept("saf", 0)),
        }
        if not value and name in questions:
            return questions[name]()
        match name:
            case "RUN" if not value:
                return self._run()
            case "STP" if not value:
                return self._stop_told()
            case "SAF" | "DIA" | "VOL" | "RAT" | "DIR" | "CLD":
                return self._set(name, value)
        return "?"

    def _set(self, name: str, value: str) -> str:
        if self._stroke() is not None and name in ("DIA", "VOL", "DIR", "CLD"):
            return "?NA"
        rate = re.fullmatch(_NUMBER + r"(UM|MM|UH|MH)?", value)
        number = re.fullmatch(_NUMBER, value)
        match name:
            case "SAF" if value.isascii() and value.isdecimal():
                if int(value) > 255:
                    return "?OOR"
                self._memory.remember(saf=int(value))
                self._hear()
            case "DIA" if number:
                if not 0.1 <= float(value) <= 50.0:
                    return "?OOR"
                self._memory.remember(dia=value)
            case "VOL" if value in _TO_UL:
                self._memory.remember(units=value)
            case "VOL" if number and len(value.replace(".", "")) <= 4:
                self._memory.remember(vol=value)
            case "RAT" if rate:
                units = rate[2] or self._memory.kept("rat_units", "UM")
                if not 0.0 < float(rate[1]) * _TO_UL_PER_MIN[units] <= self._fastest_ul_per_min():
                    return "?OOR"
                self._memory.remember(rat=rate[1], rat_units=units)
            case "DIR" if value in ("INF", "WDR"):
                self._memory.remember(dir=value)
            case "CLD" if value in ("INF", "WDR"):
                self._memory.remember(**({"given": 0.0} if value == "INF" else {"withdrawn": 0.0}))
            case _:
                return "?"
        return ""

    # ------------------------------------------------------------------------------------------------------------- stroke

    def _run(self) -> str:
        if self._stroke() is not None:
            return "?NA"
        if self._memory.kept("dir", "INF") != "INF":
            # Nothing on this bench is drawn up through the tube.
            return "?NA"
        volume_ul = (
            self._memory.kept("left", 0.0) if self._memory.kept("paused", False) else self._volume_ul()
        )
        self._memory.remember(
            run={"begun_s": self._world.clock.now(), "volume_ul": volume_ul, "rate": self._rate_ul_per_s()},
            paused=False,
        )
        self._time_the_end()
        return ""

    def _stop_told(self) -> str:
        if self._stroke() is not None:
            self._rest(paused=True)
        elif self._memory.kept("paused", False):
            self._memory.remember(paused=False)
        else:
            return "?NA"
        return ""

    def _rest(self, *, paused: bool) -> None:
        """The pusher comes to rest, and what it pushed out is in the well."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        stroke = self._stroke()
        if stroke is None:
            return
        moved_ul = self._moved_ul(stroke)
        values = {
            "run": None,
            "given": self._memory.kept("given", 0.0) + moved_ul,
            "paused": paused,
            "left": stroke["volume_ul"] - moved_ul,
        }
        syringe = self._world.at(self._syringe_at)
        if syringe is None:
            # The pusher moves without one.
            self._world.act(self._name, "remember", values=values)
            return
        self._world.act(
            self._name,
            "infuse",
            source=syringe,
            position=self._outlet_at,
            well=self._outlet,
            volume_ul=moved_ul,
            values=values,
        )

    def _time_the_end(self) -> None:
        """Come to rest when the volume is out; also of a stroke that began before this object was made."""
        stroke = self._stroke()
        if self._ending is None and stroke is not None:
            left_s = stroke["begun_s"] + stroke["volume_ul"] / stroke["rate"] - self._world.clock.now()
            self._ending = asyncio.get_running_loop().call_later(max(0.0, left_s), self._end)

    def _end(self) -> None:
        self._ending = None
        self._rest(paused=False)

    def _hear(self) -> None:
        """A packet came: the watchdog begins anew."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if limit_s := self._memory.kept("saf", 0):
            self._watchdog = asyncio.get_running_loop().call_later(limit_s, self._heard_nothing)

    def _heard_nothing(self) -> None:
        self._watchdog = None
        self._alarm = "T"
        self._rest(paused=False)

    def _stroke(self) -> dict[str, float] | None:
        stroke: dict[str, float] | None = self._memory.kept("run", None)
        return stroke

    def _moved_ul(self, stroke: dict[str, float]) -> float:
        gone_s = self._world.clock.now() - stroke["begun_s"]
        # The end of a stroke is a sum of times that were rounded; a nanolitre is the screw's own step.
        moved_ul = min(stroke["volume_ul"], gone_s * stroke["rate"])
        return stroke["volume_ul"] if stroke["volume_ul"] - moved_ul < 1e-3 else moved_ul

    # ----------------------------------------------------------------------------------------------------------- settings

    def _prompt(self) -> str:
        if self._stroke() is not None:
            return "I"
        return "P" if self._memory.kept("paused", False) else "S"

    def _given_ul(self) -> float:
        stroke = self._stroke()
        given: float = self._memory.kept("given", 0.0) + (0.0 if stroke is None else self._moved_ul(stroke))
        return given

    def _volume_ul(self) -> float:
        return float(self._memory.kept("vol", "0.000")) * _TO_UL[self._memory.kept("units", "UL")]

    def _rate_ul_per_s(self) -> float:
        return (
            float(self._memory.kept("rat", "1000"))
            * _TO_UL_PER_MIN[self._memory.kept("rat_units", "UM")]
            / 60.0
        )

    def _fastest_ul_per_min(self) -> float:
        return math.pi * float(self._memory.kept("dia", "14.43")) ** 2 / 4.0 * FASTEST_MM_PER_MIN


def _counted(volume_ul: float) -> str:
    """As the pump writes what it gave: four digits, the rest cut off."""
    try:
        return number(math.floor(volume_ul * 1000.0 + 1e-6) / 1000.0)
    except ValueError:
        return "9999"
