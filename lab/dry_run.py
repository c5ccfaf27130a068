"""A walk through a plan without a run engine: what it would do, how long it takes, what it uses, what cannot work.

Every command is tried on a copy of the bench as believed. Nothing is sent, no device need be connected.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bluesky.utils import Msg

from lab.bench import Bench, Labware
from lab.errors import ActionOutsideStep, Infeasible
from lab.interfaces import Command, StepEnd, Ticket, Untried, Verb, Workcell
from lab.types import JsonValue

__all__ = ["DryRun", "DryStep", "TipUse", "VolumeUse", "commands_of", "dry_run", "refuse_outside_step"]

T = TypeVar("T")

_PASSIVE = frozenset({"claim", "create", "null", "read", "release", "save", "sleep", "wait"})
"""Messages that move nothing, and may stand anywhere in a plan."""

_END = StepEnd(again=False, result=Untried())
"""How a step ends of which nothing is known but that it goes well."""

_SHOWN_OF_A_KIND = 3
"""Problems that differ only in names and numbers are spelled out this many times, and counted from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryStep:
    """One step as the plan asks for it.

    Args:
        ordinal: counted from 1.
        begin_s: after the start of the plan, if no other plan is in the way.
    """

    ordinal: int
    device: str
    action: str
    arguments: JsonValue
    begin_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TipUse:
    """Tips of one capacity that the plan uses, and clean ones left after it."""

    tip_volume_ul: float
    used: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUse:
    """Liquid that the plan takes out of one well, and what can still be drawn from it afterwards.

    Args:
        content: ids of what is in the well before the plan, joined by ``+``.
    """

    labware: str
    well: str
    content: str
    drawn_ul: float
    left_ul: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a plan would do.

    Args:
        duration_s: of all steps one after the other, waiting for other plans not counted.
        problems: why it cannot be carried out, one sentence each; empty when it can.
        tips: by capacity, smallest first.
        volumes: one entry per well drawn from, in order of first use.
        plates: ids of the unused plates that it fills, in order of first use.
    """

    steps: tuple[DryStep, ...]
    duration_s: float
    problems: tuple[str, ...]
    tips: tuple[TipUse, ...]
    volumes: tuple[VolumeUse, ...]
    plates: tuple[str, ...]


def dry_run(plan: Generator[Msg, Any, Any], workcell: Workcell) -> DryRun:
    """Walk a plan to its end on a copy of the workcell's bench.

    Readings are answered with zero, so a plan that asks for different steps by what it measures is walked along one of
    its ways only.

    Raises:
        ActionOutsideStep: the plan is not made of steps; a mistake in the protocol, not in what it was asked to do.
    """
    walk = _Walk(_WatchedBench(workcell.bench.copy()))
    guarded = refuse_outside_step(plan)
    answer: Any = None
    try:
        while True:
            answer = walk.answer(guarded.send(answer))
    except StopIteration:
        walk.at_the_end()
    except Infeasible as refusal:
        walk.problems.extend(("", sentence) for sentence in refusal.problems)
    except _CannotGoOn as end:
        guarded.close()
        walk.problems.append(("", f"What follows step {end.args[0]} could not be tried out."))
    return walk.outcome()


def commands_of(plan: Generator[Msg, Any, Any]) -> tuple[Command, ...]:
    """What a plan asks for, step by step, whatever the bench is like; readings are answered as in :func:`dry_run`.

    Raises:
        ActionOutsideStep: the plan is not made of steps.
    """
    guarded = refuse_outside_step(plan)
    commands: list[Command] = []
    answer: Any = None
    try:
        while True:
            msg = guarded.send(answer)
            answer = None
            if msg.command == "step_begin":
                commands.append(msg.args[0])
                answer = Ticket(key=f"dry/{len(commands)}", done=False)
            elif msg.command == "step_end":
                answer = _END
            elif msg.command == "read":
                answer = _reading(msg)
    except StopIteration:
        return tuple(commands)


def _reading(msg: Msg) -> dict[str, Any]:
    return {msg.obj.name: {"value": 0.0, "timestamp": 0.0}}


def refuse_outside_step(plan: Generator[Msg, Any, T]) -> Generator[Msg, Any, T]:
    """The same plan, refused where it acts on an instrument outside a step. The dry run and the run engine both use it.

    The refusal is thrown into the plan where the message stands, so that its claims are given back on the way out.

    Raises:
        ActionOutsideStep: a ``set`` that no step brackets, a step within a step, or a message that plans may not send.
    """
    under_way: tuple[Verb, Command] | None = None
    answer: Any = None
    thrown: Exception | None = None
    while True:
        try:
            msg = plan.send(answer) if thrown is None else plan.throw(thrown)
        except StopIteration as end:
            result: T = end.value
            return result
        answer, thrown = None, None
        refusal = _refusal(msg, under_way)
        if refusal:
            thrown = ActionOutsideStep(refusal)
            continue
        try:
            answer = yield msg
        except GeneratorExit:
            plan.close()
            raise
        except Exception as error:  # noqa: BLE001  whatever the run engine throws belongs to the plan
            thrown = error
        if msg.command == "step_begin" and thrown is None and not answer.done:
            under_way = (msg.obj, msg.args[0])
        elif msg.command == "step_end":
            under_way = None


def _refusal(msg: Msg, under_way: tuple[Verb, Command] | None) -> str:
    """Why a message is refused; empty when it is not."""
    name = getattr(msg.obj, "name", "the plan")
    match msg.command:
        case "set":
            if under_way is None:
                return f"The plan moves {name} outside a step; use the stubs of protocols.steps."
            if msg.obj is not under_way[0] or msg.args[0] is not under_way[1]:
                return f"The plan moves {name} within a step of {under_way[0].name}."
        case "step_begin" if under_way is not None:
            return f"The plan begins a step of {name} before the one of {under_way[0].name} has ended."
        case "step_end" if under_way is None:
            return f"The plan ends a step of {name} that it has not begun."
        case "step_begin" | "step_end":
            pass
        case other if other not in _PASSIVE:
            return (
                f"The plan sends {other!r} to {name}; plans may send steps, claims, readings and waits only."
            )
    return ""


class _CannotGoOn(Exception):
    """The bench cannot be imagined any further after a step that cannot work."""


class _WatchedBench(Bench):
    """A bench that keeps in mind what commands do to it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.positions.values(), bench.labware.values())
        self.barred = dict(bench.barred)
        self.drawn: dict[tuple[str, str], float] = {}
        self.first_filled: list[str] = []
        self.moved: list[tuple[str, str]] = []

    def draw(self, labware: str, well: str, volume_ul: float) -> dict[str, float]:
        self.drawn[labware, well] = self.drawn.get((labware, well), 0.0) + volume_ul
        return super().draw(labware, well, volume_ul)

    def fill(self, labware: str, well: str, parts: Mapping[str, float]) -> None:
        if self.labware[labware].clean:
            self.first_filled.append(labware)
        super().fill(labware, well, parts)

    def move(self, labware: str, position: str) -> None:
        self.moved.append((labware, position))
        super().move(labware, position)

    def take_lid(self, plate: str, position: str) -> None:
        lid = self.labware[plate].lid
        super().take_lid(plate, position)
        if lid is not None:
            self.moved.append((lid, position))


@dataclass(slots=True)
class _Walk:
    """Answers a plan's messages as a bench that does everything at once would.

    Args:
        problems: (kind, sentence) in order; sentences of one kind are shown a few times only.
    """

    bench: _WatchedBench
    steps: list[DryStep] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    now_s: float = 0.0
    claims: tuple[str, ...] = ()
    contents: dict[tuple[str, str], str] = field(default_factory=dict)
    tips_before: dict[float, int] = field(default_factory=dict)
    places_before: dict[str, str | None] = field(default_factory=dict)
    sound: bool = True
    pending: tuple[Command, bool] | None = None

    def __post_init__(self) -> None:
        self.tips_before = _tips(self.bench)
        self.places_before = _places(self.bench)
        self.contents = {
            (item.id, name): "+".join(sorted(well.parts))
            for item in self.bench.labware.values()
            for name, well in item.wells.items()
            if well.volume_ul > 0
        }

    def answer(self, msg: Msg) -> Any:
        """What the run engine would send back for a message, as far as plans look at it."""
        match msg.command:
            case "step_begin":
                return self._begin(msg.obj, msg.args[0])
            case "step_end":
                self._end()
                return _END
            case "sleep":
                self.now_s += float(msg.args[0])
            case "claim":
                self._claim(msg.args[0])
            case "release":
                self.claims = ()
            case "read":
                return _reading(msg)
        return None

    def at_the_end(self) -> None:
        """What must be true after the last message."""
        if self.claims:
            self._complain("claims", f"The plan ends while it still claims {', '.join(self.claims)}.")
        if not self.sound:
            return  # Where things stand after steps that cannot work says nothing new.
        for item in self.bench.labware.values():
            if not self._at_rest(item):
                place = "on a plate" if item.position is None else f"at {item.position}"
                self._complain("rest", f"The plan leaves {item.id} {place}; it belongs at {item.home}.")

    def outcome(self) -> DryRun:
        left = _tips(self.bench)
        return DryRun(
            steps=tuple(self.steps),
            duration_s=self.now_s,
            problems=tuple(_few_of_each_kind(self.problems)),
            tips=tuple(
                TipUse(tip_volume_ul=size, used=before - left[size], left=left[size])
                for size, before in sorted(self.tips_before.items())
                if before > left[size]
            ),
            volumes=tuple(
                VolumeUse(
                    labware=labware,
                    well=well,
                    content=self.contents.get((labware, well), ""),
                    drawn_ul=volume_ul,
                    left_ul=self.bench.available_ul(labware, well),
                )
                for (labware, well), volume_ul in self.bench.drawn.items()
            ),
            plates=tuple(self.bench.first_filled),
        )

    def _begin(self, verb: Verb, command: Command) -> Ticket:
        ordinal = len(self.steps) + 1
        problems = tuple(verb.problems(command, self.bench))
        for sentence in problems:
            self._complain(f"{verb.device} {command.verb}", sentence)
        # A command that cannot work has no duration to speak of, and may not be able to name one.
        duration_s = 0.0 if problems else verb.duration_s(command, self.bench)
        self.steps.append(
            DryStep(
                ordinal=ordinal,
                device=verb.device,
                action=command.verb,
                arguments=command.to_json(),
                begin_s=self.now_s,
                duration_s=duration_s,
            )
        )
        self.now_s += duration_s
        self.pending = (command, not problems)
        return Ticket(key=f"dry/{ordinal}", done=False)

    def _end(self) -> None:
        assert self.pending is not None, "refuse_outside_step lets no step_end through without its step_begin"
        command, possible = self.pending
        self.pending = None
        self.bench.moved.clear()
        try:
            command.believe(self.bench)
        except (KeyError, ValueError) as missing:
            if possible:
                raise
            raise _CannotGoOn(len(self.steps)) from missing
        for labware, position in self.bench.moved:
            if position not in (*self.claims, self.bench.labware[labware].home):
                self._complain(
                    "unclaimed", f"The plan moves {labware} to {position} without claiming that position."
                )

    def _claim(self, positions: Iterable[str]) -> None:
        wanted = tuple(positions)
        if self.claims:
            self._complain(
                "claims",
                f"The plan claims {', '.join(wanted)} while it still claims {', '.join(self.claims)}.",
            )
        for name in wanted:
            if name not in self.bench.positions:
                self._complain("claims", f"The plan claims {name}, which is no position of this bench.")
        self.claims = wanted

    def _at_rest(self, item: Labware) -> bool:
        if item.position in (item.home, self.places_before[item.id]):
            return True
        return item.position is not None and self.bench.positions[item.position].home

    def _complain(self, kind: str, sentence: str) -> None:
        self.sound = False
        self.problems.append((kind, sentence))


def _tips(bench: Bench) -> dict[float, int]:
    """Clean tips by capacity."""
    return {
        rack.type.tip_volume_ul: bench.tips_left(rack.type.tip_volume_ul)
        for rack in bench.of_kind("tip_rack")
    }


def _places(bench: Bench) -> dict[str, str | None]:
    return {item.id: item.position for item in bench.labware.values()}


def _few_of_each_kind(problems: Iterable[tuple[str, str]]) -> list[str]:
    """Each sentence once, and no more than a few that differ only in the names and numbers they carry."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, sentence in problems:
        alike = kinds[kind, re.sub(r"\S*\d\S*", "#", sentence)]
        if sentence not in alike:
            alike.append(sentence)
    lines = []
    for alike in kinds.values():
        lines += alike[:_SHOWN_OF_A_KIND]
        more = len(alike) - _SHOWN_OF_A_KIND
        if more > 0:
            lines[-1] += f" (And {more} more like {'this' if more == 1 else 'these'}.)"
    return lines
