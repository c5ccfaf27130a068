"""A campaign that meets trouble on its way, for tests: its folder, its commands, and what is said of it afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.app.adverse_stage import REPOSITORY, Trouble

__all__ = ["Adventure", "Answer", "Stage", "disk", "stage"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command printed, how it ended, what trouble befell it, and what a second program was told meanwhile."""

    code: int
    out: str
    err: str
    happened: list[str]
    second: list[dict[str, Any]] = field(default_factory=list)


class Stage:
    """The warm process that plays commands (:mod:`tests.lab.app.adverse_stage`).

    Args:
        folder: for the undisturbed campaign.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.app.adverse_stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        self.reference = self.ask(what="reference", folder=str(folder))

    def ask(self, **request: Any) -> Any:
        """Have something done, and wait for what comes of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=30)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for a module's tests."""
    played = Stage(tmp_path_factory.mktemp("undisturbed"))
    yield played
    played.close()


class Adventure:
    """One campaign in a folder of its own, with the commands that a person gives.

    Args:
        folder: with ``disk`` in it, where the store is unless it is on a server.
        url: of a server's database; empty for a file.
    """

    def __init__(self, stage: Stage, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.disk = folder / "disk"
        self.disk.mkdir(exist_ok=True)
        self.store = url or str(self.disk / "lab.db")
        self._stage = stage
        self._stages = 0
        stage.ask(what="files", folder=str(folder))

    def drywet(
        self,
        *arguments: str,
        trouble: Trouble | None = None,
        busy_wait_s: float = 5.0,
        hours_back: float = 0.0,
    ) -> Answer:
        """A command on the campaign's store, in a process of its own."""
        self._stages += 1
        answered = self._stage.ask(
            what="command",
            folder=str(self.folder),
            store=self.store,
            stage=self._stages,
            arguments=[*arguments, "--store", self.store],
            troubles=[] if trouble is None else [asdict(trouble)],
            busy_wait_s=busy_wait_s,
            hours_back=hours_back,
        )
        answer = Answer(**answered)
        assert "Traceback" not in answer.out + answer.err, answer.err
        if trouble is not None and answer.code >= 0:
            assert answer.happened == [trouble.what], f"{trouble} never came"
        return answer

    def run(self, trouble: Trouble | None = None, *, busy_wait_s: float = 5.0) -> Answer:
        """Begin the campaign."""
        return self.drywet("run", "crash.yaml", "--no-baseline", trouble=trouble, busy_wait_s=busy_wait_s)

    def settle(self) -> dict[str, str]:
        """A truthful person settles what waits for one; step -> what was said of it."""
        self._stages += 1
        return dict(
            self._stage.ask(what="settle", folder=str(self.folder), store=self.store, stage=self._stages)[
                "settled"
            ]
        )

    def judged(self) -> dict[str, Any]:
        """What the crash tests' oracle finds, and how the campaign stands."""
        found: dict[str, Any] = self._stage.ask(
            what="judge", folder=str(self.folder), store=self.store, reference=self._stage.reference
        )
        assert "violations" in found, found
        return found

    def ends_as_if_nothing_had_happened(self, *, hours_back: float = 0.0) -> dict[str, Any]:
        """Resume; then no action was done twice, no result is lost, and the table is the undisturbed campaign's."""
        resumed = self.drywet("resume", hours_back=hours_back)
        assert resumed.code == 0, resumed.out + resumed.err
        return self.is_over()

    def is_over(self) -> dict[str, Any]:
        """It has finished, and the oracle has nothing to object to."""
        found = self.judged()
        assert found["violations"] == []
        assert (found["status"], found["results"]) == ("finished", 2)
        return found


@contextmanager
def disk(folder: Path, *, size: str) -> Iterator[Path]:
    """A small disk of memory, to fill; skips where this user may make none."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk to fill")
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "drywet-test", folder], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody make a small disk to fill")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
