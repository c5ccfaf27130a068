"""What a Cole-Parmer Masterflex L/S drive answers, over the world: the far end of :mod:`devices.pump.masterflex`.

Its commands are those of the manuals that are named there. Settings, counts and the run under way are in the world's
memory, so they outlive this object. What was pumped reaches the well when the rollers come to rest; the drive itself counts
turns as it goes. A drive that is made again over a world in which one runs goes on with it, as the real one does.
"""

from __future__ import annotations

import asyncio
import re

from devices.pump.masterflex import MOST_TURNS, Tubing
from devices.pump.masterflex_line import ACK, ENQUIRY, NAK, MasterflexFraming
from devices.transport import LineInstrument
from digital_twin.instruments.memory import Memory
from digital_twin.world import World

__all__ = ["MasterflexTwin", "TwinSerial"]

ANSWER_S = 0.02
"""A dozen characters at 4800 baud; a choice."""

STATUS = "SIMUL"
"""Five digits on a drive of the maker's; this says that it is a twin."""

_RUN = re.compile(r"V(\d{1,5}(?:\.\d{1,2})?)(G?)", re.ASCII)
_SPEED = re.compile(r"S([+-])(\d{1,3}(?:\.\d)?|\d{4})", re.ASCII)


class MasterflexTwin:
    """A drive with a tube in its head. Implements :class:`devices.transport.LineInstrument`, without the drive's number.

    Args:
        world: it stands in.
        name: of the device; keys its actions on the ledger.
        source_at: position of the vessel, as a piece of labware of one well.
        outlet_at: position under the end of the tube.
        tubing: in its head, as it is calibrated.
        drive: its number on the line.
    """

    def __init__(
        self, world: World, *, name: str, source_at: str, outlet_at: str, tubing: Tubing, drive: int = 2
    ) -> None:
        self._world = world
        self._name = name
        self._source_at = source_at
        self._outlet_at = outlet_at
        self._tubing = tubing
        self._drive = drive
        self._numbered = bool(world.state.memory.get(name))
        self._memory = Memory(world, name)
        self._ending: asyncio.TimerHandle | None = None

    async def reply(self, line: str) -> str:
        """The firmware's answer to one command."""
        self._time_the_end()
        await asyncio.sleep(ANSWER_S)
        match line:
            case _ if line == ENQUIRY:
                return self._status() if self._numbered else "P?0"
            case "":
                self._numbered = True
            case "I":
                return self._status()
            case "C":
                return f"C{self._counted():.2f}"
            case "E":
                return f"E{self._to_go():.2f}"
            case "R" | "L":
                pass
            case "H":
                self._rest()
            case "Z" | "Z0" if self._run() is None:
                self._memory.remember(**({"to_go": 0.0} if line == "Z" else {"counted": 0.0}))
            case "G":
                return self._go()
            case _:
                return self._told(line)
        return ACK

    def _told(self, line: str) -> str:
        if self._run() is not None:
            return NAK
        if speed := _SPEED.fullmatch(line):
            rpm = float(speed[2])
            if speed[1] != "+" or not self._tubing.rpm[0] <= rpm <= self._tubing.rpm[1]:
                # Backwards, it would fill the vessel from the well.
                return NAK
            self._memory.remember(rpm=rpm)
            return ACK
        if turns := _RUN.fullmatch(line):
            self._memory.remember(to_go=min(self._memory.kept("to_go", 0.0) + float(turns[1]), MOST_TURNS))
            return self._go() if turns[2] else ACK
        return NAK

    def _status(self) -> str:
        return f"P{self._drive:02d}I{STATUS}"

    # ------------------------------------------------------------------------------------------------------------ running

    def _go(self) -> str:
        turns = self._memory.kept("to_go", 0.0)
        if self._run() is not None or turns <= 0.0 or not self._memory.kept("rpm", 0.0):
            return NAK
        self._memory.remember(
            run={"begun_s": self._world.clock.now(), "turns": turns, "rpm": self._memory.kept("rpm", 0.0)}
        )
        self._time_the_end()
        return ACK

    def _rest(self) -> None:
        """The rollers come to rest, and what they moved is in the well."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        run = self._run()
        if run is None:
            return
        moved = self._moved(run)
        values = {
            "run": None,
            "counted": self._memory.kept("counted", 0.0) + moved,
            "to_go": round(run["turns"] - moved, 6),
        }
        source = self._world.at(self._source_at)
        if source is None:
            # The tube hangs in air.
            self._world.act(self._name, "remember", values=values)
            return
        self._world.act(
            self._name,
            "infuse",
            source=source,
            position=self._outlet_at,
            well=self._tubing.outlet,
            volume_ul=moved * self._tubing.ul_per_turn,
            values=values,
            per_turn_ul=self._tubing.ul_per_turn,
        )

    def _time_the_end(self) -> None:
        """Come to rest when the turns are over; also of a run that began before this object was made."""
        run = self._run()
        if self._ending is None and run is not None:
            left_s = run["begun_s"] + run["turns"] / run["rpm"] * 60.0 - self._world.clock.now()
            self._ending = asyncio.get_running_loop().call_later(max(0.0, left_s), self._end)

    def _end(self) -> None:
        self._ending = None
        self._rest()

    def _run(self) -> dict[str, float] | None:
        run: dict[str, float] | None = self._memory.kept("run", None)
        return run

    def _moved(self, run: dict[str, float]) -> float:
        # The end of a run is a sum of times that were rounded.
        moved = min(run["turns"], (self._world.clock.now() - run["begun_s"]) * run["rpm"] / 60.0)
        return run["turns"] if run["turns"] - moved < 1e-6 else moved

    def _counted(self) -> float:
        run = self._run()
        counted: float = self._memory.kept("counted", 0.0) + (0.0 if run is None else self._moved(run))
        return counted

    def _to_go(self) -> float:
        run = self._run()
        to_go: float = self._memory.kept("to_go", 0.0) if run is None else run["turns"] - self._moved(run)
        return to_go


class TwinSerial:
    """The drive's serial port, as PyLabRobot's ``io.serial.Serial`` is to its backend, over a model that answers lines.

    The model goes on with what it was told when nobody reads. What it says then is read later, as from a real port.

    Args:
        model: answers lines, without the drive's number.
        framing: of its drive.
    """

    def __init__(self, model: LineInstrument, framing: MasterflexFraming) -> None:
        self._model = model
        self._framing = framing
        self._open = False
        self._in: asyncio.StreamReader | None = None
        self._out = bytearray()
        self._said = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Open the port; what was not read before is gone."""
        await self.stop()
        self._open = True
        self._in = asyncio.StreamReader()  # of the loop that runs; nobody knows it when the twin is made
        self._out.clear()
        self._working = asyncio.get_running_loop().create_task(self._work(self._in))

    async def stop(self) -> None:
        """Close the port, and end what the model still does."""
        self._open = False
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def write(self, data: bytes) -> None:
        """Take bytes; each whole frame reaches the model.

        Raises:
            OSError: the cable is out.
        """
        self._require_open()
        assert self._in is not None  # it is open
        self._in.feed_data(data)

    async def read(self, num_bytes: int = 1) -> bytes:
        """What there is, up to so many bytes, as soon as there is anything.

        Raises:
            OSError: the cable is out.
        """
        self._require_open()
        while not self._out:
            self._said.clear()
            await self._said.wait()
            self._require_open()
        data = bytes(self._out[:num_bytes])
        del self._out[:num_bytes]
        return data

    async def reset_input_buffer(self) -> None:
        """Forget what was said and not read.

        Raises:
            OSError: the cable is out.
        """
        self._require_open()
        self._out.clear()

    def _require_open(self) -> None:
        if not self._open:
            raise OSError("the serial port is gone")

    async def _work(self, incoming: asyncio.StreamReader) -> None:
        while self._open:
            request = await self._framing.read_request(incoming)
            try:
                reply = await self._model.reply(request)
            except ConnectionError:
                self.pull()
                return
            await self._say(self._framing.pack_reply(reply))

    async def _say(self, raw: bytes) -> None:
        """Bytes of one answer come in."""
        self._out += raw
        self._said.set()

    def pull(self) -> None:
        """The cable is out, until the port is opened again."""
        self._open = False
        self._said.set()
