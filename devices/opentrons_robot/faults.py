"""What an Opentrons robot's errors mean for a recovery policy.

A robot says no in two ways: it refuses a request (an HTTP status and a list of errors), or a command that it took ends as
``failed`` with one error, which may wrap others. Types and codes: ``ErrorOccurrence`` of the robot's OpenAPI document and
``errors.json`` of Opentrons' shared data (version 9.0.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import (
    CloggedTip,
    CommandTimeout,
    DeviceFault,
    FailedAspirate,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    LostTip,
    ShortVolume,
    TemperatureNotReached,
)

__all__ = ["Refused", "fault_of", "refusal"]

_BY_TYPE: Mapping[str, type[DeviceFault]] = {
    "tipPhysicallyMissing": LostTip,
    "tipPhysicallyAttached": LostTip,
    "overpressure": CloggedTip,
    "liquidNotFound": FailedAspirate,
    "RobotDoorOpenError": LidFault,
    "ThermocyclerNotOpenError": LidFault,
    "HeaterShakerLabwareLatchNotOpenError": LidFault,
    "HeaterShakerLabwareLatchStatusUnknown": LidFault,
    "PipetteMovementRestrictedByHeaterShakerError": LidFault,
    "InvalidDispenseVolumeError": ShortVolume,
    "NoTargetTemperatureSetError": TemperatureNotReached,
}

_BY_CODE: Mapping[str, type[DeviceFault]] = {
    "1004": CommandTimeout,
    "2012": LostTip,
    "2017": FailedAspirate,
    "3003": LostTip,
    "3004": LostTip,
    "3005": LostTip,
    "3006": CloggedTip,
    "3012": LostTip,
    "4001": InstrumentBusy,
}

_BUSY = frozenset({"RunAlreadyActive", "RobotInUse", "LastAnalysisPending", "ServerInitializing"})
"""Refusals of a robot that is at something else, or not up yet."""


class Refused(InstrumentError):
    """The robot did not take a request. Nothing of it was done.

    Args:
        status: of HTTP.
        error_id: the robot's word for it (``RunNotFound``); empty where it gives none.
    """

    refused = True

    def __init__(self, message: str, *, status: int, error_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.error_id = error_id


def refusal(status: int, body: object, asked: str) -> DeviceFault:
    """The fault that an HTTP answer other than success stands for.

    A server error (5xx) leaves open what was done, but for 503, with which a robot says that it is not ready.
    """
    error_id, said = _first_error(body)
    sentence = f"the robot answered {asked} with {status}{f', {error_id}' if error_id else ''}: {said or 'no reason given'}"
    if error_id in _BUSY or status == 503:
        return InstrumentBusy(sentence)
    if status >= 500:
        return InstrumentError(sentence)
    return Refused(sentence, status=status, error_id=error_id)


def fault_of(error: Mapping[str, Any]) -> DeviceFault:
    """The fault that the error of a failed command stands for; the most telling of those that it wraps."""
    chain = list(_wrapped(error))
    kind = next((kind for kind in map(_kind, chain) if kind is not None), InstrumentError)
    said = "; ".join(dict.fromkeys(_words(one) for one in chain))
    return kind(said)


def _kind(error: Mapping[str, Any]) -> type[DeviceFault] | None:
    return _BY_TYPE.get(str(error.get("errorType"))) or _BY_CODE.get(str(error.get("errorCode")))


def _wrapped(error: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    yield error
    inner = error.get("wrappedErrors")
    if isinstance(inner, list) and depth < 8:
        for one in inner:
            if isinstance(one, Mapping):
                yield from _wrapped(one, depth + 1)


def _words(error: Mapping[str, Any]) -> str:
    return (
        f"{error.get('errorType', 'error')} ({error.get('errorCode', 'no code')}): {error.get('detail', '')}"
    )


def _first_error(body: object) -> tuple[str, str]:
    """Its id and what it says, in any of the three forms that robots use."""
    if not isinstance(body, Mapping):
        return "", ""
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], Mapping):
        return str(errors[0].get("id", "")), str(errors[0].get("detail", ""))
    if "message" in body:
        return "", str(body["message"])
    return "", str(body.get("detail", ""))
