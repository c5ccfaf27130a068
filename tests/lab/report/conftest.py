"""Stores to report from: made once for the tests that only read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.store import Store
from lab.types import Campaign
from tests.lab.report.synthetic import Recipe, baseline, fill


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Campaign]]:
    """A finished campaign of 96 experiments and the random one beside it."""
    with Store.open(tmp_path_factory.mktemp("finished") / "lab.db") as store:
        recipe = Recipe()
        campaign = fill(store, recipe)
        fill(store, baseline(recipe, campaign))
        yield store, campaign


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(tmp_path / "lab.db") as opened:
        yield opened


@pytest.fixture
def made(store: Store) -> Callable[[Recipe], Campaign]:
    """Makes a campaign in the empty store."""
    return lambda recipe: fill(store, recipe)
