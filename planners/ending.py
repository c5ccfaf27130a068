"""The end of a campaign: the best few are measured once more where noise leaves their order in doubt."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lab.types import Campaign, Experiment, History, Reason, new_id
from planners import words
from planners.committee import Model
from planners.seen import Seen
from planners.shared import fits
from planners.space import Space

__all__ = ["replicates"]

_CONTENDERS = 3
"""How many of the best are told apart; a lab takes no more on."""

_DOUBT = 2.0
"""Standard deviations of a difference within which two candidates count as not told apart."""


def replicates(
    n: int,
    campaign: Campaign,
    history: History,
    space: Space,
    seen: Seen,
    model: Model,
    reason: Reason,
) -> tuple[Experiment, ...]:
    """Up to n experiments that measure the best few again, the fewest times measured first; none where results are exact.

    Only reported standard errors count as noise: what features leave unexplained may be the candidate's own, and measuring
    it again would tell nothing.

    Args:
        n: at most so many; each candidate once.
        reason: planner, cards and seed of this ask.
    """
    if n < 1 or not (seen.standard_errors > 0.0).any():
        return ()
    times = Counter(seen.rows.tolist())
    waiting = set(seen.pending.tolist())
    rows = np.array(sorted(times), dtype=np.intp)
    best = rows[np.argsort(-model.gp.mean[rows])[:_CONTENDERS]]
    covariance = model.gp.covariance(best, best)
    spread = np.sqrt(np.maximum(np.diag(covariance) + covariance[0, 0] - 2.0 * covariance[0], 0.0))
    behind = model.gp.mean[best[0]] - model.gp.mean[best]
    rivals = [i for i in range(1, len(best)) if behind[i] < _DOUBT * spread[i]]
    if not rivals:
        return ()
    doubtful = [int(best[i]) for i in (0, *rivals) if int(best[i]) not in waiting]
    doubtful = [row for row in doubtful if fits(space.candidates[row], campaign.fixed)]
    doubtful.sort(key=lambda row: times[row])
    return tuple(_again(row, times[row], history, space, model, reason) for row in doubtful[:n])


def _again(row: int, times: int, history: History, space: Space, model: Model, reason: Reason) -> Experiment:
    """The candidate's last experiment, once more."""
    candidate = space.candidates[row]
    earlier: Sequence[Experiment] = [e for e in history.experiments if e.candidate.id == candidate.id]
    mean, sd = model.of(np.array([row]))
    value, spread = model.in_unit(mean, sd)
    low, high = model.interval(mean, sd)
    how_often = {1: "once", 2: "twice"}.get(times, f"{times} times")
    return Experiment(
        id=new_id("exp"),
        candidate=candidate,
        reason=Reason(
            planner=reason.planner,
            sentence=f"Measured again ({how_often} so far): it is among the best, {words.quantity(float(value[0]))} +- "
            f"{words.quantity(float(spread[0]))}, and noise leaves their order in doubt.",
            predicted_mean=float(value[0]),
            predicted_sd=float(spread[0]),
            interval=(float(low[0]), float(high[0])),
            model_cards=reason.model_cards,
            seed=reason.seed,
        ),
        repeat_of=earlier[-1].id,
    )
