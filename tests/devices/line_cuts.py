"""Commands of the line devices, broken off at a chosen request, and what the world's ledger says of them afterwards."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from devices.incubator import Incubate
from devices.plate_hotel import Move, PutLid, TakeLid
from devices.thermocycler import CloseLid, Heat, OpenLid
from devices.transport import InProcess, Tcp, Transport
from digital_twin.ledger import Action
from digital_twin.serve import serve
from digital_twin.world import World
from lab.bench import Bench
from lab.clock import LabClock
from lab.errors import DeviceFault
from lab.interfaces import Command, Reconciliation
from lab.recovery import time_limit_s
from lab.types import JsonValue, Mark
from tests.devices.line_bench import CASES, SEATS, Case, Water, Wire, make_bench

CYCLER, SHAKER, ARM = CASES

QUESTIONS = (
    "get",
    "M105",
    "M119",
    "M141",
    "wait",
    "where",
    "mode",
    "hp",
    "attach",
    "HomeAll",
    "GraspData",
    "setShake",
)
"""How lines begin that change nothing for any material."""


class When(StrEnum):
    """Of the end of a controller, against one request or one physical action."""

    BEFORE = "before the request is sent"
    DURING = "while the instrument is at the request"
    AFTER = "when the instrument has answered the request"
    ACTED = "when the action has taken effect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A command to break off.

    Args:
        first: what is done before it, so that there is something to do.
        parts: its marks -> what the first line begins with that changes anything after the mark.
        answers: all that may come of it, each of which does at some cut.
        happened: whether the ledger says that the whole command was carried out, once.
        begun: whether the ledger says that the material has seen any of it.
    """

    case: Case
    command: Command
    first: tuple[Command, ...] = ()
    parts: dict[str, str]
    answers: str
    happened: Callable[[World, Sequence[Action]], bool]
    begun: Callable[[World, Sequence[Action]], bool]

    @property
    def name(self) -> str:
        return f"{self.command.verb} {self.case.name}"


def _told_c(actions: Sequence[Action]) -> list[tuple[float, Any]]:
    return [(a.lab_time_s, a.arguments["temperature_c"]) for a in actions if a.action == "set_temperature"]


def heated(temperature_c: float, hold_s: float) -> Callable[[World, Sequence[Action]], bool]:
    """Told the temperature once, to cool when the hold was over, and left to it until it was down."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        told = _told_c(actions)
        if [c for _, c in told] != [temperature_c, 25.0, None]:
            return False
        (hot_s, _), (cool_s, _), (off_s, _) = told
        way_s = (temperature_c - 22.0) / 3.6 + 10.0
        held = hold_s <= cool_s - hot_s <= hold_s + way_s + 5.0
        return held and off_s - cool_s >= (temperature_c - 25.0) / 2.0 - 2.0

    return check


def incubated(rpm: float | None, hold_s: float) -> Callable[[World, Sequence[Action]], bool]:
    """Shaken once, for the whole time, and free again."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        shaken = [(a.lab_time_s, a.arguments["rpm"]) for a in actions if a.action == "shake"]
        free = not world.is_shut("shaker") and world.state.climates["shaker"].set_c is None
        (on_s, warm_c), (off_s, _) = _told_c(actions)[0], _told_c(actions)[-1]
        if rpm is None:
            return free and not shaken and off_s - on_s >= hold_s
        if not free or [r for _, r in shaken] != [rpm, 0.0]:
            return False
        (begun_s, _), (ended_s, _) = shaken
        cooled = warm_c <= 25.0 or off_s - ended_s <= 30.0
        return cooled and ended_s - begun_s >= hold_s - 0.1

    return check


def warmed(world: World, actions: Sequence[Action]) -> bool:
    """Shaken, or warmer than the room."""
    return any(
        (a.action == "shake" and a.arguments["rpm"])
        or (a.action == "set_temperature" and (a.arguments["temperature_c"] or 22.0) > 25.0)
        for a in actions
    )


def block_told(world: World, actions: Sequence[Action]) -> bool:
    return bool(_told_c(actions))


def carried(piece: str, destination: str, *, lid: bool = False) -> Callable[[World, Sequence[Action]], bool]:
    """Picked up once, put down once, and there."""

    def check(world: World, actions: Sequence[Action]) -> bool:
        moves = [a.action for a in actions if a.action in ("pick", "place")]
        there = world.lid_of(destination) if lid else world.at(destination)
        return moves == ["pick", "place"] and there == piece

    return check


def put_down(world: World, actions: Sequence[Action]) -> bool:
    """An arm may have it in hand; what counts is whether it was put down."""
    return any(a.action == "place" for a in actions)


def lid_is(*, shut: bool) -> Callable[[World, Sequence[Action]], bool]:
    return lambda world, actions: world.is_shut("thermocycler") is shut and len(actions) == 1


def never(world: World, actions: Sequence[Action]) -> bool:
    """Of what may be told again as often as anybody likes."""
    return False


_CARRY = {"pick": "PickPlate", "place": "PlacePlate"}
_INCUBATE = {
    "clamp": "setElmLockPos",
    "warm": "setTempTarget",
    "shake": "shakeOnWithRuntime",
    "off": "tempOff",
    "release": "setElmUnlockPos",
}

TRIALS = (
    Trial(
        case=CYCLER,
        command=Heat(plate="assay_1", temperature_c=80.0, hold_s=30.0, lid_temperature_c=85.0),
        parts={
            "close_lid": "M127",
            "heat_lid": "M140",
            "hold": "M104 S80.00 H30.00",
            "cool": "M104 S25.00",
            "off": "M18",
        },
        answers="done not_done unknown",
        happened=heated(80.0, 30.0),
        begun=block_told,
    ),
    Trial(
        case=CYCLER,
        command=CloseLid(),
        parts={"close_lid": "M127"},
        answers="done not_done",
        happened=lid_is(shut=True),
        begun=never,
    ),
    Trial(
        case=CYCLER,
        command=OpenLid(),
        first=(CloseLid(),),
        parts={"open_lid": "M126"},
        answers="done not_done",
        happened=lid_is(shut=False),
        begun=never,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=500.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(500.0, 20.0),
        begun=warmed,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=23.0, hold_s=20.0, shaking_rpm=800.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(800.0, 20.0),
        begun=warmed,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=37.0, hold_s=20.0, shaking_rpm=None),
        parts={mark: line for mark, line in _INCUBATE.items() if mark != "shake"},
        answers="done not_done unknown",
        happened=incubated(None, 20.0),
        begun=warmed,
    ),
    Trial(
        case=ARM,
        command=Move(labware="assay_1", destination="shaker"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("assay_1", "shaker"),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=Move(labware="assay_1", destination="hotel_2"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("assay_1", "hotel_2"),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=PutLid(lid="lid_1", plate="assay_1"),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("lid_1", "assay_1", lid=True),
        begun=put_down,
    ),
    Trial(
        case=ARM,
        command=TakeLid(plate="assay_1", destination="hotel_3"),
        first=(PutLid(lid="lid_1", plate="assay_1"),),
        parts=_CARRY,
        answers="done not_done",
        happened=carried("lid_1", "hotel_3"),
        begun=put_down,
    ),
)


QUICK_TRIALS = (
    Trial(
        case=CYCLER,
        command=Heat(plate="assay_1", temperature_c=30.0, hold_s=3.0, lid_temperature_c=37.0),
        parts={
            "close_lid": "M127",
            "heat_lid": "M140",
            "hold": "M104 S30.00 H3.00",
            "cool": "M104 S25.00",
            "off": "M18",
        },
        answers="done not_done unknown",
        happened=heated(30.0, 3.0),
        begun=block_told,
    ),
    Trial(
        case=SHAKER,
        command=Incubate(plate="assay_1", temperature_c=22.0, hold_s=4.0, shaking_rpm=300.0),
        parts=_INCUBATE,
        answers="done not_done unknown",
        happened=incubated(300.0, 4.0),
        begun=warmed,
    ),
    *(trial for trial in TRIALS if trial.command.verb in ("move", "open_lid")),
)
"""Those that take little lab time, for where a socket makes it wall time."""


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
            port = await stack.enter_async_context(serve(wire, framing=trial.case.framing))
            transport = Tcp("127.0.0.1", port, framing=trial.case.framing)
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
