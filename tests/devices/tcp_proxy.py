"""A TCP connection with somebody in between who cuts it, holds everything back, or talks nonsense."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Proxy", "free_port", "proxied"]


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Proxy:
    """What happens to what is said.

    Args:
        port: to connect to.
        target: port of the server.

    Attributes:
        instead: bytes that a client gets in place of the server's next answer.
    """

    port: int
    target: int
    held_back: bool = False
    refuses: bool = False
    instead: bytes | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """End all connections, without a goodbye."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.refuses:
            writer.transport.abort()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, onward}
        try:
            await asyncio.gather(self._pump(reader, onward, False), self._pump(there, writer, True))
        finally:
            self._writers -= {writer, onward}
            writer.close()
            onward.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        try:
            while data := await source.read(65536):
                if self.held_back:
                    continue
                if answers and self.instead is not None:
                    data, self.instead = self.instead, None
                sink.write(data)
                await sink.drain()
        except OSError:
            # Cut; that is what it is for.
            pass
        sink.transport.abort()


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy before a server on loopback, for as long as the block lasts."""
    proxy = Proxy(port=0, target=target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.cut()
        server.close()
        await server.wait_closed()
