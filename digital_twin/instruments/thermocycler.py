"""What an Opentrons Thermocycler GEN2 answers, over the world: the far end of
:mod:`devices.thermocycler.opentrons`.

Replies are worded as its firmware words them (see there for the sources). Lid, block, hold and lid heater are those of
the world, so they outlive this object: a cycler does not notice that its controller died. Rates: the block's are the
world's seat's; lid and its heater take what the driver's module states.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from devices.thermocycler.opentrons import LID_HEATING_C_PER_S, LID_MOVES_S, Gcode, OpentronsThermocycler
from digital_twin.instruments.heated_lid import HeatedLid
from digital_twin.physics.heat import time_to_reach_s
from digital_twin.world import World

__all__ = ["ThermocyclerTwin"]

AT_TARGET_C = 0.5
"""Closeness at which the firmware counts the hold."""

FIRMWARE = "v1.1.1"
MODEL = "Opentrons-thermocycler-gen2"
ANSWER_S = 0.02
"""A round trip over USB with the firmware's queues; a choice."""

_BLOCK = re.compile(r"M104 S(-?[\d.]+)(?: H([\d.]+))?(?: V(-?[\d.]+))?$")
_LID = re.compile(r"M140(?: S(-?[\d.]+))?$")


@dataclass(frozen=True, slots=True)
class _Hold:
    """A set temperature and how long it is to be held; 0 is for ever."""

    target_c: float
    hold_s: float
    arrival_s: float

    def remaining_s(self, now_s: float) -> float:
        return max(0.0, self.hold_s - max(0.0, now_s - self.arrival_s))


class ThermocyclerTwin:
    """A thermocycler at one position of a world. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: of its block.
        serial: its number; begins with TWIN.
    """

    def __init__(self, world: World, *, name: str, position: str, serial: str = "TWIN-TC2-0001") -> None:
        self._world = world
        self._name = name
        self._position = position
        self._serial = serial
        self._lid_moving = False
        self._heater = HeatedLid(world, name=name, position=position, heating_c_per_s=LID_HEATING_C_PER_S)

    async def reply(self, line: str) -> str:
        """The firmware's answer to one line."""
        await asyncio.sleep(ANSWER_S)
        request = line.strip()
        match request:
            case Gcode.IDENTITY:
                return f"M115 FW:{FIRMWARE} HW:{MODEL} SerialNo:{self._serial} OK"
            case Gcode.OPEN_LID:
                return await self._move_lid(request, shut=False)
            case Gcode.CLOSE_LID:
                return await self._move_lid(request, shut=True)
            case Gcode.LID_STATUS:
                return f"M119 Lid:{self._lid()} Seal:{'retracted' if self._lid() == 'open' else 'engaged'} OK"
            case Gcode.BLOCK:
                return self._block()
            case Gcode.LID:
                return f"M141 T:{_or_none(self._heater.target_c)} C:{self._heater.temperature_c():.2f} OK"
            case Gcode.OFF:
                return self._off(lid=True, block=True, code="M18")
            case "M14":
                return self._off(lid=False, block=True, code="M14")
            case "M108":
                return self._off(lid=True, block=False, code="M108")
        if set_block := _BLOCK.match(request):
            return self._set_block(float(set_block[1]), float(set_block[2] or 0.0))
        if set_lid := _LID.match(request):
            return self._set_lid(float(set_lid[1] or 105.0))
        return "ERR003:unhandled gcode OK"

    def _now(self) -> float:
        return self._world.clock.now()

    def _lid(self) -> str:
        if self._lid_moving:
            return "in_between"
        return "closed" if self._world.is_shut(self._position) else "open"

    async def _move_lid(self, request: str, *, shut: bool) -> str:
        if self._lid_moving:
            return "ERR501:lid:Lid motor busy OK"
        if self._world.is_shut(self._position) is not shut:
            self._lid_moving = True
            try:
                await asyncio.sleep(LID_MOVES_S)
                self._world.act(self._name, "shut", position=self._position, shut=shut)
            finally:
                self._lid_moving = False
        return f"{request} OK"

    def _set_block(self, target_c: float, hold_s: float) -> str:
        lowest, highest = OpentronsThermocycler.maker_limits["temperature_c"]
        if not lowest <= target_c <= highest:
            return "ERR407:thermal:Invalid target temperature OK"
        self._world.act(
            self._name,
            "set_temperature",
            position=self._position,
            temperature_c=target_c,
            ramp_c_per_s=None,
            hold_s=hold_s,
        )
        return "M104 OK"

    def _set_lid(self, target_c: float) -> str:
        lowest, highest = OpentronsThermocycler.maker_limits["lid_temperature_c"]
        if not lowest <= target_c <= highest:
            return "ERR407:thermal:Invalid target temperature OK"
        self._heater.tell(target_c)
        return "M140 OK"

    def _hold(self) -> _Hold | None:
        """What the block was told, and when it arrives there."""
        climate = self._world.state.climates[self._position]
        if climate.set_c is None:
            return None
        way_s = time_to_reach_s(
            start_c=climate.start_c,
            set_c=climate.set_c,
            tolerance_c=AT_TARGET_C,
            heating_c_per_s=climate.seat.heating_c_per_s,
            cooling_c_per_s=climate.seat.cooling_c_per_s,
            settling_s=climate.seat.settling_s,
        )
        hold_s = self._world.state.holds_s.get(self._position, 0.0)
        return _Hold(target_c=climate.set_c, hold_s=hold_s, arrival_s=climate.since_s + way_s)

    def _block(self) -> str:
        now_s, block_c = self._now(), self._world.temperature_c(self._position)
        hold = self._hold()
        if hold is None:
            return f"M105 T:none C:{block_c:.2f} H:none Total_H:none At_target?:0 OK"
        there = int(now_s >= hold.arrival_s)
        return (
            f"M105 T:{hold.target_c:.2f} C:{block_c:.2f} H:{hold.remaining_s(now_s):.2f} "
            f"Total_H:{hold.hold_s:.2f} At_target?:{there} OK"
        )

    def _off(self, *, lid: bool, block: bool, code: str) -> str:
        # Telling what is idle again that it is off is no event.
        if lid:
            self._heater.let_go()
        if block and self._world.state.climates[self._position].set_c is not None:
            self._world.act(self._name, "set_temperature", position=self._position, temperature_c=None)
        return f"{code} OK"


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
