"""The climate chamber of any make: its verbs, its limits, and in which order things happen."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ophyd_async.core import SignalR

from devices.climate_chamber.commands import ROOM_C, CloseDoor, Keep, OpenDoor
from devices.declarative import LineDevice
from devices.fence import mark
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["ClimateChamber", "DooredChamber", "Shown"]

ROOM_BAND_C = 3.0
"""Within so much of the room's temperature a plate in a chamber is as well off as anywhere on the bench."""

JUST_ENDED_C = 3.0
"""A chamber that is off and within so much of what it kept was turned off moments ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a chamber shows of what it is at.

    Args:
        told_c: temperature that it is told to keep; None where its control is off, or where it does not show that.
        air_c: temperature in it.
        open: whether its door is open; None where it has none that it could tell of.
        tells: whether it shows what it is told.
        ran_out: whether a timer of its own has run to its end since it was last set; None without one.
    """

    told_c: float | None
    air_c: float
    open: bool | None = None
    tells: bool = True
    ran_out: bool | None = None


class ClimateChamber(LineDevice):
    """A chamber that keeps a plate at a climate.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c``, ``hold_s`` and what else the make has limits on.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits]
    """What the maker allows: ``temperature_c``, ``hold_s``; a part of the climate without a limit can't be controlled."""

    temperature_c: SignalR[float]
    """Of the air in the chamber."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        self._allowed = narrowed(self.maker_limits, limits)
        self._shown: Shown | None = None
        self._covered_up = False
        self._attended = False
        self._told = False
        self.keep = Verb(
            self._carry_out,
            command=Keep,
            limits=self._allowed,
            estimate=self._keep_s,
            objections=self._objections,
            reconcile=self._reconcile,
        )

    async def look(self) -> None:
        """Keep what chamber, door and timer show: the first that is seen after a command was broken off.

        Raises:
            DeviceFault: it does not answer.
        """
        if self._shown is None:
            self._shown = await self._show()

    async def safe(self) -> None:
        """All control off, and the door, where there is one, open.

        Raises:
            DeviceFault: the chamber does not do it; a person must look.
        """
        self._covered_up = self._covered_up or self._shown is None
        await self._off()

    def _objections(self, command: Keep, bench: Bench | None) -> Sequence[str]:
        asked = {"co2_percent": command.co2_percent, "humidity_percent": command.humidity_percent}
        return tuple(
            f"It can't control {field}."
            for field, value in asked.items()
            if value is not None and field not in self.maker_limits
        )

    async def _carry_out(self, command: Keep) -> JsonValue:
        """Shut, reach, keep, off, open. Whatever goes wrong on the way, no control stays on."""
        self._shown, self._covered_up = None, False
        self._attended, self._told = True, False
        try:
            await self._make_ready()
            await mark("reach")
            await self._reach(command)
            await mark("keep", **await self._before_holding(command))
            await self._hold(command)
            kept = await self._measured()
            await mark("off", kept=kept)
            await self._off()
            await self._make_free(kept)
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return kept

    async def _reconcile(self, command: Keep, marks: Sequence[Mark]) -> Reconciliation:
        """What the plate has seen, by the last mark and by what :meth:`look` found before the safe state covered it up.

        =================  ============================================================================================
        none, close_door   not done: the door was moved at most
        reach              not done if the chamber was certainly never told: it is at room temperature, and either should
                           be, or is told nothing of the command's while nobody has made it safe in between, and this is
                           the process that would have told it and had no answer. Another process can't tell that from a
                           power cut, after which it has cooled. Else nobody knows how long it was warm
        keep               done only if a timer of the chamber's own ran to its end and turned it off moments ago: it is
                           still near what it kept, or was kept at room temperature anyway. Else nobody knows
        off, open_door     the time was over. Done if the control is off and the plate did not lie in a shut chamber that
                           cools for nobody knows how long: the door was open, or the chamber is still near what it kept,
                           or that was room temperature
        =================  ============================================================================================

        Done needs a door that is open now, which the safe state brings about. If it is not, no well is in doubt, but no
        arm can take the plate.
        """
        last = marks[-1] if marks else None
        if last is None or last.name == "close_door":
            return Reconciliation(
                answer=Answer.NOT_DONE,
                sentence="The chamber was not told its climate; its door moved at most.",
            )
        await self.look()
        assert self._shown is not None
        shown, cool = self._shown, abs(command.temperature_c - ROOM_C) <= ROOM_BAND_C
        told = shown.told_c is not None and abs(shown.told_c - command.temperature_c) < 0.05
        if last.name == "reach":
            untold = shown.tells and not told and not self._covered_up and shown.open is not True
            untold = untold and self._attended and not self._told
            if abs(shown.air_c - ROOM_C) <= ROOM_BAND_C and (cool or untold):
                return Reconciliation(
                    answer=Answer.NOT_DONE,
                    sentence="The time had not begun, and the chamber is at room temperature.",
                )
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="The chamber was on its way; for how long is not known."
            )
        ended_now = shown.open is True or abs(shown.air_c - command.temperature_c) <= JUST_ENDED_C
        if (told or not shown.tells) and not cool:
            still = "still keeps" if told else "may still keep"
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence=f"The chamber {still} its climate; for how long is not known.",
            )
        if last.name == "keep" and not (shown.ran_out and _timer_was_set(last)):
            return Reconciliation(
                answer=Answer.UNKNOWN, sentence="How much of the time the plate has seen is not known."
            )
        if not (cool or ended_now):
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The time is over, but how long the plate lay in the cooling chamber is not known.",
            )
        if await self._is_shut():
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The time is over, but the door is not open; no arm can take the plate.",
                doubtful=(),
            )
        return Reconciliation(
            answer=Answer.DONE,
            sentence="The time was over, and the chamber is off.",
            result=_kept(last),
        )

    async def _make_ready(self) -> None:
        """What comes before the climate; nothing for a chamber without a door of its own."""

    async def _make_free(self, kept: JsonValue) -> None:
        """What comes after it."""

    async def _before_holding(self, command: Keep) -> dict[str, JsonValue]:
        """Set a timer, where there is one; gives back what ``reconcile`` needs to know of it."""
        return {}

    async def _hold(self, command: Keep) -> None:
        """Wait the time out; this program measures it."""
        await asyncio.sleep(command.hold_s)

    async def _is_shut(self) -> bool:
        """Whether no arm can reach the plate now."""
        return False

    async def _measured(self) -> dict[str, JsonValue]:
        """The climate now, as the journal keeps it at the end of the time."""
        return {"temperature_c": await self.temperature_c.get_value(cached=False)}

    @abstractmethod
    def _keep_s(self, command: Keep, bench: Bench | None) -> float:
        """Expected lab time of a command."""

    @abstractmethod
    async def _show(self) -> Shown:
        """What chamber, door and timer show."""

    @abstractmethod
    async def _reach(self, command: Keep) -> None:
        """Tell the chamber its climate, note that it was told once it has said so, and wait until it is there."""

    @abstractmethod
    async def _off(self) -> None:
        """All control off, at once."""


class DooredChamber(ClimateChamber):
    """A chamber with a door that it moves itself; arguments as of :class:`ClimateChamber`."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport, limits=limits)
        self.open_door = Verb(
            self._carry_out_open, command=OpenDoor, estimate=self._door_s, reconcile=self._reconcile_open
        )
        self.close_door = Verb(
            self._carry_out_close, command=CloseDoor, estimate=self._door_s, reconcile=self._reconcile_close
        )

    async def safe(self) -> None:
        """All control off, then the door open, so that an arm can take the plate.

        Raises:
            DeviceFault: the chamber does not do it; a person must look.
        """
        await super().safe()
        await self._move_door(open_=True)

    async def _make_ready(self) -> None:
        await mark("close_door")
        await self._move_door(open_=False)

    async def _make_free(self, kept: JsonValue) -> None:
        await mark("open_door", kept=kept)
        await self._move_door(open_=True)

    async def _carry_out_open(self, command: OpenDoor) -> JsonValue:
        await mark("open_door")
        await self._move_door(open_=True)
        return None

    async def _carry_out_close(self, command: CloseDoor) -> JsonValue:
        await mark("close_door")
        await self._move_door(open_=False)
        return None

    async def _reconcile_open(self, command: OpenDoor, marks: Sequence[Mark]) -> Reconciliation:
        return await self._reconcile_door(marks, open_=True)

    async def _reconcile_close(self, command: CloseDoor, marks: Sequence[Mark]) -> Reconciliation:
        return await self._reconcile_door(marks, open_=False)

    async def _reconcile_door(self, marks: Sequence[Mark], *, open_: bool) -> Reconciliation:
        """Where the door is now. A door in between is told again: that harms nothing."""
        if marks and await self._door_is_open() is open_:
            return Reconciliation(
                answer=Answer.DONE, sentence=f"The door is {'open' if open_ else 'closed'}."
            )
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The door is not where it was told to go.")

    async def _is_shut(self) -> bool:
        return await self._door_is_open() is not True

    @abstractmethod
    def _door_s(self, command: OpenDoor | CloseDoor, bench: Bench | None) -> float:
        """Expected lab time of a movement of the door."""

    @abstractmethod
    async def _door_is_open(self) -> bool | None:
        """Whether the door is open; None when it is neither open nor closed."""

    @abstractmethod
    async def _move_door(self, *, open_: bool) -> None:
        """Bring the door where it is wanted and wait until it is there; nothing where it is there already."""


def _timer_was_set(last: Mark) -> bool:
    """Whether the timer stood at its beginning before the time was started, so that its end is this command's."""
    return isinstance(last.details, dict) and last.details.get("timer_at_s") == 0.0


def _kept(last: Mark) -> JsonValue:
    """What was measured at the end of the time, as a mark has it; nothing where only the chamber saw it end."""
    assert isinstance(last.details, dict), "marks of a time and of what follows it say something of it"
    return last.details.get("kept", {"temperature_c": None})
