"""The tables. They never leave this package: values of ``lab.types`` go in and come out.

A change here needs a revision under ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, func, select

from lab.store.columns import Json, Number, Sentence, Utc

__all__ = [
    "METADATA",
    "AmendmentTable",
    "BarTable",
    "BatchTable",
    "BenchTable",
    "CampaignTable",
    "DocumentTable",
    "EventTable",
    "ExperimentTable",
    "MarkTable",
    "ObservationTable",
    "OrderTable",
    "RunTable",
    "SampleTable",
    "StepTable",
    "next_number",
    "now",
]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Of our own: other packages in the process may have SQLModel tables too."""


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


class _Table(SQLModel, registry=registry(metadata=METADATA)):
    """Root of the tables of this package."""


def _one_of(column: str, *values: str) -> CheckConstraint:
    return CheckConstraint(
        f"{column} IN ({', '.join(repr(str(v)) for v in values)})", name=f"{column}_is_known"
    )


def _in_order() -> Any:
    """Order of making, counted by the one writer; a clock that steps back doesn't touch it."""
    return Field(unique=True, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


def _said(kind: Any, default: str) -> Any:
    """A column that an older store does not have, and what its rows are then taken to say."""
    return Field(sa_type=kind, nullable=False, sa_column_kwargs={"server_default": default})


class BenchTable(_Table, table=True):
    """A bench and what was believed of it at first; its steps tell the rest. ``number`` is the order of making."""

    __tablename__ = "bench"

    id: str = Field(primary_key=True)
    number: int = _in_order()
    workcell: str = Field(index=True)
    twin: bool
    seed: int = Field(sa_type=BigInteger)
    ledger: str
    first_snapshot: Any = Field(sa_type=Json, nullable=False)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)


class CampaignTable(_Table, table=True):
    """A campaign, frozen as JSON, with the text of the files it was read from. ``number`` is the order of starting.

    ``needs`` is what one batch of it takes of the bench's inventory: name -> amount.
    """

    __tablename__ = "campaign"
    __table_args__: ClassVar[Any] = (_one_of("status", "running", "stopped", "held", "finished", "aborted"),)

    id: str = Field(primary_key=True)
    number: int = _in_order()
    name: str = Field(index=True)
    status: str
    sentence: str = Field(sa_type=Sentence)
    content_hash: str
    frozen: Any = Field(sa_type=Json, nullable=False)
    files: Any = Field(sa_type=Json, nullable=False)
    needs: Any = _said(Json, "{}")
    budget: int
    bench_id: str = Field(foreign_key="bench.id", index=True)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)


class BatchTable(_Table, table=True):
    """One proposal; ``number`` counts from 1 within the campaign."""

    __tablename__ = "batch"
    __table_args__: ClassVar[Any] = (UniqueConstraint("campaign_id", "number"),)

    id: str = Field(primary_key=True)
    campaign_id: str = Field(foreign_key="campaign.id")
    number: int
    advice: Any = Field(default=None, sa_type=Json, nullable=True)
    created_utc: datetime = Field(sa_type=Utc, default_factory=now)


class ExperimentTable(_Table, table=True):
    """One chosen candidate; ``number`` counts from 1 within the campaign, in the order of asking."""

    __tablename__ = "experiment"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("campaign_id", "number"),
        _one_of("status", "proposed", "approved", "running", "measured", "failed", "abandoned", "retracted"),
    )

    id: str = Field(primary_key=True)
    campaign_id: str = Field(foreign_key="campaign.id")
    batch_id: str = Field(foreign_key="batch.id", index=True)
    number: int
    candidate_id: str
    candidate: Any = Field(sa_type=Json, nullable=False)
    reason: Any = Field(sa_type=Json, nullable=False)
    status: str
    repeat_of: str | None = Field(default=None, foreign_key="experiment.id")
    waived: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class RunTable(_Table, table=True):
    """One attempt to carry out a batch; ``number`` is the order of opening."""

    __tablename__ = "run"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("batch_id", "attempt"),
        _one_of("status", "running", "stopped", "done", "failed", "abandoned"),
    )

    id: str = Field(primary_key=True)
    number: int = _in_order()
    batch_id: str = Field(foreign_key="batch.id")
    campaign_id: str = Field(foreign_key="campaign.id", index=True)
    bench_id: str = Field(foreign_key="bench.id")
    attempt: int
    stretch: int
    layout: Any = Field(sa_type=Json, nullable=False)
    status: str
    reason: str = Field(sa_type=Sentence)
    error: str = Field(sa_type=Sentence)
    uid: str
    begun_utc: datetime = Field(sa_type=Utc, default_factory=now)
    ended_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)


class StepTable(_Table, table=True):
    """The journal.

    ``number`` is the order of beginning; ``completion`` counts the steps of a bench that changed what is believed of it
    (done, unknown, or failed with a part), in the order in which they ended, across its runs.
    """

    __tablename__ = "step"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("run_id", "branch", "ordinal", "attempt_number"),
        Index("uq_step_bench_id_completion", "bench_id", "completion", unique=True),
        _one_of("status", "intent", "dispatched", "done", "failed", "unknown"),
        CheckConstraint("status <> 'done' OR completion IS NOT NULL", name="done_is_counted"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    run_id: str = Field(foreign_key="run.id")
    bench_id: str = Field(foreign_key="bench.id")
    key: str
    branch: str
    ordinal: int
    attempt_number: int
    action: str
    device: str
    arguments: Any = Field(sa_type=Json, nullable=False)
    status: str
    result: Any = Field(default=None, sa_type=Json, nullable=True)
    error: str = Field(sa_type=Sentence)
    begun_lab_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    ended_lab_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    intent_utc: datetime = Field(sa_type=Utc, default_factory=now)
    dispatched_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)
    ended_utc: datetime | None = Field(default=None, sa_type=Utc, nullable=True)
    completion: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    fault: str = _said(Text, "")
    recovery: str = _said(Text, "")
    part: Any = Field(default=None, sa_type=Json, nullable=True)
    token: int = _said(BigInteger, "0")


class MarkTable(_Table, table=True):
    """How far a step had got, before each part of it was sent. Append-only; ``number`` is the order."""

    __tablename__ = "mark"

    number: int | None = Field(default=None, primary_key=True)
    step_id: str = Field(foreign_key="step.id", index=True)
    name: str
    details: Any = Field(sa_type=Json, nullable=False)
    lab_time_s: float = Field(sa_type=Double)
    utc: datetime = Field(sa_type=Utc, default_factory=now)


class BarTable(_Table, table=True):
    """What must not be used, and what may be again: a row bars a place, or lifts the bar whose number it names.

    Append-only; the well ``*`` stands for all of the labware.
    """

    __tablename__ = "bar"

    number: int | None = Field(default=None, primary_key=True)
    bench_id: str = Field(foreign_key="bench.id", index=True)
    labware: str
    well: str
    run_id: str | None = Field(default=None, foreign_key="run.id")
    step_id: str | None = Field(default=None, foreign_key="step.id")
    sample_id: str | None = Field(default=None, foreign_key="sample.id")
    why: str = Field(sa_type=Sentence)
    who: str = Field(sa_type=Sentence)
    lifts: int | None = Field(default=None, foreign_key="bar.number", unique=True)
    lab_time_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    utc: datetime = Field(sa_type=Utc, default_factory=now)


class SampleTable(_Table, table=True):
    """Material in one well; ``number`` is the order of adding. What stood on the bench from the start has no run."""

    __tablename__ = "sample"

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    bench_id: str = Field(foreign_key="bench.id", index=True)
    run_id: str | None = Field(default=None, foreign_key="run.id", index=True)
    labware: str
    well: str
    content: str


class ObservationTable(_Table, table=True):
    """One measured value. Append-only; ``number`` is the order of recording."""

    __tablename__ = "observation"

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    experiment_id: str = Field(foreign_key="experiment.id", index=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    target: str
    sample_id: str
    value: float = Field(sa_type=Number, nullable=True)
    standard_error: float = Field(sa_type=Number, nullable=True)
    unit: str
    ok: bool
    quality: Any = Field(sa_type=Json, nullable=False)
    method: str = Field(sa_type=Sentence)
    origin: str
    replicates: int
    lab_time_s: float = Field(sa_type=Number, nullable=True)
    details: Any = Field(sa_type=Json, nullable=False)
    recorded_utc: datetime = Field(sa_type=Utc, default_factory=now)


class AmendmentTable(_Table, table=True):
    """What a person said about a result after it was recorded. Append-only; ``number`` is the order of saying.

    ``retract``: ``observation_id`` does not count. ``supersede``: ``replacement_id`` stands in its place. ``replicate``:
    ``experiment_id`` measured once more what ``of_experiment_id`` measured.
    """

    __tablename__ = "amendment"
    __table_args__: ClassVar[Any] = (_one_of("kind", "retract", "supersede", "replicate"),)

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    campaign_id: str = Field(foreign_key="campaign.id", index=True)
    kind: str
    experiment_id: str = Field(foreign_key="experiment.id")
    observation_id: str | None = Field(default=None, foreign_key="observation.id", unique=True)
    replacement_id: str | None = Field(default=None, foreign_key="observation.id", unique=True)
    of_experiment_id: str | None = Field(default=None, foreign_key="experiment.id")
    who: str = Field(sa_type=Sentence)
    why: str = Field(sa_type=Sentence)
    utc: datetime = Field(sa_type=Utc, default_factory=now)


class OrderTable(_Table, table=True):
    """Material that one experiment waits for; ``number`` is the order of wanting.

    Once it is received, ``labware`` and ``well`` say where it is; a well receives once. An experiment has one open order at
    most, beside those that were received or cancelled.
    """

    __tablename__ = "material_order"
    __table_args__: ClassVar[Any] = (
        _one_of("kind", "order", "build"),
        _one_of("status", "wanted", "placed", "received", "cancelled"),
        UniqueConstraint("bench_id", "labware", "well"),
        Index(
            "uq_material_order_open",
            "experiment_id",
            unique=True,
            sqlite_where=text("status IN ('wanted', 'placed')"),
            postgresql_where=text("status IN ('wanted', 'placed')"),
        ),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    campaign_id: str = Field(foreign_key="campaign.id", index=True)
    experiment_id: str = Field(foreign_key="experiment.id", index=True)
    bench_id: str = Field(foreign_key="bench.id", index=True)
    candidate_id: str
    sequence: str = Field(sa_type=Sentence)
    kind: str
    supplier: str = Field(sa_type=Sentence)
    volume_ul: float = Field(sa_type=Double)
    lead_time_s: float = Field(sa_type=Double)
    status: str
    reference: str = Field(default="", sa_type=Sentence)
    due_lab_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    barcode: str = Field(default="", sa_type=Sentence)
    labware: str | None = None
    well: str | None = None
    received_lab_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    who: str = Field(default="", sa_type=Sentence)
    wanted_utc: datetime = Field(sa_type=Utc, default_factory=now)


class DocumentTable(_Table, table=True):
    """A Bluesky document; ``position`` counts from 1 within its stretch."""

    __tablename__ = "document"

    run_id: str = Field(foreign_key="run.id", primary_key=True)
    stretch: int = Field(primary_key=True)
    position: int = Field(primary_key=True)
    name: str
    body: Any = Field(sa_type=Json, nullable=False)


class EventTable(_Table, table=True):
    """Something that happened to a campaign, in a sentence."""

    __tablename__ = "event"

    number: int | None = Field(default=None, primary_key=True)
    campaign_id: str = Field(foreign_key="campaign.id", index=True)
    kind: str
    sentence: str = Field(sa_type=Sentence)
    lab_time_s: float | None = Field(default=None, sa_type=Double, nullable=True)
    utc: datetime = Field(sa_type=Utc, default_factory=now)
    details: Any = Field(sa_type=Json, nullable=False)


def next_number(session: Session, table: type[BenchTable | CampaignTable | RunTable]) -> int:
    """The number of the row that is made next; there is one writer, and it is within its transaction."""
    return int(session.exec(select(func.coalesce(func.max(table.number), 0) + 1)).one())
