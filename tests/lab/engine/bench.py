"""A bench small enough to read: one press that stamps plates, over a real store, clock, lane and journal."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from bluesky.utils import Msg
from ophyd_async.core import AsyncStatus

from devices.fence import Fence
from lab.bench import Bench, Labware, LabwareType, Position, WellContents
from lab.clock import LabClock
from lab.engine import BenchSession
from lab.errors import DeviceFault
from lab.interfaces import Answer, Command, Marker, Reconciliation, Workcell
from lab.recovery import time_limit_s
from lab.store import Store
from lab.types import (
    Batch,
    Campaign,
    Candidate,
    Experiment,
    Goal,
    JsonValue,
    Layout,
    Mark,
    PlannerChoice,
    Proposal,
    ProtocolChoice,
    Reason,
    Run,
    new_id,
)
from protocols.steps import act

PLATE = LabwareType(name="plate", kind="plate", rows=8, columns=12, max_volume_ul=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Puts one microlitre of ink into a well."""

    verb: ClassVar[str] = "stamp"
    well: str

    def problems(self, bench: Bench) -> Sequence[str]:
        full = bench.well("plate_1", self.well).volume_ul >= 3
        return [f"{self.well} is full."] if full else []

    def believe(self, bench: Bench) -> None:
        bench.fill("plate_1", self.well, {"ink": 1.0})

    transfers: ClassVar[tuple[()]] = ()
    draws: ClassVar[tuple[()]] = ()

    @property
    def touches(self) -> tuple[tuple[str, str], ...]:
        return (("plate_1", self.well),)

    def believe_part(self, bench: Bench, part: JsonValue) -> None:
        bench.fill("plate_1", self.well, {"ink": float(part["ink_ul"])})

    def duration_s(self, bench: Bench) -> float:
        return 30.0

    def to_json(self) -> dict[str, JsonValue]:
        return asdict(self)

    @classmethod
    def from_json(cls, arguments: Mapping[str, JsonValue]) -> Stamp:
        return cls(**arguments)


@dataclass(eq=False)
class Press:
    """A device with one verb. ``sent`` is what really happened; the n-th command fails as ``faults`` says, and ``answers``
    says what came of it when it is asked.
    """

    name: str = "press"
    device: str = "press"
    parent: None = None
    sent: list[str] = field(default_factory=list)
    restored: list[JsonValue] = field(default_factory=list)
    faults: dict[int, Exception] = field(default_factory=dict)
    answers: list[Reconciliation] = field(default_factory=list)
    soft: DeviceFault | None = None
    commands: int = 0
    closed: list[str] = field(default_factory=list)
    looked: int = 0
    made_safe: int = 0
    last: JsonValue = None
    fence: Fence = field(default_factory=Fence)
    forgets_when_safe: bool = True
    stop_waits: bool = True

    @property
    def stamp(self) -> Press:
        return self

    def engage(self, *, token: int, limit_s: float, mark: Marker, step: str = "") -> None:
        self.fence.admit(token)
        self.mark = mark

    def break_off(self, reason: str) -> None:
        return None

    def remark(self) -> DeviceFault | None:
        return self.soft

    async def look(self) -> None:
        self.looked += 1

    async def safe(self) -> None:
        self.made_safe += 1

    async def reconcile(self, command: Stamp, marks: Sequence[Mark]) -> Reconciliation:
        if self.answers:
            return self.answers.pop(0)
        return Reconciliation(answer=Answer.UNKNOWN, sentence="The press can't tell.")

    async def close(self, command: Stamp, marks: Sequence[Mark], why: str) -> None:
        self.closed.append(why)

    def set(self, value: Stamp) -> AsyncStatus:
        return AsyncStatus(self._stamp(value))

    async def _stamp(self, command: Stamp) -> None:
        await asyncio.sleep(30)
        self.commands += 1
        if self.commands in self.faults:
            raise self.faults[self.commands]
        self.sent.append(command.well)
        self.last = {"count": len(self.sent)}

    def problems(self, command: Stamp, bench: Bench) -> Sequence[str]:
        return command.problems(bench)

    def duration_s(self, command: Stamp, bench: Bench) -> float:
        return command.duration_s(bench)

    def limit_s(self, command: Stamp, bench: Bench) -> float:
        return time_limit_s(command.duration_s(bench))

    def result(self) -> JsonValue:
        return self.last

    async def restore(self, result: JsonValue) -> None:
        self.restored.append(result)
        self.last = result

    async def read(self) -> dict[str, Any]:
        return {"press-count": {"value": self.last["count"], "timestamp": 0.0}}

    async def describe(self) -> dict[str, Any]:
        return {"press-count": {"source": "press", "dtype": "number", "shape": []}}


def stamp_plan(press: Press, wells: Sequence[str]) -> Generator[Msg, Any, list[JsonValue]]:
    """Stamps wells one after the other."""
    results = []
    for well in wells:
        results.append((yield from act(press, Stamp(well=well))))
    return results


class SmallLab:
    """A store, a bench with one press, and a campaign whose first batch waits to be run."""

    def __init__(self, folder: Path, clock: LabClock) -> None:
        self.clock = clock
        self.store = Store.open(folder / "lab.db")
        self.press = Press()
        positions = [Position(name="nest", device="press"), Position(name="slot", device="hotel", home=True)]
        self.bench_id = self.store.create_bench(
            workcell="small",
            twin=True,
            seed=1,
            ledger="",
            snapshot=Bench(positions, [_plate()]).to_json(),
        ).id
        candidates = tuple(Candidate(id=f"c{n}") for n in range(4))
        self.campaign = Campaign(
            id=new_id("cmp"),
            name="small",
            goal=Goal(target="ink"),
            candidates=candidates,
            reference=Candidate(id="WT"),
            planner=PlannerChoice(name="random"),
            protocol=ProtocolChoice(name="stamping"),
            budget=4,
            batch_size=4,
            seed=1,
            workcell="small",
        )
        self.store.create_campaign(self.campaign, self.bench_id, "hash", {})
        self.batch: Batch = self.store.propose(
            self.campaign.id,
            Proposal(
                experiments=tuple(
                    Experiment(
                        id=new_id("exp"), candidate=c, reason=Reason(planner="random", sentence="by lot")
                    )
                    for c in candidates
                )
            ),
        )
        self.run: Run = self.store.create_run(self.batch, Layout(labware={"plate": "plate_1"}, wells=()))

    def session(self) -> BenchSession:
        """The bench as a process finds it when it starts: belief rebuilt from the journal."""
        bench = Bench.from_json(self.store.bench(self.bench_id).first_snapshot)
        workcell = Workcell(
            name="small", devices={"press": self.press}, bench=bench, twins=frozenset({"press"})
        )
        commands: dict[tuple[str, str], type[Command]] = {("press", "stamp"): Stamp}
        return BenchSession(
            bench_id=self.bench_id, workcell=workcell, clock=self.clock, store=self.store, commands=commands
        )


def _plate() -> Labware:
    return Labware(
        id="plate_1", type=PLATE, position="nest", home="slot", wells={w: WellContents() for w in PLATE.wells}
    )
