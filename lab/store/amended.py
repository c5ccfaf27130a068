"""What a history says once results were retracted, superseded and pooled. Pure: what was recorded in, what counts out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lab.store.records import AmendmentRecord
from lab.types import Experiment, Observation, Quality

__all__ = ["amended", "pool", "standing"]


def amended(
    experiments: Sequence[Experiment],
    observations: Sequence[Observation],
    amendments: Sequence[AmendmentRecord],
) -> tuple[Observation, ...]:
    """The observations that count, in the order of recording; a replacement stands where what it replaces stood.

    Args:
        experiments: in the order of asking; where usable replicates are pooled, the result is the earliest one's.
        observations: all that was ever recorded, in that order.
        amendments: in the order in which they were said.
    """
    if not amendments:
        return tuple(observations)
    counts = standing(observations, amendments)
    first_of = {a.experiment_id: a.of_experiment_id for a in amendments if a.kind == "replicate"}
    groups: dict[str, set[str]] = {}
    for replicate, first in first_of.items():
        groups.setdefault(first, {first}).add(replicate)
    order = [experiment.id for experiment in experiments]
    for members in groups.values():
        counts = _pooled(counts, sorted(members, key=order.index))
    return counts


def standing(
    observations: Iterable[Observation], amendments: Iterable[AmendmentRecord]
) -> tuple[Observation, ...]:
    """The observations that are neither retracted nor superseded, before replicates are pooled."""
    amendments = tuple(amendments)
    by_id = {observation.id: observation for observation in observations}
    retracted = {a.observation_id for a in amendments if a.kind == "retract"}
    replaced = {a.observation_id: a.replacement_id for a in amendments if a.kind == "supersede"}
    latest = [
        _latest(observation_id, replaced)
        for observation_id in by_id
        if observation_id not in replaced.values()
    ]
    return tuple(by_id[observation_id] for observation_id in latest if observation_id not in retracted)


def _latest(observation_id: str, replaced: Mapping[str, str]) -> str:
    while observation_id in replaced:
        observation_id = replaced[observation_id]
    return observation_id


def _pooled(counts: tuple[Observation, ...], members: Sequence[str]) -> tuple[Observation, ...]:
    """One observation of each target for a group of experiments, given to the earliest that has a usable one.

    Of each experiment its latest usable value is pooled, the one that a planner takes. Where only one has any, nothing is.
    """
    for target in dict.fromkeys(o.target for o in counts if o.experiment_id in members):
        latest = {o.experiment_id: o for o in counts if o.target == target and o.usable}
        usable = [latest[member] for member in members if member in latest]
        if len(usable) < 2:
            continue
        first, pooled = usable[0], {o.experiment_id for o in usable}
        result = pool(usable)
        counts = tuple(
            result if o is first else o
            for o in counts
            if o is first
            or o.target != target
            or o.experiment_id not in pooled
            or (o.experiment_id == first.experiment_id and not o.usable)
        )
    return counts


def pool(observations: Sequence[Observation]) -> Observation:
    """One observation of what several measured, two at least; it bears the identifier of the first.

    The value is the mean weighted by replicates n_i. Two standard errors of it can be told: that within runs, by
    propagation of each one's own, sqrt(sum (w_i se_i)^2) with w_i = n_i / sum n, and that between runs, from how far apart
    the k values lie, sqrt(sum w_i (x_i - mean)^2 / (k - 1)), which for equal n is the standard deviation over sqrt(k). The
    larger one is taken: wells of one run share its errors, and may agree better than runs do.
    """
    first = observations[0]
    weights = [max(1, o.replicates) for o in observations]
    total = sum(weights)
    shares = [weight / total for weight in weights]
    value = math.fsum(share * o.value for share, o in zip(shares, observations, strict=True))
    within = math.sqrt(
        math.fsum((share * o.standard_error) ** 2 for share, o in zip(shares, observations, strict=True))
    )
    between = math.sqrt(
        math.fsum(share * (o.value - value) ** 2 for share, o in zip(shares, observations, strict=True))
        / (len(observations) - 1)
    )
    return replace(
        first,
        value=value,
        standard_error=between if math.isnan(within) else max(within, between),
        quality=Quality(
            ok=True,
            flags=tuple(dict.fromkeys(flag for o in observations for flag in o.quality.flags)),
            sentence=" ".join(dict.fromkeys(o.quality.sentence for o in observations if o.quality.sentence)),
        ),
        replicates=sum(o.replicates for o in observations),
        lab_time_s=max(o.lab_time_s for o in observations),
        details={
            **first.details,
            "pooled": [
                {
                    "observation": o.id,
                    "experiment": o.experiment_id,
                    "run": o.run_id,
                    "value": o.value,
                    "standard_error": o.standard_error,
                    "replicates": o.replicates,
                }
                for o in observations
            ],
        },
    )
