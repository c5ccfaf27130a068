"""Was anything lost, or done twice? Store and ledger, which know nothing of each other, held against one another.

Every check gives a sentence for each thing that must not be; none of them takes the store's word for what was done, nor the
ledger's for what was meant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.types import CampaignStatus, RunStatus
from tests.crash.check_belief import at_rest, belief_is_not_optimistic, unknowns_are_told
from tests.crash.check_results import experiments_are_asked_for_once, results_are_what_was_read
from tests.crash.check_steps import no_action_twice_and_none_lost, nothing_outside_steps, runs_are_whole
from tests.crash.evidence import Evidence

__all__ = ["DRYING_SHARE", "Row", "judge", "table_of", "undisturbed"]

DRYING_SHARE = 0.002
"""What a value may differ by because plates stood a while longer until the instruments were there again."""

NOISE_SD = 6.0
"""Where an instrument's actions are counted otherwise (a tip more, a drawer put out), its noise is another draw: this many
standard errors, those of both values taken together."""

NOISE_FLOOR = 0.02
"""Of a value, beside that: with two replicates a standard error is itself no more than a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment in the final table.

    Args:
        value, standard_error: None where it has none.
        run_attempt: of the run that it was measured in; 0 where it was not.
        spoilt: whether one of its wells, or of its controls, is barred.
    """

    candidate: str
    batch: int
    sentence: str
    status: str
    value: float | None
    standard_error: float | None
    ok: bool
    run_attempt: int
    spoilt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """What the campaign comes to when it is left alone.

    Args:
        table: its rows, in the order of asking.
        actions: batch number -> verbs of the run's steps, in order.
        strokes: what handler and reader did, in order; their noise hangs on it.
    """

    table: list[dict[str, Any]]
    actions: dict[str, list[str]]
    strokes: list[Any]


def undisturbed(seen: Evidence) -> dict[str, Any]:
    """What :func:`judge` compares other cases of the same campaign with."""
    return asdict(
        Undisturbed(
            table=[asdict(row) for row in table_of(seen)],
            actions={str(one.batch_number): [s.action for s in seen.steps[one.run.id]] for one in seen.runs},
            strokes=_strokes(seen),
        )
    )


def judge(seen: Evidence, reference: Mapping[str, Any] | None) -> list[str]:
    """All that must not be, a sentence each.

    Args:
        reference: what :func:`undisturbed` gave for the same campaign; None for that campaign itself.
    """
    checks = [
        nothing_outside_steps(seen),
        no_action_twice_and_none_lost(seen),
        runs_are_whole(seen),
        experiments_are_asked_for_once(seen),
        results_are_what_was_read(seen),
        unknowns_are_told(seen),
        belief_is_not_optimistic(seen),
        at_rest(seen),
    ]
    if reference is not None:
        checks.append(_as_undisturbed(seen, Undisturbed(**reference)))
    return [sentence for check in checks for sentence in check]


def table_of(seen: Evidence) -> list[Row]:
    """The final table, in the order of asking."""
    number = {e.id: batch.number for batch in seen.batches for e in batch.experiments}
    attempt = {one.run.id: one.run.attempt for one in seen.runs}
    wells = _wells_of_experiments(seen)
    found = {o.experiment_id: o for o in seen.history.observations}
    rows = []
    for experiment in seen.history.experiments:
        observation = found.get(experiment.id)
        run_id = "" if observation is None else observation.run_id
        controls = wells.get((run_id, ""), [])
        mine = [*wells.get((run_id, experiment.id), []), *controls]
        rows.append(
            Row(
                candidate=experiment.candidate.id,
                batch=number[experiment.id],
                sentence=experiment.reason.sentence,
                status=str(experiment.status),
                value=None if observation is None else _or_none(observation.value),
                standard_error=None if observation is None else _or_none(observation.standard_error),
                ok=observation is not None and observation.quality.ok,
                run_attempt=attempt.get(run_id, 0),
                spoilt=any(seen.is_barred(*place) for place in mine),
            )
        )
    return rows


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _wells_of_experiments(seen: Evidence) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """(run, experiment) -> wells; those of controls under an empty experiment."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in seen.runs:
        for use in one.run.layout.wells:
            found.setdefault((one.run.id, use.experiment_id), []).append((use.labware, use.well))
    return found


def _strokes(seen: Evidence) -> list[Any]:
    return [
        [act.instrument, act.action, act.arguments]
        for act in seen.acts
        if act.instrument in ("handler", "reader")
    ]


def _as_undisturbed(seen: Evidence, reference: Undisturbed) -> Iterator[str]:
    if seen.record.status is not CampaignStatus.FINISHED:
        return
    alike = _strokes(seen) == reference.strokes
    for row, other in zip(table_of(seen), (Row(**one) for one in reference.table), strict=False):
        if (row.candidate, row.batch, row.sentence) != (other.candidate, other.batch, other.sentence):
            yield f"{row.candidate} was chosen where {other.candidate} would have been, had nobody disturbed it."
        elif not row.spoilt:
            yield from _same_value(row, other, alike=alike)
    for one in seen.runs:
        mine = [tries[-1].action for tries in seen.tries(one.run.id) if tries[-1].branch == "main"]
        if one.run.status is RunStatus.DONE and mine != reference.actions[str(one.batch_number)]:
            yield f"{one.run.id} is DONE with other steps than an undisturbed run of its batch."


def _same_value(row: Row, other: Row, *, alike: bool) -> Iterator[str]:
    if row.ok != other.ok:
        yield f"The result of {row.candidate} is {'good' if row.ok else 'of no use'}, and undisturbed it is not."
    if row.value is None or other.value is None:
        if row.value != other.value:
            yield f"{row.candidate} came to {row.value}, and undisturbed to {other.value}."
        return
    if alike:
        allowed = DRYING_SHARE * abs(other.value)
    else:
        errors = [error or 0.0 for error in (row.standard_error, other.standard_error)]
        allowed = NOISE_SD * math.hypot(*errors) + NOISE_FLOOR
    if abs(row.value - other.value) > allowed:
        yield (
            f"{row.candidate} came to {row.value:.5f}, and undisturbed to {other.value:.5f}; {allowed:.5f} are allowed"
            f"{' for drying' if alike else ' for noise'}."
        )
