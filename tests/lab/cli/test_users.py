"""``drywet users`` as a person types it."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest

from lab.people import Permission, Person, Role, Token
from lab.service.login import Login
from lab.service.login_rules import LoginRules
from lab.store import Store
from tests.lab.cli.conftest import Drywet

PASSWORD = "four words in a row"
STORE = Path(".drywet/drywet.db")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing in it, to copy."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture(autouse=True)
def store_here(folder: Path, empty: Path) -> None:
    """A store where commands look for it."""
    STORE.parent.mkdir()
    shutil.copyfile(empty, STORE)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password, on standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))


def _log_in(store: Store, name: str, password: str) -> tuple[Person, str, Token]:
    login = Login(LoginRules())
    return login.by_password(store, name, password, login.admit(store, name, "here"))


def test_the_first_admin_is_added_and_can_log_in(drywet: Drywet, typed: None) -> None:
    answer = drywet("users", "add", "Ada", "--role", "admin", "--role", "operator", "--password-stdin")
    assert (answer.code, answer.out) == (0, "ada is added: admin, operator.\n")
    with Store.open(STORE) as store:
        person, secret, _ = _log_in(store, "ada", PASSWORD)
        assert person.roles == {Role.ADMIN, Role.OPERATOR}
        assert secret.startswith("drywet_session_")
        (act,) = store.acts()
        assert act.action == "users add"
        assert act.who.endswith(" at the command line")
        assert PASSWORD not in repr(act)


def test_a_password_is_asked_for_twice_and_not_shown(drywet: Drywet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hidden(prompt: str, *_: object) -> str:
        asked.append(prompt)
        return PASSWORD if len(asked) != 2 else "another phrase altogether"

    monkeypatch.setattr("typer._click.termui.hidden_prompt_func", hidden)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    differing = drywet("users", "add", "ada", "--role", "admin")
    assert differing.code == 2
    assert "not the same" in differing.err
    assert drywet("users", "add", "ada", "--role", "admin").code == 0
    assert len(asked) == 4


def test_where_nobody_can_be_asked_no_password_is_made_up(
    drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    answer = drywet("users", "add", "ada", "--role", "admin")
    assert answer.code == 2
    assert "--password-stdin" in answer.err
    empty = drywet("users", "add", "ada", "--role", "admin", "--password-stdin")
    assert "12 characters" in empty.err
    with Store.open(STORE) as store:
        assert store.people() == ()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "a b", "--role", "viewer", "--program"), "can't be a name"),
        (("add", "ada", "--role", "king", "--program"), "no role"),
        (("add", "ada", "--role", "admin", "--program"), "program can't be admin"),
        (("add", "ada", "--role", "viewer", "--program", "--device", "furnace"), "--device"),
        (("add", "ada", "--role", "viewer", "--subject", "me"), "no subject"),
    ],
)
def test_what_can_not_be_is_said_in_a_sentence(
    drywet: Drywet, arguments: tuple[str, ...], sentence: str
) -> None:
    answer = drywet("users", *arguments)
    assert answer.code == 2
    assert sentence in " ".join(answer.err.split())


def test_the_first_who_is_added_makes_the_store(drywet: Drywet) -> None:
    assert "Nobody is here yet" in drywet("users", "list").out
    STORE.unlink()
    assert drywet("users", "list").code == 2
    assert drywet("users", "add", "planner", "--role", "viewer", "--program").code == 0
    assert "planner" in drywet("users", "list").out


def test_roles_and_grants_are_set_shown_and_taken_back(drywet: Drywet, typed: None) -> None:
    drywet("users", "add", "root", "--role", "admin", "--password-stdin")
    drywet("users", "add", "bob", "--role", "viewer", "--program", "--full-name", "[b]Bob[/b]")
    answer = drywet(
        "users", "roles", "bob", "--role", "scientist", "--device", "furnace*=viewer", "--device", "arm="
    )
    assert answer.out == "bob is scientist; arm: nothing; furnace*: viewer.\n"
    listed = drywet("users", "list")
    assert "[b]Bob[/b]" in listed.out
    assert "furnace*: viewer" in listed.out
    shown = {one["name"]: one for one in drywet("users", "list", "--json").json["people"]}
    assert shown["bob"]["grants"] == {"devices": {"arm": [], "furnace*": ["viewer"]}}
    assert drywet("users", "roles", "bob", "--no-grants").out == "bob is scientist.\n"
    assert drywet("users", "roles", "bob").code == 2


def test_the_last_admin_stays(drywet: Drywet, typed: None) -> None:
    drywet("users", "add", "root", "--role", "admin", "--password-stdin")
    for command in (("disable", "root"), ("roles", "root", "--role", "viewer")):
        answer = drywet("users", *command)
        assert answer.code == 2
        assert "last admin" in answer.err


def test_somebody_is_disabled_and_enabled(drywet: Drywet, typed: None) -> None:
    drywet("users", "add", "root", "--role", "admin", "--password-stdin")
    drywet("users", "add", "bob", "--role", "viewer", "--program")
    assert drywet("users", "disable", "bob").out == "bob may not do anything any more.\n"
    assert "disabled" in drywet("users", "list").out
    assert drywet("users", "enable", "bob").out == "bob is viewer again.\n"


def test_somebody_is_linked_to_who_they_are_elsewhere(drywet: Drywet) -> None:
    drywet("users", "add", "bob", "--role", "viewer", "--subject", "https://login.example.org#1")
    assert "elsewhere" in drywet("users", "list").out
    assert drywet("users", "link", "bob", "https://login.example.org#2").out.endswith("#2.\n")
    assert drywet("users", "link", "bob", "").out == "bob logs in at no provider.\n"
    assert "no password yet" in drywet("users", "list").out


def test_a_new_password_ends_the_sessions(
    drywet: Drywet, monkeypatch: pytest.MonkeyPatch, typed: None
) -> None:
    drywet("users", "add", "root", "--role", "admin", "--password-stdin")
    with Store.open(STORE) as store:
        _, _, session = _log_in(store, "root", PASSWORD)
    monkeypatch.setattr(sys, "stdin", io.StringIO("another phrase altogether\n"))
    assert drywet("users", "set-password", "root", "--password-stdin").code == 0
    with Store.open(STORE) as store:
        assert store.token(session.id).revoked_utc is not None
        _log_in(store, "root", "another phrase altogether")


def test_a_token_is_printed_once_and_ends_by_its_id(drywet: Drywet) -> None:
    drywet("users", "add", "planner", "--role", "scientist", "--program")
    made = drywet(
        "users", "token", "planner", "--scope", "see", "--scope", "plan", "--days", "7", "--for", "night"
    )
    secret = made.out.strip()
    assert secret.startswith("drywet_api_")
    assert "is not shown again" in " ".join(made.err.split())
    with Store.open(STORE) as store:
        (token,) = store.tokens()
        assert token.scope == {Permission.SEE, Permission.PLAN}
        assert secret not in repr(store.acts())
    listed = drywet("users", "tokens", "planner")
    assert token.id in drywet("users", "tokens", "planner", "--json").out
    assert "night" in listed.out
    assert secret not in listed.out
    assert drywet("users", "revoke", token.id).code == 0
    assert drywet("users", "tokens", "planner", "--json").json["tokens"][0]["revoked_utc"] is not None
    assert drywet("users", "revoke", "tok_0").code == 2
    assert drywet("users", "token", "planner", "--scope", "everything").code == 2


def test_people_can_be_looked_at_while_a_service_owns_the_store(drywet: Drywet) -> None:
    drywet("users", "add", "planner", "--role", "scientist", "--program")
    with Store.open(STORE):
        assert "planner" in drywet("users", "list").out
        assert drywet("users", "tokens", "planner").code == 0
        assert drywet("users", "disable", "planner").code == 2
