"""The first tables.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table. A revision is never edited once released; the next one changes what this one made."""
    _bench()
    _campaign()
    _batch()
    _event()
    _experiment()
    _run()
    _document()
    _observation()
    _sample()
    _step()


def _bench() -> None:
    op.create_table(
        "bench",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workcell", sa.String(), nullable=False),
        sa.Column("twin", sa.Boolean(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("ledger", sa.String(), nullable=False),
        sa.Column("first_snapshot", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("created_utc", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bench")),
    )
    op.create_index(op.f("ix_bench_workcell"), "bench", ["workcell"], unique=False)


def _campaign() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("budget", sa.Integer(), nullable=False),
        sa.Column("bench_id", sa.String(), nullable=False),
        sa.Column("created_utc", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'stopped', 'held', 'finished', 'aborted')",
            name=op.f("ck_campaign_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["bench_id"], ["bench.id"], name=op.f("fk_campaign_bench_id_bench")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_index(op.f("ix_campaign_bench_id"), "campaign", ["bench_id"], unique=False)
    op.create_index(op.f("ix_campaign_name"), "campaign", ["name"], unique=False)


def _batch() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=True),
        sa.Column("created_utc", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_batch_campaign_id_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_batch_campaign_id_number")),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("lab_time_s", sa.Double(), nullable=True),
        sa.Column("utc", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_event_campaign_id_campaign")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_campaign_id"), "event", ["campaign_id"], unique=False)


def _experiment() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("candidate_id", sa.String(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("repeat_of", sa.String(), nullable=True),
        sa.CheckConstraint(
            "status IN ('proposed', 'approved', 'running', 'measured', 'failed', 'abandoned', 'retracted')",
            name=op.f("ck_experiment_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_experiment_batch_id_batch")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_experiment_campaign_id_campaign")
        ),
        sa.ForeignKeyConstraint(
            ["repeat_of"], ["experiment.id"], name=op.f("fk_experiment_repeat_of_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        sa.UniqueConstraint("campaign_id", "number", name=op.f("uq_experiment_campaign_id_number")),
    )
    op.create_index(op.f("ix_experiment_batch_id"), "experiment", ["batch_id"], unique=False)


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("campaign_id", sa.String(), nullable=False),
        sa.Column("bench_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("stretch", sa.Integer(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("begun_utc", sa.Text(), nullable=False),
        sa.Column("ended_utc", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status IN ('running', 'stopped', 'done', 'failed')", name=op.f("ck_run_status_is_known")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name=op.f("fk_run_batch_id_batch")),
        sa.ForeignKeyConstraint(["bench_id"], ["bench.id"], name=op.f("fk_run_bench_id_bench")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_run_campaign_id_campaign")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("batch_id", "attempt", name=op.f("uq_run_batch_id_attempt")),
    )
    op.create_index(op.f("ix_run_campaign_id"), "run", ["campaign_id"], unique=False)


def _document() -> None:
    op.create_table(
        "document",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("stretch", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_document_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "stretch", "position", name=op.f("pk_document")),
    )


def _observation() -> None:
    op.create_table(
        "observation",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("experiment_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("sample_id", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("standard_error", sa.Double(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("replicates", sa.Integer(), nullable=False),
        sa.Column("lab_time_s", sa.Double(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("recorded_utc", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_observation_experiment_id_experiment")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_observation_run_id_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_observation")),
        sa.UniqueConstraint("id", name=op.f("uq_observation_id")),
    )
    op.create_index(op.f("ix_observation_experiment_id"), "observation", ["experiment_id"], unique=False)
    op.create_index(op.f("ix_observation_run_id"), "observation", ["run_id"], unique=False)


def _sample() -> None:
    op.create_table(
        "sample",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("labware", sa.String(), nullable=False),
        sa.Column("well", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("parents", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_sample_run_id_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sample")),
        sa.UniqueConstraint("id", name=op.f("uq_sample_id")),
    )
    op.create_index(op.f("ix_sample_run_id"), "sample", ["run_id"], unique=False)


def _step() -> None:
    op.create_table(
        "step",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("bench_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("attempt_number", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("begun_lab_s", sa.Double(), nullable=True),
        sa.Column("ended_lab_s", sa.Double(), nullable=True),
        sa.Column("intent_utc", sa.Text(), nullable=False),
        sa.Column("dispatched_utc", sa.Text(), nullable=True),
        sa.Column("ended_utc", sa.Text(), nullable=True),
        sa.Column("completion", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status = 'done') = (completion IS NOT NULL)", name=op.f("ck_step_done_is_counted")
        ),
        sa.CheckConstraint(
            "status IN ('intent', 'dispatched', 'done', 'failed', 'unknown')",
            name=op.f("ck_step_status_is_known"),
        ),
        sa.ForeignKeyConstraint(["bench_id"], ["bench.id"], name=op.f("fk_step_bench_id_bench")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_step_run_id_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_step")),
        sa.UniqueConstraint("id", name=op.f("uq_step_id")),
        sa.UniqueConstraint(
            "run_id",
            "branch",
            "ordinal",
            "attempt_number",
            name=op.f("uq_step_run_id_branch_ordinal_attempt_number"),
        ),
    )
    op.create_index("uq_step_bench_id_completion", "step", ["bench_id", "completion"], unique=True)
    # ### end Alembic commands ###
