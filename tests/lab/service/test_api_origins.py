"""What a page of another origin can have a browser send changes nothing, and nothing comes back to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from lab.people import Role
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import WAIT_S, Api, Headers, api

Here = tuple[Api, Headers]

EVIL = "https://evil.example"


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A service with nothing in it, and somebody who may do everything."""
    with api(tmp_path_factory.mktemp("origins")) as found:
        yield found, found.add("ada", *Role)


def routes(found: Api) -> list[tuple[str, str]]:
    document = found.app.openapi()["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, operations in document.items()
        for method in operations
        if path != "/api/events"
    ]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "evil-localhost",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/evil",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "[::1]evil",
        "",
        "localhost:port",
    ],
)
def test_a_name_that_somebody_else_has_lead_here_opens_nothing(here: Here, host: str) -> None:
    found, ada = here
    acts = found.store.acts()
    for method, path in routes(found):
        headers = {**ada, "Host": host, "X-Drywet": "stop"}
        answer = found.client.request(method, path, headers=headers, json={})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host"), (method, path)
        assert answer.json()["sentence"]
    assert found.store.acts() == acts


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:8517"])
def test_its_own_names_are_known_however_they_are_written(here: Here, host: str) -> None:
    assert here[0].client.get("/api/health", headers={"Host": host}).status_code == 200


def test_two_names_or_none_are_no_name(here: Here) -> None:
    for lines in (["Host: localhost", "Host: evil.example"], []):
        assert _raw(here[0], "GET /api/health HTTP/1.1", *lines).startswith(b"HTTP/1.1 400")
    assert _raw(here[0], "GET /api/health HTTP/1.0").startswith(b"HTTP/1.1 400")


def test_a_name_in_the_address_does_not_count(here: Here) -> None:
    answer = _raw(here[0], "GET http://localhost/api/health HTTP/1.1", "Host: evil.example")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"unknown_host" in answer


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:1", "http://127.0.0.1"])
def test_a_browser_that_asks_whether_another_page_may_is_told_nothing_that_lets_it(
    here: Here, origin: str
) -> None:
    found, _ = here
    for method, path in routes(found):
        asks = {
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization, x-drywet, content-type",
        }
        answer = found.client.options(path, headers=asks)
        assert answer.status_code == 405, path
        assert not [name for name in answer.headers if name.startswith("access-control")], path


def test_no_answer_may_be_read_by_another_page_framed_by_it_or_kept(here: Here) -> None:
    found, ada = here
    for who in ({}, ada):
        for method, path in routes(found):
            if method == "GET":
                answer = found.client.get(path, headers={**who, "Origin": EVIL})
                assert "access-control-allow-origin" not in answer.headers, path
                assert "set-cookie" not in answer.headers, path
                assert answer.headers["x-frame-options"] == "DENY", path
                assert answer.headers["x-content-type-options"] == "nosniff", path
                assert answer.headers["cache-control"] == "no-store", path
                assert "default-src 'none'" in answer.headers["content-security-policy"], path


def test_what_a_browser_sends_by_itself_logs_nobody_in(here: Here) -> None:
    found, ada = here
    token = ada["Authorization"].removeprefix("Bearer ")
    for name in ("token", "session", "access_token", "Authorization", "drywet"):
        headers = {"Cookie": f"{name}={token}", "Origin": EVIL}
        assert found.client.get("/api/me", headers=headers).status_code == 401
        assert found.client.get("/api/me", params={name: token}).status_code == 401
        body = {name: token}
        assert found.client.post("/api/logout", json=body, headers=headers).status_code == 401


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_a_form_of_another_page_changes_nothing_and_stops_nothing(
    here: Here, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = here
    stopped: list[str] = []
    monkeypatch.setattr(found.house, "request_stop", lambda reason, campaign: stopped.append(reason))
    acts = found.store.acts()
    for method, path in routes(found):
        if method in ("POST", "GET"):  # what a form or a link can send
            for origin in (EVIL, "null"):
                headers = {"Origin": origin, "Content-Type": kind}
                answer = found.client.request(method, path, headers=headers, content=b'{"x=": "y"}')
                open_to_all = method == "GET" and answer.status_code == 200
                assert open_to_all or 400 <= answer.status_code < 500, (path, answer.text)
    assert (found.store.acts(), stopped) == (acts, [])


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"X-Drywet": "stop"}, True),
        ({"X-Drywet": "stop", "Origin": "http://localhost:8501"}, True),
        ({}, False),
        ({"X-Drywet": "no"}, False),
        ({"Origin": "http://localhost:8501"}, False),
        ({"X-Drywet": "stop", "Origin": EVIL}, False),
        ({"X-Drywet": "stop", "Origin": "null"}, False),
        ({"X-Drywet": "stop", "Origin": ""}, False),
        ({"X-Drywet": "stop", "Origin": "http://localhost:8501.evil.example"}, False),
        ({"X-Drywet": "stop", "Origin": "https://localhost:8501"}, False),
        ({"X-Drywet": "stop", "Origin": "http://localhost"}, False),
    ],
)
def test_the_console_and_programs_stop_and_pages_of_others_do_not(
    here: Here, monkeypatch: pytest.MonkeyPatch, headers: Headers, taken: bool
) -> None:
    found, _ = here
    stopped: list[str] = []
    monkeypatch.setattr(found.house, "request_stop", lambda reason, campaign: stopped.append(reason))
    answer = found.client.post(
        "/api/stop", json={"reason": "Smoke\r\n2026 ERROR all is well"}, headers=headers
    )
    assert (answer.status_code == 200) is taken
    said = "Stopped by somebody at the machine of the service: Smoke 2026 ERROR all is well"
    assert stopped == ([said] if taken else [])
    if not taken:
        assert (answer.status_code, answer.json()["code"]) == (403, "other_origin")


def _raw(found: Api, *lines: str) -> bytes:
    host, port = found.address.removeprefix("http://").split(":")
    got = b""
    with closing(socket.create_connection((host, int(port)), timeout=WAIT_S)) as line:
        line.sendall(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode())
        while more := line.recv(65536):
            got += more
    return got
