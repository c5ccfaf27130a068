"""A service behind a proxy: the address that the proxy names counts, and nobody else's word for it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.lab.cli.conftest import Drywet
from tests.lab.cli.test_remote import STORE, serving, somebody
from tests.lab.service.people_app import PASSWORD


@pytest.fixture
def admin(drywet: Drywet) -> Iterator[dict[str, str]]:
    """Headers of an admin of the store in this folder."""
    yield {"Authorization": f"Bearer {somebody('ada', 'admin')}"}
    assert Path(STORE).exists()


def source(address: str, admin: dict[str, str], said: str) -> str:
    """Where a failed login is said to have come from that came with ``X-Forwarded-For``."""
    headers = {"X-Forwarded-For": said, "X-Forwarded-Proto": "https"}
    body = {"name": "ada", "password": "not the password of ada"}
    with httpx.Client(base_url=address, trust_env=False) as client:
        refused = client.post("/api/login", json=body, headers=headers)
        assert refused.status_code == 401, refused.text
        acts = client.get("/api/audit", params={"action": "POST /login", "limit": 1}, headers=admin).json()
    return str(acts[0]["source"])


def test_the_proxys_word_counts_and_what_came_before_it_does_not(admin: dict[str, str]) -> None:
    with serving("--behind-proxy") as service:
        assert source(service.address, admin, "198.51.100.7") == "198.51.100.7"
        # What whoever is behind the proxy wrote themselves stands first; the proxy appends where it came from.
        assert source(service.address, admin, "127.0.0.1, 203.0.113.9") == "203.0.113.9"
        with httpx.Client(base_url=service.address, trust_env=False) as client:
            far = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9", "X-Drywet": "stop"}
            stop = client.post("/api/stop", json={}, headers=far)
            assert (stop.status_code, stop.json()["code"]) == (401, "not_logged_in")


def test_who_guesses_from_one_address_does_not_slow_others_behind_the_proxy(admin: dict[str, str]) -> None:
    wrong = {"name": "ada", "password": "not the password of ada"}
    right = {"name": "ada", "password": PASSWORD}
    with (
        serving("--behind-proxy") as service,
        httpx.Client(base_url=service.address, trust_env=False) as client,
    ):
        far, near = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.7"}
        codes = [client.post("/api/login", json=wrong, headers=far).status_code for _ in range(6)]
        assert codes[0] == 401
        assert codes[-1] == 429
        assert client.post("/api/login", json=right, headers=far).status_code == 429
        assert client.post("/api/login", json=right, headers=near).status_code == 200


def test_nobody_else_says_where_a_request_is_from(
    admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as service:  # behind no proxy
        assert source(service.address, admin, "198.51.100.7") == "127.0.0.1"
    monkeypatch.setenv("DRYWET_SERVICE_PROXIES", json.dumps(["192.0.2.1"]))
    with serving("--behind-proxy") as service:  # whose proxy is another
        assert source(service.address, admin, "198.51.100.7") == "127.0.0.1"
