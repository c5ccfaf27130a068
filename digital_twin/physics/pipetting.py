"""What an air-displacement channel really delivers.

Two errors, as ISO 8655-1 and ISO 23783 define them: a systematic one (bias, the same at each stroke of a channel until
it is recalibrated) and a random one (coefficient of variation, new at each stroke). Their limits by tip and volume
follow what Hamilton states for the 1000 uL CO-RE channel of the Microlab STAR, quoted from memory of its brochure and
not verified against it here. They bracket ISO 8655-2, whose limits for a 100 uL single-channel pipette are 0.8 % and
0.3 % at nominal volume (Gilson's guide to pipetting), doubled for multichannel instruments. Those of the 20 uL tip are what
Opentrons states for its P20 GEN2, quoted likewise; those of the 200 uL tip are the 300 uL tip's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "TIP_VOLUMES_UL",
    "PipettingLimits",
    "carry_over_volume_ul",
    "channel_calibration",
    "delivered_volume_ul",
    "pipetting_limits",
]

FloatArray = npt.NDArray[np.float64]

_LIMITS: dict[int, tuple[tuple[float, float, float], ...]] = {
    # tip, uL: (volume in uL, bias limit in %, CV limit in %)
    10: ((0.5, 10.0, 6.0), (1.0, 5.0, 4.0), (5.0, 2.5, 1.5), (10.0, 1.5, 1.0)),
    20: ((1.0, 15.0, 5.0), (10.0, 2.0, 1.0), (20.0, 1.5, 0.8)),
    50: ((0.5, 10.0, 6.0), (1.0, 5.0, 4.0), (5.0, 2.5, 1.5), (50.0, 2.0, 0.75)),
    200: ((10.0, 5.0, 2.0), (50.0, 2.0, 0.75), (200.0, 1.0, 0.75)),
    300: ((10.0, 5.0, 2.0), (50.0, 2.0, 0.75), (200.0, 1.0, 0.75), (300.0, 1.0, 0.75)),
    1000: ((10.0, 7.5, 3.5), (100.0, 2.0, 0.75), (1000.0, 1.0, 0.75)),
}
TIP_VOLUMES_UL = tuple(_LIMITS)

_RANDOM_SHARE = 0.6
"""Random error of a serviced channel as a share of its limit: limits are what a maker warrants, not what it sees.
A choice."""
_BIAS_SPREAD = 0.5
"""Standard deviation of the channels' bias, in limits: 19 of 20 channels then lie within the limit unforced."""
_FILM_SHARE = 1e-3
_FILM_UL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PipettingLimits:
    """Largest permitted errors at one volume, as fractions of it."""

    bias_fraction: float
    cv_fraction: float


def pipetting_limits(*, volume_ul: float, tip_volume_ul: int) -> PipettingLimits:
    """Limits for a volume in a tip, log-log between the stated volumes.

    Below the smallest stated volume the absolute error stays what it is there, so the relative one grows as 1/volume.

    Args:
        volume_ul: asked for.
        tip_volume_ul: 10, 20, 50, 200, 300 or 1000.

    Raises:
        ValueError: no such tip, or a volume that is not above 0 and within the tip.
    """
    if tip_volume_ul not in _LIMITS:
        raise ValueError(f"no limits are known for a {tip_volume_ul} uL tip, only for {TIP_VOLUMES_UL}")
    if not 0.0 < volume_ul <= tip_volume_ul:
        raise ValueError(f"{volume_ul} uL does not fit a {tip_volume_ul} uL tip")
    table = np.array(_LIMITS[tip_volume_ul])
    stretch = max(1.0, table[0, 0] / volume_ul)
    position = np.log(volume_ul)
    bias, cv = (float(np.exp(np.interp(position, np.log(table[:, 0]), np.log(table[:, k])))) for k in (1, 2))
    return PipettingLimits(bias_fraction=bias * stretch / 100.0, cv_fraction=cv * stretch / 100.0)


def channel_calibration(*, rng: np.random.Generator, channels: int = 8) -> FloatArray:
    """Each channel's own bias in units of the limit, -1 to 1: drawn once for an instrument and then kept."""
    drawn: FloatArray = np.clip(rng.normal(0.0, _BIAS_SPREAD, size=channels), -1.0, 1.0)
    return drawn


def delivered_volume_ul(
    *, volume_ul: float, tip_volume_ul: int, channel_calibration: float, rng: np.random.Generator
) -> float:
    """Volume that one stroke delivers, uL, never negative.

    Args:
        volume_ul: asked for.
        tip_volume_ul: 10, 20, 50, 200, 300 or 1000.
        channel_calibration: this channel's entry of :func:`channel_calibration`, -1 to 1.
        rng: one normal deviate is drawn from it.
    """
    limits = pipetting_limits(volume_ul=volume_ul, tip_volume_ul=tip_volume_ul)
    random = rng.normal(0.0, _RANDOM_SHARE * limits.cv_fraction)
    return max(0.0, volume_ul * (1.0 + channel_calibration * limits.bias_fraction + random))


def carry_over_volume_ul(*, dispensed_volume_ul: float) -> float:
    """Liquid left as a film in a tip after it has been emptied; goes with the tip to wherever it is next used.

    0.1 % of the volume handled and at least 0.02 uL: a choice within the 0.05 to 0.5 % usual for aqueous buffer in
    polypropylene after blow-out. A fresh tip carries nothing.
    """
    if dispensed_volume_ul <= 0.0:
        return 0.0
    return min(dispensed_volume_ul, max(_FILM_UL, _FILM_SHARE * dispensed_volume_ul))
