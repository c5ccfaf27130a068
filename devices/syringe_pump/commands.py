"""What a syringe pump can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from devices.tube import GiveThroughTube

__all__ = ["Dispense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispense(GiveThroughTube):
    """Push a volume out of the syringe; the rest as of :class:`GiveThroughTube`.

    Args:
        syringe: in the pump; labware of one well (a trough on the bench as believed).
    """

    verb: ClassVar[str] = "dispense"
    vessel_is: ClassVar[str] = "syringe"

    syringe: str

    @property
    def vessel(self) -> str:
        """The syringe."""
        return self.syringe
