"""What a pump with a tube can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from devices.tube import GiveThroughTube

__all__ = ["Deliver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver(GiveThroughTube):
    """Pump a volume, by the pump's calibration; the rest as of :class:`GiveThroughTube`.

    Args:
        source: vessel that the tube begins in; labware of one well.
    """

    verb: ClassVar[str] = "deliver"
    vessel_is: ClassVar[str] = "vessel of one opening"

    source: str

    @property
    def vessel(self) -> str:
        """Where the tube begins."""
        return self.source
