"""The default planner, which needs no settings: a committee of models, fitted anew at every ask.

The first experiments cover the pool. From then on what the committee believes (``planners/committee.py``) chooses the
batch (``planners/choosing.py``): what is likely to better the best so far, times the chance that it can be had at all
(``planners/feasibility.py``), and in the last tenth of the budget what is predicted best, or needs another reading to
tell which is (``planners/ending.py``).

BLAS runs on one thread here: matrices of a hundred rows lose time to more, and sums come out in one order whatever the
machine is doing. Candidates are then the same on one machine for the same inputs; another BLAS may round differently
and, where two candidates are as good as equal, choose the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

from lab.errors import BadInput
from lab.interfaces import Beliefs
from lab.strict import StrictModel
from lab.types import Campaign, Candidate, Experiment, History, Proposal, Reason, new_id
from planners import words
from planners.acquisition import log_expected_improvement, upper_confidence_bound
from planners.advice import advise
from planners.asking import Turn, begin, seed_of
from planners.choosing import Acquire, Choice, choose
from planners.committee import Model, fit_model
from planners.design import spread_design
from planners.ending import replicates
from planners.feasibility import log_chance
from planners.focus import focused
from planners.goals import is_plain
from planners.past import with_past, with_past_candidates
from planners.seen import Seen, look_back
from planners.several import choose_for_goal, orientation
from planners.space import Space, encode_space

__all__ = ["AdaptivePlanner", "AdaptiveSettings"]

_LAST = 0.1
"""Share of the budget, its end, that goes to what is predicted best."""


class AdaptiveSettings(StrictModel):
    """What a campaign file may set under ``planner: settings:``.

    Attributes:
        acquisition: what makes a candidate worth measuring; ``ucb`` is predicted mean plus a share of its uncertainty,
            ``log_ei`` the expected improvement over the best so far. ``auto`` takes the first for numbers and for single
            substitutions, the second for levels and for several substitutions.
        beta: of ``ucb``: mean + sqrt(beta) sd; larger explores more.
        warp: of measured values before the fit; ``auto`` chooses by leave-one-out density, ``logit`` is for fractions
            between 0 and 1, ``log`` for amounts above 0.
        kernels: names to choose from or to mix each round; empty for those that did best on spaces like it.
        designed: experiments that cover the pool before the model chooses.
        same_residue: how many single substitutions to one residue may be on their way at a time, while others are free.
        general_knowledge: whether what substitutions cost other proteins may be the prior mean for single substitutions,
            weighed against doing without; when maximising it ranks the first round too.
    """

    acquisition: Literal["auto", "ucb", "log_ei"] = "auto"
    beta: float = Field(default=2.0, ge=0.0, le=100.0)
    warp: Literal["auto", "none", "half_rank", "soft_rank", "logit", "log"] = "auto"
    kernels: tuple[str, ...] = ()
    designed: int = Field(default=5, ge=1, le=100)
    same_residue: int = Field(default=4, ge=1, le=100)
    general_knowledge: bool = True


class AdaptivePlanner:
    """Chooses what is predicted to be good, or might be.

    Args:
        settings: checked.
    """

    name = "adaptive"

    def __init__(self, settings: AdaptiveSettings) -> None:
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
            BadInput: n below 1, a pool that cannot be encoded, or a kernel that does not suit it.
        """
        turn = begin(self.name, n, campaign, history, pending, seed_of(rng))
        turn = replace(turn, campaign=focused(campaign, history, pending, rng))
        with threadpool_limits(limits=1, user_api="blas"):
            space = self._space(turn.campaign)
            beliefs = self._beliefs(space, turn.campaign, history, pending, turn.again, rng)
            seen = look_back(space, turn.campaign, history, pending, turn.again)
            if beliefs is None or len(seen.rows) + len(seen.pending) < self.settings.designed:
                return turn.proposal(self._designed(turn, space, seen, rng))
            return self._modelled(turn, space, beliefs, rng)

    def _modelled(
        self,
        turn: Turn,
        space: Space,
        beliefs: Mapping[str, tuple[Model, Seen]],
        rng: np.random.Generator,
    ) -> Proposal:
        """What the committee chooses, for whatever goal.

        Args:
            beliefs: target -> its committee, and history as it stands for it.
        """
        goal = turn.campaign.goal
        model, seen = beliefs[goal.target]
        turn = replace(turn, again=tuple(_with_prediction(e, model, space) for e in turn.again))
        labels = dict.fromkeys(label for of_target, _ in beliefs.values() for label in of_target.labels)
        cited = Reason(planner=self.name, sentence="", model_cards=(*space.cards, *labels), seed=turn.seed)
        spent = turn.history.spent + len(turn.pending) + len(turn.again)
        left = turn.campaign.budget - spent
        if is_plain(goal):
            return self._one_target(turn, space, model, seen, left, cited, rng)
        wanted, chances = turn.wanted, log_chance(space, seen)
        return turn.proposal(
            choose_for_goal(wanted, turn.campaign, space, beliefs, left - wanted, cited, rng, chances)
        )

    def _one_target(
        self,
        turn: Turn,
        space: Space,
        model: Model,
        seen: Seen,
        left: int,
        cited: Reason,
        rng: np.random.Generator,
    ) -> Proposal:
        """What may be the most or the least of one target; at the end of the budget what is predicted to be.

        Args:
            left: experiments of the budget that are left, those that this batch adds among them.
            cited: planner, cards and seed of this ask.
        """
        exploring = max(left - round(_LAST * turn.campaign.budget), 0)
        closing = max(turn.n - len(turn.again) - exploring, 0)
        once_more = replicates(closing, turn.campaign, turn.history, space, seen, model, cited)
        turn = replace(turn, again=(*turn.again, *once_more))
        acquire = self._acquisition(space, seen, model, exploring)
        choice = choose(turn.wanted, model.gp, space, seen, acquire, self.settings.same_residue, rng)
        chosen = self._explained(choice, model, space, seen, cited, exploring)
        return turn.proposal(chosen, advise(choice, model, seen, rng) if chosen else None)

    def _beliefs(
        self,
        space: Space,
        campaign: Campaign,
        history: History,
        pending: Sequence[Experiment],
        again: Sequence[Experiment],
        rng: np.random.Generator,
    ) -> dict[str, tuple[Model, Seen]] | None:
        """Target -> its committee and what it was fitted to; None while one of them can't be fitted yet."""
        found = {}
        for target in campaign.goal.targets:
            seen = look_back(space, campaign, history, pending, again, target)
            sign, ranked = orientation(campaign.goal, target)
            warp = self.settings.warp if ranked else "none"
            seed = int(rng.integers(2**31 - 1))
            model = fit_model(space, seen, sign, None if warp == "auto" else warp, seed)
            if model is None:
                return None
            found[target] = (model, seen)
        return found

    def predict(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> Beliefs | None:
        """What the committee expects of candidates' true values, in the target's unit.

        None while too little was measured for a model.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        space, beliefs = self._fitted(campaign, history, candidates, rng)
        if beliefs is None:
            return None
        model = beliefs[campaign.goal.target][0]
        mean, sd = model.of(_rows(space, candidates))
        low, high = model.interval(mean, sd)
        in_unit = model.in_unit(mean, sd * model.width)
        return Beliefs(mean=in_unit[0], sd=in_unit[1], low=low, high=high)

    def believe(
        self,
        campaign: Campaign,
        history: History,
        candidates: Sequence[Candidate],
        rng: np.random.Generator,
        *,
        draws: int = 0,
    ) -> Mapping[str, Beliefs] | None:
        """As :meth:`lab.interfaces.Believing.believe` says; None while too little was measured for a model.

        Raises:
            BadInput: a candidate that the campaign's space can't describe.
        """
        space, beliefs = self._fitted(campaign, history, candidates, rng)
        if beliefs is None:
            return None
        rows, found = _rows(space, candidates), {}
        with threadpool_limits(limits=1, user_api="blas"):
            for target, (model, _) in beliefs.items():
                outputs = model.of(rows)
                mean, sd = model.in_unit(*outputs)
                low, high = model.interval(*outputs)
                drawn = model.values(model.gp.draw(rows, draws, rng)) if draws else None
                found[target] = Beliefs(mean=mean, sd=sd, low=low, high=high, draws=drawn)
        return found

    def _fitted(
        self, campaign: Campaign, history: History, candidates: Sequence[Candidate], rng: np.random.Generator
    ) -> tuple[Space, dict[str, tuple[Model, Seen]] | None]:
        """The committees over a pool that has the candidates too; those that it had not change no scale of its features."""
        campaign = focused(campaign, history, (), rng, keep={candidate.id for candidate in candidates})
        known = {candidate.id: candidate for candidate in campaign.candidates}
        added = {c.id: c for c in candidates if known.get(c.id) != c}
        kept = tuple(c for c in campaign.candidates if c.id not in added)
        campaign = replace(campaign, candidates=(*kept, *added.values()))
        with threadpool_limits(limits=1, user_api="blas"):
            space = self._space(campaign, len(kept))
            return space, self._beliefs(space, campaign, history, (), (), rng)

    def _space(self, campaign: Campaign, scaled_by: int | None = None) -> Space:
        """The pool, with only the kernels and scores that the settings name, and only such as have something to look at."""
        space = with_past(encode_space(with_past_candidates(campaign), scaled_by), campaign)
        if not self.settings.general_knowledge:
            space = replace(space, scores=tuple(score for score in space.scores if score.named))
        if not is_plain(campaign.goal):
            # measured for the most or the least of one target only (docs/decisions/0009)
            space = replace(space, averaged=())
        if not self.settings.kernels:
            return space
        known = {spec.name: spec for spec in (*space.kernels, *space.others)}
        for name in self.settings.kernels:
            if name not in known:
                raise BadInput(
                    f"The kernel {name!r} does not suit these candidates.",
                    way_out=f"Choose among {', '.join(known)}, or leave the setting out.",
                    field="planner.settings.kernels",
                )
        return replace(space, kernels=tuple(known[name] for name in self.settings.kernels), averaged=())

    def _designed(
        self, turn: Turn, space: Space, seen: Seen, rng: np.random.Generator
    ) -> tuple[Experiment, ...]:
        """What covers the pool, or promises most by a score that is known beforehand."""
        n, sign = turn.wanted, turn.campaign.goal.sign
        taken = np.unique(np.concatenate([seen.rows, seen.pending]))
        ranked = next((s for s in space.scores if s.named or sign > 0.0), None)
        if n < 1:
            rows = np.empty(0, dtype=np.intp)
        elif space.blocks.names and space.kernels:
            rows = spread_design(
                n,
                space.kernels[-1],
                space.blocks,
                seen.free,
                taken,
                space.size,
                rng,
                space.strata,
                None if ranked is None else ranked.values,
            )
        else:
            rows = rng.permutation(seen.free)[:n]
        return tuple(
            Experiment(
                id=new_id("exp"),
                candidate=space.candidates[int(row)],
                reason=Reason(
                    planner=self.name,
                    sentence=words.chosen_to_spread(int(row), space, seen, sign, ranked),
                    model_cards=(*space.cards, *(() if ranked is None else (ranked.label,))),
                    seed=turn.seed,
                ),
            )
            for row in rows
        )

    def _acquisition(self, space: Space, seen: Seen, model: Model, exploring: int) -> Acquire:
        """What measuring a row is worth; the first ``exploring`` of the batch need not be the best yet."""
        chances = log_chance(space, seen)
        worst = float(model.gp.mean[seen.rows].min())

        def acquire(
            mean: np.ndarray, sd: np.ndarray, incumbent: float, rows: np.ndarray, taken: int
        ) -> np.ndarray:
            name = self._acquisition_name(space, taken < exploring)
            if name == "log_ei":
                value = log_expected_improvement(mean, sd, incumbent)
                return value if chances is None else value + chances[rows]
            value = mean if name == "predicted_mean" else upper_confidence_bound(mean, sd, self.settings.beta)
            # a candidate that can't be had is worth as little as the worst that was measured
            return value if chances is None else worst + (value - worst) * np.exp(chances[rows])

        return acquire

    def _acquisition_name(self, space: Space, exploring: bool) -> str:
        if not exploring:
            return "predicted_mean"
        if self.settings.acquisition != "auto":
            return self.settings.acquisition
        return "ucb" if space.others or space.strata is not None else "log_ei"

    def _explained(
        self, choice: Choice, model: Model, space: Space, seen: Seen, cited: Reason, exploring: int
    ) -> tuple[Experiment, ...]:
        mean, sd = model.of(choice.rows)
        means, sds = model.in_unit(mean, sd)
        low, high = model.interval(mean, sd)
        chances = ndtr((mean - choice.incumbent) / sd)
        best = float(model.values(np.array([choice.incumbent]))[0])
        made = []
        for i, row in enumerate(choice.rows):
            sentence = words.predicted(
                int(row), float(means[i]), float(sds[i]), float(chances[i]), best, space, seen, model.sign
            )
            reason = replace(
                cited,
                sentence=sentence,
                acquisition=self._acquisition_name(space, i < exploring),
                acquisition_value=float(choice.acquisition[i]),
                predicted_mean=float(means[i]),
                predicted_sd=float(sds[i]),
                interval=(float(low[i]), float(high[i])),
            )
            made.append(Experiment(id=new_id("exp"), candidate=space.candidates[int(row)], reason=reason))
        return tuple(made)


def _rows(space: Space, candidates: Sequence[Candidate]) -> np.ndarray:
    return np.array([space.row_of[candidate.id] for candidate in candidates], dtype=np.intp)


def _with_prediction(experiment: Experiment, model: Model, space: Space) -> Experiment:
    """A repeat, with what the model expects of it, so that its result can be held against that too."""
    row = np.array([space.row_of[experiment.candidate.id]], dtype=np.intp)
    at, spread = model.of(row)
    mean, sd = model.in_unit(at, spread)
    low, high = model.interval(at, spread)
    reason = replace(
        experiment.reason,
        predicted_mean=float(mean[0]),
        predicted_sd=float(sd[0]),
        interval=(float(low[0]), float(high[0])),
        model_cards=(*space.cards, *model.labels),
    )
    return replace(experiment, reason=reason)
