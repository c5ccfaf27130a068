"""A campaign from an empty form to its first plate: filled in, tried out dry, handed in, approved, edited and watched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Opener
from tests.browser.gestures import choose, open_box, shown_in_table, switch, write
from tests.browser.rig import PASSWORD, Lab, Window, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "30"
"""A run takes hours of lab time, so it takes minutes here and can't end before it is looked at."""

NAME = "from_the_form"
PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"


def furnish(folder: Path) -> None:
    """The files that a form names; no campaign file."""
    write_campaign(folder, workcell="workcell.yaml").unlink()


def fill_in(seen: Window, name: str) -> None:
    """The form as a scientist leaves it."""
    seen.go("New campaign")
    write(seen.page, "Name", name)
    choose(seen.page, "Protocol", "thermal challenge")
    choose(seen.page, "Planner", "random")
    open_box(seen.page, "Where candidates are sequences")
    write(seen.page, "Parent", PARENT)
    write(seen.page, "Budget (experiments)", "12")
    write(seen.page, "At a time", "4")
    open_box(seen.page, "What needs a person's word")
    switch(seen.page, "Its start")
    switch(seen.page, "Every batch")


def try_out(seen: Window) -> None:
    seen.page.get_by_role("button", name="Try it out dry").click()


def waiting(lab: Lab, kind: str) -> Any:
    """What waits for a person, of this kind."""
    with lab.client("grace") as client:
        return [one for one in client.approvals("waiting") if one["kind"] == kind]


def requested(lab: Lab, kind: str) -> Any:
    """The one request of this kind, once it is there."""
    (one,) = until(f"{kind} waits for a person", lambda: waiting(lab, kind))
    return one


def decide(seen: Window, button: str, why: str) -> None:
    write(seen.page, "Why", why)
    seen.page.get_by_role("button", name=button, exact=True).click()


def live(lab: Lab) -> Any:
    """How its run goes; empty where none does."""
    return lab.campaign(NAME)["live"] or {}


def test_a_form_says_what_is_wrong_at_its_field_and_the_campaign_is_tried_out_and_handed_in(
    opened: Opener, lab: Lab
) -> None:
    seen = opened("ada")
    fill_in(seen, "not a name")
    try_out(seen)
    seen.says("A field has to be changed first; it is said there.")
    above = seen.page.get_by_text("'not a name' can't be the name of a campaign.").bounding_box()
    below = seen.page.get_by_role("combobox", name="Workcell", exact=True).bounding_box()
    assert above
    assert below
    assert above["y"] < below["y"]
    write(seen.page, "Name", NAME)
    try_out(seen)
    seen.says(f"{NAME} can be carried out, on a twin")
    seen.says("First of 3 batches.")
    seen.page.get_by_role("button", name="Hand it in").click()
    seen.says("It waits for approval.")


def test_who_handed_it_in_may_look_at_the_request_and_no_more(opened: Opener, lab: Lab) -> None:
    requested(lab, "start")
    seen = opened("ada")
    seen.go("Approve")
    seen.says("You may look at this. An approver decides.")
    assert not seen.page.get_by_role("button", name="Approve", exact=True).count()


def test_another_approves_its_start_and_sends_the_first_batch_back_with_a_reason(
    opened: Opener, lab: Lab
) -> None:
    seen = opened("grace")
    seen.go("Approve")
    seen.says("Asked by ada")
    decide(seen, "Approve", "It looks fine.")
    first = requested(lab, "batch")
    seen.says(f"{NAME}: Batch {first['batch']}")  # by itself: nobody has to load the page anew
    assert seen.page.get_by_role("button", name="Reject", exact=True).is_disabled()
    decide(seen, "Reject", "All of it <b>*near*</b> $x^2$ the *same* loop.")
    until(
        "another batch waits", lambda: [one["id"] for one in waiting(lab, "batch")] not in ([], [first["id"]])
    )
    with lab.client("grace") as client:
        assert client.approval(first["id"])["status"] == "rejected"


def test_a_candidate_of_a_persons_own_is_an_experiment_of_its_own(opened: Opener, lab: Lab) -> None:
    asked = requested(lab, "batch")
    chosen = [one["candidate_id"] for one in asked["experiments"] if not one["taken_back"]]
    own = next(one for one in ("T16I", "L12K", "D47Q", "T16L", "D46K") if one not in chosen)
    seen = opened("grace")
    seen.go("Approve")
    open_box(seen.page, "Put a candidate of your own")
    write(seen.page, "Candidate", own)
    write(seen.page, "Why this one", "It *was* $good$ on :material/home: another bench.")
    seen.page.get_by_role("button", name="Put it in").click()
    seen.says("It is in the batch, which goes on waiting for a yes.")
    seen.says("grace changed this batch: It *was* $good$ on :material/home: another bench.")
    shown_in_table(seen.page, own)
    decide(seen, "Approve", "")
    seen.says("Approved; the campaign goes on.")
    until("its run is at work", lambda: live(lab).get("step"))
    with lab.client("vera") as client:
        every = client.experiments(asked["campaign_id"])
    (mine,) = [one for one in every if one["candidate_id"] == own]
    assert mine["batch"] == asked["batch"]
    assert mine["why"].startswith("grace chose it in the place of")


def test_a_run_is_watched_and_paused_and_all_see_the_same(opened: Opener, lab: Lab) -> None:
    seen, other = opened("ada"), opened("vera")
    for one in (seen, other):
        one.go("Live run")
    tips = seen.page.locator(".card", has_text="deck_tips_1").locator(".foot")
    tips.get_by_text("of 96 tips").wait_for()
    until("tips are used", lambda: not tips.inner_text().startswith("96 of 96"))
    wet = seen.page.locator(".card", has_text="deck_plate").locator(".wet")
    until("a plate on the deck holds something", wet.count)
    seen.page.keyboard.press("Alt+p")
    until("it is paused", lambda: live(lab).get("paused"))
    told = live(lab)
    for one in (seen, other):
        one.page.get_by_text("paused", exact=True).wait_for()
        one.says(f"{told['step']} of {told['steps']}")
        assert one.page.locator(".track").get_attribute("aria-valuenow") == str(told["step"])
    until("both see the same deck", lambda: deck(seen) == deck(other))


def deck(seen: Window) -> list[str]:
    """What the deck map tells, place by place."""
    return seen.page.locator(".card").all_inner_texts()


def test_who_comes_by_an_address_logs_in_first_and_sees_no_menu_before(opened: Opener, lab: Lab) -> None:
    seen = opened()
    seen.open(f"live_run?campaign={lab.campaign(NAME)['id']}")
    seen.page.get_by_label("Name", exact=True).wait_for()
    assert not seen.page.get_by_role("link", name="Devices").count()
    seen.page.get_by_label("Name", exact=True).fill("vera")
    seen.page.get_by_label("Password", exact=True).fill(PASSWORD)
    seen.page.get_by_role("button", name="Log in").click()
    seen.heading("Live run")
    seen.page.get_by_text("paused", exact=True).wait_for()


def test_a_telephone_lets_it_go_on_pauses_and_stops_it(opened: Opener, lab: Lab) -> None:
    seen = opened("ada", width=420, height=850)
    seen.open(f"live_run?campaign={lab.campaign(NAME)['id']}")
    step = live(lab)["step"]
    seen.page.get_by_role("button", name="Go on").click()
    until("it goes on", lambda: live(lab).get("step", 0) > step)
    seen.page.get_by_role("button", name="Pause").click()
    until("it is paused", lambda: live(lab).get("paused"))
    seen.page.get_by_role("button", name="Stop", exact=True).click()
    until("it is stopped", lambda: lab.campaign(NAME)["status"] == "stopped")
    seen.page.get_by_text("NOTHING RUNS").wait_for()


def test_it_is_resumed_and_a_key_stops_it_from_any_page(opened: Opener, lab: Lab) -> None:
    seen = opened("ada")
    seen.go("Live run")
    seen.page.get_by_role("button", name="Resume").click()
    until("it goes on", lambda: live(lab).get("step"))
    seen.go("Samples")
    seen.page.get_by_text("TWIN", exact=True).first.wait_for()
    seen.page.keyboard.press("Alt+s")
    until("it is stopped", lambda: lab.campaign(NAME)["status"] == "stopped")


def test_a_console_whose_service_is_gone_is_grey_and_says_how_old_it_is(opened: Opener, lab: Lab) -> None:
    seen = opened("vera")
    lab.kill_service()
    seen.page.locator(".bar.stale").wait_for()
    seen.page.get_by_text(re.compile(r"no answer from the service; as of \d+ s ago")).wait_for()
    lab.start_service()
    seen.page.get_by_text("up to date").wait_for()
    assert not seen.page.locator(".bar.stale").count()
    seen.says(NAME)
