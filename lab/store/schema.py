"""Brings a database to the schema of this program, and refuses one that it does not know.

A change of the tables is a new file under ``migrations/versions``, written by hand, whose revision becomes :data:`HEAD`.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL

from lab.errors import StoreUnusable
from lab.store.faults import name_of
from lab.store.tables import METADATA

__all__ = ["HEAD", "VERSION_TABLE", "examine", "revision_of", "upgrade"]

HEAD = "0006"
"""The newest revision under ``migrations/versions``, held here so that an up-to-date store opens without Alembic."""

VERSION_TABLE = "drywet_schema"
"""Where Alembic keeps the revision; named so that it meets no other program's."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None where there is no store yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()


def examine(connection: Connection, url: URL, *, read_only: bool) -> str | None:
    """The revision of a store that this program can use. Changes nothing.

    Returns:
        None where there is no store yet, and nothing of anybody else's.

    Raises:
        StoreUnusable: newer than this program, another program's database, or, read-only, in need of an upgrade.
    """
    found = revision_of(connection)
    if found == HEAD:
        return found
    where = name_of(url)
    if found is None:
        _refuse_foreign(connection, where)
    elif found not in _revisions():
        raise StoreUnusable(
            f"{where}: this store was written by a newer drywet (its schema is {found}, this one knows up to {HEAD}).",
            way_out="Update drywet: pip install --upgrade drywet.",
        )
    if read_only:
        raise StoreUnusable(
            f"{where}: this store is {'empty' if found is None else f'older (schema {found}) than this drywet'}.",
            way_out="Open it for writing once, which any `drywet run` does.",
        )
    return found


def upgrade(connection: Connection, url: URL) -> None:
    """Create the tables, or bring them up to :data:`HEAD`, within the transaction that the connection is in.

    On SQLite foreign keys must be off: a table that others refer to is altered by writing it anew, and the old one dropped.

    Raises:
        StoreUnusable: as :func:`examine`.
    """
    if examine(connection, url, read_only=False) == HEAD:
        # A write that changes nothing: a full or write-protected disk shows now, not at the first step.
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = version_num"))
    else:
        _migrate(connection)


def _refuse_foreign(connection: Connection, where: str) -> None:
    """No store of ours is in there: is it free for one?"""
    tables = set(inspect(connection).get_table_names())
    ours = set(METADATA.tables)
    taken = tables if connection.dialect.name == "sqlite" else tables & ours
    if taken:
        some = ", ".join(sorted(taken)[:5])
        raise StoreUnusable(
            f"{where}: this database belongs to another program (it has tables {some}).",
            way_out="Give the path or URL of another database; drywet keeps to one of its own.",
        )


def _revisions() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
    if connection.dialect.name == "sqlite":
        lost = connection.execute(text("PRAGMA foreign_key_check")).all()
        if lost:
            raise RuntimeError(f"the upgrade to {HEAD} would leave rows that refer to nothing: {lost[:5]}")
