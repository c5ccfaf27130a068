"""How a Hamilton STAR fails, as PyLabRobot's backend of it reports.

The firmware answers with a code and trace information for each channel, which PyLabRobot turns into exceptions; here its own
functions do it (PyLabRobot 0.2.2, ``STAR_backend.py``, which cites the firmware's documents). A machine that does not answer
is a ``TimeoutError`` of the backend, a lost cable an ``OSError``. Nonsense is not among its faults: an answer without a
readable number is put aside by PyLabRobot's reader, and what is seen above is a machine that does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import (
    STARFirmwareError,
    convert_star_firmware_error_to_plr_error,
    star_firmware_string_to_error,
)
from pylabrobot.liquid_handling.standard import SingleChannelAspiration, SingleChannelDispense

from digital_twin.faults import Repertoire, Request, Strike
from lab.errors import FaultKind as K

__all__ = [
    "CLOT",
    "NO_LIQUID",
    "NO_TIP",
    "STAR_FAULTS",
    "TOO_LITTLE",
    "Z_DRIVE",
    "aspirating",
    "busy",
    "channel_errors",
    "dispensing",
    "fetching",
    "struck_channel",
    "struck_share",
]

NO_LIQUID = "06/70"
"""No liquid level found."""

TOO_LITTLE = "20/82"
"""The pressure while drawing (TADM) was below the lower curve."""

CLOT = "04/81"
"""Clot detected: the pressure shows that nothing moves."""

NO_TIP = "08/75"
"""No tip picked up, or it fell off again."""

Z_DRIVE = "02/62"
"""Movement error of the Z drive."""

_PIPETTING_BUSY = "03/40"
"""Of the master: not carried out, the pipetting task is busy."""

_DRAWN_SHARE = (0.3, 0.8)
"""Of the volume asked for, what a short aspiration draws; a choice."""

_WIRE = frozenset({K.CONNECTION_LOST, K.TIMEOUT})
_ANY = _WIRE | {K.BUSY, K.INSTRUMENT_ERROR}
_GIVING = dict.fromkeys(_WIRE | {K.INSTRUMENT_ERROR, K.CLOG}, "dispense") | {
    K.BUSY: "pick_up",
    K.LOST_TIP: "aspirate",
    K.FAILED_ASPIRATE: "aspirate",
    K.SHORT_VOLUME: "aspirate",
}

STAR_FAULTS = Repertoire(
    parts={
        "pick_up": _ANY | {K.LOST_TIP},
        "aspirate": _ANY | {K.FAILED_ASPIRATE, K.SHORT_VOLUME, K.CLOG, K.LOST_TIP},
        "dispense": _ANY | {K.CLOG, K.LOST_TIP},
        "drop": _ANY,
    },
    verbs={
        "distribute": _GIVING,
        "add_reagent": _GIVING,
        "mix": dict.fromkeys(_WIRE | {K.INSTRUMENT_ERROR, K.CLOG, K.LOST_TIP}, "aspirate")
        | {K.BUSY: "pick_up"},
    },
)
"""A verb's wire and clog strike where it gives, its tips are lost before it has drawn, and the machine is busy when it
begins."""


def fetching(channels: Sequence[int]) -> Request:
    """A pick-up of tips. What for shows only in their number: ``distribute`` works with the first channel alone."""
    one = list(channels) == [0]
    return Request("pick_up", frozenset({"distribute"} if one else {"add_reagent", "mix"}))


def aspirating(ops: Sequence[SingleChannelAspiration], channels: Sequence[int]) -> Request:
    """An aspiration. One that draws nothing is for mixing; for the others the channels tell, as in :func:`fetching`."""
    if all(op.volume == 0.0 for op in ops):
        return Request("aspirate", frozenset({"mix"}))
    return Request("aspirate", frozenset({"distribute" if list(channels) == [0] else "add_reagent"}))


def dispensing(ops: Sequence[SingleChannelDispense], *, above: bool) -> Request:
    """A dispense: from above the wells reagents are added, in the liquid it is distributed."""
    return Request("dispense", frozenset({"add_reagent" if above else "distribute"}))


def struck_channel(strike: Strike, channels: Sequence[int]) -> int:
    """Which of the channels at work it is that fails."""
    return channels[int(strike.draw * len(channels))]


def struck_share(strike: Strike, channels: Sequence[int]) -> float:
    """Which share of its stroke the failing channel draws."""
    low, high = _DRAWN_SHARE
    return (
        0.0 if strike.kind is K.FAILED_ASPIRATE else low + (high - low) * (strike.draw * len(channels) % 1.0)
    )


def channel_errors(codes: Mapping[int, str]) -> Exception:
    """What PyLabRobot raises when channels (from 0) report these codes."""
    modules = {f"P{channel + 1}": code for channel, code in sorted(codes.items())}
    error = _firmware_error({"C0": "99/00", **modules})
    return convert_star_firmware_error_to_plr_error(error) or error


def busy() -> Exception:
    """What PyLabRobot raises when the machine is at another pipetting command."""
    return _firmware_error({"C0": _PIPETTING_BUSY})


def _firmware_error(codes: Mapping[str, str]) -> STARFirmwareError:
    said = " ".join(f"er{code}" if module == "C0" else f"{module}{code}" for module, code in codes.items())
    return star_firmware_string_to_error(dict(codes), raw_response=f"C0{said}")
