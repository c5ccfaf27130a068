from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from lab.audit import Begun, Once
from lab.store import Store, audit
from lab.store.tables import now


def _once(command: str = "POST /api/people 1", key: str = "k1", person: str = "per_1") -> Once:
    return Once(person_id=person, key=key, command=command)


def test_an_act_tells_who_did_what_and_what_came_of_it(store: Store) -> None:
    act = store.audit_begin(
        who="ada",
        action="POST /api/people",
        subject="bob\0",
        source="10.0.0.7",
        details={"name": "bob", "n": [1.5]},
    )
    begun = store.act(act)
    assert (begun.who, begun.source, begun.subject) == ("ada", "10.0.0.7", "bob\\x00")
    assert (begun.outcome, begun.ended_utc) == ("", None)
    store.audit_end(act, "done", {"status": 200})
    ended = store.act(act)
    assert (ended.outcome, ended.result, ended.details) == (
        "done",
        {"status": 200},
        {"name": "bob", "n": [1.5]},
    )
    assert ended.ended_utc is not None
    assert ended.ended_utc >= ended.begun_utc


def test_the_end_of_an_act_is_written_once(store: Store) -> None:
    act = store.audit_begin(who="ada", action="stop")
    store.audit_end(act, "done")
    with pytest.raises(ValueError, match="before"):
        store.audit_end(act, "not done")
    with pytest.raises(KeyError):
        store.audit_end("act_0", "done")
    assert store.act(act).outcome == "done"


def test_acts_come_newest_first_by_pages_and_filters(store: Store) -> None:
    for n in range(7):
        act = store.audit_begin(
            who="ada" if n % 2 else "bob", action=f"POST /api/runs/{n}", subject="50%_off" if n == 3 else "x"
        )
        if n != 5:
            store.audit_end(act, "done")
    first = store.acts(limit=3)
    assert [act.action[-1] for act in first] == ["6", "5", "4"]
    rest = store.acts(limit=10, before=first[-1].number)
    assert [act.action[-1] for act in rest] == ["3", "2", "1", "0"]
    assert [act.action[-1] for act in store.acts(who="ada")] == ["5", "3", "1"]
    assert [act.action[-1] for act in store.acts(unfinished=True)] == ["5"]
    assert [act.action[-1] for act in store.acts(subject="0%_o")] == ["3"]
    assert store.acts(subject="%") == store.acts(subject="50%")
    assert store.acts(action="runs/4")[0].number == first[-1].number
    assert store.acts(who="' OR 1=1 --") == store.acts(who="a\0") == ()
    assert store.acts(since=now()) == ()
    assert len(store.acts(until=now())) == 7


def test_a_command_that_was_sent_before_is_not_begun_again(store: Store) -> None:
    begun = store.command_begin(_once(), who="ada", action="POST /api/people")
    assert begun.earlier is None
    again = store.command_begin(_once(), who="ada", action="POST /api/people")
    assert again.act == ""
    assert again.earlier is not None
    assert again.earlier.status_code is None
    assert again.earlier.body == {"act": begun.act}
    store.command_end(_once(), begun.act, "done", status_code=201, body={"id": "x"})
    last = store.command_begin(_once(), who="ada", action="POST /api/people").earlier
    assert last is not None
    assert (last.status_code, last.body, last.command) == (201, {"id": "x"}, "POST /api/people 1")
    assert len(store.acts()) == 1


def test_the_same_key_of_another_person_is_another(store: Store) -> None:
    store.command_begin(_once(), who="ada", action="a")
    assert store.command_begin(_once(person="per_2"), who="bob", action="a").earlier is None


def test_what_was_refused_may_be_sent_again(store: Store) -> None:
    begun = store.command_begin(_once(), who="ada", action="a")
    store.command_refused(_once(), begun.act, "refused: not now")
    assert store.command_begin(_once(), who="ada", action="a").earlier is None
    assert store.act(begun.act).outcome == "refused: not now"


def test_a_command_whose_end_is_not_known_stays_closed(store: Store) -> None:
    begun = store.command_begin(_once(), who="ada", action="a")
    store.command_end(_once(), begun.act, "failed in its midst", status_code=None)
    earlier = store.command_begin(_once(), who="ada", action="a").earlier
    assert earlier is not None
    assert earlier.status_code is None


def test_answers_are_kept_for_a_week(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = store.command_begin(_once(), who="ada", action="a")
    store.command_end(_once(), begun.act, "done", status_code=200)
    later = [now() + timedelta(days=6, hours=23)]
    monkeypatch.setattr(audit, "now", lambda: later[0])
    assert store.command_begin(_once(), who="ada", action="a").earlier is not None
    later[0] += timedelta(hours=2)
    assert store.command_begin(_once(), who="ada", action="a").earlier is None


def test_of_many_that_come_at_once_one_is_begun(store: Store) -> None:
    found: list[Begun] = []
    threads = [
        threading.Thread(target=lambda: found.append(store.command_begin(_once(), who="ada", action="a")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([begun for begun in found if begun.act]) == 1
    assert len(found) == 8
