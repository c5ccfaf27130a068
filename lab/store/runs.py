"""Runs, and the documents they leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlmodel import Session, col, func, select

from lab.interfaces import Document
from lab.recovery import Recovery
from lab.store import values
from lab.store.database import Part
from lab.store.material import add_samples
from lab.store.records import RunOutcome
from lab.store.tables import (
    BatchTable,
    CampaignTable,
    DocumentTable,
    ExperimentTable,
    RunTable,
    StepTable,
    next_number,
    now,
)
from lab.types import Batch, ExperimentStatus, Layout, Run, RunStatus, Sample, StepStatus, new_id

__all__ = ["Runs"]

_WAITING = (ExperimentStatus.PROPOSED.value, ExperimentStatus.APPROVED.value)
_FINAL = (RunStatus.DONE.value, RunStatus.ABANDONED.value)
_IN_THE_AIR = {
    RunStatus.DONE: (StepStatus.DISPATCHED.value, StepStatus.UNKNOWN.value),
    RunStatus.ABANDONED: (StepStatus.DISPATCHED.value,),
}
"""How a run ends for good -> where none of its steps may stand then."""


class Runs(Part):
    """The part of :class:`lab.store.Store` that keeps runs and Bluesky documents. Any thread."""

    def create_run(self, batch: Batch, layout: Layout, attempt: int = 1) -> Run:
        """Open a run, its layout and the samples it will make with it; experiments that wait are RUNNING from here on.

        One transaction.

        Args:
            attempt: 1 for the first; a redo on fresh material is the next.

        Raises:
            ValueError: the batch has a run of this attempt already, or is not known.
        """
        with self._database.write_session() as session:
            campaign = session.get(CampaignTable, batch.campaign_id)
            if campaign is None:
                raise ValueError(f"no campaign {batch.campaign_id}")
            row = RunTable(
                id=new_id("run"),
                number=next_number(session, RunTable),
                batch_id=batch.id,
                campaign_id=batch.campaign_id,
                bench_id=campaign.bench_id,
                attempt=attempt,
                stretch=1,
                layout=layout,
                status=RunStatus.RUNNING.value,
                reason="",
                error="",
                uid="",
            )
            session.add(row)
            waiting = select(ExperimentTable).where(ExperimentTable.batch_id == batch.id)
            for experiment in session.exec(waiting.where(col(ExperimentTable.status).in_(_WAITING))):
                experiment.status = ExperimentStatus.RUNNING.value
                session.add(experiment)
            session.flush()
            add_samples(session.connection(), row.bench_id, _samples_of(row.id, layout))
            session.refresh(row)
            return values.run(row)

    def run(self, run_id: str) -> Run:
        """A run by its identifier.

        Raises:
            KeyError: no such run.
        """
        with self._database.read_session() as session:
            return values.run(_run_row(session, run_id))

    def open_run(self, batch_id: str) -> Run | None:
        """The latest attempt at a batch, if it runs or was stopped and can be continued."""
        run = self.last_run(batch_id)
        return run if run is not None and run.status in (RunStatus.RUNNING, RunStatus.STOPPED) else None

    def last_run(self, batch_id: str) -> Run | None:
        """The latest attempt at a batch, however it went."""
        query = select(RunTable).where(RunTable.batch_id == batch_id)
        with self._database.read_session() as session:
            row = session.exec(query.order_by(col(RunTable.attempt).desc()).limit(1)).first()
            return None if row is None else values.run(row)

    def open_runs(self, bench_id: str) -> tuple[Run, ...]:
        """Runs on a bench that may go on: under way, stopped or failed, in order of opening."""
        query = (
            select(RunTable)
            .where(RunTable.bench_id == bench_id, col(RunTable.status).not_in(_FINAL))
            .order_by(col(RunTable.number))
        )
        with self._database.read_session() as session:
            return tuple(values.run(row) for row in session.exec(query))

    def runs(self, campaign_id: str) -> tuple[RunOutcome, ...]:
        """All runs of a campaign in order, and how they went."""
        query = (
            select(RunTable, BatchTable.number)
            .join(BatchTable, col(BatchTable.id) == col(RunTable.batch_id))
            .where(RunTable.campaign_id == campaign_id)
            .order_by(col(BatchTable.number), col(RunTable.attempt))
        )
        with self._database.read_session() as session:
            return tuple(_outcome(row, number) for row, number in session.exec(query))

    def next_stretch(self, run_id: str) -> Run:
        """Go on with a run after an interruption: its next stretch begins.

        Raises:
            KeyError: no such run.
            ValueError: it is done or abandoned.
        """
        with self._database.write_session() as session:
            row = _run_row(session, run_id)
            _refuse_final(row)
            row.stretch += 1
            row.status = RunStatus.RUNNING.value
            row.reason, row.error, row.uid, row.ended_utc = "", "", "", None
            session.add(row)
            session.flush()
            return values.run(row)

    def finish_run(
        self, run_id: str, status: RunStatus, reason: str = "", error: str = "", uid: str = ""
    ) -> None:
        """Say how a run's stretch ended.

        Args:
            status: DONE and ABANDONED are final; STOPPED and FAILED can be continued. An abandoned run's batch is done again
                in the next attempt.
            reason: why it was stopped.
            error: what it failed with.
            uid: of its Bluesky run.

        Raises:
            KeyError: no such run.
            ValueError: it ended for good already; or a step of it is in the air, or, where it would be done, of unknown
                outcome.
        """
        if status is RunStatus.RUNNING:
            raise ValueError("a run does not end as running")
        with self._database.write_session() as session:
            row = _run_row(session, run_id)
            _refuse_final(row)
            _refuse_in_the_air(session, run_id, status)
            row.status = status.value
            row.reason, row.error, row.uid, row.ended_utc = reason, error, uid, now()
            session.add(row)

    def append_documents(
        self, run_id: str, stretch: int, documents: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> None:
        """Keep Bluesky documents, in order, after those of the stretch that are kept already. All of them or none.

        Args:
            documents: name and body; numpy arrays come back as equal arrays, numpy scalars as Python's, tuples as lists.

        Raises:
            TypeError: a body holds what JSON cannot; see :mod:`lab.store.encoding`.
            ValueError: no such run.
        """
        last = select(func.max(DocumentTable.position)).where(
            DocumentTable.run_id == run_id, DocumentTable.stretch == stretch
        )
        with self._database.write_session() as session:
            position = session.exec(last).one() or 0
            session.add_all(
                DocumentTable(run_id=run_id, stretch=stretch, position=place, name=name, body=body)
                for place, (name, body) in enumerate(documents, start=position + 1)
            )

    def documents(self, run_id: str, stretch: int | None = None) -> tuple[Document, ...]:
        """The documents of one stretch, in order; of the run's last, unless one is given.

        Raises:
            KeyError: no such run.
        """
        with self._database.read_session() as session:
            wanted = _run_row(session, run_id).stretch if stretch is None else stretch
            query = (
                select(DocumentTable)
                .where(DocumentTable.run_id == run_id, DocumentTable.stretch == wanted)
                .order_by(col(DocumentTable.position))
            )
            return tuple((row.name, row.body) for row in session.exec(query))


def _samples_of(run_id: str, layout: Layout) -> tuple[Sample, ...]:
    """Wells that the layout gives a sample."""
    return tuple(
        Sample(id=use.sample_id, labware=use.labware, well=use.well, content=use.content, run_id=run_id)
        for use in layout.wells
        if use.sample_id
    )


def _run_row(session: Session, run_id: str) -> RunTable:
    row = session.get(RunTable, run_id)
    if row is None:
        raise KeyError(run_id)
    return row


def _refuse_final(row: RunTable) -> None:
    if row.status in _FINAL:
        raise ValueError(f"{row.id} is {row.status}")


def _refuse_in_the_air(session: Session, run_id: str, becomes: RunStatus) -> None:
    flying = select(StepTable).where(
        StepTable.run_id == run_id,
        col(StepTable.status).in_(_IN_THE_AIR.get(becomes, ())),
        StepTable.recovery != Recovery.SKIP_SAMPLE.value,  # Its samples are barred, and nobody asks any more.
    )
    step = session.exec(flying.limit(1)).first()
    if step is not None:
        raise ValueError(
            f"{run_id} is not {becomes}: its step {step.ordinal} ({step.action}) is {step.status}"
        )


def _outcome(row: RunTable, batch_number: int) -> RunOutcome:
    return RunOutcome(
        run=values.run(row),
        batch_number=batch_number,
        reason=row.reason,
        error=row.error,
        uid=row.uid,
        begun_utc=row.begun_utc,
        ended_utc=row.ended_utc,
    )
