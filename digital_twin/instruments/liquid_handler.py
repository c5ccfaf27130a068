"""A Hamilton Microlab STAR over the world, behind PyLabRobot's backend class.

It moves, and therefore takes time, as the machine does: from where the channels are to where the next action is on the
deck, down, the work itself, and up. Speeds are round figures of the machine in ordinary use (X and Y drives reach 500 mm/s
and more, Z about 130 mm/s), chosen so that fetching tips takes some 7 s and an aspiration some 4 s, as they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pylabrobot.liquid_handling.backends import LiquidHandlerBackend
from pylabrobot.liquid_handling.errors import ChannelizedError
from pylabrobot.liquid_handling.standard import Drop, Pickup, SingleChannelAspiration, SingleChannelDispense
from pylabrobot.resources import Resource, Tip, TipSpot, Trash, Well

from devices.identity import TWIN_SERIAL, Identity
from devices.liquid_handler.handler import PipettingDriver
from devices.liquid_handler.star import star_keywords
from digital_twin.state import CHANNELS
from digital_twin.world import Impossible, World
from lab.types import Origin

__all__ = ["StarTwin", "star_twin"]

SETUP_S = 30.0
"""Initialisation of the channels; a running machine answers at once."""

TRAVEL_MM_PER_S = 500.0
TRAVEL_BEGIN_S = 0.3
"""Speeding up and slowing down."""

Z_S = 1.1
"""Down or up again: about 140 mm."""

TIP_GRIP_S = 3.0
"""Squeezing the rings of a tip, or letting it go."""

SETTLE_S = 0.5
"""Waiting in the liquid before and after."""

ASPIRATE_UL_PER_S = 100.0
DISPENSE_UL_PER_S = 120.0
"""Of water in PyLabRobot's liquid classes of the STAR."""

Place = tuple[str, str]
"""Labware and well."""


def star_twin(world: World, *, name: str) -> PipettingDriver:
    """The driver of a simulated STAR.

    Args:
        name: of the device in the workcell, to which its deck positions belong; also keys its noise.
    """
    backend = StarTwin(world, name)

    async def introduce() -> Identity:
        return Identity(
            vendor="Hamilton",
            model="Microlab STAR",
            serial=f"{TWIN_SERIAL}-STAR-{world.seed}",
            firmware="simulated",
            origin=Origin.TWIN,
        )

    return PipettingDriver(backend=backend, introduce=introduce, from_above=star_keywords)


class StarTwin(LiquidHandlerBackend):
    """Eight channels over a world.

    Args:
        instrument: name of the device.
    """

    def __init__(self, world: World, instrument: str) -> None:
        super().__init__()
        self._world = world
        self._instrument = instrument
        self._at_mm = (0.0, 0.0)

    @property
    def num_channels(self) -> int:
        """Eight, for the rows of a plate."""
        return CHANNELS

    def can_pick_up_tip(self, channel_idx: int, tip: Tip) -> bool:
        """Any tip up to 1000 ul fits the 1000 ul channels."""
        return tip.maximal_volume <= 1250.0

    async def setup(self) -> None:
        """Initialise; tips left from before go to the waste."""
        await super().setup()
        await asyncio.sleep(SETUP_S)
        left = [channel for channel, has_tip in enumerate(self._world.tips_on(self._instrument)) if has_tip]
        if left:
            await asyncio.sleep(TIP_GRIP_S)
            self._act("drop_tips", channels=left)

    async def stop(self) -> None:
        """Give the machine up."""

    async def request_tip_presence(self) -> list[bool | None]:
        """Whether a tip is on each channel, by its sensor."""
        return list(self._world.tips_on(self._instrument))

    async def pick_up_tips(self, ops: list[Pickup], use_channels: list[int]) -> None:
        """Fetch tips; they are on when the channels come up."""
        tips = [_spot(op.resource) for op in ops]
        await self._go(ops)
        await asyncio.sleep(Z_S + TIP_GRIP_S)
        self._act("pick_up_tips", channels=use_channels, tips=tips)
        await asyncio.sleep(Z_S)

    async def drop_tips(self, ops: list[Drop], use_channels: list[int]) -> None:
        """Let tips go into the waste."""
        if not all(isinstance(op.resource, Trash) for op in ops):
            raise NotImplementedError("The twin throws used tips away; it does not put them back into racks.")
        await self._go(ops)
        await asyncio.sleep(Z_S + TIP_GRIP_S)
        self._act("drop_tips", channels=use_channels)
        await asyncio.sleep(Z_S)

    async def aspirate(self, ops: list[SingleChannelAspiration], use_channels: list[int]) -> None:
        """Draw liquid; stir before, if asked to."""
        await self._go(ops)
        stroke_ul, cycles, stirring_s = _stirring(ops)
        await asyncio.sleep(Z_S + SETTLE_S + stirring_s + max(op.volume for op in ops) / ASPIRATE_UL_PER_S)
        for labware, (channels, wells, volumes) in _by_labware(ops, use_channels).items():
            self._act(
                "aspirate",
                channels=channels,
                labware=labware,
                wells=wells,
                volumes_ul=volumes,
                mix_ul=stroke_ul,
                mix_cycles=cycles,
            )
        await asyncio.sleep(SETTLE_S + Z_S)

    async def dispense(
        self, ops: list[SingleChannelDispense], use_channels: list[int], jet: Sequence[bool] | None = None
    ) -> None:
        """Give liquid; stir afterwards, if asked to. Whether a tip touches the liquid is a matter of its height.

        Args:
            jet: the STAR's word for giving at speed from above; the world goes by where the tip is.
        """
        await self._go(ops)
        stroke_ul, cycles, stirring_s = _stirring(ops)
        await asyncio.sleep(Z_S + SETTLE_S + max(op.volume for op in ops) / DISPENSE_UL_PER_S)
        above = all((op.liquid_height or 0.0) >= op.resource.get_absolute_size_z() for op in ops)
        for labware, (channels, wells, volumes) in _by_labware(ops, use_channels).items():
            self._act(
                "dispense",
                channels=channels,
                labware=labware,
                wells=wells,
                volumes_ul=volumes,
                contact=not above,
                mix_ul=stroke_ul,
                mix_cycles=cycles,
            )
        await asyncio.sleep(stirring_s + Z_S)

    async def pick_up_tips96(self, pickup: Any) -> None:
        """This machine has no 96-channel head."""
        raise NotImplementedError("The twin has no 96-channel head.")

    drop_tips96 = aspirate96 = dispense96 = pick_up_tips96

    async def pick_up_resource(self, pickup: Any) -> None:
        """This machine has no gripper; the workcell's arm carries labware."""
        raise NotImplementedError("The twin has no gripper of its own.")

    move_picked_up_resource = drop_resource = pick_up_resource

    def _act(self, action: str, **arguments: Any) -> None:
        with _channel_errors(arguments["channels"]):
            self._world.act(self._instrument, action, **arguments)

    async def _go(
        self, ops: Sequence[Pickup | Drop | SingleChannelAspiration | SingleChannelDispense]
    ) -> None:
        """Travel to the first place of an action; channels over other columns follow one after the other."""
        for x, y in self._stops([op.resource for op in ops]):
            far_mm = max(abs(x - self._at_mm[0]), abs(y - self._at_mm[1]))
            if far_mm > 0.0:
                await asyncio.sleep(TRAVEL_BEGIN_S + far_mm / TRAVEL_MM_PER_S)
            self._at_mm = (x, y)

    def _stops(self, resources: Sequence[Resource]) -> list[tuple[float, float]]:
        """Where the channels come to stand, from the left to the right; several columns are several stops."""
        stops: dict[float, float] = {}
        for holder in {id(resource.parent): resource.parent for resource in resources}.values():
            if holder is None:
                continue
            # One walk up the deck's tree for each piece of labware: within it, places are sums.
            corner = holder.get_location_wrt(self.deck)
            for resource in resources:
                if resource.parent is holder and resource.location is not None:
                    x, y = corner.x + resource.location.x, corner.y + resource.location.y
                    stops[x] = min(y, stops.get(x, y))
        return sorted(stops.items())


@contextmanager
def _channel_errors(channels: Iterable[int]) -> Iterator[None]:
    """What cannot be done, as PyLabRobot's machines report it."""
    try:
        yield
    except Impossible as error:
        raise ChannelizedError(errors=dict.fromkeys(channels, error)) from error


def _stirring(ops: Sequence[SingleChannelAspiration | SingleChannelDispense]) -> tuple[float, int, float]:
    """Stroke, cycles and time of mixing; all channels stir alike."""
    mix = ops[0].mix
    if mix is None:
        return 0.0, 0, 0.0
    return mix.volume, mix.repetitions, 2.0 * mix.repetitions * mix.volume / mix.flow_rate


def _by_labware(
    ops: Sequence[SingleChannelAspiration | SingleChannelDispense], channels: Sequence[int]
) -> Mapping[str, tuple[list[int], list[str], list[float]]]:
    """Channels, wells and volumes of an action, for each piece of labware."""
    grouped: dict[str, tuple[list[int], list[str], list[float]]] = {}
    for op, channel in zip(ops, channels, strict=True):
        labware, well = _well(op.resource)
        to = grouped.setdefault(labware, ([], [], []))
        to[0].append(channel)
        to[1].append(well)
        to[2].append(op.volume)
    return grouped


def _well(resource: Resource) -> Place:
    if isinstance(resource, Well) and resource.parent is not None:
        return resource.parent.name, resource.parent.get_child_identifier(resource)
    return resource.name, "A1"


def _spot(spot: TipSpot) -> list[str]:
    assert spot.parent is not None, "a tip spot belongs to a rack"
    return [spot.parent.name, spot.parent.get_child_identifier(spot)]
