"""What a campaign looks for, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lab.report.naming import called, noun
from lab.report.numbers import number
from lab.report.values import Contents, Target, Variant
from lab.types import Campaign, Goal, Limit, Objective

__all__ = [
    "goal_finding",
    "goal_sentences",
    "goal_words",
    "limit_words",
    "objective_words",
    "searched_words",
    "target_name",
    "told_by_comparison",
    "wanted_words",
]


def target_name(target: str) -> str:
    """``residual_activity`` as "residual activity", ``residual_activity_70c`` as "residual activity 70 °C"."""
    return re.sub(r"(?<=\d) ?c\b", "\u00a0°C", target.replace("_", " "))


def objective_words(objective: Objective) -> str:
    """``minimize degradation``, ``bring ph to 7``, ``find residual activity of 0.5 or more``."""
    name = target_name(objective.target)
    match objective.direction:
        case "hit":
            return f"bring {name} to {objective.level:g}"
        case "exceed":
            return f"find {name} of {objective.level:g} or more"
        case _:
            return f"{objective.direction} {name}"


def limit_words(limit: Limit) -> str:
    """``cost at most 3``."""
    name = target_name(limit.target)
    if limit.at_least is None:
        return f"{name} at most {limit.at_most:g}"
    if limit.at_most is None:
        return f"{name} at least {limit.at_least:g}"
    return f"{name} from {limit.at_least:g} to {limit.at_most:g}"


def goal_words(goal: Goal) -> str:
    """All objectives and limits: ``maximize activity and minimize cost, with solubility at least 0.5``."""
    wanted = " and ".join(objective_words(objective) for objective in goal.objectives)
    limits = " and ".join(limit_words(limit) for limit in goal.limits)
    return f"{wanted}, with {limits}" if limits else wanted


def wanted_words(goal: Goal, target: str) -> str:
    """What is wanted of one target, without its name: ``minimize``, ``at least 0.5``, ``maximize, at most 3``."""
    name = target_name(target)
    told = [objective_words(o) for o in goal.objectives if o.target == target]
    told += [limit_words(limit) for limit in goal.limits if limit.target == target]
    return ", ".join(" ".join(words.replace(name, "", 1).split()) for words in told)


def searched_words(campaign: Campaign) -> str:
    """Where it looks: ``1,019 candidates``, or ``a space of values``."""
    if campaign.space is not None:
        return (
            "a space of values"
            if campaign.space.parameters or campaign.space.mixture
            else "a space of sequences"
        )
    n = len(campaign.candidates)
    return f"{n:,} candidate{'' if n == 1 else 's'}"


def told_by_comparison(goal: Goal) -> bool:
    """Whether one number a candidate, more or less than the reference's, says how good it is."""
    return not goal.also and goal.direction in ("maximize", "minimize", "exceed")


def goal_finding(contents: Contents) -> str:
    """The finding, where it is not one best candidate; empty where it is. Begins with a small letter where it may."""
    goal, variants = contents.campaign.goal, contents.variants
    kind = noun(contents.campaign)
    if goal.direction == "map":
        values = sorted(v.estimate.value for v in variants)
        return (
            f"the {target_name(goal.target)} of {_count(len(variants), kind)} was measured, "
            f"from {number(values[0])} to {number(values[-1])}."
        )
    if variants[0].broken:
        limits = " and ".join(limit_words(limit) for limit in goal.limits)
        return f"none of the {_count(len(variants), kind)} measured is known to keep to {limits}."
    front = [v for v in variants if v.on_front]
    if not goal.also or not front:
        return ""
    first, last = (_with_values(end, contents.targets, goal) for end in (front[0], front[-1]))
    names = " and ".join(target_name(objective.target) for objective in goal.objectives)
    if len(front) == 1:
        return f"{first} is as good as any of the {_count(len(variants), kind)} measured, in {names} alike."
    return (
        f"{_count(len(front), kind)} of {len(variants)} measured make up the Pareto set of {names}, "
        f"from {first} to {last}."
    )


def goal_sentences(contents: Contents) -> tuple[str, ...]:
    """What else the goal asks for, counted over everything measured."""
    campaign, variants = contents.campaign, contents.variants
    goal, told = campaign.goal, []
    if not variants:
        return ()
    if goal.direction == "exceed" and goal.level is not None:
        there = sum(v.estimate.value >= goal.level and not v.broken for v in variants)
        sure = sum(v.estimate.low >= goal.level and not v.broken for v in variants)
        told.append(
            f"{there} of {_count(len(variants), noun(campaign))} measured lie at {goal.level:g} or above; of {sure} the "
            "whole 95\u00a0% interval does."
        )
    if goal.limits:
        kept = sum(not v.broken for v in variants)
        limits = " and ".join(limit_words(limit) for limit in goal.limits)
        told.append(f"{kept} of {_count(len(variants), noun(campaign))} measured keep to {limits}.")
    if goal.also:
        told.append(
            "In the Pareto set are those that no other one measured beats in one objective and equals in the rest; it is "
            "made of measured values, noise included."
        )
    return tuple(told)


def _with_values(variant: Variant, targets: Sequence[Target], goal: Goal) -> str:
    """``blend_3 (PCBM 100 %; activity 0.80, cost 3.1)``."""
    wanted = {objective.target for objective in goal.objectives}
    values = ", ".join(
        f"{target_name(target.name)} {number(estimate.value, estimate.standard_error)}"
        for target in targets
        if target.name in wanted
        for estimate in [target.estimates[variant.candidate_id]]
    )
    name, more = called(variant.candidate_id, variant.made_of)
    return f"{name} ({f'{more}; ' if more else ''}{values})"


def _count(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"
