r"""The step journal: what is about to be done, what was sent, and what came of it.

::

    INTENT -> DISPATCHED -> DONE | FAILED | UNKNOWN
       \-> FAILED                          UNKNOWN -> DONE | FAILED

What stands at INTENT was certainly not sent; a step that fails there was never sent either. UNKNOWN is settled by asking
the instrument or a person. Every call is one transaction, on the disk (fsync) when it returns. This is the store's hot
path: Core statements compiled once, on the one connection, no ORM.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, func, insert, select, update

from lab.errors import ProtocolDiverged, RunHeld
from lab.store import values
from lab.store.database import Database, Part
from lab.store.tables import RunTable, StepTable, now
from lab.types import JsonValue, Step, StepStatus, new_id

__all__ = ["Journal"]

_STEP: Table = StepTable.__table__  # type: ignore[attr-defined]  # SQLModel makes it, its types do not say so
_RUN: Table = RunTable.__table__  # type: ignore[attr-defined]  # the same

_COUNT = _STEP.alias("count")
_NEXT_COMPLETION = (
    select(func.coalesce(func.max(_COUNT.c.completion), 0) + 1)
    .where(_COUNT.c.bench_id == _STEP.c.bench_id)
    .scalar_subquery()
)

_ENDINGS: dict[StepStatus, tuple[StepStatus, ...]] = {
    StepStatus.DONE: (StepStatus.DISPATCHED, StepStatus.UNKNOWN),
    StepStatus.FAILED: (StepStatus.INTENT, StepStatus.DISPATCHED, StepStatus.UNKNOWN),
    StepStatus.UNKNOWN: (StepStatus.DISPATCHED,),
}
"""How a step can end -> where it may stand before."""


def _bind(name: str, like: Any) -> Any:
    return bindparam(name, type_=like.type)


_BY_ID = select(_STEP).where(_STEP.c.id == _bind("of_id", _STEP.c.id))
_OF_PLACE = (
    select(_STEP)
    .where(_STEP.c.run_id == _bind("of_run", _STEP.c.run_id))
    .where(_STEP.c.branch == _bind("of_branch", _STEP.c.branch))
    .where(_STEP.c.ordinal == _bind("of_ordinal", _STEP.c.ordinal))
)
_LAST_TRY = _OF_PLACE.order_by(_STEP.c.attempt_number.desc()).limit(1)
_OF_RUN = select(_STEP).where(_STEP.c.run_id == _bind("of_run", _STEP.c.run_id)).order_by(_STEP.c.number)
_DONE_SINCE = (
    select(_STEP)
    .where(_STEP.c.bench_id == _bind("of_bench", _STEP.c.bench_id))
    .where(_STEP.c.completion > _bind("sequence", _STEP.c.completion))
    .order_by(_STEP.c.completion)
)
_LAST_COMPLETION = select(func.coalesce(func.max(_STEP.c.completion), 0)).where(
    _STEP.c.bench_id == _bind("of_bench", _STEP.c.bench_id)
)
_BENCH_OF_RUN = select(_RUN.c.bench_id).where(_RUN.c.id == _bind("of_run", _RUN.c.id))
_INSERT = insert(_STEP)
_BEGIN_AGAIN = (
    update(_STEP)
    .where(_STEP.c.id == _bind("of_id", _STEP.c.id))
    .values(
        status=_bind("new_status", _STEP.c.status),
        begun_lab_s=_bind("begun", _STEP.c.begun_lab_s),
        intent_utc=_bind("moment", _STEP.c.intent_utc),
        dispatched_utc=_bind("sent", _STEP.c.dispatched_utc),
    )
)
_DISPATCH = (
    update(_STEP)
    .where(_STEP.c.id == _bind("of_id", _STEP.c.id))
    .where(_STEP.c.status == StepStatus.INTENT.value)
    .values(status=StepStatus.DISPATCHED.value, dispatched_utc=_bind("moment", _STEP.c.dispatched_utc))
)


def _ending(status: StepStatus) -> Any:
    changes: dict[str, Any] = {
        "status": _bind("new_status", _STEP.c.status),
        "result": _bind("new_result", _STEP.c.result),
        "error": _bind("new_error", _STEP.c.error),
        "ended_lab_s": _bind("ended", _STEP.c.ended_lab_s),
        "ended_utc": _bind("moment", _STEP.c.ended_utc),
    }
    if status is StepStatus.DONE:
        changes["completion"] = _NEXT_COMPLETION
    return (
        update(_STEP)
        .where(_STEP.c.id == _bind("of_id", _STEP.c.id))
        .where(_STEP.c.status.in_([s.value for s in _ENDINGS[status]]))
        .values(changes)
        .returning(_STEP.c.completion)
    )


_END = {status: _ending(status) for status in _ENDINGS}


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
            numbered try after one that failed. Or the DONE step of an earlier stretch, unchanged: send nothing.

        Raises:
            ProtocolDiverged: the journal holds another step at this place.
            RunHeld: the step was sent, and what came of it is not known.
            ValueError: no such run.
            StoreUnusable: not written; send nothing.
        """
        status = StepStatus.DISPATCHED if dispatch else StepStatus.INTENT
        with self._database.writing() as connection:
            last = connection.execute(
                _LAST_TRY, {"of_run": run_id, "of_branch": branch, "of_ordinal": ordinal}
            ).first()
            if last is not None:
                _refuse_other_step(last, key, action, run_id)
                if last.status == StepStatus.DONE:
                    return values.step(last)
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
                "begun_lab_s": lab_time_s,
                "intent_utc": (moment := now()),
                "dispatched_utc": moment if dispatch else None,
            }
            connection.execute(_INSERT, fresh)
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

    def dispatch_step(self, step_id: str) -> None:
        """Write that the step is being sent. When this returns it is on the disk, and the first byte may go out.

        Raises:
            ValueError: the step does not stand at INTENT.
            StoreUnusable: not written; send nothing.
        """
        with self._database.writing() as connection:
            written = connection.execute(_DISPATCH, {"of_id": step_id, "moment": now()})
            if written.rowcount != 1:
                raise _illegal(connection, step_id, StepStatus.DISPATCHED)

    def end_step(
        self, step_id: str, status: StepStatus, result: JsonValue, error: str, lab_time_s: float
    ) -> int | None:
        """Write what came of a step.

        Args:
            status: DONE, FAILED or UNKNOWN.
            result: what the action gave back, when DONE.
            error: a sentence, unless DONE.
            lab_time_s: now.

        Returns:
            For DONE its completion: a number that grows with each step done on this bench, whatever its run.

        Raises:
            ValueError: the step cannot end so from where it stands.
            StoreUnusable: not written.
        """
        if status not in _ENDINGS:
            raise ValueError(f"a step does not end as {status}")
        done = status is StepStatus.DONE
        outcome = {
            "of_id": step_id,
            "new_status": status.value,
            "new_result": result if done else None,
            "new_error": "" if done else error,
            "ended": lab_time_s,
            "moment": now(),
        }
        with self._database.writing() as connection:
            written = connection.execute(_END[status], outcome).first()
            if written is None:
                raise _illegal(connection, step_id, status)
            return None if written.completion is None else int(written.completion)

    def steps(self, run_id: str) -> tuple[Step, ...]:
        """All steps of a run in the order in which they were begun, every try of them."""
        with self._database.reading() as connection:
            return tuple(values.step(row) for row in connection.execute(_OF_RUN, {"of_run": run_id}))

    def done_steps_since(self, bench_id: str, sequence: int) -> tuple[Step, ...]:
        """Steps done on a bench with a completion past ``sequence``, in the order in which they ended, across runs."""
        with self._database.reading() as connection:
            rows = connection.execute(_DONE_SINCE, {"of_bench": bench_id, "sequence": sequence})
            return tuple(values.step(row) for row in rows)

    def last_completion(self, bench_id: str) -> int:
        """The completion of the step that ended last on a bench; 0 before the first."""
        with self._database.reading() as connection:
            return int(connection.execute(_LAST_COMPLETION, {"of_bench": bench_id}).scalar_one())

    def _bench_of(self, connection: Connection, run_id: str) -> str:
        """A run never changes its bench, so it is looked up once."""
        bench_id = self._bench_of_run.get(run_id)
        if bench_id is None:
            bench_id = connection.execute(_BENCH_OF_RUN, {"of_run": run_id}).scalar_one_or_none()
            if bench_id is None:
                raise ValueError(f"no run {run_id}")
            self._bench_of_run[run_id] = bench_id
        return bench_id

    def _begin_again(
        self, connection: Connection, step_id: str, status: StepStatus, lab_time_s: float
    ) -> Step:
        moment = now()
        connection.execute(
            _BEGIN_AGAIN,
            {
                "of_id": step_id,
                "new_status": status.value,
                "begun": lab_time_s,
                "moment": moment,
                "sent": moment if status is StepStatus.DISPATCHED else None,
            },
        )
        return values.step(connection.execute(_BY_ID, {"of_id": step_id}).one())


def _refuse_other_step(last: Row[Any], key: str, action: str, run_id: str) -> None:
    if last.key != key:
        raise ProtocolDiverged(
            f"Step {last.ordinal} of branch {last.branch} of {run_id} was {last.action} ({last.key}), "
            f"but the plan now asks for {action} ({key})."
        )
    if last.status in (StepStatus.DISPATCHED, StepStatus.UNKNOWN):
        raise RunHeld(
            f"Step {last.ordinal} ({last.action} on {last.device}) of {run_id} was sent, and what came of it is not known. "
            "Look at the bench before anything else."
        )


def _illegal(connection: Connection, step_id: str, wanted: StepStatus) -> ValueError:
    found = connection.execute(_BY_ID, {"of_id": step_id}).first()
    if found is None:
        return ValueError(f"no step {step_id}")
    return ValueError(f"step {step_id} stands at {found.status} and cannot become {wanted}")
