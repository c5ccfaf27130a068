"""Two campaigns on one bench for as long as one likes, with faults, a kill, and a person who settles what waits for one."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from digital_twin.faults import BEFORE_OR_AFTER, applicable
from lab.app import Laboratory, Outcome, Settings, prepare
from lab.app.resolving import Verdict, resolve, unresolved
from lab.cli.logs import LOG_NAME, logging_to
from lab.engine.progress import CampaignEnded, Progress, StepEnded
from lab.store import Store
from lab.types import CampaignStatus, Step, StepStatus
from tests.crash.cases import PROTOCOL
from tests.crash.deeds import Extent, Past
from tests.crash.diary import Diary, read_diary
from tests.crash.points import Points
from tests.faults.cases import CLARIOSTAR, ROLE_OF
from tests.faults.hands import deed_of, put_back
from tests.faults.long_evidence import bench_verdict, past_of
from tests.faults.running import warm_up

__all__ = ["LongRun", "Report", "Sample", "Scale"]

NAMES = ("first", "second")
LIBRARY = Path(__file__).parent.parent.parent / "campaigns" / "protein_g_library.csv"
PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"

SAMPLE_H = 6.0
BATCH_SIZE = 2
BATCH_H = 1.4
"""Lab time that one batch adds when two campaigns share the bench, about: the shaker is what both wait for."""

BINDING_S = 2400.0
LIMIT_S = 900.0
"""Wall time that one process may take."""

READS = ("fluorescence", "absorbance")
UNFINISHED = (CampaignStatus.RUNNING, CampaignStatus.STOPPED, CampaignStatus.HELD)
MOST_VISITS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long it is, and how much goes wrong.

    Args:
        budget: of each campaign.
        probability: of each fault of each verb at each occasion.
    """

    budget: int
    seed: int = 1
    probability: float = 0.003

    @classmethod
    def of(cls, hours: float, *, seed: int = 1, probability: float = 0.003) -> Scale:
        """Enough batches for so many hours of lab time."""
        batches = max(1, round(hours / BATCH_H / len(NAMES) + 0.5))
        return cls(budget=min(100, BATCH_SIZE * batches), seed=seed, probability=probability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the process and its files come to at one moment; sizes in bytes.

    Args:
        process: 1, and 2 after the kill.
        steps: done so far, in both processes.
    """

    lab_h: float
    process: int
    steps: int
    ledger_lines: int
    resident: int
    store: int
    ledger: int
    log: int


@dataclass(slots=True, kw_only=True)
class Report:
    """What came of it.

    Args:
        ends: name, status, results that count and budget of each campaign.
        struck: kinds, as the script struck.
        decisions: kind that was decided on, and what was decided.
        settled: steps that the person settled.
        resumes: how often campaigns were resumed.
        holds: sentence with which a campaign was held, each time.
        put_back: pieces that a person picked up from the floor.
        flags: of results that do not count, one for each time.
        dried: wells that hold less than is believed.
        violations: what the oracle has to say.
    """

    lab_h: float = 0.0
    killed_h: float = 0.0
    steps: int = 0
    runs: int = 0
    ends: list[tuple[str, str, int, int]] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    decisions: list[tuple[str, str]] = field(default_factory=list)
    unknowns: int = 0
    redone: int = 0
    settled: int = 0
    resumes: int = 0
    holds: list[str] = field(default_factory=list)
    put_back: int = 0
    flags: list[str] = field(default_factory=list)
    dried: int = 0
    samples: list[Sample] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


# --------------------------------------------------------------------------------------------------------------- its files


def write_files(folder: Path, scale: Scale) -> list[Path]:
    """Two campaign files, the candidates and a workcell with a large hotel and a deck full of tips."""
    (folder / "library.csv").write_text(LIBRARY.read_text())
    (folder / "bench.yaml").write_text(_workcell(scale))
    paths = []
    for n, name in enumerate(NAMES):
        unknown = ("redo_batch", "skip_sample")[n]
        path = folder / f"{name}.yaml"
        path.write_text(
            f"""name: {name}
goal: {{maximize: residual_activity}}
candidates: {{file: library.csv, parent: {PARENT}, reference: WT}}
workcell: bench.yaml
protocol:
  name: {PROTOCOL}
  parameters:
    challenge_temperature_c: 75
    challenge_duration_s: 10 min
    binding_duration_s: {BINDING_S:g}
    replicates: 2
    reference_wells: 3
    blank_wells: 3
    sample_volume_ul: 3
planner: {{name: sobol}}
budget: {scale.budget}
batch_size: {BATCH_SIZE}
seed: {scale.seed + n}
policies:
  repeat_failed: 0
  recovery: {{unknown_outcome: {unknown}}}
"""
        )
        paths.append(path)
    return paths


def _workcell(scale: Scale) -> str:
    large, small = 21, 9
    tips = [f"  deck_tips_{n}: {{device: handler}}" for n in range(1, large + small + 1)]
    troughs = [f"  deck_{what}_{n}: {{device: handler}}" for what in ("buffer", "reporter") for n in (1, 2)]
    racks = [f"deck_tips_{n}" for n in range(1, large + small + 1)]
    drivers = [f"  {role}: {{driver: {d}}}" for d, role in ROLE_OF.items() if d != CLARIOSTAR]
    lines = [
        "name: soak_bench",
        "twin: true",
        "chemistry: protein_g",
        "devices:",
        *drivers,
        "positions:",
        *tips,
        *troughs,
        "  deck_source: {device: handler, station: 1}",
        "  deck_plate_1: {device: handler, station: 2}",
        "  deck_plate_2: {device: handler, station: 3}",
        "  thermocycler: {device: thermocycler, station: 4}",
        "  shaker: {device: shaker, station: 5}",
        "  reader: {device: reader, station: 6}",
        "  hotel: {device: arm, slots: 170, first_station: 11, home: true}",
        "  lids: {device: arm, slots: 4, first_station: 185, home: true}",
        "labware:",
        "  - {id: library, type: pcr_plate_96, count: 9, at: hotel, holds: candidates, volume_ul: 190}",
        "  - {id: assay, type: pcr_plate_96, count: 160, at: hotel}",
        "  - {id: lid, type: auto_sealing_lid, count: 4, at: lids}",
        f"  - {{id: tips, type: tips_50ul, count: {small}, at: [{', '.join(racks[:small])}]}}",
        f"  - {{id: tips_large, type: tips_300ul, count: {large}, at: [{', '.join(racks[small:])}]}}",
    ]
    for what, content in (("buffer", "assay_buffer"), ("reporter", "reporter")):
        lines.append(
            f"  - {{id: {what}, type: trough_60ml, count: 2, at: [deck_{what}_1, deck_{what}_2], holds: {content}, "
            "volume_ul: 58 ml}"
        )
    return "\n".join([*lines, *_faults(scale), ""])


def _faults(scale: Scale) -> list[str]:
    """Every fault of every verb, each with a small probability; of those that may come before and after, half of each."""
    lines = ["faults:", f"  seed: {scale.seed}", "  rules:"]
    for driver, verb, kind in applicable():
        if driver == CLARIOSTAR:
            continue
        moments = ("before", "after") if kind in BEFORE_OR_AFTER else ("before",)
        lines += [
            f"    - {{device: {ROLE_OF[driver]}, fault: {kind}, verb: {verb}, "
            f"probability: {scale.probability / len(moments):g}, moment: {moment}}}"
            for moment in moments
        ]
    return lines


# ------------------------------------------------------------------------------------------------------- inside a process


class _Watching(Points):
    """Notes what happens in the diary, and keeps nothing in memory: that is what is measured here.

    Counts the ledger's lines itself: what is planned for a second campaign is tried on a world of its own meanwhile.
    """

    __slots__ = ()

    def reach(self, kind: str, verb: str, *, torn: Callable[[], None] | None = None, **doing: str) -> None:
        """Pass a point."""
        self.lines += kind == "action-after"

    def _index(self) -> int:
        return self.lines


@dataclass(slots=True)
class _Shift:
    """One process: runs both campaigns, again and again, until both are over."""

    folder: Path
    paths: list[Path]
    process: int
    laboratory: Laboratory
    steps: int
    next_h: float

    def work(self) -> list[Outcome]:
        """Until both campaigns have ended; settles what waits for a person."""
        self.laboratory.watch = self._watch
        outcomes: dict[str, Outcome] = {}
        for visit in range(MOST_VISITS):
            waiting = [path for path in self.paths if self._unfinished(path.stem)]
            if not waiting:
                return list(outcomes.values())
            if visit or self.process > 1:
                _note(self.folder, "resumed", campaigns=len(waiting))
            for outcome in self.laboratory.run([prepare(path) for path in waiting], baseline=False):
                outcomes[outcome.campaign.name] = outcome
            _settle(self.folder, self.laboratory.store)
        raise RuntimeError(f"The campaigns were not over after {MOST_VISITS} visits.")

    def _unfinished(self, name: str) -> bool:
        known = [r for r in self.laboratory.store.campaigns() if r.campaign.name == name]
        return not known or known[-1].status in UNFINISHED

    def _watch(self, event: Progress) -> None:
        if isinstance(event, StepEnded):
            self.steps += not event.replayed
        if isinstance(event, CampaignEnded) and event.status == CampaignStatus.HELD:
            _note(self.folder, "held", sentence=event.sentence)
            # The person comes to the bench; the other campaign stops between two steps, and both are resumed.
            for other in self.laboratory.campaigns.values():
                if other.id != event.campaign_id:
                    self.laboratory.request_stop("A person comes to the bench.", other.name)
        if event.lab_time_s >= self.next_h * 3600.0:
            self.next_h = (event.lab_time_s // (SAMPLE_H * 3600.0) + 1) * SAMPLE_H
            self.sample(event.lab_time_s)

    def sample(self, lab_time_s: float) -> None:
        """Write down what the process and its files come to now."""
        ledger = ledger_of(self.folder)
        store = sum(path.stat().st_size for path in self.folder.glob("lab.db*"))
        log = sum(path.stat().st_size for path in self.folder.glob(f"{LOG_NAME}*"))
        one = Sample(
            lab_h=lab_time_s / 3600.0,
            process=self.process,
            steps=self.steps,
            ledger_lines=lines_of_ledger(self.folder),
            resident=resident_bytes(),
            store=store,
            ledger=ledger.stat().st_size,
            log=log,
        )
        _note(self.folder, "sample", **asdict(one))


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def ledger_of(folder: Path) -> Path:
    """The ledger of the one bench."""
    (ledger,) = folder.glob("**/bch_*.jsonl")
    return ledger


def lines_of_ledger(folder: Path) -> int:
    """Whole lines after the head; 0 before there is a ledger."""
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.glob("**/bch_*.jsonl"))


def _note(folder: Path, what: str, **details: Any) -> None:
    with (folder / "notes.jsonl").open("a") as notes:
        notes.write(json.dumps({"what": what, **details}) + "\n")


def notes_of(folder: Path, what: str) -> list[dict[str, Any]]:
    """What the processes noted under a word."""
    path = folder / "notes.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [note for note in map(json.loads, lines) if note["what"] == what]


def _settle(folder: Path, store: Store) -> None:
    """A truthful person settles what waits for one, by the ledger."""
    (bench_id,) = {record.bench_id for record in store.campaigns()}
    for piece in put_back(store, bench_id):
        _note(folder, "put back", piece=piece)
    waiting = [step for step in unresolved(store, bench_id) if not step.recovery]
    if not waiting:
        return
    past = past_of(ledger_of(folder))
    of_line = {n["index"]: n["step"] for n in read_diary(folder / "diary.jsonl") if n["what"] == "action"}
    for step in waiting:
        verdict = _verdict(step, past, of_line)
        resolve(store, step.id, verdict, who="a truthful person", why="I looked at the bench.")
        _note(folder, "settled", step=step.id, verdict=str(verdict))


def _verdict(step: Step, past: Past, of_line: dict[int, str]) -> Verdict:
    if step.action in READS:
        return Verdict.NOT_DONE
    acts = [act for act in past.acts if of_line.get(act.index) == step.id]
    extent = deed_of(step.action, step.arguments, acts, past, len(past.acts)).extent
    return {Extent.ALL: Verdict.DONE, Extent.NOTHING: Verdict.NOT_DONE}.get(extent, Verdict.DISCARD)


# ---------------------------------------------------------------------------------------------------------- all processes


class LongRun:
    """Both campaigns from their beginning to their end, across a kill.

    Args:
        folder: empty.
        kill_h: lab time after which the first process is killed.
        tell: takes a line now and then.
    """

    def __init__(self, folder: Path, scale: Scale, *, kill_h: float, tell: Callable[[str], None]) -> None:
        self._folder = folder
        self._paths = write_files(folder, scale)
        self._kill_h = kill_h
        self._tell = tell

    def carry_out(self) -> Report:
        """Everything, and what came of it.

        Raises:
            RuntimeError: a process failed, or did not end in time.
        """
        warm_up()
        report = Report()
        killed = self._process(1, kill=True)
        assert killed is not None, "the campaigns were over before the kill"
        report.killed_h = killed
        self._process(2, kill=False)
        judged = self._in_child(lambda: bench_verdict(self._folder), None)
        assert judged is None
        found = json.loads((self._folder / "verdict.json").read_text())
        for name, value in found.items():
            setattr(report, name, value)
        report.samples = [
            Sample(**{k: v for k, v in note.items() if k != "what"})
            for note in notes_of(self._folder, "sample")
        ]
        report.holds = [note["sentence"] for note in notes_of(self._folder, "held")]
        report.put_back = len(notes_of(self._folder, "put back"))
        report.settled = len(notes_of(self._folder, "settled"))
        report.resumes = len(notes_of(self._folder, "resumed"))
        return report

    def _process(self, number: int, *, kill: bool) -> float | None:
        began = time.monotonic()
        killed = self._in_child(lambda: self._shift(number), self._kill_h if kill else None)
        said = "ended" if killed is None else f"killed at {killed:.1f} h"
        self._tell(f"Process {number} {said} after {time.monotonic() - began:.0f} s.")
        return killed

    def _shift(self, number: int) -> None:
        os.chdir(self._folder)
        diary = Diary(self._folder / "diary.jsonl", number)
        points = _Watching(diary, verbs=self._verbs(), lines=lines_of_ledger(self._folder))
        points.install()
        with (
            logging_to(self._folder),
            Laboratory.open(Settings(store=str(self._folder / "lab.db"))) as laboratory,
        ):
            logging.getLogger("bluesky").setLevel(logging.NOTSET)
            shift = _Shift(
                self._folder,
                self._paths,
                number,
                laboratory,
                steps=self._steps_done(),
                next_h=0.0,
            )
            outcomes = shift.work()
            shift.sample(lab_time_h(self._folder) * 3600.0)
        assert all(outcome.error is None for outcome in outcomes), outcomes

    def _steps_done(self) -> int:
        diary = read_diary(self._folder / "diary.jsonl")
        return sum(note["what"] == "end" and note["status"] == StepStatus.DONE for note in diary)

    def _verbs(self) -> dict[str, str]:
        diary = read_diary(self._folder / "diary.jsonl")
        return {note["step"]: note["verb"] for note in diary if note["what"] == "begin"}

    def _in_child(self, task: Callable[[], None], kill_h: float | None) -> float | None:
        """Do it in a forked child; gives the lab time at which that was killed, None where it came to its end."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                task()
                code = 0
            except BaseException:  # noqa: BLE001  Nothing may run on in the parent's place.
                (self._folder / "failed.txt").write_text(traceback.format_exc())
            finally:
                os._exit(code)
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                if (code := os.waitstatus_to_exitcode(status)) != 0:
                    failed = self._folder / "failed.txt"
                    why = failed.read_text() if failed.exists() else ""
                    raise RuntimeError(f"A process ended with {code}. {why}")
                return None
            if kill_h is not None and (now_h := lab_time_h(self._folder)) >= kill_h:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return now_h
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise RuntimeError(f"A process did not end within {LIMIT_S:.0f} s.")


def lab_time_h(folder: Path) -> float:
    """Of the last whole line of the ledger; 0 before there is one."""
    for ledger in folder.glob("**/bch_*.jsonl"):
        with ledger.open("rb") as file:
            file.seek(max(0, ledger.stat().st_size - 8192))
            lines = [line for line in file.read().splitlines(keepends=True)[1:] if line.endswith(b"\n")]
        if lines:
            return float(json.loads(lines[-1])["lab_time_s"]) / 3600.0
    return 0.0
