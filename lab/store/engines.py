"""From the path or URL that a person writes to an engine of SQLAlchemy that speaks to SQLite or PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lab.errors import StoreUnusable
from lab.store import locks

__all__ = ["BUSY_WAIT_S", "make_engine", "path_of", "read_url"]

BUSY_WAIT_S = 5.0
"""How long a statement waits for another program's lock on a SQLite file before it gives up."""


def read_url(where: str | Path) -> URL:
    """The URL of a path or URL as a person writes it.

    Raises:
        StoreUnusable: neither SQLite nor PostgreSQL.
    """
    written = os.fspath(where)
    if "://" not in written:
        return _sqlite_url(written)
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):  # a port that is no number, an address that does not parse
        raise _no_store(written) from None
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise StoreUnusable(
                "A store in memory would be lost with the program.", way_out="Give a path: sqlite:///lab.db."
            )
        return _sqlite_url(str(url.database))
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise _no_store(url.render_as_string(hide_password=True))


def _no_store(written: str) -> StoreUnusable:
    return StoreUnusable(
        f"{written} is no store.",
        way_out="Give the path of a SQLite file, or postgresql://user:password@host/database.",
    )


def _sqlite_url(written: str) -> URL:
    """By the file's real name: two links to one file must not have two locks."""
    try:
        path = Path(written).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, a character that no file name has
        raise _no_store(repr(written)) from None
    return URL.create("sqlite", database=str(path))


def path_of(url: URL) -> Path:
    """The file of a SQLite store."""
    return Path(str(url.database))


def make_engine(url: URL, *, read_only: bool) -> Engine:
    """An engine that keeps no pool; who connects keeps the connection.

    Raises:
        StoreUnusable: no file can be there, or the server's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        _refuse_unfit_path(path_of(url), read_only)
        return create_engine(
            "sqlite://", poolclass=NullPool, creator=lambda: _open_sqlite(path_of(url), read_only)
        )
    connect_args: dict[str, Any] = {"application_name": locks.program_name()}
    if "connect_timeout" not in url.query:
        connect_args["connect_timeout"] = 10
    try:
        return create_engine(
            url,
            poolclass=NullPool,
            # One moment for all statements of a transaction, as SQLite has it; with one writer nothing conflicts.
            isolation_level="REPEATABLE READ",
            connect_args=connect_args,
        )
    except ImportError as error:
        raise StoreUnusable(
            "A store on PostgreSQL needs the package psycopg.", way_out="pip install 'drywet[postgres]'"
        ) from error


def _refuse_unfit_path(path: Path, read_only: bool) -> None:
    """Make the folder, and see that the path is no folder and no device.

    The file itself is opened by SQLite only: closing it here would drop the locks that SQLite holds for other
    connections of this process (sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        if read_only:
            if not path.is_file():
                raise StoreUnusable(f"There is no store at {path}.", way_out="Give the path of one.")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise StoreUnusable(f"{path} is {kind}.", way_out="Give the path of a file.")
    except OSError as error:
        raise StoreUnusable(
            f"{path}: the store cannot be kept there ({error.strerror}).",
            way_out="Make the file and its folder readable and writable for you, or keep the store elsewhere.",
        ) from error


def _open_sqlite(path: Path, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path.as_uri() + (_reading(path) if read_only else ""),
        uri=True,
        timeout=BUSY_WAIT_S,
        isolation_level=None,  # transactions begin where Database says so
        check_same_thread=False,  # threads take turns
        cached_statements=256,
    )
    try:
        # A commit is on the disk when it returns; on a Mac only fullfsync makes it so.
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _reading(path: Path) -> str:
    """Reading a write-ahead log takes a side file in the same folder. Where there is no log and none can be made, nobody
    writes: an archive, a read-only disk.
    """
    log = path.with_name(path.name + "-wal")
    effective = os.access in os.supports_effective_ids
    frozen = not log.exists() and not os.access(path.parent, os.W_OK, effective_ids=effective)
    return "?immutable=1" if frozen else "?mode=ro"
