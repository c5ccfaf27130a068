"""PyLabRobot's tip and volume tracking, on while a command runs.

PyLabRobot keeps these switches in module globals that are off by default. They are counted here, so that two handlers of
one process do not turn them off under each other, and put back as they were when the last command ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pylabrobot.resources import (
    does_tip_tracking,
    does_volume_tracking,
    set_tip_tracking,
    set_volume_tracking,
)

__all__ = ["tracking"]

_running: list[object] = []
_before: list[tuple[bool, bool]] = []


@contextmanager
def tracking() -> Iterator[None]:
    """Tip and volume tracking for the time of a command. On the loop's thread only."""
    me = object()
    if not _running:
        _before.append((does_tip_tracking(), does_volume_tracking()))
    _running.append(me)
    set_tip_tracking(True)
    set_volume_tracking(True)
    try:
        yield
    finally:
        _running.remove(me)
        if not _running:
            tips, volumes = _before.pop()
            set_tip_tracking(tips)
            set_volume_tracking(volumes)
