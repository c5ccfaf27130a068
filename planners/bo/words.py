"""Reasons of the BoTorch planners in a biologist's words."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from lab.types import Goal
from planners.words import quantity

__all__ = ["advice", "chosen", "percent", "quantity", "spread"]


def percent(chance: float) -> str:
    """A probability as one would say it."""
    return "under 1 %" if chance < 0.01 else "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def spread(measured: int, remark: str = "") -> str:
    """Why a candidate stands in a round that no model chose."""
    text = (
        "Chosen to cover the space"
        if measured == 0
        else "Chosen far from what was measured, to cover the space"
    )
    return f"{text}{_and(remark)}."


def chosen(
    goal: Goal,
    predictions: Sequence[tuple[str, float, float]],
    best: float | None,
    remark: str = "",
) -> str:
    """Why a model chose a candidate.

    Args:
        predictions: target, mean and standard deviation in its unit, of objectives and limits, the first objective first.
        best: what the model makes of the best measured so far, in the first target's unit; None where there is no such.
        remark: what else to know, a clause.
    """
    _, mean, sd = predictions[0]
    first = f"Predicted {quantity(mean)} +- {quantity(sd)}"
    if len(predictions) > 1:
        parts = [f"{_name(t)} {quantity(m)} +- {quantity(s)}" for t, m, s in predictions]
        first = "Predicted " + ", ".join(parts)
    parts = [first, _hope(goal, mean, sd, best), *_others(goal, predictions)]
    return "; ".join(part for part in parts if part) + _and(remark) + "."


def _hope(goal: Goal, mean: float, sd: float, best: float | None) -> str:
    if goal.also:
        return f"expected to push the front of {' against '.join(_name(o.target) for o in goal.objectives)}"
    if goal.direction == "map":
        return "tells most about the space as a whole"
    if goal.direction == "exceed":
        assert goal.level is not None
        return f"{percent(float(ndtr((mean - goal.level) / sd)))} chance to be above {quantity(goal.level)}"
    if best is None:
        return ""
    record = "the best so far within the limits" if goal.limits else "the best so far"
    if goal.direction == "hit":
        assert goal.level is not None
        away = abs(best - goal.level)
        chance = float(ndtr((goal.level + away - mean) / sd) - ndtr((goal.level - away - mean) / sd))
        return f"{percent(chance)} chance to come nearer to {quantity(goal.level)} than {record} ({quantity(best)})"
    chance = float(ndtr(goal.sign * (mean - best) / sd))
    return f"{percent(chance)} chance to beat {record} ({quantity(best)})"


def _others(goal: Goal, predictions: Sequence[tuple[str, float, float]]) -> list[str]:
    known = {target: (mean, sd) for target, mean, sd in predictions}
    said = [
        f"{_name(objective.target)} was not measured yet, so it had no say"
        for objective in goal.also
        if objective.target not in known
    ]
    for limit in goal.limits:
        if limit.target not in known:
            said.append(f"{_name(limit.target)} was not measured yet, so its limit had no say")
            continue
        mean, sd = known[limit.target]
        low = -np.inf if limit.at_least is None else limit.at_least
        high = np.inf if limit.at_most is None else limit.at_most
        chance = float(ndtr((high - mean) / sd) - ndtr((low - mean) / sd))
        said.append(f"{percent(chance)} chance to keep to the limit of {_name(limit.target)}")
    return said


def advice(count: int, best: float, gain: float, error: float) -> tuple[bool, str]:
    """Whether to stop, and the sentence: the batch is expected to better the best by less than the error of a measurement.

    Args:
        best, gain, error: in the target's unit.
    """
    text = (
        f"The next {count} experiments are expected to better the best so far ({quantity(best)}) by {quantity(gain)}; "
        f"the error of one measurement is {quantity(error)}."
    )
    if gain < error:
        return True, f"{text} Going on is unlikely to show a better candidate."
    return False, text


def _name(target: str) -> str:
    return target.replace("_", " ")


def _and(remark: str) -> str:
    return f"; {remark}" if remark else ""
