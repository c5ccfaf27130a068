"""Mettler Toledo balances and weigh modules over their serial line, through PyLabRobot's backend of the WXS205SDU.

They speak MT-SICS (Mettler Toledo, Reference Manual MT-SICS for weigh modules, 11781363): a word and a line end; the
answer is the word, a status, and a value with its unit. Status ``A`` is done, ``S`` steady, ``D`` not steady yet, ``I``
not now, ``L`` a wrong parameter, ``+`` and ``-`` past the range; ``ES``, ``ET`` and ``EL`` answer what was not
understood. ``@`` ends what the balance waits for, and is answered like ``I4``, with the serial number.

PyLabRobot puts the commands together and knows the errors. Waiting for answers and taking them apart is done here: in lab
time, strictly, and so that an answer which comes late is never taken for the next.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol

from pylabrobot.scales import ScaleBackend
from pylabrobot.scales.mettler_toledo_backend import MettlerToledoError, MettlerToledoWXS205SDUBackend

from devices.balance.balance import Balance, BalanceDriver, BalanceModel
from devices.identity import Identity, origin_of
from devices.verb import Limits
from lab.bench import Bench
from lab.errors import DeviceFault, InstrumentBusy, InstrumentError, NonsenseReply

__all__ = ["WXS205", "LinePort", "MtSics", "mettler_toledo", "mettler_toledo_driver", "real_mettler_toledo"]

WXS205 = BalanceModel(capacity_g=220.0, repeatability_g=0.00004, settle_s=4.0)
"""WXS205SDU: 220 g, shown to 0.01 mg; repeatability of 0.04 mg in ordinary use and some 4 s to be steady are round
figures of its data sheet, from memory."""

ANSWER_S = 5.0
"""Longest time for what is answered at once."""

STEADY_S = 60.0
"""Longest time for what waits until the balance is steady; it gives up itself after 40 s (manual, ``S``)."""

POLL_S = 0.02

QUIET_S = 0.25
"""After which nothing that was asked before is still on its way."""

LONGEST = 4096

_STEADY = frozenset({"S", "Z", "T"})
_ANSWERED_BY = {"SI": "S", "SC": "S", "ZI": "Z", "ZC": "Z", "TI": "T", "TC": "T", "@": "I4"}
_NOT_UNDERSTOOD = frozenset({"ES", "ET", "EL"})
_WEIGHT = re.compile(r"S (?P<status>[SD]) +(?P<value>-?\d+(?:\.\d+)?) (?P<unit>\S+)", re.ASCII)
_TEXT = re.compile(r'I\d+ A "(?P<text>[^"]*)"', re.ASCII)


class LinePort(Protocol):
    """What the backend asks of its port: PyLabRobot's ``io.serial.Serial``, or a twin's."""

    port: str

    async def setup(self) -> None: ...
    async def stop(self) -> None: ...
    async def write(self, data: bytes) -> None: ...
    async def readline(self) -> bytes: ...
    async def reset_input_buffer(self) -> None: ...


class MtSics(MettlerToledoWXS205SDUBackend):
    """PyLabRobot's backend with answers that are waited for in lab time and checked.

    Args:
        port: path of the serial port, or what stands for it.
    """

    def __init__(self, port: str | LinePort) -> None:
        if isinstance(port, str):
            super().__init__(port=port)
        else:
            # As PyLabRobot's, but that it opens no serial port.
            ScaleBackend.__init__(self)
            self.io = port
        self._answer_due = False
        self._lost = False
        self._turn = asyncio.Lock()

    async def setup(self) -> None:
        """Open the port, set grams, and ask for the serial number.

        Raises:
            ConnectionError: there is no such port.
        """
        self._answer_due, self._lost = False, False
        try:
            await super().setup()
        except RuntimeError as absent:
            raise ConnectionError(str(absent)) from absent

    async def send_command(self, command: str, timeout: float = 0.0) -> list[str]:  # noqa: ASYNC109  (PyLabRobot's)
        """Send a command and wait for its answer, in words.

        Raises:
            MettlerToledoError: it refuses.
            NonsenseReply: what came is no answer to it.
            TimeoutError: nothing came; the balance is told to forget it before the next command.
            ConnectionError: the port is gone; it is opened again before the next command.
        """
        if self._lost:
            await self.io.stop()
            await self.setup()
        try:
            async with self._turn:
                if self._answer_due:
                    await self._forget()
                return (await self._exchange(command)).split()
        except TimeoutError:
            raise
        except OSError:
            self._lost = True
            raise

    async def read_stable_weight(self) -> float:
        """The next steady weight, g.

        Raises:
            NonsenseReply: it is none, or not in grams.
        """
        words = " ".join(await self.send_command("S"))
        found = _WEIGHT.fullmatch(words)
        if found is None or found["unit"] != "g" or found["status"] != "S":
            raise NonsenseReply(f"{words!r} is no steady weight in grams.")
        return float(found["value"])

    async def request_text(self, command: str) -> str:
        """What ``I2`` (type), ``I3`` (software) or ``I4`` (serial number) says.

        Raises:
            NonsenseReply: it is no text.
        """
        words = " ".join(await self.send_command(command))
        found = _TEXT.fullmatch(words)
        if found is None:
            raise NonsenseReply(f"{words!r} says nothing.")
        return found["text"]

    async def request_serial_number(self) -> str:
        """As the balance writes it."""
        return await self.request_text("I4")

    async def cancel(self) -> None:
        """End whatever it waits for. Its zero stays, a tare does not."""
        await self.send_command("@")

    async def _forget(self) -> None:
        """End what it waits for, and pass over whatever it says until nothing more comes."""
        await self.io.reset_input_buffer()
        await self.io.write(b"@\r\n")
        async with asyncio.timeout(ANSWER_S):
            while not await self._says_who_it_is():
                pass
        # What it said may have been in answer to an older question, and the last answer on its way still.
        await asyncio.sleep(QUIET_S)
        await self.io.reset_input_buffer()
        self._answer_due = False

    async def _says_who_it_is(self) -> bool:
        try:
            return re.search(r"I4 A \"[^\"]*\"$", await self._line()) is not None
        except NonsenseReply:
            return False

    async def _exchange(self, command: str) -> str:
        word = command.split()[0]
        self._answer_due = True
        await self.io.write(command.encode("ascii") + b"\r\n")
        async with asyncio.timeout(STEADY_S if word in _STEADY else ANSWER_S):
            line = await self._line()
        words = line.split()
        if not words or not (words[0] in _NOT_UNDERSTOOD or words[0] == _ANSWERED_BY.get(word, word)):
            raise NonsenseReply(f"{line!r} is no answer to {command!r}.")
        if len(words) < 2 and words[0] not in _NOT_UNDERSTOOD:
            raise NonsenseReply(f"{line!r} is no answer to {command!r}.")
        self._answer_due = False
        self._parse_basic_errors([*words, "", "", "", ""])
        return line

    async def _line(self) -> str:
        """The next line that is not empty.

        Raises:
            NonsenseReply: it is no text, or has no end.
        """
        raw = b""
        while not raw.endswith(b"\n"):
            part = await self.io.readline()
            raw += part
            if len(raw) > LONGEST:
                raise NonsenseReply(f"an answer has no end ({len(raw)} bytes so far).")
            if not part:
                await asyncio.sleep(POLL_S)
        try:
            return raw.decode("ascii").strip()
        except UnicodeDecodeError as bad:
            raise NonsenseReply(f"{raw[:40]!r} is no text.") from bad


def _kind_of(error: Exception) -> type[DeviceFault] | None:
    """Not executable at present promises that nothing was done."""
    if isinstance(error, MettlerToledoError):
        return InstrumentBusy if "at present" in error.title else InstrumentError
    return None


def mettler_toledo_driver(backend: MtSics) -> BalanceDriver:
    """What lies under the device; a twin differs in the backend's port."""

    async def introduce() -> Identity:
        serial = await backend.request_serial_number()
        return Identity(
            vendor="Mettler Toledo",
            model=await backend.request_text("I2"),
            serial=serial,
            firmware=await backend.request_text("I3"),
            origin=origin_of(serial),
        )

    return BalanceDriver(
        backend=backend,
        introduce=introduce,
        faults=(MettlerToledoError,),
        cancel=backend.cancel,
        kind_of=_kind_of,
    )


def real_mettler_toledo(port: str) -> BalanceDriver:
    """The balance on a serial port, by its path."""
    return mettler_toledo_driver(MtSics(port))


def mettler_toledo(
    name: str, driver: BalanceDriver, *, bench: Bench, limits: Limits | None = None
) -> Balance:
    """The device; arguments as of :class:`Balance`.

    Raises:
        BadInput: a limit that this device does not have.
    """
    return Balance(name, driver, model=WXS205, bench=bench, limits=limits)
