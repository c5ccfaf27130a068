"""What Inheco's ThermoShake and CPAC answer in a slot of their box, over the world: the far end of
:mod:`devices.incubator.inheco`.

Heater and shaker are those of the world, so they outlive this object and go on when nobody is connected. Of what was set and
not used yet (a speed, a target of a heater that is off) it knows what it was told itself. A plate on it is held by nothing:
an arm that lifts it while it shakes is not stopped by the instrument.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from devices.identity import TWIN_SERIAL
from devices.incubator.inheco import COMES_TO_REST_S
from digital_twin.world import World

__all__ = ["CPACTwin", "ThermoShakeTwin"]

FIRMWARE = "simulated"
ANSWER_S = 0.02
"""A report each way on USB and the firmware between them; a choice."""

DONE, NOT_KNOWN, WRONG = "0", "4", "5"
"""Return codes."""

_LINE = re.compile(r"([A-Z]{3})(-?\d*)", re.ASCII)


class CPACTwin:
    """A heater at one position of a world. Implements :class:`devices.transport.LineInstrument`, without the slot's digit.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: of its adapter.
    """

    type_code = "1"
    highest_c = 70.0
    lowest_c = 4.0

    def __init__(self, world: World, *, name: str, position: str) -> None:
        self._world = world
        self._name = name
        self._position = position
        told = world.state.climates[position].set_c
        self._target_c = 22.0 if told is None else told

    async def reply(self, line: str) -> str:
        """The firmware's answer to one line."""
        await asyncio.sleep(ANSWER_S)
        found = _LINE.fullmatch(line.strip())
        if found is None:
            return line[:3].lower() + NOT_KNOWN
        word, number = found[1], found[2]
        if (ask := self._questions().get(word + number)) is not None:
            return word.lower() + DONE + ask()
        code = self._told(word, int(number)) if number.lstrip("-") else NOT_KNOWN
        return word.lower() + code

    def _questions(self) -> dict[str, Callable[[], str]]:
        return {
            "RTD": lambda: self.type_code,
            "RFV0": lambda: FIRMWARE,
            "RFV1": lambda: FIRMWARE,
            "RFV2": lambda: f"{TWIN_SERIAL}-TEC-{self._world.seed}",
            "RAT0": lambda: f"{round(self._world.temperature_c(self._position) * 10):04d}",
            "RTT": lambda: f"{round(self._target_c * 10):04d}",
        }

    def _told(self, word: str, number: int) -> str:
        """Do what a command says; its return code."""
        match word:
            case "STT":
                if not self.lowest_c <= number / 10.0 <= self.highest_c:
                    return WRONG
                self._target_c = number / 10.0
                if self._heating():
                    self._act("set_temperature", temperature_c=self._target_c)
            case "ATE" if number == 1:
                if self._world.state.climates[self._position].set_c != self._target_c:
                    self._act("set_temperature", temperature_c=self._target_c)
            case "ATE" if number == 0:
                if self._heating():
                    self._act("set_temperature", temperature_c=None)
            case "ATE":
                return WRONG
            case _:
                return NOT_KNOWN
        return DONE

    def _heating(self) -> bool:
        return self._world.state.climates[self._position].set_c is not None

    def _act(self, action: str, **arguments: float | None) -> None:
        self._world.act(self._name, action, position=self._position, **arguments)


class ThermoShakeTwin(CPACTwin):
    """A heater shaker; arguments as of :class:`CPACTwin`. What it shakes on after it was told to stop is left out."""

    type_code = "0"
    highest_c = 105.0

    def __init__(self, world: World, *, name: str, position: str) -> None:
        super().__init__(world, name=name, position=position)
        shaken = world.state.shaking.get(position)
        self._speed_rpm = 500 if shaken is None else round(shaken.speed_rpm)

    def _questions(self) -> dict[str, Callable[[], str]]:
        return {
            **super()._questions(),
            "RSE": lambda: str(int(self._shakes())),
            "RSR": lambda: f"{self._speed_rpm:04d}",
        }

    def _told(self, word: str, number: int) -> str:
        match word:
            case "SSR":
                if not 60 <= number <= 2000:
                    return WRONG
                self._speed_rpm = number
            case "SSS":
                return DONE if 0 <= number <= 5 else WRONG
            case "ASE" if number == 1:
                if not self._shakes():
                    self._act("shake", rpm=float(self._speed_rpm), acceleration_s=COMES_TO_REST_S / 2.0)
            case "ASE" if number == 0:
                if self._shakes():
                    self._act("shake", rpm=0.0)
            case "ASE":
                return WRONG
            case _:
                return super()._told(word, number)
        return DONE

    def _shakes(self) -> bool:
        return self._world.state.shaking_rpm.get(self._position, 0.0) > 0.0
