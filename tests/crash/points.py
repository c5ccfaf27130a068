"""Kill points: where a controller can be killed, made by wrapping what it calls. Nothing in the product knows of them.

Around every physical action of the twin's world, and around every call that writes to the store: whatever a part of the
store does in a transaction of its own is found by looking at its source, so a method that is added later is a point too.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import planners.baselines
from digital_twin.ledger import Action, Ledger
from digital_twin.world import World
from lab.store import Store
from tests.crash.cases import Scene
from tests.crash.diary import Diary, read_diary

__all__ = ["ACTION_POINTS", "NAMED_WRITES", "Passed", "Points", "write_points", "writers"]

ACTION_POINTS = ("action-before", "action-torn", "action-after")
"""Before the ledger line; with half of it written, which is before the effect too; after the effect and before its reply."""

NAMED_WRITES = (
    "create_bench",
    "create_campaign",
    "propose",
    "create_run",
    "next_stretch",
    "begin_step",
    "dispatch_step",
    "mark_step",
    "end_step",
    "append_documents",
    "finish_run",
    "record",
    "set_campaign_status",
    "set_experiment_status",
)
"""What must be among the writes that are found."""

UNTIMED = "append_documents"
"""Written from a thread of its own whenever that gets its turn: how often differs from run to run."""

_WRITES = re.compile(r"\._database\.(?:writing|write_session)\(")


def writers() -> dict[str, type]:
    """Name of each public method of the store that writes -> the class that has it."""
    found: dict[str, type] = {}
    for part in Store.__mro__:
        for name, member in vars(part).items():
            if name.startswith("_") or not inspect.isfunction(member):
                continue
            if _WRITES.search(inspect.getsource(member)):
                found.setdefault(name, part)
    return found


def write_points() -> Iterator[str]:
    """Before and after each write."""
    for name in writers():
        yield from (f"{name}-before", f"{name}-after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A kill point that was passed.

    Args:
        nth: how often its kind had been passed, this time included.
        verb: of the step that was under way there; ``-`` where none was.
        action: of the world; empty at a write.
    """

    kind: str
    nth: int
    verb: str
    action: str = ""


@dataclass(slots=True)
class Points:
    """The kill points of one process.

    Args:
        diary: where it notes what it sees.
        at, nth: the point to be killed at; nowhere when empty.
        total: be killed at this one, counted over all kinds but those that nobody can count; 0 for never.
        verbs: step id -> verb, of steps that earlier processes began.
        lines: of the ledger, where this process has no world.
    """

    diary: Diary
    at: str = ""
    nth: int = 0
    total: int = 0
    verbs: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    passed: list[Passed] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _in_all: int = 0
    _flying: dict[str, str] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _world: World | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, scene: Scene, stage: int, *, lines: int = 0) -> Points:
        """The kill points of one process of a case."""
        case, notes = scene.case, read_diary(scene.diary)
        points = cls(
            diary=Diary(scene.diary, stage),
            verbs={note["step"]: note["verb"] for note in notes if note["what"] == "begin"},
            lines=lines,
        )
        kills = sum(note["what"] == "kill" for note in notes)
        if kills == 0 and stage == 1:
            points.at, points.nth = case.at, case.nth
        elif kills == 1 and case.then:
            points.at, _, nth = case.then.partition(":")
            points.nth = int(nth)
        elif kills == 1 and stage == 2:
            points.total = case.again
        return points

    def install(self) -> None:
        """Wrap everything, for the rest of this process."""
        self._wrap_world()
        for name, part in writers().items():
            setattr(part, name, self._wrapped_write(getattr(part, name)))
        self._wrap_planner()

    def reach(self, kind: str, verb: str, *, torn: Callable[[], None] | None = None, **doing: str) -> None:
        """Pass a point, or be killed at it."""
        with self._lock:
            self._counts[kind] += 1
            self._in_all += not kind.startswith(UNTIMED)
            nth = self._counts[kind]
            due = (kind == self.at and nth == self.nth) or (
                self._in_all == self.total and not kind.startswith(UNTIMED)
            )
            if not due:
                self.passed.append(Passed(kind=kind, nth=nth, verb=verb, action=doing.get("action", "")))
                return
            if torn is not None:
                torn()
            self.diary.note(
                "kill", at=kind, nth=nth, verb=verb, index=self._index(), flying=self._flying, **doing
            )
            os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60.0)

    def see(self, world: World) -> None:
        """A world begins; its ledger is not there yet."""
        self._world = world

    def _index(self) -> int:
        return self.lines if self._world is None else len(self._world.ledger.actions)

    def _verb_at(self, instrument: str) -> str:
        return self.verbs.get(self._flying.get(instrument, ""), "-")

    def _wrap_world(self) -> None:
        act, begin, append = World.act, World._begin, Ledger.append
        points = self

        @functools.wraps(begin)
        def begun(world: World, *args: Any) -> None:
            begin(world, *args)
            points.see(world)

        @functools.wraps(act)
        def acted(world: World, instrument: str, action: str, **arguments: Any) -> Any:
            if world.ledger.path is None:
                return act(world, instrument, action, **arguments)  # Tried out, and nothing moves.
            verb, step = points._verb_at(instrument), points._flying.get(instrument, "")
            points.diary.note(
                "action", index=len(world.ledger.actions), instrument=instrument, action=action, step=step
            )
            points.reach("action-before", verb, action=action, step=step)
            answer = act(world, instrument, action, **arguments)
            points.reach("action-after", verb, action=action, step=step)
            return answer

        @functools.wraps(append)
        def appended(ledger: Ledger, action: Action) -> None:
            if ledger.path is None:
                append(ledger, action)
                return
            points.reach(
                "action-torn",
                points._verb_at(action.instrument),
                torn=lambda: _half_a_line(ledger, action),
                action=action.action,
                step=points._flying.get(action.instrument, ""),
            )
            append(ledger, action)

        for owner, name, wrapped in (
            (World, "_begin", begun),
            (World, "act", acted),
            (Ledger, "append", appended),
        ):
            setattr(owner, name, wrapped)

    def _wrapped_write(self, write: Callable[..., Any]) -> Callable[..., Any]:
        name, signature = write.__name__, inspect.signature(write)

        @functools.wraps(write)
        def written(store: Store, *args: Any, **kwargs: Any) -> Any:
            given = signature.bind(store, *args, **kwargs).arguments
            step = str(given.get("step_id", ""))
            verb = str(given["action"]) if name == "begin_step" else self.verbs.get(step, "-")
            self.reach(f"{name}-before", verb)
            result = write(store, *args, **kwargs)
            self._remember(name, given, result)
            self.reach(f"{name}-after", verb)
            return result

        return written

    def _remember(self, name: str, given: dict[str, Any], result: Any) -> None:
        """Note what was written, once it is on the disk."""
        match name:
            case "begin_step":
                self.verbs[result.id] = result.action
                self._devices[result.id] = result.device
                self.diary.note(
                    "begin", step=result.id, verb=result.action, device=result.device, key=result.key
                )
            case "dispatch_step":
                step = given["step_id"]
                self._flying[self._devices[step]] = step
                self.diary.note("dispatch", step=step, verb=self.verbs[step], index=self._index())
            case "mark_step":
                self.diary.note("mark", step=given["step_id"], name=given.get("name", ""))
            case "end_step":
                step = given["step_id"]
                self._flying = {device: flying for device, flying in self._flying.items() if flying != step}
                self.diary.note("end", step=step, status=str(given["status"]), index=self._index())
            case "propose":
                self.diary.note("proposed", campaign=given["campaign_id"], number=result.number)

    def _wrap_planner(self) -> None:
        ask = planners.baselines.SobolPlanner.ask

        @functools.wraps(ask)
        def asked(planner: Any, n: int, campaign: Any, history: Any, *args: Any, **kwargs: Any) -> Any:
            self.diary.note("ask", campaign=campaign.id, spent=len(history.experiments))
            return ask(planner, n, campaign, history, *args, **kwargs)

        setattr(planners.baselines.SobolPlanner, "ask", asked)  # noqa: B010  (mypy refuses the assignment)


def _half_a_line(ledger: Ledger, action: Action) -> None:
    """What a controller leaves that is killed while it writes to the ledger."""
    assert ledger._file is not None
    os.write(ledger._file, f'{{"n":{action.n},"lab_time_s":{action.lab_time_s},"instr'.encode())
