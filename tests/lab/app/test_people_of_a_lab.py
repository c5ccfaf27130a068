from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.app.people import Directory, ServiceDirectory, StoreDirectory, open_directory
from lab.client import Client
from lab.errors import BadInput, StoreUnusable
from lab.service.passwords import Passwords
from lab.store import Store
from tests.lab.service.people_app import PASSWORD, QUICK, Desk, open_desk
from tests.lab.service.serving import served


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    empty = tmp_path / "empty.db"
    Store.open(empty).close()
    with open_desk(tmp_path, empty) as desk:
        desk.add("root", "admin")
        yield desk


@pytest.fixture(params=["store", "service"])
def directory(request: pytest.FixtureRequest, desk: Desk) -> Iterator[Directory]:
    """Both ways in."""
    if request.param == "store":
        yield StoreDirectory(desk.store, Passwords(QUICK))
        return
    with served(desk.app) as address, Client(address) as client:
        client.login("root", PASSWORD)
        yield ServiceDirectory(client)


def test_either_way_the_same_can_be_done_and_is_written_down(desk: Desk, directory: Directory) -> None:
    grants = {"devices": {"furnace*": ["operator"]}}
    bob = directory.add("bob", roles=["viewer"], full_name="Bob", grants=grants, password=PASSWORD)
    planner = directory.add("planner", roles=["scientist"], program=True)
    assert directory.people()[1:] == [bob, planner]
    assert bob["grants"] == grants
    changed = directory.change("bob", roles=["operator"], grants={})
    assert (changed["roles"], changed["grants"], changed["version"]) == (["operator"], {}, 2)
    desk.log_in("bob")
    directory.set_password("bob", "another phrase altogether")
    desk.log_in("bob", "another phrase altogether")
    made = directory.make_token("planner", label="night", days=3, scope=["see"])
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert desk.client().get("/api/look", headers=headers).json() == {"name": "planner"}
    directory.revoke(made["id"])
    assert [token["revoked_utc"] is None for token in directory.tokens("planner")] == [False]
    assert directory.change("bob", active=False)["active"] is False
    assert desk.store.acts(unfinished=True) == ()
    assert len([act for act in desk.store.acts() if "login" not in act.action]) == 7


def test_either_way_a_refusal_says_what_is_wrong(directory: Directory) -> None:
    directory.add("second", roles=["viewer"])
    for wrong in (
        lambda: directory.add("bob", roles=["king"]),
        lambda: directory.add("bob", roles=["viewer"], password="short"),
        lambda: directory.change("nobody/../x", roles=["viewer"]),
        lambda: directory.set_password("nobody", PASSWORD),
        lambda: directory.make_token("second", label="x", days=1, scope=["everything"]),
        lambda: directory.revoke("tok_0"),
    ):
        with pytest.raises(BadInput) as refusal:
            wrong()
        assert refusal.value.reason.endswith(".")
    assert [one["name"] for one in directory.people()] == ["root", "second"]


def test_a_service_that_is_gone_is_said_in_a_sentence(desk: Desk) -> None:
    with served(desk.app) as address:
        pass
    with Client(address) as client, pytest.raises(BadInput, match="does not answer"):
        ServiceDirectory(client).people()


def test_a_store_that_a_service_owns_is_not_opened_beside_it(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable), open_directory(str(tmp_path / "lab.db")):
        pass
    with served(desk.app) as address, Client(address) as client:
        client.login("root", PASSWORD)
        with open_directory(str(tmp_path / "lab.db"), client) as directory:
            assert [one["name"] for one in directory.people()] == ["root"]
