"""A campaign from the command line: what it prints, how Ctrl-C stops it, and that it goes on to the same end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.files import write_new_campaign
from lab.store import Store
from lab.types import Step, StepStatus
from tests.lab.cli.conftest import Answer, change

STORE = Path(".drywet/drywet.db")
A_BATCH_IS_DONE = re.compile(r"^ +[0-9]+  .* of 6  ", re.MULTILINE)


def small_campaign() -> Path:
    """``heat.yaml`` in this folder: two batches of three."""
    written = write_new_campaign(Path("heat.yaml"))[0]
    change(written, "budget: 24 ", "budget: 6 ")
    change(written, "batch_size: 8 ", "batch_size: 3 ")
    return written


def command(*arguments: str) -> Answer:
    """``drywet`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", *arguments], capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def interrupted(after: re.Pattern[str], *arguments: str) -> Answer:
    """Start ``drywet``, press Ctrl-C when it has printed something, and wait for it to end."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "lab.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if after.search(seen):
            break
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    return Answer(process.returncode, seen + rest, err)


def results(store: str) -> list[dict[str, Any]]:
    """What the newest campaign of a store measured, without identifiers."""
    told = command("status", "--json", "--store", store)
    assert told.code == 0, told.err
    found = told.json["campaign"]["results"]
    return [{key: value for key, value in result.items() if key != "experiment"} for result in found]


TIMED = ("start_c", "begun_s")
"""Arguments of actions that depend on when they are done."""


def actions(folder: Path) -> list[list[Any]]:
    """What was physically done on the one twin of a folder, times and what follows from them left out."""
    (ledger,) = (folder / "twins").glob("*.jsonl")
    acts = [json.loads(line) for line in ledger.read_text().splitlines()[1:]]
    return [
        [
            act["instrument"],
            act["action"],
            {name: value for name, value in act["arguments"].items() if name not in TIMED},
        ]
        for act in acts
    ]


@dataclass(frozen=True)
class Told:
    """What each command of a story answered."""

    folder: Path
    run: Answer
    stopped: Answer
    standing: list[dict[str, Any]]
    changed: Answer
    stopped_again: Answer
    went_on: Answer
    after: list[dict[str, Any]]
    undisturbed: list[dict[str, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """One campaign that runs undisturbed in ``done/``, and the same one in ``stops/``, stopped twice on its way."""
    folder = tmp_path_factory.mktemp("campaign")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DRYWET_STORE", raising=False)
        file = small_campaign()
        run = command("run", "heat.yaml", "--store", "done/lab.db", "--report", "heat.html")
        slowly = ("--store", "stops/lab.db", "--pace", "20000")
        stopped = interrupted(A_BATCH_IS_DONE, "run", "heat.yaml", *slowly)
        standing = results("stops/lab.db")
        change(file, "seed: 1 ", "seed: 2 ")
        changed = command("run", "heat.yaml", "--store", "stops/lab.db")
        change(file, "seed: 2 ", "seed: 1 ")
        yield Told(
            folder=folder,
            run=run,
            stopped=stopped,
            standing=standing,
            changed=changed,
            stopped_again=interrupted(re.compile("best so far"), "resume", "heat", *slowly),
            went_on=command("run", "heat.yaml", "--store", "stops/lab.db"),
            after=results("stops/lab.db"),
            undisturbed=results("done/lab.db"),
        )


def test_a_campaign_runs_to_its_end_and_says_what_it_found(told: Told):
    assert (told.run.code, told.run.err) == (0, "")
    assert len(A_BATCH_IS_DONE.findall(told.run.out)) == 2
    assert "Finished after 6 experiments." in told.run.out
    assert "Measured on a digital twin" in told.run.out
    assert "drywet report heat --store done/lab.db" in told.run.out
    assert f"Report: {told.folder / 'heat.html'}" in told.run.out
    assert (told.folder / "heat.html").stat().st_size > 10_000


def test_output_in_a_file_holds_no_control_characters(told: Told):
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.run.out) is None


def test_ctrl_c_stops_between_two_steps_and_says_how_to_go_on(told: Told):
    assert told.stopped.code == 3, told.stopped.err
    assert told.stopped.err.strip() == (
        "Stopping after the step under way; nothing is lost. Ctrl-C once more breaks that step off."
    )
    assert "Traceback" not in told.stopped.out
    assert "Stopped after 3 of 6 experiments. Stopped by Ctrl-C." in told.stopped.out
    assert "Go on with: drywet resume heat --store stops/lab.db" in told.stopped.out
    assert len([result for result in told.standing if result["ok"] is not None]) == 3


def test_a_changed_file_does_not_go_on_with_what_was_stopped(told: Told):
    assert told.changed.code == 2
    assert "has changed since" in told.changed.err
    assert "drywet resume heat" in told.changed.err


def test_resume_and_run_go_on_where_the_campaign_was_stopped(told: Told):
    assert told.stopped_again.code == 3, told.stopped_again.err
    assert told.went_on.code == 0, told.went_on.err
    assert "Finished after 6 experiments." in told.went_on.out
    with Store.open(told.folder / "stops" / "lab.db", read_only=True) as store:
        assert len(store.campaigns()) == 1


def test_a_campaign_that_was_stopped_does_nothing_twice_and_leaves_nothing_out(told: Told):
    assert actions(told.folder / "stops") == actions(told.folder / "done")


def test_a_campaign_that_was_stopped_ends_with_the_same_table(told: Told):
    for one, other in zip(told.after, told.undisturbed, strict=True):
        assert one["values"] == {"residual_activity": one["value"]}
        assert other["values"] == {"residual_activity": other["value"]}
        numbers = {"value": 0, "standard_error": 0, "values": {}}
        assert {**one, **numbers} == {**other, **numbers}
        # Not to the last digit: to stop and to start take the instruments a minute, in which plates dry a little.
        assert one["value"] == pytest.approx(other["value"], abs=2 * other["standard_error"])


def test_what_libraries_log_goes_to_a_file_beside_the_store(told: Told):
    assert "bluesky" not in told.stopped.out + told.stopped.err
    assert (told.folder / "stops" / "drywet.log").exists()


def test_a_finished_campaign_is_not_run_again_unasked(told: Told, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(told.folder)
    again = command("run", "heat.yaml", "--store", "done/lab.db")
    assert again.code == 2
    assert "has finished" in again.err
    assert "drywet run --new heat.yaml" in again.err
    assert command("resume", "heat", "--store", "done/lab.db").code == 2


def test_a_program_reads_outcomes_as_json_and_new_starts_afresh(campaign: Path):
    change(campaign, "budget: 6 ", "budget: 3 ")
    for _ in range(2):
        answer = command("run", "--new", "heat.yaml", "--json")
        assert (answer.code, answer.err) == (0, "")
        (outcome,) = answer.json["campaigns"]
        assert (outcome["name"], outcome["status"], outcome["budget"]) == ("heat", "finished", 3)
        assert outcome["twin"] is True
        assert answer.json["report"] is None
    with Store.open(STORE, read_only=True) as store:
        assert len(store.campaigns()) == 2


def test_the_baseline_runs_beside_and_is_told_in_the_summary(campaign: Path):
    change(campaign, "# baseline: random  ", "baseline: random  ")
    answer = command("run", "heat.yaml")
    assert answer.code == 0, answer.err
    assert "(baseline: random)" in answer.out
    assert "random on an identical twin" in answer.out
    assert len(A_BATCH_IS_DONE.findall(answer.out)) == 2


def test_a_baseline_can_be_left_out(campaign: Path):
    change(campaign, "# baseline: random  ", "baseline: random  ")
    change(campaign, "budget: 6 ", "budget: 3 ")
    assert len(command("run", "--no-baseline", "heat.yaml", "--json").json["campaigns"]) == 1


def test_status_and_report_work_while_a_campaign_runs(campaign: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.cli", "run", "heat.yaml", "--pace", "300"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while (status := command("status")).code != 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert status.code == 0, status.err
        assert f"process {process.pid}" in status.out
        assert command("report").code == 0
        second = command("run", "heat.yaml")
        assert second.code == 2
        assert f"process {process.pid}" in second.err
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 3


def unknown_steps(store: str) -> list[Step]:
    """Steps that wait for a person, in a store that nobody writes."""
    with Store.open(store, read_only=True) as opened:
        return [
            step
            for bench in opened.benches()
            for step in opened.open_steps(bench.id)
            if step.status is StepStatus.UNKNOWN
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_disk_that_fills_up_holds_the_campaign_and_loses_nothing(campaign: Path, tmp_path: Path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(small)], check=False
    ).returncode:
        pytest.skip("this machine lets nobody make a small disk")
    try:
        full = command("run", "heat.yaml", "--store", str(small / "lab.db"))
        assert full.code == 1, full.out + full.err
        assert "Traceback" not in full.err
        assert "disk is full" in full.err
        assert "Free some space" in full.err
        subprocess.run(["mount", "-o", "remount,size=80m", str(small)], check=True)
        store = str(small / "lab.db")
        again = command("resume", "--store", store)
        if again.code == 1:
            # The disk filled up within a step of which no instrument can say what came; a person settles it.
            (step,) = unknown_steps(store)
            assert f"drywet resolve {step.id} --as done|not-done|discard" in again.err
            assert command("resolve", step.id, "--as", "discard", "--store", store).code == 0
            again = command("resume", "--store", store)
        assert again.code == 0, again.err
        assert "Finished after 6 experiments." in again.out
        assert len(results(store)) == 6
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_a_reader_that_closes_the_pipe_gets_no_traceback(campaign: Path):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m lab.cli dry-run heat.yaml --steps | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("heat on protein_bench_twin")
    assert done.stderr == ""
