"""One connection to the store's database, and transactions on it from any thread.

There is one writing program (:mod:`lab.store.locks`), and within it one connection behind a lock: threads take turns, and
none of them ever finds the database locked by another of ours. Reading takes the same turn. A commit is an fsync of
SQLite's write-ahead log, 0.2 ms on a solid-state disk, so nobody waits long.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, StatementError
from sqlmodel import Session

from lab.errors import StoreUnusable
from lab.store import copying, faults, locks, schema
from lab.store.engines import make_engine, path_of
from lab.store.whereabouts import Whereabouts

__all__ = ["Database", "Part"]


class Database:
    """An open database whose schema is this program's.

    Args:
        url: from :func:`read_url`.
        read_only: take no lock, change nothing; works while another program writes.

    Raises:
        StoreUnusable: it cannot be used; says why and what to do.
    """

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.url = url
        self.read_only = read_only
        self._turn = threading.RLock()
        self._sqlite_begin = "BEGIN"
        self._file_lock: locks.FileLock | None = None
        self._whereabouts: Whereabouts | None = None
        self._connection: Connection | None = None
        try:
            self._connection = self._connect()
            with self.reading() as connection:
                schema.examine(connection, url, read_only=read_only)
            if not read_only:
                self._become_the_writer()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a SQLite store."""
        return path_of(self.url)

    def close(self) -> None:
        """Give up connection and lock. Safe to repeat."""
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
                connection.engine.dispose()
            if self._file_lock is not None:
                self._file_lock.release()
                self._file_lock = None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, durable when the block ends; nothing of it is kept when the block raises.

        Raises:
            StoreUnusable: disk full, locked by another program, connection lost, file gone.
            ValueError: a constraint of the tables is broken.
            TypeError: a value cannot be kept without loss.
        """
        if self.read_only:
            raise StoreUnusable(
                f"{faults.name_of(self.url)} is open for reading only.", way_out="Open it for writing."
            )
        with self._turn:
            self._see_that_all_is_there()
            # Not a plain BEGIN: what is read first and written later must not change in between.
            with self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection
            self._see_that_all_is_there()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees one moment of the store."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """:meth:`writing` through the tables' classes."""
        with self.writing() as connection, Session(connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """:meth:`reading` through the tables' classes."""
        with self.reading() as connection, Session(connection, autoflush=False) as session:
            yield session

    @contextmanager
    def _transaction(self, sqlite_begin: str) -> Iterator[Connection]:
        with self._turn:
            self._sqlite_begin = sqlite_begin
            connection = self._open_connection()
            try:
                with connection.begin():
                    yield connection
            except DBAPIError as error:
                raise self._explained(error) from error
            except (
                StatementError
            ) as error:  # a value that its column cannot hold, before it reached the database
                raise error.orig or error from error

    def _open_connection(self) -> Connection:
        connection = self._connection
        if connection is None:
            raise RuntimeError(f"the store {faults.name_of(self.url)} is closed")
        if connection.invalidated and not self.is_sqlite:
            # SQLAlchemy would connect again, but the lock went with the old connection, and another program may have
            # written since. Only a fresh start, which reads the journal anew, is safe.
            raise faults.lost(self.url)
        return connection

    def _explained(self, error: DBAPIError) -> Exception:
        return faults.explain(error, self.url) or error

    def _connect(self) -> Connection:
        engine = make_engine(self.url, read_only=self.read_only)
        if self.is_sqlite:
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self._sqlite_begin))
            event.listen(engine, "connect", lambda connection, record: self._connected_anew())
        try:
            return engine.connect()
        except DBAPIError as error:
            raise faults.explain(error, self.url, connecting=True) or error from error

    def _connected_anew(self) -> None:
        if self._whereabouts is not None:
            self._whereabouts.connected_anew()

    def _see_that_all_is_there(self) -> None:
        """Outside any transaction, in one's turn."""
        if self._whereabouts is not None:
            self._whereabouts.check(self._sqlite())

    def _sqlite(self) -> sqlite3.Connection:
        driver = self._open_connection().connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def _become_the_writer(self) -> None:
        """Take the lock, and bring the schema up to date. What belongs to another program was refused before."""
        if self.is_sqlite:
            self._file_lock = locks.FileLock(self.path)
        else:
            # A computer that loses power leaves its session behind, and with it the lock, until the server notices.
            with self.reading() as connection:
                for setting in (
                    "synchronous_commit = on",
                    "tcp_keepalives_idle = 30",
                    "tcp_keepalives_interval = 10",
                    "tcp_keepalives_count = 3",
                ):
                    connection.execute(text(f"SET SESSION {setting}"))
                locks.take_advisory_lock(connection, faults.name_of(self.url))
        self._bring_up_to_date()
        if self.is_sqlite:
            self._use_write_ahead_log()
            self._whereabouts = Whereabouts(self.path)
            self._see_that_all_is_there()

    def _bring_up_to_date(self) -> None:
        if self.is_sqlite:
            self.pragma("foreign_keys = OFF")
        with self.writing() as connection:
            schema.upgrade(connection, self.url)
        if self.is_sqlite:
            self.pragma("foreign_keys = ON")

    def _use_write_ahead_log(self) -> None:
        mode = self.pragma("journal_mode = WAL")
        if mode != "wal":
            raise StoreUnusable(
                f"{self.path}: this disk cannot hold a write-ahead log (SQLite stays in mode {mode}).",
                way_out="Keep the store on a disk of this computer; network folders do not do.",
            )

    def copy_to(self, path: Path) -> None:
        """Put one moment of it into a file that is not there yet, whatever is written meanwhile.

        Raises:
            StoreUnusable: it can't be read, or the file can't be written.
        """
        if not self.is_sqlite:
            copying.copy_postgresql(self.url, path)
            return
        with self._turn:
            try:
                copying.copy_sqlite(self._sqlite(), path)
            except sqlite3.Error as error:
                raise StoreUnusable(
                    f"{faults.name_of(self.url)} can't be copied to {path}: {error}.",
                    way_out="See that there is room on both disks.",
                ) from error

    def pragma(self, pragma: str) -> Any:
        """Set or ask something of SQLite outside any transaction, as it demands for some; the first value of its answer."""
        with self._turn:
            driver = self._sqlite()
            try:
                row = driver.execute(f"PRAGMA {pragma}").fetchone()
            except sqlite3.Error as error:
                wrapped = DBAPIError.instance("PRAGMA", None, error, sqlite3.Error)
                assert isinstance(wrapped, DBAPIError)
                raise self._explained(wrapped) from error
            return row[0] if row else None


class Part:
    """What the parts of a store that share one database have in common.

    Args:
        database: open.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
