"""The console beside a campaign that runs: logging in, watching, pausing, stopping, and what happens when things go away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Route

from tests.browser.conftest import Opener
from tests.browser.rig import PASSWORD, Lab, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "120"


def furnish(folder: Path) -> None:
    write_campaign(folder, "watched", budget=96, batch_size=12, baseline="null")


@pytest.fixture(scope="module")
def watched(lab: Lab) -> str:
    """A campaign that runs for as long as this module; gives its identifier."""
    with lab.client("ada") as client:
        text = (lab.folder / "watched.yaml").read_text(encoding="utf-8")
        client.submit(text, "watched.yaml")
    until("the campaign runs", lambda: (lab.campaign("watched").get("live") or {}).get("step"))
    return str(lab.campaign("watched")["id"])


def status(lab: Lab) -> str:
    return str(lab.campaign("watched")["status"])


def lab_time_s(lab: Lab) -> float:
    """What its bench's clock says; 0 while it isn't at work."""
    return float((lab.campaign("watched")["live"] or {}).get("lab_time_s", 0.0))


def test_a_wrong_password_is_refused_with_a_sentence(opened: Opener) -> None:
    seen = opened()
    seen.page.goto(seen.lab.console_url)
    seen.page.get_by_label("Name").fill(
        "grace"
    )  # who logs in nowhere else: after a failure the next login has to wait
    seen.page.get_by_label("Password", exact=True).fill("not " + PASSWORD)
    seen.page.get_by_role("button", name="Log in").click()
    seen.says("Name or password is wrong.")


def test_what_runs_is_told_on_every_page_and_a_reload_keeps_the_login(opened: Opener, watched: str) -> None:
    seen = opened("ada")
    seen.page.get_by_text("TWIN", exact=True).first.wait_for()
    for title in ("Devices", "Queue", "Schedule", "Results", "My account"):
        seen.go(title)
        assert seen.page.get_by_role("button", name="Stop", exact=True).is_visible()
    seen.page.reload()
    seen.heading("My account")


def test_a_campaign_is_paused_and_goes_on_from_its_page(opened: Opener, lab: Lab, watched: str) -> None:
    seen = opened("ada")
    seen.open(f"live_run?campaign={watched}")
    seen.heading("Live run")
    seen.page.get_by_text("deck_tips_1").first.wait_for()
    seen.page.get_by_role("button", name="Pause").click()
    until("it is paused", lambda: (lab.campaign("watched")["live"] or {}).get("paused"))
    seen.page.get_by_role("button", name="Go on").click()
    until("it goes on", lambda: not (lab.campaign("watched")["live"] or {"paused": True})["paused"])


def test_a_pause_is_told_before_anybody_has_answered(opened: Opener, lab: Lab, watched: str) -> None:
    seen = opened("ada")
    seen.open(f"live_run?campaign={watched}")
    asked: list[Route] = []

    def hold(route: Route) -> None:
        """Keep it from the console's server until the test lets it go."""
        asked.append(route)

    seen.page.route("**/live/steer", hold)
    button = seen.page.get_by_role("button", name="Pause")
    button.focus()
    seen.page.keyboard.press("Enter")
    seen.says("Asking it to pause ...")
    while not asked:
        seen.page.wait_for_timeout(20)  # in which the page's own messages come in
    (route,) = asked
    assert not lab.campaign("watched")["live"]["pausing"]
    route.continue_()
    seen.says("watched pauses after the step under way.")
    seen.page.get_by_role("button", name="Go on").wait_for()
    seen.page.unroute("**/live/steer")
    # The focus is where it was, and the key that the button tells does the same.
    assert seen.page.locator(".state button:focus").inner_text().startswith("Go on")
    seen.page.keyboard.press("Alt+g")
    seen.says("watched goes on.")
    seen.page.get_by_role("button", name="Pause").wait_for()


def test_who_comes_late_reads_what_happened_before_and_nothing_twice(
    opened: Opener, lab: Lab, watched: str
) -> None:
    early = opened("ada")
    early.open(f"live_run?campaign={watched}")
    lines = ".log .line"
    early.page.locator(lines).nth(3).wait_for()
    early.page.get_by_role("button", name="Pause").click()
    until("it is paused", lambda: (lab.campaign("watched")["live"] or {}).get("paused"))
    with lab.client("ada") as client:
        happened = client.get(f"/campaigns/{watched}/log", most=100)
    assert {"batch", "run", "step"} <= {one["kind"] for one in happened}
    late = opened("ada")
    late.open(f"live_run?campaign={watched}")
    late.page.locator(lines).nth(3).wait_for()
    for seen in (early, late):
        until("all is shown", lambda seen=seen: seen.page.locator(lines).count() == len(happened))
    assert early.page.locator(".log").inner_text() == late.page.locator(".log").inner_text()
    early.page.get_by_role("button", name="Go on").click()
    until("it goes on", lambda: not (lab.campaign("watched")["live"] or {"paused": True})["paused"])


def test_others_see_a_pause_too(opened: Opener, lab: Lab, watched: str) -> None:
    ada, vera = opened("ada"), opened("vera")
    for seen in (ada, vera):
        seen.open(f"live_run?campaign={watched}")
    vera.page.get_by_text("running", exact=True).wait_for()
    ada.page.get_by_role("button", name="Pause").click()
    vera.page.get_by_text("paused", exact=True).wait_for()
    newest = vera.page.locator(".log .line")
    until("she reads who did", lambda: "Paused by ada." in " ".join(newest.all_inner_texts()[:4]))
    ada.page.get_by_role("button", name="Go on").click()
    vera.page.get_by_text("running", exact=True).wait_for()


def test_a_campaign_that_was_stopped_meanwhile_is_not_paused_but_that_is_told(
    opened: Opener, lab: Lab, watched: str
) -> None:
    seen = opened("ada")
    seen.open(f"live_run?campaign={watched}")
    stale = {"campaign": watched, "what": "pause", "expected": "held"}  # what an old page would send
    seen.page.route("**/live/steer", lambda route: route.continue_(post_data=json.dumps(stale)))
    seen.page.get_by_role("button", name="Pause").click()
    seen.says("watched is running by now, not held. Look at it again.")
    assert not lab.campaign("watched")["live"]["pausing"]


def test_who_may_only_look_is_offered_nothing_but_stopping(opened: Opener, lab: Lab, watched: str) -> None:
    seen = opened("vera", width=420, height=850)
    seen.open(f"live_run?campaign={watched}")
    seen.page.get_by_role("button", name="Stop this one").wait_for()
    seen.page.get_by_text("deck_tips_1").first.wait_for()
    assert not seen.page.get_by_role("button", name="Pause").count()
    seen.page.keyboard.press("Alt+p")
    seen.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert not until("it is at work", lambda: lab.campaign("watched")["live"])["pausing"]


def test_the_band_stops_everything_and_the_page_resumes_it(opened: Opener, lab: Lab, watched: str) -> None:
    seen = opened("ada")
    seen.page.get_by_role("button", name="Stop", exact=True).click()
    until("it stops", lambda: status(lab) == "stopped")
    seen.page.get_by_text("NOTHING RUNS").wait_for()
    seen.open(f"live_run?campaign={watched}")
    seen.page.get_by_role("button", name="Resume").click()
    until("it goes on", lambda: status(lab) == "running")


def test_a_closed_window_changes_nothing(opened: Opener, lab: Lab, watched: str) -> None:
    seen = opened("ada")
    seen.page.close()
    before = until("it is at work", lambda: lab_time_s(lab))
    until("time goes on", lambda: lab_time_s(lab) > before)
    assert status(lab) == "running"


def test_a_service_that_was_killed_is_told_of_and_goes_on_when_it_is_back(
    opened: Opener, lab: Lab, watched: str
) -> None:
    seen = opened("ada")
    lab.kill_service()
    seen.page.get_by_text("no answer from the service").wait_for()
    lab.start_service()
    seen.page.get_by_text("up to date").wait_for()
    until("it goes on", lambda: goes_on(lab))
    seen.page.get_by_text("TWIN", exact=True).first.wait_for()


def goes_on(lab: Lab) -> bool:
    """Whether it works again; what it asks of a person is answered: a pipettor may not know what a cut-off step did."""
    with lab.client("ada") as client:
        waiting = client.get("/steps/waiting")
        for step in waiting:
            client.resolve(step["id"], "discard", why="the service was killed in it")
        campaign = lab.campaign("watched")
        if campaign["status"] == "held" and not waiting:
            client.resume(campaign["id"])
    return lab_time_s(lab) > 0
