"""What durable execution keeps: marks, faults and their recovery, barred material, amended results.

Revision ID: 0002
"""

import json

import sqlalchemy as sa
from alembic import op
from ulid import ULID

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the first tables and make the new ones. What the first ones hold is kept."""
    _number("bench", "created_utc")
    _number("campaign", "created_utc")
    _number("run", "begun_utc")
    with op.batch_alter_table("bench") as bench:
        bench.drop_column("snapshot")
        bench.drop_column("sequence")
    op.add_column("campaign", sa.Column("needs", sa.Text(), nullable=False, server_default="{}"))
    _run()
    _step()
    _sample()
    _mark()
    _bar()
    _amendment()


def _number(table: str, moment: str) -> None:
    """Count the rows in the order of their making, which only a clock told so far."""
    op.add_column(table, sa.Column("number", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        f"UPDATE {table} SET number = (SELECT count(*) FROM {table} AS earlier "
        f"WHERE (earlier.{moment}, earlier.id) <= ({table}.{moment}, {table}.id))"
    )
    with op.batch_alter_table(table) as changed:
        changed.create_unique_constraint(op.f(f"uq_{table}_number"), ["number"])


def _run() -> None:
    known = op.f("ck_run_status_is_known")
    with op.batch_alter_table("run") as run:
        run.drop_constraint(known, type_="check")
        run.create_check_constraint(
            known, sa.text("status IN ('running', 'stopped', 'done', 'failed', 'abandoned')")
        )


def _step() -> None:
    counted = op.f("ck_step_done_is_counted")
    with op.batch_alter_table("step") as step:
        step.add_column(sa.Column("fault", sa.Text(), nullable=False, server_default=""))
        step.add_column(sa.Column("recovery", sa.Text(), nullable=False, server_default=""))
        step.add_column(sa.Column("part", sa.Text(), nullable=True))
        step.add_column(sa.Column("token", sa.BigInteger(), nullable=False, server_default="0"))
        step.drop_constraint(counted, type_="check")
        step.create_check_constraint(counted, sa.text("status <> 'done' OR completion IS NOT NULL"))


def _sample() -> None:
    op.add_column("sample", sa.Column("bench_id", sa.String(), nullable=True))
    op.execute("UPDATE sample SET bench_id = (SELECT run.bench_id FROM run WHERE run.id = sample.run_id)")
    with op.batch_alter_table("sample") as sample:
        sample.alter_column("bench_id", existing_type=sa.String(), nullable=False)
        sample.alter_column("run_id", existing_type=sa.String(), nullable=True)
        sample.drop_column("parents")
        sample.create_foreign_key(op.f("fk_sample_bench_id_bench"), "bench", ["bench_id"], ["id"])
    op.create_index(op.f("ix_sample_bench_id"), "sample", ["bench_id"], unique=False)
    _stock()


def _stock() -> None:
    """A sample for each well that was filled when its bench was made."""
    sample = sa.table(
        "sample", *(sa.column(name, sa.String()) for name in ("id", "bench_id", "labware", "well", "content"))
    )
    benches = op.get_bind().execute(sa.text("SELECT id, first_snapshot FROM bench ORDER BY number")).all()
    for bench_id, text in benches:
        snapshot = json.loads(text)
        labware = snapshot.get("labware", []) if isinstance(snapshot, dict) else []
        rows = [
            {
                "id": f"smp_{ULID()}",
                "bench_id": bench_id,
                "labware": item["id"],
                "well": well,
                "content": " + ".join(contents["parts"]),
            }
            for item in labware
            for well, contents in item["wells"].items()
            if contents["parts"]
        ]
        if rows:
            op.bulk_insert(sample, rows)


def _mark() -> None:
    op.create_table(
        "mark",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("lab_time_s", sa.Double(), nullable=False),
        sa.Column("utc", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["step.id"], name=op.f("fk_mark_step_id_step")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mark")),
    )
    op.create_index(op.f("ix_mark_step_id"), "mark", ["step_id"], unique=False)


def _bar() -> None:
    op.create_table(
        "bar",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("bench_id", sa.String(), nullable=False),
        sa.Column("labware", sa.String(), nullable=False),
        sa.Column("well", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("step_id", sa.String(), nullable=True),
        sa.Column("sample_id", sa.String(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("lifts", sa.Integer(), nullable=True),
        sa.Column("lab_time_s", sa.Double(), nullable=True),
        sa.Column("utc", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["bench_id"], ["bench.id"], name=op.f("fk_bar_bench_id_bench")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_bar_run_id_run")),
        sa.ForeignKeyConstraint(["step_id"], ["step.id"], name=op.f("fk_bar_step_id_step")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_bar_sample_id_sample")),
        sa.ForeignKeyConstraint(["lifts"], ["bar.number"], name=op.f("fk_bar_lifts_bar")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_bar")),
        sa.UniqueConstraint("lifts", name=op.f("uq_bar_lifts")),
    )
    op.create_index(op.f("ix_bar_bench_id"), "bar", ["bench_id"], unique=False)


def _amendment() -> None:
    op.create_table(
        "amendment",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("observation_id", sa.String(), nullable=True),
        sa.Column("replacement_id", sa.String(), nullable=True),
        sa.Column("of_experiment_id", sa.String(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("utc", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('retract', 'supersede', 'replicate')", name=op.f("ck_amendment_kind_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_amendment_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_amendment_experiment_id_experiment")
        ),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observation.id"], name=op.f("fk_amendment_observation_id_observation")
        ),
        sa.ForeignKeyConstraint(
            ["replacement_id"], ["observation.id"], name=op.f("fk_amendment_replacement_id_observation")
        ),
        sa.ForeignKeyConstraint(
            ["of_experiment_id"], ["experiment.id"], name=op.f("fk_amendment_of_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_amendment")),
        sa.UniqueConstraint("id", name=op.f("uq_amendment_id")),
        sa.UniqueConstraint("observation_id", name=op.f("uq_amendment_observation_id")),
        sa.UniqueConstraint("replacement_id", name=op.f("uq_amendment_replacement_id")),
    )
    op.create_index(op.f("ix_amendment_campaign_id"), "amendment", ["campaign_id"], unique=False)
