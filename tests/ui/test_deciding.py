"""The pages on which people decide and read, on campaigns that wait for a word and one that is over."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.campaign_files import write_campaign
from tests.ui.console_lab import ConsoleLab, running_lab, until
from tests.ui.test_watching import shown, words
from ui.pages.export import campaign_zip
from ui.pages.twin_against_measured import agreement, paired
from ui.parts.campaign_text import campaign_text


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleLab]:
    """A service whose twin is as fast as it goes, with a campaign that is over."""
    with running_lab(tmp_path_factory.mktemp("fast")) as running:
        running.submit("over", budget=8, batch_size=4)
        with running.log_in() as ada:
            until("it is over", lambda: ada.campaign("over")["status"] == "finished")
        yield running


@pytest.fixture
def desk(fast: ConsoleLab, monkeypatch: pytest.MonkeyPatch) -> ConsoleLab:
    monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", fast.url)
    return fast


def asking(lab: ConsoleLab, name: str, *lines: str) -> None:
    """Hand in a campaign that waits for a person."""
    file = write_campaign(lab.folder, name, budget=6, batch_size=3)
    text = file.read_text(encoding="utf-8") + "approval:\n" + "".join(f"  {line}\n" for line in lines)
    with lab.log_in() as ada:
        ada.submit(text, file.name, baseline=False)
        until(f"{name} waits", lambda: requests(ada, name))


def requests(client: Any, name: str) -> list[Any]:
    return [one for one in client.approvals("waiting") if one["name"] == name]


def button(page: AppTest, label: str) -> Any:
    return next(one for one in page.button if one.label == label)


def field(fields: Any, label: str) -> Any:
    return next(one for one in fields if one.label == label)


def choose(page: AppTest, name: str) -> None:
    if not any(name in one.value for one in page.subheader):
        which = field(page.selectbox, f"{len(page.selectbox[0].options)} requests wait")
        which.select(next(one for one in which.options if one.startswith(f"{name}:"))).run()


def test_a_batch_is_seen_with_reasons_and_what_it_takes_and_goes_on_by_a_yes(desk: ConsoleLab) -> None:
    asking(desk, "seen_first", "each_batch: true")
    with desk.log_in("grace") as grace:
        page = shown("approve", desk, grace.token)
        (one,) = requests(grace, "seen_first")
        assert one["reasons"][0]["sentence"] in words(page)
        table = page.table[0].value
        assert list(table["candidate"]) == [each["candidate_id"] for each in one["experiments"]]
        assert set(table["nearest tested"]) == {
            each["nearest"]["candidate_id"] for each in one["experiments"]
        }
        steps = next(each.value for each in page.metric if each.label == "Steps")
        assert steps == str(one["dry_run"]["steps"])
        assert button(page, "Reject").disabled  # it wants a reason
        button(page, "Approve").click().run()
        assert not page.exception
        assert "Approved" in page.success[0].value
        until(
            "the next batch waits", lambda: [each["batch"] for each in requests(grace, "seen_first")] == [2]
        )
        page.run()
        field(page.text_input, "Why").set_value("Too alike.").run()
        button(page, "Reject").click().run()
        assert not page.exception
        rejected = [each for each in grace.approvals("rejected") if each["name"] == "seen_first"]
        assert [each["why"] for each in rejected] == ["Too alike."]


def test_nobody_can_approve_what_they_asked_for_but_may_take_it_back(desk: ConsoleLab) -> None:
    asking(desk, "start_asked", "start: true")
    with desk.log_in("ada") as ada, desk.log_in("vera") as vera:
        (one,) = requests(ada, "start_asked")
        page = AppTest.from_function(
            draw_one, args=(desk.url, vera.token, one["id"]), default_timeout=60
        ).run()
        assert not page.exception
        assert not [each for each in page.button if each.label in ("Approve", "Reject", "Take back")]
        assert any("An approver decides" in each.value for each in page.info)


def draw_one(url: str, token: str, approval: str) -> None:
    import streamlit as st

    from ui.pages.approve import page
    from ui.parts.session import lab_of

    st.query_params["approval"] = approval
    page(lab_of(url, token))


def test_a_form_makes_a_campaign_that_is_tried_out_and_handed_in(desk: ConsoleLab) -> None:
    write_campaign(desk.folder, "beside")  # with its workcell and candidates
    with desk.log_in("ada") as ada:
        page = shown("new_campaign", desk, ada.token)
        field(page.text_input, "Name").set_value("by_form").run()
        field(page.selectbox, "Protocol").select("thermal_challenge").run()
        field(page.text_area, "Parent").set_value(PARENT).run()
        field(page.toggle, "Its start").set_value(True).run()
        text = page.code[0].value
        assert "name: by_form" in text
        assert "start: true" in text
        button(page, "Try it out dry").click().run()
        assert not page.exception
        said = words(page)
        tried = ada.check(text, "form.yaml") if not page.error else None
        assert tried is not None, said
        assert "can be carried out, on a twin" in said
        button(page, "Hand it in").click().run()
        assert not page.exception
        assert [one["name"] for one in ada.submissions(waiting=True) if one["name"] == "by_form"]


def test_schedules_samples_results_and_exports_tell_of_what_ran(desk: ConsoleLab) -> None:
    with desk.log_in("vera") as vera:
        schedule = shown("schedule", desk, vera.token)
        assert "from the journal of its runs" in words(schedule)
        samples = shown("samples", desk, vera.token)
        bench = next(one["id"] for one in vera.get("/benches") if "over" in one["campaigns"])
        there = vera.get(f"/benches/{bench}/samples", content="assay")["items"]
        made = next(one for one in there if one["run_id"])
        samples.selectbox[0].select(next(one for one in samples.selectbox[0].options if "over" in one)).run()
        field(samples.text_input, "Search").set_value(made["id"]).run()
        assert not samples.exception
        assert made["content"] in words(samples)
        assert len(samples.dataframe) >= 2
        results = shown("results", desk, vera.token, vera.campaign("over")["id"])
        assert "8 of 8" in [one.value for one in results.metric]
        for tab in ("Found", "Progress", "Targets", "Beliefs", "Predictions", "Plates", "Instruments"):
            results.session_state["results_tab"] = tab
            results.run()
            assert not results.exception, (tab, results.exception)
            told = words(results)
            for sentence, its in TOLD_UNDER.items():
                assert (sentence in told) is (its == tab), (sentence, tab)
        export = shown("export", desk, vera.token, vera.campaign("over")["id"])
        for one in [one for one in export.button if one.label == "Make it"]:
            one.click()
        export.run()
        assert not export.exception
        assert not export.error
        campaign = vera.campaign("over")
        packed = campaign_zip(campaign, vera.experiments("over"), vera.observations("over"))
        with zipfile.ZipFile(io.BytesIO(packed)) as opened:
            assert opened.read("experiments.csv").decode().count("\n") == 9
            assert opened.read("files/campaign.yaml").decode() == campaign["files"]["campaign"]


def test_an_admin_adds_somebody_and_takes_their_roles_away(desk: ConsoleLab) -> None:
    with desk.log_in("ada") as ada:
        page = shown("users", desk, ada.token)
        field(page.text_input, "Name").set_value("joan")
        button(page, "Add").click().run()
        assert not page.exception
        assert ada.get("/people/joan")["roles"] == ["viewer"]
        field(page.selectbox, "Change").select("joan").run()
        field(page.toggle, "May act here").set_value(False)
        button(page, "Change").click().run()
        assert not page.exception
        assert not ada.get("/people/joan")["active"]


def test_nothing_real_to_hold_a_twin_against_is_said(desk: ConsoleLab) -> None:
    with desk.log_in("vera") as vera:
        page = shown("twin_against_measured", desk, vera.token)
    assert "Nothing was measured on real instruments yet" in page.info[0].value


TOLD_UNDER = {
    "at a false discovery rate": "Found",
    "Behind the best found": "Progress",
    "This campaign has one target": "Targets",
    "What matters": "Beliefs",
    "Read after": "Plates",
}
"""Of the results: each only under the tab that is open."""

PARENT = "MTYKLILNGKTLKGETTTEAVDAATAEKVFKQYANDNGVDGEWTYDDATKTFTVTE"
"""Of the table of protein G."""


def results_of(**values: float) -> dict[str, Any]:
    estimates = {name: {"value": value, "standard_error": 0.1} for name, value in values.items()}
    return {"targets": [{"name": "yield", "unit": "", "estimates": estimates}], "results": []}


def test_twin_and_bench_are_compared_by_the_candidates_that_both_measured() -> None:
    rows = paired(results_of(a=1.0, b=2.0, c=3.0, d=9.0), results_of(a=1.5, b=2.5, c=3.5, e=0.0), "yield")
    assert [one["candidate"] for one in rows] == ["a", "b", "c"]
    told = agreement(rows)
    assert told["bias"] == (0.5, 0.0)
    assert told["rank"] == pytest.approx(1.0)
    rows[0]["twin"] = 99.0
    assert agreement(rows)["rank"] == pytest.approx(-0.5)


def test_a_campaign_file_from_a_form_means_what_was_filled_in() -> None:
    from ruamel.yaml import YAML

    document = {
        "name": "no",
        "goal": {"maximize": "yield"},
        "protocol": {"name": "x", "parameters": {"time_s": "10 min", "words": ["a: b", "# c", "1e3", ""]}},
        "rows": [{"target": "p", "at_least": 0.5}],
        "numbers": [1.0, 2.5, -3],
        "odd: key": 'with "quotes" and {braces}',
        "flag": True,
    }
    text = campaign_text({**document, "left": None, "out": {}, "all": []})
    assert YAML(typ="safe").load(text) == document
