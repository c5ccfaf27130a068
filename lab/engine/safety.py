"""Bringing instruments to their safe state: side by side, each within a bound, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lab.errors import DrywetError
from lab.recovery import SAFE_BOUND_S

__all__ = ["make_safe"]


async def make_safe(devices: Mapping[str, Any], *, bound_s: float = SAFE_BOUND_S) -> dict[str, str]:
    """Tell every device its safe state.

    Args:
        devices: by role.
        bound_s: lab time that each of them has.

    Returns:
        Role -> why it did not get there; empty when all did.
    """
    outcomes = await asyncio.gather(*[_one(device, bound_s) for device in devices.values()])
    return {role: why for role, why in zip(devices, outcomes, strict=True) if why}


async def _one(device: Any, bound_s: float) -> str:
    try:
        async with asyncio.timeout(bound_s):
            await device.safe()
    except TimeoutError:
        return f"{device.name} did not reach its safe state within {bound_s:.0f} s."
    except DrywetError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  A bug in one driver must not keep the others from their safe state.
        return f"{device.name}: {type(error).__name__}: {error}"
    return ""
