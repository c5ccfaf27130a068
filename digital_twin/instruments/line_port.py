"""A serial port that is a twin: what PyLabRobot's ``io.serial.Serial`` is to its backends, over a model that answers
lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from devices.transport import LineInstrument

__all__ = ["TwinPort"]


class TwinPort:
    """Bytes in, lines to the model, its answers as bytes out.

    The model goes on with what it was told when nobody reads. What it says then is read later, as from a real port.

    Args:
        model: answers lines.
        end: of its lines, in both directions.
    """

    port = "twin"

    def __init__(self, model: LineInstrument, *, end: bytes = b"\r\n") -> None:
        self._model = model
        self._end = end
        self._in = b""
        self._out = bytearray()
        self._said = asyncio.Event()
        self._gone = False
        self._working: set[asyncio.Task[None]] = set()

    async def setup(self) -> None:
        """Open the port; what was not read before is gone."""
        self._gone = False
        self._in = b""
        self._out.clear()

    async def stop(self) -> None:
        """Close the port, and end what the model still does."""
        working = list(self._working)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def write(self, data: bytes) -> None:
        """Take bytes; each whole line reaches the model.

        Raises:
            ConnectionError: the cable is out.
        """
        if self._gone:
            raise ConnectionError("the serial port is gone")
        self._in += data
        *lines, self._in = self._in.split(self._end)
        for line in lines:
            task = asyncio.get_running_loop().create_task(self._answer(line.decode("ascii", "replace")))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def readline(self) -> bytes:
        """The next line, as soon as it is there.

        Raises:
            ConnectionError: the cable is out.
        """
        await self._until(lambda: self._end in self._out)
        end = self._out.index(self._end) + len(self._end)
        line = bytes(self._out[:end])
        del self._out[:end]
        return line

    async def read(self, num_bytes: int = 1) -> bytes:
        """What there is, up to so many bytes, as soon as there is anything.

        Raises:
            ConnectionError: the cable is out.
        """
        await self._until(lambda: bool(self._out))
        data = bytes(self._out[:num_bytes])
        del self._out[:num_bytes]
        return data

    async def reset_input_buffer(self) -> None:
        """Forget what was said and not read."""
        self._out.clear()

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there() and not self._gone:
            self._said.clear()
            await self._said.wait()
        if self._gone:
            raise ConnectionError("the serial port is gone")

    async def _answer(self, line: str) -> None:
        try:
            reply = await self._model.reply(line)
        except ConnectionError:
            self._gone = True
        else:
            self._out += reply.encode("latin-1") + self._end
        self._said.set()
