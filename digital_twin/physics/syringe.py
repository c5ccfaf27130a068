"""What a syringe pump delivers.

New Era states a dispensing accuracy of +/- 1 % for its NE-1000 series (data sheet, quoted from memory). Nearly all of it
is the syringe: its inside diameter is not quite the one that the pump was told, which is the same at every stroke. The screw
repeats far better.
"""

from __future__ import annotations

import numpy as np

__all__ = ["infused_ul", "syringe_bias"]

_ACCURACY = 0.01
_REPEATABILITY = 0.001
_PLAY_UL = 0.05
"""Of the screw's play and the drop that stays at the tube's end, whatever the volume: a choice."""


def syringe_bias(*, rng: np.random.Generator) -> float:
    """Share by which one syringe gives more or less than the pump counts; drawn once for it, within the stated accuracy."""
    return float(np.clip(rng.normal(0.0, 0.5 * _ACCURACY), -_ACCURACY, _ACCURACY))


def infused_ul(*, volume_ul: float, bias: float, rng: np.random.Generator) -> float:
    """Volume that leaves the tube when the pump counts ``volume_ul``, never negative.

    Args:
        bias: of :func:`syringe_bias`.
        rng: one normal deviate is drawn.
    """
    spread_ul = float(np.hypot(_REPEATABILITY * volume_ul, _PLAY_UL))
    return max(0.0, volume_ul * (1.0 + bias) + float(rng.normal(0.0, spread_ul)))
