"""The lab service on a port of this machine, on the twin, with people who have passwords."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from lab.client import Client, Unreachable
from lab.store import Store
from tests.campaign_files import REPOSITORY, write_campaign

__all__ = ["PASSWORD", "PEOPLE", "ConsoleLab", "running_lab", "until"]

PASSWORD = "four words in a row"
PEOPLE = {"ada": ("admin", "operator", "scientist"), "grace": ("approver",), "vera": ("viewer",)}
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""For tests that are not about how long it takes."""

LIMIT_S = 60.0


def until(what: str, is_so: Callable[[], Any]) -> Any:
    """Wait until something is so; gives what it gave."""
    end = time.monotonic() + LIMIT_S
    while not (found := is_so()):
        assert time.monotonic() < end, f"Waited {LIMIT_S:.0f} s in vain: {what}."
        time.sleep(0.02)
    return found


@dataclass(frozen=True, slots=True)
class ConsoleLab:
    """A service that answers."""

    url: str
    folder: Path

    def log_in(self, name: str = "ada") -> Client:
        """Somebody who is logged in."""
        client = Client(self.url)
        client.login(name, PASSWORD)
        return client

    def submit(self, name: str, **changes: Any) -> str:
        """Hand a small campaign in; gives its identifier when it is under way or over."""
        file = write_campaign(self.folder, name, **changes)
        with self.log_in() as ada:
            ada.submit(file.read_text(encoding="utf-8"), file.name, baseline=False)
            return str(until(f"{name} begins", lambda: self._of(ada, name)))

    @staticmethod
    def _of(ada: Client, name: str) -> str:
        return next((str(one["id"]) for one in ada.campaigns() if one["name"] == name), "")


@contextmanager
def running_lab(folder: Path, *, pace: str = "max") -> Iterator[ConsoleLab]:
    """``drywet serve`` over the store of a folder, a program of its own, until the block ends."""
    store = folder / ".drywet" / "drywet.db"
    with Store.open(store) as opened:
        for name, roles in PEOPLE.items():
            opened.add_person(name, roles=roles, full_name=name.title(), password_hash=QUICK.hash(PASSWORD))
    port, log = _free_port(), folder / "service.log"
    told = ("--store", str(store), "--folder", str(folder), "--pace", pace, "--port", str(port))
    with log.open("wb") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "lab.cli", "serve", *told], stdout=output, stderr=output, cwd=REPOSITORY
        )
    lab = ConsoleLab(f"http://127.0.0.1:{port}", folder)
    try:
        until("the service answers", lambda: _answers(lab.url, program, log))
        yield lab
    finally:
        program.terminate()
        try:
            program.wait(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _answers(url: str, program: subprocess.Popen[bytes], log: Path) -> bool:
    assert program.poll() is None, log.read_text(encoding="utf-8")
    try:
        with Client(url) as client:
            client.get("/health")
    except Unreachable:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
