"""How long a pipetting robot takes, for planning. A twin works it out from where things stand instead.

Figures of an eight-channel Hamilton STAR in ordinary use, rounded; on hardware they are estimates.
"""

from __future__ import annotations

__all__ = [
    "AIR_S",
    "ASPIRATE_S",
    "DISPENSE_S",
    "DROP_S",
    "FLOW_UL_PER_S",
    "PICK_UP_S",
    "mixing_s",
    "moving_s",
]

PICK_UP_S = 7.0
"""Fetch tips from a rack, however many at once."""

DROP_S = 6.0
"""Throw tips into the waste."""

ASPIRATE_S = 4.0
"""Travel, go down, settle, leave the liquid; without the drawing itself."""

DISPENSE_S = 3.0
"""The same for a dispense."""

AIR_S = 1.0
"""Taking transport air and blowing out."""

FLOW_UL_PER_S = 100.0
"""Speed of drawing and giving: of water in PyLabRobot's liquid classes of the STAR (100 and 120 ul/s)."""


def moving_s(volume_ul: float) -> float:
    """Time the liquid itself takes."""
    return volume_ul / FLOW_UL_PER_S


def mixing_s(volume_ul: float, cycles: int) -> float:
    """Time for drawing up and giving back, some times."""
    return 2.0 * cycles * moving_s(volume_ul)
