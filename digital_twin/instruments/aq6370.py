"""What a Yokogawa AQ6374 answers, and the stage before it: the far end of :mod:`devices.spectrometer.aq6370`.

The analyzer's words are those named there. A sweep looks into the well when it ends. The trace stays in the instrument until
the next sweep; with the instrument it is lost. Of the stage, the place is in the world's memory.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable

import numpy as np

from devices.spectrometer.aq6370 import LOGIN, SENSITIVITY_CODES
from devices.spectrometer.light_path import CLOSE_MM, PITCH_MM, PLATE, xy_mm
from digital_twin.instruments.scpi import Handler, ScpiError, ScpiModel
from digital_twin.physics.spectrometry import SWEEP_S, Sensitivity
from digital_twin.world import Impossible, World

__all__ = ["AQ6370Twin", "MS2000Twin"]

ANSWER_S = 0.01
ZERO_S = 20.0
MODEL = "AQ6374"
FIRMWARE = "03.00"
LOWEST_NM, HIGHEST_NM = 350.0, 1750.0
_UNITS = {"NM": 1.0, "UM": 1e3, "M": 1e9, "": 1e9}
_OUT_OF_RANGE = ScpiError(-222, "Data out of range")
_NOT_A_CHOICE = ScpiError(-224, "Illegal parameter value")


class AQ6370Twin(ScpiModel):
    """An analyzer whose light comes through a position of a world.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: whose plate the light goes through.
        well: in the light now; empty where it falls between wells.
        serial: its number; begins with TWIN.
    """

    def __init__(
        self,
        world: World,
        *,
        name: str,
        position: str,
        well: Callable[[], str],
        serial: str = "TWIN-AQ-0001",
    ) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._well = well
        self._serial = serial
        self._from_nm, self._to_nm = 400.0, 800.0
        self._points, self._averages = 201, 1
        self._sensitivity = Sensitivity.NORMAL
        self._choices: dict[str, str] = {}
        self._swept = False
        self._trace: list[float] = []
        self._axis: list[float] = []
        self._sweep: asyncio.TimerHandle | None = None
        super().__init__(self._all_handlers())

    async def reply(self, line: str) -> str:
        """The firmware's answer to one message; of the login too, which it forgives where none is needed."""
        await asyncio.sleep(ANSWER_S)
        for said, expected in LOGIN:
            if line.strip() == said.strip():
                return expected
        return await super().reply(line)

    def _all_handlers(self) -> dict[str, Handler]:
        return {
            "*IDN?": self._says(lambda: f"YOKOGAWA,{MODEL},{self._serial},{FIRMWARE}"),
            "*CLS": self._does(self._clear),
            "*WAI": self._does(lambda: None),
            "*OPC?": self._says(lambda: "1"),
            "*ESR?": self._says(lambda: "0"),
            ":ABORt": self._does(self._abort),
            ":INITiate[:IMMediate]": self._does(self._begin),
            ":INITiate:SMODe": self._chosen("mode", ("SING", "SINGLE", "1")),
            ":FORMat[:DATA]": self._chosen("format", ("ASC", "ASCII")),
            ":DISPlay:TRACe:Y1:SPACing": self._chosen("spacing", ("LIN", "LINEAR", "1")),
            ":TRACe:ATTRibute:TRA": self._chosen("attribute", ("WRIT", "WRITE", "0")),
            ":TRACe:ACTive": self._chosen("active", ("TRA",)),
            ":SENSe:WAVelength:STARt": self._taken(self._set_start),
            ":SENSe:WAVelength:STOP": self._taken(self._set_stop),
            ":SENSe:BANDwidth[:RESolution]": self._taken(self._set_resolution),
            ":SENSe:SWEep:POINts": self._taken(self._set_points),
            ":SENSe:AVERage:COUNt": self._taken(self._set_averages),
            ":SENSe:SENSe": self._taken(self._set_sensitivity),
            ":SENSe:SENSe?": self._says(self._sensitivity_code),
            ":STATus:OPERation[:EVENt]?": self._says(self._event),
            ":TRACe[:DATA]:X?": self._of_trace(lambda: [one * 1e-9 for one in self._axis]),
            ":TRACe[:DATA]:Y?": self._of_trace(lambda: self._trace),
            ":CALibration:ZERO": self._zero,
        }

    # ---------------------------------------------------------------------------------------------------------- handlers

    @staticmethod
    def _says(answer: Callable[[], str]) -> Handler:
        async def handler(arguments: str) -> str:
            return answer()

        return handler

    @staticmethod
    def _does(act: Callable[[], None]) -> Handler:
        async def handler(arguments: str) -> None:
            act()

        return handler

    @staticmethod
    def _taken(setter: Callable[[str], None]) -> Handler:
        async def handler(arguments: str) -> None:
            setter(arguments.upper())

        return handler

    def _chosen(self, name: str, known: tuple[str, ...]) -> Handler:
        """A setting of which this twin knows what the driver uses, and refuses the rest."""

        async def handler(arguments: str) -> None:
            if arguments.upper() not in known:
                raise _NOT_A_CHOICE
            self._choices[name] = arguments.upper()

        return handler

    @staticmethod
    def _of_trace(values: Callable[[], list[float]]) -> Handler:
        async def handler(arguments: str) -> str:
            if arguments.upper() != "TRA":
                raise _NOT_A_CHOICE
            if not values():
                raise ScpiError(-230, "Data corrupt or stale")
            return ",".join(f"{value:+.8E}" for value in values())

        return handler

    async def _zero(self, arguments: str) -> None:
        if arguments.upper() != "ONCE":
            raise _NOT_A_CHOICE
        await asyncio.sleep(ZERO_S)

    # ----------------------------------------------------------------------------------------------------------- settings

    def _set_start(self, text: str) -> None:
        self._from_nm = _nm(text)

    def _set_stop(self, text: str) -> None:
        self._to_nm = _nm(text)

    def _set_resolution(self, text: str) -> None:
        if _quantity(text) not in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0):
            raise _OUT_OF_RANGE

    def _set_points(self, text: str) -> None:
        self._points = _whole(text, 101, 100_001)

    def _set_averages(self, text: str) -> None:
        self._averages = _whole(text, 1, 999)

    def _set_sensitivity(self, text: str) -> None:
        if text not in set(SENSITIVITY_CODES.values()) or text in ("NHLD", "NAUT"):
            raise _NOT_A_CHOICE
        self._sensitivity = Sensitivity(text)

    def _sensitivity_code(self) -> str:
        return next(code for code, name in SENSITIVITY_CODES.items() if name == self._sensitivity)

    # -------------------------------------------------------------------------------------------------------------- sweep

    def _clear(self) -> None:
        self.clear()
        self._swept = False

    def _abort(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _begin(self) -> None:
        if self._sweep is not None:
            raise ScpiError(-213, "Init ignored")
        if self._to_nm <= self._from_nm:
            raise ScpiError(-221, "Settings conflict")
        takes_s = self._averages * (1.0 + SWEEP_S[self._sensitivity] * (self._to_nm - self._from_nm) / 100.0)
        self._sweep = asyncio.get_running_loop().call_later(takes_s, self._end)

    def _end(self) -> None:
        self._sweep = None
        self._axis = [float(one) for one in np.linspace(self._from_nm, self._to_nm, self._points)]
        try:
            seen = self._world.act(
                self._name,
                "take_spectrum",
                position=self._position,
                well=self._well(),
                wavelengths_nm=self._axis,
                sensitivity=str(self._sensitivity),
                averages=self._averages,
            )
        except Impossible as error:
            self.fail(f'-240,"Hardware error; {error}"')
            return
        self._trace = list(seen)
        self._swept = True

    def _event(self) -> str:
        swept, self._swept = self._swept, False
        return str(int(swept))


class MS2000Twin:
    """An ASI MS-2000 XY stage. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the stage; keys its actions on the ledger.
        a1_mm: where it stands when A1 is in the light.
    """

    MM_PER_S = 7.0
    REACH_MM = 150.0

    def __init__(self, world: World, *, name: str, a1_mm: tuple[float, float] = (0.0, 0.0)) -> None:
        self._world = world
        self._name = name
        self._a1_mm = a1_mm
        self._move: tuple[float, tuple[float, float], tuple[float, float]] | None = None
        self._arriving: asyncio.TimerHandle | None = None

    async def reply(self, line: str) -> str:
        """The controller's answer to one command."""
        await asyncio.sleep(ANSWER_S)
        request = line.strip()
        match request:
            case "/":
                return "B" if self._move else "N"
            case "V":
                return ":A Version: USB-0.0 TWIN"
            case "\\":
                moved = self._move is not None
                self._halt()
                return ":N-21" if moved else ":A"
        if request.upper().startswith("W "):
            x, y = self._here_mm()
            return f":A {x * 10_000.0:.1f} {y * 10_000.0:.1f} "
        wanted = re.fullmatch(r"M X=(-?\d+(?:\.\d+)?) Y=(-?\d+(?:\.\d+)?)", request, re.IGNORECASE)
        return ":N-1" if wanted is None else self._go((float(wanted[1]) / 1e4, float(wanted[2]) / 1e4))

    def well_in_light(self) -> str:
        """Which well of a plate with 96 the light goes through; empty between wells and while it moves."""
        if self._move is not None:
            return ""
        x, y = self._here_mm()
        column = round((x - self._a1_mm[0]) / PITCH_MM) + 1
        row = round((y - self._a1_mm[1]) / PITCH_MM)
        well = f"{chr(ord('A') + max(0, min(row, 25)))}{column}"
        if well not in PLATE:
            return ""
        middle = xy_mm(well, a1_mm=self._a1_mm)
        return well if math.dist(middle, (x, y)) <= 2.0 * CLOSE_MM else ""

    def _go(self, wanted: tuple[float, float]) -> str:
        if any(abs(one) > self.REACH_MM for one in wanted):
            return ":N-4"
        here = self._here_mm()
        self._halt()
        takes_s = math.dist(here, wanted) / self.MM_PER_S
        self._move = (self._world.clock.now(), here, wanted)
        self._arriving = asyncio.get_running_loop().call_later(takes_s, self._halt)
        return ":A"

    def _halt(self) -> None:
        """It stands where it is by now."""
        if self._arriving is not None:
            self._arriving.cancel()
        here, moved = self._here_mm(), self._move is not None
        self._arriving = self._move = None
        if moved:
            self._world.act(self._name, "remember", values={"x_mm": here[0], "y_mm": here[1]})

    def _here_mm(self) -> tuple[float, float]:
        if self._move is None:
            kept = self._world.state.memory.get(self._name, {})
            return kept.get("x_mm", -20.0), kept.get("y_mm", -20.0)
        begun_s, start, wanted = self._move
        way_mm = math.dist(start, wanted)
        gone_mm = (self._world.clock.now() - begun_s) * self.MM_PER_S
        # Arrived a thousandth before its time: the screw's step is longer than that.
        share = 1.0 if way_mm - gone_mm < 1e-3 else gone_mm / way_mm
        return start[0] + share * (wanted[0] - start[0]), start[1] + share * (wanted[1] - start[1])


def _quantity(text: str) -> float:
    found = re.fullmatch(r"([+-]?\d*\.?\d+(?:E[+-]?\d+)?)\s*(NM|UM|M)?", text)
    if found is None:
        raise ScpiError(-120, "Numeric data error")
    return float(found[1]) * _UNITS[found[2] or ""]


def _nm(text: str) -> float:
    value = _quantity(text)
    if not LOWEST_NM <= value <= HIGHEST_NM:
        raise _OUT_OF_RANGE
    return value


def _whole(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ScpiError(-120, "Numeric data error")
    if not lowest <= int(text) <= highest:
        raise _OUT_OF_RANGE
    return int(text)
