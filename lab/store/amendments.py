"""Result surgery: what a person says about a result after it was recorded. Nothing is edited, nothing deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, Table
from sqlmodel import Session, select

from lab.errors import BadInput
from lab.store import lookup, values
from lab.store.amended import standing
from lab.store.database import Part
from lab.store.records import AmendmentRecord, AuditedObservation
from lab.store.results import amendments_of, observation_rows, set_status
from lab.store.saying import refuse_silence
from lab.store.tables import AmendmentTable, EventTable, ExperimentTable, ObservationTable
from lab.types import Experiment, ExperimentStatus, Observation, Origin, Quality, new_id

__all__ = ["Amendments"]

_OBSERVATION: Table = ObservationTable.__table__  # type: ignore[attr-defined]  # SQLModel makes it, its types do not say so
_EXPERIMENT: Table = ExperimentTable.__table__  # type: ignore[attr-defined]  # the same

_WHERE_RESULTS = "`drywet results CAMPAIGN` names them."


class Amendments(Part):
    """The part of :class:`lab.store.Store` that amends results. Any thread.

    Each amendment is a row with who and why, an event of the campaign, and what :meth:`Results.history` says from then on.
    Identifiers may be given by enough characters of their beginning or end.
    """

    def retract(self, observation_id: str, *, who: str, why: str) -> None:
        """Take an observation back. An experiment that is left with none, or was measured and is left with none that is
        usable, is RETRACTED.

        Raises:
            BadInput: no such observation, it was retracted or superseded before, or nobody says why.
        """
        refuse_silence(who, why)
        with self._database.write_session() as session:
            old = _standing(session, observation_id)
            experiment = session.get_one(ExperimentTable, old.experiment_id)
            _add(session, experiment, kind="retract", observation_id=old.id, who=who, why=why)
            left = standing(
                (values.observation(row) for row in observation_rows(session, experiment.campaign_id)),
                amendments_of(session, experiment.campaign_id),
            )
            ours = [o for o in left if o.experiment_id == experiment.id]
            measured = experiment.status == ExperimentStatus.MEASURED
            if not ours or (measured and not any(o.usable for o in ours)):
                set_status(session, {experiment.id: ExperimentStatus.RETRACTED})
            sentence = f"{who} retracted the result of {experiment.candidate_id} ({_said(old)}): {why}"
            _log(session, experiment, sentence, {"kind": "retract", "observation": old.id, "who": who})

    def supersede(
        self, observation_id: str, value: float, standard_error: float, *, who: str, why: str
    ) -> Observation:
        """Put another value in the place of an observation's; its experiment is MEASURED from here on.

        Args:
            value: in the unit of the old one.
            standard_error: of it; NaN where it is not known.

        Returns:
            The observation that counts now. Its origin is MANUAL: a person says so, no instrument.

        Raises:
            BadInput: no such observation, it was retracted or superseded before, its experiment was given up, the value is
                no number, the standard error is negative, or nobody says why.
        """
        refuse_silence(who, why)
        _refuse_no_number(value, standard_error)
        with self._database.write_session() as session:
            old = _standing(session, observation_id)
            experiment = session.get_one(ExperimentTable, old.experiment_id)
            _refuse_given_up(experiment)
            new = replace(
                old,
                id=new_id("obs"),
                value=float(value),
                standard_error=float(standard_error),
                quality=Quality(ok=True),
                method=f"{old.method}; put in the place of {_said(old)} ({old.id}) by {who}: {why}",
                origin=Origin.MANUAL,
                details={
                    **old.details,
                    "superseded": {
                        "observation": old.id,
                        "value": old.value,
                        "standard_error": old.standard_error,
                        "quality": old.quality,
                        "origin": old.origin,
                    },
                },
            )
            session.add(values.observation_row(new))
            session.flush()
            _add(
                session,
                experiment,
                kind="supersede",
                observation_id=old.id,
                replacement_id=new.id,
                who=who,
                why=why,
            )
            set_status(session, {experiment.id: ExperimentStatus.MEASURED})
            sentence = (
                f"{who} put {_said(new)} in the place of {_said(old)} as the result of "
                f"{experiment.candidate_id}: {why}"
            )
            details = {"kind": "supersede", "observation": old.id, "replacement": new.id, "who": who}
            _log(session, experiment, sentence, details)
            return values.observation(
                session.exec(select(ObservationTable).where(ObservationTable.id == new.id)).one()
            )

    def mark_replicate(self, experiment_id: str, of: str, *, who: str, why: str) -> None:
        """Say that an experiment measured once more what another one did: their usable results are pooled.

        Args:
            experiment_id: the one that measured once more; it stays MEASURED, and has no result of its own from here on.
            of: the first one, which has the pooled result.

        Raises:
            BadInput: either is unknown, not measured, of another campaign, or of another candidate; one of them is in such a
                pair already in a way that would make a chain; or nobody says why.
        """
        refuse_silence(who, why)
        with self._database.write_session() as session:
            again, first = (_experiment(session, typed) for typed in (experiment_id, of))
            _refuse_no_pair(session, again, first)
            _add(session, again, kind="replicate", of_experiment_id=first.id, who=who, why=why)
            sentence = (
                f"{who} marked experiment {again.number} ({again.candidate_id}) as a replicate of experiment "
                f"{first.number}: {why}"
            )
            details = {"kind": "replicate", "experiment": again.id, "of": first.id, "who": who}
            _log(session, again, sentence, details)

    def amendments(self, campaign_id: str) -> tuple[AmendmentRecord, ...]:
        """What was said about a campaign's results, in the order of saying."""
        with self._database.read_session() as session:
            return amendments_of(session, campaign_id)

    def observation(self, observation_id: str) -> Observation:
        """An observation as it was recorded, whether it counts or not.

        Raises:
            BadInput: no such observation, or more than one.
        """
        with self._database.read_session() as session:
            return values.observation(_find(session, _OBSERVATION, observation_id, "observation"))

    def experiment(self, experiment_id: str) -> Experiment:
        """An experiment as it stands.

        Raises:
            BadInput: no such experiment, or more than one.
        """
        with self._database.read_session() as session:
            return values.experiment(_find(session, _EXPERIMENT, experiment_id, "experiment"))

    def all_observations(self, campaign_id: str) -> tuple[AuditedObservation, ...]:
        """All that was ever recorded in a campaign, in that order, with what was said about each."""
        with self._database.read_session() as session:
            rows = observation_rows(session, campaign_id)
            said = amendments_of(session, campaign_id)
        found = [values.observation(row) for row in rows]
        counts = {o.id for o in standing(found, said)}
        return tuple(
            AuditedObservation(
                observation=observation,
                recorded_utc=row.recorded_utc,
                counts=observation.id in counts,
                amendments=tuple(a for a in said if _concerns(a, observation)),
            )
            for row, observation in zip(rows, found, strict=True)
        )


def _concerns(amendment: AmendmentRecord, observation: Observation) -> bool:
    if amendment.kind == "replicate":
        return observation.experiment_id in (amendment.experiment_id, amendment.of_experiment_id)
    return observation.id in (amendment.observation_id, amendment.replacement_id)


def _find(session: Session, table: Table, typed: str, what: str) -> Row[Any]:
    return lookup.find(session.connection(), table, typed, what, _WHERE_RESULTS)


def _experiment(session: Session, typed: str) -> ExperimentTable:
    return session.get_one(ExperimentTable, _find(session, _EXPERIMENT, typed, "experiment").id)


def _standing(session: Session, typed: str) -> Observation:
    """An observation that was neither retracted nor superseded yet."""
    found = values.observation(_find(session, _OBSERVATION, typed, "observation"))
    said = session.exec(select(AmendmentTable).where(AmendmentTable.observation_id == found.id)).first()
    if said is None:
        return found
    if said.kind == "retract":
        raise BadInput(
            f"{found.id} was retracted before, by {said.who}: {said.why}",
            way_out="A retraction stays; propose the candidate again to measure it anew.",
        )
    raise BadInput(
        f"{found.id} was superseded before, by {said.who}: {said.why}",
        way_out=f"Amend what stands in its place: {said.replacement_id}.",
    )


def _refuse_given_up(experiment: ExperimentTable) -> None:
    if experiment.status in (ExperimentStatus.RETRACTED, ExperimentStatus.ABANDONED):
        raise BadInput(
            f"{experiment.id} is {experiment.status}, and stays so.",
            way_out="Propose the candidate again to measure it anew.",
        )


_LARGEST = 1e50
"""More than any unit needs; squares and sums of such numbers are numbers still, so that reports can be made of them."""


def _refuse_no_number(value: float, standard_error: float) -> None:
    if not abs(value) <= _LARGEST:
        raise BadInput(
            f"{value} is no value to put in a result's place.", way_out="Give a number.", field="value"
        )
    if standard_error < 0 or standard_error > _LARGEST:
        raise BadInput(
            f"{standard_error} is no standard error.",
            way_out="Give a number that is not negative, or nan where it is not known.",
            field="standard_error",
        )


def _refuse_no_pair(session: Session, again: ExperimentTable, first: ExperimentTable) -> None:
    if again.id == first.id:
        raise BadInput(f"{again.id} is no replicate of itself.", way_out="Name two experiments.")
    if again.campaign_id != first.campaign_id:
        raise BadInput(
            f"{again.id} and {first.id} are of two campaigns.", way_out="Pool results of one campaign only."
        )
    if again.candidate_id != first.candidate_id:
        raise BadInput(
            f"{again.id} measured {again.candidate_id}, and {first.id} measured {first.candidate_id}.",
            way_out="Only experiments on the same candidate are replicates.",
        )
    for row in (again, first):
        if row.status != ExperimentStatus.MEASURED:
            raise BadInput(f"{row.id} is {row.status}.", way_out="Both experiments must be measured.")
    pairs = [
        (said.experiment_id, said.of_experiment_id)
        for said in amendments_of(session, again.campaign_id)
        if said.kind == "replicate"
    ]
    _refuse_chain(again.id, first.id, pairs)


def _refuse_chain(again: str, first: str, pairs: Sequence[tuple[str, str]]) -> None:
    of = dict(pairs)
    if again in of:
        raise BadInput(f"{again} is a replicate of {of[again]} already.", way_out="Nothing is left to do.")
    if first in of:
        raise BadInput(
            f"{first} is itself a replicate of {of[first]}.", way_out=f"Name the first one: --of {of[first]}."
        )
    if again in of.values():
        raise BadInput(
            f"{again} has replicates of its own.",
            way_out=f"Mark the other one: {first} as a replicate of {again}.",
        )


def _add(session: Session, experiment: ExperimentTable, **said: Any) -> None:
    session.add(
        AmendmentTable(
            id=new_id("amd"), campaign_id=experiment.campaign_id, **({"experiment_id": experiment.id} | said)
        )
    )
    session.flush()


def _log(session: Session, experiment: ExperimentTable, sentence: str, details: dict[str, Any]) -> None:
    session.add(
        EventTable(campaign_id=experiment.campaign_id, kind="amendment", sentence=sentence, details=details)
    )


def _said(observation: Observation) -> str:
    unit = "" if observation.unit in ("", "1") else f" {observation.unit}"
    return f"{observation.value:.4g}{unit}"
