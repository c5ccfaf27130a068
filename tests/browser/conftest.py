"""The console in a browser: Chromium, and a lab for each module."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.environment import skip_or_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.rig import Lab, Window


FAILED = pytest.StashKey[bool]()


class Opener(Protocol):
    """Opens a window, logged in where a name is given."""

    def __call__(self, name: str = "", **how: Any) -> Window: ...


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; one for a module, as its loop would be in the way of others'."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        skip_or_fail("Chromium is not installed: the console is not looked at (apt-get install chromium)")
    try:
        from tests.browser.rig import chromium
    except ModuleNotFoundError as missing:
        skip_or_fail(f"{missing.name} is not installed: the console is not looked at")
    with chromium(program) as opened:
        yield opened


@pytest.fixture(scope="module")
def lab(
    browser: Browser, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """Service and console; a module says with ``PACE`` how fast its twin goes, and fills the folder with ``furnish``."""
    from tests.browser.rig import running_lab

    folder: Path = tmp_path_factory.mktemp("lab")
    request.module.furnish(folder)
    with running_lab(folder, request.module.PACE) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know whether their test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def opened(browser: Browser, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Windows of a test, closed at its end; a test that fails tells what was to be seen in them."""
    from tests.browser.rig import window

    every: list[Window] = []
    with ExitStack() as windows:

        def opened(name: str = "", **how: Any) -> Window:
            every.append(windows.enter_context(window(browser, lab, **how)))
            if name:
                every[-1].log_in(name)
            return every[-1]

        yield opened
        if request.node.stash.get(FAILED, False):
            print("\n\n".join([*(one.told for one in every), lab.told]))
