"""Liquid that goes from a vessel of one opening through a tube into a well: what pumps of all families are told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.command import CommandValue
from lab.bench import Bench
from lab.interfaces import Place
from lab.types import JsonValue

__all__ = ["HANDLING_S", "VESSEL_WELL", "GiveThroughTube"]

VESSEL_WELL = "A1"
"""A vessel of one opening (a syringe, a bottle) is labware of one well."""

HANDLING_S = 2.0
"""Setting a pump; a first estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveThroughTube(CommandValue):
    """Bring a volume out of a vessel, through a tube, into a well or vessel.

    Args:
        labware: under the end of the tube.
        well: of it.
        volume_ul: to give.
        rate_ul_per_min: at which.
    """

    vessel_is: ClassVar[str]
    """What the vessel has to be (``syringe``)."""

    labware: str
    well: str
    volume_ul: float
    rate_ul_per_min: float

    @property
    @abstractmethod
    def vessel(self) -> str:
        """Labware of one well that the liquid comes from."""

    @property
    def stands_here(self) -> tuple[str, ...]:
        """What must stand on the device."""
        return (self.vessel, self.labware)

    @property
    def transfers(self) -> tuple[tuple[Place, Place, float], ...]:
        """From the vessel into the well."""
        return (((self.vessel, VESSEL_WELL), (self.labware, self.well), self.volume_ul),)

    @property
    def touches(self) -> tuple[Place, ...]:
        """The well alone: a vessel that gave an unknown volume still holds what it held."""
        return ((self.labware, self.well),)

    def problems(self, bench: Bench) -> Sequence[str]:
        """Why this cannot be done."""
        vessel, target = bench.labware.get(self.vessel), bench.labware.get(self.labware)
        if vessel is None or target is None:
            missing = [name for name in (self.vessel, self.labware) if name not in bench.labware]
            return [f"There is no {name} on this bench." for name in missing]
        if self.volume_ul <= 0.0 or self.rate_ul_per_min <= 0.0:
            return [f"{self.volume_ul:g} uL at {self.rate_ul_per_min:g} uL/min make no sense."]
        found = []
        if tuple(vessel.wells) != (VESSEL_WELL,):
            found.append(f"{self.vessel} is no {self.vessel_is}: it has {len(vessel.wells)} wells.")
        elif (holds_ul := vessel.wells[VESSEL_WELL].volume_ul) < self.volume_ul:
            found.append(f"{self.vessel} holds {holds_ul:g} uL, not {self.volume_ul:g} uL.")
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
        bench.fill(self.labware, self.well, bench.draw(self.vessel, VESSEL_WELL, volume_ul))

    def duration_s(self, bench: Bench) -> float:
        """Volume over rate."""
        if self.rate_ul_per_min <= 0.0:
            return HANDLING_S
        return HANDLING_S + self.volume_ul / self.rate_ul_per_min * 60.0
