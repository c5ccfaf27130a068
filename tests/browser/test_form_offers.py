"""What the form of a campaign offers, and what nobody who asks may say yes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import Opener
from tests.browser.gestures import write
from tests.browser.rig import PASSWORD, Lab, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "30"
"""Nothing that is handed in here is over before it is looked at."""


def furnish(folder: Path) -> None:
    """Workcells and tables that a form names, and one campaign file, which is none of them."""
    write_campaign(folder, "films", workcell="films_bench.yaml", like="stable_film")
    write_campaign(folder, "promoters", workcell="promoters_bench.yaml", like="strong_lac_promoter").unlink()


def test_the_menu_of_workcells_offers_no_campaigns(opened: Opener) -> None:
    seen = opened("ada")
    seen.go("New campaign")
    seen.page.get_by_role("combobox", name="Workcell", exact=True).click()
    seen.page.get_by_role("option").first.wait_for()
    offered = seen.page.get_by_role("option").all_inner_texts()
    assert sorted(offered) == ["films_bench.yaml", "promoters_bench.yaml"]


def test_an_approver_who_asks_for_something_cannot_say_yes_to_it(opened: Opener, lab: Lab) -> None:
    person = {"name": "ida", "password": PASSWORD, "roles": ["scientist", "approver"]}
    path = lab.folder / "films.yaml"
    text = path.read_text().replace("name: films", "name: her_own")
    with lab.client("ada") as ada:
        ada.post("/people", person)
    with lab.client("ida") as ida:
        ida.submit(f"{text}\napproval:\n  start: true\n", path.name, baseline=False)
    seen = opened("ida")
    seen.open("approve")
    seen.says("You asked for this yourself, so somebody else approves it.")
    assert seen.page.get_by_role("button", name="Approve", exact=True).is_disabled()
    write(seen.page, "Why", "It was too early.")
    seen.page.get_by_role("button", name="Take back", exact=True).click()
    with lab.client("ida") as ida:
        until("nothing waits any more", lambda: not ida.approvals("waiting"))
