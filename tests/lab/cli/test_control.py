"""Stop, pause and go on from another process, while a real one is in the middle of something on the twin."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.app.control import Action, Answer, Presence, Request, ask, newest_answer, present
from lab.files import write_new_campaign
from tests.lab.cli.conftest import Drywet, change

CONTROL = Path(".drywet/control")
STORE = Path(".drywet/drywet.db")

LONGEST_S = 60.0
"""Wall time for which a condition may be waited for; what takes so long is broken."""


def heat(name: str = "heat") -> Path:
    """A campaign of one batch of three that heats for an hour, and is redone when nobody knows what came of a step."""
    file = write_new_campaign(Path(f"{name}.yaml"))[0]
    change(file, "budget: 24 ", "budget: 3 ")
    change(file, "batch_size: 8 ", "batch_size: 3 ")
    change(file, "10 min ", "60 min ")
    change(file, "policies:\n", "policies:\n  recovery: {unknown_outcome: redo_batch}\n")
    return file


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``drywet`` at work in a process of its own, which does not outlive the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(seen: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What a condition gives when it first holds, while a process works."""
    deadline = time.monotonic() + LONGEST_S
    while not (found := seen()):
        assert process.poll() is None, f"it has ended: {process.communicate()}"
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
    return found


def query(sql: str, *values: str) -> list[tuple[Any, ...]]:
    """Rows of the store, read beside whoever writes."""
    if not STORE.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{STORE}?mode=ro", uri=True, timeout=10)) as database:
        try:
            return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError:  # its tables are being made
            return []


def steps_done(campaign: str = "heat") -> int:
    """How many steps of a campaign are done."""
    rows = query(
        "SELECT count(*) FROM step JOIN run ON run.id = step.run_id JOIN campaign ON campaign.id = run.campaign_id "
        "WHERE campaign.name = ? AND step.status = 'done'",
        campaign,
    )
    return int(rows[0][0]) if rows else 0


def standing(campaign: str = "heat") -> tuple[str, str]:
    """Status and sentence of a campaign."""
    ((status, sentence),) = query("SELECT status, sentence FROM campaign WHERE name = ?", campaign)
    return status, sentence


def heaters() -> dict[str, Any]:
    """What the block and the lid of the thermocycler were last told, by the world's own ledger; None is off."""
    told: dict[str, Any] = {}
    for ledger in Path(".drywet/twins").glob("*.jsonl"):
        for line in ledger.read_text().splitlines(keepends=True)[1:]:
            if not line.endswith("\n"):
                continue  # it is being written
            act = json.loads(line)
            if act["instrument"] == "thermocycler" and act["action"] in ("set_temperature", "heat_lid"):
                told[act["action"]] = act["arguments"]["temperature_c"]
    return told


OFF = {"heat_lid": None, "set_temperature": None}


def hot() -> bool:
    """A condition: the block holds its temperature."""
    return heaters() == {"heat_lid": 105.0, "set_temperature": 75.0}


def step_under_way() -> str:
    """The step that was sent and has not ended."""
    ((step,),) = query("SELECT id FROM step WHERE status = 'dispatched'")
    return str(step)


def controller() -> Presence | None:
    """The process that can be asked, once it knows its campaigns."""
    return next((one for one in present(CONTROL) if one.campaigns), None)


def put(action: Action, process: subprocess.Popen[str]) -> Request:
    """Ask the process at work, as the commands do."""
    return ask(until(controller, process), action, f"{action} for a test.", None)


def last_word(request: Request) -> Answer | None:
    """What a request came to, once that is said."""
    answer = newest_answer(CONTROL, request)
    return answer if answer is not None and answer.final else None


def the_report(request: Request) -> Any:
    """What a stop in the midst of a step did, once it is said that the store may not have it."""
    answer = newest_answer(CONTROL, request)
    return answer.report if answer is not None and answer.report and answer.report["errors"] else None


def test_stop_now_in_the_midst_of_heating_turns_the_heaters_off_and_the_campaign_goes_on_afterwards(
    folder: Path, drywet: Drywet
) -> None:
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(hot, process)
        step = step_under_way()
        stopped = drywet("stop", "--now", "--reason", "Smoke from the cycler.")
        out, err = process.communicate(timeout=LONGEST_S)
    assert (stopped.code, stopped.err) == (0, "")
    assert "Broken off: heat on thermocycler of heat. All 5 devices are in the safe state." in stopped.out
    assert process.returncode == 3, err
    assert "Stopped after 0 of 3 experiments. Smoke from the cycler." in out
    assert heaters() == OFF
    ((status, error),) = query("SELECT status, error FROM step WHERE id = ?", step)
    assert status == "unknown"
    assert "heat was broken off: Smoke from the cycler." in error
    assert standing() == ("stopped", "Smoke from the cycler.")
    ((details,),) = query("SELECT details FROM event WHERE kind = 'stop'")
    report = json.loads(details)
    assert [one["device"] for one in report["devices"] if not one["error"]] == [
        "handler", "reader", "thermocycler", "shaker", "arm",
    ]  # fmt: skip
    assert "heat was broken off" in report["broken_off"][0]["error"]
    went_on = drywet("resume")
    assert went_on.code == 0, went_on.err
    assert "Finished after 3 experiments." in went_on.out


def test_stop_now_makes_devices_safe_while_the_store_takes_nothing_any_more(folder: Path) -> None:
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(hot, process)
        step = step_under_way()
        intruder = sqlite3.connect(STORE, isolation_level=None, timeout=30)
        intruder.execute("BEGIN IMMEDIATE")
        request = put(Action.STOP_NOW, process)
        report = until(lambda: the_report(request), process)
        assert heaters() == OFF
        assert query("SELECT status FROM step WHERE id = ?", step) == [("dispatched",)]
        intruder.execute("ROLLBACK")
        intruder.close()
        process.communicate(timeout=LONGEST_S)
    assert report["safe"] is True
    assert [device["error"] for device in report["devices"]] == [""] * 5
    assert "heat was broken off" in report["broken_off"][0]["error"]
    (trouble,) = report["errors"]
    assert "may not be in the store" in trouble
    assert "The stop may not be in the store" in Path(".drywet/drywet.log").read_text()
    with running("resume", "--pace", "1000") as again:
        until(lambda: query("SELECT 1 FROM step WHERE id = ? AND status = 'unknown'", step), again)


def test_stopping_one_of_two_campaigns_leaves_the_other_alone(folder: Path, drywet: Drywet) -> None:
    heat("one")
    other = heat("two")
    Path("second_bench.yaml").write_text(Path("protein_bench_twin.yaml").read_text())
    change(other, "workcell: protein_bench_twin.yaml", "workcell: second_bench.yaml")
    with running("run", "one.yaml", "two.yaml", "--pace", "1000") as process:
        until(lambda: steps_done("one") and steps_done("two"), process)
        stopped = drywet("stop", "one", "--reason", "Wrong plate.")
        assert standing("one") == ("stopped", "Wrong plate.")
        assert standing("two") == ("running", "")
        done = steps_done("one"), steps_done("two")
        until(lambda: steps_done("two") > done[1] + 5, process)
        assert steps_done("one") == done[0]
        assert drywet("stop").code == 0
        _, err = process.communicate(timeout=LONGEST_S)
    assert (stopped.code, stopped.err) == (0, "")
    assert "one: stopped." in stopped.out
    assert "two" not in stopped.out
    assert process.returncode == 3, err
    assert standing("one") == ("stopped", "Wrong plate.")


def test_a_paused_campaign_begins_no_step_until_it_may_go_on_and_can_be_stopped_meanwhile(
    folder: Path, drywet: Drywet
) -> None:
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(steps_done, process)
        paused = drywet("pause", "heat", "--reason", "Lunch.")
        done = steps_done()
        assert (paused.code, paused.err) == (0, "")
        assert "heat paused." in paused.out
        # Two more questions go to it and back; at this pace it would do several steps meanwhile.
        for _ in range(2):
            request = put(Action.PAUSE, process)
            assert until(partial(last_word, request), process).sentence == "heat paused."
        assert steps_done() == done
        assert query("SELECT count(*) FROM step WHERE status = 'dispatched'") == [(0,)]
        assert query("SELECT sentence FROM event WHERE kind = 'pause'")[0] == ("Lunch.",)
        assert drywet("continue").code == 0
        until(lambda: steps_done() > done, process)
        assert drywet("pause").code == 0
        assert drywet("stop", "--reason", "Enough.").code == 0
        _, err = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 3, err
    assert standing() == ("stopped", "Enough.")


def test_ctrl_c_twice_breaks_the_step_off(folder: Path) -> None:
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(hot, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        first = process.stderr.readline()
        assert (
            "Stopping after the step under way; nothing is lost. Ctrl-C once more breaks that step off."
            in first
        )
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LONGEST_S)
    assert "every instrument is brought to its safe state" in err
    assert process.returncode == 3, err
    assert heaters() == OFF
    assert query("SELECT status FROM step WHERE action = 'heat'") == [("unknown",)]


def test_the_file_of_a_killed_process_is_known_for_what_it_is(folder: Path, drywet: Drywet) -> None:
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(controller, process)
        process.kill()
        process.wait()
    (left,) = CONTROL.glob("*.json")
    assert left.name == f"{process.pid}@{os.uname().nodename}.json"
    answer = drywet("stop")
    assert answer.code == 2
    assert "Nothing is running on" in answer.err
    assert "drywet safe --workcell FILE" in answer.err
    with running("resume", "--pace", "1000") as again:
        presence = until(controller, again)
        assert presence.pid == again.pid
        assert not left.exists()


def test_a_name_that_does_not_run_is_refused_and_a_process_that_does_not_answer_is_told_of(
    folder: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.cli.controlling.ANSWER_S", 5.0)
    heat()
    with running("run", "heat.yaml", "--pace", "1000") as process:
        until(controller, process)
        refused = drywet("stop", "haet")
        process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr("lab.cli.controlling.ANSWER_S", 0.5)
        silent = drywet("stop", "--now")
    assert refused.code == 2
    assert "haet does not run here. Running: heat." in refused.err
    assert silent.code == 1
    told = " ".join(silent.err.split())
    assert re.search(rf"Process {process.pid} on \S+ does not answer\.", told)
    assert f"kill {process.pid}" in told
    assert "drywet safe --workcell FILE" in told
