"""Commands of the line devices, broken off at a chosen request or action, and who finds them afterwards."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from devices.transport import InProcess, Transport
from digital_twin.ledger import Action
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import DeviceFault
from lab.interfaces import Command, Reconciliation
from lab.recovery import time_limit_s
from lab.types import JsonValue, Mark
from tests.devices.line_bench import SEATS, Water, Wire, make_bench
from tests.devices.line_trials import Trial


class When(StrEnum):
    """Of the end of a controller, against one request or one physical action."""

    BEFORE = "before the request is sent"
    DURING = "while the instrument is at the request"
    AFTER = "when the instrument has answered the request"
    ACTED = "when the action has taken effect"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a controller ends: at the n-th request or action of the command, from 0; -1 is nowhere."""

    when: When
    n: int


@dataclass(slots=True)
class Broken:
    """A device, its wire and its world, with a record of marks and lines in their order."""

    trial: Trial
    clock: LabClock
    world: World
    wire: Wire
    device: Any
    belief: Bench
    trace: list[tuple[str, str]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    begun: int = 0
    token: int = 0
    last_words: list[asyncio.Task[str]] = field(default_factory=list)

    async def mark(self, name: str, details: JsonValue) -> None:
        self.marks.append(Mark(name=name, details=details, lab_time_s=self.clock.now()))
        self.trace.append(("mark", name))

    async def send(self, command: Command) -> Any:
        """Carry a command out as the engine does: under a lease, with marks, believed when done."""
        verb = getattr(self.device, command.verb)
        self.token += 1
        limit_s = time_limit_s(verb.duration_s(command, self.belief))
        verb.engage(token=self.token, limit_s=limit_s, mark=self.mark)
        await verb.set(command)
        command.believe(self.belief)
        return verb.result()

    def actions(self) -> list[Action]:
        """What physically happened since the command began."""
        return self.world.ledger.actions[self.begun :]

    async def recover(self) -> Reconciliation:
        """What is done at start-up after a crash: look, safe, then ask what came of the command."""
        await self.device.look()
        began_s = self.clock.now()
        await self.device.safe()
        assert self.clock.now() - began_s < 30.0, "the safe state takes less than 30 s"
        verb = getattr(self.device, self.trial.command.verb)
        answer: Reconciliation = await verb.reconcile(self.trial.command, list(self.marks))
        return answer


class Guillotine:
    """Ends the controller at a cut: from there on nothing gets through, and what is on disk then is all there is.

    Args:
        bench: whose wire is watched.
        cut: where.
        copy: file that the ledger is copied to at that moment; None where the world goes on.
        once: only one request is lost, and the next one gets through: a wire that blinks, not an end.
    """

    def __init__(self, bench: Broken, cut: Cut, copy: Path | None, once: bool) -> None:
        self.fallen = False
        self._once = once
        self.requests = self.acts = 0
        self._bench = bench
        self._cut = cut
        self._copy = copy
        self._model = bench.wire.model
        self._act = bench.world.act
        bench.wire.instead = self._reply
        bench.world.act = self._acting  # type: ignore[method-assign]

    def lift(self) -> None:
        """Let lines through again, to whoever is there now."""
        self._bench.wire.instead = None
        self._bench.world.act = self._act  # type: ignore[method-assign]

    def _fall(self) -> None:
        self.fallen = True
        if self._copy is not None:
            ledger = self._bench.world.ledger.path
            assert ledger is not None
            shutil.copyfile(ledger, self._copy)

    def _acting(self, *arguments: Any, **details: Any) -> JsonValue:
        given = self._act(*arguments, **details)
        if not self.fallen and self._cut == Cut(When.ACTED, self.acts):
            self._fall()
        self.acts += 1
        return given

    async def _reply(self, line: str) -> str:
        if self.fallen and self._once:
            return await self._model.reply(line)
        if self.fallen:
            raise ConnectionResetError("the controller is dead")
        self._bench.trace.append(("line", line))
        n, self.requests = self.requests, self.requests + 1
        if self._cut == Cut(When.BEFORE, n):
            self._fall()
        elif self._cut == Cut(When.DURING, n):
            self._fall()
            # The instrument does what it was told, whoever is still there to hear of it.
            self._bench.last_words.append(asyncio.ensure_future(self._model.reply(line)))
        if not self.fallen:
            answer = await self._model.reply(line)
            if not self.fallen and self._cut == Cut(When.AFTER, n):
                self._fall()
        if self.fallen:
            raise ConnectionResetError("the controller is dead")
        return answer


@asynccontextmanager
async def on_bench(
    trial: Trial, clock: LabClock, ledger: Path, *, socket: bool = False
) -> AsyncIterator[Broken]:
    """A fresh bench on which all but the trial's own command is done."""
    belief = make_bench(plate_at=trial.case.plate_at)
    world = World(clock=clock, seed=1, ledger=ledger, bench=belief, chemistry=Water(), seats=SEATS)
    wire = Wire(trial.case.twin(world))
    async with connected(trial, clock, world, wire, belief, socket=socket) as made:
        for command in trial.first:
            await made.send(command)
        made.begun = len(world.ledger.actions)
        made.marks.clear()
        made.trace.clear()
        try:
            yield made
        finally:
            world.close()


@asynccontextmanager
async def connected(
    trial: Trial, clock: LabClock, world: World, wire: Wire, belief: Bench, *, socket: bool = False
) -> AsyncIterator[Broken]:
    """A new controller at an instrument that may have a past."""
    async with AsyncExitStack() as stack:
        transport: Transport = InProcess(wire)
        if socket:
            transport = await stack.enter_async_context(trial.case.socket(wire))
        made = Broken(trial, clock, world, wire, trial.case.device(transport, belief), belief)
        stack.push_async_callback(made.device.disconnect)
        await made.device.connect()
        yield made


async def broken_off(bench: Broken, cut: Cut, *, copy: Path | None = None, once: bool = False) -> Guillotine:
    """Send the trial's command and cut it; at no cut it ends by itself."""
    blade = Guillotine(bench, cut, copy, once)
    try:
        await bench.send(bench.trial.command)
    except DeviceFault:
        assert blade.fallen, "only the cut ends the command"
    return blade


def heir(dead: Broken, alive: Broken) -> Broken:
    """What a new controller finds on disk of the old one."""
    alive.marks, alive.begun, alive.token = dead.marks, dead.begun, dead.token
    for command in dead.trial.first:
        command.believe(alive.belief)
    return alive
