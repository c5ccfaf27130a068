r"""The step journal: what is about to be done, what was sent, and what came of it.

::

    INTENT -> DISPATCHED -> DONE | FAILED | UNKNOWN
       \-> FAILED                          UNKNOWN -> DONE | FAILED

What stands at INTENT was certainly not sent; a step that fails there was never sent either. UNKNOWN is settled by asking
the instrument or a person. Before each part of a step that changes the world a mark is written; the last one tells what
was in the air. What changes the belief (DONE, UNKNOWN, FAILED with a part) is numbered in the order of ending; who settles
an UNKNOWN step leaves it in its place. Every call is one transaction, on the disk (fsync) when it returns. This is the
store's hot path: Core statements compiled once, on the one connection, no ORM.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row

from lab.errors import ProtocolDiverged, RunHeld
from lab.interfaces import Place
from lab.recovery import AFTER_UNKNOWN, Recovery
from lab.store import lookup, values
from lab.store import statements as sql
from lab.store.database import Database, Part
from lab.store.quarantine import bar_rows
from lab.store.tables import now
from lab.types import JsonValue, Mark, Step, StepStatus, new_id

__all__ = ["Journal"]

_BY_THE_ENGINE = "drywet"
"""Who bars what a step leaves in doubt."""

_NO_BARS: Mapping[Place, str] = MappingProxyType({})


class Journal(Part):
    """The part of :class:`lab.store.Store` that keeps steps. Any thread."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._bench_of_run: dict[str, str] = {}

    def begin_step(
        self,
        run_id: str,
        key: str,
        branch: str,
        ordinal: int,
        action: str,
        device: str,
        arguments: JsonValue,
        lab_time_s: float,
        *,
        dispatch: bool = False,
    ) -> Step:
        """Write the intent to do a step, or find that it is done.

        Args:
            run_id: of the run whose plan asks for it.
            key: the same for the same action at the same place of a resumed plan.
            branch: of the plan; with ``ordinal`` it is the step's place.
            lab_time_s: now.
            dispatch: write DISPATCHED at once, in the same commit, for a caller that prepares nothing between the two. The
                guarantee is kept: no row, like INTENT, means that nothing was sent, since the caller sends only after this
                returns; and a row that says DISPATCHED before the first byte went out is what DISPATCHED means.

        Returns:
            The step to do, at INTENT (or DISPATCHED): a new one, the one that an interruption left at INTENT, or the next
            numbered try after one that failed. Or, unchanged, the step of an earlier stretch that is DONE or that was given
            up (FAILED or UNKNOWN, decided ``skip_sample``): send nothing.

        Raises:
            ProtocolDiverged: the journal holds another step at this place.
            RunHeld: the step was sent, and what came of it is not known.
            ValueError: no such run.
            StoreUnusable: not written; send nothing.
        """
        status = StepStatus.DISPATCHED if dispatch else StepStatus.INTENT
        with self._database.writing() as connection:
            last = connection.execute(
                sql.LAST_TRY, {"of_run": run_id, "of_branch": branch, "of_ordinal": ordinal}
            ).first()
            if last is not None:
                _refuse_other_step(last, key, action, run_id)
                if last.status == StepStatus.DONE or last.recovery == Recovery.SKIP_SAMPLE:
                    return values.step(last)
                _refuse_unknown(last, run_id)
                if last.status == StepStatus.INTENT:
                    return self._begin_again(connection, last.id, status, lab_time_s)
            fresh = {
                "id": new_id("stp"),
                "run_id": run_id,
                "bench_id": self._bench_of(connection, run_id),
                "key": key,
                "branch": branch,
                "ordinal": ordinal,
                "attempt_number": 1 if last is None else last.attempt_number + 1,
                "action": action,
                "device": device,
                "arguments": arguments,
                "status": status.value,
                "error": "",
                "fault": "",
                "recovery": "",
                "token": 0,
                "begun_lab_s": lab_time_s,
                "intent_utc": (moment := now()),
                "dispatched_utc": moment if dispatch else None,
            }
            connection.execute(sql.INSERT, fresh)
        return Step(
            id=fresh["id"],
            run_id=run_id,
            key=key,
            branch=branch,
            ordinal=ordinal,
            action=action,
            device=device,
            arguments=arguments,
            status=status,
            attempt_number=fresh["attempt_number"],
            begun_lab_s=lab_time_s,
        )

    def dispatch_step(self, step_id: str, token: int = 0) -> None:
        """Write that the step is being sent. When this returns it is on the disk, and the first byte may go out.

        Args:
            token: fencing token of the lease that it is sent under.

        Raises:
            ValueError: the step does not stand at INTENT.
            StoreUnusable: not written; send nothing.
        """
        with self._database.writing() as connection:
            written = connection.execute(sql.DISPATCH, {"of_id": step_id, "lease": token, "moment": now()})
            if written.rowcount != 1:
                raise _illegal(connection, step_id, StepStatus.DISPATCHED)

    def mark_step(self, step_id: str, name: str, details: JsonValue, lab_time_s: float) -> None:
        """Write how far a step has got. When this returns it is on the disk, and the part may be sent.

        Args:
            name: of the part that is sent next.
            details: what the driver wants to know of it after a crash.
            lab_time_s: now.

        Raises:
            ValueError: the step is not in the air (any more); send nothing.
            StoreUnusable: not written; send nothing.
        """
        mark = {
            "of_id": step_id,
            "part_name": name,
            "part_details": details,
            "at": lab_time_s,
            "moment": now(),
        }
        with self._database.writing() as connection:
            if connection.execute(sql.MARK, mark).rowcount != 1:
                found = connection.execute(sql.BY_ID, {"of_id": step_id}).first()
                stands = f"there is no step {step_id}" if found is None else f"{step_id} is {found.status}"
                raise ValueError(f"{name} cannot be marked: {stands}")

    def marks(self, step_id: str) -> tuple[Mark, ...]:
        """How far a step had got, oldest first."""
        with self._database.reading() as connection:
            return tuple(
                Mark(name=row.name, details=row.details, lab_time_s=row.lab_time_s)
                for row in connection.execute(sql.MARKS, {"of_id": step_id})
            )

    def end_step(
        self,
        step_id: str,
        status: StepStatus,
        result: JsonValue,
        error: str,
        lab_time_s: float,
        *,
        fault: str = "",
        part: JsonValue = None,
        bars: Mapping[Place, str] = _NO_BARS,
    ) -> int | None:
        """Write what came of a step, and in the same transaction what must not be used because of it.

        An UNKNOWN step is settled with the same call: the new part takes the place of the old one, and the new completion
        (or none) that of the old one, so whoever keeps a belief works it out again from the first snapshot.

        Args:
            status: DONE, FAILED or UNKNOWN.
            result: what the action gave back, when DONE.
            error: a sentence, unless DONE.
            lab_time_s: now.
            fault: kind of the fault that it ended with, or that a DONE one remarks.
            part: what a step that is not DONE has used up or done all the same.
            bars: place -> why what is there must not be used from here on.

        Returns:
            Its completion, when it is DONE, UNKNOWN, or FAILED with a part: larger than that of any step that ended before
            it on this bench, whatever its run. One that was UNKNOWN keeps the completion that it had.

        Raises:
            ValueError: the step cannot end so from where it stands.
            StoreUnusable: not written.
        """
        if status not in sql.ENDINGS:
            raise ValueError(f"a step does not end as {status}")
        done = status is StepStatus.DONE
        counted = status is not StepStatus.FAILED or part is not None
        outcome = {
            "of_id": step_id,
            "new_status": status.value,
            "new_result": result if done else None,
            "new_error": "" if done else error,
            "new_fault": str(fault),
            "new_part": None if done else part,
            "ended": lab_time_s,
            "moment": now(),
        }
        with self._database.writing() as connection:
            written = connection.execute(sql.END[status, counted], outcome).first()
            if written is None:
                raise _illegal(connection, step_id, status)
            if bars:
                bar_rows(
                    connection,
                    written.bench_id,
                    bars,
                    who=_BY_THE_ENGINE,
                    run_id=written.run_id,
                    step_id=step_id,
                    lab_time_s=lab_time_s,
                )
            return None if written.completion is None else int(written.completion)

    def decide_step(self, step_id: str, recovery: str) -> None:
        """Write what is done about a step that FAILED or whose outcome is UNKNOWN; a later decision replaces an earlier one.

        Args:
            recovery: a :class:`lab.recovery.Recovery`; for an UNKNOWN step one of those that do not do it again.

        Raises:
            ValueError: no such recovery, or the step does not stand where it could be decided about.
        """
        decided = Recovery(recovery)
        with self._database.writing() as connection:
            found = connection.execute(sql.BY_ID, {"of_id": step_id}).first()
            if found is None:
                raise ValueError(f"no step {step_id}")
            if found.status not in (StepStatus.FAILED, StepStatus.UNKNOWN):
                raise ValueError(
                    f"step {step_id} stands at {found.status}: nothing is to be decided about it"
                )
            if found.status == StepStatus.UNKNOWN and decided not in AFTER_UNKNOWN:
                raise ValueError(f"nobody knows whether step {step_id} was done: it is not for {decided}")
            connection.execute(
                sql.DECIDE, {"of_id": step_id, "stands": found.status, "decided": decided.value}
            )

    def step(self, step_id: str) -> Step:
        """A step by its identifier, or by enough characters of its beginning or end that no other has them.

        Raises:
            BadInput: no such step, or more than one.
        """
        way_out = "`drywet status CAMPAIGN` names the steps that wait for a person."
        with self._database.reading() as connection:
            return values.step(lookup.find(connection, sql.STEP, step_id, "step", way_out))

    def steps(self, run_id: str) -> tuple[Step, ...]:
        """All steps of a run in the order in which they were begun, every try of them."""
        with self._database.reading() as connection:
            return tuple(values.step(row) for row in connection.execute(sql.OF_RUN, {"of_run": run_id}))

    def settled_steps_since(self, bench_id: str, sequence: int) -> tuple[Step, ...]:
        """Steps that changed what is believed of a bench, in the order in which they ended, across runs.

        DONE, UNKNOWN, and FAILED with a part.

        Args:
            sequence: only those with a completion past it.
        """
        with self._database.reading() as connection:
            rows = connection.execute(sql.SETTLED_SINCE, {"of_bench": bench_id, "sequence": sequence})
            return tuple(values.step(row) for row in rows)

    def open_steps(self, bench_id: str) -> tuple[Step, ...]:
        """Steps on a bench that were sent and of which nobody has said what came of them, in the order of beginning.

        DISPATCHED ones, and UNKNOWN ones about which nothing was decided but to wait for a person, of all runs that are
        neither done nor abandoned.
        """
        with self._database.reading() as connection:
            return tuple(values.step(row) for row in connection.execute(sql.OPEN, {"of_bench": bench_id}))

    def last_completion(self, bench_id: str) -> int:
        """The completion of the step that ended last on a bench; 0 before the first."""
        with self._database.reading() as connection:
            return int(connection.execute(sql.LAST_COMPLETION, {"of_bench": bench_id}).scalar_one())

    def last_token(self, bench_id: str) -> int:
        """The largest fencing token that a step of a bench was sent under; 0 before the first."""
        with self._database.reading() as connection:
            return int(connection.execute(sql.LAST_TOKEN, {"of_bench": bench_id}).scalar_one())

    def last_lab_time(self, bench_id: str) -> float:
        """The latest lab time, in seconds, that is written of a bench: by a step, a mark or an event; 0 before the first."""
        with self._database.reading() as connection:
            return float(connection.execute(sql.LAST_LAB_TIME, {"of_bench": bench_id}).scalar_one())

    def _bench_of(self, connection: Connection, run_id: str) -> str:
        """A run never changes its bench, so it is looked up once."""
        bench_id = self._bench_of_run.get(run_id)
        if bench_id is None:
            bench_id = connection.execute(sql.BENCH_OF_RUN, {"of_run": run_id}).scalar_one_or_none()
            if bench_id is None:
                raise ValueError(f"no run {run_id}")
            self._bench_of_run[run_id] = bench_id
        return bench_id

    def _begin_again(
        self, connection: Connection, step_id: str, status: StepStatus, lab_time_s: float
    ) -> Step:
        moment = now()
        connection.execute(
            sql.BEGIN_AGAIN,
            {
                "of_id": step_id,
                "new_status": status.value,
                "begun": lab_time_s,
                "moment": moment,
                "sent": moment if status is StepStatus.DISPATCHED else None,
            },
        )
        return values.step(connection.execute(sql.BY_ID, {"of_id": step_id}).one())


def _refuse_other_step(last: Row[Any], key: str, action: str, run_id: str) -> None:
    if last.key != key:
        raise ProtocolDiverged(
            f"Step {last.ordinal} of branch {last.branch} of {run_id} was {last.action} ({last.key}), "
            f"but the plan now asks for {action} ({key})."
        )


def _refuse_unknown(last: Row[Any], run_id: str) -> None:
    if last.status in (StepStatus.DISPATCHED, StepStatus.UNKNOWN):
        raise RunHeld(
            f"Step {last.ordinal} ({last.action} on {last.device}) of {run_id} was sent, and what came of it is not known. "
            f"Look at the bench, then say what came of it: drywet resolve {last.id} --as done|not-done|discard."
        )


def _illegal(connection: Connection, step_id: str, wanted: StepStatus) -> ValueError:
    found = connection.execute(sql.BY_ID, {"of_id": step_id}).first()
    if found is None:
        return ValueError(f"no step {step_id}")
    return ValueError(f"step {step_id} stands at {found.status} and cannot become {wanted}")
