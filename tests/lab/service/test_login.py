from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from lab.people import Permission, TokenKind
from lab.service import caller as caller_module
from lab.service.login_rules import LoginRules
from lab.service.passwords import Passwords, Verdict
from lab.store.tables import now
from tests.lab.service.people_app import PASSWORD, QUICK, Desk, open_desk
from tests.lab.service.serving import served


def test_before_there_is_an_admin_the_service_says_how_one_is_made(desk: Desk) -> None:
    desk.add("ada", "scientist")
    assert "drywet users add NAME --role admin" in desk.client().get("/api/login").json()["sentence"]
    answer = desk.client().post("/api/login", json={"name": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert answer.json()["code"] == "no_admin"
    assert "drywet users add NAME --role admin" in answer.json()["way_out"]


def test_who_logs_in_gets_a_token_that_says_who_they_are(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.add("ada", "scientist", full_name="Ada L.")
    me = desk.client().get("/api/me", headers=desk.log_in(" Ada ")).json()
    assert me["person"]["full_name"] == "Ada L."
    assert me["permissions"] == ["see", "plan"]
    assert me["token"]["kind"] == "session"
    assert desk.client().get("/api/login").json()["sentence"] == ""


def test_a_wrong_name_a_wrong_password_and_a_disabled_person_look_alike(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.add("ada", "viewer")
    desk.add("gone", "viewer")
    desk.store.change_person("gone", active=False)
    desk.store.add_person("robot", roles=["viewer"], program=True)
    tries = [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("robot", ""),
        ("' OR 1=1 --", "x"),
        ("a\0b", "x"),
    ]
    answers = [desk.client().post("/api/login", json={"name": n, "password": p}) for n, p in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(a.headers.items())) for a in answers}) == 1


def test_a_name_that_is_not_known_costs_as_much_work_as_a_wrong_password(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add("root", "admin")
    desk.add("ada", "viewer")
    checked: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: bytes) -> bool:
        checked.append(kept.split("$")[3])
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for name in ("ada", "nobody", "\0"):
        desk.client().post("/api/login", json={"name": name, "password": "wrong"})
    assert len(checked) == 3
    assert len(set(checked)) == 1


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic cm9vdDp4", "Bearer \xe4\xff"]
)
def test_without_a_token_that_is_known_nothing_is_shown(desk: Desk, shown: str) -> None:
    answer = desk.client().get("/api/look", headers={"Authorization": shown.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["code"] == "not_logged_in"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_good_for_nothing_after_the_logout(desk: Desk) -> None:
    desk.add("root", "admin")
    mine, other = desk.log_in("root"), desk.log_in("root")
    assert desk.client().post("/api/logout", headers=mine).status_code == 204
    for method, path in (("GET", "/api/me"), ("POST", "/api/logout"), ("POST", "/api/start")):
        answer = desk.client().request(method, path, headers=mine)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_over")
    assert desk.client().get("/api/me", headers=other).status_code == 200


def test_a_session_ends_when_its_time_is_over(desk: Desk) -> None:
    ada = desk.add("ada", "viewer")
    over = desk.token(ada, kind=TokenKind.SESSION, days=-0.001)
    assert desk.client().get("/api/look", headers=over).json()["sentence"] == "This session is over."
    expired = desk.token(ada, days=-0.001)
    assert desk.client().get("/api/look", headers=expired).json()["sentence"] == "This token has expired."


def test_a_session_ends_when_nothing_is_done_in_it_and_a_programs_token_does_not(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [now()]

    class Later:
        @staticmethod
        def now(zone: object) -> object:
            return moment[0]

    with open_desk(tmp_path, empty_store, LoginRules(idle_s=600)) as desk:
        ada = desk.add("ada", "viewer")
        session, program = desk.token(ada, kind=TokenKind.SESSION), desk.token(ada)
        monkeypatch.setattr(caller_module, "datetime", Later)
        for _ in range(5):
            moment[0] += timedelta(seconds=590)
            assert desk.client().get("/api/look", headers=session).status_code == 200
        moment[0] += timedelta(seconds=30)
        assert desk.client().get("/api/look", headers=session).status_code == 200
        moment[0] += timedelta(seconds=599)
        assert desk.client().get("/api/look", headers=session).status_code == 200
        moment[0] += timedelta(seconds=600)
        answer = desk.client().get("/api/look", headers=session)
        assert (answer.status_code, answer.json()["code"]) == (401, "session_over")
        assert desk.client().get("/api/look", headers=program).status_code == 200


def test_a_change_of_password_ends_the_other_sessions(desk: Desk) -> None:
    desk.add("root", "admin")
    mine, other = desk.log_in("root"), desk.log_in("root")
    change = {"old_password": PASSWORD, "new_password": "quite another phrase"}
    assert desk.client().put("/api/me/password", json=change, headers=mine).status_code == 204
    assert desk.client().get("/api/me", headers=mine).status_code == 200
    assert desk.client().get("/api/me", headers=other).status_code == 401
    assert desk.log_in("root", "quite another phrase")
    old = desk.client().post("/api/login", json={"name": "root", "password": PASSWORD})
    assert old.status_code == 401


def test_whoever_finds_an_open_session_can_not_change_the_password(desk: Desk) -> None:
    root = desk.add("root", "admin")
    headers = desk.log_in("root")
    change = {"old_password": "a guess of mine", "new_password": "quite another phrase"}
    for _ in range(3):
        assert desk.client().put("/api/me/password", json=change, headers=headers).status_code == 403
    change["old_password"] = "another guess"
    desk.client().put("/api/me/password", json=change, headers=headers)
    assert desk.client().put("/api/me/password", json=change, headers=headers).status_code == 429
    with_token = desk.client().put("/api/me/password", json=change, headers=desk.token(root))
    assert with_token.json()["code"] == "session_only"


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 characters or more"),
        ("x" * 600, "at most"),
        ("aaaaaaaaaaaaaaaaaaaa", "different characters"),
        ("root-2026-root", "own name"),
    ],
)
def test_a_password_that_could_be_guessed_is_refused(desk: Desk, password: str, why: str) -> None:
    desk.add("root", "admin")
    change = {"old_password": PASSWORD, "new_password": password}
    answer = desk.client().put("/api/me/password", json=change, headers=desk.log_in("root"))
    assert answer.status_code == 422
    assert why in answer.json()["sentence"]
    assert password not in answer.text


def test_a_hash_of_older_parameters_is_renewed_at_the_login(desk: Desk) -> None:
    desk.add("root", "admin")
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16).hash(PASSWORD)
    desk.store.set_password("root", weaker)
    desk.log_in("root")
    found = desk.store.credentials("root")
    assert found is not None
    assert found[1] != weaker
    assert not QUICK.check_needs_rehash(found[1])
    desk.log_in("root")


def test_a_password_is_the_same_however_a_keyboard_writes_it(desk: Desk) -> None:
    desk.add("root", "admin")
    composed, apart = "n\u00e4chste Zentrifuge", "na\u0308chste Zentrifuge"
    headers = desk.log_in("root")
    change = {"old_password": PASSWORD, "new_password": composed}
    assert desk.client().put("/api/me/password", json=change, headers=headers).status_code == 204
    desk.log_in("root", apart)


def test_who_guesses_waits_longer_each_time_and_is_told_how_long(desk: Desk) -> None:
    desk.add("root", "admin")
    wrong = {"name": "root", "password": "wrong"}
    waits = []
    for _ in range(9):
        while (answer := desk.client().post("/api/login", json=wrong)).status_code == 429:
            waits.append(int(answer.headers["Retry-After"]))
            assert answer.json()["code"] == "too_many_logins"
            desk.clock.now_s += waits[-1]
    assert waits == [1, 2, 4, 8, 16]
    while (
        answer := desk.client().post("/api/login", json={"name": "root", "password": PASSWORD})
    ).status_code == 429:
        desk.clock.now_s += int(answer.headers["Retry-After"])
    assert answer.status_code == 200


def test_one_who_mistypes_keeps_nobody_else_of_the_lab_waiting(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.add("ada", "viewer")
    for _ in range(40):
        desk.client().post("/api/login", json={"name": "root", "password": "wrong"})
        desk.clock.now_s += 400.0
    desk.log_in("ada")


def test_what_others_try_elsewhere_does_not_keep_somebody_from_their_own_desk(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.log_in("root", address="10.0.0.7")
    for n in range(60):
        desk.client(f"192.0.2.{n}").post("/api/login", json={"name": "root", "password": "wrong"})
    stranger = desk.client("198.51.100.1").post("/api/login", json={"name": "root", "password": PASSWORD})
    assert stranger.status_code == 429
    desk.log_in("root", address="10.0.0.7")


def test_every_login_is_written_down_without_the_password(desk: Desk) -> None:
    desk.add("root", "admin")
    desk.client().post("/api/login", json={"name": "root", "password": "my secret guess"})
    desk.client().post("/api/login", json={"name": "a\nb", "password": "my secret guess"})
    desk.log_in("root")
    acts = desk.store.acts(action="POST /login")
    assert [act.outcome for act in acts] == ["done", *["refused: Name or password is wrong."] * 2]
    assert [act.who for act in acts] == ["root", "(no name)", "root"]
    assert acts[0].source == "10.0.0.7"
    assert "secret" not in repr(acts)
    assert PASSWORD not in repr(acts)


def test_where_passwords_are_switched_off_nobody_logs_in_with_one(tmp_path: Path, empty_store: Path) -> None:
    with open_desk(tmp_path, empty_store, LoginRules(passwords=False)) as desk:
        desk.add("root", "admin")
        answer = desk.client().post("/api/login", json={"name": "root", "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (403, "no_passwords")


def test_a_token_is_kept_as_a_hash_only(desk: Desk, tmp_path: Path) -> None:
    desk.add("root", "admin")
    headers = desk.log_in("root")
    secret = headers["Authorization"].removeprefix("Bearer ")
    made = desk.client().post("/api/tokens", json={"name": "s", "days": 1, "scope": ["see"]}, headers=headers)
    kept = repr(desk.store.tokens()) + repr(desk.store.acts())
    for one in (secret, made.json()["token"]):
        assert one not in kept
    assert Permission.SEE in desk.store.tokens()[-1].scope
    desk.store.close()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("lab.db*"))
    for one in (secret, made.json()["token"], PASSWORD):
        assert one.encode() not in files


def test_who_is_held_off_fills_no_disk(desk: Desk) -> None:
    desk.add("root", "admin")
    for n in range(50):
        desk.client().post("/api/login", json={"name": f"n{n % 20}", "password": "wrong"})
    assert len(desk.store.acts()) == 11


def test_a_flood_of_logins_leaves_room_for_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add("root", "admin")
    checking, go_on = threading.Semaphore(0), threading.Event()

    def slow(self: Passwords, kept: str, password: str) -> Verdict:
        checking.release()
        assert go_on.wait(30)
        return Verdict(right=False)

    monkeypatch.setattr(Passwords, "check", slow)
    codes: list[int] = []

    def send(n: int) -> None:
        answer = httpx.post(f"{address}/api/login", json={"name": f"n{n}", "password": "x"}, timeout=60)
        codes.append(answer.status_code)

    with served(desk.app) as address:
        threads = [threading.Thread(target=send, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert checking.acquire(timeout=30)
        send(8)
        assert codes == [503]
        assert httpx.get(f"{address}/api/login", timeout=30).status_code == 200
        go_on.set()
        for thread in threads:
            thread.join()
    assert codes == [503, *[401] * 8]


def test_a_stop_knows_who_asks_for_it_when_the_store_is_gone(desk: Desk) -> None:
    ada, bob = desk.token(desk.add("ada", "viewer")), desk.token(desk.add("bob", "viewer"))
    client = desk.client()
    assert client.get("/api/named", headers=bob).json() == {"name": "bob"}
    assert client.get("/api/look", headers=ada).status_code == 200
    desk.store.close()
    assert client.get("/api/named", headers=ada).json() == {"name": "ada"}
    assert client.get("/api/named", headers=bob).json() == {"name": None}
    assert client.get("/api/named").json() == {"name": None}


def test_a_stop_does_not_wait_for_a_store_that_hangs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_module, "_ASK_STORE_S", 0.05)
    ada = desk.token(desk.add("ada", "viewer"))
    with desk.store._database.writing():
        assert desk.client().get("/api/named", headers=ada).json() == {"name": None}


def test_a_stop_does_not_know_who_has_logged_out_or_was_disabled(desk: Desk) -> None:
    desk.add("root", "admin")
    gone = desk.log_in("root")
    desk.client().get("/api/look", headers=gone)
    desk.client().post("/api/logout", headers=gone)
    root = desk.log_in("root")
    ada = desk.token(desk.add("ada", "viewer"))
    desk.client().get("/api/look", headers=ada)
    desk.client().put("/api/people/ada", json={"expected": 1, "active": False}, headers=root)
    desk.store.close()
    for headers in (gone, ada):
        assert desk.client().get("/api/named", headers=headers).json() == {"name": None}
