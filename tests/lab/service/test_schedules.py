"""Schedules and notices over HTTP, with a real house behind them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from lab.app.schedules import ServiceSchedules, StoreSchedules
from lab.approvals import ApprovalReason, Cause
from lab.client import Client
from lab.errors import BadInput
from lab.notices import Channel, Mail, NoticeKind, Webhook
from lab.schedules import Outcome
from lab.service.messenger import Messenger
from lab.service.timekeeper import Timekeeper, check_with
from lab.store.schedules import Checkup
from lab.submissions import CampaignText, SubmissionStatus
from lab.types import CampaignStatus
from tests.campaign_files import write_campaign
from tests.lab.service.lab_app import Lab, lab
from tests.lab.service.serving import served

NIGHTLY = {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}
WAIT_S = 60.0

A_START = ApprovalReason(cause=Cause.START, sentence="The campaign is to begin.")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as here:
        write_campaign(here.folder, budget=3, batch_size=3, baseline="null")
        assert here.client.get("/api/schedules").status_code == 401  # starts the thread that answers
        yield here


@pytest.fixture(scope="module")
def mira(here: Lab) -> dict[str, str]:
    return here.add("mira", "scientist")


def a_file(here: Lab) -> dict[str, str]:
    path = here.folder / "small.yaml"
    return {"text": path.read_text(), "path": path.name}


def make(here: Lab, who: dict[str, str], name: str, **more: Any) -> Any:
    body = {**a_file(here), **NIGHTLY, "name": name, **more}
    return here.client.post("/api/schedules", json=body, headers=who)


def test_a_schedule_is_made_with_its_next_ten_moments(here: Lab, mira: dict[str, str]) -> None:
    made = make(here, mira, "made", priority=2, on_overlap="queue")
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["who"], told["priority"], told["on_missed"], told["on_overlap"]) == (
        "mira",
        2,
        "run_once",
        "queue",
    )
    assert len(told["next"]) == 10
    for moment in told["next"]:
        local = datetime.fromisoformat(moment["local"])
        assert (local.hour, local.minute) == (2, 0)
        assert local == datetime.fromisoformat(moment["utc"])
    listed = here.client.get("/api/schedules", headers=mira).json()
    (mine,) = [one for one in listed if one["name"] == "made"]
    assert mine["next"] == told["next"][:1]
    assert (
        here.client.get(f"/api/schedules/{told['id']}", headers=mira).json()["campaign"] == mine["campaign"]
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "61 2 * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"timezone": "Europe/Bonn"}, "timezone"),
        ({"text": "name: [", "path": "x.yaml"}, ""),
        ({"path": "../secret.yaml"}, "body.path"),
        ({"on_missed": "always"}, "body.on_missed"),
        ({"priority": 1000}, "body.priority"),
        ({"extra": 1}, "body.extra"),
    ],
)
def test_what_can_not_be_a_schedule_is_refused_with_a_sentence(
    here: Lab, mira: dict[str, str], change: dict[str, Any], field: str
) -> None:
    refused = make(here, mira, "refused", **change)
    assert refused.status_code == 422
    assert refused.json()["sentence"]
    assert refused.json()["field"] == field
    names = [one["name"] for one in here.client.get("/api/schedules", headers=mira).json()]
    assert "refused" not in names


def test_what_an_expression_means_can_be_asked_before(here: Lab, mira: dict[str, str]) -> None:
    asked: dict[str, Any] = {"cron": "*/30 * * * *", "timezone": "UTC", "count": 3}
    told = here.client.get("/api/schedules/moments", params=asked, headers=mira).json()
    assert len(told) == 3
    wrong = here.client.get("/api/schedules/moments", params={**asked, "cron": "a b c d e"}, headers=mira)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "cron")


def test_pause_resume_and_remove_take_who_may_and_what_was_seen(here: Lab, mira: dict[str, str]) -> None:
    schedule = make(here, mira, "changed").json()
    where = f"/api/schedules/{schedule['id']}"
    viewer = here.add("vera", "viewer")
    for command in ("pause", "resume", "remove"):
        assert here.client.post(f"{where}/{command}", headers=viewer).status_code == 403
        assert here.client.post(f"{where}/{command}").status_code == 401
    paused = here.client.post(f"{where}/pause?expected=1", headers=mira).json()
    assert (paused["active"], paused["next"], paused["version"]) == (False, [], 2)
    stale = here.client.post(f"{where}/resume?expected=1", headers=mira)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert here.client.post(f"{where}/resume?expected=2", headers=mira).json()["active"]
    removed = here.client.post(f"{where}/remove", headers=mira).json()
    assert removed["removed_utc"]
    assert here.client.post(f"{where}/resume", headers=mira).status_code == 409
    assert here.client.post("/api/schedules/changed/pause", headers=mira).status_code == 404
    audit = [row.action for row in here.store.acts() if "schedules" in row.action]
    assert "POST /schedules/{schedule_id}/remove" in audit


def test_a_schedule_that_is_due_runs_its_campaign_to_the_end(here: Lab, mira: dict[str, str]) -> None:
    for other in here.store.schedules():  # one hour of the day is theirs as well
        if other.active:
            here.store.pause_schedule(other.id, paused=True)
    schedule = make(here, mira, "runs", cron="0 * * * *", timezone="UTC").json()
    due = datetime.fromisoformat(schedule["next"][0]["utc"])
    keeper = Timekeeper(
        here.store,
        check_with(here.house, here.store),
        begun=here.house.look,
        now=lambda: due + timedelta(seconds=3),
    )
    fired = [one for one in keeper.look() if one.schedule_id == schedule["id"]]
    assert [(one.due_utc, one.outcome) for one in fired] == [(due, Outcome.FIRED)]
    assert [one for one in keeper.look() if one.schedule_id == schedule["id"]] == []
    ended = here.ended()
    assert ended.status is CampaignStatus.FINISHED
    (told,) = here.client.get(f"/api/schedules/{schedule['id']}/firings", headers=mira).json()
    assert (told["outcome"], told["campaign_id"]) == ("fired", ended.campaign_id)
    submission = here.store.submission(told["submission_id"])
    assert (submission.status, submission.who) == (SubmissionStatus.STARTED, "mira")


def test_the_calendar_shows_what_was_what_comes_and_what_waits(here: Lab, mira: dict[str, str]) -> None:
    schedule = make(here, mira, "shown", cron="0 * * * *", timezone="UTC").json()
    due = [datetime.fromisoformat(one["utc"]) for one in schedule["next"]]
    later = due[2] + timedelta(minutes=10)
    now = datetime.now(UTC)
    assert here.store.decide(schedule["id"], due[0], None) == ()
    here.store.decide(schedule["id"], due[0], Checkup(problem="There is no planner 'luck'."))
    file = write_campaign(here.folder, "later", budget=3, batch_size=3)
    waiting = here.submit(file, mira, not_before_utc=later.isoformat()).json()
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (due[3]).isoformat()}
    told = here.client.get("/api/schedules/calendar", params=span, headers=mira).json()
    shown = [
        (one["kind"], one["utc"]) for one in told["entries"] if one["name"] in ("shown", waiting["name"])
    ]
    iso = [moment.isoformat().replace("+00:00", "Z") for moment in (*due[:3], later)]
    assert shown == [("failed", iso[0]), ("due", iso[1]), ("due", iso[2]), ("waiting", iso[3])]
    assert not told["more"]
    utcs = [one["utc"] for one in told["entries"]]
    assert utcs == sorted(utcs)

    answer = here.client.get("/api/schedules/calendar.ics", params=span, headers=mira)
    assert answer.headers["content-type"].startswith("text/calendar")
    events = [one for one in Calendar.from_ical(answer.content).walk("VEVENT") if "shown" in one["summary"]]
    assert [event.decoded("dtstart") for event in events] == due[:3]
    assert [str(event["status"]) for event in events] == ["CANCELLED", "CONFIRMED", "CONFIRMED"]
    assert str(events[0]["description"]) == "There is no planner 'luck'."
    assert len({str(event["uid"]) for event in events}) == 3


def test_a_calendar_of_an_age_is_refused_and_one_of_much_says_that_it_is_not_all(
    here: Lab, mira: dict[str, str]
) -> None:
    for first, last in (
        ("2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z"),
        ("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+14:00", "0001-02-01T00:00:00Z"),
        ("9999-12-31T00:00:00Z", ""),
    ):
        params = {"from": first, **({"to": last} if last else {})}
        refused = here.client.get("/api/schedules/calendar", params=params, headers=mira)
        assert refused.status_code == 422, refused.text
    made = make(here, mira, "often", cron="* * * * *", timezone="UTC").json()
    told = here.client.get("/api/schedules/calendar", headers=mira).json()
    assert told["more"]
    assert here.client.post(f"/api/schedules/{made['id']}/remove", headers=mira).status_code == 200


def test_what_somebody_scheduled_does_not_begin_once_they_may_not(here: Lab) -> None:
    who = here.add("gone", "scientist")
    schedule = here.store.schedule(make(here, who, "of_gone").json()["id"])
    check = check_with(here.house, here.store)
    assert check(schedule).problem == ""
    here.store.change_person("gone", roles=("viewer",))
    assert "may not hand in" in check(schedule).problem
    here.store.change_person("gone", active=False)
    assert "is not active any more" in check(schedule).problem
    here.store.remove_schedule(schedule.id)


def test_a_scheduled_campaign_asks_a_person_where_its_file_says_so(here: Lab, mira: dict[str, str]) -> None:
    file = a_file(here)
    asking = {"text": file["text"] + "\napproval: {start: true}\n", "path": file["path"]}
    made = make(here, mira, "asks", **asking)
    assert made.status_code == 201, made.text
    schedule = here.store.schedule(made.json()["id"])
    (reason,) = check_with(here.house, here.store)(schedule).ask
    assert reason.cause is Cause.START
    here.store.remove_schedule(schedule.id)


def test_a_campaign_that_broke_since_is_a_problem_and_not_a_crash(here: Lab, mira: dict[str, str]) -> None:
    schedule = here.store.schedule(make(here, mira, "breaks").json()["id"])
    broken = replace(schedule.document, text=schedule.document.text + "\nplaner: luck\n")
    check = check_with(here.house, here.store)
    assert "planer" in check(replace(schedule, document=broken)).problem
    here.store.remove_schedule(schedule.id)


def test_a_broken_schedule_does_not_keep_the_others_from_their_time(here: Lab, mira: dict[str, str]) -> None:
    ids = {
        make(here, mira, name, cron="0 * * * *", timezone="UTC").json()["id"] for name in ("first", "second")
    }
    due = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)

    def check(schedule: Any) -> Checkup:
        if schedule.name == "first":
            raise RuntimeError("a bug")
        return Checkup(problem="Not today.")

    keeper = Timekeeper(here.store, check, now=lambda: due)
    decided = {one.schedule_id for one in keeper.look()} & ids
    assert decided == {here.store.schedule("second").id}
    for name in ("first", "second"):
        here.store.remove_schedule(name)


def test_the_thread_looks_by_itself_and_ends_when_told(here: Lab, mira: dict[str, str]) -> None:
    schedule = make(here, mira, "by_itself", cron="0 * * * *", timezone="UTC").json()
    due = datetime.fromisoformat(schedule["next"][0]["utc"])
    begun = threading.Event()
    with Timekeeper(here.store, lambda _: Checkup(ask=(A_START,)), begun=begun.set, now=lambda: due):
        assert begun.wait(WAIT_S)
    (firing,) = here.store.firings(schedule_id=schedule["id"])
    assert firing.outcome is Outcome.FIRED
    here.store.remove_schedule(schedule["id"])


def test_the_command_line_gets_the_same_through_the_service(here: Lab, mira: dict[str, str]) -> None:
    document = CampaignText(**a_file(here))
    wanted = {**NIGHTLY, "name": "by hand/50 %", "priority": 1, "on_missed": "skip", "on_overlap": "skip"}
    token = mira["Authorization"].removeprefix("Bearer ")
    with served(here.client.app) as url, Client(url.replace("127.0.0.1", "localhost"), token) as client:
        schedules = ServiceSchedules(client)
        added = schedules.add(document, wanted)
        assert schedules.one(added["id"])["id"] == added["id"]
        assert added["id"] in [one["id"] for one in schedules.all()]
        assert not schedules.pause(added["id"])["active"]
        assert schedules.resume(added["id"])["active"]
        assert StoreSchedules(here.store, here.folder).one(added["name"]) == schedules.one(added["id"])
        assert len(client.moments("* * * * *", "UTC", 3)) == 3
        names = [one["name"] for one in client.calendar(last=added["next"][1]["utc"])["entries"]]
        assert "by hand/50 %" in names
        assert client.channels() == []
        assert client.notices(status="given_up") == []
        assert schedules.remove(added["id"])["removed_utc"]
        with pytest.raises(BadInput, match="no such schedule"):
            schedules.pause("nothing")
        with pytest.raises(BadInput, match="is no hour"):
            schedules.add(document, {**wanted, "cron": "0 99 * * *"})


def test_people_see_notices_and_channels_and_only_admins_try_them(here: Lab, mira: dict[str, str]) -> None:
    assert here.client.get("/api/notices", headers=mira).status_code == 200
    assert here.client.get("/api/notices/channels", headers=mira).json() == []
    assert here.client.get("/api/notices").status_code == 401
    assert here.client.post("/api/notices/test", headers=mira).status_code == 403
    refused = here.client.post("/api/notices/test", headers=here.add("ada", "admin"))
    assert (refused.status_code, refused.json()["code"]) == (409, "no_channels")


def test_channels_are_shown_without_their_secrets_and_tried_by_an_admin(
    here: Lab, mira: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "https://chat.example.org:8443/T0/SECRETPATH"
    chat = Channel(name="chat", way=Webhook(url=secret, secret="open sesame"), campaigns=("thermo*",))
    mail = Channel(
        name="people",
        way=Mail(
            server="smtp.example.org",
            port=587,
            security="starttls",
            sender="lab@example.org",
            to=("mira@example.org",),
            user="lab",
            password="open barley",
        ),
        kinds=frozenset({NoticeKind.HOLD}),
    )
    # One whose threads do not run: nothing leaves this computer.
    app: Any = here.client.app
    monkeypatch.setattr(app.state, "messenger", Messenger(here.store, [chat, mail], "http://lab:8501"))
    answer = here.client.get("/api/notices/channels", headers=mira)
    assert answer.json() == [
        {
            "name": "chat",
            "way": "POST to chat.example.org port 8443",
            "kinds": ["approval", "fault", "finished", "hold", "not_started"],
            "campaigns": ["thermo*"],
        },
        {
            "name": "people",
            "way": "mail to mira@example.org over smtp.example.org port 587",
            "kinds": ["hold"],
            "campaigns": ["*"],
        },
    ]
    tried = here.client.post("/api/notices/test", headers=here.add("root", "admin"))
    assert tried.status_code == 201
    assert {(one["channel"], one["kind"], one["status"]) for one in tried.json()} == {
        ("chat", "test", "waiting"),
        ("people", "test", "waiting"),
    }
    told = here.client.get("/api/notices", params={"status": "waiting", "most": 2}, headers=mira)
    assert [one["sentence"].endswith("This one did.") for one in told.json()] == [True, True]
    assert told.json()[0]["link"] == "http://lab:8501"
    for text in (answer.text, tried.text, told.text):
        for hidden in ("SECRETPATH", "sesame", "barley"):
            assert hidden not in text
