"""What was good once and is sent again: tokens, keys and codes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lab.people import Permission, Role, TokenKind
from lab.service.passwords import Passwords
from lab.service.throttle import Throttle
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import Api, Headers, api
from tests.lab.service.people_app import PASSWORD, QUICK, Clock

LOOKS = ("/api/me", "/api/campaigns", "/api/audit", "/api/snapshot", "/api/events", "/api/metrics")


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service in which people log in with passwords."""
    with api(tmp_path_factory.mktemp("replay")) as found:
        found.app.state.login.passwords = Passwords(QUICK)
        found.store.add_person("root", roles=["admin"], password_hash=QUICK.hash(PASSWORD))
        yield found


def log_in(here: Api, name: str, password: str = PASSWORD) -> Headers:
    answer = here.client.post("/api/login", json={"name": name, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def somebody(here: Api, name: str, *roles: str) -> Headers:
    here.store.add_person(name, roles=roles or list(Role), password_hash=QUICK.hash(PASSWORD))
    return log_in(here, name)


def is_over(here: Api, headers: Headers, code: str = "session_over") -> None:
    """Nothing opens any more: reading, commands, and commands that were answered before."""
    for path in LOOKS[:-1]:  # numbers ask for nobody's login on this machine
        answer = here.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code), path
    for method, path in (("POST", "/api/checks"), ("POST", "/api/logout"), ("POST", "/api/tokens")):
        answer = here.client.request(method, path, headers={**headers, "Idempotency-Key": "before"}, json={})
        assert (answer.status_code, answer.json()["code"]) == (401, code), path


def make_token(here: Api, headers: Headers, key: str, **more: Any) -> Any:
    body = {"name": "mine", "days": 1, "scope": ["see"], **more}
    return here.client.post("/api/tokens", json=body, headers={**headers, "Idempotency-Key": key})


def test_after_the_logout(here: Api) -> None:
    mine = somebody(here, "leaves")
    assert make_token(here, mine, "before").status_code == 201
    assert here.client.post("/api/logout", headers=mine).status_code == 204
    is_over(here, mine)


def test_after_the_session_was_ended_by_an_admin(here: Api) -> None:
    mine, root = somebody(here, "sent-away"), log_in(here, "root")
    (one,) = here.client.get("/api/tokens", params={"person": "sent-away"}, headers=root).json()
    assert here.client.delete(f"/api/tokens/{one['id']}", headers=root).status_code == 204
    is_over(here, mine)


def test_after_the_person_was_disabled_and_after_they_came_back(here: Api) -> None:
    mine, root = somebody(here, "gone"), log_in(here, "root")
    script = {"Authorization": f"Bearer {make_token(here, mine, 'before').json()['token']}"}
    assert here.client.get("/api/me", headers=script).status_code == 200
    for active in (False, True):
        version = here.client.get("/api/people/gone", headers=root).json()["version"]
        changed = {"expected": version, "active": active}
        assert here.client.put("/api/people/gone", json=changed, headers=root).status_code == 200
        is_over(here, mine)
        is_over(here, script)
        logged_in = here.client.post("/api/login", json={"name": "gone", "password": PASSWORD})
        assert logged_in.status_code == (200 if active else 401)


@pytest.mark.parametrize("by", ["themselves", "an admin"])
def test_after_the_password_was_changed(here: Api, by: str) -> None:
    name = f"changes-{by.split()[-1]}"
    mine, another = somebody(here, name), log_in(here, name)
    new = "a lighthouse without stairs"
    if by == "themselves":
        change = {"old_password": PASSWORD, "new_password": new}
        assert here.client.put("/api/me/password", json=change, headers=another).status_code == 204
        assert here.client.get("/api/me", headers=another).status_code == 200
    else:
        root = log_in(here, "root")
        change = {"password": new}
        assert here.client.put(f"/api/people/{name}/password", json=change, headers=root).status_code == 204
        is_over(here, another)
    is_over(here, mine)
    assert here.client.post("/api/login", json={"name": name, "password": PASSWORD}).status_code == 401
    log_in(here, name, new)


def test_after_its_day(here: Api) -> None:
    here.store.add_person("late", roles=list(Role))
    is_over(here, here.token("late", lasts=timedelta(seconds=-1)))
    is_over(here, here.token("late", kind=TokenKind.SESSION, lasts=timedelta(seconds=-1)))


def test_what_somebody_loses_is_gone_with_the_next_request_of_a_token_they_have(here: Api) -> None:
    mine, root = somebody(here, "demoted", "admin"), log_in(here, "root")
    assert here.client.get("/api/people", headers=mine).status_code == 200
    changed = {"expected": 1, "roles": ["viewer"]}
    assert here.client.put("/api/people/demoted", json=changed, headers=root).status_code == 200
    assert here.client.get("/api/people", headers=mine).json()["code"] == "not_allowed"


def test_a_part_of_a_token_or_one_written_otherwise_is_none(here: Api) -> None:
    mine = somebody(here, "spells")
    token = mine["Authorization"].removeprefix("Bearer ")
    for written in (
        token[:-1],
        token + "x",
        token.upper(),
        token[::-1],
        f"{token} {token}",
        f"{token},",
        "*",
        "%",
    ):
        answer = here.client.get("/api/me", headers={"Authorization": f"Bearer {written}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_logged_in"), written
    kept = [row.id for row in here.store.tokens(here.store.person("spells").id)]
    assert here.client.get("/api/me", headers={"Authorization": f"Bearer {kept[0]}"}).status_code == 401


def test_a_key_of_another_is_ones_own_and_gives_nothing_of_theirs(here: Api) -> None:
    mine, theirs = somebody(here, "first"), somebody(here, "second")
    one = make_token(here, mine, "key-1")
    other = make_token(here, theirs, "key-1")
    assert (one.status_code, other.status_code) == (201, 201)
    assert "Idempotent-Replay" not in other.headers
    assert (other.json()["person"], one.json()["person"]) == ("second", "first")
    assert one.json()["token"] != other.json()["token"]
    assert one.json()["id"] != other.json()["id"]


def test_a_key_with_other_words_is_refused_whatever_of_them_is_another(here: Api) -> None:
    mine = somebody(here, "again")
    first = make_token(here, mine, "key-2")
    same = make_token(here, mine, "key-2")
    assert same.json() == {**first.json(), "token": None}
    headers = {**mine, "Idempotency-Key": "key-2"}
    body = {"name": "mine", "days": 1, "scope": ["see"]}
    others = [
        make_token(here, mine, "key-2", days=2),
        here.client.post("/api/tokens?x=1", json=body, headers=headers),
        here.client.post("/api/checks", json={"text": "x"}, headers=headers),
        here.client.put("/api/me/password", json=body, headers=headers),
    ]
    for other in others:
        assert (other.status_code, other.json()["code"]) == (422, "key_reused"), other.text
    assert len(here.client.get("/api/tokens", headers=mine).json()) == 2  # the session, and the first


def test_an_answer_to_a_command_is_not_for_a_token_that_could_not_send_it(here: Api) -> None:
    root = log_in(here, "root")
    new = {"name": "added", "roles": ["viewer"], "email": "added@example.org"}
    headers = {**root, "Idempotency-Key": "key-3"}
    assert here.client.post("/api/people", json=new, headers=headers).status_code == 201
    assert here.client.post("/api/people", json=new, headers=headers).headers["Idempotent-Replay"] == "true"
    looks = {**here.token("root", Permission.SEE), "Idempotency-Key": "key-3"}
    answer = here.client.post("/api/people", json=new, headers=looks)
    assert (answer.status_code, answer.json()["code"]) == (403, "out_of_scope")
    assert "added@example.org" not in answer.text


def test_guessing_is_slowed_down_for_the_name_and_the_address_and_says_nothing(here: Api) -> None:
    here.store.add_person("victim", roles=["viewer"], password_hash=QUICK.hash(PASSWORD))
    here.app.state.login.throttle = Throttle(Clock())  # no time passes, however slow this machine is
    heard: dict[str, list[Any]] = {"victim": [], "no-such-person": []}
    for name, answers in heard.items():
        for _ in range(5):
            answers.append(here.client.post("/api/login", json={"name": name, "password": "a wrong one"}))
    for answers in heard.values():
        assert [one.status_code for one in answers] == [401, 401, 401, 401, 429]
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert answers[-1].json()["code"] == "too_many_logins"
    there, nowhere = heard.values()
    assert [one.content for one in there[:4]] == [one.content for one in nowhere[:4]]
    right = here.client.post("/api/login", json={"name": "victim", "password": PASSWORD})
    assert right.status_code == 429  # the right one too, or the wait would tell
