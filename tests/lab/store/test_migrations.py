from __future__ import annotations

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

from lab.store import Store, schema
from lab.store.engines import read_url
from lab.store.tables import METADATA


def checks(connection: Connection) -> dict[str, dict[str, str]]:
    """Table -> name of each of its CHECK constraints -> its words; Alembic does not compare these."""
    found = inspect(connection)
    return {
        table: {str(c["name"]): re.sub(r"\s+", " ", c["sqltext"]) for c in found.get_check_constraints(table)}
        for table in METADATA.tables
    }


def tables(url: str) -> set[str]:
    engine = create_engine(read_url(url))
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_migrating_from_nothing_gives_the_tables_of_this_program(url: str) -> None:
    with Store.open(url) as store, store._database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "target_metadata": METADATA}
        )
        assert compare_metadata(context, METADATA) == []
        migrated = checks(connection)
    engine = create_engine("sqlite://")
    with engine.connect() as plain:
        METADATA.create_all(plain)
        direct = checks(plain)
    engine.dispose()
    assert {table: set(named) for table, named in migrated.items()} == {
        table: set(named) for table, named in direct.items()
    }
    if not url.startswith("postgresql"):  # which rewrites them in words of its own
        assert migrated == direct


def test_the_revision_named_in_the_program_is_the_newest_script() -> None:
    scripts = ScriptDirectory(str(schema._MIGRATIONS))
    assert scripts.get_current_head() == schema.HEAD


def test_a_migration_that_fails_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(Exception):
        pass

    migrate = schema._migrate

    def cut_short(connection: Connection) -> None:
        migrate(connection)
        raise PowerCut

    monkeypatch.setattr(schema, "_migrate", cut_short)
    with pytest.raises(PowerCut):
        Store.open(url)
    monkeypatch.undo()
    assert tables(url) == set()
    with Store.open(url) as store:
        assert store.campaigns() == ()
