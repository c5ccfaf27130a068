from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from lab.errors import StoreUnusable
from lab.store import Store, locks, schema
from tests.lab.store.examples import opened_run
from tests.postgres import PostgresServer


def refusal(open_: Callable[[], Store], reason: str) -> StoreUnusable:
    """What a store that cannot be used says: a reason, and a way out."""
    with pytest.raises(StoreUnusable, match=reason) as refused:
        open_().close()
    assert refused.value.way_out.endswith((".", "'drywet[postgres]'"))
    assert refused.value.way_out in str(refused.value)
    return refused.value


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write anywhere; a person may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that any user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="drywet-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def in_another_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )


def test_a_store_is_found_again_as_it_was_left(url: str) -> None:
    with Store.open(url) as store:
        opened = opened_run(store)
        history = store.history(opened.campaign.id)
    with Store.open(url) as store:
        assert store.history(opened.campaign.id) == history
        assert store.last_run(opened.batch.id) == opened.run


def test_a_closed_store_says_so_and_closing_again_is_harmless(url: str) -> None:
    store = Store.open(url)
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="is closed"):
        store.campaigns()


def test_reading_works_while_another_store_writes_and_sees_what_is_written(url: str) -> None:
    with Store.open(url) as writer, Store.open(url, read_only=True) as reader:
        assert reader.read_only
        assert not writer.read_only
        opened = opened_run(writer)
        assert reader.history(opened.campaign.id) == writer.history(opened.campaign.id)
        assert all(fact.ok for fact in reader.check() if fact.name != "fsync")
        with pytest.raises(StoreUnusable, match="open for reading only"):
            reader.log(opened.campaign.id, "note", "must not be written")
        assert len(writer.events(opened.campaign.id)) == 1


def test_a_second_store_of_this_process_may_not_write_either(url: str) -> None:
    with Store.open(url) as store:
        said = refusal(lambda: Store.open(url), rf"{os.getpid()}.* is writing to this store")
        assert "read-only" in said.way_out
        opened_run(store)
    Store.open(url).close()


def test_a_second_process_that_would_write_is_told_who_does(url: str) -> None:
    code = """
import sys
from lab.errors import StoreUnusable
from lab.store import Store
try:
    Store.open(sys.argv[1])
except StoreUnusable as error:
    print(error)
else:
    print("opened")
"""
    with Store.open(url):
        said = in_another_process(code, url)
    assert said.stderr == ""
    assert re.search(rf"\b{os.getpid()}\b.* is writing to this store\. Wait until it ends", said.stdout)
    assert in_another_process(code, url).stdout == "opened\n"


def test_a_writer_that_was_killed_leaves_no_lock_behind(url: str) -> None:
    code = """
import os, signal, sys
from lab.store import Store
store = Store.open(sys.argv[1])
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert in_another_process(code, url).returncode == -9
    with Store.open(url) as store:
        opened_run(store)


@pytest.mark.postgres
def test_a_store_on_a_server_opens_while_the_session_before_it_is_still_ending(
    postgres_server: PostgresServer,
) -> None:
    where = postgres_server.url(postgres_server.new_database())
    before = Store.open(where)
    with watched_tries() as (tried, tries), ThreadPoolExecutor(1) as beside:
        opening = beside.submit(lambda: Store.open(where).close())
        assert tried.wait(30.0), "it never asked for the lock"
        before.close()
        opening.result(30.0)
    assert not tries[0]
    assert tries[-1]


@contextmanager
def watched_tries() -> Iterator[tuple[threading.Event, list[bool]]]:
    """What the server answered to each try for the lock, and when the first had its answer."""
    tried, tries, real = threading.Event(), list[bool](), locks._tried

    def watching(connection: Connection) -> bool:
        tries.append(real(connection))
        tried.set()
        return tries[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks, "_tried", watching)
        yield tried, tries


def test_a_forked_child_does_not_keep_the_lock_of_a_parent_that_is_gone(tmp_path: Path) -> None:
    path = str(tmp_path / "lab.db")
    code = """
import os, sys, time
from lab.store import Store
store = Store.open(sys.argv[1])
child = os.fork()
if child == 0:
    os.close(1)
    os.close(2)
    time.sleep(30)
    os._exit(0)
print(child, flush=True)
os._exit(0)
"""
    child = int(in_another_process(code, path).stdout)
    try:
        Store.open(path).close()
    finally:
        os.kill(child, 9)


def test_the_folder_of_a_new_store_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "lab.db"
    with Store.open(path) as store:
        assert store.url == str(path)
        assert store.check()[0].value == str(path)
    with Store.open(f"sqlite:///{path}") as store:
        assert store.url == str(path)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    path.touch()
    with Store.open(path) as store:
        opened_run(store)


@pytest.mark.parametrize("size", [5, 100, 5000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"n" * size)
    for read_only in (False, True):
        refusal(lambda: Store.open(path, read_only=read_only), "is no database")  # noqa: B023  # called at once
    assert path.read_bytes() == b"n" * size
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    refusal(lambda: Store.open(tmp_path), "is a folder")
    refusal(lambda: Store.open(tmp_path, read_only=True), "There is no store at")


def test_two_names_of_one_file_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "lab.db")
    with Store.open(tmp_path / "lab.db"):
        refusal(lambda: Store.open(tmp_path / "link.db"), "is writing to this store")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    refusal(lambda: Store.open(tmp_path / "round"), "is no store")


def test_being_refused_does_not_loosen_the_locks_of_the_store_that_is_open(tmp_path: Path) -> None:
    """A POSIX lock is lost when its process closes any handle of the file; SQLite's must not be lost so."""
    path = tmp_path / "lab.db"
    grab = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    other.execute("PRAGMA journal_mode = DELETE")  # asks for a lock that nobody else may share
except sqlite3.OperationalError as error:
    print(error)
"""
    with Store.open(path) as store:
        assert store.benches() == ()
        refusal(lambda: Store.open(path), "is writing to this store")
        assert in_another_process(grab, str(path)).stdout == "database is locked\n"
    assert in_another_process(grab, str(path)).stdout == ""


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("n")
    refusal(lambda: Store.open(tmp_path / "notes.txt" / "lab.db"), "cannot be kept there")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE invoices (n int)")
    other.commit()
    other.close()
    before = path.read_bytes()
    for read_only in (False, True):
        refusal(lambda: Store.open(path, read_only=read_only), r"belongs to another program.*invoices")  # noqa: B023
    assert path.read_bytes() == before


def test_another_programs_tables_on_a_server_are_left_alone(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database()
    postgres_server.sql("CREATE TABLE run (n int)", database)
    refusal(
        lambda: Store.open(postgres_server.url(database)),
        r"belongs to another program.*\(it has tables run\)",
    )
    postgres_server.sql("ALTER TABLE run RENAME TO invoices", database)
    Store.open(postgres_server.url(database)).close()


def test_a_newer_store_is_refused_and_left_alone(url: str) -> None:
    with Store.open(url) as store, store._database.writing() as connection:
        connection.exec_driver_sql("UPDATE drywet_schema SET version_num = '0999'")
    for read_only in (False, True):
        said = refusal(lambda: Store.open(url, read_only=read_only), r"newer drywet \(its schema is 0999")  # noqa: B023
        assert "Update drywet" in said.way_out


def test_reading_what_is_no_store_yet_makes_none(tmp_path: Path, postgres_server: PostgresServer) -> None:
    refusal(lambda: Store.open(tmp_path / "lab.db", read_only=True), "There is no store at")
    assert list(tmp_path.iterdir()) == []
    database = postgres_server.new_database()
    refusal(lambda: Store.open(postgres_server.url(database), read_only=True), "this store is empty")
    assert postgres_server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database) == "0"


def test_an_unwritable_folder_is_refused(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    with without_privileges():
        refusal(lambda: Store.open(public_folder / "lab.db"), "the database cannot be opened")
        refusal(
            lambda: Store.open(public_folder / "deep" / "lab.db"),
            r"cannot be kept there \(Permission denied\)",
        )


def test_an_unwritable_file_is_refused(public_folder: Path) -> None:
    path = public_folder / "lab.db"
    Store.open(path).close()
    public_folder.chmod(0o777)
    (public_folder / "lab.db.lock").chmod(0o666)
    path.chmod(0o444)
    with without_privileges():
        refusal(lambda: Store.open(path), "may not be written to")
    path.chmod(0o000)
    with without_privileges():
        refusal(lambda: Store.open(path), "cannot be opened")
        refusal(lambda: Store.open(path, read_only=True), "cannot be opened")


def test_an_archived_store_is_read_where_nothing_can_be_written(public_folder: Path) -> None:
    path = public_folder / "lab.db"
    with Store.open(path) as store:
        opened = opened_run(store)
    path.chmod(0o444)
    public_folder.chmod(0o555)
    with without_privileges(), Store.open(path, read_only=True) as store:
        assert len(store.history(opened.campaign.id).experiments) == 3
        assert {fact.name: fact.value for fact in store.check()}["writer"] == "nobody"


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("mysql://me:secret@host/db", r"mysql://me:\*\*\*@host/db is no store"),
        ("sqlite://", "A store in memory would be lost"),
        ("sqlite:///:memory:", "A store in memory would be lost"),
        ("http://[", "is no store"),
        ("postgresql://me@host:port/lab", "is no store"),
        ("lab\0.db", "is no store"),
        ("/dev/null", "is no ordinary file"),
    ],
)
def test_an_address_that_means_no_store_is_refused(where: str, reason: str) -> None:
    refusal(lambda: Store.open(where), reason)


def test_a_server_that_is_not_there_is_said_to_be_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers here
        port = taken.getsockname()[1]
        said = refusal(
            lambda: Store.open(f"postgresql://me:secret@127.0.0.1:{port}/lab"), "server cannot be reached"
        )
    assert "secret" not in str(said)
    assert f"me:***@127.0.0.1:{port}/lab" in str(said)


def test_a_wrong_password_user_or_database_is_said_to_be_just_that(postgres_server: PostgresServer) -> None:
    server = postgres_server
    said = refusal(lambda: Store.open(server.tcp_url("postgres", "wrong")), "refuses this user or password")
    assert "wrong" not in str(said).replace("wrong password", "")
    refusal(
        lambda: Store.open(server.url("postgres").replace("tester", "nobody")),
        "refuses this user or password",
    )
    refusal(lambda: Store.open(server.url("no_such_lab")), "has no such database")


def test_a_user_who_may_not_make_tables_is_told_so(postgres_server: PostgresServer) -> None:
    database = postgres_server.new_database()
    refusal(
        lambda: Store.open(postgres_server.tcp_url(database, "open sesame")), "may not write to the database"
    )


def test_a_writer_whose_connection_broke_stays_away(postgres_server: PostgresServer) -> None:
    url = postgres_server.url(postgres_server.new_database())
    store = Store.open(url)
    opened = opened_run(store)
    postgres_server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'drywet %'"
    )
    with pytest.raises(StoreUnusable, match=r"connection to the database server is gone.*start again"):
        store.log(opened.campaign.id, "note", "lost")
    with Store.open(url) as successor:
        # The lock went with the connection, so the first must not come back beside the second.
        with pytest.raises(StoreUnusable, match="start again"):
            store.log(opened.campaign.id, "note", "lost")
        assert len(successor.events(opened.campaign.id)) == 1
    store.close()


def test_a_connection_that_was_interrupted_keeps_its_guarantees(tmp_path: Path) -> None:
    with Store.open(tmp_path / "lab.db") as store:
        connection = store._database._connection
        assert connection is not None
        connection.invalidate()  # as SQLAlchemy does when Ctrl-C comes in the middle of a statement
        opened = opened_run(store)
        assert store._database.pragma("foreign_keys") == 1
        assert store._database.pragma("synchronous") == 2
        assert store._database.pragma("journal_mode") == "wal"
        assert store.last_run(opened.batch.id) == opened.run


def test_the_check_reports_a_sound_store(url: str) -> None:
    with Store.open(url) as store:
        opened_run(store)
        facts = {fact.name: fact for fact in store.check()}
    assert facts["campaigns"].value == "1"
    assert facts["schema"].value.startswith(schema.HEAD)
    if url.startswith("postgresql"):
        assert facts["server"].value.startswith("PostgreSQL")
        # The tests' server does not wait for its disk; a lab's must.
        assert (facts["fsync"].value, facts["fsync"].ok) == ("off", False)
        assert "power cut" in facts["fsync"].way_out
        assert facts["synchronous_commit"].ok
    else:
        assert facts["journal mode"].value == "wal"
        assert facts["synchronous"].value.startswith("FULL")
        assert facts["integrity"].value == "ok"
        assert str(os.getpid()) in facts["writer"].value
        assert all(fact.ok for fact in facts.values() if fact.name != "free disk")
