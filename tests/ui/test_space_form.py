"""The form of a space: what is filled in is what a campaign file may have."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML
from streamlit.testing.v1 import AppTest

from lab.files.space import SpaceFields
from ui.parts import space_form
from ui.parts.campaign_text import campaign_text


def draw() -> None:
    import streamlit as st

    from ui.parts.space_form import space_form

    st.session_state.made = space_form(["protein", "dna"])


def drawn() -> AppTest:
    page = AppTest.from_function(draw, default_timeout=60).run()
    assert not page.exception, page.exception
    return page


def read(made: dict[str, Any]) -> SpaceFields:
    """As it is read out of the campaign file that the form makes."""
    return SpaceFields.model_validate(YAML(typ="safe").load(campaign_text(made))["space"], strict=False)


def test_an_empty_form_makes_no_parts() -> None:
    made = drawn().session_state.made["space"]
    assert (made["mixture"], made["sites"], made["constraints"]) == (None, None, [])


def test_sites_of_a_sequence_are_filled_in() -> None:
    page = drawn()
    page.text_area(key="form_site_parent").set_value("MTYKLILNGK\nTLKGE")
    page.text_input(key="form_positions").set_value("3, 4,7")
    page.text_input(key="form_site_letters").set_value("AVIL")
    page.number_input(key="form_changes").set_value(2)
    page.run()
    sites = page.session_state.made["space"]["sites"]
    assert sites == {
        "alphabet": "protein",
        "parent": "MTYKLILNGKTLKGE",
        "positions": [3, 4, 7],
        "letters": "AVIL",
        "at_most": 2,
    }
    told = read(page.session_state.made).sites
    assert told is not None
    assert told.positions == (3, 4, 7)


def test_a_mixture_and_sums_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = {  # tables can't be typed into without a browser
        "form_mixture": [
            {"ingredient": "glycerol", "most": 0.3, "reference": 0.1},
            {"ingredient": " sucrose "},
            {"ingredient": "water", "reference": 0.9},
            {"ingredient": ""},
        ],
        "form_constraints": [{"sum": "glycerol: 1, sucrose: 2", "at_most": 0.5}, {"sum": " "}],
    }
    monkeypatch.setattr(space_form, "rows_of", lambda key, columns: filled.get(key, []))
    made = drawn().session_state.made["space"]
    assert made["mixture"]["ingredients"] == ["glycerol", "sucrose", "water"]
    assert made["mixture"]["most"] == {"glycerol": 0.3}
    assert made["reference"]["values"] == {"glycerol": 0.1, "water": 0.9}
    told = read({"space": made})
    assert told.mixture is not None
    assert told.mixture.total == 1.0
    assert told.constraints[0].at_most == 0.5
    assert made["constraints"] == [{"sum": {"glycerol": 1.0, "sucrose": 2.0}, "at_most": 0.5}]


def test_what_is_no_number_is_left_for_the_service_to_tell() -> None:
    assert space_form._weights("a, b: much, : 3") == {"a": 1.0, "b": "much"}
