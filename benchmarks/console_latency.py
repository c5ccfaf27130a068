"""From a click in the console to its effect on the screen, for one viewer and for five at once, while a campaign runs.

The service as ``drywet serve`` runs it, over a twin at 10 and then at 120 times the speed of a bench; the console as
``drywet console``; and headless Chromium, a window for each viewer, in a process of its own. Times are taken in the page,
from the click to the first frame in which the effect is there. The first viewer also pauses the campaign and lets it go on;
the others go from page to page and choose campaigns, about a second apart, for as long as the first is at it. In a lab each
viewer has a computer, which draws what its browser shows. Here all share one, so five are measured twice: as equals, and
with the browsers of four yielding the processor (nice 19) to the first one's, the console and the service, which answer all
five. Meanwhile the run engine's loop and its steps are watched, and what each kind of program takes of the processor.

Run: python -m benchmarks.console_latency [--keep] [--pace 120] [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from benchmarks.machine import RESULTS, machine
from benchmarks.processes import KINDS, Cores
from benchmarks.service_load import Watched, begin, row, service

PACES = ("10", "120")
"""Lab seconds in a second. A bench has a pace of 1: there events come far more rarely."""

ROUNDS = 2
"""Of each viewer through all that is clicked."""

STEERED = 6
"""Pauses in a round."""

THINK_S = (0.5, 1.5)
"""Between what is seen and the next click: anything from this to that, so that viewers do not click in step."""

IDLE_S = 10.0
"""With nobody there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who looks on.

    Args:
        others: viewers beside the first.
        yields: whether their browsers yield the processor to everything else.
    """

    name: str
    others: int = 0
    yields: bool = False


CROWDS = (
    Crowd(name="1 viewer"),
    Crowd(name="5 viewers", others=4),
    Crowd(name="1 viewer beside 4 that yield", others=4, yields=True),
)
YIELDING = "the 4 that yield"
NOBODY = "nobody there"
LIMIT_MS = 20_000
"""After which a click has come to nothing."""

NOTHING = "came to nothing"
AIM_S = 0.5
NAME, PASSWORD = "viewer", "many bottles on the wall"
_LOT = random.Random(1)
BEFORE = ("stable_photovoltaic_blend", "strong_lac_promoter")
"""Campaigns that are over, to be chosen among."""

PAGES = ("Overview", "Live run", "Queue", "Schedule", "Devices", "Results")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

TIMED = """async ([what, wanted, limit]) => {
  const deep = (root, choose) => {
    const found = [...root.querySelectorAll(choose)];
    for (const one of root.querySelectorAll('*')) if (one.shadowRoot) found.push(...deep(one.shadowRoot, choose));
    return found;
  };
  const named = (choose, text) =>
    [...document.querySelectorAll(choose)].find((one) => one.innerText.trim().startsWith(text));
  const best = () => document.querySelector('[data-testid=stMetricValue]')?.innerText;
  const state = () => deep(document, '.state dd.is')[0]?.textContent;
  let click, done;
  const before = best();
  if (what === 'button') {
    click = deep(document, '.state button').find((one) => one.innerText.startsWith(wanted[0]));
    done = () => wanted[1].includes(state());
  }
  if (what === 'page') {
    click = named('[data-testid=stSidebarNav] a', wanted);
    done = () => named('[data-testid=stMain] h1', wanted);
  }
  if (what === 'option') { click = named('[role=option]', wanted); done = () => best() && best() !== before; }
  if (!click) throw new Error('There is nothing to click: ' + what + ' ' + wanted);
  const began = performance.now();
  click.click();
  while (!done()) {
    if (performance.now() - began > limit) throw new Error('Nothing came of it: ' + what + ' ' + wanted);
    await new Promise(requestAnimationFrame);
  }
  return (performance.now() - began) / 1000;
}"""


async def _think() -> None:
    await asyncio.sleep(_LOT.uniform(*THINK_S))


async def page_to(page: Page, title: str, took: dict[str, list[float]]) -> None:
    """Go to a page by the menu."""
    took["a page"].append(await page.evaluate(TIMED, ["page", title, LIMIT_MS]))
    await _think()


async def choose(page: Page, took: dict[str, list[float]], name: str) -> None:
    """On the results: another campaign."""
    await page.get_by_role("combobox", name="Campaign").click()
    option = page.get_by_role("option").filter(has_text=name)
    await option.wait_for()
    took["a campaign"].append(await page.evaluate(TIMED, ["option", name, LIMIT_MS]))
    await _think()


async def steer(page: Page, took: dict[str, list[float]]) -> None:
    """Pause what runs, and let it go on."""
    for what, name, words in (
        ("pause", "Pause", ["pausing after this step", "paused"]),
        ("go on", "Go on", ["running"]),
    ):
        await page.locator(".state button.main[aria-disabled=false]").filter(has_text=name).wait_for()
        took[what].append(await page.evaluate(TIMED, ["button", [name, words], LIMIT_MS]))
        await _think()


async def look_around(page: Page, took: dict[str, list[float]], pauses: int) -> None:
    """A viewer's round, with so many pauses."""
    for title in PAGES:
        await _try(page_to(page, title, took), took)
        if title == "Live run":
            for _ in range(pauses):
                await _try(steer(page, took), took)
    for name in BEFORE:
        await _try(choose(page, took, name), took)


async def _try(click: Coroutine[None, None, None], took: dict[str, list[float]]) -> None:
    """A click; one whose effect nobody saw is counted, and the viewer goes on."""
    try:
        await click
    except PlaywrightError as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        took[NOTHING].append(LIMIT_MS / 1000)


async def view(url: str, viewers: int, rounds: int, pauses: int) -> dict[str, list[float]]:
    """So many windows at once; what each kind of click took, in seconds.

    Args:
        rounds: of the first, who also steers; without any, all look around until a line comes in.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    took: dict[str, list[float]] = {"pause": [], "go on": [], "a page": [], "a campaign": [], NOTHING: []}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        pages = [await _log_in(browser, url) for _ in range(viewers)]
        print("ready", flush=True)
        if rounds:
            over = asyncio.create_task(_steering(pages.pop(0), took, rounds, pauses))
        else:
            over = asyncio.create_task(_told_to_end())
        await asyncio.gather(over, *(_looking(page, took, over) for page in pages))
        await browser.close()
    return took


async def _told_to_end() -> None:
    await asyncio.to_thread(sys.stdin.readline)


async def _log_in(browser: Browser, url: str) -> Page:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(LIMIT_MS)
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_text("up to date").wait_for()
    return page


async def _steering(page: Page, took: dict[str, list[float]], rounds: int, pauses: int) -> None:
    for _ in range(rounds):
        await look_around(page, took, pauses)


async def _looking(page: Page, took: dict[str, list[float]], over: asyncio.Task[None]) -> None:
    while not over.done():
        await look_around(page, took, 0)


def before(folder: Path) -> None:
    """Let some short campaigns run to their end in the store that is then served."""
    for name in ("campaigns", "workcells"):
        shutil.copytree(name, folder / name)
    for name in BEFORE:
        file = folder / "campaigns" / f"{name}.yaml"
        file.write_text(re.sub(r"^budget: *\d+", "budget: 24", file.read_text(), flags=re.MULTILINE))
        command = [sys.executable, "-m", "lab.cli", "run", str(file)]
        store = ["--store", str(folder / "lab.db"), "--pace", "max", "--no-baseline"]
        subprocess.run([*command, *store], check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is clicked."""

    rounds: int = ROUNDS
    pauses: int = STEERED
    idle_s: float = IDLE_S


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was found at one pace: clicks by who made them, and cores in use by who was there and kind of program."""

    busy: float
    clicks: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    cores: dict[str, dict[str, float]] = field(default_factory=dict)
    watched: Watched


@contextmanager
def console(service_url: str) -> Iterator[tuple[str, int]]:
    """``drywet console``, until the block ends; its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "lab.cli", "console", "--service", service_url, "--port", str(port)]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert program.poll() is None, "The console ended."
                time.sleep(0.2)
        yield f"http://localhost:{port}", program.pid
    finally:
        program.terminate()
        program.wait(timeout=30)


def look_on(url: str, console_pid: int, crowd: Crowd, size: Size, seen: Seen) -> None:
    """Viewers in processes of their own; what their clicks took, and what all of it took of the processor."""
    beside = _viewing(url, crowd.others, 0, 0, yields=True) if crowd.yields else None
    first = _viewing(url, 1 + (0 if crowd.yields else crowd.others), size.rounds, size.pauses)
    roots = {"console": console_pid, "first": first.pid} | ({"others": beside.pid} if beside else {})
    seen.watched.phase = crowd.name
    with Cores(roots) as cores:
        seen.clicks[crowd.name] = _clicked(first)
        if beside is not None:
            seen.clicks[YIELDING] = _clicked(beside)
    seen.watched.phase = ""
    seen.cores[crowd.name] = cores.used


def _viewing(
    url: str, viewers: int, rounds: int, pauses: int, *, yields: bool = False
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.console_latency", "--view", url]
    numbers = map(str, (viewers, rounds, pauses))
    before = ["nice", "-n", "19"] if yields else []
    viewing = subprocess.Popen(
        [*before, *command, *numbers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert viewing.stdout is not None
    assert viewing.stdout.readline().strip() == "ready", "The windows did not open."
    return viewing


def _clicked(viewing: subprocess.Popen[str]) -> dict[str, list[float]]:
    """What was clicked, once who steers has done so, or who looks around has been told to end."""
    out, _ = viewing.communicate("enough\n")
    assert viewing.returncode == 0, "A viewer did not see what was to come of a click."
    took: dict[str, list[float]] = json.loads(out)
    return took


def measure(pace: str, size: Size, prepared: Path) -> Seen:
    """Nobody, one viewer, five."""
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "lab"
        shutil.copytree(prepared, folder)
        with service(folder, pace) as (house, url, _), console(url) as (shown, console_pid):
            house.store.add_person(
                NAME, roles=["admin", "scientist", "operator"], password_hash=PasswordHasher().hash(PASSWORD)
            )
            seen = Seen(busy=busy, watched=Watched(house))
            begin(house)
            time.sleep(5.0)
            seen.watched.phase = NOBODY
            with Cores({"console": console_pid}) as cores:
                time.sleep(size.idle_s)
            seen.watched.phase = ""
            seen.cores[NOBODY] = cores.used
            for crowd in CROWDS:
                look_on(shown, console_pid, crowd, size, seen)
            seen.watched.end()
    return seen


def report(found: Mapping[str, Seen]) -> str:
    """The tables, pace by pace."""
    first = next(iter(found.values()))
    return "\n".join(
        [
            "# The console: from a click to what is seen",
            "",
            f"{machine()}; Chromium, the console and the service share",
            "these cores: with *5 viewers* five browsers draw on the machine that also answers them, as they do in no lab.",
            "With *1 viewer beside 4 that yield* the browsers of four get what the first one's browser, the console and the",
            "service leave them (nice 19), nearer to a lab where each has a computer; all five are answered alike.",
            "Beside a campaign on the twin; viewers go through the pages, 0.5 to 1.5 s between their clicks by lot. A bench",
            "has a pace of 1, at which events come 10 and 120 times as rarely. Load average of the machine before it began:",
            f"{first.busy:.1f}.",
            "Made with `python -m benchmarks.console_latency --keep`.",
            "",
            *(line for pace, seen in found.items() for line in _tables(pace, seen)),
            "*pause*: until the page says that it pauses. *go on*: until it says that it runs. *a page*: until its heading",
            "stands there. *a campaign*: chosen on the results, until its best result stands there.",
            "",
            "A loop stall is what a call waits that is due at once on the loop of the run engine. A step by the machine's",
            "clock holds the twin's own paced time, and the pauses, and so compares only between rows. The service is the",
            "process in which the campaign runs.",
            "",
        ]
    )


def _tables(pace: str, seen: Seen) -> list[str]:
    clicks = [
        row(f"{what}, {who}", took)
        for what in ("pause", "go on", "a page", "a campaign")
        for who, each in seen.clicks.items()
        if (took := each[what])
    ]
    every = {who: [one for took in each.values() for one in took] for who, each in seen.clicks.items()}
    within = ", ".join(
        f"{sum(one < AIM_S for one in took) / len(took):.1%} of {who}" for who, took in every.items() if took
    )
    nothing = ", ".join(f"{len(each[NOTHING])} of {who}" for who, each in seen.clicks.items())
    watched = seen.watched
    loops = [row(f"loop stall, {one}", watched.stalls[one]) for one in seen.cores if one in watched.stalls]
    steps = [
        row(f"step by the machine's clock, {one}", watched.steps[one])
        for one in seen.cores
        if one in watched.steps
    ]
    cores = [
        f"| {one} | {' | '.join(f'{used.get(kind, 0.0):.2f}' for kind in KINDS)} |"
        for one, used in seen.cores.items()
    ]
    return [
        f"## At {pace} times the speed of a bench",
        "",
        "| click | count | median ms | 95 % ms | most ms |",
        "|---|---:|---:|---:|---:|",
        *clicks,
        "",
        f"Within {AIM_S:g} s: {within}. Clicks of which nothing was seen within {LIMIT_MS // 1000} s: {nothing}.",
        "",
        f"| processor cores in use | {' | '.join(KINDS)} |",
        f"|---|{'---:|' * len(KINDS)}",
        *cores,
        "",
        "| run engine meanwhile | count | median ms | 95 % ms | most ms |",
        "|---|---:|---:|---:|---:|",
        *loops,
        *steps,
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the table under benchmarks/results")
    parser.add_argument("--pace", action="append", help="lab seconds in a second; 10 and 120 without it")
    parser.add_argument(
        "--quick", action="store_true", help="one round with two pauses, to see that it works"
    )
    parser.add_argument("--view", nargs=4, metavar=("URL", "VIEWERS", "ROUNDS", "PAUSES"))
    given = parser.parse_args()
    if given.view:
        url, *numbers = given.view
        print(json.dumps(asyncio.run(view(url, *map(int, numbers)))))
        return
    size = Size(rounds=1, pauses=2, idle_s=3.0) if given.quick else Size()
    with tempfile.TemporaryDirectory() as name:
        before(Path(name))
        found = {pace: measure(pace, size, Path(name)) for pace in given.pace or PACES}
    table = report(found)
    print(table)
    if given.keep:
        (RESULTS / "console_latency.md").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
