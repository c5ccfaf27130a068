"""The liquid handler of any vendor whose machine PyLabRobot can drive: its verbs, and what happens in which order.

Above the seam, which is PyLabRobot's backend class, everything is the same on a twin and on hardware: the deck, its
geometry, tips, trackers and checks of PyLabRobot's front end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ophyd_async.core import StandardReadableFormat as Format
from pylabrobot.liquid_handling import LiquidHandler
from pylabrobot.liquid_handling.backends import LiquidHandlerBackend
from pylabrobot.liquid_handling.errors import ChannelsDoNotFitError, NoChannelError
from pylabrobot.resources import Deck, ResourceHolder, Tip
from pylabrobot.resources.errors import HasTipError, NoTipError, TooLittleLiquidError, TooLittleVolumeError

from devices.fence import check_lease
from devices.labware import tip_of
from devices.liquid_handler.commands import AddReagent, Distribute, Mix, by_column
from devices.liquid_handler.deck import DeckMirror
from devices.liquid_handler.faults import channels_of, fault_of
from devices.liquid_handler.outcome import Failure, Pipetting, Trail, outcome_of
from devices.liquid_handler.tracking import tracking
from devices.liquid_handler.work import Work, stirring
from devices.machine import MachineDevice, MachineDriver
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentBusy, LostTip, StaleLease
from lab.interfaces import Reconciliation
from lab.types import JsonValue, Mark

C = TypeVar("C", Distribute, AddReagent, Mix)

__all__ = ["Handler", "PipettingDriver"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipettingDriver(MachineDriver):
    """What lies under a :class:`Handler`.

    Args:
        backend: of PyLabRobot.
        from_above: keyword arguments of the backend's ``dispense`` for so many channels that do not touch the liquid.
    """

    backend: LiquidHandlerBackend
    from_above: Callable[[int], Mapping[str, Any]] = lambda channels: {}


class Handler(MachineDevice):
    """An eight-channel pipetting robot.

    Args:
        name: of the device in the workcell; its positions are those of the bench that belong to it.
        driver: the machine, or its twin.
        deck: PyLabRobot's, with carriers.
        sites: position of the bench -> place on the deck.
        bench: the live one, from which tips and volumes are loaded before each command.
        limits: of the workcell file: ``volume_ul``.

    Raises:
        BadInput: a limit that this device does not have.
    """

    maker_limits: Limits = {"volume_ul": (0.5, 1000.0)}  # noqa: RUF012  (read only)

    def __init__(
        self,
        name: str,
        driver: PipettingDriver,
        *,
        deck: Deck,
        sites: Mapping[str, ResourceHolder],
        bench: Bench,
        limits: Limits | None = None,
    ) -> None:
        self._driver = driver
        self._front = LiquidHandler(backend=driver.backend, deck=deck, name=name)
        self._mirror = DeckMirror(sites, bench)
        self._bench = bench
        self._tips_seen: Sequence[bool | None] | None = None
        self._last_tips: dict[int, Tip] = {}
        self._failure: Failure | None = None
        super().__init__(name, self._front, driver, common_faults=_FAULTS)
        allowed = narrowed(self.maker_limits, limits)
        self.distribute = self._verb(self._distribute, Distribute, allowed)
        self.add_reagent = self._verb(self._add_reagent, AddReagent, allowed)
        self.mix = self._verb(self._mix, Mix, allowed)
        self.add_readables([self.origin], Format.CONFIG_SIGNAL)
        self.set_name(name)

    def _verb(self, run: Callable[[C], Awaitable[JsonValue]], command: type[C], limits: Limits) -> Verb[C]:
        return Verb(
            run,
            command=command,
            limits=limits,
            estimate=lambda command, bench: command.duration_s(self._bench),
            objections=self._wrong_tips,
            reconcile=self._reconcile,
        )

    def _wrong_tips(self, command: Pipetting, bench: Bench | None) -> Sequence[str]:
        """Racks of the size that a command wants whose tips this make's channels don't take."""
        return tuple(
            f"its channels don't take the tips of {rack.id}."
            for rack in (bench or self._bench).of_kind("tip_rack")
            if rack.tips
            and rack.type.tip_volume_ul == command.tip_volume_ul
            and not self._driver.backend.can_pick_up_tip(0, tip_of(rack.type))
        )

    async def look(self) -> None:
        """Keep which channels have a tip on, where the machine has sensors for it.

        Raises:
            DeviceFault: it does not answer.
        """
        with self.as_faults():
            self._tips_seen = await self._ask_for_tips()

    async def safe(self) -> None:
        """Throw away whatever tips are on the channels. Safe to repeat.

        What the machine's own sensors say counts for more than what PyLabRobot remembers.

        Raises:
            DeviceFault: the machine does not do it; a person must look.
        """
        with self.as_faults(LostTip), tracking():
            for channel, on in enumerate(await self._ask_for_tips() or ()):
                self._believe_sensor(channel, on)
            mounted = [channel for channel, tracker in self._front.head.items() if tracker.has_tip]
            if mounted:
                await self._front.discard_tips(use_channels=mounted)

    async def _ask_for_tips(self) -> Sequence[bool | None] | None:
        """Whether a tip is on each channel, by its sensor; None for a machine without such sensors, or not set up."""
        if not self._front.setup_finished:
            return None
        try:
            return await self._driver.backend.request_tip_presence()
        except NotImplementedError:  # PyLabRobot's way to say that this make can't tell
            return None

    def _believe_sensor(self, channel: int, on: bool | None) -> None:
        tracker = self._front.head[channel]
        tracker.rollback()
        if on is False and tracker.has_tip:
            tracker.remove_tip(commit=True)
        elif on and not tracker.has_tip and channel in self._last_tips:
            tracker.add_tip(self._last_tips[channel])

    def fault_for(self, error: Exception, refused: type[DeviceFault]) -> DeviceFault:
        """The fault that an error of PyLabRobot's, or of the machine's channels, stands for."""
        return fault_of(error, refused)

    async def _distribute(self, command: Distribute) -> JsonValue:
        async with self._at_work(command) as work:
            await work.take_tips([0], command.tip_volume_ul)
            await work.draw([0], command.source_labware, command.source_well, [command.drawn_ul])
            for labware, well, volume_ul in command.targets:
                held_ul = self._bench.well(labware, well).volume_ul + volume_ul
                strokes = stirring(command.mix_ul(held_ul), command.mix_cycles)
                await work.give([0], labware, [well], [volume_ul], stirring=strokes)
        return {"tips": work.tips}

    async def _add_reagent(self, command: AddReagent) -> JsonValue:
        channels = [_channel(row) for row in command.rows]
        async with self._at_work(command) as work:
            await work.take_tips(channels, command.tip_volume_ul)
            for fill, columns in enumerate(command.fills()):
                volumes_ul = command.tip_volumes_ul(fill)
                drawing = [k for k, volume_ul in enumerate(volumes_ul) if volume_ul > 0.0]
                await work.draw(
                    [channels[k] for k in drawing],
                    command.source_labware,
                    command.source_well,
                    [volumes_ul[k] for k in drawing],
                )
                for column in columns:
                    await work.give(
                        [_channel(well[0]) for well in column],
                        command.labware,
                        column,
                        [command.volume_ul] * len(column),
                        from_above=True,
                    )
        return {"tips": work.tips}

    async def _mix(self, command: Mix) -> JsonValue:
        strokes = stirring(command.volume_ul, command.cycles)
        async with self._at_work(command) as work:
            for column in by_column(command.wells):
                channels = [_channel(well[0]) for well in column]
                await work.take_tips(channels, command.tip_volume_ul)
                await work.mix(channels, command.labware, column, strokes)
                await work.throw_away()
        return {"tips": work.tips}

    async def _reconcile(self, command: Pipetting, marks: Sequence[Mark]) -> Reconciliation:
        """What came of a command, from its marks and from what was seen of its failure."""
        seen = self._failure if self._failure is not None and self._failure.is_of(command, marks) else None
        outcome = outcome_of(command, Trail.of(marks, seen))
        return replace(outcome, sentence=f"{outcome.sentence} {_on_channels(self._tips_seen)}")

    @asynccontextmanager
    async def _at_work(self, command: Pipetting) -> AsyncIterator[Work]:
        """One command: trackers loaded before, tips thrown away after, also when it fails."""
        work = Work(
            self._front,
            self._mirror,
            self._bench,
            as_faults=self.as_faults,
            from_above=self._driver.from_above,
            tips_on=self._last_tips,
        )
        self._failure = None
        with self.as_faults(progress=work.progress), tracking():
            self._mirror.load(command.stands_here)
            try:
                yield work
                if not isinstance(command, Mix):
                    await work.throw_away()
            except BaseException as failure:
                self._failure = Failure(
                    command=command,
                    marks=tuple(work.progress.marks),
                    in_air=work.progress.in_air,
                    channels=channels_of(failure.__cause__),
                    refused=isinstance(failure, InstrumentBusy),
                )
                if isinstance(failure, Exception):
                    await self._clear_after(failure)
                raise

    async def _clear_after(self, failure: Exception) -> None:
        """Throw the tips away because a command failed, and keep both errors if that fails too.

        Not where the machine is another's by now, who may be at work with it.
        """
        try:
            check_lease()
            await self.safe()
        except StaleLease:
            return
        except DeviceFault as second:
            failure.add_note(f"The tips could not be thrown away either: {second}")


def _on_channels(seen: Sequence[bool | None] | None) -> str:
    """What the tip sensors showed, for a person."""
    if seen is None:
        return "Whether tips were on its channels can't be told."
    on = [str(channel + 1) for channel, tip in enumerate(seen) if tip]
    return (
        f"Its sensors saw tips on channels {', '.join(on)}."
        if on
        else "Its sensors saw no tip on any channel."
    )


_FAULTS = (
    ChannelsDoNotFitError,
    HasTipError,
    NoChannelError,
    NoTipError,
    TooLittleLiquidError,
    TooLittleVolumeError,
)


def _channel(row: str) -> int:
    """Channel of a row: A is the first, at the back of the deck."""
    return ord(row) - ord("A")
