"""The pages that watch, beside a campaign that runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.console_lab import ConsoleLab, until


def draw(name: str, url: str, token: str, campaign: str) -> None:
    from importlib import import_module

    import streamlit as st

    from ui.parts.session import lab_of

    if campaign:
        st.query_params["campaign"] = campaign
    import_module(f"ui.pages.{name}").page(lab_of(url, token))


def shown(name: str, lab: ConsoleLab, token: str, campaign: str = "") -> AppTest:
    """A page as somebody sees it."""
    page = AppTest.from_function(draw, args=(name, lab.url, token, campaign), default_timeout=60)
    page.run()
    assert not page.exception, page.exception
    return page


def words(page: AppTest) -> str:
    """All that it says."""
    kinds = (
        page.title,
        page.subheader,
        page.markdown,
        page.caption,
        page.error,
        page.warning,
        page.info,
        page.success,
    )
    shown = "\n".join(str(one.value) for kind in kinds for one in kind)
    return shown.replace("\\", "")  # which keeps what somebody wrote from being Markdown


def press(page: AppTest, label: str) -> None:
    next(one for one in page.button if one.label == label).click().run()
    assert not page.exception, page.exception


@pytest.fixture(scope="module")
def campaign(lab: ConsoleLab) -> str:
    """Under way until a test stops it."""
    found = lab.submit("watched", budget=96, batch_size=12)
    with lab.log_in() as ada:
        until("it has steps", lambda: (ada.campaign(found)["live"] or {}).get("steps"))
    return found


def live(lab: ConsoleLab, campaign: str) -> Mapping[str, Any]:
    with lab.log_in() as ada:
        return dict(ada.campaign(campaign)["live"] or {})


def test_the_overview_tells_what_runs_on_what_and_how_far_it_is(console: ConsoleLab, campaign: str) -> None:
    with console.log_in("vera") as vera:
        said = words(shown("overview", console, vera.token))
    assert f"[watched](live_run?campaign={campaign})" in said
    assert "TWIN" in said
    assert "REAL" not in said
    steps = live(console, campaign)["steps"]
    assert f"of {steps}" in said


def test_devices_tell_what_they_are(console: ConsoleLab, campaign: str) -> None:
    with console.log_in("vera") as vera:
        page = shown("devices", console, vera.token)
        (bench,) = (one for one in vera.get("/benches") if one["at_work"])
        roles = {one["role"] for one in vera.get(f"/benches/{bench['id']}/devices")}
    instruments = page.dataframe[0].value
    assert set(instruments["instrument"]) == roles
    assert set(instruments["is"]) == {"twin"}
    assert set(instruments["connected"]) == {"yes"}


def test_where_nothing_went_wrong_the_page_of_faults_says_so(console: ConsoleLab, campaign: str) -> None:
    with console.log_in("ada") as ada:
        said = words(shown("faults", console, ada.token, campaign))
    assert "Every step of this campaign went as it was told to." in said


def test_the_audit_tells_who_handed_a_campaign_in(console: ConsoleLab, campaign: str) -> None:
    with console.log_in("ada") as ada:
        page = shown("faults", console, ada.token, campaign)
    tables = [table.value for table in page.dataframe if "who" in table.value.columns]
    assert any("ada" in str(table["who"].tolist()) for table in tables)


def test_the_account_tells_what_one_may_do(console: ConsoleLab) -> None:
    with console.log_in("vera") as vera:
        said = words(shown("account", console, vera.token))
    assert "**Vera** (viewer)" in said
