"""An instrument's model on a loopback port, for drivers that should meet a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from devices.transport import LONGEST_LINE, Framing, LineInstrument

__all__ = ["serve"]


@asynccontextmanager
async def serve(
    model: LineInstrument, *, framing: Framing, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Answer connections for as long as the block lasts; gives the port.

    A connection's requests are answered in turn, as on a serial line; a second connection is answered beside it, and it is
    the model that says when it is busy. A model that raises ``ConnectionError`` hangs up.

    Args:
        framing: of the protocol.
        port: 0 takes a free one.
    """
    connections: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _converse(model, framing, reader, writer)
        except asyncio.CancelledError:
            # Only the end of the block below cancels it; asyncio's streams would print a traceback of that.
            return
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(answer, host, port, limit=LONGEST_LINE)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _converse(
    model: LineInstrument, framing: Framing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        try:
            reply = await model.reply(await framing.read_request(reader))
            writer.write(framing.pack_reply(reply))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            # The other side hung up, or the model did.
            return
