"""Modbus: registers of controllers, over TCP and over serial lines (RTU), through pymodbus.

What a transport carries here is one protocol data unit in hexadecimal, function code first and without address,
transaction number and checksum: ``0300010001`` asks for register 1, ``03020120`` answers. So a twin answers whole units, the
faults that it is given are the instrument's own exception codes, and pymodbus stands between the driver and every real wire.
(Modbus Application Protocol Specification V1.1b3, sections 6 and 7.)
"""

from __future__ import annotations

import asyncio
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from devices.transport import OPEN_TIMEOUT_S, Framing
from lab.errors import (
    CommandTimeout,
    ConnectionLost,
    InstrumentBusy,
    InstrumentError,
    MissingData,
    NonsenseReply,
)

if TYPE_CHECKING:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient

__all__ = ["ModbusRtu", "ModbusTcp", "RegisterDialect", "read_registers", "write_register", "write_registers"]

READ, WRITE_ONE, WRITE_MANY = 0x03, 0x06, 0x10
REFUSAL = 0x80
"""Added to the function code of an answer that is an exception."""

_NEVER_S = 1e6
"""The transport's own limit is the one that counts, and it is lab time."""

_EXCEPTIONS = {
    0x01: "it has no such function",
    0x02: "it has no such register",
    0x03: "it does not take this value",
    0x04: "it failed in the midst of it",
    0x05: "it will take its time over it",
    0x06: "it is busy",
    0x08: "its memory is damaged",
    0x0A: "the gateway has no way to it",
    0x0B: "the gateway does not reach it",
}
_BUSY = 0x06


def read_registers(address: int, count: int = 1) -> str:
    """The request for registers (function 3)."""
    return struct.pack(">BHH", READ, address, count).hex()


def write_register(address: int, word: int) -> str:
    """The request that sets one register (function 6)."""
    return struct.pack(">BHH", WRITE_ONE, address, word).hex()


def write_registers(address: int, words: Sequence[int]) -> str:
    """The request that sets registers that follow each other, at once (function 16)."""
    head = struct.pack(">BHHB", WRITE_MANY, address, len(words), 2 * len(words))
    return (head + struct.pack(f">{len(words)}H", *words)).hex()


class RegisterDialect:
    """Answers of any Modbus instrument: registers in hexadecimal, or a refusal.

    The fields that a query may pick are ``word`` (0 to 65535), ``int`` (signed 16 bits), ``float`` (IEEE 754, two registers,
    high word first) and ``long`` (unsigned 32 bits).
    """

    framing = Framing(baud=9600)

    def payload(self, request: str, reply: str) -> str:
        """The registers that were read; empty for a write that was taken.

        Raises:
            InstrumentBusy: exception 6; nothing was done.
            InstrumentError: any other exception.
            NonsenseReply: an answer to something else.
        """
        asked, answer = bytes.fromhex(request), _bytes(reply)
        if len(answer) == 2 and answer[0] == asked[0] | REFUSAL:
            said = _EXCEPTIONS.get(answer[1], "it says no more")
            sentence = f"exception {answer[1]} to {_named(asked)}: {said}."
            raise InstrumentBusy(sentence) if answer[1] == _BUSY else InstrumentError(sentence)
        if asked[0] == READ:
            count = int.from_bytes(asked[3:5], "big")
            if answer[:2] == bytes([READ, 2 * count]) and len(answer) == 2 + 2 * count:
                return answer[2:].hex()
        elif answer == asked[:5]:
            return ""
        raise NonsenseReply(f"{reply!r} is no answer to {_named(asked)}.")

    def pick(self, payload: str, name: str) -> str:
        """One value out of the registers of an answer."""
        form = {"word": ">H", "int": ">h", "float": ">f", "long": ">I"}[name]
        try:
            return repr(struct.unpack(form, bytes.fromhex(payload))[0])
        except struct.error as short:
            raise NonsenseReply(f"{payload!r} is no {name}.") from short


class _Modbus(ABC):
    """What TCP and serial lines share: turns, time limits, and the fresh start after a failure.

    Args:
        unit: address of the instrument on its line, 1 to 247; behind a gateway too.

    Raises:
        MissingData: pymodbus is not installed.
    """

    def __init__(self, unit: int) -> None:
        try:
            import pymodbus  # noqa: F401  (only to see that it is there)
        except ImportError as missing:
            raise MissingData(
                "Python can't talk Modbus: pymodbus is not installed.",
                way_out="Install it with: pip install 'drywet[buses]'",
            ) from missing
        self._unit = unit
        self._client: Any = None
        self._turn = asyncio.Lock()
        self._wanted = False
        self._lost = asyncio.Event()
        self._came = b""

    @property
    @abstractmethod
    def where(self) -> str: ...

    @abstractmethod
    def _make(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient: ...

    async def open(self) -> None:
        """Make the connection.

        Raises:
            ConnectionLost: nobody is there.
        """
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Give the connection up; harmless when there is none."""
        self._wanted = False
        self._drop()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send one unit and wait for the answer, both in hexadecimal.

        Raises:
            CommandTimeout: nothing came in time.
            ConnectionLost: not open, or the wire went away.
            NonsenseReply: bytes came that make no answer, for a wrong checksum, length or number.
        """
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            whole = False
            try:
                reply = await self._answer(request, timeout_s)
                whole = True
                return reply
            finally:
                if not whole:
                    self._drop()

    async def _answer(self, request: str, timeout_s: float) -> str:
        from pymodbus.exceptions import ConnectionException, ModbusException

        self._came = b""
        asking = asyncio.ensure_future(self._client.execute(False, self._unit_of(request)))
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({asking, losing}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                answer = asking.result()
                if answer.function_code & ~REFUSAL == int(request[:2], 16):
                    return (bytes([answer.function_code]) + answer.encode()).hex()
        except ConnectionException as gone:
            raise ConnectionLost(f"{self.where}: {gone}") from gone
        except ModbusException as odd:
            raise NonsenseReply(f"{self.where}: {odd}") from odd
        finally:
            for task in (asking, losing):
                task.cancel()
            await asyncio.gather(asking, losing, return_exceptions=True)
        if self._lost.is_set() and not self._came:
            raise ConnectionLost(f"{self.where}: the connection ended during {request!r}.")
        if self._came:
            # pymodbus hangs up on what it can't read at all, and waits for more of what it can.
            raise NonsenseReply(
                f"{self.where}: {self._came[:40].hex()} is no answer to {request!r} (within {timeout_s:g} s)."
            )
        raise CommandTimeout(f"{self.where}: no answer to {request!r} within {timeout_s:g} s.")

    def _unit_of(self, request: str) -> Any:
        """The request as pymodbus has it, addressed."""
        from pymodbus.pdu import DecodePDU

        unit = DecodePDU(True).decode(bytes.fromhex(request))
        assert unit is not None, "requests are made by the functions above"
        unit.dev_id = self._unit
        return unit

    async def _reach(self) -> None:
        if self._client is not None and self._client.connected and not self._lost.is_set():
            return
        self._drop()
        self._lost.clear()
        client = self._make()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                made = await client.connect()
        except (OSError, TimeoutError) as reason:
            client.close()
            raise ConnectionLost(f"{self.where}: cannot connect ({reason!r}).") from reason
        if not made:
            client.close()
            raise ConnectionLost(f"{self.where}: cannot connect.")
        self._client = client

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _heard(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._came = data
        return data

    def _changed(self, connected: bool) -> None:
        if not connected:
            self._lost.set()

    def _terms(self) -> dict[str, Any]:
        """Nothing is tried again behind the driver's back, and nothing comes back by itself."""
        return {
            "timeout": _NEVER_S,
            "retries": 0,
            "reconnect_delay": 0.0,
            "trace_packet": self._heard,
            "trace_connect": self._changed,
        }


class ModbusTcp(_Modbus):
    """An instrument that speaks Modbus TCP, or a gateway before some that speak RTU.

    Args:
        host, port: of the instrument; 502 by the specification.
        unit: of the instrument behind a gateway.
    """

    def __init__(self, host: str, port: int, *, unit: int = 1) -> None:
        super().__init__(unit)
        self._host = host
        self._port = port

    @property
    def where(self) -> str:
        """For messages."""
        return f"modbus {self._host}:{self._port}/{self._unit}"

    def _make(self) -> AsyncModbusTcpClient:
        from pymodbus.client import AsyncModbusTcpClient

        return AsyncModbusTcpClient(self._host, port=self._port, **self._terms())


class ModbusRtu(_Modbus):
    """An instrument on a serial line (8 data bits, no parity, 1 stop bit).

    Args:
        path: of the port.
        baud: of the line.
        unit: address of the instrument on it.
    """

    def __init__(self, path: str, *, baud: int = 9600, unit: int = 1) -> None:
        super().__init__(unit)
        self._path = path
        self._baud = baud

    @property
    def where(self) -> str:
        """For messages."""
        return f"modbus {self._path}/{self._unit}"

    def _make(self) -> AsyncModbusSerialClient:
        from pymodbus.client import AsyncModbusSerialClient

        return AsyncModbusSerialClient(self._path, baudrate=self._baud, **self._terms())


def _bytes(reply: str) -> bytes:
    try:
        return bytes.fromhex(reply)
    except ValueError as bad:
        raise NonsenseReply(f"{reply!r} is no Modbus unit.") from bad


def _named(asked: bytes) -> str:
    """A request, for a person."""
    address = int.from_bytes(asked[1:3], "big")
    return f"{'reading' if asked[0] == READ else 'writing'} register {address}"
