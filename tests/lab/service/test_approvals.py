"""Requests for a person's word over HTTP, on a real house with its twin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from lab.approvals import ApprovalStatus
from lab.client import Client, Refused
from lab.service.deciding import Decider
from lab.service.deciding import approve as approve_in_store
from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import Lab, lab


def asking(folder: Path, name: str, *lines: str) -> Path:
    path = write_campaign(folder, name, budget=6, batch_size=3)
    path.write_text(path.read_text() + "approval:\n" + "".join(f"  {line}\n" for line in lines))
    return path


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as found:
        yield found


def waiting(here: Lab, who: dict[str, str]) -> Any:
    answer = here.client.get("/api/approvals", params={"status": "waiting"}, headers=who)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()
    return one


def decide(here: Lab, verdict: str, one: Any, who: dict[str, str], **more: Any) -> Any:
    body = {"expected": one["version"], **more}
    return here.client.post(f"/api/approvals/{one['id']}/{verdict}", json=body, headers=who)


def test_from_handing_in_to_the_end_by_the_words_of_a_person(here: Lab, tmp_path: Path) -> None:
    sue, bob = here.add("sue", "scientist"), here.add("bob", "approver")
    submitted = here.submit(asking(tmp_path, "small", "start: true", "each_batch: true"), sue)
    assert submitted.status_code == 201, submitted.text
    assert submitted.json()["status"] == "waiting"
    start = waiting(here, sue)
    assert (start["kind"], start["name"], start["asked_by"]) == ("start", "small", "sue")
    assert decide(here, "approve", start, sue).json()["code"] == "not_allowed"
    assert decide(here, "approve", start, bob).json()["goes_on"]

    assert here.ended().status == "held"
    one = waiting(here, bob)
    assert (one["kind"], one["batch"], one["reasons"][0]["cause"]) == ("batch", 1, "each_batch")
    assert one["dry_run"]["steps"] > 10
    assert {shown["nearest"]["candidate_id"] for shown in one["experiments"]} == {"WT"}

    old = one["experiments"][0]
    pool = [c.id for c in here.store.campaign(one["campaign_id"]).campaign.candidates]
    mine = next(c for c in pool if c not in {shown["candidate_id"] for shown in one["experiments"]})
    change = {"experiment_id": old["id"], "candidate": mine, "why": "A hunch."}
    edited = decide(here, "edit", one, bob, **change)
    assert edited.status_code == 200, edited.text
    assert mine in {shown["candidate_id"] for shown in edited.json()["experiments"]}
    stale = decide(here, "approve", one, bob)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert decide(here, "approve", edited.json(), bob).status_code == 200

    assert here.ended().status == "held"
    second = waiting(here, bob)
    assert second["batch"] == 2
    assert decide(here, "reject", second, bob, why="Too alike.").status_code == 200
    assert here.ended().status == "held"
    third = waiting(here, bob)
    assert third["batch"] == 3
    assert decide(here, "approve", third, bob).status_code == 200
    assert here.ended().status == "finished"
    history = here.store.history(one["campaign_id"])
    assert history.spent == 6
    assert mine in {e.candidate.id for e in history.experiments if e.status == "measured"}


def test_a_script_decides_through_the_client(here: Lab, tmp_path: Path) -> None:
    sue, bob = here.add("sue", "scientist"), here.add("bob", "approver")
    assert here.submit(asking(tmp_path, "small", "each_batch: true"), sue).status_code == 201
    assert here.ended().status == "held"
    with Client("http://localhost", bob["Authorization"].removeprefix("Bearer ")) as client:
        client._http.close()
        client._http = cast(Any, here.client)  # the same requests, without a port
        (one,) = client.approvals("waiting")
        old = one["experiments"][0]["id"]
        edited = client.edit_batch(one["id"], one["version"], old, why="A hunch.", candidate="T17A")
        with pytest.raises(Refused) as stale:
            client.approve(one["id"], one["version"])
        assert (stale.value.status, stale.value.code) == (409, "stale")
        left_out = [edited["experiments"][1]["id"]]
        done = client.approve(one["id"], edited["version"], left_out=left_out, why="The rest is fine.")
        assert done["goes_on"]
        assert here.ended().status == "held"
        (second,) = client.approvals("waiting")
        assert (
            client.reject(second["id"], second["version"], why="Enough.")["approval"]["status"] == "rejected"
        )
        assert client.approval(one["id"])["decided_by"] == "bob"
        assert here.ended().status == "held"
    measured = {
        e.candidate.id for e in here.store.history(one["campaign_id"]).experiments if e.status == "measured"
    }
    assert "T17A" in measured
    assert len(measured) == 2


def test_nobody_and_nothing_approves_for_itself(here: Lab, tmp_path: Path) -> None:
    ann = here.add("ann", "scientist", "approver")
    robot = here.add("robot", "scientist", program=True)
    viewer = here.add("vic", "viewer")
    assert here.submit(asking(tmp_path, "own", "start: true"), ann).status_code == 201
    one = waiting(here, ann)
    own = decide(here, "approve", one, ann)
    assert (own.status_code, own.json()["code"]) == (403, "own_request")
    for who in (robot, viewer):
        assert decide(here, "approve", one, who).json()["code"] == "not_allowed"
    assert here.client.get(f"/api/approvals/{one['id']}").status_code == 401
    assert decide(here, "reject", one, ann, why="").status_code == 422
    assert decide(here, "reject", one, ann, why="I don't need it.").status_code == 200
    assert here.store.approval(one["id"]).status is ApprovalStatus.REJECTED
    missing = here.client.get("/api/approvals/apr_nothing", headers=viewer)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_what_is_taken_back_needs_no_word_any_more(here: Lab, tmp_path: Path) -> None:
    sue, bob = here.add("sue", "scientist"), here.add("bob", "approver")
    submission = here.submit(asking(tmp_path, "small", "start: true"), sue).json()
    one = waiting(here, bob)
    answer = here.client.post(f"/api/submissions/{submission['id']}/withdraw", headers=sue)
    assert answer.status_code == 200
    late = decide(here, "approve", one, bob)
    assert (late.status_code, late.json()["code"]) == (409, "stale")
    assert here.store.approval(one["id"]).status is ApprovalStatus.WITHDRAWN


def test_a_yes_that_was_given_while_no_service_was_there_is_found_at_its_start(tmp_path: Path) -> None:
    with lab(tmp_path) as here:
        sue = here.add("sue", "scientist")
        assert here.submit(asking(tmp_path, "small", "each_batch: true"), sue).status_code == 201
        assert here.ended().status == "held"
    with Store.open(tmp_path / "lab.db") as store:
        (one,) = store.approvals()
        approve_in_store(store, one.id, Decider(name="bob"))
        assert store.decided_since_held() == (one.campaign_id,)
    with lab(tmp_path) as here:
        assert here.ended().sentence.startswith("Batch 2 waits for a person.")
        assert here.store.decided_since_held() == ()
        assert here.store.history(one.campaign_id).spent == 6
