from __future__ import annotations

from datetime import timedelta

import pytest

from lab.errors import BadInput
from lab.people import Permission, Role, TokenKind
from lab.store import Store
from lab.store.tables import now


def test_somebody_is_kept_as_they_were_added_and_found_by_name_and_by_id(store: Store) -> None:
    grants = {"devices": {"furnace*": ["operator"]}, "protocols": {"thermal_*": ["scientist", "viewer"]}}
    added = store.add_person(
        "Ada",
        roles=["viewer"],
        full_name="Ada Ω\0",
        email="ada@example.org",
        grants=grants,
        password_hash="h",
    )
    assert added.name == "ada"
    assert added.roles == {Role.VIEWER}
    assert added.grants == grants
    assert added.has_password
    assert store.person("ada").full_name == "Ada Ω\\x00"
    assert store.person("ADA") == store.person(added.id) == store.people()[0]
    assert store.credentials("ada") == (store.person("ada"), "h")


@pytest.mark.parametrize(
    "name", ["", "a b", "<script>", "../x", "a'; DROP TABLE person;--", "-a", "é", "a\0", "x" * 65]
)
def test_what_is_no_name_is_refused_and_finds_nobody(store: Store, name: str) -> None:
    with pytest.raises(BadInput, match="can't be a name"):
        store.add_person(name, roles=["viewer"])
    with pytest.raises(BadInput, match="nobody called"):
        store.person(name)
    assert store.credentials(name) is None


def test_a_name_is_somebodys_for_good(store: Store) -> None:
    store.add_person("ada", roles=["viewer"])
    store.change_person("ada", active=False)
    with pytest.raises(BadInput, match="somebody called ada"):
        store.add_person("ADA", roles=["viewer"])


def test_nobody_is_found_by_a_name_that_is_anothers_number(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    store.add_person(ada.id.lower(), roles=["viewer"])
    assert store.person(ada.id).name == "ada"


@pytest.mark.parametrize("roles", [[], ["king"], ["viewer", "Admin"]])
def test_roles_are_some_of_those_there_are(store: Store, roles: list[str]) -> None:
    with pytest.raises(BadInput) as refusal:
        store.add_person("ada", roles=roles)
    assert refusal.value.field == "roles"
    assert store.people() == ()


@pytest.mark.parametrize("role", ["operator", "approver", "admin"])
def test_a_program_may_propose_but_not_start_approve_or_administer(store: Store, role: str) -> None:
    with pytest.raises(BadInput, match="program"):
        store.add_person("robot", roles=[role], program=True)
    with pytest.raises(BadInput, match="program"):
        store.add_person("robot", roles=["viewer"], program=True, grants={"devices": {"*": [role]}})
    store.add_person("robot", roles=["scientist"], program=True)
    with pytest.raises(BadInput, match="program"):
        store.change_person("robot", roles=[role])
    with pytest.raises(BadInput, match="program"):
        store.set_password("robot", "hash")


def test_the_last_admin_who_can_log_in_stays_one(store: Store) -> None:
    assert not store.has_admin()
    store.add_person("ada", roles=["admin"], password_hash="h")
    store.add_person("bob", roles=["admin"])  # nothing to log in with
    assert store.has_admin()
    for change in ({"roles": ["viewer"]}, {"active": False}):
        with pytest.raises(BadInput, match="last admin"):
            store.change_person("ada", **change)
    assert store.person("ada").active
    assert store.person("ada").roles == {Role.ADMIN}
    store.change_person("bob", subject="https://login.example.org#b1")
    assert not store.change_person("ada", active=False).active
    with pytest.raises(BadInput, match="last admin"):
        store.change_person("bob", subject="")


def test_a_change_by_an_old_page_is_refused(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    changed = store.change_person("ada", expected_version=ada.version, full_name="Ada L.")
    assert changed.version == ada.version + 1
    with pytest.raises(BadInput) as refusal:
        store.change_person("ada", expected_version=ada.version, full_name="Ada B.")
    assert refusal.value.field == "version"
    assert store.person("ada").full_name == "Ada L."


def test_a_subject_of_a_provider_is_one_persons(store: Store) -> None:
    subject = "https://login.example.org#0815"
    ada = store.add_person("ada", roles=["viewer"], subject=subject)
    assert store.person_of_subject(subject) == ada
    assert store.person_of_subject("https://login.example.org#0816") is None
    with pytest.raises(BadInput, match="ada logs in"):
        store.add_person("bob", roles=["viewer"], subject=subject)
    assert store.change_person("ada", subject=subject).subject == subject


def test_a_token_is_found_by_its_hash_with_its_owner(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    over = now() + timedelta(days=1)
    token = store.add_token(
        ada.id, kind=TokenKind.API, hashed="a1", expires_utc=over, name="reader", scope=[Permission.SEE]
    )
    assert store.holder("a1") == (ada, token)
    assert token.scope == {Permission.SEE}
    assert store.holder("a2") is None
    moment = now()
    store.note_use(token.id, moment)
    assert store.token(token.id).used_utc == moment
    assert store.revoke_token(token.id, moment).revoked_utc == moment
    assert store.revoke_token(token.id).revoked_utc == moment


def test_a_new_password_ends_the_other_sessions_and_no_api_token(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"], password_hash="old")
    over = now() + timedelta(days=1)
    kinds = {"mine": TokenKind.SESSION, "other": TokenKind.SESSION, "script": TokenKind.API}
    tokens = {
        name: store.add_token(ada.id, kind=kind, hashed=name, expires_utc=over)
        for name, kind in kinds.items()
    }
    store.set_password("ada", "new", keep=tokens["mine"].id)
    assert {name for name, token in tokens.items() if store.token(token.id).revoked_utc is None} == {
        "mine",
        "script",
    }
    assert store.credentials("ada") == (store.person("ada"), "new")


def test_who_is_disabled_loses_sessions_and_tokens_for_good(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    over = now() + timedelta(days=1)
    token = store.add_token(ada.id, kind=TokenKind.API, hashed="t", expires_utc=over)
    store.change_person("ada", active=False)
    store.change_person("ada", active=True)
    assert store.token(token.id).revoked_utc is not None


def test_nobody_who_is_disabled_gets_a_token(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    store.change_person("ada", active=False)
    with pytest.raises(BadInput, match="any more"):
        store.add_token(ada.id, kind=TokenKind.SESSION, hashed="t", expires_utc=now())


def test_a_stronger_hash_does_not_bring_an_old_password_back(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"], password_hash="old")
    store.renew_hash(ada.id, "old", "stronger")
    store.renew_hash(ada.id, "old", "late")
    assert store.credentials("ada") == (store.person("ada"), "stronger")


def test_sessions_that_are_long_over_are_forgotten_and_tokens_are_not(store: Store) -> None:
    ada = store.add_person("ada", roles=["viewer"])
    for kind in TokenKind:
        store.add_token(ada.id, kind=kind, hashed=f"old {kind}", expires_utc=now() - timedelta(days=40))
        store.add_token(ada.id, kind=kind, hashed=f"new {kind}", expires_utc=now())
    assert store.forget_sessions(now() - timedelta(days=30)) == 1
    assert len(store.tokens(ada.id)) == 3
    assert store.holder("old session") is None
    assert store.holder("old api") is not None
