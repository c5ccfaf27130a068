from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.store import Store
from tests.lab.service.people_app import Desk, open_desk


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing in it, to copy."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture
def desk(tmp_path: Path, empty_store: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, empty_store) as desk:
        yield desk
