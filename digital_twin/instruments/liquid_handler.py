"""Pipetting robots with eight channels over the world, behind PyLabRobot's backend class.

What makes differ in is a :class:`digital_twin.instruments.handler_makes.HandlerMake`: how they fail, which tips fit, how
fast they travel. Other figures are those of a Hamilton STAR.

It moves, and therefore takes time, as the machine does: from where the channels are to where the next action is on the
deck, down, the work itself, and up. Speeds are round figures of the machine in ordinary use (X and Y drives reach 500 mm/s
and more, Z about 130 mm/s), chosen so that fetching tips takes some 7 s and an aspiration some 4 s, as they do.

Faults come from a script (:mod:`digital_twin.faults`) and are reported as PyLabRobot's backend of that make does. One
channel of those at work fails; the others do their part. A channel without a tip, or with a clogged one, reports it whenever
it is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pylabrobot.liquid_handling.backends import LiquidHandlerBackend
from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import STARFirmwareError
from pylabrobot.liquid_handling.standard import Drop, Pickup, SingleChannelAspiration, SingleChannelDispense
from pylabrobot.resources import Resource, Tip, TipSpot, Trash, Well

from devices.identity import TWIN_SERIAL, Identity
from devices.liquid_handler.handler import PipettingDriver
from devices.liquid_handler.star import star_keywords
from digital_twin.faults import NO_FAULTS, Faults, FaultScript, Request, Strike
from digital_twin.instruments.handler_makes import STAR, HandlerMake
from digital_twin.instruments.star_faults import (
    CLOT,
    NO_LIQUID,
    NO_TIP,
    TOO_LITTLE,
    Z_DRIVE,
    aspirating,
    dispensing,
    fetching,
    struck_channel,
    struck_share,
)
from digital_twin.state import CHANNELS
from digital_twin.world import Impossible, World
from lab.errors import FaultKind
from lab.types import Origin

__all__ = ["HandlerTwin", "star_twin"]

SETUP_S = 30.0
"""Initialisation of the channels; a running machine answers at once."""

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

ANSWER_TIMEOUT_S = 30.0
"""How long PyLabRobot's backend waits for a machine's answer."""

Place = tuple[str, str]
"""Labware and well."""


def star_twin(world: World, *, name: str, script: FaultScript = NO_FAULTS) -> PipettingDriver:
    """The driver of a simulated STAR.

    Args:
        name: of the device in the workcell, to which its deck positions belong; also keys its noise.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    backend = HandlerTwin(world, name, script)

    async def introduce() -> Identity:
        return Identity(
            vendor="Hamilton",
            model="Microlab STAR",
            serial=f"{TWIN_SERIAL}-STAR-{world.seed}",
            firmware="simulated",
            origin=Origin.TWIN,
        )

    return PipettingDriver(
        backend=backend, introduce=introduce, faults=(STARFirmwareError,), from_above=star_keywords
    )


class HandlerTwin(LiquidHandlerBackend):
    """Eight channels over a world.

    Args:
        instrument: name of the device.
        script: faults of the bench.
        make: what it is.
    """

    def __init__(
        self, world: World, instrument: str, script: FaultScript = NO_FAULTS, *, make: HandlerMake = STAR
    ) -> None:
        super().__init__()
        self._world = world
        self._instrument = instrument
        self._make = make
        self._faults = Faults(world, instrument, make.repertoire, script)
        self._at_mm = (0.0, 0.0)

    @property
    def num_channels(self) -> int:
        """Eight, for the rows of a plate."""
        return CHANNELS

    def can_pick_up_tip(self, channel_idx: int, tip: Tip) -> bool:
        """Whether the tip is of the kind that the channels of this make take."""
        return self._make.fits(tip)

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

        async def work(strike: Strike | None) -> None:
            spots = dict(zip(use_channels, (_spot(op.resource) for op in ops), strict=True))
            lost = [] if strike is None else [struck_channel(strike, use_channels)]
            fetched = [c for c in use_channels if c not in lost or (strike is not None and strike.after)]
            await self._go(ops)
            await asyncio.sleep(Z_S + TIP_GRIP_S)
            if fetched:
                self._act("pick_up_tips", channels=fetched, tips=[spots[channel] for channel in fetched])
            await asyncio.sleep(Z_S)
            if strike is not None and strike.after:
                self._act("lose_tips", channels=lost)
            self._report(dict.fromkeys(lost, NO_TIP))

        await self._carry_out(fetching(use_channels), use_channels, work)

    async def drop_tips(self, ops: list[Drop], use_channels: list[int]) -> None:
        """Let tips go into the waste."""
        if not all(isinstance(op.resource, Trash) for op in ops):
            raise NotImplementedError("The twin throws used tips away; it does not put them back into racks.")

        async def work(strike: Strike | None) -> None:
            await self._go(ops)
            await asyncio.sleep(Z_S + TIP_GRIP_S)
            fitted, bare = self._fitted(use_channels)
            if fitted:
                self._act("drop_tips", channels=fitted)
            await asyncio.sleep(Z_S)
            self._report(bare)

        await self._carry_out(Request("drop", frozenset()), use_channels, work)

    async def aspirate(self, ops: list[SingleChannelAspiration], use_channels: list[int]) -> None:
        """Draw liquid; stir before, if asked to."""

        async def work(strike: Strike | None) -> None:
            await self._go(ops)
            stroke_ul, cycles, stirring_s = _stirring(ops)
            await asyncio.sleep(
                Z_S + SETTLE_S + stirring_s + max(op.volume for op in ops) / ASPIRATE_UL_PER_S
            )
            errors = self._before(strike, use_channels)
            shares = self._shares(strike, use_channels)
            for labware, group in self._at_work(ops, use_channels).items():
                self._act(
                    "aspirate",
                    channels=group[0],
                    labware=labware,
                    wells=group[1],
                    volumes_ul=group[2],
                    mix_ul=stroke_ul,
                    mix_cycles=cycles,
                    **({"liquid_shares": [shares.get(c, 1.0) for c in group[0]]} if shares else {}),
                )
            await asyncio.sleep(SETTLE_S + Z_S)
            self._report(errors | self._after(strike, use_channels))

        await self._carry_out(aspirating(ops, use_channels), use_channels, work)

    async def dispense(
        self, ops: list[SingleChannelDispense], use_channels: list[int], jet: Sequence[bool] | None = None
    ) -> None:
        """Give liquid; stir afterwards, if asked to. Whether a tip touches the liquid is a matter of its height.

        Args:
            jet: the STAR's word for giving at speed from above; the world goes by where the tip is.
        """
        above = all((op.liquid_height or 0.0) >= op.resource.get_absolute_size_z() for op in ops)

        async def work(strike: Strike | None) -> None:
            await self._go(ops)
            stroke_ul, cycles, stirring_s = _stirring(ops)
            await asyncio.sleep(Z_S + SETTLE_S + max(op.volume for op in ops) / DISPENSE_UL_PER_S)
            errors = self._before(strike, use_channels)
            for labware, (channels, wells, volumes) in self._at_work(ops, use_channels).items():
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
            self._report(errors | self._after(strike, use_channels))

        await self._carry_out(dispensing(ops, above=above), use_channels, work)

    async def pick_up_tips96(self, pickup: Any) -> None:
        """This machine has no 96-channel head."""
        raise NotImplementedError("The twin has no 96-channel head.")

    drop_tips96 = aspirate96 = dispense96 = pick_up_tips96

    async def pick_up_resource(self, pickup: Any) -> None:
        """This machine has no gripper; the workcell's arm carries labware."""
        raise NotImplementedError("The twin has no gripper of its own.")

    move_picked_up_resource = drop_resource = pick_up_resource

    async def _carry_out(
        self, request: Request, channels: Sequence[int], work: Callable[[Strike | None], Awaitable[None]]
    ) -> None:
        """Do the work, unless the machine refuses or its answer is lost; what happens to liquid and tips is the work's."""
        strike = self._faults.strike(request)
        match None if strike is None else strike.kind:
            case FaultKind.BUSY:
                raise self._make.busy()
            case FaultKind.INSTRUMENT_ERROR:
                assert strike is not None
                raise self._make.report({struck_channel(strike, channels): Z_DRIVE})
            case FaultKind.CONNECTION_LOST | FaultKind.TIMEOUT:
                assert strike is not None
                if strike.after:
                    await work(None)
                await self._unanswered(strike)
            case _:
                await work(strike)

    async def _unanswered(self, strike: Strike) -> None:
        if strike.kind is FaultKind.CONNECTION_LOST:
            raise ConnectionError("the USB device is gone")
        if strike.silent:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(ANSWER_TIMEOUT_S)
        raise TimeoutError("Timeout while waiting for response to command.")

    def _before(self, strike: Strike | None, channels: Sequence[int]) -> dict[int, str]:
        """What goes wrong before liquid moves, and what the channels will report of that and of earlier mishaps."""
        fitted, _ = self._fitted(channels)
        if strike is not None and (struck := struck_channel(strike, channels)) in fitted:
            if strike.kind is FaultKind.CLOG:
                self._act("clog", channels=[struck])
            elif strike.kind is FaultKind.LOST_TIP and not strike.after:
                self._act("lose_tips", channels=[struck])
        head = self._world.state.head(self._instrument)
        clogged = {channel: CLOT for channel in channels if head[channel].clogged}
        return clogged | self._fitted(channels)[1]

    def _after(self, strike: Strike | None, channels: Sequence[int]) -> dict[int, str]:
        """What goes wrong after liquid has moved, and what a channel reports of the strike."""
        if strike is None or strike.silent:
            return {}
        struck = struck_channel(strike, channels)
        if struck not in self._fitted(channels)[0]:
            return {}
        match strike.kind:
            case FaultKind.LOST_TIP if strike.after:
                self._act("lose_tips", channels=[struck])
                return {struck: NO_TIP}
            case FaultKind.FAILED_ASPIRATE:
                return {struck: NO_LIQUID}
            case FaultKind.SHORT_VOLUME:
                return {struck: TOO_LITTLE}
        return {}

    def _shares(self, strike: Strike | None, channels: Sequence[int]) -> dict[int, float]:
        """Of a channel that draws too little: which share of its stroke is liquid."""
        if strike is None or strike.kind not in (FaultKind.FAILED_ASPIRATE, FaultKind.SHORT_VOLUME):
            return {}
        return {struck_channel(strike, channels): struck_share(strike, channels)}

    def _fitted(self, channels: Sequence[int]) -> tuple[list[int], dict[int, str]]:
        """The channels that have a tip, and what the others report."""
        on = self._world.tips_on(self._instrument)
        return [c for c in channels if on[c]], {c: NO_TIP for c in channels if not on[c]}

    def _at_work(
        self, ops: Sequence[SingleChannelAspiration | SingleChannelDispense], channels: Sequence[int]
    ) -> Mapping[str, tuple[list[int], list[str], list[float]]]:
        """Channels with tips, wells and volumes of an action, for each piece of labware."""
        fitted, _ = self._fitted(channels)
        pairs = [(op, channel) for op, channel in zip(ops, channels, strict=True) if channel in fitted]
        return _by_labware([op for op, _ in pairs], [channel for _, channel in pairs])

    def _act(self, action: str, **arguments: Any) -> None:
        try:
            self._world.act(self._instrument, action, **arguments)
        except Impossible as error:
            raise self._make.cannot(error, arguments["channels"]) from error

    def _report(self, codes: Mapping[int, str]) -> None:
        """Raise what the channels have to say, if anything."""
        if codes:
            raise self._make.report(codes)

    async def _go(
        self, ops: Sequence[Pickup | Drop | SingleChannelAspiration | SingleChannelDispense]
    ) -> None:
        """Travel to the first place of an action; channels over other columns follow one after the other."""
        for x, y in self._stops([op.resource for op in ops]):
            far_mm = max(abs(x - self._at_mm[0]), abs(y - self._at_mm[1]))
            if far_mm > 0.0:
                await asyncio.sleep(TRAVEL_BEGIN_S + far_mm / self._make.travel_mm_per_s)
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
