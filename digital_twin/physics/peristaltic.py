"""What a peristaltic pump delivers.

Rollers carry closed pockets of tube along; what a turn gives follows from the tube, and changes as the tube is worn: makers
state some 10 % over its life (Cole-Parmer, tubing selection guides, quoted from memory) and ask for a calibration now and
then. Where a run ends between two rollers, it is a part of a pocket more or less: the flow stands still while a roller lets
go (Klespitz and Kovacs, "Peristaltic pumps: a review on working and control possibilities", SAMI 2014).
"""

from __future__ import annotations

import numpy as np

__all__ = ["peristaltic_bias", "rolled_ul"]

_WEAR = 0.02
"""Standard deviation of what a tube gives a turn against its calibration some days old; a choice, within what is stated."""

_REPEATABILITY = 0.002
_ROLLERS = 3
"""Of the usual head (Masterflex L/S Standard); 0.002 is a choice."""

_PART_OF_POCKET = 0.15
"""Spread of what the last pocket gives, as a share of it; a choice."""


def peristaltic_bias(*, rng: np.random.Generator) -> float:
    """Share by which a tube gives more or less than it was calibrated to; drawn once for it, at most three deviations."""
    return float(np.clip(rng.normal(0.0, _WEAR), -3.0 * _WEAR, 3.0 * _WEAR))


def rolled_ul(*, volume_ul: float, per_turn_ul: float, bias: float, rng: np.random.Generator) -> float:
    """Volume that leaves the tube when the pump counts ``volume_ul``, never negative.

    Args:
        per_turn_ul: by calibration.
        bias: of :func:`peristaltic_bias`.
        rng: one normal deviate is drawn.
    """
    spread_ul = float(np.hypot(_REPEATABILITY * volume_ul, _PART_OF_POCKET * per_turn_ul / _ROLLERS))
    return max(0.0, volume_ul * (1.0 + bias) + float(rng.normal(0.0, spread_ul)))
