"""The liquid handling arm of a Tecan Freedom EVO, over PyLabRobot's firmware layer.

PyLabRobot 0.2.2 speaks the arm's firmware and initialises it, but what it makes of an aspiration would not do here: it
knows Tecan's own plates alone and no waste, does not stir, and adds both air gaps to every portion of a tip that gives
several. So the channels are led here: commands, units and steps are PyLabRobot's
(``EVO_backend.py``), as is its correction of volumes for tips of the kind (``liquid_classes/tecan.py``).

Heights are counted from the table, in tenths of a millimetre, of the end of the tip plus the tip's length, as in PyLabRobot.
How far a machine's zero is off is found by teaching: ``z_offset_mm``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from pylabrobot.liquid_handling.backends.tecan.errors import TecanError
from pylabrobot.liquid_handling.backends.tecan.EVO_backend import EVOBackend
from pylabrobot.liquid_handling.liquid_classes.tecan import TecanLiquidClass, get_liquid_class
from pylabrobot.liquid_handling.standard import Drop, Pickup, SingleChannelAspiration, SingleChannelDispense
from pylabrobot.resources import Container, Liquid, Resource, TecanTip, Trash, Well
from pylabrobot.resources.errors import NoTipError

from lab.errors import NonsenseReply

__all__ = ["CHANNELS", "STEPS_PER_UL", "EvoArm"]

CHANNELS = 8

STEPS_PER_UL = 3
"""Full steps of a diluter with a syringe of 1 ml, which has 3150 (PyLabRobot)."""

HALF_STEPS_PER_UL = 6

ROW_MM = 9.0
"""Between two channels that stand as the rows of a plate do."""

X_ZERO_MM = 100.0
Y_ZERO_MM = 346.5
"""Where the arm's X and Y begin on PyLabRobot's deck of an EVO."""

TIP_SEARCH = 210
"""Tenths of a millimetre within which a tip must be met."""

TIP_SEARCH_BEGIN = 227
"""Above where the tip sits, in tenths of a millimetre (PyLabRobot)."""

NOT_MOUNTED = 26
"""The arm's answer where a tip that is to be thrown away is not there."""

LATE_ANSWERS = 8
"""More than can be on their way."""

QUIET_S = 0.25
"""After which nothing that is answered at once is still on its way."""

SETTLE_S = 0.5
"""In the liquid, before the tip leaves it."""

Op: TypeAlias = Pickup | Drop | SingleChannelAspiration | SingleChannelDispense


class EvoArm(EVOBackend):
    """Eight channels for disposable tips.

    Args:
        z_offset_mm: added to every height, from teaching.
    """

    def __init__(self, *, z_offset_mm: float = 0.0) -> None:
        super().__init__(diti_count=CHANNELS)
        self._z_offset_mm = z_offset_mm
        self._may_have_tip = [True] * CHANNELS
        self._answer_due = False
        self._asked = self.LIHA

    async def setup(self) -> None:
        """Initialise; tips that may be left from before go to the waste.

        Raises:
            TecanError: it can't be initialised, or has another number of channels.
            ConnectionError: there is no such machine on USB, or it is in use.
        """
        try:
            await super().setup()
        except RuntimeError as absent:
            raise ConnectionError(str(absent)) from absent
        self._may_have_tip = [True] * CHANNELS
        await self._drop(self.deck.get_trash_area(), list(range(CHANNELS)))

    async def send_command(
        self,
        module: str,
        command: str,
        params: list[int | None] | None = None,
        write_timeout: int | None = None,
        read_timeout: int | None = None,
        wait: bool = True,
    ) -> Any:
        """Send a command and wait for the answer.

        An answer that did not come may come later, and would be taken for that of the next command: before that is sent, the
        port is opened anew, and the arm is asked something whose answer can be told from all that move it.

        Raises:
            TecanError: the arm refuses.
            NonsenseReply: what came is no answer.
            ConnectionError: the machine is not on USB any more; it is looked for again before the next command.
        """
        if self._answer_due:
            await self._reopen()
            # PyLabRobot sends no setting twice, but the last one may not have got there.
            self._cache.clear()
            await self._get_in_step()
        self._answer_due, self._asked = True, module
        answer = await super().send_command(module, command, params, write_timeout, read_timeout, wait)
        if answer is not None and command.startswith("R") and not answer["data"]:
            raise NonsenseReply(f"{module} says nothing in answer to {command}.")
        self._answer_due = False
        if command == "RNT" and answer["data"][0] != CHANNELS:
            raise TecanError(f"the arm has {answer['data'][0]} channels, not {CHANNELS}", module, 5)
        return answer

    async def _reopen(self) -> None:
        # PyLabRobot's word for a port that is shut already, as after an attempt that found nothing, is ValueError.
        with suppress(ValueError):
            await self.io.stop()
        try:
            await self.io.setup()
        except RuntimeError as absent:
            raise ConnectionError(str(absent)) from absent

    async def _get_in_step(self) -> None:
        """Where the arm is says only the answer to that; what comes before it was to something older."""
        self._answer_due, self._asked = True, self.LIHA
        answer = await super().send_command(self.LIHA, "RPX", [0])
        for _ in range(LATE_ANSWERS):
            if answer["data"]:
                # It may have been asked that before, too.
                await asyncio.sleep(QUIET_S)
                await self._reopen()
                self._answer_due = False
                return
            answer = self.parse_response(await self.io.read())
        raise NonsenseReply("the arm does not say where it is.")

    def parse_response(self, resp: bytes) -> dict[str, Any]:
        """What an answer says: start of text, module, status with its highest bit set, data, zero.

        Raises:
            TecanError: the arm refuses.
            NonsenseReply: this is no answer.
        """
        if (
            len(resp) < 5
            or resp[0] != 0x02
            or resp[1:3] != self._asked.encode()
            or resp[-1] != 0x00
            or not resp[3] & 0x80
        ):
            raise NonsenseReply(f"{resp[:40]!r} is no answer of the arm.")
        try:
            return super().parse_response(resp)
        except TecanError:
            self._answer_due = False
            raise

    async def request_tip_presence(self) -> list[bool | None]:
        """Channels that may have a tip on: the firmware tells nothing, so those that were sent to fetch one and did not
        drop it since count as having one. Dropping what is not there is harmless.
        """
        return list(self._may_have_tip)

    async def pick_up_tips(self, ops: list[Pickup], use_channels: list[int]) -> None:
        """Fetch tips."""
        await self._go(ops, use_channels)
        z = self._height(ops[0].resource, ops[0].resource.get_absolute_size_z(), ops[0].tip)
        for channel in use_channels:
            self._may_have_tip[channel] = True
        await self.liha.get_disposable_tip(
            self._bin_use_channels(use_channels), z + TIP_SEARCH_BEGIN, TIP_SEARCH
        )

    async def drop_tips(self, ops: list[Drop], use_channels: list[int]) -> None:
        """Let tips go into the waste."""
        if not all(isinstance(op.resource, Trash) for op in ops):
            raise NotImplementedError("Used tips are thrown away; they do not go back into racks.")
        await self._drop(ops[0].resource, use_channels)

    async def aspirate(self, ops: list[SingleChannelAspiration], use_channels: list[int]) -> None:
        """Stir if asked to, then draw."""
        await self._go(ops, use_channels)
        await self._lower(ops, use_channels)
        await self._stir(ops, use_channels)
        await self._plungers(
            use_channels,
            [_steps(op) for op in ops],
            [_class_of(op).aspirate_speed for op in ops],
        )
        await asyncio.sleep(SETTLE_S)
        await self._raise()

    async def dispense(self, ops: list[SingleChannelDispense], use_channels: list[int]) -> None:
        """Give, then stir if asked to."""
        await self._go(ops, use_channels)
        await self._lower(ops, use_channels)
        stop = [int(_class_of(op).dispense_breakoff * HALF_STEPS_PER_UL) for op in ops]
        await self.liha.set_stop_speed_plunger(self._spread(use_channels, stop))
        await self._plungers(
            use_channels,
            [-_steps(op) for op in ops],
            [_class_of(op).dispense_speed for op in ops],
        )
        await self._stir(ops, use_channels)
        await self._raise()

    def can_pick_up_tip(self, channel_idx: int, tip: Any) -> bool:
        """Tips of Tecan's."""
        return isinstance(tip, TecanTip)

    async def _drop(self, waste: Resource, channels: list[int]) -> None:
        x, y = self._over(waste, channels)
        await self._travel(x, y)
        try:
            await self.liha.discard_disposable_tip_high(self._bin_use_channels(channels))
        except TecanError as error:
            if error.error_code != NOT_MOUNTED:
                raise
            if all(self._may_have_tip[channel] for channel in channels) and len(channels) < CHANNELS:
                # PyLabRobot believes in these tips: they were lost on the way.
                self._forget(channels)
                raise NoTipError(error.message) from error
        self._forget(channels)

    def _forget(self, channels: Sequence[int]) -> None:
        for channel in channels:
            self._may_have_tip[channel] = False

    async def _go(self, ops: Sequence[Op], channels: list[int]) -> None:
        """High above the places of an action."""
        await self._travel(*self._above(ops, channels))

    async def _travel(self, x: int, y: int) -> None:
        up = [self._z_range] * CHANNELS
        await self.liha.set_z_travel_height(up)
        await self.liha.position_absolute_all_axis(x, y, round(10 * ROW_MM), up)

    async def _lower(self, ops: Sequence[Op], channels: Sequence[int]) -> None:
        heights = [
            self._height(
                op.resource, _floor_mm(op.resource) + (getattr(op, "liquid_height", 0.0) or 0.0), op.tip
            )
            for op in ops
        ]
        await self.liha.move_absolute_z(self._spread(channels, heights, rest=self._z_range))

    async def _raise(self) -> None:
        await self.liha.move_absolute_z([self._z_range] * CHANNELS)

    async def _stir(
        self, ops: Sequence[SingleChannelAspiration | SingleChannelDispense], channels: Sequence[int]
    ) -> None:
        """Strokes of all channels at once; they stir alike."""
        mix = ops[0].mix
        for _ in range(0 if mix is None else mix.repetitions):
            assert mix is not None
            steps, speeds = [round(mix.volume * STEPS_PER_UL)] * len(ops), [mix.flow_rate] * len(ops)
            await self._plungers(channels, steps, speeds)
            await self._plungers(channels, [-one for one in steps], speeds)

    async def _plungers(
        self, channels: Sequence[int], steps: Sequence[int], ul_per_s: Sequence[float]
    ) -> None:
        if not any(steps):
            return
        speeds = [max(5, min(6000, int(speed * HALF_STEPS_PER_UL))) for speed in ul_per_s]
        await self.liha.position_valve_logical(self._spread(channels, [0] * len(channels)))
        await self.liha.set_end_speed_plunger(self._spread(channels, speeds))
        await self.liha.move_plunger_relative(self._spread(channels, steps))

    def _spread(
        self, channels: Sequence[int], values: Sequence[int], *, rest: int | None = None
    ) -> list[int | None]:
        spread: list[int | None] = [rest] * CHANNELS
        for channel, value in zip(channels, values, strict=True):
            spread[channel] = value
        return spread

    def _above(self, ops: Sequence[Op], channels: list[int]) -> tuple[int, int]:
        """X, and Y of the first channel, so that each channel stands over its place.

        Raises:
            ValueError: channels in one column, 9 mm apart, can't stand so.
        """
        first = ops[0].resource
        if all(op.resource is first for op in ops) and not isinstance(first, Well):
            return self._over(first, channels)
        centres = [op.resource.get_location_wrt(self.deck) + op.resource.center() for op in ops]
        xs = {round((centre.x - X_ZERO_MM) * 10) for centre in centres}
        ys = {
            round((Y_ZERO_MM - centre.y - channel * ROW_MM) * 10)
            for centre, channel in zip(centres, channels, strict=True)
        }
        if len(xs) > 1 or len(ys) > 1:
            raise ValueError("the channels of this arm stand in one column, as rows of a plate do")
        return xs.pop(), ys.pop()

    def _over(self, place: Resource, channels: Sequence[int]) -> tuple[int, int]:
        """Over one large place: the channels that are used stand about its middle."""
        centre = place.get_location_wrt(self.deck) + place.center()
        middle = (min(channels) + max(channels)) / 2
        return round((centre.x - X_ZERO_MM) * 10), round((Y_ZERO_MM - centre.y - middle * ROW_MM) * 10)

    def _height(self, place: Resource, above_mm: float, tip: Any) -> int:
        """Height of a channel for a tip that ends so far above the foot of a place.

        Raises:
            ValueError: the arm does not reach so low or so high.
        """
        foot_mm = place.get_location_wrt(self.deck).z
        z = round((foot_mm + above_mm + tip.total_tip_length + self._z_offset_mm) * 10)
        if not 0 <= z <= self._z_range:
            raise ValueError(f"a height of {z / 10:g} mm is outside the arm's 0 to {self._z_range / 10:g} mm")
        return z


def _floor_mm(place: Resource) -> float:
    """Inside bottom of a well above its foot."""
    thickness = getattr(place, "_material_z_thickness", None)
    return float(thickness) if isinstance(place, Container) and thickness is not None else 0.0


def _class_of(op: SingleChannelAspiration | SingleChannelDispense) -> TecanLiquidClass:
    """PyLabRobot's figures for water in tips of this kind.

    Raises:
        ValueError: it has none for so much.
    """
    # What draws nothing stirs; its speed is its own.
    known = get_liquid_class(op.volume or 10.0, Liquid.WATER, op.tip.tip_type)
    if known is None:
        raise ValueError(f"no liquid class for {op.volume:g} ul")
    return known


def _steps(op: SingleChannelAspiration | SingleChannelDispense) -> int:
    return round(_class_of(op).compute_corrected_volume(op.volume) * STEPS_PER_UL) if op.volume else 0
