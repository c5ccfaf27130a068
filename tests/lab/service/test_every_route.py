"""What holds for all routes of the service together."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from lab.app import Settings
from lab.app.house.house import House
from lab.people import Permission, TokenKind
from lab.service import events
from lab.service.app import make_app
from lab.service.commands import CommandRoute
from lab.service.settings import Standing
from lab.store import Store
from tests.lab.service.people_app import Clock, Desk
from tests.lab.service.serving import served

OPEN = {
    "GET /api/login",
    "POST /api/login",
    "POST /api/oidc/begin",
    "GET /api/oidc/callback",
    "POST /api/oidc/session",
    "POST /api/stop",
    "GET /api/health",
    "GET /api/ready",
    "GET /api/metrics",
    "POST /api/first-admin",
    "GET /api/calendar/{secret}.ics",
}
"""Asks for no token: to log in, to stop, and what a watching program asks; metrics guard themselves."""

OWN = {
    "GET /api/me",
    "PUT /api/me/password",
    "PUT /api/me/notices",
    "POST /api/me/calendar",
    "DELETE /api/me/calendar",
    "POST /api/logout",
    "GET /api/roles",
    "GET /api/tokens",
    "POST /api/tokens",
    "DELETE /api/tokens/{token_id}",
}
"""For whoever is logged in."""


@pytest.fixture
def desk(tmp_path: Path, empty_store: Path) -> Iterator[Desk]:
    """The whole service, with a house in which nothing happens."""
    where = shutil.copyfile(empty_store, tmp_path / "lab.db")
    with Store.open(where) as store:
        house = House(store, Settings(store=str(where)), tmp_path)
        app = make_app(house, store, Standing(names=("127.0.0.1", "testserver"), beside=tmp_path))
        yield Desk(app=app, store=store, clock=Clock())
        assert house.close(60.0)


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for below in dependant.dependencies:
        yield from _calls(below)


def _routes(app: FastAPI) -> Iterator[tuple[str, Any]]:
    for context in iter_route_contexts(app.routes):
        if getattr(context, "dependant", None) is not None:
            for method in context.methods or ():
                yield f"{method} {context.path}", context


def test_every_route_says_what_it_asks_for(desk: Desk) -> None:
    asked = {}
    for name, context in _routes(desk.app):
        calls = list(_calls(context.dependant))
        permissions = [call.permission for call in calls if hasattr(call, "permission")]
        anybody = any(getattr(call, "__name__", "") == "_anybody" for call in calls)
        asked[name] = permissions[0] if permissions else ("anybody" if anybody else None)
    assert {name for name, what in asked.items() if what is None} == OPEN & asked.keys()
    assert {name for name, what in asked.items() if what == "anybody"} == OWN
    assert len(asked) > 50


def test_whatever_changes_something_is_written_down(desk: Desk) -> None:
    by_hand = {"POST /api/login", "POST /api/oidc/begin", "POST /api/oidc/session", "POST /api/stop"}
    by_hand.add("POST /api/first-admin")
    for name, context in _routes(desk.app):
        if not name.startswith("GET"):
            assert name in by_hand or isinstance(context.original_route, CommandRoute), name


def test_the_document_names_the_key_under_which_a_command_is_done_once(desk: Desk) -> None:
    document = desk.app.openapi()
    for name, context in _routes(desk.app):
        method, path = name.split()
        if path in document["paths"]:  # all but what a browser is sent to
            parameters = document["paths"][path][method.lower()].get("parameters", [])
            keyed = [one["name"] for one in parameters].count("Idempotency-Key")
            command = method != "GET" and isinstance(context.original_route, CommandRoute)
            assert keyed == command, name


def test_without_a_token_every_other_route_is_closed(desk: Desk) -> None:
    client = desk.client()
    for name, _ in _routes(desk.app):
        if name not in OPEN:
            method, path = name.split()
            answer = client.request(method, path.replace("{", "").replace("}", ""), json={})
            assert answer.status_code == 401, name
            assert answer.json()["code"] == "not_logged_in"


def test_no_role_gets_past_a_route_that_asks_for_another(desk: Desk) -> None:
    client = desk.client()
    tokens = {}
    for permission in Permission:
        person = desk.add(f"only-{permission}", "viewer", "operator", "scientist", "approver", "admin")
        tokens[permission] = desk.token(person, permission)
    for name, context in _routes(desk.app):
        wanted = [call.permission for call in _calls(context.dependant) if hasattr(call, "permission")]
        if not wanted or name.endswith("/events"):
            continue
        method, path = name.split()
        for permission, headers in tokens.items():
            answer = client.request(method, path.replace("{", "").replace("}", ""), headers=headers, json={})
            if permission in wanted:
                assert answer.status_code not in (401, 403), (name, permission, answer.text)
                assert answer.status_code < 500, (name, answer.text)
            else:
                assert answer.status_code == 403, (name, permission, answer.text)


def test_a_stream_of_events_ends_when_its_session_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "RECHECK_S", 0.1)
    ada = desk.add("ada", "viewer")
    headers = desk.token(ada, kind=TokenKind.SESSION)
    (token,) = desk.store.tokens(ada.id)
    begun, ended = threading.Event(), threading.Event()

    with served(desk.app, lifespan="on") as address:

        def listen() -> None:
            with httpx.stream("GET", f"{address}/api/events", headers=headers, timeout=60) as stream:
                for line in stream.iter_lines():
                    if line.startswith("event: snapshot"):
                        begun.set()
            ended.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert begun.wait(30)
        assert not ended.wait(0.5)
        desk.store.revoke_token(token.id)
        assert ended.wait(30)
        listener.join()
