"""Packets of New Era's pumps in safe mode.

User manual of the NE-1000 series (publication 1200-01, sections 10.2.3 and 10.2.4): start of text, the number of bytes that
follow including this one, the data, a 16 bit CRC of the data (CCITT polynomial, begun at 0, high byte first), end of text.
The manual's example is the packet that leaves the mode: ``02 08 SAF0 55 43 03``.
"""

from __future__ import annotations

import asyncio
import binascii
from dataclasses import dataclass

from devices.transport import Framing
from lab.errors import NonsenseReply

__all__ = ["SafeMode", "packet"]

STX, ETX = b"\x02", b"\x03"
AROUND = 4
"""Bytes that the length counts beside the data: itself, two of the CRC, the end."""

LONGEST = 255 - AROUND


def packet(data: bytes) -> bytes:
    """Data as it goes over the wire.

    Raises:
        ValueError: more than one packet holds.
    """
    if len(data) > LONGEST:
        raise ValueError(f"{len(data)} bytes don't fit a packet")
    crc = binascii.crc_hqx(data, 0)
    return STX + bytes([len(data) + AROUND]) + data + crc.to_bytes(2, "big") + ETX


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeMode(Framing):
    """Packets both ways, with their length and checksum."""

    def pack_request(self, request: str) -> bytes:
        """A command as a packet."""
        return packet(request.encode("ascii"))

    async def read_reply(self, incoming: asyncio.StreamReader) -> bytes:
        """The data of one packet.

        Raises:
            NonsenseReply: no packet, or one whose length, end or checksum is wrong.
            asyncio.IncompleteReadError: the other side hung up in its midst.
        """
        head = await incoming.readexactly(2)
        if head[:1] != STX or head[1] < AROUND:
            raise NonsenseReply(f"a packet does not begin with {head.hex(' ')}.")
        rest = await incoming.readexactly(head[1] - 1)
        data, crc, end = rest[:-3], rest[-3:-1], rest[-1:]
        if end != ETX:
            raise NonsenseReply(f"the packet {(head + rest).hex(' ')} does not end where it says.")
        if binascii.crc_hqx(data, 0) != int.from_bytes(crc, "big"):
            raise NonsenseReply(f"the packet {(head + rest).hex(' ')} is damaged: its checksum is another.")
        return data

    async def read_request(self, incoming: asyncio.StreamReader) -> str:
        """A command, as the pump reads it; a damaged one is answered ``?COM``, which the twin does to an empty name."""
        try:
            return (await self.read_reply(incoming)).decode("ascii")
        except (NonsenseReply, UnicodeDecodeError):
            return DAMAGED

    def pack_reply(self, reply: str) -> bytes:
        """An answer as a packet."""
        return packet(reply.encode("utf-8"))


DAMAGED = "\x18"
"""What stands for a packet that the pump could not read."""
