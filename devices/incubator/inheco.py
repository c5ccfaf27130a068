"""Inheco's ThermoShake heater shaker, in a slot of a control box, and what it shares with others in such a slot.

PyLabRobot's backends (heating_shaking/inheco, temperature_controlling/inheco) make the commands that set and switch. The
questions, the codes of errors and of device types are those of an adapter for the maker's library by users of the box
(class ``InhecoMTC`` in C#; ``RTD``, ``RSE``, ``RSR`` and the table of return codes).

=======  ==========================================  =======================
RFV n    bootstrap, application, serial, hardware    ``rfv0TS-0815``
RTD      type of device in the slot                  ``rtd00``
STT n    target, tenths of a degree                  ``stt0``
ATE 1/0  regulate the temperature, or not            ``ate0``
RAT 0    temperature of the adapter, tenths          ``rat0370``
SSR n    speed, rpm                                  ``ssr0``
SSS n    figure that is shaken; 0 a circle           ``sss0``
ASE 1/0  shake, or not                               ``ase0``
RSE      whether it shakes                           ``rse01``
RSR      speed, rpm                                  ``rsr0500``
=======  ==========================================  =======================

What ``RHE`` (is the temperature regulated?) answers is told in two ways by two sources, so it is not asked: whether an
adapter is warm is seen by its temperature. The box has no watchdog: heater and shaker go on for as long as it has power.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import re
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format
from pylabrobot.heating_shaking.inheco.thermoshake_backend import InhecoThermoshakeBackend

from devices.declarative import Link, Query
from devices.identity import Identity, origin_of
from devices.incubator.commands import Incubate
from devices.incubator.incubator import ROOM_BAND_C, ROOM_C, ShakingIncubator, Shown
from devices.transport import Framing, Transport
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import InstrumentBusy, InstrumentError, NonsenseReply

__all__ = [
    "CODES",
    "COMES_TO_REST_S",
    "SHOWN_C",
    "DeviceType",
    "InSlot",
    "Shaking",
    "TecDialect",
    "ThermoShake",
]

COMES_TO_REST_S = 5.0
"""From ``ASE0`` until the plate stands still at its zero position. An estimate: the box does not say when it does."""

WARMING_C_PER_S = 0.1
COOLING_C_PER_S = 0.05
"""For estimates only; the maker gives no figures for an empty adapter."""

ARRIVED_C = 0.5
POLL_S = 5.0

LOOKS_S = 10.0
"""Between two looks at a shaker that shakes."""

SHOWN_C = (-20.0, 150.0)
"""What an adapter can be at; more or less is no temperature of it."""

RESET = "6"
BUSY = "A"

CODES = {
    "1": "the command arrived damaged",
    "2": "a message inside the box arrived damaged",
    "3": "it can't be done now",
    "4": "it does not know this",
    "5": "the value is out of range",
    RESET: "it was reset since it was last asked",
    "7": "nothing is plugged into this slot",
    "8": "the keyword is wrong",
    "9": "the device in the slot does not answer",
    BUSY: "it is busy",
    "C": "its housing is too hot or too cold",
    "D": "it was answered too late",
    "E": "its supply voltage is wrong",
    "F": "its fan is blocked or disconnected",
    "G": "the device is too hot",
    "H": "the shaker turns too fast",
    "I": "the voltage of the heater is wrong",
    "K": "the current of the heater is too low",
    "R": "a temperature sensor is broken",
    "T": "its two temperature sensors disagree",
    "W": "the wrong device is connected",
}
"""What the character after the echo means."""


class DeviceType(StrictEnum):
    """What is plugged into the slot."""

    THERMOSHAKE = "ThermoShake"
    CPAC = "CPAC"
    TELESHAKE = "Teleshake"
    CPAC_2_TEC = "CPAC with two elements"


TYPES = {
    "0": DeviceType.THERMOSHAKE,
    "1": DeviceType.CPAC,
    "2": DeviceType.TELESHAKE,
    "4": DeviceType.CPAC_2_TEC,
}


class Shaking(StrictEnum):
    """Whether it shakes."""

    ON = "on"
    OFF = "off"


class Refused(InstrumentError):
    """The box says that a command was not carried out.

    Args:
        code: of :data:`CODES`.
    """

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(sentence)


class TecDialect:
    """Answers of the box, without the digit of the slot."""

    framing = Framing()
    """Of no meaning here: reports frame themselves."""

    _answer = re.compile(r"([a-z]{3})(.)(.*)", re.ASCII)

    def payload(self, request: str, reply: str) -> str:
        """The value of an answer; empty where it has none.

        Raises:
            InstrumentBusy: it takes nothing now.
            Refused: it says why.
            NonsenseReply: no answer to this.
        """
        found = self._answer.fullmatch(reply)
        if found is None or found[1] != request[:3].lower():
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        if found[2] == "0":
            return found[3]
        if found[2] not in CODES:
            raise NonsenseReply(f"{reply!r} is no answer to {request!r}.")
        said = f"{request!r} is refused: {CODES[found[2]]}."
        raise InstrumentBusy(said) if found[2] == BUSY else Refused(found[2], said)

    def pick(self, payload: str, name: str) -> str:
        """``tenths`` as whole units, ``rpm`` and ``code`` as they are."""
        if re.fullmatch(r"-?\d{1,5}", payload, re.ASCII) is None:
            raise NonsenseReply(f"{payload!r} is no {name}.")
        return repr(int(payload) / 10.0) if name == "tenths" else str(int(payload))


class _Backend(InhecoThermoshakeBackend):
    """PyLabRobot's commands, sent over a link that knows its slot. Temperatures are rounded to tenths; its own are cut off.

    Its speed and figure are always told to slot 1, which does not matter where the link puts the slot in.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(index=1, control_box=_OverLink(link))

    async def set_target_temperature(self, temperature: float) -> None:
        await self.interface.send_command(f"{self.index}STT{round(temperature * 10)}")


class _OverLink:
    """What PyLabRobot's backend takes for its box."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def send_command(self, command: str) -> str:
        """Send a command without the slot that the backend gave it."""
        return await self._link.ask(command[1:])


SHAKING = Query("RSE", field="code", words={"0": Shaking.OFF, "1": Shaking.ON})


class InSlot(ShakingIncubator):
    """What a device in a slot can do, with or without a shaker; arguments as of :class:`ShakingIncubator`."""

    dialect = TecDialect()
    framing: ClassVar[Framing] = TecDialect.framing
    types: ClassVar[tuple[DeviceType, ...]]
    """What may be plugged into the slot."""

    def __init__(self, name: str, transport: Transport, *, limits: Limits | None = None) -> None:
        super().__init__(name, transport, limits=limits)
        self._backend = _Backend(self._link)

    async def safe(self) -> None:
        """Heater off, shaker stopped, the plate at rest. There is no clamp: an arm can take it.

        The box has no watchdog: without this both go on though nobody is connected any more.
        """
        await self._off()
        await self._release()

    async def _introduce(self) -> Identity:
        code = self.dialect.pick(await self._past_reset("RTD"), "code")
        if code not in TYPES:
            raise NonsenseReply(f"there is no type of device {code!r}.")
        if (model := TYPES[code]) not in self.types:
            raise InstrumentError(f"a {model} is plugged into the slot, not a {self.types[0]}.")
        serial = (await self._link.ask("RFV2")).strip()
        if not serial:
            raise NonsenseReply("it has no serial number.")
        return Identity(
            vendor="Inheco",
            model=model,
            serial=serial,
            firmware=(await self._link.ask("RFV1")).strip(),
            origin=origin_of(serial),
        )

    async def _past_reset(self, request: str) -> str:
        """Ask; once more where the box tells of a reset in place of the answer, after which all is off."""
        try:
            return await self._link.ask(request)
        except Refused as refused:
            if refused.code != RESET:
                raise
            return await self._link.ask(request)

    async def _show(self) -> Shown:
        adapter_c = await self.temperature_c.get_value(cached=False)
        return Shown(heating=abs(adapter_c - ROOM_C) > ROOM_BAND_C, adapter_c=adapter_c, clamped=False)

    async def _is_clamped(self) -> bool:
        return False

    async def _clamp(self) -> None:
        """The plate is held by its own weight and the pins of the adapter."""

    async def _release(self) -> None:
        """Nothing moves."""

    async def _off(self) -> None:
        await self._past_reset("ATE0")

    def _incubate_s(self, command: Incubate, bench: Bench | None) -> float:
        at_rest_s = 0.0 if command.shaking_rpm is None else COMES_TO_REST_S
        return self._way_s(command.temperature_c) + command.hold_s + at_rest_s

    @staticmethod
    def _way_s(temperature_c: float) -> float:
        """From the room's temperature."""
        way_c = temperature_c - ROOM_C
        return way_c / WARMING_C_PER_S if way_c > 0.0 else -way_c / COOLING_C_PER_S

    async def _reach(self, temperature_c: float) -> None:
        await self._backend.set_temperature(temperature_c)
        await self._wait_until_there(
            temperature_c,
            close_c=ARRIVED_C,
            warming_c_per_s=WARMING_C_PER_S,
            cooling_c_per_s=COOLING_C_PER_S,
            poll_s=POLL_S,
        )

    async def _prepare_to_shake(self, speed_rpm: float) -> None:
        raise InstrumentError("it has no shaker.")

    async def _shake(self, duration_s: float) -> None:
        raise InstrumentError("it has no shaker.")


class ThermoShake(InSlot):
    """A ThermoShake (classic: 60 to 2000 rpm); arguments as of :class:`ShakingIncubator`.

    Its range of temperature is that of PyLabRobot's page of it, which adds that it cools to 25 C below the room at best.
    """

    types: ClassVar[tuple[DeviceType, ...]] = (DeviceType.THERMOSHAKE,)
    maker_limits: ClassVar[Limits] = {
        "temperature_c": (4.0, 105.0),
        "shaking_rpm": (60.0, 2000.0),
        "hold_s": (0.0, 999_999.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query("RAT0", field="tenths", units="C", within=SHOWN_C),
    ]
    shaking_rpm: Annotated[
        SignalR[float], Format.UNCACHED_SIGNAL, Query("RSR", field="rpm", units="rpm", within=(0.0, 5000.0))
    ]
    shaking: Annotated[SignalR[Shaking], Format.UNCACHED_SIGNAL, SHAKING]

    async def _off(self) -> None:
        await super()._off()
        await self._past_reset("ASE0")

    async def _release(self) -> None:
        await self._must_shake(Shaking.OFF)
        await asyncio.sleep(COMES_TO_REST_S)

    async def _prepare_to_shake(self, speed_rpm: float) -> None:
        await self._backend.set_shaker_speed(round(speed_rpm))
        await self._backend.set_shaker_shape(0)

    async def _shake(self, duration_s: float) -> None:
        # PyLabRobot has a method for this command alone; its public one would set speed and figure again.
        await self._backend._start_shaking_command()
        end_s = asyncio.get_running_loop().time() + duration_s
        while (left_s := end_s - asyncio.get_running_loop().time()) > 0.0:
            await self._must_shake(Shaking.ON)
            await asyncio.sleep(min(left_s, LOOKS_S))
        await self._must_shake(Shaking.ON)
        await self._backend.stop_shaking()

    async def _must_shake(self, wanted: Shaking) -> None:
        if await self._link.read(SHAKING) != wanted:
            does = "it still shakes" if wanted is Shaking.OFF else "it stopped shaking by itself"
            raise InstrumentError(f"{does}.")
