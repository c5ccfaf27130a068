"""The statements of the step journal, compiled once: Core, no ORM, for every step of every run waits for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, Update, bindparam, func, insert, null, or_, select, union_all, update

from lab.recovery import Recovery
from lab.store.tables import CampaignTable, EventTable, MarkTable, RunTable, StepTable
from lab.types import RunStatus, StepStatus

__all__ = [
    "BEGIN_AGAIN",
    "BENCH_OF_RUN",
    "BY_ID",
    "DECIDE",
    "DISPATCH",
    "END",
    "ENDINGS",
    "INSERT",
    "LAST_COMPLETION",
    "LAST_LAB_TIME",
    "LAST_TOKEN",
    "LAST_TRY",
    "MARK",
    "MARKS",
    "OF_RUN",
    "OPEN",
    "SETTLED_SINCE",
    "STEP",
]

STEP: Table = StepTable.__table__  # type: ignore[attr-defined]  # SQLModel makes it, its types do not say so
_RUN: Table = RunTable.__table__  # type: ignore[attr-defined]  # the same
_MARK: Table = MarkTable.__table__  # type: ignore[attr-defined]  # the same
_EVENT: Table = EventTable.__table__  # type: ignore[attr-defined]  # the same
_CAMPAIGN: Table = CampaignTable.__table__  # type: ignore[attr-defined]  # the same

ENDINGS: dict[StepStatus, tuple[StepStatus, ...]] = {
    StepStatus.DONE: (StepStatus.DISPATCHED, StepStatus.UNKNOWN),
    StepStatus.FAILED: (StepStatus.INTENT, StepStatus.DISPATCHED, StepStatus.UNKNOWN),
    StepStatus.UNKNOWN: (StepStatus.DISPATCHED,),
}
"""How a step can end -> where it may stand before."""


def _bind(name: str, like: Any) -> Any:
    return bindparam(name, type_=like.type)


BY_ID = select(STEP).where(STEP.c.id == _bind("of_id", STEP.c.id))
LAST_TRY = (
    select(STEP)
    .where(STEP.c.run_id == _bind("of_run", STEP.c.run_id))
    .where(STEP.c.branch == _bind("of_branch", STEP.c.branch))
    .where(STEP.c.ordinal == _bind("of_ordinal", STEP.c.ordinal))
    .order_by(STEP.c.attempt_number.desc())
    .limit(1)
)
OF_RUN = select(STEP).where(STEP.c.run_id == _bind("of_run", STEP.c.run_id)).order_by(STEP.c.number)
SETTLED_SINCE = (
    select(STEP)
    .where(STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id))
    .where(STEP.c.completion > _bind("sequence", STEP.c.completion))
    .order_by(STEP.c.completion)
)
OPEN = (
    select(STEP)
    .join(_RUN, _RUN.c.id == STEP.c.run_id)
    .where(STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id))
    .where(_RUN.c.status.not_in([RunStatus.DONE.value, RunStatus.ABANDONED.value]))
    .where(
        or_(
            STEP.c.status == StepStatus.DISPATCHED.value,
            (STEP.c.status == StepStatus.UNKNOWN.value) & STEP.c.recovery.in_(["", Recovery.HOLD.value]),
        )
    )
    .order_by(STEP.c.number)
)
LAST_COMPLETION = select(func.coalesce(func.max(STEP.c.completion), 0)).where(
    STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id)
)
_LAB_TIMES = union_all(
    select(func.coalesce(STEP.c.ended_lab_s, STEP.c.begun_lab_s).label("at_s")).where(
        STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id)
    ),
    select(_MARK.c.lab_time_s)
    .join(STEP, STEP.c.id == _MARK.c.step_id)
    .where(STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id)),
    select(_EVENT.c.lab_time_s)
    .join(_CAMPAIGN, _CAMPAIGN.c.id == _EVENT.c.campaign_id)
    .where(_CAMPAIGN.c.bench_id == _bind("of_bench", STEP.c.bench_id)),
).subquery()
LAST_LAB_TIME = select(func.coalesce(func.max(_LAB_TIMES.c.at_s), 0.0))
LAST_TOKEN = select(func.coalesce(func.max(STEP.c.token), 0)).where(
    STEP.c.bench_id == _bind("of_bench", STEP.c.bench_id)
)
BENCH_OF_RUN = select(_RUN.c.bench_id).where(_RUN.c.id == _bind("of_run", _RUN.c.id))

INSERT = insert(STEP)
BEGIN_AGAIN = (
    update(STEP)
    .where(STEP.c.id == _bind("of_id", STEP.c.id))
    .values(
        status=_bind("new_status", STEP.c.status),
        begun_lab_s=_bind("begun", STEP.c.begun_lab_s),
        intent_utc=_bind("moment", STEP.c.intent_utc),
        dispatched_utc=_bind("sent", STEP.c.dispatched_utc),
    )
)
DISPATCH = (
    update(STEP)
    .where(STEP.c.id == _bind("of_id", STEP.c.id))
    .where(STEP.c.status == StepStatus.INTENT.value)
    .values(
        status=StepStatus.DISPATCHED.value,
        token=_bind("lease", STEP.c.token),
        dispatched_utc=_bind("moment", STEP.c.dispatched_utc),
    )
)
DECIDE = (
    update(STEP)
    .where(STEP.c.id == _bind("of_id", STEP.c.id))
    .where(STEP.c.status == _bind("stands", STEP.c.status))
    .values(recovery=_bind("decided", STEP.c.recovery))
)

MARK = (
    insert(_MARK)
    .from_select(
        ["step_id", "name", "details", "lab_time_s", "utc"],
        select(
            STEP.c.id,
            _bind("part_name", _MARK.c.name),
            _bind("part_details", _MARK.c.details),
            _bind("at", _MARK.c.lab_time_s),
            _bind("moment", _MARK.c.utc),
        )
        .where(STEP.c.id == _bind("of_id", STEP.c.id))
        .where(STEP.c.status == StepStatus.DISPATCHED.value),
        include_defaults=False,
    )
    .execution_options(preserve_rowcount=True)
)
MARKS = select(_MARK).where(_MARK.c.step_id == _bind("of_id", _MARK.c.step_id)).order_by(_MARK.c.number)

_COUNT = STEP.alias("count")
_NEXT_COMPLETION = (
    select(func.coalesce(func.max(_COUNT.c.completion), 0) + 1)
    .where(_COUNT.c.bench_id == STEP.c.bench_id)
    .scalar_subquery()
)


def _ending(status: StepStatus, counted: bool) -> Update:
    return (
        update(STEP)
        .where(STEP.c.id == _bind("of_id", STEP.c.id))
        .where(STEP.c.status.in_([before.value for before in ENDINGS[status]]))
        .values(
            status=_bind("new_status", STEP.c.status),
            result=_bind("new_result", STEP.c.result),
            error=_bind("new_error", STEP.c.error),
            fault=_bind("new_fault", STEP.c.fault),
            part=_bind("new_part", STEP.c.part),
            ended_lab_s=_bind("ended", STEP.c.ended_lab_s),
            ended_utc=_bind("moment", STEP.c.ended_utc),
            # Settled later, an UNKNOWN step keeps its place: what others did since, they did with that step behind them.
            completion=func.coalesce(STEP.c.completion, _NEXT_COMPLETION) if counted else null(),
        )
        .returning(STEP.c.completion, STEP.c.bench_id, STEP.c.run_id)
    )


END = {
    (StepStatus.DONE, True): _ending(StepStatus.DONE, True),
    (StepStatus.UNKNOWN, True): _ending(StepStatus.UNKNOWN, True),
    (StepStatus.FAILED, True): _ending(StepStatus.FAILED, True),
    (StepStatus.FAILED, False): _ending(StepStatus.FAILED, False),
}
"""How a step ends, and whether that changes what is believed of the bench."""
