"""The liquid handler of any vendor whose machine PyLabRobot can drive: its verbs, and what happens in which order.

Above the seam, which is PyLabRobot's backend class, everything is the same on a twin and on hardware: the deck, its
geometry, tips, trackers and checks of PyLabRobot's front end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ophyd_async.core import StandardReadableFormat as Format
from pylabrobot.liquid_handling import LiquidHandler
from pylabrobot.liquid_handling.backends import LiquidHandlerBackend
from pylabrobot.liquid_handling.errors import ChannelsDoNotFitError, NoChannelError
from pylabrobot.liquid_handling.standard import Mix as Stirring
from pylabrobot.resources import Container, Deck, ResourceHolder
from pylabrobot.resources.errors import HasTipError, NoTipError, TooLittleLiquidError, TooLittleVolumeError

from devices.liquid_handler.commands import AddReagent, Distribute, Mix, by_column
from devices.liquid_handler.deck import DeckMirror
from devices.liquid_handler.timing import FLOW_UL_PER_S
from devices.liquid_handler.tracking import tracking
from devices.machine import MachineDevice, MachineDriver
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault
from lab.types import JsonValue

__all__ = ["Handler", "PipettingDriver"]

IN_LIQUID_MM = 1.0
"""Height of a tip above the bottom of a well that it draws from or gives into."""

UNDER_SURFACE_MM = 3.0
"""Depth of a tip below the surface of a trough, so that its outside stays dry."""

ABOVE_MM = 1.0
"""Height of a tip above a well's rim when it gives without touching."""


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
        super().__init__(name, self._front, driver, common_faults=_FAULTS)
        allowed = narrowed(self.maker_limits, limits)
        self.distribute = Verb(
            self._distribute, command=Distribute, limits=allowed, estimate=lambda c, b: c.duration_s(bench)
        )
        self.add_reagent = Verb(
            self._add_reagent, command=AddReagent, limits=allowed, estimate=lambda c, b: c.duration_s(bench)
        )
        self.mix = Verb(self._mix, command=Mix, limits=allowed, estimate=lambda c, b: c.duration_s(bench))
        self.add_readables([self.origin], Format.CONFIG_SIGNAL)
        self.set_name(name)

    async def safe(self) -> None:
        """Throw away whatever tips are on the channels. Safe to repeat.

        Raises:
            DeviceFault: the machine does not do it; a person must look.
        """
        with self.as_faults(), tracking():
            mounted = [channel for channel, tracker in self._front.head.items() if tracker.has_tip]
            if mounted:
                await self._front.discard_tips(use_channels=mounted)

    async def _distribute(self, command: Distribute) -> JsonValue:
        async with self._at_work(command.stands_here) as work:
            await work.take_tips([0], command.tip_volume_ul)
            await work.draw([0], command.source_labware, [command.source_well], [command.drawn_ul])
            for labware, well, volume_ul in command.targets:
                held_ul = self._bench.well(labware, well).volume_ul + volume_ul
                stirring = _stirring(command.mix_ul(held_ul), command.mix_cycles)
                await work.give([0], labware, [well], [volume_ul], stirring=stirring)
        return {"tips": work.tips}

    async def _add_reagent(self, command: AddReagent) -> JsonValue:
        channels = [_channel(row) for row in command.rows]
        async with self._at_work(command.stands_here) as work:
            await work.take_tips(channels, command.tip_volume_ul)
            reserve_ul = command.overage_ul
            for columns in command.fills():
                portions = [
                    sum(well[0] == row for column in columns for well in column) for row in command.rows
                ]
                volumes = [n * command.volume_ul + reserve_ul for n in portions]
                reserve_ul = 0.0
                drawing = [k for k, volume_ul in enumerate(volumes) if volume_ul > 0.0]
                await work.draw(
                    [channels[k] for k in drawing],
                    command.source_labware,
                    [command.source_well] * len(drawing),
                    [volumes[k] for k in drawing],
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
        async with self._at_work(command.stands_here) as work:
            for column in by_column(command.wells):
                channels = [_channel(well[0]) for well in column]
                await work.take_tips(channels, command.tip_volume_ul)
                await work.draw(
                    channels,
                    command.labware,
                    column,
                    [0.0] * len(column),
                    stirring=_stirring(command.volume_ul, command.cycles),
                )
                await work.throw_away()
        return {"tips": work.tips}

    @asynccontextmanager
    async def _at_work(self, labware: Sequence[str]) -> AsyncIterator[_Work]:
        """One command: trackers loaded before, tips thrown away after, also when it fails."""
        with self.as_faults(), tracking():
            self._mirror.load(labware)
            work = _Work(self._front, self._mirror, self._bench, self._driver)
            try:
                yield work
                await work.throw_away()
            except Exception as failure:
                await self._clear_after(failure)
                raise

    async def _clear_after(self, failure: Exception) -> None:
        """Throw the tips away because a command failed, and keep both errors if that fails too."""
        try:
            await self.safe()
        except DeviceFault as second:
            failure.add_note(f"The tips could not be thrown away either: {second}")


_FAULTS = (
    ChannelsDoNotFitError,
    HasTipError,
    NoChannelError,
    NoTipError,
    OSError,
    TimeoutError,
    TooLittleLiquidError,
    TooLittleVolumeError,
)


class _Work:
    """What a command does with tips and liquid, in PyLabRobot's words.

    Attributes:
        tips: (rack, spot) of those used so far.
    """

    def __init__(
        self, front: LiquidHandler, mirror: DeckMirror, bench: Bench, driver: PipettingDriver
    ) -> None:
        self._front = front
        self._mirror = mirror
        self._bench = bench
        self._driver = driver
        self.tips: list[list[str]] = []

    async def take_tips(self, channels: Sequence[int], tip_volume_ul: float) -> None:
        """Fetch the next fresh tips of a capacity: those that the command's belief will count as used."""
        skip = len(self.tips)
        chosen = self._bench.next_tips(skip + len(channels), tip_volume_ul)[skip:]
        if len(chosen) < len(channels):
            raise DeviceFault(
                f"{len(channels)} tips of {tip_volume_ul:g} ul are needed and {len(chosen)} are left."
            )
        self.tips += [list(tip) for tip in chosen]
        await self._front.pick_up_tips(
            [self._mirror.tip_spot(rack, spot) for rack, spot in chosen], use_channels=list(channels)
        )

    async def draw(
        self,
        channels: Sequence[int],
        labware: str,
        wells: Sequence[str],
        volumes_ul: Sequence[float],
        *,
        stirring: Stirring | None = None,
    ) -> None:
        """Aspirate; stir before, if asked to."""
        places = [self._mirror.container(labware, well) for well in wells]
        drawn_ul = sum(volumes_ul)
        await self._front.aspirate(
            places,
            vols=list(volumes_ul),
            use_channels=list(channels),
            liquid_height=[_depth_mm(place, drawn_ul) for place in places],
            mix=None if stirring is None else [stirring] * len(places),
        )

    async def give(
        self,
        channels: Sequence[int],
        labware: str,
        wells: Sequence[str],
        volumes_ul: Sequence[float],
        *,
        from_above: bool = False,
        stirring: Stirring | None = None,
    ) -> None:
        """Dispense, in the liquid or from above the wells; stir afterwards, if asked to."""
        places = [self._mirror.container(labware, well) for well in wells]
        extra = self._driver.from_above(len(places)) if from_above else {}
        await self._front.dispense(
            places,
            vols=list(volumes_ul),
            use_channels=list(channels),
            liquid_height=[
                place.get_absolute_size_z() + ABOVE_MM if from_above else IN_LIQUID_MM for place in places
            ],
            mix=None if stirring is None else [stirring] * len(places),
            **extra,
        )

    async def throw_away(self) -> None:
        """Drop the tips that are on the channels."""
        mounted = [channel for channel, tracker in self._front.head.items() if tracker.has_tip]
        if mounted:
            await self._front.discard_tips(use_channels=mounted)


def _channel(row: str) -> int:
    """Channel of a row: A is the first, at the back of the deck."""
    return ord(row) - ord("A")


def _stirring(stroke_ul: float, cycles: int) -> Stirring | None:
    return Stirring(volume=stroke_ul, repetitions=cycles, flow_rate=FLOW_UL_PER_S) if cycles else None


def _depth_mm(place: Container, drawn_ul: float) -> float:
    """Height of the tip above the bottom while it draws: near it, but in a deep trough just below the surface."""
    if not place.supports_compute_height_volume_functions():
        return IN_LIQUID_MM
    left_ul = max(0.0, place.tracker.get_used_volume() - drawn_ul)
    return max(IN_LIQUID_MM, place.compute_height_from_volume(left_ul) - UNDER_SURFACE_MM)
