"""A stop in the midst of a step: commands broken off, and every device told its safe state.

Needs the loop and the devices, and nothing else: not the store, not a planner, not the run engines. All devices side by
side, each within a bound, whatever the others do; what could not be done is told and kept, never passed over.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from lab.clock import LabClock
from lab.engine.safety import side_by_side, told
from lab.engine.standstill import Breaking
from lab.recovery import SAFE_BOUND_S
from lab.types import JsonValue

__all__ = ["BrokenOff", "DeviceStop", "StopReport", "in_time", "kept", "reach_safe_states"]

log = logging.getLogger("drywet.stop")

CLEAR_UP_S = 10.0
"""Of its bound, lab time that a device leaves to the command that was broken off, to clean up and to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStop:
    """How one device took a stop.

    Args:
        device: its role in the workcell.
        error: why its safe state is not certain; empty when it said that it is reached.
    """

    device: str
    error: str = ""

    @property
    def safe(self) -> bool:
        """Whether the device said that it is in its safe state."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenOff:
    """A command that was ended in its midst.

    Args:
        error: with which it ended, and what its own clean-up met; empty where it was done by then.
    """

    campaign: str
    device: str
    action: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReport:
    """What a stop in the midst of a step did.

    Args:
        campaigns: names of those that were stopped.
        broken_off: commands that were under way.
        devices: every device that was told to reach its safe state.
        errors: what else went wrong; none of it kept a device from its safe state.
    """

    reason: str
    campaigns: tuple[str, ...] = ()
    broken_off: tuple[BrokenOff, ...] = ()
    devices: tuple[DeviceStop, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether every device said that it is in its safe state."""
        return all(device.safe for device in self.devices)

    @property
    def sentence(self) -> str:
        """For a person."""
        broken = ", ".join(f"{one.action} on {one.device} of {one.campaign}" for one in self.broken_off)
        what = f"Broken off: {broken}." if broken else "No step was under way."
        unsafe = [one.device for one in self.devices if not one.safe]
        if unsafe:
            return f"{what} NOT known to be in the safe state: {', '.join(unsafe)}. Look at the bench."
        if not self.devices:
            return f"{what} No device was connected."
        count = len(self.devices)
        return f"{what} {'The device is' if count == 1 else f'All {count} devices are'} in the safe state."

    def to_json(self) -> dict[str, JsonValue]:
        """For the store, the log and the acknowledgement file."""
        return {**asdict(self), "safe": self.safe, "sentence": self.sentence}


def reach_safe_states(
    clock: LabClock,
    devices: Mapping[str, Any],
    *,
    break_off: Callable[[], Mapping[str, Breaking]] = dict,
    shared: Mapping[str, Any] = MappingProxyType({}),
    bound_s: float = SAFE_BOUND_S,
) -> tuple[DeviceStop, ...]:
    """Bring devices to their safe state, side by side; returns within ``bound_s`` of wall time, and a moment, in any case.

    Blocking, from any thread but the clock's. Lab time goes on for it, whatever holds it.

    Args:
        devices: role -> device, connected.
        break_off: called first, on the loop: ends the commands under way; role -> what was broken off on it.
        shared: role -> device that others use too: told its safe state only where a command was broken off on it.
        bound_s: of lab time for each device, and of wall time for all of them.
    """
    outcomes: dict[str, str] = {}
    concerned = dict(devices)

    async def everyone() -> None:
        broken = break_off()
        concerned.update({role: device for role, device in shared.items() if role in broken})
        work = {role: _one(device, broken.get(role)) for role, device in concerned.items()}
        await side_by_side(work, bound_s, outcomes)

    with clock.urgently():
        failure = in_time(clock, everyone(), bound_s)
    missing = failure or f"it did not say within {bound_s:.0f} s that it is in its safe state."
    outcome = tuple(DeviceStop(device=role, error=outcomes.get(role, missing)) for role in list(concerned))
    for one in outcome:
        if not one.safe:
            log.error("Safe state of %s: %s", one.device, one.error)
    return outcome


async def _one(device: Any, broken: Breaking | None) -> None:
    try:
        if broken is not None:
            # Its command may clean up, and its lane look at it, so that it can be asked later what came of the command.
            await _at_most(broken.cleared_up(), CLEAR_UP_S)
        await device.safe()
    finally:
        if broken is not None:
            broken.made_safe.set()


async def _at_most(work: Coroutine[Any, Any, None], limit_s: float) -> None:
    task = asyncio.ensure_future(work)
    _, late = await asyncio.wait([task], timeout=limit_s)
    for one in late:
        one.cancel()


def in_time(clock: LabClock, work: Coroutine[Any, Any, object], bound_s: float) -> str:
    """Do work on the loop, and wait for it no longer than ``bound_s`` of wall time.

    Returns:
        Why it was not done; empty when it was.
    """
    try:
        working = asyncio.run_coroutine_threadsafe(work, clock.loop)
    except RuntimeError:  # the loop is closed: whoever closed it has brought the devices to safety
        work.close()
        return "the program had let go of its devices."
    try:
        working.result(timeout=bound_s + 1.0)
    except concurrent.futures.TimeoutError:
        working.cancel()
        return f"the program's loop did not answer within {bound_s:.0f} s."
    except concurrent.futures.CancelledError:
        return "the program let go of its devices meanwhile."
    return ""


def kept(write: Callable[[], object], bound_s: float) -> str:
    """Write something down in a thread of its own, and wait for it no longer than ``bound_s``.

    Returns:
        Why it may not be written; empty when it is.
    """
    failure = [f"the store did not answer within {bound_s:.0f} s."]

    def work() -> None:
        try:
            write()
        except Exception as error:  # noqa: BLE001  A store that fails is told of, beside what it should have kept.
            failure[0] = told(error)
        else:
            failure[0] = ""

    thread = threading.Thread(target=work, name="keeping the stop", daemon=True)
    thread.start()
    thread.join(bound_s)
    return failure[0]
