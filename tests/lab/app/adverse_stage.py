"""Where adversity is played: a warm process that forks a child for each ``drywet`` command, with trouble at a moment of it.

A test session may have threads, so it does not fork; it starts this program, and asks it by lines of JSON. A command in a
forked child is a real process with its own output and exit code, and begins in a few milliseconds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from ulid import ULID

import lab.app.control
import lab.cli
import lab.cli.running
import lab.store.engines
import lab.store.locks
import lab.store.tables
import lab.types
from tests.crash.cases import Case, Scene, write_files
from tests.crash.controller import in_child, warm_up
from tests.crash.evidence import gather
from tests.crash.oracle import judge
from tests.crash.person import settle
from tests.crash.points import Points
from tests.crash.running import play_undisturbed

__all__ = ["CASE", "Trouble"]

REPOSITORY = Path(__file__).parents[3]

CASE = Case(seed=1, budget=2)
"""Two experiments in one batch: some seventy steps on two plates; half a second of wall time."""

HOLD_LOCK = """
import sqlite3, sys, time
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline() if sys.argv[2] == "stdin" else time.sleep(float(sys.argv[2]))
other.rollback()
"""
"""Another program that has the database open, until it is told to let go, or for some seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What happens to a command, and when.

    Args:
        at: a kill point of the crash tests: ``end_step-before``, ``action-after``.
        verb: of the step under way there; any when empty.
        nth: how often such a moment has come, this time included.
        what: name of one of :data:`TROUBLES`.
        on: what it is done to: a path, a URL, a number.
    """

    at: str
    what: str
    on: str = ""
    verb: str = ""
    nth: int = 1


def fill(folder: str) -> None:
    """Take all space that is left on a disk."""
    with (Path(folder) / "filler").open("ab", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue


def turn_read_only(mount: str) -> None:
    """As a file system does that finds its disk failing: nothing more is written, whoever has a file open."""
    subprocess.run(["mount", "-o", "remount,abort", mount], check=True, capture_output=True)


def delete(files: str) -> None:
    """Somebody clears up while the program runs: paths, apart by colons."""
    for path in files.split(":"):
        Path(path).unlink()


def move_away(database: str) -> None:
    """Somebody tidies files into another folder while the program runs."""
    for suffix in ("", "-wal", "-shm"):
        path = Path(database + suffix)
        path.rename(path.with_name(f"moved_{path.name}"))


def replace_by_copy(database: str) -> None:
    """A synchronisation program writes a file anew in place of the old one."""
    source, target = sqlite3.connect(database), sqlite3.connect(f"{database}.copy")
    source.backup(target)
    source.close()
    target.close()
    Path(f"{database}.copy").rename(database)


def lock(what: str) -> None:
    """Another program locks the database: ``seconds:path``."""
    seconds, _, database = what.partition(":")
    other = subprocess.Popen(
        [sys.executable, "-S", "-c", HOLD_LOCK, database, seconds],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"locked\n"
    LOCKERS.append(other)


LOCKERS: list[subprocess.Popen[bytes]] = []


def step_clock_back(hours: str) -> None:
    """Somebody sets the clock on the wall back, for all of this process."""
    by = -timedelta(hours=float(hours))
    true_time, true_time_ns = time.time, time.time_ns

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + by

    for module in (lab.store.tables, lab.store.locks, lab.app.control):
        setattr(module, "datetime", Shifted)  # noqa: B010  (mypy refuses the assignment; this process ends soon)
    setattr(lab.types, "ULID", lambda: ULID.from_datetime(datetime.now(UTC) + by))  # noqa: B010  the same
    time.time = lambda: true_time() + by.total_seconds()
    time.time_ns = lambda: true_time_ns() + int(by.total_seconds() * 1e9)


def step_clock_back_and_die_later(hours: str) -> None:
    """The clock is set back, and the program is killed when it has begun some steps since."""
    step_clock_back(hours)
    LATER.append(Trouble(at="begin_step-after", nth=30, what="die"))


LATER: list[Trouble] = []
"""What is to happen after something else has."""


def execute(command: str) -> None:
    """Another program does something: a list of JSON."""
    subprocess.run(json.loads(command), check=True, capture_output=True, timeout=60)


def come_second(arguments: str) -> None:
    """Somebody else starts ``drywet`` on the same store: a list of JSON. What that is told is kept."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", *json.loads(arguments)], capture_output=True, text=True, timeout=60
    )
    SECOND.append({"code": done.returncode, "err": done.stderr})


SECOND: list[dict[str, Any]] = []


def die(_: str) -> None:
    """The program is killed."""
    os.kill(os.getpid(), 9)


TROUBLES: dict[str, Callable[[str], None]] = {
    one.__name__: one
    for one in (
        fill,
        turn_read_only,
        delete,
        move_away,
        replace_by_copy,
        lock,
        step_clock_back,
        step_clock_back_and_die_later,
        execute,
        come_second,
        die,
    )
}


class Moments(Points):
    """The kill points of the crash tests, as moments at which trouble begins."""

    def expect(self, troubles: list[Trouble]) -> None:
        """Have these happen."""
        self.at = ""
        self.troubles = troubles
        self.come: Counter[tuple[str, str]] = Counter()
        self.happened: list[str] = []

    def reach(self, kind: str, verb: str, **doing: Any) -> None:
        """Pass a moment, or have trouble begin at it."""
        due = []
        with self._lock:
            for key in {(kind, verb), (kind, "")}:
                self.come[key] += 1
            for one in [*self.troubles, *LATER]:
                if one.at == kind and one.verb in ("", verb) and self.come[kind, one.verb] == one.nth:
                    due.append(one)
        for one in due:
            self.happened.append(one.what)
            TROUBLES[one.what](one.on)


def command(
    scene: Scene,
    stage: int,
    arguments: list[str],
    troubles: list[Trouble],
    busy_wait_s: float,
    hours_back: float,
) -> dict[str, Any]:
    """One ``drywet`` command, to its end. In a child of its own.

    Args:
        busy_wait_s: how long it waits for a locked database.
        hours_back: of the clock on its wall, from the beginning.

    Returns:
        ``code``, ``out``, ``err``, what trouble ``happened``, and what a ``second`` program was told.
    """
    lab.store.engines.BUSY_WAIT_S = busy_wait_s
    moments = Moments.of(scene, stage)
    assert isinstance(moments, Moments)
    moments.expect(troubles)
    moments.install()
    if hours_back:
        step_clock_back(str(hours_back))
    os.chdir(scene.folder)
    os.environ.update(COLUMNS="200", PYTHONPATH=str(REPOSITORY))
    files = [scene.folder / f"stage_{stage}.{name}" for name in ("out", "err")]
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["drywet", *arguments]
    code = 70
    try:
        lab.cli.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    for other in LOCKERS:
        other.communicate(b"\n", timeout=30)
    moments.diary.note("ended", index=moments._index(), status=f"exit {code}")
    out, err = (path.read_text() for path in files)
    return {"code": code, "out": out, "err": err, "happened": moments.happened, "second": SECOND}


def judged(scene: Scene, reference: dict[str, Any] | None) -> dict[str, Any]:
    """What the crash tests' oracle says of a campaign. In a child of its own."""
    seen = gather(scene)
    return {
        "violations": judge(seen, reference),
        "status": str(seen.record.status),
        "sentence": seen.record.sentence,
        "results": len(seen.history.observations),
        "acted_lab_s": [act.lab_time_s for act in seen.acts],
        "begun_lab_s": [step.begun_lab_s for steps in seen.steps.values() for step in steps],
        "events": [[event.kind, event.lab_time_s, event.utc.isoformat()] for event in seen.events],
    }


def scene_of(request: dict[str, Any]) -> Scene:
    """Where it takes place."""
    folder = Path(request["folder"])
    return Scene(
        case=CASE,
        folder=folder,
        store=request["store"],
        diary=folder / "diary.jsonl",
        file=folder / "crash.yaml",
    )


def answer(request: dict[str, Any]) -> Any:
    """Do what a test asks for, in a child."""
    folder = Path(request["folder"])
    log = folder / f"{request['what']}_{request.get('stage', 0)}.log"
    task: Callable[[], Any]
    match request["what"]:
        case "reference":
            return play_undisturbed(CASE, folder)["reference"]
        case "files":
            write_files(folder, CASE)
            return None
        case "command":
            troubles = [Trouble(**one) for one in request["troubles"]]
            task = partial(
                command,
                scene_of(request),
                request["stage"],
                request["arguments"],
                troubles,
                request["busy_wait_s"],
                request["hours_back"],
            )
        case "judge":
            task = partial(judged, scene_of(request), request["reference"])
        case "settle":
            task = partial(settle, scene_of(request), request["stage"])
        case other:
            raise ValueError(other)
    code, result = in_child(task, log)
    if code != 0:
        # Killed, or a traceback; which one it is, the test wants to see.
        return {"code": code, "out": "", "err": log.read_text() if log.exists() else "", "happened": []}
    return result


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warm_up()
    for line in sys.stdin:
        result = answer(json.loads(line))
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
