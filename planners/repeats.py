"""Which experiments are measured once more because their result failed its quality check.

The campaign's policy says how often (``policies.repeat_failed``); every planner puts repeats first in its batch. A repeat
costs 1 of the budget like any experiment.
"""

from collections.abc import Sequence

from lab.types import (
    INFEASIBLE,
    Campaign,
    Experiment,
    ExperimentStatus,
    History,
    Observation,
    Reason,
    new_id,
)
from planners.shared import fits

__all__ = ["repeats"]

_FINISHED = {ExperimentStatus.MEASURED, ExperimentStatus.FAILED}
_OVER = {*_FINISHED, ExperimentStatus.ABANDONED, ExperimentStatus.RETRACTED}


def repeats(
    n: int,
    campaign: Campaign,
    history: History,
    pending: Sequence[Experiment],
    *,
    planner: str,
    seed: tuple[int, ...],
) -> tuple[Experiment, ...]:
    """Up to n repeats, those waiting longest first.

    A candidate is repeated when no experiment of it gave a usable result of one of the goal's targets, it is not on its way,
    and it was repeated fewer than ``policies.repeat_failed`` times. ``repeat_of`` names the last experiment. One that failed
    itself, rather than its measurement, is not repeated; one that lacks a value that the next batch is fixed to waits.

    Args:
        planner: whose batch this is, for the reason.
        seed: of this ask, for the reason.
    """
    busy = {e.candidate.id for e in pending} | {
        e.candidate.id for e in history.experiments if e.status not in _OVER
    }
    tried: dict[str, list[Experiment]] = {}
    for experiment in history.experiments:
        tried.setdefault(experiment.candidate.id, []).append(experiment)
    last = {(o.experiment_id, o.target): o for o in history.observations}
    told = {target for _, target in last}
    # a further target that was never seen is one that the protocol does not measure
    targets = [t for t in campaign.goal.targets if t in told or t == campaign.goal.target]
    in_pool = {candidate.id for candidate in campaign.candidates if fits(candidate, campaign.fixed)}
    found: list[Experiment] = []
    for candidate_id, experiments in tried.items():
        latest = experiments[-1]
        done = sum(e.repeat_of is not None for e in experiments)
        if candidate_id in busy or candidate_id not in in_pool or latest.status not in _FINISHED:
            continue
        if done >= campaign.policies.repeat_failed:
            continue
        lacking = [t for t in targets if not any(_usable(last.get((e.id, t))) for e in experiments)]
        if not lacking or any(_infeasible(last.get((e.id, t))) for e in experiments for t in targets):
            continue
        sentence = f"Measured again: {_what_failed(last.get((latest.id, lacking[0])))}."
        reason = Reason(planner=planner, sentence=sentence, seed=seed)
        found.append(
            Experiment(id=new_id("exp"), candidate=latest.candidate, reason=reason, repeat_of=latest.id)
        )
    return tuple(found[:n])


def _usable(observation: Observation | None) -> bool:
    return observation is not None and observation.usable


def _infeasible(observation: Observation | None) -> bool:
    return observation is not None and INFEASIBLE in observation.quality.flags


def _what_failed(observation: Observation | None) -> str:
    if observation is None:
        return "the last run gave no result for it"
    if observation.quality.ok:
        return "its value was not a finite number"
    seen = observation.quality.sentence.rstrip(".") or ", ".join(observation.quality.flags).replace("_", " ")
    return f"its result failed the quality check ({seen})" if seen else "its result failed the quality check"
