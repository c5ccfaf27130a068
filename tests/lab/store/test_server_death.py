"""A PostgreSQL server that dies in the middle of a run: it is said, and what was acknowledged is there afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.errors import StoreUnusable
from lab.store import Store
from lab.types import StepStatus
from tests.lab.store.endless import ENDLESS, REPOSITORY, assert_kept, held
from tests.lab.store.examples import begin, opened_run
from tests.postgres import PostgresServer, running_server


@pytest.fixture
def mortal_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that a test may bring down; see :func:`control`."""
    try:
        with running_server() as server:
            yield server
            control(server, "stop")
    except FileNotFoundError as error:
        pytest.skip(str(error))


def control(server: PostgresServer, *what: str) -> None:
    """Stop the server as a power cut does (no clean-up, its log is replayed at the next start), or start it."""
    data = server.socket_folder / "data"
    subprocess.run(
        [server.bin / "pg_ctl", *what, "--wait", "--mode=immediate", f"--pgdata={data}", "--silent"]
        if what == ("stop",)
        else [server.bin / "pg_ctl", *what, "--wait", f"--pgdata={data}", "--silent", "--log=/dev/null"],
        check=True,
        timeout=60,
        user=data.owner() if os.geteuid() == 0 else None,
        cwd=server.socket_folder,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.postgres
def test_a_server_that_dies_in_the_middle_of_writing_is_said_and_the_journal_is_whole(
    mortal_server: PostgresServer,
) -> None:
    server = mortal_server
    options = f"-k {server.socket_folder} -p {server.port}"
    url = server.url(server.new_database())
    for lines_before in (2, 37, 118):
        child = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(lines_before)]
        control(server, "stop")
        rest, errors = child.communicate(timeout=60)
        assert child.returncode == 1
        assert "lab.errors.StoreUnusable: " in errors
        assert "the connection to the database server is gone" in errors
        control(server, "start", "-o", options)
        with Store.open(url) as store:
            assert_kept(store, [(line.split()[0], line.split()[1]) for line in lines + rest.splitlines()])


@pytest.mark.postgres
def test_a_store_whose_server_died_stays_unusable_until_it_is_opened_anew(
    mortal_server: PostgresServer,
) -> None:
    server = mortal_server
    url = server.url(server.new_database())
    with Store.open(url) as store:
        opened = opened_run(store)
        step = begin(store, opened.run, 1, dispatch=True)
        store.mark_step(step.id, "draw", None, 1.0)
        before = held(store, opened)
        control(server, "stop")
        for _ in range(2):
            with pytest.raises(StoreUnusable, match="connection to the database server is gone"):
                store.mark_step(step.id, "give", None, 2.0)
        control(server, "start", "-o", f"-k {server.socket_folder} -p {server.port}")
        with pytest.raises(StoreUnusable, match="connection to the database server is gone"):
            store.end_step(step.id, StepStatus.DONE, None, "", 3.0)
    with Store.open(url) as store:
        assert held(store, opened) == before
        assert [s.id for s in store.open_steps(opened.bench.id)] == [step.id]
        store.end_step(step.id, StepStatus.UNKNOWN, None, "?", 3.0)
