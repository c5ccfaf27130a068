"""The console's own routes: who gets what, and that a token never reaches a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.ui.console_lab import ConsoleLab, until
from ui.live import ROUTES
from ui.parts.session import COOKIE, KEPT

OURS = {"X-Drywet": "console"}


@pytest.fixture
def browser(console: ConsoleLab) -> Iterator[TestClient]:
    """Somebody at the machine itself."""
    with TestClient(
        Starlette(routes=ROUTES), base_url="http://localhost", client=("127.0.0.1", 5000)
    ) as client:
        yield client


def log_in(browser: TestClient, console: ConsoleLab, name: str = "ada") -> str:
    """Let a browser fetch its cookie; gives the token that it stands for."""
    with console.log_in(name) as lab:
        answer = browser.post("/live/keep", content=KEPT.offer(lab.token), headers=OURS)
        assert answer.status_code == 204
        return lab.token


def test_nothing_is_shown_to_who_is_not_logged_in(browser: TestClient) -> None:
    for path in ("/live/snapshot", "/live/events", "/live/deck/b", "/live/devices/b", "/live/log/c"):
        assert browser.get(path).status_code == 401
        assert browser.get(path, headers={"Cookie": f"{COOKIE}=made-up"}).status_code == 401


def test_a_browser_sees_what_its_person_may_and_never_the_token(
    browser: TestClient, console: ConsoleLab
) -> None:
    token = log_in(browser, console)
    answer = browser.get("/live/snapshot")
    assert answer.status_code == 200
    assert {"live", "campaigns"} <= set(answer.json())
    assert token not in answer.text + str(answer.headers) + str(dict(browser.cookies))


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    browser: TestClient, console: ConsoleLab
) -> None:
    with console.log_in() as lab:
        word = KEPT.offer(lab.token)
    first = browser.post("/live/keep", content=word, headers=OURS)
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=strict" in first.headers["set-cookie"]
    assert browser.post("/live/keep", content=word, headers=OURS).status_code == 410


def test_after_logging_out_the_cookie_is_worth_nothing(browser: TestClient, console: ConsoleLab) -> None:
    log_in(browser, console)
    kept = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    assert browser.post("/live/forget", headers=OURS).status_code == 204
    assert browser.get("/live/snapshot", headers=kept).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        OURS | {"Origin": "http://elsewhere.example"},
        OURS | {"Host": "rebound.example"},
        {"X-Drywet": "stop"},
    ],
    ids=["no header", "another origin", "another name for this machine", "the service's header"],
)
@pytest.mark.parametrize("path", ["/live/keep", "/live/forget", "/live/steer", "/live/stop"])
def test_a_page_elsewhere_can_do_nothing(browser: TestClient, path: str, headers: dict[str, str]) -> None:
    assert browser.post(path, content=b"{}", headers=headers).status_code == 403


@pytest.mark.parametrize("bench", ["..%2f..%2fpeople", "a.b", "%00", "x" * 61])
def test_the_name_of_a_bench_leads_nowhere_else(browser: TestClient, console: ConsoleLab, bench: str) -> None:
    log_in(browser, console)
    assert browser.get(f"/live/deck/{bench}").status_code == 404


def test_at_the_machine_itself_nobody_needs_a_login_to_stop(browser: TestClient) -> None:
    answer = browser.post("/live/stop", json={"campaign": "of no such name"}, headers=OURS)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_running"), answer.text
    assert answer.json()["sentence"]


@pytest.mark.parametrize("how", ["from another machine", "through a proxy"])
def test_from_elsewhere_stopping_needs_a_login(console: ConsoleLab, how: str) -> None:
    where = SimpleNamespace(
        host="10.0.0.7" if how == "from another machine" else "127.0.0.1",
        more={} if how == "from another machine" else {"X-Forwarded-For": "10.0.0.7"},
    )
    app = Starlette(routes=ROUTES)
    with TestClient(app, base_url="http://localhost", client=(where.host, 5000)) as browser:
        stop = {"campaign": "of no such name"}
        assert browser.post("/live/stop", json=stop, headers=OURS | where.more).status_code == 401
        log_in(browser, console)
        assert browser.post("/live/stop", json=stop, headers=OURS | where.more).status_code == 409


@pytest.fixture(scope="module")
def campaign(lab: ConsoleLab) -> Iterator[str]:
    """Under way until this module is over."""
    found = lab.submit("steered", budget=96, batch_size=12)
    until("it has steps", lambda: live(lab, found).get("steps"))
    yield found
    with lab.log_in() as ada:
        ada.stop(found)
    until("it has let go of its bench", lambda: not live(lab, found))


def record(lab: ConsoleLab, campaign: str) -> Mapping[str, Any]:
    with lab.log_in() as ada:
        return dict(ada.campaign(campaign))


def live(lab: ConsoleLab, campaign: str) -> Mapping[str, Any]:
    return dict(record(lab, campaign)["live"] or {})


def steer(browser: TestClient, campaign: str, what: str, expected: str = "running") -> Any:
    return browser.post(
        "/live/steer", json={"campaign": campaign, "what": what, "expected": expected}, headers=OURS
    )


def seen(browser: TestClient, campaign: str) -> Mapping[str, Any]:
    """What a window is told of it this moment."""
    found = browser.get("/live/snapshot").json()["live"]
    return next(one for one in found if one["campaign_id"] == campaign)


def test_a_pause_and_its_end_are_seen_in_the_next_answer(
    browser: TestClient, console: ConsoleLab, campaign: str
) -> None:
    log_in(browser, console)
    assert not seen(browser, campaign)["pausing"]  # which would serve for half a second
    paused = steer(browser, campaign, "pause")
    assert (paused.status_code, paused.json()["sentence"]) == (
        200,
        "steered pauses after the step under way.",
    )
    assert seen(browser, campaign)["pausing"]
    gone_on = steer(browser, campaign, "continue")
    assert (gone_on.status_code, gone_on.json()["sentence"]) == (200, "steered goes on.")
    assert not seen(browser, campaign)["pausing"]


def test_others_are_told_of_a_pause_at_once(browser: TestClient, console: ConsoleLab, campaign: str) -> None:
    log_in(browser, console)
    with console.log_in("vera") as vera:
        following = vera.events()
        assert next(following).kind == "snapshot"
        assert steer(browser, campaign, "pause").status_code == 200
        told = next(one for one in following if one.kind == "steering")
        assert told.body == {"campaign_id": campaign, "sentence": "Paused by ada."}
    assert steer(browser, campaign, "continue").status_code == 200


def test_a_page_that_shows_what_is_no_longer_so_is_told(
    browser: TestClient, console: ConsoleLab, campaign: str
) -> None:
    log_in(browser, console)
    answer = steer(browser, campaign, "resume", expected="stopped")
    assert (answer.status_code, answer.json()["code"]) == (409, "stale")
    assert "running by now, not stopped" in answer.json()["sentence"]


def test_who_may_only_look_is_refused_with_a_sentence(
    browser: TestClient, console: ConsoleLab, campaign: str
) -> None:
    log_in(browser, console, "vera")
    answer = steer(browser, campaign, "pause")
    assert answer.status_code == 403
    assert answer.json()["sentence"]
    assert not live(console, campaign)["pausing"]


def test_who_is_not_logged_in_steers_nothing(browser: TestClient, console: ConsoleLab, campaign: str) -> None:
    assert steer(browser, campaign, "pause").status_code == 401
    assert not live(console, campaign)["pausing"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"pause",
        b"[]",
        b"[" * 5000,
        b"\xff",
        b'{"campaign": "x", "what": "retract", "expected": "running"}',
        b'{"campaign": "../people", "what": "pause", "expected": "running"}',
        b'{"campaign": "x", "what": ["pause"], "expected": "running"}',
        b'{"campaign": "x", "what": "pause"}',
    ],
)
def test_nothing_else_of_the_service_is_reached_by_it(
    browser: TestClient, console: ConsoleLab, body: bytes
) -> None:
    log_in(browser, console)
    assert browser.post("/live/steer", content=body, headers=OURS).status_code == 422


def test_one_campaign_is_stopped_and_resumed(browser: TestClient, console: ConsoleLab, campaign: str) -> None:
    log_in(browser, console)
    assert browser.post("/live/stop", json={"campaign": campaign}, headers=OURS).status_code == 200
    until("it stops", lambda: record(console, campaign)["status"] == "stopped")
    until("it has let go", lambda: not live(console, campaign))
    answer = steer(browser, campaign, "resume", expected="stopped")
    assert answer.status_code == 200, answer.text
    until("it runs again", lambda: record(console, campaign)["status"] == "running")


def test_where_the_service_is_gone_that_is_said(
    browser: TestClient, console: ConsoleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(browser, console)
    monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", "http://127.0.0.1:9")
    with TestClient(
        Starlette(routes=ROUTES), base_url="http://localhost", client=("127.0.0.1", 5000)
    ) as late:
        late.cookies.set(COOKIE, browser.cookies[COOKIE])
        answer = late.get("/live/snapshot")
        assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")
        stopped = late.post("/live/stop", json={}, headers=OURS)
        assert stopped.status_code == 502
        assert "drywet stop --now" in stopped.json()["sentence"]
        steered = steer(late, "x", "pause")
        assert (steered.status_code, steered.json()["sentence"]) == (502, "The lab service does not answer.")
