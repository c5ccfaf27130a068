"""Every test of the store runs on SQLite and on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.store import Store
from tests.lab.store.examples import Opened, opened_run
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store that does not exist yet can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "lab.db")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(server.new_database())


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as store:
        yield store


@pytest.fixture
def opened(store: Store) -> Opened:
    """A bench, a campaign, its first batch and a run of it."""
    return opened_run(store)
