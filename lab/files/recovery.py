"""The campaign file's `policies.recovery`: for each kind of fault one word, or a list of what to do try by try."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from lab.errors import FaultKind
from lab.recovery import AFTER_UNKNOWN, Recovery, RecoveryPolicy
from lab.strict import StrictModel, did_you_mean, refuse

__all__ = ["RecoveryFields"]

_LONGEST = 10
"""Tries of one step before somebody should look at the instrument."""

_AGAIN = (Recovery.RETRY, Recovery.RETRY_NEW_TIP)


def _ladder(written: Any) -> Any:
    """One word or a list of words, as recoveries; no value, and fields, are refused as what they are."""
    if written is None or isinstance(written, Mapping):
        return written
    words = written if isinstance(written, tuple) else (written,)
    if not 1 <= len(words) <= _LONGEST:
        raise refuse(
            f"A recovery takes one to {_LONGEST} entries, not {len(words)}.",
            "Write one for each try, such as [retry, hold]; the last one holds from there.",
        )
    known = [recovery.value for recovery in Recovery]
    for word in words:
        if word not in known:
            raise refuse(f"There is no recovery {word!r}.", did_you_mean(str(word), known))
    return tuple(Recovery(word) for word in words)


def _without_retry(ladder: tuple[Recovery, ...]) -> tuple[Recovery, ...]:
    for step in ladder:
        if step in _AGAIN:
            raise refuse(
                f"{step.value} does not help here: the same command would meet the same fault again.",
                f"Choose from: {', '.join(r.value for r in Recovery if r not in _AGAIN)}.",
            )
    return ladder


def _after_unknown(ladder: tuple[Recovery, ...]) -> tuple[Recovery, ...]:
    for step in ladder:
        if step not in AFTER_UNKNOWN:
            raise refuse(
                f"{step.value} could do twice what may have been done already.",
                f"Choose from: {', '.join(r.value for r in AFTER_UNKNOWN)}.",
            )
    return ladder


_Ladder = Annotated[tuple[Recovery, ...], BeforeValidator(_ladder)]
_NoRetry = Annotated[tuple[Recovery, ...], BeforeValidator(_ladder), AfterValidator(_without_retry)]
_AfterUnknown = Annotated[tuple[Recovery, ...], BeforeValidator(_ladder), AfterValidator(_after_unknown)]


class RecoveryFields(StrictModel):
    """One field for each :class:`~lab.errors.FaultKind`; an empty one leaves its default ladder.

    A value past a limit and a reading past the detector's range come out the same when asked for again, so those take no
    retry; neither does a step of which nobody knows whether it was done.
    """

    failed_aspirate: _Ladder = ()
    short_volume: _Ladder = ()
    clog: _Ladder = ()
    lost_tip: _Ladder = ()
    lid: _Ladder = ()
    grip: _Ladder = ()
    saturated: _NoRetry = ()
    temperature: _Ladder = ()
    connection_lost: _Ladder = ()
    timeout: _Ladder = ()
    nonsense_reply: _Ladder = ()
    busy: _Ladder = ()
    instrument_error: _Ladder = ()
    out_of_range: _NoRetry = ()
    unknown_outcome: _AfterUnknown = ()

    @property
    def policy(self) -> RecoveryPolicy:
        """The ladders that are written, over the default ones."""
        written = {kind: getattr(self, kind.value) for kind in FaultKind}
        return RecoveryPolicy(ladders={kind: ladder for kind, ladder in written.items() if ladder})
