"""What an Applied Biosystems ATC answers, over the world: the far end of :mod:`devices.thermocycler.atc`.

Lid, block and lid heater are those of the world, so they outlive this object: a cycler does not notice that its controller
died. All zones are at the block's temperature. A ramp is answered when it is over; whoever hangs up before does not end it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

from pylabrobot.thermocycling.thermo_fisher.atc import ATCBackend

from devices.identity import TWIN_SERIAL
from devices.thermocycler.atc import ATC, BLOCK, LID_HEATING_C_PER_S, LID_MOVES_S, ZONES
from devices.thermocycler.atc_session import ATCSession
from devices.transport import LineInstrument
from digital_twin.instruments.heated_lid import HeatedLid
from digital_twin.physics.heat import time_to_reach_s
from digital_twin.world import World

__all__ = ["ATCTwin", "GuardedCycler", "TwinSocket", "twin_session"]

AT_TARGET_C = 0.5
ANSWER_S = 0.01
"""A round trip over the network with the firmware's work; a choice."""

PATIENCE_S = 30.0
"""Of PyLabRobot's connections with whoever does not say how long to wait."""

_RAMP = re.compile(r"TBC1:RAMP -rate=100((?: -?\d+\.?\d*){3})$", re.ASCII | re.IGNORECASE)
_COVER = re.compile(r"TBC1:CoverRAMP (-?\d+\.?\d*)$", re.ASCII | re.IGNORECASE)
_LET_GO = re.compile(r"TBC1:(BLOCK|COVER) 0 \d+$", re.ASCII | re.IGNORECASE)


class ATCTwin:
    """A cycler at one position of a world. Implements :class:`devices.transport.LineInstrument`.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        position: of its block.
    """

    def __init__(self, world: World, *, name: str, position: str) -> None:
        self._world = world
        self._name = name
        self._position = position
        self._lid_moving = False
        self._heater = HeatedLid(world, name=name, position=position, heating_c_per_s=LID_HEATING_C_PER_S)

    async def reply(self, line: str) -> str:
        """The last line of the firmware's answer to one command."""
        await asyncio.sleep(ANSWER_S)
        request = line.strip()
        command, _, arguments = request.partition(" ")
        if (answer := self._asked(command)) is not None:
            return f"OK {command} {answer}"
        if command.lower() in ("lidopen", "lidclose"):
            return await self._move_lid(command, shut=command.lower() == "lidclose")
        if ramp := _RAMP.fullmatch(request):
            return await self._ramp(request, [float(text) for text in ramp[1].split()])
        if cover := _COVER.fullmatch(request):
            return await self._ramp_cover(request, float(cover[1]))
        if let_go := _LET_GO.fullmatch(request):
            self._let_go(let_go[1].upper())
            return f"OK {request}"
        if command.upper() == "POWER" and arguments in ("On", "Off"):
            return f"OK {request}"
        return f"ERRor {command} InvocationError: no such command"

    def _asked(self, command: str) -> str | None:
        """What a question is answered with; None for what is none."""
        match command.lower():
            case "tbc:blockpresence?":
                return "1"
            case "tbc:bid?":
                return BLOCK
            case "syst:sett:nick?":
                return f'"{TWIN_SERIAL}-ATC-{self._world.seed}"'
            case "tbc1:tbc:blocktemperatures?":
                return " ".join([f"{self._block_c():.2f}"] * ZONES)
            case "tbc1:tbc:covertemperatures?":
                return f"{self._heater.temperature_c():.2f}"
            case "tbc1:tbc:sett?":
                block_c, lid_c = self._block_target_c(), self._heater.target_c
                zones = [f"-Zone{n + 1}={25.0 if block_c is None else block_c:.1f}" for n in range(ZONES)]
                return " ".join([*zones, f"-Cover={105.0 if lid_c is None else lid_c:.1f}"])
            case "tbc1:tbc:cont?":
                zones = [f"-Zone{n + 1}={self._block_target_c() is not None}" for n in range(ZONES)]
                return " ".join([*zones, f"-Cover={self._heater.target_c is not None}"])
            case "tbc1:error?":
                return "0"
        return None

    async def _move_lid(self, command: str, *, shut: bool) -> str:
        if self._lid_moving:
            return f"ERRor {command} Busy: the lid moves"
        if self._world.is_shut(self._position) is not shut:
            self._lid_moving = True
            try:
                await asyncio.sleep(LID_MOVES_S)
                self._world.act(self._name, "shut", position=self._position, shut=shut)
            finally:
                self._lid_moving = False
        return f"OK {command}"

    async def _ramp(self, request: str, zones_c: list[float]) -> str:
        lowest, highest = ATC.maker_limits["temperature_c"]
        if len(set(zones_c)) != 1 or not lowest <= zones_c[0] <= highest:
            return f"ERRor {request.split()[0]} InvalidArgument: out of range"
        self._world.act(
            self._name,
            "set_temperature",
            position=self._position,
            temperature_c=zones_c[0],
            ramp_c_per_s=None,
            hold_s=0.0,
        )
        climate = self._world.state.climates[self._position]
        await asyncio.sleep(
            time_to_reach_s(
                start_c=climate.start_c,
                set_c=zones_c[0],
                tolerance_c=AT_TARGET_C,
                heating_c_per_s=climate.seat.heating_c_per_s,
                cooling_c_per_s=climate.seat.cooling_c_per_s,
                settling_s=climate.seat.settling_s,
            )
        )
        return f"OK {request}"

    async def _ramp_cover(self, request: str, target_c: float) -> str:
        lowest, highest = ATC.maker_limits["lid_temperature_c"]
        if not lowest <= target_c <= highest:
            return f"ERRor {request.split()[0]} InvalidArgument: out of range"
        self._heater.tell(target_c)
        await asyncio.sleep(self._heater.way_s(target_c))
        return f"OK {request}"

    def _let_go(self, what: str) -> None:
        # Telling what is idle again that it is off is no event.
        if what == "COVER":
            self._heater.let_go()
        if what == "BLOCK" and self._block_target_c() is not None:
            self._world.act(self._name, "set_temperature", position=self._position, temperature_c=None)

    def _block_c(self) -> float:
        return self._world.temperature_c(self._position)

    def _block_target_c(self) -> float | None:
        return self._world.state.climates[self._position].set_c


class GuardedCycler:
    """A cycler that has to be answered a challenge before it takes commands. Implements :class:`LineInstrument`.

    Args:
        cycler: behind it.
    """

    def __init__(self, cycler: LineInstrument) -> None:
        self._cycler = cycler
        # As these cyclers come, on the port without TLS.
        self._token = ATCBackend(ip="twin")._get_auth_token
        self._challenge = ""
        self._known = self._let_in = False
        self._asked = 0

    async def reply(self, line: str) -> str:
        """The answer to one line."""
        command, _, argument = line.strip().partition(" ")
        match command.upper():
            case "CHAL?":
                self._asked += 1
                self._challenge = hashlib.sha256(str(self._asked).encode()).hexdigest()[:16]
                self._known = self._let_in = False
                return f"OK CHAL? {self._challenge}"
            case "AUTH":
                self._known = bool(self._challenge) and argument == self._token(self._challenge)
                return "OK AUTH" if self._known else "ERRor AUTH AuthenticationFailed"
            case "ACCESS":
                self._let_in = self._known
                return "OK ACCess" if self._let_in else "ERRor ACCess InsufficientAccess"
        if not self._let_in:
            return f"ERRor {command} InsufficientAccess"
        return await self._cycler.reply(line)


class TwinSocket:
    """The connection, as PyLabRobot's ``io.Socket`` is to its backend, over a model that answers lines.

    The model goes on with what it was told when nobody reads.

    Args:
        model: answers lines.
    """

    def __init__(self, model: LineInstrument) -> None:
        self._model = model
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._open = False
        self._working: set[asyncio.Task[None]] = set()

    async def setup(self) -> None:
        """Connect; the instrument greets."""
        self._open = True
        self._lines = asyncio.Queue()
        self._lines.put_nowait(b"READy -product=ATC -version=simulated\n")

    async def stop(self) -> None:
        """Hang up; what the model is at goes on."""
        self._open = False

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
        """Send one line.

        Raises:
            OSError: the connection is gone.
        """
        if not self._open:
            raise ConnectionError("the connection is gone")
        task = asyncio.get_running_loop().create_task(self._answer(data.decode("ascii"), self._lines))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def readuntil(self, separator: bytes = b"\n", timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        """The next line.

        Raises:
            TimeoutError: none came in time.
            OSError: the connection is gone.
        """
        async with asyncio.timeout(PATIENCE_S if timeout is None else timeout):
            line = await self._lines.get()
        if not line:
            raise ConnectionError("the connection is gone")
        return line

    async def _answer(self, line: str, lines: asyncio.Queue[bytes]) -> None:
        try:
            reply = await self._model.reply(line)
        except ConnectionError:
            self.pull(lines)
            return
        await self._say(reply.encode("latin-1") + b"\n", lines)

    async def _say(self, raw: bytes, lines: asyncio.Queue[bytes]) -> None:
        """Bytes of one answer come in, on the connection that it was asked on."""
        lines.put_nowait(raw)

    def pull(self, lines: asyncio.Queue[bytes]) -> None:
        """The instrument hangs up."""
        if lines is self._lines:
            self._open = False
        lines.put_nowait(b"")


def twin_session(model: LineInstrument) -> ATCSession:
    """A driver's session with a cycler that is a model, login and all.

    Args:
        model: answers lines once one is let in.
    """
    return ATCSession(ATCBackend(ip="twin"), TwinSocket(GuardedCycler(model)))
