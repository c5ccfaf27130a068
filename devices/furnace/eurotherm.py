"""Furnaces under a Eurotherm 3216 (3200 series) with programmer, over Modbus RTU, or Modbus TCP through a gateway.

Registers of the 3200 series' engineering handbook (HA028651), as the open drivers eurotherm3200 (on minimalmodbus) and those
of several furnace laboratories use them: each parameter has a number; read as a whole number it is at that address, as a
float or a time in milliseconds at twice the number above 0x8000. A program has four segments of ramp, target and dwell.

The whole anneal is a program in the instrument that ends with the output off: whatever becomes of this program, or of the
wire, the furnace is hot no longer than it was told to be. That is its watchdog. The safe state is manual mode at no output.

The instrument has no serial number on the wire: its customer ID (629), which a person sets, stands in.
"""

# Annotations are read by ophyd-async at run time: no deferred evaluation here.

import asyncio
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from ophyd_async.core import SignalR, StrictEnum
from ophyd_async.core import StandardReadableFormat as Format

from devices.declarative import LineDevice, Query
from devices.fence import mark
from devices.furnace.commands import TYPICAL_COOLING_S, Anneal, cooling_s
from devices.identity import TWIN_SERIAL, Identity, origin_of
from devices.modbus import RegisterDialect, read_registers, write_register, write_registers
from devices.transport import Framing, Transport
from devices.verb import Limits, Verb, narrowed
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentError, NonsenseReply, TemperatureNotReached
from lab.interfaces import Answer, Reconciliation
from lab.types import JsonValue, Mark

__all__ = ["TWIN_TYPE", "Eurotherm3216", "Mode", "Program", "Register", "long_at", "program_words"]

TWIN_TYPE = 0x5457
"""What a twin has for the type of instrument; no instrument of the maker's has this number."""

REST_C = 20.0
"""Set point outside of an anneal: below the room, so that the heater has nothing to do."""

ARRIVED_C = 3.0
"""Closeness at which the furnace counts as hot when its program says that it is; such furnaces hold within 1 or 2 C."""

POLL_S = 5.0
SEGMENTS = 4
END_OFF = 0
"""At the end of the program the output is off (1 stays, 2 goes to the second set point, 3 starts anew)."""

STATUS_FAULTS = {
    0x0020: "its sensor is broken",
    0x0040: "its control loop is open",
    0x0080: "its heater has failed",
    0x0100: "its load has failed",
    0x0400: "its temperature is out of range",
}
"""Bits of the instrument's status (register 75) that end an anneal."""


class Register:
    """Numbers of parameters."""

    PROCESS_VALUE = 1
    MANUAL_OUTPUT = 3
    WORKING_OUTPUT = 4
    WORKING_SETPOINT = 5
    PROGRAM_STATUS = 23
    SETPOINT_1 = 24
    STATUS = 75
    VERSION = 107
    TYPE = 122
    MODE = 273
    END_TYPE = 328
    CYCLES = 332
    RAMP_UNITS = 531
    CUSTOMER_ID = 629
    SEGMENT_1 = 1280


class Program(StrictEnum):
    """State of the programmer."""

    RESET = "reset"
    RUN = "run"
    HOLD = "hold"
    END = "end"


class Mode(StrictEnum):
    """Who sets the output."""

    AUTO = "auto"
    MANUAL = "manual"
    OFF = "off"


PROGRAM_CODES = {"0": Program.RESET, "1": Program.RUN, "2": Program.HOLD, "3": Program.END}
MODE_CODES = {"0": Mode.AUTO, "1": Mode.MANUAL, "2": Mode.OFF}


def long_at(number: int) -> int:
    """Address of a parameter as a float, or as a time in ms."""
    return 0x8000 + 2 * number


def program_words(command: Anneal) -> tuple[int, ...]:
    """Registers of all four segments, from ``long_at(SEGMENT_1)`` on: dwell (ms), target, ramp (C/min) of each.

    The segments after the first lead nowhere: the same target, at once, for no time.
    """
    first = struct.pack(">Iff", round(command.hold_s * 1000.0), command.temperature_c, command.ramp_c_per_min)
    others = struct.pack(">Iff", 0, command.temperature_c, 0.0) * (SEGMENTS - 1)
    return struct.unpack(f">{6 * SEGMENTS}H", first + others)


def _float(number: int) -> str:
    return read_registers(long_at(number), 2)


PROGRAM = Query(read_registers(Register.PROGRAM_STATUS), field="word", words=PROGRAM_CODES)
MODE = Query(read_registers(Register.MODE), field="word", words=MODE_CODES)
SHOWN_C = (-250.0, 2500.0)
"""Temperatures that any of the thermocouples has which such a controller takes (type C to 2315 C), with some room."""

STATUS = Query(read_registers(Register.STATUS), field="word")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a furnace shows of what it is at."""

    program: str
    mode: str
    temperature_c: float


class Eurotherm3216(LineDevice):
    """A furnace or hot plate under this controller.

    Args:
        name: of the device in the workcell.
        transport: the wire.
        limits: of the workcell file: ``temperature_c``, ``hold_s``, ``ramp_c_per_min``, ``cool_to_c``.
        cooling_constant_s: with which this furnace cools by itself; for estimates.

    Raises:
        BadInput: a limit that this device does not have.
    """

    dialect = RegisterDialect()
    framing: ClassVar[Framing] = RegisterDialect.framing
    maker_limits: ClassVar[Limits] = {
        # A thermocouple of type K, and the longest dwell that the instrument takes.
        "temperature_c": (25.0, 1200.0),
        "hold_s": (1.0, 360_000.0),
        "ramp_c_per_min": (0.1, 100.0),
        # A furnace in a room comes no nearer to it.
        "cool_to_c": (25.0, 1200.0),
    }

    temperature_c: Annotated[
        SignalR[float],
        Format.HINTED_UNCACHED_SIGNAL,
        Query(_float(Register.PROCESS_VALUE), field="float", units="C", within=SHOWN_C),
    ]
    setpoint_c: Annotated[
        SignalR[float],
        Format.UNCACHED_SIGNAL,
        Query(_float(Register.WORKING_SETPOINT), field="float", units="C", within=SHOWN_C),
    ]
    output_percent: Annotated[
        SignalR[float],
        Format.UNCACHED_SIGNAL,
        Query(_float(Register.WORKING_OUTPUT), field="float", units="%", within=(-100.0, 100.0)),
    ]
    program: Annotated[SignalR[Program], Format.UNCACHED_SIGNAL, PROGRAM]
    mode: Annotated[SignalR[Mode], Format.UNCACHED_SIGNAL, MODE]

    def __init__(
        self,
        name: str,
        transport: Transport,
        *,
        limits: Limits | None = None,
        cooling_constant_s: float = TYPICAL_COOLING_S,
    ) -> None:
        super().__init__(name, transport)
        self._cooling_constant_s = cooling_constant_s
        self._shown: Shown | None = None
        self._attended = False
        self._began = False
        self.anneal = Verb(
            self._carry_out,
            command=Anneal,
            limits=narrowed(self.maker_limits, limits),
            estimate=self._anneal_s,
            reconcile=self._reconcile,
        )

    async def look(self) -> None:
        """Keep what program, mode and sensor show: the first that is seen after a command was broken off.

        Raises:
            DeviceFault: it does not answer.
        """
        if self._shown is None:
            self._shown = Shown(
                program=await self._link.read(PROGRAM),
                mode=await self._link.read(MODE),
                temperature_c=await self.temperature_c.get_value(cached=False),
            )

    async def safe(self) -> None:
        """Set point at rest, manual mode at no output, program reset: in this order, so that nothing heats in between.

        Raises:
            InstrumentError: the output is not off.
        """
        await self._write_float(Register.SETPOINT_1, REST_C)
        await self._link.ask(write_register(Register.MODE, 1))
        await self._write_float(Register.MANUAL_OUTPUT, 0.0)
        await self._link.ask(write_register(Register.PROGRAM_STATUS, 0))
        output = await self.output_percent.get_value(cached=False)
        if output != 0.0:
            raise InstrumentError(f"its output is {output:g} % though it was turned off.")

    async def _introduce(self) -> Identity:
        kind = await self._number(Register.TYPE)
        version = await self._number(Register.VERSION)
        customer = await self._number(Register.CUSTOMER_ID)
        if kind == 0:
            raise NonsenseReply("it has no type.")
        serial = f"{TWIN_SERIAL}-{customer}" if kind == TWIN_TYPE else f"customer ID {customer}"
        return Identity(
            vendor="Eurotherm",
            model="3216, simulated" if kind == TWIN_TYPE else f"type {kind:04X}",
            serial=serial,
            firmware=f"{version:04X}",
            origin=origin_of(serial),
        )

    async def _carry_out(self, command: Anneal) -> JsonValue:
        """Write the program, run it, wait for its end and for the plate to cool. Whatever goes wrong, the output is off."""
        self._shown, self._attended, self._began = None, True, False
        try:
            await mark("program")
            await self._write_program(command)
            await mark("heat")
            await self._link.ask(write_register(Register.PROGRAM_STATUS, 1))
            self._began = True
            held_c = await self._run_out(command)
            await mark("cool", held_c=held_c)
            await self._cool(command.cool_to_c)
            await mark("off", held_c=held_c)
            await self.safe()
        except (Exception, asyncio.CancelledError) as failure:
            await self._safe_after(failure)
            raise
        return {"held_c": held_c}

    async def _reconcile(self, command: Anneal, marks: Sequence[Mark]) -> Reconciliation:
        """What the plate has seen, by the last mark and by what :meth:`look` found before the safe state covered it up.

        ==============  ==============================================================================================
        none, program   not done: the program was written at most, with the output at rest
        heat            the program was told to run. Done if it stands at its end: the instrument has counted the hold
                        itself, and turned its output off. Not done if it is reset still, the mode automatic and the
                        furnace no warmer than where a plate is put in, as before it was told, and this is the process
                        that told it and had no answer: the safe state would have made the mode manual. It looks the same
                        where a power cut ended the program, after a crash or after the answer, so then nobody knows
        cool, off       done: its end was seen
        ==============  ==============================================================================================
        """
        last = marks[-1] if marks else None
        if last is None or last.name == "program":
            return Reconciliation(answer=Answer.NOT_DONE, sentence="The program had not been started.")
        if last.name in ("cool", "off"):
            held_c = last.details["held_c"]
            return Reconciliation(
                answer=Answer.DONE, sentence="The program had ended.", result={"held_c": held_c}
            )
        await self.look()
        assert self._shown is not None
        match (self._shown.program, self._shown.mode):
            case (Program.END, _):
                # Its temperature at the end of the hold is past; the instrument alone has kept it there.
                return Reconciliation(
                    answer=Answer.DONE, sentence="The program stands at its end.", result={"held_c": None}
                )
            case (Program.RESET, Mode.AUTO) if (
                self._attended and not self._began and self._shown.temperature_c <= command.cool_to_c
            ):
                return Reconciliation(
                    answer=Answer.NOT_DONE, sentence="The program is ready and was never started."
                )
        return Reconciliation(
            answer=Answer.UNKNOWN, sentence="How much of the program the plate has seen is not known."
        )

    def _anneal_s(self, command: Anneal, bench: Bench | None) -> float:
        return command.heating_s() + cooling_s(
            command.temperature_c, command.cool_to_c, self._cooling_constant_s
        )

    async def _write_program(self, command: Anneal) -> None:
        """All that the program needs, and the automatic mode that it runs in, with nothing to heat for yet."""
        await self._write_float(Register.SETPOINT_1, REST_C)
        await self._link.ask(write_register(Register.PROGRAM_STATUS, 0))
        await self._link.ask(write_register(Register.RAMP_UNITS, 0))
        await self._link.ask(write_register(Register.END_TYPE, END_OFF))
        await self._link.ask(write_register(Register.CYCLES, 1))
        words, address = program_words(command), long_at(Register.SEGMENT_1)
        await self._link.ask(write_registers(address, words))
        # A value that the instrument clips to its own limits is taken without a word.
        kept = await self._link.ask(read_registers(address, len(words)))
        if bytes.fromhex(kept) != struct.pack(f">{len(words)}H", *words):
            raise InstrumentError(
                "it did not keep the program as it was written; its own limits may be narrower."
            )
        await self._link.ask(write_register(Register.MODE, 0))

    async def _run_out(self, command: Anneal) -> float:
        """Wait for the end of the program; gives the last temperature seen in its hold.

        Raises:
            TemperatureNotReached: the ramp is over and the furnace is not hot, or it stays short in its hold.
            InstrumentError: the instrument says that something is broken, or somebody stopped the program.
        """
        now = asyncio.get_running_loop().time
        begun_s, start_c = now(), await self.temperature_c.get_value(cached=False)
        hot_s = begun_s + command.heating_s(start_c) - command.hold_s
        held_c = math.nan
        while True:
            await self._check_health()
            state, here_c = await self._link.read(PROGRAM), await self.temperature_c.get_value(cached=False)
            if state != Program.RUN:
                break
            if now() > hot_s + POLL_S:
                held_c = here_c
                if abs(held_c - command.temperature_c) > ARRIVED_C and now() > hot_s + self._grace_s(command):
                    raise TemperatureNotReached(
                        f"the furnace is at {held_c:.1f} C in its hold at {command.temperature_c:g} C."
                    )
            left_s = begun_s + command.heating_s(start_c) - now()
            await asyncio.sleep(
                min(max(POLL_S, 0.5 * left_s), 60.0) if left_s > 2.0 * POLL_S else POLL_S / 5.0
            )
        if state != Program.END:
            raise InstrumentError(f"its program is in {state} before its end.")
        return here_c if math.isnan(held_c) else held_c

    @staticmethod
    def _grace_s(command: Anneal) -> float:
        """How long the sensor may lag behind the end of the ramp: what the ramp needs for twice the closeness."""
        return max(60.0, 2.0 * ARRIVED_C / command.ramp_c_per_min * 60.0)

    async def _cool(self, to_c: float) -> None:
        async def left_s() -> float:
            await self._check_health()
            here_c = await self.temperature_c.get_value(cached=False)
            return cooling_s(here_c, to_c, self._cooling_constant_s)

        def stuck() -> DeviceFault:
            return TemperatureNotReached(f"the furnace does not cool to {to_c:g} C.")

        await self._wait_out(left_s, poll_s=POLL_S, stuck=stuck)

    async def _check_health(self) -> None:
        status = int(await self._link.read(STATUS))
        broken = [what for bit, what in STATUS_FAULTS.items() if status & bit]
        if broken:
            raise InstrumentError(f"{', and '.join(broken)} (status {status:04x}).")

    async def _number(self, number: int) -> int:
        return int(self.dialect.pick(await self._link.ask(read_registers(number)), "word"))

    async def _write_float(self, number: int, value: float) -> None:
        words = struct.unpack(">HH", struct.pack(">f", value))
        await self._link.ask(write_registers(long_at(number), words))
