"""Rules that hold for every test."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

# A run engine imports ophyd, which else starts the threads of an EPICS library that is installed.
os.environ.setdefault("OPHYD_CONTROL_LAYER", "dummy")

GRACE_S = 2.0
"""Wall time for threads and tasks that were told to end to do so."""


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or an asyncio task behind. What wider fixtures started is theirs to end."""
    yield from see_to_the_end()


def see_to_the_end() -> Iterator[None]:
    """The same for a wider fixture, where tests of a module share a service that has threads of its own."""
    threads, tasks = set(threading.enumerate()), _unfinished_tasks()
    yield
    deadline = time.monotonic() + GRACE_S
    while (_new_threads(threads) or _unfinished_tasks() - tasks) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = [f"thread {thread.name}" for thread in _new_threads(threads)]
    left += [f"task {task!r}" for task in _unfinished_tasks() - tasks]
    if left:
        pytest.fail("left running: " + "; ".join(sorted(left)), pytrace=False)


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before]


def _unfinished_tasks() -> set[asyncio.Task[Any]]:
    """Tasks of every loop. ``asyncio.all_tasks`` knows one loop only, so this looks where it looks."""
    registry = getattr(asyncio.tasks, "_all_tasks", None)  # up to Python 3.11
    if registry is None:
        registry = asyncio.tasks._scheduled_tasks  # from Python 3.12
    return {task for task in list(registry) if not task.done()}
