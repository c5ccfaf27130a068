"""A store's data as one file, taken while a program writes to it, and put back where there is no store."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

from lab.errors import StoreUnusable
from lab.store.engines import path_of, read_url
from lab.store.faults import name_of

__all__ = ["copy_postgresql", "copy_sqlite", "put_back", "refuse_taken"]

_LIMIT_S = 3600.0


def copy_sqlite(source: sqlite3.Connection, target: Path) -> None:
    """One moment of a database, as a file that stands by itself. Others read and write meanwhile.

    Args:
        source: outside any transaction. The file under it is never opened a second time: closing it would drop its locks.

    Raises:
        sqlite3.Error: it can't be read, or the target can't be written.
    """
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def copy_postgresql(url: URL, target: Path) -> None:
    """One moment of a database on a server, in the custom format of pg_dump.

    Raises:
        StoreUnusable: pg_dump is not installed, or says why it can't.
    """
    _postgresql("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def refuse_taken(where: str | Path) -> None:
    """See that there is no store yet where one is to be put.

    Raises:
        StoreUnusable: there is one, or something else.
    """
    url = read_url(where)
    if url.get_backend_name() == "sqlite":
        path = path_of(url)
        there = [one for one in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm"))) if one.exists()]
        if there:
            raise StoreUnusable(
                f"There is something at {there[0]} already, and nothing is written over.",
                way_out="Give another place with --store, or move that away.",
            )
        return
    if (
        _postgresql("psql", url, "-Atc", "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
        != "0"
    ):
        raise StoreUnusable(
            f"{name_of(url)} is not empty, and nothing is written over.",
            way_out="Make an empty database for it.",
        )


def put_back(file: Path, where: str | Path) -> None:
    """Put what :func:`copy_sqlite` or :func:`copy_postgresql` wrote where there is no store.

    Raises:
        StoreUnusable: it can't be put there.
    """
    url = read_url(where)
    if url.get_backend_name() != "sqlite":
        _postgresql(
            "pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction",
            f"--dbname={url.database}", str(file),
        )  # fmt: skip
        return
    path = path_of(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.restoring")
    shutil.copyfile(file, beside)
    beside.chmod(0o600)
    with beside.open("rb+") as written:
        os.fsync(written.fileno())
    # A link never takes the place of what is there, as a rename would.
    try:
        os.link(beside, path)
    except FileExistsError as taken:
        raise StoreUnusable(f"There is something at {path} already, and nothing is written over.") from taken
    finally:
        beside.unlink()


def _postgresql(program: str, url: URL, *arguments: str) -> str:
    """What a program of PostgreSQL's prints. Its password is never on a command line, where others could read it."""
    found = shutil.which(program)
    if found is None:
        raise StoreUnusable(
            f"A copy of a store on PostgreSQL is made by {program}, which is not installed here.",
            way_out="Install PostgreSQL's client programs, or have the server's own backups made.",
        )
    try:
        done = subprocess.run(
            [found, *([] if program == "psql" else ["--no-password"]), *arguments],
            env={**os.environ, **_environment(url)},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
    except subprocess.TimeoutExpired as late:
        raise StoreUnusable(f"{program} did not end within an hour.") from late
    if done.returncode != 0:
        raise StoreUnusable(
            f"{program} could not do it: {done.stderr.strip() or 'it does not say why'}",
            way_out="See that its version is that of the server or newer.",
        )
    return done.stdout.strip()


def _environment(url: URL) -> Mapping[str, str]:
    def of_query(name: str) -> str | None:
        value = url.query.get(name)
        return value if isinstance(value, str) else None

    given = {
        "PGHOST": url.host or of_query("host"),
        "PGPORT": str(url.port) if url.port else of_query("port"),
        "PGUSER": url.username or of_query("user"),
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
        "PGSSLMODE": of_query("sslmode"),
    }
    return {name: value for name, value in given.items() if value}
