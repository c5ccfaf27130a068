"""A twin's ASGI application on a loopback port, for drivers that should meet a real socket.

One small HTTP/1.1 server over h11, on the loop that it is started on, so that a twin keeps the lab's time. It knows what its
clients need and no more: no TLS, no upgrades, no trailers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11

__all__ = ["serve_http"]

App = Callable[..., Awaitable[None]]

CHUNK = 65536


@asynccontextmanager
async def serve_http(app: App, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Answer requests for as long as the block lasts; gives the port.

    An application that raises ``ConnectionError`` hangs up.

    Args:
        port: 0 takes a free one.
    """
    connections: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _converse(app, reader, writer)
        except asyncio.CancelledError:
            return  # the block has ended, and this task with it
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(answer, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _converse(app: App, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        while True:
            request = await _next(connection, reader, h11.Request)
            if request is None:
                return
            body = bytearray()
            while (data := await _next(connection, reader, h11.Data)) is not None:
                body += data.data
            await _respond(app, connection, writer, request, bytes(body))
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except (ConnectionError, h11.RemoteProtocolError):
        return


async def _next(connection: h11.Connection, reader: asyncio.StreamReader, wanted: type[Any]) -> Any:
    """The next event of a kind; None where the request, or the connection, has ended before."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK))
        elif isinstance(event, wanted):
            return event
        else:
            return None


async def _respond(
    app: App, connection: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> None:
    path, _, query = request.target.partition(b"?")
    scope = {
        "type": "http",
        "method": request.method.decode("ascii"),
        "path": path.decode("latin-1"),
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.headers],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            event: h11.Event = h11.Response(status_code=message["status"], headers=message["headers"])
            writer.write(connection.send(event) or b"")
            return
        writer.write(connection.send(h11.Data(data=message["body"])) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()

    await app(scope, receive, send)
