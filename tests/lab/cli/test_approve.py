"""``drywet approve`` as a person types it."""

from __future__ import annotations

import getpass
import io
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient

from lab.app import Settings
from lab.client import Client
from lab.service.passwords import Passwords
from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.cli.conftest import Drywet
from tests.lab.service.lab_app import lab

PASSWORD = "four words in a row"


@pytest.fixture
def waiting(folder: Path, drywet: Drywet) -> Any:
    """A campaign whose first batch waits, as `drywet approve list --json` shows it."""
    file = write_campaign(folder, budget=3, batch_size=3)
    file.write_text(file.read_text() + "approval: {each_batch: true}\n")
    held = drywet("run", str(file), "--no-baseline")
    assert held.code == 1
    assert "waits for a person" in " ".join((held.out + held.err).split())
    (one,) = drywet("approve", "--json").json["approvals"]
    return one


def test_show_edit_and_say_yes_where_nobody_has_an_account(drywet: Drywet, waiting: Any) -> None:
    shown = drywet("approve", "show", "small")
    old, other = (one["candidate_id"] for one in waiting["experiments"][:2])
    assert shown.code == 0
    assert "Each batch of it is to be seen first." in shown.out
    assert old in shown.out
    refused = drywet("approve", "small", "--edit", f"{old}={other}", "--why", "A hunch.")
    assert refused.code == 2
    assert "on its way already" in refused.err
    assert drywet("approve", "small", "--edit", f"{old}=T17A", "--why", "A hunch.").code == 0
    after = drywet("approve", "show", "small", "--json").json
    assert after["status"] == "waiting"
    assert "T17A" in {one["candidate_id"] for one in after["experiments"] if not one["taken_back"]}
    yes = drywet("approve", "small", "--why", "Fine.")
    assert yes.code == 0
    assert "Approved." in yes.out
    assert drywet("approve").out.strip() == "Nothing waits for a person."
    (done,) = drywet("approve", "list", "--all", "--json").json["approvals"]
    assert done["decided_by"] == f"{getpass.getuser()} at the command line"
    assert done["why"] == "Fine. Nobody has an account here; the user of the computer said so."
    assert drywet("resume").code == 0
    assert drywet("approve", "small").code == 2


def test_a_no_takes_a_reason_and_is_not_proposed_again(drywet: Drywet, waiting: Any) -> None:
    assert "known why" in drywet("approve", "small", "--reject").err
    assert drywet("approve", "small", "--reject", "--why", "Too alike.").code == 0
    assert drywet("resume").code == 1
    (again,) = drywet("approve", "--json").json["approvals"]
    assert again["batch"] == 2
    before, after = ({one["candidate_id"] for one in it["experiments"]} for it in (waiting, again))
    assert not before & after


def test_where_people_have_accounts_an_approver_says_so_with_their_password(
    folder: Path, drywet: Drywet, waiting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(folder / ".drywet" / "drywet.db") as store:
        for name, role in (("ada", "approver"), ("sue", "scientist")):
            store.add_person(name, roles=[role], password_hash=Passwords().hash(PASSWORD))

    def as_(name: str, password: str) -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        return drywet("approve", "small", "--as", name, "--password-stdin")

    unnamed = drywet("approve", "small")
    assert unnamed.code == 2
    assert "it must be known who says so" in unnamed.err
    for name, password in (("ada", "not her password"), ("nobody", PASSWORD)):
        assert "don't belong together" in as_(name, password).err
    assert "may not approve this" in as_("sue", PASSWORD).err
    assert as_("ada", PASSWORD).code == 0
    (done,) = drywet("approve", "list", "--all", "--json").json["approvals"]
    assert (done["status"], done["decided_by"]) == ("approved", "ada")


def test_what_was_said_is_in_the_audit_with_how_it_ended(folder: Path, drywet: Drywet, waiting: Any) -> None:
    drywet("approve", "small", "--reject")
    drywet("approve", "small")
    with Store.open(folder / ".drywet" / "drywet.db", read_only=True) as store:
        yes, no = store.acts(action="drywet approve", limit=2)
    assert (no.subject, yes.subject) == (waiting["id"], waiting["id"])
    assert "known why" in no.outcome
    assert yes.outcome == "done"
    assert yes.source == "command line"


def test_where_a_service_has_the_store_it_is_told_as_whoever_logged_in(
    folder: Path, drywet: Drywet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab(folder) as here:
        sue, bob = here.add("sue", "scientist"), here.add("bob", "approver")
        file = write_campaign(folder, budget=6, batch_size=3)
        file.write_text(file.read_text() + "approval: {each_batch: true}\n")
        assert here.submit(file, sue).status_code == 201
        assert here.ended().status == "held"
        at = ("--store", str(folder / "lab.db"))

        def logged_in(who: dict[str, str]) -> None:
            def service_of(settings: Settings) -> Client:
                client = Client("http://localhost", who["Authorization"].removeprefix("Bearer "))
                client._http.close()
                client._http = cast(Any, TestClient(here.client.app, base_url="http://localhost"))
                return client

            monkeypatch.setattr("lab.cli.remote.service_of", service_of)

        logged_in(sue)
        refused = drywet("approve", "small", *at)
        assert refused.code == 2
        assert "sue may not do this" in refused.err
        logged_in(bob)
        assert "Leave --as out" in drywet("approve", "small", "--as", "bob", *at).err
        (one,) = drywet("approve", "list", "--json", *at).json["approvals"]
        old = one["experiments"][0]["candidate_id"]
        assert drywet("approve", "small", "--edit", f"{old}=T17A", "--why", "A hunch.", *at).code == 0
        said = drywet("approve", "small", *at)
        assert (said.code, said.out.split()[0]) == (0, "Approved.")
        assert here.ended().status == "held"
        assert drywet("approve", "small", "--reject", "--why", "Enough.", *at).code == 0
        assert here.ended().status == "held"
        first, second, _ = here.store.approvals()
        assert (first.decided_by, first.status) == ("bob", "approved")
        assert (second.decided_by, second.why) == ("bob", "Enough.")
