"""Approvals: what waits, or waited, for a person, and what became of it.

A decision and all that it means are one transaction: a request that was rejected has no experiment left that could run, and
an edit has taken its experiment's place or was never made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from lab.approvals import Approval, ApprovalKind, ApprovalReason, ApprovalStatus
from lab.errors import BadInput
from lab.store import values
from lab.store.database import Part
from lab.store.results import experiments_asked, set_status
from lab.store.saying import refuse_silence
from lab.store.service_tables import ApprovalTable, SubmissionTable
from lab.store.tables import BatchTable, BenchTable, CampaignTable, EventTable, ExperimentTable, RunTable
from lab.submissions import SubmissionStatus
from lab.types import Batch, CampaignStatus, Experiment, ExperimentStatus, JsonValue, RunStatus, new_id

__all__ = ["Approvals", "add_start_request", "waits_for_a_person"]


class Approvals(Part):
    """The part of :class:`lab.store.Store` that keeps requests for a person's word. Any thread."""

    def ask_for_batch(
        self,
        batch_id: str,
        *,
        reasons: Sequence[ApprovalReason],
        details: Mapping[str, JsonValue],
        asked_by: str,
        cost: float | None = None,
        lab_time_s: float | None = None,
    ) -> Approval:
        """Ask whether a batch may be carried out. Safe to repeat: what was asked before is given back as it stands.

        Raises:
            KeyError: there is no such batch.
        """
        with self._database.write_session() as session:
            batch = session.get(BatchTable, batch_id)
            if batch is None:
                raise KeyError(batch_id)
            found = _one(session, ApprovalTable.batch_id == batch_id)
            if found is not None:
                return values.approval(found)
            row = _add(session, ApprovalKind.BATCH, reasons, details, asked_by, cost)
            row.batch_id, row.campaign_id = batch_id, batch.campaign_id
            session.add(row)
            sentence = f"{waits_for_a_person(batch.number)} {' '.join(one.sentence for one in reasons)}"
            _log(session, row, sentence, lab_time_s)
            session.flush()
            return values.approval(row)

    def approval(self, approval_id: str) -> Approval:
        """A request by its id, or by enough characters of its end.

        Raises:
            BadInput: there is none, or more than one.
        """
        with self._database.read_session() as session:
            return values.approval(_find(session, approval_id))

    def approvals(
        self, *, status: ApprovalStatus | None = None, campaign_id: str | None = None
    ) -> tuple[Approval, ...]:
        """All requests, or those of one status or campaign, in the order of asking."""
        query = select(ApprovalTable).order_by(col(ApprovalTable.number))
        if status is not None:
            query = query.where(ApprovalTable.status == status.value)
        if campaign_id is not None:
            query = query.where(ApprovalTable.campaign_id == campaign_id)
        with self._database.read_session() as session:
            return tuple(values.approval(row) for row in session.exec(query))

    def approval_of_batch(self, batch_id: str) -> Approval | None:
        """What was asked about a batch; None where nothing was."""
        with self._database.read_session() as session:
            row = _one(session, ApprovalTable.batch_id == batch_id)
            return None if row is None else values.approval(row)

    def approval_of_submission(self, submission_id: str) -> Approval | None:
        """What was asked about the start of a submission; None where nothing was."""
        with self._database.read_session() as session:
            row = _one(session, ApprovalTable.submission_id == submission_id)
            return None if row is None else values.approval(row)

    def whole_batch(self, batch_id: str) -> Batch:
        """A batch with all that was ever in it, also what a person took back.

        Raises:
            KeyError: there is none.
        """
        query = select(ExperimentTable).where(ExperimentTable.batch_id == batch_id)
        with self._database.read_session() as session:
            row = session.get(BatchTable, batch_id)
            if row is None:
                raise KeyError(batch_id)
            found = session.exec(query.order_by(col(ExperimentTable.number)))
            return values.batch(row, tuple(values.experiment(one) for one in found))

    def approve(
        self,
        approval_id: str,
        *,
        who: str,
        why: str = "",
        left_out: Collection[str] = (),
        expected_version: int | None = None,
    ) -> Approval:
        """Say yes. A submission is queued by it; a batch is carried out when its campaign goes on.

        Args:
            left_out: experiments of a batch that the yes does not hold for; they are abandoned and cost nothing.
            expected_version: that whoever decides saw; None for any.

        Raises:
            BadInput: there is none, it was decided or changed since, nobody says so, or nothing would be left of the batch.
        """
        with self._database.write_session() as session:
            row = _to_decide(session, approval_id, who, expected_version)
            if row.kind == ApprovalKind.START:
                _refuse_parts(left_out)
                _settle_submission(session, row, SubmissionStatus.QUEUED, "")
            else:
                kept = _open_experiments(session, row, left_out)
                if not kept:
                    raise BadInput(
                        "Nothing would be left of the batch.", way_out="Reject it instead.", field="left_out"
                    )
                set_status(session, {one.id: ExperimentStatus.APPROVED for one in kept})
                if left_out:
                    row.details = {**row.details, "left_out": sorted(left_out)}
            return _decided(session, row, ApprovalStatus.APPROVED, who, why)

    def reject(
        self, approval_id: str, *, who: str, why: str, expected_version: int | None = None
    ) -> Approval:
        """Say no. Experiments of a batch are abandoned and cost nothing; a submission is over.

        Raises:
            BadInput: there is none, it was decided or changed since, or nobody says so or why.
        """
        refuse_silence(who, why)
        with self._database.write_session() as session:
            row = _to_decide(session, approval_id, who, expected_version)
            if row.kind == ApprovalKind.START:
                _settle_submission(session, row, SubmissionStatus.REJECTED, f"{who} rejected it: {why}")
            else:
                _waive(session, _open_experiments(session, row))
            return _decided(session, row, ApprovalStatus.REJECTED, who, why)

    def edit_batch(
        self,
        approval_id: str,
        experiment_id: str,
        replacement: Experiment,
        *,
        who: str,
        why: str,
        expected_version: int | None = None,
    ) -> Approval:
        """Put an experiment of a person's in the place of one that waits; the batch goes on waiting.

        Args:
            experiment_id: of the batch; it is abandoned and costs nothing.
            replacement: with a reason that says who and why; the caller has checked that it may be done.

        Raises:
            BadInput: there is no such request or experiment, it was decided or changed since, or nobody says so or why.
        """
        refuse_silence(who, why)
        with self._database.write_session() as session:
            row = _to_decide(session, approval_id, who, expected_version)
            if row.kind == ApprovalKind.START:
                raise BadInput(
                    "A campaign that was not started has no experiments to edit.",
                    way_out="Reject it, and have it handed in as it should be.",
                )
            _open_experiments(session, row, (experiment_id,))
            batch = session.get_one(BatchTable, row.batch_id)
            number = experiments_asked(session, batch.campaign_id) + 1
            session.add(values.experiment_row(replacement, batch, number))
            edit = {
                "experiment": experiment_id,
                "by": replacement.id,
                "who": who,
                "why": why.strip(),
                "utc": datetime.now(UTC).isoformat(),
            }
            row.details = {**row.details, "edits": [*row.details.get("edits", ()), edit]}
            session.add(row)
            old = session.get_one(ExperimentTable, experiment_id).candidate_id
            _log(
                session,
                row,
                f"{who} put {replacement.candidate.id} in the place of {old} in batch {batch.number}: {why.strip()}",
            )
            session.flush()
            return values.approval(row)

    def withdraw_approvals(
        self, *, campaign_id: str = "", submission_id: str = "", why: str
    ) -> tuple[Approval, ...]:
        """Note that nobody needs what waits for a campaign, or for a submission, any more. Safe to repeat."""
        query = select(ApprovalTable).where(ApprovalTable.status == ApprovalStatus.WAITING.value)
        if campaign_id:
            query = query.where(ApprovalTable.campaign_id == campaign_id)
        if submission_id:
            query = query.where(ApprovalTable.submission_id == submission_id)
        if not campaign_id and not submission_id:
            raise ValueError("withdraw the requests of which campaign or submission?")
        with self._database.write_session() as session:
            rows = session.exec(query).all()
            return tuple(_decided(session, row, ApprovalStatus.WITHDRAWN, "", why) for row in rows)

    def decided_since_held(self) -> tuple[str, ...]:
        """Campaigns that were held for a person's word, have it, and did not go on since; in the order of starting."""
        held = select(CampaignTable).where(CampaignTable.status == CampaignStatus.HELD.value)
        with self._database.read_session() as session:
            found = session.exec(held.order_by(col(CampaignTable.number))).all()
            return tuple(row.id for row in found if _has_its_word(session, row))

    def ran_on_hardware(self, workcell: str, protocol: str) -> bool:
        """Whether a run of a protocol was ever done on a real bench of a workcell of this name."""
        done = select(RunTable.campaign_id).where(RunTable.status == RunStatus.DONE.value)
        query = (
            select(CampaignTable)
            .join(BenchTable, col(BenchTable.id) == col(CampaignTable.bench_id))
            .where(BenchTable.workcell == workcell, col(BenchTable.twin).is_(False))
            .where(col(CampaignTable.id).in_(done))
        )
        with self._database.read_session() as session:
            campaigns = [values.campaign(row).campaign for row in session.exec(query)]
        return any(campaign.protocol.name == protocol for campaign in campaigns)


def _has_its_word(session: Session, row: CampaignTable) -> bool:
    """Whether a campaign is held for a person's word and for nothing else, and that was given."""
    query = select(ApprovalTable).where(ApprovalTable.campaign_id == row.id)
    last = session.exec(query.order_by(col(ApprovalTable.number).desc()).limit(1)).first()
    if last is None or last.status not in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED):
        return False
    number = session.get_one(BatchTable, last.batch_id).number
    return row.sentence.startswith(waits_for_a_person(number))


def waits_for_a_person(number: int) -> str:
    """How the sentence of a campaign begins that is held for a person's word about a batch."""
    return f"Batch {number} waits for a person."


def add_start_request(
    session: Session, submission: SubmissionTable, reasons: Sequence[ApprovalReason]
) -> None:
    """Ask whether a submission may start, in the transaction that keeps it."""
    details = {"dry_run": submission.rehearsal}
    row = _add(session, ApprovalKind.START, reasons, details, submission.who, None)
    row.submission_id = submission.id
    session.add(row)
    session.flush()


def _add(
    session: Session,
    kind: ApprovalKind,
    reasons: Sequence[ApprovalReason],
    details: Mapping[str, JsonValue],
    asked_by: str,
    cost: float | None,
) -> ApprovalTable:
    return ApprovalTable(
        id=new_id("apr"),
        kind=kind.value,
        reasons=[one.to_json() for one in reasons],
        details=dict(details),
        cost=cost,
        status=ApprovalStatus.WAITING.value,
        asked_by=asked_by,
    )


def _one(session: Session, condition: Any) -> ApprovalTable | None:
    return session.exec(select(ApprovalTable).where(condition)).first()


def _find(session: Session, approval_id: str) -> ApprovalTable:
    if not approval_id.isalnum() and not approval_id.replace("_", "").isalnum():
        approval_id = ""  # no number is like this, and not every database takes such a question
    query = select(ApprovalTable).where(col(ApprovalTable.id).endswith(approval_id, autoescape=True))
    rows = session.exec(query).all()
    if len(rows) == 1:
        return rows[0]
    if not rows or not approval_id:
        raise BadInput(
            f"Nothing of the number {approval_id!r} waits for a person.",
            way_out="See what does with: drywet approve list",
        )
    raise BadInput(f"{len(rows)} requests end in {approval_id!r}.", way_out="Give more of its number.")


def _to_decide(session: Session, approval_id: str, who: str, expected_version: int | None) -> ApprovalTable:
    refuse_silence(who)
    row = _find(session, approval_id)
    if row.status != ApprovalStatus.WAITING:
        by = f" by {row.decided_by}" if row.decided_by else ""
        raise BadInput(
            f"This was {row.status}{by} already.", way_out="What was decided stays so.", field="status"
        )
    if expected_version is not None and values.approval(row).version != expected_version:
        raise BadInput("The batch was changed meanwhile.", way_out="Look at it again.", field="version")
    return row


def _decided(session: Session, row: ApprovalTable, status: ApprovalStatus, who: str, why: str) -> Approval:
    row.status, row.decided_by, row.why = status.value, who, why.strip()
    row.decided_utc = datetime.now(UTC)
    session.add(row)
    if row.batch_id is not None:
        number = session.get_one(BatchTable, row.batch_id).number
        told = f": {row.why}" if row.why else "."
        by = f"{who} {status} batch {number}" if who else f"The request for batch {number} was {status}"
        _log(session, row, f"{by}{told}")
    session.flush()
    return values.approval(row)


def _open_experiments(
    session: Session, row: ApprovalTable, waived: Collection[str] = ()
) -> list[ExperimentTable]:
    """What of the batch is left to decide, less what is waived by the way.

    Raises:
        BadInput: one that is to be waived is none of the batch.
    """
    query = select(ExperimentTable).where(
        ExperimentTable.batch_id == row.batch_id, col(ExperimentTable.waived).is_(False)
    )
    found = session.exec(query.order_by(col(ExperimentTable.number))).all()
    strange = sorted(set(waived) - {one.id for one in found})
    if strange:
        raise BadInput(f"{strange[0]} is no experiment of this batch.", field="experiment")
    _waive(session, [one for one in found if one.id in waived])
    return [one for one in found if one.id not in waived]


def _waive(session: Session, rows: Sequence[ExperimentTable]) -> None:
    """Abandon experiments of which nothing was done, at no cost."""
    set_status(session, {one.id: ExperimentStatus.ABANDONED for one in rows})
    for one in rows:
        one.waived = True
        session.add(one)


def _settle_submission(
    session: Session, approval: ApprovalTable, status: SubmissionStatus, sentence: str
) -> None:
    row = session.exec(select(SubmissionTable).where(SubmissionTable.id == approval.submission_id)).one()
    if row.status != SubmissionStatus.WAITING:
        raise BadInput(
            f"{row.name} is {row.status} and waits for nobody.", way_out="Look at the queue.", field="status"
        )
    row.status, row.sentence = status.value, sentence
    row.version += 1
    session.add(row)


def _refuse_parts(left_out: Collection[str]) -> None:
    if left_out:
        raise BadInput("A campaign that was not started has no experiments to leave out.", field="left_out")


def _log(session: Session, row: ApprovalTable, sentence: str, lab_time_s: float | None = None) -> None:
    if row.campaign_id is None:
        return  # a submission is no campaign yet
    session.add(
        EventTable(
            campaign_id=row.campaign_id,
            kind="approval",
            sentence=sentence,
            lab_time_s=lab_time_s,
            details={"approval": row.id, "status": row.status},
        )
    )
