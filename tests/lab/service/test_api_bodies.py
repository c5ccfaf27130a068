"""Requests that are too large, too slow, garbled or ambiguous: refused in a sentence, and nobody else waits for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from lab.people import Role
from lab.service import arriving, patience
from lab.service.arriving import MOST_BYTES
from tests.campaign_files import write_campaign
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import WAIT_S, Api, Headers, api

Here = tuple[Api, Headers]

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A service with nothing in it, and somebody who may do everything."""
    with api(tmp_path_factory.mktemp("bodies")) as found:
        yield found, found.add("ada", *Role)


def writing(app: Any) -> list[tuple[str, str]]:
    """Every route that takes a body, of things that there are not."""
    document = app.openapi()["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, operations in document.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]


BODIES = {
    "empty": b"",
    "cut": b'{"text": "x"',
    "two": b"{}{}",
    "list": b"[]",
    "null": b"null",
    "text": b'"text"',
    "number": b"1",
    "nan": b'{"text": NaN}',
    "infinity": b'{"expected": -Infinity}',
    "too large a number": b'{"value": 1e999}',
    "a number of many digits": b'{"expected": 1' + b"0" * 5_000 + b"}",
    "a large number": b'{"expected": 1' + b"0" * 400 + b"}",
    "twice": b'{"why": "a", "why": "b"}',
    "twice below": b'{"arguments": {"a": 1, "a": 2}}',
    "nul": b'{"why": "a\\u0000b"}',
    "half a character": b'{"why": "\\ud800"}',
    "half a character as a name": b'{"\\udfff": 1}',
    "deep": b'{"why":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deeper than anybody needs": b'{"why":' + b"[" * 200 + b"]" * 200 + b"}",
    "not utf-8": b'{"why": "\xff\xfe"}',
    "utf-16": '{"why": "a"}'.encode("utf-16"),
    "with a mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_garbled_body_is_refused_in_a_sentence_by_every_route(here: Here, body: bytes) -> None:
    api, ada = here
    for method, path in writing(api.app):
        answer = api.client.request(method, path, content=body, headers={**ada, **JSON})
        told = (method, path, answer.status_code, answer.text)
        assert 400 <= answer.status_code < 500, told
        assert answer.json()["sentence"], told
        assert set(answer.json()) >= {"code", "sentence", "way_out", "field"}, told


@pytest.mark.parametrize("name", ["nan", "too large a number", "a large number", "twice", "nul", "deep"])
def test_what_has_no_one_meaning_is_said_to_be_so_and_is_in_no_record(here: Here, name: str) -> None:
    api, ada = here
    answer = api.client.post("/api/campaigns/none/pause", content=BODIES[name], headers={**ada, **JSON})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    (act, *_) = api.client.get("/api/audit", headers=ada).json()
    assert list(act["details"]) == ["unreadable"]
    assert act["outcome"].startswith("refused")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "x",
    ],
)
def test_another_kind_of_body_is_refused(here: Here, kind: str) -> None:
    api, ada = here
    for method, path in writing(api.app):
        answer = api.client.request(
            method, path, content=b'{"why": "x"}', headers={**ada, "Content-Type": kind}
        )
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.json()["sentence"]


def test_a_refusal_points_to_what_is_there_and_stays_on_this_machine(here: Here) -> None:
    api, ada = here
    for answer in (
        api.client.post("/api/submissions", json={"text": 1}, headers=ada),
        api.client.post("/api/submissions", content=b"{", headers={**ada, **JSON}),
        api.client.get("/api/nothing"),
        api.client.put("/api/submissions"),
    ):
        (address,) = [
            word.rstrip(".") for word in answer.json()["way_out"].split() if word.startswith("/api/")
        ]
        document = api.client.get(address)
        assert document.status_code == 200
        assert document.json()["info"]["title"] == "drywet"
    assert "http" not in json.dumps(api.client.get("/api/openapi.json").json().get("servers", ""))


def test_every_way_to_ask_is_named_where_another_is_tried(here: Here) -> None:
    answer = here[0].client.put("/api/submissions")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


MOMENTS = (
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59Z",
    "0000-00-00T00:00:00Z",
    "2026-11-23T02:30:00",
    "2026-11-23",
    "1763865000",
    "0.5",
    "-1",
    "1e400",
    "tomorrow",
    "२०२६-११-२३T02:30:00Z",
)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_that_no_clock_here_shows_is_refused(here: Here, moment: str) -> None:
    api, ada = here
    file = write_campaign(api.folder, "once", budget=4, batch_size=4, baseline="null")
    body = {"text": file.read_text(), "path": file.name, "not_before_utc": moment}
    answers = [
        api.client.post("/api/submissions", json=body, headers=ada),
        api.client.post(
            "/api/submissions/x/change", json={"expected": 1, "not_before_utc": moment}, headers=ada
        ),
        *(api.client.get("/api/audit", params={name: moment}, headers=ada) for name in ("since", "until")),
        *(
            api.client.get(f"/api/schedules/{page}", params={name: moment}, headers=ada)
            for page in ("calendar", "calendar.ics")
            for name in ("from", "to")
        ),
    ]
    for answer in answers:
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] == "malformed"
    assert api.store.submissions() == ()


def test_a_moment_with_an_offset_is_kept_as_utc(here: Here) -> None:
    api, ada = here
    file = write_campaign(api.folder, "later", budget=4, batch_size=4, baseline="null")
    body = {"text": file.read_text(), "path": file.name, "not_before_utc": "2199-12-31T23:30:00-00:15"}
    made = api.client.post("/api/submissions", json=body, headers=ada).json()
    assert made["not_before_utc"] == "2199-12-31T23:45:00Z"
    calendar = api.client.get("/api/schedules/calendar", params={"to": "2199-12-31T23:59:00Z"}, headers=ada)
    assert [entry["name"] for entry in calendar.json()["entries"]] == ["later"]
    api.store.change_submission(made["id"], status="withdrawn", sentence="Taken back.")


def test_an_oversized_body_is_refused_whether_or_not_it_says_its_size(here: Here) -> None:
    api, ada = here

    def pieces() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 65536 + 2):
            yield b" " * 65536

    with _connected(api) as line:
        line.sendall(_head("POST", "/api/submissions", f"Content-Length: {MOST_BYTES + 1}"))
        assert _answer(line).startswith(b"HTTP/1.1 413")
    answer = api.client.post("/api/submissions", content=pieces(), headers={**ada, **JSON})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    with _connected(api) as line:
        line.sendall(_head("POST", "/api/submissions", f"Content-Length: {'9' * 400}"))
        assert _answer(line).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_what_is_packed_is_not_unpacked(here: Here) -> None:
    api, ada = here
    headers = {**ada, **JSON, "Content-Encoding": "gzip"}
    answer = api.client.post("/api/checks", content=b"\x1f\x8b" + b"\0" * 100, headers=headers)
    assert answer.status_code in (400, 422)


def test_who_sends_a_byte_now_and_then_does_not_keep_a_place_for_ever(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, _ = here
    monkeypatch.setattr(arriving, "BODY_S", 0.5)
    with _connected(api) as line:
        line.sendall(_head("POST", "/api/login", "Content-Length: 1000", "Content-Type: application/json"))
        line.sendall(b"{")
        assert api.client.get("/api/health").status_code == 200  # nobody else waits
        answer = _answer(line)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert b'"too_slow"' in answer


@pytest.mark.parametrize(
    "begun", [b"", b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nX-A: "], ids=["silent", "slow"]
)
def test_who_never_comes_to_the_point_is_hung_up_on(
    here: Here, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    api, _ = here
    monkeypatch.setattr(patience, "HEAD_S", 0.5)
    with _connected(api) as line:
        line.sendall(begun)
        assert line.recv(100) == b""


def test_who_asks_again_and_again_on_one_line_is_not_hung_up_on(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, _ = here
    monkeypatch.setattr(patience, "HEAD_S", 0.5)
    with _connected(api) as line:
        for _ in range(4):
            line.sendall(_head("GET", "/api/health"))
            assert _answer(line).startswith(b"HTTP/1.1 200")
    with _connected(api) as line:  # an answer may take longer than a question
        line.sendall(_head("GET", "/api/events", api_token(api)))
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.settimeout(1.5)
        with pytest.raises(TimeoutError):
            _answer(line)


def api_token(api: Api) -> str:
    return f"Authorization: {api.token('ada')['Authorization']}"


def test_many_headers_and_long_ones_break_nothing(here: Here) -> None:
    api, _ = here
    for headers in (
        [f"X-{n}: {n}" for n in range(500)],
        ["X-Long: " + "x" * 200_000],
        ["Bad\x00: x"],
        ["No colon"],
    ):
        with _connected(api) as line:
            line.sendall(_head("GET", "/api/health", *headers))
            assert _answer(line)[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 431")
    assert api.client.get("/api/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/campaigns/%00",
        "/api/campaigns/a%0d%0aSet-Cookie:%20a=1",
        "/api/people/%1b%5b31m",
        "/api/steps/%7f",
    ],
)
def test_an_address_with_characters_that_no_name_has_leads_nowhere(here: Here, path: str) -> None:
    api, ada = here
    answer = api.client.get(path, headers=ada)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert api.client.get("/api/audit?who=%00", headers=ada).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        "/api/../../etc/passwd",
        "/api/campaigns/..%2f..%2f..%2fetc%2fpasswd/report",
        "/api/campaigns/%2e%2e%2f%2e%2e/report",
        "/api/benches/%2e%2e/deck",
        "//etc/passwd",
        "/api/files/../../../etc/passwd",
        "/static/../../etc/passwd",
    ],
)
def test_no_address_leads_to_a_file(here: Here, path: str) -> None:
    api, _ = here
    with _connected(api) as line:
        line.sendall(_head("GET", path, api_token(api)))
        answer = _answer(line)
    assert answer.startswith(b"HTTP/1.1 404"), answer
    assert b"root:" not in answer


def _connected(api: Api) -> Any:
    host, port = api.address.removeprefix("http://").split(":")
    return closing(socket.create_connection((host, int(port)), timeout=WAIT_S))


def _head(method: str, path: str, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _answer(line: socket.socket) -> bytes:
    """All of it: to the end of the line, or of the body that it announces."""
    got = b""
    while True:
        try:
            more = line.recv(65536)
        except ConnectionResetError:  # it did not read what else was sent
            return got
        got += more
        head, _, body = got.partition(b"\r\n\r\n")
        sizes = [
            part.split(b":")[1] for part in head.lower().split(b"\r\n") if part.startswith(b"content-length")
        ]
        if not more or (sizes and len(body) >= int(sizes[0])):
            return got
