"""A HighRes MicroSpin over the world, behind its TCP port: it answers lines, on as many connections as are opened.

Answers as PyLabRobot's mock server gives them, which were taken from an instrument. Motions go on when the connection is
gone, and ``abort`` on another connection ends them; until ``clearbuttonabort`` every motion is answered ``ABORTED!``.
``status`` is answered when the rotor stands. A rotor that is out of balance trips and has to be homed again.

A spin that a world remembers (because it was rebuilt from its ledger) goes on until its time is over.

Faults come from a script: an instrument that fails, a wire that is lost, an answer that never comes or is garbled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from devices.centrifuge.centrifuge import CentrifugeDriver
from devices.centrifuge.microspin import MICROSPIN, microspin_driver, ramp_s
from devices.identity import TWIN_SERIAL
from digital_twin.faults import NO_FAULTS, Faults, FaultScript, Repertoire, Request
from digital_twin.instruments.faulty_line import NONSENSE
from digital_twin.instruments.line_faults import SWITCHED
from digital_twin.world import Impossible, World
from lab.errors import FaultKind as K

__all__ = ["MICROSPIN_FAULTS", "MicroSpinLine", "MicroSpinTwin", "microspin_twin"]

HOMING_S = 12.0
STOPPING_SHARE = 0.5
"""Of the ramp down, for an abort from full speed: it brakes harder."""

MICROSPIN_FAULTS = Repertoire(
    parts={"open": (SWITCHED - {K.INSTRUMENT_ERROR}) | {K.LID}, "spin": SWITCHED},
    verbs={
        "present": dict.fromkeys((SWITCHED - {K.INSTRUMENT_ERROR}) | {K.LID}, "open"),
        "spin": dict.fromkeys(SWITCHED, "spin"),
    },
)
"""The door fails when it opens, the drive when it spins."""

_PARTS = {"open": Request("open", frozenset({"present"})), "spin": Request("spin", frozenset({"spin"}))}


class _Refused(Exception):
    """Ends a command with ``ERROR!``."""


class _Aborted(Exception):
    """Ends a command with ``ABORTED!``."""


def microspin_twin(
    world: World, *, name: str, positions: Sequence[str], script: FaultScript = NO_FAULTS
) -> CentrifugeDriver:
    """The driver of a simulated MicroSpin: the real one's, over connections to the twin.

    Args:
        name: of the device in the workcell.
        positions: of its two buckets, in their order.
        script: faults of the bench.

    Raises:
        BadInput: a rule of the script that could never strike.
    """
    machine = MicroSpinTwin(world, name=name, positions=positions, script=script)
    return microspin_driver(lambda: MicroSpinLine(machine))


class MicroSpinTwin:
    """The machine behind all its connections.

    Args:
        name: of the device.
        positions: of its two buckets.
        script: faults of the bench.
    """

    def __init__(
        self, world: World, *, name: str, positions: Sequence[str], script: FaultScript = NO_FAULTS
    ) -> None:
        self.world = world
        self.faults = Faults(world, name, MICROSPIN_FAULTS, script)
        self._name = name
        self._positions = list(positions)
        self._latched = False
        self._braking = False
        self._motion: asyncio.Task[None] | None = None
        self._number = 0

    def next_number(self) -> int:
        """Of a command."""
        self._number += 1
        return self._number

    async def carry_out(self, command: str) -> list[str]:
        """Data of a command, once it is done.

        Raises:
            _Refused, _Aborted: as the machine answers.
        """
        self._resume()
        word, *parameters = command.split() or [""]
        match word, parameters:
            case "version", []:
                return [
                    "Product Name: MicroSpin",
                    f"Serial Number: {TWIN_SERIAL}-MICROSPIN-{self.world.seed}",
                    "Version:               simulated",
                ]
            case "hss", []:
                return ["homed" if self._memory.get("homed") else "not homed"]
            case "status", []:
                await self._standing()
                return ["Spindle Position: 0", "Door Position: 0"]
            case "abort", []:
                await self._abort()
                return ['Issue the "clearbuttonabort" (cba) command to re-enable the machine']
            case "clearbuttonabort", []:
                self._latched = False
                return []
            case "home", []:
                await self._move(self._home())
                return []
            case "open", [("1" | "2") as bucket]:
                self._require_homed()
                await self._move(self._open(int(bucket)))
                return []
            case "spin", [*numbers] if len(numbers) == 4 and all(n.isdigit() for n in numbers):
                self._require_homed()
                await self._move(self._spin(float(numbers[0]), float(numbers[3])))
                return []
        raise _Refused(f'-12: Command "{command}" not recognized!')

    @property
    def _memory(self) -> Mapping[str, Any]:
        return self.world.state.memory.get(self._name, {})

    def _require_homed(self) -> None:
        if not self._memory.get("homed"):
            raise _Refused("-20: device is not homed")

    def _resume(self) -> None:
        """Go on with a spin that the world remembers."""
        spin = self._memory.get("spin")
        idle = self._motion is None or self._motion.done()
        if isinstance(spin, dict) and idle and not self._braking:
            left_s = max(0.0, float(spin["ends_s"]) - self.world.clock.now())
            self._motion = asyncio.get_running_loop().create_task(self._turn(left_s))

    async def _move(self, motion: Coroutine[Any, Any, None]) -> None:
        """One motion at a time, which goes on though nobody waits for its end."""
        if self._latched or (self._motion is not None and not self._motion.done()):
            motion.close()
            raise _Aborted
        task = self._motion = asyncio.get_running_loop().create_task(motion)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise _Aborted from None
            raise
        except Impossible as why:
            raise _Refused(f"-31: {why}") from why

    async def _abort(self) -> None:
        motion, self._latched = self._motion, True
        if motion is not None and not motion.done():
            motion.cancel()
            await asyncio.gather(motion, return_exceptions=True)
        self._braking = "spin" in self._memory

    async def _standing(self) -> None:
        while self._motion is not None and not self._motion.done():
            await asyncio.gather(asyncio.shield(self._motion), return_exceptions=True)
        if "spin" in self._memory:
            spin = self._memory["spin"]
            assert isinstance(spin, dict)
            await asyncio.sleep(STOPPING_SHARE * ramp_s(float(spin["rcf_g"])))
            self._stand()

    async def _home(self) -> None:
        await asyncio.sleep(HOMING_S)
        self.world.act(self._name, "present_bucket", positions=self._positions, bucket=0)

    async def _open(self, bucket: int) -> None:
        await asyncio.sleep(MICROSPIN.presenting_s)
        self.world.act(self._name, "present_bucket", positions=self._positions, bucket=bucket)

    async def _spin(self, rcf_g: float, hold_s: float) -> None:
        whole_s = MICROSPIN.ramps_s(rcf_g) + hold_s
        try:
            self.world.act(
                self._name,
                "spin_up",
                positions=self._positions,
                rcf_g=rcf_g,
                ends_s=self.world.clock.now() + whole_s,
            )
        except Impossible:
            self.world.act(self._name, "remember", values={"homed": False})
            raise
        await self._turn(whole_s)

    async def _turn(self, left_s: float) -> None:
        await asyncio.sleep(left_s)
        self._stand()

    def _stand(self) -> None:
        self._braking = False
        if "spin" in self._memory:
            self.world.act(self._name, "spin_down", positions=self._positions)


class MicroSpinLine:
    """One connection. Implements :class:`devices.centrifuge.microspin.LinePort`.

    Args:
        machine: that it leads to.
    """

    def __init__(self, machine: MicroSpinTwin) -> None:
        self._machine = machine
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open = False
        self._work: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        """Connect."""
        self._open = True

    async def stop(self) -> None:
        """Hang up; what the machine was told goes on."""
        self._open = False

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
        """Send lines; a connection's commands are served one after the other.

        Raises:
            ConnectionError: it is not open.
        """
        if not self._open:
            raise ConnectionError("the connection is closed")
        for line in data.decode("ascii", "replace").split("\r\n"):
            if line:
                self._work = asyncio.get_running_loop().create_task(self._serve(line, self._work))

    async def readline(self, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        """The next line; empty when the connection has ended.

        Raises:
            TimeoutError: none came in time.
        """
        async with asyncio.timeout(timeout):
            line = await self._out.get()
        return b"" if line is None else line

    async def _serve(self, line: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        number = self._machine.next_number()
        strike = self._machine.faults.strike(_PARTS.get(line.split()[0]), line=line)
        garbled = strike is not None and strike.kind is K.NONSENSE_REPLY
        self._say(NONSENSE if garbled else f"ACK! {line} {number}")
        if strike is not None and strike.kind in (K.INSTRUMENT_ERROR, K.LID):
            self._say("Error 1: (00:00:00) -40: drive fault")
            self._say(f"ERROR! {line} {number}")
            return
        ends = [f"OK! {line} {number}"]
        if strike is None or strike.after:
            try:
                ends = [*await self._machine.carry_out(line), *ends]
            except _Refused as why:
                ends = [f"Error 1: (00:00:00) {why}", f"ERROR! {line} {number}"]
            except _Aborted:
                ends = [f"ABORTED! {line} {number}"]
        match None if strike is None else strike.kind:
            case K.CONNECTION_LOST:
                self._open = False
                self._out.put_nowait(None)
            case K.TIMEOUT | K.NONSENSE_REPLY:
                pass
            case _:
                for end in ends:
                    self._say(end)

    def _say(self, line: str) -> None:
        self._out.put_nowait(line.encode("latin-1") + b"\r\n")
