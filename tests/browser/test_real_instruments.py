"""A bench that is no twin: every page says REAL. People are its instruments, as they can be had without buying any.

Pictures in both themes stay under ``build/screenshots``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Opener
from tests.browser.rig import Lab, until
from tests.campaign_files import REPOSITORY
from tests.devices.person.bench import write_bench
from ui.app import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "max"
NAME = "by_people"
PICTURES = REPOSITORY / "build" / "screenshots"
WHERE = {
    "overview": "REAL INSTRUMENTS",
    "live_run": "(REAL INSTRUMENTS)",
    "devices": "REAL INSTRUMENTS",
    "results": "REAL INSTRUMENTS",
}
"""Page -> what it says itself, beside the bar at its foot."""


def furnish(folder: Path) -> None:
    write_bench(folder)


@pytest.fixture(scope="module")
def under_way(lab: Lab) -> str:
    """A campaign that waits for people to do what its first worklist says; gives its identifier."""
    path = lab.folder / "campaign.yaml"
    with lab.client("ada") as ada:
        ada.submit(path.read_text(encoding="utf-8"), path.name, baseline=False)
    until("it is at work", lambda: lab.campaign(NAME).get("live"))
    return str(lab.campaign(NAME)["id"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_says_that_real_instruments_are_at_work(
    opened: Opener, under_way: str, scheme: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    seen = opened("ada", scheme=scheme)
    for page in PAGES:
        seen.open("" if page is PAGES[0] else f"{page.name}?campaign={under_way}")
        seen.heading(page.title)
        band = seen.page.get_by_role("region", name="What runs, and stopping")
        band.get_by_text("REAL INSTRUMENTS", exact=True).wait_for()
        assert seen.page.locator(".bar.real").count()
        if page.name in WHERE:
            said = seen.page.get_by_test_id("stMain").get_by_text(WHERE[page.name]).first
            said.wait_for()
        if page.name == "live_run":
            seen.page.locator(".deck > .card").first.wait_for()
        seen.page.screenshot(path=PICTURES / f"real-{page.name}-{scheme}-1280.png")


def test_a_dry_try_says_that_it_would_move_real_instruments(opened: Opener, lab: Lab, under_way: str) -> None:
    seen = opened("ada")
    seen.go("New campaign")
    seen.page.get_by_text("From a file", exact=True).click()
    seen.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(lab.folder / "campaign.yaml")
    seen.page.get_by_label("Where it would stand", exact=True).fill("campaign.yaml")
    seen.page.get_by_label("Where it would stand", exact=True).press("Tab")
    seen.page.get_by_role("button", name="Try it out dry").click()
    seen.says("REAL INSTRUMENTS")
