"""``drywet schedule`` and ``drywet notify`` as a person types them."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.store import Store
from tests.campaign_files import write_campaign
from tests.lab.cli.conftest import Drywet
from tests.lab.store.examples import a_campaign, stocked

pytest.importorskip("cronsim", reason="The extra `service` brings cronsim.")

STORE = Path(".drywet/drywet.db")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with nothing in it, to copy."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    Store.open(path).close()
    return path


@pytest.fixture(autouse=True)
def store_here(folder: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store where commands look for it, and a campaign."""
    monkeypatch.delenv("DRYWET_NOTIFY", raising=False)
    STORE.parent.mkdir()
    shutil.copyfile(empty, STORE)
    write_campaign(folder, "nightly", budget=3, batch_size=3)


AT_TWO = ("--cron", "0 2 * * 1-5", "--timezone", "Europe/Berlin")


def test_a_schedule_is_made_shown_paused_and_removed(drywet: Drywet) -> None:
    added = drywet("schedule", "add", "nightly.yaml", *AT_TWO, "--on-overlap", "queue")
    assert added.code == 0, added.err
    assert added.out.startswith("nightly begins nightly next at ")
    assert " 02:00 (Europe/Berlin).\n" in added.out
    assert "while drywet serve runs" in added.out
    listed = drywet("schedule", "list").out
    assert "0 2 * * 1-5" in listed
    assert "queue" in listed
    (one,) = drywet("schedule", "list", "--json").json["schedules"]
    assert (one["name"], one["on_missed"], one["on_overlap"]) == ("nightly", "run_once", "queue")
    assert drywet("schedule", "pause", "nightly").out == "nightly is paused.\n"
    assert "paused" in drywet("schedule", "list").out
    assert drywet("schedule", "next", "nightly").out == "nightly is paused.\n"
    assert "next at" in drywet("schedule", "resume", "nightly").out
    assert drywet("schedule", "remove", one["id"]).out == "nightly is removed.\n"
    assert drywet("schedule", "list").out == "Nothing is scheduled.\n"
    with Store.open(STORE, read_only=True) as store:
        acts = [(act.action, act.outcome) for act in store.acts()]
    names = {"schedule add", "schedule pause", "schedule resume", "schedule remove"}
    assert {action for action, _ in acts} == names


def test_the_next_ten_times_are_shown_by_both_clocks(drywet: Drywet) -> None:
    drywet("schedule", "add", "nightly.yaml", *AT_TWO, "--name", "every night")
    rows = drywet("schedule", "next", "every night").out.splitlines()
    assert rows[0].split() == ["Europe/Berlin", "UTC"]
    assert len(rows) == 11
    for moment in drywet("schedule", "next", "every night", "--json").json["next"]:
        local, utc = datetime.fromisoformat(moment["local"]), datetime.fromisoformat(moment["utc"])
        assert (local.hour, local.weekday() < 5, local) == (2, True, utc)
        shown = [row for row in rows[1:] if f"{local:%Y-%m-%d %H:%M}" in row]
        assert len(shown) == 1
        assert shown[0].endswith(f"{utc:%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("nightly.yaml", "--cron", "0 25 * * *", "--timezone", "UTC"),
            "'25' is no hour of a cron expression",
        ),
        (("nightly.yaml", "--cron", "0 2 * * *", "--timezone", "Berlin"), "There is no time zone 'Berlin'"),
        (("none.yaml", *AT_TWO), "It can't be read: No such file or directory"),
        (("nightly.yaml", *AT_TWO, "--on-missed", "always"), "Give run_once or skip"),
        (("nightly.yaml", *AT_TWO, "--folder", "elsewhere"), "does not lie in"),
        (("bench.yaml", *AT_TWO), "bench.yaml"),
    ],
)
def test_what_can_not_be_scheduled_is_said_and_nothing_is_kept(
    drywet: Drywet, arguments: tuple[str, ...], said: str
) -> None:
    Path("elsewhere").mkdir()
    answer = drywet("schedule", "add", *arguments)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert drywet("schedule", "list", "--json").json == {"schedules": []}


def test_a_name_that_is_not_there_is_said(drywet: Drywet) -> None:
    for command in ("pause", "resume", "remove", "next"):
        answer = drywet("schedule", command, "weekly")
        assert answer.code == 2
        assert "There is no schedule weekly." in answer.err


def test_looking_works_while_another_program_writes(drywet: Drywet) -> None:
    with Store.open(STORE):
        assert drywet("schedule", "list").code == 0
        refused = drywet("schedule", "add", "nightly.yaml", *AT_TWO)
    assert refused.code == 2
    assert "writing to this store" in " ".join(refused.err.split())


@contextmanager
def web(answer: int, posts: list[dict[str, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Not on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/SECRETPATH"
        server.shutdown()
        serving.join()


def write_channels(path: Path, url: str) -> None:
    text = "channels:\n  - name: chat\n    webhook: {url_file: hook.txt}\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    (path.parent / "hook.txt").write_text(f"{url}\n")


def test_channels_are_tried_without_a_service(drywet: Drywet) -> None:
    posts: list[dict[str, str]] = []
    with web(200, posts) as url:
        write_channels(STORE.parent / "notify.yaml", url)
        answer = drywet("notify", "test")
        assert answer.code == 0, answer.err
        assert drywet("notify", "test", "chat", "--json").json["channels"][0]["error"] == ""
    assert answer.out.startswith("chat (POST to 127.0.0.1 port ")
    assert answer.out.endswith("): sent.\n")
    assert [post["kind"] for post in posts] == ["test", "test"]
    with web(500, posts) as url:
        write_channels(STORE.parent / "notify.yaml", url)
        answer = drywet("notify", "test")
    assert answer.code == 1
    assert "answered 500." in answer.out
    assert "SECRETPATH" not in answer.out + answer.err


def test_a_file_of_channels_may_lie_elsewhere(drywet: Drywet, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = drywet("notify", "test")
    assert nothing.code == 2
    assert "There is no channel." in nothing.err
    monkeypatch.setenv("DRYWET_NOTIFY", "settings/channels.yaml")
    missing = drywet("notify", "test")
    assert missing.code == 2
    assert "There is no file settings/channels.yaml" in missing.err
    posts: list[dict[str, str]] = []
    with web(200, posts) as url:
        write_channels(Path("settings/channels.yaml"), url)
        assert drywet("notify", "test").code == 0
        assert "There is no channel people." in drywet("notify", "test", "people").err
    assert len(posts) == 1


def test_what_was_told_is_listed(drywet: Drywet) -> None:
    from lab.notices import Channel, Desktop

    assert drywet("notify", "list").out == "Nothing was told.\n"
    with Store.open(STORE) as store:
        store.begin_to_listen()
        campaign = a_campaign()
        store.create_campaign(campaign, stocked(store, {}).id, "hash", {})
        store.log(campaign.id, "fault", "The tip is clogged.")
        (heard,) = store.news()
        now = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
        store.note_news(
            heard, [Channel(name="screen", way=Desktop()), Channel(name="wall", way=Desktop())], now
        )
        store.notice_tried(1, at=now)
        store.notice_tried(2, error="No screen.", at=now)
    shown = drywet("notify", "list").out
    assert "sent" in shown
    unsent = drywet("notify", "list", "--unsent").out
    assert "given up" in unsent
    assert "No screen." in unsent
    assert "sent" not in unsent
    told = drywet("notify", "list", "--json").json["notices"]
    assert [one["status"] for one in told] == ["given_up", "sent"]
