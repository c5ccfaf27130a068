"""Commands that change something, typed beside a lab service that owns the store."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.client import Client
from lab.files import write_new_campaign
from lab.people import TokenKind
from lab.service.tokens import hashed, make_secret
from lab.store import Store
from tests.lab.cli.conftest import Drywet
from tests.lab.service.people_app import PASSWORD, QUICK

STORE = ".drywet/drywet.db"

LONGEST_S = 90.0


@dataclass(frozen=True)
class Served:
    """A service at work in this folder."""

    address: str
    process: subprocess.Popen[str]

    def client(self, token: str) -> Client:
        return Client(self.address, token)


@contextmanager
def serving(*more: str) -> Iterator[Served]:
    """``drywet serve`` over the store of this folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "lab.cli", "serve", "--port", port, *more]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _answers(address), process)
            yield Served(address, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=LONGEST_S)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/api/health", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def until(seen: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """What a condition gives when it first holds, while a process works."""
    deadline = time.monotonic() + LONGEST_S
    while not (found := seen()):
        assert process.poll() is None, f"it has ended: {process.communicate()}"
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)
    return found


def somebody(name: str, *roles: str) -> str:
    """A person of the store with a password; gives a token of theirs."""
    Path(STORE).parent.mkdir(exist_ok=True)
    with Store.open(STORE) as store:
        person = store.add_person(name, roles=roles, password_hash=QUICK.hash(PASSWORD))
        secret = make_secret(TokenKind.API)
        later = datetime.now(UTC) + timedelta(days=1)
        store.add_token(person.id, kind=TokenKind.API, hashed=hashed(secret), expires_utc=later)
    return secret


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DRYWET_TOKEN", raising=False)


def small() -> None:
    """A campaign of two batches on the twin."""
    write_new_campaign(Path("small.yaml"))
    path = Path("small.yaml")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(_smaller(line) for line in lines) + "\n")


def _smaller(line: str) -> str:
    for key, value in (("budget:", "8"), ("batch_size:", "4")):
        if line.startswith(key):
            return f"{key} {value}"
    return line


def test_a_campaign_is_run_corrected_and_kept_from_barred_material_through_the_service(
    folder: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    small()
    token = somebody("ada", "scientist", "operator")
    with serving() as service:
        nobody = drywet("run", "small.yaml")
        assert nobody.code == 2
        assert "does not know who you are" in " ".join(nobody.err.split())

        monkeypatch.setenv("DRYWET_TOKEN", token)
        ran = drywet("run", "small.yaml", "--no-baseline", "--report", "report.html")
        assert ran.code == 0, ran.err
        assert "batch 1, 4 experiments" in ran.out
        assert "8 of 8 measured; best so far" in ran.out
        assert "Finished after 8 experiments." in ran.out
        assert "<html" in (folder / "report.html").read_text()

        shown = drywet("results", "list", "--json").json
        first, second = shown["results"][:2]
        retracted = drywet("results", "retract", first["id"], "--why", "a bubble")
        assert retracted.code == 0, retracted.err
        assert "Retracted:" in retracted.out
        assert "Best of small now" in retracted.out
        unheard = drywet("results", "retract", second["id"], "--why", "a bubble", "--by", "bob")
        assert unheard.code == 2
        assert "not bob" in " ".join(unheard.err.split())
        mended = drywet(
            "results",
            "supersede",
            second["id"],
            "--value",
            "61.5",
            "--standard-error",
            "0.2",
            "--why",
            "read anew",
        )
        assert mended.code == 0, mended.err
        assert "is now" in mended.out

        samples = drywet("samples", "list", "--json").json
        barred = drywet("samples", "bar", samples[0]["id"], "--why", "leaking")
        assert barred.code == 0, barred.err
        assert barred.out.startswith("Barred: ")
        again = drywet("samples", "bar", samples[0]["id"], "--why", "leaking")
        assert again.code == 2
        assert "is barred already: leaking" in " ".join(again.err.split())
        lifted = drywet("samples", "lift", samples[0]["id"], "--why", "it was another")
        assert lifted.out.startswith("May be used again: ")

        with service.client(token) as client:
            said = client.amendments("small")
            assert [(one["kind"], one["who"]) for one in said] == [("retract", "ada"), ("supersede", "ada")]
            bench = client.campaign("small")["bench_id"]
            assert client.inventory(bench)["items"]
            assert client.checklist("small")["pieces"]
            assert client.model_cards("small")
            assert client.orders() == []
    with Store.open(STORE, read_only=True) as store:
        acts = {act.action for act in store.acts() if act.outcome == "done"}
    assert {"POST /submissions", "POST /material/bar", "POST /material/lift"} <= acts


def test_what_is_handed_in_goes_on_without_a_watcher_and_stops_without_a_login(
    folder: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    small()
    token = somebody("ada", "scientist", "operator")
    with serving("--pace", "20000") as service:
        monkeypatch.setenv("DRYWET_TOKEN", token)
        handed = drywet("run", "small.yaml", "--no-baseline", "--detach")
        assert handed.code == 0, handed.err
        with service.client(token) as client:
            until(lambda: any(one["at_work"] for one in client.snapshot()["live"]), service.process)
            monkeypatch.delenv("DRYWET_TOKEN")
            assert drywet("pause", "small").code == 0
            until(lambda: any(one["paused"] for one in client.snapshot()["live"]), service.process)
            assert drywet("continue", "small").code == 0
            assert drywet("stop", "small").code in (0, 3)
            until(lambda: client.campaign("small")["status"] == "stopped", service.process)
        refused = drywet("resume", "small", "--detach")
        assert refused.code == 2
        assert "drywet login" in " ".join(refused.err.split())
        monkeypatch.setenv("DRYWET_TOKEN", token)
        resumed = drywet("resume", "small", "--json", "--detach")
        assert resumed.code == 0, resumed.err
        assert resumed.json["handed_in"][0]["name"] == "small"


def test_a_login_is_kept_where_only_its_user_reads_it_and_a_file_elsewhere_is_refused(
    folder: Path, drywet: Drywet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody("ada", "admin")
    (folder / "lab").mkdir()
    small()
    assert drywet("login", "--name", "ada").code == 2  # no service has the store
    with serving("--folder", "lab") as service:
        monkeypatch.setattr(sys, "stdin", _Typed("a wrong password"))
        wrong = drywet("login", "--name", "ada", "--password-stdin")
        assert wrong.code == 2
        monkeypatch.setattr(sys, "stdin", _Typed(PASSWORD))
        right = drywet("login", "--name", "ada", "--password-stdin")
        assert right.code == 0, right.err
        assert service.address in right.out
        (kept,) = tmp_path.rglob("sessions.json")
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        elsewhere = drywet("run", "small.yaml")
        assert elsewhere.code == 2
        assert "looks for campaigns in" in " ".join(elsewhere.err.split())


class _Typed:
    """What somebody types."""

    def __init__(self, line: str) -> None:
        self._line = line

    def readline(self) -> str:
        return f"{self._line}\n"

    def isatty(self) -> bool:
        return False
