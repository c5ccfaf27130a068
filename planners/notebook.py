"""Choosing without a laboratory: ask and tell with data frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.errors import BadInput
from lab.interfaces import Believing
from lab.spaces import Candidate, SearchSpace
from lab.types import (
    INFEASIBLE,
    Advice,
    Campaign,
    Experiment,
    ExperimentStatus,
    Goal,
    History,
    PastResult,
    PlannerChoice,
    ProtocolChoice,
    Reason,
    new_id,
)
from planners.drawing import on_pool
from planners.frames import (
    EXPECTED,
    Told,
    alphabet_of,
    candidates_of,
    check_same,
    described_row,
    expected_row,
    frame_of,
    goal_of,
    name_of,
    space_of,
    told_of,
)
from planners.mechanistic.planner import Estimate, MechanisticPlanner
from planners.notebook_state import State, read, take_down, write
from planners.registry import planner as planner_named

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Chooser"]


class Chooser:
    """Chooses experiments in a notebook: ask for a batch, measure it wherever you like, tell the results, ask again.

    The same candidates, results and seed give the same choices. Nothing is stored but by :meth:`save`.

    Args:
        candidates: a data frame with a row a candidate (``id``, ``sequence``, any other column a value); or a space, as
            :class:`lab.spaces.SearchSpace` or a dictionary (``{"temperature_c": (20, 80), "solvent": ["water", "DMSO"]}``).
        goal: a target to maximize; or a dictionary of targets (``{"yield": "maximize", "cost": ("at_most", 5)}``);
            or a :class:`lab.types.Goal`.
        planner: its name, or a dictionary of name and settings.
        reference: id of the candidate that others are compared with, the wild type or the recipe of today; or the
            candidate itself.
        with_reference: whether every batch carries the reference; it is not counted.
        budget: experiments planned in all, 1 to 100; some planners end by making sure of the best.
        seed: of everything drawn.

    Attributes:
        advice: the planner's word on whether to go on, from the last ask; None where it had none.

    Raises:
        BadInput: something that can't be meant, with the row or field.
    """

    def __init__(
        self,
        candidates: pd.DataFrame | SearchSpace | Mapping[str, Any],
        goal: str | Mapping[str, Any] | Goal,
        *,
        planner: str | Mapping[str, Any] = "adaptive",
        reference: str | Candidate = "",
        with_reference: bool = False,
        budget: int = 100,
        seed: int = 0,
    ) -> None:
        wanted = goal_of(goal)
        space, pool = _candidates(candidates, wanted.targets)
        found = _reference(reference, pool)
        if with_reference and not reference:
            raise BadInput("No reference was named that batches could carry.", field="reference")
        if not 1 <= budget <= 100:
            raise BadInput(f"A budget is 1 to 100 experiments, not {budget}.", field="budget")
        campaign = Campaign(
            id=new_id("cmp"),
            name="notebook",
            goal=wanted,
            candidates=tuple(c for c in pool if c.id != found.id or not reference),
            reference=found,
            planner=_planner(planner),
            protocol=ProtocolChoice(name="by_hand"),
            budget=budget,
            batch_size=min(8, budget),
            seed=seed,
            workcell="notebook",
            space=space,
            alphabet="dna" if alphabet_of(pool) == "dna" else "protein",
        )
        self._begin(State(campaign=campaign, with_reference=with_reference))

    def _begin(self, state: State) -> None:
        self._state = state
        self._planner = planner_named(state.campaign.planner.name, state.campaign.planner.settings)
        self.advice: Advice | None = None

    @property
    def campaign(self) -> Campaign:
        """What planners are given."""
        return self._state.campaign

    @property
    def pending(self) -> tuple[str, ...]:
        """Ids of candidates that were chosen and have no result yet."""
        return tuple(e.candidate.id for e in self._state.experiments if e.status is ExperimentStatus.PROPOSED)

    def ask(self, n: int = 8) -> pd.DataFrame:
        """The next n experiments: one row each with ``id``, what describes the candidate, what is expected, and why.

        Columns ``predicted``, ``low`` and ``high`` are in the first target's unit, the interval holds the true value with a
        probability of 95 %; they are empty while too little is known. What was chosen before and not told yet counts as
        on its way; fewer rows come back where fewer candidates are left.

        Raises:
            BadInput: n below 1, or candidates that the planner can't describe.
        """
        state = self._state
        campaign = replace(state.campaign, batch_size=max(n, 1))
        rng = np.random.default_rng([campaign.seed, state.asks])
        proposal = self._planner.ask(n, campaign, self._history(), self._under_way(), rng)
        self._state = replace(
            state, experiments=(*state.experiments, *proposal.experiments), asks=state.asks + 1
        )
        self.advice = proposal.advice
        rows = [expected_row(e.candidate, e.reason) for e in proposal.experiments]
        if state.with_reference:
            why = Reason(planner="", sentence="The reference, in every batch.")
            rows.insert(0, expected_row(campaign.reference, why))
        first = rows[-1] if rows else expected_row(campaign.reference, Reason(planner="", sentence=""))
        return frame_of(rows, [*first])

    def tell(self, results: pd.DataFrame | Mapping[str, Any]) -> None:
        """Take results down: of candidates that were asked for or not, several lines of one candidate as its replicates.

        A line without a value is a measurement that failed, and its candidate is chosen once more; ``failed`` says that the
        candidate itself can't be had, and its like is avoided. Lines of the reference are what results are compared with.

        Args:
            results: as :func:`planners.frames.told_of` reads them.

        Raises:
            BadInput: a line can't be understood; then nothing was taken down.
        """
        state = self._state
        told = told_of(results, state.campaign.goal.targets)
        grouped: dict[str, list[Told]] = {}
        candidates: dict[str, Candidate] = {}
        for line in told:
            candidate = self._find(line, candidates)
            candidates[candidate.id] = candidate
            grouped.setdefault(candidate.id, []).append(line)
        references = dict(state.references)
        for line in grouped.pop(state.campaign.reference.id, []):
            for target, value in line.results.items():
                if math.isfinite(value):
                    references[target] = (*references.get(target, ()), value)
        experiments, observations = list(state.experiments), list(state.observations)
        for key, lines in grouped.items():
            take_down(
                candidates[key], lines, experiments, observations, references, state.campaign.goal.target
            )
        self._state = replace(
            state, experiments=tuple(experiments), observations=tuple(observations), references=references
        )

    def tell_past(self, results: pd.DataFrame, campaign: str = "past") -> None:
        """Take down what an earlier campaign found; it costs nothing, and planners that can learn from it do.

        Args:
            results: as for :meth:`tell`, with ``id`` of candidates here, or with what describes candidates of their own.
            campaign: its name; results under one name share whatever sets it apart from this one.

        Raises:
            BadInput: a line can't be understood; then nothing was taken down.
        """
        state = self._state
        made = []
        earlier = {result.candidate.id: result.candidate for result in state.campaign.past}
        for line in told_of(results, state.campaign.goal.targets):
            candidate = self._find(line, earlier, foreign=True)
            earlier[candidate.id] = candidate
            for target, value in line.results.items():
                if math.isfinite(value):
                    error = line.errors.get(target, math.nan)
                    made.append(
                        PastResult(
                            candidate=candidate,
                            target=target,
                            value=value,
                            standard_error=error,
                            campaign=campaign,
                        )
                    )
        self._state = replace(state, campaign=replace(state.campaign, past=(*state.campaign.past, *made)))

    def drop(self, *ids: str) -> None:
        """Take back what was chosen and will not be measured; it may be chosen again.

        Raises:
            BadInput: an id that is not pending.
        """
        for key in ids:
            if key not in self.pending:
                raise BadInput(
                    f"{key} is not waiting for a result.",
                    way_out=f"Waiting are {', '.join(self.pending) or 'none'}.",
                    field="id",
                )
        kept = tuple(
            e
            for e in self._state.experiments
            if e.status is not ExperimentStatus.PROPOSED or e.candidate.id not in ids
        )
        self._state = replace(self._state, experiments=kept)

    def predict(self, ids: Sequence[str] = ()) -> pd.DataFrame:
        """What the planner expects of candidates of the pool, or of those measured so far in a space.

        Columns ``id``, ``predicted``, ``sd``, ``low`` and ``high``, in the first target's unit.

        Raises:
            BadInput: an id that is not known, a planner that predicts nothing, or too little measured for it to.
        """
        campaign = self._state.campaign
        known = {c.id: c for c in (*campaign.candidates, *(e.candidate for e in self._state.experiments))}
        for key in ids:
            if key not in known:
                raise BadInput(f"There is no candidate {key}.", field="id")
        if not isinstance(self._planner, Believing):
            raise BadInput(
                f"The planner {campaign.planner.name} predicts nothing.",
                way_out="Take adaptive or botorch.",
                field="planner",
            )
        chosen = [known[key] for key in ids] or list(known.values())
        rng = np.random.default_rng([campaign.seed, self._state.asks])
        beliefs = self._planner.predict(campaign, self._history(), chosen, rng)
        if beliefs is None:
            raise BadInput("Too little was measured to predict from.", way_out="Tell more results.")
        columns = (beliefs.mean, beliefs.sd, beliefs.low, beliefs.high)
        rows = [
            dict(zip(("id", "predicted", "sd", "low", "high"), (c.id, *map(float, numbers)), strict=True))
            for c, *numbers in zip(chosen, *columns, strict=True)
        ]
        return frame_of(rows, ["id", "predicted", "sd", "low", "high"])

    def posterior(self) -> pd.DataFrame:
        """What the planner ``mechanistic`` believes of each parameter: mean, sd and a 95 % interval, in its unit.

        Raises:
            BadInput: another planner, which fits no mechanism.
        """
        inner = getattr(self._planner, "inner", None)
        if not isinstance(inner, MechanisticPlanner):
            raise BadInput("Only the planner mechanistic has parameters to report.", field="planner")
        rng = np.random.default_rng([self.campaign.seed, self._state.asks])
        estimates = inner.posterior(on_pool(self.campaign, self._history(), (), rng), self._history(), rng)
        return frame_of([asdict(e) for e in estimates], [f.name for f in fields(Estimate)])

    def results(self) -> pd.DataFrame:
        """All that was told, a row an experiment; :meth:`tell` of another chooser reads it back."""
        targets = self._state.campaign.goal.targets
        rows = []
        for e in self._state.experiments:
            if e.status is ExperimentStatus.PROPOSED:
                continue
            row = described_row(e.candidate)
            seen = {o.target: o for o in self._state.observations if o.experiment_id == e.id}
            for target in targets:
                o = seen.get(target)
                row |= {target: math.nan if o is None else o.value}
                row |= {f"{target}_se": math.nan if o is None else o.standard_error}
            row["failed"] = any(INFEASIBLE in o.quality.flags for o in seen.values())
            rows.append(row)
        described = rows[0] if rows else described_row(self._state.campaign.reference)
        measured = [name for target in targets for name in (target, f"{target}_se")]
        ends = {*measured, "failed"}
        return frame_of(rows, [*(name for name in described if name not in ends), *measured, "failed"])

    def save(self, path: str | Path) -> None:
        """Write everything to a JSON file; one of that name is replaced as a whole or not at all.

        Raises:
            BadInput: the space has a rule that is a function, which no file can hold.
        """
        write(path, self._state)

    @classmethod
    def load(cls, path: str | Path) -> Chooser:
        """The chooser that was saved there.

        Raises:
            BadInput: there is no such file, or it is none of ours.
        """
        made = cls.__new__(cls)
        made._begin(read(path))
        return made

    def _history(self) -> History:
        done = tuple(e for e in self._state.experiments if e.status is not ExperimentStatus.PROPOSED)
        return History(experiments=done, observations=self._state.observations)

    def _under_way(self) -> tuple[Experiment, ...]:
        return tuple(e for e in self._state.experiments if e.status is ExperimentStatus.PROPOSED)

    def _find(self, line: Told, told: Mapping[str, Candidate], foreign: bool = False) -> Candidate:
        """The candidate that a line speaks of.

        Args:
            told: id -> candidate, of what lines before it spoke of.

        Raises:
            BadInput: it is not known and may not be, or has the id of another.
        """
        campaign = self._state.campaign
        asked = [e.candidate for e in self._state.experiments]
        known = {**told, **{c.id: c for c in (*campaign.candidates, *asked, campaign.reference)}}
        if line.key in known:
            check_same(line, known[line.key])
            return known[line.key]
        values = {k: v for k, v in line.values.items() if k != "sequence"}
        sequence = str(line.values.get("sequence", ""))
        if not line.key or foreign or campaign.space is not None:
            for candidate in known.values():
                if candidate.sequence == sequence and candidate.values == values and (sequence or values):
                    return candidate
            fresh = Candidate(id=line.key or name_of(sequence, values), sequence=sequence, values=values)
            if (foreign and (sequence or values)) or (
                campaign.space is not None and campaign.space.holds(fresh)
            ):
                return fresh
        what = "the space" if campaign.space is not None else "the pool"
        raise BadInput(
            f"The results' {line.line} is of no candidate in {what}.",
            way_out="Give the id that ask() gave, or all that describes the candidate.",
            field="results",
        )


def _candidates(
    given: pd.DataFrame | SearchSpace | Mapping[str, Any], targets: Sequence[str]
) -> tuple[SearchSpace | None, tuple[Candidate, ...]]:
    space, pool = None, tuple[Candidate, ...]()
    if isinstance(given, SearchSpace):
        space = given
    elif isinstance(given, Mapping):
        space = space_of(given)
    else:
        pool = candidates_of(given, leave_out=targets)
    names = space.names if space is not None else pool[0].values
    if taken := [name for name in names if name in (*EXPECTED, *targets, "id", "sequence")]:
        raise BadInput(
            f"A value of the candidates is named {taken[0]}, as a column of what ask() gives or of results.",
            way_out="Give it another name.",
            field="candidates",
        )
    return space, pool


def _reference(given: str | Candidate, pool: Sequence[Candidate]) -> Candidate:
    if isinstance(given, Candidate):
        return given
    found = next((candidate for candidate in pool if candidate.id == given), None)
    if given and found is None:
        raise BadInput(
            f"The reference {given} is none of the candidates.",
            way_out="Add a row for it, or give it as a lab.types.Candidate.",
            field="reference",
        )
    return found or Candidate(id="reference")


def _planner(given: str | Mapping[str, Any]) -> PlannerChoice:
    if isinstance(given, str):
        return PlannerChoice(name=given)
    return PlannerChoice(name=str(given.get("name", "")), settings=dict(given.get("settings", {})))
