"""One connection to the store's database, and transactions on it from any thread.

There is one writing program (:mod:`lab.store.locks`), and within it one connection behind a lock: threads take turns, and
none of them ever finds the database locked by another of ours. Reading takes the same turn. A commit is an fsync of
SQLite's write-ahead log, 0.2 ms on a solid-state disk, so nobody waits long.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, StatementError
from sqlmodel import Session

from lab.errors import StoreUnusable
from lab.store import faults, locks, schema

__all__ = ["Database", "read_url"]

BUSY_WAIT_S = 5.0
"""How long a statement waits for another program's lock on a SQLite file before it gives up."""


def read_url(where: str | Path) -> URL:
    """The URL of a path or URL as a person writes it.

    Raises:
        StoreUnusable: neither SQLite nor PostgreSQL.
    """
    written = os.fspath(where)
    if "://" not in written:
        return _sqlite_url(Path(written))
    try:
        url = make_url(written)
    except ArgumentError:
        url = None
    if url is not None and url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise StoreUnusable(
                "A store in memory would be lost with the program.", way_out="Give a path: sqlite:///lab.db."
            )
        return _sqlite_url(Path(str(url.database)))
    if url is not None and url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    shown = written if url is None else url.render_as_string(hide_password=True)
    raise StoreUnusable(
        f"{shown} is no store.",
        way_out="Give the path of a SQLite file, or postgresql://user:password@host/database.",
    )


def _sqlite_url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path.expanduser().absolute()))


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
        self._connection: Connection | None = None
        try:
            self._engine = self._make_engine()
            self._connection = self._connect()
            with self.reading() if read_only else self.writing() as connection:
                schema.upgrade(connection, url, read_only=read_only)
            if not read_only and self.is_sqlite:
                self._use_write_ahead_log()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a SQLite store."""
        return Path(str(self.url.database))

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
            StoreUnusable: disk full, locked by another program, connection lost.
            ValueError: a constraint of the tables is broken.
            TypeError: a value cannot be kept without loss.
        """
        if self.read_only:
            raise StoreUnusable(
                f"{faults.name_of(self.url)} is open for reading only.", way_out="Open it for writing."
            )
        # Not a plain BEGIN: what is read first and written later must not change in between.
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

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

    def _make_engine(self) -> Engine:
        if self.is_sqlite:
            return self._sqlite_engine()
        connect_args: dict[str, Any] = {"application_name": locks.program_name()}
        if "connect_timeout" not in self.url.query:
            connect_args["connect_timeout"] = 10
        try:
            return create_engine(
                self.url,
                poolclass=NullPool,
                # One moment for all statements of a transaction, as SQLite has it; with one writer nothing conflicts.
                isolation_level="REPEATABLE READ",
                connect_args=connect_args,
            )
        except ImportError as error:
            raise StoreUnusable(
                "A store on PostgreSQL needs the package psycopg.", way_out="pip install 'drywet[postgres]'"
            ) from error

    def _sqlite_engine(self) -> Engine:
        if self.read_only:
            if not self.path.is_file():
                raise StoreUnusable(f"There is no store at {self.path}.", way_out="Give the path of one.")
        else:
            self._prepare_file()
        engine = create_engine("sqlite://", poolclass=NullPool, creator=self._open_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(self._sqlite_begin))
        return engine

    def _open_sqlite(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._sqlite_uri(),
            uri=True,
            timeout=BUSY_WAIT_S,
            isolation_level=None,  # transactions begin where the engine says so
            check_same_thread=False,  # threads take turns
            cached_statements=256,
        )
        # A commit is on the disk when it returns; on a Mac only fullfsync makes it so.
        try:
            for pragma in ("foreign_keys = ON", "synchronous = FULL", "fullfsync = ON"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _sqlite_uri(self) -> str:
        uri = self.path.as_uri()
        if not self.read_only:
            return uri
        # Reading a write-ahead log takes a side file in the same folder. Where there is no log and none can be made, nobody
        # is writing: an archive, a read-only disk.
        log = self.path.with_name(self.path.name + "-wal")
        effective = os.access in os.supports_effective_ids
        frozen = not log.exists() and not os.access(self.path.parent, os.W_OK, effective_ids=effective)
        return f"{uri}?immutable=1" if frozen else f"{uri}?mode=ro"

    def _prepare_file(self) -> None:
        """Folder there, path fit for a database, lock taken: before SQLite touches anything."""
        path = self.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise StoreUnusable(f"{path} is a folder.", way_out="Give the path of a file.")
            if path.exists():
                with path.open("rb") as file:
                    head = file.read(16)
                if head and head != b"SQLite format 3\0":
                    raise StoreUnusable(
                        f"{path}: this file is no database.",
                        way_out="Give the path of a store, or of a file that does not exist yet.",
                    )
        except OSError as error:
            raise StoreUnusable(
                f"{path}: the store cannot be kept there ({error.strerror}).",
                way_out="Make the file and its folder readable and writable for you, or keep the store elsewhere.",
            ) from error
        self._file_lock = locks.FileLock(path)

    def _connect(self) -> Connection:
        try:
            connection = self._engine.connect()
        except DBAPIError as error:
            raise faults.explain(error, self.url, connecting=True) or error from error
        self._connection = connection
        if self.is_sqlite:
            return connection
        if self.read_only:
            self._set("default_transaction_read_only = on")
        else:
            # A computer that loses power leaves its session behind, and with it the lock, until the server notices.
            self._set(
                "synchronous_commit = on",
                "tcp_keepalives_idle = 30",
                "tcp_keepalives_interval = 10",
                "tcp_keepalives_count = 3",
            )
            with self.reading() as locking:
                locks.take_advisory_lock(locking, faults.name_of(self.url))
        return connection

    def _set(self, *settings: str) -> None:
        with self.reading() as connection:
            for setting in settings:
                connection.execute(text(f"SET SESSION {setting}"))

    def _use_write_ahead_log(self) -> None:
        """After the schema, so that another program's file is refused before anything of it is changed."""
        mode = self.pragma("journal_mode = WAL")
        if mode != "wal":
            raise StoreUnusable(
                f"{self.path}: this disk cannot hold a write-ahead log (SQLite stays in mode {mode}).",
                way_out="Keep the store on a disk of this computer; network folders do not do.",
            )

    def pragma(self, pragma: str) -> Any:
        """Set or ask something of SQLite outside any transaction, as it demands for some; the first value of its answer."""
        with self._turn:
            driver = self._open_connection().connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            try:
                row = driver.execute(f"PRAGMA {pragma}").fetchone()
            except sqlite3.Error as error:
                wrapped = DBAPIError.instance("PRAGMA", None, error, sqlite3.Error)
                assert isinstance(wrapped, DBAPIError)
                raise self._explained(wrapped) from error
            return row[0] if row else None
