"""The shaking incubator of any vendor: its verb, its limits, and in which order things happen."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ophyd_async.core import SignalR

from devices.declarative import LineDevice
from devices.fence import mark
from devices.incubator.commands import Incubate
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, TemperatureNotReached
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["ShakingIncubator", "Shown"]

ROOM_C = 22.0
ROOM_BAND_C = 3.0
"""Within so much of the room's temperature a plate on an adapter is as well off as anywhere on the bench."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an incubator shows of what it is at.

    Args:
        heating: whether its heater is on.
        adapter_c: temperature of the adapter.
        clamped: whether the clamp is locked.
    """

    heating: bool
    adapter_c: float
    clamped: bool


class ShakingIncubator(LineDevice):
    """A shaker with a heated adapter and a clamp for the plate.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c``, ``shaking_rpm``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits]
    """What the vendor allows: ``temperature_c``, ``shaking_rpm``, ``hold_s``."""

    temperature_c: SignalR[float]
    """Of the adapter."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        allowed = narrowed(self.maker_limits, limits)
        self._shown: Shown | None = None
        self.incubate = Verb(
            self._carry_out,
            command=Incubate,
            limits=allowed,
            estimate=self._incubate_s,
            objections=self._objections,
            reconcile=self._reconcile,
        )

    async def look(self) -> None:
        """Keep what heater, adapter and clamp show: the first that is seen after a command was broken off.

        Raises:
            DeviceFault: it does not answer.
        """
        if self._shown is None:
            self._shown = await self._show()

    async def _carry_out(self, command: Incubate) -> JsonValue:
        """Clamp, warm, shake, let go. Whatever goes wrong on the way, heater and motor are off."""
        self._shown = None
        try:
            await mark("clamp")
            await self._clamp()
            await mark("warm")
            await self._reach(command.temperature_c)
            if command.shaking_rpm is None:
                await mark("still")
                await asyncio.sleep(command.hold_s)
            else:
                await self._prepare_to_shake(command.shaking_rpm)
                await mark("shake")
                await self._shake(command.hold_s)
            held_c = await self.temperature_c.get_value(cached=False)
            await mark("off", held_c=held_c)
            await self._off()
            await mark("release", held_c=held_c)
            await self._release()
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"held_c": held_c}

    async def _reconcile(self, command: Incubate, marks: Sequence[Mark]) -> Reconciliation:
        """What the plate has seen, by the last mark and by what :meth:`look` found before the safe state covered it up.

        =============  ================================================================================================
        none, clamp    not done: the plate was held fast at most
        warm           the adapter keeps a plate warm for as long as nobody stops it, and what is in it reacts. Not done if
                       that was no warming: the adapter is near room temperature, and either should be, or its heater is
                       off with the clamp still locked, which the safe state would have opened, so it was never turned on.
                       Else nobody knows how long it was warm
        shake, still   nobody knows: shaking ends by itself, and at its end looks as if it had never begun. Still running, it
                       was a part; so too when nothing but this program measured the time
        off            the incubation was over. Done if the heater is off, or warmed to no more than room temperature; if it
                       is on, nobody knows for how long it went on warming
        release        done, once the clamp is open, which the safe state brings about. If it is not, no well is in doubt,
                       but no arm can take the plate
        =============  ================================================================================================
        """
        last = marks[-1].name if marks else ""
        if last in ("", "clamp"):
            return Reconciliation(
                answer=Answer.NOT_DONE,
                sentence="Warming and shaking had not begun; the plate was clamped at most.",
            )
        if last in ("shake", "still"):
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="How much of the incubation the plate has seen is not known."
            )
        await self.look()
        assert self._shown is not None
        shown, cool = self._shown, abs(command.temperature_c - ROOM_C) <= ROOM_BAND_C
        if last == "warm":
            at_room = abs(shown.adapter_c - ROOM_C) <= ROOM_BAND_C
            if at_room and (cool or (shown.clamped and not shown.heating)):
                return Reconciliation(
                    answer=Answer.NOT_DONE,
                    sentence="Shaking had not begun, and the adapter is at room temperature.",
                )
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="The plate was being warmed; for how long is not known."
            )
        if last == "off" and shown.heating and not cool:
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The incubation was over, but the heater is on; for how long the plate stayed warm is not known.",
            )
        if await self._is_clamped():
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The incubation is over, but the clamp is shut; no arm can take the plate.",
                doubtful=(),
            )
        return _held(marks[-1])

    def _objections(self, command: Incubate, bench: Bench | None) -> Sequence[str]:
        """What this make can't do of a command, one sentence each."""
        return ()

    @abstractmethod
    def _incubate_s(self, command: Incubate, bench: Bench | None) -> float:
        """Expected lab time of a command."""

    @abstractmethod
    async def _show(self) -> Shown:
        """Heater, adapter and clamp."""

    @abstractmethod
    async def _is_clamped(self) -> bool:
        """Whether the plate is held fast now."""

    @abstractmethod
    async def _clamp(self) -> None:
        """Hold the plate fast."""

    @abstractmethod
    async def _release(self) -> None:
        """Let the plate go, at the home position, so that an arm can take it."""

    @abstractmethod
    async def _reach(self, temperature_c: float) -> None:
        """Bring the adapter to a temperature and wait until it is there."""

    async def _wait_until_there(
        self,
        temperature_c: float,
        *,
        close_c: float,
        warming_c_per_s: float,
        cooling_c_per_s: float,
        poll_s: float,
    ) -> None:
        """Wait until the adapter has come to a temperature.

        Args:
            temperature_c: that it was told.
            close_c: what it may be off by.
            warming_c_per_s: how fast it warms.
            cooling_c_per_s: how fast it cools.
            poll_s: least time between two questions.

        Raises:
            TemperatureNotReached: it comes no nearer.
        """

        async def left_s() -> float:
            gap_c = temperature_c - await self.temperature_c.get_value(cached=False)
            if abs(gap_c) <= close_c:
                return 0.0
            return gap_c / warming_c_per_s if gap_c > 0.0 else -gap_c / cooling_c_per_s

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the adapter does not come to {temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=poll_s, stuck=stuck)

    @abstractmethod
    async def _prepare_to_shake(self, speed_rpm: float) -> None:
        """Set how it will shake; nothing moves yet."""

    @abstractmethod
    async def _shake(self, duration_s: float) -> None:
        """Shake for a time and wait until the plate stands still at home."""

    @abstractmethod
    async def _off(self) -> None:
        """Heater and motor off, at once."""


def _held(last: Mark) -> Reconciliation:
    """Done, with what the adapter measured at the end, as a mark has it."""
    assert isinstance(last.details, dict), "marks of what follows an incubation say how warm it was"
    return Reconciliation(
        answer=Answer.DONE,
        sentence="The incubation was over, its heater off, and the plate is free.",
        result={"held_c": last.details["held_c"]},
    )
