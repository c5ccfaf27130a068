"""The BoTorch planner for every goal and space.

The first experiments cover the space. From then on each target gets a Gaussian process with BoTorch's defaults, and the
batch is chosen greedily by the acquisition function that suits the goal, each choice as if the ones before were on their
way. Where matrices can't be inverted, the batch covers the space again and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lab.interfaces import Beliefs
from lab.strict import StrictModel
from lab.types import Advice, Campaign, Candidate, Experiment, History, Proposal, Reason, new_id
from planners.asking import Turn, begin, seed_of
from planners.bo import words
from planners.bo.box import Box, Optimiser, is_box
from planners.bo.features import Encoding, PoolFeatures, each_once
from planners.bo.nearby import Neighbourhood
from planners.bo.results import Column, Results, read_history
from planners.bo.start import spread_rows

if TYPE_CHECKING:
    from planners.bo.acquire import Acquisitions
    from planners.bo.choosing import Choice, Improve
    from planners.bo.surrogate import Surrogate

__all__ = ["Ask", "BotorchPlanner", "BotorchSettings", "Region"]

_DRAWS = 512
"""Joint draws behind the advice."""


class BotorchSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        designed: experiments that cover the space before the model chooses.
        screened: candidates of a larger pool that the acquisition function looks at; half by what they might be, a quarter
            by what they are expected to be, a quarter at random.
    """

    designed: int = Field(default=10, ge=1, le=100)
    screened: int = Field(default=1000, ge=50, le=20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Part of the space that one ask looks at.

    Args:
        rows: of the free candidates.
        remark: a clause for the reasons; empty for none.
        box: 2 x d, least and largest value of each column beside the pool; None for all.
    """

    rows: np.ndarray
    remark: str = ""
    box: np.ndarray | None = None


class BotorchPlanner:
    """Chooses by an acquisition function of BoTorch. Results of earlier campaigns are not looked at.

    Args:
        settings: checked.
    """

    name = "botorch"

    def __init__(self, settings: BotorchSettings) -> None:
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
            BadInput: n below 1, or candidates that cannot be encoded.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        if not turn.wanted and not turn.again:
            return turn.proposal()
        ask = Ask(self, turn, rng)
        if not self.ready(ask.results, campaign):
            return turn.proposal(ask.spread())
        from planners.bo.surrogate import ALGEBRA, quiet_torch

        with quiet_torch(rng):
            try:
                return ask.modelled()
            except ALGEBRA:
                remark = "the model's matrices could not be inverted, so it had no say"
                return turn.proposal(ask.spread(remark))

    def predict(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> Beliefs | None:
        """As :class:`lab.interfaces.Believing` says; None until the model chooses."""
        found = self.believe(campaign, history, candidates, rng)
        return None if found is None else found[campaign.goal.target]

    def believe(
        self,
        campaign: Campaign,
        history: History,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        *,
        draws: int = 0,
    ) -> Mapping[str, Beliefs] | None:
        """As :meth:`lab.interfaces.Believing.believe` says; None until the model chooses."""
        results = read_history(campaign, history, ())
        if not self.ready(results, campaign):
            return None
        from planners.bo.surrogate import joint_draws, quiet_torch, tensor

        known = (*results.measured, *_of(results.feasible), *self.past_candidates(campaign))
        encoding = self.encoding(campaign, (*campaign.candidates, *known, *candidates))
        with quiet_torch(rng):
            surrogate = self.fitted(campaign, results, encoding)
            rows = encoding.encode(candidates)
            mean, sd = surrogate.predict(tensor(rows))
            found = {}
            for target in campaign.goal.targets:
                if (at := surrogate.index(target)) is None:
                    continue
                middle, spread = mean[:, at], sd[:, at]
                found[target] = Beliefs(
                    mean=middle,
                    sd=spread,
                    low=middle - 1.96 * spread,
                    high=middle + 1.96 * spread,
                    draws=joint_draws(surrogate, at, rows, draws) if draws else None,
                )
        return found

    def ready(self, results: Results, campaign: Campaign) -> bool:
        """Whether enough was measured for the model to choose."""
        known = results.columns.get(campaign.goal.target)
        return known is not None and len(results.measured) + len(results.pending) >= self.settings.designed

    def encoding(self, campaign: Campaign, candidates: Sequence[Candidate]) -> Encoding:
        """How the model sees candidates, each of which may come twice."""
        space = campaign.space
        if (
            space is not None
            and is_box(space)
            and not campaign.models
            and all(space.holds(candidate) for candidate in candidates)
        ):
            return Box(space)
        return PoolFeatures(campaign, each_once(candidates))

    def fitted(self, campaign: Campaign, results: Results, encoding: Encoding) -> Surrogate:
        """The models of all targets."""
        from planners.bo.surrogate import fit_results

        return fit_results(self.with_past(results, campaign), encoding, self.tasks(campaign))

    def tasks(self, campaign: Campaign) -> tuple[tuple[str, Column], ...]:
        """Target and results of earlier campaigns, where the planner learns from them."""
        del campaign
        return ()

    def past_candidates(self, campaign: Campaign) -> tuple[Candidate, ...]:
        """What earlier campaigns measured, where the planner learns from them."""
        return tuple(c for _, column in self.tasks(campaign) for c in column.candidates)

    def among(self, X: np.ndarray, results: Results, surrogate: Surrogate, ask: Ask) -> Region:
        """Which of the free candidates (N x d) the acquisition function is to look at."""
        del results, surrogate, ask
        return Region(rows=np.arange(len(X)))

    def with_past(self, results: Results, campaign: Campaign) -> Results:
        """What the models are fitted to."""
        del campaign
        return results


class Ask:
    """One ask of one planner, from history to experiments."""

    def __init__(self, planner: BotorchPlanner, turn: Turn, rng: np.random.Generator) -> None:
        self.planner, self.turn, self.rng = planner, turn, rng
        self.campaign = campaign = turn.campaign
        self.results = read_history(campaign, turn.history, turn.pending, turn.again)
        self.free = tuple(campaign.candidates[int(row)] for row in turn.free)
        known = (*self.results.measured, *self.results.pending, *_of(self.results.feasible))
        self.past = planner.past_candidates(campaign)
        self.encoding = planner.encoding(campaign, (*campaign.candidates, *known, *self.past))
        self.X = self.encoding.encode(self.free)

    def spread(self, remark: str = "") -> tuple[Experiment, ...]:
        """Candidates that cover the space."""
        known = (*self.results.measured, *self.results.pending, *_of(self.results.feasible))
        rows = spread_rows(self.turn.wanted, self.X, self.encoding.encode(known), self.rng)
        reason = Reason(
            planner=self.planner.name,
            sentence=words.spread(len(self.results.measured), remark),
            model_cards=self.encoding.cards,
            seed=self.turn.seed,
        )
        return tuple(Experiment(id=new_id("exp"), candidate=self.free[int(r)], reason=reason) for r in rows)

    def modelled(self) -> Proposal:
        """What the model chooses."""
        from planners.bo.acquire import Acquisitions
        from planners.bo.choosing import choose, screened
        from planners.bo.surrogate import tensor

        surrogate = self.planner.fitted(self.campaign, self.results, self.encoding)
        # before anything was measured here, the best to beat is what earlier campaigns lead to expect of their candidates
        baseline = self.encoding.encode(self.results.measured or self.past)
        space = self.X if len(self.X) else baseline
        seed = int(self.rng.integers(2**31))
        acquisitions = Acquisitions(self.campaign.goal, surrogate, tensor(baseline), tensor(space), seed)
        region = self.planner.among(self.X, self.results, surrogate, self)
        among = self.X[region.rows]
        kept = region.rows[screened(self.planner.settings.screened, acquisitions, surrogate, among, self.rng)]
        if len(kept) < self.turn.wanted:
            kept = np.concatenate([kept, np.setdiff1d(np.arange(len(self.X)), kept)])
        pending = self.encoding.encode(self.results.pending)
        choices = choose(
            self.turn.wanted,
            acquisitions,
            [self.free[int(row)] for row in kept],
            self.X[kept],
            pending,
            self.rng,
            self._improve(region),
        )
        said = "; ".join(filter(None, (region.remark, *surrogate.remarks)))
        best = self._best(surrogate, baseline)
        made = tuple(self._explained(choice, acquisitions, surrogate, best, said) for choice in choices)
        turn = replace(self.turn, again=tuple(self._with_prediction(e, surrogate) for e in self.turn.again))
        advice = self._advice(choices, surrogate, best) if choices else None
        return turn.proposal(made, advice)

    def _improve(self, region: Region) -> Improve | None:
        """What looks beside the pool; nothing where the campaign has no space."""
        if self.campaign.space is None:
            return None
        asked = [e.candidate for e in self.turn.history.experiments]
        known = [*asked, *self.results.pending, self.campaign.reference]
        if isinstance(self.encoding, Box):
            return Optimiser(self.encoding, self.campaign.fixed, known, self.rng, region.box)
        return Neighbourhood(self.campaign, self.encoding, known, self.rng)

    def _best(self, surrogate: Surrogate, baseline: np.ndarray) -> float | None:
        """What the model makes of the best measured that it believes to keep to the limits, in the first target's unit; None
        where there is no such.
        """
        from planners.bo.surrogate import tensor

        goal = self.campaign.goal
        if goal.also or goal.direction in ("map", "exceed") or not len(baseline):
            return None
        mean, _ = surrogate.predict(tensor(baseline))
        values = mean[self._kept(surrogate, mean.T), surrogate.index(goal.target)]
        return max(map(float, values), key=goal.merit, default=None)

    def _kept(self, surrogate: Surrogate, values: np.ndarray) -> np.ndarray:
        """Which values (outcomes x ...) keep to all limits whose targets have a model: (...)."""
        kept = np.ones(values.shape[1:], dtype=bool)
        for limit in self.campaign.goal.limits:
            if (i := surrogate.index(limit.target)) is not None:
                kept &= np.vectorize(limit.holds, otypes=[bool])(values[i])
        return kept

    def _reason(self, row: np.ndarray, surrogate: Surrogate) -> tuple[Reason, list[tuple[str, float, float]]]:
        """A reason without its sentence, and the predictions: target, mean, standard deviation."""
        from planners.bo.surrogate import tensor

        mean, sd = surrogate.predict(tensor(row[None, :]))
        said = []
        for target in self.campaign.goal.targets:
            i = surrogate.index(target)
            if i is not None:
                said.append((target, float(mean[0, i]), float(sd[0, i])))
        _, first, spread = said[0]
        reason = Reason(
            planner=self.planner.name,
            sentence="",
            predicted_mean=first,
            predicted_sd=spread,
            interval=(first - 1.96 * spread, first + 1.96 * spread),
            model_cards=self.encoding.cards,
            seed=self.turn.seed,
        )
        return reason, said

    def _explained(
        self,
        choice: Choice,
        acquisitions: Acquisitions,
        surrogate: Surrogate,
        best: float | None,
        remark: str,
    ) -> Experiment:
        reason, said = self._reason(choice.row, surrogate)
        reason = replace(
            reason,
            sentence=words.chosen(self.campaign.goal, said, best, remark),
            acquisition=acquisitions.name,
            acquisition_value=choice.value,
        )
        return Experiment(id=new_id("exp"), candidate=choice.candidate, reason=reason)

    def _with_prediction(self, experiment: Experiment, surrogate: Surrogate) -> Experiment:
        """A repeat, with what the model expects of it."""
        row = self.encoding.encode([experiment.candidate])[0]
        reason, _ = self._reason(row, surrogate)
        return replace(experiment, reason=replace(reason, sentence=experiment.reason.sentence))

    def _advice(self, choices: Sequence[Choice], surrogate: Surrogate, best: float | None) -> Advice | None:
        """Stop when the batch is expected to better the best by less than the error of one measurement, within limits."""
        from planners.bo.surrogate import joint_draws

        if best is None:
            return None
        goal = self.campaign.goal
        first = surrogate.index(goal.target)
        assert first is not None
        rows = np.array([choice.row for choice in choices])
        draws = np.array([joint_draws(surrogate, i, rows, _DRAWS) for i in range(len(surrogate.outcomes))])
        values = draws[first]
        merits = -np.abs(values - goal.level) if goal.direction == "hit" else goal.sign * values
        merits = np.where(self._kept(surrogate, draws), merits, -np.inf)
        gain = float(np.maximum(merits.max(axis=1) - goal.merit(best), 0.0).mean())
        stop, sentence = words.advice(len(choices), best, gain, surrogate.outcomes[first].noise)
        return Advice(stop=stop, sentence=sentence)


def _of(column: Column | None) -> tuple[Candidate, ...]:
    return () if column is None else column.candidates
