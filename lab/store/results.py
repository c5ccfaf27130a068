"""Batches, experiments and what was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlmodel import Session, col, func, select

from lab.errors import BadInput
from lab.store import values
from lab.store.amended import amended
from lab.store.database import Part
from lab.store.records import AmendmentRecord
from lab.store.tables import (
    AmendmentTable,
    BatchTable,
    CampaignTable,
    ExperimentTable,
    ObservationTable,
    RunTable,
)
from lab.types import (
    Batch,
    ExperimentStatus,
    History,
    Observation,
    Proposal,
    Run,
    RunStatus,
    new_id,
)

__all__ = ["Results", "amendments_of", "batch_of", "experiments_asked", "observation_rows", "set_status"]

_OPEN = (ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING)

_LEAVES: dict[ExperimentStatus, tuple[ExperimentStatus, ...]] = {
    ExperimentStatus.MEASURED: (ExperimentStatus.RETRACTED,),
    ExperimentStatus.ABANDONED: (),
    ExperimentStatus.RETRACTED: (),
}
"""Status that is not left but for these: results are never edited, and what is given up stays so."""


class Results(Part):
    """The part of :class:`lab.store.Store` that keeps batches, experiments and observations. Any thread."""

    def propose(self, campaign_id: str, proposal: Proposal) -> Batch:
        """Make a proposal the campaign's next batch. When this returns it is on the disk, and the budget is charged.

        Raises:
            BadInput: the proposal goes over the campaign's budget; nothing is kept.
            KeyError: no such campaign.
            ValueError: it proposes nothing, or an experiment that is proposed already.
        """
        if not proposal.experiments:
            raise ValueError("a batch has at least one experiment")
        with self._database.write_session() as session:
            campaign = session.get(CampaignTable, campaign_id)
            if campaign is None:
                raise KeyError(campaign_id)
            asked = experiments_asked(session, campaign_id)
            _refuse_over_budget(campaign, _spent(session, campaign_id), len(proposal.experiments))
            row = BatchTable(
                id=new_id("bat"),
                campaign_id=campaign_id,
                number=_batches(session, campaign_id) + 1,
                advice=proposal.advice,
            )
            session.add(row)
            session.flush()
            rows = [
                values.experiment_row(experiment, row, asked + place)
                for place, experiment in enumerate(proposal.experiments, start=1)
            ]
            for experiment_row in rows:
                session.add(experiment_row)
                session.flush()  # one by one: a repeat may stand in the batch of what it repeats
            return batch_of(session, row)

    def batches_asked(self, campaign_id: str) -> int:
        """How many batches a campaign has proposed."""
        with self._database.read_session() as session:
            return _batches(session, campaign_id)

    def batches(self, campaign_id: str) -> tuple[Batch, ...]:
        """All batches of a campaign in order, experiments with their present status.

        What a person took back before anything was done is left out, and so is a batch of which nothing is left.
        """
        query = select(BatchTable).where(BatchTable.campaign_id == campaign_id)
        with self._database.read_session() as session:
            rows = session.exec(query.order_by(col(BatchTable.number)))
            found = tuple(batch_of(session, row) for row in rows)
        return tuple(batch for batch in found if batch.experiments)

    def open_batch(self, campaign_id: str) -> Batch | None:
        """The oldest batch with an experiment that is proposed, approved or running."""
        waiting = (
            select(ExperimentTable.batch_id)
            .where(ExperimentTable.campaign_id == campaign_id)
            .where(col(ExperimentTable.status).in_([status.value for status in _OPEN]))
            .order_by(col(ExperimentTable.number))
            .limit(1)
        )
        with self._database.read_session() as session:
            batch_id = session.exec(waiting).first()
            return None if batch_id is None else batch_of(session, session.get_one(BatchTable, batch_id))

    def open_batches(self, campaign_id: str) -> tuple[Batch, ...]:
        """All batches with an experiment that is proposed, approved or running, oldest first."""
        return tuple(
            batch
            for batch in self.batches(campaign_id)
            if any(experiment.status in _OPEN for experiment in batch.experiments)
        )

    def batch_at_work(self, campaign_id: str) -> tuple[Batch, Run] | None:
        """The oldest open batch whose run was begun and is neither done nor given up, with that run; None where none is."""
        for batch in self.open_batches(campaign_id):
            with self._database.read_session() as session:
                query = select(RunTable).where(RunTable.batch_id == batch.id)
                row = session.exec(query.order_by(col(RunTable.number).desc()).limit(1)).first()
                run = None if row is None else values.run(row)
            if run is not None and run.status not in (RunStatus.DONE, RunStatus.ABANDONED):
                return batch, run
        return None

    def set_experiment_status(self, experiment_ids: Collection[str], status: ExperimentStatus) -> None:
        """Say how experiments stand; all of them or, on an error, none.

        Raises:
            KeyError: one is not known.
            ValueError: a measured one would lose its result (it can be retracted), or an abandoned or retracted one revive.
        """
        with self._database.write_session() as session:
            set_status(session, dict.fromkeys(experiment_ids, status))

    def record(
        self,
        observations: Sequence[Observation],
        statuses: Mapping[str, ExperimentStatus] | None = None,
    ) -> None:
        """Keep observations, and in the same transaction the new status of their experiments. Append-only.

        Args:
            observations: in the order in which :meth:`history` gives them back.
            statuses: experiment id -> status, where it is not MEASURED for an experiment with a good observation among
                these and FAILED for one that has none (one that is MEASURED already stays so); also for experiments that
                nothing was observed of.

        Raises:
            ValueError: an observation is recorded already, or its experiment or run is not known; nothing is kept.
        """
        known_good: dict[str, bool] = defaultdict(bool)
        for observation in observations:
            known_good[observation.experiment_id] |= observation.quality.ok
        becomes = {
            experiment_id: ExperimentStatus.MEASURED if good else ExperimentStatus.FAILED
            for experiment_id, good in known_good.items()
        }
        with self._database.write_session() as session:
            for observation in observations:
                session.add(values.observation_row(observation))
                session.flush()  # one by one, so that numbers follow the order given
            measured = {e for e in becomes if _is_measured(session, e)}
            set_status(
                session, {e: s for e, s in becomes.items() if e not in measured} | dict(statuses or {})
            )

    def history(self, campaign_id: str) -> History:
        """What a planner may know: experiments in the order of asking, observations in the order of recording.

        Retracted observations are gone, a superseded one is replaced, and replicates are pooled into one observation of the
        first experiment (see :mod:`lab.store.amended`).
        """
        with self._database.read_session() as session:
            experiments = tuple(values.experiment(row) for row in session.exec(_experiments(campaign_id)))
            recorded = [values.observation(row) for row in observation_rows(session, campaign_id)]
            said = amendments_of(session, campaign_id)
        return History(experiments=experiments, observations=amended(experiments, recorded, said))


def observation_rows(session: Session, campaign_id: str) -> Sequence[ObservationTable]:
    """All that was ever recorded in a campaign, in that order."""
    query = (
        select(ObservationTable)
        .join(ExperimentTable, col(ExperimentTable.id) == col(ObservationTable.experiment_id))
        .where(ExperimentTable.campaign_id == campaign_id)
        .order_by(col(ObservationTable.number))
    )
    return session.exec(query).all()


def amendments_of(session: Session, campaign_id: str) -> tuple[AmendmentRecord, ...]:
    """What was said about a campaign's results, in the order of saying."""
    query = select(AmendmentTable).where(AmendmentTable.campaign_id == campaign_id)
    return tuple(values.amendment(row) for row in session.exec(query.order_by(col(AmendmentTable.number))))


def batch_of(session: Session, row: BatchTable) -> Batch:
    """A batch with its experiments as they stand, less those that a person took back."""
    query = select(ExperimentTable).where(
        ExperimentTable.batch_id == row.id, col(ExperimentTable.waived).is_(False)
    )
    experiments = session.exec(query.order_by(col(ExperimentTable.number)))
    return values.batch(row, tuple(values.experiment(found) for found in experiments))


def _experiments(campaign_id: str):  # type: ignore[no-untyped-def]  # SQLModel's SelectOfScalar is not public
    return (
        select(ExperimentTable)
        .where(ExperimentTable.campaign_id == campaign_id)
        .order_by(col(ExperimentTable.number))
    )


def experiments_asked(session: Session, campaign_id: str) -> int:
    """How many experiments were ever asked for in a campaign; they are numbered by this."""
    query = select(func.count()).where(ExperimentTable.campaign_id == campaign_id)
    return session.exec(query).one()


def _spent(session: Session, campaign_id: str) -> int:
    """Each experiment costs 1, whatever became of it, but for those that a person took back before anything was done."""
    query = select(func.count()).where(
        ExperimentTable.campaign_id == campaign_id, col(ExperimentTable.waived).is_(False)
    )
    return session.exec(query).one()


def _batches(session: Session, campaign_id: str) -> int:
    return session.exec(select(func.count()).where(BatchTable.campaign_id == campaign_id)).one()


def _refuse_over_budget(campaign: CampaignTable, spent: int, wanted: int) -> None:
    left = campaign.budget - spent
    if wanted > left:
        raise BadInput(
            f"A batch of {wanted} experiments goes over the budget of {campaign.name}: "
            f"{campaign.budget} experiments, {spent} spent, {left} left.",
            way_out="Propose fewer, or start a campaign with a larger budget (at most 100).",
            field="budget",
        )


def _is_measured(session: Session, experiment_id: str) -> bool:
    row = session.get(ExperimentTable, experiment_id)
    return row is not None and row.status == ExperimentStatus.MEASURED


def set_status(session: Session, becomes: Mapping[str, ExperimentStatus]) -> None:
    """Say how experiments stand, within a transaction that is open."""
    for experiment_id, status in becomes.items():
        row = session.get(ExperimentTable, experiment_id)
        if row is None:
            raise KeyError(experiment_id)
        present = ExperimentStatus(row.status)
        if status is not present and status not in _LEAVES.get(present, tuple(ExperimentStatus)):
            raise ValueError(f"{experiment_id} is {present} and cannot become {status}")
        row.status = status.value
        session.add(row)
