"""What somebody who means harm, or a broken program, may send: it is refused in a sentence, and never breaks the service."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.app import Settings
from lab.app.house.house import House
from lab.service.app import make_app
from lab.service.arriving import MOST_BYTES
from lab.service.settings import Standing
from lab.store import Store
from tests.lab.service.people_app import Clock, Desk

TEXTS = (
    "nul\x00inside",
    "'; DROP TABLE person; --",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "<script>alert(1)</script>",
    "line\r\nSet-Cookie: mine=1",
    "../../../etc/passwd",
    "9" * 5000,
)


@pytest.fixture
def desk(tmp_path: Path, empty_store: Path) -> Iterator[Desk]:
    """The whole service, with a house in which nothing happens."""
    where = shutil.copyfile(empty_store, tmp_path / "lab.db")
    with Store.open(where) as store:
        house = House(store, Settings(store=str(where)), tmp_path)
        app = make_app(house, store, Standing(names=("127.0.0.1", "testserver"), beside=tmp_path))
        yield Desk(app=app, store=store, clock=Clock())
        assert house.close(60.0)


@pytest.fixture
def admin(desk: Desk) -> dict[str, str]:
    """Headers of somebody who may do everything."""
    return desk.token(desk.add("ada", "viewer", "operator", "scientist", "approver", "admin"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"text": NaN, "path": Infinity}',
        b"[" * 100_000,
        b'{"text": "\\ud800"}',
        b'{"text": "\\u0000"}',
        b"\xff\xfe",
    ],
    ids=["empty", "cut", "list", "null", "nan", "deep", "surrogate", "nul", "not-utf8"],
)
def test_a_malformed_body_is_refused_in_a_sentence(desk: Desk, admin: dict[str, str], body: bytes) -> None:
    client = desk.client()
    for path in ("/api/submissions", "/api/checks", "/api/people", "/api/schedules", "/api/tokens"):
        answer = client.post(path, content=body, headers={**admin, "Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
        assert answer.json()["sentence"], path


@pytest.mark.parametrize("text", TEXTS)
def test_what_looks_like_code_in_a_campaign_is_only_text(
    desk: Desk, admin: dict[str, str], text: str
) -> None:
    client = desk.client()
    for body in ({"text": text}, {"text": "name: x", "path": text}):
        answer = client.post("/api/submissions", json=body, headers=admin)
        assert answer.status_code == 422, answer.text
    assert [one.name for one in desk.store.people()] == ["ada"]


@pytest.mark.parametrize("path", ["../a.yaml", "/etc/a.yaml", "a/../b.yaml", "a\\..\\b.yaml", ".hidden.yaml"])
def test_a_path_leads_nowhere_outside_the_folder(desk: Desk, admin: dict[str, str], path: str) -> None:
    answer = desk.client().post("/api/checks", json={"text": "name: x", "path": path}, headers=admin)
    assert answer.status_code == 422
    assert answer.json()["field"] == "body.path"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(desk: Desk, admin: dict[str, str]) -> None:
    answer = desk.client().post("/api/submissions", content=b" " * (MOST_BYTES + 1), headers=admin)
    assert answer.status_code == 413


def test_a_host_that_the_service_has_no_name_of_is_refused(desk: Desk, admin: dict[str, str]) -> None:
    answer = desk.client().get("/api/campaigns", headers={**admin, "Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_origin_stops_nothing(desk: Desk, origin: str) -> None:
    headers = {"Origin": origin, "X-Drywet": "stop"}
    assert desk.client("127.0.0.1").post("/api/stop", json={}, headers=headers).status_code == 403
    assert desk.client("127.0.0.1").post("/api/stop", data={"now": "1"}).status_code in (403, 422)


def test_stopping_takes_a_login_from_elsewhere_and_none_from_the_machine_itself(desk: Desk) -> None:
    headers = {"X-Drywet": "stop"}
    assert desk.client("10.0.0.7").post("/api/stop", json={}, headers=headers).status_code == 401
    assert desk.client("127.0.0.1").post("/api/stop", json={}, headers=headers).status_code == 200
