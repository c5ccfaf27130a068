"""What is arranged from a desk: campaigns by the clock, the order of those that wait, and who may act here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.client import Client, Refused
from tests.browser.conftest import Opener
from tests.browser.gestures import choose, open_box, shown_in_table, switch, write, write_day
from tests.browser.rig import PASSWORD, Lab, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "max"
FULL_NAME = ":material/home: *Hedy* $x^2$ {{7*7}} <script>alert(1)</script> ![x](http://localhost:1/x.png)"


def furnish(folder: Path) -> None:
    """Two campaigns that are over in seconds."""
    for name in ("nightly", "evening"):
        file = write_campaign(
            folder, name, workcell=f"{name}_bench.yaml", budget=4, batch_size=4, baseline="null"
        )
        file.write_text(file.read_text(encoding="utf-8").replace("adaptive", "grid"), encoding="utf-8")


def hand_in(lab: Lab, name: str, **more: Any) -> None:
    with lab.client("ada") as client:
        client.submit((lab.folder / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", **more)


@pytest.fixture(scope="module")
def by_the_clock(lab: Lab) -> str:
    """A campaign that was handed in and has run once; gives its name."""
    hand_in(lab, "nightly")
    until("it is over", lambda: lab.campaign("nightly").get("status") == "finished")
    return "nightly"


@pytest.fixture(scope="module")
def waiting(lab: Lab) -> str:
    """A campaign that is held back in the queue; gives its name."""
    hand_in(lab, "evening", held=True)
    return "evening"


def fired(lab: Lab) -> list[Any]:
    """What the clock has begun."""
    with lab.client("vera") as client:
        return [one for one in client.calendar()["entries"] if one["kind"] == "fired"]


def test_a_campaign_is_put_on_the_clock(opened: Opener, lab: Lab, by_the_clock: str) -> None:
    seen = opened("ada")
    seen.go("Schedule")
    seen.page.get_by_role("tab", name="By the clock").click()
    seen.says("No campaign begins by the clock.")
    open_box(seen.page, "Have a campaign begin by the clock")
    write(seen.page, "When (cron)", "0 25 * * *")
    seen.says("'25' is no hour of a cron expression.")
    write(seen.page, "When (cron)", "* * * * *")
    write(seen.page, "By the clock of", "UTC")
    seen.page.get_by_role("button", name="Have it begin so").click()
    seen.says("Made by ada.")


def test_those_that_wait_are_put_first_held_back_and_given_a_moment(
    opened: Opener, lab: Lab, waiting: str
) -> None:
    seen = opened("ada")
    seen.go("Queue")
    seen.says(f"{waiting}: held")
    seen.page.get_by_role("button", name="Sooner").click()
    seen.says("priority 1")
    open_box(seen.page, "Start at")
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    write_day(seen.page, "Day (UTC)", tomorrow)
    seen.page.get_by_role("button", name="Not before this").click()
    seen.says(f"not before {tomorrow} 06:00 UTC")
    seen.page.get_by_role("button", name="Release").click()
    seen.says(f"{waiting}: waits for its turn")
    assert not lab.campaign(waiting)  # its moment has not come
    seen.page.get_by_role("button", name="As soon as possible").click()
    until("it has run", lambda: lab.campaign(waiting).get("status") == "finished")


def test_somebody_is_added_named_as_they_write_themselves_and_locked_out(opened: Opener, lab: Lab) -> None:
    seen, hers = opened("ada"), opened()
    seen.go("Users")
    seen.page.get_by_role("tab", name="Add somebody").click()
    form = seen.page.get_by_test_id("stForm").filter(has_text="It is a program")
    for label, text in (("Name", "hedy"), ("Full name", FULL_NAME), ("Password", PASSWORD)):
        form.get_by_label(label, exact=True).fill(text)
    form.get_by_role("button", name="Add", exact=True).click()
    seen.says("hedy is added.")
    hers.log_in("hedy")
    hers.says(FULL_NAME)
    assert not hers.page.get_by_role("link", name="Users").count()
    seen.page.get_by_role("tab", name="People and programs").click()
    choose(seen.page, "Change", "hedy")
    switch(seen.page, "May act here")
    seen.page.get_by_role("button", name="Change", exact=True).click()
    seen.says("hedy is changed.")
    hers.page.get_by_test_id("stSidebarNav").get_by_role("link", name="Queue").click()
    hers.page.get_by_role("button", name="Log in").wait_for()
    assert not hers.page.get_by_role("link", name="Queue").count()


def test_a_token_is_shown_once_and_opens_what_it_is_good_for(opened: Opener, lab: Lab) -> None:
    seen = opened("ada")
    seen.go("Users")
    seen.page.get_by_role("tab", name="Tokens").click()
    open_box(seen.page, "Make a token for a program or a script")
    write(seen.page, "What for", "the plate reader's script")
    seen.page.get_by_role("button", name="Make it").click()
    seen.says("It is shown this once.")
    secret = seen.page.get_by_test_id("stCode").inner_text().strip()
    shown_in_table(seen.page, "the plate reader's script")
    with Client(lab.service_url, secret) as script:
        assert script.me()["person"]["name"] == "ada"
        with pytest.raises(Refused, match="good for: see"):
            script.submit("name: x", "x.yaml")
    seen.page.reload()
    seen.heading("Users")
    seen.page.get_by_role("tab", name="Tokens").click()
    shown_in_table(seen.page, "the plate reader's script")
    assert secret not in seen.page.content()


def test_the_clock_begins_it_and_the_calendar_says_so(opened: Opener, lab: Lab, by_the_clock: str) -> None:
    seen = opened("ada")
    until("its minute comes", lambda: fired(lab), 100.0)
    seen.go("Schedule")
    seen.says("Each bar is a step")
    seen.page.get_by_role("tab", name="Calendar").click()
    shown_in_table(seen.page, "was handed in")
    shown_in_table(seen.page, "begins")
    seen.page.get_by_role("tab", name="By the clock").click()
    seen.page.get_by_role("button", name="Remove").click()
    seen.says("No campaign begins by the clock.")
    with lab.client("ada") as client:
        assert not client.schedules()
