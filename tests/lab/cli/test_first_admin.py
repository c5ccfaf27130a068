"""The first admin, added on the command line while a service owns the store."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path

import pytest

from lab.service.first_admin import FILE
from lab.store import Store
from tests.lab.cli.conftest import Drywet
from tests.lab.cli.test_remote import STORE, serving
from tests.lab.service.people_app import PASSWORD


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DRYWET_TOKEN", raising=False)


def add(drywet: Drywet, monkeypatch: pytest.MonkeyPatch, name: str, role: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    answer = drywet("users", "add", name, "--role", role, "--password-stdin")
    return answer.code, answer.out + answer.err


def test_the_first_admin_is_added_while_the_service_runs_and_nobody_after(
    drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(STORE).parent.mkdir()
    secret_file = Path(STORE).with_name(FILE)
    with serving() as service:
        assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
        with service.client("") as nobody:
            assert "drywet users add NAME --role admin" in nobody.get("/login")["sentence"]
        code, said = add(drywet, monkeypatch, "vera", "viewer")
        assert code != 0
        assert "The first person here is an admin who can log in." in said
        code, said = add(drywet, monkeypatch, "ada", "admin")
        assert (code, "ada is added: admin." in said) == (0, True), said
        assert not secret_file.exists()
        with service.client("") as client:
            assert client.login("ada", PASSWORD)["person"]["name"] == "ada"
            (act,) = client.get("/audit", action="first-admin")
            assert (act["subject"], act["outcome"]) == ("ada", "done")
        code, said = add(drywet, monkeypatch, "mallory", "admin")
        assert code != 0
        assert "does not know who you are" in said
    with Store.open(STORE, read_only=True) as store:
        assert [one.name for one in store.people()] == ["ada"]


def test_a_secret_that_was_left_lying_about_is_good_for_nothing(
    drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file = Path(STORE).with_name(FILE)
    secret_file.parent.mkdir()
    secret_file.write_text("left by a service that was killed\n")
    assert add(drywet, monkeypatch, "ada", "admin")[0] == 0  # no service runs: in the store itself
    with serving():
        assert not secret_file.exists()
        code, said = add(drywet, monkeypatch, "mallory", "admin")
        assert (code != 0, "does not know who you are" in said) == (True, True)
