"""Orders: material that must be bought or made before an experiment can be done.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; nothing that is kept changes."""
    op.create_table(
        "material_order",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("bench_id", sa.String(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("volume_ul", sa.Double(), nullable=False),
        sa.Column("lead_time_s", sa.Double(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("due_lab_s", sa.Double(), nullable=True),
        sa.Column("barcode", sa.Text(), nullable=False),
        sa.Column("labware", sa.String(), nullable=True),
        sa.Column("well", sa.String(), nullable=True),
        sa.Column("received_lab_s", sa.Double(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("wanted_utc", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('order', 'build')", name=op.f("ck_material_order_kind_is_known")),
        sa.CheckConstraint(
            "status IN ('wanted', 'placed', 'received')", name=op.f("ck_material_order_status_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_material_order_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_material_order_experiment_id_experiment")
        ),
        sa.ForeignKeyConstraint(["bench_id"], ["bench.id"], name=op.f("fk_material_order_bench_id_bench")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_material_order")),
        sa.UniqueConstraint("id", name=op.f("uq_material_order_id")),
        sa.UniqueConstraint("experiment_id", name=op.f("uq_material_order_experiment_id")),
        sa.UniqueConstraint(
            "bench_id", "labware", "well", name=op.f("uq_material_order_bench_id_labware_well")
        ),
    )
    op.create_index(op.f("ix_material_order_campaign_id"), "material_order", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_material_order_bench_id"), "material_order", ["bench_id"], unique=False)
