from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from lab.audit import Once
from lab.errors import BadInput, DeviceFault, StoreUnusable
from lab.people import Permission
from lab.service.arriving import MOST_BYTES
from lab.service.caller import Caller, needs
from lab.service.commands import CommandRoute
from lab.service.redaction import details_of, without_secrets
from lab.store import Store
from tests.lab.service.people_app import Desk, open_desk
from tests.lab.service.serving import served

Operator = Annotated[Caller, Depends(needs(Permission.OPERATE))]


class Dose(BaseModel):
    name: str = ""
    volume_ul: float = 1.0


class Bench:
    """Routes whose deeds are counted, and that can be held up."""

    def __init__(self) -> None:
        self.doses: list[float] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.error: Exception | None = None
        self.router = APIRouter(route_class=CommandRoute)
        self.router.post("/dose/{well}")(self.dose)
        self.router.post("/slow")(self.slow)
        self.router.post("/key")(self.key)
        self.router.post("/refusing")(self.refusing)

    def dose(self, well: str, dose: Dose, caller: Operator) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        self.doses.append(dose.volume_ul)
        return {"well": well, "doses": len(self.doses)}

    def slow(self, caller: Operator) -> dict[str, int]:
        self.doses.append(1.0)
        self.begun.set()
        assert self.go_on.wait(30)
        return {"doses": len(self.doses)}

    def key(self, caller: Operator) -> dict[str, Any]:
        self.doses.append(0.0)
        return {"token": "shown once", "id": len(self.doses)}

    def refusing(self, caller: Operator) -> JSONResponse:
        return JSONResponse({"code": "no"}, status_code=409)


@pytest.fixture
def bench(desk: Desk) -> Bench:
    bench = Bench()
    desk.app.include_router(bench.router, prefix="/api")
    return bench


@pytest.fixture
def ada(desk: Desk) -> dict[str, str]:
    return desk.token(desk.add("ada", "operator"))


def _with_key(headers: dict[str, str], key: str = "k1") -> dict[str, str]:
    return {**headers, "Idempotency-Key": key}


def test_what_changes_something_is_written_down_before_and_after(
    desk: Desk, bench: Bench, ada: dict[str, str]
) -> None:
    bench.error = RuntimeError("boom")
    desk.client().post("/api/dose/A1?dry=no", json={"volume_ul": 2.0, "password": "pst"}, headers=ada)
    bench.error = None
    desk.client().post("/api/dose/A1", json={"volume_ul": 2.0}, headers=ada)
    done, failed = desk.store.acts()
    assert (done.who, done.action, done.subject) == ("ada", "POST /dose/{well}", "A1")
    assert (done.source, done.outcome, done.result) == ("10.0.0.7", "done", {"status": 200})
    assert failed.outcome == "failed: RuntimeError, see the log of the service"
    assert failed.details == {"query": {"dry": "no"}, "volume_ul": 2.0, "password": "(not kept)"}


def test_reading_is_not_written_down(desk: Desk, ada: dict[str, str]) -> None:
    assert desk.client().get("/api/look", headers=ada).status_code == 200
    assert desk.store.acts() == ()


def test_what_nobody_is_logged_in_for_is_neither_done_nor_written_down(desk: Desk, bench: Bench) -> None:
    assert desk.client().post("/api/dose/A1", json={}).status_code == 401
    assert bench.doses == []
    assert desk.store.acts() == ()


def _fill(store: Store, length: int) -> None:
    for _ in range(10_000):
        store.audit_begin(who="filler", action="x" * length)


def test_what_can_not_be_written_down_is_not_done(desk: Desk, bench: Bench, ada: dict[str, str]) -> None:
    desk.client().get("/api/look", headers=ada)  # so that nothing but the audit needs the disk
    desk.store._database.pragma("max_page_count = 1")  # a full disk, as SQLite sees it
    for length in (2000, 100, 1):
        with pytest.raises(StoreUnusable, match="full"):
            _fill(desk.store, length)
    for headers in (ada, _with_key(ada)):
        answer = desk.client().post("/api/dose/A1", json={}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_audited")
        assert answer.json()["sentence"].startswith("Nothing was done")
    assert bench.doses == []


def test_what_was_done_is_answered_also_when_the_end_can_not_be_written(
    desk: Desk, bench: Bench, ada: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreUnusable("The disk is full.")

    monkeypatch.setattr(Store, "audit_end", full)
    answer = desk.client().post("/api/dose/A1", json={}, headers=ada)
    assert answer.json() == {"well": "A1", "doses": 1}
    assert [act.outcome for act in desk.store.acts()] == [""]


def test_a_command_that_is_sent_again_is_done_once_and_answered_alike(
    desk: Desk, bench: Bench, ada: dict[str, str]
) -> None:
    first, second = (
        desk.client().post("/api/dose/A1", json={"volume_ul": 3.0}, headers=_with_key(ada)) for _ in range(2)
    )
    assert first.json() == second.json() == {"well": "A1", "doses": 1}
    assert second.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers
    assert bench.doses == [3.0]
    assert len(desk.store.acts()) == 1
    desk.client().post("/api/dose/A1", json={"volume_ul": 3.0}, headers=_with_key(ada, "k2"))
    assert bench.doses == [3.0, 3.0]


def test_another_command_under_the_same_key_is_refused(desk: Desk, bench: Bench, ada: dict[str, str]) -> None:
    client, headers = desk.client(), _with_key(ada)
    client.post("/api/dose/A1", json={"volume_ul": 3.0}, headers=headers)
    for path, body in (("/api/dose/A1", {"volume_ul": 4.0}), ("/api/dose/A2", {"volume_ul": 3.0})):
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    bob = _with_key(desk.token(desk.add("bob", "operator")))
    assert client.post("/api/dose/A2", json={"volume_ul": 4.0}, headers=bob).status_code == 200
    assert bench.doses == [3.0, 4.0]


@pytest.mark.parametrize("key", ["x" * 201, "a\tb", "\xe4"])
def test_a_key_is_short_and_plain(desk: Desk, bench: Bench, ada: dict[str, str], key: str) -> None:
    headers = {**ada, "Idempotency-Key": key.encode("latin-1")}
    answer = desk.client().post("/api/dose/A1", json={}, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_key")
    assert bench.doses == []


@pytest.mark.parametrize(
    "error",
    [BadInput("The well is full."), DeviceFault("Refused.", nothing_done=True)],
)
def test_what_was_refused_may_be_sent_again_under_its_key(
    desk: Desk, bench: Bench, ada: dict[str, str], error: Exception
) -> None:
    bench.error = error
    assert desk.client().post("/api/dose/A1", json={}, headers=_with_key(ada)).status_code in (409, 422)
    bench.error = None
    assert desk.client().post("/api/dose/A1", json={}, headers=_with_key(ada)).status_code == 200
    malformed = desk.client().post("/api/dose/A1", json={"volume_ul": "x"}, headers=_with_key(ada, "k2"))
    assert malformed.status_code == 422
    assert desk.client().post("/api/dose/A1", json={}, headers=_with_key(ada, "k2")).status_code == 200


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (RuntimeError("a bug"), "It failed: RuntimeError, see the log of the service."),
        (DeviceFault("The line broke."), "It failed: The line broke."),
        (StoreUnusable("The disk is full."), "It failed: The disk is full."),
    ],
)
def test_what_broke_off_is_not_done_again_under_its_key(
    desk: Desk, bench: Bench, ada: dict[str, str], error: Exception, known: str
) -> None:
    bench.error = error
    assert desk.client().post("/api/dose/A1", json={}, headers=_with_key(ada)).status_code >= 409
    bench.error = None
    answer = desk.client().post("/api/dose/A1", json={}, headers=_with_key(ada))
    assert (answer.status_code, answer.json()["code"]) == (409, "not_known")
    assert known.rstrip(".") in answer.json()["sentence"]
    assert desk.store.acts()[0].id in answer.json()["way_out"]
    assert bench.doses == []


def test_after_the_service_died_in_the_midst_it_says_what_is_known(tmp_path: Path, empty_store: Path) -> None:
    with open_desk(tmp_path, empty_store) as desk:
        person = desk.add("ada", "operator")
        words = f"POST /api/dose/A1? {hashlib.sha256(b'{}').hexdigest()}"
        once = Once(person_id=person.id, key="k1", command=words)
        act = desk.store.command_begin(once, who="ada", action="POST /dose/{well}").act
        bench = Bench()
        desk.app.include_router(bench.router, prefix="/api")
        answer = desk.client().post("/api/dose/A1", content=b"{}", headers=_with_key(desk.token(person)))
        assert (answer.status_code, answer.json()["code"]) == (409, "not_known")
        assert "The service ended in its midst." in answer.json()["sentence"]
        assert act in answer.json()["way_out"]
        assert bench.doses == []
        (unfinished,) = desk.store.acts(unfinished=True)
        assert unfinished.id == act


def test_what_is_shown_once_is_not_kept_for_who_asks_again(
    desk: Desk, bench: Bench, ada: dict[str, str]
) -> None:
    first, second = (desk.client().post("/api/key", headers=_with_key(ada)) for _ in range(2))
    assert first.json() == {"token": "shown once", "id": 1}
    assert second.json() == {"token": None, "id": 1}


def test_an_answer_without_a_body_is_repeated_without_one(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.add("bob", "viewer")
    headers = _with_key(desk.log_in("root"))
    body = {"password": "a phrase of the admin"}
    answers = [desk.client().put("/api/people/bob/password", json=body, headers=headers) for _ in range(2)]
    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2


def test_an_answer_that_refuses_is_written_down_as_one(desk: Desk, bench: Bench, ada: dict[str, str]) -> None:
    desk.client().post("/api/refusing", headers=ada)
    assert desk.store.acts()[0].outcome == "refused: 409"


@pytest.fixture
def address(desk: Desk, bench: Bench) -> Iterator[str]:
    """The desk on a port, as two requests at once need it."""
    with served(desk.app) as address:
        yield address


def test_of_two_at_once_one_is_done_and_both_are_answered(
    desk: Desk, bench: Bench, ada: dict[str, str], address: str
) -> None:
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(httpx.post(f"{address}/api/slow", headers=_with_key(ada), timeout=60))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert bench.begun.wait(30)
    # Another command is not held up by those that wait for the first of theirs.
    assert (
        httpx.post(f"{address}/api/dose/A1", json={}, headers=_with_key(ada, "k2"), timeout=30).status_code
        == 200
    )
    bench.go_on.set()
    for thread in threads:
        thread.join()
    assert [answer.json() for answer in answers] == [{"doses": 2}] * 4
    assert sorted("idempotent-replay" in answer.headers for answer in answers) == [False, True, True, True]
    assert bench.doses == [1.0, 1.0]


def test_who_goes_away_in_the_midst_finds_it_done_when_coming_back(
    desk: Desk, bench: Bench, ada: dict[str, str], address: str
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{address}/api/slow", headers=_with_key(ada), timeout=0.5)
    bench.go_on.set()
    answer = httpx.post(f"{address}/api/slow", headers=_with_key(ada), timeout=60)
    assert answer.json() == {"doses": 1}
    assert bench.doses == [1.0]
    assert [act.outcome for act in desk.store.acts()] == ["done"]


def test_a_huge_body_is_refused_whatever_its_header_says(
    desk: Desk, bench: Bench, ada: dict[str, str], address: str
) -> None:
    piece = b"x" * 65536

    def endless() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // len(piece) + 2):
            yield piece

    announced = httpx.post(f"{address}/api/dose/A1", content=b"x" * (MOST_BYTES + 1), headers=ada)
    assert (announced.status_code, announced.json()["code"]) == (413, "too_large")
    chunked = httpx.post(f"{address}/api/dose/A1", content=endless(), headers=ada, timeout=60)
    assert chunked.status_code == 413
    assert desk.store.acts() == ()


def test_a_body_nested_without_end_or_garbled_is_refused_and_written_down(
    desk: Desk, bench: Bench, ada: dict[str, str]
) -> None:
    client: TestClient = desk.client()
    headers = {**ada, "Content-Type": "application/json"}
    bodies = [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\xff\xfe\x00",
        b"9" * 10_000,
        b'{"volume_ul": NaN}',
        b'{"a": "\\ud800"}',
    ]
    for body in bodies:
        answer = client.post("/api/dose/A1", content=body, headers=headers)
        assert answer.status_code in (200, 400, 422), body[:20]
        assert "sentence" in answer.json() or answer.status_code == 200
    assert len(desk.store.acts()) == len(bodies)
    assert desk.store.acts(unfinished=True) == ()


def test_of_long_texts_the_beginning_and_a_hash_are_kept() -> None:
    details = details_of({"text": "x" * 5000, "name": "n"}, {})
    assert details["name"] == "n"
    assert details["text"]["bytes"] == 5000  # type: ignore[index,call-overload]
    many = details_of({str(n): "x" * 900 for n in range(100)}, {})
    assert list(many) == ["long"]


def test_secrets_are_kept_nowhere_and_what_only_sounds_like_one_is_kept() -> None:
    body = {
        "new_password": "p",
        "api-token": "t",
        "list": [{"client_secret": "s"}],
        "barcode": "L1",
        "tokens": 3,
    }
    details = details_of(body, {"token": "t"})
    assert details == {
        "query": {"token": "(not kept)"},
        "new_password": "(not kept)",
        "api-token": "(not kept)",
        "list": [{"client_secret": "(not kept)"}],
        "barcode": "L1",
        "tokens": 3,
    }
    assert without_secrets([{"token": "t", "name": "n"}]) == [{"token": None, "name": "n"}]
