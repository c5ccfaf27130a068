from __future__ import annotations

import json
from typing import Any

import pytest

from lab.people import ALLOWS, Permission, Role
from tests.lab.service.people_app import PASSWORD, Desk

NASTY = [
    "'; DROP TABLE person; --",
    "{{ 7 * 7 }}",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00\0\x1b[31m",
    "\ud800",
    "ｒｏｏｔ",
]


ASKED = [
    ("GET", "/api/look", Permission.SEE),
    ("GET", "/api/audit", Permission.SEE),
    ("POST", "/api/start", Permission.OPERATE),
    ("GET", "/api/people", Permission.ADMINISTER),
    ("GET", "/api/people/ada", Permission.ADMINISTER),
    ("GET", "/api/tokens?person=*", Permission.ADMINISTER),
]


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_the_table_says(desk: Desk, role: Role) -> None:
    ada = desk.token(desk.add("ada", role))
    client = desk.client()
    for method, path, permission in ASKED:
        answer = client.request(method, path, headers=ada)
        if permission in ALLOWS[role]:
            assert answer.status_code == 200, path
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
            assert "It takes" in answer.json()["sentence"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/people", {"name": "bob", "roles": ["admin"]}),
        ("PUT", "/api/people/ada", {"expected": 1, "roles": ["admin"]}),
        ("PUT", "/api/people/ada/password", {"password": "another good phrase"}),
    ],
)
def test_only_an_admin_changes_people(desk: Desk, method: str, path: str, body: dict[str, Any]) -> None:
    ada = desk.add("ada", "viewer", "operator", "scientist", "approver")
    answer = desk.client().request(method, path, json=body, headers=desk.token(ada))
    assert answer.status_code == 403
    assert "an admin" in answer.json()["sentence"]
    assert desk.store.people() == (ada,)
    assert desk.store.acts(unfinished=True) == ()
    assert desk.store.acts()[0].outcome.startswith("refused: ada may not")


def test_a_set_of_roles_may_what_any_of_them_may(desk: Desk) -> None:
    ada = desk.add("ada", "operator", "admin")
    headers = desk.token(ada)
    assert desk.client().post("/api/start", headers=headers).status_code == 200
    assert desk.client().get("/api/people", headers=headers).status_code == 200


def test_grants_count_in_place_of_roles_where_they_match(desk: Desk) -> None:
    grants = {"devices": {"furnace*": ["operator"], "furnace_2": [], "arm": ["viewer"]}}
    ada = desk.token(desk.add("ada", "viewer", grants=grants))
    bob = desk.token(desk.add("bob", "operator", grants=grants))
    expected = {"furnace_1": (200, 200), "furnace_2": (403, 403), "arm": (403, 403), "reader": (403, 200)}
    for device, codes in expected.items():
        for headers, code in zip((ada, bob), codes, strict=True):
            answer = desk.client().post(f"/api/heat/{device}", headers=headers)
            assert (device, answer.status_code) == (device, code)
            if code == 403:
                assert f"with {device}" in answer.json()["sentence"]
    assert desk.client().post("/api/start", headers=ada).status_code == 403
    me = desk.client().get("/api/me", headers=ada).json()
    assert (me["permissions"], me["somewhere"]) == (["see"], ["see", "operate"])


def test_a_person_and_a_protocol_must_both_be_allowed(desk: Desk) -> None:
    grants = {
        "devices": {"furnace": ["operator"]},
        "protocols": {"thermal_*": ["viewer"], "mix": ["operator"]},
    }
    ada = desk.add("ada", "viewer", grants=grants)
    operate = Permission.OPERATE
    assert ada.may(operate, device="furnace")
    assert ada.may(operate, device="furnace", protocol="mix")
    assert not ada.may(operate, device="furnace", protocol="thermal_shift")
    assert ada.may(operate, device="furnace", protocol="another")
    assert not ada.may(operate, device="arm", protocol="another")


def test_a_token_is_good_for_its_scope_and_no_more_than_its_owner(desk: Desk) -> None:
    ada = desk.add("ada", "operator")
    look = desk.token(ada, Permission.SEE, Permission.ADMINISTER)
    assert desk.client().get("/api/look", headers=look).status_code == 200
    refused = desk.client().post("/api/start", headers=look)
    assert (refused.status_code, refused.json()["code"]) == (403, "out_of_scope")
    assert desk.client().get("/api/people", headers=look).json()["code"] == "not_allowed"
    assert desk.client().post("/api/start", headers=desk.token(ada, Permission.OPERATE)).status_code == 200


def test_a_token_is_made_shown_once_listed_and_revoked(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.add("ada", "operator")
    headers = desk.log_in("ada")
    client = desk.client()
    made = client.post("/api/tokens", json={"name": "plates", "days": 30, "scope": ["see"]}, headers=headers)
    assert made.status_code == 201
    program = {"Authorization": f"Bearer {made.json()['token']}"}
    assert client.get("/api/look", headers=program).status_code == 200
    listed = client.get("/api/tokens", headers=headers)
    assert [token["kind"] for token in listed.json()] == ["session", "api"]
    assert made.json()["token"] not in listed.text
    assert client.delete(f"/api/tokens/{made.json()['id']}", headers=headers).status_code == 204
    after = client.get("/api/look", headers=program)
    assert (after.status_code, after.json()["sentence"]) == (401, "This token was revoked.")


def test_nobody_gets_at_the_tokens_of_others_but_an_admin(desk: Desk) -> None:
    root, ada, bob = desk.add("root", "admin"), desk.add("ada", "scientist"), desk.add("bob", "viewer")
    desk.token(bob)
    (token,) = desk.store.tokens(bob.id)
    headers, client = desk.token(ada), desk.client()
    missing = client.delete(f"/api/tokens/{token.id}", headers=headers)
    unknown = client.delete("/api/tokens/tok_0", headers=headers)
    assert missing.status_code == unknown.status_code == 404
    assert client.get("/api/tokens?person=bob", headers=headers).status_code == 403
    made = client.post(
        "/api/tokens", json={"name": "x", "days": 1, "scope": ["see"], "person": "bob"}, headers=headers
    )
    assert made.status_code == 403
    assert client.delete(f"/api/tokens/{token.id}", headers=desk.token(root)).status_code == 204


def test_an_admin_makes_tokens_for_programs_and_not_in_the_name_of_a_person(desk: Desk) -> None:
    root = desk.token(desk.add("root", "admin"))
    desk.add("bob", "approver")
    client = desk.client()
    added = client.post(
        "/api/people", json={"name": "planner", "roles": ["scientist"], "program": True}, headers=root
    )
    assert added.status_code == 201
    body = {"name": "x", "days": 1, "scope": ["see", "plan", "operate"]}
    made = client.post("/api/tokens", json={**body, "person": "planner"}, headers=root)
    program = {"Authorization": f"Bearer {made.json()['token']}"}
    assert client.get("/api/look", headers=program).json() == {"name": "planner"}
    assert client.post("/api/start", headers=program).json()["code"] == "not_allowed"
    refused = client.post("/api/tokens", json={**body, "person": "bob"}, headers=root)
    assert refused.json()["code"] == "not_a_program"


def test_a_token_makes_none_that_is_good_for_more_or_longer(desk: Desk) -> None:
    ada = desk.token(desk.add("ada", "operator"), Permission.SEE, days=5)
    for body in ({"days": 1, "scope": ["operate"]}, {"days": 9, "scope": ["see"]}):
        answer = desk.client().post("/api/tokens", json={"name": "x", **body}, headers=ada)
        assert (answer.status_code, answer.json()["code"]) == (403, "out_of_scope")
    body = {"name": "x", "days": 1, "scope": ["see"]}
    assert desk.client().post("/api/tokens", json=body, headers=ada).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {"days": 0, "scope": ["see"]},
        {"days": 9999, "scope": ["see"]},
        {"days": 400, "scope": ["see"]},
        {"days": 1, "scope": []},
        {"days": 1, "scope": ["everything"]},
    ],
)
def test_a_token_has_an_end_and_a_purpose(desk: Desk, body: dict[str, Any]) -> None:
    headers = desk.token(desk.add("ada", "viewer"))
    answer = desk.client().post("/api/tokens", json={"name": "x", **body}, headers=headers)
    assert answer.status_code == 422


def test_an_admin_adds_changes_and_disables_somebody(desk: Desk) -> None:
    root, client = desk.token(desk.add("root", "admin")), desk.client()
    grants = {"devices": {"furnace*": ["operator"]}}
    body = {"name": "Bob", "roles": ["viewer"], "password": PASSWORD, "grants": grants}
    added = client.post("/api/people", json=body, headers=root)
    assert (added.status_code, added.json()["name"], added.json()["grants"]) == (201, "bob", grants)
    bob = desk.log_in("bob")
    changed = client.put("/api/people/bob", json={"expected": 1, "roles": ["scientist"]}, headers=root)
    assert changed.json()["roles"] == ["scientist"]
    stale = client.put("/api/people/bob", json={"expected": 1, "roles": ["viewer"]}, headers=root)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale")
    assert client.get("/api/look", headers=bob).status_code == 200
    assert (
        client.put("/api/people/bob", json={"expected": 2, "active": False}, headers=root).status_code == 200
    )
    assert client.get("/api/look", headers=bob).status_code == 401
    assert [one["active"] for one in client.get("/api/people", headers=root).json()] == [True, False]
    assert client.put("/api/people/nobody", json={"expected": 1}, headers=root).status_code == 404


def test_an_admin_gives_a_new_password_and_the_old_sessions_end(desk: Desk) -> None:
    root = desk.token(desk.add("root", "admin"))
    desk.add("bob", "viewer")
    bob = desk.log_in("bob")
    body = {"password": "a phrase of the admin"}
    assert desk.client().put("/api/people/bob/password", json=body, headers=root).status_code == 204
    assert desk.client().get("/api/look", headers=bob).status_code == 401
    desk.log_in("bob", "a phrase of the admin")


@pytest.mark.parametrize("change", [{"roles": ["admin", "approver"]}, {"grants": {}}, {"active": False}])
def test_nobody_changes_what_they_may_do_themselves(desk: Desk, change: dict[str, Any]) -> None:
    root = desk.add("root", "admin")
    desk.add("second", "admin")
    answer = desk.client().put("/api/people/root", json={"expected": 1, **change}, headers=desk.token(root))
    assert (answer.status_code, answer.json()["code"]) == (403, "own_roles")
    assert desk.store.person("root") == root


def test_the_last_admin_can_not_be_disabled_by_a_program_with_the_right_to(desk: Desk) -> None:
    root, second = desk.add("root", "admin"), desk.store.add_person("second", roles=["admin"])
    answer = desk.client().put(
        "/api/people/root", json={"expected": 1, "active": False}, headers=desk.token(second)
    )
    assert answer.status_code == 422
    assert answer.json()["sentence"] == "root is the last admin."
    assert desk.store.person(root.id).active


FIELDS = ["name", "full_name", "email", "subject", "roles", "grants", "password"]


@pytest.mark.parametrize("text", NASTY)
def test_text_that_means_something_elsewhere_is_only_text(desk: Desk, text: str) -> None:
    root, client = desk.token(desk.add("root", "admin")), desk.client()
    people = 1
    for field in FIELDS:
        values = {"roles": [text], "grants": {"devices": {text: ["viewer"]}}}
        body = {"name": f"bob{people}", "roles": ["viewer"], field: values.get(field, text)}
        answer = client.post(
            "/api/people", content=json.dumps(body), headers={**root, "Content-Type": "application/json"}
        )
        assert answer.status_code in (201, 422), (field, answer.text)
        assert "49" not in answer.json().get("sentence", "")
        if answer.status_code == 201:
            people += 1
            if field in ("full_name", "email"):
                kept = getattr(desk.store.people()[-1], field)
                assert kept == text
        listed = client.get("/api/people", headers=root)
        assert listed.status_code == 200
        assert len(listed.json()) == people
        assert desk.store.acts()[0].outcome
    assert people >= 3 or "\0" in text or text == "\ud800"  # which no text has


@pytest.mark.parametrize("text", NASTY)
def test_text_in_paths_and_questions_is_only_text(desk: Desk, text: str) -> None:
    root, client = desk.token(desk.add("root", "admin")), desk.client()
    quoted = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    for question in ("who", "action", "subject", "since", "before"):
        answer = client.get(f"/api/audit?{question}={quoted}", headers=root)
        assert answer.status_code in (200, 422)
        assert answer.status_code == 422 or answer.json() == []
    for path in ("/api/people/{}", "/api/people/{}/password", "/api/tokens/{}"):
        for method in ("GET", "PUT", "DELETE"):
            answer = client.request(method, path.format(quoted), headers=root, json={"expected": 1})
            assert answer.status_code in (404, 405, 422), (method, path)
    assert all(act.outcome.startswith("refused") for act in desk.store.acts())


def test_the_audit_comes_in_pages_and_says_where_from_to_admins_only(desk: Desk) -> None:
    root, ada = desk.token(desk.add("root", "admin")), desk.token(desk.add("ada", "operator"))
    client = desk.client("10.9.8.7")
    for _ in range(5):
        client.post("/api/start?why=because", headers=ada)
    client.post("/api/people", json={"name": "bob", "roles": ["viewer"], "password": PASSWORD}, headers=root)
    page = client.get("/api/audit?limit=4", headers=root).json()
    assert page[0]["subject"] == "bob"
    assert page[0]["details"]["password"] == "(not kept)"
    assert page[1]["details"] == {"query": {"why": "because"}}
    rest = client.get(f"/api/audit?before={page[-1]['number']}", headers=root).json()
    assert (len(page), len(rest)) == (4, 2)
    assert {act["source"] for act in page} == {"10.9.8.7"}
    seen = client.get("/api/audit?who=root", headers=ada).json()
    assert [(act["who"], act["source"], act["details"]) for act in seen] == [("root", None, None)]
    assert client.get("/api/audit?since=0001-01-01T00:00:00%2B23:00", headers=root).status_code == 422
