"""Which well the light goes through: always the same one, or one that a stage drives into the beam.

The stage is an Applied Scientific Instrumentation MS-2000 over its serial line. Commands of its programming manual, as the
open drivers of Micro-Manager and Qudi speak them: a letter, axes with values in tenths of a micrometre, a carriage return;
``:A`` acknowledges, ``:N-`` and a number refuse, ``B`` or ``N`` says whether it moves.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Protocol

from devices.declarative import Link
from devices.transport import Framing, Transport
from lab.bench import well_names
from lab.errors import CommandTimeout, InstrumentError, NonsenseReply

__all__ = ["PITCH_MM", "STAGE_FRAMING", "FixedPath", "LightPath", "StagePath", "xy_mm"]

PITCH_MM = 9.0
"""From well to well of a plate with 96 (ANSI SLAS 4-2004)."""

MOVE_S = 10.0
"""From one well to another, half a plate away; such stages drive 7 mm/s and more."""

SLOWEST_MOVE_S = 20.0
"""After which a stage that still moves is stuck."""

CLOSE_MM = 0.05
"""To the middle of a well; the beam is 1 mm wide at most."""

STAGE_FRAMING = Framing(request_end="\r", reply_end="\r\n", baud=9600)

REFUSALS = {
    "1": "unknown command",
    "2": "unrecognized axis",
    "3": "missing parameters",
    "4": "parameter out of range",
    "5": "operation failed",
    "6": "undefined error",
    "21": "halted",
}
PLATE = frozenset(well_names(8, 12))


class LightPath(Protocol):
    """Leads the light through a well."""

    @property
    def move_s(self) -> float:
        """Expected time to a well."""
        ...

    def objection(self, well: str) -> str:
        """Why no light can be led through a well, in a sentence; empty where it can."""
        ...

    async def open(self) -> None:
        """Connect to what moves; harmless where nothing does, or it is connected."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...

    async def select(self, well: str) -> None:
        """Lead the light through a well; harmless where it is.

        Raises:
            DeviceFault: it does not get there.
        """
        ...

    async def rest(self) -> None:
        """Bring the plate to where an arm can take it; harmless where it is.

        Raises:
            DeviceFault: it does not get there.
        """
        ...

    async def safe(self) -> None:
        """What moves stops, and goes to rest.

        Raises:
            DeviceFault: it does not.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedPath:
    """Light that goes through the same well, or cuvette, of whatever stands there."""

    well: str = "A1"
    move_s: float = 0.0

    def objection(self, well: str) -> str:
        """All wells but one."""
        return "" if well == self.well else f"its light goes through {self.well} alone, not through {well}."

    async def open(self) -> None:
        """Nothing moves."""

    async def close(self) -> None:
        """Nothing moves."""

    async def select(self, well: str) -> None:
        """It is there."""

    async def rest(self) -> None:
        """Nothing moves."""

    async def safe(self) -> None:
        """Nothing moves."""


def xy_mm(well: str, *, a1_mm: tuple[float, float]) -> tuple[float, float]:
    """Where the stage stands when the light goes through a well: columns along x, rows along y.

    Args:
        a1_mm: where it stands for A1.
    """
    row, column = ord(well[0]) - ord("A"), int(well[1:]) - 1
    return a1_mm[0] + PITCH_MM * column, a1_mm[1] + PITCH_MM * row


class StageDialect:
    """Answers of an MS-2000."""

    framing = STAGE_FRAMING

    def payload(self, request: str, reply: str) -> str:
        """What follows ``:A``; ``B`` or ``N`` of a question for its state."""
        text = reply.strip()
        if request == "/" and text in ("B", "N"):
            return text
        if refused := re.fullmatch(r":N-(\d{1,3})", text, re.ASCII):
            said = REFUSALS.get(refused[1], "it says no more")
            raise InstrumentError(f"the stage refuses {request!r}: {said}.")
        if request != "/" and (taken := re.fullmatch(r":A(?:\s+([ -~]*))?", text)):
            return taken[1] or ""
        raise NonsenseReply(f"{reply[:40]!r} is no answer of the stage to {request!r}.")

    def pick(self, payload: str, name: str) -> str:
        """Answers hold no names."""
        raise NonsenseReply(f"{payload!r} has no {name}.")


class StagePath:
    """A stage that drives the wells of a plate with 96 into the beam.

    Args:
        transport: the wire to it.
        a1_mm: where it stands when the light goes through A1.
        load_mm: where an arm puts the plate on it and takes it; None: where A1 is in the light.
    """

    move_s = MOVE_S

    def __init__(
        self,
        transport: Transport,
        *,
        a1_mm: tuple[float, float] = (0.0, 0.0),
        load_mm: tuple[float, float] | None = None,
    ) -> None:
        self._link = Link(transport, StageDialect())
        self._a1_mm = a1_mm
        self._load_mm = a1_mm if load_mm is None else load_mm

    def objection(self, well: str) -> str:
        """All that is no well of such a plate."""
        return "" if well in PLATE else f"its stage finds no well {well}."

    async def open(self) -> None:
        """Connect, and see that it is a stage."""
        await self._link.open()
        version = await self._link.ask("V")
        if not version.startswith("Version"):
            raise NonsenseReply(f"{version!r} is no version of a stage.")

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def select(self, well: str) -> None:
        """Drive there and see that it arrived; where it stands there already, nothing is sent but questions."""
        await self._drive(xy_mm(well, a1_mm=self._a1_mm), well)

    async def rest(self) -> None:
        """Drive to where the plate is put on and taken."""
        await self._drive(self._load_mm, "the place for loading")

    async def _drive(self, wanted: tuple[float, float], name: str) -> None:
        if self._close(await self._where_mm(), wanted):
            return
        x, y = (round(one * 10_000.0) for one in wanted)
        await self._link.ask(f"M X={x} Y={y}")
        try:
            async with asyncio.timeout(SLOWEST_MOVE_S):
                while await self._link.ask("/") == "B":  # noqa: ASYNC110  (no events on a serial line)
                    await asyncio.sleep(0.1)
        except TimeoutError as late:
            raise CommandTimeout(f"the stage does not arrive at {name}.") from late
        here = await self._where_mm()
        if not self._close(here, wanted):
            raise InstrumentError(
                f"the stage stands at {here[0]:.2f}, {here[1]:.2f} mm, not at {name} ({wanted[0]:.2f}, {wanted[1]:.2f} mm)."
            )

    async def safe(self) -> None:
        """Halt, then drive to where an arm can take the plate."""
        try:
            await self._link.ask("\\")
        except InstrumentError as halted:
            # It says that it was halted where it moved.
            if REFUSALS["21"] not in str(halted):
                raise
        await self.rest()

    async def _where_mm(self) -> tuple[float, float]:
        text = await self._link.ask("W X Y")
        found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s+(-?\d+(?:\.\d+)?)", text.strip(), re.ASCII)
        if found is None:
            raise NonsenseReply(f"{text!r} is no position of the stage.")
        return float(found[1]) / 10_000.0, float(found[2]) / 10_000.0

    @staticmethod
    def _close(here: tuple[float, float], wanted: tuple[float, float]) -> bool:
        return all(abs(one - other) <= CLOSE_MM for one, other in zip(here, wanted, strict=True))
