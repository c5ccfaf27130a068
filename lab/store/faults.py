"""What a database's error means to the person in front of it.

A store that cannot be used is a :class:`lab.errors.StoreUnusable` with one sentence and a way out. Everything else that a
database refuses (a duplicate identifier, a statement it cannot parse) is a bug of ours and stays an ordinary exception.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError

from lab.errors import StoreUnusable

__all__ = ["explain", "lost", "name_of"]

_SQLITE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full.", "Free some space; what was written before is kept."),
    sqlite3.SQLITE_BUSY: (
        "the database is locked by another program.",
        "Close what has it open (a database browser, a backup) and try again.",
    ),
    sqlite3.SQLITE_LOCKED: (
        "the database is locked by another program.",
        "Close what has it open (a database browser, a backup) and try again.",
    ),
    sqlite3.SQLITE_READONLY: (
        "the database may not be written to.",
        "Make the file and its folder writable for you, or keep the store elsewhere.",
    ),
    sqlite3.SQLITE_PERM: (
        "the database may not be opened.",
        "Make the file and its folder writable for you, or keep the store elsewhere.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened.",
        "Look whether the file and its folder exist and are writable for you, or keep the store elsewhere.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "this file is no database.",
        "Give the path of a store, or of a file that does not exist yet.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the database is damaged.",
        "Bring back a copy of it, or save what can be read with `sqlite3 FILE .recover`.",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk did not take or give what it was asked to.",
        "Look at the disk (is it full, over quota, unplugged, failing?); what was written before is kept.",
    ),
}
"""SQLite's primary result code -> reason and way out; see sqlite.org/rescode.html."""

_POSTGRESQL: dict[str, tuple[str, str]] = {
    "28": (
        "the database server refuses this user or password.",
        "Look at the user, the password and the server's pg_hba.conf.",
    ),
    "3D000": ("the server has no such database.", "Create it with `createdb`, or correct the name."),
    "42501": (
        "this user may not write to the database.",
        "Ask for the right to create and write tables, or use another user.",
    ),
    "53100": ("the server's disk is full.", "Free some space there; what was written before is kept."),
    "53300": ("the server takes no more connections.", "Close some of its clients and try again."),
    "55P03": ("the database is locked by another program.", "Wait for it or close it, and try again."),
    "57014": ("the server cancelled the statement.", "Look at its log and its time limits, and try again."),
    "25006": ("the server takes no writes: it is a standby.", "Use the address of the primary server."),
}
"""PostgreSQL's SQLSTATE, or its class -> reason and way out; see appendix A of its manual."""

_LOST = (
    "the connection to the database server is gone.",
    "See that the server runs and is reachable, then start again: a run goes on where its journal ends.",
)
_UNREACHABLE = (
    "the database server cannot be reached.",
    "See that it runs, and that host, port and network are right.",
)


def name_of(url: URL) -> str:
    """The store as messages name it: the file, or the server's address without the password."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return url.render_as_string(hide_password=True)


def explain(error: DBAPIError, url: URL, *, connecting: bool = False) -> StoreUnusable | ValueError | None:
    """The error to raise in place of a database's own; None where it is a bug that should be seen as it is.

    Args:
        error: as SQLAlchemy gives it.
        url: of the store.
        connecting: whether it came up while the connection was made.
    """
    if isinstance(error, IntegrityError):
        return ValueError(f"the store refuses this: {_first_line(error.orig)}")
    if isinstance(error.orig, sqlite3.Error):
        found = _SQLITE.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
    else:
        found = _explain_postgresql(error, connecting)
    if found is None:
        return None
    reason, way_out = found
    where = name_of(url)
    detail = _first_line(error.orig)
    return StoreUnusable(f"{where}: {reason.removesuffix('.')} ({detail}).", way_out=way_out)


def lost(url: URL) -> StoreUnusable:
    """The connection to a server broke earlier."""
    reason, way_out = _LOST
    return StoreUnusable(f"{name_of(url)}: {reason}", way_out=way_out)


def _explain_postgresql(error: DBAPIError, connecting: bool) -> tuple[str, str] | None:
    state = _sqlstate(error.orig)
    found = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if found is not None:
        return found
    text = str(error.orig)
    if (
        connecting
    ):  # libpq gives no SQLSTATE for what happens before a session begins, only the server's words
        if "authentication failed" in text or "no password supplied" in text or "pg_hba.conf" in text:
            return _POSTGRESQL["28"]
        if 'database "' in text and "does not exist" in text:
            return _POSTGRESQL["3D000"]
        if "too many clients" in text:
            return _POSTGRESQL["53300"]
        return _UNREACHABLE
    if error.connection_invalidated or state.startswith(("08", "57P")):
        return _LOST
    return None


def _sqlstate(original: Any) -> str:
    return getattr(original, "sqlstate", None) or ""


def _first_line(original: Any) -> str:
    lines = str(original).strip().splitlines()
    return lines[0].strip().removesuffix(".") if lines else type(original).__name__
