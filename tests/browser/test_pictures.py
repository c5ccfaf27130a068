"""A picture of every page, in light and dark, wide and narrow, on a lab at work; each is also looked over by a script.

The pictures stay under ``build/screenshots``, for people to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Opener
from tests.browser.furnished import PACE, fill, furnish
from tests.campaign_files import REPOSITORY
from ui.app import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.rig import Lab, Window

__all__ = ["PACE", "furnish"]

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

PICTURES = REPOSITORY / "build" / "screenshots"
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 420)]
HEIGHT = 900
TALLEST = 2600
"""Of a picture: what is below is not looked at."""

SHOWS = {
    "live_run": "night_shift",
    "results": "heat_stable",
    "export": "heat_stable",
    "faults": "jammed",
}
"""Page -> the campaign that it is opened with."""

ERRORS = {
    "overview": ("jammed: nobody knows what came of distribute on handler.",),
    "devices": ("1 step waits for somebody to look at the bench.",),
}
"""What pages have to say in a red box, of this lab. No other page shows one."""

DRAWN = """() => { const main = document.querySelector('[data-testid=stMain]');
  const tab = [...main.querySelectorAll('[role=tabpanel]')].find((one) => one.checkVisibility());
  const told = main.innerText;
  return told.split(/\\s+/).length >= 8 && !told.includes('being worked out')
    && (!tab || tab.innerText.trim() !== '' || tab.querySelector('canvas, svg') !== null); }"""
"""A page that says something, in the tab that is open too, and has all that it waits for."""

READY = """() => !document.querySelector('[data-testid=stSkeleton], [data-testid=stApp][data-test-script-state=running]')
  && [...document.querySelectorAll('.js-plotly-plot')].every((one) => one.querySelector('.main-svg'))"""

SEEING = (Path(__file__).parent / "seeing.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def at_work(lab: Lab) -> dict[str, str]:
    """The lab with all that its pages can tell of; identifiers of campaigns by name."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    return fill(lab)


def keep(seen: Window, name: str, scheme: str, width: int) -> list[str]:
    """Take the picture of all of a page; gives what is wrong with it."""
    page = seen.page
    page.wait_for_function(READY)
    tall = "(document.querySelector('[data-testid=stMain]') ?? document.scrollingElement).scrollHeight"
    page.set_viewport_size({"width": width, "height": max(HEIGHT, min(TALLEST, page.evaluate(tall) + 20))})
    page.wait_for_function(READY)
    page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png")
    wrong = [f"{name}: {one}" for one in page.evaluate(SEEING)]
    page.set_viewport_size({"width": width, "height": HEIGHT})
    return wrong + [f"{name}: {one}" for one in said_in_red(seen, name)]


def said_in_red(seen: Window, name: str) -> Iterator[str]:
    """Failures of a page, and red boxes that it should not show."""
    if seen.page.get_by_test_id("stException").count():
        yield "it failed"
    page = name.partition("-")[0]
    for one in seen.page.get_by_test_id("stAlertContentError").all():
        text = one.inner_text()
        if not text.startswith(ERRORS.get(page, ())):
            yield f"it says in red: {text}"


def unless_drawn(seen: Window, label: str) -> Iterator[str]:
    """Wait until a page says something; what is wrong where it does not."""
    from playwright.sync_api import TimeoutError as TooLate

    try:
        seen.page.wait_for_function(DRAWN)
    except TooLate:
        yield f"{label}: it is empty or not done: {seen.page.get_by_test_id('stMain').inner_text()}"


def tabs_of(seen: Window, name: str, scheme: str, width: int) -> Iterator[str]:
    """Pictures of each tab of the page that is open, or of the page; gives what is wrong."""
    seen.page.wait_for_function(READY)
    yield from unless_drawn(seen, name)
    tabs: list[Locator | None] = [*seen.page.get_by_test_id("stMain").get_by_role("tab").all()]
    for tab in tabs or [None]:
        label = name
        if tab is not None:
            tab.click()
            label = f"{name}-{tab.inner_text().lower().replace(' ', '_')}"
            # What it showed before is there for a moment yet.
            yield from unless_drawn(seen, label)
            seen.page.wait_for_function(READY)
        yield from unless_drawn(seen, label)
        yield from keep(seen, label, scheme, width)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_can_be_read_in_either_theme_wide_and_narrow(
    opened: Opener, lab: Lab, at_work: dict[str, str], scheme: str, width: int
) -> None:
    nobody = opened(width=width, height=HEIGHT, scheme=scheme)
    nobody.page.goto(lab.console_url)
    nobody.page.get_by_label("Name").wait_for()
    wrong = keep(nobody, "login", scheme, width)
    seen = opened("ada", width=width, height=HEIGHT, scheme=scheme)
    for page in PAGES:
        shown = f"?campaign={at_work[SHOWS[page.name]]}" if page.name in SHOWS else ""
        seen.open(("" if page is PAGES[0] else page.name) + shown)
        seen.heading(page.title)
        seen.page.get_by_text("up to date").wait_for()
        if page.name == "live_run":
            seen.page.locator(".deck .card").first.wait_for()
            seen.page.locator(".devices tbody tr").first.wait_for()
        wrong += tabs_of(seen, page.name, scheme, width)
    assert not wrong, "\n".join(wrong)


def test_an_approver_sees_what_is_to_be_said_yes_to(opened: Opener, at_work: dict[str, str]) -> None:
    wrong = []
    for scheme, width in LOOKS:
        seen = opened("grace", width=width, height=HEIGHT, scheme=scheme)
        seen.open("approve")
        seen.page.get_by_role("button", name="Approve").wait_for()
        wrong += keep(seen, "approve-approver", scheme, width)
    assert not wrong, "\n".join(wrong)
