"""An instrument's model behind Modbus TCP on a loopback port, for drivers that should meet a real socket.

Frames are made here, apart from the library that the driver speaks through: a header of transaction, protocol 0, length and
unit address before each data unit. (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3.1.3.)
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from devices.transport import Framing, LineInstrument
from digital_twin.serve import serve

__all__ = ["Mbap", "serve_modbus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mbap(Framing):
    """Frames of Modbus TCP around data units in hexadecimal, as the far end of the wire reads and writes them.

    For one connection at a time: the reply goes out under the number of the last request.

    Args:
        heard: transaction and unit address of requests that were not answered yet.
    """

    heard: deque[tuple[int, int]] = field(default_factory=deque)

    async def read_request(self, incoming: asyncio.StreamReader) -> str:
        """The data unit of one frame."""
        transaction, _, length, unit = struct.unpack(">HHHB", await incoming.readexactly(7))
        self.heard.append((transaction, unit))
        return (await incoming.readexactly(length - 1)).hex()

    def pack_reply(self, reply: str) -> bytes:
        """A frame; what is no hexadecimal goes into it as it is."""
        try:
            unit = bytes.fromhex(reply)
        except ValueError:
            unit = reply.encode("utf-8")
        transaction, address = self.heard[-1]
        self.heard.clear()
        return struct.pack(">HHHB", transaction, 0, len(unit) + 1, address) + unit


@asynccontextmanager
async def serve_modbus(
    model: LineInstrument, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Answer Modbus TCP for as long as the block lasts; gives the port. See :func:`digital_twin.serve.serve`."""
    async with serve(model, framing=Mbap(), host=host, port=port) as made:
        yield made
