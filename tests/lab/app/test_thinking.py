"""Long computations in a program of their own: done once, told when they are there, and never in the way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.app.house import thinking
from lab.app.house.thinking import Thinker
from lab.errors import BadInput, DrywetError
from tests.campaign_files import REPOSITORY
from tests.lab.app.thoughts import think

LIMIT_S = 60.0


def until(what: Callable[[], Any], says: str) -> Any:
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < end, says
        time.sleep(0.01)
    return found


@pytest.fixture
def thinker() -> Iterator[Thinker]:
    made = Thinker(think)
    yield made
    made.close()
    assert not multiprocessing.active_children()


def asked(thinker: Thinker, name: str, given: Any = None, wait_s: float = LIMIT_S) -> Any:
    return thinker.ask((name, str(given)), lambda: (name, given), wait_s)


def test_a_question_is_answered_once_and_in_another_program_that_lets_others_go_first(
    thinker: Thinker, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    assert [asked(thinker, "note", notes) for _ in range(3)] == ["noted"] * 3
    assert notes.read_text(encoding="utf-8") == "asked\n"
    pid, niceness = asked(thinker, "who")
    assert pid != os.getpid()
    assert niceness > os.nice(0) or niceness == 19


def test_what_is_not_there_yet_is_told_when_asked_again(thinker: Thinker, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    assert asked(thinker, "wait", sign, wait_s=0.0) is None
    assert asked(thinker, "wait", sign, wait_s=0.05) is None
    sign.touch()
    assert until(lambda: asked(thinker, "wait", sign, wait_s=0.0), "the answer comes") == "there"


def test_no_more_questions_wait_than_a_few(thinker: Thinker, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    assert asked(thinker, "wait", sign, wait_s=0.0) is None
    for n in range(2 * thinking.MOST_OPEN):
        assert thinker.ask(n, partial(_noting, tmp_path / f"note {n}"), 0.0) is None
    sign.touch()
    assert until(lambda: thinker.ask(0, lambda: None, 0.0), "the first has its turn") == "noted"
    last = thinking.MOST_OPEN - 2  # beside the one that was under way
    assert until(lambda: thinker.ask(last, lambda: None, 0.0), "and so the last that was kept") == "noted"
    assert len(list(tmp_path.glob("note *"))) == thinking.MOST_OPEN - 1


def _noting(file: Path) -> tuple[str, Path]:
    return "note", file


def test_a_refusal_is_told_with_its_way_out_each_time(thinker: Thinker) -> None:
    for _ in range(2):
        with pytest.raises(BadInput, match=r"There is none\.") as refused:
            asked(thinker, "refuse")
        assert (refused.value.way_out, refused.value.field) == ("Take another.", "which")


def test_a_bug_is_logged_and_the_next_question_answered(
    thinker: Thinker, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DrywetError, match="could not be worked out"):
        asked(thinker, "fail")
    assert "ZeroDivisionError: a bug" in caplog.text
    assert asked(thinker, "who")


def test_when_the_other_program_dies_the_next_question_starts_it_anew(thinker: Thinker) -> None:
    first, _ = asked(thinker, "who")
    with pytest.raises(DrywetError, match="ended"):
        asked(thinker, "die")
    second, _ = thinker.ask("again", lambda: ("who", None), LIMIT_S)
    assert first != second


def test_what_takes_too_long_is_given_up(
    thinker: Thinker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(thinker, "who")  # it is there
    monkeypatch.setattr(thinking, "LIMIT_S", 0.2)
    with pytest.raises(DrywetError, match="given up"):
        asked(thinker, "wait", tmp_path / "never")


def test_idle_it_ends_and_comes_back(thinker: Thinker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinking, "IDLE_S", 0.05)
    first, _ = asked(thinker, "who")
    until(lambda: not multiprocessing.active_children(), "it ends")
    second, _ = thinker.ask("again", lambda: ("who", None), LIMIT_S)
    assert first != second


def test_closing_ends_it_in_the_midst_of_a_question(tmp_path: Path) -> None:
    thinker = Thinker(think)
    assert asked(thinker, "wait", tmp_path / "never", wait_s=0.2) is None
    thinker.close()
    thinker.close()
    assert not multiprocessing.active_children()
    with pytest.raises(BadInput, match="shutting down"):
        asked(thinker, "who")


_KILLED = """
import os, signal, sys
from lab.app.house.thinking import Thinker
from tests.lab.app.thoughts import think

if __name__ == "__main__":
    pid, _ = Thinker(think).ask("who", lambda: ("who", None), 60.0)
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_ends_with_the_service_also_when_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(_KILLED, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, program],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    pid = int(ended.stdout)
    until(lambda: not _runs(pid), "the other program ends")


def _runs(pid: int) -> bool:
    """Whether it does anything; one that ended and that nobody has asked after does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
