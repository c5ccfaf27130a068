"""Where history stands in a pool: what was measured, what is on its way, what may be chosen, what failed for good."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from lab.types import INFEASIBLE, Campaign, Experiment, ExperimentStatus, History
from planners.shared import fits
from planners.space import Space

__all__ = ["Seen", "free_rows", "look_back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """History by rows of the pool.

    Args:
        rows: of usable results, n of them, a row as often as it was measured.
        values: (n,), in the target's unit, all finite.
        standard_errors: (n,), in the target's unit, pooled; 0 where nothing is known.
        pending: rows chosen and not measured yet.
        free: rows that may be chosen.
        infeasible: rows that failed for good: the candidate itself, or every measurement of it that the campaign allows.
        reference: mean of what analyses report for the reference (``details["reference_value"]``); None when they do not.
    """

    rows: np.ndarray
    values: np.ndarray
    standard_errors: np.ndarray
    pending: np.ndarray
    free: np.ndarray
    infeasible: np.ndarray
    reference: float | None


def free_rows(campaign: Campaign, history: History, pending: Sequence[Experiment]) -> np.ndarray:
    """Rows of the pool that may be chosen, in order.

    A candidate is never free again once chosen, whether it was measured, failed or was abandoned; a retracted result
    frees it. Where the next batch is fixed to some values, only candidates that have them are free.
    """
    asked = (*history.experiments, *pending)
    chosen = {e.candidate.id for e in asked if e.status is not ExperimentStatus.RETRACTED}
    fixed = campaign.fixed
    return np.array(
        [
            i
            for i, c in enumerate(campaign.candidates)
            if c.id not in chosen and (not fixed or fits(c, fixed))
        ],
        dtype=np.intp,
    )


_UNDER_WAY = {ExperimentStatus.PROPOSED, ExperimentStatus.APPROVED, ExperimentStatus.RUNNING}


def look_back(
    space: Space,
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    repeating: Sequence[Experiment],
    target: str = "",
) -> Seen:
    """Sort history by what it means for the next choice. Results that are not finite count as none.

    Args:
        repeating: experiments that the same batch repeats; on their way like the pending ones.
        target: whose results; the goal's first where not given.
    """
    target = target or campaign.goal.target
    busy = {e.candidate.id for e in (*pending, *repeating)}
    busy |= {e.candidate.id for e in history.experiments if e.status in _UNDER_WAY}
    usable = [
        (space.row_of[e.candidate.id], o)
        for e, o in history.usable(target)
        if e.candidate.id in space.row_of and np.isfinite(o.value)
    ]
    references = [o.details.get("reference_value") for _, o in usable]
    known = [float(r) for r in references if isinstance(r, int | float) and np.isfinite(r)]
    return Seen(
        rows=np.array([row for row, _ in usable], dtype=np.intp),
        values=np.array([o.value for _, o in usable], dtype=np.float64),
        standard_errors=_pooled(
            np.array([o.standard_error for _, o in usable], dtype=np.float64),
            np.array([o.replicates for _, o in usable], dtype=np.float64),
        ),
        pending=np.array(sorted(space.row_of[i] for i in busy if i in space.row_of), dtype=np.intp),
        free=free_rows(campaign, history, (*pending, *repeating)),
        infeasible=_failed_for_good(space, campaign, history, busy),
        reference=float(np.mean(known)) if known else None,
    )


_FINISHED = {ExperimentStatus.MEASURED, ExperimentStatus.FAILED}


def _failed_for_good(space: Space, campaign: Campaign, history: History, busy: Collection[str]) -> np.ndarray:
    """Rows of candidates without a usable result that are flagged as infeasible, or are not to be measured again."""
    usable = {o.experiment_id for o in history.observations if o.usable}
    flagged = {o.experiment_id for o in history.observations if INFEASIBLE in o.quality.flags}
    tried: dict[str, list[Experiment]] = {}
    for experiment in history.experiments:
        tried.setdefault(experiment.candidate.id, []).append(experiment)
    rows = []
    for candidate_id, experiments in tried.items():
        if candidate_id not in space.row_of or any(e.id in usable for e in experiments):
            continue
        again = sum(e.repeat_of is not None for e in experiments)
        given_up = again >= campaign.policies.repeat_failed and candidate_id not in busy
        finished = experiments[-1].status in _FINISHED
        if any(e.id in flagged for e in experiments) or (finished and given_up):
            rows.append(space.row_of[candidate_id])
    return np.array(rows, dtype=np.intp)


_PRIOR_FREEDOM = 4.0
"""Degrees of freedom that the typical error counts for; Smyth estimates them from thousands of genes, we have 96 results."""


def _pooled(standard_errors: np.ndarray, replicates: np.ndarray) -> np.ndarray:
    """Standard errors drawn towards their typical size, since three replicates can agree by luck.

    The moderated variance of G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) article 3: a weighted mean of an
    observation's own squared error and the median of all, weights their degrees of freedom. Unknown errors get the median.
    """
    known = np.isfinite(standard_errors) & (standard_errors > 0.0)
    if not known.any():
        return np.zeros_like(standard_errors)
    typical = float(np.median(standard_errors[known] ** 2))
    freedom = np.where(known, np.maximum(replicates - 1.0, 0.0), 0.0)
    own = np.where(known, np.nan_to_num(standard_errors, posinf=0.0, neginf=0.0), 0.0) ** 2
    pooled: np.ndarray = np.sqrt((_PRIOR_FREEDOM * typical + freedom * own) / (_PRIOR_FREEDOM + freedom))
    return pooled
