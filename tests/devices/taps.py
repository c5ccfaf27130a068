"""Stands in the lowest seam of a driver, lets answers through, and spoils one of them on demand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from devices.streams import Tcp
from devices.transport import LONGEST_LINE, Framing, LineInstrument
from digital_twin.instruments.line_port import TwinPort
from tests.devices.wire_kinds import HANG_UP, LINE, Bad, Shape, Step, spoilt

__all__ = ["MemoryLine", "Spoil", "Tap", "TappedPort"]


@dataclass(frozen=True, slots=True)
class Spoil:
    """One bad answer.

    Args:
        at: which answer, from 0, counted from when the tap was armed.
        seed: of what the kind leaves open.
    """

    kind: Bad
    at: int
    seed: int


@dataclass(slots=True)
class Tap:
    """Sees each whole answer of an instrument, and says what the driver gets in its place.

    Attributes:
        heard: answers since it was armed, as the instrument gave them.
        struck: whether the bad one has been given.
    """

    shape: Shape = LINE
    spoil: Spoil | None = None
    heard: list[bytes] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    struck: bool = False

    def arm(self, spoil: Spoil | None) -> None:
        """Count from here on, and spoil that answer."""
        self.spoil, self.struck = spoil, False
        self.before += self.heard
        self.heard = []

    def instead_of(self, raw: bytes) -> Sequence[Step]:
        """What is sent for an answer."""
        self.heard.append(raw)
        spoil = self.spoil
        if spoil is None or spoil.at != len(self.heard) - 1:
            return [raw]
        steps = spoilt(spoil.kind, raw, self.shape, random.Random(spoil.seed), before=self.before)
        self.struck = steps is not None
        return [raw] if steps is None else steps


class _Pipe:
    """What a connection of asyncio's writes into, over a far end in this process."""

    def __init__(self, there: asyncio.StreamReader) -> None:
        self._there = there
        self._shut = False
        self.transport = self

    def write(self, data: bytes) -> None:
        if self._shut:
            raise ConnectionResetError("the other side hung up")
        self._there.feed_data(data)

    async def drain(self) -> None:
        """Nothing is kept back."""

    def is_closing(self) -> bool:
        return self._shut

    def abort(self) -> None:
        if not self._shut:
            self._shut = True
            self._there.feed_eof()

    async def wait_closed(self) -> None:
        """It is."""


class MemoryLine(Tcp):
    """The driver's own stream of bytes, with its framing, turns and limits, to a model in this process in lab time.

    Args:
        serial: what the model says late is still heard when the port was opened anew, as on a cable; on a connection of its
            own it is not.
    """

    def __init__(self, model: LineInstrument, *, framing: Framing, tap: Tap, serial: bool) -> None:
        super().__init__("in process", 0, framing=framing)
        self._model = model
        self._tap = tap
        self.goes_on_talking = serial
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def where(self) -> str:
        """For messages."""
        return f"in process, {type(self._model).__name__}"

    async def _connect(self) -> None:
        requests = asyncio.StreamReader(limit=LONGEST_LINE)
        self._reader = asyncio.StreamReader(limit=LONGEST_LINE)
        self._writer = cast(Any, _Pipe(requests))
        task = asyncio.get_running_loop().create_task(self._serve(requests, self._reader))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def end(self) -> None:
        """End what the far side still does."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, requests: asyncio.StreamReader, answers: asyncio.StreamReader) -> None:
        while True:
            try:
                request = await self._framing.read_request(requests)
                reply = await self._model.reply(request)
            except asyncio.IncompleteReadError:
                return
            except ConnectionError:
                _end(answers)
                return
            for step in self._tap.instead_of(self._framing.pack_reply(reply)):
                if step is HANG_UP:
                    _end(answers)
                    return
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                heard = self._reader if self.goes_on_talking else answers
                if heard is not None and not heard.at_eof():
                    heard.feed_data(step)


def _end(answers: asyncio.StreamReader) -> None:
    if not answers.at_eof():
        answers.feed_eof()


class TappedPort(TwinPort):
    """The twin's serial port, with a tap in it, and a note of what was sent.

    Attributes:
        instead: is given what is written, and says what is heard in place of the twin's answer; None: that answer.
    """

    def __init__(self, model: LineInstrument, *, end: bytes = b"\r\n", tap: Tap | None = None) -> None:
        super().__init__(model, end=end)
        self.tap = tap or Tap()
        self.sent: list[bytes] = []
        self.instead: Any = lambda data: None

    async def write(self, data: bytes) -> None:
        self.sent.append(data)
        other = self.instead(data)
        if other is None:
            await super().write(data)
        else:
            self.hears(other)

    def hears(self, data: bytes) -> None:
        """Bytes come in, whoever sent them."""
        self._out += data
        self._said.set()

    def pull(self) -> None:
        """The cable is out, until the port is opened again."""
        self._gone = True
        self._said.set()

    async def _answer(self, line: str) -> None:
        try:
            reply = await self._model.reply(line)
        except ConnectionError:
            self.pull()
            return
        for step in self.tap.instead_of(reply.encode("latin-1") + self._end):
            if step is HANG_UP:
                self.pull()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            else:
                self.hears(step)
