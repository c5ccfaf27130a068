"""Thermo Fisher's Applied Biosystems Automated Thermal Cycler (ATC): 96 wells, three zones, a motorised lid, over TCP.

Its commands are those of PyLabRobot's backend (thermocycling/thermo_fisher, block 31); ``SETT?`` and ``CONT?``, which tell
what it was told, are known of its sister QuantStudio (qslib) and are done without where it does not know them.

===============================  ==================================================================
TBC:BlockPresence?, TBC:BID?     is there a block, and which; 31 is this one's
SYST:SETT:NICK?                  its name, as given on its screen
TBC1:TBC:BlockTemperatures?      of its three zones
TBC1:TBC:CoverTemperatures?      of its lid
TBC1:RAMP -rate=100 T T T        bring the zones to temperatures, as fast as it can, and stay there
TBC1:CoverRAMP T                 bring the lid to a temperature, and stay there
TBC1:BLOCK 0 25, :COVER 0 105    let go of the block, of the lid
lidopen, lidclose                move the lid
TBC1:ERROR?                      whether anything is wrong; 0 is nothing
===============================  ==================================================================

It answers a ramp when it is over. It has no watchdog for temperatures told in this way.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import re
import statistics
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import Query
from devices.identity import Identity, origin_of
from devices.thermocycler.atc_session import ATC_FRAMING, answers
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

__all__ = ["ATC", "BLOCK", "LID_MOVES_S", "RAMP", "ZONES"]

BLOCK = "31"
"""The number of the ATC's block (PyLabRobot)."""

ZONES = 3

RAMP = "TBC1:RAMP -rate=100"
COVER_RAMP = "TBC1:CoverRAMP"
BLOCK_OFF, COVER_OFF = "TBC1:BLOCK 0 25", "TBC1:COVER 0 105"
"""As PyLabRobot lets go of them; the temperatures are told with it and not gone to."""

LID_MOVES_S = 20.0
"""PyLabRobot waits for 20 s to close and 25 s to open it."""

HEATING_C_PER_S = 3.5
COOLING_C_PER_S = 2.0
LID_HEATING_C_PER_S = 0.5
"""For estimates only."""

ARRIVED_C = 1.0
DRIFT_C = 2.0
"""Further from its target during a hold, a zone is not held."""

LOOKS_S = 30.0
"""Between two looks at a block that is held."""

POLL_S = 2.0
ROOM_C = 22.0
SHOWN_C = (-20.0, 150.0)


class ATCDialect:
    """Answers of the cycler."""

    framing = ATC_FRAMING

    def payload(self, request: str, reply: str) -> str:
        """What an answer says behind the command that it repeats.

        Raises:
            InstrumentBusy: a run of somebody else's is under way.
            LidFault: the lid does not move.
            InstrumentError: it does not do it.
            NonsenseReply: no answer to this.
        """
        found = re.fullmatch(r"(OK|ERRor) (\S+) ?(.*)", reply.strip())
        if found is None or not answers(found[2], request):
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        if found[1] == "OK":
            return found[3].strip()
        said = f"{request!r} is refused: {found[3].strip() or 'it does not say why'}."
        if "busy" in found[3].lower():
            raise InstrumentBusy(said)
        raise LidFault(said) if request.startswith("lid") else InstrumentError(said)

    def pick(self, payload: str, name: str) -> str:
        """The mean of the numbers of an answer, of which there are one for the ``lid`` and three for the ``block``."""
        values = numbers(payload)
        if len(values) != (1 if name == "lid" else ZONES):
            raise NonsenseReply(f"{payload!r} are no temperatures of the {name}.")
        return repr(statistics.fmean(values))


def numbers(payload: str) -> list[float]:
    """The numbers of an answer.

    Raises:
        NonsenseReply: one is none.
    """
    words = payload.split()
    if any(re.fullmatch(r"-?\d{1,3}(\.\d{1,6})?", word, re.ASCII) is None for word in words):
        raise NonsenseReply(f"{payload!r} are no temperatures.")
    return [float(word) for word in words]


BLOCK_C = Query("TBC1:TBC:BlockTemperatures?", field="block", units="C", within=SHOWN_C)
LID_C = Query("TBC1:TBC:CoverTemperatures?", field="lid", units="C", within=SHOWN_C)


class ATC(Thermocycler):
    """An Automated Thermal Cycler; arguments as of :class:`Thermocycler`."""

    dialect = ATCDialect()
    framing: ClassVar[Framing] = ATC_FRAMING
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 99.0),
        "cool_to_c": (4.0, 99.0),
        "lid_temperature_c": (30.0, 110.0),
        "hold_s": (0.0, 86_400.0),
    }

    temperature_c: Annotated[SignalR[float], Format.HINTED_UNCACHED_SIGNAL, BLOCK_C]
    lid_temperature_c: Annotated[SignalR[float], Format.UNCACHED_SIGNAL, LID_C]

    async def safe(self) -> None:
        """Block and lid heaters off, the lid stays where it is.

        The cycler has no watchdog of its own: without this a block goes on holding though nobody is connected any more.
        """
        await self._off()

    async def _introduce(self) -> Identity:
        await self._link.ask("POWER On", timeout_s=30.0)
        if await self._link.ask("TBC:BlockPresence?") == "0":
            raise InstrumentError("there is no block in it.")
        if (block := await self._link.ask("TBC:BID?")) != BLOCK:
            raise InstrumentError(f"its block is number {block}, not {BLOCK}: this is no ATC.")
        name = (await self._link.ask("SYST:SETT:NICK?")).strip('"')
        if not name:
            raise NonsenseReply("it has no name.")
        return Identity(
            vendor="Thermo Fisher",
            model="Applied Biosystems ATC",
            serial=name,
            firmware="not told",
            origin=origin_of(name),
        )

    async def _show(self) -> Shown:
        block_c = await self.temperature_c.get_value(cached=False)
        try:
            targets = _settings(await self._link.ask("TBC1:TBC:SETT?"))
            controlled = _settings(await self._link.ask("TBC1:TBC:CONT?"))
        except InstrumentError:
            # One that does not tell: nobody knows what it was told.
            return Shown(target_c=None, block_c=block_c, lid_target_c=None)
        told: dict[str, float | None] = {}
        for name in ("Zone1", "Cover"):
            if name not in targets or name not in controlled:
                raise NonsenseReply(f"it says nothing of {name}.")
            told[name] = numbers(targets[name])[0] if controlled[name] == "True" else None
        return Shown(target_c=told["Zone1"], block_c=block_c, lid_target_c=told["Cover"])

    def _heat_s(self, command: Heat, bench: Bench | None) -> float:
        lid_s = LID_MOVES_S + max(0.0, command.lid_temperature_c - ROOM_C) / LID_HEATING_C_PER_S
        up_s = abs(command.temperature_c - ROOM_C) / HEATING_C_PER_S
        down_s = abs(command.temperature_c - command.cool_to_c) / COOLING_C_PER_S
        return lid_s + up_s + command.hold_s + down_s

    def _lid_s(self, command: OpenLid | CloseLid, bench: Bench | None) -> float:
        return LID_MOVES_S

    async def _lid_is_open(self) -> bool | None:
        # It does not say; told again, it goes there.
        return None

    async def _open(self) -> None:
        await self._move_lid("lidopen")

    async def _close(self) -> None:
        await self._move_lid("lidclose")

    async def _move_lid(self, request: str) -> None:
        await self._link.ask(request, timeout_s=3 * LID_MOVES_S)
        if (error := await self._link.ask("TBC1:ERROR?")) != "0":
            raise LidFault(f"after {request!r} it has the error {error}.")

    async def _heat_lid(self, temperature_c: float) -> None:
        way_s = max(0.0, temperature_c - ROOM_C) / LID_HEATING_C_PER_S
        await self._link.ask(f"{COVER_RAMP} {temperature_c:.1f}", timeout_s=60.0 + 2.0 * way_s)

        async def left_s() -> float:
            gap_c = temperature_c - float(await self._link.read(LID_C))
            return 0.0 if gap_c <= ARRIVED_C else gap_c / LID_HEATING_C_PER_S

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the lid does not come to {temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _hold(self, temperature_c: float, hold_s: float) -> float:
        await self._ramp(temperature_c)
        now = asyncio.get_running_loop().time
        end_s = now() + hold_s
        while (left_s := end_s - now()) > 0.0:
            await asyncio.sleep(min(left_s, LOOKS_S))
            for zone_c in await self._zones():
                if abs(zone_c - temperature_c) > DRIFT_C:
                    raise TemperatureNotReached(
                        f"a zone is at {zone_c:g} C during a hold at {temperature_c:g} C."
                    )
        return statistics.fmean(await self._zones())

    async def _cool(self, temperature_c: float) -> None:
        try:
            await self._ramp(temperature_c)
        except InstrumentBusy as busy:
            # Something was done already: the hold.
            raise InstrumentError(f"{busy}") from busy

    async def _off(self) -> None:
        await self._link.ask(BLOCK_OFF)
        await self._link.ask(COVER_OFF)

    async def _ramp(self, temperature_c: float) -> None:
        """Tell the zones a temperature and wait until each is there, whenever it answers."""
        way_c = max(abs(temperature_c - zone_c) for zone_c in await self._zones())
        told = " ".join([f"{temperature_c:.1f}"] * ZONES)
        await self._link.ask(f"{RAMP} {told}", timeout_s=60.0 + 2.0 * way_c / COOLING_C_PER_S)

        async def left_s() -> float:
            gap_c = max(abs(temperature_c - zone_c) for zone_c in await self._zones())
            return 0.0 if gap_c <= ARRIVED_C else gap_c / COOLING_C_PER_S

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the block does not come to {temperature_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _zones(self) -> list[float]:
        payload = await self._link.ask(BLOCK_C.request)
        zones = numbers(payload)
        if len(zones) != ZONES or not all(SHOWN_C[0] <= zone_c <= SHOWN_C[1] for zone_c in zones):
            raise NonsenseReply(f"{payload!r} are no temperatures of the block.")
        return zones


def _settings(payload: str) -> dict[str, str]:
    """Names and values of an answer (``-Zone1=25.0 -Cover=105.0``).

    Raises:
        NonsenseReply: it has no such form.
    """
    pairs = [re.fullmatch(r"-(\w+)=(\S+)", word, re.ASCII) for word in payload.split()]
    if not pairs or None in pairs:
        raise NonsenseReply(f"{payload!r} are no settings.")
    return {pair[1]: pair[2] for pair in pairs if pair is not None}
