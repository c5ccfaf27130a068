"""What the planner believes, on the pages that show it: of a campaign that is over, and around candidates that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.campaign_files import write_campaign
from tests.ui.console_lab import ConsoleLab, running_lab, until
from tests.ui.test_deciding import field
from tests.ui.test_watching import draw, shown, words
from ui.parts import belief_charts


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleLab]:
    """A service with a campaign over blends that is over."""
    with running_lab(tmp_path_factory.mktemp("believing")) as running:
        running.submit("blends", like="stable_film", workcell="films.yaml", budget=12, batch_size=12)
        with running.log_in() as ada:
            until("it is over", lambda: ada.campaign("blends")["status"] == "finished")
        yield running


@pytest.fixture
def desk(fast: ConsoleLab, monkeypatch: pytest.MonkeyPatch) -> ConsoleLab:
    monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", fast.url)
    return fast


def figures(page: AppTest) -> list[Any]:
    """The figures of a page, as plotly is given them."""
    return [json.loads(one.proto.spec) for one in page.get("plotly_chart")]


def beliefs(desk: ConsoleLab, token: str, campaign: str) -> AppTest:
    """The results page with its tab of beliefs open, when they are there."""
    page = AppTest.from_function(draw, args=("results", desk.url, token, campaign), default_timeout=60)
    page.session_state["results_tab"] = "Beliefs"
    until("they are worked out", lambda: "being worked out" not in words(page.run()))
    assert not page.exception
    return page


def test_the_results_show_what_matters_and_a_slice_through_the_best(desk: ConsoleLab) -> None:
    with desk.log_in("vera") as vera:
        campaign = vera.campaign("blends")
        page = beliefs(desk, vera.token, campaign["id"])
        said = words(page)
        assert "What matters" in said
        assert "Whiskers are 95 % intervals" in said
        assert "What adaptive believes after" in said
        bars = next(one for one in figures(page) if one["data"][0]["type"] == "bar")
        assert set(bars["data"][0]["y"]) == {"PCE10", "P3HT", "PCBM", "oIDTBR"}
        assert any("the best so far" in [trace.get("name") for trace in one["data"]] for one in figures(page))
        field(page.selectbox, "Along").select("PCBM").run()
        assert not page.exception
        curve = next(one for one in figures(page) if any(t.get("name") == "expected" for t in one["data"]))
        assert curve["layout"]["xaxis"]["title"]["text"] == "PCBM"
        field(page.selectbox, "And along").select("oIDTBR").run()
        until("the map is worked out", lambda: "being worked out" not in words(page.run()))
        assert not page.exception
        assert any(trace["type"] == "heatmap" for one in figures(page) for trace in one["data"])


def test_where_the_tab_is_not_open_nothing_is_worked_out(desk: ConsoleLab) -> None:
    with desk.log_in("vera") as vera:
        page = shown("results", desk, vera.token, vera.campaign("blends")["id"])
        assert "What matters" not in words(page)


def test_around_a_candidate_that_waits_the_planner_says_what_it_expects(desk: ConsoleLab) -> None:
    file = write_campaign(desk.folder, "expects", budget=16, batch_size=8)
    text = file.read_text(encoding="utf-8") + "approval:\n  each_batch: true\n"
    with desk.log_in("ada") as ada, desk.log_in("grace") as grace:
        ada.submit(text, file.name, baseline=False)
        until("the first batch waits", lambda: grace.approvals("waiting"))
        first = shown("approve", desk, grace.token)
        assert "What the planner expects" not in words(first)  # it knows nothing yet
        (one,) = grace.approvals("waiting")
        grace.approve(one["id"], one["version"])
        until("the second waits", lambda: [each["batch"] for each in grace.approvals("waiting")] == [2])
        page = shown("approve", desk, grace.token)
        until("it is worked out", lambda: "being worked out" not in words(page.run()))
        assert not page.exception
        assert "by which it chose batch 2" in words(page)
        (one,) = grace.approvals("waiting")
        last = one["experiments"][-1]
        through = field(page.selectbox, "Through")
        assert list(through.options) == [each["candidate_id"] for each in one["experiments"]]
        through.select(last["id"]).run()
        until("it is worked out", lambda: "being worked out" not in words(page.run()))
        stars = [
            trace
            for figure in figures(page)
            for trace in figure["data"]
            if trace.get("name") == last["candidate_id"]
        ]
        assert [star["y"] for star in stars] == [[pytest.approx(last["predicted_mean"])]]


def test_a_planner_that_learns_nothing_is_said_to(desk: ConsoleLab) -> None:
    file = write_campaign(desk.folder, "blind", budget=4, batch_size=4, workcell="another.yaml")
    text = file.read_text(encoding="utf-8").replace("  name: adaptive", "  name: random")
    with desk.log_in("ada") as ada:
        ada.submit(text, file.name, baseline=False)
        until(
            "it is over", lambda: [one for one in ada.campaigns(status="finished") if one["name"] == "blind"]
        )
        page = beliefs(desk, ada.token, ada.campaign("blind")["id"])
        assert "The planner random learns no model" in words(page)
        assert not page.error


def told(**changes: Any) -> dict[str, Any]:
    """An answer of the service, made up."""
    axes = [
        {"name": "temperature_c", "kind": "number", "log": False, "values": [20.0, 40.0, 60.0]},
        {"name": "dose_mmol_l", "kind": "number", "log": True, "values": [0.1, 1.0, 10.0]},
    ]
    points = [
        {"at": [x], "mean": y, "sd": 0.1, "low": y - 0.2, "high": y + 0.2, "candidate_id": ""}
        for x, y in ((20.0, 1.0), (40.0, 2.0), (60.0, 1.5))
    ]
    near = {"experiment_id": "e", "candidate_id": "c", "at": [40.0], "value": 2.1, "standard_error": 0.1}
    return {
        "target": "yield_of_it",
        "targets": [{"name": "yield_of_it", "unit": "%", "wanted": "maximize"}],
        "level": 0.95,
        "axes": axes,
        "along": ["temperature_c"],
        "centre": {
            "candidate_id": "c",
            "what": "best",
            "at": {"temperature_c": 40.0},
            "mean": 2.0,
            "low": 1.8,
            "high": 2.2,
        },
        "points": points,
        "measured": [{**near, "apart": 0.1}, {**near, "apart": 0.8}, {**near, "apart": 1.0}],
        **changes,
    }


def test_results_near_a_slice_stand_out_and_those_at_the_other_end_are_left_out() -> None:
    figure = belief_charts.curve(told())
    traces = {trace.name: trace for trace in figure.data}
    assert list(traces["measured near it"].y) == [2.1]
    assert list(traces["measured farther off"].y) == [2.1]
    assert list(traces["95% interval"].y) == [0.8, 1.8, 1.3]
    assert figure.layout.xaxis.title.text == "temperature (°C)"
    assert figure.layout.yaxis.title.text == "yield of it (%)"


def test_equal_ratios_are_equally_far_apart_in_a_figure_too() -> None:
    points = [{**one, "at": [x]} for one, x in zip(told()["points"], (0.1, 1.0, 10.0), strict=True)]
    figure = belief_charts.curve(told(along=["dose_mmol_l"], points=points, measured=[]))
    assert figure.layout.xaxis.type == "log"


def test_a_map_leaves_open_what_may_not_be_chosen_and_can_show_how_unsure_it_is() -> None:
    points = [{**told()["points"][0], "at": [x, y]} for x, y in ((20.0, 0.1), (40.0, 0.1), (20.0, 1.0))]
    along = ["temperature_c", "dose_mmol_l"]
    expected = belief_charts.map_of(told(along=along, points=points, measured=[]))
    assert [list(row) for row in expected.data[0].z] == [[1.0, 1.0], [1.0, None]]
    unsure = belief_charts.map_of(told(along=along, points=points, measured=[]), width_of_interval=True)
    assert unsure.data[0].z[0][0] == pytest.approx(0.4)
