"""One program writes to a store at a time, and another that tries is told which one it is.

For SQLite the lock is held on a side file (``store.db.lock``) by the operating system, which lets go of it when the process
ends, however it ends: a lock left by a dead process is no lock. For PostgreSQL it is a session-level advisory lock on the
very connection that writes, so that a program whose connection is gone has lost the lock and cannot write either.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from sqlalchemy import Connection, text

from lab.errors import StoreUnusable

__all__ = ["FileLock", "program_name", "take_advisory_lock", "writer_of"]

_WAY_OUT = "Wait until it ends or stop it, or open the store read-only (`drywet status`, `drywet report`)."

_ENDING_WAIT_S = 2.0
"""How long a server may take to notice that a program has closed its connection; its lock stands until then."""

_LOCK_CLASS = 0x64727977
"""First half of the advisory lock's key: "dryw" in ASCII; the second half tells the schemas of one database apart."""


def program_name() -> str:
    """What a PostgreSQL server shows of this program: ``drywet 4711@lab-pc``."""
    return f"drywet {os.getpid()}@{socket.gethostname()}"[:63]


class FileLock:
    """The lock on the side file of a SQLite store. Held from making until :meth:`release` or the end of the process.

    Args:
        store: path of the database.

    Raises:
        StoreUnusable: another program holds it, or the side file cannot be made.
    """

    def __init__(self, store: Path) -> None:
        path = side_file(store)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnusable(
                f"{store}: its folder may not be written to ({error.strerror}).",
                way_out="Make the folder writable for you, or keep the store elsewhere.",
            ) from error
        try:
            taken = self._take()
            if taken:
                self._note(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}))
        except OSError as error:
            os.close(self._file)
            raise StoreUnusable(
                f"{store}: this disk cannot hold the lock that keeps two programs from writing at once ({error.strerror}).",
                way_out="Free some space there, or keep the store on a disk of this computer.",
            ) from error
        if not taken:
            os.close(self._file)
            _refuse(str(store), writer_of(store) or "another program")
        # A forked child would keep the lock alive after this process is gone; it must not.
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(this()))

    def release(self) -> None:
        """Give the lock back. The side file stays: taking it away would let two programs lock two files of one name."""
        if self._file >= 0:
            with suppress(
                OSError
            ):  # a disk that takes nothing any more; the lock does not depend on what stands in it
                self._note("")
            self.forget()

    def _take(self) -> bool:
        """Try more than once: :func:`writer_of` in another program holds the lock for a moment."""
        for wait_s in (0.01, 0.02, 0.04, 0.0):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(wait_s)
            else:
                return True
        return False

    def _note(self, words: str) -> None:
        """Who holds the lock, for whoever is refused. The lock itself does not depend on it."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, words.encode(), 0)

    def forget(self) -> None:
        """Let go of this process's hold on the side file without a word in it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _forget(lock: FileLock | None) -> None:
    if lock is not None:
        lock.forget()


def side_file(store: Path) -> Path:
    """The file whose lock stands for a SQLite store."""
    return store.with_name(store.name + ".lock")


def writer_of(store: Path) -> str | None:
    """Who writes to a SQLite store right now: ``process 4711 on lab-pc (since ...)``; None when nobody does."""
    try:
        file = os.open(side_file(store), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(os.pread(file, 1000, 0))
        return None
    finally:
        os.close(file)


def _holder(note: bytes) -> str:
    try:
        holder = json.loads(note)
        return f"process {holder['pid']} on {holder['host']} (since {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "another program"


def take_advisory_lock(connection: Connection, where: str) -> None:
    """Lock the current schema of a PostgreSQL database for as long as this connection lives.

    A store that was closed a moment ago may still be locked by its old session, so whoever finds it locked tries for up to
    two seconds.

    Raises:
        StoreUnusable: another session holds it.
    """
    until_s = time.monotonic() + _ENDING_WAIT_S
    while not _tried(connection):
        if time.monotonic() >= until_s:
            _refuse(where, _session_that_writes(connection))
        time.sleep(0.05)


def _tried(connection: Connection) -> bool:
    """Whether the lock is ours now."""
    return bool(
        connection.execute(
            text("SELECT pg_try_advisory_lock(:class, hashtext(current_schema()))"), {"class": _LOCK_CLASS}
        ).scalar_one()
    )


def _session_that_writes(connection: Connection) -> str:
    holder = connection.execute(
        text(
            "SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :class "
            "AND l.objid = CAST(CAST(hashtext(current_schema()) AS bit(32)) AS bigint)::oid "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        {"class": _LOCK_CLASS},
    ).first()
    return "another program" if holder is None else f"{holder[0]} (server process {holder[1]})"


def _refuse(where: str, holder: str) -> NoReturn:
    raise StoreUnusable(f"{where}: {holder} is writing to this store.", way_out=_WAY_OUT)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
