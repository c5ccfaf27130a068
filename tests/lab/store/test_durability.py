"""What was acknowledged is there, whatever happened afterwards; what failed left nothing behind."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import StoreUnusable
from lab.store import Store, engines
from lab.types import ExperimentStatus, Proposal, RunStatus, StepStatus
from tests.lab.store.endless import ENDLESS, REPOSITORY, assert_kept, held
from tests.lab.store.examples import (
    POOL,
    Opened,
    an_experiment,
    an_observation,
    begin,
    opened_run,
)


def acknowledged_by_a_killed_writer(url: str, after_s: float) -> list[tuple[str, str]]:
    """Let a child write until it is killed; what it was told is on the disk, in order, as (what, identifier)."""
    child = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, url], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert child.stdout is not None
    lines = [child.stdout.readline()]
    timer = threading.Timer(after_s, child.kill)
    timer.start()
    lines += child.stdout.readlines()
    child.stdout.close()
    assert child.wait(timeout=30) == -9
    timer.join()
    return [(line.split()[0], line.split()[1]) for line in lines if line.endswith("\n")]


def test_what_was_acknowledged_survives_kill_9_in_the_middle_of_writing(url: str) -> None:
    rng = random.Random(5)
    written = 0
    for _ in range(3):
        told = acknowledged_by_a_killed_writer(url, rng.uniform(0.05, 0.3))
        with Store.open(url) as store:
            written += assert_kept(store, told)
            assert all(fact.ok for fact in store.check() if fact.name not in ("fsync", "free disk"))
    assert written > 20


LONG = {"plates": ["assay_1" * 100] * 2000}


def writes(store: Store, opened: Opened) -> list[Callable[[], object]]:
    """One call of each kind, none of which fits on a disk that is full; a step of the run is in the air."""
    campaign, run, bench = opened.campaign.id, opened.run.id, opened.bench.id
    in_the_air = next(step.id for step in store.steps(run) if step.status is StepStatus.DISPATCHED)
    observation = replace(an_observation(opened.batch.experiments[0], opened.run), details=LONG)
    experiment = an_experiment(replace(POOL[0], values=LONG))
    return [
        lambda: store.begin_step(run, "k", "main", 1, "heat", "thermocycler", LONG, 0.0),
        lambda: store.append_documents(run, 1, [("start", LONG)]),
        lambda: store.record([observation]),
        lambda: store.propose(campaign, Proposal(experiments=(experiment,))),
        lambda: store.log(campaign, "note", "full", None, LONG),
        lambda: store.mark_step(in_the_air, "give", LONG, 1.0),
        lambda: store.end_step(in_the_air, StepStatus.UNKNOWN, None, "x", 1.0, part=LONG),
        lambda: store.bar(bench, {("assay_1", "A1"): str(LONG)}, who="Ada"),
        lambda: store.create_bench(workcell="b", twin=True, seed=1, ledger="", snapshot=LONG),
    ]


def test_a_full_disk_is_said_at_any_write_and_loses_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        opened = opened_run(store)
        begin(store, opened.run, 99, dispatch=True)
        before = held(store, opened)
        store._database.pragma(f"max_page_count = {store._database.pragma('page_count')}")
        for write in writes(store, opened):
            with pytest.raises(StoreUnusable, match=r"lab\.db: the disk is full .* Free some space"):
                write()
        assert held(store, opened) == before
        store._database.pragma("max_page_count = 1000000")
        for write in writes(store, opened):
            write()
        assert store.steps(opened.run.id)[-1].arguments == LONG


def test_a_database_that_may_no_longer_be_written_to_is_said_and_loses_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        opened = opened_run(store)
        begin(store, opened.run, 99, dispatch=True)
        before = held(store, opened)
        store._database.pragma("query_only = ON")  # as SQLite answers where a disk turned read-only
        for write in writes(store, opened):
            with pytest.raises(StoreUnusable, match=r"may not be written to .* Make the file and its folder"):
                write()
        assert held(store, opened) == before
        store._database.pragma("query_only = OFF")
        for write in writes(store, opened):
            write()


LIMITED = """
import resource, sys
from lab.errors import StoreUnusable
from lab.store import Store
from tests.lab.store.examples import begin, opened_run
from tests.lab.store.endless import held
from tests.lab.store.test_durability import writes

store = Store.open(sys.argv[1])
opened = opened_run(store)
begin(store, opened.run, 99, dispatch=True)
before = held(store, opened)
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
for write in writes(store, opened):
    try:
        write()
    except StoreUnusable as error:
        print(error.way_out)
assert held(store, opened) == before
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for write in writes(store, opened):
    write()
store.close()
print("went on")
"""


def test_a_disk_that_refuses_a_write_is_said_and_the_store_goes_on_afterwards(tmp_path: Path) -> None:
    path = str(tmp_path / "lab.db")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, timeout=60, cwd=REPOSITORY
    )
    assert done.stderr == ""
    *refusals, last = done.stdout.splitlines()
    assert last == "went on"
    assert len(refusals) == 9
    assert all(line.startswith("Look at the disk (is it full") for line in refusals)
    with Store.open(path) as store:
        assert all(fact.ok for fact in store.check() if fact.name != "free disk")


def fill(disk: Path) -> Path:
    """Take what space there is left."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def begin_many(store: Store, opened: Opened) -> None:
    for ordinal in range(1, 10_000):
        begin(store, opened.run, ordinal)


def test_a_disk_that_is_really_full_neither_takes_a_store_nor_breaks_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "drywet-test", disk], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a small disk to fill")
    try:
        with Store.open(disk / "lab.db") as store:
            opened = opened_run(store)
            begin(store, opened.run, 99, dispatch=True)
            filler = fill(disk)
            before = held(store, opened)
            for write in writes(store, opened):
                with pytest.raises(StoreUnusable, match="the disk is full"):
                    write()
            assert held(store, opened) == before
            with pytest.raises(StoreUnusable, match="the disk is full"):
                begin_many(store, opened)
            kept = store.steps(opened.run.id)
            with pytest.raises(StoreUnusable, match=r"No space left on device|the disk is full"):
                Store.open(disk / "other.db")
            filler.unlink()
            begin(store, opened.run, len(kept) + 1)
        with Store.open(disk / "lab.db") as store:
            assert store.steps(opened.run.id)[:-1] == kept
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_lock_of_another_program_is_said_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_WAIT_S", 0.2)
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        opened = opened_run(store)
        browser = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        browser.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match=r"locked by another program .* Close what has it open"):
            begin(store, opened.run, 1)
        assert store.steps(opened.run.id) == ()
        threading.Timer(0.05, browser.rollback).start()
        begin(store, opened.run, 1)  # within the wait
        browser.close()
    browser = sqlite3.connect(path, isolation_level=None)
    browser.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnusable, match="locked by another program"):
        Store.open(path)
    browser.close()
    Store.open(path).close()


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        opened_run(store)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(random.Random(3).randbytes(path.stat().st_size - 100))
    with pytest.raises(StoreUnusable, match=r"the database is damaged .*\.recover"):
        Store.open(path)


def test_an_interrupted_call_leaves_nothing_half_written(store: Store, opened: Opened) -> None:
    before = held(store, opened)

    def documents() -> Iterator[tuple[str, dict[str, object]]]:
        yield "start", {"uid": "a"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.append_documents(opened.run.id, 1, documents())
    assert held(store, opened) == before
    store.append_documents(opened.run.id, 1, [("start", {"uid": "a"})])


def test_four_threads_keep_their_journals_documents_and_results_apart(store: Store) -> None:
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    flights = [opened_run(store, bench, f"lane {n}") for n in range(4)]
    steps_each = 25
    together = threading.Barrier(4)
    completions: dict[int, str] = {}

    def fly(flight: Opened) -> None:
        together.wait()
        for ordinal in range(1, steps_each + 1):
            step = begin(store, flight.run, ordinal)
            store.dispatch_step(step.id)
            store.append_documents(flight.run.id, 1, [("event", {"ordinal": ordinal})] * 2)
            completion = store.end_step(step.id, StepStatus.DONE, {"ordinal": ordinal}, "", float(ordinal))
            assert completion is not None
            completions[completion] = step.id
            store.log(flight.campaign.id, "step", f"step {ordinal}")
            assert store.history(flight.campaign.id).observations == ()
        store.finish_run(flight.run.id, RunStatus.DONE)
        store.record([an_observation(e, flight.run) for e in flight.batch.experiments])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fly, flights))

    assert sorted(completions) == list(range(1, 4 * steps_each + 1))
    assert [s.id for s in store.settled_steps_since(bench.id, 0)] == [
        completions[n] for n in sorted(completions)
    ]
    for flight in flights:
        assert [s.ordinal for s in store.steps(flight.run.id)] == list(range(1, steps_each + 1))
        kept = [body["ordinal"] for _, body in store.documents(flight.run.id)]
        assert kept == [n for n in range(1, steps_each + 1) for _ in range(2)]
        assert len(store.events(flight.campaign.id)) == 1 + steps_each
        assert {e.status for e in store.history(flight.campaign.id).experiments} == {
            ExperimentStatus.MEASURED
        }
