"""Stopping over HTTP where the database server is gone, or hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.engine.progress import Progress, StepEnded
from lab.errors import StoreUnusable
from lab.types import CampaignStatus
from tests.environment import skip_or_fail
from tests.lab.service.api_lab import Api, api
from tests.lab.service.test_stopping import LIMIT_S, STOP, begin, until
from tests.postgres import PostgresServer, running_server

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that nobody else needs."""
    try:
        with running_server() as server:
            yield server
    except FileNotFoundError as missing:
        skip_or_fail(str(missing))


@contextmanager
def gone(server: PostgresServer, database: str) -> Iterator[None]:
    """Connections are cut, and no new one is accepted, for as long as the block lasts."""
    server.sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    yield
    server.sql(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


@contextmanager
def hanging(server: PostgresServer) -> Iterator[None]:
    """No process of the server does anything for as long as the block lasts."""
    first = int((server.socket_folder / "data" / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    every = [first, *map(int, children)]
    for process in every:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in every:
            os.kill(process, signal.SIGCONT)


def stop_at_once(here: Api) -> None:
    """Have everything stop; the devices must be safe."""
    answer = here.client.post("/api/stop", json={"now": True}, headers=STOP, timeout=LIMIT_S)
    assert answer.status_code == 200, answer.text
    report = answer.json()["report"]
    assert report["safe"] is True, report
    assert len(report["devices"]) == 5, report
    assert "may not be in the store" in " ".join(report["errors"])


def is_over(here: Api) -> bool:
    return here.store.campaign("one").status is CampaignStatus.FINISHED


def test_a_stop_while_the_server_hangs_makes_the_devices_safe_and_is_known_once_it_answers_again(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    with api(tmp_path, own_server.url(own_server.new_database())) as here:
        begin(here)
        with hanging(own_server):
            stop_at_once(here)
        until(lambda: not here.house.live(), "the bench was not given back")
        assert here.store.campaign("one").status is CampaignStatus.STOPPED
        here.house.resume(here.store.campaign("one").campaign.id)
        until(lambda: is_over(here), "it did not go on")


@pytest.mark.parametrize("now", [True, False])
def test_a_stop_while_the_server_is_gone_holds_at_the_next_start(
    own_server: PostgresServer, tmp_path: Path, now: bool
) -> None:
    database = own_server.new_database()
    with api(tmp_path, own_server.url(database)) as here:
        begin(here)
        with gone(own_server, database):
            if now:
                stop_at_once(here)
            else:
                body = {"reason": "Lunch."}
                assert here.client.post("/api/stop", json=body, headers=STOP).status_code == 200
                here.house.let_go_on()
            until(lambda: not here.house.live(), "the bench was not given back")
        # The connection that held the store is lost, and another program may have written since.
        with pytest.raises(StoreUnusable, match="start again"):
            here.store.campaigns()
    for _ in range(2):
        with api(tmp_path, own_server.url(database)) as here:
            record = here.store.campaign("one")
            assert record.status is CampaignStatus.STOPPED
            assert not here.house.standings()
            if not now:
                assert record.sentence == "Stopped by somebody at the machine of the service: Lunch."
    with api(tmp_path, own_server.url(database)) as here:
        here.house.resume(here.store.campaign("one").campaign.id)
        until(lambda: is_over(here), "it did not go on")
        assert "is told of it only now" in " ".join(e.sentence for e in here.store.events(record.campaign.id))


def test_what_was_resumed_after_a_stop_goes_on_when_the_store_is_lost_once_more(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    database = own_server.new_database()
    with api(tmp_path, own_server.url(database)) as here:
        begin(here)
        here.house.request_stop("Lunch.")
        until(lambda: not here.house.live(), "the bench was not given back")
        stood_still: list[bool] = []

        def pause(event: Progress) -> None:
            if isinstance(event, StepEnded) and not stood_still:
                here.house.pause("Wait.")
                stood_still.append(True)

        end = here.house.listen(pause)
        here.house.resume(here.store.campaign("one").campaign.id)
        until(lambda: all(one.paused for one in here.house.standings()), "it does not stand still")
        end()
        with gone(own_server, database):
            here.house.let_go_on()
            until(lambda: not here.house.live(), "the bench was not given back")
    with api(tmp_path, own_server.url(database)) as here:
        until(lambda: is_over(here), "it did not go on")
