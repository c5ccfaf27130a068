"""What a syringe pump can be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue
from lab.bench import Bench
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["SYRINGE_WELL", "Dispense"]

SYRINGE_WELL = "A1"
"""A syringe is labware of one well."""

HANDLING_S = 2.0
"""Setting the pump; a first estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispense(CommandValue):
    """Push a volume out of the syringe, through its tube, into a well or vessel.

    Args:
        syringe: in the pump; labware of one well (a trough on the bench as believed).
        labware: under the end of the tube.
        well: of it.
        volume_ul: to give.
        rate_ul_per_min: at which.
    """

    verb: ClassVar[str] = "dispense"

    syringe: str
    labware: str
    well: str
    volume_ul: float
    rate_ul_per_min: float

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.syringe, self.labware)

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """From the syringe into the well."""
        return (((self.syringe, SYRINGE_WELL), (self.labware, self.well), self.volume_ul),)

    @property
    def touches(self) -> tuple[Place, ...]:
        """The well alone: a syringe that gave an unknown volume still holds what it held."""
        return ((self.labware, self.well),)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        syringe, target = bench.labware.get(self.syringe), bench.labware.get(self.labware)
        missing = [
            f"There is no {name} on this bench."
            for name, item in ((self.syringe, syringe), (self.labware, target))
            if item is None
        ]
        if syringe is None or target is None:
            return missing
        if self.volume_ul <= 0.0 or self.rate_ul_per_min <= 0.0:
            return [f"{self.volume_ul:g} uL at {self.rate_ul_per_min:g} uL/min make no sense."]
        found = []
        if tuple(syringe.wells) != (SYRINGE_WELL,):
            found.append(f"{self.syringe} is no syringe: it has {len(syringe.wells)} wells.")
        elif syringe.wells[SYRINGE_WELL].volume_ul < self.volume_ul:
            found.append(
                f"{self.syringe} holds {syringe.wells[SYRINGE_WELL].volume_ul:g} uL, not {self.volume_ul:g} uL."
            )
        if self.well not in target.wells:
            found.append(f"{self.labware} has no well {self.well}.")
        else:
            held = target.wells[self.well]
            if held.volume_ul + held.unknown_ul + self.volume_ul > target.type.max_volume_ul:
                found.append(f"{self.well} of {self.labware} can't take {self.volume_ul:g} uL more.")
        if target.lid is not None:
            found.append(f"The lid {target.lid} on {self.labware} is in the way of the tube.")
        return found

    def believe(self, bench: Bench) -> None:
        """The volume is in the well."""
        self._move(bench, self.volume_ul)

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        """What the pump counted before it stopped."""
        if part is not None:
            self._move(bench, min(self.volume_ul, part["given_ul"]))

    def _move(self, bench: Bench, volume_ul: float) -> None:
        parts = bench.draw(self.syringe, SYRINGE_WELL, volume_ul)
        bench.fill(self.labware, self.well, parts)

    def duration_s(self, bench: Bench) -> float:
        """Volume over rate."""
        if self.rate_ul_per_min <= 0.0:
            return HANDLING_S
        return HANDLING_S + self.volume_ul / self.rate_ul_per_min * 60.0
