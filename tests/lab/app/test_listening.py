from __future__ import annotations

import asyncio
import socket

from lab.app.house.serve import _listen
from lab.app.house.settings import ServiceSettings


def test_small_answers_are_sent_at_once() -> None:
    listening = _listen(ServiceSettings(port=0))

    async def without_delay() -> bool:
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            accepted.set_result(bool(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(take, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            found = await asyncio.wait_for(accepted, 30)
            writer.close()
            await writer.wait_closed()
            return found

    assert asyncio.run(without_delay())
