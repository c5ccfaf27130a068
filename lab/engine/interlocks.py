"""Whether the bench allows a command now: signals are read, the states of the lab looked up. Unknown blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.clock import LabClock
from lab.errors import BadInput
from lab.files.lab_states import read_states
from lab.interfaces import Command
from lab.interlocks import Interlock, Need

__all__ = ["READ_S", "InterlockKeeper", "Standing"]

READ_S = 30.0
"""Lab time that an instrument has to show what an interlock needs to know."""

log = logging.getLogger("drywet.interlocks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one need of one rule stands.

    Args:
        verbs: patterns of what it keeps from being sent.
        need: in words.
        unmet: why it is not met, empty where it is; None where nobody was asked.
    """

    verbs: tuple[str, ...]
    need: str
    because: str
    unmet: str | None


class InterlockKeeper:
    """Holds commands against the interlocks of a workcell. Loop thread only.

    Args:
        rules: of the workcell file.
        states: the file in which the states of the lab are kept; None where the workcell has none.
        devices: role -> device, whose signals are read.
        clock: of the bench; held while the file is read.
    """

    def __init__(
        self, rules: Sequence[Interlock], states: Path | None, devices: Mapping[str, Any], clock: LabClock
    ) -> None:
        self._rules = tuple(rules)
        self._states = states
        self._devices = devices
        self._clock = clock

    async def objections(self, device: str, command: Command) -> tuple[str, ...]:
        """Why a command must not be sent now, one sentence each; empty where nothing stands against it."""
        arguments = command.to_json()
        rules = [rule for rule in self._rules if rule.concerns(device, command.verb, arguments)]
        if not rules:
            return ()
        states: Mapping[str, object] = {}
        path = self._states
        if path is not None and any(not need.device for rule in rules for need in rule.needs):
            try:
                states = await self._clock.outside("the states of the lab", lambda: read_states(path))
            except BadInput as unreadable:
                return (
                    f"The states of the lab can't be read, which blocks everything that asks for one: {unreadable}",
                )
        found = []
        for rule in rules:
            for need in rule.needs:
                why = await self._unmet(need, states)
                if why:
                    because = f", because {rule.because}" if rule.because else ""
                    found.append(
                        f"{device} may {command.verb} only while {need.of} is {need.wanted}{because}; {why}."
                    )
        return tuple(dict.fromkeys(found))

    async def standing(self, leave_alone: Collection[str] = ()) -> tuple[Standing, ...]:
        """How every rule stands now, for whoever looks at the bench.

        Args:
            leave_alone: devices that are not asked for it, as somebody works with them.
        """
        found = []
        states: Mapping[str, object] = {}
        path = self._states
        if path is not None and self._rules:
            try:
                states = await self._clock.outside("the states of the lab", lambda: read_states(path))
            except BadInput as unreadable:
                log.warning("The states of the lab can't be read: %s", unreadable)
        for rule in self._rules:
            for need in rule.needs:
                asked = need.device not in leave_alone
                found.append(
                    Standing(
                        verbs=rule.verbs,
                        need=f"{need.of} is {need.wanted}",
                        because=rule.because,
                        unmet=await self._unmet(need, states) if asked else None,
                    )
                )
        return tuple(found)

    async def _unmet(self, need: Need, states: Mapping[str, object]) -> str:
        """Why a need is not met; empty when it is."""
        if not need.device:
            if need.signal not in states:
                return f"nobody has said what {need.signal} is"
            value = states[need.signal]
        else:
            try:
                value = await self._shown(need)
            except Exception as error:  # noqa: BLE001  Whatever keeps a signal from being read, what it shows is not known.
                why = str(error) or type(error).__name__
                log.warning("%s can't be read: %s", need.of, why)
                return f"it can't be read ({why})"
        return "" if need.met_by(value) else f"it is {value}"

    async def _shown(self, need: Need) -> object:
        signal: Any = self._devices[need.device]
        for name in need.signal.split("."):
            signal = getattr(signal, name)
        async with asyncio.timeout(READ_S):
            shown = await signal.read(cached=False)
        ((_, reading),) = shown.items()
        value: object = reading["value"]
        return value
