"""The Opentrons Thermocycler Module GEN2 over its USB serial line.

Commands and replies follow the module's published G-codes (docs.opentrons.com/thermocycler/g-codes,
.../error-codes) and its open firmware (github.com/Opentrons/opentrons-modules,
stm32-modules/thermocycler-gen2: gcodes.hpp, errors.cpp): a request is a G-code and a newline, the reply
repeats the code, gives its values as ``key:value`` and ends in ``OK``. A failure is a line ``ERRnnn:text
OK``. Lid movements are answered when they are over, temperatures at once: whoever wants to know that a block
has arrived asks.

=====  ===========================================  ====================================================
M115   who are you                                  ``M115 FW:v1.1.1 HW:... SerialNo:TCV2... OK``
M126   open the lid                                 ``M126 OK``
M127   close the lid                                ``M127 OK``
M119   where is the lid                             ``M119 Lid:open Seal:retracted OK``
M104   S target, H hold in seconds                  ``M104 OK``
M105   block                                        ``M105 T:95.00 C:77.40 H:600.00 Total_H:600.00 At_target?:0 OK``
M140   S target of the lid                          ``M140 OK``
M141   lid                                          ``M141 T:105.00 C:77.40 OK``
M18    everything off                               ``M18 OK``
M108   lid heater off                               ``M108 OK``
=====  ===========================================  ====================================================
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import logging
import re
from enum import StrEnum
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query, measured
from devices.identity import Identity, origin_of
from devices.thermocycler.commands import CloseLid, Heat, OpenLid
from devices.thermocycler.thermocycler import Shown, Thermocycler
from devices.transport import Framing
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import (
    DeviceFault,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    NonsenseReply,
    TemperatureNotReached,
)

__all__ = [
    "COOLING_C_PER_S",
    "FRAMING",
    "HEATING_C_PER_S",
    "LID_HEATING_C_PER_S",
    "LID_MOVES_S",
    "Gcode",
    "LidPosition",
    "OpentronsThermocycler",
]

FRAMING = Framing(request_end="\n", reply_end="\n", baud=115200)

LONGEST_HOLD_S = (0.0, 1e7)
"""Of a hold; a choice."""

SHOWN_C = (-40.0, 150.0)
"""What a thermistor of block or lid can show; a choice with room to both sides of the 4 to 110 C that they are driven to."""

HEATING_C_PER_S = 3.6
COOLING_C_PER_S = 2.0
"""Block rates. The maker's pages give none; these are a comparable 96-well cycler's (Techne TC-312 data
sheet).
"""

LID_HEATING_C_PER_S = 0.5
"""Room to 105 C in under three minutes, as lids of such cyclers take. No source; on hardware only an
estimate.
"""

LID_MOVES_S = 12.0
"""Opening or closing. No source; on hardware only an estimate."""

ARRIVED_C = 1.0
"""Closeness at which the lid counts as hot; the firmware itself says when the block has arrived."""

POLL_S = 2.0
"""Least lab time between two questions; what is expected to take longer is waited for first."""

ROOM_C = 22.0

HARMLESS_C = 37.0
"""A block on its way to this or lower may be left to cool for a while on the way to the safe state."""

COOLING_DOWN_S = 20.0
"""How long, at most; the safe state is promised within 30 s."""

log = logging.getLogger(__name__)


class Gcode(StrEnum):
    """The part of the module's G-codes that is used here."""

    IDENTITY = "M115"
    OPEN_LID = "M126"
    CLOSE_LID = "M127"
    LID_STATUS = "M119"
    SET_BLOCK = "M104"
    BLOCK = "M105"
    SET_LID = "M140"
    LID = "M141"
    OFF = "M18"
    LID_OFF = "M108"


class LidPosition(StrictEnum):
    """Where the lid is."""

    OPEN = "open"
    CLOSED = "closed"
    IN_BETWEEN = "in_between"
    UNKNOWN = "unknown"


class OpentronsDialect:
    """Replies of the module's firmware."""

    framing = FRAMING
    _error = re.compile(r"(?:async )?ERR(-?\d+):(.*?)(?: OK)?$")

    def payload(self, request: str, reply: str) -> str:
        """The values of a reply, without code and ``OK``."""
        text = reply.strip()
        if error := self._error.match(text):
            # ``number:part:what``; the part is the lid's motor for a lid that does not move.
            kind: type[DeviceFault] = LidFault if error[2].startswith("lid:") else InstrumentError
            if "busy" in error[2]:
                kind = InstrumentBusy
            raise kind(f"error {error[1]}, {error[2]} (asked {request!r}).")
        code = request.split(maxsplit=1)[0]
        if text == "OK":
            # Acknowledgements without the code are documented too.
            return ""
        if not text.startswith(f"{code} ") or not text.endswith("OK"):
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        return text.removeprefix(code).removesuffix("OK").strip()

    def pick(self, payload: str, name: str) -> str:
        """The value after ``name:``, which ends at the next key."""
        found = re.search(rf"(?:^|\s){re.escape(name)}:\s*(.*?)(?=\s+[\w?]+:|$)", payload)
        if found is None:
            raise NonsenseReply(f"{payload!r} has no {name}.")
        return found[1]


class OpentronsThermocycler(Thermocycler):
    """A Thermocycler Module GEN2; arguments as of :class:`Thermocycler`."""

    dialect = OpentronsDialect()
    framing: ClassVar[Framing] = FRAMING
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 99.0),
        "cool_to_c": (4.0, 99.0),
        "lid_temperature_c": (37.0, 110.0),
        "hold_s": (0.0, 7 * 86400.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(Gcode.BLOCK, field="C", units="C", within=SHOWN_C),
    ]
    lid_temperature_c: Annotated[
        SignalR[float], Format.UNCACHED_SIGNAL, Query(Gcode.LID, field="C", units="C", within=SHOWN_C)
    ]
    lid: Annotated[SignalR[LidPosition], Format.UNCACHED_SIGNAL, Query(Gcode.LID_STATUS, field="Lid")]

    async def safe(self) -> None:
        """Block and lid heaters off, the lid stays where it is.

        A block that is being cooled to :data:`HARMLESS_C` or lower is left to it for up to :data:`COOLING_DOWN_S`, so that
        the end of a hold is not drawn out: off, it would take minutes. The module has no watchdog of its own: without this
        a block goes on holding though nobody is connected any more.
        """
        try:
            async with asyncio.timeout(COOLING_DOWN_S):
                await self._let_cool()
        except TimeoutError:
            log.info("%s: turned off before it had cooled down.", self.name)
        except DeviceFault as fault:
            # Off comes next whatever the block says; whether that works is what counts.
            log.warning("%s", fault)
        await self._link.ask(Gcode.OFF)

    async def _let_cool(self) -> None:
        block = await self._link.ask(Gcode.BLOCK)
        target_c = self._target(block)
        if target_c is None or target_c > HARMLESS_C or self._float(block, "C") <= target_c + ARRIVED_C:
            return
        await self._link.ask(Gcode.LID_OFF)
        while (gap_c := await self._number(Gcode.BLOCK, "C") - target_c) > ARRIVED_C:  # noqa: ASYNC110  (no events on a serial line)
            await asyncio.sleep(max(gap_c / COOLING_C_PER_S, POLL_S))
        self._has_cooled(target_c)

    async def _show(self) -> Shown:
        block = await self._link.ask(Gcode.BLOCK)
        lid = await self._link.ask(Gcode.LID)
        return Shown(
            target_c=self._target(block),
            block_c=self._float(block, "C"),
            lid_target_c=self._target(lid),
        )

    def _target(self, payload: str) -> float | None:
        return None if self.dialect.pick(payload, "T") == "none" else self._float(payload, "T")

    async def _introduce(self) -> Identity:
        about = await self._link.ask(Gcode.IDENTITY)
        serial = self.dialect.pick(about, "SerialNo")
        return Identity(
            vendor="Opentrons",
            model=self.dialect.pick(about, "HW"),
            serial=serial,
            firmware=self.dialect.pick(about, "FW"),
            origin=origin_of(serial),
        )

    def _heat_s(self, command: Heat, bench: Bench | None) -> float:
        lid_s = LID_MOVES_S + max(0.0, command.lid_temperature_c - ROOM_C) / LID_HEATING_C_PER_S
        up_s = abs(command.temperature_c - ROOM_C) / HEATING_C_PER_S
        down_s = abs(command.temperature_c - command.cool_to_c) / COOLING_C_PER_S
        return lid_s + up_s + command.hold_s + down_s

    def _lid_s(self, command: OpenLid | CloseLid, bench: Bench | None) -> float:
        return LID_MOVES_S

    async def _open(self) -> None:
        await self._link.ask(Gcode.OPEN_LID, timeout_s=5 * LID_MOVES_S)
        await self._lid_must_be(LidPosition.OPEN)

    async def _close(self) -> None:
        await self._link.ask(Gcode.CLOSE_LID, timeout_s=5 * LID_MOVES_S)
        await self._lid_must_be(LidPosition.CLOSED)

    async def _lid_is_open(self) -> bool | None:
        where = await self.lid.get_value(cached=False)
        return {LidPosition.OPEN: True, LidPosition.CLOSED: False}.get(where)

    async def _lid_must_be(self, wanted: LidPosition) -> None:
        where = await self.lid.get_value(cached=False)
        if where != wanted:
            raise LidFault(f"the lid is {where} where it should be {wanted}.")

    async def _heat_lid(self, temperature_c: float) -> None:
        await self._link.ask(f"{Gcode.SET_LID} S{temperature_c:.2f}")

        async def left_s() -> float:
            gap_c = temperature_c - await self._number(Gcode.LID, "C")
            return 0.0 if gap_c <= ARRIVED_C else gap_c / LID_HEATING_C_PER_S

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the lid does not come to {temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _hold(self, temperature_c: float, hold_s: float) -> float:
        # A hold of 0 would mean for ever to the firmware.
        await self._link.ask(f"{Gcode.SET_BLOCK} S{temperature_c:.2f} H{max(hold_s, 1.0):.2f}")

        async def left_s() -> float:
            block = await self._link.ask(Gcode.BLOCK)
            remaining_s = self._float(block, "H")
            if self.dialect.pick(block, "At_target?") == "1" and remaining_s <= 0.0:
                return 0.0
            gap_c = abs(temperature_c - self._float(block, "C"))
            return max(remaining_s + gap_c / HEATING_C_PER_S, POLL_S)

        await self._wait_out(left_s, poll_s=POLL_S, stuck=lambda: _not_reached(temperature_c))
        return await self._number(Gcode.BLOCK, "C")

    async def _cool(self, temperature_c: float) -> None:
        try:
            await self._link.ask(f"{Gcode.SET_BLOCK} S{temperature_c:.2f}")
        except InstrumentBusy as busy:
            # Something was done already: the hold.
            raise InstrumentError(f"{busy}") from busy

        async def left_s() -> float:
            block = await self._link.ask(Gcode.BLOCK)
            if self.dialect.pick(block, "At_target?") == "1":
                return 0.0
            return max(abs(temperature_c - self._float(block, "C")) / COOLING_C_PER_S, POLL_S)

        await self._wait_out(left_s, poll_s=POLL_S, stuck=lambda: _not_reached(temperature_c))

    async def _off(self) -> None:
        await self._link.ask(Gcode.OFF)

    async def _number(self, request: str, name: str) -> float:
        return self._float(await self._link.ask(request), name)

    def _float(self, payload: str, name: str) -> float:
        within = LONGEST_HOLD_S if name == "H" else SHOWN_C
        return measured(self.dialect.pick(payload, name), name, within=within)


def _not_reached(temperature_c: float) -> DeviceFault:
    return TemperatureNotReached(f"the block does not come to {temperature_c:g} C.")
