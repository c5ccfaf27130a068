"""The directed-evolution walk: no model, only the best so far, its neighbours, and crosses of what was good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from lab.strict import StrictModel
from lab.types import Campaign, Candidate, Experiment, History, Proposal, Reason, new_id
from planners.asking import begin, seed_of
from planners.words import quantity

__all__ = ["DirectedEvolutionPlanner", "DirectedEvolutionSettings"]


class DirectedEvolutionSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        crossed: share of a batch that combines the changes of the best so far, once two of them are better than the
            start; the rest changes the best in one place.
        parents: how many of the best are combined.
    """

    crossed: float = Field(default=0.5, ge=0.0, le=1.0)
    parents: int = Field(default=4, ge=2, le=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """Where the walk stands.

    Args:
        genes: N x g, the pool as codes: letters site by site, then named values.
        parent: (g,), of the best so far; of the start before anything was measured.
        parent_name: for sentences.
        best: merit-best candidates' codes, at most as many as are combined, all better than the start: k x g.
        value: of the best; None before anything was measured.
    """

    genes: np.ndarray
    parent: np.ndarray
    parent_name: str
    best: np.ndarray
    value: float | None


class DirectedEvolutionPlanner:
    """Changes the best so far in one place, or combines the changes of the best.

    The walk starts from the reference, or where that is not of the pool's kind from a candidate drawn at random. Where all
    single changes of the best were tried, those that change least come next. Only the first objective is looked at;
    candidates that broke a limit are no parents.

    Args:
        settings: checked.
    """

    name = "directed_evolution"

    def __init__(self, settings: DirectedEvolutionSettings) -> None:
        self.settings = settings

    def ask(
        self,
        n: int,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> Proposal:
        """Up to n experiments; repeats of failed results first.

        Raises:
            BadInput: n below 1, or a pool without candidates or with an id twice.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        if not turn.wanted:
            return turn.proposal()
        walk = self._walk(campaign, history, rng)
        crosses = self._crosses(walk, turn.free, rng)[: round(self.settings.crossed * turn.wanted)]
        rest = np.setdiff1d(turn.free, crosses)
        changes = (walk.genes[rest] != walk.parent).sum(axis=1)
        order = np.lexsort((rng.random(len(rest)), changes))
        steps = rest[order][: turn.wanted - len(crosses)]
        told = [(row, _cross_sentence(walk, int(row), len(walk.best))) for row in crosses]
        told += [(row, _step_sentence(walk, int(row), campaign)) for row in steps]
        return turn.proposal(
            [
                Experiment(
                    id=new_id("exp"),
                    candidate=campaign.candidates[int(row)],
                    reason=Reason(planner=self.name, sentence=sentence, seed=turn.seed),
                )
                for row, sentence in told
            ]
        )

    def _walk(self, campaign: Campaign, history: History, rng: np.random.Generator) -> _Walk:
        ranked = _ranked(campaign, history)
        start = campaign.reference
        if not _alike(start, campaign.candidates[0]):
            first = [e.candidate for e in history.experiments]
            start = first[0] if first else campaign.candidates[int(rng.integers(len(campaign.candidates)))]
        merits = {candidate.id: merit for merit, _, candidate in ranked}
        known = [candidate for _, _, candidate in ranked]
        genes = _genes((*campaign.candidates, start, *known))
        pool, root = genes[: len(campaign.candidates)], genes[len(campaign.candidates)]
        measured = genes[len(campaign.candidates) + 1 :]
        bar = merits.get(start.id, _reference_merit(campaign, history))
        better = [i for i, (merit, _, _) in enumerate(ranked) if merit > bar][: self.settings.parents]
        lead = better[:1]
        return _Walk(
            genes=pool,
            parent=measured[lead[0]] if lead else root,
            parent_name=ranked[lead[0]][2].id if lead else f"the start ({start.id})",
            best=measured[better] if len(better) > 1 else np.empty((0, genes.shape[1]), dtype=genes.dtype),
            value=ranked[lead[0]][1] if lead else None,
        )

    def _crosses(self, walk: _Walk, free: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Free rows made of nothing but what the best have, in random order; none where the best are fewer than two."""
        if not len(walk.best):
            return np.empty(0, dtype=np.intp)
        genes = walk.genes[free]
        possible = np.ones(len(free), dtype=bool)
        for column, had in enumerate(walk.best.T):
            possible &= np.isin(genes[:, column], had)
        return rng.permutation(free[possible])


def _ranked(campaign: Campaign, history: History) -> list[tuple[float, float, Candidate]]:
    """Merit, mean value and candidate of all that was measured and broke no limit, best first."""
    goal = campaign.goal
    values: dict[str, list[float]] = {}
    candidates: dict[str, Candidate] = {}
    for experiment, observation in history.usable(goal.target):
        values.setdefault(experiment.candidate.id, []).append(observation.value)
        candidates[experiment.candidate.id] = experiment.candidate
    broken = {
        experiment.candidate.id
        for limit in goal.limits
        for experiment, observation in history.usable(limit.target)
        if not limit.holds(observation.value)
    }
    means = {name: sum(v / len(seen) for v in seen) for name, seen in values.items() if name not in broken}
    rows = [(goal.merit(mean), mean, candidates[name]) for name, mean in means.items()]
    return sorted(rows, key=lambda row: -row[0])


def _reference_merit(campaign: Campaign, history: History) -> float:
    """Merit of what analyses report for the reference; below all where they do not."""
    reported = [o.details.get("reference_value") for _, o in history.usable(campaign.goal.target)]
    known = [float(v) for v in reported if isinstance(v, int | float) and np.isfinite(v)]
    return campaign.goal.merit(sum(known) / len(known)) if known else -np.inf


def _alike(one: Candidate, other: Candidate) -> bool:
    return len(one.sequence) == len(other.sequence) and set(one.values) == set(other.values)


def _genes(candidates: Sequence[Candidate]) -> np.ndarray:
    """Letters and named values as codes, one column each that varies: n x g, g at least 1."""
    lengths = {len(candidate.sequence) for candidate in candidates}
    columns: list[np.ndarray] = []
    if len(lengths) == 1 and lengths != {0}:
        text = "".join(candidate.sequence for candidate in candidates).encode("latin-1", "replace")
        letters = np.frombuffer(text, dtype=np.uint8).reshape(len(candidates), -1)
        columns += list(letters.T.astype(np.int64))
    elif lengths != {0}:
        columns.append(np.unique([candidate.sequence for candidate in candidates], return_inverse=True)[1])
    for name in sorted({name for candidate in candidates for name in candidate.values}):
        told = [str(candidate.values.get(name)) for candidate in candidates]
        columns.append(np.unique(told, return_inverse=True)[1])
    varied = [column for column in columns if np.ptp(column) > 0]
    return np.array(varied or [np.zeros(len(candidates), dtype=np.int64)]).T


def _step_sentence(walk: _Walk, row: int, campaign: Campaign) -> str:
    changes = int((walk.genes[row] != walk.parent).sum())
    what = "substitution" if campaign.candidates[row].sequence else "changed value"
    best = "" if walk.value is None else f", the best so far ({quantity(walk.value)})"
    if changes == 0:
        return f"Looks like {walk.parent_name}{best}."
    if changes == 1:
        return f"One {what} away from {walk.parent_name}{best}."
    return f"As near as is left, {changes} {what}s away from {walk.parent_name}{best}."


def _cross_sentence(walk: _Walk, row: int, parents: int) -> str:
    assert walk.value is not None
    return f"Combines what the {parents} best so far have; the best, {walk.parent_name}, reached {quantity(walk.value)}."
