"""The console's pages against a real service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("streamlit", reason="streamlit is not installed: the console is not tried")

from streamlit.runtime.caching.cache_resource_api import clear_session_cache

from tests.ui.console_lab import ConsoleLab, running_lab


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleLab]:
    """A service whose twin is slow enough for a campaign on it to be under way for as long as a test looks at it."""
    with running_lab(tmp_path_factory.mktemp("lab"), pace="600") as running:
        yield running


@pytest.fixture
def console(lab: ConsoleLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsoleLab]:
    """The console's modules in this process ask that service."""
    monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", lab.url)
    yield lab
    clear_session_cache(SESSION)  # as the end of a session does: what it kept of connections is closed


SESSION = "test session id"
"""Of every window that Streamlit's tester opens."""
