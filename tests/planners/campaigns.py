"""Campaigns and histories for planner tests: small pools, made-up landscapes, no laboratory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import planners
from lab.types import (
    AMINO_ACIDS,
    Campaign,
    Candidate,
    Experiment,
    ExperimentStatus,
    Goal,
    History,
    Observation,
    Origin,
    PlannerChoice,
    Policies,
    ProtocolChoice,
    Quality,
    Reason,
    new_id,
)
from models.residues import Z_SCALES

PARENT = "MTYKLILNGKTLKG"
TARGET = "residual_activity"

POOL_PLANNERS = tuple(name for name in planners.planner_names() if name != "mechanistic")
"""Planners that choose from any pool; ``mechanistic`` needs its mechanism's inputs, and has a contract of its own."""


def variants(parent: str = PARENT, letters: str = AMINO_ACIDS) -> tuple[Candidate, ...]:
    """Every single substitution of the parent by the letters."""
    return tuple(
        Candidate(id=f"{old}{site + 1}{new}", sequence=parent[:site] + new + parent[site + 1 :])
        for site, old in enumerate(parent)
        for new in letters
        if new != old
    )


def conditions() -> tuple[Candidate, ...]:
    """Reaction conditions: two numbers and a level."""
    return tuple(
        Candidate(id=f"{t}/{c}/{s}", values={"temperature_c": t, "concentration_mmol_l": c, "solvent": s})
        for t in (20, 40, 60, 80)
        for c in (0.1, 0.5, 2.5)
        for s in ("DMAc", "BuCN", "water")
    )


def campaign(
    pool: Sequence[Candidate],
    planner: str = "adaptive",
    *,
    parent: str = PARENT,
    settings: Mapping[str, Any] | None = None,
    direction: Any = "maximize",
    repeat_failed: int = 1,
    batch_size: int = 8,
) -> Campaign:
    return Campaign(
        id="cmp_1",
        name="test",
        goal=Goal(target=TARGET, direction=direction),
        candidates=tuple(pool),
        reference=Candidate(id="WT", sequence=parent),
        planner=PlannerChoice(name=planner, settings=settings or {}),
        protocol=ProtocolChoice(name="none"),
        budget=96,
        batch_size=batch_size,
        seed=7,
        workcell="none",
        policies=Policies(repeat_failed=repeat_failed),
    )


def experiment(
    candidate: Candidate, status: ExperimentStatus = ExperimentStatus.MEASURED, repeat_of: str | None = None
) -> Experiment:
    reason = Reason(planner="test", sentence="for a test")
    return Experiment(
        id=new_id("exp"), candidate=candidate, reason=reason, status=status, repeat_of=repeat_of
    )


def observation(
    of: Experiment,
    value: float,
    standard_error: float = 0.03,
    *,
    quality: Quality = Quality(ok=True),  # noqa: B008 - frozen
    reference: float | None = None,
    replicates: int = 3,
) -> Observation:
    return Observation(
        id=new_id("obs"),
        experiment_id=of.id,
        target=TARGET,
        sample_id="smp_1",
        run_id="run_1",
        value=value,
        standard_error=standard_error,
        unit="",
        quality=quality,
        method="made up",
        origin=Origin.TWIN,
        replicates=replicates,
        lab_time_s=0.0,
        details={} if reference is None else {"reference_value": reference},
    )


def measured(candidates: Sequence[Candidate], value: Callable[[Candidate], float], **kwargs: Any) -> History:
    """Candidates measured once each, in order."""
    experiments = tuple(experiment(c) for c in candidates)
    return History(
        experiments=experiments,
        observations=tuple(observation(e, value(e.candidate), **kwargs) for e in experiments),
    )


def landscape(candidate: Candidate) -> float:
    """A fraction that depends on position and on the new residue's lipophilicity, as stability does."""
    score = 0.0
    for site, (old, new) in enumerate(zip(PARENT, candidate.sequence, strict=True)):
        if old != new:
            buried = np.cos(2.0 * site / 3.6) + 0.2 * np.sin(9.0 * site)
            score += -0.35 * buried * (Z_SCALES[new][0] - Z_SCALES[old][0]) - (1.5 if new == "P" else 0.0)
    return float(1.0 / (1.0 + np.exp(1.5 - score)))


def play(
    made: Campaign, truth: Callable[[Candidate], float], seed: int, budget: int, noise: float = 0.02
) -> History:
    """Ask and answer until the budget is spent."""
    planner = planners.planner(made.planner.name, made.planner.settings)
    history, batch = History(), 0
    errors = np.random.default_rng([seed, 99])
    while len(history.experiments) < budget:
        batch += 1
        n = min(made.batch_size, budget - len(history.experiments))
        proposal = planner.ask(n, made, history, (), np.random.default_rng([seed, batch]))
        if not proposal.experiments:
            break
        done = tuple(replace(e, status=ExperimentStatus.MEASURED) for e in proposal.experiments)
        seen = tuple(observation(e, truth(e.candidate) + noise * errors.normal(), noise) for e in done)
        history = History(experiments=history.experiments + done, observations=history.observations + seen)
    return history
