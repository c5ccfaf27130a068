"""Logging in at the lab's own provider: the console sends a browser there, and takes back the one that it sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lab.service.login_rules import LoginRules, Provider
from lab.store import Store
from tests.lab.service.oidc_provider import CLIENT, SECRET, running_provider
from tests.lab.service.people_app import Desk, open_desk
from ui import live
from ui.parts.session import COOKIE, KEPT

ADA = {"sub": "a1", "preferred_username": "ada", "name": "Ada L.", "email": "ada@example.org"}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A service whose people log in at a provider, and the console's routes before it."""
    empty = tmp_path / "empty.db"
    Store.open(empty).close()
    with running_provider() as provider:
        provider.claims = dict(ADA)
        rules = LoginRules(provider=Provider(issuer=provider.issuer, client_id=CLIENT, client_secret=SECRET))
        with open_desk(tmp_path, empty, rules) as desk:
            desk.add("root", "admin")
            desk.store.add_person("ada.l", roles=["scientist"], subject=f"{provider.issuer}#a1")
            transport = httpx.ASGITransport(desk.app)
            monkeypatch.setattr(
                live, "_http", lambda: httpx.AsyncClient(transport=transport, base_url="http://testserver")
            )
            yield desk


def browser() -> TestClient:
    return TestClient(Starlette(routes=live.ROUTES), base_url="http://localhost:8501", follow_redirects=False)


def way_back(desk: Desk, address: str) -> str:
    """To the provider, from there to the service, and the address of the console that this leads to."""
    at_provider = httpx.get(address).headers["location"]
    callback = at_provider.replace("http://localhost:8517", "")
    return desk.client().get(callback, follow_redirects=False).headers["location"]


def test_a_browser_that_logs_in_there_is_known_here(desk: Desk) -> None:
    with browser() as hers:
        sent = hers.get("/live/elsewhere")
        assert sent.status_code == 303
        came = hers.get(way_back(desk, sent.headers["location"]))
        assert (came.status_code, came.headers["location"]) == (303, "/")
        token = KEPT.token_of(hers.cookies[COOKIE])
        me = desk.client().get("/api/me", headers={"Authorization": f"Bearer {token}"}).json()
        assert me["person"]["name"] == "ada.l"
        assert token not in str(came.headers)


def test_another_browser_cannot_come_back_in_its_place(desk: Desk) -> None:
    with browser() as hers, browser() as his:
        place = way_back(desk, hers.get("/live/elsewhere").headers["location"])
        for _ in range(2):
            refused = his.get(place)
            assert refused.status_code == 403
            assert COOKIE not in his.cookies
            his.get("/live/elsewhere")  # now it has a verifier, of its own


def test_what_went_wrong_elsewhere_is_told_as_plain_text(desk: Desk) -> None:
    with browser() as hers:
        told = hers.get("/live/elsewhere/back", params={"error": "<script>alert(1)</script>"})
        assert told.status_code == 403
        assert told.headers["content-type"].startswith("text/plain")
        assert "Nobody was logged in." in told.text
