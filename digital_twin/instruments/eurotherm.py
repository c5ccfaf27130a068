"""What a Eurotherm 3216 with programmer answers, over the world: the far end of :mod:`devices.furnace.eurotherm`.

It answers whole Modbus units in hexadecimal (see :mod:`devices.modbus`). Its registers are those listed there; others are
an illegal address. Program, mode and registers are in the world's memory, so they outlive this object; what the programmer
does by itself (turning the output off when the hold is over) happens at its moment, not when somebody asks.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from devices.furnace.eurotherm import REST_C, SEGMENTS, TWIN_TYPE, Register, long_at
from devices.modbus import READ, REFUSAL, WRITE_MANY, WRITE_ONE
from digital_twin.thermal import ROOM_C
from digital_twin.world import World

__all__ = ["EurothermTwin"]

ANSWER_S = 0.05
"""A unit each way at 9600 baud and the instrument's own time between them; a choice."""

HIGHEST_C = 600.0
"""High limit of its set points; what is above is clipped to it without a word."""

VERSION = 0x0301
RESET, RUN, END = 0, 1, 3
AUTO, MANUAL = 0, 1

_TIMES = tuple(Register.SEGMENT_1 + 3 * n for n in range(SEGMENTS))
_SETPOINTS = (Register.SETPOINT_1, *(first + 1 for first in _TIMES))
_FLOATS = (
    Register.PROCESS_VALUE,
    Register.MANUAL_OUTPUT,
    Register.WORKING_OUTPUT,
    Register.WORKING_SETPOINT,
    *_SETPOINTS,
    *(first + 2 for first in _TIMES),
)
_WRITABLE = (
    Register.MANUAL_OUTPUT,
    Register.PROGRAM_STATUS,
    Register.MODE,
    Register.END_TYPE,
    Register.CYCLES,
    Register.RAMP_UNITS,
    *_SETPOINTS,
    *_TIMES,
    *(first + 2 for first in _TIMES),
)
_DEFAULTS: dict[int, float] = {
    Register.SETPOINT_1: REST_C,
    Register.MODE: AUTO,
    Register.CYCLES: 1,
    **dict.fromkeys(_TIMES, 60_000),
}


class _Refusal(Exception):
    """An exception of the protocol; its code."""


class EurothermTwin:
    """A furnace's controller at one position of a world. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: where plates stand in the furnace.
        customer_id: that a person gave it.
    """

    def __init__(self, world: World, *, name: str, position: str, customer_id: int = 1) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._customer_id = customer_id
        self._ending: asyncio.TimerHandle | None = None

    async def reply(self, line: str) -> str:
        """The answer to one unit."""
        self._time_the_end()
        await asyncio.sleep(ANSWER_S)
        try:
            request = bytes.fromhex(line.strip())
            function = request[0]
        except (ValueError, IndexError):
            return f"{REFUSAL:02x}01"
        try:
            return self._answer(function, request).hex()
        except struct.error:
            return bytes([function | REFUSAL, 0x03]).hex()
        except _Refusal as refusal:
            return bytes([function | REFUSAL, refusal.args[0]]).hex()

    def _answer(self, function: int, request: bytes) -> bytes:
        match function:
            case 0x03:
                address, count = struct.unpack(">HH", request[1:])
                if not 1 <= count <= 125:
                    raise _Refusal(0x03)
                words = self._read(address, count)
                return struct.pack(f">BB{count}H", READ, 2 * count, *words)
            case 0x06:
                address, word = struct.unpack(">HH", request[1:])
                self._write(address, [word])
                return struct.pack(">BHH", WRITE_ONE, address, word)
            case 0x10:
                address, count, size = struct.unpack(">HHB", request[1:6])
                if size != 2 * count or not 1 <= count <= 123:
                    raise _Refusal(0x03)
                self._write(address, list(struct.unpack(f">{count}H", request[6:])))
                return struct.pack(">BHH", WRITE_MANY, address, count)
        raise _Refusal(0x01)

    # ---------------------------------------------------------------------------------------------------------- registers

    def _read(self, address: int, count: int) -> list[int]:
        if address < long_at(0):
            return [round(self._value(number)) & 0xFFFF for number in range(address, address + count)]
        first, odd = divmod(address - long_at(0), 2)
        if odd or count % 2:
            raise _Refusal(0x02)
        words: list[int] = []
        for number in range(first, first + count // 2):
            form = ">f" if number in _FLOATS else ">I"
            value = self._value(number)
            raw = struct.pack(form, value if number in _FLOATS else round(value))
            words.extend(struct.unpack(">HH", raw))
        return words

    def _write(self, address: int, words: list[int]) -> None:
        if address < long_at(0):
            self._set({address + n: float(word) for n, word in enumerate(words)})
            return
        first, odd = divmod(address - long_at(0), 2)
        if odd or len(words) % 2:
            raise _Refusal(0x02)
        values: dict[int, float] = {}
        for n in range(len(words) // 2):
            form = ">f" if first + n in _FLOATS else ">I"
            values[first + n] = struct.unpack(form, struct.pack(">HH", *words[2 * n : 2 * n + 2]))[0]
        self._set(values)

    def _value(self, number: int) -> float:
        match number:
            case Register.PROCESS_VALUE:
                return self._here_c()
            case Register.WORKING_OUTPUT:
                return self._output_percent()
            case Register.WORKING_SETPOINT:
                return self._working_setpoint_c()
            case Register.STATUS:
                return 0x2000 if self._status() == RUN else 0x0200 if self._status() == END else 0.0
            case Register.VERSION:
                return VERSION
            case Register.TYPE:
                return TWIN_TYPE
            case Register.CUSTOMER_ID:
                return self._customer_id
        if number not in _WRITABLE:
            raise _Refusal(0x02)
        return self._kept(number)

    def _set(self, values: dict[int, float]) -> None:
        for number, value in values.items():
            if number not in _WRITABLE:
                raise _Refusal(0x02)
            if not -1e6 < value < 1e10:
                raise _Refusal(0x03)
            if number in _SETPOINTS:
                values[number] = min(max(value, 0.0), HIGHEST_C)
        status = values.get(Register.PROGRAM_STATUS)
        if status is not None and status not in (RESET, RUN):
            raise _Refusal(0x03)
        kept = {str(number): value for number, value in values.items()}
        if status == RUN and self._status() == RESET and self._kept(Register.MODE) == AUTO:
            self._run(kept)
        elif status == RUN:
            # A program that runs, or stands at its end, goes on as it does; by hand none starts.
            kept.pop(str(Register.PROGRAM_STATUS))
            self._settle(kept)
        else:
            self._settle(kept)

    def _kept(self, number: int) -> float:
        value: float = self._memory.get(str(number), _DEFAULTS.get(number, 0.0))
        return value

    @property
    def _memory(self) -> dict[str, Any]:
        return self._world.state.memory.get(self._name, {})

    # ------------------------------------------------------------------------------------------------- program and output

    def _status(self) -> int:
        return int(self._kept(Register.PROGRAM_STATUS))

    def _run(self, kept: dict[str, float]) -> None:
        """Start the program, from the temperature of the furnace on."""
        ramp_c_per_min = self._kept(Register.SEGMENT_1 + 2)
        self._control(
            self._kept(Register.SEGMENT_1 + 1),
            {**kept, "begun_s": self._world.clock.now(), "start_c": self._here_c()},
            ramp_c_per_s=ramp_c_per_min / 60.0 or None,
        )
        self._time_the_end()

    def _settle(self, kept: dict[str, float]) -> None:
        """Keep registers, and let what they say about the output come true."""
        after = {**{key: value for key, value in self._memory.items() if key.isdigit()}, **kept}

        def new(number: int) -> float:
            value: float = after.get(str(number), _DEFAULTS.get(number, 0.0))
            return value

        status, told = new(Register.PROGRAM_STATUS), self._world.state.climates[self._position].set_c
        if status == RUN and new(Register.MODE) == AUTO:
            target = told
        elif status == RESET and new(Register.MODE) == AUTO and new(Register.SETPOINT_1) > ROOM_C:
            target = new(Register.SETPOINT_1)
        else:
            # At its end, by hand at no output, or with nothing to do: there is no other way to heat by hand here.
            target = None
        if target == told:
            # What is written as it was leaves no trace.
            changed = {key: value for key, value in kept.items() if value != self._kept(int(key))}
            if changed:
                self._world.act(self._name, "remember", values=changed)
        else:
            self._control(target, kept)
        if status != RUN:
            self._cancel()

    def _control(
        self, target_c: float | None, values: dict[str, float], ramp_c_per_s: float | None = None
    ) -> None:
        self._world.act(
            self._name,
            "control",
            position=self._position,
            temperature_c=target_c,
            ramp_c_per_s=ramp_c_per_s,
            values=values,
        )

    def _end_s(self) -> float:
        """Lab time at which the running program ends."""
        way_c = abs(self._kept(Register.SEGMENT_1 + 1) - self._memory["start_c"])
        ramp = self._kept(Register.SEGMENT_1 + 2)
        ramp_s = way_c / ramp * 60.0 if ramp else 0.0
        end_s: float = self._memory["begun_s"] + ramp_s + self._kept(Register.SEGMENT_1) / 1000.0
        return end_s

    def _time_the_end(self) -> None:
        """Turn off when the program is over; also one that began before this object was made."""
        if self._ending is None and self._status() == RUN:
            left_s = max(0.0, self._end_s() - self._world.clock.now())
            self._ending = asyncio.get_running_loop().call_later(left_s, self._end)

    def _end(self) -> None:
        self._ending = None
        if self._status() == RUN:
            self._control(None, {str(Register.PROGRAM_STATUS): END})

    def _cancel(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _here_c(self) -> float:
        return self._world.temperature_c(self._position)

    def _working_setpoint_c(self) -> float:
        if self._status() != RUN:
            return self._kept(Register.SETPOINT_1)
        target, start = self._kept(Register.SEGMENT_1 + 1), self._memory["start_c"]
        ramp = self._kept(Register.SEGMENT_1 + 2) / 60.0
        gone = ramp * (self._world.clock.now() - self._memory["begun_s"])
        if ramp == 0.0 or gone >= abs(target - start):
            return target
        return float(start + (gone if target > start else -gone))

    def _output_percent(self) -> float:
        """Heat that the furnace needs for what it does, as a share of what heats it fastest."""
        climate = self._world.state.climates[self._position]
        if climate.set_c is None:
            return self._kept(Register.MANUAL_OUTPUT) if self._kept(Register.MODE) == MANUAL else 0.0
        now_s = self._world.clock.now()
        rate = climate.at(now_s + 1.0) - climate.at(now_s)
        lost = (climate.at(now_s) - ROOM_C) / climate.seat.off_s
        full = climate.seat.heating_c_per_s + (HIGHEST_C - ROOM_C) / climate.seat.off_s
        return float(min(max(0.0, 100.0 * (rate + lost) / full), 100.0))
