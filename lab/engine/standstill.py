"""A lane that stands still for a while, and one whose command was ended in its midst."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lab.clock import LabClock
from lab.recovery import SAFE_BOUND_S

__all__ = ["Breaking", "Pause"]


class Pause:
    """Whether a lane may begin its next step, as somebody in another thread wishes.

    Args:
        clock: whose loop the lane works on.
    """

    def __init__(self, clock: LabClock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()
        self._reason: str | None = None
        self._at_rest = False

    @property
    def reason(self) -> str | None:
        """Why the lane is to stand still; None while it may go on."""
        return self._reason

    @property
    def at_rest(self) -> bool:
        """Whether it does stand still, between two steps."""
        return self._at_rest

    def ask(self, reason: str) -> None:
        """Stand still before the next step. Any thread; safe to repeat."""
        self._reason = self._reason or reason

    def end(self) -> None:
        """Go on. Any thread; safe to repeat."""
        self._reason = None
        self.look_again()

    def look_again(self) -> None:
        """Have a lane that stands still see whether it may go on by now, or has to stop. Any thread."""
        self._clock.soon(self._woken.set)

    async def over(self, stopping: Callable[[], str | None]) -> None:
        """Stand still for as long as that is wanted, or until the lane is to stop. On the loop."""
        try:
            while self._reason is not None and stopping() is None:
                self._woken.clear()
                self._at_rest = True
                await self._woken.wait()
        finally:
            self._at_rest = False

    async def lull(self, for_s: float, stopping: Callable[[], str | None]) -> None:
        """Let so much lab time go by, or less where the lane is to stop. On the loop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                while stopping() is None:
                    self._woken.clear()
                    await self._woken.wait()


@dataclass(slots=True, kw_only=True)
class Breaking:
    """A command that was told to end in its midst, and who waits for whom.

    Args:
        device: its role in the workcell.
        action: name of its verb.
        status: of the command; its ``task`` ends when the command has cleaned up after itself.
        seen: the lane has looked at the device, which may be changed now.
        made_safe: whoever broke the command off has brought the device to its safe state, or given up.
    """

    device: str
    action: str
    status: Any
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    made_safe: asyncio.Event = field(default_factory=asyncio.Event)

    async def cleared_up(self) -> None:
        """The command has ended and its device was looked at."""
        await asyncio.wait([self.status.task])
        await self.seen.wait()

    async def wait_until_safe(self) -> None:
        """Say that the device has been looked at, and let it be changed before it is asked what came of the command."""
        self.seen.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(SAFE_BOUND_S):
                await self.made_safe.wait()

    @property
    def error(self) -> str:
        """With which the command ended, and what its clean-up met; empty where it was done all the same."""
        if not self.status.done:
            return "It has not ended yet."
        error = self.status.exception()
        if error is None:
            return ""
        return " ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
