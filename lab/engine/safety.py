"""Bringing instruments to their safe state: side by side, each within a bound, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from lab.recovery import SAFE_BOUND_S

__all__ = ["make_safe", "side_by_side", "told"]


async def make_safe(devices: Mapping[str, Any], *, bound_s: float = SAFE_BOUND_S) -> dict[str, str]:
    """Tell every device its safe state.

    Args:
        devices: by role.
        bound_s: lab time that they have.

    Returns:
        Role -> why it did not get there; empty when all did.
    """
    outcomes: dict[str, str] = {}
    await side_by_side({role: device.safe() for role, device in devices.items()}, bound_s, outcomes)
    late = f"it did not say within {bound_s:.0f} s that it is in its safe state."
    unsafe = {role: outcomes.get(role, late) for role in devices}
    return {
        role: why if why.startswith(f"{role}: ") else f"{role}: {why}" for role, why in unsafe.items() if why
    }


async def side_by_side(
    work: Mapping[str, Coroutine[Any, Any, object]], bound_s: float, outcomes: dict[str, str]
) -> None:
    """Do several things at once, and wait no longer than ``bound_s`` of lab time for all of them.

    Args:
        outcomes: filled as each ends: its name -> why it failed, empty where it did not; what is late is not in it.
    """

    async def one(name: str, coroutine: Coroutine[Any, Any, object]) -> None:
        try:
            await coroutine
        except Exception as error:  # noqa: BLE001  Told; the others go on.
            outcomes[name] = told(error)
        else:
            outcomes[name] = ""

    tasks = [asyncio.ensure_future(one(name, coroutine)) for name, coroutine in work.items()]
    if tasks:
        # No timeout around each: what hangs may not even let itself be cancelled.
        _, late = await asyncio.wait(tasks, timeout=bound_s)
        for task in late:
            task.cancel()


def told(error: BaseException) -> str:
    """An error with what was noted beside it."""
    return " ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", ())])
