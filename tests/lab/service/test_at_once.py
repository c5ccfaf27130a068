"""Two who ask at the same moment: one has it done, the other is told why not, and nothing is done twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.app.resolving import Verdict
from lab.engine.progress import Progress, StepEnded
from lab.types import CampaignStatus, RunStatus, StepStatus
from tests.campaign_files import write_campaign
from tests.lab.service.api_lab import Api, Headers, api, submit
from tests.lab.service.test_stopping import LIMIT_S, STOP, begin, until

Send = Callable[[httpx.Client], httpx.Response]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Api]:
    with api(tmp_path) as service:
        yield service


def at_once(here: Api, sends: Sequence[Send]) -> list[httpx.Response]:
    """What each was answered, in the order given; each from a connection of its own, let go together."""
    go = threading.Barrier(len(sends))

    def send(one: Send) -> httpx.Response:
        with httpx.Client(base_url=here.address, timeout=LIMIT_S, trust_env=False) as client:
            client.get("/api/health")
            go.wait(LIMIT_S)
            return one(client)

    with ThreadPoolExecutor(len(sends)) as pool:
        return list(pool.map(send, sends))


def refused(answers: Sequence[httpx.Response]) -> list[dict[str, Any]]:
    """Those that were refused. Each is said in a sentence, and none is a failure of the service."""
    bodies = [answer.json() for answer in answers if answer.is_error]
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    assert all(body["sentence"] for body in bodies)
    return bodies


def post(path: str, who: Headers, body: Any = None, **headers: str) -> Send:
    return lambda client: client.post(f"/api{path}", json=body or {}, headers={**who, **headers})


def handed_in(file: Path) -> dict[str, Any]:
    return {"text": file.read_text(), "path": file.name, "baseline": False}


def asking(folder: Path) -> Path:
    """A campaign whose every batch waits for a word."""
    file = write_campaign(folder, "asked", budget=3, batch_size=3, baseline="null")
    file.write_text(file.read_text() + "approval:\n  each_batch: true\n")
    return file


def with_a_dead_wire(folder: Path) -> Path:
    """A campaign that is held because nobody knows what came of a step."""
    file = write_campaign(folder, "jammed", budget=3, batch_size=3, baseline="null")
    text = file.read_text().replace("policies:\n", "policies:\n  recovery:\n    connection_lost: hold\n")
    file.write_text(text)
    bench = folder / "bench.yaml"
    rule = "{device: handler, fault: connection_lost, verb: distribute, at: [2], moment: after}"
    bench.write_text(f"{bench.read_text().rstrip()}\nfaults:\n  rules:\n    - {rule}\n")
    return file


def status(here: Api, name: str) -> CampaignStatus:
    return here.store.campaign(name).status


def becomes(here: Api, name: str, wanted: CampaignStatus) -> None:
    until(
        lambda: any(r.campaign.name == name and r.status is wanted for r in here.store.campaigns()),
        f"{name} does not become {wanted}",
    )


def test_one_file_handed_in_twice_with_one_key_is_one_campaign(here: Api) -> None:
    ada = here.add("ada", "scientist", "operator")
    body = handed_in(write_campaign(here.folder, "one", budget=3, batch_size=3, baseline="null"))
    answers = at_once(here, [post("/submissions", ada, body, **{"Idempotency-Key": "one"})] * 4)
    assert not refused(answers)
    assert len({answer.json()["id"] for answer in answers}) == 1
    becomes(here, "one", CampaignStatus.FINISHED)
    assert len(here.store.campaigns()) == 1
    assert not here.store.submissions(open_only=True)


def test_one_file_handed_in_by_two_people_is_never_two_campaigns_at_work_under_one_name(here: Api) -> None:
    body = handed_in(write_campaign(here.folder, "one", budget=3, batch_size=3, baseline="null"))
    people = [here.add(name, "scientist", "operator") for name in ("ada", "bob")]
    answers = at_once(here, [post("/submissions", who, body) for who in people])
    taken = len(answers) - len(refused(answers))
    assert taken >= 1
    until(
        lambda: (
            not here.store.submissions(open_only=True)
            and all(r.status is CampaignStatus.FINISHED for r in here.store.campaigns())
        ),
        "they do not come to their end",
    )
    records = here.store.campaigns()
    assert len(records) == taken
    batches = [run for record in records for run in here.store.runs(record.campaign.id)]
    assert [one.run.status for one in batches] == [RunStatus.DONE] * taken


def test_a_campaign_that_is_resumed_by_two_goes_on_once(here: Api) -> None:
    ada = begin(here)
    answer = here.client.post(
        "/api/stop", json={"campaign": "one", "reason": "Lunch."}, headers={**ada, **STOP}
    )
    assert answer.status_code == 200, answer.text
    becomes(here, "one", CampaignStatus.STOPPED)
    until(lambda: not here.house.standings(), "its bench is not given back")
    path = f"/campaigns/{here.store.campaign('one').campaign.id}/resume"
    answers = at_once(here, [post(path, ada)] * 4)
    assert len(refused(answers)) == 3
    becomes(here, "one", CampaignStatus.FINISHED)
    (one,) = here.store.runs(here.store.campaign("one").campaign.id)
    assert [s.status for s in here.store.steps(one.run.id)].count(StepStatus.DONE) == len(
        here.store.steps(one.run.id)
    )


def test_of_a_yes_and_a_no_to_one_request_one_counts(here: Api) -> None:
    ada = here.add("ada", "scientist", "operator")
    approvers = [here.add(name, "approver") for name in ("bob", "eve")]
    submit(here, asking(here.folder), ada)
    becomes(here, "asked", CampaignStatus.HELD)
    (request,) = here.client.get("/api/approvals", params={"status": "waiting"}, headers=ada).json()
    path, expected = f"/approvals/{request['id']}", {"expected": request["version"]}
    yes, no = at_once(
        here,
        [
            post(f"{path}/approve", approvers[0], expected),
            post(f"{path}/reject", approvers[1], {**expected, "why": "No."}),
        ],
    )
    assert Counter(answer.is_success for answer in (yes, no)) == {True: 1, False: 1}
    (why,) = refused([yes, no])
    assert why["code"] == "stale"
    kept = here.client.get(f"/api{path}", headers=ada).json()
    assert kept["status"] == ("approved" if yes.is_success else "rejected")
    if yes.is_success:
        becomes(here, "asked", CampaignStatus.FINISHED)
    else:
        until(
            lambda: bool(here.client.get("/api/approvals", params={"status": "waiting"}, headers=ada).json()),
            "it asks for nothing new",
        )


def test_who_is_approved_while_another_runs_joins_it_on_its_bench(here: Api) -> None:
    ada, bob = here.add("ada", "scientist", "operator"), here.add("bob", "approver")
    submit(here, asking(here.folder), ada)
    becomes(here, "asked", CampaignStatus.HELD)
    until(lambda: not here.house.standings(), "its bench is not given back")
    approved = threading.Event()

    def approve_amid(event: Progress) -> None:
        if isinstance(event, StepEnded) and not approved.is_set():
            approved.set()
            here.house.pause("Wait.")

    end = here.house.listen(approve_amid)
    submit(here, write_campaign(here.folder, "other", budget=6, batch_size=3, baseline="null"), ada)
    assert approved.wait(LIMIT_S)
    until(lambda: all(one.paused for one in here.house.standings()), "it does not stand still")
    end()
    (request,) = here.client.get("/api/approvals", params={"status": "waiting"}, headers=bob).json()
    path = f"/api/approvals/{request['id']}/approve"
    assert here.client.post(path, json={"expected": request["version"]}, headers=bob).status_code == 200
    until(lambda: len(here.house.standings()) == 2, "it does not join the other")
    here.house.let_go_on()
    becomes(here, "asked", CampaignStatus.FINISHED)
    becomes(here, "other", CampaignStatus.FINISHED)


def test_a_pause_and_a_stop_at_once_end_in_the_stop(here: Api) -> None:
    ada = begin(here)
    here.house.let_go_on()
    answers = at_once(
        here,
        [
            post("/campaigns/one/pause", ada),
            post("/stop", {}, {"reason": "Both."}, **STOP),
            post("/campaigns/one/pause", ada),
        ],
    )
    refused(answers)
    becomes(here, "one", CampaignStatus.STOPPED)
    until(lambda: not here.house.standings(), "its bench is not given back")
    assert answers[1].status_code == 200


def test_a_stop_while_campaigns_are_handed_in_leaves_none_at_work_that_had_begun(here: Api) -> None:
    ada = begin(here)
    body = handed_in(write_campaign(here.folder, "late", budget=3, batch_size=3, baseline="null"))
    stopped, taken = at_once(
        here, [post("/stop", {}, {"reason": "Smoke.", "now": True}, **STOP), post("/submissions", ada, body)]
    )
    assert stopped.status_code == 200
    assert not refused([taken])
    becomes(here, "one", CampaignStatus.STOPPED)
    report = stopped.json()["report"]
    assert report["safe"] is True


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.DISCARD])
def test_a_step_that_two_settle_is_settled_once_and_its_campaign_goes_on(here: Api, verdict: Verdict) -> None:
    people = [here.add(name, "scientist", "operator") for name in ("ada", "bob", "eve")]
    submit(here, with_a_dead_wire(here.folder), people[0])
    becomes(here, "jammed", CampaignStatus.HELD)
    until(lambda: not here.house.standings(), "its bench is not given back")
    (step,) = here.client.get("/api/steps/waiting", headers=people[0]).json()
    body = {"verdict": str(verdict), "why": "I looked."}
    answers = at_once(here, [post(f"/steps/{step['id']}/resolve", who, body) for who in people])
    assert len(refused(answers)) == 2, [answer.text for answer in answers]
    assert here.client.get("/api/steps/waiting", headers=people[0]).json() == []
    path = f"/api/campaigns/{step['campaign_id']}/resume"
    assert here.client.post(path, json={"expected": "held"}, headers=people[0]).is_success
    becomes(here, "jammed", CampaignStatus.FINISHED)
