"""In what the pipetting robots of different makes differ, as far as a twin shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pylabrobot.liquid_handling.backends.tecan.errors import error_code_to_exception
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources import TecanTip, Tip

from digital_twin.faults import Repertoire
from digital_twin.instruments import star_faults
from digital_twin.instruments.star_faults import CLOT, NO_LIQUID, NO_TIP, STAR_FAULTS, TOO_LITTLE, Z_DRIVE
from lab.errors import FaultKind as K

__all__ = ["EVO", "EVO_FAULTS", "STAR", "HandlerMake"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerMake:
    """One make of pipetting robot.

    Args:
        repertoire: what can go wrong with it.
        report: what its backend raises for channel (from 0) -> mishap, by the names of
            :mod:`digital_twin.instruments.star_faults`.
        busy: what it raises while the machine is at something else.
        cannot: what it raises for what can't be done, from the reason and the channels it was asked of.
        fits: whether a tip fits its channels.
        travel_mm_per_s: of its X and Y drives in ordinary use.
    """

    repertoire: Repertoire
    report: Callable[[Mapping[int, str]], Exception]
    busy: Callable[[], Exception]
    cannot: Callable[[Exception, Iterable[int]], Exception]
    fits: Callable[[Tip], bool]
    travel_mm_per_s: float


STAR = HandlerMake(
    repertoire=STAR_FAULTS,
    report=star_faults.channel_errors,
    busy=star_faults.busy,
    cannot=lambda reason, channels: ChannelizedError(errors=dict.fromkeys(channels, reason)),
    fits=lambda tip: tip.maximal_volume <= 1250.0,
    travel_mm_per_s=500.0,
)
"""Hamilton Microlab STAR with channels of 1000 ul."""

_LIHA = "C5"

_EVO_CODES = {Z_DRIVE: 10, NO_TIP: 26, CLOT: 18, NO_LIQUID: 9, TOO_LITTLE: 11}
"""Codes of the arm's firmware, the gravest first (PyLabRobot 0.2.2, ``tecan/errors.py``)."""

_OVERFLOW = 8
"""The arm's controller has not ended its last command."""


def _of_the_arm(codes: Mapping[int, str]) -> Exception:
    """The arm answers for all its channels with one code, which does not say whose it is."""
    worst = next(code for code in _EVO_CODES if code in codes.values())
    return error_code_to_exception(_LIHA, _EVO_CODES[worst])


_SHORT = frozenset({K.SHORT_VOLUME})

EVO_FAULTS = Repertoire(
    parts={part: kinds - _SHORT for part, kinds in STAR_FAULTS.parts.items()},
    verbs={
        verb: {kind: part for kind, part in struck.items() if kind not in _SHORT}
        for verb, struck in STAR_FAULTS.verbs.items()
    },
)
"""As of a STAR, but that no sensor of an air displacement curve tells of short volumes."""

EVO = HandlerMake(
    repertoire=EVO_FAULTS,
    report=_of_the_arm,
    busy=lambda: error_code_to_exception(_LIHA, _OVERFLOW),
    cannot=lambda reason, channels: error_code_to_exception(_LIHA, 3),
    fits=lambda tip: isinstance(tip, TecanTip),
    travel_mm_per_s=400.0,
)
"""Tecan Freedom EVO, a liquid handling arm with eight channels for disposable tips. Its speed is a round figure: the X drive
reaches 400 mm/s in ordinary use."""
