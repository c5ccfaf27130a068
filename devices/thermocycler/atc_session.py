"""The session that Thermo Fisher's Applied Biosystems cyclers keep over TCP, through PyLabRobot's backend: login and lines.

A command is a line; its answer is a line that begins with what came of it (``OK``, ``ERRor``, or ``NEXT`` where the end
comes later in a line of its own) and repeats the command, at times spelt out or in other letters. On each connection the
instrument has to be answered a challenge before it takes commands. PyLabRobot (thermocycling/thermo_fisher) knows ports,
secrets and lines; it takes whatever comes first for the answer, and gives up after a second without saying so. Here answers
are waited for in lab time, and what answers another command is passed over.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Any, Protocol

from pylabrobot.thermocycling.thermo_fisher.atc import ATCBackend

from devices.transport import Framing
from lab.errors import CommandTimeout, ConnectionLost, NonsenseReply

__all__ = ["ATC_FRAMING", "ATCSession", "SocketPort", "answers", "real_atc_session"]

log = logging.getLogger(__name__)

OPEN_S = 10.0
NEVER_S = 86_400.0
UNASKED_S = 0.002
"""For what has come already."""

LONGEST = 4096
"""Bytes of an answer without its end after which it is none."""

MOST_OTHERS = 100
"""Answers to other commands that are passed over before this counts as nonsense."""

ATC_FRAMING = Framing(request_end="\r\n", reply_end="\n")


class SocketPort(Protocol):
    """What is asked of the connection: PyLabRobot's ``io.Socket``, or a twin's."""

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109  (PyLabRobot's)
    async def readuntil(self, separator: bytes = b"\n", timeout: float | None = None) -> bytes: ...  # noqa: ASYNC109  (PyLabRobot's)


def answers(word: str, request: str) -> bool:
    """Whether a command that an answer repeats is that of a request; either may be an abbreviation of the other."""
    said, asked = word.lower().split(":"), request.split(maxsplit=1)[0].lower().split(":")
    if len(said) != len(asked) or said[-1].endswith("?") is not asked[-1].endswith("?"):
        return False
    pairs = ((one.rstrip("?"), other.rstrip("?")) for one, other in zip(said, asked, strict=True))
    return all(one and other and (one.startswith(other) or other.startswith(one)) for one, other in pairs)


class ATCSession:
    """One connection to a cycler. Implements :class:`devices.transport.Transport`.

    Args:
        backend: of PyLabRobot; its login and its connection are used.
        io: in place of its connection, for a twin.
    """

    def __init__(self, backend: ATCBackend, io: SocketPort | None = None) -> None:
        self._backend = backend
        self._io: SocketPort = backend.io if io is None else io
        self._turn = asyncio.Lock()
        self._wanted = self._open = False

    @property
    def where(self) -> str:
        """For messages."""
        return f"tcp {self._backend.ip}:{self._backend.port}"

    async def open(self) -> None:
        """Connect and log in; harmless when that is done.

        Raises:
            ConnectionLost: nobody is there, or lets us in.
        """
        async with self._turn:
            await self._reach()
            self._wanted = True

    async def close(self) -> None:
        """Hang up; harmless when that is done. What the cycler was told goes on."""
        self._wanted = False
        async with self._turn:
            await self._drop()

    async def exchange(self, request: str, *, timeout_s: float) -> str:
        """Send a command and wait for its end; the answer is the last line of it, without its end.

        Raises:
            CommandTimeout: none came in time.
            ConnectionLost: not open, or the connection ended.
            NonsenseReply: what came is no answer.
        """
        async with self._turn:
            if not self._wanted:
                raise ConnectionLost(f"{self.where}: not connected.")
            await self._reach()
            return await self._asked(request, timeout_s)

    async def _asked(self, request: str, timeout_s: float) -> str:
        whole = False
        try:
            await self._discard()
            async with asyncio.timeout(timeout_s):
                await self._io.write(f"{request}\r\n".encode("ascii"))
                reply = await self._answer(request)
            whole = True
            return reply
        except TimeoutError as late:
            raise CommandTimeout(f"{self.where}: no answer to {request!r} within {timeout_s:g} s.") from late
        except (OSError, RuntimeError, asyncio.IncompleteReadError) as gone:
            raise ConnectionLost(f"{self.where}: the connection ended during {request!r} ({gone}).") from gone
        finally:
            if not whole:
                await self._drop()

    async def _discard(self) -> None:
        """Throw away what came unasked, so that an answer that came twice is never taken for the next one.

        Raises:
            NonsenseReply: there is no end of it.
        """
        for _ in range(MOST_OTHERS):
            try:
                async with asyncio.timeout(UNASKED_S):
                    await self._line("nothing")
            except TimeoutError:
                return
        raise NonsenseReply(f"{self.where}: it never stops talking.")

    async def renew(self) -> None:
        """Begin a fresh connection before the next request: what was read last is no answer to what was asked."""
        async with self._turn:
            await self._drop()

    async def _answer(self, request: str) -> str:
        last = ""
        for _ in range(MOST_OTHERS):
            last = await self._line(request)
            found = re.fullmatch(r"(OK|NEXT|ERRor|READy)\b ?(\S*)(.*)", last)
            if found is None:
                raise NonsenseReply(f"{self.where}: {last[:60]!r} is no answer to {request!r}.")
            if found[1] != "READy" and answers(found[2], request) and found[1] != "NEXT":
                return last
        raise NonsenseReply(f"{self.where}: {last[:60]!r} is no answer to {request!r}.")

    async def _line(self, request: str) -> str:
        try:
            # PyLabRobot would give up after 30 s; a ramp takes longer, and how long is the caller's to say.
            raw = await self._io.readuntil(b"\n", timeout=NEVER_S)
        except (asyncio.LimitOverrunError, ValueError) as endless:
            raise NonsenseReply(f"{self.where}: the answer to {request!r} has no end.") from endless
        if len(raw) > LONGEST:
            raise NonsenseReply(f"{self.where}: the answer to {request!r} has no end ({len(raw)} bytes).")
        if not raw.endswith(b"\n"):
            raise ConnectionResetError("hung up in the midst of an answer")
        try:
            return raw.decode("ascii").strip()
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{self.where}: {raw[:40]!r} is no text.") from bad

    async def _reach(self) -> None:
        if self._open:
            return
        try:
            async with asyncio.timeout(OPEN_S):
                await self._io.setup()
        except (OSError, TimeoutError) as absent:
            raise ConnectionLost(f"{self.where}: cannot connect ({absent!r}).") from absent
        self._open = True
        challenge = (await self._asked("CHAL?", OPEN_S)).split()
        if len(challenge) != 3:
            await self._drop()
            raise ConnectionLost(f"{self.where}: it gives no challenge.")
        token = self._backend._get_auth_token(challenge[2])
        for line in (f"AUTH {token}", "ACCess -stealth Controller"):
            if not (said := await self._asked(line, OPEN_S)).startswith("OK"):
                await self._drop()
                raise ConnectionLost(f"{self.where}: it does not let us in: {said[:60]!r}.")

    async def _drop(self) -> None:
        if not self._open:
            return
        self._open = False
        try:
            async with asyncio.timeout(OPEN_S):
                await self._io.stop()
        except TimeoutError:
            # The other side does not hang up with us, which it may keep to itself.
            log.warning("%s: it does not answer that we hang up.", self.where)


def real_atc_session(host: str, serial_number: str | None = None) -> ATCSession:
    """The cycler at an address.

    Args:
        serial_number: where it is reached by TLS (port 7443), which needs it; None for port 7000.
    """
    return ATCSession(ATCBackend(ip=host, use_ssl=serial_number is not None, serial_number=serial_number))
