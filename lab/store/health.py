"""What ``drywet doctor`` says of a store: is what is written there safe, and is there room for more."""

from __future__ import annotations

import shutil

from sqlalchemy import text
from ulid import ULID

from lab.store import faults, locks, schema
from lab.store.database import Database
from lab.store.records import Fact
from lab.store.tables import now

__all__ = ["look", "try_out"]

LOW_DISK_BYTES = 500e6
"""Free space under which a campaign may not finish; a campaign of 96 experiments writes a few megabytes."""


def look(database: Database) -> tuple[Fact, ...]:
    """Facts of an open store, in the order in which a person wants them.

    Raises:
        StoreUnusable: it can no longer be read.
    """
    with database.reading() as connection:
        revision = schema.revision_of(connection)
        campaigns = connection.execute(text("SELECT count(*) FROM campaign")).scalar_one()
    common = (
        Fact(name="store", value=faults.name_of(database.url)),
        Fact(name="schema", value=f"{revision}, as this drywet knows it"),
        Fact(name="campaigns", value=str(campaigns)),
    )
    return common + (_sqlite(database) if database.is_sqlite else _postgresql(database))


def try_out(database: Database) -> None:
    """Write a line and take it back, all the way to the disk.

    Raises:
        StoreUnusable: it can't be kept.
    """
    row = {"person": "", "key": f"try_{ULID()}", "command": "try out", "utc": now().isoformat()}
    with database.writing() as connection:
        insert = "INSERT INTO replied (person_id, key, command, utc) VALUES (:person, :key, :command, :utc)"
        connection.execute(text(insert), row)
        connection.execute(
            text("DELETE FROM replied WHERE person_id = :person AND key = :key"),
            {"person": row["person"], "key": row["key"]},
        )


def _fact(name: str, value: str, ok: bool, way_out: str) -> Fact:
    return Fact(name=name, value=value, ok=ok, way_out="" if ok else way_out)


def _sqlite(database: Database) -> tuple[Fact, ...]:
    mode, sound = database.pragma("journal_mode"), database.pragma("quick_check")
    synchronous = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}.get(
        database.pragma("synchronous"), "unknown"
    )
    disk = shutil.disk_usage(database.path.parent)
    writer = locks.writer_of(database.path)
    return (
        _fact(
            name="journal mode",
            value=mode,
            ok=mode == "wal" or database.read_only,
            way_out="Keep the store on a disk of this computer.",
        ),
        _fact(
            name="synchronous",
            value=f"{synchronous}: a commit is on the disk when it returns",
            ok=synchronous in ("FULL", "EXTRA"),
            way_out="Open the store with drywet only; it sets this.",
        ),
        _fact(
            name="integrity",
            value=str(sound),
            ok=sound == "ok",
            way_out="Bring back a copy, or save what can be read with `sqlite3 FILE .recover`.",
        ),
        Fact(name="writer", value=writer or "nobody"),
        _fact(
            name="free disk",
            value=f"{disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} GB",
            ok=disk.free >= LOW_DISK_BYTES,
            way_out="Free some space before the next campaign.",
        ),
    )


def _postgresql(database: Database) -> tuple[Fact, ...]:
    with database.reading() as connection:

        def show(setting: str) -> str:
            return str(connection.execute(text(f"SHOW {setting}")).scalar_one())

        version, standby = show("server_version"), connection.execute(text("SELECT pg_is_in_recovery()"))
        durable = {name: show(name) for name in ("fsync", "full_page_writes", "synchronous_commit")}
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        role = "standby, takes no writes" if standby.scalar_one() else "primary"
    return (
        Fact(name="server", value=f"PostgreSQL {version}, {role}"),
        *(
            _fact(
                name=name,
                value=value,
                ok=value != "off",
                way_out=f"Set {name} = on in postgresql.conf: without it a power cut loses steps that were sent.",
            )
            for name, value in durable.items()
        ),
        Fact(name="size", value=f"{size / 1e6:.1f} MB"),
    )
