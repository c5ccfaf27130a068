"""What the errors of PyLabRobot's liquid handlers mean for a recovery policy.

A machine with channels answers for each channel; what the worst of them says is the fault. Hamilton's codes and what they
stand for: PyLabRobot 0.2.2, ``STAR_backend.py``, which cites the firmware's documents. An arm of Tecan's answers for all
its channels with one code (``tecan/errors.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pylabrobot.liquid_handling.backends.hamilton import STAR_backend as hamilton
from pylabrobot.liquid_handling.backends.tecan.errors import TecanError
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.resources.errors import HasTipError, NoTipError, TooLittleLiquidError

from lab.errors import (
    CloggedTip,
    DeviceFault,
    FailedAspirate,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    LostTip,
    ShortVolume,
)

__all__ = ["channels_of", "fault_of"]

FaultClass = type[DeviceFault]

_KINDS: Mapping[type[Exception], FaultClass] = {
    NoTipError: LostTip,
    HasTipError: LostTip,
    TooLittleLiquidError: FailedAspirate,
    hamilton.HamiltonNoTipError: LostTip,
    hamilton.TipAlreadyFittedError: LostTip,
    hamilton.ClotDetectedError: CloggedTip,
    hamilton.TipTooLittleVolumeError: FailedAspirate,
    hamilton.AspirationError: FailedAspirate,
    hamilton.LiquidLevelError: FailedAspirate,
    hamilton.UnexpectedLLDError: FailedAspirate,
    hamilton.NotAspiratedError: ShortVolume,
    hamilton.ImproperDispensationError: ShortVolume,
    hamilton.TADMMeasurementError: ShortVolume,
    hamilton.AntiDropControlError: ShortVolume,
    hamilton.CoverCloseError: LidFault,
    hamilton.StopError: LidFault,
}
"""A hood that is open, or was opened, stops a STAR."""

_TRACES: Mapping[int, FaultClass] = {
    40: InstrumentBusy,
    **dict.fromkeys((70, 71, 73, 80, 87, 88), FailedAspirate),
    **dict.fromkeys((75, 76, 77, 78), LostTip),
    81: CloggedTip,
    **dict.fromkeys((82, 83), ShortVolume),
}
"""Trace information of a STAR's pipetting channel, which says more than the code above it."""

_MASTER_BUSY = frozenset(range(40, 54)) - {47}
"""Trace information of the master: what should work is at another task. 47 is a sensor that fails."""

_TECAN: Mapping[int, FaultClass] = {
    **dict.fromkeys((8, 15), InstrumentBusy),
    **dict.fromkeys((9, 11, 12), FailedAspirate),
    **dict.fromkeys((18, 19), CloggedTip),
    **dict.fromkeys((25, 26, 27), LostTip),
    22: LidFault,
}
"""Codes of the liquid handling arm of an EVO: command overflow, no liquid, clot, tips; a tip guard in the wrong position."""

_WORST_FIRST: tuple[FaultClass, ...] = (
    LidFault,
    LostTip,
    CloggedTip,
    ShortVolume,
    FailedAspirate,
    InstrumentError,
    InstrumentBusy,
)
"""Where channels fail in different ways. A lid or a tip stands in the way of all; a clog or a short volume leaves more in
doubt than a tip that drew nothing. Busy, which promises that nothing was done, only where all are.
"""


_OF_ONE_CHANNEL = frozenset({LostTip, CloggedTip, ShortVolume, FailedAspirate})


def channels_of(error: BaseException | None) -> frozenset[int] | None:
    """Channels (from 0) that failed, the others having done their part; None where any may have failed.

    A channel that finds no liquid, a clot or no tip reports it and leaves the others at their work, which is how PyLabRobot
    keeps its accounts too. A drive that is blocked stops them all, whichever of them reports it.
    """
    if not isinstance(error, ChannelizedError) or not error.errors:
        return None
    by_itself = all(_kind(one) in _OF_ONE_CHANNEL for one in error.errors.values())
    return frozenset(error.errors) if by_itself else None


def fault_of(error: Exception, otherwise: FaultClass) -> DeviceFault:
    """The fault that an error stands for, saying for each channel what it says.

    Args:
        otherwise: what it is a case of when it says no more than that the machine failed.
    """
    if isinstance(error, ChannelizedError):
        said = [f"channel {channel + 1}: {_words(one)}" for channel, one in sorted(error.errors.items())]
        return _worst(error.errors.values(), otherwise)(f"{'; '.join(said)}.")
    if isinstance(error, hamilton.STARFirmwareError):
        said = [f"{module}: {_words(one)}" for module, one in sorted(error.errors.items())]
        return _worst(error.errors.values(), otherwise)(f"{'; '.join(said) or error.raw_response}.")
    if isinstance(error, TecanError):
        return _worst([error], otherwise)(f"{error.module}: {error.message} ({error.error_code}).")
    return _worst([error], otherwise)(f"{type(error).__name__}: {error}")


def _worst(errors: Iterable[Exception], otherwise: FaultClass) -> FaultClass:
    kinds = {_kind(error) or otherwise for error in errors}
    return next((kind for kind in _WORST_FIRST if kind in kinds), otherwise)


def _kind(error: Exception) -> FaultClass | None:
    """None for an error that says no more than that the machine failed."""
    if isinstance(error, TecanError):
        return _TECAN.get(error.error_code)
    known = next((kind for cause, kind in _KINDS.items() if isinstance(error, cause)), None)
    if not isinstance(error, hamilton.STARModuleError):
        return known
    trace = error.trace_information
    if error.raw_module == "C0" and trace in _MASTER_BUSY:
        return InstrumentBusy
    traced = _TRACES.get(trace) if error.raw_module.startswith("P") else None
    return traced or known or InstrumentError


def _words(error: Exception) -> str:
    """What an error says; PyLabRobot's own are often empty, and Hamilton's keep their text in a field."""
    said = error.message if isinstance(error, hamilton.STARModuleError) else str(error)
    return said or type(error).__name__
