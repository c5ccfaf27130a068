"""A SQLite store whose files are taken away is not written to any more, and what it holds is saved."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lab.errors import StoreUnusable
from lab.store import Store, whereabouts
from lab.types import StepStatus
from tests.lab.store.examples import begin, opened_run

GONE = "this file was deleted, moved or replaced while the store was open"


def take_away(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


def test_what_was_written_before_a_file_was_deleted_is_saved_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        opened = opened_run(store)
        step = begin(store, opened.run, 1, dispatch=True)
        take_away(path)
        for _ in range(2):
            with pytest.raises(
                StoreUnusable, match=rf"{GONE}.*All that was written is saved in .*lab\.db\.saved-1\."
            ):
                store.end_step(step.id, StepStatus.DONE, None, "", 1.0)
        assert store.steps(opened.run.id) == (step,)  # To be looked at until the program ends.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["lab.db.lock", "lab.db.saved-1"]
    with Store.open(tmp_path / "lab.db.saved-1") as saved:
        assert saved.steps(opened.run.id) == (step,)
        assert saved.campaign(opened.campaign.id).campaign == opened.campaign


def test_a_file_that_was_saved_before_is_not_written_over(tmp_path: Path) -> None:
    path, earlier = tmp_path / "lab.db", tmp_path / "lab.db.saved-1"
    earlier.write_text("of last week")
    with Store.open(path) as store:
        opened = opened_run(store)
        take_away(path)
        with pytest.raises(StoreUnusable, match=r"saved in .*lab\.db\.saved-2\."):
            store.log(opened.campaign.id, "note", "lost")
    assert earlier.read_text() == "of last week"


def test_a_write_under_which_the_file_is_taken_away_is_not_said_to_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        opened = opened_run(store)

        def written() -> None:
            with store._database.writing() as connection:
                take_away(path)
                connection.exec_driver_sql("UPDATE campaign SET sentence = 'x'")

        with pytest.raises(StoreUnusable, match=GONE):
            written()
        with sqlite3.connect(tmp_path / "lab.db.saved-1") as saved:
            assert saved.execute("SELECT sentence FROM campaign").fetchall() == [("x",)]
        saved.close()
        assert store.campaign(opened.campaign.id).sentence == "x"


def test_where_no_copy_can_be_made_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lab.db"
    monkeypatch.setattr(whereabouts, "_MOST_COPIES", 0)
    with Store.open(path) as store:
        opened = opened_run(store)
        take_away(path)
        with pytest.raises(StoreUnusable, match="could not be saved beside it") as said:
            store.log(opened.campaign.id, "note", "lost")
        assert "Put the file back where it was" in said.value.way_out


def test_a_connection_that_was_made_anew_on_another_file_is_not_taken_for_what_was_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lab.db"
    with Store.open(path) as store:
        opened = opened_run(store)
        connection = store._database._connection
        assert connection is not None
        connection.invalidate()  # as SQLAlchemy does when Ctrl-C comes in the middle of a statement
        path.rename(tmp_path / "moved.db")
        for _ in range(2):
            with pytest.raises(
                StoreUnusable, match=r"could not be saved beside it \(the program had opened it anew"
            ):
                store.log(opened.campaign.id, "note", "lost")
    assert not list(tmp_path.glob("*.saved-*"))
    with Store.open(tmp_path / "moved.db") as moved:
        assert moved.last_run(opened.batch.id) == opened.run


def test_a_store_that_is_put_back_goes_on(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "lab.db", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Store.open(path) as store:
        opened = opened_run(store)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").rename(elsewhere / f"lab.db{suffix}")
        with pytest.raises(StoreUnusable, match=GONE):
            begin(store, opened.run, 1)
        for file in elsewhere.iterdir():
            file.rename(tmp_path / file.name)
        step = begin(store, opened.run, 1)
    with Store.open(path) as store:
        assert store.steps(opened.run.id) == (step,)
