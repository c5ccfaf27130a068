"""Who may ask for what: every route by every role, as docs/people-and-roles.md says it, with real tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from lab.people import Permission, Role, TokenKind
from lab.service.passwords import Passwords
from tests.campaign_files import write_campaign
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import Api, Headers, api, fill, submit
from tests.lab.service.people_app import QUICK

EVERYBODY = "viewer operator scientist approver admin"
BENCH = "operator"
PLANS = "scientist"
DECIDES = "approver"
ADMIN = "admin"
OPEN = "nobody " + EVERYBODY

TABLE = {
    # Logging in, and what a watching program asks.
    "GET /api/login": OPEN,
    "POST /api/login": OPEN,
    "POST /api/oidc/begin": OPEN,
    "GET /api/oidc/callback": OPEN,
    "POST /api/oidc/session": OPEN,
    "GET /api/calendar/{secret}.ics": OPEN,
    "POST /api/first-admin": OPEN,
    "GET /api/health": OPEN,
    "GET /api/ready": OPEN,
    "GET /api/metrics": OPEN,  # from the machine itself, as here
    # Stopping asks for nobody's login, from the machine itself.
    "POST /api/stop": OPEN,
    # Oneself.
    "POST /api/logout": EVERYBODY,
    "GET /api/me": EVERYBODY,
    "PUT /api/me/password": EVERYBODY,
    "PUT /api/me/notices": EVERYBODY,
    "POST /api/me/calendar": EVERYBODY,
    "DELETE /api/me/calendar": EVERYBODY,
    "GET /api/roles": EVERYBODY,
    "GET /api/tokens": EVERYBODY,
    "POST /api/tokens": EVERYBODY,
    "DELETE /api/tokens/{token_id}": EVERYBODY,
    # Looking.
    "GET /api/snapshot": EVERYBODY,
    "GET /api/events": EVERYBODY,
    "GET /api/campaigns": EVERYBODY,
    "GET /api/campaigns/{campaign_id}": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/experiments": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/observations": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/runs": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/events": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/log": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/results": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/report": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/checklist": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/cards": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/posterior": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/importances": EVERYBODY,
    "GET /api/campaigns/{campaign_id}/amendments": EVERYBODY,
    "GET /api/worklists": EVERYBODY,
    "GET /api/worklists/{place}/{sheet}": EVERYBODY,
    "GET /api/worklists/{place}/{sheet}/{paper}": EVERYBODY,
    "POST /api/worklists/{place}/{sheet}/hand-in": BENCH,
    "GET /api/models": EVERYBODY,
    "GET /api/goals": EVERYBODY,
    "GET /api/spaces/form": EVERYBODY,
    "GET /api/submissions": EVERYBODY,
    "GET /api/submissions/{submission_id}": EVERYBODY,
    "GET /api/approvals": EVERYBODY,
    "GET /api/approvals/{approval_id}": EVERYBODY,
    "GET /api/runs/{run_id}/steps": EVERYBODY,
    "GET /api/steps/waiting": EVERYBODY,
    "GET /api/steps/{step_id}": EVERYBODY,
    "GET /api/benches": EVERYBODY,
    "GET /api/benches/{bench_id}/deck": EVERYBODY,
    "GET /api/benches/{bench_id}/devices": EVERYBODY,
    "GET /api/benches/{bench_id}/verbs": EVERYBODY,
    "GET /api/benches/{bench_id}/samples": EVERYBODY,
    "GET /api/benches/{bench_id}/inventory": EVERYBODY,
    "GET /api/samples/{sample_id}/lineage": EVERYBODY,
    "GET /api/orders": EVERYBODY,
    "GET /api/orders/{order_id}": EVERYBODY,
    "GET /api/protocols": EVERYBODY,
    "GET /api/planners": EVERYBODY,
    "GET /api/files": EVERYBODY,
    "GET /api/schedules": EVERYBODY,
    "GET /api/schedules/moments": EVERYBODY,
    "GET /api/schedules/calendar": EVERYBODY,
    "GET /api/schedules/calendar.ics": EVERYBODY,
    "GET /api/schedules/{schedule_id}": EVERYBODY,
    "GET /api/schedules/{schedule_id}/firings": EVERYBODY,
    "GET /api/notices": EVERYBODY,
    "GET /api/notices/channels": EVERYBODY,
    "GET /api/audit": EVERYBODY,
    "POST /api/checks": EVERYBODY,  # keeps nothing and moves nothing
    # At the bench.
    "POST /api/campaigns/{campaign_id}/pause": BENCH,
    "POST /api/campaigns/{campaign_id}/continue": BENCH,
    "POST /api/campaigns/{campaign_id}/resume": BENCH,
    "POST /api/campaigns/{campaign_id}/give-up": BENCH,
    "POST /api/steps/{step_id}/resolve": BENCH,
    "POST /api/benches/{bench_id}/commands": BENCH,
    "POST /api/material/bar": BENCH,
    "POST /api/material/lift": BENCH,
    "POST /api/orders/{order_id}/place": BENCH,
    "POST /api/orders/{order_id}/receive": BENCH,
    "POST /api/orders/{order_id}/cancel": BENCH,
    "POST /api/orders/{order_id}/again": BENCH,
    # What is to be found out, and what counts as found.
    "POST /api/submissions": PLANS,
    "POST /api/submissions/{submission_id}/change": PLANS,
    "POST /api/submissions/{submission_id}/withdraw": PLANS,
    "POST /api/schedules": PLANS,
    "POST /api/schedules/{schedule_id}/pause": PLANS,
    "POST /api/schedules/{schedule_id}/resume": PLANS,
    "POST /api/schedules/{schedule_id}/remove": PLANS,
    "POST /api/observations/{observation_id}/retract": PLANS,
    "POST /api/observations/{observation_id}/supersede": PLANS,
    "POST /api/experiments/{experiment_id}/replicate": PLANS,
    # A person's word.
    "POST /api/approvals/{approval_id}/approve": DECIDES,
    "POST /api/approvals/{approval_id}/reject": DECIDES,
    "POST /api/approvals/{approval_id}/edit": DECIDES,
    # The service, and who may use it.
    "GET /api/people": ADMIN,
    "GET /api/people/{name}": ADMIN,
    "POST /api/people": ADMIN,
    "PUT /api/people/{name}": ADMIN,
    "PUT /api/people/{name}/password": ADMIN,
    "POST /api/notices/test": ADMIN,
}
"""Route -> roles that may ask for it."""

ENDLESS = "GET /api/events"

CLOSED = [name for name, roles in TABLE.items() if "nobody" not in roles]

Filled = tuple[Api, Mapping[str, list[str]], Mapping[str, Headers]]


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A service with a little of everything, and one person for each role."""
    with api(tmp_path_factory.mktemp("roles")) as here:
        here.app.state.login.passwords = Passwords(QUICK)
        known = fill(here)
        yield here, known, {role: here.add(f"only-{role}", role) for role in Role}


def ways(name: str, known: Mapping[str, list[str]]) -> list[str]:
    """Addresses of a route: of what there is, and of what there is not."""
    path = name.split()[1]
    parts = re.findall(r"\{(\w+)\}", path)
    there = path
    for part in parts:
        there = there.replace(f"{{{part}}}", known.get(part, ["none"])[0])
    return [there, re.sub(r"\{\w+\}", "no-such-thing", path)] if parts else [path]


def ask(here: Api, name: str, path: str, who: Headers, body: bytes = b"{}") -> Any:
    method = name.split()[0]
    headers = {**who, "Content-Type": "application/json", "X-Drywet": "nothing"}
    if name == ENDLESS:
        with here.client.stream(method, path, headers=headers) as stream:
            if stream.status_code != 200:
                stream.read()
            return stream
    return here.client.request(method, path, headers=headers, content=body if method != "GET" else None)


def test_the_table_has_every_route(filled: Filled) -> None:
    routes = {
        f"{method} {one.path}"
        for one in iter_route_contexts(filled[0].app.routes)
        if getattr(one, "dependant", None) is not None
        for method in one.methods or ()
    }
    assert routes == set(TABLE)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_do_what_the_table_says_and_nothing_else(filled: Filled, role: Role) -> None:
    here, known, people = filled
    for name, roles in TABLE.items():
        if name == "POST /api/logout":  # with a token that is no session it ends nothing
            assert ask(here, name, "/api/logout", people[role]).json()["code"] == "no_session"
            continue
        allowed = role in roles.split()
        for path in ways(name, known):
            for body in (b"{", b"{}"):
                answer = ask(here, name, path, people[role], body)
                told = (role, name, path, body[:20], answer.status_code)
                if allowed:
                    assert answer.status_code != 401, told
                    assert answer.status_code < 500, told
                    if answer.status_code == 403:  # for a reason of its own, not for the role
                        assert answer.json()["code"] in ("session_only", "other_origin"), told
                else:
                    assert answer.status_code == 403, told
                    refusal = answer.json()
                    assert refusal["code"] == "not_allowed", told
                    assert f"only-{role} may not do this. It takes a" in refusal["sentence"], told
                    assert refusal["way_out"], told
                if name.startswith("GET"):
                    break


def test_who_is_not_logged_in_hears_the_same_whatever_there_is_and_whatever_they_send(filled: Filled) -> None:
    here, known, _ = filled
    for name in CLOSED:
        heard = {
            ask(here, name, path, {}, body).content
            for path in ways(name, known)
            for body in (b"{}", b"{", b"[" * 10_000, b"\xff")
        }
        assert len(heard) == 1, name
        assert b'"not_logged_in"' in heard.pop(), name


def test_who_may_not_hears_the_same_of_what_there_is_and_what_there_is_not(filled: Filled) -> None:
    here, known, people = filled
    for name, roles in TABLE.items():
        for role in Role:
            if role not in roles.split():
                heard = {ask(here, name, path, people[role]).content for path in ways(name, known)}
                assert len(heard) == 1, (name, role)


def ended_tokens(here: Api) -> dict[str, tuple[Headers, str]]:
    """Tokens that are good for nothing, and the code that says so."""
    store = here.store
    for name in ("late", "revoked", "gone", "changed"):
        store.add_person(name, roles=list(Role), password_hash=QUICK.hash("four words in a row"))
    expired = here.token("late", lasts=timedelta(seconds=-1))
    over = here.token("late", kind=TokenKind.SESSION, lasts=timedelta(seconds=-1))
    revoked, gone = here.token("revoked"), here.token("gone")
    session = here.token("changed", kind=TokenKind.SESSION)
    for headers in (revoked, gone, session):  # they were good, and the service has seen them
        assert here.client.get("/api/me", headers=headers).status_code == 200
    (token,) = store.tokens(store.person("revoked").id)
    store.revoke_token(token.id)
    store.change_person("gone", active=False)
    store.set_password(store.person("changed").id, QUICK.hash("four other words here"))
    return {
        "unknown": ({"Authorization": "Bearer drywet_api_" + "x" * 43}, "not_logged_in"),
        "no scheme": ({"Authorization": expired["Authorization"].removeprefix("Bearer ")}, "not_logged_in"),
        "basic": ({"Authorization": "Basic cm9vdDpyb290"}, "not_logged_in"),
        "expired": (expired, "session_over"),
        "session over": (over, "session_over"),
        "revoked": (revoked, "session_over"),
        "disabled": (gone, "session_over"),
        "password changed": (session, "session_over"),
    }


def test_a_token_that_is_over_opens_no_route(filled: Filled) -> None:
    here, known, _ = filled
    for why, (headers, code) in ended_tokens(here).items():
        for name in CLOSED:
            answer = ask(here, name, ways(name, known)[0], headers)
            assert (answer.status_code, answer.json()["code"]) == (401, code), (why, name)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


SCOPES = {
    Permission.SEE: EVERYBODY,
    Permission.OPERATE: BENCH,
    Permission.PLAN: PLANS,
    Permission.APPROVE: DECIDES,
    Permission.ADMINISTER: ADMIN,
}


@pytest.mark.parametrize("scope", list(Permission))
def test_a_token_is_good_for_its_scope_only_whatever_its_owner_may(filled: Filled, scope: Permission) -> None:
    here, known, _ = filled
    owner = f"all-{scope}"
    here.add(owner, *Role)
    headers = here.token(owner, scope)
    own = ("/api/me", "/api/logout", "/api/roles", "/api/tokens")
    for name in CLOSED:
        path = ways(name, known)[-1]
        if path.startswith(own):
            continue
        answer = ask(here, name, path, headers)
        if TABLE[name] == SCOPES[scope]:
            assert answer.status_code not in (401, 403), (name, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "out_of_scope"), name
            assert answer.json()["sentence"].startswith(f"This token is good for: {scope}."), name


def test_a_program_proposes_and_does_nothing_that_takes_a_person(filled: Filled) -> None:
    here, known, _ = filled
    robot = here.token("robot")
    for name, roles in TABLE.items():
        if set(roles.split()) & {"viewer", "scientist"} or name == ENDLESS:
            continue
        answer = ask(here, name, ways(name, known)[0], robot)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), name


def test_nobody_gives_a_person_a_token_of_another_or_sees_whose_there_are(filled: Filled) -> None:
    here, known, people = filled
    viewer, admin = people[Role.VIEWER], people[Role.ADMIN]
    for whose in ("sue", "nobody-at-all", "*"):
        assert here.client.get("/api/tokens", params={"person": whose}, headers=viewer).status_code == 403
        wanted = {"name": "x", "days": 1, "scope": ["see"], "person": whose}
        assert here.client.post("/api/tokens", json=wanted, headers=viewer).status_code == 403
    wanted = {"name": "x", "days": 1, "scope": ["see"], "person": "sue"}
    assert here.client.post("/api/tokens", json=wanted, headers=admin).json()["code"] == "not_a_program"
    others = here.client.delete(f"/api/tokens/{known['token_id'][0]}", headers=viewer)
    none = here.client.delete("/api/tokens/tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", headers=viewer)
    assert (others.status_code, others.content) == (404, none.content)


def test_a_grant_counts_in_place_of_the_roles_for_devices_and_protocols(tmp_path: Path) -> None:
    with api(tmp_path) as here:
        known = fill(here)
        bench, campaign = known["bench_id"][0], known["campaign_id"][0]
        protocol = here.store.campaign(campaign).campaign.protocol.name
        reader = here.add("reads", "viewer", grants={"devices": {"reader": ["operator"]}})
        barred = here.add("barred", "operator", grants={"devices": {"reader*": []}})
        elsewhere = here.add(
            "elsewhere", "viewer", grants={"protocols": {"another": ["operator", "scientist"]}}
        )
        planner = here.add("planner", "viewer", grants={"protocols": {protocol: ["scientist", "operator"]}})
        ousted = here.add("ousted", "scientist", "operator", grants={"protocols": {f"{protocol[:3]}*": []}})
        decider = here.add("decider", "approver", grants={"protocols": {protocol: ["viewer"]}})

        def command(who: Headers, device: str) -> Any:
            body = {"device": device, "verb": "no_such_verb"}
            return here.client.post(f"/api/benches/{bench}/commands", json=body, headers=who)

        assert command(reader, "reader").status_code == 422  # only the verb is wrong
        assert command(reader, "handler").json()["sentence"].startswith("reads may not do this with handler.")
        assert command(barred, "reader").status_code == 403
        assert command(barred, "handler").status_code == 422
        assert command(elsewhere, "reader").status_code == 403
        assert command(planner, "reader").status_code == 403

        def steer(who: Headers) -> Any:
            return here.client.post(f"/api/campaigns/{campaign}/pause", json={}, headers=who)

        assert steer(planner).json()["code"] == "not_running"
        for who in (reader, elsewhere, ousted):
            assert (steer(who).status_code, steer(who).json()["code"]) == (403, "not_allowed")
        for device_matters in (barred,):
            assert steer(device_matters).json()["code"] == "not_running"

        (observation, *_) = known["observation_id"]
        why = {"why": "A bubble.", "value": 1.0}
        address = f"/api/observations/{observation}/supersede"
        assert here.client.post(address, json=why, headers=elsewhere).status_code == 403
        assert here.client.post(address, json=why, headers=ousted).status_code == 403
        retract = f"/api/observations/{observation}/retract"
        assert here.client.post(retract, json={"why": "x"}, headers=ousted).status_code == 403
        assert here.client.post(retract, json={"why": "x"}, headers=elsewhere).status_code == 403

        (approval, *_) = known["approval_id"]
        decided = here.client.post(
            f"/api/approvals/{approval}/approve", json={"expected": 1}, headers=decider
        )
        assert (decided.status_code, decided.json()["code"]) == (403, "not_allowed")

        file = write_campaign(here.folder, "more", budget=4, batch_size=4, baseline="null")
        body = {"text": file.read_text(), "path": file.name}
        for who in (ousted, elsewhere):
            refused = here.client.post("/api/submissions", json=body, headers=who)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        (submission, *_) = known["submission_id"]
        for verb in ("change", "withdraw"):
            answer = here.client.post(
                f"/api/submissions/{submission}/{verb}", json={"expected": 1, "priority": 9}, headers=ousted
            )
            assert (answer.status_code, answer.json().get("code")) == (403, "not_allowed"), verb
        (schedule, *_) = known["schedule_id"]
        for verb in ("pause", "resume", "remove"):
            answer = here.client.post(f"/api/schedules/{schedule}/{verb}", headers=ousted)
            assert (answer.status_code, answer.json().get("code")) == (403, "not_allowed"), verb
        assert submit(here, file, planner)["name"] == "more"
