"""What was measured of each candidate, target by target, and which of them serve the goal best.

The first objective's target is told with its difference to the reference; of every other target that the goal speaks of,
objectives and limits alike, the value is told beside it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.report import statistics
from lab.report.goal_words import wanted_words
from lab.report.naming import made_of
from lab.report.values import Estimate, Result, Target, Variant
from lab.store import Store
from lab.types import Campaign, ExperimentStatus, Goal, History, Observation

__all__ = ["pareto_front", "reference_of", "results_of", "targets_of", "variants_of"]


def results_of(store: Store, campaign: Campaign, history: History, target: str) -> tuple[Result, ...]:
    """Every experiment that a campaign was charged for, with what came of it as far as one target is concerned."""
    last = {o.experiment_id: o for o in history.observations if o.target == target}
    batch_of = {e.id: batch.number for batch in store.batches(campaign.id) for e in batch.experiments}
    return tuple(
        Result(
            number=number,
            batch=batch_of.get(experiment.id, 0),
            experiment=experiment,
            observation=last.get(experiment.id),
            estimate=_estimate(last[experiment.id]) if experiment.id in last else None,
        )
        for number, experiment in enumerate(history.charged, start=1)
    )


def reference_of(results: Sequence[Result]) -> tuple[Estimate | None, int]:
    """The reference over all runs that tell of it, and how many those are. Every run counts once."""
    by_run: dict[str, Estimate] = {}
    for result in results:
        told = None if result.observation is None else _told_reference(result.observation)
        if result.observation is not None and told is not None:
            # One that rests on no well of its own does not know how sure the reference is.
            known = by_run.setdefault(result.observation.run_id, told)
            if told.degrees_of_freedom > known.degrees_of_freedom:
                by_run[result.observation.run_id] = told
    if not by_run:
        return None, 0
    combined, _ = statistics.combine(list(by_run.values()), [1] * len(by_run))
    return combined, len(by_run)


def targets_of(
    store: Store, campaign: Campaign, history: History, first: Sequence[Result]
) -> tuple[Target, ...]:
    """Every target that the goal speaks of, the first objective's first.

    Args:
        first: results of that one.
    """
    goal = campaign.goal
    found = []
    for target in goal.targets:
        results = first if target == goal.target else results_of(store, campaign, history, target)
        observed = next((r.observation for r in results if r.observation is not None), None)
        found.append(
            Target(
                name=target,
                wanted=wanted_words(goal, target),
                unit="" if observed is None else observed.unit,
                estimates={name: one.estimate for name, one in _combined(results).items()},
                reference=reference_of(results)[0],
            )
        )
    return tuple(found)


def variants_of(
    results: Sequence[Result],
    reference: Estimate | None,
    goal: Goal,
    targets: Sequence[Target],
) -> tuple[Variant, ...]:
    """Usable results by candidate, the best first: those that keep the goal's limits before those that do not, with several
    objectives the Pareto set before the rest, and then by the first objective.
    """
    combined = _combined(results)
    differences = {
        name: None if reference is None else statistics.difference(one.estimate, reference)
        for name, one in combined.items()
    }
    sided = goal.direction not in ("hit", "map")  # neither is a matter of more or less than the reference
    p_values = [
        1.0 if d is None or not sided else statistics.p_better(d, goal.sign) for d in differences.values()
    ]
    differs = dict(zip(differences, statistics.benjamini_hochberg(p_values), strict=True))
    by_target = {target.name: target.estimates for target in targets}
    broken = {name: _broken(name, goal, by_target) for name in combined}
    front = pareto_front(_merits([name for name in combined if not broken[name]], goal, by_target))
    variants = [
        Variant(
            candidate_id=name,
            estimate=one.estimate,
            wells=sum(part.wells for part in one.parts),
            runs=len({part.run_id for part in one.parts}),
            difference=differences[name],
            differs=differs[name],
            agree=one.agree,
            made_of=made_of(one.results[0].experiment.candidate),
            broken=broken[name],
            on_front=bool(goal.also) and name in front,
            remarks=" ".join(
                r.observation.quality.sentence
                for r in one.results
                if r.observation is not None and r.observation.quality.sentence
            ),
        )
        for name, one in combined.items()
    ]
    return tuple(
        sorted(
            variants,
            key=lambda v: (bool(v.broken), not v.on_front, -goal.merit(v.estimate.value), v.candidate_id),
        )
    )


def pareto_front(merits: Mapping[str, Sequence[float]]) -> frozenset[str]:
    """Candidates that no other one equals or beats in all objectives and beats in one.

    Args:
        merits: candidate id -> how good it is in each objective, larger is better.
    """
    return frozenset(
        name
        for name, mine in merits.items()
        if not any(
            all(t >= m for t, m in zip(theirs, mine, strict=True)) and tuple(theirs) != tuple(mine)
            for theirs in merits.values()
        )
    )


def _broken(name: str, goal: Goal, by_target: Mapping[str, Mapping[str, Estimate]]) -> tuple[str, ...]:
    """Targets of the limits that a candidate does not keep, or of which nothing is known."""
    broken = []
    for limit in goal.limits:
        estimate = by_target[limit.target].get(name)
        if estimate is None or not limit.holds(estimate.value):
            broken.append(limit.target)
    return tuple(dict.fromkeys(broken))


def _merits(
    names: Sequence[str], goal: Goal, by_target: Mapping[str, Mapping[str, Estimate]]
) -> dict[str, tuple[float, ...]]:
    """Of the candidates of which every objective is known."""
    whole = [n for n in names if all(n in by_target[objective.target] for objective in goal.objectives)]
    return {name: tuple(o.merit(by_target[o.target][name].value) for o in goal.objectives) for name in whole}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Combined:
    """All usable results of one target and candidate, drawn together."""

    estimate: Estimate
    agree: bool
    parts: Sequence[_Part]
    results: Sequence[Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One run's word on a candidate."""

    estimate: Estimate
    wells: int
    run_id: str


def _combined(results: Sequence[Result]) -> dict[str, _Combined]:
    """By candidate id."""
    measured: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.usable and result.experiment.status is ExperimentStatus.MEASURED:
            measured[result.experiment.candidate.id].append(result)
    parts_of = {name: [part for result in mine for part in _parts(result)] for name, mine in measured.items()}
    scatter = statistics.scatter([[p.estimate for p in parts] for parts in parts_of.values()])
    found = {}
    for name, parts in parts_of.items():
        estimate, agree = statistics.combine(
            [p.estimate for p in parts], [max(1, p.wells) for p in parts], scatter
        )
        found[name] = _Combined(estimate=estimate, agree=agree, parts=parts, results=measured[name])
    return found


def _parts(result: Result) -> list[_Part]:
    """What a result says: one part, or, where replicates are pooled in it, one for each of them."""
    observation = result.observation
    if observation is None or result.estimate is None:
        return []
    pooled = observation.details.get("pooled")
    if not pooled:
        return [_Part(estimate=result.estimate, wells=observation.replicates, run_id=observation.run_id)]
    return [
        _Part(
            estimate=statistics.estimate(
                float(one["value"]), float(one["standard_error"]), int(one["replicates"]) - 1
            ),
            wells=int(one["replicates"]),
            run_id=str(one["run"]),
        )
        for one in pooled
    ]


def _estimate(observation: Observation) -> Estimate | None:
    if not math.isfinite(observation.value):
        return None
    return statistics.estimate(observation.value, observation.standard_error, _freedom(observation))


def _freedom(observation: Observation) -> int:
    return int(observation.details.get("degrees_of_freedom", observation.replicates - 1))


def _told_reference(observation: Observation) -> Estimate | None:
    details = observation.details
    value = details.get("reference_value")
    if value is None or not math.isfinite(value):
        return None
    freedom = details.get("reference_degrees_of_freedom", _freedom(observation))
    error = details.get("reference_standard_error")
    return statistics.estimate(float(value), math.inf if error is None else float(error), int(freedom))
