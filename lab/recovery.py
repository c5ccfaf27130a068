"""What to do about a fault: a pure function of its kind and of how often the step was tried.

A campaign file may write another ladder for any kind of fault::

    policies:
      recovery:
        failed_aspirate: [retry_new_tip, skip_sample]
        unknown_outcome: redo_batch
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from lab.errors import FaultKind

__all__ = [
    "AFTER_UNKNOWN",
    "DEFAULT_LADDERS",
    "SAFE_BOUND_S",
    "WATCHDOG_FACTOR",
    "WATCHDOG_FLOOR_S",
    "Ladder",
    "Recovery",
    "RecoveryPolicy",
    "time_limit_s",
]

WATCHDOG_FACTOR = 3.0
"""A command may take this many times its expected duration ..."""

WATCHDOG_FLOOR_S = 120.0
"""... and this many seconds of lab time more, before it counts as late."""

SAFE_BOUND_S = 30.0
"""A device that has not reached its safe state after so much lab time is reported as not safe, and nobody waits longer."""


def time_limit_s(
    expected_s: float, *, factor: float = WATCHDOG_FACTOR, floor_s: float = WATCHDOG_FLOOR_S
) -> float:
    """Lab time after which a command that should take ``expected_s`` counts as late."""
    return factor * expected_s + floor_s


class Recovery(StrEnum):
    """What is done about a fault."""

    RETRY = "retry"
    """The same command again."""
    RETRY_NEW_TIP = "retry_new_tip"
    """The same command again with fresh tips; every try of a pipetting command takes fresh ones."""
    SKIP_SAMPLE = "skip_sample"
    """Go on without the samples that the command touches: they are barred, and their results do not count."""
    REDO_BATCH = "redo_batch"
    """Give the run up and do its batch again on fresh material."""
    HOLD = "hold"
    """Wait for a person."""
    ABORT = "abort"
    """Give the campaign up; its devices go to their safe state."""


Ladder = tuple[Recovery, ...]
"""What to do after the first try, the second, and so on; the last entry holds from there, and past a retry one holds."""

AFTER_UNKNOWN = (Recovery.SKIP_SAMPLE, Recovery.REDO_BATCH, Recovery.HOLD, Recovery.ABORT)
"""What can be done about a step of which nobody knows whether it was done: anything but do it again."""

_AGAIN = (Recovery.RETRY, Recovery.RETRY_NEW_TIP)

DEFAULT_LADDERS: Mapping[FaultKind, Ladder] = MappingProxyType(
    {
        FaultKind.FAILED_ASPIRATE: (Recovery.RETRY_NEW_TIP, Recovery.RETRY_NEW_TIP, Recovery.SKIP_SAMPLE),
        FaultKind.SHORT_VOLUME: (Recovery.SKIP_SAMPLE,),
        FaultKind.CLOG: (Recovery.RETRY_NEW_TIP, Recovery.SKIP_SAMPLE),
        FaultKind.LOST_TIP: (Recovery.RETRY_NEW_TIP, Recovery.RETRY_NEW_TIP, Recovery.HOLD),
        FaultKind.LID: (Recovery.RETRY, Recovery.HOLD),
        FaultKind.GRIP: (Recovery.RETRY, Recovery.HOLD),
        FaultKind.SATURATED: (Recovery.SKIP_SAMPLE,),
        FaultKind.TEMPERATURE: (Recovery.RETRY, Recovery.HOLD),
        FaultKind.CONNECTION_LOST: (Recovery.RETRY, Recovery.RETRY, Recovery.HOLD),
        FaultKind.TIMEOUT: (Recovery.RETRY, Recovery.HOLD),
        FaultKind.NONSENSE_REPLY: (Recovery.RETRY, Recovery.RETRY, Recovery.HOLD),
        FaultKind.BUSY: (Recovery.RETRY, Recovery.RETRY, Recovery.RETRY, Recovery.HOLD),
        FaultKind.INSTRUMENT_ERROR: (Recovery.RETRY, Recovery.HOLD),
        FaultKind.OUT_OF_RANGE: (Recovery.HOLD,),
        FaultKind.UNKNOWN_OUTCOME: (Recovery.HOLD,),
    }
)
"""Where a campaign file says nothing. A retry is only ever of a step of which certainly nothing was done, whatever the
fault; where that is not certain, the ladder of ``unknown_outcome`` holds in place of the fault's own.
"""


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """A campaign's ladders over the default ones.

    Args:
        ladders: those that the campaign file writes.
    """

    ladders: Mapping[FaultKind, Ladder] = field(default_factory=dict)

    def __call__(self, fault: FaultKind, attempt: int) -> Recovery:
        """What to do after the ``attempt``-th try (from 1) ended with a fault."""
        ladder = self.ladders.get(fault) or DEFAULT_LADDERS[fault]
        if attempt <= len(ladder):
            return ladder[attempt - 1]
        return Recovery.HOLD if ladder[-1] in _AGAIN else ladder[-1]
