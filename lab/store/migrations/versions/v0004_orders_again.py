"""An order can be given up, and its experiment order again: one order at a time, no longer one for ever.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Loosen two constraints of the orders; nothing that is kept changes."""
    known = op.f("ck_material_order_status_is_known")
    with op.batch_alter_table("material_order") as order:
        order.drop_constraint(op.f("uq_material_order_experiment_id"), type_="unique")
        order.drop_constraint(known, type_="check")
        order.create_check_constraint(
            known, sa.text("status IN ('wanted', 'placed', 'received', 'cancelled')")
        )
    op.create_index(
        op.f("ix_material_order_experiment_id"), "material_order", ["experiment_id"], unique=False
    )
    is_open = sa.text("status IN ('wanted', 'placed')")
    op.create_index(
        "uq_material_order_open",
        "material_order",
        ["experiment_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
