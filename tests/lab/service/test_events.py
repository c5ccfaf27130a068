"""The stream of events: nothing is missed and nothing told twice, whoever comes, goes, comes back or never reads."""

from __future__ import annotations

import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from lab.service.hub import BEHIND, KEPT, Hub
from tests.lab.service.api_lab import Api, Headers, api

LIMIT_S = 60.0

Told = tuple[str, str, dict[str, object]]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Api]:
    with api(tmp_path) as service:
        yield service


@pytest.fixture
def ada(here: Api) -> Headers:
    return here.add("ada", "viewer")


@pytest.fixture
def hub(here: Api) -> Hub:
    found: Hub = here.app.state.hub
    return found


def told(here: Api, headers: Headers, last: str | bytes = "") -> Generator[Told, None, None]:
    """Identifier, kind and body of what comes, one after the other."""
    shown = last.encode() if isinstance(last, str) else last
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    more = [(b"Last-Event-ID", shown)] if shown else []
    with httpx.stream(
        "GET", f"{here.address}/api/events", headers=[*sent, *more], timeout=LIMIT_S, trust_env=False
    ) as stream:
        assert stream.status_code == 200
        number = kind = ""
        for line in stream.iter_lines():
            field, _, value = line.partition(": ")
            if field == "id":
                number = value
            elif field == "event":
                kind = value
            elif field == "data":
                yield number, kind, json.loads(value)


def until(what: Callable[[], bool], says: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end, says
        time.sleep(0.02)


def test_who_comes_back_again_and_again_gets_every_event_once_and_in_order(
    here: Api, ada: Headers, hub: Hub
) -> None:
    rng = random.Random(7)
    heard: list[tuple[object, object]] = []
    seen: list[int] = []
    ((last, kind, _),) = itertools.islice(told(here, ada), 1)
    assert kind == "snapshot"

    def speak(who: int) -> None:
        for number in range(250):
            hub.tell("said", who=who, number=number)
            time.sleep(0.001)

    speakers = [threading.Thread(target=speak, args=(who,)) for who in range(4)]
    first = int(last.partition("-")[2])
    for speaker in speakers:
        speaker.start()
    while len(heard) < 1000:
        for one, kind, body in itertools.islice(told(here, ada, last), rng.randint(1, 150)):
            last = one
            if kind == "said":
                heard.append((body["who"], body["number"]))
                seen.append(int(one.partition("-")[2]))
            if len(heard) == 1000:
                break
    for speaker in speakers:
        speaker.join()
    assert len(set(heard)) == 1000
    assert seen == sorted(seen)
    assert seen == list(range(first + 1, first + 1001))


def test_a_number_that_means_nothing_here_gets_a_snapshot(here: Api, ada: Headers, hub: Hub) -> None:
    life = hub.life
    for last in (
        *("nonsense", "-", "0badbeef-1", f"{life}-999999999", f"{life}--1", f"{life}-1e3"),
        f"{life}-".encode() + b"\xb2",  # a digit to some, but no number
    ):
        ((_, kind, body),) = itertools.islice(told(here, ada, last), 1)
        assert kind == "snapshot", last
        assert {"live", "campaigns", "waiting"} <= set(body)


def test_who_was_away_for_too_long_gets_a_snapshot(here: Api, ada: Headers, hub: Hub) -> None:
    ((last, _, _),) = itertools.islice(told(here, ada), 1)
    for number in range(KEPT + 1):
        hub.tell("said", number=number)
    ((_, kind, _),) = itertools.islice(told(here, ada, last), 1)
    assert kind == "snapshot"


def test_of_a_campaign_the_last_that_happened_is_told_in_order(hub: Hub) -> None:
    for number in range(30):
        hub.tell("said", campaign_id="a" if number % 3 else "b", number=number)
    assert [one.body["number"] for one in hub.latest("a", 4)] == [25, 26, 28, 29]
    assert len(hub.latest("b", 100)) == 10
    assert hub.latest("c", 100) == []


def test_listeners_come_and_go_and_one_that_never_reads_holds_nobody_up(
    here: Api, ada: Headers, hub: Hub
) -> None:
    parts = urlsplit(here.address)
    request = "".join(
        f"{line}\r\n"
        for line in (
            "GET /api/events HTTP/1.1",
            f"Host: {parts.netloc}",
            f"Authorization: {ada['Authorization']}",
            "",
        )
    ).encode()

    def come() -> socket.socket:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((parts.hostname, parts.port))
        line.sendall(request)
        return line

    until(lambda: hub.listeners == 0, "who listened before is still there")
    silent = [come() for _ in range(20)]
    until(lambda: hub.listeners == 20, "not all listen")
    reading = told(here, ada)
    ((_, kind, _),) = itertools.islice(reading, 1)
    assert kind == "snapshot"
    for number in range(4 * BEHIND):
        hub.tell("said", number=number, text="x" * 1000)
        if number % 100 == 99:  # as fast as it reads, and no faster
            assert next(body for _, kind, body in reading if body.get("number") == number)
    assert max(listener.queue.qsize() for listener in hub._listeners) <= BEHIND
    assert any(listener.lost for listener in hub._listeners)
    reading.close()
    for line in silent:
        line.close()
    until(lambda: hub.listeners == 0, "who went is still counted")


def test_more_than_so_many_listeners_are_refused_and_one_who_goes_makes_room(
    here: Api, ada: Headers, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: hub.listeners == 0, "who listened before is still there")
    monkeypatch.setattr("lab.service.hub.MOST_OF_ONE", 2)
    monkeypatch.setattr("lab.service.hub.MOST", 3)
    bob = here.add("bob", "viewer")
    cleo = here.add("cleo", "viewer")
    first, second, others = told(here, ada), told(here, ada), told(here, bob)
    next(first), next(second)

    def refused(who: Headers) -> str:
        answer = httpx.get(f"{here.address}/api/events", headers=who, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_listeners")
        assert int(answer.headers["Retry-After"]) > 0
        return str(answer.json()["sentence"])

    assert refused(ada) == "2 listen already in your name."
    next(others)
    assert refused(cleo) == "3 listen already."
    first.close()
    until(lambda: hub.listeners == 2, "who went is still counted")
    again = told(here, ada)
    assert next(again)[1] == "snapshot"
    for one in (second, others, again):
        one.close()
