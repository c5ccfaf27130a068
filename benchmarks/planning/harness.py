"""Campaigns of every method on every set and seed; each is one line of JSON, and what is there is not run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.planning.methods import ROOT, Method
from benchmarks.planning.sets import PlanningSet, load
from benchmarks.planning.workers import Worker, WorkerFailed, write_pool

__all__ = ["RUNS", "Job", "campaign", "jobs_left", "read_runs", "run_all"]

RUNS = ROOT / "build" / "planning"
PROBED_AT = (25, 50, 100)
PROBES = 200


@dataclass(frozen=True, slots=True)
class Job:
    """One campaign to run."""

    method: Method
    set: str
    seed: int

    def alike(self, other: Job) -> bool:
        """Whether one worker serves both."""
        return (self.method.name, self.set) == (other.method.name, other.set)


def read_runs(folder: Path = RUNS) -> dict[tuple[str, str, int], dict[str, Any]]:
    """(method, set, seed) -> the newest line that was written of it."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            run = json.loads(line)
            key = (run["method"], run["set"], run["seed"])
            if key not in found or found[key]["at"] <= run["at"]:
                found[key] = run
    return found


def jobs_left(
    methods: Iterable[Method], sets: Sequence[str], seeds: Iterable[int], folder: Path, again: bool
) -> list[Job]:
    """What is to be run, method by method; what failed before is tried again."""
    there = set() if again else {key for key, run in read_runs(folder).items() if "error" not in run}
    return [
        Job(method, name, seed)
        for method in methods
        for name in sets
        for seed in seeds
        if (method.name, name, seed) not in there
    ]


def campaign(worker: Worker, chosen: PlanningSet, pool: Path, seed: int) -> dict[str, Any]:
    """One campaign, asked and told until the budget is spent.

    Raises:
        WorkerFailed: the method failed, or chose what it must not.
    """
    merits, protocol = chosen.merits, chosen.protocol
    worker.open(chosen, pool, seed)
    rows: list[int] = []
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    peak_mb = 0.0
    inside = asked = 0
    probes: list[dict[str, Any]] = []
    if not worker.method.own_start:
        rows += chosen.first_rows(seed).tolist()
        worker.tell(rows, merits[rows])
    while len(rows) < protocol.budget:
        _probe(worker, merits, rows, seed, probes)
        size = protocol.batch if rows else protocol.first
        reply = worker.ask(min(size, protocol.budget - len(rows)))
        new = reply["rows"]
        _check(new, rows, len(merits))
        for row, interval in zip(new, reply["intervals"], strict=False):
            if interval is not None:
                asked += 1
                inside += interval[0] <= merits[row, 0] <= interval[1]
        seconds.append(reply["seconds"])
        cpu_seconds.append(reply["cpu_s"])
        peak_mb = max(peak_mb, reply["peak_mb"])
        worker.tell(new, merits[new])
        rows += new
    _probe(worker, merits, rows, seed, probes)
    return {
        "rows": rows,
        "ask_s": [round(s, 5) for s in seconds],
        "cpu_s": [round(s, 5) for s in cpu_seconds],
        "peak_mb": round(peak_mb, 1),
        "probes": probes,
        "chosen": [int(inside), asked],
    }


def _check(new: Sequence[int], rows: Sequence[int], size: int) -> None:
    if not new:
        raise WorkerFailed("no candidate was chosen")
    if len({*new, *rows}) < len(new) + len(rows):
        raise WorkerFailed("a candidate was chosen twice")
    if not all(0 <= row < size for row in new):
        raise WorkerFailed("what was chosen is not in the pool")


def _probe(
    worker: Worker, merits: np.ndarray, rows: Sequence[int], seed: int, probes: list[dict[str, Any]]
) -> None:
    """Ask for intervals of candidates at random, once for each count of :data:`PROBED_AT`."""
    due = [at for at in PROBED_AT if at <= len(rows)]
    if merits.shape[1] > 1 or len(due) <= len(probes) or len(rows) >= len(merits):
        return
    left = np.setdiff1d(np.arange(len(merits)), rows)
    drawn = np.random.default_rng([seed, 3, len(rows)]).choice(left, min(PROBES, len(left)), replace=False)
    found = worker.predict(drawn.tolist())
    if found is None:
        return
    given = [(a, merits[row, 0]) for a, row in zip(found, drawn, strict=True) if a is not None]
    hits = sum(bool(a[0] <= y <= a[1]) for a, y in given)
    widths = [a[1] - a[0] for a, _ in given]
    probes.append(
        {
            "at": due[-1],
            "measured": len(rows),
            "inside": hits,
            "of": len(given),
            "width": float(np.mean(widths) / merits[:, 0].std()) if widths else None,
        }
    )


class _Progress:
    """What is done, on standard error, with the time that is left at the pace so far."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.begun = total, 0, time.monotonic()

    def say(self, job: Job, run: dict[str, Any], seconds: float) -> None:
        self.done += 1
        spent = time.monotonic() - self.begun
        left = spent / self.done * (self.total - self.done)
        what = f"failed: {run['error']}" if "error" in run else f"{seconds:.1f} s"
        print(
            f"{self.done} of {self.total}, {_span(spent)} so far, about {_span(left)} left: "
            f"{job.method.name} on {job.set}, seed {job.seed}, {what}",
            file=sys.stderr,
            flush=True,
        )


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def run_all(jobs: Sequence[Job], *, workers: int, folder: Path = RUNS) -> None:
    """Run them, so many at a time; a worker serves all seeds of one method and set.

    Raises:
        KeyboardInterrupt: it was stopped; campaigns under way are not kept.
    """
    crew = _Crew(jobs, folder)
    with ThreadPoolExecutor(workers) as pool:
        serving = [pool.submit(crew.serve) for _ in range(workers)]
        try:
            for future in serving:
                future.result()
        finally:
            crew.stopped.set()


class _Crew:
    """What threads that run campaigns share: the queue, the files and the progress.

    Args:
        jobs: all of them; their pools are written at once, so that what loaders say now is what peers read.
        folder: of the runs.
    """

    def __init__(self, jobs: Sequence[Job], folder: Path) -> None:
        self.folder, self.stopped = folder, threading.Event()
        self._queue, self._lock, self._progress = list(jobs), threading.Lock(), _Progress(len(jobs))
        self._commit = _commit()
        self._pools = {name: write_pool(load(name), folder / "pools") for name in {job.set for job in jobs}}

    def serve(self) -> None:
        """Run campaigns until none is left, with one worker at a time."""
        worker: Worker | None = None
        last: Job | None = None
        try:
            while (job := self._next(last)) is not None:
                begun = time.perf_counter()
                if worker is not None and not (last is not None and job.alike(last)):
                    worker.close()
                    worker = None
                if worker is None:
                    worker = Worker(job.method, self.folder / "logs" / f"{file_name(job.method)}.log")
                last = job
                run = self._run(worker, job)
                if "error" in run:
                    worker.close()
                    worker = None
                self._keep(job, run, time.perf_counter() - begun)
        finally:
            if worker is not None:
                worker.close()

    def _next(self, last: Job | None) -> Job | None:
        """One that the worker at hand can serve, before any other; None when it is time to go."""
        with self._lock:
            if self.stopped.is_set() or not self._queue:
                return None
            own = [job for job in self._queue if last is not None and job.alike(last)]
            job = own[0] if own else self._queue[0]
            self._queue.remove(job)
            return job

    def _run(self, worker: Worker, job: Job) -> dict[str, Any]:
        head = {"method": job.method.name, "set": job.set, "seed": job.seed}
        try:
            found = campaign(worker, load(job.set), self._pools[job.set], job.seed)
        except WorkerFailed as failed:
            found = {"error": str(failed)}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return head | found | {"at": now, "load": round(os.getloadavg()[0], 1), "commit": self._commit}

    def _keep(self, job: Job, run: dict[str, Any], seconds: float) -> None:
        """On disk before it is told. A worker that ends when all is stopped has not failed."""
        with self._lock:
            if self.stopped.is_set():
                return
            with (self.folder / f"{file_name(job.method)}.jsonl").open("a") as stream:
                stream.write(json.dumps(run) + "\n")
            self._progress.say(job, run, seconds)


def _commit() -> str:
    """What the planners were at, as far as git knows; empty without git."""
    try:
        said = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def file_name(method: Method) -> str:
    """A file's name for a method's runs."""
    return "".join(c if c.isalnum() or c in "._@-" else "-" for c in method.name)
