"""Every device of a bench to its safe state: side by side, each within a bound, whatever the others and the store do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from lab.clock import LabClock
from lab.types import JsonValue

__all__ = ["LOOK_S", "SAFE_BOUND_S", "Broken", "BrokenOff", "DeviceStop", "StopReport", "make_safe"]

log = logging.getLogger("drywet.stop")

SAFE_BOUND_S = 30.0
"""Lab time within which a device must say that it is in its safe state, and as much wall time for all of them together."""

LOOK_S = 5.0
"""Of these, lab time that a command has to clean up after itself, and again that its device has to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStop:
    """How one device took a stop.

    Args:
        device: its role in the workcell; with the bench before it where a stop concerns several.
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
    campaigns: tuple[str, ...]
    broken_off: tuple[BrokenOff, ...] = ()
    devices: tuple[DeviceStop, ...] = ()
    errors: tuple[str, ...] = field(default=())

    @property
    def safe(self) -> bool:
        """Whether every device said that it is in its safe state."""
        return all(device.safe for device in self.devices)

    @property
    def sentence(self) -> str:
        """For a person."""
        broken = [f"{one.action} on {one.device}" for one in self.broken_off]
        what = f"Broken off: {', '.join(broken)}. " if broken else "No step was under way. "
        unsafe = [one.device for one in self.devices if not one.safe]
        if unsafe:
            return f"{what}NOT known to be in its safe state: {', '.join(unsafe)}. Look at the bench."
        count = len(self.devices)
        if not count:
            return f"{what}No device was connected."
        return f"{what}{'The device is' if count == 1 else f'All {count} devices are'} in the safe state."

    def to_json(self) -> dict[str, JsonValue]:
        """For the store and the acknowledgement file."""
        return {**asdict(self), "safe": self.safe, "sentence": self.sentence}


class Broken(Protocol):
    """A command that was told to end, as its device's queue to safety sees it."""

    @property
    def task(self) -> asyncio.Task[Any]:
        """In which it is carried out."""
        ...


def make_safe(
    clock: LabClock,
    devices: Mapping[str, Any],
    *,
    ending: Mapping[str, Broken] | None = None,
    bound_s: float = SAFE_BOUND_S,
) -> tuple[DeviceStop, ...]:
    """Bring devices to their safe state, side by side; returns within ``bound_s`` of wall time (and a moment) in any case.

    Blocking, from any thread but the clock's. Lab time goes on for it whatever holds it.

    Args:
        devices: role -> device, connected.
        ending: role -> command that was broken off on this device; it may clean up first, and the device is looked at before
            it is changed, so that it can be asked later what came of the command.
        bound_s: of lab time, and of wall time.
    """
    waiting = dict(ending or {})
    reached: dict[str, DeviceStop] = {}

    async def one(role: str, device: Any) -> None:
        try:
            await _after(device, waiting.get(role))
            await device.safe()
        except Exception as error:  # noqa: BLE001  Told and kept; the other devices go on.
            reached[role] = DeviceStop(device=role, error=_told(error))
        else:
            reached[role] = DeviceStop(device=role)

    async def everyone() -> None:
        tasks = [asyncio.ensure_future(one(role, device)) for role, device in devices.items()]
        if not tasks:
            return
        # Not a timeout around each: what hangs may not even let itself be cancelled.
        _, late = await asyncio.wait(tasks, timeout=bound_s)
        for task in late:
            task.cancel()

    with clock.urgently():
        working = asyncio.run_coroutine_threadsafe(everyone(), clock.loop)
        try:
            working.result(timeout=bound_s)
        except concurrent.futures.TimeoutError:
            working.cancel()
        except concurrent.futures.CancelledError:
            log.warning("The clock was closed while devices were brought to their safe state.")
    missing = f"it did not say within {bound_s:.0f} s that it is in its safe state."
    outcome = tuple(reached.get(role, DeviceStop(device=role, error=missing)) for role in devices)
    for device in outcome:
        if not device.safe:
            log.error("Safe state of %s: %s", device.device, device.error)
    return outcome


async def _after(device: Any, broken: Broken | None) -> None:
    """Let a broken-off command clean up, and keep what its device shows then; neither may keep it from its safe state."""
    if broken is None:
        return
    await asyncio.wait([broken.task], timeout=LOOK_S)
    try:
        async with asyncio.timeout(LOOK_S):
            await device.look()
    except Exception as error:  # noqa: BLE001  Being safe matters more than knowing.
        log.warning("%s could not be looked at before its safe state: %s", device.name, _told(error))


def _told(error: BaseException) -> str:
    notes: Sequence[str] = getattr(error, "__notes__", ())
    return " ".join([str(error) or type(error).__name__, *notes])
