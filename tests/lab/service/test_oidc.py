from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.responses import JSONResponse, Response
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from lab.errors import BadInput
from lab.people import Role
from lab.service.login_rules import LoginRules, Provider
from lab.service.oidc import Elsewhere
from lab.service.provider import ProviderClient
from tests.lab.service.oidc_provider import CLIENT, SECRET, OidcProvider, running_provider
from tests.lab.service.people_app import Clock, Desk, open_desk

CALLBACK = "http://testserver/api/oidc/callback"
BACK = "http://localhost:8501/login"
ADA = {"sub": "a1", "preferred_username": "ada", "name": "Ada L.", "email": "ada@example.org"}


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def institute(running: OidcProvider) -> OidcProvider:
    """The provider, well-behaved, with Ada logged in."""
    fresh = OidcProvider(key=running.key)
    for name in ("spoil", "encode", "only_userinfo", "userinfo_sub", "issuer_said", "public", "token_says"):
        setattr(running, name, getattr(fresh, name))
    running.claims = dict(ADA)
    running.asked.clear()
    return running


@dataclass
class Way:
    """A person's way through it, with a browser."""

    desk: Desk
    verifier: str = "v" * 43

    def begin(self) -> str:
        """The address at the provider."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        answer = self.desk.client().post("/api/oidc/begin", json={"challenge": challenge, "back": BACK})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["address"])

    def at_provider(self, address: str) -> str:
        """What the provider sends the browser back to."""
        answer = httpx.get(address)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def come_back(self, location: str) -> dict[str, str]:
        """What the console's page gets."""
        answer = self.desk.client().get(location.replace("http://localhost:8517", ""), follow_redirects=False)
        assert answer.status_code == 303, answer.text
        place = answer.headers["location"]
        assert place.startswith(f"{BACK}?")
        return {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}

    def redeem(self, code: str, verifier: str = "") -> Any:
        body = {"code": code, "verifier": verifier or self.verifier}
        return self.desk.client().post("/api/oidc/session", json=body)

    def go(self) -> dict[str, str]:
        """All the way; what the console's page gets."""
        return self.come_back(self.at_provider(self.begin()))


@contextmanager
def _way(folder: Path, empty: Path, institute: OidcProvider, **settings: Any) -> Iterator[Way]:
    settings = {"client_secret": SECRET, **settings}
    provider = Provider(issuer=institute.issuer, client_id=CLIENT, **settings)
    with open_desk(folder, empty, LoginRules(provider=provider)) as desk:
        desk.add("root", "admin")
        yield Way(desk)


@pytest.fixture
def way(tmp_path: Path, empty_store: Path, institute: OidcProvider) -> Iterator[Way]:
    with _way(tmp_path, empty_store, institute) as way:
        way.desk.store.add_person("ada.l", roles=["scientist"], subject=f"{institute.issuer}#a1")
        yield way


def test_who_logs_in_at_the_provider_gets_a_session_of_ours(way: Way, institute: OidcProvider) -> None:
    answer = way.go()
    assert list(answer) == ["code"]
    session = way.redeem(answer["code"]).json()
    assert session["person"]["name"] == "ada.l"
    headers = {"Authorization": f"Bearer {session['token']}"}
    me = way.desk.client().get("/api/me", headers=headers).json()
    assert me["permissions"] == ["see", "plan"]
    assert way.desk.client().get("/api/login").json()["provider"] == Provider(issuer="", client_id="").label
    ((_, asked),) = [one for one in institute.asked if one[0] == "authorize"]
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"].split() == ["openid", "profile", "email"]
    done, found = way.desk.store.acts()[:2]
    assert (done.who, done.action, done.outcome) == ("ada.l", "POST /oidc/session", "done")
    assert (found.subject, found.outcome) == (f"{institute.issuer}#a1", "done")


def test_no_token_is_in_any_address_or_kept(way: Way, institute: OidcProvider, tmp_path: Path) -> None:
    address = way.begin()
    location = way.at_provider(address)
    way.redeem(way.come_back(location)["code"])
    for text in (address, location):
        assert "challenge" not in text.replace("code_challenge", "")
        assert way.verifier not in text
    way.desk.store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("lab.db*"))
    for token in institute.access:
        assert token.encode() not in kept


def test_a_code_is_good_once_and_only_for_the_browser_that_began(way: Way) -> None:
    code = way.go()["code"]
    stolen = way.redeem(code, "w" * 43)
    assert (stolen.status_code, stolen.json()["code"]) == (401, "bad_code")
    assert way.redeem(code).status_code == 401
    code = way.go()["code"]
    assert way.redeem(code).status_code == 200
    assert way.redeem(code).status_code == 401


def test_a_code_is_good_for_a_minute(institute: OidcProvider, way: Way) -> None:
    clock = Clock()
    client = ProviderClient(way.desk.app.state.login.rules.provider)
    way.desk.app.state.elsewhere = Elsewhere(client, clock)
    code = way.go()["code"]
    clock.now_s = 61.0
    assert way.redeem(code).status_code == 401


def test_what_the_provider_sent_back_once_can_not_be_sent_again(way: Way) -> None:
    location = way.at_provider(way.begin())
    assert "code" in way.come_back(location)
    assert "not succeed" in way.come_back(location)["error"]


def test_a_login_that_was_not_begun_here_is_refused(way: Way) -> None:
    address = way.begin()
    state = parse_qs(urlsplit(address).query)["state"][0]
    for other in ("", "nonsense", state[:-4] + "AAAA", "\xff"):
        answer = way.desk.client().get("/api/oidc/callback", params={"state": other, "code": "c"})
        assert (answer.status_code, answer.json()["code"]) == (400, "not_begun")


def test_a_login_that_took_too_long_is_refused(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    location = way.at_provider(way.begin())
    moment = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: moment)
    answer = way.desk.client().get(location, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_begun")


def test_who_is_not_let_in_by_the_provider_is_told_so(way: Way, institute: OidcProvider) -> None:
    institute.claims = None
    assert "did not let them in" in way.go()["error"]


def test_who_is_not_known_here_is_told_what_an_admin_needs(way: Way, institute: OidcProvider) -> None:
    institute.claims = {**ADA, "sub": "zz"}
    error = way.go()["error"]
    assert f"{institute.issuer}#zz" in error
    assert len(way.desk.store.people()) == 2
    assert way.desk.store.acts()[0].outcome.startswith("refused: ada can't log in.")


def test_who_is_disabled_here_does_not_come_in_by_the_provider(way: Way) -> None:
    way.desk.store.change_person("ada.l", active=False)
    assert "any more" in way.go()["error"]
    way.desk.store.change_person("ada.l", active=True)
    code = way.go()["code"]
    way.desk.store.change_person("ada.l", active=False)
    assert way.redeem(code).status_code == 403


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example.org/login",
        "http://localhost:8501.evil.example.org/",
        "http://localhost:8501@evil.example.org/",
        "//evil.example.org",
        "javascript:alert(1)",
        "http://localhost:8502/",
        "http://localhost:8501/\r\nSet-Cookie: a=b",
        "http://localhost:8501\\@evil.example.org/",
        "http://localhost:8501/#x",
    ],
)
def test_a_code_goes_to_the_console_and_nowhere_else(way: Way, back: str) -> None:
    answer = way.desk.client().post("/api/oidc/begin", json={"challenge": "c" * 43, "back": back})
    assert (answer.status_code, answer.json()["field"]) == (422, "back")


def _other_key(provider: OidcProvider, claims: dict[str, Any]) -> str:
    key = RSAKey.generate_key(2048, auto_kid=False)
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, key)


def _none(provider: OidcProvider, claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


def _shared_secret(provider: OidcProvider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("s" * 32), algorithms=["HS256"])


@pytest.mark.parametrize("encode", [_other_key, _none, _shared_secret, lambda provider, claims: "nonsense"])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    way: Way, institute: OidcProvider, encode: Callable[[OidcProvider, dict[str, Any]], str]
) -> None:
    institute.encode = lambda claims: encode(institute, claims)
    assert "not signed" in way.go()["error"]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.org"},
        {"aud": "another-service"},
        {"aud": [CLIENT, "another-service"]},
        {"aud": [CLIENT, "another-service"], "azp": "another-service"},
        {"exp": 1_000_000},
        {"iat": 9_000_000_000},
        {"nonce": "of another login"},
        {"nonce": None},
        {"sub": None},
        {"sub": 17},
        {"sub": "a\0b"},
        {"sub": "x" * 256},
        {"exp": None},
    ],
)
def test_a_token_for_somebody_else_or_another_login_is_refused(
    way: Way, institute: OidcProvider, changes: dict[str, Any]
) -> None:
    institute.spoil = lambda claims: claims.update(changes)
    error = way.go()["error"]
    assert "did not succeed" in error
    assert way.desk.store.acts() == ()


def test_a_new_key_of_the_provider_is_asked_for(way: Way, institute: OidcProvider) -> None:
    assert "code" in way.go()
    institute.key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
    assert "code" in way.go()
    assert len([one for one in institute.asked if one[0] == "discovery"]) == 2
    assert "code" in way.go()
    assert len([one for one in institute.asked if one[0] == "discovery"]) == 2


def test_a_provider_that_is_gone_or_another_is_told_of(
    tmp_path: Path, empty_store: Path, institute: OidcProvider
) -> None:
    with _way(tmp_path, empty_store, institute) as way:
        institute.issuer_said = "https://other.example.org"
        body = {"challenge": "c" * 43, "back": BACK}
        answer = way.desk.client().post("/api/oidc/begin", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unreachable")
    with running_provider() as short:
        gone = short.issuer
    client = ProviderClient(Provider(issuer=gone, client_id=CLIENT))
    with pytest.raises(Exception, match="does not answer"):
        client.address("s", "n", "v" * 43)


@pytest.mark.parametrize(
    "answer",
    [
        Response("<h1>Gateway</h1>", status_code=502),
        Response("<h1>Welcome</h1>", media_type="text/html"),
        JSONResponse([]),
        JSONResponse({"access_token": "x", "token_type": "Bearer"}),
        JSONResponse({"error": "server_error"}, status_code=400),
    ],
)
def test_a_provider_that_breaks_in_the_midst_is_told_of(
    way: Way, institute: OidcProvider, answer: Response
) -> None:
    institute.token_says = answer
    assert "." in way.go()["error"]
    assert way.desk.store.acts() == ()


def test_a_provider_that_goes_in_the_midst_is_told_of(tmp_path: Path, empty_store: Path) -> None:
    with ExitStack() as up:
        short = up.enter_context(running_provider())
        short.claims = dict(ADA)
        with _way(tmp_path, empty_store, short) as way:
            location = way.at_provider(way.begin())
            up.close()
            assert "does not answer" in way.come_back(location)["error"]


def test_secrets_are_sent_encrypted_only() -> None:
    for settings in (
        {"issuer": "http://login.example.org"},
        {"callback": "http://lab.example.org/api/oidc/callback"},
    ):
        with pytest.raises(BadInput, match="not encrypted"):
            ProviderClient(Provider(client_id=CLIENT, **{"issuer": "https://login.example.org", **settings}))


GROUPS = {"lab-ops": frozenset({Role.OPERATOR, Role.VIEWER}), "lab-admins": frozenset({Role.ADMIN})}


def test_groups_give_roles_at_every_login(tmp_path: Path, empty_store: Path, institute: OidcProvider) -> None:
    institute.only_userinfo = ("groups",)
    with _way(tmp_path, empty_store, institute, group_roles=GROUPS, add_people=True) as way:
        institute.claims = {**ADA, "groups": ["lab-ops", "choir"]}
        added = way.redeem(way.go()["code"]).json()["person"]
        assert (added["name"], added["roles"]) == ("ada", ["operator", "viewer"])
        assert added["full_name"] == "Ada L."
        institute.claims["groups"] = ["lab-admins"]
        assert way.redeem(way.go()["code"]).json()["person"]["roles"] == ["admin"]
        institute.claims["groups"] = ["choir"]
        assert "None of their groups" in way.go()["error"]
        institute.claims["groups"] = ["lab-ops"]
        institute.userinfo_sub = "somebody-else"
        assert "somebody else" in way.go()["error"]


def test_the_last_admin_stays_whatever_the_groups_say(
    tmp_path: Path, empty_store: Path, institute: OidcProvider
) -> None:
    with _way(tmp_path, empty_store, institute, group_roles=GROUPS, add_people=True) as way:
        institute.claims = {**ADA, "groups": ["lab-admins"]}
        way.go()
        way.desk.store.change_person("root", active=False)
        institute.claims["groups"] = ["lab-ops"]
        way.go()
        assert way.desk.store.person("ada").roles == {Role.ADMIN}


def test_a_name_that_is_taken_is_not_given_to_who_comes_from_elsewhere(
    tmp_path: Path, empty_store: Path, institute: OidcProvider
) -> None:
    with _way(tmp_path, empty_store, institute, group_roles=GROUPS, add_people=True) as way:
        institute.claims = {**ADA, "preferred_username": "root", "groups": ["lab-ops"]}
        assert "somebody called root" in way.go()["error"]
        institute.claims["preferred_username"] = "<b>a b</b>"
        assert "can't be a name" in way.go()["error"]
        assert [one.name for one in way.desk.store.people()] == ["root"]
        assert way.desk.store.person("root").subject == ""


def test_a_public_client_shows_who_it_is_by_pkce_alone(
    tmp_path: Path, empty_store: Path, institute: OidcProvider
) -> None:
    institute.public = True
    with _way(tmp_path, empty_store, institute, client_secret="") as way:
        way.desk.store.add_person("ada", roles=["viewer"], subject=f"{institute.issuer}#a1")
        assert way.redeem(way.go()["code"]).status_code == 200


def test_where_there_is_no_provider_nobody_logs_in_there(desk: Desk) -> None:
    desk.add("root", "admin")
    answer = desk.client().post("/api/oidc/begin", json={"challenge": "c" * 43, "back": BACK})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_provider")
    assert desk.client().get("/api/login").json()["provider"] is None
