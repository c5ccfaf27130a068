"""``drywet serve`` as a lab starts it: a program of its own, whose end and words are looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab.client import Client, Refused, Unreachable
from tests.campaign_files import REPOSITORY
from tests.crash.service_campaign import add_people, free_port
from tests.crash.service_people import ADA, PASSWORD

__all__ = ["Serving", "drywet", "lab_in"]

LIMIT_S = 60.0
LOOK_S = 0.02

T = TypeVar("T")


def drywet(*words: str, folder: Path, said: str = "") -> subprocess.CompletedProcess[str]:
    """A command of the command line, in a folder, as somebody who never logged in."""
    return subprocess.run(
        [sys.executable, "-m", "lab.cli", *words],
        input=said,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=folder,
        env=_environment(folder),
        check=False,
    )


def _environment(folder: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DRYWET_")}
    return ours | {"PYTHONPATH": str(REPOSITORY), "XDG_CONFIG_HOME": str(folder), "COLUMNS": "300"}


@dataclass(slots=True)
class Serving:
    """A service, and who asks it.

    Args:
        pace: of the twin.
    """

    folder: Path
    store: str
    pace: str = "max"
    port: int = field(default_factory=free_port)
    program: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Until it answers."""
        self.starts += 1
        with self.log.open("wb") as output:
            self.program = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        "-m",
                        "lab.cli",
                        "serve",
                        "--store",
                        self.store,
                        "--port",
                        str(self.port),
                    ),
                    *("--folder", str(self.folder), "--pace", self.pace),
                ],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=_environment(self.folder),
            )
        program = self.program

        def answers() -> bool:
            assert program.poll() is None, self.said
            try:
                with Client(self.url) as anybody:
                    return bool(anybody.get("/ready"))
            except (Unreachable, Refused):
                return False

        self.until("the service answers", answers)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.program is not None
        self.program.send_signal(number)

    def wait(self) -> int:
        """For its end; its exit code."""
        assert self.program is not None
        try:
            return self.program.wait(timeout=LIMIT_S)
        finally:
            self.leave()

    def leave(self) -> None:
        """Leave nothing behind."""
        if self.program is not None and self.program.poll() is None:
            self.program.kill()
            self.program.wait(timeout=LIMIT_S)
        self.program = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / f"serve_{self.starts}.log"

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def client(self, who: str = ADA) -> Client:
        """The service in somebody's name; close it."""
        if who not in self._tokens:
            with Client(self.url) as fresh:
                fresh.login(who, PASSWORD)
                self._tokens[who] = fresh.token
        return Client(self.url, self._tokens[who])

    def hand_in(self, text: str, name: str, *, baseline: bool = False) -> None:
        """As ada."""
        with self.client() as ada:
            ada.submit(text, f"{name}.yaml", baseline=baseline)

    def campaign(self, name: str) -> Mapping[str, Any]:
        """How a campaign stands; empty while there is none."""
        with self.client() as ada:
            return next((one for one in ada.campaigns(baselines=True) if one["name"] == name), {})

    def live(self, name: str) -> Mapping[str, Any]:
        """What it does this moment; empty where it does not run."""
        return self.campaign(name).get("live") or {}

    def under_way(self, name: str) -> set[str]:
        """Verbs that the instruments of a campaign's bench carry out this moment."""
        live = self.live(name)
        with self.client() as ada:
            devices = ada.get(f"/benches/{live['bench_id']}/devices") if live else ()
        return {str(one["doing"]) for one in devices}

    def until(self, what: str, is_so: Callable[[], T]) -> T:
        """Wait until something is so; gives what it gave."""
        end = time.monotonic() + LIMIT_S
        while not (found := is_so()):
            assert time.monotonic() < end, f"Waited in vain: {what}.\n{self.said}"
            time.sleep(LOOK_S)
        return found

    def until_status(self, name: str, status: str) -> None:
        """Wait until a campaign stands so."""
        self.until(f"{name} is {status}", lambda: self.campaign(name).get("status") == status)


@contextmanager
def lab_in(folder: Path, store: str = "", *, pace: str = "max") -> Iterator[Serving]:
    """A lab with two people, whose service is not started yet."""
    where = store or str(folder / "lab.db")
    add_people(where)
    serving = Serving(folder=folder, store=where, pace=pace)
    try:
        yield serving
    finally:
        serving.leave()
