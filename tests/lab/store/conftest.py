"""Every test of the store runs on SQLite and on a PostgreSQL server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.store import Store
from tests.lab.store.examples import Opened, opened_run
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store that does not exist yet can be made."""
    if kind == "sqlite":
        return str(tmp_path / "lab.db")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(server.new_database())


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with nothing in it, to copy: migrating from nothing takes longer than most tests."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture(scope="session")
def empty_database(postgres_server: PostgresServer) -> str:
    """The same on PostgreSQL: the name of a database to take as template."""
    name = postgres_server.new_database()
    Store.open(postgres_server.url(name)).close()
    return name


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, open for writing."""
    if kind == "sqlite":
        where = str(shutil.copyfile(request.getfixturevalue("empty_file"), tmp_path / "lab.db"))
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        where = server.url(server.new_database(template=request.getfixturevalue("empty_database")))
    with Store.open(where) as store:
        yield store


@pytest.fixture
def opened(store: Store) -> Opened:
    """A bench, a campaign, its first batch and a run of it."""
    return opened_run(store)
