"""Campaigns without a laboratory: what a planner asks for is read from published values, with an error added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.development_sets import Pool
from lab.types import (
    Campaign,
    Candidate,
    Experiment,
    ExperimentStatus,
    Goal,
    History,
    Observation,
    Origin,
    PlannerChoice,
    ProtocolChoice,
    Quality,
    new_id,
)

__all__ = ["campaign_of", "measure", "reader"]


def campaign_of(pool: Pool, candidates: Sequence[Candidate]) -> Campaign:
    """A campaign over candidates of a development set."""
    return Campaign(
        id="cmp_benchmark",
        name=pool.name,
        goal=Goal(target="y"),
        candidates=tuple(candidates),
        reference=Candidate(id="parent", sequence=pool.parent),
        planner=PlannerChoice(name="adaptive"),
        protocol=ProtocolChoice(name="none"),
        budget=96,
        batch_size=12,
        seed=0,
        workcell="none",
    )


def measure(
    history: History, experiments: Sequence[Experiment], read: Callable[[str], float], error: float
) -> History:
    """History with the experiments carried out."""
    done = tuple(replace(e, status=ExperimentStatus.MEASURED) for e in experiments)
    seen = tuple(
        Observation(
            id=new_id("obs"),
            experiment_id=e.id,
            target="y",
            sample_id="",
            run_id="",
            value=read(e.candidate.id),
            standard_error=error,
            unit="",
            quality=Quality(ok=True),
            method="published",
            origin=Origin.REPLAY,
            replicates=3,
            lab_time_s=0.0,
        )
        for e in done
    )
    return History(experiments=history.experiments + done, observations=history.observations + seen)


def reader(pool: Pool, seed: int) -> Callable[[str], float]:
    """Values with the set's error, the same at every reading of one seed."""
    errors = pool.error * np.random.default_rng([seed, 2]).normal(size=len(pool.values))
    values = {c.id: float(v + e) for c, v, e in zip(pool.candidates, pool.values, errors, strict=True)}
    return values.__getitem__
