"""The default planner's choice for goals other than the most of one target: a committee for each target."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from lab.goals import Goal
from lab.types import Campaign, Experiment, Reason, new_id
from planners import words
from planners.committee import Model
from planners.goals import Believed, Picked, Task, choose
from planners.seen import Seen
from planners.space import Space

__all__ = ["choose_for_goal", "orientation"]


def orientation(goal: Goal, target: str) -> tuple[float, bool]:
    """Sign of a target's outputs, and whether its better half alone matters, so that the worse may be drawn in."""
    for objective in goal.objectives:
        if objective.target == target:
            ranked = objective.direction in ("maximize", "minimize")
            return objective.sign, ranked and all(limit.target != target for limit in goal.limits)
    return 1.0, False


def choose_for_goal(
    n: int,
    campaign: Campaign,
    space: Space,
    beliefs: Mapping[str, tuple[Model, Seen]],
    left: int,
    cited: Reason,
    rng: np.random.Generator,
    log_chances: np.ndarray | None = None,
) -> tuple[Experiment, ...]:
    """Up to n experiments.

    Args:
        space: the pool that the beliefs are over.
        beliefs: target -> its committee, and history as it stands for it.
        left: experiments of the budget that are left after this batch.
        cited: planner, cards and seed of this ask.
        log_chances: (N,) of being had at all.
    """
    first = beliefs[campaign.goal.target][1]
    task = Task(
        goal=campaign.goal,
        targets={target: _believed(model, seen) for target, (model, seen) in beliefs.items()},
        free=first.free,
        pending=first.pending,
        left=left,
        log_feasible=log_chances,
    )
    picked = choose(n, task, rng)
    models = {target: model for target, (model, _) in beliefs.items()}
    return tuple(
        Experiment(
            id=new_id("exp"),
            candidate=space.candidates[int(row)],
            reason=_reason(i, int(row), picked, campaign.goal, models, cited),
        )
        for i, row in enumerate(picked.rows)
    )


def _believed(model: Model, seen: Seen) -> Believed:
    return Believed(
        posterior=model.gp,
        outputs=model.to_outputs,
        values=model.values,
        measured=seen.rows,
        decreasing=model.sign < 0.0,
    )


_WANTED: Mapping[str, Callable[[float], str]] = {
    "hit": lambda level: f" where {words.quantity(level)} is wanted",
    "exceed": lambda level: f" where more than {words.quantity(level)} is wanted",
}


def _reason(
    i: int, row: int, picked: Picked, goal: Goal, models: Mapping[str, Model], cited: Reason
) -> Reason:
    """Prediction of every target, and how likely the candidate keeps to the limits."""
    told, at = [], np.array([row])
    for target, model in models.items():
        mean, sd = model.in_unit(*model.of(at))
        wanted = next((o for o in goal.objectives if o.target == target), None)
        end = "" if wanted is None or wanted.level is None else _WANTED[wanted.direction](wanted.level)
        name = target.replace("_", " ")
        told.append(f"{name} {words.quantity(float(mean[0]))} +- {words.quantity(float(sd[0]))}{end}")
    limits = f"; {words.percent(float(np.exp(picked.log_kept[row])))} chance to keep to all limits"
    model = models[goal.target]
    mean, sd = model.in_unit(*model.of(at))
    low, high = model.interval(*model.of(at))
    why = "Tells most about the rest; predicted" if goal.direction == "map" else "Predicted"
    return replace(
        cited,
        sentence=f"{why} {', '.join(told)}{limits if goal.limits else ''}.",
        acquisition=picked.acquisitions[i],
        acquisition_value=float(picked.values[i]),
        predicted_mean=float(mean[0]),
        predicted_sd=float(sd[0]),
        interval=(float(low[0]), float(high[0])),
    )
