"""What people settle for themselves: mails about what waits for them, and their own address of the calendar."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from lab.approvals import ApprovalReason, Cause
from lab.notices import Channel, NoticeKind, NoticeStatus
from lab.people import TokenKind
from lab.service.messenger import Messenger
from lab.service.timekeeper import Timekeeper, check_with
from lab.store import Store
from lab.submissions import CampaignText
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import Lab, lab
from tests.lab.service.test_telling import Post, by_mail, held, mail_server
from tests.lab.store.examples import a_campaign

Headers = dict[str, str]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as here:
        assert here.client.get("/api/me").status_code == 401  # starts the thread that answers
        yield here


def session(here: Lab, name: str, *roles: str, **more: Any) -> Headers:
    here.store.add_person(name, roles=roles, **more)
    return here.token_of(name, TokenKind.SESSION)


# The calendar.


def test_a_calendar_program_reads_the_calendar_at_its_owners_own_address(here: Lab) -> None:
    mira = session(here, "mira", "scientist")
    file = write_campaign(here.folder, "nightly", budget=3, batch_size=3)
    body = {"text": file.read_text(), "path": file.name, "cron": "0 2 * * *", "timezone": "Europe/Berlin"}
    assert here.client.post("/api/schedules", json=body, headers=mira).status_code == 201
    assert here.client.get("/api/me", headers=mira).json()["person"]["has_calendar"] is False
    made = here.client.post("/api/me/calendar", headers=mira)
    assert made.status_code == 201, made.text
    address = made.json()["secret_path"]
    answer = here.client.get(address)  # without any token
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    named = [str(event["SUMMARY"]) for event in Calendar.from_ical(answer.content).walk("VEVENT")]
    assert len(named) >= 28
    assert all("nightly" in name for name in named)
    assert here.client.get("/api/me", headers=mira).json()["person"]["has_calendar"] is True


def test_an_address_of_the_calendar_is_good_for_nothing_else_and_kept_as_a_hash(here: Lab) -> None:
    lena = session(here, "lena", "scientist")
    twice = {**lena, "Idempotency-Key": "once"}
    address = here.client.post("/api/me/calendar", headers=twice).json()["secret_path"]
    assert here.client.post("/api/me/calendar", headers=twice).json() == {"secret_path": None}
    secret = address.rpartition("/")[2].removesuffix(".ics")
    for other in ("/api/me", "/api/schedules/calendar.ics", "/api/campaigns"):
        answer = here.client.get(other, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401
    files = [path for path in here.folder.rglob("*") if path.is_file()]
    assert len(files) > 1
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    asked = here.client.get("/api/audit", params={"who": "lena"}, headers=lena).text
    assert secret not in asked


def test_an_address_of_the_calendar_ends_with_a_new_one_when_taken_back_and_with_its_owner(here: Lab) -> None:
    lise = session(here, "lise", "viewer")

    def make() -> str:
        return str(here.client.post("/api/me/calendar", headers=lise).json()["secret_path"])

    first, second = make(), make()
    assert here.client.get(first).status_code == 404
    assert here.client.get(second).status_code == 200
    assert here.client.delete("/api/me/calendar", headers=lise).status_code == 204
    gone = here.client.get(second)
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    third = make()
    here.store.change_person("lise", active=False)
    assert here.client.get(third).status_code == 404
    here.store.change_person("lise", active=True)
    assert here.client.get(third).status_code == 404


def test_no_token_of_a_program_makes_an_address_that_outlives_it(here: Lab) -> None:
    here.store.add_person("script", roles=["scientist"], program=True)
    for method in ("POST", "DELETE"):
        refused = here.client.request(method, "/api/me/calendar", headers=here.token_of("script"))
        assert (refused.status_code, refused.json()["code"]) == (403, "session_only")


def test_what_is_no_secret_leads_nowhere(here: Lab) -> None:
    for written in ("x", "%00", "..%2f..", "a" * 99):
        assert here.client.get(f"/api/calendar/{written}.ics").status_code == 404


# Mails.


def test_who_has_no_address_and_a_lab_without_a_mail_server_can_not_tell_by_mail(here: Lab) -> None:
    nora = session(here, "nora", "approver")
    refused = here.client.put("/api/me/notices", json={"by_mail": True}, headers=nora)
    assert (refused.status_code, refused.json()["field"]) == (422, "by_mail")
    assert "No mail address of nora" in refused.json()["sentence"]
    here.store.change_person("nora", email="nora@example.org")
    refused = here.client.put("/api/me/notices", json={"by_mail": True}, headers=nora)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_mail")
    assert here.client.put("/api/me/notices", json={"by_mail": False}, headers=nora).status_code == 200


def test_somebody_chooses_to_be_told_where_the_lab_has_a_mail_server(
    here: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = session(here, "olga", "approver", email="olga@example.org")
    app: Any = here.client.app
    monkeypatch.setattr(app.state, "messenger", Messenger(here.store, [by_mail(25)], "http://lab"))
    for wanted in (True, False):
        answer = here.client.put("/api/me/notices", json={"by_mail": wanted}, headers=olga)
        assert (answer.status_code, answer.json()["told_by_mail"]) == (200, wanted)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "lab.db") as store:
        store.begin_to_listen()
        for name, *roles in (("anna", "approver"), ("otto", "operator"), ("sue", "scientist", "approver")):
            store.add_person(name, roles=roles, email=f"{name}@example.org")
            store.tell_by_mail(name, True)
        store.add_person("shy", roles=["approver", "operator"], email="shy@example.org")
        yield store


def ask(store: Store, protocol: str = "thermal_challenge") -> None:
    """Have the start of something of sue's asked for."""
    store.submit(
        "pilot",
        CampaignText(text="name: pilot"),
        who="sue",
        rehearsal={"protocol": protocol, "devices": ["arm"]},
        ask=[ApprovalReason(cause=Cause.START, sentence="The campaign is to begin.")],
    )


def told(store: Store, *kinds: NoticeKind) -> list[str]:
    """To whom mails wait."""
    server = Channel(name="people", way=by_mail(25).way, kinds=frozenset(kinds))
    Messenger(store, [server], "http://lab").listen()
    return sorted(one.channel for one in store.notices(status=NoticeStatus.WAITING))


def test_a_request_is_mailed_to_who_may_decide_it_and_not_to_who_asked(store: Store) -> None:
    ask(store)
    assert told(store) == ["mail to anna"]


def test_a_held_campaign_is_mailed_to_who_may_go_on_with_it(store: Store) -> None:
    held(store)
    assert told(store) == ["mail to otto"]


def test_a_finished_campaign_waits_for_nobody(store: Store) -> None:
    campaign = a_campaign()
    bench = store.create_bench(workcell="bench", twin=True, seed=1, ledger="", snapshot={})
    store.create_campaign(campaign, bench.id, "sha", {})
    store.set_campaign_status(campaign.id, CampaignStatus.FINISHED, "Its budget is spent.")
    assert told(store, NoticeKind.FINISHED) == ["people"]


def test_grants_say_for_whom_a_request_waits(store: Store) -> None:
    store.change_person("anna", grants={"protocols": {"thermal_*": ["viewer"]}})
    store.change_person("otto", grants={"devices": {"arm": ["approver"]}})
    ask(store)
    assert told(store) == ["mail to otto"]


def test_the_mail_goes_to_the_one_person_over_the_labs_server(store: Store) -> None:
    post = Post()
    with mail_server(post) as port:
        server = Channel(name="people", way=by_mail(port).way, kinds=frozenset())
        with Messenger(store, [server], "http://lab:8501"):
            ask(store)
            to, letter = post.taken.get(timeout=30)
    assert to == ["anna@example.org"]
    assert letter["To"] == "anna@example.org"
    assert "pilot" in letter["Subject"]
    assert "http://lab:8501/approve?approval=" in letter.get_content()
    with pytest.raises(queue.Empty):
        post.taken.get_nowait()


def test_who_does_not_want_it_any_more_is_not_told_of_what_waited(store: Store) -> None:
    ask(store)
    post = Post()
    with mail_server(post) as port:
        server = Channel(name="people", way=by_mail(port).way, kinds=frozenset())
        messenger = Messenger(store, [server], "http://lab")
        messenger.listen()
        store.tell_by_mail("anna", False)
        assert messenger.send_to_people() == 0
        assert messenger.send_to_people() == 0
    (notice,) = store.notices()
    assert (notice.status, notice.error) == (NoticeStatus.GIVEN_UP, "anna is not told by mail any more.")
    assert post.taken.empty()


# Schedules.


def test_a_change_of_a_schedule_is_heard_by_who_listens(here: Lab) -> None:
    vera = session(here, "vera", "scientist")
    app: Any = here.client.app
    hub = app.state.hub
    file = write_campaign(here.folder, "weekly", budget=3, batch_size=3)
    body = {"text": file.read_text(), "path": file.name, "cron": "0 2 * * 1", "timezone": "UTC"}
    before = hub.name(len(hub._kept))
    made = here.client.post("/api/schedules", json=body, headers=vera).json()
    for command in ("pause", "resume", "remove"):
        assert here.client.post(f"/api/schedules/{made['id']}/{command}", headers=vera).status_code == 200
    heard = [one.body["status"] for one in hub._missed(before) or [] if one.kind == "schedule"]
    assert heard == ["made", "paused", "resumed", "removed"]


def test_a_moment_of_a_schedule_is_heard_by_who_listens(here: Lab) -> None:
    wanda = session(here, "wanda", "scientist")
    app: Any = here.client.app
    hub = app.state.hub
    file = write_campaign(here.folder, "hourly", budget=3, batch_size=3)
    body = {"text": file.read_text(), "path": file.name, "cron": "0 * * * *", "timezone": "UTC"}
    for other in here.store.schedules():  # one hour of the day is theirs as well
        if other.active:
            here.store.pause_schedule(other.id, paused=True)
    made = here.client.post("/api/schedules", json=body, headers=wanda).json()
    before = hub.name(len(hub._kept))
    here.client.post(f"/api/schedules/{made['id']}/pause", headers=wanda)
    here.client.post(f"/api/schedules/{made['id']}/resume", headers=wanda)
    later = here.store.schedule(made["id"]).considered_utc + timedelta(hours=1)
    told, check = app.state.timekeeper._told, check_with(here.house, here.store)
    decided = Timekeeper(here.store, check, told=told, now=lambda: later).look()
    here.client.post(f"/api/schedules/{made['id']}/remove", headers=wanda)
    assert [str(one.outcome) for one in decided if one.schedule_id == made["id"]] == ["fired"]
    heard = [
        one.body["status"]
        for one in hub._missed(before) or []
        if one.kind == "schedule" and one.body["schedule_id"] == made["id"]
    ]
    assert heard == ["paused", "resumed", "fired", "removed"]
