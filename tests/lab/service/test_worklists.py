"""A bench of people over HTTP: what is out, its papers, and handing it in with what was measured."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from devices.person.folder import SheetFolder
from lab.types import CampaignStatus
from tests.conftest import see_to_the_end
from tests.devices.person.bench import STRENGTH, Worker, write_bench
from tests.lab.service.lab_app import WAIT_S, Lab, lab

Headers = dict[str, str]


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The campaign of this module runs from test to test; in the end nothing of it is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """With a campaign whose people have a worklist out that is to be pipetted."""
    with lab(tmp_path_factory.mktemp("lab")) as here:
        sue = here.add("sue", "scientist", "operator")
        assert here.submit(write_bench(here.folder), sue).status_code == 201
        yield here


@pytest.fixture(scope="module")
def sue(here: Lab) -> Headers:
    return here.token_of("sue")


def out(here: Lab, who: Headers, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.client.get("/api/worklists", params=query, headers=who).json()
    return found


def the_one_out(here: Lab, who: Headers) -> dict[str, Any]:
    """The worklist that is out, when there is one."""
    end = time.monotonic() + WAIT_S
    while not (found := out(here, who)):
        assert time.monotonic() < end, "no worklist comes out"
        time.sleep(0.02)
    return found[0]


def where(one: Mapping[str, Any]) -> str:
    return f"/api/worklists/{one['place']}/{one['id']}"


def said(here: Lab, who: Headers, sheet: str, word: str, **more: Any) -> Any:
    one = next(one for one in out(here, who, everything=True) if one["id"] == sheet)
    return here.client.post(f"{where(one)}/hand-in", json={"said": word, **more}, headers=who)


def results(name: str, content: bytes, **more: str) -> dict[str, Any]:
    return {"results": {"name": name, "content": base64.b64encode(content).decode(), **more}}


def test_a_worklist_is_shown_line_by_line_with_its_papers(here: Lab, sue: Headers) -> None:
    one = the_one_out(here, sue)
    assert (one["campaigns"], one["workcell"], one["device"]) == (["by_people"], "paper_bench", "handler")
    assert str(here.folder) not in str(one)
    full = here.client.get(where(one), headers=sue).json()
    assert len(full["lines"]) == one["count"] > 0
    assert {"library", "assay_1"} <= {piece["id"] for piece in full["labware"]}
    assert one["papers"] == ["worklist.html", "worklist.csv"]
    page = here.client.get(f"{where(one)}/worklist.html", headers=sue)
    assert page.headers["content-disposition"] == f'attachment; filename="{one["id"]}_worklist.html"'
    assert "<table" in page.text
    lines = here.client.get(f"{where(one)}/worklist.csv", headers=sue)
    assert lines.headers["content-type"].startswith("text/csv")
    assert lines.text.count("\n") > one["count"]


@pytest.mark.parametrize(
    "path",
    ["{place}/sheet_9999", "0123/{id}", "{place}/{id}/sheet.json", "{place}/{id}/results.csv"],
)
def test_what_is_not_there_is_not_found(here: Lab, sue: Headers, path: str) -> None:
    address = f"/api/worklists/{path.format(**the_one_out(here, sue))}"
    assert here.client.get(address, headers=sue).status_code == 404


def test_who_may_not_work_there_hands_nothing_in(here: Lab, sue: Headers) -> None:
    one = the_one_out(here, sue)
    viewer = here.add("vera", "viewer")
    here.store.add_person("guest", roles=["operator"], grants={"protocols": {"by_*": ["viewer"]}})
    here.store.add_person("novice", roles=["operator"], grants={"devices": {"handler": ["viewer"]}})
    for who in (viewer, here.token_of("guest"), here.token_of("novice")):
        answer = here.client.post(f"{where(one)}/hand-in", json={"said": "done"}, headers=who)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert the_one_out(here, sue) == one


def test_a_worklist_is_handed_in_once_and_the_run_goes_on_to_what_is_measured(
    here: Lab, sue: Headers
) -> None:
    pipetted = the_one_out(here, sue)
    numbers = said(here, sue, pipetted["id"], "done", **results("results.csv", b"well,value\nA1,1\n"))
    assert numbers.status_code == 422
    assert "asks for no results" in numbers.json()["sentence"]
    done = said(here, sue, pipetted["id"], "done", note="The tips ran low.")
    assert done.status_code == 200, done.text
    assert (done.json()["said"], done.json()["by"], done.json()["note"]) == (
        "done",
        "sue",
        "The tips ran low.",
    )
    twice = said(here, sue, pipetted["id"], "done")
    assert twice.status_code == 422
    assert "was handed in before" in twice.json()["sentence"]

    measured = the_one_out(here, sue)
    assert (measured["device"], measured["papers"][-1]) == ("reader", "results.csv")
    missing = said(here, sue, measured["id"], "done")
    assert (missing.status_code, missing.json()["field"]) == (422, "results")
    assert "absorbance" in measured["asks_for"]


def filled(here: Lab, sheet: str) -> dict[str, float | str]:
    """The number of each well that is asked for, as somebody reads it who did what the worklists said."""
    folder = SheetFolder(here.folder / "worklists")
    worker = Worker(folder)
    return {one.id: worker.honest(one).values for one in folder.sheets()}[sheet]


def test_what_is_wrong_in_a_file_of_results_is_told_row_by_row_and_nothing_of_it_is_used(
    here: Lab, sue: Headers
) -> None:
    one = the_one_out(here, sue)
    first, second, third, *others = filled(here, one["id"])
    rows = [f"P1,{first},much", f"P1,{second},99", "P1,Z99,0.5", *(f"P1,{well},0.5" for well in others)]
    text = "\n".join(["barcode,well,value", *rows]).encode()
    refused = said(here, sue, one["id"], "done", **results("plate 1.csv", text))
    assert refused.status_code == 422
    told = refused.json()
    problems = [told, *told["others"]]
    assert {2, 3, 4} <= {problem["line"] for problem in problems}
    sentences = " ".join(problem["sentence"] for problem in problems)
    assert "much" in sentences
    assert "99" in sentences
    assert third in sentences
    assert the_one_out(here, sue) == one


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "../results.csv"}, "results.name"),
        ({"name": "results.exe"}, "results.name"),
        ({"content": "no base64!"}, "content"),
        ({"name": "results.xlsx"}, ""),
    ],
)
def test_a_file_that_is_none_is_refused(here: Lab, sue: Headers, wrong: dict[str, str], field: str) -> None:
    one = the_one_out(here, sue)
    file = {**results("results.csv", b"no table at all")["results"], **wrong}
    refused = said(here, sue, one["id"], "done", results=file)
    assert refused.status_code == 422, refused.text
    assert field in str(refused.json()["field"])
    assert the_one_out(here, sue) == one


def test_results_come_as_a_workbook_and_the_campaign_learns_from_them(here: Lab, sue: Headers) -> None:
    one = the_one_out(here, sue)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["barcode", "well", "value"])
    for well, value in filled(here, one["id"]).items():
        sheet.append(["P1", well, value])
    kept = io.BytesIO()
    book.save(kept)
    done = said(here, sue, one["id"], "done", **results("results.xlsx", kept.getvalue()))
    assert done.status_code == 200, done.text
    following = the_one_out(here, sue)
    assert following["id"] != one["id"]
    found = here.client.get("/api/campaigns/by_people/observations", headers=sue).json()
    assert len(found) >= 3
    assert {result["origin"] for result in found} == {"manual"}
    assert len(STRENGTH) > len(found)


def test_a_service_ends_while_a_worklist_is_out_and_asks_for_the_same_one_again(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        sue = here.add("sue", "scientist", "operator")
        assert here.submit(write_bench(tmp_path), sue).status_code == 201
        sheet = the_one_out(here, sue)["id"]
    # It has ended, though nobody has handed anything in.
    folder = SheetFolder(tmp_path / "worklists")
    assert [one.id for one in folder.sheets()] == [sheet]
    assert folder.answer(sheet) is None
    with lab(tmp_path) as here, Worker(folder) as worker:
        assert here.ended().status is CampaignStatus.FINISHED
    assert worker.done[0].id == sheet
    assert [one.verb for one in worker.done] == ["work", "measure"] * 2
