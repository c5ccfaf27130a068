"""A lab to look at: the real service on the twin, the real console, and a browser that notes whom it asks."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from lab.client import Client, Refused, Unreachable
from tests.campaign_files import REPOSITORY

__all__ = ["PASSWORD", "PEOPLE", "Lab", "Window", "chromium", "free_port", "running_lab", "until", "window"]

PASSWORD = "seven green bottles 7"
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "ada": ("admin", "operator", "scientist"),
    "grace": ("operator", "approver"),
    "vera": ("viewer",),
}
"""Who may do what. Nobody may say yes to what they asked for, so it takes two to carry a careful campaign out."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LIMIT_S = 60.0
"""Wall time in which anything that a test waits for happens, on a busy machine too."""


def until(what: str, is_so: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
    """Wait until something is so; gives what it gave."""
    end = time.monotonic() + limit_s
    while not (found := is_so()):
        assert time.monotonic() < end, f"Waited {limit_s:.0f} s in vain: {what}."
        time.sleep(0.05)
    return found


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True, kw_only=True)
class Lab:
    """A service and a console, each a program of its own.

    Args:
        folder: of campaigns, workcells and the store.
        pace: of the twin: ``max``, or lab seconds in one of ours.
    """

    folder: Path
    pace: str
    service_port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def service_url(self) -> str:
        return f"http://localhost:{self.service_port}"

    @property
    def console_url(self) -> str:
        return f"http://localhost:{self.console_port}"

    @property
    def store(self) -> Path:
        return self.folder / ".drywet" / "drywet.db"

    def start_service(self) -> None:
        """As ``drywet serve``, until it answers."""
        self._start(
            "serve",
            *("--store", str(self.store), "--folder", str(self.folder), "--pace", self.pace),
            *("--port", str(self.service_port), "--console", self.console_url),
        )
        self._wait_for("serve", f"{self.service_url}/api/health")

    def start_console(self) -> None:
        """As ``drywet console``, until it answers."""
        self._start("console", "--service", self.service_url, "--port", str(self.console_port))
        self._wait_for("console", f"{self.console_url}/_stcore/health")

    def kill_service(self) -> None:
        """As a power cut would end it."""
        self._end("serve", signal.SIGKILL)

    def close(self) -> None:
        """End both programs."""
        for name in list(self.programs):
            self._end(name, signal.SIGTERM)

    def add_admin(self) -> None:
        """The first person, from the command line, as a lab does it."""
        roles = [word for role in PEOPLE["ada"] for word in ("--role", role)]
        subprocess.run(
            [*_DRYWET, "users", "add", "ada", *roles, "--password-stdin", "--store", str(self.store)],
            input=f"{PASSWORD}\n".encode(),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def add_others(self) -> None:
        """The others, over the service."""
        with self.client("ada") as ada:
            for name in list(PEOPLE)[1:]:
                body = {"name": name, "password": PASSWORD, "roles": list(PEOPLE[name])}
                ada.post("/people", body)

    @property
    def told(self) -> str:
        """The end of what the programs wrote, and how the campaigns stand, for a test that failed."""
        ends = [
            f"{log.name}:\n" + "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
            for log in sorted(self.folder.glob("*.log"))
        ]
        try:
            with self.client("ada") as ada:
                stand = [f"{one['name']}: {one['status']}. {one['sentence']}" for one in ada.campaigns()]
        except (Refused, Unreachable) as error:
            stand = [f"No campaign is known: {error}"]
        return "\n".join([*ends, *stand])

    def client(self, name: str) -> Client:
        """The lab service in somebody's name."""
        if name not in self.tokens:
            with Client(self.service_url) as fresh:
                fresh.login(name, PASSWORD)
                self.tokens[name] = fresh.token
        return Client(self.service_url, self.tokens[name])

    def campaign(self, name: str) -> Mapping[str, Any]:
        """How a campaign stands; empty while there is none of this name."""
        with self.client("ada") as lab:
            found = [one for one in lab.campaigns() if one["name"] == name]
        return found[0] if found else {}

    def _start(self, command: str, *words: str) -> None:
        log = self.folder / f"{command}.log"
        with log.open("ab") as output:
            self.programs[command] = subprocess.Popen(
                [*_DRYWET, command, *words],
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            )

    def _wait_for(self, command: str, url: str) -> None:
        def answers() -> bool:
            log = self.folder / f"{command}.log"
            assert self.programs[command].poll() is None, log.read_text(encoding="utf-8")
            try:
                return httpx.get(url, timeout=5.0, trust_env=False).is_success
            except httpx.HTTPError:
                return False

        until(f"drywet {command} to answer", answers)

    def _end(self, name: str, how: signal.Signals) -> None:
        program = self.programs.pop(name)
        program.send_signal(how)
        try:
            program.wait(timeout=30)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait(timeout=30)


_DRYWET = (sys.executable, "-m", "lab.cli")


@contextmanager
def running_lab(folder: Path, pace: str) -> Iterator[Lab]:
    """Service, console and three people."""
    lab = Lab(folder=folder, pace=pace)
    try:
        lab.add_admin()
        lab.start_service()
        lab.add_others()
        lab.start_console()
        yield lab
    finally:
        lab.close()


@contextmanager
def chromium(program: str) -> Iterator[Browser]:
    """A browser without a window of its own."""
    with sync_playwright() as playwright, ThreadPoolExecutor(1) as writer:
        # Its loop writes pictures and downloads in a thread; one that starts here is not taken for one that a test left.
        writer.submit(int).result()
        asyncio.get_running_loop().set_default_executor(writer)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True, kw_only=True)
class Window:
    """Somebody's browser, in which nothing of another's is known.

    Args:
        asked: addresses of everything that it asked for.
        errors: what went wrong in its scripts.
    """

    lab: Lab
    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def log_in(self, name: str) -> None:
        """Through the form."""
        self.page.goto(self.lab.console_url)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.heading("Overview")
        self.page.get_by_text("up to date").wait_for()

    @property
    def told(self) -> str:
        """What is to be seen, for a test that failed."""
        if self.page.is_closed():
            return "A window that was closed."
        return f"{self.page.url}\n{self.page.locator('body').inner_text()}"

    def heading(self, title: str) -> None:
        """Wait for a page."""
        self.page.get_by_role("heading", name=title, exact=True).wait_for()

    def go(self, title: str) -> None:
        """To a page, by the menu."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
        self.heading(title)

    def says(self, sentence: str) -> None:
        """Wait until a text is to be seen."""
        self.page.get_by_text(sentence).first.wait_for()

    def open(self, address: str) -> None:
        """A page with what follows its name in the address bar."""
        self.page.goto(f"{self.lab.console_url}/{address}")

    @property
    def strangers(self) -> set[str]:
        """Machines other than the console's own that something was asked of."""
        own = f"localhost:{self.lab.console_port}"
        hosts = {urlsplit(url).netloc for url in self.asked if not url.startswith(("data:", "blob:"))}
        return hosts - {own}


@contextmanager
def window(
    browser: Browser, lab: Lab, *, width: int = 1280, height: int = 900, scheme: Any = "light"
) -> Iterator[Window]:
    """A window that is closed at the end; no script of it may fail, and it may ask nobody but the console."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(LIMIT_S * 1000 / 2)
    seen = Window(lab=lab, page=context.new_page())
    context.on("request", lambda request: seen.asked.append(request.url))
    context.on("weberror", lambda error: seen.errors.append(str(error.error)))
    seen.page.on("websocket", lambda socket: seen.asked.append(socket.url))
    try:
        yield seen
    finally:
        context.close()
    assert not seen.errors, seen.errors
    assert not seen.strangers
