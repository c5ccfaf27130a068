"""Orders over HTTP: placed, received by barcode, given up and wanted again; and lists that come in pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from devices.person.folder import SheetFolder
from lab import client as client_module
from lab.client import Client
from lab.store import Store
from lab.submissions import CampaignText, SubmissionStatus
from tests.devices.person.bench import Worker, write_bench
from tests.lab.app.test_orders import run
from tests.lab.service.lab_app import Lab, lab
from tests.lab.service.serving import served

Headers = dict[str, str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """With a campaign of which two candidates have to come first, and that has measured all that is there."""
    folder = tmp_path_factory.mktemp("lab")
    path = write_bench(folder)
    path.write_text(
        path.read_text().replace("budget: 6", "budget: 7")
        + "material: {source: order, lead_time_s: 2 d, volume_ul: 200, batches_on_order: 2}\n"
    )
    table = folder / "variants.csv"
    table.write_text(re.sub(r"(?m)^(V[67]),1,\w+,", r"\1,,,", table.read_text()))
    with Worker(SheetFolder(folder / "worklists")):
        run(folder, path)
    with lab(folder, resume=False) as here:
        assert here.client.get("/api/orders").status_code == 401  # starts the thread that answers
        yield here


@pytest.fixture(scope="module")
def otto(here: Lab) -> Headers:
    return here.add("otto", "operator")


def orders(here: Lab, who: Headers, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.client.get("/api/orders", params=query, headers=who).json()
    return found


def command(here: Lab, who: Headers, order: str, verb: str, **body: Any) -> Any:
    return here.client.post(f"/api/orders/{order}/{verb}", json=body, headers=who)


def test_who_may_not_work_with_a_protocol_settles_no_order_of_it(here: Lab, otto: Headers) -> None:
    before = orders(here, otto)
    here.store.add_person("guest", roles=["operator"], grants={"protocols": {"by_*": ["viewer"]}})
    for who in (here.token_of("guest"), here.add("vera", "viewer")):
        for verb, body in (
            ("place", {}),
            ("receive", {"barcode": "L0001"}),
            ("cancel", {"why": "x"}),
            ("again", {}),
        ):
            assert command(here, who, before[0]["id"], verb, **body).status_code == 403
    assert orders(here, otto) == before


def test_an_order_is_placed_and_received_by_barcode_and_once(here: Lab, otto: Headers) -> None:
    first, *others = orders(here, otto, campaign="by_people")
    assert first["status"] == "wanted"
    placed = command(here, otto, first["id"], "place", reference="PO-7")
    assert (placed.status_code, placed.json()["status"], placed.json()["reference"]) == (
        200,
        "placed",
        "PO-7",
    )
    elsewhere = command(here, otto, first["id"], "receive", barcode="NO-SUCH-PLATE")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "bad_input")
    much = command(here, otto, first["id"], "receive", barcode="L0001", volume_ul=1e8)
    assert much.status_code == 422
    received = command(here, otto, first["id"], "receive", barcode="L0001", volume_ul=150)
    assert received.status_code == 200, received.text
    assert (received.json()["status"], received.json()["labware"]) == ("received", "library")
    assert received.json()["well"]
    assert command(here, otto, first["id"], "receive", barcode="L0001").status_code in (409, 422)
    assert [one["id"] for one in orders(here, otto)] == [one["id"] for one in others]
    assert first["id"] in [one["id"] for one in orders(here, otto, everything=True)]
    acts = [act for act in here.store.acts(action="/orders") if act.who == "otto" and act.outcome == "done"]
    assert [act.action.rpartition("/")[2] for act in acts] == ["receive", "place"]


def test_an_order_that_does_not_come_is_given_up_and_wanted_again(here: Lab, otto: Headers) -> None:
    last = orders(here, otto)[-1]
    assert command(here, otto, last["id"], "cancel").status_code == 422  # without a reason
    gone = command(here, otto, last["id"], "cancel", why="The supplier has none.")
    assert (gone.status_code, gone.json()["status"]) == (200, "cancelled")
    again = command(here, otto, last["id"], "again")
    assert again.status_code == 201, again.text
    new = again.json()
    assert new["id"] != last["id"]
    assert (new["candidate_id"], new["status"]) == (last["candidate_id"], "wanted")
    assert command(here, otto, last["id"], "again").status_code in (409, 422)  # one at a time


def test_an_order_that_there_is_none_of_is_not_found(here: Lab, otto: Headers) -> None:
    for verb, body in (
        ("place", {}),
        ("receive", {"barcode": "L0001"}),
        ("cancel", {"why": "x"}),
        ("again", {}),
    ):
        assert command(here, otto, "ord_none", verb, **body).status_code == 404


def test_a_step_that_there_is_none_of_or_of_which_all_is_known_is_not_resolved(
    here: Lab, otto: Headers
) -> None:
    body = {"verdict": "done", "why": "I saw it."}
    assert here.client.post("/api/steps/stp_none/resolve", json=body, headers=otto).status_code == 404
    (record,) = here.store.campaigns()
    step = here.store.steps(here.store.runs(record.campaign.id)[0].run.id)[0]
    known = here.client.post(f"/api/steps/{step.id}/resolve", json=body, headers=otto)
    assert known.status_code in (409, 422), known.text
    assert here.store.steps(here.store.runs(record.campaign.id)[0].run.id)[0] == step


# Lists.


def test_results_come_in_pages_and_the_client_gets_all_of_them(
    here: Lab, otto: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = here.client.get("/api/campaigns/by_people/experiments", headers=otto).json()
    assert len(whole) == 7
    page = here.client.get(
        "/api/campaigns/by_people/experiments", params={"after": 2, "most": 3}, headers=otto
    )
    assert page.json() == whole[2:5]
    beyond = here.client.get("/api/campaigns/by_people/observations", params={"after": 99}, headers=otto)
    assert beyond.json() == []
    for wrong in ({"most": 0}, {"most": 10**6}, {"after": -1}, {"after": 10**30}):
        refused = here.client.get("/api/campaigns/by_people/observations", params=wrong, headers=otto)
        assert (refused.status_code, refused.json()["code"]) == (422, "malformed")
    monkeypatch.setattr(client_module, "PAGE", 3)
    token = otto["Authorization"].removeprefix("Bearer ")
    with (
        served(here.client.app) as address,
        Client(address.replace("127.0.0.1", "localhost"), token) as client,
    ):
        assert client.experiments("by_people") == whole


def test_old_submissions_are_shown_up_to_a_number_and_all_that_wait(here: Lab, otto: Headers) -> None:
    made = [hand_in(here.store, n) for n in range(6)]
    for one in made[:4]:
        here.store.change_submission(one, status=SubmissionStatus.WITHDRAWN.value)
    found = here.client.get("/api/submissions", params={"newest": 2}, headers=otto).json()
    assert [one["id"] for one in found] == made[2:]
    waiting = here.client.get("/api/submissions", params={"waiting": True}, headers=otto).json()
    assert [one["id"] for one in waiting] == made[4:]


def hand_in(store: Store, number: int) -> str:
    return store.submit(f"held_{number}", CampaignText(text="name: x"), who="sue", held=True).id


def test_a_moment_that_has_passed_is_taken_and_one_of_no_calendar_is_refused(here: Lab) -> None:
    sue = here.add("sue", "scientist")
    body = {
        "text": (here.folder / "campaign.yaml").read_text().replace("by_people", "early"),
        "path": "campaign.yaml",
        "held": True,
        "not_before_utc": "2020-01-01T00:00:00Z",
    }
    made = here.client.post("/api/submissions", json=body, headers=sue)
    assert made.status_code == 201, made.text
    assert made.json()["not_before_utc"].startswith("2020-01-01T00:00:00")
    change = {"expected": made.json()["version"], "not_before_utc": "10000-01-01T00:00:00Z"}
    path = f"/api/submissions/{made.json()['id']}"
    assert here.client.post(f"{path}/change", json=change, headers=sue).status_code == 422
    assert here.client.post(f"{path}/withdraw", headers=sue).status_code == 200
