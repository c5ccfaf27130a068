"""History by targets: what was measured of which candidate, how well it is known, and what failed as such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lab.types import INFEASIBLE, Campaign, Candidate, Experiment, ExperimentStatus, Goal, History

__all__ = ["FEASIBLE", "LARGEST", "Column", "Results", "filled", "read_history", "violations"]

_UNDER_WAY = {ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING}

LARGEST = 1e150
"""Values beyond this square past what floating point holds; no instrument reads them, and they count as missing."""

FEASIBLE = "feasible"
"""Name of the made-up target that is 1 where a candidate gave a result and 0 where it could not be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Usable results of one target.

    Args:
        candidates: n of them, one as often as it was measured.
        values: (n,), in the target's unit, finite.
        errors: (n,), standard errors in that unit; the median of the known ones where one is not known; None
            where none is.
    """

    candidates: tuple[Candidate, ...]
    values: np.ndarray
    errors: np.ndarray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What history says.

    Args:
        columns: target -> its results, only targets that have some.
        pending: candidates on their way.
        feasible: 1 and 0 for candidates that gave a result and that could not be had; None unless both kinds are there.
    """

    columns: Mapping[str, Column] = field(default_factory=dict)
    pending: tuple[Candidate, ...] = ()
    feasible: Column | None = None

    @property
    def measured(self) -> tuple[Candidate, ...]:
        """Candidates with a usable result of any target, each once, in order of asking."""
        every = [c for column in self.columns.values() for c in column.candidates]
        return tuple({candidate.id: candidate for candidate in every}.values())


def read_history(
    campaign: Campaign, history: History, pending: Sequence[Experiment], repeating: Sequence[Experiment] = ()
) -> Results:
    """Sort history by targets of the goal.

    Args:
        repeating: experiments that the same batch repeats; on their way like the pending ones.
    """
    columns = {}
    for target in campaign.goal.targets:
        pairs = [(e, o) for e, o in history.usable(target) if abs(o.value) < LARGEST]
        if pairs:
            columns[target] = Column(
                candidates=tuple(e.candidate for e, _ in pairs),
                values=np.array([o.value for _, o in pairs], dtype=np.float64),
                errors=filled(np.array([o.standard_error for _, o in pairs], dtype=np.float64)),
            )
    under_way = [e for e in history.experiments if e.status in _UNDER_WAY]
    busy = {e.candidate.id: e.candidate for e in (*pending, *repeating, *under_way)}
    return Results(
        columns=columns, pending=tuple(busy.values()), feasible=_feasible(campaign, history, columns)
    )


def violations(goal: Goal, results: Results, candidates: Sequence[Candidate]) -> np.ndarray:
    """By how much the means measured of candidates break the goal's limits, in standard deviations of what was measured,
    added up over limits: (n,). 0 for those that keep to all, and where a limit's target was not measured.
    """
    total = np.zeros(len(candidates))
    for limit in goal.limits:
        column = results.columns.get(limit.target)
        if column is None:
            continue
        found: dict[str, list[float]] = {}
        for candidate, value in zip(column.candidates, column.values.tolist(), strict=True):
            found.setdefault(candidate.id, []).append(value)
        values = np.array([np.mean(found[c.id]) if c.id in found else np.nan for c in candidates])
        low = -np.inf if limit.at_least is None else limit.at_least
        high = np.inf if limit.at_most is None else limit.at_most
        over = np.nan_to_num(np.maximum(np.maximum(low - values, values - high), 0.0), nan=0.0)
        total += over / (float(column.values.std()) or 1.0)
    return total


def filled(errors: np.ndarray) -> np.ndarray | None:
    """Standard errors with those that are not known at the median of the others; None where none is known."""
    known = np.isfinite(errors) & (errors > 0.0) & (errors < LARGEST)
    if not known.any():
        return None
    return np.where(known, errors, np.median(errors[known]))


def _feasible(campaign: Campaign, history: History, columns: Mapping[str, Column]) -> Column | None:
    failed = {o.experiment_id for o in history.observations if INFEASIBLE in o.quality.flags}
    out = {
        e.candidate.id: e.candidate
        for e in history.experiments
        if e.id in failed and e.status is not ExperimentStatus.RETRACTED
    }
    column = columns.get(campaign.goal.target)
    had = {c.id: c for c in column.candidates if c.id not in out} if column is not None else {}
    if not out or not had:
        return None
    return Column(
        candidates=(*had.values(), *out.values()),
        values=np.array([1.0] * len(had) + [0.0] * len(out)),
        errors=None,
    )
