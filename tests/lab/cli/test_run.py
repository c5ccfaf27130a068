"""A campaign from the command line: what it prints, how Ctrl-C stops it, and that it goes on to the same end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.store import Store
from tests.lab.cli.conftest import Answer, Drywet, change

STORE = Path(".drywet/drywet.db")


def results(store: str) -> list[dict[str, Any]]:
    """What the newest campaign of a store measured, without identifiers."""
    told = command("status", "--json", "--store", store)
    assert told.code == 0, told.err
    found = told.json["campaign"]["results"]
    return [{key: value for key, value in result.items() if key != "experiment"} for result in found]


def command(*arguments: str) -> Answer:
    """``drywet`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli", *arguments], capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def test_a_campaign_runs_to_its_end_and_says_what_it_found(campaign: Path):
    answer = command("run", "heat.yaml", "--report", "heat.html")
    assert answer.code == 0, answer.err
    assert answer.err == ""
    batches = [line for line in answer.out.splitlines() if re.match(r" +[12]  .* of 6 ", line)]
    assert len(batches) == 2
    assert "Finished after 6 experiments." in answer.out
    assert "Measured on a digital twin" in answer.out
    assert "drywet report heat" in answer.out
    assert f"Report: {Path('heat.html').absolute()}" in answer.out
    assert Path("heat.html").stat().st_size > 10_000


def test_output_in_a_file_holds_no_control_characters(campaign: Path):
    answer = command("run", "heat.yaml")
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f]", answer.out) is None


def test_a_program_reads_the_outcome_as_json(campaign: Path):
    answer = command("run", "heat.yaml", "--json")
    assert answer.code == 0, answer.err
    (outcome,) = answer.json["campaigns"]
    assert (outcome["name"], outcome["status"], outcome["budget"]) == ("heat", "finished", 6)
    assert outcome["twin"] is True
    assert answer.json["report"] is None


def test_a_finished_campaign_is_not_run_again_unasked(campaign: Path):
    assert command("run", "heat.yaml").code == 0
    again = command("run", "heat.yaml")
    assert again.code == 2
    assert "finished" in again.err
    assert "drywet run --new heat.yaml" in again.err
    assert command("resume", "heat").code == 2
    assert command("run", "--new", "heat.yaml").code == 0
    with Store.open(STORE, read_only=True) as store:
        assert len(store.campaigns()) == 2


def test_the_baseline_runs_beside_and_is_told_in_the_summary(campaign: Path):
    change(campaign, "# baseline: random  ", "baseline: random  ")
    answer = command("run", "heat.yaml")
    assert answer.code == 0, answer.err
    assert "random on an identical twin" in answer.out
    assert (
        command("run", "--new", "--no-baseline", "heat.yaml", "--json").json["campaigns"][0]["baseline_of"]
        is None
    )


def stop_after(batches: int, *arguments: str) -> Answer:
    """Start ``drywet``, press Ctrl-C after so many lines of finished batches, and wait for it to end."""
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
        if len(re.findall(r" of 6  ", seen)) >= batches:
            break
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=60)
    return Answer(process.returncode, seen + rest, err)


def test_ctrl_c_stops_between_steps_and_the_campaign_goes_on_to_the_same_table(campaign: Path):
    undisturbed = command("run", "heat.yaml", "--store", "undisturbed.db")
    assert undisturbed.code == 0, undisturbed.err

    stopped = stop_after(1, "run", "heat.yaml", "--store", "stopped.db", "--pace", "20000")
    assert stopped.code == 3, stopped.out + stopped.err
    assert "Stopping after the step under way; nothing is lost." in stopped.err
    assert "Traceback" not in stopped.out + stopped.err
    assert "drywet resume heat --store stopped.db" in stopped.out
    assert len([r for r in results("stopped.db") if r["ok"] is not None]) == 3

    resumed = command("resume", "heat", "--store", "stopped.db")
    assert resumed.code == 0, resumed.err
    assert "Finished after 6 experiments." in resumed.out
    assert results("stopped.db") == results("undisturbed.db")


def test_run_goes_on_with_a_campaign_that_was_stopped(campaign: Path):
    stopped = stop_after(1, "run", "heat.yaml", "--pace", "20000")
    assert stopped.code == 3, stopped.out + stopped.err
    assert command("run", "heat.yaml").code == 0
    with Store.open(STORE, read_only=True) as store:
        assert len(store.campaigns()) == 1


def test_a_changed_file_does_not_go_on_with_what_was_stopped(campaign: Path):
    assert stop_after(1, "run", "heat.yaml", "--pace", "20000").code == 3
    change(campaign, "seed: 1 ", "seed: 2 ")
    changed = command("run", "heat.yaml")
    assert changed.code == 2
    assert "drywet resume heat" in changed.err


def test_what_libraries_log_goes_to_a_file_beside_the_store(campaign: Path):
    stopped = stop_after(1, "run", "heat.yaml", "--pace", "20000")
    assert "bluesky" not in stopped.out + stopped.err
    assert Path(".drywet/drywet.log").exists()


def test_status_and_report_work_while_a_campaign_runs(campaign: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.cli", "run", "heat.yaml", "--pace", "2000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while command("status").code != 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        status = command("status")
        assert status.code == 0, status.err
        assert f"process {process.pid}" in status.out
        assert command("report").code == 0
        second = command("run", "heat.yaml")
        assert second.code == 2
        assert f"process {process.pid}" in second.err
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_disk_that_fills_up_stops_the_campaign_and_loses_nothing(campaign: Path, tmp_path: Path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(small)], check=False
    ).returncode:
        pytest.skip("this machine lets nobody make a small disk")
    try:
        full = command("run", "heat.yaml", "--store", str(small / "lab.db"))
        assert full.code == 2, full.out + full.err
        assert "Traceback" not in full.err
        assert "disk is full" in full.err or "No space left" in full.err
        subprocess.run(["mount", "-o", "remount,size=80m", str(small)], check=True)
        with Store.open(small / "lab.db") as store:
            started = len(store.campaigns())
        again = command(*(["resume"] if started else ["run", "heat.yaml"]), "--store", str(small / "lab.db"))
        assert again.code == 0, again.err
        assert len(results(str(small / "lab.db"))) == 6
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def test_the_campaigns_of_the_json_are_strict_json(campaign: Path):
    answer = command("run", "heat.yaml", "--json")

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    json.loads(answer.out, parse_constant=refuse)


def test_a_reader_that_closes_the_pipe_gets_no_traceback(drywet: Drywet, campaign: Path):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m lab.cli dry-run heat.yaml --steps | head -n 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("heat on protein_bench_twin")
    assert done.stderr == ""
