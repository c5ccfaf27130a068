"""Every instrument of a workcell file to its safe state, with no program at work: ``drywet safe``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.app.benches import belief_of, build_devices
from lab.app.stopping import DeviceStop, in_time, reach_safe_states
from lab.clock import LabClock
from lab.engine.safety import side_by_side
from lab.files import load_workcell
from lab.recovery import SAFE_BOUND_S

__all__ = ["CONNECT_S", "bring_to_safety", "let_go", "twin_or_name"]

CONNECT_S = 60.0
"""Wall time that an instrument has to answer; some initialise themselves when they are connected to."""


def twin_or_name(path: Path) -> tuple[bool, str]:
    """Whether a workcell file describes a twin, and the workcell's name.

    Raises:
        CampaignFileError: the file is wrong.
    """
    spec = load_workcell(path)
    return spec.twin, spec.name


def bring_to_safety(path: Path) -> tuple[DeviceStop, ...]:
    """Connect to each real instrument of a workcell file and bring it to its safe state, side by side.

    Each has :data:`CONNECT_S` to answer and then :data:`lab.recovery.SAFE_BOUND_S`; what one does keeps no other waiting
    longer than that.

    Raises:
        CampaignFileError: the file is wrong.
    """
    spec = load_workcell(path)
    real = {role: device for role, device in spec.devices.items() if not device.twin}
    devices = build_devices(replace(spec, devices=real), belief_of(spec, ()), None)
    outcomes: dict[str, str] = {}
    with LabClock(virtual=False) as clock:
        connecting = {role: device.connect() for role, device in devices.items()}
        late = in_time(clock, side_by_side(connecting, CONNECT_S, outcomes), CONNECT_S)
        silent = late or f"it did not answer within {CONNECT_S:.0f} s."
        failed = {role: why for role in devices if (why := outcomes.get(role, silent))}
        connected = {role: device for role, device in devices.items() if role not in failed}
        reached = {one.device: one for one in reach_safe_states(clock, connected)}
        in_time(clock, let_go(connected), SAFE_BOUND_S)
    return tuple(
        reached.get(role) or DeviceStop(device=role, error=f"not connected: {failed[role]}")
        for role in devices
    )


async def let_go(devices: Any) -> None:
    """Whoever does not let go is let go of when the program ends, a moment later."""
    await asyncio.gather(*[device.disconnect() for device in devices.values()], return_exceptions=True)
