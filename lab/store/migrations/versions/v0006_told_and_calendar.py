"""People choose to be told by mail of what waits for them, and have a secret address of the calendar.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nobody who is kept chose to be told, and nobody has an address."""
    with op.batch_alter_table("person") as person:
        person.add_column(sa.Column("told_by_mail", sa.Boolean(), nullable=False, server_default=sa.false()))
        person.add_column(sa.Column("calendar_hash", sa.String(), nullable=True))
        person.create_unique_constraint(op.f("uq_person_calendar_hash"), ["calendar_hash"])
