"""The thermocycler of any vendor: its verbs, its limits, and in which order things happen when a plate is
heated.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ophyd_async.core import SignalR

from devices.declarative import LineDevice
from devices.fence import mark
from devices.thermocycler.commands import CloseLid, Heat, OpenLid
from devices.transport import Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["Shown", "Thermocycler"]

ROOM_C = 22.0
ROOM_BAND_C = 3.0
"""Within so much of the room's temperature a block is one that nobody heated."""

ARRIVED_C = 1.0
"""Closeness at which a block counts as being where it was told to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a cycler shows of what it is at.

    Args:
        target_c: of the block; None when it was told nothing, or was turned off since.
        block_c: of the block.
        lid_target_c: of the lid's heater; None likewise.
    """

    target_c: float | None
    block_c: float
    lid_target_c: float | None


class Thermocycler(LineDevice):
    """A cycler with a heated, motorised lid.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c`` (block, also where it cools to),
            ``lid_temperature_c``, ``hold_s``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: ClassVar[Limits]
    """What the vendor allows: ``temperature_c``, ``cool_to_c``, ``lid_temperature_c``, ``hold_s``."""

    temperature_c: SignalR[float]
    """Of the block."""

    lid_temperature_c: SignalR[float]
    """Of the heated lid."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport)
        allowed = narrowed(self.maker_limits, limits, also={"temperature_c": ("cool_to_c",)})
        self._shown: Shown | None = None
        self.heat = Verb(
            self._carry_out_heat,
            command=Heat,
            limits=allowed,
            estimate=self._heat_s,
            reconcile=self._reconcile_heat,
        )
        self.open_lid = Verb(
            self._carry_out_open, command=OpenLid, estimate=self._lid_s, reconcile=self._reconcile_open
        )
        self.close_lid = Verb(
            self._carry_out_close, command=CloseLid, estimate=self._lid_s, reconcile=self._reconcile_close
        )

    async def look(self) -> None:
        """Keep what block and lid were told and where the block is: the first that is seen after a command was broken off.

        Raises:
            DeviceFault: it does not answer.
        """
        if self._shown is None:
            self._shown = await self._show()

    def _has_cooled(self, temperature_c: float) -> None:
        """The block was left to cool on the way to the safe state, and has arrived."""
        if self._shown is not None and self._shown.target_c == temperature_c:
            self._shown = replace(self._shown, block_c=temperature_c)

    async def _carry_out_open(self, command: OpenLid) -> JsonValue:
        await mark("open_lid")
        await self._open()
        return None

    async def _carry_out_close(self, command: CloseLid) -> JsonValue:
        await mark("close_lid")
        await self._close()
        return None

    async def _carry_out_heat(self, command: Heat) -> JsonValue:
        """Lid, ramp, hold, cool, off. Whatever goes wrong on the way, no heater stays on."""
        self._shown = None
        try:
            await mark("close_lid")
            await self._close()
            await mark("heat_lid")
            await self._heat_lid(command.lid_temperature_c)
            await mark("hold")
            held_c = await self._hold(command.temperature_c, command.hold_s)
            await mark("cool", held_c=held_c)
            await self._cool(command.cool_to_c)
            await mark("off", held_c=held_c)
            await self._off()
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"held_c": held_c}

    async def _reconcile_open(self, command: OpenLid, marks: Sequence[Mark]) -> Reconciliation:
        return await self._reconcile_lid(marks, wanted_open=True)

    async def _reconcile_close(self, command: CloseLid, marks: Sequence[Mark]) -> Reconciliation:
        return await self._reconcile_lid(marks, wanted_open=False)

    async def _reconcile_lid(self, marks: Sequence[Mark], *, wanted_open: bool) -> Reconciliation:
        """Where the lid is now. A lid in between, or nobody knows where, is told again: that harms nothing."""
        if marks and await self._lid_is_open() is wanted_open:
            return Reconciliation(
                answer=Answer.DONE, sentence=f"The lid is {'open' if wanted_open else 'closed'}."
            )
        return Reconciliation(answer=Answer.NOT_DONE, sentence="The lid is not where it was told to go.")

    async def _reconcile_heat(self, command: Heat, marks: Sequence[Mark]) -> Reconciliation:
        """What the plate has seen, by the last mark and by what :meth:`look` found before the safe state covered it up.

        ==========================  ===================================================================================
        none, close_lid, heat_lid   not done: the block was told nothing; a warm lid over a plate changes it no more the
                                    second time than the first
        hold                        not done only if the block has no target and is at room temperature while the lid's
                                    heater still has its own: one command turns both off, and so does a power cut, so
                                    the block's target was never set. Else nobody knows how much of the hold there was
        cool                        done if the block shows the target to cool to, which is set at the end of the hold,
                                    and has come down to it. With another target, or none, the plate stayed hot for
                                    nobody knows how long; and turned off on its way down it cools slowly
        off                         done: the block was down before this was marked
        ==========================  ===================================================================================
        """
        last = marks[-1].name if marks else ""
        if last in ("", "close_lid", "heat_lid"):
            return Reconciliation(
                answer=Answer.NOT_DONE, sentence="The block was not told to heat the plate yet."
            )
        if last == "off":
            return _held(marks[-1], "The block had cooled down before it was to be turned off.")
        await self.look()
        assert self._shown is not None
        shown = self._shown
        if last == "cool":
            told = shown.target_c is not None and abs(shown.target_c - command.cool_to_c) < 0.01
            if told and abs(shown.block_c - command.cool_to_c) <= ARRIVED_C:
                return _held(
                    marks[-1], "The hold was over, and the block was told to cool and has come down."
                )
            return Reconciliation(
                answer=Answer.UNKNOWN,
                sentence="The hold was over, but how long the plate stayed hot after it is not known.",
            )
        untouched = shown.target_c is None and shown.lid_target_c is not None
        if untouched and abs(shown.block_c - ROOM_C) <= ROOM_BAND_C:
            return Reconciliation(
                answer=Answer.NOT_DONE,
                sentence="The lid's heater is on, but the block was never told a temperature and is at the room's.",
            )
        return Reconciliation(
            answer=Answer.UNKNOWN, sentence="How much of the hold the plate has seen is not known."
        )

    @abstractmethod
    def _heat_s(self, command: Heat, bench: Bench | None) -> float:
        """Expected lab time of a heat command."""

    @abstractmethod
    def _lid_s(self, command: OpenLid | CloseLid, bench: Bench | None) -> float:
        """Expected lab time of a movement of the lid."""

    @abstractmethod
    async def _show(self) -> Shown:
        """What block and lid were told, and where the block is."""

    @abstractmethod
    async def _lid_is_open(self) -> bool | None:
        """Whether the lid is open; None when it is neither open nor closed."""

    @abstractmethod
    async def _open(self) -> None:
        """Open the lid and wait until it is open."""

    @abstractmethod
    async def _close(self) -> None:
        """Close the lid and wait until it is closed."""

    @abstractmethod
    async def _heat_lid(self, temperature_c: float) -> None:
        """Heat the lid and wait until it is hot."""

    @abstractmethod
    async def _hold(self, temperature_c: float, hold_s: float) -> float:
        """Bring the block to a temperature and hold it there; gives back what it measured at the end of the
        hold.
        """

    @abstractmethod
    async def _cool(self, temperature_c: float) -> None:
        """Bring the block down to a temperature and wait until it is there."""

    @abstractmethod
    async def _off(self) -> None:
        """Block and lid heaters off, at once."""


def _held(last: Mark, sentence: str) -> Reconciliation:
    """Done, with what the block measured at the end of the hold, as a mark has it."""
    assert isinstance(last.details, dict), "marks of what follows a hold say how warm it was"
    return Reconciliation(answer=Answer.DONE, sentence=sentence, result={"held_c": last.details["held_c"]})
