"""Alembic's entry point. It works on the connection and in the transaction that ``lab.store.schema`` hands it."""

from alembic import context

from lab.store.schema import VERSION_TABLE
from lab.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    # SQLite alters a table by writing it anew.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
