"""A PostgreSQL server of the tests' own: a fresh cluster in a temporary folder, on loopback, gone when the session ends.

A conftest that wants it says ``from tests.postgres import postgres_server``. Where no server is installed, tests that ask
for one are skipped with a sentence; with ``CI=true`` that is a failure.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

__all__ = ["PostgresServer", "postgres_server", "running_server"]

START_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server.

    Args:
        socket_folder: where its Unix socket is; over it user ``tester`` needs no password.
        port: of the socket, and on 127.0.0.1, where user ``stranger`` needs the password ``open sesame``.
    """

    bin: Path
    socket_folder: Path
    port: int

    def url(self, database: str) -> str:
        """Of a database, over the Unix socket."""
        return f"postgresql://tester@/{database}?host={self.socket_folder}&port={self.port}"

    def tcp_url(self, database: str, password: str) -> str:
        """Of a database, over loopback, as the user who needs a password."""
        return f"postgresql://stranger:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """Make a database that is empty, or a copy of another; gives its name."""
        name = f"lab_{uuid4().hex}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the server's owner; gives what ``psql`` prints, without decoration."""
        done = subprocess.run(
            [
                self.bin / "psql",
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                f"--host={self.socket_folder}",
                f"--port={self.port}",
                "--username=tester",
                f"--dbname={database}",
                f"--command={statement}",
            ],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _binaries() -> Path | None:
    versions = Path("/usr/lib/postgresql")
    installed = sorted(versions.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True)
    if installed:
        return installed[0].parent
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: the user to run it as instead, None for the present one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_cluster(binaries: Path, folder: Path, user: str | None) -> Path:
    data = folder / "data"
    subprocess.run(
        [
            binaries / "initdb",
            f"--pgdata={data}",
            "--username=tester",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ],
        check=True,
        capture_output=True,
        timeout=60,
        user=user,
        cwd=folder,
    )
    access = data / "pg_hba.conf"
    access.write_text(
        "local all tester trust\nhost all stranger 127.0.0.1/32 scram-sha-256\n", encoding="utf-8"
    )
    return data


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    ready = [server.bin / "pg_isready", "-q", f"--host={server.socket_folder}", f"--port={server.port}"]
    while subprocess.run(ready, timeout=10).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the PostgreSQL server did not start:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server whose commits do not wait for the disk; tests of durability set ``fsync`` themselves."""
    if _binaries() is None:
        sentence = (
            "PostgreSQL is not installed: the store is tested on SQLite only (apt-get install postgresql)"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with running_server() as server:
        yield server


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """The same, for programs that are no tests.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    binaries = _binaries()
    if binaries is None:
        raise FileNotFoundError("PostgreSQL is not installed (apt-get install postgresql).")
    user = _unprivileged()
    # Of its own and short: the path of a Unix socket holds 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="drywet-pg-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = _make_cluster(binaries, folder, user)
        server = PostgresServer(bin=binaries, socket_folder=folder, port=_free_port())
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    binaries / "postgres",
                    *("-D", data, "-k", folder, "-p", str(server.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                stdout=output,
                stderr=output,
                user=user,
                cwd=folder,
            )
        _wait_until_ready(server, process, log)
        server.sql("CREATE ROLE stranger LOGIN PASSWORD 'open sesame'")
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # its "immediate" shutdown: nothing of the cluster is kept
            process.wait(timeout=30)
        shutil.rmtree(folder)
