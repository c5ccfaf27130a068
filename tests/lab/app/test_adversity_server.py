"""A PostgreSQL server that dies or cuts the connection in mid-run: a clear hold, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.app.adverse_stage import Trouble
from tests.lab.app.adversity import Adventure, Stage, stage
from tests.lab.store.test_server_death import control, mortal_server
from tests.postgres import PostgresServer

__all__ = ["mortal_server", "stage"]

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

GONE = "the connection to the database server is gone. See that the server runs and is reachable"


@pytest.fixture
def adventure(mortal_server: PostgresServer, stage: Stage, tmp_path: Path) -> Adventure:
    return Adventure(stage, tmp_path, mortal_server.url(mortal_server.new_database()))


def psql(server: PostgresServer, statement: str) -> str:
    """A command line for :func:`tests.lab.app.adverse_stage.execute`."""
    return json.dumps(
        [
            str(server.bin / "psql"),
            "-XAtq",
            f"--host={server.socket_folder}",
            f"--port={server.port}",
            "--username=tester",
            "--dbname=postgres",
            f"--command={statement}",
        ]
    )


def death(server: PostgresServer) -> str:
    """The same: the server's main process ends at once, as in a power cut of its machine."""
    pid_file = server.socket_folder / "data" / "postmaster.pid"
    pid = pid_file.read_text().splitlines()[0]
    gone = f"kill -QUIT {pid}; while [ -e {pid_file} ]; do sleep 0.02; done"
    return json.dumps(["sh", "-c", gone])


def test_a_connection_that_the_server_cuts_in_mid_run_holds_the_campaign(
    mortal_server: PostgresServer, adventure: Adventure
) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'drywet %'"
    held = adventure.run(
        Trouble(at="end_step-before", verb="distribute", what="execute", on=psql(mortal_server, cut))
    )
    assert held.code == 1
    assert held.err.startswith("Held: crash: ")
    assert GONE in held.err
    adventure.ends_as_if_nothing_had_happened()


@pytest.mark.parametrize(("at", "verb"), [("begin_step-before", "mix"), ("mark_step-before", "distribute")])
def test_a_server_that_dies_between_steps_or_amid_one_holds_until_it_is_back(
    mortal_server: PostgresServer, adventure: Adventure, at: str, verb: str
) -> None:
    held = adventure.run(Trouble(at=at, verb=verb, what="execute", on=death(mortal_server)))
    assert held.code == 1
    assert len(held.err.strip().splitlines()) == 1
    assert GONE in held.err
    still = adventure.drywet("resume")
    assert still.code == 2
    assert "the database server cannot be reached" in still.err
    control(mortal_server, "start", "-o", f"-k {mortal_server.socket_folder} -p {mortal_server.port}")
    adventure.ends_as_if_nothing_had_happened()


def test_a_second_program_on_the_server_is_told_who_works_there_and_disturbs_nothing(
    mortal_server: PostgresServer, adventure: Adventure
) -> None:
    arguments = ["resume", "--store", adventure.store]
    first = adventure.run(
        Trouble(at="end_step-before", verb="distribute", what="come_second", on=json.dumps(arguments))
    )
    assert first.code == 0, first.err
    (second,) = first.second
    assert second["code"] == 2
    assert "drywet " in second["err"]
    assert "is writing to this store" in second["err"]
    adventure.is_over()
