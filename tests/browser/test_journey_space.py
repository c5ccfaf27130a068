"""A campaign over a space, filled in on the form: amounts of a mixture, their sums, sites of a sequence, and models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser.conftest import Opener
from tests.browser.gestures import choose, fill_table, offered, open_box, write
from tests.browser.rig import Lab, Window, until
from tests.campaign_files import write_campaign

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PACE = "30"
"""Nothing that is handed in here is over before it is looked at."""

INKS = (("PCE10", "1", "0.4"), ("P3HT", "0.5", "0.3"), ("PCBM", "", "0.3"))
"""Ingredients, the most of each, and what the control has of them."""

PARENT = "TTGACAATTAATCATCGGCTCGTATAATGTGTGGA"


def furnish(folder: Path) -> None:
    """Workcells and tables that a form names, and one campaign file, which is none of them."""
    write_campaign(folder, "films", workcell="films_bench.yaml", like="stable_film")
    write_campaign(folder, "promoters", workcell="promoters_bench.yaml", like="strong_lac_promoter").unlink()


def box(seen: Window, title: str) -> Any:
    """A part of the form that is folded away, open."""
    open_box(seen.page, title)
    return seen.page.get_by_test_id("stExpander").filter(has_text=title)


def begin(seen: Window, name: str, workcell: str, protocol: str) -> None:
    seen.go("New campaign")
    write(seen.page, "Name", name)
    choose(seen.page, "Workcell", workcell)
    choose(seen.page, "Protocol", protocol)
    seen.page.get_by_text("A space of values", exact=True).click()
    seen.says("A row for each value")


def written(seen: Window) -> Any:
    """The campaign file that the form makes."""
    code = box(seen, "The campaign file that this makes").get_by_test_id("stCode")
    return until("the file is shown", lambda: yaml.safe_load(code.inner_text()))


def test_a_mixture_is_filled_in_refused_at_its_field_mended_and_handed_in(opened: Opener, lab: Lab) -> None:
    seen = opened("ada")
    begin(seen, "blends", "films_bench.yaml", "film ageing")
    choose(seen.page, "Wanted", "as little as possible")
    amounts = box(seen, "Amounts that make up a whole")
    fill_table(amounts, INKS)
    sums = box(seen, "Sums that must keep to bounds")
    fill_table(sums, [("PCE10, PCBM: 2", "", "0.2")])
    choose(seen.page, "Planner", "random")
    write(seen.page, "Budget (experiments)", "8")
    write(seen.page, "At a time", "4")

    def space() -> Any:
        return written(seen)["space"]

    until("the sum is in the file", lambda: space().get("constraints"))
    assert space()["mixture"] == {
        "ingredients": ["PCE10", "P3HT", "PCBM"],
        "total": 1,
        "most": {"PCE10": 1, "P3HT": 0.5},
    }
    assert space()["constraints"] == [{"sum": {"PCE10": 1, "PCBM": 2}, "at_most": 0.2}]
    assert space()["reference"]["values"] == {"PCE10": 0.4, "P3HT": 0.3, "PCBM": 0.3}
    seen.page.get_by_role("button", name="Try it out dry").click()
    seen.says("A field has to be changed first; it is said there.")
    fill_table(sums, [("PCE10, PCBM: 2", "", "1.5")])
    until("the bound is another", lambda: space()["constraints"][0]["at_most"] == 1.5)
    seen.page.get_by_role("button", name="Try it out dry").click()
    seen.says("At the edge of the space")  # too little of an ingredient to be pipetted
    write(seen.page, "At least, where any", "0.05")
    until("the least is in the file", lambda: space()["mixture"].get("least") == 0.05)
    seen.page.get_by_role("button", name="Try it out dry").click()
    seen.says("blends can be carried out, on a twin")
    told = written(seen)
    seen.page.get_by_role("button", name="Hand it in").click()
    seen.says("blends is handed in.")
    campaign = until("the campaign is there", lambda: lab.campaign("blends"))
    with lab.client("vera") as client:
        every = until("its first batch is chosen", lambda: client.experiments(campaign["id"]))
    for one in every:
        values = one["values"]
        assert sum(values[name] for name in told["space"]["mixture"]["ingredients"]) == pytest.approx(1)
        assert all(not 0 < values[name] < 0.05 for name in told["space"]["mixture"]["ingredients"])
        assert values["P3HT"] <= 0.5
        assert values["PCE10"] + 2 * values["PCBM"] <= 1.5 + 1e-9


def test_sites_of_a_sequence_are_filled_in_with_a_model_that_reads_its_letters(opened: Opener) -> None:
    seen = opened("ada")
    begin(seen, "sites", "promoters_bench.yaml", "reporter expression")
    box(seen, "Letters of a sequence")
    choose(seen.page, "Alphabet", "dna")
    write(seen.page, "Parent sequence", PARENT)
    write(seen.page, "Positions", "1, 2, 99")
    write(seen.page, "Changes at most", "2")
    box(seen, "What is known of candidates before")
    models = offered(seen.page, "Models", "sigma70")
    assert "enzyme optimum" not in models
    assert "substitution stability" not in models
    choose(seen.page, "Models", "sigma70")
    until("the model is in the file", lambda: written(seen).get("models"))
    document = written(seen)
    assert document["models"][0]["name"] == "sigma70"
    assert document["space"]["sites"] == {
        "alphabet": "dna",
        "parent": PARENT,
        "positions": [1, 2, 99],
        "at_most": 2,
    }
    seen.page.get_by_role("button", name="Try it out dry").click()
    seen.says("99")
    seen.says("it is said there.")
    write(seen.page, "Positions", "1, 2, 3")
    until("the positions are others", lambda: written(seen)["space"]["sites"]["positions"] == [1, 2, 3])
