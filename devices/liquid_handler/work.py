"""What a command does with tips and liquid, in PyLabRobot's words. Each part is on record before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from pylabrobot.liquid_handling import LiquidHandler
from pylabrobot.liquid_handling.standard import Mix as Stirring
from pylabrobot.resources import Container, Tip

from devices.liquid_handler.deck import DeckMirror
from devices.liquid_handler.timing import FLOW_UL_PER_S
from devices.machine import Progress
from lab.bench import Bench
from lab.errors import DeviceFault, LostTip

__all__ = ["Work", "stirring"]

IN_LIQUID_MM = 1.0
"""Height of a tip above the bottom of a well that it draws from or gives into."""

UNDER_SURFACE_MM = 3.0
"""Depth of a tip below the surface of a trough, so that its outside stays dry."""

ABOVE_MM = 1.0
"""Height of a tip above a well's rim when it gives without touching."""


class Work:
    """One command under way.

    Args:
        front: PyLabRobot's.
        as_faults: context in which an error becomes a fault of the class it is given, if the error itself says no more.
        from_above: keyword arguments of the backend's ``dispense`` for so many channels that do not touch the liquid.
        tips_on: kept up to date with the tip that a channel fetched last.

    Attributes:
        progress: how far it has got.
        tips: (rack, spot) of those used so far.
    """

    def __init__(
        self,
        front: LiquidHandler,
        mirror: DeckMirror,
        bench: Bench,
        *,
        as_faults: Callable[..., AbstractContextManager[None]],
        from_above: Callable[[int], Mapping[str, Any]],
        tips_on: dict[int, Tip],
    ) -> None:
        self._front = front
        self._mirror = mirror
        self._bench = bench
        self._as_faults = as_faults
        self._from_above = from_above
        self._tips_on = tips_on
        self.progress = Progress()
        self.tips: list[list[str]] = []

    async def take_tips(self, channels: Sequence[int], tip_volume_ul: float) -> None:
        """Fetch the next fresh tips of a capacity: those that the command's belief will count as used. Part ``tips``."""
        skip = len(self.tips)
        chosen = self._bench.next_tips(skip + len(channels), tip_volume_ul)[skip:]
        if len(chosen) < len(channels):
            raise DeviceFault(
                f"{len(channels)} tips of {tip_volume_ul:g} ul are needed and {len(chosen)} are left."
            )
        spots = [self._mirror.tip_spot(rack, spot) for rack, spot in chosen]
        tips = [list(tip) for tip in chosen]
        async with self.progress.part("tips", tips=tips):
            self.tips += tips
            with self._as_faults(LostTip):
                self._tips_on.update(zip(channels, (spot.get_tip() for spot in spots), strict=True))
                await self._front.pick_up_tips(spots, use_channels=list(channels))

    async def draw(
        self, channels: Sequence[int], labware: str, well: str, volumes_ul: Sequence[float]
    ) -> None:
        """Aspirate from one well. Part ``draw``."""
        place = self._mirror.container(labware, well)
        drawn_ul = sum(volumes_ul)
        async with self.progress.part("draw", ul=drawn_ul):
            with self._as_faults():
                await self._front.aspirate(
                    [place] * len(channels),
                    vols=list(volumes_ul),
                    use_channels=list(channels),
                    liquid_height=[_depth_mm(place, drawn_ul)] * len(channels),
                )

    async def mix(
        self, channels: Sequence[int], labware: str, wells: Sequence[str], stirring: Stirring | None
    ) -> None:
        """Draw up and give back, a channel in each well. Part ``mix``."""
        places = [self._mirror.container(labware, well) for well in wells]
        async with self.progress.part("mix", channels=list(channels), wells=list(wells)):
            with self._as_faults():
                await self._front.aspirate(
                    places,
                    vols=[0.0] * len(places),
                    use_channels=list(channels),
                    liquid_height=[_depth_mm(place, 0.0) for place in places],
                    mix=[stirring] * len(places),
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
        """Dispense, in the liquid or from above the wells; stir afterwards, if asked to. Part ``give``."""
        places = [self._mirror.container(labware, well) for well in wells]
        extra = self._from_above(len(places)) if from_above else {}
        async with self.progress.part("give", channels=list(channels), wells=list(wells)):
            with self._as_faults():
                await self._front.dispense(
                    places,
                    vols=list(volumes_ul),
                    use_channels=list(channels),
                    liquid_height=[
                        place.get_absolute_size_z() + ABOVE_MM if from_above else IN_LIQUID_MM
                        for place in places
                    ],
                    mix=None if stirring is None else [stirring] * len(places),
                    **extra,
                )

    async def throw_away(self) -> None:
        """Drop the tips that are on the channels. Part ``drop``."""
        mounted = [channel for channel, tracker in self._front.head.items() if tracker.has_tip]
        async with self.progress.part("drop"):
            with self._as_faults(LostTip):
                if mounted:
                    await self._front.discard_tips(use_channels=mounted)


def stirring(stroke_ul: float, cycles: int) -> Stirring | None:
    """So many strokes at the usual speed; None for none."""
    return Stirring(volume=stroke_ul, repetitions=cycles, flow_rate=FLOW_UL_PER_S) if cycles else None


def _depth_mm(place: Container, drawn_ul: float) -> float:
    """Height of the tip above the bottom while it draws: near it, but in a deep trough just below the surface."""
    if not place.supports_compute_height_volume_functions():
        return IN_LIQUID_MM
    left_ul = max(0.0, place.tracker.get_used_volume() - drawn_ul)
    return max(IN_LIQUID_MM, place.compute_height_from_volume(left_ul) - UNDER_SURFACE_MM)
