"""Whose commands a device obeys, and how far a command has got.

A verb works under an engagement: the fencing token of the lease it was sent under, and a place to mark its progress. Every
line to an instrument, and every part of a longer command, is held against the device's fence first, so that a program whose
lease has run out can't go on moving what is another's by now. (Kleppmann, "How to do distributed locking", 2016.)
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from lab.errors import StaleLease
from lab.interfaces import Marker
from lab.types import JsonValue

__all__ = ["Engagement", "Fence", "check_lease", "engaged", "mark", "step_under_way"]


class Fence:
    """The newest lease that a device has seen.

    Attributes:
        token: of that lease; 0 before the first.
    """

    def __init__(self) -> None:
        self.token = 0

    def admit(self, token: int) -> None:
        """Obey a lease, and no older one from here on.

        Raises:
            StaleLease: a newer one was seen.
        """
        self.check(token)
        self.token = token

    def check(self, token: int) -> None:
        """Refuse a lease that is no longer the newest.

        Raises:
            StaleLease: a newer one was seen.
        """
        if token < self.token:
            raise StaleLease(
                f"the lease {token} has run out; the device is leased under {self.token}. Nothing was sent."
            )


@dataclass(slots=True)
class Engagement:
    """What a command under way works under.

    Attributes:
        step: key of its step in the journal, the same for each try of it; empty in a script at a bench.
        marked: whether a part of it was marked, and so may have been done.
    """

    token: int
    fence: Fence
    marker: Marker
    step: str = ""
    marked: bool = False


engaged: ContextVar[Engagement | None] = ContextVar("engaged", default=None)
"""Of the command that this task carries out; None in what belongs to no command (connecting, a safe state)."""


def check_lease() -> None:
    """Refuse to go on with a command whose lease has run out. Harmless where no command is under way.

    Raises:
        StaleLease: before anything is sent.
    """
    engagement = engaged.get()
    if engagement is not None:
        engagement.fence.check(engagement.token)


def step_under_way() -> str:
    """Key of the step in the journal that this task carries out; empty where it is none of a run."""
    engagement = engaged.get()
    return "" if engagement is None else engagement.step


async def mark(name: str, **details: JsonValue) -> None:
    """Put on record which part of a command is sent next; on disk when this returns. Nothing where no command is under way.

    Args:
        name: of the part (``draw``, ``give``, ``hold``).
        details: what ``reconcile`` needs to know of it.

    Raises:
        StaleLease: the lease has run out; nothing more may be sent.
    """
    engagement = engaged.get()
    if engagement is not None:
        engagement.fence.check(engagement.token)
        engagement.marked = True
        await engagement.marker(name, details)
