"""What a plate reader can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue, not_here
from lab.bench import Bench
from lab.interfaces import Place

__all__ = ["DOOR_S", "READ_S", "ReadAbsorbance", "ReadFluorescence"]

READ_S = 45.0
"""One pass over a 96-well plate at the usual ten to twenty flashes a well; a first estimate, devices have their own."""

DOOR_S = 8.0
"""Drawing the plate in, or putting it out; a first estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read(CommandValue):
    """What all readings share."""

    plate: str
    cycles: int = 1
    interval_s: float = 0.0

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.plate,)

    @property
    def touches(self) -> tuple[Place, ...]:
        """Nothing: light leaves the wells as they are."""
        return ()

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        wrong = not_here(bench, self.plate, "plate")
        if wrong:
            return wrong
        found = []
        lid = bench.labware[self.plate].lid
        if lid is not None:
            found.append(f"The lid {lid} on {self.plate} is in the way of the light.")
        if self.cycles < 1:
            found.append(f"{self.cycles} readings make no sense.")
        if self.cycles > 1 and self.interval_s <= 0.0:
            found.append(f"{self.cycles} readings need an interval between them.")
        return found

    def believe(self, bench: Bench) -> None:
        """Light changes nothing that belief holds."""

    def duration_s(self, bench: Bench) -> float:
        """A first estimate; vendors' devices know their rates."""
        return self.reading_s(READ_S) + 2.0 * DOOR_S

    def reading_s(self, pass_s: float) -> float:
        """Time of all cycles on a reader that takes so long for one pass."""
        return (self.cycles - 1) * max(pass_s, self.interval_s) + pass_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFluorescence(_Read):
    """Fluorescence of all wells, from above.

    Args:
        gain: of the detector, in the instrument's own units.
        cycles: readings of the whole plate; more than one is a kinetic measurement.
        interval_s: from the start of one cycle to the start of the next; the reader's own pace when it can't keep it.
    """

    verb: ClassVar[str] = "fluorescence"

    excitation_nm: float
    emission_nm: float
    gain: float

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        found = list(_Read.problems(self, bench))
        if self.emission_nm <= self.excitation_nm:
            found.append(
                f"Light of {self.emission_nm:g} nm is not emitted by what is excited at {self.excitation_nm:g} nm."
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAbsorbance(_Read):
    """Absorbance of all wells; cycles as in :class:`ReadFluorescence`."""

    verb: ClassVar[str] = "absorbance"

    wavelength_nm: float
