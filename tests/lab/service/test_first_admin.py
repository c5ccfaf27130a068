"""The first admin of a service that runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.service.first_admin import FILE
from tests.lab.service.lab_app import Lab, lab

GOOD: dict[str, Any] = {"name": "ada", "roles": ["admin"], "password": "four words in a row"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as here:
        assert here.client.get("/api/me").status_code == 401  # starts the thread that answers
        yield here


def secret_of(here: Lab) -> str:
    return (here.folder / FILE).read_text().strip()


@pytest.mark.parametrize("secret", ["", "guessed", "0" * 43])
def test_without_the_secret_nobody_becomes_the_first_admin(here: Lab, secret: str) -> None:
    answer = here.client.post("/api/first-admin", json={**GOOD, "secret": secret})
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_secret")
    assert here.store.people() == ()
    assert here.store.acts() == ()  # whoever guesses fills no disk
    assert (here.folder / FILE).exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"roles": ["operator"]},
        {"password": None},
        {"program": True, "password": None},
        {"password": "ada ada ada ada"},
        {"name": "two words"},
    ],
)
def test_the_first_is_an_admin_who_can_log_in(here: Lab, wrong: dict[str, Any]) -> None:
    answer = here.client.post("/api/first-admin", json={**GOOD, **wrong, "secret": secret_of(here)})
    assert answer.status_code == 422, answer.text
    assert here.store.people() == ()
    assert here.client.post("/api/first-admin", json={**GOOD, "secret": secret_of(here)}).status_code == 201


def test_the_secret_is_good_once_however_many_try_at_once(here: Lab) -> None:
    secret, answers = secret_of(here), []
    begin = threading.Barrier(4)

    def race(name: str) -> None:
        begin.wait(timeout=30)
        body = {**GOOD, "name": name, "secret": secret}
        answers.append(here.client.post("/api/first-admin", json=body))

    threads = [threading.Thread(target=race, args=(f"person-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    assert len(here.store.people()) == 1
    assert not (here.folder / FILE).exists()
    assert secret not in str([act.details for act in here.store.acts()])


def test_where_there_is_an_admin_no_secret_lies_about(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("left by a service that was killed")
    with lab(tmp_path) as here:
        secret = secret_of(here)
        assert secret != "left by a service that was killed"
        here.client.post("/api/first-admin", json={**GOOD, "secret": secret})
    with lab(tmp_path) as again:
        assert not (tmp_path / FILE).exists()
        answer = again.client.post("/api/first-admin", json={**GOOD, "name": "eve", "secret": secret})
        assert (answer.status_code, answer.json()["code"]) == (403, "has_admin")


def test_a_folder_that_can_not_be_written_to_leaves_the_other_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).mkdir()
    with lab(tmp_path) as here:
        assert "only while no service runs" in caplog.text
        answer = here.client.post("/api/first-admin", json={**GOOD, "secret": ""})
        assert answer.json()["code"] == "wrong_secret"
